# shellcheck shell=bash disable=SC2034
# The targets, in the order of `all`: name, Rust's triple, budget of the router build in bytes, qemu-user's name.
# Linker and flags of a triple stand in .cargo/config.toml, its processor in zig-cc. Sourced by the scripts here
# and by tests/cross/run.
readonly TARGETS="\
mips    mips-unknown-linux-musl        350000 mips
mipsel  mipsel-unknown-linux-musl      350000 mipsel
armv5te armv5te-unknown-linux-musleabi 300000 arm
arm     arm-unknown-linux-musleabi     300000 arm
armv7   armv7-unknown-linux-musleabihf 300000 arm
aarch64 aarch64-unknown-linux-musl     300000 aarch64
x86_64  x86_64-unknown-linux-musl      300000 x86_64"

# The names of the targets.
target_names() { cut -d' ' -f1 <<<"$TARGETS"; }

# target_field NAME COLUMN: a column of the table; fails if there is no such target.
target_field() { awk -v name="$1" -v column="$2" '$1 == name { print $column; n++ } END { exit !n }' <<<"$TARGETS"; }

# The names given, or all of them for `all`; ends the script at one that is not known.
expand_targets() {
    local name
    for name in "$@"; do
        if [ "$name" = all ]; then
            target_names
        else
            target_field "$name" 1 || {
                echo "unknown target $name: it is one of $(target_names | tr '\n' ' ')or all" >&2
                return 2
            }
        fi
    done
}
