"""IPv6 and the kernel: link-local addresses, detection, snooping, addresses that go and come."""

import signal
import socket
import subprocess
import time

from cases.control import status
from lib import conf, ns, wire
from lib.check import check, each, equal, limits
from lib.inject import Injector
from lib.lab import BRIDGE, Lab
from lib.life import journal, reload
from lib.ns import ip
from lib.ping import Pinger
from lib.sniffer import is_advert, is_na
from lib.vipd import Vipd
from lib.watch import Watch

LINK_LOCAL, GLOBAL = conf.VIPS6[0], conf.VIPS6[1]
NO_LINK_LOCAL = "VI_1: .*Initialize: ens160: the interface has no link-local IPv6 address"


def text(**options):
    """One instance, its announcements quickly done with."""
    return conf.instance(**{"vips": conf.VIPS6, "extra": ["garp_master_delay 0"], **options})


def node_without_address(lab, name="n1"):
    """A node whose interface makes no link-local address by itself."""
    node = lab.node(name)
    node.ip("link", "set", node.iface, "addrgenmode", "none")
    node.ip("-6", "addr", "flush", "dev", node.iface)
    return node


def active(lab, **options):
    """One Active on n1, with all its addresses."""
    node = lab.node("n1")
    node.link_local()
    vipd = Vipd(node, text(**options))
    vipd.wait_state("Active", 10)
    for vip in conf.VIPS6:
        node.wait_has(vip, 5)
    return node, vipd


def solicited_node(address):
    """The solicited-node group of an address (RFC 4291 §2.7.1)."""
    return wire.ip_bytes("ff02::1:ff00:0")[:13] + wire.ip_bytes(address)[13:]


def is_detection(frame, address):
    """A Neighbour Solicitation of duplicate address detection for `address` (RFC 4862 §5.4.2)."""
    return (isinstance(frame, wire.Other) and frame.raw[12:14] == b"\x86\xdd" and len(frame.raw) >= 78
            and frame.raw[20] == 58 and frame.raw[54] == 135 and frame.raw[22:38] == bytes(16)
            and frame.raw[62:78] == wire.ip_bytes(address))


@limits(timeout=60)
def case_usable_at_once():
    """No detection for a virtual address: a connection to it is accepted as soon as it is there."""
    with Lab() as lab:
        node, client, sniffer = lab.node("n1"), lab.node("client"), lab.sniff()
        node.link_local()
        client.link_local()
        client.ip("addr", "add", "fd00:201::9/64", "dev", client.iface, "nodad")
        node.ip("addr", "add", "fd00:201::2/64", "dev", node.iface, "nodad")
        with ns.entered(node.ns):
            server = socket.create_server(("::", 7), family=socket.AF_INET6)
        vipd = Vipd(node, text())
        vipd.wait_state("Active", 10)
        for vip in conf.VIPS6:
            entry = node.wait_has(vip, 5)
            equal((entry["prefixlen"], entry.get("nodad"), entry.get("tentative"), entry.get("deprecated")),
                  (128, True, None, True), f"the entry of {vip}")
        with ns.entered(client.ns):
            connection = socket.create_connection((GLOBAL, 7), timeout=0.9)
        connection.close()
        server.close()
        equal([f for f in sniffer.frames if any(is_detection(f, vip) for vip in conf.VIPS6)], [], "detections")
        equal(vipd.warnings(), [], "warnings")


@each("absent", "disabled", "duplicate")
@limits(timeout=60)
def case_without_a_link_local_address_it_waits_and_heals(why):
    with Lab() as lab:
        node = node_without_address(lab)
        if why == "disabled":
            node.popen("sysctl", ["sysctl", "-qw", f"net.ipv6.conf.{node.iface}.disable_ipv6=1"]).wait()
        if why == "duplicate":
            other = node_without_address(lab, "other")
            other.ip("addr", "add", "fe80::2/64", "dev", other.iface, "nodad")
            node.ip("addr", "add", "fe80::2/64", "dev", node.iface)
            node.wait(lambda: [a for a in node.addresses6(node.iface) if a.get("dadfailed")], 10, "a duplicate")
        vipd = Vipd(node, text())
        vipd.log.wait(NO_LINK_LOCAL, 5)
        instance = status(vipd)["VI_1"]
        equal((instance["state"], instance["reason"], instance["source"]),
              ("Initialize", "no-link-local", None), "the status")
        mark = vipd.log.mark()
        if why == "disabled":
            node.popen("sysctl", ["sysctl", "-qw", f"net.ipv6.conf.{node.iface}.disable_ipv6=0"]).wait()
        node.ip("addr", "add", "fe80::3/64", "dev", node.iface)
        vipd.wait_state("Active", 15, mark)
        equal(status(vipd)["VI_1"]["source"], "fe80::3", "the source")
        equal(vipd.warnings(), [], "warnings")
        mark = vipd.log.mark()
        node.ip("addr", "del", "fe80::3/64", "dev", node.iface)
        vipd.log.wait(NO_LINK_LOCAL, 5, mark)
        for vip in conf.VIPS6:
            node.wait_lacks(vip, 5)
        node.ip("addr", "add", "fe80::4/64", "dev", node.iface)
        vipd.wait_state("Active", 15, mark)
        equal(status(vipd)["VI_1"]["source"], "fe80::4", "the source")


@limits(timeout=60)
def case_2573_the_same_link_local_address_on_several_interfaces():
    """keepalived 2573: fe80::1 is the virtual address of each interface, under one VRID."""
    with Lab() as lab:
        nodes = [lab.node("n1"), lab.node("n2")]
        # The second segment is a cable between the two.
        nodes[0].ip("link", "add", "lan2", "type", "veth", "peer", "name", "lan2", "netns", nodes[1].ns)
        vipds = []
        for node, priority in zip(nodes, (200, 100)):
            node.ip("link", "set", "lan2", "up")
        for node, priority in zip(nodes, (200, 100)):
            for iface in (node.iface, "lan2"):
                node.link_local(iface)
            vipds.append(Vipd(node, "".join(
                conf.instance(name, iface, 50, priority, vips=["fe80::1/64"])
                for name, iface in (("A", node.iface), ("B", "lan2")))))
        for name, iface in (("A", "ens160"), ("B", "lan2")):
            vipds[0].wait_state("Active", 10, name=name)
            nodes[0].wait_has("fe80::1", 5, iface)
            vipds[1].wait_state("Backup", 10, name=name)
        equal([v for vipd in vipds for v in vipd.warnings()], [], "warnings")
        # One segment breaks: the other one does not notice.
        nodes[0].path(False)
        vipds[1].wait_state("Active", 10, name="A")
        nodes[1].wait_has("fe80::1", 5, "ens160")
        check(not nodes[1].has("fe80::1", "lan2"), "the other interface has it too")
        nodes[0].path(True)
        vipds[1].log.wait("A: Active -> Backup", 10)
        nodes[1].wait_lacks("fe80::1", 5, "ens160")
        equal(len([t for t in vipds[1].transitions() if "B:" in t]), 1, "transitions of the other instance")


@each("the-only-one", "mcast_src_ip")
@limits(timeout=60)
def case_1932_adverts_come_from_the_users_link_local_address(how):
    with Lab() as lab:
        if how == "mcast_src_ip":
            node, extra = lab.node("n1"), ["mcast_src_ip fe80::2:2"]
            node.link_local()
        else:
            node, extra = node_without_address(lab), []
        sniffer = lab.sniff()
        vipd = Vipd(node, text(extra=extra))
        vipd.log.wait(NO_LINK_LOCAL, 5)
        node.ip("addr", "add", "fe80::2:2/64", "dev", node.iface)
        vipd.wait_state("Active", 10)
        adverts = sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 5, "adverts")
        equal({a.src for a in adverts}, {"fe80::2:2"}, "sources")


@limits(timeout=60)
def case_snooping_switch_delivers():
    """With snooping and a querier a port gets only the groups that its node has joined."""
    with Lab() as lab:
        node1, node2, client = lab.node("n1"), lab.node("n2"), lab.node("client")
        for node in (node1, node2, client):
            node.link_local()
        client.ip("addr", "add", "fd00:201::9/64", "dev", client.iface, "nodad")
        node2.ip("addr", "add", "fd00:201::2/64", "dev", node2.iface, "nodad")
        ip("link", "set", BRIDGE, "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1", ns=lab.switch)
        first, second = Vipd(node1, text(priority=200)), Vipd(node2, text(priority=100))
        first.wait_state("Active", 10)

        def in_table(group, port):
            return any(f"port {port} " in line and f"grp {group} " in line for line in multicast_table(lab.switch))

        for port in ("n1", "n2"):
            ns.wait_kernel(lab.switch, lambda p=port: in_table(wire.GROUP6, p), 20, f"{port} in the group of adverts")
        counters = second.counters()
        first.terminate()
        second.wait_state("Active", 10)
        group = socket.inet_ntop(socket.AF_INET6, solicited_node(GLOBAL))
        ns.wait_kernel(lab.switch, lambda: in_table(group, "n2"), 20, f"n2 in the group {group}")
        check(counters.received > 0, "the Backup heard nothing through the snooping switch")
        client.ip("-6", "neigh", "flush", "dev", client.iface)
        pinger = Pinger(client, GLOBAL)
        pinger.wait_answer(5)
        pinger.stop()
        client.wait_neighbour(GLOBAL, node2.mac(), 5)


def multicast_table(switch):
    """The multicast table of the switch, a line an entry."""
    done = subprocess.run(["bridge", "-n", switch, "mdb", "show"], capture_output=True, text=True, timeout=20)
    return done.stdout.splitlines()


@each("set-down", "cable")
@limits(timeout=60)
def case_link_goes_and_comes(how):
    """The kernel flushes IPv6 addresses of an interface that is set down; nobody else took them."""
    with Lab() as lab:
        node, vipd = active(lab)
        change = node.link if how == "set-down" else node.cable
        for _ in range(3):
            mark = vipd.log.mark()
            change("down")
            vipd.wait_state("Initialize", 10, mark)
            for vip in conf.VIPS6:
                node.wait_lacks(vip, 5)
            change("up")
            vipd.wait_state("Active", 15, mark)
            for vip in conf.VIPS6:
                node.wait_has(vip, 5)
        equal(vipd.warnings(), [], "warnings")
        equal([v["foreign"] for v in status(vipd)["VI_1"]["vips"]], [False] * 3, "somebody else's")


@limits(timeout=60)
def case_address_on_another_interface_comes_back_when_it_is_up_again():
    with Lab() as lab:
        node = lab.node("n1")
        node.link_local()
        node.ip("link", "add", "lan2", "type", "veth", "peer", "name", "lan3")
        for iface in ("lan2", "lan3"):
            node.ip("link", "set", iface, "up")
        vipd = Vipd(node, text(vips=[LINK_LOCAL, f"{GLOBAL}/64 dev lan2"]))
        vipd.wait_state("Active", 10)
        node.wait_has(GLOBAL, 5, "lan2")
        for _ in range(3):
            node.ip("link", "set", "lan2", "down")
            node.ip("link", "set", "lan2", "up")
            entry = node.wait_has(GLOBAL, 10, "lan2")
            equal(entry.get("tentative"), None, "detection")
        equal(len(vipd.transitions()), 2, "transitions")
        equal([v["foreign"] for v in status(vipd)["VI_1"]["vips"]], [False] * 2, "somebody else's")


@each("del", "flush")
@limits(timeout=60)
def case_address_taken_by_hand_comes_back(how):
    with Lab() as lab:
        node, vipd = active(lab)
        sniffer, mark = lab.sniff(), vipd.log.mark()
        if how == "del":
            node.ip("addr", "del", f"{GLOBAL}/128", "dev", node.iface)
        else:
            node.ip("-6", "addr", "flush", "dev", node.iface, "to", GLOBAL)
        vipd.log.wait(f"{GLOBAL} was removed from ens160 by somebody else", 5, mark)
        node.wait_has(GLOBAL, 5)
        sniffer.wait(lambda f: is_na(f, GLOBAL, "n1"), 5, "an announcement of it")
        vipd.log.wait_quiet(0.3, 3)
        # `ip addr flush` looks again, finds ours and removes it again, as long as it takes.
        most = 1 if how == "del" else 10
        told = len(vipd.log.matches("was removed from ens160 by somebody else", mark))
        equal(len(vipd.log.lines) - mark, told, f"lines of log ({vipd.log.lines[mark:]})")
        check(told <= most, f"it was told {told} times")


@limits(timeout=60)
def case_somebody_elses_address_is_left_alone():
    with Lab() as lab:
        node = lab.node("n1")
        node.link_local()
        node.ip("addr", "add", f"{GLOBAL}/64", "dev", node.iface, "nodad")
        vipd = Vipd(node, text())
        vipd.log.wait(f"VI_1: {GLOBAL} is already an address of ens160", 5)
        vipd.wait_state("Active", 10)
        node.wait_has(LINK_LOCAL, 5)
        equal({v["address"]: v["foreign"] for v in status(vipd)["VI_1"]["vips"]},
              {LINK_LOCAL: False, GLOBAL: True, conf.VIPS6[2]: False}, "somebody else's")
        vipd.terminate()
        check(node.has(GLOBAL), "somebody else's address was removed")
        for vip in (LINK_LOCAL, conf.VIPS6[2]):
            check(not node.has(vip), f"{vip} was left behind")


@limits(timeout=90)
def case_a_hundred_takeovers_and_no_false_news():
    """The kernel does not say whose doing an IPv6 address change was: ours must never look foreign."""
    with Lab() as lab:
        node, mallory = lab.node("n1"), lab.node("mallory")
        source = mallory.link_local()
        node.link_local()
        # `auto` would skip a frame that comes while it closes its tap.
        vipd, watch = Vipd(node, text(advert_int=0.01, extra=["receive packet"])), Watch(node, six=True)
        vipd.wait_state("Active", 10)
        inject = Injector(mallory)
        body = wire.vrrp3(50, 250, list(conf.VIPS6), source, wire.GROUP6, interval_cs=1)
        frame = wire.ethernet(wire.ipv6(body, source), mallory.mac(), wire.GROUP6_MAC, wire.ETH_IPV6)
        for _ in range(100):
            log, mark = vipd.log.mark(), watch.mark()
            inject.send(frame)
            vipd.wait_state("Backup", 5, log)
            vipd.wait_state("Active", 5, log)
            for vip in conf.VIPS6:
                watch.wait("gone", vip, 5, mark)
                watch.wait("new", vip, 5, mark)
        # Changes that follow one another faster than the news are read.
        vipd.proc.signal(signal.SIGSTOP)
        for _ in range(3):
            inject.send(frame)
            time.sleep(0.05)
        vipd.proc.signal(signal.SIGCONT)
        vipd.log.wait_quiet(0.3, 5)
        for vip in conf.VIPS6:
            node.wait_has(vip, 5)
        equal([w for w in vipd.warnings() if "stood still" not in w], [], "warnings")
        equal([v["foreign"] for v in status(vipd)["VI_1"]["vips"]], [False] * 3, "somebody else's")
        vipd.terminate()
        equal([vip for vip in conf.VIPS6 if node.has(vip)], [], "addresses left behind")


@each("same-config", "without-the-instance")
@limits(timeout=60)
def case_killed_and_started_again(what):
    with Lab() as lab:
        node, vipd = active(lab)
        check(f"address ens160 {GLOBAL}/128" in journal(node), "the journal does not name the address")
        vipd.kill9()
        check(all(node.has(vip) for vip in conf.VIPS6), "the kernel took them")
        if what == "same-config":
            again = Vipd(node, text(state="BACKUP"), name="again")
        else:
            again = Vipd(node, text(vips=["fe80::99"]), name="again")
        again.log.wait(rf"{GLOBAL}/128 on ens160 was left by an earlier vipd", 5)
        again.wait_state("Active", 10)
        if what == "same-config":
            node.wait_has(GLOBAL, 5)
        else:
            node.wait_has("fe80::99", 5)
            equal([vip for vip in conf.VIPS6 if node.has(vip)], [], "addresses of the old configuration")
        again.terminate()
        equal([vip for vip in (*conf.VIPS6, "fe80::99") if node.has(vip)], [], "addresses left behind")


@limits(timeout=60)
def case_reload_applies_the_difference():
    with Lab() as lab:
        node, sniffer = lab.node("n1"), lab.sniff()
        node.link_local()
        path = lab.file("n1-vipd.conf", text())
        vipd, watch = Vipd(node, text()), Watch(node, six=True)
        vipd.wait_state("Active", 10)
        for vip in conf.VIPS6:
            node.wait_has(vip, 5)
        mark, log = watch.mark(), vipd.log.mark()
        line = reload(vipd, path, text(vips=[LINK_LOCAL, f"{GLOBAL}/64", "fd00:201::103"]))
        check("changed VI_1" in line, f"the reload: {line!r}")
        equal(node.wait_has("fd00:201::103", 5)["prefixlen"], 128, "prefix")
        node.wait(lambda: [a for a in node.addresses6(node.iface)
                           if (a["local"], a["prefixlen"]) == (GLOBAL, 64)], 5, "the new prefix")
        node.wait_lacks(conf.VIPS6[2], 5)
        equal(watch.of(LINK_LOCAL, mark), [], "news of the address that stays")
        equal(vipd.transitions(log), [], "transitions")
        equal(node.wait_has(GLOBAL, 5).get("deprecated"), None, "a /64 that is deprecated")
        # An IPv4 instance with the same VRID comes and goes beside it.
        node.ip("addr", "add", conf.NODE1, "dev", node.iface)
        both = text(vips=[LINK_LOCAL, f"{GLOBAL}/64", "fd00:201::103"])
        line = reload(vipd, path, both + conf.instance("V4"))
        check("added V4" in line and "1 unchanged" in line, f"the reload: {line!r}")
        vipd.wait_state("Active", 10, log, name="V4")
        line = reload(vipd, path, both)
        check("removed V4" in line and "1 unchanged" in line, f"the reload: {line!r}")
        node.wait_lacks(conf.VIP, 5)
        equal([t for t in vipd.transitions(log) if "VI_1" in t], [], "transitions of the IPv6 instance")
        equal({a.priority for a in sniffer.adverts("n1") if a.dst == wire.GROUP6}, {100}, "priorities")
        equal(vipd.warnings(log), [], "warnings")


@limits(timeout=60)
def case_lease():
    """The kernel removes the addresses of a daemon that is stopped, and they come back with it."""
    with Lab() as lab:
        node = lab.node("n1")
        node.link_local()
        vipd, watch = Vipd(node, text(extra=["address_lease 2"])), Watch(node, six=True)
        vipd.wait_state("Active", 10)
        for vip in conf.VIPS6:
            watch.wait_count(lambda n, v=vip: n.address == v and n.kind == "new" and n.valid == 2, 4, 10, "refreshes")
        equal({n.kind for n in watch.of(GLOBAL)}, {"new"}, "news while it runs")
        mark = watch.mark()
        vipd.proc.signal(signal.SIGSTOP)
        for vip in conf.VIPS6:
            watch.wait("gone", vip, 6, mark)
        mark = watch.mark()
        vipd.proc.signal(signal.SIGCONT)
        for vip in conf.VIPS6:
            watch.wait("new", vip, 6, mark)
            entry = node.wait_has(vip, 5)
            equal((entry.get("nodad"), entry.get("deprecated")), (True, True), "the entry")


@each("auto", "packet", "raw")
@limits(timeout=60)
def case_each_way_to_receive(how):
    """The Backup hears, the Active of `auto` closes its tap, and takes over all the same."""
    with Lab() as lab:
        node1, node2 = lab.node("n1"), lab.node("n2")
        for node in (node1, node2):
            node.link_local()
        extra = [f"receive {how}", "garp_master_delay 0"]
        first = Vipd(node1, text(priority=150, extra=extra))
        first.wait_state("Active", 10)
        second = Vipd(node2, text(priority=100, extra=extra))
        second.wait_state("Backup", 10)
        sniffer = lab.sniff()
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 20, 5, "adverts")
        equal(sniffer.adverts("n2"), [], "adverts of the Backup")
        counters = second.counters()
        check(counters.received >= 15 and not counters.drops, f"the Backup's counters: {counters}")
        sockets = status(second)["VI_1"]["receive"]["sockets"]
        equal(sockets, {"auto": "packet and raw", "packet": "packet", "raw": "raw"}[how], "sockets")
        mark = second.log.mark()
        first.kill9()
        second.wait_state("Active", 5, mark)
        if how == "auto":
            # It has proof that the raw socket hears what the tap hears.
            sniffer.wait_count(lambda f: is_advert(f, "n2"), 5, 5, "adverts of n2")
            equal(status(second)["VI_1"]["receive"]["sockets"], "raw", "sockets of the Active")
        again = Vipd(node1, text(priority=150, extra=extra), name="again")
        again.wait_state("Active", 10)
        second.wait_state("Backup", 5, mark)
