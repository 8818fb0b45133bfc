# shellcheck shell=bash
# What the packagers share: ipk.sh and apk.sh for OpenWrt, deb.sh for Debian. The names, texts and files stand in the
# feed's Makefile only. Sourced from the top of the repository, with `set -e`.
. cross/targets.sh
. cross/architectures.sh

readonly FEED=openwrt

fail() { echo "$*" >&2; exit 1; }

# A variable of the feed's Makefile: NAME:=VALUE, or NAME:=VALUE inside of `define Package/vipd`.
makefile_value() {
    local value
    value=$(sed -n "s/^ *$1:=//p" "$FEED/Makefile")
    [ -n "$value" ] || fail "$FEED/Makefile has no $1"
    echo "$value"
}

# The lines between `define Package/vipd$1` and `endef`.
makefile_block() {
    local lines
    lines=$(sed -n "\|^define Package/vipd$1\$|,/^endef/p" "$FEED/Makefile" | sed '1d;$d')
    [ -n "$lines" ] || fail "$FEED/Makefile has no Package/vipd$1"
    printf '%s\n' "$lines"
}

# What a package for OpenWrt holds: mode, source, path. The Makefile's lines, and what keeps a package that no image
# has.
install_table() {
    makefile_block /install | awk '
        $1 == "$(INSTALL_BIN)"  { print "0755", $2, $3 }
        $1 == "$(INSTALL_CONF)" { print "0600", $2, $3 }
        $1 == "$(INSTALL_DATA)" { print "0644", $2, $3 }' |
        sed "s|\\\$(PKG_INSTALL_DIR)/bin/vipd|@BINARY@|; s| \./files/| $FEED/files/|; s|\\\$(1)||"
    echo "0644 $FEED/files/vipd.keep /lib/upgrade/keep.d/vipd"
}

# The binary of a target.
binary_of() {
    local path
    path="${VIPD_BINARY:-${CROSS_TARGET_DIR:-target/cross}/$(target_field "$1" 2)/router/vipd}"
    [ -x "$path" ] || fail "$path is not there: cross/build.sh $1 builds it"
    echo "$path"
}

# install_files TABLE FOLDER TARGET: the files of a table (mode, source, path), below a folder.
install_files() {
    local mode from to binary
    binary=$(binary_of "$3")
    while read -r mode from to; do
        install -D -m "$mode" "${from/@BINARY@/$binary}" "$2$to"
    done < <("$1")
}

# prepare TARGET…: names (the targets, expanded), EPOCH, VERSION, and WORK, a folder that goes at the end.
prepare() {
    names=$(expand_targets "$@")
    [ -z "${VIPD_BINARY:-}" ] || [ "$(wc -w <<<"$names")" = 1 ] || fail "VIPD_BINARY serves one TARGET: name only that"
    EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} ||
        fail "no commit to take the time from: set SOURCE_DATE_EPOCH"
    VERSION=$(sed -n '1,/^version/s/^version = "\(.*\)"/\1/p' Cargo.toml)-r$(makefile_value PKG_RELEASE)
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
}

# made FILE: says what was made.
made() { printf '%-60s %8d bytes\n' "$1" "$(stat -c %s "$1")"; }
