#!/usr/bin/env python3
"""255 virtual routers: the Active dies, and their addresses move to the other router.

Client, Active and Backup stand at one bridge. The Active is killed with -9, and in the same moment its
port is taken off the bridge, as if it had lost its power. It is a daemon of the same kind, or
c/chorus.c, that sends all its adverts at once and so lets all 255 run out together. For each address:
from the last advert of its virtual router to the heir's first gratuitous ARP for it, which both daemons
send when the kernel has the address, less Active_Down_Interval, which nobody can be faster than.
Afterwards the client asks for all of them by ARP (c/probe.c), and all must answer; asking meanwhile
would cost the heir more than the move itself.
"""

import socket
import subprocess

from lib import conf
from lib.capture import Capture, now_ns
from lib.daemon import Daemon
from lib.lab import Lab, ip
from lib.program import alternate, main
from lib.report import versus
from lib.stats import median
from lib.tools import tool

TITLE = "255 addresses move after kill -9"
COUNT, HIGH, LOW = 255, 200, 100
PART = 1 / 3


def build(lab):
    """The client, whose namespace has the bridge, and the two routers."""
    for node in "abc":
        lab.node(node)
    lab.wire("a", "eth0", f"{conf.A}/16", "c", "pa", None)
    lab.wire("b", "eth0", f"{conf.B}/16", "c", "pb", None)
    lab.bridge("c", f"{conf.C}/16", "pa", "pb")


def move(lab, kind, interval, own_kind):
    """ms beyond Active_Down_Interval, one for each address."""
    ip("link", "set", "pa", "master", "br0", ns=lab.nodes["c"])
    heir = lab.mac("b", "eth0")
    with Capture(lab, "c", "br0", arp=True) as capture:
        dying = Dying(lab, kind if own_kind else None, interval)
        capture.wait_all_active(conf.A, COUNT, 60)
        with Daemon(lab, "b", kind, conf.instances(COUNT, LOW, interval)) as low:
            # The second round of gratuitous ARPs, five seconds after the takeover, is over by then.
            low.settle(7 if own_kind else 2)
            killed = now_ns()
            dying.kill9()
            ip("link", "set", "pa", "nomaster", ns=lab.nodes["c"])
            capture.wait(lambda: len(announced(capture, killed)) == COUNT, 30, f"{kind}'s gratuitous ARPs")
            lab.output("c", [tool("probe"), "br0", conf.C, conf.NET, COUNT, heir, 5_000], 20)
            low.check()
        dying.close()
        lasts = {f.vrid: f.at for f in capture.adverts(conf.A)}
        moved = announced(capture, killed)
    down = conf.down_ns(LOW, interval)
    return [(at - lasts[vrid] - down) / 1e6 for vrid, at in moved.items()]


def announced(capture, since):
    """The first ARP message of each VIP from a time on, by VRID."""
    net, firsts = socket.inet_aton(conf.NET)[:3], {}
    for frame in capture.frames(since=since):
        if frame.vrid == 0 and frame.source[:3] == net:
            firsts.setdefault(frame.source[3], frame.at)
    return firsts


class Dying:
    """The Active that is killed: a daemon, or the chorus if `kind` is None."""

    def __init__(self, lab, kind, interval):
        if kind:
            self.daemon = Daemon(lab, "a", kind, conf.instances(COUNT, HIGH, interval))
            return
        argv = [tool("chorus"), "eth0", conf.version(interval), interval, COUNT, HIGH, conf.A, conf.NET, "burst"]
        self.daemon, self.proc = None, lab.start("a", argv)

    def close(self):
        """Takes away the addresses that the dead left behind."""
        if self.daemon:
            self.daemon.__exit__()

    def kill9(self):
        """SIGKILL."""
        if self.daemon:
            self.daemon.kill9()
        else:
            self.proc.kill()
            self.proc.wait()


def measure(chosen):
    """The last and the middle address, for each way to die."""
    out = []
    with Lab() as lab:
        build(lab)
        for interval, own_kind in ((100_000, True), (100_000, False), (10_000, False)):
            samples = alternate(2 if chosen.quick else 7, chosen, lambda kind: move(lab, kind, interval, own_kind))
            name = f"{conf.named(interval)}, {'Active of the same kind' if own_kind else 'all at once'}"
            for word, of, part in (("last", max, PART), ("middle", median, None)):
                values = {kind: [of(s) for s in found] for kind, found in samples.items()}
                out.append(versus(f"{word} of {COUNT} addresses beyond Active_Down_Interval, {name}", "ms",
                                  values["vipd"], values["keepalived"], part))
    return out


if __name__ == "__main__":
    main("moved", TITLE, measure)
