# shellcheck shell=bash
# musl as a part of the program: what it needs of it, as bitcode of zig's own sources, so that codegen.sh optimises and
# translates both as one. zig's libc.a has the rest, which is assembly. Sourced by toolchain.sh.

# musl's name of a target's architecture, and zig's of its headers.
musl_architecture() {
    case $1 in
    mipsel) echo mips ;;
    armv5te | armv7) echo arm ;;
    *) echo "$1" ;;
    esac
}

# musl_sources ARCHITECTURE NAME…: the C files of objects, in the folder of musl. What an architecture has of its own
# stands in a folder of its name, and may be assembly: that is not named. Of musl's two allocators zig has mallocng.
musl_sources() {
    local architecture=$1 name own
    shift
    for name in "$@"; do
        own=$(find src -path "*/$architecture/$name.[csS]")
        case $own in
        "") find src -path "src/*/$name.c" ! -path 'src/*/*/*' -o -path "src/malloc/mallocng/$name.c" ;;
        *.c) echo "$own" ;;
        esac
    done
}

# The lines of a program's text that say what machine its bitcode is for.
machine() {
    "llvm-dis-$(llvm_version)" "$1" -o - |
        sed -nE '/^target triple = /p; s/^attributes .*("target-cpu"="[^"]*"( "target-features"="[^"]*")?).*/\1/p' | sort -u
}

# musl_bitcode TARGET PROGRAM OUTPUT NAME…: the named parts of musl for a program's bitcode, not optimised yet.
musl_bitcode() {
    local target=$1 program=$2 output=$3 parts architecture library compile
    shift 3
    architecture=$(musl_architecture "$target")
    library=$("$ZIG" env | sed -n 's/.*\.lib_dir = "\(.*\)",/\1/p')
    parts=$(realpath -m "$output.d")
    rm -rf "$parts" && mkdir -p "$parts" || return 1
    compile=("$PWD/cross/zig-cc-$target" -c -emit-llvm -Xclang -disable-llvm-passes -g0 -w -std=c99 -nostdinc
        -ffreestanding -fno-builtin -fno-strict-aliasing -fno-stack-protector -fno-unwind-tables
        -fno-asynchronous-unwind-tables -D_XOPEN_SOURCE=700 "-Iarch/$architecture" -Iarch/generic -Isrc/include
        -Isrc/internal -Iinclude "-I../include/$architecture-linux-musl" -I../include/generic-musl)
    # shellcheck disable=SC2016 # for the shell within
    (cd "$library/libc/musl" && musl_sources "$architecture" "$@" |
        xargs -P "$(nproc)" -I{} sh -c '"$@" {} -o "$0/$(echo {} | tr / _).bc"' "$parts" "${compile[@]}") || return 1
    "llvm-link-$(llvm_version)" -S "$parts"/*.bc | python3 cross/musl.py "$(machine "$program")" |
        "opt-$(llvm_version)" -passes=globalopt,mergefunc -o "$output"
}
