#!/usr/bin/env python3
"""255 virtual routers at 10 ms for 30 s, Active and Backup of a kind: adverts a second, and flaps."""

from lib import conf
from lib.capture import Capture, in_window, now_ns
from lib.daemon import Daemon
from lib.lab import Lab
from lib.program import alternate, main
from lib.report import versus

TITLE = "255 virtual routers at 10 ms"
COUNT, INTERVAL, HIGH, LOW = 255, 10_000, 200, 100


def pair(lab, kind, seconds):
    """(adverts a second of the Active, adverts of the Backup, that should send none)."""
    with Capture(lab, "b", "eth0") as capture, \
            Daemon(lab, "a", kind, conf.instances(COUNT, HIGH, INTERVAL, quiet=True)) as high:
        capture.wait_all_active(conf.A, COUNT, 60)
        with Daemon(lab, "b", kind, conf.instances(COUNT, LOW, INTERVAL, quiet=True)) as low:
            low.settle(3)
            start = now_ns()
            low.settle(seconds)
            end = now_ns()
            high.check()
            sent = in_window(capture.adverts(conf.A), start, end)
            flaps = in_window(capture.adverts(conf.B), start, end)
    return len(sent) / (end - start) * 1e9, len(flaps)


def measure(chosen):
    """Rows for both."""
    seconds = 5 if chosen.quick else 30
    with Lab() as lab:
        lab.node("a")
        lab.node("b")
        lab.wire("a", "eth0", f"{conf.A}/16", "b", "eth0", f"{conf.B}/16")
        samples = alternate(1 if chosen.quick else 3, chosen, lambda kind: pair(lab, kind, seconds))
    values = [{kind: [s[i] for s in found] for kind, found in samples.items()} for i in (0, 1)]
    rate = versus(f"adverts a second for {seconds} s (25,500 wanted)", "", values[0]["vipd"], values[0]["keepalived"])
    flaps = versus("adverts of the Backup meanwhile", "", values[1]["vipd"], values[1]["keepalived"])
    if flaps.vipd is not None:
        flaps.target, flaps.met = "0", max(values[1]["vipd"]) == 0
    return [rate, flaps]


if __name__ == "__main__":
    main("endurance", TITLE, measure)
