"""`dhcp follow` and `ra follow`: a client gets its lease, its gateway and its DNS from the pair, whoever is Active."""

import ipaddress
import json
import platform
import re
import socket
import struct
import subprocess
import time
from dataclasses import dataclass, field

from lib import conf, ns, schema, wire
from lib.check import Deadline, check, each, equal, limits
from lib.dhcp import Asker, Client, Dnsmasq, Offers, first_choice
from lib.lab import Lab
from lib.life import journal, reload
from lib.nft import run, table_of, tables
from lib.vipd import Vipd, binary

POOL, POOL_SIZE = "10.10.201.150,10.10.201.180", 31
OTHER_POOL = "10.10.201.181,10.10.201.211"
# A machine whose system calls are real but for NETLINK_NETFILTER.
WITHOUT_NETFILTER = f"/usr/bin/qemu-{platform.machine()}-static"
# OpenWrt's default is to ask by ping first whether an address is free; that takes three seconds.
AT_ONCE = ("--no-ping",)
DHCP, RA = ("dhcp follow",), ("ra follow",)
VIPS6 = ("fe80::50", "fd00:201::101")
GLOBAL = "2001:db8:201::"


def status(vipd, word, name="VI_1"):
    """A member of an instance's status; all of it must be as the schema says."""
    out = subprocess.run([binary(), "status", "--json", "--runtime-dir", vipd.runtime_dir],
                         capture_output=True, text=True, timeout=20, check=True).stdout
    shown = json.loads(out)
    equal(schema.faults(shown), [], "the schema's view")
    return {i["name"]: i[word] for i in shown["instances"]}[name]


def bridged(node):
    """Makes the interface of a router a port of a bridge, as OpenWrt's LAN is."""
    node.ip("link", "add", "br-lan", "type", "bridge", "stp_state", "0", "forward_delay", "0")
    node.ip("addr", "flush", "dev", "ens160")
    node.ip("link", "set", "ens160", "master", "br-lan")
    node.ip("link", "set", "br-lan", "up")
    node.ip("addr", "add", f"{node.address}/23", "dev", "br-lan")
    return "br-lan"


class Pair:
    """Two routers, each with a DHCP server that runs all the time, and a host without an address."""

    def __init__(self, lab, bridge=False, extra=(), pools=(POOL, POOL)):
        self.routers = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        self.client = lab.node("client")
        self.iface = [bridged(r) for r in self.routers][0] if bridge else "ens160"
        self.servers = [Dnsmasq(r, pool, conf.VIP, self.iface, extra) for r, pool in zip(self.routers, pools)]

    def start(self, index, priority):
        """vipd on one of the routers."""
        vipd = Vipd(self.routers[index], self.conf(priority))
        vipd.log.wait(r"VI_1: \w+ -> Backup", 10)
        return vipd

    def conf(self, priority):
        return conf.instance(iface=self.iface, priority=priority, extra=DHCP)


def opened(vipd, here=True):
    """Waits until DHCP is served by the router, or no more."""
    vipd.node.wait(lambda: status(vipd, "dhcp")["here"] == here, 10, f"DHCP at {vipd.node.name} to be {here}")


@each("plain", "bridge")
@limits(timeout=120)
def case_a_client_goes_on_when_its_active_dies(kind):
    with Lab() as lab:
        pair = Pair(lab, bridge=kind == "bridge")
        (one, two), (_, second) = pair.routers, pair.servers
        offers = Offers(pair.client)
        first, other = pair.start(0, 200), pair.start(1, 100)
        opened(first)
        other.wait_state("Backup", 10)
        equal(status(first, "dhcp"), {"here": True, "why": "served here"}, "DHCP of the Active")
        equal(status(other, "dhcp"), {"here": False, "why": f"blocked here, {one.address} is Active"},
              "DHCP of the Backup")
        client = Client(pair.client)
        got = client.event("bound", 40)
        equal((got["router"], got["dns"], got["server"]), (conf.VIP, conf.VIP, one.address), "what the client got")
        equal(second.asked(), [], "what the Backup's server has heard")

        def works(last):
            equal(run(pair.client, "ping", "-n", "-c", "1", "-w", "5", conf.VIP)[0], 0, "ping of the gateway")
            said = run(pair.client, "busybox", "nslookup", "who.test", conf.VIP)[1]
            check(f"192.0.2.{last}" in said, f"DNS says {said!r}")

        works(102)
        # A renewal by unicast reaches the server that gave the lease.
        mark = client.log.mark()
        client.proc.signal(10)
        equal(client.event("renew|bound", 20, mark)["server"], one.address, "who has renewed")
        # The router dies, all of it.
        one.cable("down")
        first.kill9()
        opened(other)
        # Renewal by unicast to a dead router, then by broadcast; the other one knows nothing of the lease.
        mark = client.log.mark()
        client.proc.signal(10)
        again = client.event("renew|bound", 60, mark)
        equal((again["ip"], again["router"], again["server"]), (got["ip"], conf.VIP, two.address),
              "what the client got from the other")
        works(103)
        check(all(len(servers) == 1 for servers in offers.by_request().values()), f"two offers: {offers.heard}")
        equal(first.warnings() + other.warnings(), [], "warnings")


@each("one-pool", "disjoint")
@limits(timeout=120)
def case_what_the_other_server_does_with_a_lease_it_does_not_know(pools):
    """What the README says of pools."""
    with Lab() as lab:
        pair = Pair(lab, pools=(POOL, POOL if pools == "one-pool" else OTHER_POOL))
        second = lab.node("second")
        first, other = pair.start(0, 200), pair.start(1, 100)
        opened(first)
        client = Client(pair.client)
        got = client.event("bound", 40)
        pair.routers[0].cable("down")
        first.kill9()
        opened(other)
        if pools == "one-pool":
            # A host that the new server would give the same address, before that has heard of its owner.
            wanted = first_choice(pair.client.mac(), POOL_SIZE)
            equal(got["ip"], f"10.10.201.{150 + wanted}", "dnsmasq's first choice")
            macs = (f"02:07:00:00:00:{n:02x}" for n in range(256))
            second.ip("link", "set", "ens160", "address", next(m for m in macs if first_choice(m, POOL_SIZE) == wanted))
            new = Client(second).event("bound", 40)
            check(new["ip"] != got["ip"], f"{new['ip']} is given to two hosts")
        mark = client.log.mark()
        client.proc.signal(10)
        # Refused: it begins anew, with an address of the other pool.
        again = client.event("renew|bound", 60, mark)
        equal(again["ip"] == got["ip"], pools == "one-pool", f"the same address, {got['ip']} and {again['ip']}")
        refused = pair.servers[1].log.matches(r"DHCPNAK\(")
        equal(bool(refused), pools == "disjoint", f"refusals {refused}")


@limits(timeout=90)
def case_never_two_offers_for_one_request():
    """While the Active changes by election, by a stop of the whole router, and back; and the control without vipd's help."""
    with Lab() as lab:
        pair = Pair(lab, extra=AT_ONCE)
        offers = Offers(pair.client)
        asker = Asker(pair.client, 0.03)
        offers.wait(lambda _: any(len(s) == 2 for s in offers.by_request().values()), 10, "two offers without vipd")
        other = pair.start(1, 100)
        opened(other)
        first = pair.start(0, 50)
        first.wait_state("Backup", 10)
        opened(first, False)
        # What both were asked before is answered by now; from here on nobody gets two.
        start = asker.sent + 5
        offers.wait(lambda heard: max(t for t, *_ in heard) > start, 10, "an offer")
        for priority, active in (200, first), (50, other), (200, first):
            reload(first, first.path, pair.conf(priority))
            opened(active)
            asked = asker.sent + 20
            offers.wait(lambda heard, a=asked: max(t for t, *_ in heard) > a, 10, "offers")
        asker.close()
        twice = {t: s for t, s in offers.by_request().items() if t > start and len(s) > 1}
        equal(twice, {}, "requests with two offers")
        servers = {s for t, found in offers.by_request().items() if t > start for s in found}
        equal(servers, {r.address for r in pair.routers}, "who has served")


@each("stop", "crash")
@limits(timeout=60)
def case_a_server_is_as_before_when_vipd_is_gone(how):
    with Lab() as lab:
        pair = Pair(lab, extra=AT_ONCE)
        other = pair.start(1, 100)
        opened(other)
        first = pair.start(0, 50)
        first.wait_state("Backup", 10)
        opened(first, False)
        offers, asker = Offers(pair.client), Asker(pair.client, 0.05)
        offers.wait(lambda heard: len(heard) > 10, 10, "offers")
        equal({server for *_, server in offers.heard}, {pair.routers[1].address}, "who offers")
        equal(tables(pair.routers[0]), [table_of(first, "-dhcp")], "tables")
        check(f"table vipd-{first.proc.pid}" in journal(pair.routers[0]), "the table is not in the journal")
        first.terminate() if how == "stop" else first.kill9()
        address = pair.routers[0].address
        offers.wait(lambda heard: any(server == address for *_, server in heard), 10, "an offer of the other server")
        asker.close()
        equal(tables(pair.routers[0]), [], "tables after the end")


@limits(timeout=60)
def case_a_table_without_an_owner_is_removed_by_the_next_start():
    """Before Linux 5.12 the table of a killed vipd stays."""
    with Lab() as lab:
        pair = Pair(lab)
        router = pair.routers[0]
        first = pair.start(0, 100)
        first.wait_state("Active", 10)
        first.kill9()
        journaled = [line for line in journal(router) if line.startswith("table ")]
        equal(journaled, [f"table vipd-{first.proc.pid}"], "the journal's table")
        equal(run(router, "nft", "add", "table", *table_of(first, "-dhcp").split())[0], 0, "nft add table")
        again = pair.start(0, 100)
        again.log.wait("was left by an earlier vipd; it is removed", 5)
        again.wait_state("Active", 10)
        equal(tables(router), [table_of(again, "-dhcp")], "tables")


@limits(timeout=60)
def case_a_reload_opens_and_shuts():
    with Lab() as lab:
        pair = Pair(lab)
        other = pair.start(1, 200)
        other.wait_state("Active", 10)
        vipd = pair.start(0, 100)
        vipd.wait_state("Backup", 10)
        router = pair.routers[0]
        elements = lambda: run(router, "nft", "list", "ruleset")[1].count("ens160")
        equal(elements(), 2, "blocked ports")
        off = conf.instance(priority=100, extra=("dhcp off",))
        for text, count, names in (off, 0, []), (pair.conf(100), 2, [table_of(vipd, "-dhcp")]), \
                (pair.conf(100).replace("dhcp follow", "dhcp follow\n no_accept"), 2, None), (off, 0, []):
            line = reload(vipd, vipd.path, text)
            check("changed VI_1" in line, f"the reload was {line!r}")
            equal(elements(), count, "blocked ports")
            if names is not None:
                equal(tables(router), names, "tables")
        equal(vipd.warnings(), [], "warnings")


@limits(timeout=60)
def case_kernel_without_nf_tables_is_an_error():
    with Lab() as lab:
        router = lab.node("n1", conf.NODE1)
        for extra, expected in (DHCP, 3), (RA, 0):
            path = lab.file("check.conf", conf.instance(extra=extra))
            code, said = run(router, WITHOUT_NETFILTER, binary(), "check", path)
            equal(code, expected, f"exit code of check, which says {said!r}")
            equal("install kmod-nft-core" in said and "`dhcp off`" in said, expected == 3, f"the remedy in {said!r}")


NO_SERVER = "no DHCP server runs on this host, nobody listens on UDP port 67 or 547: start one, or write `dhcp off`"
NO_ROUTER = ("net.ipv6.conf.{}.forwarding is 0, so this host is no IPv6 router, though it advertises one: set it to 1, "
             "or write `ra off`")
NO_IPV6 = "net.ipv6.conf.ens160.disable_ipv6 is 1, so this host is no IPv6 router: set it to 0, or write `ra off`"
NO_ADDRESS = "ens160 has no link-local IPv6 address, so no router advertisement is sent: give it one, or write `ra off`"


@limits(timeout=60)
def case_what_the_host_lacks_is_said():
    """By check, in the log of the start, and in the status of Active and Backup alike; and no more once it is there."""
    with Lab() as lab:
        one, two = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)

        def lacks(*expected):
            code, said = run(one, binary(), "check", lab.file("check.conf", conf.instance(extra=DHCP + RA)))
            equal((code, [line for line in said.splitlines() if "ra off" in line or "dhcp off" in line]),
                  (0, [f"warning: VI_1: {what}" for what in expected]), "what check says")

        def sets(name, value):
            equal(run(one, "sysctl", "-qw", f"net.ipv6.conf.{name}={value}")[0], 0, "sysctl")

        for router in one, two:
            router.link_local()
        lacks(NO_SERVER, NO_ROUTER.format("all"))
        first, other = Vipd(one, conf.instance(priority=200, extra=DHCP + RA)), Vipd(two, conf.instance(extra=DHCP + RA))
        first.wait_state("Active", 10)
        other.wait_state("Backup", 10)
        for vipd in first, other:
            for what in NO_SERVER, NO_ROUTER.format("all"):
                equal(len(vipd.log.matches(re.escape(f"VI_1: {what}"))), 1, f"lines of {vipd.node.name}: {what}")
        opened(first)
        source = one.link_local()
        equal(status(first, "dhcp")["why"], f"served here; {NO_SERVER}", "DHCP of the Active")
        equal(status(other, "dhcp")["why"], f"blocked here, {one.address} is Active; {NO_SERVER}", "DHCP of the Backup")
        equal(status(first, "ra")["why"], f"sent from {source}: no default router without a global prefix, DNS {source}; "
              + NO_ROUTER.format("all"), "RA of the Active")
        equal(status(other, "ra")["why"], f"not sent here, {one.address} is Active; {NO_ROUTER.format('all')}",
              "RA of the Backup")
        # A server over IPv6 will do, and one over IPv4.
        with ns.entered(one.ns):
            listener = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        with listener:
            listener.bind(("::", 547))
            lacks(NO_ROUTER.format("all"))
        lacks(NO_SERVER, NO_ROUTER.format("all"))
        Dnsmasq(one, POOL, conf.VIP)
        sets("all.forwarding", 1)
        lacks()
        equal((status(first, "dhcp")["why"], "forwarding" in status(first, "ra")["why"]), ("served here", False), "status")
        sets("ens160.forwarding", 0)
        lacks(NO_ROUTER.format("ens160"))
        sets("ens160.disable_ipv6", 1)
        lacks(NO_IPV6)
        equal(status(first, "ra"), {"here": False, "why": f"not sent: no link-local address can be used; {NO_IPV6}"}, "RA")
        sets("ens160.addr_gen_mode", 1)
        sets("ens160.disable_ipv6", 0)
        lacks(NO_ADDRESS)


@dataclass
class Advertisement:
    """A captured router advertisement."""

    at: float
    port: str
    eth_src: str
    src: str
    lifetime: int
    mac: str = None
    mtu: int = None
    prefixes: dict = field(default_factory=dict)  # prefix: (preferred, valid)
    dns: list = field(default_factory=list)
    dns_lifetime: int = None


def advertisements(sniffer, port=None, since=0):
    """The router advertisements of a capture."""
    found = []
    for frame in list(sniffer.frames[since:]):
        raw = getattr(frame, "raw", b"")
        if isinstance(frame, wire.Other) and raw[12:14] == b"\x86\xdd" and raw[20] == 58 and raw[54] == 134 \
                and port in (None, frame.port):
            found.append(decode(frame, raw))
    return found


def decode(frame, raw):
    """RFC 4861 §4.2, §4.6; RFC 8106 §5.1."""
    message = raw[54:54 + int.from_bytes(raw[18:20], "big")]
    equal((raw[21], str(ipaddress.ip_address(raw[38:54])), raw[0:6].hex()), (255, "ff02::1", "333300000001"),
          "hop limit and destination")
    covered = raw[22:54] + struct.pack("!II", len(message), 58) + message
    equal(wire.checksum(covered), 0, "checksum of an advertisement")
    seen = Advertisement(frame.at, frame.port, wire.mac_text(raw[6:12]), str(ipaddress.ip_address(raw[22:38])),
                         int.from_bytes(message[6:8], "big"))
    at = 16
    while at < len(message):
        kind, size = message[at], message[at + 1] * 8
        option = message[at:at + size]
        if kind == 1:
            seen.mac = wire.mac_text(option[2:8])
        elif kind == 5:
            seen.mtu = int.from_bytes(option[4:8], "big")
        elif kind == 3:
            valid, preferred = struct.unpack("!II", option[4:12])
            equal(option[2:4], b"\x40\xc0", "prefix length and flags")
            seen.prefixes[str(ipaddress.ip_address(option[16:32]))] = (preferred, valid)
        elif kind == 25:
            seen.dns_lifetime = int.from_bytes(option[4:8], "big")
            seen.dns = [str(ipaddress.ip_address(option[i:i + 16])) for i in range(8, size, 16)]
        at += size
    return seen


def wait_ra(node, sniffer, wanted, what, port=None, since=0, timeout=10):
    """Waits for a router advertisement; returns it."""
    def found():
        return [ra for ra in advertisements(sniffer, port, since) if wanted(ra)]
    return node.wait(found, timeout, what)[0]


def default_routes(host):
    """The routers that a host knows, and for how many seconds."""
    routes = json.loads(host.ip("-6", "-j", "route", "show", "default", "proto", "ra") or "[]")
    hops = [hop for route in routes for hop in route.get("nexthops", [route])]
    return {hop["gateway"]: routes[0].get("expires") for hop in hops if "gateway" in hop}


class Six:
    """Two routers with a global prefix, and a host whose kernel listens to router advertisements."""

    def __init__(self, lab, extra=RA, vips=VIPS6, own=(102, 103)):
        self.routers = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        self.host = lab.node("host")
        self.extra, self.vips = extra, vips
        for router, last in zip(self.routers, own):
            equal(run(router, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")[0], 0, "sysctl")
            if last:
                router.ip("addr", "add", f"{GLOBAL}{last}/64", "dev", "ens160", "nodad")
            router.link_local()
        equal(run(self.host, "sysctl", "-qw", "net.ipv6.conf.ens160.accept_ra=2")[0], 0, "sysctl")
        self.host.link_local()

    def start(self, index, priority):
        return Vipd(self.routers[index], self.conf(priority))

    def conf(self, priority):
        return conf.instance(priority=priority, vips=self.vips, extra=self.extra)

    def knows(self, gateways, timeout=15):
        """Waits until the host's default routers are these."""
        self.host.wait(lambda: set(default_routes(self.host)) == set(gateways), timeout,
                       f"the host's routers to become {gateways}")


@limits(timeout=90)
def case_hosts_keep_their_one_router():
    """From the virtual link-local address: a takeover changes nothing for hosts, a return neither."""
    with Lab() as lab:
        world = Six(lab)
        sniffer = lab.sniff()
        first, other = world.start(0, 200), world.start(1, 100)
        first.wait_state("Active", 10)
        other.wait_state("Backup", 10)
        one, two = world.routers
        seen = wait_ra(world.host, sniffer, lambda _: True, "an advertisement", "n1")
        equal((seen.src, seen.mac, seen.eth_src, seen.lifetime, seen.mtu), (VIPS6[0], one.mac(), one.mac(), 1800, 1500),
              "the advertisement")
        equal((seen.dns, seen.dns_lifetime), ([VIPS6[1]], 1800), "its DNS")
        equal(seen.prefixes, {GLOBAL: (2700, 5400)}, "its prefixes")
        world.knows([VIPS6[0]])
        host = world.host.wait(lambda: [a for a in world.host.addresses6() if a["local"].startswith(GLOBAL[:-2])], 10,
                               "an address of the prefix")[0]
        equal(status(first, "ra"), {"here": True, "why": f"sent from {VIPS6[0]}: default router for 1800 s, prefix "
                                    f"{GLOBAL}/64, DNS {VIPS6[1]}"}, "RA of the Active")
        equal(status(other, "ra"), {"here": False, "why": f"not sent here, {one.link_local()} is Active"},
              "RA of the Backup")
        equal(advertisements(sniffer, "n2"), [], "advertisements of the Backup")
        mark = sniffer.mark()
        first.kill9()
        one.cable("down")
        other.wait_state("Active", 10)
        wait_ra(world.host, sniffer, lambda ra: ra.mac == two.mac(), "the other's advertisement", "n2", mark)
        world.knows([VIPS6[0]])
        world.host.wait_neighbour(VIPS6[0], two.mac(), 10)
        check(world.host.has(host["local"]), "the host's address has gone")
        equal({ra.lifetime for ra in advertisements(sniffer, since=mark)}, {1800}, "lifetimes")
        # It comes back, and preempts: no farewell of the virtual address.
        one.cable("up")
        mark = sniffer.mark()
        first = world.start(0, 200)
        first.wait_state("Active", 20)
        other.wait_state("Backup", 10)
        last = wait_ra(world.host, sniffer, lambda ra: ra.lifetime == 0, "the farewell", "n2", mark)
        equal((last.src, last.dns), (two.link_local(), []), "the farewell")
        world.knows([VIPS6[0]])
        first.terminate()
        world.knows([VIPS6[0]])


@limits(timeout=90)
def case_without_a_virtual_address_the_old_router_is_gone_at_once():
    """An IPv4 instance as a household has it: the routers advertise from their own addresses."""
    with Lab() as lab:
        world = Six(lab, vips=(conf.VIP,))
        sniffer = lab.sniff()
        addresses = [router.link_local() for router in world.routers]
        first, other = world.start(0, 200), world.start(1, 100)
        first.wait_state("Active", 10)
        other.wait_state("Backup", 10)
        world.knows([addresses[0]])
        check(80 <= default_routes(world.host)[addresses[0]] <= 90, f"lifetime {default_routes(world.host)}")
        seen = wait_ra(world.host, sniffer, lambda _: True, "an advertisement", "n1")
        equal((seen.src, seen.dns, seen.dns_lifetime), (addresses[0], [addresses[0]], 90), "the advertisement")
        mark = sniffer.mark()
        first.terminate()
        last = wait_ra(world.host, sniffer, lambda ra: ra.lifetime == 0, "the farewell", "n1", mark)
        equal((last.prefixes, last.dns, last.dns_lifetime), ({GLOBAL: (0, 5400)}, [addresses[0]], 0), "the farewell")
        other.wait_state("Active", 10)
        world.knows([addresses[1]])
        # Back by election, then away by death: then hosts know both, the dead one for its lifetime.
        first = world.start(0, 200)
        first.wait_state("Active", 10)
        world.knows([addresses[0]])
        first.kill9()
        other.wait_state("Active", 10)
        world.knows(addresses)


def solicit(host, hop_limit=255, message=b"\x85" + bytes(7), group="ff02::2"):
    """A host looks for a router (RFC 4861 §4.1)."""
    with ns.entered(host.ns):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hop_limit)
        sock.sendto(message, (group, 0, 0, host.ifindex()))


def advertise(router, lifetime, preferred):
    """A router advertises GLOBAL as vipd does."""
    head = struct.pack("!BBHBBH8x", 134, 0, 0, 64, 0, lifetime)
    source = b"\1\1" + bytes.fromhex(router.mac().replace(":", "")) + struct.pack("!BBHI", 5, 1, 0, 1500)
    prefix = struct.pack("!BBBBII4x", 3, 4, 64, 0xC0, 5400, preferred) + ipaddress.ip_address(GLOBAL).packed
    solicit(router, message=head + source + prefix, group="ff02::1")


@limits(timeout=60)
def case_who_takes_his_leave_is_answered():
    """His hosts have been told that the prefix is preferred no more: the Active says that it is, before its time."""
    with Lab() as lab:
        world = Six(lab)
        sniffer = lab.sniff()
        first = world.start(0, 200)
        first.wait_state("Active", 10)
        world.host.wait(lambda: len(advertisements(sniffer, "n1")) == 3, 20, "the first burst")
        # The next one is due after 200 s. Who stays is not answered: MIN_DELAY_BETWEEN_RAS and MAX_RA_DELAY_TIME.
        since = sniffer.mark()
        until = Deadline(4)
        advertise(world.routers[1], 1800, 0)
        advertise(world.routers[1], 0, 2700)
        while not until.passed():
            equal(advertisements(sniffer, "n1", since), [], "answers to routers that stay")
            time.sleep(0.2)
        advertise(world.routers[1], 0, 0)
        answer = wait_ra(world.host, sniffer, lambda _: True, "an answer", "n1", since)
        equal((answer.lifetime, answer.prefixes), (1800, {GLOBAL: (2700, 5400)}), "the answer")


@limits(timeout=90)
def case_solicitations_are_answered_and_prefixes_told():
    with Lab() as lab:
        world = Six(lab, own=(None, 103))
        sniffer = lab.sniff()
        first, other = world.start(0, 200), world.start(1, 100)
        first.wait_state("Active", 10)
        other.wait_state("Backup", 10)

        def burst(since):
            def three():
                return len(advertisements(sniffer, "n1", since)) >= 3
            world.host.wait(three, 20, "three advertisements")

        burst(0)
        equal(advertisements(sniffer, "n1")[-1].lifetime, 0, "the lifetime of a router without a global prefix")
        check("no default router" in status(first, "ra")["why"], f"{status(first, 'ra')}")
        # The next one by itself is 200 s away. From another network: not heard.
        mark = sniffer.mark()
        solicit(world.host, 64)
        solicit(world.host)
        answer = wait_ra(world.host, sniffer, lambda _: True, "an answer", since=mark)
        equal((answer.port, answer.src), ("n1", VIPS6[0]), "who has answered")
        mark = sniffer.mark()
        for _ in range(20):
            solicit(world.host)
        wait_ra(world.host, sniffer, lambda _: True, "an answer to all", since=mark)
        # A prefix comes, and hosts need not wait for it; it goes, and they are told.
        world.routers[0].ip("addr", "add", f"{GLOBAL}102/64", "dev", "ens160", "nodad", "valid_lft", "1000",
                            "preferred_lft", "500")
        come = wait_ra(world.host, sniffer, lambda ra: GLOBAL in ra.prefixes, "the new prefix", since=mark)
        equal((come.lifetime, come.prefixes[GLOBAL][0] <= 500, come.prefixes[GLOBAL][1] <= 1000), (1800, True, True),
              "the advertisement of the new prefix")
        world.routers[0].ip("addr", "del", f"{GLOBAL}102/64", "dev", "ens160")
        mark = sniffer.mark()
        gone = wait_ra(world.host, sniffer, lambda ra: ra.prefixes.get(GLOBAL) == (0, 0), "its end", since=mark)
        equal(gone.lifetime, 0, "the lifetime without it")
        equal(advertisements(sniffer, "n2"), [], "advertisements of the Backup")
        equal(first.warnings() + other.warnings(), [], "warnings")


@limits(timeout=60)
def case_the_virtual_mac_address_advertises():
    with Lab() as lab:
        world = Six(lab, extra=("use_vmac", *RA))
        sniffer = lab.sniff()
        first = world.start(0, 200)
        first.wait_state("Active", 10)
        mac = "00:00:5e:00:02:32"
        seen = wait_ra(world.host, sniffer, lambda _: True, "an advertisement", "n1")
        equal((seen.src, seen.mac, seen.eth_src, seen.dns), (VIPS6[0], mac, mac, [VIPS6[1]]), "the advertisement")
        world.knows([VIPS6[0]])
        # A reload that is to end it says so, from the router's own address.
        mark = sniffer.mark()
        line = reload(first, first.path, world.conf(200).replace("ra follow", "ra off"))
        check("changed VI_1" in line, f"the reload was {line!r}")
        last = wait_ra(world.host, sniffer, lambda ra: ra.lifetime == 0, "the farewell", "n1", mark)
        equal((last.src, last.eth_src), (world.routers[0].link_local(), world.routers[0].mac()), "the farewell")
        reload(first, first.path, world.conf(200))
        wait_ra(world.host, sniffer, lambda ra: ra.src == VIPS6[0], "an advertisement", "n1", mark)
