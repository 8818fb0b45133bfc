"""Listens on every port of the switch and keeps each ARP, VRRP and ICMPv6 frame that entered it."""

import ctypes
import socket
import struct
import threading

from lib import ns, wire
from lib.check import CaseFailed, Deadline

ETH_P_ALL, PACKET_OUTGOING = 0x0003, 4
SO_ATTACH_FILTER, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 26, 33, 35
# Classic BPF: load word/half/byte at an absolute offset, jump if equal, return.
LD_W, LD_H, LD_B, JEQ, RET = 0x20, 0x28, 0x30, 0x15, 0x06
SKF_AD_PKTTYPE = 0xFFFFF000 + 4


def _filter(ignored_mac, protocols):
    """Accepts incoming ARP, VRRP, ICMPv6 and these protocols over IPv4, and whatever comes from a virtual MAC address; drops what
    `ignored_mac` sent, so that a flood costs nothing."""
    last4 = int.from_bytes(wire.mac_bytes(ignored_mac)[2:], "big") if ignored_mac else None
    program = [(LD_W, 0, 0, SKF_AD_PKTTYPE), (JEQ, "drop", 0, PACKET_OUTGOING)]
    if last4 is not None:
        program += [(LD_W, 0, 0, 8), (JEQ, "drop", 0, last4)]
    program += [(LD_W, 0, 0, 6), (JEQ, "take", 0, wire.VIRTUAL_MACS)]
    program += [(LD_H, 0, 0, 12), (JEQ, "take", 0, wire.ETH_ARP), (JEQ, 5, 0, wire.ETH_IP),
                (JEQ, 0, "drop", wire.ETH_IPV6), (LD_B, 0, 0, 20), (JEQ, "take", 0, wire.PROTO_VRRP),
                (JEQ, "take", 0, wire.PROTO_ICMPV6), (JEQ, "take", "drop", wire.PROTO_HOP_BY_HOP),
                (LD_B, 0, 0, 23), *((JEQ, "take", 0, protocol) for protocol in protocols),
                (JEQ, "take", "drop", wire.PROTO_VRRP)]
    take, drop = len(program), len(program) + 1
    program += [(RET, 0, 0, 0xFFFF), (RET, 0, 0, 0)]

    def offset(target, here):
        return {"take": take, "drop": drop}[target] - here - 1 if isinstance(target, str) else target

    return [(code, offset(jt, i), offset(jf, i), k) for i, (code, jt, jf, k) in enumerate(program)]


def _attach(sock, program):
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                    struct.pack("HL", len(program), ctypes.addressof(buffer)))


def _bind_everywhere(sock):
    """bind(2) to every interface, for which Python's own bind has no word."""
    address = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0, b"")
    if ctypes.CDLL(None, use_errno=True).bind(sock.fileno(), address, len(address)) != 0:
        raise OSError(ctypes.get_errno(), "bind of the capture socket")


class Sniffer:
    """The capture of one switch: `frames` in order, each once, stamped by the kernel."""

    def __init__(self, switch_ns, ports, ignored_mac=None, protocols=()):
        self.frames = []
        self._ports = ports
        self._grown = threading.Condition()
        with ns.entered(switch_ns):
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        _attach(self._sock, _filter(ignored_mac, protocols))
        self._sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        _bind_everywhere(self._sock)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                raw, extra, _, address = self._sock.recvmsg(2048, 64)
            except OSError:
                return
            if address[0] not in self._ports:
                continue
            seconds, nanoseconds = struct.unpack("qq", extra[0][2][:16])
            frame = wire.decode(seconds + nanoseconds / 1e9, address[0], raw)
            with self._grown:
                self.frames.append(frame)
                self._grown.notify_all()

    def close(self):
        """Ends the capture; the frames stay."""
        self._sock.close()

    def mark(self):
        """Where the capture is now: pass it as `since`."""
        return len(self.frames)

    def wait(self, wanted, timeout, what, since=0):
        """The first frame from `since` on for which `wanted(frame)` holds."""
        return self.wait_count(wanted, 1, timeout, what, since)[0]

    def wait_count(self, wanted, count, timeout, what, since=0):
        """The first `count` frames from `since` on for which `wanted(frame)` holds."""
        deadline, seen, found = Deadline(timeout), since, []
        with self._grown:
            while True:
                while seen < len(self.frames):
                    if wanted(self.frames[seen]):
                        found.append(self.frames[seen])
                        if len(found) == count:
                            return found
                    seen += 1
                if deadline.passed():
                    raise CaseFailed(f"saw {len(found)} of {count} frames within {timeout} s: {what}")
                self._grown.wait(deadline.left())

    def adverts(self, port=None, since=0, vrid=None):
        """The adverts from `since` on (of one port, of one VRID)."""
        return [f for f in self.frames[since:] if is_advert(f, port, vrid)]

    def arps(self, port=None, since=0):
        """The ARP messages from `since` on (of one port)."""
        return [f for f in self.frames[since:] if isinstance(f, wire.Arp) and port in (None, f.port)]


def from_virtual_mac(frame, port=None):
    """Whether `frame` (of that port) was sent with a virtual MAC address (RFC 9568 §7.3)."""
    mac = frame.raw[6:10] if isinstance(frame, wire.Other) else wire.mac_bytes(frame.eth_src)[:4]
    return mac == wire.VIRTUAL_MACS.to_bytes(4, "big") and port in (None, frame.port)


def is_advert(frame, port=None, vrid=None, priority=None):
    """Whether `frame` is an advert, of that port, VRID and priority where given."""
    return (isinstance(frame, wire.Advert) and port in (None, frame.port)
            and vrid in (None, frame.vrid) and priority in (None, frame.priority))


def is_garp(frame, vip, port=None, mac=None):
    """Whether `frame` announces `vip` gratuitously (from that port, for that MAC where given)."""
    return (isinstance(frame, wire.Arp) and frame.gratuitous() and frame.sender == vip
            and port in (None, frame.port) and mac in (None, frame.sender_mac))


def is_na(frame, vip, port=None, mac=None):
    """Whether `frame` tells all nodes where `vip` is (from that port, at that MAC where given)."""
    return (isinstance(frame, wire.Na) and frame.unsolicited() and frame.target == vip
            and port in (None, frame.port) and mac in (None, frame.mac))
