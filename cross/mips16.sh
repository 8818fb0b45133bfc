# shellcheck shell=bash
# The router programs of MIPS as MIPS16 code, a quarter smaller: OpenWrt's own packages for these routers are built so
# (its mips_24kc and mipsel_24kc have CONFIG_USE_MIPS16), and every core of them has it. Sourced by toolchain.sh.
#
# rustc optimises the whole program as for MIPS32 and hands out LLVM's bitcode; LLVM's tools translate that into
# assembly (for MIPS16 it writes no objects), GNU's assembler and linker do the rest, because zig's linker does not know
# calls of MIPS16 code. musl and compiler-rt are zig's, and MIPS32 code: the linker makes calls change over.

# The LLVM of Debian's rustc reads what it writes.
llvm_version() { /usr/bin/rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p'; }

# Prints the packages that are missing, once rustc is there.
missing_mips_packages() {
    local llvm
    llvm=$(llvm_version)
    [ -x "/usr/bin/llc-$llvm" ] || echo "llvm-$llvm"
    [ -x /usr/bin/mips-linux-gnu-ld ] || echo binutils-mips-linux-gnu
}

# LLVM's code generator for MIPS16, beside what it has in common with the others: no rewriting of loops for address
# modes that MIPS16 lacks (3 KB), blocks left in their order and `match` never by a table (0.5 KB each).
readonly MIPS16_FLAGS=(-O2 -relocation-model=static -function-sections -data-sections -no-integrated-as
    -disable-lsr -disable-block-placement -max-store-memcpy=1 -min-jump-table-entries=1000
    -disable-machine-licm -enable-tail-merge=true -tail-merge-size=2)

# The files that zig links into every program of a target: its start, musl, and compiler-rt. The first time zig also
# tells how it makes them.
zig_files() {
    cross/"zig-cc-$1" -v -o "$2" -x c - 2>&1 <<<'int main(void) { return 0; }' | grep '^ld\.lld ' | tail -n 1 |
        grep -oE '/[^ ]*/(crt1\.o|lib(c|zigc|compiler_rt)\.a)' | sort -u
}

# mips16_assembly BITCODE: BITCODE.s. The daemon has one thread, so that atomics, of which MIPS16 has none, are plain
# loads and stores. A function that LLVM cannot translate stays MIPS32 code: it is said which, and the rest is tried again.
mips16_assembly() {
    local bitcode=$1 llvm function mips32=()
    llvm=$(llvm_version)
    "opt-$llvm" -S -passes=lower-atomic "$bitcode" -o "$bitcode.ll" || return 1
    while [ ${#mips32[@]} -lt 100 ]; do
        python3 cross/mips16.py "${mips32[@]}" <"$bitcode.ll" >"$bitcode.16.ll" || return 1
        "llc-$llvm" "${MIPS16_FLAGS[@]}" -filetype=asm "$bitcode.16.ll" -o "$bitcode.s" 2>"$bitcode.err" && return 0
        function=$(sed -n 's/^In function: //p' "$bitcode.err" | head -1)
        [ -n "$function" ] || break
        echo "note: LLVM has no MIPS16 code for $function" >&2
        mips32+=("$function")
    done
    cat "$bitcode.err" >&2
    return 1
}

# mips16 TARGET BITCODE BUILTINS PROGRAM [LD-FLAGS…]: the program of a bitcode file.
mips16() {
    local target=$1 bitcode=$2 builtins=$3 program=$4 files endian=-EB emulation=elf32btsmip
    shift 4
    [ "$target" = mips ] || endian=-EL emulation=elf32ltsmip
    files=$(zig_files "$target" "$bitcode.probe") || {
        echo "$target: zig names no libraries of its own: is $ZIG whole?" >&2
        return 1
    }
    mips16_assembly "$bitcode" &&
        mips-linux-gnu-as "$endian" -mips32r2 -msoft-float "$bitcode.s" -o "$bitcode.o" || return 1
    # shellcheck disable=SC2086 # a list of files
    mips-linux-gnu-ld "$endian" -m "$emulation" -static -O2 --gc-sections --entry __start --build-id=none \
        -z noexecstack -T cross/discard.ld "$@" -o "$program" "$bitcode.o" "$builtins" --start-group $files --end-group
}
