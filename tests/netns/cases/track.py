"""Trackers and sync groups: weights, faults, `nopreempt`, and instances that move together."""

from lib import conf, ns
from lib.check import check, each, equal, limits
from lib.lab import Lab, now
from lib.life import reload
from lib.peers import Keepalived
from lib.sniffer import is_advert
from lib.vipd import Vipd

NODE1, NODE2 = "10.10.203.102/24", "10.10.203.103/24"
VIP2 = "10.10.203.101"
WAN = "ens161"


def wan(lab, node, address=None):
    """A second interface, on a switch of its own."""
    lab.plug(node, WAN, f"{node.name}w")
    if "br1" not in lab.ports_of_wan:
        ns.ip("link", "add", "br1", "type", "bridge", "stp_state", "0", "forward_delay", "0",
              "mcast_snooping", "0", ns=lab.switch)
        ns.ip("link", "set", "br1", "up", ns=lab.switch)
        lab.ports_of_wan.add("br1")
    ns.ip("link", "set", f"{node.name}w", "master", "br1", ns=lab.switch)
    if address:
        node.ip("addr", "add", address, "dev", WAN)


def wan_cable(node, state):
    """Pulls or plugs in the cable of the second interface."""
    ns.ip("link", "set", f"{node.name}w", state, ns=node.lab.switch)


class Two:
    """Two routers with two interfaces each."""

    def __init__(self, lab):
        lab.ports_of_wan = set()
        self.n1, self.n2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        wan(lab, self.n1, NODE1)
        wan(lab, self.n2, NODE2)
        self.sniffer = lab.sniff()

    def wait_priority(self, port, priority, since=0):
        """The first advert of `port` with this priority from `since` on."""
        return self.sniffer.wait_count(lambda f: is_advert(f, port) and f.priority == priority, 1, 5,
                                       f"an advert of {port} with priority {priority}", since)[0]


def tracking(*words):
    """A `track_interface` block of one interface."""
    return ["track_interface {", f"    {' '.join((WAN, *words))}", "}"]


@each(("weight", "20"), ("weight", "-20"), ("weight", "20", "reverse"), ("weight", "-20", "reverse"),
      ("weight", "-253"), ("weight", "253"))
@limits(timeout=60)
def case_effective_priority_as_keepaliveds(words):
    text = conf.instance(priority=100, extra=tracking(*words))
    seen = {}
    for kind in ("keepalived", "vipd"):
        with Lab() as lab:
            two = Two(lab)
            (Keepalived if kind == "keepalived" else Vipd)(two.n1, text)
            first = two.sniffer.wait_count(lambda f: is_advert(f, "n1"), 3, 10, "adverts")[-1]
            mark = two.sniffer.mark()
            wan_cable(two.n1, "down")
            other = two.sniffer.wait_count(lambda f: is_advert(f, "n1") and f.priority != first.priority, 1, 5,
                                           "another priority", mark)[0]
            seen[kind] = (first.priority, other.priority)
    equal(seen["vipd"], seen["keepalived"], "priorities with the interface up and down")


@each("vipd", "keepalived")
@limits(timeout=60)
def case_weight_moves_the_address_and_back(peer):
    with Lab() as lab:
        two = Two(lab)
        other = (Vipd if peer == "vipd" else Keepalived)(two.n2, conf.instance(priority=120))
        vipd = Vipd(two.n1, conf.instance(priority=150, extra=tracking("weight", "-50")))
        vipd.wait_state("Active", 5)
        two.n1.wait_has(conf.VIP, 5)
        marks = two.sniffer.mark(), vipd.log.mark()
        cut = now()
        wan_cable(two.n1, "down")
        lowered = two.wait_priority("n1", 100, marks[0])
        check(lowered.at - cut < 0.1, f"the new priority was on the wire {lowered.at - cut:.3f} s after the cut")
        vipd.log.wait(rf"VI_1: effective priority 150 -> 100: 150 -50 \({WAN} is down\)", 5, marks[1])
        vipd.wait_state("Backup", 5, marks[1])
        two.n2.wait_has(conf.VIP, 5)
        mark = vipd.log.mark()
        wan_cable(two.n1, "up")
        vipd.wait_state("Active", 5, mark)
        two.n2.wait_lacks(conf.VIP, 5)
        two.n1.wait_has(conf.VIP, 5)
        equal(other.complaints() if peer == "keepalived" else other.warnings(), [], "complaints of the other")


@limits(timeout=60)
def case_without_a_weight_it_is_a_fault():
    with Lab() as lab:
        two = Two(lab)
        Keepalived(two.n2, conf.instance(priority=100))
        vipd = Vipd(two.n1, conf.instance(priority=150, extra=tracking()))
        vipd.wait_state("Active", 5)
        marks = two.sniffer.mark(), vipd.log.mark()
        wan_cable(two.n1, "down")
        two.wait_priority("n1", 0, marks[0])
        line = vipd.wait_state("Initialize", 5, marks[1])
        check(f"{WAN} is down" in line, f"the reason names no tracker: {line}")
        two.n2.wait_has(conf.VIP, 5)
        two.n1.wait_lacks(conf.VIP, 5)
        wan_cable(two.n1, "up")
        two.n1.wait_has(conf.VIP, 5)


@limits(timeout=60)
def case_a_flap_shorter_than_its_delay_does_not_count():
    with Lab() as lab:
        two = Two(lab)
        text = conf.instance(priority=150, extra=tracking()) + f"interface_up_down_delays {{ {WAN} 1 0.5 }}\n"
        vipd = Vipd(two.n1, text)
        vipd.wait_state("Active", 5)
        mark = vipd.log.mark()
        wan_cable(two.n1, "down")
        two.n1.wait(lambda: "LOWER_UP" not in two.n1.ip("link", "show", "dev", WAN), 5, "no carrier")
        wan_cable(two.n1, "up")
        vipd.log.wait_quiet(1.5, 5)
        equal(vipd.transitions(mark), [], "transitions of a flap")
        cut = now()
        wan_cable(two.n1, "down")
        vipd.wait_state("Initialize", 5, mark)
        check(now() - cut >= 1, "it counted before its delay had passed")
        two.n1.wait_lacks(conf.VIP, 5)
        wan_cable(two.n1, "up")
        two.n1.wait_has(conf.VIP, 5)


@limits(timeout=60)
def case_dont_track_primary():
    with Lab() as lab:
        two = Two(lab)
        vipd = Vipd(two.n1, conf.instance(extra=["dont_track_primary"]))
        vipd.wait_state("Active", 5)
        mark = vipd.log.mark()
        two.n1.cable("down")
        two.n1.wait(lambda: "LOWER_UP" not in two.n1.ip("link", "show", "dev", "ens160"), 5, "no carrier")
        two.n1.cable("up")
        mark2 = two.sniffer.mark()
        two.wait_priority("n1", 100, mark2)
        equal(vipd.transitions(mark), [], "transitions")


def nopreempt(priority, *words):
    """An instance that does not preempt."""
    return conf.instance(priority=priority, extra=["nopreempt", *tracking(*words)])


@limits(timeout=60)
def case_2483_nopreempt_and_a_weight_that_fails():
    with Lab() as lab:
        two = Two(lab)
        first = Vipd(two.n1, nopreempt(101, "weight", "-50"))
        first.wait_state("Active", 5)
        second = Vipd(two.n2, nopreempt(100, "weight", "-50"))
        second.wait_state("Backup", 5)
        two.wait_priority("n1", 101, two.sniffer.mark())
        # What the Active tracks fails: it moves. It recovers: nothing moves.
        wan_cable(two.n1, "down")
        second.wait_state("Active", 5)
        first.wait_state("Backup", 5, 1)
        mark, mark2 = two.sniffer.mark(), second.log.mark()
        wan_cable(two.n1, "up")
        first.log.wait(r"effective priority 51 -> 101", 5)
        two.sniffer.wait_count(lambda f: is_advert(f, "n2"), 20, 5, "adverts of the second", mark)
        equal(second.transitions(mark2), [], "transitions when the first recovers")
        # And the other way, though the second's priority was the lower one all the time.
        mark = first.log.mark()
        wan_cable(two.n2, "down")
        first.wait_state("Active", 5, mark)
        two.n2.wait_lacks(conf.VIP, 5)


@limits(timeout=60)
def case_1515_nopreempt_after_a_fault():
    with Lab() as lab:
        two = Two(lab)
        first = Vipd(two.n1, nopreempt(150))
        first.wait_state("Active", 5)
        second = Vipd(two.n2, nopreempt(100))
        second.wait_state("Backup", 5)
        wan_cable(two.n1, "down")
        second.wait_state("Active", 5)
        mark, mark2 = first.log.mark(), two.sniffer.mark()
        wan_cable(two.n1, "up")
        first.wait_state("Backup", 5, mark)
        two.sniffer.wait_count(lambda f: is_advert(f, "n2"), 20, 5, "adverts of the second", mark2)
        equal(len(first.transitions(mark)), 1, "transitions of the first")
        check(two.n2.has(conf.VIP) and not two.n1.has(conf.VIP), "the address moved back")


@limits(timeout=60)
def case_2599_a_weight_smaller_than_the_difference():
    with Lab() as lab:
        two = Two(lab)
        first = Vipd(two.n1, nopreempt(101, "weight", "2"))
        first.wait_state("Active", 5)
        two.wait_priority("n1", 103)
        second = Vipd(two.n2, nopreempt(98, "weight", "2"))
        second.wait_state("Backup", 5)
        mark = two.sniffer.mark()
        wan_cable(two.n1, "down")
        two.wait_priority("n1", 101, mark)
        two.sniffer.wait_count(lambda f: is_advert(f, "n1"), 20, 5, "adverts of the first", mark)
        equal(len(second.transitions()), 1, "transitions: 101 is still above 100")
        # With 4 it is not.
        second.terminate()
        mark = two.sniffer.mark()
        second = Vipd(two.n2, nopreempt(98, "weight", "4"), name="again")
        second.wait_state("Backup", 5)
        wan_cable(two.n1, "up")
        two.wait_priority("n1", 103, mark)
        wan_cable(two.n1, "down")
        second.wait_state("Active", 5)


def group(priority, extra1=(), extra2=(), words=(), interval=0.1):
    """Two instances that move together."""
    return (conf.instance(priority=priority, extra=extra1, advert_int=interval)
            + conf.instance("VI_2", WAN, 51, priority, vips=(VIP2,), extra=extra2, advert_int=interval)
            + "vrrp_sync_group G1 {\n    group {\n        VI_1\n        VI_2\n    }\n"
            + "".join(f"    {word}\n" for word in words) + "}\n")


def wait_all(node, holds, timeout=5):
    """Both addresses are there, or both are not."""
    for address in (conf.VIP, VIP2):
        (node.wait_has if holds else node.wait_lacks)(address, timeout)


class Groups(Two):
    """The same group on both routers, the first with the higher priority."""

    def __init__(self, lab, peer="vipd", **more):
        super().__init__(lab)
        self.first = Vipd(self.n1, group(150, **more))
        self.first.wait_state("Active", 5)
        self.first.wait_state("Active", 5, name="VI_2")
        wait_all(self.n1, True)
        self.second = (Vipd if peer == "vipd" else Keepalived)(self.n2, group(100, **more))
        self.wait_second("backup")

    def wait_second(self, state, since=0):
        """Both instances of the second are master or backup."""
        for name in ("VI_1", "VI_2"):
            if isinstance(self.second, Vipd):
                self.second.wait_state({"master": "Active", "backup": "Backup"}[state], 10, since, name)
            else:
                getattr(self.second, f"wait_{state}")(10, since, name)


@each("vipd", "keepalived")
@limits(timeout=90)
def case_one_link_cut_moves_both_and_both_come_back(peer):
    with Lab() as lab:
        two = Groups(lab, peer)
        for cable in (wan_cable, lambda node, state: node.cable(state)):
            cut, mark = now(), two.sniffer.mark()
            cable(two.n1, "down")
            wait_all(two.n1, False)
            gave_up = now() - cut
            wait_all(two.n2, True)
            check(gave_up < 0.5, f"the last address was given up {gave_up:.3f} s after the cut")
            cable(two.n1, "up")
            wait_all(two.n1, True)
            wait_all(two.n2, False)
        released = [f.vrid for f in two.sniffer.adverts("n1w", mark) if f.priority == 0]
        equal(released, [51], "VRIDs given up with priority 0 by the instance whose link was fine")


@limits(timeout=90)
def case_1532_nobody_stays_in_a_fault_for_ever():
    with Lab() as lab:
        two = Groups(lab)
        for first in (None, wan_cable):
            mark = two.first.log.mark()
            two.n1.cable("down")
            if first:
                first(two.n1, "down")
            two.first.wait_state("Initialize", 5, mark)
            two.first.wait_state("Initialize", 5, mark, "VI_2")
            two.n1.cable("up")
            if first:
                two.first.log.wait(r"VI_1: waiting in Initialize: VI_2 of its sync group", 5, mark)
                first(two.n1, "up")
            wait_all(two.n1, True, 10)
            wait_all(two.n2, False)


@limits(timeout=90)
def case_2685_a_tracked_interface_leaves_its_bridge():
    with Lab() as lab:
        two = Two(lab)
        two.n1.ip("link", "add", "test_br", "type", "bridge")
        two.n1.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth1p")
        for name in ("test_br", "eth1", "eth1p"):
            two.n1.ip("link", "set", name, "up")
        two.n1.ip("link", "set", "eth1", "master", "test_br")
        two.n1.wait(lambda: "LOWER_UP" in two.n1.ip("link", "show", "dev", "eth1"), 5, "eth1 to be up")
        vipd = Vipd(two.n1, group(100, extra1=["track_interface {", "    eth1", "}"]))
        wait_all(two.n1, True, 10)
        for step in range(2):
            mark = vipd.log.mark()
            two.n1.ip("link", "set", "ens160", "down")
            vipd.wait_state("Initialize", 5, mark)
            vipd.wait_state("Initialize", 5, mark, "VI_2")
            wait_all(two.n1, False)
            if step == 0:
                two.n1.ip("link", "set", "eth1", "nomaster")
            two.n1.ip("link", "set", "ens160", "up")
            wait_all(two.n1, True, 10)


@limits(timeout=90)
def case_a_member_s_weight_counts_for_all():
    with Lab() as lab:
        lab.ports_of_wan = set()
        two = Two(lab)
        for node in (two.n1, two.n2):
            node.ip("link", "add", "up0", "type", "veth", "peer", "name", "up0p")
            node.ip("link", "set", "up0", "up")
            node.ip("link", "set", "up0p", "up")
        tracks = ["track_interface {", "    up0 weight -100", "}"]
        first = Vipd(two.n1, group(150, extra1=tracks))
        wait_all(two.n1, True, 10)
        Vipd(two.n2, group(100, extra1=tracks)).wait_state("Backup", 5)
        two.n1.ip("link", "set", "up0", "down")
        for name in ("VI_1", "VI_2"):
            first.log.wait(rf"{name}: effective priority 150 -> 50", 5)
        wait_all(two.n2, True)
        wait_all(two.n1, False)
        two.n1.ip("link", "set", "up0", "up")
        wait_all(two.n1, True)


@limits(timeout=90)
def case_priorities_that_contradict_each_other_do_not_ping_pong():
    with Lab() as lab:
        two = Two(lab)
        above, below = conf.instance(priority=150), conf.instance(priority=100)
        wan1 = conf.instance("VI_2", WAN, 51, 100, vips=(VIP2,))
        wan2 = conf.instance("VI_2", WAN, 51, 150, vips=(VIP2,))
        words = "vrrp_sync_group G1 {\n    group {\n        VI_1\n        VI_2\n    }\n}\n"
        first = Vipd(two.n1, above + wan1 + words)
        second = Vipd(two.n2, below + wan2 + words)
        two.sniffer.wait_count(is_advert, 60, 10, "adverts")
        marks = first.log.mark(), second.log.mark()
        two.sniffer.wait_count(is_advert, 60, 10, "adverts", two.sniffer.mark())
        equal(first.transitions(marks[0]) + second.transitions(marks[1]), [], "transitions")
        held = [n.has(a) for n in (two.n1, two.n2) for a in (conf.VIP, VIP2)]
        check(held in ([True, True, False, False], [False, False, True, True]), f"who holds what: {held}")


@limits(timeout=60)
def case_reload_of_groups_and_trackers():
    with Lab() as lab:
        two = Two(lab)
        one, both = group(150).split("vrrp_sync_group")[0], group(150)
        path = f"{lab.dir}/n1-vipd.conf"
        vipd = Vipd(two.n1, one)
        wait_all(two.n1, True, 10)
        Vipd(two.n2, group(100)).wait_state("Backup", 5)
        mark = vipd.log.mark()
        reload(vipd, path, both)
        reload(vipd, path, group(150, extra1=tracking("weight", "-20")))
        reload(vipd, path, one)
        reload(vipd, path, both.replace("VI_2\n    }", "}") )
        reload(vipd, path, both)
        two.wait_priority("n1", 150, two.sniffer.mark())
        equal(vipd.transitions(mark), [], "transitions of the reloads")
        check("fewer than two instances" in " ".join(vipd.warnings(mark)), "a group of one is not told")
        # An instance that joins a group that is Active is Active with it (keepalived's 285).
        alone = "vrrp_instance VI_2" + both.split("vrrp_instance VI_2")[1].split("vrrp_sync_group")[0]
        reload(vipd, path, one.replace(alone, ""))
        two.n1.wait_lacks(VIP2, 5)
        mark = vipd.log.mark()
        reload(vipd, path, both)
        vipd.log.wait("VI_2: Backup -> Active: together with VI_1", 5, mark)
        wait_all(two.n1, True)
        equal([line for line in vipd.transitions(mark) if "VI_1:" in line], [], "transitions of the other")
        # One that is held leaves the group, and runs.
        wan_cable(two.n1, "down")
        wait_all(two.n1, False)
        reload(vipd, path, one)
        two.n1.wait_has(conf.VIP, 5)


@limits(timeout=60)
def case_both_families_of_a_uci_section_move_together():
    with Lab() as lab:
        two = Two(lab)
        vips = (conf.VIP, *conf.VIPS6)
        first = Vipd(two.n1, conf.uci(iface="ens160", priority=150, vips=vips))
        for name in ("VI_1", "VI_1-6"):
            first.wait_state("Active", 10, name=name)
        second = Vipd(two.n2, conf.uci(iface="ens160", priority=100, vips=vips))
        second.wait_state("Backup", 5)
        two.n1.cable("down")
        for name in ("VI_1", "VI_1-6"):
            second.wait_state("Active", 5, name=name)
        two.n2.wait_has(conf.VIP, 5)
        mark = second.log.mark()
        two.n1.cable("up")
        for name in ("VI_1", "VI_1-6"):
            second.wait_state("Backup", 5, mark, name)
        two.n1.wait_has(conf.VIP, 5)
