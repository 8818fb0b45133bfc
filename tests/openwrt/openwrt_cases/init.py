"""/etc/init.d/vipd under busybox ash: what it asks of procd, call by call."""

import os

from lib.check import check, equal
from router.router import CONFIG, INSTANCE, Router

OPEN = ["procd_open_service vipd /etc/init.d/vipd"]
INSTANCE_OF_PROCD = [
    "procd_open_instance ",
    "procd_set_param command /usr/sbin/vipd run --config /etc/config/vipd",
    "procd_set_param respawn 300 5 10",
    "procd_set_param term_timeout 60",
    "procd_set_param stdout 1",
    "procd_set_param stderr 1",
]
JAIL = [
    "procd_add_jail vipd ubus",
    "procd_set_param capabilities /etc/capabilities/vipd.json",
    "procd_set_param user nobody",
    "procd_set_param group nogroup",
    "procd_set_param no_new_privs 1",
    "procd_add_jail_mount /etc/config /bin/ubus",
    "procd_add_jail_mount_rw /var/run/vipd",
]
CLOSE_INSTANCE = ["procd_close_instance "]
HUP = ["procd_send_signal vipd * HUP"]
LAN = INSTANCE.format(interface="lan")
# `priority` is not a number: a line that vipd's check names.
WRONG = LAN.replace("'150'", "'high'")
# No word of UCI: uci itself cannot read it.
UNREADABLE = LAN + "\nconfigure\n"


def triggers(*interfaces):
    """What procd is to watch, and the end of the message to it."""
    return ["procd_add_reload_trigger vipd",
            *[f"procd_add_reload_interface_trigger {i}" for i in interfaces],
            "procd_close_service set"]


def started(*interfaces, jail=()):
    """The calls of a start."""
    return OPEN + INSTANCE_OF_PROCD + list(jail) + CLOSE_INSTANCE + triggers(*interfaces)


def case_start():
    calls, said = Router(LAN).service("start")
    equal(calls, started("lan"), "calls")
    equal(said, "", "what it says")


def case_stop():
    router = Router(LAN)
    router.running()
    equal(router.service("stop"), (["procd_kill vipd"], ""), "calls and words")


def case_two_interfaces_have_a_trigger_each():
    more = LAN
    for name, vrid, interface in (("guest", 51, "guest"), ("second", 52, "lan")):
        more += f"\nconfig vrrp_instance '{name}'\n\toption interface '{interface}'\n" \
                f"\toption virtual_router_id '{vrid}'\n\tlist virtual_ipaddress '192.168.{vrid}.1'\n"
    calls, _ = Router(more).service("start")
    equal(calls, started("lan", "guest"), "calls")


def case_uplinks_have_triggers_too():
    router = Router(LAN + "\tlist uplink 'wan'\n\tlist uplink 'wan6'\n")
    router.touch("bin/ubus", 0o755)
    calls, _ = router.service("start")
    equal(calls, started("lan", "wan", "wan6"), "calls")


def case_disabled_as_it_is_shipped():
    router = Router()
    calls, said = router.service("start")
    equal(calls, OPEN + triggers(), "calls")
    check("option enabled '1'" in said, f"it says why it does not start: {said!r}")


# As OpenWrt ships it.
DHCP = """config dnsmasq
	option authoritative '1'

config dhcp 'lan'
	option interface 'lan'
	option dhcpv4 'server'
	option dhcpv6 'server'
	option ra 'server'

config dhcp 'wan'
	option interface 'wan'
	option ignore '1'
"""
FOLLOWS = LAN + "\toption dhcp 'follow'\n\toption ra 'follow'\n"
LACKS = [
    "odhcpd sends router advertisements on lan, too: uci set dhcp.lan.ra=disabled",
    "dnsmasq serves no DHCP on lan where it sees the other router's: uci set dhcp.lan.force=1",
    "DHCP clients on lan do not get 192.168.1.1 as their gateway: uci add_list dhcp.lan.dhcp_option='3,192.168.1.1'",
    "DHCP clients on lan do not get 192.168.1.1 as their DNS server: uci add_list dhcp.lan.dhcp_option='6,192.168.1.1'",
]


def lacks(router):
    """What a start says of the servers, without what all lines end with."""
    calls, said = router.service("start")
    equal(calls, started("lan"), "calls")
    return [line.removeprefix("-t vipd -p daemon.warn ").removesuffix("; uci commit dhcp; reload_config") for line in said.splitlines()]


def case_what_the_servers_lack_is_told_until_it_is_done():
    router = Router(FOLLOWS)
    router.write("etc/config/dhcp", DHCP)
    for done in range(len(LACKS) + 1):
        said = lacks(router)
        equal(said, LACKS[done:], "what it says")
        if said:
            # What it says is done, word by word.
            router.must("/bin/sh", "-c", said[0].partition(": ")[2])
            router.must("uci", "commit", "dhcp")
    equal(router.read("etc/config/vipd"), FOLLOWS, "our own configuration")


def case_other_ways_to_say_it_and_who_does_not_follow():
    router = Router(FOLLOWS)
    said = DHCP.replace("ra 'server'", "force 'on'\n\toption dhcp_option 'option:router,192.168.1.1 6,9.9.9.9,192.168.1.1'")
    router.write("etc/config/dhcp", said)
    equal(lacks(router), [], "what it says")
    # Another address is not the virtual one, and the prefix is no part of it.
    router.write("etc/config/dhcp", said.replace("router,192.168.1.1", "router,192.168.1.11"))
    router.write(CONFIG, FOLLOWS.replace("'192.168.1.1'", "'fe80::1'\n\tlist virtual_ipaddress 'v'\n\nconfig ipaddress 'v'"
                                         "\n\toption address '192.168.1.1/24'\n\nconfig vrrp_instance 'home'"))
    equal(lacks(router), LACKS[2:3], "what it says")
    router.write("etc/config/dhcp", DHCP.replace("'server'", "'server'\n\toption ignore '1'", 1))
    equal(lacks(router), ["/etc/config/dhcp has no server for lan, so no DHCP follows"], "what it says")
    for text, words in (FOLLOWS, ["/etc/config/dhcp cannot be read, so it is not known whether DHCP and RA follow"]), \
            (FOLLOWS.replace("follow", "off"), []):
        router = Router(text)
        equal(lacks(router), words, "what it says")


def case_with_a_jail():
    router = Router(LAN)
    router.touch("sbin/ujail", 0o755)
    calls, _ = router.service("start")
    equal(calls, started("lan", jail=JAIL), "calls")
    config, folder = os.stat(router.path(CONFIG)), os.stat(router.path("var/run/vipd"))
    equal((config.st_uid, config.st_gid, config.st_mode & 0o777), (0, 65534, 0o640), "owner and mode of the config")
    equal((folder.st_uid, folder.st_gid), (65534, 65534), "owner of the runtime directory")


def case_without_a_jail_the_files_are_roots():
    router = Router(LAN)
    router.service("start")
    config = os.stat(router.path(CONFIG))
    equal((config.st_uid, config.st_gid, config.st_mode & 0o777), (0, 0, 0o600), "owner and mode of the config")


def case_a_commit_between_does_not_lock_the_jail_out():
    router = Router(LAN)
    router.touch("sbin/ujail", 0o755)
    router.service("start")
    router.running()
    router.must("uci", "set", "vipd.home.priority=120")
    router.must("uci", "commit", "vipd")
    os.chown(router.path(CONFIG), 0, 0)
    calls, _ = router.service("reload")
    equal(calls, started("lan", jail=JAIL) + HUP, "calls")
    equal(os.stat(router.path(CONFIG)).st_gid, 65534, "group of the config")


def case_a_wrong_config_does_not_start():
    router = Router(WRONG)
    calls, said = router.service("start")
    # The trigger stands, so that the corrected file is noticed.
    equal(calls, OPEN + triggers("lan"), "calls")
    check("/etc/config/vipd:8:" in said and "priority" in said, f"the line is named: {said!r}")
    check("service vipd start" in said, f"the remedy is named: {said!r}")
    router.write(CONFIG, LAN)
    calls, said = router.service("reload")
    equal((calls, said), (started("lan"), ""), "calls and words when it is corrected")


def case_a_config_that_uci_cannot_read_does_not_start():
    calls, said = Router(UNREADABLE).service("start")
    check("procd_open_instance " not in calls, f"calls: {calls}")
    check("/etc/config/vipd" in said, f"what it says: {said!r}")


def case_reload():
    router = Router(LAN)
    router.running()
    # The same instance: procd leaves it alone. Then the signal.
    equal(router.service("reload"), (started("lan") + HUP, ""), "calls and words")


def case_reload_with_a_wrong_config_changes_nothing():
    for text in (WRONG, UNREADABLE):
        router = Router(text)
        router.running()
        calls, said = router.service("reload")
        equal(calls, [], "calls")
        check("/etc/config/vipd" in said and "goes on" in said, f"what it says: {said!r}")


def case_reload_starts_what_was_disabled():
    equal(Router(LAN).service("reload")[0], started("lan"), "calls")


def case_reload_ends_what_is_disabled():
    router = Router(LAN.replace("enabled '1'", "enabled '0'"))
    router.running()
    equal(router.service("reload")[0], OPEN + triggers("lan"), "calls")


def case_running():
    router = Router(LAN)
    for running in (True, False):
        router.running(running)
        code, _ = router.run("/bin/sh", "/etc/rc.common", "/etc/init.d/vipd", "running")
        equal(code == 0, running, "what `running` answers")
