# A stand-in for OpenWrt's: writes down what it is asked for. The file /running says that procd runs the service.

for call in procd_open_service procd_close_service procd_open_instance procd_close_instance procd_set_param \
	procd_add_jail procd_add_jail_mount procd_add_jail_mount_rw procd_add_reload_trigger \
	procd_add_reload_interface_trigger procd_send_signal procd_kill; do
	eval "$call() { echo \"$call \$*\" >>/record; }"
done

procd_running() { [ -e /running ]; }
