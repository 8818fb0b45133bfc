# shellcheck shell=bash
# The toolchain of the cross builds: Debian's Rust with the sources of std, zig as linker and libc, and for MIPS
# the tools of mips16.sh. Sourced, after targets.sh, by the scripts here and by tests/cross/run.
. cross/mips16.sh

readonly ZIG_VERSION=0.15.2
readonly CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/vipd"
readonly ZIG_DIR="$CACHE/zig-$ZIG_VERSION"
readonly RUST_LIBRARY=/usr/lib/rustlib/src/rust/library
export ZIG="${ZIG:-$ZIG_DIR/bin/zig}"
readonly CROSS_TARGET_DIR="${CROSS_TARGET_DIR:-$PWD/target/cross}"

# For the code generator, at the last link, where the whole program is in its hands: fewer copies by inlining, fewer
# tables for `match`, no constants kept ready outside of loops, equal ends of branches once, copies by memcpy.
# LLVM's machine outliner would save 6 KB on ARM, and was seen to make programs there that hang or crash: keep it off.
readonly CODE_FLAGS=(-Cllvm-args=-inline-threshold=10 -Cllvm-args=-min-jump-table-entries=12
    -Cllvm-args=-disable-machine-licm -Cllvm-args=-enable-tail-merge=true -Cllvm-args=-tail-merge-size=2
    -Cllvm-args=-max-store-memcpy=2)

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
    install_packages $(missing_packages) && install_packages $(missing_mips_packages)
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

# router_cargo TARGET [FLAGS…]: the router binary of a target; FLAGS are rustc's for the program itself.
# What is given up for 60 KB of 410 on MIPS: a panic ends the program at once, without a message (the same commit,
# built plainly, says it); `{:?}` prints nothing (tests/tidy.rs: no message of a router has one).
router_cargo() {
    local target=$1 std_flags=(-Zlocation-detail=none -Zfmt-debug=none) thumb=() bitcode=()
    shift
    # vipd's own code as thumb code: 40 KB less. std has ARM assembly that cannot be built so.
    case $target in
    arm | armv5te)
        thumb=(-Zprofile-rustflags --config 'profile.router.package.vipd.rustflags = ["-Ctarget-feature=+thumb-mode"]')
        ;;
    mips | mipsel) bitcode=("--emit=llvm-bc=$(router_binary "$target").bc") ;;
    esac
    cross_cargo std,panic_abort rustc "${thumb[@]}" --quiet --profile router --no-default-features --bin vipd \
        --config "target.'cfg(target_env = \"musl\")'.rustflags = [$(printf "'%s'," "${std_flags[@]}")]" \
        --config 'profile.router.package.core.opt-level = "z"' --config 'profile.router.package.std.opt-level = "z"' \
        -Zpanic-immediate-abort --config 'profile.router.panic = "immediate-abort"' \
        --target "$(target_field "$target" 2)" -- "${CODE_FLAGS[@]}" "${bitcode[@]}" "$@" || return 1
    [ ${#bitcode[@]} = 0 ] || router_mips16 "$target" "$@"
}

# router_mips16 TARGET [FLAGS…]: puts the program as MIPS16 code where cargo has put the one as MIPS32 code.
router_mips16() {
    local target=$1 binary builtins strip=-s
    shift
    binary=$(router_binary "$target")
    case " $* " in *" -Cstrip=none "*) strip= ;; esac
    builtins=$(ls -t "$(dirname "$binary")"/deps/libcompiler_builtins-*.rlib | head -1)
    rm -f "$binary" && mips16 "$target" "$binary.bc" "$builtins" "$binary" $strip
}

# Where it is.
router_binary() { echo "$CROSS_TARGET_DIR/$(target_field "$1" 2)/router/vipd"; }
