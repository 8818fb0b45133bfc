#!/usr/bin/env bash
# What the machines run beside vipd: prints its path, building or fetching it if it is not there yet.
#
#   tests/cross/guest.sh kernel     big-endian MIPS: Debian's linux-source-6.1 with malta-be.config
#   tests/cross/guest.sh busybox    Debian's busybox source with busybox.config, static
#   tests/cross/guest.sh ARCH       armhf, arm64: a folder with Debian's `kernel` and `busybox`, and its
#                                   `modules`, which are named in the order in which they want to be loaded
#
# Kept outside of the checkout as ~/.cache/vipd/NAME-VERSION-HASH, HASH being that of the configuration; whole
# or not at all. Needs root: installs what is missing with apt-get. GUEST_SECONDS bounds a build.
set -euo pipefail
cd "$(dirname "$0")/../.."
. cross/targets.sh
. cross/toolchain.sh

readonly PART="${1:-}"
readonly GUEST_SECONDS="${GUEST_SECONDS:-1800}"
readonly CC_TOOLS="mips-linux-gnu-gcc:gcc-mips-linux-gnu make:make gcc:gcc"
readonly KERNEL_TOOLS="$CC_TOOLS bc:bc flex:flex bison:bison xz:xz-utils
    /usr/src/linux-source-6.1.tar.xz:linux-source-6.1"
readonly DEBIAN_TOOLS="modprobe:kmod"
readonly BUSYBOX_TOOLS="$CC_TOOLS bzip2:bzip2 /usr/mips-linux-gnu/lib/libc.a:libc6-dev-mips-cross"

case $PART in
kernel) NAME=malta-be CONFIG=$PWD/tests/cross/malta-be.config ;;
busybox) NAME=busybox-mips CONFIG=$PWD/tests/cross/busybox.config ;;
armhf | arm64) NAME=debian-$PART CONFIG=$PWD/tests/cross/debian.modules ;;
*) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
HASH=$(sha256sum "$CONFIG" | cut -c1-12)
readonly BUILD="$CACHE/$NAME.build" # whoever holds the lock owns it

# Prints the path of the part in the cache, if it is there. Any version serves.
cached() { find "$CACHE" -maxdepth 1 -name "$NAME-*-$HASH" | sort -V | tail -n 1 | grep .; }

# install_tools TOOL:PACKAGE…: the packages of the commands and files that are missing.
install_tools() {
    local entry packages=
    for entry in "$@"; do
        command -v "${entry%%:*}" >/dev/null || [ -e "${entry%%:*}" ] || packages+=" ${entry##*:}"
    done
    [ -n "$packages" ] || return 0
    echo "installing:$packages"
    # shellcheck disable=SC2086 # a list of packages
    apt_get -qq update && apt_get -qq install -y --no-install-recommends $packages
}

# Fails at a line of the configuration that Kconfig dropped: a test would miss it much later.
demand_config() {
    local line lost=0
    while read -r line; do
        grep -qxF "$line" "$BUILD/.config" && continue
        echo "${CONFIG##*/}: $line has no effect: remove it, or add what it needs" && lost=1
    done <"$CONFIG"
    return $lost
}

# finish FILE VERSION: strips the result into its place in the cache.
finish() { mips-linux-gnu-strip -s -o "$BUILD/stripped" "$1" && mv "$BUILD/stripped" "$CACHE/$NAME-$2-$HASH"; }

make_kernel() { make -s -C "$BUILD" ARCH=mips CROSS_COMPILE=mips-linux-gnu- "$@"; }

# Unpacks it without what it does not read.
build_kernel() {
    tar -C "$BUILD" -xf /usr/src/linux-source-6.1.tar.xz --strip-components=1 \
        --exclude='*/Documentation/[a-z]*' --exclude='*/drivers/gpu/*.[ch]' --exclude='*/sound/*.[ch]' \
        --exclude='*/arch/arm*/boot/dts' --exclude='*/tools/testing' --exclude='*/tools/perf' &&
        make_kernel KCONFIG_ALLCONFIG="$CONFIG" allnoconfig && demand_config &&
        make_kernel -j"$(nproc)" vmlinux &&
        finish "$BUILD/vmlinux" "$(make_kernel kernelversion)"
}

# private_apt KIND [OPTION…]: an APT state of the build's own, with Debian's KIND (deb or deb-src) of this release
# and its point releases: the machine's own need not know of sources or of other architectures. What follows it in
# the build asks with "${APT[@]}".
private_apt() {
    local apt="$BUILD/apt" kind=$1
    shift
    APT=(-o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
        -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root "$@")
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" && : >"$apt/status" &&
        apt-get indextargets --format "$kind \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" "Created-By: Packages" \
            "Label: Debian" "Component: main" | sort -u >"$apt/sources.list" &&
        apt_get "${APT[@]}" -qq update
}

fetch_busybox() { private_apt deb-src && (cd "$BUILD" && apt_get "${APT[@]}" -qq source --download-only busybox); }

# Its Kconfig has no list of what to switch on: all off, ours instead of the lines that say so, the rest by default.
configure_busybox() {
    make -s -C "$BUILD" allnoconfig >/dev/null 2>&1 || return 1
    sed 's/\(.*\)=y$/# \1 is not set/' "$CONFIG" | grep -vxFf - "$BUILD/.config" | grep -v SH_IS_NONE >"$BUILD/.rest"
    cat "$BUILD/.rest" "$CONFIG" >"$BUILD/.config"
    { yes '' || true; } | timeout 60 make -s -C "$BUILD" oldconfig >/dev/null 2>&1
    demand_config
}

build_busybox() {
    fetch_busybox && tar -C "$BUILD" -xf "$BUILD"/busybox_*.orig.tar.* --strip-components=1 &&
        configure_busybox &&
        make -s -C "$BUILD" CROSS_COMPILE=mips-linux-gnu- -j"$(nproc)" busybox_unstripped &&
        finish "$BUILD/busybox_unstripped" "$(sed -n 's/^Version: //p' "$BUILD"/busybox_*.dsc | tr -c '0-9a-z.\n' _)"
}

# The kernel's package is what the one without a version depends on.
fetch_debian() {
    local kernel
    private_apt deb -o "APT::Architecture=$PART" -o "APT::Architectures::=$PART" || return 1
    kernel=$(apt-cache "${APT[@]}" depends "linux-image-${PART/armhf/armmp}" | sed -n 's/.*Depends: //p') &&
        (cd "$BUILD" && apt_get "${APT[@]}" -qq download "$kernel" busybox-static)
}

# ordered_modules VERSION: the files of the modules that are wanted and of those that they want, these first.
ordered_modules() {
    local name
    while read -r name; do
        modprobe -d "$BUILD" -S "$1" --show-depends "$name" || return 1
    done <"$CONFIG" | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# Fetched, not built: Debian's kernel of the architecture, a static busybox, and the modules.
build_debian() {
    local package version file number=100 out="$BUILD/out"
    fetch_debian && mkdir -p "$out/modules" || return 1
    for package in "$BUILD"/*.deb; do
        dpkg-deb -x "$package" "$BUILD" || return 1
    done
    version=$(ls "$BUILD/lib/modules") && depmod -b "$BUILD" "$version" &&
        cp "$BUILD/boot/vmlinuz-$version" "$out/kernel" && cp "$BUILD/bin/busybox" "$out/busybox" || return 1
    for file in $(ordered_modules "$version"); do
        cp "$file" "$out/modules/$((number++))-${file##*/}" || return 1
    done
    [ "$number" -gt 100 ] && mv "$out" "$CACHE/$NAME-$version-$HASH"
}

# Called by itself, under the lock and `timeout`.
build() {
    cached >/dev/null && return 0 # another process was first
    rm -rf "$BUILD" && mkdir -p "$BUILD"
    # shellcheck disable=SC2086 # lists of words
    case $PART in
    kernel) install_tools $KERNEL_TOOLS && build_kernel ;;
    busybox) install_tools $BUSYBOX_TOOLS && build_busybox ;;
    *) install_tools $DEBIAN_TOOLS && build_debian ;;
    esac || return 1
    rm -rf "$BUILD"
}

if [ "${2:-}" = build ]; then
    build
    exit
fi
mkdir -p "$CACHE"
if ! cached; then
    echo "making the machines' $PART, once (a kernel that is built takes several minutes)" >&2
    flock -w "$GUEST_SECONDS" "$CACHE/$NAME.lock" timeout "$GUEST_SECONDS" nice "$0" "$PART" build >&2 || {
        echo "the machines' $PART was not built within $GUEST_SECONDS s: see the messages above; its tree is $BUILD" >&2
        exit 1
    }
    cached
fi
