"""SIGHUP: a bad file changes nothing, and of a good one only the difference is applied."""

import errno
import os
import signal
import sys
import time

from lib import conf, wire
from lib.check import Deadline, check, each, equal, limits
from lib.inject import HERE, Injector
from lib.lab import Lab, now
from lib.life import descriptors, held, reload, replace_file
from lib.pair import count_fits
from lib.ping import Pinger
from lib.sniffer import is_advert
from lib.vipd import Vipd
from lib.watch import Watch

# Growth of anonymous memory that is none: the kernel counts in batches, and the first reloads
# make the buffers as big as they are going to be.
GROWTH_KB = 64
INSTANCES = 64
RELOADS, SECONDS = 100, 10
# Seconds' worth: the heap of glibc finds its shape in some hundred reloads, musl's in a few.
WARM_UP = 8


def settled_kb(proc):
    """RssAnon between two reloads: while one is under way, the text and its tree are there too."""
    samples = []
    for _ in range(20):
        samples.append(proc.memory_kb())
        time.sleep(0.01)
    return min(samples)


def vip(index, last=1):
    """An address of the instance of this index."""
    return f"10.10.200.{index + 1}" if last == 1 else f"10.10.201.{index + 110}"


def block(index, priority=200, **options):
    """The instance of this index."""
    options = {"name": f"VI_{index}", "vrid": index + 1, "vips": [vip(index)]} | options
    return conf.instance(priority=priority, **options)


class Pair:
    """`count` instances, all Active on n1 and Backup on n2; the file of n1 is to be changed."""

    def __init__(self, lab, count=2, ignored_mac=None, **options):
        self.lab, self.count, self.options = lab, count, options
        self.node1, self.node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        self.sniffer = lab.sniff(ignored_mac)
        self.path = os.path.join(lab.dir, "n1-vipd.conf")
        self.text = self.blocks()
        self.vipd = Vipd(self.node1, self.text)
        self.vipd.log.wait_count("-> Active", count, 15)
        self.backup = Vipd(self.node2, self.text.replace("priority 200", "priority 100"))
        self.backup.log.wait_count("-> Backup", count, 15)
        # Also the second round of gratuitous ARPs, and the Backup's first look at everything.
        self.sniffer.wait_count(lambda f: is_advert(f, "n1"), 5 * count, 15, "adverts", self.sniffer.mark())
        self.watch = Watch(self.node1)
        self.marks()

    def blocks(self, **changed):
        """The text of all instances; `changed` by index, as `_3={"priority": 150}`."""
        return "".join(block(i, **(self.options | changed.get(f"_{i}", {}))) for i in range(self.count))

    def marks(self):
        """What follows is judged from here on."""
        self.log, self.other = self.vipd.log.mark(), self.backup.log.mark()
        self.frames, self.news = self.sniffer.mark(), self.watch.mark()

    def reload(self, text, wanted):
        """Reloads `text`; the answer must have the words `wanted`."""
        self.marks()
        line = reload(self.vipd, self.path, text)
        check(wanted in line, f"the reload says {line!r}, not {wanted!r}")

    def calm(self, adverts=12):
        """Neither side changes its state within so many adverts of each instance from now on."""
        since = self.sniffer.mark()
        for index in range(self.count):
            self.sniffer.wait_count(lambda f, i=index: is_advert(f, "n1", i + 1), adverts, 5 + 2 * adverts,
                                    f"adverts of VRID {index + 1}", since)
        equal(self.vipd.transitions(self.log), [], "transitions of the Active")
        equal(self.backup.transitions(self.other), [], "transitions of the Backup")
        equal([str(f) for f in self.sniffer.adverts("n2", self.frames)], [], "adverts of the Backup")
        equal([f for f in self.sniffer.adverts("n1", self.frames) if f.priority == 0], [], "priority 0 adverts")


BAD = (
    ("advert_int 0.1", "advert_int fast", 7),
    ("priority 200", "priority 300", 5),
    ("    10.10.200.1\n", "    10.10.200.999\n", 9),
    ("virtual_ipaddress {", "virtual_ipaddress", None),
)


@limits(timeout=40)
def case_bad_file_changes_nothing():
    with Lab() as lab:
        pair = Pair(lab)
        sockets, before = descriptors(pair.vipd.proc), held(pair.node1)
        for right, wrong, line in BAD:
            check(right in pair.text, f"the case is about a text that is not there: {right!r}")
            pair.reload(pair.text.replace(right, wrong, 1), "reload refused: nothing has changed")
            place = rf"error: {pair.path}:{line or '[0-9]+'}:[0-9]+: "
            check(pair.vipd.log.matches(place, pair.log), f"no {place!r} in {pair.vipd.log.lines[pair.log:]}")
            equal(pair.watch.words(pair.news), [], "news of addresses")
        os.unlink(pair.path)
        pair.marks()
        pair.vipd.proc.signal(signal.SIGHUP)
        pair.vipd.log.wait("reload refused", 5, pair.log)
        pair.calm()
        equal((descriptors(pair.vipd.proc), held(pair.node1)), (sockets, before), "sockets and addresses")
        pair.reload(pair.text, "2 unchanged")


@limits(timeout=40)
def case_addresses_come_and_go_alone():
    with Lab() as lab:
        pair = Pair(lab)
        sockets, sent = descriptors(pair.vipd.proc), pair.vipd.counters("VI_1").sent
        more = pair.blocks(_0={"vips": [vip(0), vip(0, 2)]})
        pair.reload(more, "changed VI_0; 1 unchanged")
        pair.watch.wait("new", vip(0, 2), 5, pair.news)
        pair.calm()
        equal(pair.watch.words(pair.news), [f"new {vip(0, 2)}"], "news of addresses")
        pair.sniffer.wait(lambda f: is_advert(f, "n1", 1) and f.addresses == [vip(0), vip(0, 2)], 5, "the list")
        arps = {f.sender for f in pair.sniffer.arps("n1", pair.frames) if f.gratuitous()}
        equal(arps, {vip(0, 2)}, "announced addresses")
        pair.reload(pair.text, "changed VI_0; 1 unchanged")
        pair.watch.wait("gone", vip(0, 2), 5, pair.news)
        pair.calm()
        equal(pair.watch.words(pair.news), [f"gone {vip(0, 2)}"], "news of addresses")
        equal(descriptors(pair.vipd.proc), sockets, "sockets")
        check(pair.vipd.counters("VI_1").sent > sent, "the counters started again")


@limits(timeout=40)
def case_address_moves_to_another_instance_without_leaving():
    with Lab() as lab:
        pair = Pair(lab)
        client = Pinger(lab.node("client", conf.CLIENT), vip(0, 2))
        pair.reload(pair.blocks(_0={"vips": [vip(0), vip(0, 2)]}), "changed VI_0")
        client.wait_answer(5)
        started = now()
        for here, there in ((1, 0), (0, 1)) * 3:
            moved = {f"_{here}": {"vips": [vip(here), vip(0, 2)]}, f"_{there}": {"vips": [vip(there)]}}
            pair.reload(pair.blocks(**moved), "changed VI_0 VI_1")
            pair.calm(3)
            equal(pair.watch.words(pair.news), [], "news of addresses")
        ended = now()
        client.wait_answer(5)
        client.stop()
        equal(client.lost(started, ended), 0, "lost pings")


@limits(timeout=40)
def case_renaming_and_reordering_are_not_a_restart():
    with Lab() as lab:
        pair = Pair(lab)
        sockets, sent = descriptors(pair.vipd.proc), pair.vipd.counters("VI_0").sent
        pair.reload(pair.blocks(_0={"name": "GATEWAY"}), "VI_0 is called GATEWAY now; 1 unchanged")
        pair.calm()
        pair.reload(block(1) + block(0, name="GATEWAY"), "2 unchanged")
        pair.calm()
        equal((descriptors(pair.vipd.proc), pair.watch.words()), (sockets, []), "sockets and news")
        check(pair.vipd.counters("GATEWAY").sent > sent, "the counters started again")
        pair.vipd.terminate()
        check(pair.vipd.log.matches("GATEWAY: Active -> Initialize", pair.log), "it is not called by its new name")


@limits(timeout=60)
def case_priority_changes_without_a_change_of_state():
    with Lab() as lab:
        pair = Pair(lab)
        for priority in (150, 254):
            pair.reload(pair.blocks(_0={"priority": priority}), "changed VI_0; 1 unchanged")
            pair.sniffer.wait(lambda f, p=priority: is_advert(f, "n1", 1, p), 1, "the new priority", pair.frames)
            pair.calm()
            equal(pair.watch.words(pair.news), [], "news of addresses")
        # Lower than the Backup's: it preempts, as the RFC has it, and nobody else moves.
        pair.reload(pair.blocks(_0={"priority": 50}), "changed VI_0; 1 unchanged")
        line = pair.backup.wait_state("Active", 5, pair.other, "VI_0")
        check("lower priority 50" in line, f"the Backup says {line!r}")
        pair.vipd.wait_state("Backup", 5, pair.log, "VI_0")
        pair.watch.wait("gone", vip(0), 5, pair.news)
        equal(len(pair.vipd.transitions(pair.log)) + len(pair.backup.transitions(pair.other)), 2, "transitions")
        equal(pair.watch.words(pair.news), [f"gone {vip(0)}"], "news of addresses")


@limits(timeout=60)
def case_interval_grows_and_nobody_takes_over():
    with Lab() as lab:
        pair = Pair(lab)
        for interval in (1, 0.1, 4, 0.1):
            slow = {"advert_int": interval}
            pair.reload(pair.blocks(_0=slow), "changed VI_0; 1 unchanged")
            # The Active_Down_Interval of the old interval passes more than once.
            pair.sniffer.wait_count(lambda f: is_advert(f, "n1", 2), 12, 5, "adverts of the other", pair.sniffer.mark())
            if interval < 1:
                pair.calm(5)
            equal(pair.vipd.transitions(pair.log) + pair.backup.transitions(pair.other), [], "transitions")
            first = pair.sniffer.wait(lambda f: is_advert(f, "n1", 1), 1, "an advert", pair.frames)
            equal(pair.sniffer.adverts("n1", pair.frames, 1)[-1].interval_ms, interval * 1000, f"after {first}")
            equal(pair.watch.words(pair.news), [], "news of addresses")


@limits(timeout=40)
def case_instances_come_and_go():
    with Lab() as lab:
        pair = Pair(lab)
        pair.reload(block(1), "removed VI_0; 1 unchanged")
        zero = pair.sniffer.wait(lambda f: is_advert(f, "n1", 1, 0), 5, "a priority 0 advert", pair.frames)
        gone = pair.watch.wait("gone", vip(0), 5, pair.news)
        check(gone.at - zero.at < 1, "the address stayed after the priority 0 advert")
        line = pair.backup.wait_state("Active", 5, pair.other, "VI_0")
        check("priority 0" in line, f"the Backup says {line!r}")
        equal(pair.watch.words(pair.news), [f"gone {vip(0)}"], "news of addresses")
        equal([f for f in pair.sniffer.adverts("n1", pair.frames, 1) if f.at > zero.at], [], "adverts after that")
        pair.node2.wait_has(vip(0), 5)
        # A new one starts as a Backup; its higher priority brings it back.
        pair.reload(block(1) + block(0) + block(2), "added VI_0 VI_2; 1 unchanged")
        for name in ("VI_0", "VI_2"):
            pair.vipd.wait_state("Active", 5, pair.log, name)
        pair.node1.wait_has(vip(0), 5)
        pair.node1.wait_has(vip(2), 5)
        equal(sorted(pair.watch.words(pair.news)), [f"new {vip(0)}", f"new {vip(2)}"], "news of addresses")
        equal(pair.vipd.log.matches(r"VI_1: \w+ ->"), pair.vipd.log.matches(r"VI_1: \w+ ->")[:2], "VI_1's states")
        pair.vipd.terminate()
        equal({a["local"] for a in pair.node1.addresses("ens160")}, {"10.10.201.102"}, "addresses at the end")


class Pipe:
    """The daemon's file as a pipe: it reads no sooner than the case writes."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path + ".new")
        os.rename(path + ".new", path)

    def reader(self):
        """Waits until the daemon has opened it."""
        deadline = Deadline(5)
        while True:
            try:
                return os.fdopen(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK), "w")
            except OSError as error:
                check(error.errno == errno.ENXIO and not deadline.passed(), f"nobody opens the pipe: {error}")
                time.sleep(0.001)


@limits(timeout=30)
def case_second_reload_knows_what_the_first_has_done():
    """Two in one wakeup: an address goes and comes back before the kernel's news of it are read."""
    with Lab() as lab:
        pair = Pair(lab)
        more = pair.blocks(_0={"vips": [vip(0), vip(0, 2)]})
        pair.reload(more, "changed VI_0; 1 unchanged")
        pair.watch.wait("new", vip(0, 2), 5, pair.news)
        pipe = Pipe(pair.path)
        pair.marks()
        pair.vipd.proc.signal(signal.SIGHUP)
        with pipe.reader() as first:
            # Another pipe for the second, so that it reads none of the first's text.
            again = Pipe(pair.path)
            pair.vipd.proc.signal(signal.SIGHUP)
            first.write(pair.text)
        with again.reader() as second:
            second.write(more)
        pair.vipd.log.wait_count("reload: changed VI_0; 1 unchanged", 2, 5, pair.log)
        pair.watch.wait_count(lambda n: n.address == vip(0, 2), 2, 5, "it goes and comes", pair.news)
        pair.calm(5)
        equal(pair.watch.words(pair.news), [f"gone {vip(0, 2)}", f"new {vip(0, 2)}"], "news of addresses")
        equal(pair.vipd.warnings(pair.log), [], "warnings")
        pair.vipd.terminate()
        equal({a["local"] for a in pair.node1.addresses("ens160")}, {"10.10.201.102"}, "addresses at the end")


@each(0, 1)
@limits(timeout=30)
def case_interface_changes(back):
    """An instance moves to another interface and its address with it; or back before anybody looks."""
    with Lab() as lab:
        pair = Pair(lab)
        lab.plug(pair.node1, "lan1", "n1-lan")
        pair.node1.ip("addr", "add", "10.20.0.1/24", "dev", "lan1")
        pair.marks()
        replace_file(pair.path, pair.blocks(_0={"iface": "lan1"}))
        pair.vipd.proc.signal(signal.SIGHUP)
        if back:
            pair.vipd.log.wait("reload:", 5, pair.log)
            pair.reload(pair.text, "added VI_0")
        wanted = "ens160" if back else "lan1"
        pair.node1.wait(lambda: [a["dev"] for a in pair.node1.addresses() if a["local"] == vip(0)] == [wanted],
                        10, f"{vip(0)} on {wanted} alone")
        equal(pair.vipd.log.matches(r"VI_1: ", pair.log), [], "lines about the other instance")


def noise(pair, turn):
    """A file that differs from the last in all the ways that leave the state alone."""
    if turn % 2:
        return pair.text
    return pair.blocks(_0={"vips": [vip(0), vip(0, 2)]}, _1={"name": f"RENAMED_{turn}"}, _2={"priority": 201},
                       _3={"extra": ["garp_mode both"]}, _4={"extra": ["address_lease 100"]})


@limits(timeout=60)
def case_flood_while_reloading():
    """Frames that are dropped and reloads that change something, both as fast as they come."""
    with Lab() as lab:
        mallory = lab.node("mallory", "10.10.201.200/23")
        pair = Pair(lab, 5, mallory.mac())
        inject = Injector(mallory)
        frames = [
            wire.vrrp3(1, 250, [vip(0)], mallory.address, interval_cs=10, bad_checksum=True),
            wire.vrrp3(99, 250, [vip(0)], mallory.address, interval_cs=10),
        ]
        frames = [wire.ethernet(wire.ipv4(body, mallory.address), mallory.mac()) for body in frames]
        inject.flood(frames[0], 0.5)
        for turn in range(RELOADS * WARM_UP):
            pair.reload(noise(pair, turn), "reload: ")
        memory, sockets, sent = settled_kb(pair.vipd.proc), descriptors(pair.vipd.proc), 0
        pair.marks()
        log, other, marked, started = pair.log, pair.other, pair.frames, now()
        for turn in range(6):
            storm = mallory.popen("flood", [sys.executable, "-I", f"{HERE}/flood.py", mallory.iface,
                                            frames[turn % 2].hex(), "0.5"])
            while storm.running():
                pair.reload(noise(pair, turn), "reload: ")
                turn += 1
            sent += int(storm.log.wait(r"^sent (\d+)", 5).group(1))
        ended = now()
        after = settled_kb(pair.vipd.proc)
        check(sent > 20_000, f"the flood was only {sent} frames")
        equal(pair.vipd.transitions(log) + pair.backup.transitions(other), [], "transitions")
        window = [f for f in pair.sniffer.adverts("n1", marked) if f.vrid == 4 and started <= f.at <= ended]
        count_fits(window, 0.1, ended - started)
        check(after - memory <= GROWTH_KB, f"memory grew by {after - memory} kB")
        equal(descriptors(pair.vipd.proc), sockets, "descriptors")


@limits(timeout=90, alone=True)
def case_hundred_reloads_a_second():
    with Lab() as lab:
        pair = Pair(lab, INSTANCES)
        client = lab.node("client", conf.CLIENT)
        pingers = [Pinger(client, vip(i)) for i in (0, 1, 2, 4, 63)]
        for pinger in pingers:
            pinger.wait_answer(5)
        turn = iter(range(1 << 30))

        def storm(count):
            due = time.monotonic()
            for _ in range(count):
                replace_file(pair.path, noise(pair, next(turn)))
                pair.vipd.proc.signal(signal.SIGHUP)
                due += 1 / RELOADS
                time.sleep(max(0.0, due - time.monotonic()))

        storm(RELOADS * WARM_UP)
        memory, sockets = settled_kb(pair.vipd.proc), descriptors(pair.vipd.proc)
        pair.marks()
        started = now()
        storm(RELOADS * SECONDS)
        ended = now()
        after = settled_kb(pair.vipd.proc)
        pair.calm(3)
        done = len(pair.vipd.log.matches("reload: ", pair.log))
        print(f"{done} reloads in {ended - started:.2f} s, RssAnon {memory} kB before and {after} kB after")
        check(ended - started < SECONDS * 1.2, f"the machine is too slow: it took {ended - started:.1f} s")
        check(done >= RELOADS * SECONDS * 0.9, f"only {done} reloads were done")
        for pinger in pingers:
            pinger.wait_answer(5)
            pinger.stop()
        equal([p.lost(started, ended) for p in pingers], [0] * len(pingers), "lost pings")
        window = [f for f in pair.sniffer.adverts("n1", pair.frames) if started <= f.at <= ended]
        for index in range(1, INSTANCES):
            # A changed priority is told at once, at each reload.
            extra = done + 1 if index == 2 else 0
            count_fits([f for f in window if f.vrid == index + 1], 0.1, ended - started, extra)
        check(after - memory <= GROWTH_KB, f"memory grew by {after - memory} kB")
        equal(descriptors(pair.vipd.proc), sockets, "descriptors")
        pair.reload(pair.text, "unchanged")
        wanted = {vip(i) for i in range(INSTANCES)} | {"10.10.201.102"}
        equal({a["local"] for a in pair.node1.addresses("ens160")}, wanted, "addresses at the end")
        news = {w.split()[1] for w in pair.watch.words()}
        check(news <= {vip(0, 2), vip(4)}, f"news of addresses that no reload was about: {news}")
