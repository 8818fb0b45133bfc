"""The user's example, and the four ways of failing (and a broken path behind the switch)."""

from lib import conf
from lib.check import check, each, equal, limits
from lib.lab import Lab, now
from lib.pair import not_early
from lib.ping import Pinger
from lib.sniffer import is_advert, is_garp
from lib.vipd import Vipd, binary

SHOWN = f"inet {conf.VIP}/32 scope global ens160"


class Pair:
    """Node 1 and node 2 of the example, running, and a client that pings."""

    def __init__(self, lab):
        self.node1, self.node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        self.client, self.sniffer = lab.node("client", conf.CLIENT), lab.sniff()
        self.first = Vipd(self.node1, conf.example())
        self.first.wait_state("Active", 10)
        # Started together, 4 ms would lie between the two takeovers: less than a start may take.
        self.second = Vipd(self.node2, conf.example(100))
        self.second.wait_state("Backup", 5)
        # The Backup knows whom it follows once it has heard an advert.
        self.sniffer.wait_count(lambda f: is_advert(f, "n1"), 2, 5, "adverts of n1", self.sniffer.mark())
        self.node1.wait_has(conf.VIP, 5)
        self.ping = Pinger(self.client, conf.VIP)
        self.ping.wait_answer(10)

    def client_goes_to(self, node):
        """The client's ARP entry becomes the node's, stays it, and its pings are answered."""
        self.client.wait_neighbour(conf.VIP, node.mac(), 5)
        self.ping.wait_answer(10, count=25)
        equal(self.client.neighbour(conf.VIP), node.mac(), "the client's ARP entry after 25 pings")

    def is_active(self, active, other):
        """`ip addr show` on both is as the example says."""
        check(SHOWN in active.ip("addr", "show"), f"{active.name} does not show {SHOWN!r}")
        check(conf.VIP not in other.ip("addr", "show"), f"{other.name} holds the address too")


def fail(pair, way):
    """Makes node 1 fail."""
    if way == "kill-9":
        pair.first.kill9()
        check(pair.node1.has(conf.VIP), "after kill -9 the kernel must still hold the address")
    elif way == "sigterm":
        pair.first.terminate()
        check(not pair.node1.has(conf.VIP), "vipd left its address behind on SIGTERM")
    elif way == "link-down":
        pair.node1.link("down")
    elif way == "cable":
        pair.node1.cable("down")
    else:
        pair.node1.path(False)


def recover(pair, way):
    """Brings node 1 back."""
    if way in ("kill-9", "sigterm"):
        pair.first = Vipd(pair.node1, conf.example(), name="again")
        # What kill -9 left behind goes at the start, not at the takeover.
        pair.first.log.wait("Initialize -> Backup", 5)
        pair.node1.wait_lacks(conf.VIP, 2)
    elif way == "link-down":
        pair.node1.link("up")
    elif way == "cable":
        pair.node1.cable("up")
    else:
        pair.node1.path(True)


@each("kill-9", "link-down", "cable", "path", "sigterm")
@limits(timeout=90)
def case_client_finds_its_way_through(way):
    with Lab() as lab:
        pair = Pair(lab)
        pair.is_active(pair.node1, pair.node2)
        pair.client_goes_to(pair.node1)
        equal(pair.sniffer.adverts("n2"), [], "adverts of the Backup")
        mark, log1, log2 = pair.sniffer.mark(), pair.first.log.mark(), pair.second.log.mark()
        fail(pair, way)
        failed = now()
        line = pair.second.wait_state("Active", 10, log2)
        check("10.10.201.102" in line, f"the reason does not name who was Active: {line!r}")
        pair.node2.wait_has(conf.VIP, 5)
        pair.sniffer.wait(lambda f: is_garp(f, conf.VIP, "n2", pair.node2.mac()), 5, "n2's announcement", mark)
        pair.client_goes_to(pair.node2)
        if way == "path":
            check(pair.node1.has(conf.VIP), "n1 noticed a broken path that it cannot see")
        elif way != "kill-9":
            pair.node1.wait_lacks(conf.VIP, 5)
            pair.is_active(pair.node2, pair.node1)
            check(pair.first.log.matches(r"Active -> Initialize: \S+", log1), "n1 gave no reason")
        # Behind a broken path the capture still sees n1, and n2 does not.
        not_early(pair.sniffer, "n1", "n2", mark, 2, 100, 1.0, failed if way == "path" else None)
        takes_it_back(pair, way)
        equal(pair.second.warnings(), [], "warnings of n2")
        pair.first.terminate()
        pair.second.terminate()
        for node in (pair.node1, pair.node2):
            check(not node.has(conf.VIP), f"{node.name} still holds the address at the end")


def takes_it_back(pair, way):
    """Node 1 returns and is Active again by its priority, once."""
    pair.ping.wait_answer(5)
    mark1, mark2 = pair.first.log.mark(), pair.second.log.mark()
    again = way in ("kill-9", "sigterm")
    recover(pair, way)
    line = pair.second.wait_state("Backup", 15, mark2)
    check("101" in line and "10.10.201.102" in line, f"the reason does not name the winner: {line!r}")
    if way != "path":
        pair.first.wait_state("Active", 15, 0 if again else mark1)
    pair.node1.wait_has(conf.VIP, 5)
    pair.node2.wait_lacks(conf.VIP, 5)
    pair.client_goes_to(pair.node1)
    pair.is_active(pair.node1, pair.node2)
    equal(len(pair.second.transitions(mark2)), 1, "transitions of n2 while n1 came back")


@limits(timeout=60)
def case_sigterm_announces_priority_zero_then_leaves():
    with Lab() as lab:
        pair = Pair(lab)
        mark = pair.sniffer.mark()
        pair.first.terminate()
        ended = now()
        last = pair.sniffer.wait(lambda f: is_advert(f, "n1", 50, 0), 5, "the priority 0 advert", mark)
        check(last.at <= ended, "the priority 0 advert came after the end")
        pair.sniffer.wait(lambda f: is_advert(f, "n2", 50, 100), 5, "n2's first advert", mark)
        not_early(pair.sniffer, "n1", "n2", mark, 2, 100, 1.0)
        equal(len(pair.sniffer.adverts("n1", mark, 50)[-1:]), 1, "adverts of n1")
        equal(pair.sniffer.adverts("n1", mark)[-1].priority, 0, "the last advert of n1")


@limits(timeout=60)
def case_published_slip_of_two_vrids_is_named_once():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        routers = ((Vipd(node1, conf.example()), "n2", 51, "10.10.201.103"),
                   (Vipd(node2, conf.example(101, vrid=51)), "n1", 50, "10.10.201.102"))
        for router, *_ in routers:
            router.wait_state("Active", 10)
        for router, port, vrid, address in routers:
            sniffer.wait_count(lambda f, p=port: is_advert(f, p), 3, 10, f"three adverts of {port}")
            warning = rf"{address}.*{conf.VIP}.*VRID {vrid}\b.*virtual_router_id"
            router.log.wait(warning, 1)
        mark = sniffer.mark()
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 15, "ten more adverts", mark)
        for router, *_ in routers:
            equal(len(router.warnings()), 1, f"warnings of {router.proc.name} ({router.warnings()})")
            equal(len(router.transitions()), 2, f"transitions of {router.proc.name}")


@limits(timeout=30)
def case_check_and_version():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        good = lab.file("good.conf", conf.example())
        bad = lab.file("bad.conf", conf.example().replace("virtual_router_id", "virtual_rooter_id"))
        equal(node.popen("check", [binary(), "check", good]).wait(), 0, "exit code for the example")
        wrong = node.popen("check-bad", [binary(), "check", bad])
        equal(wrong.wait(), 1, "exit code for a bad file")
        wrong.log.wait(r"bad\.conf:4:\d+", 5)
        wrong.log.wait("virtual_router_id", 5)
        version = node.popen("version", [binary(), "--version"])
        equal(version.wait(), 0, "exit code of --version")
        version.log.wait(r"\d+\.\d+\.\d+", 5)
        absent = node.popen("run-absent", [binary(), "run", "--config", f"{lab.dir}/absent.conf",
                                           "--runtime-dir", lab.dir])
        check(absent.wait() != 0, "vipd ran without its file")
        absent.log.wait("absent.conf", 5)
