#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Tells conntrackd what vipd has become, so that connections go on at the router that takes over. For conntrackd.conf
# beside this file. Two ways to install it:
#
#   OpenWrt:    cp vipd-conntrackd.sh /etc/hotplug.d/vipd/50-conntrackd
#   elsewhere:  notify /etc/vipd/vipd-conntrackd.sh      in the sync group, or in the instance if there is one only

# The configuration of conntrackd, and the sync group or instance whose state counts; without a name, any.
CONFIG=/etc/conntrackd/conntrackd.conf
FOLLOW=

# hotplug-call has it in the environment, `notify` as arguments: TYPE NAME STATE PRIORITY.
# shellcheck disable=SC2153 # NAME is hotplug-call's
if [ -n "$ACTION" ]; then
	state=${ACTION#NOTIFY_}
	name=$NAME
else
	state=$3
	name=$2
fi
[ -z "$FOLLOW" ] || [ "$FOLLOW" = "$name" ] || exit 0

tell() {
	conntrackd -C "$CONFIG" "$1" || logger -t vipd-conntrackd -p daemon.err "$state of $name: conntrackd $1 has failed"
}

case "$state" in
MASTER)
	# What the other router has told goes into the kernel; then our own picture is made anew from there, and told.
	tell -c
	tell -f
	tell -R
	tell -B
	;;
BACKUP | STOP)
	# What is left in the kernel goes soon, lest it is in the way when we are next; the other's picture comes again.
	tell -t
	tell -n
	;;
FAULT)
	tell -t
	;;
esac
