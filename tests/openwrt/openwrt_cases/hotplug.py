"""/etc/hotplug.d/iface/50-vipd: whose news makes vipd look again."""

from lib.check import equal
from openwrt_cases.init import HUP, LAN, started
from router.router import INSTANCE, Router

VIP_ELSEWHERE = INSTANCE.format(interface="lan") + """
config ipaddress
	option name 'dmz'
	option address '192.168.9.1/24'
	option device 'dmz'
"""


def news(router, **env):
    """What follows when netifd says that."""
    router.remove("record")
    router.must("/bin/sh", "-c", ". /etc/hotplug.d/iface/50-vipd", env=env)
    return router.record()


def router_that_runs(config):
    """A router whose /etc/init.d/vipd can be called by its path, as on OpenWrt."""
    router = Router(config)
    router.running()
    return router


def case_an_interface_of_vipd():
    router = router_that_runs(LAN)
    for action in ("ifup", "ifdown", "ifupdate"):
        equal(news(router, ACTION=action, INTERFACE="lan"), started("lan") + HUP, f"calls at {action}")


def case_an_interface_of_an_address():
    equal(news(router_that_runs(VIP_ELSEWHERE), ACTION="ifup", INTERFACE="dmz"), started("lan", "dmz") + HUP, "calls")


def case_an_uplink():
    router = router_that_runs(LAN + "\tlist uplink 'wan'\n\tlist uplink 'wan6'\n")
    # Without one there are no uplinks, says vipd.
    router.touch("bin/ubus", 0o755)
    for name in ("wan", "wan6", "lan"):
        equal(news(router, ACTION="ifup", INTERFACE=name), started("lan", "wan", "wan6") + HUP, f"calls for {name}")
    equal(news(router, ACTION="ifup", INTERFACE="wan 6"), [], "calls for another interface")


def case_other_news():
    router = router_that_runs(LAN)
    equal(news(router, ACTION="ifup", INTERFACE="wan"), [], "calls for an interface that vipd does not use")
    equal(news(router, ACTION="ifupdate-failed", INTERFACE="lan"), [], "calls for another action")
    equal(news(router, ACTION="ifup"), [], "calls without an interface")


def case_a_stopped_vipd_stays_stopped():
    router = router_that_runs(LAN)
    router.running(False)
    equal(news(router, ACTION="ifup", INTERFACE="lan"), [], "calls")
