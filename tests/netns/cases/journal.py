"""Killed at any moment, vipd leaves nothing behind that its next start does not take away."""

import os
import random
import signal
import time

from cases.vmac import below, macvlans
from lib import conf
from lib.check import CaseFailed, check, each, equal, limits
from lib.lab import Lab
from lib.life import Run, held, journal, replace_file, seed
from lib.vipd import Vipd, binary

POOL = [f"10.10.201.{n}" for n in range(110, 122)]
# Addresses of somebody else, there all the time; the first may stand in the configuration too.
FOREIGN = ("10.10.201.140", 32), ("192.0.2.7", 24)
IFACES = "ens160", "lan1"
KILLS = int(os.environ.get("KILLS", "300"))


class World:
    """A node with two interfaces, one configuration file, and what the kernel should have of it."""

    def __init__(self, lab, rng):
        self.lab, self.rng = lab, rng
        self.node = lab.node("n1", conf.NODE1)
        lab.plug(self.node, "lan1", "n1-lan")
        self.node.ip("addr", "add", "10.20.0.1/24", "dev", "lan1")
        for address, prefix in FOREIGN:
            self.node.ip("addr", "add", f"{address}/{prefix}", "dev", "ens160")
        self.base, self.below = held(self.node), self.parameters()
        self.macvlans = set()
        self.path = os.path.join(lab.dir, "vipd.conf")
        self.dir = os.path.join(lab.dir, "run")
        self.wanted, self.history = set(), []

    def configure(self, quick):
        """Writes a random configuration; `quick` instances are Active at once, others after 30 ms."""
        rng, blocks, self.wanted, self.macvlans = self.rng, [], set(), set()
        pool = rng.sample(POOL, rng.randint(1, len(POOL)))
        for number in range(rng.randint(1, 3)):
            iface, vmac = rng.choice(IFACES), rng.random() < 0.4
            mine = [pool.pop() for _ in range(min(len(pool), rng.randint(1, 5)))]
            vips = []
            for address in mine:
                prefix, dev = rng.choice((32, 32, 28)), rng.choice((iface, iface, *IFACES))
                vips.append(f"{address}/{prefix} dev {dev}")
                if vmac and dev == iface:
                    dev = f"vrrp.{50 + number}"
                    self.macvlans.add(dev)
                self.wanted.add((dev, address, prefix))
            if number == 0 and not vmac and rng.random() < 0.3:
                vips.append(f"{FOREIGN[0][0]} dev ens160")
            if vips:
                blocks.append(conf.instance(f"VI_{number}", iface, 50 + number, 255 if quick else 254,
                                            advert_int=0.01, vips=vips, extra=["use_vmac"] * vmac))
        replace_file(self.path, "".join(blocks))

    def start(self):
        """The daemon on the configuration as it is."""
        return Run(self.node, self.path, self.dir)

    def parameters(self):
        """What a virtual MAC changes on the interfaces below it."""
        return {iface: below(self.node, iface) for iface in IFACES}

    def settle(self, run):
        """Waits until the kernel has what was there and what is wanted, and nothing else."""
        wanted = self.base | self.wanted
        try:
            # Both in one: what the killed daemon left may be as wanted for a moment, until the next one removes it.
            self.node.wait(lambda: held(self.node) == wanted and set(macvlans(self.node)) == self.macvlans, 5,
                           "the kernel to have what is wanted")
        except CaseFailed:
            seen = held(self.node)
            raise CaseFailed(f"left behind: {sorted(seen - wanted)}, missing: {sorted(wanted - seen)}, after "
                             f"{self.history[-3:]}; the log:\n{run.tail()}") from None
        equal(set(macvlans(self.node)), self.macvlans, "macvlans")
        if not self.macvlans:
            equal(self.parameters(), self.below, "the parameters of the interfaces")


def pause(rng, longest):
    """A random moment, to the µs, for which no sleep is fine enough: sooner oftener than later."""
    end = time.perf_counter() + longest * rng.random() ** 2
    while time.perf_counter() < end:
        pass


def kill_in_start(world, run, rng):
    """A crash, and another one on the way up."""
    run.kill9()
    world.configure(quick=True)
    run = world.start()
    time.sleep(0.02 * rng.random())
    return run


def kill_in_takeover(world, run, rng):
    """A crash about when the instances become Active."""
    run.kill9()
    world.configure(quick=False)
    run = world.start()
    run.log.wait(r"-> Backup", 10)
    time.sleep(rng.uniform(0.025, 0.036))
    return run


def kill_in_reload(world, run, rng):
    """A crash while another configuration is taken up, or in the takeover after that."""
    world.configure(quick=rng.random() < 0.7)
    run.signal(signal.SIGHUP)
    pause(rng, 0.004)
    return run


def kill_in_stop(world, run, rng):
    """A crash while it gives up."""
    run.signal(signal.SIGTERM)
    pause(rng, 0.0006)
    return run


POINTS = kill_in_start, kill_in_takeover, kill_in_reload, kill_in_stop


@limits(timeout=150)
def case_killed_at_random_points():
    rng = random.Random(seed())
    with Lab() as lab:
        world = World(lab, rng)
        world.configure(quick=True)
        run = world.start()
        world.settle(run)
        dirty = dict.fromkeys((point.__name__ for point in POINTS), 0)
        for _ in range(KILLS):
            point = rng.choice(POINTS)
            run = point(world, run, rng)
            run.kill9()
            left = held(world.node) - world.base
            dirty[point.__name__] += bool(left)
            check(world.base <= held(world.node), f"gone: {world.base - held(world.node)}, {point.__name__}")
            world.configure(quick=rng.random() < 0.8)
            world.history.append((point.__name__, len(left)))
            run = world.start()
            world.settle(run)
        run.terminate()
        equal(held(world.node), world.base, "addresses after the last stop")
        equal((macvlans(world.node), world.parameters()), ([], world.below), "the rest after the last stop")
        # The points must hit: a kill that always comes before or after everything shows nothing.
        check(min(dirty.values()) >= KILLS // 40, f"too few kills left something behind: {dirty}")
        print(f"kills that left something behind, of {KILLS}: {dirty}")


@limits(timeout=30)
def case_second_daemon_of_a_runtime_directory_is_refused():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        first = Vipd(node, conf.instance(priority=255))
        node.wait_has(conf.VIP, 5)
        second = Vipd(node, conf.instance(vips=["10.10.201.140"]), name="second")
        equal(second.proc.wait(5), 4, "exit code of the second")
        line = second.log.wait("another vipd", 5).string
        check(str(first.proc.pid) in line and "stop it" in line, f"it does not say whom to stop: {line!r}")
        check(first.proc.running() and node.has(conf.VIP), "the first has suffered")
        equal(journal(node), [f"address ens160 {conf.VIP}/32"], "the first's journal")
        # A killed one's pid does not keep the next out.
        first.kill9()
        third = Vipd(node, conf.instance(priority=255), name="third")
        third.wait_state("Active", 5)
        third.terminate()
        check(not node.has(conf.VIP), "the address has stayed")


def check_command(node, text):
    """What `vipd check` says of `text` on this node."""
    path = os.path.join(node.lab.dir, f"{node.name}-check.conf")
    replace_file(path, text)
    proc = node.popen("check", [binary(), "check", path])
    equal(proc.wait(10), 0, "exit code of vipd check")
    proc.log.wait("good", 5)
    return "\n".join(line for _, line in proc.log.lines)


@each(100, 255)
@limits(timeout=40)
def case_address_that_was_there_is_not_ours(priority):
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        node.ip("addr", "add", f"{conf.VIP}/24", "dev", "ens160")
        text = conf.instance(priority=priority, vips=[conf.VIP, "10.10.201.140"])
        told = check_command(node, text)
        equal(conf.VIP in told and "priority 255" in told, priority < 255, f"`vipd check` says {told!r}")
        for end in ("kill9", "terminate"):
            vipd = Vipd(node, text, name=end)
            vipd.wait_state("Active", 5)
            node.wait_has("10.10.201.140", 5)
            equal(journal(node), ["address ens160 10.10.201.140/32"], "the journal")
            warnings = [w for w in vipd.warnings() if conf.VIP in w]
            if priority == 255:
                equal(warnings, [], "warnings to the owner")
            else:
                equal(len(warnings), 1, f"warnings {warnings}")
                check("remove it" in warnings[0] and "priority 255" in warnings[0], "no remedy in the warning")
            getattr(vipd, end)()
            equal(node.wait_has(conf.VIP, 1)["prefixlen"], 24, "the address that was there")
        check(not node.has("10.10.201.140"), "our own address has stayed")


@limits(timeout=40)
def case_address_that_somebody_adds_meanwhile_is_not_ours():
    with Lab() as lab:
        node, other = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        active = Vipd(other, conf.instance(priority=200))
        active.wait_state("Active", 5)
        backup = Vipd(node, conf.instance(priority=100))
        backup.wait_state("Backup", 5)
        node.ip("addr", "add", f"{conf.VIP}/32", "dev", "ens160")
        active.terminate()
        backup.wait_state("Active", 5)
        backup.terminate()
        check(node.has(conf.VIP), "an address that somebody added while vipd ran was removed at its stop")
        again = Vipd(node, conf.instance(priority=100), name="again")
        again.wait_state("Active", 5)
        again.kill9()
        third = Vipd(node, conf.instance(priority=100), name="third")
        third.wait_state("Active", 5)
        check(node.has(conf.VIP), "the next start removed an address of somebody else")


@limits(timeout=40)
def case_address_that_somebody_adds_before_a_kill_is_not_ours():
    with Lab() as lab:
        node, other = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        active = Vipd(other, conf.instance(priority=200))
        active.wait_state("Active", 5)
        backup = Vipd(node, conf.instance(priority=100))
        backup.wait_state("Backup", 5)
        node.ip("addr", "add", f"{conf.VIP}/32", "dev", "ens160")
        backup.kill9()
        again = Vipd(node, conf.instance(priority=100), name="again")
        again.wait_state("Backup", 5)
        check(node.has(conf.VIP), "the next start removed an address of somebody else")
