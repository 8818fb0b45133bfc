#!/usr/bin/env bash
# Packs the router binaries into packages of OpenWrt 25.12 and later, whose package manager is apk.
#
#   cross/apk.sh TARGET…|all     TARGET: mips mipsel armv5te arm armv7 aarch64 x86_64, built by cross/build.sh
#
# The packages are target/apk/ARCHITECTURE/vipd-VERSION.apk, one for each architecture that a binary serves
# (architectures.sh), with the files of the ipk (ipk.sh). The same sources give the same bytes. They are not signed,
# and there is no index: `apk add --allow-untrusted ./vipd-VERSION.apk` installs one.
#
#   VIPD_BINARY=FILE         another binary, for one TARGET
#   APK_DIR=DIR              instead of target/apk
#   SOURCE_DATE_EPOCH=N      the time of all files; without it, that of the last commit
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
. cross/package.sh

readonly OUT="${APK_DIR:-target/apk}"

# What OpenWrt's default scripts look up: the files of the package, its configuration, and how that was shipped.
write_lists() {
    local data=$1 lists=$1/lib/apk/packages file
    mkdir -p "$lists"
    (cd "$data" && find . -type f | sed 's/^\.//' | LC_ALL=C sort) >"$WORK/list"
    mv "$WORK/list" "$lists/vipd.list"
    makefile_block /conffiles >"$lists/vipd.conffiles"
    while read -r file; do
        echo "$file $(sha256sum "$data$file" | cut -d' ' -f1)"
    done <"$lists/vipd.conffiles" >"$lists/vipd.conffiles_static"
    chmod 0644 "$lists"/*
}

# write_script DEFAULT: OpenWrt's default of that name, for this package.
write_script() {
    cat <<SCRIPT
#!/bin/sh
[ "\${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s "\${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "\${IPKG_INSTROOT}/lib/functions.sh"
export root="\${IPKG_INSTROOT}"
export pkgname="vipd"
SCRIPT
    if [ "$1" = default_postinst ]; then
        echo add_group_and_user
        echo "$1"
        # The Makefile's own, as make and the shell leave it.
        makefile_block /postinst | sed '/^#!/d; s/\$\$/$/g'
    else
        echo "$1"
    fi
}

# The three scripts, as OpenWrt's build makes them: apk runs one of the first two, and none of the third when it
# upgrades.
write_scripts() {
    write_script default_postinst >"$1/post-install"
    write_script default_postinst | sed '1a export PKG_UPGRADE=1' >"$1/post-upgrade"
    write_script default_prerm >"$1/pre-deinstall"
}

# One package: TARGET ARCHITECTURE.
make_apk() {
    local target=$1 architecture=$2 work=$WORK/$2 apk="$OUT/$2/vipd-$VERSION.apk"
    mkdir -p "$work/data" "$work/scripts" "$OUT/$architecture"
    install_files install_table "$work/data" "$target"
    write_lists "$work/data"
    write_scripts "$work/scripts"
    python3 cross/apk.py "$apk" "$work/data" "$work/scripts" "$EPOCH" \
        name=vipd version="$VERSION" arch="$architecture" origin=feeds/packages/net/vipd \
        description="$(makefile_block /description | xargs -d '\n' | tr -s ' ' | sed 's/^ *//; s/ *$//')" \
        license="$(makefile_value PKG_LICENSE)" maintainer="$(makefile_value PKG_MAINTAINER)" url="$(makefile_value URL)"
    made "$apk"
}

[ $# -gt 0 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
prepare "$@"
for name in $names; do
    for architecture in $(architectures_of "$name"); do
        make_apk "$name" "$architecture"
    done
done
