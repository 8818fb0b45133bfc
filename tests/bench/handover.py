#!/usr/bin/env python3
"""A graceful hand-over: SIGTERM, the advert with priority 0, the other router's first advert.

Two parts. The rival of takeover.py sends priority 0 and the Backup's first advert is awaited: the delay
beyond Skew_Time. And two daemons of a kind on one wire, the Active of which is told to end: from the
signal to its priority 0, and from there, less Skew_Time, to the other's first advert.
"""

import signal

from lib import conf
from lib.capture import Capture, now_ns
from lib.daemon import Daemon
from lib.lab import Lab
from lib.program import alternate, main
from lib.report import versus
from takeover import rows as delay_rows
from takeover import run as delays

TITLE = "Graceful hand-over"
INTERVAL, HIGH, LOW = 100_000, 200, 100


def pair(lab, kind):
    """(ms from SIGTERM to priority 0, ms from there to the other's advert beyond Skew_Time)."""
    with Capture(lab, "b", "eth0") as capture, \
            Daemon(lab, "a", kind, conf.instances(1, HIGH, INTERVAL)) as high, \
            Daemon(lab, "b", kind, conf.instances(1, LOW, INTERVAL)) as low:
        capture.wait_all_active(conf.A, 1, 30)
        since = now_ns()
        capture.wait(lambda: len(capture.adverts(conf.A, since)) > 10, 10, "a quiet Active")
        asked = now_ns()
        high.proc.send_signal(signal.SIGTERM)
        heir = capture.wait(lambda: capture.adverts(conf.B, asked), 10, "the heir's advert")[0]
        low.check()
        zero = next(f for f in capture.adverts(conf.A, asked) if f.priority == 0)
        high.proc.wait(30)
    return (zero.at - asked) / 1e6, (heir.at - zero.at - conf.skew_ns(LOW, INTERVAL)) / 1e6


def measure(chosen):
    """Rows of both parts."""
    blocks = (2, 5) if chosen.quick else (10, 20)
    out = delay_rows("priority 0 to first advert at 100 ms, beyond Skew_Time",
                     delays(INTERVAL, *blocks, chosen, "zero"))
    with Lab() as lab:
        lab.node("a")
        lab.node("b")
        lab.wire("a", "eth0", f"{conf.A}/16", "b", "eth0", f"{conf.B}/16")
        pairs = alternate(2 if chosen.quick else 10, chosen, lambda kind: pair(lab, kind))
    for index, what in enumerate(("SIGTERM to priority 0", "pair of a kind: beyond Skew_Time")):
        out.append(versus(what, "ms", *([p[index] for p in pairs[kind]] for kind in ("vipd", "keepalived"))))
    return out


if __name__ == "__main__":
    main("handover", TITLE, measure)
