"""The virtual MAC: who says what with it, what hosts and switches learn, and what is left behind."""

import json
import subprocess

from cases.control import status
from cases.interop import Bench, Way, frr, keepalived, vipd_above, vipd_below
from lib import conf, ns, wire
from lib.check import check, each, equal, limits
from lib.inject import Injector
from lib.lab import BRIDGE, Lab
from lib.life import journal, reload
from lib.ping import Pinger
from lib.sniffer import from_virtual_mac, is_advert, is_garp, is_na
from lib.vipd import Vipd, binary

VMAC, VMAC6 = "00:00:5e:00:01:32", "00:00:5e:00:02:32"
VIPS = (conf.VIP, "10.10.201.110", "10.10.201.111")
INTERVAL = 0.1
# Between an advert and what its sender does next on a busy machine, and a sender that has not yet
# heard of its successor.
SLACK_S = 0.1
BELOW = {"arp_ignore": "1", "arp_announce": "2"}


def instance(priority=100, extra=(), vmac="use_vmac", **options):
    """An instance with a virtual MAC."""
    return conf.instance(priority=priority, extra=[vmac, "garp_master_delay 0", *extra], **options)


def sysctl(node, name, value=None):
    """Reads or writes a kernel parameter of the node."""
    with ns.entered(node.ns):
        with open(f"/proc/sys/net/{name}", "w" if value else "r", encoding="ascii") as file:
            return file.write(value) if value else file.read().strip()


def below(node, iface="ens160"):
    """The parameters of an interface below a macvlan."""
    return {name: sysctl(node, f"ipv4/conf/{iface}/{name}") for name in BELOW}


def links(node):
    """The node's interfaces by name."""
    return {link["ifname"]: link for link in json.loads(node.ip("-j", "-d", "link", "show"))}


def macvlans(node):
    """The names of the node's macvlans."""
    return sorted(name for name, link in links(node).items()
                  if link.get("linkinfo", {}).get("info_kind") == "macvlan")


def switch_port(lab, mac):
    """Where the switch sends frames for `mac`."""
    text = subprocess.run(["bridge", "-n", lab.switch, "-j", "fdb", "show", "br", BRIDGE],
                             capture_output=True, text=True, timeout=20, check=True).stdout
    return next((e["ifname"] for e in json.loads(text) if e["mac"] == mac), None)


def wait_switch(lab, mac, port):
    """Waits until the switch sends frames for `mac` to `port`."""
    ns.wait_kernel(lab.switch, lambda: switch_port(lab, mac) == port, 5, f"the switch to find {mac} at {port}")


def reigns(sniffer, port, vrid=50):
    """From when to when a port's router was Active, as its adverts say."""
    found = []
    for advert in sniffer.adverts(port, vrid=vrid):
        if found and found[-1][2]:
            begin, _, _ = found[-1]
            found[-1] = (begin, advert.at, advert.priority > 0)
        elif advert.priority > 0:
            found.append((advert.at, advert.at, True))
    return found


def only_the_active_speaks(sniffer, ports=("n1", "n2")):
    """Every frame with a virtual MAC came from the router that was Active at that moment."""
    seen = 0
    for port in ports:
        times = reigns(sniffer, port)
        for frame in filter(lambda f, p=port: from_virtual_mac(f, p), list(sniffer.frames)):
            seen += 1
            last = [(begin, end + (INTERVAL + SLACK_S if open_ else 0)) for begin, end, open_ in times]
            check(any(begin <= frame.at <= end for begin, end in last),
                  f"{port} was not Active when it sent {frame}")
    check(seen > 0, "no frame with a virtual MAC: the case shows nothing")


# --- peers -----------------------------------------------------------------------------------------

class VmacWay(Way):
    """Three addresses on the virtual MAC at both routers; adverts from it or, with `base`, not."""

    vips = VIPS

    def __init__(self, version, interval, base=False, **options):
        super().__init__(version, interval, **options)
        self.base = base

    def __str__(self):
        return f"{super().__str__()}{'-base' if self.base else ''}"

    def conf(self, priority):
        extra = ["use_vmac", *(["vmac_xmit_base"] if self.base else [])]
        return conf.instance(priority=priority, version=self.version, advert_int=self.interval,
                             password=self.password, vips=self.vips, extra=extra)


class VmacWay6(VmacWay):
    """The same over IPv6."""

    vips = conf.VIPS6

    def __str__(self):
        return f"ipv6-{super().__str__()}"

    def node(self, lab, name):
        node = lab.node(name)
        node.link_local()
        return node

    def source(self, node):
        return node.link_local()


class FrrWay6(VmacWay6):
    """FRR's adverts come from the first virtual address."""

    def source(self, node):
        return conf.VIPS6[0]


WAYS = (VmacWay(2, 1), VmacWay(3, 0.1), VmacWay(3, 0.1, base=True), VmacWay6(3, 0.1), VmacWay6(3, 0.1, base=True))


def frames_are_right(bench):
    """vipd's adverts and announcements have the MAC that they should have."""
    way, base = bench.way, bench.node1.mac()
    virtual = VMAC6 if ":" in way.vips[0] else VMAC
    equal({f.eth_src for f in bench.sniffer.adverts("n1")}, {base if way.base else virtual}, "sources of adverts")
    for vip in way.vips:
        is_own = is_na if ":" in vip else is_garp
        check(any(is_own(f, vip, "n1", virtual) for f in bench.sniffer.frames), f"{vip} was not announced")
        check(not any(is_own(f, vip, "n1", base) for f in bench.sniffer.frames), f"{vip} was announced wrongly")


@each(*WAYS)
@limits(timeout=120)
def case_above_keepalived(way):
    with Lab() as lab:
        bench = Bench(lab, way, 200, 100, keepalived)
        vipd_above(bench)
        frames_are_right(bench)


@each(*WAYS)
@limits(timeout=120)
def case_below_keepalived(way):
    with Lab() as lab:
        bench = Bench(lab, way, 100, 200, keepalived)
        vipd_below(bench)
        frames_are_right(bench)


@each(VmacWay(3, 0.1), FrrWay6(3, 0.1))
@limits(timeout=120)
def case_above_frr(way):
    with Lab() as lab:
        bench = Bench(lab, way, 200, 100, frr)
        vipd_above(bench)
        check(bench.peers[0].received() > 0, "FRR counted no advert as received")


@each(VmacWay(3, 0.1), FrrWay6(3, 0.1))
@limits(timeout=120)
def case_below_frr(way):
    with Lab() as lab:
        vipd_below(Bench(lab, way, 100, 200, frr))


# --- hosts and switches ----------------------------------------------------------------------------

class Pair:
    """Two vipds with the virtual MAC, a client, and the capture."""

    def __init__(self, lab, **options):
        self.lab, self.options = lab, options
        self.nodes = {"n1": lab.node("n1", conf.NODE1), "n2": lab.node("n2", conf.NODE2)}
        self.client, self.sniffer = lab.node("client", conf.CLIENT), lab.sniff()
        self.vipds, self.count = {}, 0

    def start(self, name):
        """Starts n1 (priority 200) or n2 (100)."""
        self.count += 1
        text = instance(200 if name == "n1" else 100, **self.options)
        self.vipds[name] = Vipd(self.nodes[name], text, name=f"vipd{self.count}")
        return self.vipds[name]

    def active(self):
        """Whom the switch takes for the holder of the virtual MAC."""
        return switch_port(self.lab, VMAC)


@limits(timeout=120)
def case_client_keeps_its_arp_entry_through_ten_failovers():
    with Lab() as lab:
        pair = Pair(lab, vips=VIPS)
        pair.start("n1").wait_state("Active", 10)
        pair.start("n2").wait_state("Backup", 10)
        wait_switch(lab, VMAC, "n1")
        pings = [Pinger(pair.client, conf.VIP), Pinger(pair.client, "10.10.201.102"),
                 Pinger(pair.client, "10.10.201.103")]
        for ping in pings:
            ping.wait_answer(10)
        entries = {conf.VIP: VMAC, "10.10.201.102": pair.nodes["n1"].mac(), "10.10.201.103": pair.nodes["n2"].mac()}
        for failover in range(10):
            mark = pair.vipds["n2"].log.mark()
            if failover % 2 == 0:
                pair.vipds["n1"].terminate()
                pair.vipds["n2"].wait_state("Active", 10, mark)
                wait_switch(lab, VMAC, "n2")
            else:
                pair.start("n1").wait_state("Active", 10)
                pair.vipds["n2"].wait_state("Backup", 10, mark)
                wait_switch(lab, VMAC, "n1")
            pings[0].wait_answer(10)
            for address, mac in entries.items():
                equal(pair.client.neighbour(address), mac, f"the client's entry of {address}, failover {failover}")
        for ping in pings:
            ping.stop()
        answers = {(f.sender, f.sender_mac) for f in pair.sniffer.arps() if f.sender in entries}
        check(answers <= set(entries.items()), f"ARP said otherwise: {answers - set(entries.items())}")
        equal([p.lost() for p in pings[1:]], [0, 0], "lost pings of the routers' own addresses")
        only_the_active_speaks(pair.sniffer)
        print(f"pings to the virtual address: {len(pings[0].sent)} sent, {pings[0].lost()} lost in ten failovers")


@limits(timeout=60)
def case_two_actives_after_a_partition():
    """In the macvlan's private mode each would be deaf for the other, whose adverts have its own MAC."""
    with Lab() as lab:
        pair = Pair(lab)
        pair.start("n1").wait_state("Active", 10)
        backup = pair.start("n2")
        backup.wait_state("Backup", 10)
        pair.nodes["n2"].path(False)
        backup.wait_state("Active", 10)
        pair.nodes["n2"].wait_has(conf.VIP, 5)
        mark = backup.log.mark()
        pair.nodes["n2"].path(True)
        backup.wait_state("Backup", 10, mark)
        pair.nodes["n2"].wait_lacks(conf.VIP, 5)
        wait_switch(lab, VMAC, "n1")


def queries(node):
    """An MLD general query of version 1 and of version 2, and an IGMP one (RFC 3810, RFC 2710, RFC 3376)."""
    source, frames = node.link_local(), []
    for body in (bytes([130, 0, 0, 0, 0, 10, 0, 0]) + bytes(16), bytes([130, 0, 0, 0, 0, 10, 0, 0]) + bytes(20)):
        cover = wire.ip_bytes(source) + wire.ip_bytes(wire.ALL_NODES) + len(body).to_bytes(4, "big") + bytes([0, 0, 0, 58])
        total = wire.checksum(cover + body).to_bytes(2, "big")
        alert = bytes([wire.PROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0])
        packet = wire.ipv6(alert + body[:2] + total + body[4:], source, wire.ALL_NODES, wire.PROTO_HOP_BY_HOP, 1)
        frames.append(wire.ethernet(packet, node.mac(), wire.ALL_NODES_MAC, wire.ETH_IPV6))
    igmp = bytes([0x11, 1, 0, 0, 0, 0, 0, 0])
    igmp = igmp[:2] + wire.checksum(igmp).to_bytes(2, "big") + igmp[4:]
    packet = wire.ipv4(igmp, node.address, "224.0.0.1", 2, 1)
    return [*frames, wire.ethernet(packet, node.mac(), "01:00:5e:00:00:01")]


def is_mld_report(frame, port):
    """Whether a virtual MAC reported its groups from that port."""
    return isinstance(frame, wire.Other) and from_virtual_mac(frame, port) and frame.raw[20:21] == b"\0"


@limits(timeout=90)
def case_1510_882_1797_a_backup_says_nothing_with_the_virtual_mac():
    with Lab() as lab:
        nodes = [lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)]
        client, sniffer = lab.node("client", conf.CLIENT), lab.sniff()
        client.link_local()
        vipds = []
        for node, priority in zip(nodes, (200, 100)):
            node.link_local()
            node.ip("addr", "add", f"fd00:201::{priority}/64", "dev", node.iface, "nodad")
            text = instance(priority) + instance(priority, name="VI_2", vrid=51, vips=["10.10.201.120"]) \
                + instance(priority, name="VI_6", vips=conf.VIPS6)
            vipds.append(Vipd(node, text))
            for name in ("VI_1", "VI_2", "VI_6"):
                vipds[-1].wait_state("Active" if priority == 200 else "Backup", 10, name=name)
        equal(macvlans(nodes[1]), ["vrrp.50", "vrrp.51", "vrrp6.50"], "macvlans of the Backup")
        injector = Injector(client)
        client.ip("addr", "add", "fd00:201::99/64", "dev", client.iface, "nodad")
        pings = [Pinger(client, vip) for vip in (conf.VIP, "10.10.201.120", *conf.VIPS6)]
        mark = sniffer.mark()
        for frame in queries(client):
            injector.send(frame)
        sniffer.wait(lambda f: is_mld_report(f, "n1"), 15, "a report of the Active, which shows that the query works", mark)
        for ping in pings:
            ping.wait_answer(10)
            ping.stop()
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 60, 10, "adverts meanwhile", mark)
        equal([str(f) for f in sniffer.frames if from_virtual_mac(f, "n2")], [], "frames of the Backup")
        # And back: what it said as Active is over with its role.
        for vipd, port in ((vipds[0], "n1"),):
            vipd.terminate()
            vipds[1].wait_state("Active", 10, name="VI_6")
            vipds[1].wait_state("Active", 10, name="VI_2")
            mark = sniffer.mark()
            for frame in queries(client):
                injector.send(frame)
            sniffer.wait(lambda f: is_mld_report(f, "n2"), 15, "a report of the new Active", mark)
            left = [f for f in sniffer.frames if from_virtual_mac(f, port)]
            check(isinstance(left[-1], wire.Advert) and left[-1].priority == 0,
                  f"the last frame with a virtual MAC of who gave up is {left[-1]}")


@limits(timeout=60)
def case_forwarding_through_the_virtual_mac():
    """A router that forwards on two of its interfaces and not on all forwards what the macvlan hears too."""
    with Lab() as lab:
        node, client, far = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT), lab.node("far", "10.20.0.9/24")
        lab.plug(node, "lan1", "n1-lan")
        node.ip("addr", "add", "10.20.0.1/24", "dev", "lan1")
        for iface in ("ens160", "lan1"):
            sysctl(node, f"ipv4/conf/{iface}/forwarding", "1")
            sysctl(node, f"ipv4/conf/{iface}/rp_filter", "1")
        vipd = Vipd(node, instance() + instance(name="VI_2", vrid=51, iface="lan1", vips=["10.20.0.254"]))
        vipd.wait_state("Active", 10)
        vipd.wait_state("Active", 10, name="VI_2")
        client.ip("route", "add", "10.20.0.0/24", "via", conf.VIP)
        far.ip("route", "add", "default", "via", "10.20.0.254")
        ping = Pinger(client, "10.20.0.9")
        ping.wait_answer(10)
        ping.stop()
        equal((client.neighbour(conf.VIP), far.neighbour("10.20.0.254")), (VMAC, "00:00:5e:00:01:33"), "next hops")


@each(32, 23)
@limits(timeout=60)
def case_2512_2282_reachable_with_strict_reverse_path_filters(prefix):
    with Lab() as lab:
        pair = Pair(lab, vips=[f"{conf.VIP}/{prefix}"])
        for node in pair.nodes.values():
            for place in ("all", "default", "ens160"):
                sysctl(node, f"ipv4/conf/{place}/rp_filter", "1")
        pair.start("n1").wait_state("Active", 10)
        pair.start("n2").wait_state("Backup", 10)
        ping = Pinger(pair.client, conf.VIP)
        ping.wait_answer(10)
        mark = pair.vipds["n2"].log.mark()
        pair.vipds["n1"].terminate()
        pair.vipds["n2"].wait_state("Active", 10, mark)
        ping.wait_answer(10)
        ping.stop()
        equal(pair.client.neighbour(conf.VIP), VMAC, "the client's entry")
        for node in pair.nodes.values():
            equal([sysctl(node, f"ipv4/conf/{p}/rp_filter") for p in ("all", "default", "ens160")], ["1"] * 3,
                  "the operator's filters")


@limits(timeout=60)
def case_2296_1932_link_local_address_without_duplicate_detection():
    with Lab() as lab:
        nodes = [lab.node("n1"), lab.node("n2")]
        client, sniffer = lab.node("client"), lab.sniff()
        for number, node in enumerate((*nodes, client)):
            node.link_local()
            node.ip("addr", "add", f"fd00:201::9{number}/64", "dev", node.iface, "nodad")
        vipds = [Vipd(node, instance(priority, vips=conf.VIPS6)) for node, priority in zip(nodes, (200, 100))]
        vipds[0].wait_state("Active", 10)
        vipds[1].wait_state("Backup", 10)
        pings = [Pinger(client, vip) for vip in conf.VIPS6]
        for ping in pings:
            ping.wait_answer(10)
        vipds[0].terminate()
        vipds[1].wait_state("Active", 10)
        for ping in pings:
            ping.wait_answer(10)
            ping.stop()
        for vip in conf.VIPS6:
            entry = nodes[1].wait_has(vip, 5, "vrrp6.50")
            check(not entry.get("tentative") and not entry.get("dadfailed"), f"{entry}")
            equal(client.neighbour(vip), VMAC6, f"the client's entry of {vip}")
        equal(sorted(a["local"] for a in nodes[1].addresses6("vrrp6.50")), sorted(conf.VIPS6), "addresses of the macvlan")
        # Duplicate address detection asks from the unspecified address.
        probes = [f for f in sniffer.frames if from_virtual_mac(f) and isinstance(f, wire.Other)
                  and f.raw[12:14] == b"\x86\xdd" and f.raw[20] == wire.PROTO_ICMPV6 and f.raw[22:38] == bytes(16)]
        equal([str(f) for f in probes], [], "probes with the virtual MAC")
        only_the_active_speaks(sniffer)


# --- what is left behind ---------------------------------------------------------------------------

@each("terminate", "kill9", "kill9-and-forget")
@limits(timeout=60)
def case_nothing_is_left_behind(how):
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        sysctl(node, "ipv4/conf/ens160/arp_announce", "1")
        before = below(node)
        equal(before, {"arp_ignore": "0", "arp_announce": "1"}, "the parameters before")
        vipd = Vipd(node, instance() + instance(name="VI_2", vrid=51, vips=["10.10.201.120"]))
        vipd.wait_state("Active", 10)
        equal(below(node), BELOW, "the parameters meanwhile")
        equal(macvlans(node), ["vrrp.50", "vrrp.51"], "macvlans")
        equal(journal(node), [f"address vrrp.50 {conf.VIP}/32", "address vrrp.51 10.10.201.120/32",
                              f"macvlan vrrp.50 {VMAC}", "macvlan vrrp.51 00:00:5e:00:01:33",
                              "arp ens160 arp_ignore 0 1", "arp ens160 arp_announce 1 2"], "the journal")
        if how == "terminate":
            vipd.terminate()
            equal(journal(node), [], "the journal after the end")
        else:
            vipd.kill9()
            equal((below(node), macvlans(node)), (BELOW, ["vrrp.50", "vrrp.51"]), "what a killed one leaves")
            text = instance() if how == "kill9" else conf.instance()
            again = Vipd(node, text, name="again")
            again.wait_state("Active", 10)
            equal(macvlans(node), ["vrrp.50"] if how == "kill9" else [], "macvlans of the next one")
            equal(below(node), BELOW if how == "kill9" else before, "the parameters with the next one")
            node.wait_has(conf.VIP, 5, "vrrp.50" if how == "kill9" else "ens160")
            again.terminate()
        equal(macvlans(node), [], "macvlans at the end")
        equal(below(node), before, "the parameters at the end")
        equal([a["local"] for a in node.addresses("ens160")], ["10.10.201.102"], "addresses at the end")


@limits(timeout=60)
def case_in_a_jail_without_proc():
    """OpenWrt's procd starts vipd where there is no /proc, or one that cannot be written."""
    with Lab() as lab:
        node, client = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT)
        sysctl(node, "ipv4/conf/all/rp_filter", "1")
        before = below(node)
        # `ip netns exec` gives each program its own mounts.
        jail = ["sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"', binary()]
        vipd = Vipd(node, instance(vips=VIPS) + instance(name="VI_6", vips=["fe80::50"]), command=jail)
        vipd.wait_state("Active", 10)
        vipd.wait_state("Active", 10, name="VI_6")
        ping = Pinger(client, conf.VIP)
        ping.wait_answer(10)
        ping.stop()
        equal(below(node), BELOW, "the parameters of the interface below")
        equal([sysctl(node, f"ipv{n}") for n in ("4/conf/vrrp.50/rp_filter", "6/conf/vrrp6.50/addr_gen_mode")],
              ["2", "1"], "parameters of the macvlans")
        equal([a["local"] for a in node.addresses6("vrrp6.50")], ["fe80::50"], "IPv6 addresses of the macvlan")
        vipd.terminate()
        equal((below(node), vipd.warnings()), (before, []), "the parameters at the end, and warnings")


@limits(timeout=90)
def case_reload_turns_it_on_and_off_and_renames_it():
    with Lab() as lab:
        node, client, sniffer = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT), lab.sniff()
        before, own = below(node), node.mac()
        other = instance(name="VI_2", vrid=51, vips=["10.10.201.120"])
        vipd = Vipd(node, conf.instance(extra=["garp_master_delay 0"]) + other)
        vipd.wait_state("Active", 10)
        vipd.wait_state("Active", 10, name="VI_2")
        mark, frames = vipd.log.mark(), sniffer.mark()
        ping = Pinger(client, conf.VIP)
        steps = ((instance() + other, "vrrp.50", VMAC), (instance(vmac="use_vmac lan-vip") + other, "lan-vip", VMAC),
                 (instance(vmac="use_vmac lan-vip"), "lan-vip", VMAC),
                 (instance(vmac="use_vmac lan-vip", extra=["vmac_xmit_base"]), "lan-vip", VMAC),
                 (conf.instance(extra=["garp_master_delay 0"]), "ens160", own))
        for text, device, mac in steps:
            reload(vipd, f"{lab.dir}/n1-vipd.conf", text)
            equal([a["dev"] for a in node.addresses() if a["local"] == conf.VIP], [device], "where the address is")
            wanted = sorted({device, "vrrp.51"} - {"ens160"}) if "VI_2" in text else sorted({device} - {"ens160"})
            equal(macvlans(node), wanted, "macvlans")
            equal(below(node), BELOW if wanted else before, "the parameters")
            client.wait_neighbour(conf.VIP, mac, 5)
            ping.wait_answer(10)
        ping.stop()
        equal([t for t in vipd.transitions(mark) if "VI_1" in t], [], "transitions")
        equal({f.priority for f in sniffer.adverts("n1", frames, 50)}, {100}, "priorities")


@limits(timeout=60)
def case_macvlan_taken_by_hand_comes_back():
    with Lab() as lab:
        node, client = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT)
        vipd = Vipd(node, instance(vips=VIPS))
        vipd.wait_state("Active", 10)
        ping = Pinger(client, conf.VIP)
        ping.wait_answer(10)
        mark = vipd.log.mark()
        for turn in (1, 2):
            old = node.ifindex("vrrp.50")
            node.ip("link", "del", "vrrp.50")
            node.wait(lambda: "vrrp.50" in links(node) and node.has(VIPS[-1]), 15, "the macvlan to come back")
            check(node.ifindex("vrrp.50") != old, "the index is the old one: the case shows nothing")
            ping.wait_answer(10)
            equal(status(vipd)["VI_1"]["counters"]["addresses_lost"], turn, "losses counted")
        node.ip("link", "set", "vrrp.50", "down")
        ping.wait_answer(10)
        ping.stop()
        equal(vipd.transitions(mark), [], "transitions")
        vipd.terminate()
        equal(macvlans(node), [], "macvlans at the end")


@limits(timeout=60)
def case_somebody_elses_interface_of_that_name_is_left_alone():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        node.ip("link", "add", "vrrp.50", "type", "veth", "peer", "name", "other0")
        vipd = Vipd(node, instance(priority=255))
        line = vipd.log.wait("vrrp.50 could not be made.*", 5).group(0)
        check("another name" in line, f"no remedy in {line!r}")
        vipd.log.wait("waiting in Initialize.*macvlan", 5)
        equal(status(vipd)["VI_1"]["reason"], "no-macvlan", "the reason in the status")
        check("vrrp.50" in links(node), "somebody else's interface was removed")
        node.ip("link", "del", "vrrp.50")
        vipd.wait_state("Active", 10)
        node.wait_has(conf.VIP, 5, "vrrp.50")
        equal(len(vipd.log.matches(r"vrrp\.50 could not be made")), 1, "lines about it")


@limits(timeout=60)
def case_interface_below_deleted_and_made_again():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        vipd = Vipd(node, instance())
        vipd.wait_state("Active", 10)
        mark = vipd.log.mark()
        node.ip("link", "del", "ens160")
        vipd.log.wait(r"Active -> Initialize: .*ens160", 5, mark)
        lab.plug(node, "ens160", "n1")
        node.ip("addr", "add", conf.NODE1, "dev", "ens160")
        vipd.wait_state("Active", 10, mark)
        node.wait_has(conf.VIP, 5, "vrrp.50")
        equal(below(node), BELOW, "the parameters of the new interface")
        vipd.terminate()
        equal(below(node), {"arp_ignore": "0", "arp_announce": "0"}, "the parameters at the end")


@limits(timeout=60)
def case_on_a_bridge():
    with Lab() as lab:
        node, client = lab.node("n1"), lab.node("client", conf.CLIENT)
        node.ip("link", "add", "br-lan", "type", "bridge")
        node.ip("link", "set", "ens160", "master", "br-lan")
        node.ip("link", "set", "br-lan", "up")
        node.ip("addr", "add", conf.NODE1, "dev", "br-lan")
        vipd = Vipd(node, instance(iface="br-lan"))
        line = vipd.log.wait("bridge br-lan.*", 5).group(0)
        check("promiscuous" in line and "use_vmac" in line, f"the price is not told: {line!r}")
        vipd.wait_state("Active", 10)
        ping = Pinger(client, conf.VIP)
        ping.wait_answer(10)
        ping.stop()
        equal(client.neighbour(conf.VIP), VMAC, "the client's entry")
        wait_switch(lab, VMAC, "n1")
        check(links(node)["br-lan"]["promiscuity"] > 0, "the bridge is not promiscuous: the warning is wrong")
        vipd.terminate()
        equal(links(node)["br-lan"]["promiscuity"], 0, "the bridge afterwards")


@limits(timeout=60)
def case_addresses_elsewhere_and_status():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        lab.plug(node, "lan1", "n1-lan")
        vips = [conf.VIP, "10.20.0.1/24 dev lan1", "10.20.0.2 dev lan1"]
        vipd = Vipd(node, instance(vips=vips, extra=["use_vmac_addr", "address_lease 2"]))
        vipd.wait_state("Active", 10)
        sniffer.wait(lambda f: is_garp(f, "10.20.0.2", "n1-lan", VMAC), 5, "its announcement")
        found = {(a["local"], a["dev"]) for a in node.addresses() if a["dev"] not in ("lo", "ens160")}
        equal(found, {(conf.VIP, "vrrp.50"), ("10.20.0.1", "vrrp1.50"), ("10.20.0.2", "vrrp1.50")}, "addresses")
        shown = status(vipd)["VI_1"]
        equal(shown["vmac"], {"address": VMAC, "interfaces": ["vrrp.50", "vrrp1.50"], "adverts": True}, "the status")
        equal([v["interface"] for v in shown["vips"]], ["vrrp.50", "vrrp1.50", "vrrp1.50"], "interfaces in the status")
        equal({i: below(node, i) for i in ("ens160", "lan1")}, {"ens160": BELOW, "lan1": BELOW}, "the parameters")
        # The lease is refreshed: twice its time from now on everything is there.
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 45, 10, "adverts", sniffer.mark())
        equal({a["local"] for a in node.addresses("vrrp1.50")}, {"10.20.0.1", "10.20.0.2"}, "leased addresses")
        equal(vipd.warnings(), [], "warnings")
