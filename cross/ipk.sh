#!/usr/bin/env bash
# Packs the router binaries into OpenWrt packages, and makes the index that opkg asks for.
#
#   cross/ipk.sh TARGET…|all     TARGET: mips mipsel armv5te arm armv7 aarch64 x86_64, built by cross/build.sh
#
# The packages are target/ipk/ARCHITECTURE/vipd_VERSION_ARCHITECTURE.ipk, one for each architecture that a binary
# serves (architectures.sh), with Packages and Packages.gz beside it. The same sources give the same bytes.
#
#   VIPD_BINARY=FILE         another binary, for one TARGET
#   IPK_DIR=DIR              instead of target/ipk
#   SOURCE_DATE_EPOCH=N      the time of all files; without it, that of the last commit
#   USIGN_KEY=FILE           signs each index: a secret key of usign, or of signify without a passphrase
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
. cross/package.sh

readonly OUT="${IPK_DIR:-target/ipk}"

# pack FOLDER FILE.tar.gz: sorted, owned by root, with one time and no name of anybody.
pack() {
    tar --format=gnu --sort=name --mtime="@$EPOCH" --numeric-owner --owner=0 --group=0 -C "$1" -cf - . | gzip -9n >"$2"
}

# The three files of an ipk that are not the data: control FOLDER ARCHITECTURE BYTES.
write_control() {
    local folder=$1 architecture=$2 bytes=$3
    cat >"$folder/control" <<CONTROL
Package: vipd
Version: $VERSION
Depends:
Source: feeds/packages/net/vipd
SourceName: vipd
License: $(makefile_value PKG_LICENSE)
LicenseFiles: $(makefile_value PKG_LICENSE_FILES)
Section: $(makefile_value SECTION)
SourceDateEpoch: $EPOCH
URL: $(makefile_value URL)
Maintainer: $(makefile_value PKG_MAINTAINER)
Architecture: $architecture
Installed-Size: $bytes
Description: $(makefile_block /description | sed '1s/^ *//; 2,$s/^ */ /')
CONTROL
    makefile_block /conffiles >"$folder/conffiles"
    write_script postinst
    write_script prerm
    chmod 0644 "$folder/control" "$folder/conffiles"
    chmod 0755 "$folder/postinst" "$folder/prerm"
}

# What opkg runs after the installation or before the removal: OpenWrt's default of that name.
write_script() {
    cat >"$folder/$1" <<SCRIPT
#!/bin/sh
[ "\${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s "\${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "\${IPKG_INSTROOT}/lib/functions.sh"
default_$1 "\$0" "\$@"
SCRIPT
}

# One package: TARGET ARCHITECTURE.
make_ipk() {
    local target=$1 architecture=$2 work=$WORK/$2
    local ipk="$OUT/$architecture/vipd_${VERSION}_$architecture.ipk"
    mkdir -p "$work/data" "$work/control" "$work/ipk" "$OUT/$architecture"
    install_files install_table "$work/data" "$target"
    pack "$work/data" "$work/ipk/data.tar.gz"
    write_control "$work/control" "$architecture" "$(gzip -dc "$work/ipk/data.tar.gz" | wc -c)"
    pack "$work/control" "$work/ipk/control.tar.gz"
    echo 2.0 >"$work/ipk/debian-binary"
    # opkg wants this order.
    tar --format=gnu --mtime="@$EPOCH" --numeric-owner --owner=0 --group=0 -C "$work/ipk" -cf - \
        ./debian-binary ./data.tar.gz ./control.tar.gz | gzip -9n >"$ipk"
    made "$ipk"
}

# The index of a folder: what opkg has to know of a package before it fetches it.
make_index() (
    cd "$OUT/$1"
    for ipk in *.ipk; do
        tar -xzOf "$ipk" ./control.tar.gz | tar -xzOf - ./control |
            sed -e '/^\(Source\|SourceName\|LicenseFiles\|SourceDateEpoch\|Maintainer\):/d' \
                -e "s|^Description:|Filename: $ipk\nSize: $(stat -c %s "$ipk")\nSHA256sum: $(sha256sum "$ipk" | cut -d' ' -f1)\n&|"
        echo
    done >Packages
    gzip -9nc Packages >Packages.gz
    rm -f Packages.sig
)

# Signs an index as opkg expects it. signify's files are those of usign.
sign() {
    local index="$OUT/$1/Packages"
    if command -v usign >/dev/null; then
        usign -S -m "$index" -s "$USIGN_KEY" -x "$index.sig"
    elif command -v signify-openbsd >/dev/null; then
        signify-openbsd -S -m "$index" -s "$USIGN_KEY" -x "$index.sig"
    else
        fail "USIGN_KEY is given, but neither usign nor signify-openbsd is there: apt-get install signify-openbsd"
    fi
}

[ $# -gt 0 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
prepare "$@"
[ -z "${USIGN_KEY:-}" ] || [ -r "$USIGN_KEY" ] || fail "USIGN_KEY: $USIGN_KEY cannot be read"
for name in $names; do
    for architecture in $(architectures_of "$name"); do
        make_ipk "$name" "$architecture"
        make_index "$architecture"
        [ -z "${USIGN_KEY:-}" ] || sign "$architecture"
    done
done
