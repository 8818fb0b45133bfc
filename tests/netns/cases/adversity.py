"""Machines that stall, Backups under fire, and changes that nobody announced."""

import signal
import time

from lib import conf, wire
from lib.check import check, each, equal, limits
from lib.inject import Injector
from lib.lab import Lab, now
from lib.pair import not_early
from lib.sniffer import is_advert, is_garp
from lib.vipd import Vipd

MALLORY = "10.10.201.200/23"


class Duel:
    """Two vipds at 100 ms, n1 above n2, with n1 Active."""

    def __init__(self, lab):
        self.node1, self.node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        self.mallory = lab.node("mallory", MALLORY)
        self.sniffer = lab.sniff(self.mallory.mac())
        self.first = Vipd(self.node1, conf.instance(priority=200))
        self.first.wait_state("Active", 5)
        self.second = Vipd(self.node2, conf.instance(priority=100))
        self.second.wait_state("Backup", 5)
        self.await_adverts("n1", 5)

    def await_adverts(self, port, count):
        """Waits for a router's next adverts."""
        self.sniffer.wait_count(lambda f: is_advert(f, port), count, 5 + count / 5,
                                f"{count} adverts of {port}", self.sniffer.mark())

    def frame(self, vrid=50, ttl=255, **wrong):
        """A frame of mallory with priority 250."""
        body = wire.vrrp3(vrid, 250, [conf.VIP], self.mallory.address, interval_cs=10, **wrong)
        return wire.ethernet(wire.ipv4(body, self.mallory.address, ttl=ttl), self.mallory.mac())


@each("ttl", "checksum", "unknown-vrid")
@limits(timeout=60, alone=True)
def case_backup_under_fire_follows_and_takes_over_in_time(reason):
    with Lab() as lab:
        duel = Duel(lab)
        frame = {"ttl": lambda: duel.frame(ttl=1), "checksum": lambda: duel.frame(bad_checksum=True),
                 "unknown-vrid": lambda: duel.frame(vrid=51)}[reason]()
        inject, mark = Injector(duel.mallory), duel.second.log.mark()
        inject.flood(frame, 3.0)
        equal(duel.second.transitions(mark), [], "transitions of the Backup under a flood")
        equal(duel.sniffer.adverts("n2"), [], "adverts of the Backup")
        # An advert that the full buffer of the flood has swallowed was never heard.
        duel.await_adverts("n1", 2)
        frames = duel.sniffer.mark()
        duel.first.kill9()
        # The trickle that keeps keepalived from taking over for as long as it lasts.
        for _ in range(20):
            inject.send(frame)
            if duel.second.transitions(mark):
                break
            time.sleep(0.1)
        duel.second.wait_state("Active", 0.1, mark)
        duel.sniffer.wait(lambda f: is_advert(f, "n2"), 5, "n2's first advert", frames)
        not_early(duel.sniffer, "n1", "n2", frames, 3, 100, 0.1)


@limits(timeout=60)
def case_active_that_stood_still_does_not_split():
    with Lab() as lab:
        duel = Duel(lab)
        duel.first.proc.signal(signal.SIGSTOP)
        duel.second.wait_state("Active", 5)
        duel.await_adverts("n2", 5)
        mark, frames = duel.second.log.mark(), duel.sniffer.mark()
        duel.first.proc.signal(signal.SIGCONT)
        # Higher priority: it may come back, but then it must say so on the wire.
        duel.second.wait_state("Backup", 10, mark)
        duel.node2.wait_lacks(conf.VIP, 5)
        duel.node1.wait_has(conf.VIP, 5)
        duel.sniffer.wait(lambda f: is_garp(f, conf.VIP, "n1"), 5, "n1's announcement", frames)
        duel.await_adverts("n1", 10)
        check(duel.node1.has(conf.VIP) and not duel.node2.has(conf.VIP), "the address is not on n1 alone")


@limits(timeout=60)
def case_lower_active_that_stood_still_gives_way():
    with Lab() as lab:
        duel = Duel(lab)
        duel.first.terminate()
        duel.second.wait_state("Active", 5)
        duel.second.proc.signal(signal.SIGSTOP)
        again = Vipd(duel.node1, conf.instance(priority=200), name="again")
        again.wait_state("Active", 5)
        mark = duel.second.log.mark()
        duel.second.proc.signal(signal.SIGCONT)
        duel.second.wait_state("Backup", 5, mark)
        duel.node2.wait_lacks(conf.VIP, 5)
        equal(len(again.transitions()), 2, "transitions of n1")


@limits(timeout=60)
def case_address_that_appears_on_the_backup_by_hand():
    with Lab() as lab:
        duel = Duel(lab)
        mark1, mark2 = duel.first.log.mark(), duel.second.log.mark()
        duel.node2.ip("addr", "add", "10.10.201.77/32", "dev", "ens160")
        duel.node2.ip("addr", "add", f"{conf.VIP}/32", "dev", "ens160")
        duel.second.log.wait(rf"(?i)warn.*{conf.VIP}", 5, mark2)
        duel.await_adverts("n1", 10)
        equal(len(duel.second.warnings(mark2)), 1, "warnings of n2")
        equal((duel.first.transitions(mark1), duel.second.transitions(mark2)), ([], []), "transitions")


@limits(timeout=60)
def case_interface_renamed_away_and_back():
    with Lab() as lab:
        duel = Duel(lab)
        mark = duel.first.log.mark()
        for command in (("down",), ("name", "away0"), ("up",)):
            name = "away0" if command == ("up",) else "ens160"
            duel.node1.ip("link", "set", name, *command)
        duel.first.wait_state("Initialize", 5, mark)
        duel.second.wait_state("Active", 5)
        duel.node1.wait_lacks(conf.VIP, 5)
        mark = duel.first.log.mark()
        for name, command in (("away0", ("down",)), ("away0", ("name", "ens160")), ("ens160", ("up",))):
            duel.node1.ip("link", "set", name, *command)
        duel.first.wait_state("Active", 10, mark)
        duel.node1.wait_has(conf.VIP, 5)
        duel.node2.wait_lacks(conf.VIP, 5)


@limits(timeout=60)
def case_one_address_that_cannot_be_added_leaves_the_others():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vips = ["192.0.2.1 dev nowhere0", conf.VIP, "10.10.201.110"]
        vipd = Vipd(node, conf.instance(vips=vips))
        vipd.wait_state("Active", 5)
        node.wait_has(conf.VIP, 5)
        node.wait_has("10.10.201.110", 5)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 20, 10, "adverts", sniffer.mark())
        lab.plug(node, "nowhere0", "n1-no")
        entry = node.wait_has("192.0.2.1", 10)
        equal(entry["dev"], "nowhere0", "where the late address is")
        vipd.terminate()
        equal([a["local"] for a in node.addresses()], ["127.0.0.1", "10.10.201.102"], "addresses at the end")


@limits(timeout=60)
def case_interface_of_an_address_that_does_not_exist_is_named_once():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node, conf.instance(vips=["192.0.2.1 dev nowhere0", conf.VIP]))
        vipd.wait_state("Active", 5)
        vipd.log.wait("nowhere0", 5)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 20, 10, "adverts", sniffer.mark())
        equal(len(vipd.log.matches("nowhere0")), 1, "lines about the missing interface")


@limits(timeout=60)
def case_interface_of_an_address_is_deleted_and_made_again():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        lab.plug(node, "inside0", "n1-in")
        vipd = Vipd(node, conf.instance(vips=["192.0.2.1 dev inside0", conf.VIP]))
        vipd.wait_state("Active", 5)
        node.wait_has("192.0.2.1", 5)
        mark = vipd.log.mark()
        node.ip("link", "del", "inside0")
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 10, "adverts", sniffer.mark())
        lab.plug(node, "inside0", "n1-in")
        node.wait_has("192.0.2.1", 10)
        equal(vipd.transitions(mark), [], "transitions")
        check(len(vipd.log.lines) - mark <= 2, "a flood of log lines")


@limits(timeout=60)
def case_two_instances_on_one_interface_share_the_load():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()

        def both(first, second):
            return (conf.instance(name="VI_1", vrid=50, priority=first)
                    + conf.instance(name="VI_2", vrid=51, priority=second, vips=["10.10.201.110"]))

        left, right = Vipd(node1, both(200, 100)), Vipd(node2, both(100, 200))
        left.wait_state("Active", 5, name="VI_1")
        right.wait_state("Active", 5, name="VI_2")
        node1.wait_lacks("10.10.201.110", 5)
        node2.wait_lacks(conf.VIP, 5)
        mark, cut = right.log.mark(), now()
        left.kill9()
        right.wait_state("Active", 5, mark, name="VI_1")
        node2.wait_has(conf.VIP, 5)
        check(node2.has("10.10.201.110"), "n2 lost its own address when it took the other over")
        sniffer.wait(lambda f: is_advert(f, "n2", 50) and f.at > cut, 5, "adverts of n2 for both")
        equal(len(right.transitions(mark)), 1, "transitions of n2")


@limits(timeout=60)
def case_kill9_again_and_again():
    with Lab() as lab:
        duel = Duel(lab)
        for turn in range(4):
            mark = duel.second.log.mark()
            duel.first.kill9()
            duel.second.wait_state("Active", 5, mark)
            mark = duel.second.log.mark()
            duel.first = Vipd(duel.node1, conf.instance(priority=200), name=f"again{turn}")
            duel.first.wait_state("Active", 5)
            duel.second.wait_state("Backup", 5, mark)
            duel.node1.wait_has(conf.VIP, 5)
            duel.node2.wait_lacks(conf.VIP, 5)
        equal(len(duel.node1.addresses("ens160")), 2, "addresses of n1")
