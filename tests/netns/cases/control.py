"""Whoever connects to the control socket, and whatever he does there, adverts go out in time."""

import json
import os
import random
import socket
import struct
import subprocess
import time

from lib import conf
from lib.check import Deadline, check, each, equal, limits
from lib.lab import Lab, now
from lib.life import descriptors, reload, seed
from lib.pair import count_fits
from lib.sniffer import is_advert
from lib.vipd import Vipd, binary

INSTANCES = 64
# limits::CONTROL_CLIENTS and limits::CONTROL_PATIENCE.
CLIENTS, PATIENCE_S = 8, 5
VANISHING = 1000
GROWTH_KB = 64


def text(priority):
    """64 instances that advertise ten times a second."""
    return "".join(conf.instance(f"VI_{i}", vrid=i + 1, priority=priority, vips=[f"10.10.200.{i + 1}"])
                   for i in range(INSTANCES))


def ask(vipd, *words):
    """`vipd WORDS` of the same runtime directory: exit code, standard output and standard error."""
    done = subprocess.run([binary(), *words, "--runtime-dir", vipd.runtime_dir],
                          capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


def status(vipd, *name):
    """The answer of `vipd status --json`, by name of the instance."""
    # A reload, as netifd's news cause one, cuts an answer off, and says so.
    for _ in range(5):
        code, out, err = ask(vipd, "status", *name, "--json")
        if "ask again" not in err:
            break
    equal(code, 0, f"exit code of status ({err})")
    return {i["name"]: i for i in json.loads(out)["instances"]}


def connect(vipd, words=b""):
    """A connection with a small buffer, on which `words` were said."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    # A blocking connect waits for room in the listener's queue, but no longer than this.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 5, 0))
    client.connect(os.path.join(vipd.runtime_dir, "control"))
    client.settimeout(5)
    if words:
        try:
            client.send(words)
        except OSError:
            pass  # the daemon has sent us away already
    return client


def wait_for(holds, timeout, what):
    """Waits for a state of the process, of which no event tells."""
    deadline = Deadline(timeout)
    while not holds():
        check(not deadline.passed(), f"waited {timeout} s in vain for: {what}")
        time.sleep(0.01)


def never_read(vipd, _rng):
    """For longer than the daemon's patience all places are taken by people who do not read."""
    clients, deadline = [], Deadline(PATIENCE_S + 2)
    while not deadline.passed():
        clients.append(connect(vipd, b"vipd/1 status\n"))
        time.sleep(0.02)
    check(len(clients) > 5 * CLIENTS, f"only {len(clients)} clients")
    for client in clients:
        client.close()


def vanish(vipd, rng):
    """A thousand come, say a part of something, and are gone."""
    for _ in range(VANISHING):
        connect(vipd, b"vipd/1 status\n"[:rng.randint(0, 14)]).close()


def say_anything(vipd, rng):
    """Random bytes, and requests that random bytes were put into."""
    for _ in range(VANISHING):
        words = rng.randbytes(rng.choice((1, 16, 255, 256, 257, 4096)))
        if rng.random() < 0.5:
            words = b"vipd/1 status " + words[:64] + b"\n"
        client = connect(vipd, words)
        if rng.random() < 0.2:
            try:
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass
            except OSError:
                pass
        client.close()


def drip(vipd, _rng):
    """A byte now and then, never a line."""
    clients = [connect(vipd) for _ in range(CLIENTS)]
    for _ in range(20):
        for client in clients:
            try:
                client.send(b"v")
            except OSError:
                pass
        time.sleep(0.1)
    for client in clients:
        client.close()


class Attack:
    """One of the above, as a parameter of a case."""

    def __init__(self, act):
        self.act = act

    def __str__(self):
        return self.act.__name__


@each(*map(Attack, (never_read, vanish, say_anything, drip)))
@limits(timeout=60)
def case_no_client_delays_an_advert(attack):
    rng = random.Random(seed())
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        vipd = Vipd(node1, text(200))
        vipd.log.wait_count("-> Active", INSTANCES, 15)
        backup = Vipd(node2, text(100))
        backup.log.wait_count("-> Backup", INSTANCES, 15)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 10 * INSTANCES, 15, "adverts", sniffer.mark())
        equal({i["state"] for i in status(vipd).values()}, {"Active"}, "states")
        memory, open_before = vipd.proc.memory_kb(), descriptors(vipd.proc)
        log, other, frames, started = vipd.log.mark(), backup.log.mark(), sniffer.mark(), now()
        attack.act(vipd, rng)
        # A whole second at least is judged.
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 10 * INSTANCES, 10, "adverts after it", sniffer.mark())
        ended = now()
        window = [f for f in sniffer.adverts("n1", frames) if started <= f.at <= ended]
        for vrid in range(1, INSTANCES + 1):
            count_fits([f for f in window if f.vrid == vrid], 0.1, ended - started)
        equal(vipd.transitions(log) + backup.transitions(other), [], "transitions")
        lines = len(vipd.log.lines) - log
        check(lines <= ended - started + 1, f"{lines} lines of log in {ended - started:.1f} s")
        wait_for(lambda: descriptors(vipd.proc) == open_before, PATIENCE_S + 2, "the descriptors of before")
        growth = vipd.proc.memory_kb() - memory
        check(growth <= GROWTH_KB, f"memory grew by {growth} kB")
        equal(len(status(vipd)), INSTANCES, "instances that status tells of")


@limits(timeout=30)
def case_places_are_bounded_and_the_next_is_told():
    with Lab() as lab:
        vipd = Vipd(lab.node("n1", conf.NODE1), conf.instance(priority=255))
        vipd.wait_state("Active", 5)
        idle = [connect(vipd) for _ in range(CLIENTS)]
        with connect(vipd) as late:
            answer = late.recv(4096).decode()
        check(answer.startswith("vipd/1 error busy\n") and "try again" in answer, f"the ninth is told {answer!r}")
        # One goes, one may come, long before the patience with the others is over.
        full = len(descriptors(vipd.proc))
        idle.pop().close()
        wait_for(lambda: len(descriptors(vipd.proc)) < full, 2, "the daemon to close its end")
        equal(status(vipd)["VI_1"]["state"], "Active", "state")
        for client in idle:
            client.settimeout(PATIENCE_S + 2)
            equal(client.recv(4096), b"", "what an idle client gets in the end")
            client.close()


@limits(timeout=30)
def case_status_of_a_pair_and_a_reload():
    with Lab() as lab:
        node1, node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        first, second = Vipd(node1, conf.instance(priority=200)), Vipd(node2, conf.instance(priority=100))
        first.wait_state("Active", 5)
        lab.sniff().wait_count(lambda f: is_advert(f, "n1"), 5, 5, "adverts of n1")
        active, backup = status(first)["VI_1"], status(second)["VI_1"]
        equal((active["state"], active["keepalived_state"]), ("Active", "MASTER"), "states of n1")
        equal((backup["state"], backup["keepalived_state"]), ("Backup", "BACKUP"), "states of n2")
        check(node1.address in json.dumps(backup["active"]), f"who is Active: {backup['active']}")
        mode = os.stat(os.path.join(first.runtime_dir, "control")).st_mode & 0o777
        equal(mode, 0o600, "rights of the socket")
        path = os.path.join(lab.dir, "n1-vipd.conf")
        reload(first, path, conf.instance(priority=150))
        equal(status(first, "VI_1")["VI_1"]["priority"], 150, "priority after the reload")
        mark = first.log.mark()
        with open(path, "w", encoding="utf-8") as file:
            file.write(conf.instance(priority=160))
        code, out, _ = ask(first, "reload")
        equal((code, out.strip()), (0, "changed VI_1; 0 unchanged"), "the answer to vipd reload")
        with open(path, "w", encoding="utf-8") as file:
            file.write(conf.instance(priority=999))
        code, _, err = ask(first, "reload")
        equal(code, 1, "exit code of a reload of a bad file")
        check(f"{path}:5:" in err, f"it does not say where: {err!r}")
        equal(status(first)["VI_1"]["priority"], 160, "priority after the bad reload")
        equal(first.transitions(mark), [], "transitions")
        first.kill9()
        code, _, err = ask(first, "status")
        check(code == 3 and first.runtime_dir in err, f"status of a dead daemon: {code}, {err!r}")
