"""The price of listening: which sockets hear adverts, and that no firewall makes two Actives for long."""

from lib import conf
from lib.check import check, each, equal, limits
from lib.ears import close_firewall, open_firewall, raws, taps, wait_ears
from lib.lab import Lab, now
from lib.pair import down_s
from lib.sniffer import is_advert
from lib.vipd import Vipd

# The proof is had again after so long (limits::RECHECK_PERIOD).
RECHECK_S = 60
DROP_VRRP = "ip protocol 112"


class Pair:
    """n1 is under test, with priority 100; n2 has 200, and comes and goes."""

    def __init__(self, lab, *extra, firewall=None):
        self.node1, self.node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        self.sniffer, self.starts = lab.sniff(), 0
        if firewall is not None:
            close_firewall(self.node1, firewall)
        self.other = self.start_other()
        self.other.wait_state("Active", 5)
        self.vipd = Vipd(self.node1, conf.instance(priority=100, extra=extra), level="debug")
        self.vipd.wait_state("Backup", 5)
        self.heard(10)

    def start_other(self):
        """Starts n2's daemon (again)."""
        self.starts += 1
        self.other = Vipd(self.node2, conf.instance(priority=200), name=f"vipd{self.starts}")
        return self.other

    def heard(self, count):
        """Waits for more adverts of n2, which the one under test can hear."""
        self.sniffer.wait_count(lambda f: is_advert(f, "n2"), count, 10, "adverts of n2", self.sniffer.mark())

    def ears(self, tap, raw, timeout=2):
        """Waits for the sockets of n1."""
        wait_ears(self.node1, self.vipd.proc, tap, raw, timeout)

    def explained(self):
        """What SIGUSR1 says of the sockets."""
        self.vipd.counters()
        return self.vipd.log.matches("VI_1: listens on")[-1]

    def hand_over(self):
        """n2 goes, n1 becomes Active."""
        mark = self.vipd.log.mark()
        self.other.terminate()
        self.vipd.wait_state("Active", 5, mark)

    def take_back(self):
        """n2 comes again; n1 must hear it at once. Returns how long there were two Actives."""
        mark, frames = self.vipd.log.mark(), self.sniffer.mark()
        self.start_other()
        self.vipd.wait_state("Backup", 5, mark)
        first = self.sniffer.wait(lambda f: is_advert(f, "n2"), 5, "n2's first advert", frames)
        late = [f for f in self.sniffer.adverts("n1", frames) if f.at > first.at + 0.1]
        equal([str(f) for f in late], [], "adverts of n1 after n2 was back")


@limits(timeout=60)
def case_active_with_proof_closes_its_tap():
    with Lab() as lab:
        pair = Pair(lab)
        for _ in range(2):
            pair.ears(1, 1)
            check("hears what the tap hears" in pair.explained(), "the Backup does not say that it has proof")
            pair.hand_over()
            pair.ears(0, 1)
            check("listens on raw: Active" in pair.explained(), "the Active does not say why it has no tap")
            frames = pair.sniffer.mark()
            pair.sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 5, "adverts of n1", frames)
            pair.take_back()
            pair.ears(1, 1)
            pair.heard(10)
        equal(pair.vipd.warnings(), [], "warnings")


@limits(timeout=60)
def case_one_active_of_two_instances_keeps_the_tap():
    """A Backup on the same interface hears by it, whatever the firewall does later."""
    with Lab() as lab:
        node1, node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        sniffer = lab.sniff()

        def both(first, second):
            return (conf.instance("A", vrid=1, priority=first, vips=["10.10.201.111"])
                    + conf.instance("B", vrid=2, priority=second, vips=["10.10.201.112"]))

        second = Vipd(node2, both(100, 200))
        vipd = Vipd(node1, both(200, 100))
        vipd.wait_state("Active", 10, name="A")
        second.wait_state("Active", 10, name="B")
        sniffer.wait_count(lambda f: is_advert(f, "n2", 2), 10, 5, "adverts of n2", sniffer.mark())
        wait_ears(node1, vipd.proc, 1, 1, 1)
        second.terminate()
        vipd.wait_state("Active", 5, name="B")
        wait_ears(node1, vipd.proc, 0, 1, 2)


@each("everything", "protocol-112")
@limits(timeout=60)
def case_behind_a_firewall_the_tap_stays(dropped):
    with Lab() as lab:
        pair = Pair(lab, firewall="" if dropped == "everything" else DROP_VRRP)
        for _ in range(2):
            pair.ears(1, 1)
            check("misses adverts: a firewall" in pair.explained(), "it does not say that a firewall is closed")
            pair.hand_over()
            pair.sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 5, "adverts of n1", pair.sniffer.mark())
            pair.ears(1, 1)
            pair.take_back()
            pair.heard(10)
        equal(len(pair.vipd.warnings()), 0, f"warnings, where nothing need be done: {pair.vipd.warnings()}")
        # Opened, it is soon proved.
        open_firewall(pair.node1)
        pair.heard(10)
        pair.hand_over()
        pair.ears(0, 1)


@limits(timeout=120)
def case_firewall_closed_later_makes_two_actives_for_a_minute_at_most():
    with Lab() as lab:
        pair = Pair(lab)
        pair.hand_over()
        pair.ears(0, 1)
        closed, mark = now(), pair.vipd.log.mark()
        close_firewall(pair.node1, DROP_VRRP)
        pair.start_other()
        pair.other.wait_state("Active", 5)
        first = pair.sniffer.wait(lambda f: is_advert(f, "n2") and f.at > closed, 5, "n2's first advert")
        pair.sniffer.wait_count(lambda f: is_advert(f, "n1") and f.at > first.at, 10, 5, "adverts of both")
        check(taps(pair.node1, pair.vipd.proc) == 0, "there is a tap: the case shows nothing")
        bound = RECHECK_S + down_s(3, 100, 0.1)
        line = pair.vipd.wait_state("Backup", bound + 5, mark)
        check("higher priority 200" in line, f"the reason is {line!r}")
        together = now() - first.at
        check(together <= bound + 1, f"two Actives for {together:.3f} s, {bound:.3f} s is the bound")
        print(f"two Actives for {together:.3f} s of {bound:.3f} s allowed")
        reason = pair.vipd.log.wait("(?i)warn.*firewall drops protocol 112", 5).string
        check("let it in" in reason, f"no remedy: {reason!r}")
        equal(len(pair.vipd.log.matches("firewall drops protocol 112")), 1, "lines about the firewall")
        # From now on the tap stays, also as Active.
        pair.ears(1, 1)
        pair.heard(10)
        pair.hand_over()
        pair.ears(1, 1)
        pair.take_back()
        equal(len(pair.vipd.transitions(mark)), 3, "transitions")


@limits(timeout=40)
def case_raw_has_no_tap_and_a_firewall_deafens_it():
    with Lab() as lab:
        pair = Pair(lab, "receive raw")
        equal((taps(pair.node1, pair.vipd.proc), raws(pair.node1, pair.vipd.proc)), (0, 1), "taps and raw sockets")
        equal(pair.vipd.counters().drops, {}, "drops")
        check("listens on raw: configured" in pair.explained(), "it does not say so")
        mark = pair.vipd.log.mark()
        close_firewall(pair.node1)
        pair.vipd.wait_state("Active", 5, mark)
        check(pair.other.proc.running() and pair.node2.has(conf.VIP), "n2 has gone: the case shows nothing")
        open_firewall(pair.node1)
        pair.vipd.wait_state("Backup", 5, mark)
        equal((taps(pair.node1, pair.vipd.proc), raws(pair.node1, pair.vipd.proc)), (0, 1), "taps and raw sockets")


@limits(timeout=40)
def case_packet_never_opens_the_raw_socket():
    with Lab() as lab:
        pair = Pair(lab, "receive packet", firewall="")
        for _ in range(2):
            equal((taps(pair.node1, pair.vipd.proc), raws(pair.node1, pair.vipd.proc)), (1, 0), "sockets")
            pair.hand_over()
            pair.sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 5, "adverts of n1", pair.sniffer.mark())
            equal((taps(pair.node1, pair.vipd.proc), raws(pair.node1, pair.vipd.proc)), (1, 0), "sockets")
            check("listens on packet: configured" in pair.explained(), "it does not say so")
            pair.take_back()
        equal(pair.vipd.warnings(), [], "warnings")
