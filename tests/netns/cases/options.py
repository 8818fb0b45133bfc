"""Keywords whose effect shows in the kernel or on the wire, and the sockets' own claims."""

import json
import signal
import time

from lib import conf, wire
from lib.check import check, each, equal, limits
from lib.inject import Injector
from lib.lab import Lab
from lib.pair import STAMP_S, down_s
from lib.peers import Keepalived
from lib.sniffer import is_advert, is_garp
from lib.vipd import Vipd

OTHER_VIPS = ("10.10.201.110", "10.10.201.111/24")


@limits(timeout=40)
def case_preempt_delay_holds_back():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        second = Vipd(node2, conf.instance(priority=100))
        second.wait_state("Active", 5)
        first = Vipd(node1, conf.instance(priority=200, extra=["preempt_delay 1.5"]))
        first.wait_state("Active", 10)
        second.wait_state("Backup", 5)
        advert = sniffer.wait(lambda f: is_advert(f, "n1"), 5, "n1's first advert")
        check(advert.at - first.started >= 1.5, f"preempted {advert.at - first.started:.3f} s after the start")
        # The delay is over: the lower one comes back only when the higher one leaves.
        mark = second.log.mark()
        first.terminate()
        second.wait_state("Active", 5, mark)


@limits(timeout=40)
def case_nopreempt_waits_for_the_other_to_fail():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        second = Vipd(node2, conf.instance(priority=100))
        second.wait_state("Active", 5)
        first = Vipd(node1, conf.instance(priority=200, extra=["nopreempt"]))
        first.wait_state("Backup", 5)
        sniffer.wait_count(lambda f: is_advert(f, "n2"), 20, 10, "adverts of n2", sniffer.mark())
        equal((len(first.transitions()), sniffer.adverts("n1")), (1, []), "transitions and adverts of n1")
        second.kill9()
        first.wait_state("Active", 5)
        node1.wait_has(conf.VIP, 5)


@limits(timeout=40)
def case_owner_does_not_wait_and_keeps_what_was_there():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        second = Vipd(node2, conf.instance(priority=254))
        second.wait_state("Active", 5)
        node1.ip("addr", "add", f"{conf.VIP}/32", "dev", "ens160")
        owner = Vipd(node1, conf.instance(priority=255))
        owner.log.wait("Initialize -> Active", 5)
        second.wait_state("Backup", 5)
        mark = sniffer.mark()
        owner.terminate()
        sniffer.wait(lambda f: is_advert(f, "n1", priority=0), 5, "the priority 0 advert", mark)
        check(node1.has(conf.VIP), "vipd removed an address that was there before it")


@limits(timeout=40)
def case_owner_with_no_other_address():
    with Lab() as lab:
        node1, sniffer = lab.node("n1", f"{conf.VIP}/23"), lab.sniff()
        owner = Vipd(node1, conf.instance(priority=255))
        owner.log.wait("Initialize -> Active", 5)
        advert = sniffer.wait(lambda f: is_advert(f, "n1"), 5, "the owner's advert")
        equal((advert.src, advert.priority), (conf.VIP, 255), "source and priority of the owner's advert")
        owner.terminate()
        equal([a["prefixlen"] for a in node1.addresses("ens160")], [23], "what the owner had before")


@limits(timeout=40)
def case_address_that_was_there_below_255_is_kept_and_named():
    with Lab() as lab:
        node1 = lab.node("n1", conf.NODE1)
        node1.ip("addr", "add", f"{conf.VIP}/32", "dev", "ens160")
        vipd = Vipd(node1, conf.instance(priority=100))
        vipd.wait_state("Active", 5)
        vipd.log.wait(rf"{conf.VIP}", 5)
        equal(len([w for w in vipd.warnings() if conf.VIP in w]), 1, "warnings that name the address")
        vipd.terminate()
        check(node1.has(conf.VIP), "vipd removed an address that was there before it")


@limits(timeout=40)
def case_startup_delay():
    with Lab() as lab:
        node1, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node1, conf.global_defs("vrrp_startup_delay 2") + conf.instance())
        vipd.wait_state("Active", 10)
        advert = sniffer.wait(lambda f: is_advert(f, "n1"), 5, "the first advert")
        wanted = 2.0 + down_s(3, 100, 0.1)
        check(advert.at - vipd.started >= wanted, f"advertised {advert.at - vipd.started:.3f} s after the start")


@limits(timeout=40)
def case_mcast_src_ip():
    with Lab() as lab:
        node1, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        node1.ip("addr", "add", "10.10.201.120/23", "dev", "ens160")
        vipd = Vipd(node1, conf.instance(extra=["mcast_src_ip 10.10.201.120"]))
        vipd.wait_state("Active", 5)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 3, 5, "adverts")
        equal({f.src for f in sniffer.adverts("n1")}, {"10.10.201.120"}, "sources")


@limits(timeout=40)
def case_address_on_another_interface():
    with Lab() as lab:
        node1, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        lab.plug(node1, "inside0", "n1-in")
        vipd = Vipd(node1, conf.instance(vips=["192.0.2.1/24 dev inside0"]))
        vipd.wait_state("Active", 5)
        entry = node1.wait_has("192.0.2.1", 5)
        equal((entry["dev"], entry["prefixlen"]), ("inside0", 24), "where the address is")
        sniffer.wait(lambda f: is_garp(f, "192.0.2.1", "n1-in", node1.mac("inside0")), 5, "its announcement")
        equal({f.port for f in sniffer.adverts()}, {"n1"}, "ports that adverts came from")
        vipd.terminate()
        check(not node1.has("192.0.2.1"), "the address stayed")


@limits(timeout=40)
def case_scope_label_broadcast():
    with Lab() as lab:
        node1 = lab.node("n1", conf.NODE1)
        vip = f"{conf.VIP}/24 brd 10.10.201.255 dev ens160 scope link label ens160:vip"
        vipd = Vipd(node1, conf.instance(vips=[vip]))
        vipd.wait_state("Active", 5)
        entry = node1.wait_has(conf.VIP, 5)
        equal((entry["prefixlen"], entry.get("broadcast"), entry["scope"], entry["label"]),
              (24, "10.10.201.255", "link", "ens160:vip"), "the address as `ip -j addr` shows it")
        vipd.terminate()
        check(not node1.has(conf.VIP), "the address stayed")


@limits(timeout=40)
def case_many_addresses_come_and_go_together():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        vips = [conf.VIP, *OTHER_VIPS] + [f"10.10.200.{i}" for i in range(1, 30)]
        bare = [v.split("/")[0] for v in vips]
        first, second = (Vipd(n, conf.instance(priority=p, vips=vips)) for n, p in ((node1, 200), (node2, 100)))
        first.wait_state("Active", 5)
        node1.wait(lambda: {a["local"] for a in node1.addresses("ens160")} >= set(bare), 5, "all addresses on n1")
        advert = sniffer.wait(lambda f: is_advert(f, "n1"), 5, "an advert")
        equal(advert.addresses, bare, "addresses of the advert, in the order of the file")
        for vip in bare:
            sniffer.wait(lambda f, v=vip: is_garp(f, v, "n1"), 5, f"the announcement of {vip}")
        first.terminate()
        equal([a["local"] for a in node1.addresses("ens160")], ["10.10.201.102"], "addresses left on n1")
        second.wait_state("Active", 5)
        node2.wait(lambda: {a["local"] for a in node2.addresses("ens160")} >= set(bare), 5, "all addresses on n2")


@limits(timeout=40)
def case_groups_are_joined():
    with Lab() as lab:
        node1 = lab.node("n1", conf.NODE1)
        vipd = Vipd(node1, conf.instance())
        vipd.wait_state("Backup", 5)
        groups = json.loads(node1.ip("-j", "maddr", "show", "dev", "ens160"))[0]["maddr"]
        check(any(g.get("address") == "224.0.0.18" for g in groups), f"224.0.0.18 is not joined: {groups}")
        check(any(g.get("link") == "01:00:5e:00:00:12" for g in groups), f"the MAC is not joined: {groups}")


@each("backup", "both")
@limits(timeout=40)
def case_firewall_that_drops_everything(where):
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        rules = lab.file("drop.nft", "table inet f {\n chain i {\n  type filter hook input priority 0; policy drop;\n }\n}\n")
        for node in (node2,) if where == "backup" else (node1, node2):
            equal(node.popen("nft", ["nft", "-f", rules]).wait(), 0, "nft's exit code")
        first, second = Vipd(node1, conf.instance(priority=200)), Vipd(node2, conf.instance(priority=100))
        first.wait_state("Active", 5)
        second.wait_state("Backup", 5)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 20, 10, "adverts of n1", sniffer.mark())
        equal(sniffer.adverts("n2"), [], "adverts of the Backup behind a firewall")
        counters = second.counters()
        check(counters.received >= 20, f"the Backup heard too little: {counters}")
        equal(counters.drops, {}, "drops")


@limits(timeout=40)
def case_advert_as_the_golden_frames_have_it():
    with Lab() as lab:
        node1, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node1, conf.instance())
        vipd.wait_state("Active", 5)
        first, second = sniffer.wait_count(lambda f: is_advert(f, "n1"), 2, 5, "two adverts")
        equal((first.eth_dst, first.eth_src, first.dst, first.ttl, first.checksum_form),
              ("01:00:5e:00:00:12", node1.mac(), "224.0.0.18", 255, "pseudo"), "the advert")
        check(second.at - first.at > 0.05, "the second advert came too soon")
        check(first.at - vipd.started >= down_s(3, 100, 0.1) - STAMP_S, "the first advert came early")


@limits(timeout=40)
def case_checksum_form_follows_the_peers():
    with Lab() as lab:
        node1, mallory, sniffer = lab.node("n1", conf.NODE1), lab.node("mallory", conf.NODE2), lab.sniff()
        vipd = Vipd(node1, conf.instance())
        vipd.wait_state("Backup", 5)
        body = wire.vrrp3(50, 200, [conf.VIP], mallory.address, interval_cs=10, pseudo=False)
        frame = wire.ethernet(wire.ipv4(body, mallory.address), mallory.mac())
        sent = Injector(mallory).trickle(frame, 0.05, 1.0)
        counters = vipd.counters()
        equal((counters.received, counters.drops, len(vipd.transitions())), (sent, {}, 1), "what RFC 9568's form drew")
        vipd.wait_state("Active", 5)
        advert = sniffer.wait(lambda f: is_advert(f, "n1"), 5, "an advert")
        equal(advert.checksum_form, "message", "the form after a peer that uses RFC 9568's")


@limits(timeout=40)
def case_checksum_form_as_written():
    with Lab() as lab:
        node1, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node1, conf.global_defs("v3_checksum_as_v2") + conf.instance())
        vipd.wait_state("Active", 5)
        equal(sniffer.wait(lambda f: is_advert(f, "n1"), 5, "an advert").checksum_form, "message", "the form")


@limits(timeout=40)
def case_long_password_is_cut_as_keepalived_cuts_it():
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        ways = {"version": 2, "advert_int": 1, "password": "1234567890"}
        keepalived = Keepalived(node2, conf.instance(priority=200, **ways))
        keepalived.wait_master(10)
        vipd = Vipd(node1, conf.instance(priority=100, **ways))
        vipd.wait_state("Backup", 5)
        sniffer.wait_count(lambda f: is_advert(f, "n2"), 4, 10, "adverts of keepalived", sniffer.mark())
        counters = vipd.counters()
        equal((counters.received >= 3, counters.drops), (True, {}), "what keepalived's adverts drew")
        check(vipd.log.matches("warn: .*longer than 8 bytes"), "nothing was said about the cut password")


@limits(timeout=40)
def case_bridge_port_is_named_with_its_bridge():
    with Lab() as lab:
        node1 = lab.node("n1", conf.NODE1)
        node1.ip("link", "add", "name", "br-lan", "type", "bridge")
        node1.ip("link", "set", "ens160", "master", "br-lan")
        vipd = Vipd(node1, conf.instance())
        vipd.log.wait("VI_1: .*Initialize: ens160 is a port of bridge br-lan", 5)
        node1.ip("link", "set", "ens160", "nomaster")
        vipd.wait_state("Active", 5)


@limits(timeout=40)
def case_one_daemon_for_a_runtime_directory():
    with Lab() as lab:
        node1 = lab.node("n1", conf.NODE1)
        first = Vipd(node1, conf.instance())
        first.wait_state("Active", 5)
        second = Vipd(node1, conf.instance(vips=["10.10.201.140"]), name="second")
        check(second.proc.wait(5) not in (0, 1), "a second vipd ran, or blamed its configuration")
        check(node1.has(conf.VIP) and first.proc.running(), "the first vipd suffered")


@limits(timeout=40)
def case_log_that_nobody_reads_does_not_stop_the_adverts():
    with Lab() as lab:
        node1, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd = Vipd(node1, conf.instance(), level="trace", read_log=False)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 5, 10, "adverts")
        for _ in range(3_000):  # each a line or more: a pipe holds 64 kB
            vipd.proc.signal(signal.SIGUSR1)
            time.sleep(0.0005)
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 5, "adverts with a full log", sniffer.mark())
        vipd.terminate()
        check(not node1.has(conf.VIP), "the address stayed")
