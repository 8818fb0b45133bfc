# shellcheck shell=bash
# From the bitcode of a router program to the program: a sixth smaller than what rustc makes of it. Sourced by
# toolchain.sh.
#
# rustc hands out the whole program as it is before any optimisation of vipd's own code, musl.sh the part of musl that
# it needs. LLVM's tools optimise both as one, by what pays on a router, and generate the code: for MIPS as MIPS16
# (OpenWrt's own packages for these routers are built so: its mips_24kc and mipsel_24kc have CONFIG_USE_MIPS16, and
# every core of them has it), for ARM as Thumb.
# For MIPS16, LLVM writes assembly and no objects: mips16.py and GNU's assembler and linker do the rest, because zig's
# linker does not know calls of MIPS16 code. compiler-rt is zig's; the linker makes calls to it change over. aarch64.py
# and x86_64.py make LLVM's assembly shorter, too.

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
# Calls of AArch64 are short, and of x86_64 what is there twice is outlined: less is inlined there.
inline_flags() {
    local threshold=100 instruction=50
    case $1 in aarch64 | x86_64) threshold=50 ;; esac
    [ "$1" != x86_64 ] || instruction=60
    echo "-inline-threshold=$threshold" "-inline-instr-cost=$instruction" -inline-call-penalty=250
}

# The code generator: no constants kept ready outside of loops, no value kept on the stack that is computed as easily
# again, equal ends of branches once.
readonly CODE_FLAGS=(-O2 -relocation-model=static -function-sections -data-sections -disable-machine-licm
    -disable-machine-cse -enable-tail-merge=true -tail-merge-size=2)

# What a target has of its own. Copies are made by memcpy, tables for `match` are few.
# MIPS16: no tables at all, blocks left in their order, no rewriting of loops for address modes that it lacks.
# AArch64: addresses in one instruction, which reach 1 MB, registers saved by functions for that, and functions that
# differ in constants once; for aarch64.py, no shrink-wrapping and equal code in the same order everywhere.
# x86_64: blocks and spills by size, no register saved from a function that leaves it alone; the sizes of instructions,
# for x86_64.py.
code_flags() {
    case $1 in
    mips | mipsel)
        echo -no-integrated-as -disable-lsr -disable-block-placement -max-store-memcpy=1 -min-jump-table-entries=1000
        ;;
    aarch64)
        echo -code-model=tiny -homogeneous-prolog-epilog -enable-global-merge-func -enable-machine-outliner=never \
            -enable-shrink-wrap=false -disable-lsr -enable-post-misched=false -disable-phi-elim-edge-splitting \
            -split-spill-mode=size -disable-machine-cse=false -min-jump-table-entries=12 -max-store-memcpy=2
        ;;
    x86_64)
        echo -disable-phi-elim-edge-splitting -split-spill-mode=size -enable-ipra -disable-lsr -max-store-memcpy=1 \
            -min-jump-table-entries=40 -tail-merge-size=1 -enable-shrink-wrap=false -show-mc-encoding
        ;;
    *) echo -min-jump-table-entries=12 -max-store-memcpy=2 ;;
    esac
}

# passes BITCODE: LLVM's passes for size, of one compilation unit and of a link, but none that moves computations out of
# loops: what they compute has to be kept, on the stack.
passes() {
    local level pipeline all=
    for level in 'default<Oz>' 'lto<Oz>'; do
        # opt complains that it cannot read the name of the pass that writes its output.
        pipeline=$("opt-$(llvm_version)" -passes="$level" -print-pipeline-passes "$1" -o /dev/null 2>/dev/null) ||
            [ -n "$pipeline" ] || return 1
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

# optimised TARGET BITCODE OUTPUT. The daemon has one thread, so that atomics, of which MIPS16 and ARMv5 have none, are
# plain loads and stores.
optimised() {
    local target=$1 bitcode=$2 output=$3 pipeline flags
    read -ra flags <<<"$(inline_flags "$target")"
    pipeline=$(passes "$bitcode") || return 1
    "opt-$(llvm_version)" -passes="$pipeline,lower-atomic" "${flags[@]}" "$bitcode" -o "$output"
}

# needed BITCODE OUTPUT: without what the program's main() never reaches, and variables of its one thread like others.
needed() {
    "opt-$(llvm_version)" -S -passes=internalize,globaldce -internalize-public-api-list=main "$1" |
        sed -E 's/ thread_local(\([a-z]*\))? / /
            s/(tail )?call [^@]*@llvm\.threadlocal\.address\.p0\(ptr [^@]*(@[^)]*)\)/getelementptr i8, ptr \2, i32 0/' |
        "opt-$(llvm_version)" -o "$2"
}

# generated TARGET BITCODE TYPE OUTPUT: the code, of TYPE asm or obj. A function that LLVM cannot translate in the
# target's mode stays as it is: it is said which, and the rest is tried again.
generated() {
    local target=$1 bitcode=$2 type=$3 output=$4 llvm mode flags function others=()
    llvm=$(llvm_version)
    mode=$(code_mode "$target")
    read -rd '' -a flags <<<"$(code_flags "$target")" || true
    while [ ${#others[@]} -lt 100 ]; do
        "llvm-dis-$llvm" "$bitcode" -o - | python3 cross/codegen.py "$mode" "${others[@]}" >"$bitcode.mode.ll" || return 1
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

# compiled TARGET BITCODE OUTPUT: an object file.
compiled() {
    local target=$1 bitcode=$2 output=$3
    case $target in
    mips | mipsel)
        generated "$target" "$bitcode" asm "$bitcode.s" && python3 cross/mips16.py <"$bitcode.s" |
            mips-linux-gnu-as "$(mips_endian "$target")" -mips32r2 -msoft-float - -o "$output"
        ;;
    aarch64 | x86_64)
        generated "$target" "$bitcode" asm "$bitcode.s" && python3 "cross/$target.py" <"$bitcode.s" |
            "llvm-mc-$(llvm_version)" -filetype=obj -triple="$target-linux-musl" -o "$output"
        ;;
    *) generated "$target" "$bitcode" obj "$output" ;;
    esac
}

mips_endian() { [ "$1" = mips ] && echo -EB || echo -EL; }

# linked TARGET ARGUMENTS…: a program of what the linker's arguments name. The linker for MIPS fills the file up to a
# page, which it believes to be of 16 bytes. With the other one equal functions stand there once, which zig's own does
# not offer; and nothing but the table of thread-local variables would be made read-only late.
linked() {
    local target=$1 linker
    shift
    case $target in
    mips) linker="mips-linux-gnu-ld -EB -m elf32btsmip --entry __start -z noexecstack -z common-page-size=16" ;;
    mipsel) linker="mips-linux-gnu-ld -EL -m elf32ltsmip --entry __start -z noexecstack -z common-page-size=16" ;;
    *) linker="ld.lld-$(llvm_version) --icf=all -z norelro" ;;
    esac
    $linker -static -O2 --gc-sections --build-id=none -T cross/discard.ld "$@"
}

# merged ARGUMENTS…: of what the linker takes for the program, all bitcode as one file, not compiled yet. Only what the
# rest calls is still to be seen from outside. Prints the names of the files and of the archives' members.
merged() { "ld.lld-$(llvm_version)" -static --gc-sections --lto-O0 --lto-emit-llvm --trace "$@"; }

# The parts of musl among what `merged` printed.
musl_parts() { sed -nE 's,.*libc\.a.*/(.*)\.l?o.*,\1,p'; }

# program TARGET BITCODE BUILTINS PROGRAM [LD-FLAGS…]: the program of a bitcode file. What it takes of musl is compiled
# to bitcode, too, and both are optimised and translated as one.
program() {
    local target=$1 bitcode=$2 builtins=$3 program=$4 files parts
    shift 4
    [ "$target" != arm ] || target=armv5te # its binary (targets.sh)
    files=$(zig_files "$target" "$bitcode.probe") || {
        echo "$target: zig names no libraries of its own: is $ZIG whole?" >&2
        return 1
    }
    # shellcheck disable=SC2206 # a list of files
    files=("$builtins" --start-group $files --end-group)
    needed "$bitcode" "$bitcode.vipd" &&
        parts=$(merged -o "$bitcode.whole" "$bitcode.vipd" "${files[@]}" | musl_parts) || return 1
    # shellcheck disable=SC2086 # a list of names
    musl_bitcode "$target" "$bitcode.vipd" "$bitcode.musl" $parts &&
        merged -o "$bitcode.whole" "$bitcode.vipd" "$bitcode.musl" "${files[@]}" >"$bitcode.files" &&
        optimised "$target" "$bitcode.whole" "$bitcode.small" && compiled "$target" "$bitcode.small" "$bitcode.o" &&
        linked "$target" -o "$program" "$@" "$bitcode.o" "${files[@]}"
}
