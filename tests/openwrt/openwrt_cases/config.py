"""/etc/config/vipd as it is shipped."""

import os
import re

from lib.check import check, equal
from router import package
from router.router import CONFIG, Router


def case_it_is_off_and_says_nothing_else():
    equal(Router().must("uci", "show", "vipd"), "vipd.globals=globals\nvipd.globals.enabled='0'\n", "uci show vipd")


def case_its_example_works():
    router = Router()
    text = router.read(CONFIG)
    example = re.sub(r"(?m)^#(config|\t)", r"\1", text).replace("enabled '0'", "enabled '1'")
    check("\nconfig vrrp_instance 'home'\n\toption interface 'lan'\n" in example, f"no example in {text}")
    router.write(CONFIG, example)
    said = router.must("vipd", "check", "/etc/config/vipd")
    equal(said, "/etc/config/vipd: 1 instance(s), 0 warning(s): good\n", "what vipd says of it")
    shown = router.must("uci", "show", "vipd.home")
    check("vipd.home.virtual_ipaddress='192.168.1.1'" in shown, f"what uci says of it: {shown}")


# What the README starts from: the sections of a router as it ships that it changes.
SHIPPED = {
    "etc/config/network": """
config interface 'lan'
	option device 'br-lan'
	option proto 'static'
	list ipaddr '192.168.1.1/24'

config interface 'wan'
	option device 'eth1'
	option proto 'dhcp'

config interface 'wan6'
	option device 'eth1'
	option proto 'dhcpv6'
""",
    "etc/config/dhcp": """
config dhcp 'lan'
	option interface 'lan'
	option start '100'
	option limit '150'
	option leasetime '12h'
	option ra 'server'
""",
}
# What uci says of the sections afterwards, in part.
BECOMES = {
    "network.lan.ipaddr": "192.168.1.2/24", "network.wan.auto": "0", "network.wan6.auto": "0",
    "network.@device[0].name": "eth1", "network.backup.gateway": "192.168.1.1", "dhcp.lan.force": "1",
    "dhcp.lan.dhcp_option": "3,192.168.1.1 6,192.168.1.1", "dhcp.lan.ra": "disabled", "vipd.globals.enabled": "1",
    "vipd.globals.vrrp_startup_delay": "10", "vipd.home.interface": "lan", "vipd.home.priority": "150",
    "vipd.home.virtual_ipaddress": "192.168.1.1", "vipd.home.uplink": "wan wan6", "vipd.home.dhcp": "follow",
    "vipd.home.ra": "follow", "vipd.home.probe": "'ping 9.9.9.9 via wan'",
}
# netifd, as it is when the network has been restarted: the uplinks are down, and stay so.
UBUS = """#!/bin/sh
cat <<'DUMP'
{ "interface": [
  { "interface": "lan", "up": true, "pending": false, "available": true, "autostart": true, "l3_device": "br-lan", "data": {} },
  { "interface": "wan", "up": false, "pending": false, "available": true, "autostart": false, "data": {} },
  { "interface": "wan6", "up": false, "pending": false, "available": true, "autostart": false, "data": {} }
] }
DUMP
"""


def case_the_commands_of_the_readme_work():
    section = package.read("README.md").partition("## Two OpenWrt routers in five minutes\n")[2].partition("\n## ")[0]
    commands = re.findall(r"(?m)^    (uci .*)$", section)
    check(len(commands) > 25, f"the commands of the README: {commands}")
    router = Router()
    for name, text in SHIPPED.items():
        router.write(name, text)
    router.write("bin/ubus", UBUS)
    os.chmod(router.path("bin/ubus"), 0o755)
    for command in commands:
        equal(router.must("/bin/sh", "-c", command), "", command)
    for name, wanted in BECOMES.items():
        equal(router.must("uci", "get", name), f"{wanted}\n", name)
    # Words that CONFIG.md does not have are those of a vipd that is being made.
    for word in ("uplink", "dhcp", "ra"):
        if f"| `{word}` |" not in package.read("CONFIG.md"):
            router.must("uci", "delete", f"vipd.home.{word}")
            router.must("uci", "commit", "vipd")
    said = router.must("vipd", "check", "/etc/config/vipd")
    equal(said, "/etc/config/vipd: 1 instance(s), 0 warning(s): good\n", "what vipd says of it")
    check(said.strip() in section, "the README shows what vipd says")
    calls, said = router.service("start")
    check("procd_open_instance " in calls and not said, f"it is started: {calls}, {said!r}")


def case_the_readme_names_the_architectures():
    table = re.findall(r"(?m)^\| (`.*`) \|.*\| `(\w+)` \|$", package.read("openwrt/README.md"))
    told = {name: target for names, target in table for name in re.findall(r"`([^`]+)`", names)}
    rows = re.findall(r'(?m)^([\w-]+) +(\w+) ', package.read("cross/architectures.sh").partition('"\\\n')[2])
    equal(told, dict(rows), "architectures and the targets that serve them")
