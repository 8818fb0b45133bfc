"""Notify programs and FIFOs beside keepalived's, and the hook that runs before the address goes."""

import fcntl
import os
import signal
import threading
import time

from lib import conf, ns, wire
from lib.check import CaseFailed, Deadline, check, each, equal, limits
from lib.inject import Injector
from lib.lab import Lab
from lib.life import journal, reload, replace_file
from lib.peers import Keepalived
from lib.sniffer import is_advert
from lib.vipd import Vipd, binary

VIP2 = "10.10.203.101"
# Its first argument is what it is called, the rest is what it was told. One write a line.
SCRIPT = """#!/bin/sh
line="$1:"; shift
for word; do line="$line [$word]"; done
echo "$line" >>{out}
"""
ARGUMENTS = r"'one two' x\\ y z"
TOLD = "[one two] [x y] [z]"


class Listener:
    """Reads a FIFO, also one that is made anew: keepalived does that at each reload."""

    def __init__(self, path):
        self.path, self.lines = path, []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                with open(self.path, encoding="ascii") as fifo:
                    for line in fifo:
                        self.lines.append(line)
            except FileNotFoundError:
                time.sleep(0.005)
            except OSError:
                return


class Told:
    """What the programs of a node and its FIFO are told, step by step."""

    def __init__(self, lab, node):
        self.node = node
        self.out = node.file("told", "")
        self.path = node.file("notify.sh", SCRIPT.format(out=self.out))
        os.chmod(self.path, 0o755)
        self.fifo = os.path.join(lab.dir, f"{node.name}-fifo")
        self.listener = Listener(self.fifo)
        self._seen = [0, 0]

    def words(self, tag, *words):
        """A line of configuration for each of `words`, and `notify`."""
        own = [f'notify_{word} "{self.path} {tag}-{word} {ARGUMENTS}"' for word in words]
        return [*own, f'notify "{self.path} {tag}"']

    def programs(self):
        """All lines of the programs so far."""
        with open(self.out, encoding="ascii") as file:
            return file.read().splitlines()

    def step(self, programs, lines):
        """Waits for so many lines of each since the last step. Returns what each program and each subject
        of the FIFO was told, in order: different programs of keepalived's run at the same time."""
        deadline = Deadline(10)
        fresh = lambda: (self.programs()[self._seen[0]:], self.listener.lines[self._seen[1]:])
        while [len(part) for part in fresh()] < [programs, lines] or len(fresh()[1]) < lines:
            if deadline.passed():
                raise CaseFailed(f"{programs} and {lines} lines were awaited: {fresh()}")
            time.sleep(0.01)
        time.sleep(0.2)  # one too many would come now
        told, written = fresh()
        self._seen = [len(self.programs()), len(self.listener.lines)]
        return (by(told, lambda line: line.partition(":")[0]), by(written, lambda line: line.split()[1]))


def by(lines, key):
    """The lines by their key, in order."""
    found = {}
    for line in lines:
        found.setdefault(key(line), []).append(line)
    return found


def start(kind, node, text):
    """keepalived or vipd."""
    return (Keepalived if kind == "keepalived" else Vipd)(node, text)


def change(kind, daemon, text):
    """Another configuration."""
    name = f"{daemon.node.name}-{kind}.conf"
    path = os.path.join(daemon.node.lab.dir, name)
    if kind == "vipd":
        return reload(daemon, path, text)
    replace_file(path, text)
    daemon.proc.signal(signal.SIGHUP)
    return None


def case_users_of_programs():
    """A program runs as its user, else as script_user, and the FIFO belongs to its user."""
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        out, fifo = f"{lab.dir}/out", f"{lab.dir}/users-fifo"
        os.mkdir(out)
        os.chmod(out, 0o777)
        os.chmod(lab.dir, 0o755)
        path = node.file("who.sh", f"#!/bin/sh\necho $(id -u) $(id -G) >{out}/$1.new; mv {out}/$1.new {out}/$1\n")
        os.chmod(path, 0o755)
        lines = [f'notify_backup "{path} own" daemon nogroup', f'notify_master "{path} default"']
        text = conf.global_defs("script_user nobody", f"notify_fifo {fifo} daemon") + conf.instance(extra=lines)
        Vipd(node, text).wait_state("Active", 5)
        for who, said in (("own", "1 65534"), ("default", "65534 65534")):
            deadline = Deadline(5)
            while not os.path.exists(f"{out}/{who}"):
                check(not deadline.passed(), f"the program {who} has not run")
                time.sleep(0.01)
            with open(f"{out}/{who}", encoding="ascii") as file:
                equal(file.read().strip(), said, f"user and groups of {who}")
        equal(os.stat(fifo).st_uid, 1, "the FIFO's owner")


def second(lab, node):
    """A second interface of the node."""
    lab.plug(node, "ens161", f"{node.name}w")
    node.ip("addr", "add", "10.10.203.102/24", "dev", "ens161")


def scenario(kind, group, words):
    """Start, fault, recovery, takeover and back, removal, stop: what was told in each."""
    with Lab() as lab:
        n1, n2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        second(lab, n1)
        told = Told(lab, n1)
        defs = conf.global_defs(f"vrrp_notify_fifo {told.fifo}", f'startup_script "{told.path} start a"',
                                f'shutdown_script "{told.path} end b"')
        one = conf.instance(extra=told.words("A", *words))
        two = conf.instance(name="VI_2", iface="ens161", vrid=51, vips=(VIP2,), priority=90,
                            extra=told.words("B", *words))
        both = "\n".join(told.words("G", "master", "backup", "fault", "stop"))
        of_group = f"vrrp_sync_group G {{\ngroup {{\nVI_1\nVI_2\n}}\n{both}\n}}\n" if group else ""
        seen, n = {}, 3 if group else 1
        daemon = start(kind, n1, defs + one + two + of_group)
        both = 12 if group else 8
        seen["start"] = told.step(both + 1, both // 2)
        n1.cable("down")
        seen["fault"] = told.step(2 * n, n)
        n1.cable("up")
        seen["recovery"] = told.step(4 * n, 2 * n)
        other = Keepalived(n2, conf.instance(priority=200))
        seen["yields"] = told.step(2 * n, n)
        other.terminate()
        seen["takes over"] = told.step(2 * n, n)
        if not group:
            change(kind, daemon, defs + one)
            seen["removed"] = told.step(2 if "deleted" in words else 1, 1)
        daemon.terminate()
        left = 3 if group else 1
        seen["stop"] = told.step(2 * left + 1, left)
        check(not os.path.exists(told.fifo), "the FIFO is still there")
        return seen


@each("notify_deleted", "without", "sync_group")
@limits(timeout=90)
def case_programs_and_fifo_as_keepaliveds(what):
    words = ["master", "backup", "fault", "stop"] + (["deleted"] if what == "notify_deleted" else [])
    seen = {kind: scenario(kind, what == "sync_group", words) for kind in ("keepalived", "vipd")}
    for step, wanted in seen["keepalived"].items():
        equal(seen["vipd"][step], wanted, f"what was told at the step {step!r}")
    last = seen["vipd"]["stop"][1]
    equal(last['"VI_1"'], ['INSTANCE "VI_1" STOP 100\n'], "the last line of the FIFO")


def priorities(kind):
    """A fault at the start, priorities that move in each state, an advert of lower priority."""
    with Lab() as lab:
        n1, n2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        second(lab, n1)
        told = Told(lab, n1)
        n1.cable("down")
        words = told.words("A", "master", "backup", "fault", "stop", "master_rx_lower_pri")
        daemon = start(kind, n1, conf.global_defs(f"notify_fifo {told.fifo}") + conf.instance(
            extra=words + ["notify_priority_changes on", "track_interface {", "ens161 weight 20", "}"]))
        seen = {"fault": told.step(2, 2)}
        n1.cable("up")
        seen["start"] = told.step(4, 2)
        ns.ip("link", "set", "n1w", "down", ns=lab.switch)
        seen["lower as master"] = told.step(0, 1)
        other = Keepalived(n2, conf.instance(priority=200))
        seen["yields"] = told.step(2, 1)
        ns.ip("link", "set", "n1w", "up", ns=lab.switch)
        seen["higher as backup"] = told.step(0, 1)
        n1.cable("down")
        seen["another fault"] = told.step(2, 1)
        ns.ip("link", "set", "n1w", "down", ns=lab.switch)
        seen["lower in a fault"] = told.step(0, 1)
        n1.cable("up")
        seen["recovery"] = told.step(2, 1)
        other.terminate()
        seen["takes over"] = told.step(2, 1)
        body = wire.vrrp3(50, 20, [conf.VIP], n2.address, interval_cs=10)
        Injector(n2).send(wire.ethernet(wire.ipv4(body, n2.address), n2.mac()))
        seen["a lower one"] = told.step(1, 1)
        daemon.terminate()
        seen["stop"] = told.step(2, 1)
        return seen


@limits(timeout=90)
def case_priorities_as_keepaliveds():
    seen = {kind: priorities(kind) for kind in ("keepalived", "vipd")}
    for step, wanted in seen["keepalived"].items():
        equal(seen["vipd"][step], wanted, f"what was told at the step {step!r}")


# Tells whether the address is there, then waits for a file.
LEAVE = """#!/bin/sh
trap 'echo killed >>{out}; exit 1' TERM
ip -4 -o addr show | grep -q {vip} && echo held >>{out} || echo lost >>{out}
while [ ! -e {go} ]; do sleep 0.02; done
ip -4 -o addr show | grep -q {vip} && echo held >>{out} || echo lost >>{out}
"""


class Leaving:
    """Two routers, of which the first has a hook, and is Active."""

    def __init__(self, lab, timeout=20):
        self.n1, self.n2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        second(lab, self.n1)
        self.sniffer = lab.sniff()
        self.out, self.go = self.n1.file("left", ""), os.path.join(lab.dir, "go")
        path = self.n1.file("leave.sh", LEAVE.format(out=self.out, vip=conf.VIP, go=self.go))
        os.chmod(path, 0o755)
        self.stays = conf.instance(name="VI_2", iface="ens161", vrid=51, vips=(VIP2,))
        self.text = self.stays + conf.instance(priority=150, extra=[
            f"notify_leave {path}", f"notify_leave_timeout {timeout}"])
        self.vipd = Vipd(self.n1, self.text)
        self.vipd.wait_state("Active", 10)
        self.n1.wait_has(conf.VIP, 5)
        self.peer = Vipd(self.n2, conf.instance(priority=100))
        self.peer.wait_state("Backup", 5)

    def wait_line(self, line, timeout=10):
        """Waits for a line of the hook."""
        deadline = Deadline(timeout)
        while line not in self.lines():
            if deadline.passed():
                raise CaseFailed(f"the hook did not say {line}: {self.lines()}")
            time.sleep(0.01)

    def lines(self):
        """What the hook has said."""
        with open(self.out, encoding="ascii") as file:
            return file.read().split()

    def stays_active(self):
        """The first goes on as it was while its hook runs."""
        self.wait_line("held")
        mark = self.sniffer.mark()
        own = lambda f: is_advert(f, "n1", vrid=50)
        found = self.sniffer.wait_count(own, 10, 5, "adverts while the hook runs", mark)
        equal({f.priority for f in found}, {150}, "their priority")
        check(self.n1.has(conf.VIP) and not self.n2.has(conf.VIP), "the address moved while the hook ran")

    def goes(self, mark):
        """It has gone: the priority 0 advert, then the other one's."""
        self.sniffer.wait(lambda f: is_advert(f, "n1", vrid=50, priority=0), 10, "the priority 0 advert", mark)
        self.n2.wait_has(conf.VIP, 5)
        self.n1.wait_lacks(conf.VIP, 5)
        own = self.sniffer.adverts("n1", mark, vrid=50)
        equal([f.priority for f in own][-1], 0, "the last advert")


@limits(timeout=60)
def case_leave_runs_before_the_address_goes():
    with Lab() as lab:
        two = Leaving(lab)
        mark = two.sniffer.mark()
        two.vipd.proc.signal(signal.SIGTERM)
        two.stays_active()
        # What has no hook is not held up by it.
        two.n1.wait_lacks(VIP2, 5)
        with open(two.go, "w", encoding="ascii"):
            pass
        two.goes(mark)
        equal(two.vipd.proc.wait(10), 0, "exit code")
        equal(two.lines(), ["held", "held"], "what the hook saw")


@limits(timeout=60)
def case_leave_has_a_bound():
    with Lab() as lab:
        two = Leaving(lab, timeout=1)
        mark = two.sniffer.mark()
        two.vipd.proc.signal(signal.SIGTERM)
        two.stays_active()
        two.goes(mark)
        two.vipd.log.wait(r"VI_1: notify_leave ran into its timeout", 5)
        equal(two.vipd.proc.wait(10), 0, "exit code")


@limits(timeout=60)
def case_a_second_sigterm_ends_the_hook():
    with Lab() as lab:
        two = Leaving(lab, timeout=600)
        mark = two.sniffer.mark()
        two.vipd.proc.signal(signal.SIGTERM)
        two.stays_active()
        two.vipd.proc.signal(signal.SIGTERM)
        two.goes(mark)
        equal(two.vipd.proc.wait(10), 0, "exit code")
        two.n1.wait(lambda: not ns.ip("netns", "pids", two.n1.ns).split(), 10, "no process to be left")


@limits(timeout=60)
def case_leave_of_an_instance_that_a_reload_removes():
    with Lab() as lab:
        two = Leaving(lab)
        mark, path = two.sniffer.mark(), os.path.join(lab.dir, "n1-vipd.conf")
        line = reload(two.vipd, path, two.stays)
        check("VI_1" in line and "notify_leave" in line, f"the answer does not say what is waited for: {line}")
        two.stays_active()
        # It is wanted again after all, and then not.
        log = two.vipd.log.mark()
        reload(two.vipd, path, two.text)
        two.wait_line("killed")
        equal(two.vipd.transitions(log), [], "transitions")
        replace_file(two.out, "")
        reload(two.vipd, path, two.stays)
        two.stays_active()
        with open(two.go, "w", encoding="ascii"):
            pass
        two.goes(mark)
        two.vipd.log.wait(r"reload: removed VI_1; 1 unchanged", 5)
        check(two.n1.has(VIP2), "the other instance lost its address")
        two.vipd.terminate()


@limits(timeout=60)
def case_leave_of_a_sync_group_is_one():
    with Lab() as lab:
        n1 = lab.node("n1", conf.NODE1)
        second(lab, n1)
        sniffer = lab.sniff()
        out, go = n1.file("left", ""), os.path.join(lab.dir, "go")
        path = n1.file("leave.sh", LEAVE.format(out=out, vip=conf.VIP, go=go))
        os.chmod(path, 0o755)
        vipd = Vipd(n1, conf.instance(extra=[f"notify_leave {path}", "notify_leave_timeout 20"])
                    + conf.instance(name="VI_2", iface="ens161", vrid=51, vips=(VIP2,))
                    + "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\n}\n")
        n1.wait_has(conf.VIP, 10)
        n1.wait_has(VIP2, 10)
        vipd.proc.signal(signal.SIGTERM)
        vipd.log.wait("VI_1: leaves as soon as", 5)
        mark = sniffer.mark()
        for vrid in (50, 51):
            found = sniffer.wait_count(lambda f, v=vrid: is_advert(f, vrid=v), 10, 5, "adverts", mark)
            equal({f.priority for f in found}, {100}, "priorities while the hook runs")
        with open(go, "w", encoding="ascii"):
            pass
        equal(vipd.proc.wait(10), 0, "exit code")
        for vrid in (50, 51):
            sniffer.wait(lambda f, v=vrid: is_advert(f, vrid=v, priority=0), 5, "priority 0", mark)


# Says when it begins and ends; waits for a file.
SLOW = """#!/bin/sh
echo "begin $3 $4" >>{out}
while [ ! -e {go} ]; do sleep 0.05; done
echo "end $3 $4" >>{out}
"""


def slow(lab, node):
    """A program that does not end before `go` is there: path, output, go."""
    out, go = node.file("slow", ""), os.path.join(lab.dir, "go")
    path = node.file("slow.sh", SLOW.format(out=out, go=go))
    os.chmod(path, 0o755)
    return path, out, go


def read(path):
    """The lines of a file."""
    with open(path, encoding="ascii") as file:
        return file.read().splitlines()


@limits(timeout=90)
def case_slow_programs_delay_no_advert_and_are_told_the_last_state():
    with Lab() as lab:
        n1 = lab.node("n1", conf.NODE1)
        path, out, go = slow(lab, n1)
        sniffer = lab.sniff()
        vipd = Vipd(n1, conf.instance(priority=255, advert_int=0.01, extra=[f"notify {path}"]))
        vipd.wait_state("Active", 10)
        mark = sniffer.mark()
        found = sniffer.wait_count(lambda f: is_advert(f, "n1"), 100, 10, "adverts beside a slow program", mark)
        gaps = [after.at - before.at for before, after in zip(found, found[1:])]
        check(sum(gaps) / len(gaps) < 0.015, f"adverts of 10 ms came every {sum(gaps) / len(gaps):.4f} s")
        for _ in range(40):
            log = vipd.log.mark()
            n1.cable("down")
            vipd.wait_state("Initialize", 5, log)
            n1.cable("up")
            vipd.wait_state("Active", 5, log)
        log = vipd.log.mark()
        n1.cable("down")
        vipd.wait_state("Initialize", 5, log)
        equal(read(out), ["begin MASTER 255"], "programs that run at one time")
        equal(len(vipd.log.matches("VI_1: (MASTER|FAULT) is not told to its programs")), 1, "warnings")
        with open(go, "w", encoding="ascii"):
            pass
        lines = wait_lines(out, lambda lines: len(lines) == 128, "64 programs one after the other")
        equal([line.split()[0] for line in lines], ["begin", "end"] * 64, "begins and ends")
        equal(lines[-1], "end FAULT 255", "the last one")
        vipd.terminate()


def wait_lines(path, holds, what, timeout=30):
    """Waits until the lines of a file are so."""
    deadline = Deadline(timeout)
    while not holds(lines := read(path)):
        if deadline.passed():
            raise CaseFailed(f"{what} within {timeout} s: {lines}")
        time.sleep(0.02)
    return lines


@limits(timeout=60)
def case_a_program_that_fails_is_named():
    with Lab() as lab:
        n1 = lab.node("n1", conf.NODE1)
        vipd = Vipd(n1, conf.instance(extra=['notify_master "/bin/sh -c \'exit 3\'"', "notify_backup /nowhere"]))
        vipd.log.wait(r"warn: VI_1: /bin/sh for MASTER ended with exit code 3", 10)
        vipd.log.wait(r"warn: VI_1: /nowhere for BACKUP cannot be started: .*[Nn]o such file", 10)
        vipd.terminate()


@limits(timeout=60)
def case_a_reload_keeps_and_changes_programs():
    with Lab() as lab:
        n1 = lab.node("n1", conf.NODE1)
        told = Told(lab, n1)
        defs = conf.global_defs(f"vrrp_notify_fifo {told.fifo}", f'vrrp_notify_fifo_script "{told.path} reader"')
        vipd = Vipd(n1, defs + conf.instance(extra=told.words("A", "fault")))
        vipd.wait_state("Active", 10)
        equal(told.step(3, 2)[0]["reader"], [f"reader: [{told.fifo}]"], "what the FIFO's program gets")
        path = os.path.join(lab.dir, "n1-vipd.conf")
        before = os.stat(told.fifo).st_ino
        # Other programs; nothing is told by a reload.
        reload(vipd, path, defs + conf.instance(extra=told.words("B", "fault")))
        n1.cable("down")
        equal(told.step(2, 1)[0], {"B-fault": [f"B-fault: {TOLD}"], "B": ["B: [INSTANCE] [VI_1] [FAULT] [100]"]},
              "what is told after it")
        equal(os.stat(told.fifo).st_ino, before, "the FIFO's inode")
        # The states of all at a reload, if that is asked for.
        states = defs.replace("{", "{\nfifo_write_vrrp_states_on_reload", 1)
        reload(vipd, path, states + conf.instance(extra=told.words("B", "fault")))
        equal(told.step(0, 1)[1], {'"VI_1"': ['INSTANCE "VI_1" FAULT 100\n']}, "lines of the reload")
        reload(vipd, path, conf.instance(extra=told.words("B", "fault")))
        check(not os.path.exists(told.fifo), "the FIFO is there though nothing is written to it")
        vipd.terminate()


@limits(timeout=60)
def case_a_fifo_without_reader_that_is_full():
    with Lab() as lab:
        n1 = lab.node("n1", conf.NODE1)
        path = os.path.join(lab.dir, "fifo")
        os.mkfifo(path)
        hold = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        size = fcntl.fcntl(hold, 1031, 4096)  # F_SETPIPE_SZ
        os.write(hold, b"x" * size)
        vipd = Vipd(n1, conf.global_defs(f"notify_fifo {path}") + conf.instance())
        vipd.wait_state("Active", 10)
        vipd.log.wait(rf"warn: {path} is full, 1 line\(s\) are lost", 5)
        equal(len(vipd.log.matches("is full")), 1, "warnings")
        os.read(hold, size)
        n1.cable("down")
        n1.wait_lacks(conf.VIP, 5)
        vipd.terminate()
        # The log says it first: the line may have come before the FIFO was read, or after.
        lines = os.read(hold, size).replace(b'INSTANCE "VI_1" MASTER 100\n', b"")
        equal(lines, b'INSTANCE "VI_1" FAULT 100\nINSTANCE "VI_1" STOP 100\n', "lines")
        check(os.path.exists(path), "a FIFO that was there before was removed")
        os.close(hold)


@limits(timeout=60)
def case_nothing_is_left_behind():
    with Lab() as lab:
        n1 = lab.node("n1", conf.NODE1)
        fifo = os.path.join(lab.dir, "fifo")
        # A reader that would live for ever, and a program that starts another one.
        text = (conf.global_defs(f"notify_fifo {fifo}", 'notify_fifo_script "/bin/sleep 1000"')
                + conf.instance(extra=['notify_stop "/bin/sh -c \'sleep 1000\'"']))
        vipd = Vipd(n1, text)
        vipd.wait_state("Active", 10)
        check(f"fifo {fifo}" in journal(n1), f"the journal does not name the FIFO: {journal(n1)}")
        vipd.terminate(20)
        n1.wait(lambda: not ns.ip("netns", "pids", n1.ns).split(), 10, "no process to be left")
        check(not os.path.exists(fifo), "the FIFO is still there")
        equal([line for line in journal(n1) if line.startswith("fifo")], [], "FIFOs in the journal")
        # After a crash it goes with the next start, even if that has no FIFO any more.
        vipd = Vipd(n1, text, name="crashes")
        vipd.wait_state("Active", 10)
        vipd.kill9()
        n1.wait(lambda: not ns.ip("netns", "pids", n1.ns).split(), 10, "no process to be left")
        check(os.path.exists(fifo), "who removed the FIFO?")
        Vipd(n1, conf.instance(), name="again").wait_state("Active", 10)
        check(not os.path.exists(fifo), "the FIFO of the crashed one is still there")


@limits(timeout=60)
def case_the_startup_script_is_waited_for():
    with Lab() as lab:
        n1 = lab.node("n1", conf.NODE1)
        path, out, go = slow(lab, n1)
        vipd = Vipd(n1, conf.global_defs(f'startup_script "{path} x x start x"') + conf.instance())
        wait_lines(out, lambda lines: lines == ["begin start x"], "the program to run")
        vipd.log.wait_quiet(1, 2)
        equal(vipd.transitions(), [], "transitions while it runs")
        with open(go, "w", encoding="ascii"):
            pass
        vipd.wait_state("Active", 10)
        # And it has its bound.
        vipd.terminate()
        os.remove(go)
        vipd = Vipd(n1, conf.global_defs(f'startup_script "{path} x x start x"', "startup_script_timeout 1")
                    + conf.instance(), name="bounded")
        vipd.log.wait("startup_script ran into its timeout", 10)
        vipd.wait_state("Active", 10)
        vipd.terminate()


# In front of the programs of /usr/sbin. `ip netns exec` has made a mount namespace.
HOTPLUG = """#!/bin/sh
echo "$1 $ACTION $TYPE $NAME $PRIORITY $REASON" >>{out}
"""
MOUNT = 'mount -t overlay overlay -o "lowerdir=$1:/usr/sbin" /usr/sbin && shift && exec "$@"'


@each("vipd", "keepalived too")
@limits(timeout=60)
def case_openwrts_hotplug_scripts(whose):
    with Lab() as lab:
        n1 = lab.node("n1", conf.NODE1)
        folder, out = n1.folder("sbin"), n1.file("hotplug", "")
        path = os.path.join(folder, "hotplug-call")
        with open(path, "w", encoding="ascii") as file:
            file.write(HOTPLUG.format(out=out))
        os.chmod(path, 0o755)
        both = whose != "vipd"
        text = conf.uci_globals(hotplug_keepalived=int(both)) + conf.uci(iface="ens160")
        vipd = Vipd(n1, text, command=["sh", "-c", MOUNT, "sh", folder, binary()])
        vipd.wait_state("Active", 10)
        n1.cable("down")
        vipd.wait_state("Initialize", 5)
        vipd.terminate()
        states = ["BACKUP INSTANCE VI_1 100 ready", "MASTER INSTANCE VI_1 100 silence",
                  "FAULT INSTANCE VI_1 100 interface-down", "STOP INSTANCE VI_1 100 stopped"]
        folders = ["vipd", "keepalived"] if both else ["vipd"]
        equal(read(out), [f"{folder} NOTIFY_{state}" for state in states for folder in folders], "calls")
