"""DHCP: dnsmasq on a router, clients on a host (busybox's, ISC's for IPv6), and who has offered what."""

import os
import shutil
import socket
import struct
import threading

from lib import ns
from lib.check import CaseFailed, Deadline, check
from lib.ear import Ear

DISCOVER, OFFER, RELEASE = 1, 2, 7
# Configures the interface with what it has got, and says what that was.
SCRIPT = """#!/bin/sh
case "$1" in
deconfig) /sbin/ip address flush dev $interface scope global ;;
bound|renew)
    /sbin/ip address replace $ip/$mask dev $interface
    /sbin/ip route replace default via $router ;;
esac
echo "event $1 ip=$ip router=$router dns=$dns server=$serverid"
"""


class Dnsmasq:
    """dnsmasq as OpenWrt runs it: authoritative, with ping check, on one interface, DNS and DHCP."""

    def __init__(self, node, pool, vip, iface=None, extra=(), mask="255.255.254.0"):
        check(shutil.which("dnsmasq"), "dnsmasq is not installed: run tests/run, which installs it")
        folder = node.folder("dnsmasq")
        last = node.address.rpartition(".")[2]
        self.proc = node.popen("dnsmasq", [
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--log-facility=-", "--log-dhcp",
            "--no-resolv", "--no-hosts", "--bind-dynamic", f"--interface={iface or node.iface}",
            "--except-interface=lo", "--dhcp-authoritative", f"--dhcp-leasefile={folder}/leases",
            f"--pid-file={folder}/pid",
            f"--dhcp-range={pool},{mask},1h", f"--dhcp-option=3,{vip}", f"--dhcp-option=6,{vip}",
            # Tells the two apart.
            f"--address=/who.test/192.0.2.{last}", *extra])
        self.log = self.proc.log
        self.log.wait("DHCP, IP range", 10)

    def asked(self, since=0):
        """The requests that it has heard."""
        return self.log.matches(r"DHCP(DISCOVER|REQUEST|SOLICIT|CONFIRM|REBIND|INFORMATION-REQUEST)\(", since)


class Client:
    """udhcpc; `event` waits for what its script says."""

    def __init__(self, node):
        path = node.file("udhcpc.script", SCRIPT)
        os.chmod(path, 0o755)
        self.proc = node.popen("udhcpc", ["busybox", "udhcpc", "-f", "-i", node.iface, "-s", path, "-t", "5",
                                          "-T", "2", "-A", "2"])
        self.log = self.proc.log

    def event(self, kinds, timeout, since=0):
        """What the next event of these kinds brought, by word."""
        line = self.log.wait(rf"event ({kinds}) (.*)", timeout, since).group(2)
        return dict(word.split("=") for word in line.split())


SCRIPT6 = """#!/bin/sh
echo "event $reason ip=$new_ip6_address dns=$new_dhcp6_name_servers server=$new_dhcp6_server_id"
"""


class Client6:
    """ISC's dhclient: it asks for an address, or, stateless, for the rest. One with the name of another knows the lease
    of that one."""

    def __init__(self, node, stateless=False, name="dhclient"):
        check(shutil.which("dhclient"), "dhclient is not installed: run tests/run, which installs it")
        path = node.file("dhclient.script", SCRIPT6)
        os.chmod(path, 0o755)
        base = os.path.join(node.folder("dhclient"), name)
        # A copy: the AppArmor profile of the package allows the original no files here.
        program = shutil.copy(shutil.which("dhclient"), f"{base}.copy")
        self.proc = node.popen(name, [program, "-6", *(["-S"] if stateless else []), "-d", "-cf", "/dev/null", "-lf",
                                      f"{base}.leases", "-pf", f"{base}.pid", "-sf", path, node.iface])
        self.log = self.proc.log

    def event(self, kinds, timeout, since=0):
        """What the next event of these kinds brought; of `server` the MAC address in its DUID (RFC 8415 §11.2)."""
        line = self.log.wait(rf"event ({kinds}) (.*)", timeout, since).group(2)
        got = dict(word.split("=") for word in line.split())
        return got | {"server": ":".join(byte.zfill(2) for byte in got["server"].split(":")[-6:])}


class Offers(Ear):
    """All that DHCP servers send on a host's interface: (transaction, kind, server)."""

    def __init__(self, node):
        self.heard, self._grown = [], threading.Condition()
        super().__init__(node)

    def hear(self, raw):
        # UDP from port 67, a BOOTP reply.
        if raw[23] != 17 or raw[34:36] != b"\0\x43" or raw[42] != 2:
            return
        reply = struct.unpack("!I", raw[46:50])[0], option(raw[282:], 53)[0], socket.inet_ntoa(option(raw[282:], 54))
        with self._grown:
            self.heard.append(reply)
            self._grown.notify_all()

    def wait(self, wanted, timeout, what):
        """Waits until `wanted(heard)` holds."""
        deadline = Deadline(timeout)
        with self._grown:
            while not wanted(self.heard):
                if deadline.passed():
                    raise CaseFailed(f"waited {timeout} s in vain for {what}: {self.heard}")
                self._grown.wait(deadline.left())

    def by_request(self):
        """The servers that have made an offer, by transaction."""
        found = {}
        for transaction, kind, server in self.heard:
            if kind == OFFER:
                found.setdefault(transaction, set()).add(server)
        return found


def option(raw, wanted):
    """The value of a DHCP option."""
    at = 0
    while raw[at] != 255:
        if raw[at] == wanted:
            return raw[at + 2:at + 2 + raw[at + 1]]
        at += 2 + raw[at + 1] if raw[at] else 1
    raise CaseFailed(f"a DHCP reply has no option {wanted}")


def first_choice(mac, size):
    """Which address of a pool of this size dnsmasq looks at first for a host (address_allocate in its dhcp.c)."""
    sum_ = 0
    for byte in bytes.fromhex(mac.replace(":", "")):
        sum_ = (byte + (sum_ << 6) + (sum_ << 16) - sum_) & 0xFFFFFFFF
    return sum_ % size


class Asker:
    """Asks for an offer again and again, each time as another host."""

    def __init__(self, node, gap):
        self.sent, self._gap, self._over = 0, gap, threading.Event()
        with ns.entered(node.ns):
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, node.iface.encode())
        self._sock.bind(("0.0.0.0", 68))
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self):
        while not self._over.wait(self._gap):
            self.sent += 1
            mac = b"\2\5" + struct.pack("!I", self.sent)
            # The broadcast flag: nobody has the address yet.
            bootp = struct.pack("!BBBBIHH16x16s192x", 1, 1, 6, 0, self.sent, 0, 0x8000, mac)
            try:
                self._sock.sendto(bootp + b"\x63\x82\x53\x63\x35\1\1\xff", ("255.255.255.255", 67))
            except OSError:
                return

    def close(self):
        """No more."""
        self._over.set()
