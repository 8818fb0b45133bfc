"""vipd and its peers keepalived and FRR, in both roles."""

from lib import conf
from lib.check import check, each, equal, limits
from lib.lab import Lab
from lib.pair import down_s, not_early
from lib.peers import Frr, Keepalived
from lib.sniffer import is_advert
from lib.vipd import Vipd


class Way:
    """A version, an interval in seconds and a password."""

    vips = (conf.VIP,)

    def __init__(self, version, interval, password=None):
        self.version, self.interval, self.password = version, interval, password

    def __str__(self):
        return f"v{self.version}-{self.interval}s{'-pass' if self.password else ''}"

    def conf(self, priority):
        """The configuration of either daemon."""
        return conf.instance(priority=priority, version=self.version, advert_int=self.interval,
                             password=self.password, vips=self.vips)

    def node(self, lab, name):
        """The machine of one of the two routers."""
        return lab.node(name, conf.NODE1 if name == "n1" else conf.NODE2)

    def source(self, node):
        """Where the adverts of a node come from."""
        return node.address

    def bound(self):
        """A generous bound in seconds on a takeover."""
        return 10 + 4 * self.interval


V2, V2_PASS = Way(2, 1), Way(2, 1, "123456")
SLOW, FAST, FASTEST = Way(3, 1), Way(3, 0.1), Way(3, 0.01)


class Bench:
    """vipd on n1, a peer on n2, and what both said so far."""

    def __init__(self, lab, way, own, other, make_peer):
        self.node1, self.node2 = way.node(lab, "n1"), way.node(lab, "n2")
        self.sniffer, self.way, self.own, self.other = lab.sniff(), way, own, other
        self.make_peer = make_peer
        self.peer_source = way.source(self.node2)
        self.vipds, self.peers = [], []

    def start_vipd(self):
        """Starts vipd (again)."""
        self.vipds.append(Vipd(self.node1, self.way.conf(self.own), name=f"vipd{len(self.vipds)}"))
        return self.vipds[-1]

    def start_peer(self):
        """Starts the peer (again)."""
        self.peers.append(self.make_peer(self, f"peer{len(self.peers)}"))
        return self.peers[-1]

    def wait_addresses(self):
        """Waits until vipd's node holds all virtual addresses."""
        for vip in self.way.vips:
            self.node1.wait_has(vip, 5)

    def wait_no_addresses(self):
        """Waits until vipd's node holds none of them."""
        for vip in self.way.vips:
            self.node1.wait_lacks(vip, 5)

    def wait_adverts(self, port, count=5):
        """Waits for adverts from a port, from now on."""
        self.sniffer.wait_count(lambda f: is_advert(f, port, 50), count, self.way.bound() + count * self.way.interval,
                                f"{count} adverts of {port}", self.sniffer.mark())

    def heard_without_drop(self, vipd):
        """The vipd heard the peer and dropped nothing."""
        counters = vipd.counters()
        check(counters.received > 0, f"vipd counted nothing as received: {counters}")
        equal(counters.drops, {}, "drops of vipd")

    def judge(self):
        """Nobody complained, ever."""
        for peer in self.peers:
            equal(peer.complaints(), [], "complaints of the peer about vipd")
        for vipd in self.vipds:
            others = [w for w in vipd.warnings() if "left by an earlier vipd" not in w]
            equal(others, [], "warnings of vipd about the peer")


def vipd_above(bench):
    """vipd has the higher priority: it leaves by crash and by SIGTERM, and comes back each time."""
    way, vipd, peer = bench.way, bench.start_vipd(), bench.start_peer()
    vipd.wait_state("Active", way.bound())
    peer.wait_backup(way.bound())
    bench.wait_adverts("n1")
    for leave in ("kill9", "terminate"):
        log = peer.log.mark()
        getattr(vipd, leave)()
        peer.wait_master(way.bound(), log)
        bench.wait_adverts("n2")
        log, came = peer.log.mark(), bench.sniffer.mark()
        vipd = bench.start_vipd()
        line = vipd.wait_state("Active", way.bound())
        check(bench.peer_source in line, f"the reason does not name the peer: {line!r}")
        peer.wait_backup(way.bound(), log)
        bench.wait_addresses()
        first = bench.sniffer.adverts("n1", came)[0]
        wait = down_s(way.version, bench.own, way.interval)
        check(first.at - vipd.started >= wait, f"vipd preempted {wait - (first.at - vipd.started):.6f} s early")
        bench.heard_without_drop(vipd)
        equal(len(vipd.transitions()), 2, "transitions of vipd")
    mark = bench.sniffer.mark()
    bench.wait_adverts("n1", 10)
    equal(bench.sniffer.adverts("n2", mark), [], "adverts of the peer as Backup")
    bench.judge()


def vipd_below(bench):
    """The peer has the higher priority: vipd follows, takes over, and gives back each time."""
    way, peer = bench.way, bench.start_peer()
    peer.wait_master(way.bound())
    vipd = bench.start_vipd()
    vipd.wait_state("Backup", 5)
    bench.wait_adverts("n2", 10)
    equal(len(vipd.transitions()), 1, "transitions of vipd while the peer was Active")
    equal(bench.sniffer.adverts("n1"), [], "adverts of vipd as Backup")
    for leave in ("kill9", "terminate"):
        log, mark = vipd.log.mark(), bench.sniffer.mark()
        getattr(peer, leave)()
        vipd.wait_state("Active", way.bound(), log)
        bench.wait_addresses()
        bench.wait_adverts("n1")
        not_early(bench.sniffer, "n2", "n1", mark, way.version, bench.own, way.interval)
        log = vipd.log.mark()
        peer = bench.start_peer()
        peer.wait_master(way.bound())
        line = vipd.wait_state("Backup", way.bound(), log)
        check(bench.peer_source in line and str(bench.other) in line, f"the reason names no winner: {line!r}")
        bench.wait_no_addresses()
        bench.wait_adverts("n2", 10)
        equal(len(vipd.transitions(log)), 1, "transitions of vipd while the peer came back")
    bench.heard_without_drop(vipd)
    bench.judge()


def keepalived(bench, name):
    """Makes the peer a keepalived."""
    return Keepalived(bench.node2, bench.way.conf(bench.other), name)


def frr(bench, name):
    """Makes the peer an FRR."""
    vips = bench.way.vips if len(bench.way.vips) > 1 else conf.VIP
    return Frr(bench.node2, 50, bench.other, int(bench.way.interval * 1000), vips, name)


@each(V2, V2_PASS, SLOW, FAST)
@limits(timeout=120)
def case_above_keepalived(way):
    with Lab() as lab:
        vipd_above(Bench(lab, way, 200, 100, keepalived))


@each(V2, V2_PASS, SLOW, FAST)
@limits(timeout=120)
def case_below_keepalived(way):
    with Lab() as lab:
        vipd_below(Bench(lab, way, 100, 200, keepalived))


@limits(timeout=60, alone=True)
def case_above_keepalived_at_10_ms():
    with Lab() as lab:
        vipd_above(Bench(lab, FASTEST, 200, 100, keepalived))


@limits(timeout=60, alone=True)
def case_below_keepalived_at_10_ms():
    with Lab() as lab:
        vipd_below(Bench(lab, FASTEST, 100, 200, keepalived))


@each(SLOW, FAST)
@limits(timeout=120)
def case_above_frr(way):
    with Lab() as lab:
        bench = Bench(lab, way, 200, 100, frr)
        vipd_above(bench)
        check(bench.peers[0].received() > 0, "FRR counted no advert as received")


@each(SLOW, FAST)
@limits(timeout=120)
def case_below_frr(way):
    with Lab() as lab:
        vipd_below(Bench(lab, way, 100, 200, frr))


@each(V2_PASS, FAST)
@limits(timeout=60)
def case_two_vipds(way):
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        first, second = Vipd(node1, way.conf(150)), Vipd(node2, way.conf(100))
        first.wait_state("Active", way.bound())
        sniffer.wait_count(lambda f: is_advert(f, "n1", 50, 150), 10, way.bound() + 10, "adverts of n1")
        equal(sniffer.adverts("n2"), [], "adverts of the Backup")
        counters = second.counters()
        equal((counters.received > 0, counters.drops), (True, {}), "the Backup's counters")
        equal(first.counters().drops, {}, "drops of the Active")
        mark = sniffer.mark()
        first.kill9()
        second.wait_state("Active", way.bound())
        sniffer.wait(lambda f: is_advert(f, "n2"), 5, "n2's first advert", mark)
        not_early(sniffer, "n1", "n2", mark, way.version, 100, way.interval)
        equal(second.warnings(), [], "warnings")


@limits(timeout=60)
def case_tie_goes_to_the_higher_address():
    with Lab() as lab:
        node1, node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        sniffer = lab.sniff()
        first = Vipd(node1, FAST.conf(100))
        first.wait_state("Active", 5)
        second = Vipd(node2, FAST.conf(100))
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 20, 10, "adverts of n1", sniffer.mark())
        equal(sniffer.adverts("n2"), [], "adverts of the equal Backup")
        node1.path(False)
        second.wait_state("Active", 5)
        mark = first.log.mark()
        node1.path(True)
        line = first.wait_state("Backup", 5, mark)
        check("10.10.201.103" in line, f"the reason does not name the higher address: {line!r}")
        node1.wait_lacks(conf.VIP, 5)
        check(node2.has(conf.VIP), "the higher address lost the tie")
