# A stand-in for OpenWrt's: the functions of uci's own shell library, fed by the real uci.

. /usr/share/libubox/uci.sh

uci_load() {
	local exported

	CONFIG_SECTIONS=
	CONFIG_NUM_SECTIONS=0
	exported="$(uci export "$1")" || return 1
	eval "$exported"
}
