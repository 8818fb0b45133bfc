"""Counts and order of adverts at 10 ms: an absolute grid, nobody early."""

import math
from collections import deque

from lib import conf
from lib.check import check, each, equal, limits
from lib.lab import Lab
from lib.pair import STAMP_S, down_s, not_early
from lib.sniffer import is_advert
from lib.vipd import Vipd

INTERVAL_S = 0.01
COUNT = 500
# How far the grid that the second half shows may lie from the first half's: keepalived's drifts by 45 ms.
DRIFT_S = 0.001


def lateness(times):
    """How long after its point of the grid each advert came, from the first one that was not late itself.

    The point is the last one that has passed on the grid which the promptest of the adverts just before shows: it
    follows a drift, and a machine that stood still has skipped points.
    """
    gaps = [after - before for before, after in zip(times, times[1:])]
    prompt = [abs(gap - INTERVAL_S) < DRIFT_S / 4 for gap in gaps]
    start = next((i for i in range(len(gaps) - 1) if prompt[i] and prompt[i + 1]), None)
    check(start is not None, f"no three adverts came {INTERVAL_S} s apart")
    late, recent = [], deque([0.0], maxlen=20)
    for at in times[start:]:
        since = at - times[start]
        point = math.floor((since - min(recent) + DRIFT_S / 2) / INTERVAL_S)
        late.append(since - point * INTERVAL_S)
        recent.append(late[-1])
    return late


@each("ipv4", "ipv6")
@limits(timeout=60, alone=True)
def case_500_adverts_at_10_ms_stay_on_their_grid(family):
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        node.link_local()
        vipd = Vipd(node, conf.instance(advert_int=0.01, vips=conf.VIPS6 if family == "ipv6" else (conf.VIP,)))
        vipd.wait_state("Active", 5)
        adverts = sniffer.wait_count(lambda f: is_advert(f, "n1"), COUNT, 30, f"{COUNT} adverts", sniffer.mark())
        late = lateness([advert.at for advert in adverts])
        # A point of the grid lies where the promptest advert was; no other may come before it.
        half = len(late) // 2
        first, second = min(late[:half]), min(late[half:])
        check(second >= first - DRIFT_S, f"adverts came {first - second:.6f} s before their grid")
        check(second <= first + DRIFT_S, f"the grid drifted by {second - first:.6f} s in {half} adverts")
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
        # Where the machine stood still for that long, the Backup is to take over.
        for advert in sniffer.adverts("n2"):
            silence = advert.at - max(f.at for f in sniffer.adverts("n1") if f.at < advert.at)
            check(silence >= down_s(3, 100, INTERVAL_S) - STAMP_S, f"the Backup advertised after {silence:.6f} s")
        mark = sniffer.mark()
        first.kill9()
        second.wait_state("Active", 5)
        sniffer.wait(lambda f: is_advert(f, "n2"), 5, "the heir's first advert", mark)
        not_early(sniffer, "n1", "n2", mark, 3, 100, INTERVAL_S)
