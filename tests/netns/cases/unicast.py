"""Unicast: adverts to peers, beside keepalived, over a router, and when the source address is missing."""

import socket
import struct
import threading

from cases.control import status
from cases.interop import Bench, Way, vipd_above, vipd_below
from lib import conf, ns, wire
from lib.check import check, each, equal, limits
from lib.ears import close_firewall, open_firewall
from lib.inject import Injector
from lib.lab import Lab, now
from lib.peers import Keepalived
from lib.sniffer import is_advert
from lib.vipd import Vipd

ADDRESS1, ADDRESS2 = conf.NODE1.split("/")[0], conf.NODE2.split("/")[0]
MALLORY = "10.10.201.200/23"
LATE = "10.10.201.107"


def lines(*peers, source=None):
    """What makes an instance unicast."""
    return [*([f"unicast_src_ip {source}"] if source else []), "unicast_peer {", *peers, "}"]


class UnicastWay(Way):
    """Each of the two names itself and the other; node 1 is the one with the priority `own`."""

    own, peer_ttl = None, 255
    vips, ends = (conf.VIP, "10.10.201.110", "10.10.201.111"), (ADDRESS1, ADDRESS2)

    def __str__(self):
        return "unicast-" + super().__str__()

    def conf(self, priority):
        here, there = self.ends if priority == self.own else reversed(self.ends)
        return conf.instance(priority=priority, version=self.version, advert_int=self.interval,
                             password=self.password, vips=self.vips, extra=lines(there, source=here))


class UnicastWay6(UnicastWay):
    """The same over IPv6, from addresses that are not link-local."""

    vips, ends = conf.VIPS6, ("fd00:201::2", "fd00:201::3")
    # keepalived leaves the kernel's hop limit in unicast packets.
    peer_ttl = 64

    def __str__(self):
        return "ipv6-" + super().__str__()

    def node(self, lab, name):
        node = lab.node(name)
        node.link_local()
        node.ip("addr", "add", f"{self.source(node)}/64", "dev", node.iface, "nodad")
        return node

    def source(self, node):
        return self.ends[0 if node.name == "n1" else 1]


V2, V3, IPV6 = UnicastWay(2, 1, "123456"), UnicastWay(3, 0.1), UnicastWay6(3, 0.1)


def keepalived(bench, name):
    """Makes the peer a keepalived."""
    return Keepalived(bench.node2, bench.way.conf(bench.other), name)


def beside_keepalived(way, play, own, other):
    """`play` with unicast adverts on both sides, and nothing sent to the group."""
    with Lab() as lab:
        way.own = own
        bench = Bench(lab, way, own, other, keepalived)
        play(bench)
        to = {(f.port, f.dst, f.ttl) for f in bench.sniffer.adverts()}
        first, second = way.ends
        equal(to, {("n1", second, 255), ("n2", first, way.peer_ttl)}, "who sends where, with which TTL")


@each(V2, V3, IPV6)
@limits(timeout=120)
def case_above_keepalived(way):
    beside_keepalived(way, vipd_above, 200, 100)


@each(V2, V3, IPV6)
@limits(timeout=120)
def case_below_keepalived(way):
    beside_keepalived(way, vipd_below, 100, 200)


@limits(timeout=60)
def case_all_routers_have_one_list():
    with Lab() as lab:
        nodes = [lab.node(f"n{i}", f"10.10.201.{101 + i}/23") for i in (1, 2, 3)]
        sniffer, everybody = lab.sniff(), [n.address for n in nodes]
        vipds = [Vipd(n, conf.instance(priority=p, extra=lines(*everybody))) for n, p in zip(nodes, (150, 100, 50))]
        vipds[0].wait_state("Active", 5)
        mark = sniffer.mark()
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 20, 5, "adverts", mark)
        equal({f.dst for f in sniffer.adverts("n1", mark)}, set(everybody[1:]), "peers that hear the Active")
        equal([f.port for f in sniffer.adverts(since=mark) if f.port != "n1"], [], "adverts of others")
        equal(status(vipds[1])["VI_1"]["unicast_peers"], everybody, "where its adverts go, says status")
        vipds[0].kill9()
        vipds[1].wait_state("Active", 5)
        sniffer.wait_count(lambda f: is_advert(f, "n2") and f.dst == everybody[2], 5, 5, "adverts to n3", sniffer.mark())
        equal(len(vipds[2].transitions()), 1, "transitions of the third")


def routed(lab, extra1=(), extra2=()):
    """Two routers in two networks, and a third machine that forwards between them."""
    n1, n2 = lab.node("n1", "10.1.0.1/24"), lab.node("n2", "10.2.0.1/24")
    way = lab.node("way", "10.1.0.254/24")
    lab.plug(way, "ens161", "way2")
    way.ip("addr", "add", "10.2.0.254/24", "dev", "ens161")
    with ns.entered(way.ns):
        for name in ("ip_forward", "conf/all/arp_ignore"):
            with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as out:
                out.write("1")
    n1.ip("route", "add", "10.2.0.0/24", "via", "10.1.0.254")
    n2.ip("route", "add", "10.1.0.0/24", "via", "10.2.0.254")
    return (Vipd(n1, conf.instance(priority=200, extra=lines(f"10.2.0.1 {extra1}"))),
            Vipd(n2, conf.instance(priority=100, extra=lines(f"10.1.0.1 {extra2}"))))


@limits(timeout=60)
def case_over_a_router():
    with Lab() as lab:
        first, second = routed(lab, "", "min_ttl 254 max_ttl 254")
        first.wait_state("Active", 5)
        second.wait_state("Backup", 5)
        second.log.wait_quiet(1.0, 5)
        counters = second.counters()
        check(counters.received > 3 and not counters.drops, f"the far router does not hear it well: {counters}")
        first.terminate()
        second.wait_state("Active", 5)


@limits(timeout=60)
def case_over_a_router_by_ipv6():
    with Lab() as lab:
        nodes = [lab.node(name) for name in ("n1", "n2")]
        way = lab.node("way")
        lab.plug(way, "ens161", "way2")
        for node in (*nodes, way):
            node.link_local()
        with ns.entered(way.ns):
            with open("/proc/sys/net/ipv6/conf/all/forwarding", "w", encoding="ascii") as out:
                out.write("1")
        for number, node in enumerate(nodes, 1):
            node.ip("addr", "add", f"fd00:{number}::1/64", "dev", node.iface, "nodad")
            way.ip("addr", "add", f"fd00:{number}::fe/64", "dev", f"ens16{number - 1}", "nodad")
            node.ip("route", "add", f"fd00:{3 - number}::/64", "via", f"fd00:{number}::fe")

        def start(number, priority, bounds=""):
            extra = lines(f"fd00:{3 - number}::1 {bounds}", source=f"fd00:{number}::1")
            return Vipd(nodes[number - 1], conf.instance(priority=priority, vips=conf.VIPS6, extra=extra))

        first, second = start(1, 200), start(2, 100, "min_ttl 254 max_ttl 254")
        first.wait_state("Active", 5)
        second.log.wait_quiet(1.0, 10)
        counters = second.counters()
        check(counters.received > 3 and not counters.drops, f"the far router does not hear it well: {counters}")
        mark = second.log.mark()
        first.terminate()
        second.wait_state("Active", 5, mark)


@limits(timeout=60)
def case_a_ttl_out_of_bounds_is_dropped():
    with Lab() as lab:
        first, second = routed(lab, "", "min_ttl 255")
        first.wait_state("Active", 5)
        second.wait_state("Active", 5)
        second.wait_drops("ttl", 3)


class Refusals:
    """Counts the ICMP errors for a protocol that nobody listens to, as they reach a node."""

    # Destination unreachable, protocol (RFC 792); parameter problem, next header (RFC 4443 §3.4).
    ERRORS = {socket.AF_INET: (20, (3, 2)), socket.AF_INET6: (0, (4, 1))}

    def __init__(self, node, family):
        protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
        with ns.entered(node.ns):
            self._sock = socket.socket(family, socket.SOCK_RAW, protocol)
        self.header, self.error = self.ERRORS[family]
        self.count = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            message = self._sock.recv(2048)[self.header:]
            self.count += struct.unpack("BB", message[:2]) == self.error


class OverIpv4:
    """What the case of refusals needs to know of a family."""

    family, vips, late, length = socket.AF_INET, (conf.VIP,), LATE, 23
    router, stranger = ADDRESS1, MALLORY.split("/")[0]

    def __str__(self):
        return "ipv4"

    def frame(self, source, destination):
        """An advert of VRID 77 to the router."""
        body = wire.vrrp3(77, 250, self.vips, self.stranger, self.router, interval_cs=10)
        return wire.ethernet(wire.ipv4(body, self.stranger, self.router), source, dst=destination)


class OverIpv6(OverIpv4):
    """The same over IPv6."""

    family, vips, late, length = socket.AF_INET6, conf.VIPS6, "fd00:201::107", 64
    router, stranger = "fd00:201::2", "fd00:201::200"

    def __str__(self):
        return "ipv6"

    def frame(self, source, destination):
        body = wire.vrrp3(77, 250, self.vips, self.stranger, self.router, interval_cs=10)
        return wire.ethernet(wire.ipv6(body, self.stranger, self.router), source, dst=destination,
                             ethertype=wire.ETH_IPV6)


@each(OverIpv4(), OverIpv6())
@limits(timeout=60)
def case_no_icmp_error_in_any_state(over):
    with Lab() as lab:
        node, mallory = lab.node("n1"), lab.node("mallory")
        for machine, address in ((node, over.router), (mallory, over.stranger)):
            machine.link_local()
            nodad = ["nodad"] if over.family == socket.AF_INET6 else []
            machine.ip("addr", "add", f"{address}/{over.length}", "dev", machine.iface, *nodad)
        refusals, frame = Refusals(mallory, over.family), over.frame(mallory.mac(), node.mac())
        # Known to each other, so that an answer needs no question first.
        node.ip("neigh", "replace", over.stranger, "lladdr", mallory.mac(), "dev", node.iface)
        inject = Injector(mallory)
        inject.trickle(frame, 0.2, 1.0)
        check(refusals.count > 0, "without vipd the kernel draws no ICMP: the case shows nothing")
        vipd = Vipd(node, conf.instance(vips=over.vips, extra=lines(over.stranger, source=over.late)))
        vipd.log.wait("VI_1: .*no interface has the unicast_src_ip", 5)
        for state in ("Initialize", "Backup", "Active"):
            if state == "Backup":
                node.ip("addr", "add", f"{over.late}/{over.length}", "dev", node.iface, *nodad)
            if state != "Initialize":
                vipd.wait_state(state, 5)
            before = refusals.count
            inject.trickle(frame, 0.1, 0.25 if state == "Backup" else 1.0)
            equal(refusals.count - before, 0, f"ICMP errors in {state}")
        vipd.wait_drops("destination", 1)


@each("ens160", "lo")
@limits(timeout=60)
def case_1847_source_address_that_comes_later(iface):
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node, conf.instance(extra=lines(ADDRESS2, source=LATE)))
        vipd.log.wait(f"Initialize: .*no interface has the unicast_src_ip {LATE}", 5)
        for _ in range(2):
            mark = vipd.log.mark()
            node.ip("addr", "add", f"{LATE}/32", "dev", iface)
            vipd.wait_state("Active", 5, mark)
            node.wait_has(conf.VIP, 5)
            frames = sniffer.mark()
            sniffer.wait_count(lambda f: is_advert(f, "n1") or f.port == "n1", 1, 5, "a frame of n1", frames)
            mark = vipd.log.mark()
            node.ip("addr", "del", f"{LATE}/32", "dev", iface)
            vipd.log.wait("Active -> Initialize: .*no interface has the unicast_src_ip", 5, mark)
            node.wait_lacks(conf.VIP, 5)


@limits(timeout=60)
def case_fault_without_a_peer_until_a_reload_brings_one():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        vipd = Vipd(node, conf.instance(extra=["unicast_fault_no_peer"]))
        vipd.log.wait("VI_1: .*Initialize: .*there is no unicast_peer", 5)
        node.lab.file("n1-vipd.conf", conf.instance(extra=["unicast_fault_no_peer", *lines(ADDRESS2)]))
        mark = vipd.log.mark()
        vipd.proc.signal(1)
        vipd.wait_state("Active", 5, mark)
        node.lab.file("n1-vipd.conf", conf.instance(extra=["unicast_fault_no_peer"]))
        mark = vipd.log.mark()
        vipd.proc.signal(1)
        vipd.log.wait("Active -> Initialize: .*there is no unicast_peer", 5, mark)
        node.wait_lacks(conf.VIP, 5)


@limits(timeout=60)
def case_a_way_that_is_blocked_is_told_once_and_heals():
    with Lab() as lab:
        node1, node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        sniffer = lab.sniff()
        close_firewall(node1, "ip protocol 112", hook="output")
        vipd = Vipd(node1, conf.instance(extra=lines(node2.address)))
        vipd.log.wait(rf"VI_1: adverts to {node2.address} cannot be sent: .*EPERM", 5)
        vipd.wait_state("Active", 5)
        vipd.log.wait_quiet(1.0, 5)
        equal(len(vipd.log.matches("cannot be sent")), 1, "lines about it")
        mark = vipd.log.mark()
        open_firewall(node1)
        vipd.log.wait("VI_1: adverts to all peers go out again", 5, mark)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 5, 5, "adverts of n1")


@limits(timeout=60)
def case_a_reload_changes_peers_and_back_to_multicast():
    with Lab() as lab:
        node1, node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        sniffer = lab.sniff()
        vipd = Vipd(node1, conf.instance())
        vipd.wait_state("Active", 5)
        for extra, destination in ((lines(node2.address), node2.address), ([], wire.GROUP4)):
            mark, began = sniffer.mark(), now()
            lab.file("n1-vipd.conf", conf.instance(extra=extra))
            vipd.proc.signal(1)
            first = sniffer.wait(lambda f, to=destination: is_advert(f, "n1") and f.dst == to, 5, "the new way", mark)
            sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 5, "adverts", mark)
            after = {f.dst for f in sniffer.adverts("n1", mark) if f.at > first.at}
            equal(after, {destination}, f"destinations {now() - began:.1f} s after the reload")
        equal(len(vipd.transitions()), 2, "transitions")
