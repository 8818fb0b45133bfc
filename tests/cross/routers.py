"""What two routers do to each other, one of them the program under test (see programs.py), and its judges."""

import re

from lib import conf, wire
from lib.check import Deadline, check, equal
from lib.lab import Lab, now
from lib.peers import Keepalived
from lib.sniffer import is_advert, is_garp, is_na
from programs import native

# A restart after kill -9 says so.
EXPECTED = r"was left by an earlier vipd; it is removed"
SECOND_VIP = "10.10.201.104"


def active_speaks_the_example_byte_for_byte(program):
    """The user's example: its adverts, its announcement and its farewell."""
    with Lab() as lab:
        node, sniffer = program.place(lab, "n1", conf.NODE1), lab.sniff()
        vipd = program.router(node, conf.example())
        vipd.wait_state("Active", 15)
        node.wait_has(conf.VIP, 5)
        message = wire.vrrp2(50, 101, [conf.VIP], auth_type=1, auth=b"123456")
        adverts_are(sniffer, node, message, 3)
        announced(sniffer, node, conf.VIP)
        vipd.terminate()
        last = wire.vrrp2(50, 0, [conf.VIP], auth_type=1, auth=b"123456")
        final = sniffer.wait(lambda f: is_advert(f, "n1", priority=0), 5, "the priority 0 advert")
        equal(message_of(final.raw), last, "the priority 0 advert")
        check(not node.has(conf.VIP), "the address is left behind")
        clean(vipd)


def version_3_byte_for_byte(program):
    """Two addresses, short intervals, both forms of the checksum."""
    vips = [conf.VIP, SECOND_VIP]
    for kind, pseudo in (("rfc9568", False), ("rfc5798", True)):
        with Lab() as lab:
            node, sniffer = program.place(lab, "n1", conf.NODE1), lab.sniff()
            text = conf.global_defs(f"v3_checksum {kind}") + conf.instance(
                vrid=201, priority=254, advert_int=0.3, vips=vips)
            vipd = program.router(node, text)
            vipd.wait_state("Active", 15)
            message = wire.vrrp3(201, 254, vips, node.address, interval_cs=30, pseudo=pseudo)
            adverts_are(sniffer, node, message, 5)
            vipd.terminate()
            clean(vipd)


def native_peer_takes_over_and_gives_back(program):
    """The program crashes, a native peer takes over; the program comes back, and leaves in order."""
    with Lab() as lab:
        node1, node2 = program.place(lab, "n1", conf.NODE1), lab.node("n2", conf.NODE2)
        crash_and_return(lab, node1, node2, program.router, native)


def crash_and_return(lab, node1, node2, router1, router2):
    """`router1` on `node1` crashes and leaves nothing behind once it runs again; `router2` fills in for it."""
    sniffer = lab.sniff()
    first = router1(node1, conf.example())
    first.wait_state("Active", 15)
    second = router2(node2, conf.example(100))
    second.wait_state("Backup", 5)
    received_all(second)
    first.kill9()
    second.wait_state("Active", 10)
    node2.wait_has(conf.VIP, 5)
    announced(sniffer, node2, conf.VIP)
    adverts_are(sniffer, node2, wire.vrrp2(50, 100, [conf.VIP], auth_type=1, auth=b"123456"), 2)
    check(node1.has(conf.VIP), "kill -9 cannot take the address away")
    mark = second.log.mark()
    first = router1(node1, conf.example(), "again")
    node1.wait_lacks(conf.VIP, 10)  # what the crash left; then it preempts
    first.wait_state("Active", 15)
    second.wait_state("Backup", 5, mark)
    node1.wait_has(conf.VIP, 5)
    node2.wait_lacks(conf.VIP, 5)
    mark, told = second.log.mark(), now()
    first.terminate()
    second.wait_state("Active", 5, mark)
    handed_over(sniffer, node1.name, node2.name, told)
    check(not node1.has(conf.VIP), "the address is left behind")
    clean(first)


def takes_over_from_a_native_peer(program):
    """A native peer crashes, the program takes over; the peer comes back, and leaves in order."""
    with Lab() as lab:
        node1, node2, sniffer = program.place(lab, "n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        second = native(node2, conf.example(200))
        second.wait_state("Active", 10)
        first = program.router(node1, conf.example())
        first.wait_state("Backup", 15)
        received_all(first)
        equal(sniffer.adverts("n1"), [], "adverts of the Backup")
        mark = sniffer.mark()
        second.kill9()
        first.wait_state("Active", 10)
        node1.wait_has(conf.VIP, 5)
        announced(sniffer, node1, conf.VIP, mark)
        mark = first.log.mark()
        second = native(node2, conf.example(200), "again")
        first.wait_state("Backup", 15, mark)
        node1.wait_lacks(conf.VIP, 5)
        mark, told = first.log.mark(), now()
        second.terminate()
        first.wait_state("Active", 5, mark)
        handed_over(sniffer, "n2", "n1", told)
        first.terminate()
        clean(first)


def keepalived_in_version_3(program):
    """The program follows a keepalived that crashes, and one follows the program."""
    with Lab() as lab:
        node1, node2, sniffer = program.place(lab, "n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        peer = Keepalived(node2, conf.instance(priority=200, advert_int=0.3))
        peer.wait_master(15)
        first = program.router(node1, conf.instance(priority=150, advert_int=0.3))
        first.wait_state("Backup", 15)
        received_all(first)
        peer.kill9()
        first.wait_state("Active", 10)
        node1.wait_has(conf.VIP, 5)
        third = Keepalived(lab.node("n3", "10.10.201.104/23"), conf.instance(priority=120, advert_int=0.3))
        third.wait_backup(15)
        mark = sniffer.mark()
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 5, 10, "adverts that keepalived hears", mark)
        equal(third.complaints(), [], "complaints of keepalived")
        told = now()
        first.terminate()
        third.wait_master(5)
        handed_over(sniffer, "n1", "n3", told)
        clean(first)


def ipv6_byte_for_byte(program):
    """IPv6: the adverts, the announcements, and addresses without duplicate address detection."""
    with Lab() as lab:
        node, sniffer = program.place(lab, "n1"), lab.sniff()
        own = node.link_local()
        vipd = program.router(node, conf.instance(vrid=201, priority=254, advert_int=0.3, vips=conf.VIPS6))
        vipd.wait_state("Active", 15)
        message = wire.vrrp3(201, 254, conf.VIPS6, own, wire.GROUP6, interval_cs=30)
        wanted = wire.ethernet(wire.ipv6(message, own), node.mac(), wire.GROUP6_MAC, wire.ETH_IPV6)
        for advert in sniffer.wait_count(lambda f: is_advert(f, "n1"), 5, 15, "adverts"):
            equal(advert.raw.hex(" "), wanted.hex(" "), "the frame of an advert")
        for vip in conf.VIPS6:
            entry = node.wait_has(vip, 5)
            equal((entry["prefixlen"], entry.get("nodad")), (128, True), f"the entry of {vip}")
            na = sniffer.wait(lambda f, v=vip: is_na(f, v, "n1"), 5, f"the announcement of {vip}")
            equal((na.src, na.mac, na.eth_src, na.flags, na.hop_limit, na.checksum_fits),
                  (vip, node.mac(), node.mac(), 0xA0, 255, True), "the form of an NA")
        vipd.terminate()
        equal([vip for vip in conf.VIPS6 if node.has(vip)], [], "addresses left behind")
        clean(vipd)


def ipv6_in_turn_with_a_native_peer(program):
    """IPv6: a native peer crashes and comes back, and leaves in order."""
    with Lab() as lab:
        node1, node2, sniffer = program.place(lab, "n1"), lab.node("n2"), lab.sniff()
        for node in (node1, node2):
            node.link_local()
        text = {priority: conf.instance(priority=priority, advert_int=0.3, vips=conf.VIPS6) for priority in (100, 200)}
        second = native(node2, text[200])
        second.wait_state("Active", 10)
        first = program.router(node1, text[100])
        first.wait_state("Backup", 15)
        received_all(first)
        mark = first.log.mark()
        second.kill9()
        first.wait_state("Active", 10, mark)
        node1.wait_has(conf.VIPS6[1], 5)
        mark = first.log.mark()
        second = native(node2, text[200], "again")
        first.wait_state("Backup", 15, mark)
        node1.wait_lacks(conf.VIPS6[1], 5)
        mark, told = first.log.mark(), now()
        second.terminate()
        first.wait_state("Active", 5, mark)
        handed_over(sniffer, "n2", "n1", told)
        first.terminate()
        clean(first)


def message_of(raw):
    """The VRRP message inside a captured frame."""
    header = (raw[14] & 15) * 4
    return raw[14 + header:14 + int.from_bytes(raw[16:18], "big")]


def adverts_are(sniffer, node, message, count):
    """`count` adverts of `node` are exactly the frame that Python makes, but for a rising identification."""
    adverts = sniffer.wait_count(lambda f: is_advert(f, node.name), count, 15, "adverts")
    idents = []
    for advert in adverts:
        idents.append(int.from_bytes(advert.raw[18:20], "big"))
        packet = wire.ipv4(message, node.address, ident=idents[-1])
        wanted = wire.ethernet(packet, node.mac())
        equal(advert.raw.ljust(60, b"\0").hex(" "), wanted.hex(" "), "the frame of an advert")
    steps = {(b - a) & 0xFFFF for a, b in zip(idents, idents[1:])}
    equal(steps, {1}, "steps of the identification")


def announced(sniffer, node, vip, since=0):
    """A gratuitous ARP of `node` for `vip`, field by field."""
    mac = node.mac()
    arp = sniffer.wait(lambda f: is_garp(f, vip, node.name), 5, "a gratuitous ARP", since)
    equal((arp.eth_src, arp.eth_dst, arp.op, arp.sender_mac, arp.sender, arp.target),
          (mac, wire.BROADCAST, 1, mac, vip, vip), "the gratuitous ARP")


def received_all(backup):
    """The Backup receives the other's adverts and drops none of them."""
    deadline = Deadline(15)
    while (counters := backup.counters()).received < 3:
        check(not deadline.passed(), f"the Backup heard {counters.received} adverts only")
    equal(counters.drops, {}, "dropped adverts")


def handed_over(sniffer, leaver, heir, told):
    """The leaver said priority 0 and the heir spoke after it, without the wait for silence."""
    zero = sniffer.wait(lambda f: is_advert(f, leaver, priority=0) and f.at > told, 5, "a priority 0 advert")
    answer = sniffer.wait(lambda f: is_advert(f, heir) and f.at > zero.at, 5, "the heir's advert")
    # Skew_Time is below one interval, Active_Down_Interval above three.
    check(answer.at - zero.at < 2 * answer.interval_ms / 1000, f"the heir came {answer.at - zero.at:.3f} s later")


def clean(vipd):
    """It warned of nothing but of what a crash left."""
    odd = [line for line in vipd.warnings() if not re.search(EXPECTED, line)]
    equal(odd, [], "warnings and errors")
