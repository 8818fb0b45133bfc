#!/usr/bin/env python3
"""From exec to the first advert with priority 255, to those of 255 instances, and the system calls until then."""

import re

from lib import conf
from lib.capture import Capture
from lib.daemon import Daemon
from lib.lab import Lab
from lib.program import alternate, main
from lib.report import versus
from lib.tools import need

TITLE = "Start to the first advert, priority 255"
INTERVAL = 1_000_000
PART, CALLS = 1 / 8, 150


def start(lab, kind, count, wrapper=()):
    """A daemon of `count` owners, from exec on: (the daemon's start in ns, times of first adverts, the daemon)."""
    with Capture(lab, "c", "eth0") as capture:
        text = conf.instances(count, 255, INTERVAL).replace("state BACKUP", "state MASTER")
        with Daemon(lab, "a", kind, text, wrapper, clock=True) as daemon:
            capture.wait_all_active(conf.A, count, 60)
            daemon.check()
        firsts = {}
        for frame in capture.adverts(conf.A):
            firsts.setdefault(frame.vrid, frame.at)
    return daemon.proc.started, sorted(firsts.values())


def milliseconds(lab, kind, count):
    """To the last of the `count` first adverts."""
    started, firsts = start(lab, kind, count)
    return (firsts[-1] - started) / 1e6


def system_calls(lab, kind, count):
    """Calls that began before the advert was on the wire, of all processes, execve included."""
    trace = lab.file("strace", "")
    _, firsts = start(lab, kind, count, [need("strace"), "-f", "-qq", "-ttt", "-o", trace])
    calls = 0
    with open(trace, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            found = re.match(r"\d+ +(\d+\.\d+) (\w+\(|<\.\.\. |\+\+\+|---)", line)
            if found and found.group(2).endswith("(") and float(found.group(1)) * 1e9 <= firsts[-1]:
                calls += 1
    return calls


def measure(chosen):
    """Rows for 1 and 255 instances."""
    out = []
    with Lab() as lab:
        lab.node("a")
        lab.node("c")
        lab.wire("a", "eth0", f"{conf.A}/16", "c", "eth0", f"{conf.C}/16")
        for count in (1, 255):
            rounds = (3 if chosen.quick else 20) if count == 1 else (2 if chosen.quick else 10)
            word = "first advert" if count == 1 else "255 adverts"
            times = alternate(rounds, chosen, lambda kind: milliseconds(lab, kind, count))
            out.append(versus(f"exec to {word}", "ms", times["vipd"], times["keepalived"],
                              PART if count == 1 else None))
            calls = alternate(1 if chosen.quick else 3, chosen, lambda kind: system_calls(lab, kind, count))
            row = versus(f"system calls until then ({word})", "", calls["vipd"], calls["keepalived"])
            if count == 1 and row.vipd is not None:
                row.target, row.met = f"≤ {CALLS}", row.vipd <= CALLS
            out.append(row)
    return out


if __name__ == "__main__":
    main("start", TITLE, measure)
