#!/usr/bin/env python3
"""System calls (strace -c) and user-space instructions (callgrind) for each advert sent and received.

Instructions: the same run in two lengths, and the difference of the counts divided by the difference in
adverts, so that start and stop fall out. Nothing here depends on the clock, nor much on the machine.
"""

import os
import re
import signal
import subprocess

from lib import conf
from lib.capture import Capture, in_window, now_ns
from lib.daemon import Daemon
from lib.error import BenchError
from lib.lab import Lab
from lib.program import alternate, main
from lib.report import versus
from lib.tools import need, tool

TITLE = "Work for each advert"
PART = 1 / 2
HIGH, LOW = 200, 100
# Seconds after which a daemon under valgrind has started and all that follows a change of state is over.
START = 6
# Valgrind makes system calls of its own, which vipd's filter would not let pass: prctl(2), which sets it, does nothing.
UNCONFINED = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=prctl", "-e", "inject=prctl:retval=0"]


def with_chorus(lab, role, count, interval, way="burst"):
    """The Active that a Backup listens to, or None."""
    if role == "sent":
        return None
    return lab.start("c", [tool("chorus"), "eth0", conf.version(interval), interval, count, HIGH, conf.C, conf.NET, way],
                     stdout=subprocess.DEVNULL)


def system_calls(lab, kind, role, count, interval, seconds):
    """Calls of all processes for each advert in a window."""
    chorus = with_chorus(lab, role, count, interval)
    source = conf.A if role == "sent" else conf.C
    text = conf.instances(count, HIGH if role == "sent" else LOW, interval, quiet=True)
    try:
        with Capture(lab, "c", "eth0") as capture, Daemon(lab, "a", kind, text) as daemon:
            capture.wait_all_active(source, count, 30)
            daemon.settle(2)
            summary = lab.file("strace", "")
            pids = [word for pid in daemon.pids() for word in ("-p", str(pid))]
            tracer = lab.start("a", [need("strace"), "-f", "-c", "-o", summary, *pids], stderr=subprocess.PIPE)
            for _ in daemon.pids():
                tracer.stderr.readline()  # "Process N attached"
            start = now_ns()
            daemon.settle(seconds)
            end = now_ns()
            tracer.send_signal(signal.SIGINT)
            tracer.wait(10)
            adverts = len(in_window(capture.adverts(source), start, end))
    finally:
        if chorus:
            chorus.kill()
            chorus.wait()
    with open(summary, encoding="utf-8") as file:
        total = re.search(r"^100\.00\s+\S+\s+\S*\s+(\d+)\s.*total$", file.read(), re.M)
    if not total or not adverts:
        raise BenchError(f"strace of {kind}: no total in its summary, or no adverts")
    return int(total.group(1)) / adverts


def instructions(lab, kind, role, count, interval, seconds):
    """Instructions of all processes for each advert."""
    short, long = (counted(lab, kind, role, count, interval, s) for s in (START, START + seconds))
    return (long[0] - short[0]) / (long[1] - short[1])


def counted(lab, kind, role, count, interval, seconds):
    """(instructions, adverts) of a run of some seconds, valgrind's own start included."""
    out = lab.file("callgrind", "")
    wrapper = [*UNCONFINED, need("valgrind"), "--tool=callgrind", "--trace-children=yes",
               f"--callgrind-out-file={out}.%p", "-q"]
    source = conf.A if role == "sent" else conf.C
    text = conf.instances(count, HIGH if role == "sent" else LOW, interval, quiet=True)
    chorus = with_chorus(lab, role, count, interval)
    try:
        with Capture(lab, "c", "eth0") as capture, Daemon(lab, "a", kind, text, wrapper, clock=True) as daemon:
            capture.wait_all_active(source, count, 60)
            daemon.settle(seconds - (now_ns() - daemon.proc.started) / 1e9)
            end = now_ns()
            daemon.terminate(60)
            passed = len(in_window(capture.adverts(source), daemon.proc.started, end))
    finally:
        if chorus:
            chorus.kill()
            chorus.wait()
    total = 0
    for name in os.listdir(lab.dir):
        if name.startswith(os.path.basename(out) + "."):
            with open(os.path.join(lab.dir, name), encoding="utf-8") as file:
                found = re.search(r"^totals: (\d+)", file.read(), re.M)
            total += int(found.group(1)) if found else 0
    if not total:
        raise BenchError(f"callgrind of {kind} counted nothing")
    return total, passed


def measure(chosen):
    """Rows for sent and received, 1 and 255 instances."""
    out = []
    seconds = 4 if chosen.quick else 20
    with Lab() as lab:
        lab.node("a")
        lab.node("c")
        lab.wire("a", "eth0", f"{conf.A}/16", "c", "eth0", f"{conf.C}/16")
        for role in ("sent", "received"):
            for count, interval in ((1, 10_000), (255, 100_000)):
                name = f"an advert {role}, {count} × {conf.named(interval)}"
                calls = alternate(1, chosen, lambda kind: system_calls(lab, kind, role, count, interval, seconds))
                out.append(versus(f"system calls for {name}", "", calls["vipd"], calls["keepalived"]))
                work = alternate(1, chosen, lambda kind: instructions(lab, kind, role, count, interval, seconds))
                out.append(versus(f"instructions for {name}", "", work["vipd"], work["keepalived"], PART))
    return out


if __name__ == "__main__":
    main("calls", TITLE, measure)
