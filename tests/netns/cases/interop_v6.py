"""vipd and its peers over IPv6, in both roles, several addresses each."""

from cases.control import status
from cases.interop import Bench, Way, frr, keepalived, vipd_above, vipd_below
from lib import conf, wire
from lib.check import check, each, equal, limits
from lib.lab import Lab
from lib.pair import not_early
from lib.ping import Pinger
from lib.sniffer import is_advert, is_na
from lib.vipd import Vipd


class Way6(Way):
    """Version 3 over IPv6."""

    vips = conf.VIPS6

    def __str__(self):
        return f"{self.interval}s"

    def node(self, lab, name):
        """It has its own link-local address and no other."""
        node = lab.node(name)
        node.link_local()
        return node

    def source(self, node):
        return node.link_local()


class WayFrr(Way6):
    """FRR sends from its macvlan, on which the virtual addresses stand: from the link-local one."""

    def source(self, node):
        return conf.VIPS6[0]


SLOW, FAST, FASTEST = Way6(3, 1), Way6(3, 0.1), Way6(3, 0.01)


def adverts_are_right(bench, port):
    """What vipd sent is what RFC 9568 §5.1.2 says."""
    adverts = bench.sniffer.adverts(port)
    check(adverts, "no advert of vipd")
    own = bench.node1.link_local()
    for advert in adverts:
        equal((advert.eth_dst, advert.src, advert.dst, advert.ttl, advert.checksum_form, advert.version),
              (wire.GROUP6_MAC, own, wire.GROUP6, 255, "pseudo", 3), "an advert of vipd")
        equal(advert.addresses, list(conf.VIPS6), "its addresses, the link-local one first")


@each(SLOW, FAST)
@limits(timeout=120)
def case_above_keepalived(way):
    with Lab() as lab:
        bench = Bench(lab, way, 200, 100, keepalived)
        vipd_above(bench)
        adverts_are_right(bench, "n1")


@each(SLOW, FAST)
@limits(timeout=120)
def case_below_keepalived(way):
    with Lab() as lab:
        bench = Bench(lab, way, 100, 200, keepalived)
        vipd_below(bench)
        adverts_are_right(bench, "n1")


@limits(timeout=60, alone=True)
def case_above_keepalived_at_10_ms():
    with Lab() as lab:
        vipd_above(Bench(lab, FASTEST, 200, 100, keepalived))


@each(WayFrr(3, 1), WayFrr(3, 0.1))
@limits(timeout=120)
def case_above_frr(way):
    with Lab() as lab:
        bench = Bench(lab, way, 200, 100, frr)
        vipd_above(bench)
        check(bench.peers[0].received() > 0, "FRR counted no advert as received")


@each(WayFrr(3, 1), WayFrr(3, 0.1))
@limits(timeout=120)
def case_below_frr(way):
    with Lab() as lab:
        vipd_below(Bench(lab, way, 100, 200, frr))


@limits(timeout=60)
def case_tie_goes_to_the_higher_link_local_address():
    with Lab() as lab:
        node1, node2 = FAST.node(lab, "n1"), FAST.node(lab, "n2")
        own, other = node1.link_local(), node2.link_local()
        if wire.ip_bytes(own) > wire.ip_bytes(other):
            node1, node2, own, other = node2, node1, other, own
        sniffer = lab.sniff()
        first = Vipd(node1, FAST.conf(100))
        first.wait_state("Active", 5)
        second = Vipd(node2, FAST.conf(100))
        sniffer.wait_count(lambda f: is_advert(f, node1.name), 20, 10, "adverts of the first", sniffer.mark())
        equal(sniffer.adverts(node2.name), [], "adverts of the equal Backup")
        node1.path(False)
        second.wait_state("Active", 5)
        mark = first.log.mark()
        node1.path(True)
        line = first.wait_state("Backup", 5, mark)
        check(other in line and "higher address" in line, f"the reason does not name the higher address: {line!r}")
        node1.wait_lacks(conf.VIPS6[0], 5)


@limits(timeout=60)
def case_one_vrid_in_both_families():
    """RFC 9568 §1.3: the two are independent. The IPv4 Active is n1, the IPv6 Active n2."""
    with Lab() as lab:
        nodes = [lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)]
        sniffer, vipds = lab.sniff(), []
        for node, four, six in zip(nodes, (200, 100), (100, 200)):
            node.link_local()
            vipds.append(Vipd(node, conf.instance("V4", priority=four)
                              + conf.instance("V6", priority=six, vips=conf.VIPS6)))
        vipds[0].wait_state("Active", 5, name="V4")
        vipds[1].wait_state("Active", 5, name="V6")
        mark = sniffer.mark()
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 5, "adverts of n1", mark)
        sniffer.wait_count(lambda f: is_advert(f, "n2"), 10, 5, "adverts of n2", mark)
        equal({f.dst for f in sniffer.adverts("n1", mark)}, {wire.GROUP4}, "families of n1's adverts")
        equal({f.dst for f in sniffer.adverts("n2", mark)}, {wire.GROUP6}, "families of n2's adverts")
        for vipd in vipds:
            for name in ("V4", "V6"):
                equal(vipd.counters(name).drops, {}, f"drops of {name}")
            equal(vipd.warnings(), [], "warnings")
        log = vipds[1].log.mark()
        vipds[0].kill9()
        vipds[1].wait_state("Active", 5, log, name="V4")
        equal(len(vipds[1].transitions(log)), 1, "transitions when the IPv4 Active died")


@limits(timeout=60)
def case_client_follows_the_neighbour_advertisement():
    """The client pings without end; NA moves its neighbour entry at a crash and at a leave."""
    with Lab() as lab:
        node1, node2, client = FAST.node(lab, "n1"), FAST.node(lab, "n2"), FAST.node(lab, "client")
        global_vip = conf.VIPS6[1]
        client.ip("addr", "add", "fd00:201::9/64", "dev", client.iface, "nodad")
        for number, node in enumerate((node1, node2), 2):
            node.ip("addr", "add", f"fd00:201::{number}/64", "dev", node.iface, "nodad")
        sniffer = lab.sniff()
        first = Vipd(node1, FAST.conf(200))
        first.wait_state("Active", 5)
        second = Vipd(node2, FAST.conf(100))
        second.wait_state("Backup", 5)
        pingers = [Pinger(client, vip) for vip in conf.VIPS6[:2]]
        for pinger in pingers:
            pinger.wait_answer(5)
        client.wait_neighbour(global_vip, node1.mac(), 5)
        mark = sniffer.mark()
        first.kill9()
        second.wait_state("Active", 5)
        for vip in conf.VIPS6[:2]:
            client.wait_neighbour(vip, node2.mac(), 2)
            na = sniffer.wait(lambda f, v=vip: is_na(f, v, "n2"), 2, f"the announcement of {vip}", mark)
            equal((na.src, na.mac, na.eth_src, na.eth_dst, na.flags, na.hop_limit, na.checksum_fits),
                  (vip, node2.mac(), node2.mac(), wire.ALL_NODES_MAC, 0xA0, 255, True), "the form of an NA")
        advert = sniffer.wait(lambda f: is_advert(f, "n2"), 2, "its first advert", mark)
        check(advert.at <= na.at, "the announcement came before the advert")
        not_early(sniffer, "n1", "n2", mark, 3, 100, FAST.interval)
        for pinger in pingers:
            pinger.wait_answer(2)
            pinger.stop()


@limits(timeout=60)
def case_status():
    """`vipd status --json` shows the family, the source and the addresses."""
    with Lab() as lab:
        node = FAST.node(lab, "n1")
        vipd = Vipd(node, FAST.conf(150))
        vipd.wait_state("Active", 5)
        instance = status(vipd)["VI_1"]
        equal((instance["family"], instance["version"], instance["source"], instance["checksum"]),
              ("ipv6", 3, node.link_local(), None), "the status")
        equal([(v["address"], v["prefix_len"], v["present"]) for v in instance["vips"]],
              [(vip, 128, True) for vip in conf.VIPS6], "the addresses")
