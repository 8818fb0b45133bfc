# shellcheck shell=bash disable=SC2034
# The targets, in the order of `all`: name, Rust's triple, budget of the router build in bytes, qemu-user's name
# and the processor that it is to be. Linker and flags of a triple stand in .cargo/config.toml, its processor in
# zig-cc. Sourced by the scripts here and by tests/cross/run. The budgets are those of a router with all that is
# planned.
#
# arm (v6: Raspberry Pi 1) is served by armv5te's binary: thumb code of its own is wanting some atomics at the
# link, and ARM code is 40 KB more.
readonly TARGETS="\
mips    mips-unknown-linux-musl        450000 mips    24Kc
mipsel  mipsel-unknown-linux-musl      450000 mipsel  24Kc
armv5te armv5te-unknown-linux-musleabi 400000 arm     arm926
arm     armv5te-unknown-linux-musleabi 400000 arm     arm1176
armv7   armv7-unknown-linux-musleabihf 400000 arm     cortex-a7
aarch64 aarch64-unknown-linux-musl     400000 aarch64 cortex-a53
x86_64  x86_64-unknown-linux-musl      400000 x86_64  qemu64"

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
