#!/bin/sh
# Run by the feed's CI on a router: $1 is the package's name, $2 its version.

case "$1" in
vipd)
	vipd --version | grep -F "$2"
	;;
esac
