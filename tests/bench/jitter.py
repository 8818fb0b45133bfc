#!/usr/bin/env python3
"""The gaps between an Active's adverts at 10 ms: their mean, spread, shortest and longest."""

import statistics

from lib import conf
from lib.capture import Capture
from lib.daemon import Daemon
from lib.lab import Lab
from lib.program import alternate, main
from lib.report import Row
from lib.stats import number, percentile

TITLE = "Interval at 10 ms"
INTERVAL = 10_000
EXACT = 0.001


def gaps(lab, kind, count):
    """`count` gaps in ms, after the first second."""
    with Capture(lab, "c", "eth0") as capture, Daemon(lab, "a", kind, conf.instances(1, 200, INTERVAL)) as daemon:
        capture.wait_all_active(conf.A, 1, 30)
        daemon.settle((count + 120) * INTERVAL * 1.03 / 1e6)
        times = [f.at for f in capture.adverts(conf.A)]
    return [(b - a) / 1e6 for a, b in zip(times, times[1:])][100:100 + count]


def measure(chosen):
    """Rows of all gaps of a daemon together."""
    rounds, count = (2, 500) if chosen.quick else (10, 1000)
    with Lab() as lab:
        lab.node("a")
        lab.node("c")
        lab.wire("a", "eth0", f"{conf.A}/16", "c", "eth0", f"{conf.C}/16")
        blocks = alternate(rounds, chosen, lambda kind: gaps(lab, kind, count))
    wanted = INTERVAL / 1000
    out = []
    for word, of in (("mean", statistics.fmean), ("standard deviation", statistics.pstdev), ("shortest", min),
                     ("p99", lambda v: percentile(v, 99)), ("longest", max)):
        row = Row(f"{word} of {rounds * count:,} gaps", "ms")
        for kind, samples in blocks.items():
            if samples:
                setattr(row, kind, of([gap for block in samples for gap in block]))
                means = [of(block) for block in samples]
                row.noise += f"{kind} {number3(min(means))}–{number3(max(means))} " if rounds > 1 else ""
        if word == "mean" and row.vipd is not None:
            row.target, row.met = "10.00 ± 0.1 %", abs(row.vipd - wanted) <= EXACT * wanted
        row.other = ", ".join(f"{k} {number3(v)}" for k in ("vipd", "keepalived")
                              if (v := getattr(row, k)) is not None) if word == "mean" else ""
        out.append(row)
    return out


def number3(value):
    """With the digits that a mean needs."""
    return f"{value:.4f}" if value > 1 else number(value)


if __name__ == "__main__":
    main("jitter", TITLE, measure)
