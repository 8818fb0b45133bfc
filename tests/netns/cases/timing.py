"""Counts and order of adverts at 10 ms: an absolute grid, nobody early."""

import math

from lib import conf
from lib.check import check, each, equal, limits
from lib.lab import Lab
from lib.pair import not_early
from lib.sniffer import is_advert
from lib.vipd import Vipd

INTERVAL_S = 0.01
COUNT = 500
# Virtual routers of one router, which advertises for all of them at once.
CROWD = 64
# How far the grid that the second half shows may lie from the first half's: keepalived's drifts by 45 ms.
DRIFT_S = 0.001


@each("ipv4", "ipv6")
@limits(timeout=60, alone=True)
def case_500_adverts_at_10_ms_stay_on_their_grid(family):
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        node.link_local()
        vipd = Vipd(node, conf.instance(advert_int=0.01, vips=conf.VIPS6 if family == "ipv6" else (conf.VIP,)))
        vipd.wait_state("Active", 5)
        adverts = sniffer.wait_count(lambda f: is_advert(f, "n1"), COUNT, 30, f"{COUNT} adverts", sniffer.mark())
        late, point = [], 0
        for before, advert in zip([adverts[0], *adverts], adverts):
            # A machine that stood still for two intervals and more has skipped points of the grid.
            point += max(1, math.floor((advert.at - before.at) / INTERVAL_S))
            late.append(advert.at - adverts[0].at - (point - 1) * INTERVAL_S)
        # A point of the grid lies where the promptest advert was; no other may come before it.
        first, second = min(late[:COUNT // 2]), min(late[COUNT // 2:])
        check(second >= first - DRIFT_S, f"adverts came {first - second:.6f} s before their grid")
        check(second <= first + DRIFT_S, f"the grid drifted by {second - first:.6f} s in {COUNT // 2} adverts")
        equal({f.interval_ms for f in adverts}, {10}, "the interval in the adverts")


@limits(timeout=60, alone=True)
def case_backup_at_10_ms_neither_flaps_nor_is_early():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        first = Vipd(node1, conf.instance(priority=200, advert_int=0.01))
        first.wait_state("Active", 5)
        second = Vipd(node2, conf.instance(priority=100, advert_int=0.01))
        second.wait_state("Backup", 5)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), COUNT, 30, f"{COUNT} adverts", sniffer.mark())
        equal(sniffer.adverts("n2"), [], "adverts of the Backup")
        mark = sniffer.mark()
        first.kill9()
        second.wait_state("Active", 5)
        sniffer.wait(lambda f: is_advert(f, "n2"), 5, "the heir's first advert", mark)
        not_early(sniffer, "n1", "n2", mark, 3, 100, INTERVAL_S)


@limits(timeout=60, alone=True)
def case_adverts_that_come_in_crowds_share_a_wakeup():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()

        def text(priority):
            return "".join(conf.instance(f"VI_{i}", vrid=i, priority=priority, vips=[f"10.10.200.{i}"])
                           for i in range(1, CROWD + 1))

        first = Vipd(node1, text(200))
        first.log.wait_count("-> Active", CROWD, 15)
        second = Vipd(node2, text(100))
        second.log.wait_count("-> Backup", CROWD, 15)
        wakeups, mark = voluntary_switches(second), sniffer.mark()
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 20 * CROWD, 15, "adverts", mark)
        wakeups, adverts = voluntary_switches(second) - wakeups, len(sniffer.adverts("n1", mark))
        print(f"{wakeups} wakeups for {adverts} adverts")
        # Some 190 of 1,280; where each advert wakes the Backup that is asleep by then, they are 450 and more.
        check(wakeups <= adverts / 4, f"{wakeups} wakeups for {adverts} adverts")
        equal(sniffer.adverts("n2"), [], "adverts of the Backup")


def voluntary_switches(vipd):
    """How often it has gone to sleep."""
    with open(f"/proc/{vipd.proc.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))
