"""A client that pings without end and keeps account of what was answered."""

import os
import select
import socket
import struct
import threading
import time

from lib import ns
from lib.check import CaseFailed, Deadline
from lib.wire import checksum


class Pinger:
    """Echo requests each `interval` seconds from a node to `target`; `sent` and `answered` by sequence."""

    def __init__(self, node, target, interval=0.02):
        self.sent, self.answered = [], {}
        self._target, self._interval, self._ident = target, interval, os.getpid() & 0xFFFF
        self._stop = threading.Event()
        self._grown = threading.Condition()
        self._six = ":" in target
        scope = node.ifindex() if target.startswith("fe80:") else 0
        self._to = (target, 0, 0, scope) if self._six else (target, 0)
        with ns.entered(node.ns):
            self._sock = (socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) if self._six
                          else socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        self._sock.setblocking(False)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        due = time.monotonic()
        while not self._stop.is_set():
            self._send()
            due = max(due + self._interval, time.monotonic())
            while (left := due - time.monotonic()) > 0:
                if select.select([self._sock], [], [], left)[0]:
                    self._receive()
        self._sock.close()

    def _send(self):
        sequence = len(self.sent)
        # Over IPv6 the kernel fills in the checksum.
        head = struct.pack("!BBHHH", 128 if self._six else 8, 0, 0, self._ident, sequence & 0xFFFF)
        total = checksum(head)
        self.sent.append(time.time())
        try:
            self._sock.sendto(head[:2] + struct.pack("!H", total) + head[4:], self._to)
        except OSError:
            pass  # no route or no neighbour: a lost ping like any other

    def _receive(self):
        try:
            raw = self._sock.recv(2048)
        except OSError:
            return
        icmp = raw if self._six else raw[(raw[0] & 15) * 4:]
        kind, _, _, ident, low = struct.unpack("!BBHHH", icmp[:8])
        if kind != (129 if self._six else 0) or ident != self._ident:
            return
        last = len(self.sent) - 1
        sequence = last - ((last - low) & 0xFFFF)
        with self._grown:
            self.answered.setdefault(sequence, time.time())
            self._grown.notify_all()

    def wait_answer(self, timeout, count=5):
        """Waits until `count` pings that are sent from now on were answered."""
        first, deadline = len(self.sent), Deadline(timeout)
        with self._grown:
            while sum(1 for s in self.answered if s >= first) < count:
                if deadline.passed():
                    raise CaseFailed(f"no answer to pings of {self._target} within {timeout} s")
                self._grown.wait(deadline.left())

    def wait_sent(self, count, timeout=10):
        """Waits until `count` more pings were sent, answered or not."""
        wanted, deadline = len(self.sent) + count, Deadline(timeout)
        while len(self.sent) < wanted:
            if deadline.passed():
                raise CaseFailed(f"the pinger did not send {count} pings within {timeout} s")
            time.sleep(self._interval)

    def lost(self, since=0.0, until=float("inf")):
        """How many pings sent between two times (seconds of the epoch) had no answer."""
        return sum(1 for s, at in enumerate(list(self.sent))
                   if since <= at <= until and s not in self.answered)

    def stop(self):
        """Ends the pinging."""
        self._stop.set()
        self._thread.join(5)
