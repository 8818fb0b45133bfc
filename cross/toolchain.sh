# shellcheck shell=bash
# The toolchain of the cross builds: Debian's Rust with the sources of std, zig as linker and libc, and the tools of
# codegen.sh. Sourced, after targets.sh, by the scripts here and by tests/cross/run.
. cross/codegen.sh
. cross/musl.sh

readonly ZIG_VERSION=0.15.2
readonly CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/vipd"
readonly ZIG_DIR="$CACHE/zig-$ZIG_VERSION"
readonly RUST_LIBRARY=/usr/lib/rustlib/src/rust/library
export ZIG="${ZIG:-$ZIG_DIR/bin/zig}"
readonly CROSS_TARGET_DIR="${CROSS_TARGET_DIR:-$PWD/target/cross}"

# Debian's, by their paths: rustup's come first in PATH and have no MIPS.
readonly RUST_TOOLS="/usr/bin/rustc:rustc-web /usr/bin/cargo:cargo-web
    /usr/lib/rustlib/src/rust/library/std/src/lib.rs:rust-web-src"

# apt-get as root, with sudo where there is one.
apt_get() {
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    timeout 900 $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300 "$@"
}

# Prints the packages that are missing.
missing_packages() {
    local entry
    for entry in $RUST_TOOLS; do
        [ -e "${entry%%:*}" ] || echo "${entry##*:}"
    done
    python3 -c 'import venv, ensurepip' 2>/dev/null || [ -x "$ZIG" ] || echo python3 python3-venv
}

# install_packages NAME…: none is no work.
install_packages() {
    [ $# -gt 0 ] || return 0
    echo "installing: $*" >&2
    apt_get -qq update && apt_get -qq install -y --no-install-recommends ca-certificates "$@" >&2 || {
        echo "apt-get could not install: $* (Debian 12's security suite has them): see its message above" >&2
        return 1
    }
}

# Installs what is missing of Rust (python3-venv, too, if zig is still to come), then what fits to it.
install_debian() {
    # shellcheck disable=SC2046 # lists of packages
    install_packages $(missing_packages) && install_packages $(missing_codegen_packages)
}

# Installs zig into the cache, outside of the checkout; moves it into place whole or not at all.
install_zig() {
    [ -x "$ZIG" ] && return 0
    local new="$ZIG_DIR.$$"
    echo "installing: ziglang $ZIG_VERSION into $ZIG_DIR" >&2
    mkdir -p "$CACHE" && rm -rf "$new" && python3 -m venv "$new" || return 1
    timeout 900 "$new/bin/python" -m pip --quiet --disable-pip-version-check install \
        --retries 5 "ziglang==$ZIG_VERSION" || {
        rm -rf "$new"
        echo "pip could not install ziglang $ZIG_VERSION: is PyPI within reach?" >&2
        return 1
    }
    # A link that is right before and after the move.
    (cd "$new/bin" && ln -s ../lib/python3*/site-packages/ziglang/zig zig) || return 1
    mv -T "$new" "$ZIG_DIR" 2>/dev/null || rm -rf "$new" # another build was first
    [ -x "$ZIG" ]
}

install_toolchain() { install_debian && install_zig; }

# cross_cargo CRATES SUBCOMMAND…: Debian's cargo, for targets that have no std of their own; CRATES are those of std.
# Everything unstable stands here and on no other command line.
# RUST_LIBC_UNSTABLE_MUSL_V1_2_3: 64 bits of time_t on 32-bit machines, for the years from 2038.
# The paths in panic messages begin at the crate: shorter, and the same on every machine that builds.
cross_cargo() {
    local crates=$1 subcommand=$2 registry="${CARGO_HOME:-$HOME/.cargo}/registry/src/"
    shift 2
    local remap="'--remap-path-prefix=$RUST_LIBRARY/=', '--remap-path-prefix=$registry='"
    RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1 \
        timeout 3600 /usr/bin/cargo "$subcommand" --locked --target-dir "$CROSS_TARGET_DIR" \
        --config "target.'cfg(target_env = \"musl\")'.rustflags = [$remap]" \
        "-Zbuild-std=$crates" -Zbuild-std-features=optimize_for_size "$@"
}

# router_cargo TARGET [strip=none]: the router binary of a target. rustc's own program is not kept: codegen.sh makes
# a smaller one of the same bitcode, which is that of vipd's own code before any optimisation.
# What is given up for 60 KB of 410 on MIPS: a panic ends the program at once, without a message (the same commit,
# built plainly, says it); `{:?}` prints nothing (tests/tidy.rs: no message of a router has one).
router_cargo() {
    local target=$1 strip=-s binary builtins
    [ "${2:-}" != strip=none ] || strip=
    binary=$(router_binary "$target")
    cross_cargo std,panic_abort rustc --quiet --profile router --no-default-features --bin vipd \
        --config "target.'cfg(target_env = \"musl\")'.rustflags = ['-Zlocation-detail=none', '-Zfmt-debug=none']" \
        -Zprofile-rustflags --config 'profile.router.package.vipd.rustflags = ["-Cno-prepopulate-passes"]' \
        --config 'profile.router.package.core.opt-level = "z"' --config 'profile.router.package.std.opt-level = "z"' \
        -Zpanic-immediate-abort --config 'profile.router.panic = "immediate-abort"' \
        --target "$(target_field "$target" 2)" -- "--emit=llvm-bc=$binary.bc" || return 1
    builtins=$(ls -t "$(dirname "$binary")"/deps/libcompiler_builtins-*.rlib | head -1)
    rm -f "$binary" && program "$target" "$binary.bc" "$builtins" "$binary" $strip
}

# Where it is.
router_binary() { echo "$CROSS_TARGET_DIR/$(target_field "$1" 2)/router/vipd"; }
