"""/etc/uci-defaults/vipd: what it makes of keepalived's configuration, and what it leaves alone."""

import os

from lib.check import check, equal
from router.router import CONFIG, Router

KEEPALIVED = """
# Two routers.
config globals 'globals'
	option enabled '1'
	option router_id 'one'

config ipaddress
	option name 'vip'
	option address '192.168.1.1/24'
	option device 'br-lan'

config vrrp_instance
	option name 'VI_1'
	option state 'BACKUP'
	option interface 'br-lan'
	option virtual_router_id '51'
	list virtual_ipaddress 'vip'
"""


# As default_postinst and the first boot do it. busybox prefers its own killall to a program of that name.
SCRIPT = 'killall() { echo "killall $*" >>/record; }; cd /etc/uci-defaults && . ./vipd'


def install(keepalived=None, config=None):
    """A router after the script; what it called."""
    router = Router(config)
    if keepalived is not None:
        router.write("etc/config/keepalived", keepalived)
    router.write("etc/init.d/rpcd", '#!/bin/sh\necho "rpcd $*" >>/record\n')
    os.chmod(router.path("etc/init.d/rpcd"), 0o755)
    router.must("/bin/sh", "-c", SCRIPT)
    return router, router.record()


def case_enables_and_tells_ubusd_and_rpcd():
    router, calls = install()
    equal(calls, ["killall -HUP ubusd", "rpcd reload"], "calls")
    equal(sorted(os.listdir(router.path("etc/rc.d"))), ["K05vipd", "S90vipd"], "links")


def case_migrates_keepalived():
    router, _ = install(KEEPALIVED)
    equal(router.read("etc/config/keepalived"), KEEPALIVED, "keepalived's own file")
    migrated = router.must("uci", "show", "vipd")
    check("vipd.globals.enabled='0'" in migrated, f"not enabled: {migrated}")
    same = migrated.replace("enabled='0'", "enabled='1'").replace("vipd.", "keepalived.")
    equal(sorted(same.splitlines()), sorted(router.must("uci", "show", "keepalived").splitlines()), "the rest")
    equal(os.stat(router.path(CONFIG)).st_mode & 0o777, 0o600, "mode")
    check("copied" in router.read("record"), "the log says so")
    router.must("uci", "set", "vipd.globals.enabled=1")
    router.must("uci", "commit", "vipd")
    check("1 instance(s)" in router.must("vipd", "check", "/etc/config/vipd"), "vipd reads it")


def case_a_configuration_of_ones_own_stays():
    for own in ("config globals 'globals'\n\toption enabled '1'\n",
                "config vrrp_instance 'mine'\n\toption interface 'lan'\n"):
        router, _ = install(KEEPALIVED, own)
        equal(router.read(CONFIG), own, "configuration")


def case_a_keepalived_without_instances_is_not_taken():
    for nothing in ("config globals 'globals'\n\toption router_id 'one'\n", "config vrrp_instance 'x\n", None):
        router, _ = install(nothing)
        equal(router.read(CONFIG), Router().read(CONFIG), "configuration")


def case_the_second_time_changes_nothing():
    router, _ = install(KEEPALIVED)
    before = router.read(CONFIG)
    router.write("etc/config/keepalived", KEEPALIVED.replace("51", "52"))
    router.must("/bin/sh", "-c", SCRIPT)
    equal(router.read(CONFIG), before, "configuration")
