"""Addresses and interfaces that somebody else takes away come back, each with one reason."""

import signal

from lib import conf, wire
from lib.check import check, each, equal, limits
from lib.inject import Injector
from lib.lab import Lab
from lib.ping import Pinger
from lib.sniffer import is_advert
from lib.vipd import Vipd


def start(lab, **options):
    """One Active on n1, and the capture."""
    node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
    vipd = Vipd(node, conf.instance(extra=["garp_master_delay 0"], **options))
    vipd.wait_state("Active", 10)
    node.wait_has(conf.VIP, 5)
    return node, sniffer, vipd


@each("del", "flush")
@limits(timeout=40)
def case_address_taken_by_hand_comes_back(how):
    with Lab() as lab:
        node, sniffer, vipd = start(lab)
        mark = vipd.log.mark()
        if how == "del":
            node.ip("addr", "del", f"{conf.VIP}/32", "dev", "ens160")
        else:
            node.ip("addr", "flush", "dev", "ens160", "to", conf.VIP)
        node.wait_has(conf.VIP, 5)
        vipd.log.wait("was removed from ens160 by somebody else", 5, mark)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 5, "adverts", sniffer.mark())
        # `ip addr flush` looks again, finds ours and removes it again, as long as it takes.
        most, told = 1 if how == "del" else 10, len(vipd.log.matches("by somebody else", mark))
        equal(len(vipd.log.lines) - mark, told, f"lines of log ({vipd.log.lines[mark:]})")
        check(told <= most, f"it was told {told} times")
        equal(vipd.transitions(mark), [], "transitions")


@limits(timeout=40)
def case_address_deleted_again_and_again():
    with Lab() as lab:
        node, sniffer, vipd = start(lab)
        mark, first = vipd.log.mark(), sniffer.mark()
        for _ in range(5):
            node.ip("addr", "del", f"{conf.VIP}/32", "dev", "ens160")
            node.wait_has(conf.VIP, 15)
        check(len(vipd.log.lines) - mark <= 5, "more than one line for each loss")
        equal(vipd.transitions(mark), [], "transitions")
        equal({f.priority for f in sniffer.adverts("n1", first)}, {100}, "priorities")


@limits(timeout=40)
def case_whole_interface_flushed():
    with Lab() as lab:
        node, sniffer, vipd = start(lab)
        mark = vipd.log.mark()
        node.ip("addr", "flush", "dev", "ens160")
        vipd.log.wait(r"Active -> Initialize: .*address", 5, mark)
        frames = sniffer.mark()
        node.ip("addr", "add", conf.NODE1, "dev", "ens160")
        vipd.wait_state("Active", 5, mark)
        node.wait_has(conf.VIP, 5)
        sniffer.wait(lambda f: is_advert(f, "n1"), 5, "an advert", frames)
        equal(len(vipd.transitions(mark)), 3, "transitions")


@limits(timeout=40)
def case_address_changes_while_active():
    with Lab() as lab:
        node, sniffer, vipd = start(lab)
        node.ip("addr", "add", "10.10.201.130/23", "dev", "ens160")
        mark = sniffer.mark()
        node.ip("addr", "del", conf.NODE1, "dev", "ens160")
        # The first address was the source; its /23 sibling goes with it or takes its place.
        node.ip("addr", "replace", "10.10.201.130/23", "dev", "ens160")
        sniffer.wait(lambda f: is_advert(f, "n1") and f.src == "10.10.201.130", 10,
                     "adverts from the address that is left", mark)
        node.wait_has(conf.VIP, 10)


@limits(timeout=40)
def case_interface_absent_at_start_is_waited_for():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node, conf.instance(iface="late0"))
        vipd.log.wait(r"late0.*does not exist", 5)
        lab.plug(node, "late0", "n1-late")
        node.ip("addr", "add", "10.10.201.104/23", "dev", "late0")
        vipd.wait_state("Active", 10)
        equal(node.wait_has(conf.VIP, 5)["dev"], "late0", "where the address is")
        sniffer.wait(lambda f: is_advert(f, "n1-late"), 5, "an advert out of late0")
        equal(len(vipd.log.matches("does not exist")), 1, "lines about the absent interface")


@limits(timeout=40)
def case_interface_down_at_start_is_waited_for():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        node.link("down")
        vipd = Vipd(node, conf.instance())
        vipd.log.wait(r"ens160.*(down|carrier)", 5)
        node.link("up")
        vipd.wait_state("Active", 10)
        node.wait_has(conf.VIP, 5)
        equal(len(vipd.log.matches(r"is down")), 1, "lines about the interface that is down")


@each("link", "cable")
@limits(timeout=40)
def case_interface_goes_down_and_up(what):
    with Lab() as lab:
        node, sniffer, vipd = start(lab)
        for _ in range(2):
            mark = vipd.log.mark()
            getattr(node, what)("down")
            vipd.log.wait(r"Active -> Initialize: .*ens160.*(down|carrier)", 5, mark)
            node.wait_lacks(conf.VIP, 5)
            getattr(node, what)("up")
            vipd.wait_state("Active", 10, mark)
            node.wait_has(conf.VIP, 5)
            equal(len(vipd.transitions(mark)), 3, "transitions")
        sniffer.wait(lambda f: is_advert(f, "n1"), 5, "an advert", sniffer.mark())


@limits(timeout=40)
def case_interface_deleted_and_made_again():
    with Lab() as lab:
        node, sniffer, vipd = start(lab)
        client = lab.node("client", conf.CLIENT)
        for _ in range(2):
            old, mark = node.ifindex(), vipd.log.mark()
            node.ip("link", "del", "ens160")
            vipd.log.wait(r"Active -> Initialize: .*ens160", 5, mark)
            lab.plug(node, "ens160", "n1")
            node.ip("addr", "add", conf.NODE1, "dev", "ens160")
            check(node.ifindex() != old, "the index is the old one: the case shows nothing")
            vipd.wait_state("Active", 10, mark)
            node.wait_has(conf.VIP, 5)
            sniffer.wait_count(lambda f: is_advert(f, "n1"), 3, 5, "adverts", sniffer.mark())
            equal(len([t for t in vipd.transitions(mark) if "-> Active" in t]), 1, "takeovers")
        ping = Pinger(client, conf.VIP)
        ping.wait_answer(10)
        ping.stop()
        # It hears on the new one too.
        mallory = lab.node("mallory", conf.NODE2)
        body = wire.vrrp3(50, 200, [conf.VIP], mallory.address, interval_cs=10)
        Injector(mallory).send(wire.ethernet(wire.ipv4(body, mallory.address), mallory.mac()))
        vipd.wait_state("Backup", 5)


@limits(timeout=90)
def case_kill9_leftovers_go_even_when_the_config_forgot_them():
    with Lab() as lab:
        node, _, vipd = start(lab)
        vipd.kill9()
        check(node.has(conf.VIP), "the kernel must still hold the address")
        again = Vipd(node, conf.instance(vips=["10.10.201.140"]), name="again")
        again.wait_state("Active", 5)
        node.wait_has("10.10.201.140", 5)
        node.wait_lacks(conf.VIP, 5)
        again.terminate()
        equal([a["local"] for a in node.addresses("ens160")], ["10.10.201.102"], "addresses at the end")


def storm(lab, node, count):
    """Adds and deletes an address `count` times as fast as `ip -batch` can."""
    lines = "addr add 198.51.100.1/32 dev lo\naddr del 198.51.100.1/32 dev lo\n" * count
    path = lab.file("storm.batch", lines)
    return node.popen("storm", ["ip", "-force", "-batch", path])


@limits(timeout=60)
def case_storm_of_events_while_running():
    with Lab() as lab:
        node, sniffer, vipd = start(lab)
        mark, frames = vipd.log.mark(), sniffer.mark()
        flood = storm(lab, node, 20_000)
        for _ in range(3):
            node.ip("addr", "del", f"{conf.VIP}/32", "dev", "ens160")
            node.wait_has(conf.VIP, 15)
        equal(flood.wait(60), 0, "exit code of the storm")
        node.wait_has(conf.VIP, 15)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 5, 5, "adverts after the storm", sniffer.mark())
        equal(vipd.transitions(mark), [], "transitions")
        equal({f.priority for f in sniffer.adverts("n1", frames)}, {100}, "priorities")


@each("address", "interface")
@limits(timeout=60)
def case_overrun_netlink_is_reconciled(what):
    """The daemon stands still (SIGSTOP) until its event socket is full, and then misses a change."""
    with Lab() as lab:
        node, sniffer, vipd = start(lab)
        mark = vipd.log.mark()
        vipd.proc.signal(signal.SIGSTOP)
        try:
            equal(storm(lab, node, 40_000).wait(60), 0, "exit code of the storm")
            if what == "address":
                node.ip("addr", "del", f"{conf.VIP}/32", "dev", "ens160")
            else:
                node.ip("link", "del", "ens160")
                lab.plug(node, "ens160", "n1")
                node.ip("addr", "add", conf.NODE1, "dev", "ens160")
            check(not node.has(conf.VIP), "the address is still there: the case shows nothing")
            frames = sniffer.mark()
        finally:
            vipd.proc.signal(signal.SIGCONT)
        node.wait_has(conf.VIP, 15)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 5, 10, "adverts after the standstill", frames)
        check(len(vipd.log.lines) - mark < 12, "a flood of log lines after the overrun")
