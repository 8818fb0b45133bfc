"""Probes: what lies behind an interface answers or does not, and priority and state follow."""

import contextlib
import socket
import struct
import threading

from cases.control import ask, status
from cases.track import WAN, Two, wan, wan_cable
from lib import conf, ns
from lib.check import Deadline, check, each, equal, limits
from lib.lab import Lab, now
from lib.life import reload
from lib.netifd import Netifd
from lib.sniffer import is_advert
from lib.vipd import Vipd

HOST, HOST6 = "10.10.203.50", "fd00:203::50"
OWN6 = "fd00:203::102"
FAST = "interval 0.1 timeout 0.1 rise 2 fall 2"


class Three(Two):
    """Two routers, and a host behind their second interfaces."""

    def __init__(self, lab):
        super().__init__(lab)
        self.host = lab.node("h1", f"{HOST}/24")
        ns.ip("link", "set", "h1", "master", "br1", ns=lab.switch)
        self.host.ip("addr", "add", f"{HOST6}/64", "dev", "ens160", "nodad")
        self.n1.ip("addr", "add", f"{OWN6}/64", "dev", WAN, "nodad")


def probing(*lines, **more):
    """An instance with these probes in place."""
    return conf.instance(extra=["probe {", *(f"    {line}" for line in lines), "}"], **more)


@contextlib.contextmanager
def serving(node, kind, address, port, serve):
    """A socket of the node, and a thread that serves it until the end."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ns.entered(node.ns):
        sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.settimeout(0.1)
    if kind == socket.SOCK_STREAM:
        sock.listen(128)
    ends = threading.Event()

    def loop():
        while not ends.is_set():
            try:
                serve(sock)
            except OSError:
                continue

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
        sock.close()


def accept(sock):
    """Takes a connection."""
    sock.accept()[0].close()


def answering(flags):
    """A name server that repeats the question with these flags."""
    def serve(sock):
        question, peer = sock.recvfrom(512)
        sock.sendto(question[:2] + struct.pack(">H", flags) + question[4:], peer)
    return serve


class Ping:
    """The host has the address, or has not."""

    wait = r"no answer within 0\.1s|unreachable"

    def __init__(self, lab, family):
        self.host, self.address = lab.host, HOST6 if family == 6 else HOST
        self.line = f"ping {self.address}"
        self.prefix = 64 if family == 6 else 24

    def up(self):
        self.host.ip("addr", "replace", f"{self.address}/{self.prefix}", "dev", "ens160", "nodad")

    def down(self):
        self.host.ip("addr", "del", f"{self.address}/{self.prefix}", "dev", "ens160")


class Arp(Ping):
    """The same, asked by ARP."""

    def __init__(self, lab, family):
        super().__init__(lab, family)
        self.line = f"arp {self.address}"


class Serving:
    """Something serves the port, or does not."""

    wait = "connection refused"

    def __init__(self, lab, family):
        self.host, self.address = lab.host, HOST6 if family == 6 else HOST
        self.server = None

    def up(self):
        self.server = contextlib.ExitStack()
        self.server.enter_context(serving(self.host, self.kind, self.address, self.port, self.serve))

    def down(self):
        self.server.close()


class Tcp(Serving):
    """A connection that is accepted, or refused."""

    kind, port, serve = socket.SOCK_STREAM, 8080, staticmethod(accept)

    def __init__(self, lab, family):
        super().__init__(lab, family)
        self.line = f"tcp [{HOST6}]:8080" if family == 6 else f"tcp {HOST}:8080"


class TcpDropped(Tcp):
    """A firewall drops it."""

    wait = r"no answer within 0\.1s"

    def up(self):
        if self.server:
            self.nft("flush ruleset")
        else:
            super().up()

    def down(self):
        self.nft("add table inet t\n"
                 "add chain inet t i { type filter hook input priority 0; }\n"
                 "add rule inet t i tcp dport 8080 drop\n")

    def nft(self, rules):
        path = self.host.file("rules", rules + "\n")
        proc = self.host.popen("nft", ["nft", "-f", path])
        equal(proc.wait(10), 0, "exit code of nft")


class Dns(Serving):
    """A name server that runs, or does not."""

    kind, port, serve = socket.SOCK_DGRAM, 53, staticmethod(answering(0x8180))

    def __init__(self, lab, family):
        super().__init__(lab, family)
        self.line = f"dns openwrt.org @{self.address}"


class DnsFails(Dns):
    """A name server that answers with an error."""

    wait = "the name server answers SERVFAIL"

    def up(self):
        if self.server:
            super().down()
        self.serve = answering(0x8180)
        super().up()

    def down(self):
        super().down()
        self.serve = answering(0x8182)
        super().up()


class DefaultRoute:
    """The kernel has a default route through the interface, or another one."""

    wait = "no default route through the interface"

    def __init__(self, lab, family):
        self.n1, self.family = lab.n1, f"-{family}"
        self.line = "default_route ipv6" if family == 6 else "default_route"
        via, self.other = (HOST6, "fd00:201::1") if family == 6 else (HOST, "10.10.201.1")
        self.route = ("default", "via", via, "dev", WAN, "metric", "20")
        # Another one, which the kernel prefers, is no matter: not this nor a network's.
        self.n1.ip("addr", "add", "fd00:201::2/64", "dev", "ens160", "nodad")
        self.n1.ip(self.family, "route", "add", "default", "via", self.other, "dev", "ens160", "metric", "10")
        network = "198.41.0.0/16" if family == 4 else "2001:db8::/32"
        self.n1.ip(self.family, "route", "add", network, "via", self.other, "dev", "ens160")

    def up(self):
        self.n1.ip(self.family, "route", "add", *self.route)

    def down(self):
        self.n1.ip(self.family, "route", "del", *self.route)


KINDS = {"ping": Ping, "arp": Arp, "tcp": Tcp, "tcp_dropped": TcpDropped, "dns": Dns, "dns_fails": DnsFails,
         "default_route": DefaultRoute}


@each(*((kind, 4) for kind in KINDS), *((kind, 6) for kind in KINDS if kind != "arp"))
@limits(timeout=60)
def case_up_and_down(param):
    kind, family = param
    with Lab() as lab:
        two = Three(lab)
        thing = KINDS[kind](two, family)
        thing.up()
        name = f"{thing.line} via {WAN} {FAST}"
        vipd = Vipd(two.n1, probing(f"{name} weight -50", priority=150))
        vipd.log.wait(rf"probe {re(name)} is up: answered after \d+ µs", 5)
        two.wait_priority("n1", 150)
        shown = status(vipd)["VI_1"]["trackers"][0]
        equal((shown["kind"], shown["name"], shown["up"], shown["weight"], shown["effect"], shown["reason"]),
              ("probe", name, True, -50, 0, None), "the probe in status")
        check(0 < shown["round_trip_us"] < 10_000_000, f"round trip: {shown}")
        for _ in range(2):
            marks = two.sniffer.mark(), vipd.log.mark()
            thing.down()
            two.wait_priority("n1", 100, marks[0])
            vipd.log.wait(rf"probe {re(name)} is down: ({thing.wait}); \w", 5, marks[1])
            vipd.log.wait(rf"VI_1: effective priority 150 -> 100: 150 -50 \(probe {re(name)} is down\)", 5, marks[1])
            shown = status(vipd)["VI_1"]["trackers"][0]
            equal((shown["up"], shown["effect"], shown["round_trip_us"]), (False, -50, None), "the probe in status")
            check(vipd.log.matches(f"is down: {re(shown['reason'])};", marks[1]), f"another reason: {shown}")
            _, words, _ = ask(vipd, "status")
            check(f"tracks    probe {name}: down, weight -50: -50; {shown['reason']}" in words, words)
            mark = two.sniffer.mark()
            thing.up()
            two.wait_priority("n1", 150, mark)
        if isinstance(thing, Serving):
            thing.down()
        equal([w for w in vipd.warnings() if " is down: " not in w], [], "other warnings")
        vipd.terminate()


def re(text):
    """`text` as a pattern."""
    return "".join(f"\\{c}" if c in "[]().+*?|" else c for c in text)


@limits(timeout=60)
def case_without_a_weight_the_other_router_takes_over():
    with Lab() as lab:
        two = Three(lab)
        text = (f"track_probe host {{\n    ping {HOST}\n    interface {WAN}\n    interval 0.1\n    fall 2\n}}\n"
                "vrrp_sync_group G {\n    group {\n        VI_1\n    }\n    track_probe {\n        host\n    }\n}\n")
        first = Vipd(two.n1, text + conf.instance(priority=150))
        first.wait_state("Active", 5)
        second = Vipd(two.n2, conf.instance(priority=100))
        second.wait_state("Backup", 5)
        mark = two.sniffer.mark()
        two.host.cable("down")
        two.wait_priority("n1", 0, mark)
        line = first.wait_state("Initialize", 5)
        check("probe host is down, and `track_probe` has no weight for it" in line, f"the reason: {line}")
        first.log.wait(rf"probe host \(ping {HOST} via {WAN}\) is down: ", 5)
        second.wait_state("Active", 5)
        two.n2.wait_has(conf.VIP, 5)
        two.host.cable("up")
        two.n1.wait_has(conf.VIP, 10)
        two.n2.wait_lacks(conf.VIP, 5)


@limits(timeout=60)
def case_before_the_first_answer_the_instance_waits():
    with Lab() as lab:
        two = Three(lab)
        two.host.cable("down")
        start = now()
        vipd = Vipd(two.n1, probing(f"ping {HOST} via {WAN} interval 0.5 timeout 0.5 fall 3 weight -50", priority=150))
        vipd.log.wait("is down: ", 10)
        told = now() - start
        vipd.wait_state("Active", 5)
        check(told >= 1.5, f"down after {told:.3f} s, before three questions had no answer")
        two.wait_priority("n1", 100)
        priorities = {f.priority for f in two.sniffer.adverts("n1")}
        equal(priorities, {100}, "priorities of its adverts")


@limits(timeout=60)
def case_the_interface_is_the_one_that_is_asked_through():
    with Lab() as lab:
        two = Three(lab)
        wrong = [f"{kind} via ens160 {FAST} weight -1"
                 for kind in (f"ping {HOST}", f"ping {HOST6}", f"arp {HOST}", f"tcp {HOST}:8080", f"dns a.b @{HOST}")]
        with serving(two.host, socket.SOCK_STREAM, HOST, 8080, accept), \
                serving(two.host, socket.SOCK_DGRAM, HOST, 53, answering(0x8180)):
            vipd = Vipd(two.n1, probing(*wrong, *(line.replace("ens160", WAN) for line in wrong), priority=150))
            two.wait_priority("n1", 145)
            trackers = status(vipd)["VI_1"]["trackers"]
        equal([t["up"] for t in trackers], [False] * 5 + [True] * 5, "the probes that are up")


@limits(timeout=60)
def case_interfaces_that_come_and_go():
    with Lab() as lab:
        two = Three(lab)
        line = f"ping {HOST} via {WAN} interval 0.1 fall 100"
        vipd = Vipd(two.n1, probing(line, f"arp {HOST} via {WAN} interval 0.1 fall 100", "ping 192.0.2.1 via nix0"))
        vipd.log.wait(r"probe ping 192.0.2.1 via nix0 is down: the interface does not exist; correct the name", 5)
        for kind in ("ping", "arp"):
            vipd.log.wait(rf"probe {kind} .* is up", 5)
        for step in range(2):
            mark = vipd.log.mark()
            wan_cable(two.n1, "down")
            for kind in ("ping", "arp"):
                vipd.log.wait(rf"probe {kind} .* is down: the interface is down; look at the cable", 5, mark)
            wan_cable(two.n1, "up")
            for kind in ("ping", "arp"):
                vipd.log.wait(rf"probe {kind} .* is up", 5, mark)
            mark = vipd.log.mark()
            two.n1.ip("link", "del", WAN)
            for kind in ("ping", "arp"):
                vipd.log.wait(rf"probe {kind} .* is down: the interface (is down|does not exist)", 5, mark)
            wan(lab, two.n1, f"10.10.203.10{step + 2}/24")
            for kind in ("ping", "arp"):
                vipd.log.wait(rf"probe {kind} .* is up", 5, mark)
        vipd.terminate()


@limits(timeout=60)
def case_names_of_netifd():
    with Lab() as lab:
        two = Three(lab)
        netifd = Netifd(lab, lan="ens160", wan=None)
        text = conf.uci(priority=150) + f"\tlist probe 'ping {HOST} via wan interval 0.1 weight -50'\n"
        vipd = netifd.vipd(two.n1, text)
        two.wait_priority("n1", 100)
        netifd.says(lan="ens160", wan=WAN)
        two.wait_priority("n1", 150)
        vipd.log.wait(rf"probe ping {HOST} via wan interval 0.1 is up", 5)


def is_ours(kind, packet):
    """The identifier and the sequence number of an echo request in an Ethernet frame."""
    return packet[12:14] == b"\x08\x00" and packet[23] == 1 and packet[34] == kind


def checksum(data):
    """The Internet checksum."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def reply(request, source=None, ident=0, sequence=0, cut=0, broken=0):
    """The reply to an echo request, or something like it."""
    message = b"\0\0\0\0" + bytes([request[38], request[39] ^ ident, request[40] ^ sequence, request[41]])
    message = message[:2] + struct.pack(">H", checksum(message) ^ broken) + message[4:]
    message = message[:len(message) - cut]
    header = bytearray(request[14:34])
    header[2:4] = struct.pack(">H", 20 + len(message))
    header[12:16], header[16:20] = source or request[30:34], request[26:30]
    header[10:12] = b"\0\0"
    header[10:12] = struct.pack(">H", checksum(bytes(header)))
    return request[6:12] + request[:6] + request[12:14] + bytes(header) + message


@limits(timeout=60)
def case_hostile_answers_are_ignored_and_counted():
    with Lab() as lab:
        two = Three(lab)
        target = "10.10.203.66"
        # The host says nothing by itself: the address is not its own.
        two.n1.ip("neigh", "add", target, "lladdr", two.host.mac(), "dev", WAN)
        with ns.entered(two.host.ns):
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        raw.bind(("ens160", 0x0800))
        raw.settimeout(5)
        vipd = Vipd(two.n1, probing(f"ping {target} via {WAN} {FAST} weight -50", priority=150))
        lies = [{"ident": 1}, {"sequence": 1}, {"source": bytes([10, 10, 203, 67])}, {"cut": 1}, {"cut": 7},
                {"broken": 1}]
        # Those with another identifier, or too short for one, do not even wake us.
        counted = 3

        def requests(count):
            deadline = Deadline(10)
            while count:
                check(not deadline.passed(), "no echo requests")
                packet = raw.recv(2048)
                if is_ours(8, packet):
                    count -= 1
                    yield packet

        for request in requests(5):
            for lie in lies:
                raw.send(reply(request, **lie))
        two.wait_priority("n1", 100)
        check(not vipd.log.matches("probe .* is up"), "a lie was believed")
        _, words, _ = ask(vipd, "status")
        count = int(words.split("probe-answer")[0].split()[-1])
        check(count >= counted, f"counted {count} wrong answers")
        mark = two.sniffer.mark()
        for request in requests(5):
            raw.send(reply(request))
        two.wait_priority("n1", 150, mark)
        raw.close()


@limits(timeout=60)
def case_reload_keeps_what_is_known():
    with Lab() as lab:
        two = Three(lab)
        path = f"{lab.dir}/n1-vipd.conf"
        one, two_, three = (f"{kind} {HOST} via {WAN} {more}" for kind, more in
                            (("ping", "interval 0.1"), ("arp", "interval 0.1"), ("ping", "interval 0.2")))
        vipd = Vipd(two.n1, probing(one))
        vipd.wait_state("Active", 5)
        mark = vipd.log.mark()
        reload(vipd, path, probing(two_, one))
        vipd.log.wait(rf"probe arp .* is up", 5, mark)
        reload(vipd, path, probing(three, two_))
        vipd.log.wait(rf"probe ping {HOST} via {WAN} interval 0.2 is up", 5, mark)
        reload(vipd, path, conf.instance())
        reload(vipd, path, probing(two_))
        vipd.log.wait_count("probe arp .* is up", 2, 5, mark)
        equal(vipd.log.matches(f"probe {one} is (up|down)", mark), [], "lines of the probe that stayed")
        equal(vipd.transitions(mark), [], "transitions of the reloads")


@limits(timeout=90, alone=True)
def case_a_hundred_probes_and_adverts_at_10_ms():
    with Lab() as lab:
        two = Three(lab)
        hosts = [f"10.10.203.{i}" for i in range(110, 160)]
        for host in hosts:
            two.host.ip("addr", "add", f"{host}/24", "dev", "ens160")
        lines = [f"{kind} via {WAN} interval 0.1" for host in hosts for kind in (f"ping {host}", f"tcp {host}:8080")]
        with serving(two.host, socket.SOCK_STREAM, "0.0.0.0", 8080, accept):
            text = "".join(conf.instance(f"VI_{i}", vrid=i + 1, vips=[f"10.10.200.{i + 1}"], advert_int=1 if i else 0.01,
                                         extra=["probe {", *lines[i * 15:i * 15 + 15], "}"]) for i in range(7))
            vipd = Vipd(two.n1, text)
            vipd.wait_state("Active", 10, name="VI_0")
            vipd.log.wait_count("probe .* is up", 100, 10)
            mark = two.sniffer.mark()
            two.sniffer.wait_count(lambda f: is_advert(f, "n1", vrid=1), 500, 10, "adverts", mark)
            adverts = two.sniffer.adverts("n1", mark, vrid=1)
            seconds = adverts[-1].at - adverts[0].at
            check(len(adverts) >= 0.95 * seconds / 0.01, f"{len(adverts)} adverts in {seconds:.3f} s at 10 ms")
            equal(vipd.log.matches("probe .* is down"), [], "probes that failed")
