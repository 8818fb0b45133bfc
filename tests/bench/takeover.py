#!/usr/bin/env python3
"""How long after Active_Down_Interval the first advert of the new Active is on the wire.

A rival (c/rival.c) sends adverts and falls silent, again and again; from its last advert on the wire to
the router's first one is Active_Down_Interval as the RFC computes it, and the delay that is shown. The
floor is c/floor.c, that does nothing but wait on a timerfd and call sendto. All in the same wires, in
turns; at 1 s, where a round takes 3.6 s, side by side with their phases random.
"""

import subprocess

from lib import conf
from lib.daemon import Daemon
from lib.error import BenchError
from lib.lab import Lab
from lib.program import kinds, main, note
from lib.report import Row
from lib.stats import median, number, percentile
from lib.tools import tool

TITLE = "Takeover: delay beyond Active_Down_Interval"
PRIORITY, RIVAL, VRID = 100, 200, 7
WORSE_THAN_FLOOR = 1.5


class Contender:
    """The floor or a daemon at one end of its own wire, the rival at the other."""

    def __init__(self, lab, kind, interval_us):
        self.lab, self.kind, self.interval = lab, kind, interval_us
        self.node, self.far = f"{kind}-n", f"{kind}-r"
        lab.node(self.node)
        lab.node(self.far)
        lab.wire(self.node, "eth0", f"{conf.A}/16", self.far, "eth0", f"{conf.C}/16")
        self.gaps, self.early = [], 0

    def __enter__(self):
        version = conf.version(self.interval)
        if self.kind == "floor":
            self.daemon = None
            self.lab.start(self.node, [tool("floor"), "eth0", version, self.interval, VRID, PRIORITY, conf.A, conf.NET])
        else:
            text = conf.instances(1, PRIORITY, self.interval, first=VRID)
            self.daemon = Daemon(self.lab, self.node, self.kind, text)
        self.rival(1, "down").communicate(timeout=60)  # warm-up, and proof that it listens
        return self

    def __exit__(self, *_):
        if self.daemon:
            self.daemon.kill9()

    def rival(self, rounds, mode):
        """Starts `rounds` rounds."""
        argv = [tool("rival"), "eth0", conf.version(self.interval), self.interval, VRID, RIVAL, conf.C, conf.NET,
                rounds, mode, 10 * self.interval // 1000 + 10_000]
        return self.lab.start(self.far, argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def collect(self, proc, mode, rounds):
        """Waits for the rounds and keeps their delays in ms."""
        out, err = proc.communicate(timeout=60 + rounds * 10 * self.interval / 1e6)
        if proc.returncode != 0:
            raise BenchError(f"{self.kind} at {conf.named(self.interval)}: {err.strip()}")
        wait = (conf.skew_ns if mode == "zero" else conf.down_ns)(PRIORITY, self.interval)
        self.gaps += [(int(line) - wait) / 1e6 for line in out.split()]


def run(interval_us, blocks, rounds, chosen, mode="down"):
    """The delays of floor and daemons in ms."""
    with Lab() as lab:
        contenders = [Contender(lab, kind, interval_us) for kind in ("floor", *kinds(chosen))]
        for contender in contenders:
            contender.__enter__()
        for block in range(blocks):
            order = contenders[block % len(contenders):] + contenders[:block % len(contenders)]
            if interval_us >= 1_000_000:
                procs = [(c, c.rival(rounds, mode)) for c in order]
                for contender, proc in procs:
                    contender.collect(proc, mode, rounds)
            else:
                for contender in order:
                    contender.collect(contender.rival(rounds, mode), mode, rounds)
        return {c.kind: c.gaps for c in contenders}


def rows(name, delays, target=True):
    """Median, p99 and maximum; the floor beside them."""
    out = []
    floor = delays["floor"]
    for word, of in (("median", median), ("p99", lambda v: percentile(v, 99)), ("max", max)):
        row = Row(f"{name}, {word} of {len(floor)}", "ms", other=f"floor {number(of(floor))} ms")
        for kind in ("vipd", "keepalived"):
            if kind in delays:
                setattr(row, kind, of(delays[kind]))
        if row.vipd is not None and row.keepalived:
            row.ratio = row.vipd / row.keepalived
        if word == "median":
            low, high = percentile(floor, 25), percentile(floor, 75)
            row.noise = f"floor's quartiles {number(low)}–{number(high)} ms"
            if target and row.vipd is not None:
                row.target, row.met = f"≤ {WORSE_THAN_FLOOR} × floor", row.vipd <= WORSE_THAN_FLOOR * of(floor)
        out.append(row)
    for kind in kinds_in(delays):
        early = min(delays[kind])
        if early < 0:
            note(f"{name}: {kind} was early by up to {-early:.3f} ms")
    return out


def kinds_in(delays):
    """The daemons that were measured."""
    return [kind for kind in ("vipd", "keepalived") if kind in delays]


def measure(chosen):
    """Rows for the three intervals."""
    plan = {1_000_000: (1, 5), 100_000: (2, 5), 10_000: (4, 25)} if chosen.quick else \
           {1_000_000: (1, 50), 100_000: (10, 10), 10_000: (20, 50)}
    out = []
    for interval, (blocks, rounds) in plan.items():
        out += rows(f"takeover at {conf.named(interval)}", run(interval, blocks, rounds, chosen))
    return out


if __name__ == "__main__":
    main("takeover", TITLE, measure)
