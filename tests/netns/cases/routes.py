"""Routes and rules: as keepalived has them, ours alone, and there for as long as they are wanted."""

import re
import time

from lib import conf, ns
from lib.check import check, equal, limits
from lib.lab import Lab
from lib.life import reload
from lib.peers import Keepalived
from lib.vipd import Vipd
from cases.control import ask, status

# rtnetlink groups of IPv4 and IPv6 routes and rules, beside those of links and addresses.
ROUTING = 1 << 6 | 1 << 10 | 1 << 7 | 1 << 18
GROUPS = ns.LINK | ns.IPV4_ADDR | ns.IPV6_ADDR | ROUTING

# What people write, in both families. lan1 is 10.20.0.1/24 and fd20::1/64.
ROUTES = """
    10.11.0.0/16 dev lan1
    10.12.0.0/16 via 10.10.201.7
    src 10.10.201.101 to 10.13.0.0/16 via 10.10.201.7 dev ens160
    default via 10.10.201.9 metric 50
    default via 10.10.201.9 table 100
    10.14.0.1 via 10.10.201.9 table main priority 7
    blackhole 10.15.0.0/16
    unreachable 10.16.0.0/16 metric 9
    prohibit 10.17.0.0/16
    throw 10.18.0.0/16 table 1000
    10.19.0.0/16 nexthop via 10.10.201.7 dev ens160 weight 2 nexthop via 10.20.0.7 dev lan1 weight 3
    10.20.128.0/24 via 10.99.0.1 dev lan1 onlink mtu 1400 advmss 1300
    10.22.0.0/16 via 10.10.201.7 mtu lock 1400 tos 8
    10.24.0.0/16 via 10.10.201.7 or 10.10.201.8
    10.30.0.0/16 dev ens160 scope link
    fd40::/32 via fd20::7
    fd41::/32 via fd20::7 dev lan1 metric 5 pref high
    blackhole fd42::/32
    fd43::/32 nexthop via fd20::7 dev lan1 nexthop via fd20::8 dev lan1
    fd44::/32 via fd20::7 src fd20::1
    default via fd20::9
"""
RULES = """
    from 10.10.0.0/16 table 100
    to 10.9.0.0/16 lookup 100
    from 10.1.0.0/24 to 10.2.0.0/24 iif ens160 oif lan1 fwmark 4/12 priority 500 table 101 tos 8
    not from 10.3.0.0/24 table 100
    from 10.4.0.0/24 blackhole
    from 10.5.0.0/24 prohibit
    from 10.6.0.0/24 unreachable
    from 10.7.0.0/24 goto 30000 preference 200
    from fd20::/64 table 100
    fwmark 2 table 1000
    from all table 100 suppress_prefixlength 0 priority 600
"""
STATIC = """static_ipaddress {
    10.10.201.120/32 dev ens160
}
static_routes {
    10.60.0.0/16 via 10.10.201.7 dev ens160
    fd60::/32 via fd20::7 dev lan1
}
static_rules {
    from 10.60.0.0/16 table 60 priority 60
}
"""


def block(word, lines):
    """A block of one line each."""
    return f"{word} {{\n{lines.strip()}\n}}"


def text(routes="", rules="", priority=100, excluded="", vips=(conf.VIP,), **options):
    """One instance with routes and rules."""
    extra = [block(word, lines) for word, lines in
             (("virtual_ipaddress_excluded", excluded), ("virtual_routes", routes), ("virtual_rules", rules)) if lines]
    return conf.instance(priority=priority, extra=extra, vips=vips, **options)


def router(lab, name="n1", address=conf.NODE1):
    """A node with a second interface, in both families."""
    node = lab.node(name, address)
    lab.plug(node, "lan1", f"{name}-lan")
    node.ip("addr", "add", "10.20.0.1/24", "dev", "lan1")
    node.ip("addr", "add", "fd20::1/64", "dev", "lan1", "nodad")
    return node


def kernel(node):
    """All routes but those of the table local and the kernel's own of links, and all rules."""
    found = [node.ip(family, *what) for family in ("-4", "-6")
             for what in (("route", "show", "table", "all"), ("rule", "show"))]
    lines = [re.sub(r"proto (keepalived|112) ?", "", line).rstrip() for out in found for line in out.splitlines()]
    return sorted(line for line in lines if "table local" not in line and "fe80::/64" not in line)


def ours(node):
    """What carries our mark, without it."""
    return [line.replace(" proto 112", "").strip() for family in ("-4", "-6")
            for what in (("route", "show", "table", "all"), ("rule", "show"))
            for line in node.ip(family, *what).splitlines() if "proto 112" in line]


def wait(node, holds, timeout, what):
    """Waits for a state of the node's kernel, routes and rules too."""
    return ns.wait_kernel(node.ns, holds, timeout, what, GROUPS)


def has(node, part):
    """A route or rule of ours that holds these words."""
    return [line for line in ours(node) if part in line]


class Monitor:
    """`ip monitor route rule` of a node."""

    def __init__(self, node):
        self.node = node
        self.log = node.popen("monitor", ["ip", "-4", "monitor", "route", "rule"]).log

    def settle(self):
        """Waits until it has seen a change of ours, so that all before that is seen; returns where."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            mark = self.log.mark()
            self.node.ip("route", "add", "10.254.0.0/16", "dev", "lan1")
            self.node.ip("route", "del", "10.254.0.0/16", "dev", "lan1")
            try:
                self.log.wait("Deleted 10.254.0.0/16", 1, mark)
                return self.log.mark()
            except Exception:  # it did not listen yet
                continue
        check(False, "ip monitor says nothing")


@limits(timeout=60)
def case_as_keepalived():
    with Lab() as lab:
        node, peer = router(lab), lab.node("n2", conf.NODE2)
        before = kernel(node)
        words = STATIC + text(ROUTES, RULES, excluded=f"fd20::101/128 dev lan1\n{conf.VIP[:-1]}9/24")
        backup_of = conf.instance(priority=200)
        states = {}
        for name, start in (("keepalived", Keepalived), ("vipd", Vipd)):
            other = Vipd(peer, backup_of, name=f"peer-of-{name}")
            other.wait_state("Active", 5)
            one = start(node, words)
            if name == "vipd":
                one.wait_state("Backup", 5)
            else:
                one.wait_backup(5)
            wait(node, lambda: "60:\tfrom 10.60.0.0/16 lookup 60" in kernel(node), 5, "the static rule")
            node.wait_has("10.10.201.120", 5)
            seen = [kernel(node)]
            other.terminate()
            node.wait_has("10.10.201.109", 5)
            node.wait_has("fd20::101", 5, "lan1")
            wait(node, lambda: any(line.startswith("600:") for line in kernel(node)), 5, "the last rule")
            seen.append(kernel(node))
            if name == "vipd":
                shown = status(one)["VI_1"]
                equal([(v["address"], v["advertised"], v["present"]) for v in shown["vips"]],
                      [(conf.VIP, True, True), ("fd20::101", False, True), ("10.10.201.109", False, True)],
                      "the addresses in the status")
                check(len(shown["routes"]) == 32 and all(r["present"] for r in shown["routes"]),
                      f"routes in the status: {shown['routes']}")
                told = ask(one, "status")[1]
                check("route     blackhole 10.15.0.0/16: present" in told, told)
                equal([w for w in one.warnings() if "or" not in w], [], "warnings")
            one.terminate()
            seen.append(kernel(node))
            check(not node.has("10.10.201.120"), "the static address has stayed")
            states[name] = seen
        for place, what in enumerate(("Backup", "Active", "stopped")):
            equal(states["vipd"][place], states["keepalived"][place], f"routes and rules of {what}")
        equal(states["vipd"][2], before, "what was there before")


@limits(timeout=40)
def case_excluded_addresses_are_announced_and_not_advertised():
    with Lab() as lab:
        node = router(lab)
        sniffer = lab.sniff()
        vipd = Vipd(node, text(priority=255, excluded="10.10.201.140\nfd00:201::140/64 dev ens160"))
        node.wait_has("fd00:201::140", 5)
        equal(node.wait_has("10.10.201.140", 5)["prefixlen"], 32, "its prefix")
        sniffer.wait_count(lambda f: getattr(f, "target", None) == "10.10.201.140" or "10.10.201.140" in str(f), 1, 5,
                           "gratuitous ARPs of the excluded address")
        sniffer.wait_count(lambda f: "fd00:201::140" in str(f), 1, 5, "Neighbour Advertisements of the other")
        advert = sniffer.adverts("n1")[0]
        check("10.10.201.140" not in str(advert) and "fd00:201::140" not in str(advert), f"in the advert: {advert}")
        node.ip("addr", "del", "10.10.201.140/32", "dev", "ens160")
        vipd.log.wait("10.10.201.140 was removed from ens160 by somebody else; it is put back", 5)
        node.wait_has("10.10.201.140", 5)
        vipd.terminate()
        check(not node.has("10.10.201.140") and not node.has("fd00:201::140"), "they have stayed")


@limits(timeout=40)
def case_killed_and_gone_from_the_configuration():
    with Lab() as lab:
        node = router(lab)
        before = kernel(node)
        node.ip("route", "add", "10.12.0.0/16", "via", "10.10.201.8", "proto", "static", "metric", "5")
        node.ip("rule", "add", "from", "10.10.0.0/16", "table", "100", "priority", "16384", "proto", "static")
        foreign = kernel(node)
        # The rule of somebody else is the very same as our first; the last route is to be alone.
        vipd = Vipd(node, STATIC + text(ROUTES + "10.12.0.0/16 via 10.20.0.7 metric 5 add\n", RULES, priority=255))
        vipd.log.wait("route 10.12.0.0/16 via 10.20.0.7 metric 5 add is there and not vipd's", 5)
        shown = [r["foreign"] for r in status(vipd)["VI_1"]["routes"] if r["text"].endswith("add")]
        equal(shown, [True], "it is somebody else's in the status")
        wait(node, lambda: has(node, "600:"), 5, "the last rule")
        check(has(node, "10.60.0.0/16 via") and has(node, "fd43::/32"), "routes are missing")
        left = len(ours(node))
        vipd.kill9()
        equal(len(ours(node)), left, "what a killed daemon leaves")
        again = Vipd(node, conf.instance(priority=255), name="again")
        again.wait_state("Active", 5)
        equal(ours(node), [], "left behind")
        again.log.wait("route blackhole 10.15.0.0/16 was left by an earlier vipd; it is removed", 1)
        equal(kernel(node), foreign, "what was somebody else's")
        check(not node.has("10.10.201.120"), "the static address was left behind")
        again.terminate()
        node.ip("rule", "del", "priority", "16384")
        node.ip("route", "del", "10.12.0.0/16")
        equal(kernel(node), before, "what was there before")


@limits(timeout=40)
def case_reload_is_a_diff():
    with Lab() as lab:
        node = router(lab)
        stays, moves = "10.11.0.0/16 dev lan1", "10.12.0.0/16 via 10.10.201.7"
        rule = "from 10.11.0.0/16 table 100 priority 500"

        def both(first, second, rules, static=""):
            return static + text(first, rules, priority=255) + text(second, name="VI_2", vrid=51, priority=255,
                                                                    vips=["10.10.201.140"])

        before = both(f"{stays}\n{moves}\n10.13.0.0/16 dev lan1\n10.14.0.0/16 via 10.10.201.7", "",
                      f"{rule}\nfrom 10.12.0.0/16 table 100 priority 501")
        vipd = Vipd(node, before)
        wait(node, lambda: has(node, "501:"), 5, "the last rule")
        monitor = Monitor(node)
        mark = monitor.settle()
        path = f"{lab.dir}/n1-vipd.conf"
        # One changes its gateway, one goes, one comes, one moves, one is written in other words.
        after = both("10.11.0.0/16 oif lan1\n10.14.0.0/16 via 10.10.201.8\n10.15.0.0/16 dev lan1", moves, rule)
        check("changed" in reload(vipd, path, after), "the reload changed nothing")
        wait(node, lambda: not has(node, "501:"), 5, "the rule to go")
        monitor.settle()
        news = [line for line in monitor.log.matches("", mark) if "10.254." not in line and "local " not in line]
        touched = {word: any(word in line for line in news) for word in ("10.11.0.0", "10.12.0.0/16 via", "500:")}
        equal(touched, dict.fromkeys(touched, False), f"unchanged ones in {news}")
        for wanted in ("Deleted 10.13.0.0/16", "Deleted 10.14.0.0/16 via 10.10.201.7", "10.14.0.0/16 via 10.10.201.8",
                       "10.15.0.0/16", "Deleted 501:"):
            check(any(wanted in line for line in news), f"no {wanted!r} in {news}")
        # The one that has moved goes with its new instance, static ones stay.
        third = both("", "", "", STATIC)
        reload(vipd, path, third)
        wait(node, lambda: has(node, "60:"), 5, "the static rule")
        equal(sorted(ours(node)), sorted(["10.60.0.0/16 via 10.10.201.7 dev ens160",
                                          "fd60::/32 via fd20::7 dev lan1 metric 1024 pref medium",
                                          "60:\tfrom 10.60.0.0/16 lookup 60"]), "after the third configuration")
        bad = third.replace("via 10.10.201.7", "via gateway")
        check("refused" in reload(vipd, path, bad), "a bad route was taken")
        equal(len(ours(node)), 3, "after a bad configuration")
        vipd.terminate()
        equal(ours(node), [], "after the stop")


@limits(timeout=60)
def case_removed_by_hand_comes_back():
    with Lab() as lab:
        node = router(lab)
        vipd = Vipd(node, STATIC + text("10.11.0.0/16 dev lan1\nfd40::/32 via fd20::7\n10.12.0.0/16 dev lan1",
                                        "from 10.11.0.0/16 table 100 priority 500", priority=255))
        wait(node, lambda: has(node, "500:"), 5, "the rule")
        for words, part in ((("-4", "route", "del", "10.11.0.0/16"), "10.11.0.0/16 dev"),
                            (("-6", "route", "del", "fd40::/32"), "fd40::/32"),
                            (("-4", "rule", "del", "priority", "500"), "500:"),
                            (("-4", "route", "del", "10.60.0.0/16"), "10.60.0.0/16 via"),
                            (("-4", "route", "replace", "10.12.0.0/16", "via", "10.20.0.9"), "10.12.0.0/16 dev")):
            mark = vipd.log.mark()
            node.ip(*words)
            wait(node, lambda p=part: has(node, p), 15, f"{part} to come back")
            vipd.log.wait("was gone without vipd's doing; it is put back", 5, mark)
        node.ip("addr", "del", "10.10.201.120/32", "dev", "ens160")
        node.wait_has("10.10.201.120", 15)
        # What another has put in its place is his.
        check("via 10.20.0.9" in node.ip("route", "show", "10.12.0.0/16"), "another's route is gone")
        vipd.terminate()
        equal(ours(node), [], "after the stop")
        check("via 10.20.0.9" in node.ip("route", "show", "10.12.0.0/16"), "another's route is gone after the stop")


@limits(timeout=60)
def case_interface_down_and_up():
    with Lab() as lab:
        node = router(lab)
        vipd = Vipd(node, text("10.11.0.0/16 dev lan1\n10.12.0.0/16 via 10.20.0.7\nfd40::/32 dev lan1\n"
                               "10.13.0.0/16 dev later\n10.14.0.0/16 via 10.40.0.1", priority=255))
        wait(node, lambda: has(node, "fd40::/32"), 5, "the routes")
        vipd.log.wait(r"route 10.13.0.0/16 dev later could not be added: .*does not exist", 5)
        line = vipd.log.wait("route 10.14.0.0/16 via 10.40.0.1 could not be added: .*", 5).group(0)
        check("correct `via`" in line and "tried again" in line, f"no remedy: {line}")
        node.ip("link", "set", "lan1", "down")
        vipd.log.wait("route 10.12.0.0/16 via 10.20.0.7 could not be added", 15)
        equal([r["present"] for r in status(vipd)["VI_1"]["routes"]], [False] * 5, "the routes in the status")
        node.ip("link", "set", "lan1", "up")
        node.ip("addr", "add", "10.40.0.2/24", "dev", "lan1")
        lab.plug(node, "later", "n1-later")
        for part in ("10.11.0.0/16", "10.12.0.0/16", "fd40::/32", "10.13.0.0/16", "10.14.0.0/16"):
            wait(node, lambda p=part: has(node, p), 20, f"{part} to come back")
        vipd.terminate()
        equal(ours(node), [], "after the stop")


@limits(timeout=40)
def case_one_route_of_two_instances():
    with Lab() as lab:
        node, peer = router(lab), lab.node("n2", conf.NODE2)
        route = "10.11.0.0/16 dev lan1"
        vipd = Vipd(node, text(route, priority=150) + text(route, name="VI_2", vrid=51, vips=["10.10.201.140"]))
        for name in ("VI_1", "VI_2"):
            vipd.wait_state("Active", 5, name=name)
        wait(node, lambda: has(node, "10.11.0.0/16"), 5, "the route")
        other = Vipd(peer, conf.instance(priority=200))
        vipd.wait_state("Backup", 5)
        equal(len(has(node, "10.11.0.0/16")), 1, "the route that the other instance wants")
        equal([w for w in vipd.warnings() if "route" in w], [], "warnings")
        vipd.terminate()
        other.terminate()
        equal(ours(node), [], "after the stop")


@limits(timeout=40)
def case_secondary_addresses_outlive_their_primary():
    """Why `promote_secondaries` is not needed: the kernel takes the second address along."""
    with Lab() as lab:
        node = router(lab)
        equal(node.ip("-4", "route", "show", "10.30.0.0/24"), "", "the network is ours alone")
        vips = ["10.30.0.1/24 dev lan1", "10.30.0.2/24 dev lan1"]
        extra = ["promote_secondaries", block("virtual_routes", "10.31.0.0/16 via 10.30.0.7 src 10.30.0.2")]
        vipd = Vipd(node, conf.instance(priority=255, vips=[conf.VIP, *vips], extra=extra))
        node.wait_has("10.30.0.2", 5, "lan1")
        wait(node, lambda: has(node, "10.31.0.0/16"), 5, "the route")
        check(node.wait_has("10.30.0.2", 5)["secondary"], "it is no secondary address")
        reload(vipd, f"{lab.dir}/n1-vipd.conf", conf.instance(priority=255, vips=[conf.VIP, vips[1]], extra=extra))
        node.wait_lacks("10.30.0.1", 5)
        wait(node, lambda: node.has("10.30.0.2") and has(node, "10.31.0.0/16"), 15, "address and route to be back")
        vipd.terminate()
        equal((ours(node), node.has("10.30.0.2")), ([], False), "after the stop")


@limits(timeout=40)
def case_churn_of_others_routes_wakes_nobody():
    """Without routes of its own, vipd does not listen to others'."""
    with Lab() as lab:
        node = router(lab)
        vipd = Vipd(node, conf.instance(priority=255, advert_int=40))
        vipd.wait_state("Active", 5)
        node.wait_has(conf.VIP, 5)
        groups = [line.split() for line in open(f"/proc/{vipd.proc.pid}/net/netlink", encoding="ascii")]
        mine = [int(words[3], 16) for words in groups[1:] if words[1] == "0"]
        equal([hex(mask) for mask in mine if mask & ROUTING], [], "subscriptions to routes")
        path = f"{lab.dir}/n1-vipd.conf"
        reload(vipd, path, text("10.11.0.0/16 dev lan1", priority=255, advert_int=40))
        wait(node, lambda: has(node, "10.11.0.0/16"), 5, "the route")
        with open(f"/proc/{vipd.proc.pid}/net/netlink", encoding="ascii") as file:
            masks = [int(line.split()[3], 16) & ROUTING for line in list(file)[1:] if line.split()[1] == "0"]
        equal([m for m in masks if m], [1 << 6], "subscriptions to IPv4 routes alone")
        vipd.terminate()
