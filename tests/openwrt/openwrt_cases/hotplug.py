"""/etc/hotplug.d/iface/50-vipd: whose news makes vipd look again; and the example for conntrackd."""

import os

from lib.check import equal
from openwrt_cases.init import HUP, LAN, started
from openwrt_cases.lint import SHELLCHECK
from router import package
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


def case_the_example_for_conntrackd_is_told_the_same_both_ways():
    folder = package.work("conntrackd")
    for name in ("conntrackd", "logger"):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\necho "{name} $*"\n[ "$3" != "$FAILS" ]\n')
        os.chmod(f"{folder}/{name}", 0o755)
    script = package.repository("openwrt/examples/conntrackd/vipd-conntrackd.sh")
    package.run(*SHELLCHECK, script)
    env = {"PATH": f"{folder}:{os.environ['PATH']}"}
    told = "conntrackd -C /etc/conntrackd/conntrackd.conf "
    for state, words in (("MASTER", "cfRB"), ("BACKUP", "tn"), ("STOP", "tn"), ("FAULT", "t"), ("DELETED", "")):
        wanted = "".join(f"{told}-{word}\n" for word in words)
        # hotplug-call reads the script; its own argument is the name of the folder.
        said = package.run("busybox", "ash", "-c", f". {script}", "hotplug-call", "vipd",
                           env={**env, "ACTION": f"NOTIFY_{state}", "TYPE": "GROUP", "NAME": "gateway"})
        equal(said, wanted, f"by hotplug, {state}")
        equal(package.run("busybox", "ash", script, "GROUP", "gateway", state, "100", env=env), wanted, f"by notify, {state}")
    # busybox would run its own logger.
    said = package.run("dash", script, "GROUP", "gateway", "FAULT", "100", env={**env, "FAILS": "-t"})
    equal(said, f"{told}-t\nlogger -t vipd-conntrackd -p daemon.err FAULT of gateway: conntrackd -t has failed\n", "a failure")
    other = package.read("openwrt/examples/conntrackd/vipd-conntrackd.sh").replace("\nFOLLOW=\n", "\nFOLLOW=outside\n")
    equal(package.run("busybox", "ash", "-c", other, "x", "GROUP", "gateway", "MASTER", "100", env=env), "", "another group")
