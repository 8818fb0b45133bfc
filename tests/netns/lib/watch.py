"""The kernel's news of a node's addresses, each with its time: what came, what went, what was renewed."""

import socket
import struct
import threading
import time
from dataclasses import dataclass

from lib import ns
from lib.check import CaseFailed, Deadline

RTM_NEWADDR, RTM_DELADDR = 20, 21
IFA_ADDRESS, IFA_LOCAL, IFA_CACHEINFO = 1, 2, 6
FOREVER = 0xFFFFFFFF
SO_RCVBUFFORCE = 33


@dataclass
class News:
    """One change of an address; `valid` is its lifetime in seconds, None for ever."""

    at: float
    kind: str  # "new" or "gone"
    address: str
    prefix: int
    valid: int

    def __str__(self):
        return f"{self.at:.6f} {self.kind} {self.address}/{self.prefix} valid {self.valid}"


class Watch:
    """Collects the news of a node's IPv4 (or IPv6) addresses from now on, as `ip monitor address` would."""

    def __init__(self, node, six=False):
        self.news = []
        self._grown = threading.Condition()
        with ns.entered(node.ns):
            self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self._sock.bind((0, ns.IPV6_ADDR if six else ns.IPV4_ADDR))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                data = self._sock.recv(65536)
            except OSError:
                return
            at = time.time()
            with self._grown:
                self.news += [n for n in _messages(at, data) if n]
                self._grown.notify_all()

    def mark(self):
        """Where the news are now: pass it as `since`."""
        return len(self.news)

    def of(self, address, since=0):
        """The news of one address."""
        return [n for n in self.news[since:] if n.address == address]

    def words(self, since=0):
        """The news in short: `new ADDRESS`, `gone ADDRESS`."""
        return [f"{n.kind} {n.address}" for n in self.news[since:]]

    def wait_count(self, wanted, count, timeout, what, since=0):
        """The first `count` news from `since` on for which `wanted(news)` holds."""
        deadline = Deadline(timeout)
        with self._grown:
            while True:
                found = [n for n in self.news[since:] if wanted(n)]
                if len(found) >= count:
                    return found[:count]
                if deadline.passed():
                    raise CaseFailed(f"{len(found)} of {count} news within {timeout} s: {what}")
                self._grown.wait(deadline.left())

    def wait(self, kind, address, timeout, since=0):
        """The first news of that kind of that address."""
        wanted = f"{address} to be {kind}"
        return self.wait_count(lambda n: n.kind == kind and n.address == address, 1, timeout, wanted, since)[0]

    def close(self):
        """Ends it; the news stay."""
        self._sock.close()


def _messages(at, data):
    offset = 0
    while offset + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if length < 16:
            return
        if kind in (RTM_NEWADDR, RTM_DELADDR):
            yield _news(at, "new" if kind == RTM_NEWADDR else "gone", data[offset + 16:offset + length])
        offset += (length + 3) & ~3


def _news(at, kind, body):
    attributes, offset = {}, 8
    while offset + 4 <= len(body):
        length, number = struct.unpack_from("=HH", body, offset)
        if length < 4:
            break
        attributes[number] = body[offset + 4:offset + length]
        offset += (length + 3) & ~3
    address = attributes.get(IFA_LOCAL, attributes.get(IFA_ADDRESS, b""))
    if len(address) not in (4, 16):
        return None
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    valid = struct.unpack_from("=I", attributes[IFA_CACHEINFO], 4)[0] if IFA_CACHEINFO in attributes else FOREVER
    return News(at, kind, socket.inet_ntop(family, address), body[1], None if valid == FOREVER else valid)
