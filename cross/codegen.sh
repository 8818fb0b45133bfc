# shellcheck shell=bash
# From the bitcode of a router program to the program: a sixth smaller than what rustc makes of it. Sourced by
# toolchain.sh.
#
# rustc hands out the whole program as it is before any optimisation of vipd's own code. LLVM's tools optimise it once,
# by what pays on a router, and generate its code: for MIPS as MIPS16 (OpenWrt's own packages for these routers are
# built so: its mips_24kc and mipsel_24kc have CONFIG_USE_MIPS16, and every core of them has it), for ARM as Thumb.
# For MIPS16, LLVM writes assembly and no objects: GNU's assembler and linker do the rest, because zig's linker does
# not know calls of MIPS16 code. musl and compiler-rt are zig's; the linker makes calls to them change over.

# The LLVM of Debian's rustc reads what it writes.
llvm_version() { /usr/bin/rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p'; }

# Prints the packages that are missing, once rustc is there.
missing_codegen_packages() {
    local llvm
    llvm=$(llvm_version)
    [ -x "/usr/bin/llc-$llvm" ] || echo "llvm-$llvm"
    [ -x "/usr/bin/ld.lld-$llvm" ] || echo "lld-$llvm"
    [ -x /usr/bin/mips-linux-gnu-ld ] || echo binutils-mips-linux-gnu
}

# A function of more than 300 instructions is not put into its only caller: where everything is in one function,
# every value lives on the stack, far away. Costs are ten times LLVM's, so that its bonus for an only caller is a tenth.
# Calls of AArch64 are short: less is inlined there.
inline_flags() {
    local threshold=100
    [ "$1" != aarch64 ] || threshold=50
    echo "-inline-threshold=$threshold" -inline-instr-cost=50 -inline-call-penalty=250
}

# The code generator: no constants kept ready outside of loops, no value kept on the stack that is computed as easily
# again, equal ends of branches once.
readonly CODE_FLAGS=(-O2 -relocation-model=static -function-sections -data-sections -disable-machine-licm
    -disable-machine-cse -enable-tail-merge=true -tail-merge-size=2)

# What a target has of its own. Copies are made by memcpy, tables for `match` are few.
# MIPS16: no tables at all, blocks left in their order, no rewriting of loops for address modes that it lacks.
# AArch64: addresses in one instruction, which reach 1 MB, registers saved by functions for that, and functions that
# differ in constants once. There and on x86_64, LLVM's machine outliner: on ARM and MIPS it was seen to make programs
# that hang or crash.
code_flags() {
    local outliner="-enable-machine-outliner -machine-outliner-reruns=2"
    case $1 in
    mips | mipsel)
        echo -no-integrated-as -disable-lsr -disable-block-placement -max-store-memcpy=1 -min-jump-table-entries=1000
        return
        ;;
    aarch64) echo "$outliner" -code-model=tiny -homogeneous-prolog-epilog -enable-global-merge-func ;;
    x86_64) echo "$outliner" -disable-phi-elim-edge-splitting -split-spill-mode=size ;;
    esac
    echo -min-jump-table-entries=12 -max-store-memcpy=2
}

# LLVM's passes for size, of one compilation unit and of a link, but none that moves computations out of loops: what
# they compute has to be kept, on the stack.
passes() {
    local level pipeline all=
    for level in 'default<Oz>' 'lto<Oz>'; do
        # opt complains that it cannot read the name of the pass that writes its output.
        pipeline=$("opt-$1" -passes="$level" -print-pipeline-passes "$2" -o /dev/null 2>/dev/null) || [ -n "$pipeline" ] || return 1
        all+=$(sed -E 's/,verify,BitcodeWriterPass//; s/memprof-remove-attributes,//
            s/loop-mssa\(licm<[a-z-]*>\),//g; s/licm<[a-z-]*>,|,licm<[a-z-]*>//g' <<<"$pipeline"),
    done
    echo "${all}mergefunc,constmerge,globaldce"
}

# The mode of a target's code, as LLVM's feature of a function, if it has a short one that rustc does not ask for.
code_mode() {
    case $1 in
    mips | mipsel) echo mips16 ;;
    arm | armv5te) echo thumb-mode ;;
    esac
}

# optimised TARGET BITCODE: BITCODE.ll. The daemon has one thread, so that atomics, of which MIPS16 and ARMv5 have
# none, are plain loads and stores.
optimised() {
    local bitcode=$2 llvm pipeline flags
    llvm=$(llvm_version)
    read -ra flags <<<"$(inline_flags "$1")"
    pipeline=$(passes "$llvm" "$bitcode") || return 1
    "opt-$llvm" -S -passes="$pipeline,lower-atomic" "${flags[@]}" "$bitcode" -o "$bitcode.ll"
}

# generated TARGET BITCODE TYPE OUTPUT: the code, of TYPE asm or obj. A function that LLVM cannot translate in the
# target's mode stays as it is: it is said which, and the rest is tried again.
generated() {
    local target=$1 bitcode=$2 type=$3 output=$4 llvm mode flags function others=()
    llvm=$(llvm_version)
    mode=$(code_mode "$target")
    read -rd '' -a flags <<<"$(code_flags "$target")" || true
    while [ ${#others[@]} -lt 100 ]; do
        python3 cross/codegen.py "$mode" "${others[@]}" <"$bitcode.ll" >"$bitcode.mode.ll" || return 1
        "llc-$llvm" "${CODE_FLAGS[@]}" "${flags[@]}" -filetype="$type" "$bitcode.mode.ll" -o "$output" \
            2>"$bitcode.err" && return 0
        function=$(sed -n 's/^In function: //p' "$bitcode.err" | head -1)
        [ -n "$function" ] && [ -n "$mode" ] || break
        echo "note: LLVM has no $mode code for $function" >&2
        others+=("$function")
    done
    cat "$bitcode.err" >&2
    return 1
}

# The files that zig links into every program of a target: its start, musl, and compiler-rt. The first time zig also
# tells how it makes them.
zig_files() {
    cross/"zig-cc-$1" -v -o "$2" -x c - 2>&1 <<<'int main(void) { return 0; }' | grep '^ld\.lld ' | tail -n 1 |
        grep -oE '/[^ ]*/(crt1\.o|lib(c|zigc|compiler_rt)\.a)' | sort -u
}

# mips_linked TARGET BITCODE PROGRAM ARGUMENTS…: the program of BITCODE and of what the linker's arguments name.
# The linker fills the file up to a page, which it believes to be of 16 bytes.
mips_linked() {
    local bitcode=$2 program=$3 endian=-EB emulation=elf32btsmip
    [ "$1" = mips ] || endian=-EL emulation=elf32ltsmip
    generated "$1" "$bitcode" asm "$bitcode.s" &&
        mips-linux-gnu-as "$endian" -mips32r2 -msoft-float "$bitcode.s" -o "$bitcode.o" || return 1
    shift 3
    mips-linux-gnu-ld "$endian" -m "$emulation" -static -O2 --gc-sections --entry __start --build-id=none \
        -z noexecstack -z common-page-size=16 -T cross/discard.ld -o "$program" "$bitcode.o" "$@"
}

# linked TARGET BITCODE PROGRAM ARGUMENTS…: the same of every other target. Equal functions stand there once, which
# zig's own linker does not offer; and nothing but the table of thread-local variables would be made read-only late.
linked() {
    local bitcode=$2 program=$3
    generated "$1" "$bitcode" obj "$bitcode.o" || return 1
    shift 3
    "ld.lld-$(llvm_version)" -static -O2 --gc-sections --icf=all --build-id=none -z norelro -T cross/discard.ld \
        -o "$program" "$bitcode.o" "$@"
}

# program TARGET BITCODE BUILTINS PROGRAM [LD-FLAGS…]: the program of a bitcode file.
program() {
    local target=$1 bitcode=$2 builtins=$3 program=$4 files link=linked
    shift 4
    [ "$target" != arm ] || target=armv5te # its binary (targets.sh)
    case $target in mips | mipsel) link=mips_linked ;; esac
    files=$(zig_files "$target" "$bitcode.probe") || {
        echo "$target: zig names no libraries of its own: is $ZIG whole?" >&2
        return 1
    }
    # shellcheck disable=SC2086 # a list of files
    optimised "$target" "$bitcode" &&
        $link "$target" "$bitcode" "$program" "$@" "$builtins" --start-group $files --end-group
}
