"""Frames: building right and wrong ones, and taking captured ones apart."""

import ipaddress
import struct
from dataclasses import dataclass, field

GROUP4 = "224.0.0.18"
GROUP4_MAC = "01:00:5e:00:00:12"
GROUP6 = "ff02::12"
GROUP6_MAC = "33:33:00:00:00:12"
ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
BROADCAST = "ff:ff:ff:ff:ff:ff"
# The first four bytes of every virtual router's MAC address (RFC 9568 §7.3).
VIRTUAL_MACS = 0x00005E00
ETH_IP, ETH_ARP, ETH_IPV6 = 0x0800, 0x0806, 0x86DD
PROTO_HOP_BY_HOP, PROTO_AH, PROTO_ICMPV6, PROTO_VRRP = 0, 51, 58, 112


def mac_bytes(text):
    """`aa:bb:…` as six bytes."""
    return bytes.fromhex(text.replace(":", ""))


def mac_text(raw):
    """Six bytes as `aa:bb:…`."""
    return raw.hex(":")


def ip_bytes(text):
    """An address as bytes."""
    return ipaddress.ip_address(text).packed


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(payload, src, dst=GROUP4_MAC, ethertype=ETH_IP):
    """An Ethernet frame, padded to 60 bytes as a wire would."""
    return (mac_bytes(dst) + mac_bytes(src) + struct.pack("!H", ethertype) + payload).ljust(60, b"\0")


def ipv4(payload, src, dst=GROUP4, proto=PROTO_VRRP, ttl=255, version=4, ihl=5,
         total_length=None, fragment=0, ident=7, bad_checksum=False):
    """An IPv4 packet; the later arguments make it wrong."""
    length = 20 + len(payload) if total_length is None else total_length
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0xC0, length, ident, fragment,
                       ttl, proto, 0, ip_bytes(src), ip_bytes(dst))
    total = checksum(head) ^ (0x5555 if bad_checksum else 0)
    return head[:10] + struct.pack("!H", total) + head[12:] + payload


def ipv6(payload, src, dst=GROUP6, next_header=PROTO_VRRP, hop_limit=255, version=6, length=None):
    """An IPv6 packet; the later arguments make it wrong."""
    length = len(payload) if length is None else length
    head = struct.pack("!IHBB16s16s", version << 28 | 0xC0 << 20, length, next_header, hop_limit,
                       ip_bytes(src), ip_bytes(dst))
    return head + payload


def vrrp2(vrid, priority, addresses, interval_s=1, auth_type=0, auth=b"",
          version=2, kind=1, count=None, bad_checksum=False):
    """A version 2 advert (RFC 3768 §5.1)."""
    count = len(addresses) if count is None else count
    head = struct.pack("!BBBBBBH", version << 4 | kind, vrid, priority, count, auth_type, interval_s, 0)
    body = head + b"".join(map(ip_bytes, addresses)) + auth[:8].ljust(8, b"\0")
    total = checksum(body) ^ (0x5555 if bad_checksum else 0)
    return body[:6] + struct.pack("!H", total) + body[8:]


def vrrp3(vrid, priority, addresses, src, dst=GROUP4, interval_cs=100,
          version=3, kind=1, count=None, bad_checksum=False, pseudo=True):
    """A version 3 advert (RFC 9568 §5.1); `pseudo` chooses RFC 5798's form of the checksum over IPv4."""
    count = len(addresses) if count is None else count
    head = struct.pack("!BBBBHH", version << 4 | kind, vrid, priority, count, interval_cs, 0)
    body = head + b"".join(map(ip_bytes, addresses))
    cover = _pseudo_header(ip_bytes(src), ip_bytes(dst), len(body)) if pseudo else b""
    total = checksum(cover + body) ^ (0x5555 if bad_checksum else 0)
    return body[:6] + struct.pack("!H", total) + body[8:]


def _pseudo_header(src, dst, length, protocol=PROTO_VRRP):
    """The pseudo-header of RFC 8200 §8.1; over IPv4 its sum is that of RFC 793's."""
    return src + dst + struct.pack("!II", length, protocol)


@dataclass
class Advert:
    """A captured VRRP advert of version 2 or 3."""

    at: float
    port: str
    eth_src: str
    eth_dst: str
    src: str
    dst: str
    ttl: int
    version: int
    vrid: int
    priority: int
    interval_ms: int
    addresses: list
    auth_type: int
    auth: bytes
    checksum_form: str  # "message", "pseudo" or "wrong"
    raw: bytes = field(default=b"", repr=False)

    def __str__(self):
        return (f"{self.at:.6f} {self.port}: VRRPv{self.version} {self.src} > {self.dst} vrid {self.vrid} "
                f"prio {self.priority} {self.interval_ms} ms {self.addresses} checksum {self.checksum_form}")


@dataclass
class Arp:
    """A captured ARP message."""

    at: float
    port: str
    eth_src: str
    eth_dst: str
    op: int
    sender_mac: str
    sender: str
    target_mac: str
    target: str

    def gratuitous(self):
        """Whether it announces its sender's own address to all (RFC 5227 §3)."""
        return self.sender == self.target and self.eth_dst == BROADCAST

    def __str__(self):
        return (f"{self.at:.6f} {self.port}: ARP op {self.op} {self.sender} ({self.sender_mac}) "
                f"for {self.target} ({self.target_mac}) to {self.eth_dst}")


@dataclass
class Na:
    """A captured Neighbour Advertisement (RFC 4861 §4.4)."""

    at: float
    port: str
    eth_src: str
    eth_dst: str
    src: str
    dst: str
    hop_limit: int
    flags: int  # 0x80 Router, 0x40 Solicited, 0x20 Override
    target: str
    mac: str  # the target link-layer address, or None
    checksum_fits: bool

    def unsolicited(self):
        """Whether it tells all nodes."""
        return self.dst == ALL_NODES

    def __str__(self):
        return f"{self.at:.6f} {self.port}: NA {self.src} > {self.dst} {self.target} is at {self.mac} flags {self.flags:#x}"


@dataclass
class Other:
    """A captured frame of another kind, or one that does not parse."""

    at: float
    port: str
    raw: bytes = field(repr=False)

    def __str__(self):
        return f"{self.at:.6f} {self.port}: {len(self.raw)} bytes {self.raw[:40].hex()}"


def decode(at, port, raw):
    """A captured frame as Advert, Arp or Other."""
    ethertype = int.from_bytes(raw[12:14], "big")
    if ethertype == ETH_ARP and len(raw) >= 42:
        return _decode_arp(at, port, raw)
    if ethertype == ETH_IP and len(raw) >= 34 and raw[23] == PROTO_VRRP:
        return _decode_advert(at, port, raw) or Other(at, port, raw)
    if ethertype == ETH_IPV6 and len(raw) >= 54:
        if raw[20] == PROTO_VRRP:
            return _decode_advert(at, port, raw) or Other(at, port, raw)
        if raw[20] == PROTO_ICMPV6 and len(raw) >= 78 and raw[54] == 136:
            return _decode_na(at, port, raw)
    return Other(at, port, raw)


def _decode_na(at, port, raw):
    message = raw[54:54 + int.from_bytes(raw[18:20], "big")]
    fits = checksum(_pseudo_header(raw[22:38], raw[38:54], len(message), PROTO_ICMPV6) + message) == 0
    mac = mac_text(message[26:32]) if message[24:26] == b"\2\1" else None
    return Na(at, port, mac_text(raw[6:12]), mac_text(raw[0:6]), str(ipaddress.ip_address(raw[22:38])),
              str(ipaddress.ip_address(raw[38:54])), raw[21], message[4],
              str(ipaddress.ip_address(message[8:24])), mac, fits)


def _decode_arp(at, port, raw):
    op, sha, spa, tha, tpa = struct.unpack("!H6s4s6s4s", raw[20:42])
    return Arp(at, port, mac_text(raw[6:12]), mac_text(raw[0:6]), op, mac_text(sha),
               str(ipaddress.ip_address(spa)), mac_text(tha), str(ipaddress.ip_address(tpa)))


def _decode_advert(at, port, raw):
    if raw[14] >> 4 == 6:
        size, src, dst, ttl = 16, raw[22:38], raw[38:54], raw[21]
        message = raw[54:54 + int.from_bytes(raw[18:20], "big")]
    else:
        size, src, dst, ttl = 4, raw[26:30], raw[30:34], raw[22]
        message = raw[14 + (raw[14] & 15) * 4:14 + int.from_bytes(raw[16:18], "big")]
    if len(message) < 8 or message[0] & 15 != 1 or message[0] >> 4 not in (2, 3):
        return None
    version, count = message[0] >> 4, message[3]
    end = 8 + size * count
    if len(message) < end + (8 if version == 2 else 0):
        return None
    cover = _pseudo_header(src, dst, len(message))
    form = ("message" if checksum(message) == 0
            else "pseudo" if checksum(cover + message) == 0 else "wrong")
    interval = (message[5] * 1000 if version == 2
                else (int.from_bytes(message[4:6], "big") & 0xFFF) * 10)
    addresses = [str(ipaddress.ip_address(message[i:i + size])) for i in range(8, end, size)]
    return Advert(at, port, mac_text(raw[6:12]), mac_text(raw[0:6]), str(ipaddress.ip_address(src)),
                  str(ipaddress.ip_address(dst)), ttl, version, message[1], message[2], interval,
                  addresses, message[4] if version == 2 else 0,
                  message[end:end + 8] if version == 2 else b"", form, raw)
