#!/usr/bin/env python3
"""Nanoseconds a packet takes through a router, without a daemon and with one that is Active on it.

src – router – sink over veth, UDP in frames of 64 bytes; the whole path runs inside the send, on one
CPU. The sink's address has a neighbour entry that nobody has, so that its kernel drops what comes. Each
measurement stands between two without a daemon; its price is the difference to their mean. "none" is a
measurement without a daemon too: what is shown for it is the noise.
"""

import os

from lib import conf
from lib.capture import Capture
from lib.daemon import Daemon
from lib.error import BenchError
from lib.lab import Lab, ip
from lib.program import main, note
from lib.report import Row
from lib.stats import median, number, quartiles
from lib.tools import tool

TITLE = "Forwarding: the price of listening"
OUT_NET, SINK = "10.8.0.1/24", "10.8.0.9"
INTERVAL, PRIORITY, RIVAL = 100_000, 100, 200
PART = 0.01
MODES = {"vipd, receive packet": ("vipd", ["receive packet"]), "vipd, receive raw": ("vipd", ["receive raw"]),
         "vipd, receive auto with proof": ("vipd", ["receive auto"]), "keepalived": ("keepalived", [])}


class Road:
    """The three machines, and what one packet costs on the way."""

    def __init__(self, lab, packets):
        self.lab, self.packets = lab, packets
        for node in ("src", "router", "sink"):
            lab.node(node)
        lab.wire("src", "eth0", f"{conf.C}/16", "router", "eth0", f"{conf.A}/16")
        lab.wire("router", "eth1", OUT_NET, "sink", "eth0", None)
        router = lab.nodes["router"]
        lab.output("router", ["sysctl", "-qw", "net.ipv4.ip_forward=1"], 10)
        ip("neigh", "add", SINK, "lladdr", "02:00:00:00:00:99", "dev", "eth1", "nud", "permanent", ns=router)
        ip("neigh", "add", conf.C, "lladdr", lab.mac("src", "eth0"), "dev", "eth0", "nud", "permanent", ns=router)
        self.mac = lab.mac("router", "eth0")
        self.drive()  # warm-up

    def arrived(self):
        """Packets that the sink has had."""
        return self.lab.link("sink", "eth0")["stats64"]["rx"]["packets"]

    def drive(self):
        """ns a packet; every packet must arrive."""
        before = self.arrived()
        cpu = max(os.sched_getaffinity(0))
        argv = [tool("forward"), "eth0", self.mac, conf.C, SINK, self.packets, cpu]
        took = int(self.lab.output("src", argv, 120))
        if self.arrived() - before < self.packets:
            raise BenchError(f"{self.packets - self.arrived() + before} packets did not arrive at the sink")
        return took / self.packets

    def with_daemon(self, kind, extra):
        """ns a packet while the daemon is Active, after it was a Backup that heard adverts for a while."""
        lab = self.lab
        text = conf.instances(1, PRIORITY, INTERVAL, quiet=True, extra=extra)
        with Capture(lab, "src", "eth0") as capture, Daemon(lab, "router", kind, text) as daemon:
            argv = [tool("chorus"), "eth0", 3, INTERVAL, 1, RIVAL, conf.C, conf.NET, "burst"]
            chorus = lab.start("src", argv)
            capture.wait(lambda: len(capture.adverts(conf.C)) >= 12, 10, "the rival's adverts")
            chorus.kill()
            chorus.wait()
            capture.wait_all_active(conf.A, 1, 10)
            capture.close()
            daemon.settle(1.5)
            return self.drive()


def measure(chosen):
    """A row for each mode: the price in ns and in percent."""
    rounds = 3 if chosen.quick else 15
    prices = {name: [] for name in ["none", *MODES]}
    bare = []
    with Lab() as lab:
        road = Road(lab, 100_000 if chosen.quick else 300_000)
        for turn in range(rounds):
            names = list(prices)
            before = road.drive()
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                kind, extra = MODES.get(name, (None, None))
                if kind and kind not in chosen.only.split(","):
                    continue
                with_it = road.with_daemon(kind, extra) if kind else road.drive()
                after = road.drive()
                bare.append(before)
                prices[name].append(with_it / ((before + after) / 2) - 1)
                before = after
            note(f"round {turn + 1} of {rounds}")
    out = []
    base, noise = median(bare), quartiles(prices["none"])
    for name, found in prices.items():
        if found:
            low, high = quartiles(found)
            row = Row(f"{name}: {percent(median(found))} of {number(base)} ns", "ns",
                      noise=f"quartiles {percent(low)} – {percent(high)}")
            setattr(row, "keepalived" if name == "keepalived" else "vipd", median(found) * base)
            if name.endswith("proof"):
                row.target = "≤ 1 % or within the noise"
                row.met = median(found) <= max(PART, noise[1])
            out.append(row)
    return out


def percent(part):
    """A signed percentage."""
    return f"{part * 100:+.1f} %"


if __name__ == "__main__":
    main("forwarding", TITLE, measure)
