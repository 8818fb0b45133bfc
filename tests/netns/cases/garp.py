"""Gratuitous ARP: at once, after garp_master_delay, refreshed, and after a lower-priority Active."""

from lib import conf, wire
from lib.check import check, equal, limits
from lib.inject import Injector
from lib.lab import Lab
from lib.sniffer import is_advert, is_garp
from lib.vipd import Vipd


@limits(timeout=40)
def case_rounds_of_a_takeover():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node, conf.instance(extra=["garp_master_delay 1", "garp_master_repeat 3",
                                               "garp_master_refresh 2", "garp_master_refresh_repeat 2"]))
        vipd.wait_state("Active", 5)
        mac = node.mac()
        advert = sniffer.wait(lambda f: is_advert(f, "n1"), 5, "the first advert")
        garps = sniffer.wait_count(lambda f: is_garp(f, conf.VIP, "n1"), 3 + 3 + 2, 15, "the announcements")
        check(advert.at <= garps[0].at, "the announcement came before the advert")
        for garp in garps:
            equal((garp.op, garp.sender_mac, garp.eth_src, garp.target_mac),
                  (1, mac, mac, "00:00:00:00:00:00"), "the form of a gratuitous ARP (RFC 5227)")
        check(garps[2].at - garps[0].at < 0.9, "the first round is not at once")
        check(garps[3].at - garps[0].at >= 0.99, "the second round came before garp_master_delay")
        check(garps[6].at - garps[0].at >= 1.99, "the refresh came before garp_master_refresh")
        log = sniffer.mark()
        sniffer.wait_count(lambda f: is_garp(f, conf.VIP, "n1"), 2, 10, "the next refresh", log)


@limits(timeout=40)
def case_defaults_are_five_and_five():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node, conf.instance())
        vipd.wait_state("Active", 5)
        garps = sniffer.wait_count(lambda f: is_garp(f, conf.VIP, "n1"), 10, 15, "two rounds of five")
        check(garps[4].at - garps[0].at < 4.9, "the first round is not at once")
        check(garps[5].at - garps[0].at >= 4.99, "the second round came before five seconds")
        mark = sniffer.mark()
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 20, 10, "two more seconds", mark)
        equal(len([f for f in sniffer.arps("n1", mark) if f.gratuitous()]), 0, "announcements without a refresh")


@limits(timeout=40)
def case_after_a_lower_priority_active():
    with Lab() as lab:
        node, mallory, sniffer = lab.node("n1", conf.NODE1), lab.node("mallory", conf.NODE2), lab.sniff()
        client = lab.node("client", conf.CLIENT)
        vipd = Vipd(node, conf.instance(extra=["garp_master_delay 0", "garp_master_repeat 1",
                                               "garp_lower_prio_delay 1", "garp_lower_prio_repeat 2"]))
        vipd.wait_state("Active", 5)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 5, 5, "adverts")
        client.popen("ping", ["ping", "-c", "1", conf.VIP]).wait()
        client.wait_neighbour(conf.VIP, node.mac(), 5)
        # A lower-priority Active poisons the client, then advertises.
        inject, mark = Injector(mallory), sniffer.mark()
        arp = (b"\0\1\x08\0\6\4\0\1" + wire.mac_bytes(mallory.mac()) + wire.ip_bytes(conf.VIP)
               + bytes(6) + wire.ip_bytes(conf.VIP))
        inject.send(wire.ethernet(arp, mallory.mac(), wire.BROADCAST, wire.ETH_ARP))
        client.wait_neighbour(conf.VIP, mallory.mac(), 5)
        body = wire.vrrp3(50, 50, [conf.VIP], mallory.address, interval_cs=10)
        inject.send(wire.ethernet(wire.ipv4(body, mallory.address), mallory.mac()))
        client.wait_neighbour(conf.VIP, node.mac(), 5)
        garps = sniffer.wait_count(lambda f: is_garp(f, conf.VIP, "n1"), 4, 5, "two rounds of two", mark)
        check(garps[2].at - garps[0].at >= 0.99, "the second round came before garp_lower_prio_delay")


@limits(timeout=40)
def case_after_an_address_came_back():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node, conf.instance(extra=["garp_master_delay 0"]))
        vipd.wait_state("Active", 5)
        node.wait_has(conf.VIP, 5)
        sniffer.wait_count(lambda f: is_garp(f, conf.VIP, "n1"), 5, 5, "the first round")
        mark = sniffer.mark()
        node.ip("addr", "del", f"{conf.VIP}/32", "dev", "ens160")
        node.wait_has(conf.VIP, 5)
        sniffer.wait(lambda f: is_garp(f, conf.VIP, "n1"), 5, "an announcement of the restored address", mark)
