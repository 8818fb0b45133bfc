#!/usr/bin/env python3
"""The virtual MAC: the Active dies, and what a client sends to the virtual MAC goes to the other router.

Client, Active and Backup stand at one bridge, and `use_vmac` stands in both configurations. The Active is
killed with -9, and in the same moment its port is taken off the bridge. From its last advert, less
Active_Down_Interval, to the bridge's moving its entry of the virtual MAC to the other port, and to the
first answer that a client gets which pings the virtual address each millisecond. Its ARP entry is
permanent: nothing that it learns can help.
"""

import select
import socket
import struct
import subprocess
import threading

from lib import conf
from lib.capture import Capture, now_ns
from lib.daemon import Daemon
from lib.error import BenchError
from lib.lab import Lab, ip
from lib.program import alternate, main
from lib.report import versus
from moved import build

TITLE = "use_vmac: a client's frames go to the other router after kill -9"
HIGH, LOW, INTERVAL = 200, 100, 100_000
VMAC = "00:00:5e:00:01:01"
GAP_S = 0.001


class Pinger(threading.Thread):
    """Pings the virtual address; `answers` are the times of the answers."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.answers, self.ending = [], threading.Event()
        self.proc = lab.start("c", ["ping", "-q", "-i", GAP_S, conf.vip(1)], stdout=subprocess.DEVNULL)
        self.sock = lab.inside("c", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))

    def run(self):
        while not self.ending.is_set():
            if select.select([self.sock], [], [], 0.1)[0]:
                packet = self.sock.recv(2048)
                if packet[20] == 0:
                    self.answers.append(now_ns())

    def close(self):
        """Ends it."""
        self.ending.set()
        self.proc.kill()
        self.join()
        self.sock.close()


class Table(threading.Thread):
    """Hears from the bridge where it sends frames for the virtual MAC: `moves` are (time, port's index)."""

    RTM_NEWNEIGH, GROUP_NEIGH = 28, 4

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.moves, self.ending = [], threading.Event()
        self.sock = lab.inside("c", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        self.sock.bind((0, self.GROUP_NEIGH))

    def run(self):
        mac = bytes.fromhex(VMAC.replace(":", ""))
        while not self.ending.is_set():
            if not select.select([self.sock], [], [], 0.1)[0]:
                continue
            at, message = now_ns(), self.sock.recv(8192)
            _, kind = struct.unpack_from("=IH", message)
            # struct ndmsg: family, padding, ifindex.
            if kind == self.RTM_NEWNEIGH and message[16] == socket.AF_BRIDGE and mac in message:
                self.moves.append((at, struct.unpack_from("=i", message, 20)[0]))

    def close(self):
        """Ends it."""
        self.ending.set()
        self.join()
        self.sock.close()


def move(lab, kind):
    """(ms until the bridge's entry moves, ms until the first answer), beyond Active_Down_Interval."""
    ip("link", "set", "pa", "master", "br0", ns=lab.nodes["c"])
    text = [conf.instances(1, priority, INTERVAL, extra=["use_vmac"]) for priority in (HIGH, LOW)]
    with Capture(lab, "c", "br0") as capture, Daemon(lab, "a", kind, text[0]) as high:
        capture.wait_all_active(conf.A, 1, 30)
        with Daemon(lab, "b", kind, text[1]) as low:
            ip("neigh", "replace", conf.vip(1), "lladdr", VMAC, "dev", "br0", ns=lab.nodes["c"])
            pinger, table = Pinger(lab), Table(lab)
            pinger.start()
            table.start()
            # The second round of gratuitous ARPs, five seconds after the takeover, is over by then.
            low.settle(7)
            killed = now_ns()
            high.kill9()
            ip("link", "set", "pa", "nomaster", ns=lab.nodes["c"])
            capture.wait(lambda: capture.adverts(conf.B, killed), 30, "the heir's advert")
            capture.wait(lambda: [t for t in pinger.answers if t > killed + conf.down_ns(LOW, INTERVAL) // 2], 30,
                         "an answer of the heir")
            pinger.close()
            table.close()
            low.check()
    for node in "ab":
        names = [line.split(":")[1].split("@")[0].strip()
                 for line in ip("-o", "link", "show", "type", "macvlan", ns=lab.nodes[node]).splitlines()]
        for name in names:
            ip("link", "del", name, ns=lab.nodes[node])
    last = capture.adverts(conf.A)[-1].at + conf.down_ns(LOW, INTERVAL)
    heir = int(lab.link("c", "pb")["ifindex"])
    moved = [at for at, port in table.moves if at > killed and port == heir]
    answered = [at for at in pinger.answers if at > killed + conf.down_ns(LOW, INTERVAL) // 2]
    if not moved:
        raise BenchError(f"{kind}: the bridge's entry of {VMAC} did not move")
    return (moved[0] - last) / 1e6, (answered[0] - last) / 1e6


def measure(chosen):
    """Two rows."""
    with Lab() as lab:
        build(lab)
        pairs = alternate(3 if chosen.quick else 10, chosen, lambda kind: move(lab, kind))
    whats = ("the switch's entry has moved", "first answer to a ping each ms")
    return [versus(f"{what}, beyond Active_Down_Interval at 100 ms", "ms",
                   *([p[index] for p in pairs[kind]] for kind in ("vipd", "keepalived")))
            for index, what in enumerate(whats)]


if __name__ == "__main__":
    main("vmac", TITLE, measure)
