"""The laboratory itself, proved with keepalived and FRR, before vipd is judged by it."""

from lib import conf, wire
from lib.check import check, equal
from lib.inject import Injector
from lib.lab import Lab, now
from lib.peers import Frr, Keepalived
from lib.ping import Pinger
from lib.sniffer import is_advert, is_garp


def case_keepalived_pair_fails_over():
    with Lab() as lab:
        node1, node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        client, sniffer = lab.node("client", conf.CLIENT), lab.sniff()
        # One after the other: 3.9 ms of skew between two that start at once are not enough here.
        first = Keepalived(node1, conf.example())
        first.wait_master(10)
        second = Keepalived(node2, conf.example(100))
        second.wait_backup(10)
        node1.wait_has(conf.VIP, 5)
        check(not node2.has(conf.VIP), "the backup holds the address")
        ping = Pinger(client, conf.VIP)
        ping.wait_answer(5)
        equal(client.neighbour(conf.VIP), node1.mac(), "the client's ARP entry")
        mark, killed = sniffer.mark(), now()
        first.kill9()
        second.wait_master(10)
        sniffer.wait(lambda f: is_garp(f, conf.VIP, "n2", node2.mac()), 5, "a gratuitous ARP of n2", mark)
        client.wait_neighbour(conf.VIP, node2.mac(), 5)
        ping.wait_answer(5)
        check(node1.has(conf.VIP), "keepalived cleaned up after kill -9, which it cannot")
        # A dead process's kernel still answers while it holds the address: so no ping need be lost.
        ping.stop()
        check(all(f.checksum_form == "message" for f in sniffer.adverts()), "a v2 checksum is wrong")
        check(min(f.at for f in sniffer.adverts("n2")) > killed, "the backup sent an advert")


def case_frr_and_keepalived_in_version_3():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        frr = Frr(node1, 50, 120, 100, conf.VIP)
        frr.wait_master(10)
        keepalived = Keepalived(node2, conf.instance(priority=100, advert_int=0.1))
        keepalived.wait_backup(10)
        mark = sniffer.mark()
        advert = sniffer.wait_count(lambda f: is_advert(f, "n1", 50), 10, 5, "adverts of FRR", mark)[-1]
        equal((advert.version, advert.priority, advert.interval_ms, advert.addresses, advert.checksum_form),
              (3, 120, 100, [conf.VIP], "pseudo"), "FRR's advert")
        equal(sniffer.adverts("n2"), [], "adverts of the backup")
        frr.terminate()
        keepalived.wait_master(5)
        equal(keepalived.complaints() + frr.complaints(), [], "complaints")


def case_own_frames_parse_and_move_keepalived():
    with Lab() as lab:
        node1, mallory, sniffer = lab.node("n1", conf.NODE1), lab.node("mallory", conf.NODE2), lab.sniff()
        keepalived = Keepalived(node1, conf.instance(priority=100, version=2, advert_int=1, password="123456"))
        keepalived.wait_master(10)
        injector, source = Injector(mallory), mallory.address

        def frame(**wrong):
            message = wire.vrrp2(50, 200, [conf.VIP], auth_type=1, auth=b"123456", **wrong)
            return wire.ethernet(wire.ipv4(message, source), mallory.mac())

        mark = keepalived.log.mark()
        injector.send(frame(bad_checksum=True))
        keepalived.log.wait("(?i)checksum", 5, mark)
        injector.send(frame())
        keepalived.wait_backup(5, mark)
        sniffer.wait_count(lambda f: is_advert(f, "mallory"), 2, 5, "our own frames", 0)
        equal([f.checksum_form for f in sniffer.adverts("mallory")], ["wrong", "message"], "our own frames")


def case_flood_is_fast_and_unseen_by_the_capture():
    with Lab() as lab:
        node1, mallory = lab.node("n1", conf.NODE1), lab.node("mallory", conf.NODE2)
        sniffer = lab.sniff(ignored_mac=mallory.mac())
        keepalived = Keepalived(node1, conf.instance(priority=100))
        keepalived.wait_master(10)
        message = wire.vrrp3(99, 1, ["10.10.201.99"], mallory.address)
        frame = wire.ethernet(wire.ipv4(message, mallory.address), mallory.mac())
        sent = Injector(mallory).flood(frame, 1.0)
        check(sent > 10_000, f"the flood was a trickle of {sent} frames a second")
        equal(sniffer.adverts("mallory"), [], "frames of the flood in the capture")


def case_cables_and_paths():
    with Lab() as lab:
        node1, client = lab.node("n1", conf.NODE1), lab.node("client", conf.CLIENT)
        ping = Pinger(client, node1.address)
        ping.wait_answer(5)

        def carrier():
            return "NO-CARRIER" not in node1.ip("link", "show", node1.iface)

        node1.cable("down")
        node1.wait(lambda: not carrier(), 5, "the carrier to go")
        node1.cable("up")
        node1.wait(carrier, 5, "the carrier to come")
        ping.wait_answer(5)
        node1.path(False)
        cut = now()
        ping.wait_sent(10)
        check(carrier(), "the carrier went with the path")
        node1.path(True)
        mended = now()
        ping.wait_answer(10)
        ping.stop()
        check(ping.lost(cut, mended) >= 9, "pings got through a path that was cut")
