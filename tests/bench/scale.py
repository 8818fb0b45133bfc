#!/usr/bin/env python3
"""What 1, 16, 64 and 255 virtual routers cost at 1 s, 100 ms and 10 ms.

CPU seconds a minute (schedstat, all processes of a daemon) as Active, as Backup of an Active that sends
all adverts of an interval together, and at the top also one that spreads them; the adverts an Active
sends; RssAnon and distinct physical pages.
"""

import subprocess

from lib import conf, memory
from lib.capture import Capture, in_window, now_ns
from lib.daemon import Daemon
from lib.error import BenchError
from lib.lab import Lab
from lib.program import alternate, main, note
from lib.report import versus
from lib.stats import median, number
from lib.tools import tool

TITLE = "Scale"
COUNTS = (1, 16, 64, 255)
CPU_PART, ANON_PART, PAGES_PART = 1 / 2, 1 / 10, 1 / 8
HIGH, LOW = 200, 100
# What follows a change of state (announcements again after a second) has passed by then.
SETTLE = 1.5


class Sample:
    """One daemon in one role: CPU seconds a minute, adverts a second, and its memory in bytes."""

    def __init__(self, daemon, capture, source, seconds):
        start, cpu = now_ns(), daemon.cpu_ns()
        daemon.settle(seconds)
        spent, end = daemon.cpu_ns() - cpu, now_ns()
        elapsed = (end - start) / 1e9
        self.cpu = spent / 1e9 / elapsed * 60
        self.adverts = len(in_window(capture.adverts(source), start, end)) / elapsed
        self.anon, self.pages = memory.rss_anon(daemon.pids()), memory.distinct(daemon.pids())


def active(lab, kind, count, interval, seconds):
    """The daemon as Active, alone."""
    text = conf.instances(count, HIGH, interval, quiet=True)
    with Capture(lab, "c", "eth0") as capture, Daemon(lab, "a", kind, text) as daemon:
        capture.wait_all_active(conf.A, count, 60)
        daemon.settle(SETTLE)
        return Sample(daemon, capture, conf.A, seconds)


def backup(lab, kind, count, interval, seconds, way="burst"):
    """The daemon as Backup, listening to c/chorus.c."""
    argv = [tool("chorus"), "eth0", conf.version(interval), interval, count, HIGH, conf.C, conf.NET, way]
    chorus = lab.start("c", argv, stdout=subprocess.DEVNULL)
    try:
        text = conf.instances(count, LOW, interval, quiet=True)
        with Capture(lab, "c", "eth0") as capture, Daemon(lab, "a", kind, text) as daemon:
            capture.wait_all_active(conf.C, count, 10)
            daemon.settle(SETTLE + 4 * interval / 1e6)
            sample = Sample(daemon, capture, conf.C, seconds)
            start = now_ns() - int(seconds * 1e9)
            flaps = [f for f in capture.adverts(conf.A, start) if f.priority]
    finally:
        chorus.kill()
        chorus.wait()
    if flaps:
        note(f"{kind} with {count} at {conf.named(interval)}, {way}: a Backup sent {len(flaps)} adverts")
    return sample


def role(out, name, count, interval, rounds, chosen, sample):
    """The row of one role; the samples too."""
    samples = alternate(rounds, chosen, sample)
    at_most = CPU_PART if (count, interval) == (255, 10_000) else None
    cpu = {kind: [s.cpu for s in found] for kind, found in samples.items()}
    rate = ", ".join(f"{kind} {number(median([s.adverts for s in found]))}" for kind, found in samples.items() if found)
    out.append(versus(f"{name}, {count} × {conf.named(interval)}", "s/min", cpu["vipd"], cpu["keepalived"], at_most,
                      f"adverts/s: {rate}"))
    return samples


def memory_rows(out, count, samples):
    """RssAnon and distinct pages of the Active."""
    for word, field, part in (("RssAnon", "anon", ANON_PART), ("distinct pages", "pages", PAGES_PART)):
        values = {kind: [getattr(s, field) / 1024 for s in found] for kind, found in samples.items()}
        out.append(versus(f"{word}, {count} as Active", "kB", values["vipd"], values["keepalived"], part))


def cells(chosen):
    """(instances, interval) pairs."""
    if chosen.quick:
        return [(1, 1_000_000), (255, 1_000_000), (1, 10_000), (255, 10_000)]
    return [(count, interval) for interval in conf.INTERVALS_US for count in COUNTS]


def measure(chosen):
    """All cells, and the memory at 1 s."""
    seconds, rounds = (3, 1) if chosen.quick else (10, 3)
    out, held = [], []
    with Lab() as lab:
        lab.node("a")
        lab.node("c")
        lab.wire("a", "eth0", f"{conf.A}/16", "c", "eth0", f"{conf.C}/16")
        for count, interval in cells(chosen):
            samples = role(out, "CPU as Active", count, interval, rounds, chosen,
                           lambda kind: active(lab, kind, count, interval, seconds))
            role(out, "CPU as Backup", count, interval, rounds, chosen,
                 lambda kind: backup(lab, kind, count, interval, seconds))
            if (count, interval) == (255, 10_000):
                role(out, "CPU as Backup of a spread Active", count, interval, rounds, chosen,
                     lambda kind: backup(lab, kind, count, interval, seconds, "spread"))
            if interval == 1_000_000:
                memory_rows(held, count, samples)
    if not out:
        raise BenchError("nothing was measured")
    return out + held


if __name__ == "__main__":
    main("scale", TITLE, measure)
