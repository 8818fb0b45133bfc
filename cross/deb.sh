#!/usr/bin/env bash
# Packs the binaries for hosts with Debian, or what comes from it, and systemd.
#
#   cross/deb.sh TARGET…|all     TARGET: armv5te armv7 aarch64 x86_64, built by cross/build.sh
#
# The packages are target/deb/vipd_VERSION_ARCHITECTURE.deb: armel, armhf, arm64, amd64. The same sources give the
# same bytes. They have the unit vipd.service, which works on other distributions too: copy deb/vipd.service to
# /etc/systemd/system and the binary to /usr/sbin.
#
#   VIPD_BINARY=FILE         another binary, for one TARGET
#   DEB_DIR=DIR              instead of target/deb
#   SOURCE_DATE_EPOCH=N      the time of all files; without it, that of the last commit
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
. cross/package.sh

readonly OUT="${DEB_DIR:-target/deb}"
readonly FILES=cross/deb

# Debian's name of the architecture that a target's binary serves; nothing where it serves none. Debian's mipsel has a
# floating-point unit and processors without MIPS16; a Raspberry Pi 1 with its own armhf needs the one for armel.
debian_architecture() {
    case $1 in
    armv5te) echo armel ;;
    armv7) echo armhf ;;
    aarch64) echo arm64 ;;
    x86_64) echo amd64 ;;
    esac
}

# What the package holds, besides what is packed or made: mode, source, path.
install_table_deb() {
    cat <<TABLE
0755 @BINARY@ /usr/sbin/vipd
0644 $FILES/vipd.service /lib/systemd/system/vipd.service
0644 $FILES/default /etc/default/vipd
0644 $FILES/vipd.8 /usr/share/man/man8/vipd.8
0644 CHANGELOG.md /usr/share/doc/vipd/CHANGELOG.md
0644 $FILES/copyright /usr/share/doc/vipd/copyright
0644 CONFIG.md /usr/share/doc/vipd/CONFIG.md
0644 GUIDE.md /usr/share/doc/vipd/GUIDE.md
0644 README.md /usr/share/doc/vipd/README.md
0644 openwrt/examples/conntrackd/conntrackd.conf /usr/share/doc/vipd/examples/conntrackd/conntrackd.conf
0755 openwrt/examples/conntrackd/vipd-conntrackd.sh /usr/share/doc/vipd/examples/conntrackd/vipd-conntrackd.sh
TABLE
}

write_data() {
    local data=$1 doc=$1/usr/share/doc/vipd
    install_files install_table_deb "$data" "$2"
    install -d "$data/etc/vipd"
    # A licence that Debian has itself is not repeated.
    sed 's/^$/./; s/^/ /' LICENSE-MIT >>"$doc/copyright"
    cat >"$doc/changelog.Debian" <<CHANGELOG
vipd (${VERSION/-r/-}) unstable; urgency=medium

  * What has changed is in CHANGELOG.md.

 -- $(makefile_value PKG_MAINTAINER)  $(LC_ALL=C date -u -d "@$EPOCH" -R)
CHANGELOG
    gzip -9n "$data/usr/share/man/man8/vipd.8" "$doc/changelog.Debian" "$doc"/*.md
}

write_control() {
    local data=$1 control=$1/DEBIAN name
    install -d "$control"
    (cd "$data" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | LC_ALL=C sort | xargs md5sum) >"$control/md5sums"
    sed -e "s|@VERSION@|${VERSION/-r/-}|; s|@ARCHITECTURE@|$2|; s|@URL@|$(makefile_value URL)|" \
        -e "s|@MAINTAINER@|$(makefile_value PKG_MAINTAINER)|; s|@TITLE@|$(makefile_value TITLE)|" \
        -e "s|@KIB@|$(find "$data" -path ./DEBIAN -prune -o -type f -printf '%s\n' | awk '{ s += $1 } END { print int((s + 1023) / 1024) }')|" \
        "$FILES/control.in" >"$control/control"
    echo /etc/default/vipd >"$control/conffiles"
    for name in postinst prerm postrm; do
        install -m 0755 "$FILES/$name" "$control/$name"
    done
    chmod 0644 "$control/control" "$control/conffiles" "$control/md5sums"
}

# One package: TARGET ARCHITECTURE.
make_deb() {
    local target=$1 architecture=$2 data=$WORK/$2 deb="$OUT/vipd_${VERSION/-r/-}_$2.deb"
    mkdir -p "$data" "$OUT"
    write_data "$data" "$target"
    write_control "$data" "$architecture"
    find "$data" -exec touch -d "@$EPOCH" {} +
    # xz with several threads makes other bytes on other machines.
    SOURCE_DATE_EPOCH=$EPOCH DPKG_DEB_THREADS_MAX=1 dpkg-deb -Zxz --root-owner-group --build "$data" "$deb" >/dev/null
    made "$deb"
}

[ $# -gt 0 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
command -v dpkg-deb >/dev/null || fail "there is no dpkg-deb: apt-get install dpkg"
prepare "$@"
for name in $names; do
    architecture=$(debian_architecture "$name")
    if [ -n "$architecture" ]; then
        make_deb "$name" "$architecture"
    elif [ "$*" != all ]; then
        fail "no architecture of Debian is served by $name: it is one of armv5te armv7 aarch64 x86_64"
    fi
done
