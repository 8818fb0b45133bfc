"""Whatever arrives, and however fast, the Active keeps its own interval.

A row for each DropReason of src/vrrp/drop.rs: a frame that draws it, which would depose the Active
if it were believed. It is trickled (one each 0.3 s, which mutes keepalived) and flooded.
"""

import os
import re
import time

from lib import conf, wire
from lib.check import check, each, equal, limits
from lib.inject import Injector
from lib.lab import Lab, now
from lib.pair import count_fits
from lib.sniffer import is_advert
from lib.vipd import Vipd

MALLORY = "10.10.201.200/23"
OTHER = "10.10.201.99"
# Growth of anonymous memory that a flood may cause: none, but the kernel counts in batches.
GROWTH_KB = 64
DROP_RS = os.path.join(os.path.dirname(__file__), "../../../src/vrrp/drop.rs")


class Row:
    """A reason, the version and family of the Active it is tried on, and the frame that draws it."""

    def __init__(self, reason, frame, version=3, note="", counted=True, six=False, extra=()):
        self.reason, self.frame, self.version, self.note, self.counted = reason, frame, version, note, counted
        self.six, self.extra = six, extra

    def __str__(self):
        return self.reason + (f"-{self.note}" if self.note else "") + ("-ipv6" if self.six else "")

    def interval(self):
        """The Active's interval in seconds."""
        return 0.1 if self.version == 3 else 1.0


class Sender:
    """What a frame needs: mallory's addresses and the Active's."""

    def __init__(self, node, mallory, six):
        self.mac, self.src = mallory.mac(), mallory.link_local() if six else mallory.address
        self.active_mac, self.active = node.mac(), node.link_local() if six else node.address

    def v6(self, packet=None, ether=None, src=None, dst=wire.GROUP6, cut=None, **message):
        """A frame with an IPv6 advert of priority 250, wrong where told."""
        src = src or self.src
        vrid, addresses = message.pop("vrid", 50), message.pop("addresses", list(conf.VIPS6))
        interval = message.pop("interval_cs", 10)
        body = wire.vrrp3(vrid, 250, addresses, src, dst, interval_cs=interval, **message)[:cut]
        ether = {"dst": wire.GROUP6_MAC, **(ether or {})}
        return wire.ethernet(wire.ipv6(body, src, dst, **(packet or {})), self.mac, ethertype=wire.ETH_IPV6, **ether)

    def v3(self, packet=None, ether=None, src=None, dst=wire.GROUP4, **message):
        """A frame with a version 3 advert of priority 250, wrong where told."""
        src = src or self.src
        vrid, addresses = message.pop("vrid", 50), message.pop("addresses", [conf.VIP])
        priority, interval = message.pop("priority", 250), message.pop("interval_cs", 10)
        body = wire.vrrp3(vrid, priority, addresses, src, dst, interval_cs=interval, **message)
        return wire.ethernet(wire.ipv4(body, src, dst, **(packet or {})), self.mac, **(ether or {}))

    def v2(self, **message):
        """A frame with a version 2 advert of priority 250, wrong where told."""
        auth_type, auth = message.pop("auth_type", 1), message.pop("auth", b"123456")
        body = wire.vrrp2(50, message.pop("priority", 250), [conf.VIP], auth_type=auth_type, auth=auth, **message)
        return wire.ethernet(wire.ipv4(body, self.src), self.mac)

    def cut(self, length):
        """A whole packet whose VRRP message ends after `length` bytes."""
        body = wire.vrrp3(50, 250, [conf.VIP], self.src, interval_cs=10)[:length]
        return wire.ethernet(wire.ipv4(body, self.src), self.mac)

    def empty(self):
        """An advert with no address, and a checksum that fits."""
        return self.v3(addresses=[])


CHECKED = ("check_unicast_src", "unicast_peer {", MALLORY.split("/")[0], "}")
ROWS = (
    Row("elsewhere", lambda s: s.v3(ether={"dst": "02:00:00:00:00:99"})),
    Row("frame-truncated", lambda s: s.v3(packet={"total_length": 600})),
    Row("ip-header", lambda s: s.v3(packet={"ihl": 4})),
    Row("ip-header", lambda s: s.v3(packet={"version": 6}), note="version"),
    Row("ip-checksum", lambda s: s.v3(packet={"bad_checksum": True})),
    Row("fragment", lambda s: s.v3(packet={"fragment": 0x2000})),
    # The socket's filter takes protocol 112 alone, so that none of these need be counted.
    Row("not-vrrp", lambda s: s.v3(packet={"proto": 89}), counted=False),
    Row("destination", lambda s: s.v3(dst="224.0.0.5", ether={"dst": "01:00:5e:00:00:05"})),
    Row("destination", lambda s: s.v3(dst=s.active, ether={"dst": s.active_mac}), note="unicast"),
    Row("own-advert", lambda s: s.v3(src=s.active)),
    Row("ttl", lambda s: s.v3(packet={"ttl": 254})),
    Row("not-peer", lambda s: s.v3(src=OTHER, dst=s.active, ether={"dst": s.active_mac}), extra=CHECKED),
    Row("truncated", lambda s: s.cut(6)),
    Row("truncated", lambda s: s.v3(count=5), note="count"),
    Row("unknown-version", lambda s: s.v3(version=4)),
    Row("unknown-type", lambda s: s.v3(kind=2)),
    Row("checksum", lambda s: s.v3(bad_checksum=True)),
    Row("checksum", lambda s: s.v2(bad_checksum=True), version=2, note="v2"),
    Row("unknown-vrid", lambda s: s.v3(vrid=99, addresses=[OTHER])),
    Row("unknown-vrid", lambda s: s.v3(vrid=99), note="our-address"),
    Row("version-mismatch", lambda s: s.v2()),
    Row("version-mismatch", lambda s: s.v3(interval_cs=100), version=2, note="v2"),
    Row("no-address", lambda s: s.empty()),
    Row("zero-interval", lambda s: s.v3(interval_cs=0)),
    Row("auth-type", lambda s: s.v2(auth_type=0, auth=b""), version=2),
    Row("auth-data", lambda s: s.v2(auth=b"654321"), version=2),
    Row("interval-mismatch", lambda s: s.v2(interval_s=5), version=2),
)


ROWS6 = tuple(Row(reason, frame, six=True, **more) for reason, frame, more in (
    ("elsewhere", lambda s: s.v6(ether={"dst": "02:00:00:00:00:99"}), {}),
    ("frame-truncated", lambda s: s.v6(packet={"length": 600}), {}),
    ("ip-header", lambda s: s.v6(packet={"version": 4}), {}),
    ("not-vrrp", lambda s: s.v6(packet={"next_header": 89}), {"counted": False}),
    ("not-vrrp", lambda s: s.v6(packet={"next_header": 44}), {"counted": False, "note": "fragment"}),
    ("destination", lambda s: s.v6(dst="ff02::5", ether={"dst": "33:33:00:00:00:05"}), {}),
    ("destination", lambda s: s.v6(dst=s.active, ether={"dst": s.active_mac}), {"note": "unicast"}),
    ("own-advert", lambda s: s.v6(src=s.active), {}),
    ("source", lambda s: s.v6(src="2001:db8::9"), {}),
    ("ttl", lambda s: s.v6(packet={"hop_limit": 254}), {}),
    ("truncated", lambda s: s.v6(cut=6), {}),
    ("truncated", lambda s: s.v6(count=5), {"note": "count"}),
    ("unknown-version", lambda s: s.v6(version=4), {}),
    ("unknown-type", lambda s: s.v6(kind=2), {}),
    ("checksum", lambda s: s.v6(bad_checksum=True), {}),
    ("checksum", lambda s: s.v6(pseudo=False), {"note": "message-alone"}),
    ("unknown-vrid", lambda s: s.v6(vrid=99, addresses=["fe80::99"]), {}),
    ("unknown-vrid", lambda s: s.v6(vrid=99), {"note": "our-address"}),
    ("version-mismatch", lambda s: s.v6(version=2, pseudo=False, addresses=["fe80::1", "::"], count=1), {}),
    ("no-address", lambda s: s.v6(addresses=[]), {}),
    ("zero-interval", lambda s: s.v6(interval_cs=0), {}),
))


class Target:
    """An Active alone on its segment with mallory."""

    def __init__(self, lab, version, six=False, extra=()):
        self.node, self.mallory = lab.node("n1", conf.NODE1), lab.node("mallory", MALLORY)
        self.vips = conf.VIPS6 if six else (conf.VIP,)
        for node in (self.node, self.mallory) if six else ():
            node.link_local()
        self.sniffer = lab.sniff(ignored_mac=self.mallory.mac())
        self.interval = 0.1 if version == 3 else 1.0
        password = "123456" if version == 2 else None
        self.vipd = Vipd(self.node, conf.instance(priority=100, version=version,
                                                  advert_int=0.1 if version == 3 else 1, password=password,
                                                  vips=self.vips, extra=extra))
        self.vipd.wait_state("Active", 10)
        self.inject, self.sender = Injector(self.mallory), Sender(self.node, self.mallory, six)
        # Past the GARPs of the takeover, and on the grid.
        self.await_adverts(3)

    def await_adverts(self, count):
        """Waits for the Active's next adverts."""
        self.sniffer.wait_count(lambda f: is_advert(f, "n1"), count, 5 + count * 2 * self.interval,
                                f"{count} adverts of the Active", self.sniffer.mark())

    def under(self, attack, extra=0):
        """Runs `attack` and judges the adverts of its window: as many as ever, of one priority."""
        log, started = self.vipd.log.mark(), now()
        sent = attack()
        ended = now()
        self.await_adverts(1)
        adverts = [f for f in self.sniffer.adverts("n1") if started <= f.at <= ended]
        count_fits(adverts, self.interval, ended - started, extra)
        equal({f.priority for f in adverts}, {100}, "priorities of the Active")
        equal(self.vipd.transitions(log), [], "transitions")
        lines = len(self.vipd.log.lines) - log
        check(lines <= ended - started + 1, f"{lines} lines of log in {ended - started:.1f} s")
        check(self.vipd.proc.running(), "vipd ended")
        check(all(self.node.has(vip) for vip in self.vips), "an address has gone")
        return sent


@each(*ROWS, *ROWS6)
@limits(timeout=90)
def case_active_is_not_moved_by(row):
    with Lab() as lab:
        target = Target(lab, row.version, row.six, row.extra)
        frame, vipd = row.frame(target.sender), target.vipd
        before = vipd.counters()
        equal(before.drops, {}, "drops before")
        window = 2.2 if row.version == 3 else 5.2
        sent = target.under(lambda: target.inject.trickle(frame, 0.3, window))
        if row.counted:
            equal(vipd.wait_drops(row.reason, sent).drops, {row.reason: sent}, "drops after the trickle")
        target.inject.flood(frame, 0.3)
        memory = vipd.proc.memory_kb()
        sent = target.under(lambda: target.inject.flood(frame, 2.0 if row.version == 3 else 3.0))
        check(sent > 5_000, f"the flood was only {sent} frames")
        growth = vipd.proc.memory_kb() - memory
        check(growth <= GROWTH_KB, f"memory grew by {growth} kB under {sent} frames")
        after = vipd.counters()
        equal(set(after.drops), {row.reason} if row.counted else set(), "reasons counted")
        equal(after.received, before.received, "adverts accepted")


@limits(timeout=60)
def case_instance_in_initialize_hears_nothing():
    with Lab() as lab:
        node, mallory = lab.node("n1"), lab.node("mallory", MALLORY)
        sniffer = lab.sniff(ignored_mac=mallory.mac())
        vipd = Vipd(node, conf.instance(priority=100))
        vipd.log.wait("VI_1: .*Initialize: .*no address", 5)
        # From a stranger's address: the node has none itself.
        body = wire.vrrp3(50, 250, [conf.VIP], mallory.address, interval_cs=10)
        frame = wire.ethernet(wire.ipv4(body, mallory.address), mallory.mac())
        log, started, inject = vipd.log.mark(), now(), Injector(mallory)
        sent = inject.trickle(frame, 0.3, 2.2)
        equal(vipd.wait_drops("not-running", sent).drops, {"not-running": sent}, "drops")
        inject.flood(frame, 1.0)
        lines = len(vipd.log.matches("", log)) - len(vipd.log.matches("counters", log))
        check(lines <= now() - started + 1, f"{lines} lines of log")
        equal((vipd.transitions(log), sniffer.adverts("n1")), ([], []), "transitions and adverts")


@limits(timeout=60)
def case_lower_priority_is_answered_but_not_amplified():
    with Lab() as lab:
        target = Target(lab, 3)
        frame = target.sender.v3(priority=50)
        target.inject.send(frame)
        target.await_adverts(2)
        memory = target.vipd.proc.memory_kb()
        # One advert out of turn in each interval, at most.
        target.under(lambda: target.inject.flood(frame, 2.0), extra=2.0 / 0.1 + 1)
        check(target.vipd.proc.memory_kb() - memory <= GROWTH_KB, "memory grew")
        equal(target.vipd.counters().drops, {}, "drops")


@limits(timeout=60)
def case_lower_priority_is_answered_at_once():
    with Lab() as lab:
        node, mallory, sniffer = lab.node("n1", conf.NODE1), lab.node("mallory", MALLORY), lab.sniff()
        vipd = Vipd(node, conf.instance(priority=100, version=2, advert_int=5))
        vipd.wait_state("Active", 30)
        mark = sniffer.mark()
        body = wire.vrrp2(50, 50, [conf.VIP], interval_s=5)
        frame = wire.ethernet(wire.ipv4(body, mallory.address), mallory.mac())
        sniffer.wait(lambda f: is_advert(f, "n1"), 6, "the first advert", 0)
        time.sleep(0.2)
        Injector(mallory).send(frame)
        own = sniffer.wait(lambda f: is_advert(f, "mallory"), 5, "our own frame", mark)
        answer = sniffer.wait(lambda f: is_advert(f, "n1") and f.at >= own.at, 5, "the answer", mark)
        check(answer.at - own.at < 3.0, "the answer was the next advert of the grid, not one at once")


@limits(timeout=60)
def case_priority_zero_flood_is_not_amplified():
    with Lab() as lab:
        target = Target(lab, 3)
        frame = target.sender.v3(priority=0)
        target.inject.flood(frame, 0.3)
        # RFC 9568 §6.4.3 has each answered; here too it is one out of turn in each interval.
        target.under(lambda: target.inject.flood(frame, 2.0), extra=2.0 / 0.1 + 1)
        equal(target.vipd.counters().drops, {}, "drops")


@limits(timeout=30)
def case_every_reason_has_a_row():
    with open(DROP_RS, encoding="utf-8") as source:
        names = set(re.findall(r'^    [A-Z]\w+ = "([a-z-]+)",$', source.read(), re.MULTILINE))
    check(len(names) > 15, f"only {names} found in {DROP_RS}")
    equal(names, {row.reason for row in ROWS + ROWS6} | {"not-running"}, "reasons with a row here")
