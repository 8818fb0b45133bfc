"""A provider on a network of its own, with a host of the internet behind it, and what it heard of each customer.

Its DHCP and DNS are dnsmasq's. It pings the addresses of its customers all the time: an uplink that is up answers, so
that the silence of one says that it is down.
"""

import ipaddress
import socketserver
import threading
from dataclasses import dataclass

from lib import dhcp, ns, wire
from lib.check import check
from lib.lab import now
from lib.ns import ip
from lib.ping import Pinger

ISP, SEGMENT = "203.0.113.1", "br1"
HOST, PORT, NAME = "198.51.100.9", 80, "web.test"
PING_S = 0.1


class Greeting(socketserver.BaseRequestHandler):
    """Says to who connects what his address is, as NAT has it."""

    def handle(self):
        self.request.sendall(self.client_address[0].encode())


class Provider:
    """Each of the nodes is a customer by its `wan0`; its port at the provider is `NAME-wan`."""

    def __init__(self, lab, nodes):
        self.lab = lab
        lab.segment(SEGMENT)
        self.node = lab.node("isp", f"{ISP}/24", iface="eth0", bridge=SEGMENT)
        self.node.ip("addr", "add", f"{HOST}/32", "dev", "lo")
        self.address = {node.name: f"203.0.113.{at}" for at, node in enumerate(nodes, 11)}
        known = []
        for node in nodes:
            lab.plug(node, "wan0", f"{node.name}-wan", SEGMENT)
            with ns.entered(node.ns), open("/proc/sys/net/ipv6/conf/wan0/disable_ipv6", "w", encoding="ascii") as out:
                out.write("1")
            known.append(f"--dhcp-host={node.mac('wan0')},{self.address[node.name]}")
        self.dnsmasq = dhcp.Dnsmasq(self.node, "203.0.113.10,203.0.113.50", ISP, mask="255.255.255.0",
                                    extra=("--no-ping", f"--address=/{NAME}/{HOST}", *known))
        with ns.entered(self.node.ns):
            web = socketserver.TCPServer((HOST, PORT), Greeting)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        for address in self.address.values():
            Pinger(self.node, address, PING_S)

    def line(self, name, open_):
        """Cuts a customer's line behind the port, or mends it: the carrier stays."""
        way = ("master", SEGMENT) if open_ else ("nomaster",)
        ip("link", "set", f"{name}-wan", *way, ns=self.lab.switch)


@dataclass
class Session:
    """A time that an uplink was up, as it was heard: it begins when a lease is asked for in a new transaction, and ends
    with the last frame before the next one; `released`: with a DHCPRELEASE."""

    router: str
    transaction: bytes
    first: float
    last: float
    released: bool = False

    def __str__(self):
        return f"{self.router} {self.first:.3f} to {self.last:.3f}{' released' if self.released else ''}"


def sessions(capture, leases, excused=None, asked=True):
    """All of them, in the order of their beginning; `leases` has the address of each router. `excused` is a router with
    a time from and one until which what it says is not counted. One that is not `asked` for begins with its first
    frame, and there is one a router."""
    found = {name: [] for name in leases}
    # What has happened until now is in the capture once something later is.
    moment = now()
    capture.wait(lambda frame: frame.at > moment, 10, "a frame from now on", max(0, capture.mark() - 1))
    for frame in list(capture.frames):
        name = frame.port.removesuffix("-wan")
        if name not in found or name == frame.port:
            continue
        if excused and name == excused[0] and excused[1] < frame.at < excused[2]:
            continue
        kind, transaction = request(frame)
        mine = found[name]
        if kind == dhcp.DISCOVER and not (mine and mine[-1].transaction == transaction):
            mine.append(Session(name, transaction, frame.at, frame.at))
        elif kind or leases[name] == source(frame):
            check(mine or not asked, f"{name} spoke to the provider before it had asked for a lease: {frame}")
            if not mine:
                mine.append(Session(name, b"", frame.at, frame.at))
            mine[-1].last = frame.at
            mine[-1].released |= kind == dhcp.RELEASE
    return sorted((it for mine in found.values() for it in mine), key=lambda it: it.first)


def request(frame):
    """What a frame asks a DHCP server for, and the transaction; or nothing."""
    raw = getattr(frame, "raw", b"")
    # UDP to port 67, a BOOTP request.
    if not isinstance(frame, wire.Other) or raw[12:14] != b"\x08\x00" or raw[23] != 17 or raw[36:38] != b"\0\x43" \
            or raw[42] != 1:
        return None, None
    return dhcp.option(raw[282:], 53)[0], raw[46:50]


def source(frame):
    """The IPv4 address that a frame comes from."""
    if isinstance(frame, wire.Arp):
        return frame.sender
    raw = getattr(frame, "raw", b"")
    return str(ipaddress.ip_address(raw[26:30])) if raw[12:14] == b"\x08\x00" else None


def one_uplink(capture, leases, grace=0.0, excused=None, asked=True):
    """Fails if the provider has heard uplinks of two routers at once, for longer than `grace` seconds; returns all
    [`sessions`]. The time of who is excused counts from the end of that.

    An uplink is up from the first DHCPDISCOVER of a transaction to the last frame from the leased address, be it ARP,
    an answer to the provider's ping or what a client sends, or to a DHCP server, before the next one. All else is
    noise of a link without an address. With no grace the last frame of one comes before the first of the other.
    """
    found = sessions(capture, leases, excused, asked)
    text = "; ".join(map(str, found))
    for at, one in enumerate(found):
        for other in found[at + 1:]:
            since = max(other.first, excused[2]) if excused and one.router == excused[0] else other.first
            both = min(one.last, other.last) - since
            check(one.router == other.router or both <= grace,
                  f"two uplinks were up for {both:.3f} s, not {grace} at most: {text}")
    return found
