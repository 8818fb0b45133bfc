"""/usr/libexec/rpcd/vipd with the real jshn, beside a vipd that runs: `ubus call vipd …` without ubus."""

import contextlib
import json
import os
import time

from lib.check import CaseFailed, check, equal
from lib.ns import ip
from lib.proc import Proc
from openwrt_cases.init import HUP
from router.router import CONFIG, Router

PLUGIN = "/usr/libexec/rpcd/vipd"
CONFIGURED = """
config globals 'globals'
	option enabled '1'

config vrrp_instance 'home'
	option interface 'lan0'
	option virtual_router_id '50'
	option version '3'
	option priority '150'
	option advert_int '0.1'
	list virtual_ipaddress '192.168.1.1'
	list virtual_ipaddress '192.168.1.9/24'

config vrrp_instance 'none'
	option interface 'absent0'
	option virtual_router_id '51'
	list virtual_ipaddress '192.168.2.1'
"""
# The members of keepalived's own JSON that ours has: seen in keepalived 2.2.7.
DATA = {"iname": str, "ifp_ifname": str, "master_priority": int, "last_transition": int, "vrid": int,
        "base_priority": int, "effective_priority": int, "vips": list, "vipset": bool, "adver_int": float,
        "nopreempt": bool, "preempt_delay": float, "state": int, "wantstate": int, "version": int}
STATS = ["advert_rcvd", "advert_sent", "become_master", "release_master", "packet_len_err", "advert_interval_err",
         "ip_ttl_err", "invalid_type_rcvd", "authtype_mismatch", "auth_failure", "pri_zero_rcvd", "pri_zero_sent"]


@contextlib.contextmanager
def namespace():
    """A network namespace, by its name, with lan0, 192.168.1.2/24, which is up."""
    name = f"vipd-ow-{os.getpid()}"
    ip("netns", "add", name)
    try:
        for argv in (["link", "add", "lan0", "type", "veth", "peer", "name", "wire0"], ["link", "set", "wire0", "up"],
                     ["address", "add", "192.168.1.2/24", "dev", "lan0"], ["link", "set", "lan0", "up"]):
            ip(*argv, ns=name)
        yield name
    finally:
        ip("netns", "delete", name)


@contextlib.contextmanager
def daemon(name, router, *argv):
    """A vipd that is Active on lan0 of a namespace, started by `argv` in the router."""
    vipd = Proc("vipd", ["ip", "netns", "exec", name, "chroot", router.root, *argv])
    try:
        vipd.log.wait("home: .* -> Active", 10)
        yield vipd
    finally:
        vipd.kill9()


@contextlib.contextmanager
def active():
    """A router and its vipd."""
    router = Router(CONFIGURED)
    with namespace() as name, daemon(name, router, "/usr/sbin/vipd", "run", "--config", f"/{CONFIG}") as vipd:
        yield router, vipd


def call(router, *argv, plugin=PLUGIN):
    """The answer of the plugin, read as JSON."""
    said = router.must(plugin, *argv)
    try:
        return json.loads(said)
    except ValueError as error:
        raise CaseFailed(f"{plugin} {' '.join(argv)}: {error}: {said!r}") from None


def case_the_methods():
    equal(call(Router(), "list"), {m: {} for m in ("status", "keepalived_status", "keepalived_dump", "reload")}, "list")


def case_status_is_vipds_own():
    with active() as (router, _):
        answer, own = call(router, "call", "status"), json.loads(router.must("vipd", "status", "--json"))
        equal((answer["format"], answer["pid"]), (own["format"], own["pid"]), "format and pid")
        equal([(i["name"], i["state"]) for i in answer["instances"]], [("home", "Active"), ("none", "Initialize")],
              "instances")
        equal(sorted(answer["instances"][0]), sorted(own["instances"][0]), "members of an instance")


def case_keepalived_status():
    with active() as (router, _):
        before = time.time()
        answer = call(router, "call", "keepalived_status")
        equal(sorted(answer), ["group", "instance"], "members")
        equal(answer["group"], [], "groups")
        equal([(i["name"], i["status"]) for i in answer["instance"]],
              [("home", "NOTIFY_MASTER"), ("none", "NOTIFY_FAULT")], "instances")
        for instance in answer["instance"]:
            equal(sorted(instance), ["event", "name", "status"], "members of an instance")
            check(before - 60 <= instance["event"] <= time.time(), f"when: {instance}")


def case_keepalived_dump():
    with active() as (router, _):
        answer = call(router, "call", "keepalived_dump")
        equal(sorted(answer), ["status"], "members")
        home, none = answer["status"]
        for instance in (home, none):
            equal(sorted(instance), ["data", "stats"], "members of an instance")
            equal({k: type(v) for k, v in instance["data"].items()}, DATA, "members of data")
            equal(list(instance["stats"]), STATS, "members of stats")
            check(all(isinstance(v, int) for v in instance["stats"].values()), f"numbers: {instance['stats']}")
        data, stats = home["data"], home["stats"]
        equal((data["iname"], data["ifp_ifname"], data["vrid"], data["state"]), ("home", "lan0", 50, 2), "home")
        equal((data["base_priority"], data["effective_priority"], data["version"]), (150, 150, 3), "home's numbers")
        equal((data["adver_int"], data["preempt_delay"], data["nopreempt"]), (0.1, 0.0, False), "home's times")
        equal(data["vips"], ["192.168.1.1/32 dev lan0 set", "192.168.1.9/24 dev lan0 set"], "home's addresses")
        check(data["vipset"] and stats["advert_sent"] > 0, f"home advertises: {home}")
        equal((stats["become_master"], stats["release_master"]), (1, 0), "home's changes")
        data, stats = none["data"], none["stats"]
        equal((data["state"], data["vipset"], data["vips"]), (3, False, ["192.168.2.1/32 dev absent0"]), "none")
        equal((stats["become_master"], stats["release_master"], stats["advert_sent"]), (0, 0, 0), "none's numbers")


def case_reload_is_that_of_the_service():
    router = Router(CONFIGURED)
    router.running()
    equal(call(router, "call", "reload"), {}, "answer")
    equal(router.record()[-1:], HUP, "the last call to procd")
    router.remove("record")
    router.write(CONFIG, CONFIGURED.replace("'150'", "'high'"))
    answer = call(router, "call", "reload")
    check("/etc/config/vipd:9:" in answer["error"], f"the line is named: {answer}")
    equal(router.record(), [], "calls to procd")


def case_nobody_runs():
    router = Router()
    for method in ("status", "keepalived_status", "keepalived_dump"):
        check("not running" in call(router, "call", method)["error"], f"{method} says so")
    equal(call(router, "call", "keepalived_status")["instance"], [], "instances")
    equal(os.listdir(router.path("tmp")), [], "nothing is left in /tmp")


def case_an_unknown_method():
    check("no such method" in call(Router(), "call", "drop")["error"], "it is refused")


def case_as_keepalived():
    with active() as (router, _):
        link = "/usr/libexec/rpcd/keepalived"
        os.symlink("vipd", router.path(link))
        equal(call(router, "list", plugin=link), {"status": {}, "dump": {}}, "list")
        equal(call(router, "call", "status", plugin=link)["instance"][0]["name"], "home", "status")
        equal(call(router, "call", "dump", plugin=link)["status"][0]["data"]["iname"], "home", "dump")
        check("no such method" in call(router, "call", "reload", plugin=link)["error"], "it has no other method")
