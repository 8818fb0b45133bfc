#!/usr/bin/env bash
# Builds the router binaries: static, stripped, without `vipd demo`.
#
#   cross/build.sh TARGET…|all     TARGET: mips mipsel armv5te arm armv7 aarch64 x86_64
#
# Installs its toolchain on a fresh Debian 12 (apt-get, so root or sudo; zig by pip into ~/.cache/vipd).
# The binaries are target/cross/TRIPLE/router/vipd. Prints each size beside its budget; ends with 1
# if one is over its budget, dynamic, or does not build.
set -euo pipefail
cd "$(dirname "$0")/.."
. cross/targets.sh
. cross/toolchain.sh

# Prints the size of a target's binary beside its budget, and fails if something is wrong with it.
judge() {
    local name=$1 binary=$2 budget size verdict=ok
    budget=$(target_field "$name" 3)
    size=$(stat -c %s "$binary")
    [ "$size" -le "$budget" ] || verdict="OVER BUDGET by $((size - budget)): cross/sizes.sh $name says what takes it"
    python3 cross/elf.py static "$binary" || verdict="NOT STATIC"
    printf '%-8s %8d bytes of %d  %s\n' "$name" "$size" "$budget" "$verdict"
    [ "$verdict" = ok ]
}

build() {
    local name=$1
    router_cargo "$name" || {
        echo "$name: the build failed: see the messages above" >&2
        return 1
    }
    judge "$name" "$(router_binary "$name")"
}

[ $# -gt 0 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
names=$(expand_targets "$@")
install_toolchain
failed=0
for name in $names; do
    started=$SECONDS
    build "$name" || failed=1
    echo "         $((SECONDS - started)) s"
done
exit $failed
