"""Accept_Mode (RFC 9568 §6.1): with no_accept the virtual address routes, and answers to nothing but ARP and ND."""

import contextlib
import json
import os
import platform
import socket
import threading

from lib import conf, ns
from lib.check import check, each, equal, limits
from lib.ear import Ear
from lib.lab import Lab, Node
from lib.life import journal, reload, replace_file
from lib.peers import Keepalived
from lib.ping import Pinger
from lib.nft import run, table_of, tables
from lib.ns import ip
from lib.vipd import Vipd, binary
from cases.control import status

PORT = 8080
NO_ACCEPT = ("no_accept",)
VIP6 = ("fe80::1", "2001:db8::1")
# A machine whose system calls are real but for NETLINK_NETFILTER: EPROTONOSUPPORT, as of a kernel without netfilter.
WITHOUT_NETFILTER = f"/usr/bin/qemu-{platform.machine()}-static"


def pings(node, address):
    """Whether one of three pings is answered."""
    return run(node, "ping", "-n", "-c", "3", "-i", "0.1", "-W", "0.4", address)[0] == 0


def connects(node, address, scope=0):
    """Whether a TCP connection to the router's service comes about."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ns.entered(node.ns):
        client = socket.socket(family, socket.SOCK_STREAM)
    with client:
        client.settimeout(0.5)
        try:
            client.connect((address, PORT, 0, scope) if scope else (address, PORT))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def service(node):
    """A TCP service on all addresses of the node; the kernel accepts for it."""
    with ns.entered(node.ns):
        listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    with listener:
        listener.bind(("::", PORT))
        listener.listen(64)
        yield


def accepts(vipd, name="VI_1"):
    """`accept` of an instance, as the status has it."""
    return status(vipd)[name]["accept"]


def server_behind(lab, router):
    """A node on the router's other side, with a way back."""
    server = Node(lab, "server", "ens160")
    lab._add_namespace(server.ns)
    lab.nodes["server"] = server
    ip("link", "add", "name", "wan", "netns", router.ns, "type", "veth", "peer", "name", "ens160", "netns", server.ns)
    for node, iface, last in (router, "wan", 1), (server, "ens160", 2):
        node.ip("link", "set", iface, "up")
        node.ip("addr", "add", f"192.0.2.{last}/24", "dev", iface)
        node.ip("addr", "add", f"2001:db8:1::{last}/64", "dev", iface, "nodad")
    server.ip("route", "add", "default", "via", "192.0.2.1")
    server.ip("-6", "route", "add", "default", "via", "2001:db8:1::1")
    for word in "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1":
        equal(run(router, "sysctl", "-q", "-w", word)[0], 0, word)
    return server


class World:
    """A router with a service, a client that has the virtual address as its gateway, a server behind the router."""

    def __init__(self, lab, six):
        self.router, self.client = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT)
        server_behind(lab, self.router)
        for node, last in (self.router, 2), (self.client, 50):
            node.ip("addr", "add", f"2001:db8::{last}/64", "dev", "ens160", "nodad")
            node.wait(lambda n=node: "tentative" not in n.ip("-6", "addr", "show", "dev", "ens160"), 10,
                      "the link-local address to be usable")
        self.six, self.own = six, "2001:db8::2" if six else self.router.address
        self.vips = VIP6 if six else (conf.VIP,)
        self.vip, self.server = self.vips[-1], "2001:db8:1::2" if six else "192.0.2.2"

    def conf(self, *extra, priority=100):
        return conf.instance(priority=priority, vips=self.vips, extra=extra)

    def gateway(self):
        """The client routes through the first virtual address."""
        family, address = ("-6", VIP6[0]) if self.six else ("-4", self.vip)
        self.client.ip(family, "route", "replace", "default", "via", address, "dev", "ens160")

    def neighbour(self, address):
        """The client's entry for an address: its MAC and state."""
        entries = json.loads(self.client.ip("-j", "neigh", "show", address, "dev", "ens160") or "[]")
        return next(((e.get("lladdr"), e["state"][0]) for e in entries), None)

    def resolved(self, address):
        """Waits until the client's neighbour cache has the router for an address."""
        mac = self.router.mac()
        self.client.wait(lambda: (self.neighbour(address) or [None])[0] == mac, 5, f"an entry of {address}")

    def claims(self, accepted):
        """All that must hold of the Active, whether it accepts or not."""
        client = self.client
        # The control: a host that cannot reach the router at all would show nothing.
        check(pings(client, self.own) and connects(client, self.own), f"the router's own {self.own} is unreachable")
        for vip in self.vips:
            zone = "%ens160" if vip.startswith("fe80") else ""
            scope = client.ifindex() if zone else 0
            equal(pings(client, vip + zone), accepted, f"whether {vip} answers a ping")
            equal(connects(client, vip, scope), accepted, f"whether {vip} takes a TCP connection")
            self.resolved(vip)
        check(pings(client, self.server), "what is routed through the virtual address does not arrive")

    def probe(self, address):
        """The client asks the neighbour it knows, by a unicast solicitation or ARP request, and is answered."""
        mac = self.router.mac()
        self.client.ip("neigh", "replace", address, "lladdr", mac, "nud", "probe", "dev", "ens160")
        self.client.wait(lambda: self.neighbour(address) == (mac, "REACHABLE"), 5, f"an answer to a probe of {address}")


@each("ipv4", "ipv6")
@limits(timeout=120)
def case_active_routes_and_answers_nothing(family):
    with Lab() as lab:
        world = World(lab, family == "ipv6")
        router = world.router
        with service(router):
            vipd = Vipd(router, world.conf("no_accept"))
            vipd.wait_state("Active", 10)
            world.gateway()
            world.claims(accepted=False)
            world.probe(world.vip)
            equal((accepts(vipd), tables(router)), (False, [table_of(vipd)]), "status and tables")
            for extra, accepted in ((), True), (("strict_mode",), False), (("strict_mode", "accept"), True), \
                    (("no_accept",), False):
                line = reload(vipd, vipd.path, world.conf(*extra))
                check("changed VI_1" in line, f"the reload was {line!r}")
                world.claims(accepted)
                equal(accepts(vipd), accepted, "accept in the status")
                equal(tables(router), [] if accepted else [table_of(vipd)], "tables")
                equal([line for line in journal(router) if line.startswith("table")],
                      [] if accepted else [f"table vipd-{vipd.proc.pid}"], "the table in the journal")
            equal(vipd.transitions()[2:], [], "transitions after the first two")
            vipd.terminate()
            equal(tables(router), [], "tables after the stop")


@limits(timeout=60)
def case_owner_accepts():
    with Lab() as lab:
        world = World(lab, six=False)
        world.router.ip("addr", "add", f"{conf.VIP}/23", "dev", "ens160")
        with service(world.router):
            vipd = Vipd(world.router, world.conf("no_accept", priority=255))
            vipd.wait_state("Active", 10)
            world.gateway()
            world.claims(accepted=True)
            equal((accepts(vipd), tables(world.router)), (True, []), "status and tables")


class Source(Ear):
    """Keeps the IPv4 packets that a node gets from `source`, of whatever kind."""

    def __init__(self, node, source):
        self.heard, self._source = [], socket.inet_aton(source)
        super().__init__(node)

    def hear(self, raw):
        if raw[26:30] == self._source:
            self.heard.append(raw)


@contextlib.contextmanager
def knocking(client):
    """The client pings the virtual address without end, knocks at a TCP and at a closed UDP port, and counts answers."""
    pinger, ear, end = Pinger(client, conf.VIP, interval=0.005), Source(client, conf.VIP), threading.Event()

    def knock():
        while not end.wait(0.005):
            with ns.entered(client.ns):
                udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
            with udp, tcp:
                udp.setblocking(False)
                tcp.setblocking(False)
                for sock in udp, tcp:
                    with contextlib.suppress(OSError):
                        sock.connect((conf.VIP, PORT))
                        sock.send(b"?")

    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    try:
        yield pinger, ear
    finally:
        end.set()
        thread.join(5)
        pinger.stop()
        ear.close()


@each("no_accept", "accept")
@limits(timeout=60)
def case_no_answer_from_the_first_moment_of_a_takeover(word):
    with Lab() as lab:
        first, second = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        client = lab.node("client", conf.CLIENT)
        with service(first), service(second):
            active = Vipd(first, conf.instance(priority=200, extra=[word]))
            active.wait_state("Active", 5)
            backup = Vipd(second, conf.instance(priority=100, extra=[word]))
            backup.wait_state("Backup", 5)
            # The drop is there before the address: a takeover has nothing to do for it.
            code, listed = run(second, "nft", "list", "ruleset")
            equal((code, conf.VIP in listed), (0, word == "no_accept"), "the Backup's table names the address")
            with knocking(client) as (pinger, ear):
                client.wait_neighbour(conf.VIP, first.mac(), 5)
                pinger.wait_sent(50)
                active.kill9()
                client.wait_neighbour(conf.VIP, second.mac(), 5)
                pinger.wait_sent(100)
                first.cable("down")
                backup.terminate()
                pinger.wait_sent(20)
            # The same with `accept` shows that the ear hears.
            equal(bool(ear.heard), word == "accept", f"packets of the virtual address ({len(ear.heard)})")
            equal(bool(pinger.answered), word == "accept", "answers to pings")


@limits(timeout=60)
def case_flush_of_the_ruleset_removes_all_tables_but_ours():
    with Lab() as lab:
        router, client = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT)
        with service(router):
            vipd = Vipd(router, conf.instance(extra=NO_ACCEPT))
            vipd.wait_state("Active", 5)
            with knocking(client) as (pinger, ear):
                client.wait_neighbour(conf.VIP, router.mac(), 5)
                for _ in range(20):
                    equal(run(router, "nft", "add table inet fw4; add chain inet fw4 input { type filter hook input "
                              "priority 0; policy accept; }")[0], 0, "exit code of nft")
                    equal(len(tables(router)), 2, "tables")
                    equal(run(router, "nft", "flush", "ruleset")[0], 0, "exit code of the flush")
                    equal(tables(router), [table_of(vipd)], "tables after the flush")
                code, said = run(router, "nft", "delete", "table", *table_of(vipd).split())
                check(code != 0 and "not permitted" in said, f"our table can be deleted: {said}")
                pinger.wait_sent(50)
            equal((ear.heard, pinger.answered), ([], {}), "answers")
            vipd.terminate()
            equal(tables(router), [], "tables after the stop")


@each("no_accept", "accept")
@limits(timeout=60)
def case_killed_and_started_again(word):
    with Lab() as lab:
        router, client = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT)
        with service(router):
            first = Vipd(router, conf.instance(extra=NO_ACCEPT), name="first")
            first.wait_state("Active", 5)
            router.wait_has(conf.VIP, 5)
            first.kill9()
            # Linux 6.9 and later keep the table; before, the address answers until vipd is back.
            equal(tables(router), [table_of(first)], "tables after the kill")
            check(not pings(client, conf.VIP), "the killed one's address answers")
            second = Vipd(router, conf.instance(extra=[word]), name="second")
            second.wait_state("Active", 5)
            router.wait_has(conf.VIP, 5)
            second.log.wait(r"nftables table inet vipd-\d+ was left by an earlier vipd", 5)
            equal(tables(router), [table_of(second)] if word == "no_accept" else [], "tables of the next")
            equal(pings(client, conf.VIP), word == "accept", "whether it answers")
            equal(any("table" in line for line in journal(router)), word == "no_accept", "the journal")
            second.terminate()
            equal(tables(router), [], "tables after the stop")


@limits(timeout=60)
def case_two_daemons_have_a_table_each():
    with Lab() as lab:
        router, client = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT)
        first = Vipd(router, conf.instance(extra=NO_ACCEPT))
        first.wait_state("Active", 5)
        path = lab.file("other.conf", conf.instance(vrid=51, vips=["10.10.201.140"], extra=NO_ACCEPT))
        os.mkdir(other_dir := os.path.join(lab.dir, "other"))
        other = router.popen("other", [binary(), "run", "--config", path, "--runtime-dir", other_dir])
        other.log.wait(r"-> Active", 5)
        router.wait_has("10.10.201.140", 5)
        equal(len(tables(router)), 2, "tables")
        check(not pings(client, conf.VIP) and not pings(client, "10.10.201.140"), "an address answers")
        other.terminate()
        equal(tables(router), [table_of(first)], "tables")


@limits(timeout=60)
def case_hundreds_of_addresses_go_in_and_out():
    with Lab() as lab:
        router, client = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT)

        def text(count, *extra):
            """Two instances with so many addresses in all, the first of which is the same each time."""
            vips = ["10.10.200.110", *(f"10.20.{n // 200}.{n % 200 + 1}" for n in range(1, count))]
            return "".join(conf.instance(f"VI_{i}", vrid=50 + i, vips=part, extra=extra)
                           for i, part in enumerate((vips[:count // 2], vips[count // 2:])))

        def refused():
            code, said = run(router, "nft", "-j", "list", "ruleset")
            equal(code, 0, said)
            sets = [e["set"] for e in json.loads(said)["nftables"] if "set" in e]
            return sum(len(s.get("elem", [])) for s in sets)

        vipd = Vipd(router, text(300, "no_accept"))
        vipd.wait_state("Active", 10, name="VI_1")
        for count, extra in (300, NO_ACCEPT), (40, NO_ACCEPT), (290, NO_ACCEPT), (290, ("accept",)), (280, NO_ACCEPT):
            reload(vipd, vipd.path, text(count, *extra))
            equal(refused(), count if extra == NO_ACCEPT else 0, f"addresses in the table, of {count} {extra}")
            router.wait_has("10.10.200.110", 5)
            equal(pings(client, "10.10.200.110"), extra != NO_ACCEPT, "whether the first answers")
        equal(vipd.warnings(), [], "warnings")


@limits(timeout=90)
def case_kernel_without_nf_tables_is_an_error():
    with Lab() as lab:
        check(os.path.exists(WITHOUT_NETFILTER), f"{WITHOUT_NETFILTER} is missing: apt-get install qemu-user-static")
        router = lab.node("n1", conf.NODE1)
        command = [WITHOUT_NETFILTER, binary()]
        bad, good = conf.instance(extra=NO_ACCEPT), conf.instance()
        path = lab.file("check.conf", bad)
        code, said = run(router, *command, "check", path)
        check(code == 3 and "install kmod-nft-core" in said and "`accept`" in said, f"check ended with {code}: {said}")
        refused = Vipd(router, bad, name="refused", command=command)
        equal(refused.proc.wait(20), 3, "exit code of run")
        check("install kmod-nft-core" in "\n".join(refused.warnings()), "no remedy in the log")
        check(not router.has(conf.VIP), "the address was added")
        replace_file(path, good)
        equal(run(router, *command, "check", path)[0], 0, "exit code of check without no_accept")
        vipd = Vipd(router, good, name="good", command=command)
        # The emulator has no PACKET_ADD_MEMBERSHIP either, so that the instance gets no further.
        vipd.log.wait("VI_1: waiting in Initialize", 20)
        line = reload(vipd, vipd.path, bad, timeout=20)
        check("refused" in line, f"the reload was {line!r}")
        check("install kmod-nft-core" in "\n".join(vipd.warnings()), "no remedy in the log")
        check(accepts(vipd), "the refused reload has changed something")
        vipd.terminate(20)


@each("above", "below")
@limits(timeout=90)
def case_strict_beside_keepalived(place):
    """One file for both, and both drop."""
    with Lab() as lab:
        one, two, client = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.node("client", conf.CLIENT)

        def text(priority):
            return conf.global_defs("vrrp_strict", "vrrp_version 3") + conf.instance(priority=priority)

        ours, theirs = (200, 100) if place == "above" else (100, 200)
        with service(one), service(two), knocking(client) as (pinger, ear):
            vipd, peer = Vipd(one, text(ours)), Keepalived(two, text(theirs))
            active, node = (vipd, one) if place == "above" else (peer, two)
            other = two if place == "above" else one
            client.wait_neighbour(conf.VIP, node.mac(), 15)
            pinger.wait_sent(50)
            active.terminate()
            client.wait_neighbour(conf.VIP, other.mac(), 15)
            pinger.wait_sent(50)
            equal(peer.complaints(), [], "what keepalived disliked")
            mine = [raw for raw in ear.heard if ":".join(f"{b:02x}" for b in raw[6:12]) == one.mac()]
            equal(mine, [], "packets of the virtual address from vipd")
