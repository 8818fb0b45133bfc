#!/usr/bin/env bash
# Says which part of a router binary is what, by crate and module.
#
#   cross/sizes.sh TARGET [PREFIX]      PREFIX: the functions of one part, biggest first (`vipd::config`, `core::fmt`)
#
# Links the program once more with its symbols; the code is the same as cross/build.sh's.
set -euo pipefail
cd "$(dirname "$0")/.."
. cross/targets.sh
. cross/toolchain.sh

[ $# -ge 1 ] && [ "$1" != all ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
name=$(expand_targets "$1")
install_toolchain
command -v c++filt >/dev/null || { echo "c++filt is missing: apt-get install binutils" >&2; exit 3; }
router_cargo "$name" strip=none
# Under another name: what stands at the old one is always stripped.
binary=$(router_binary "$name")
unstripped="$binary-with-symbols"
mv "$binary" "$unstripped"
python3 cross/sizes.py "$unstripped" "${@:2}"
