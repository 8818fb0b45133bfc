"""The MIPS binary on a real big-endian MIPS kernel, in a machine on the same wire as this one's peers."""

import json
import os
import re

import routers
from lib import conf
from lib.check import check, equal, limits
from lib.lab import Lab
from lib.peers import Keepalived
from lib.schema import faults
from programs import OnMachine, native, version

BOUND_S = 180


@limits(timeout=BOUND_S)
def case_active_speaks_the_example_byte_for_byte():
    """Version 2 with a password."""
    routers.active_speaks_the_example_byte_for_byte(OnMachine())


@limits(timeout=BOUND_S)
def case_version_3_byte_for_byte():
    """Both forms of the checksum."""
    routers.version_3_byte_for_byte(OnMachine())


@limits(timeout=BOUND_S)
def case_native_peer_takes_over_and_gives_back():
    """A crash, the cleaning up, preemption, and priority 0."""
    routers.native_peer_takes_over_and_gives_back(OnMachine())


@limits(timeout=BOUND_S)
def case_takes_over_from_a_native_peer():
    """The other direction."""
    routers.takes_over_from_a_native_peer(OnMachine())


@limits(timeout=BOUND_S)
def case_keepalived_in_version_3():
    """keepalived before and after it."""
    routers.keepalived_in_version_3(OnMachine())


@limits(timeout=BOUND_S)
def case_ipv6_byte_for_byte():
    """Adverts, announcements and addresses of IPv6."""
    routers.ipv6_byte_for_byte(OnMachine())


@limits(timeout=BOUND_S)
def case_ipv6_in_turn_with_a_native_peer():
    """A crash and a farewell of the peer, by IPv6."""
    routers.ipv6_in_turn_with_a_native_peer(OnMachine())


@limits(timeout=BOUND_S)
def case_status_tells_both_sides():
    """`status --json` of a MIPS Backup and of the same one as Active, against the schema and the facts."""
    program = OnMachine()
    with Lab() as lab:
        node, other = program.place(lab, "n1", conf.NODE1), lab.node("n2", conf.NODE2)
        peer = Keepalived(other, conf.instance(priority=200, advert_int=0.5))
        peer.wait_master(15)
        vipd = program.router(node, conf.instance(priority=150, advert_int=0.5))
        vipd.wait_state("Backup", 15)
        routers.received_all(vipd)
        backup = status(node, vipd)
        equal(backup["active"], {"address": other.address, "this_router": False, "priority": 200,
                                 "advert_interval_ms": 500, "version": 3, "checksum": "pseudo-header"},
              "who is Active, says the Backup")
        equal([(v["address"], v["wanted"], v["present"]) for v in backup["vips"]], [(conf.VIP, False, False)],
              "addresses of the Backup")
        check(0 < backup["active_down_in_ms"] < 2000, f"active_down_in_ms is {backup['active_down_in_ms']}")
        peer.kill9()
        vipd.wait_state("Active", 10)
        node.wait_has(conf.VIP, 5)
        active = status(node, vipd)
        equal((active["state"], active["keepalived_state"], active["reason"]), ("Active", "MASTER", "silence"),
              "the state and why")
        equal([(v["address"], v["wanted"], v["present"]) for v in active["vips"]], [(conf.VIP, True, True)],
              "addresses of the Active")
        code, out, err = node.run("vipd", "status", "--runtime-dir", vipd.runtime_dir)
        equal((code, err), (0, ""), "exit code and standard error of status")
        check("VI_1" in out and "Active" in out, f"the words of status: {out!r}")
        vipd.terminate()


def status(node, vipd):
    """The one instance of `status --json`, which must be as the schema says, and the process that it names."""
    code, out, err = node.run("vipd", "status", "--json", "--runtime-dir", vipd.runtime_dir)
    equal((code, err), (0, ""), "exit code and standard error of status --json")
    answer = json.loads(out)
    equal(faults(answer), [], "faults against src/control/status.schema.json")
    equal((answer["version"], answer["pid"], len(answer["instances"])), (version(), vipd.proc.pid, 1), "the daemon")
    return answer["instances"][0]


def pings(node, address):
    """Whether one of three pings is answered."""
    return node.popen("ping", ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", address]).wait(20) == 0


@limits(timeout=BOUND_S)
def case_no_accept():
    """The table of nf_tables in a big-endian kernel, one without the flag that keeps it over a kill."""
    program = OnMachine()
    with Lab() as lab:
        node, client = program.place(lab, "n1", conf.NODE1), lab.node("client", conf.CLIENT)

        def start(word):
            text = "".join(conf.instance(name, vips=[vip], extra=[word]) for name, vip in (("VI_1", conf.VIP),
                                                                                          ("VI_6", "fe80::1")))
            vipd = program.router(node, text, word)
            for name in "VI_1", "VI_6":
                vipd.wait_state("Active", 15, name=name)
            node.wait_has(conf.VIP, 5)
            check(pings(client, conf.NODE1.split("/")[0]), "the machine's own address is unreachable")
            for vip in conf.VIP, "fe80::1%ens160":
                equal(pings(client, vip), word == "accept", f"whether {vip} answers with {word}")
            client.wait_neighbour(conf.VIP, node.mac(), 5)
            return vipd

        start("no_accept").kill9()
        start("no_accept").terminate()
        start("accept").terminate()


@limits(timeout=BOUND_S)
def case_virtual_mac():
    """The macvlans of both families in a big-endian kernel: made, used, handed over, and nothing of them left."""
    program = OnMachine()
    hosts = {conf.VIP: "00:00:5e:00:01:32", "fe80::50": "00:00:5e:00:02:32"}
    with Lab() as lab:
        node, other = program.place(lab, "n1", conf.NODE1), lab.node("n2", conf.NODE2)
        client, sniffer = lab.node("client", conf.CLIENT), lab.sniff()
        other.link_local()

        def text(priority):
            names = zip(("VI_1", "VI_6"), hosts)
            return "".join(conf.instance(name, priority=priority, advert_int=0.5, vips=[vip], extra=["use_vmac"])
                           for name, vip in names)

        def reachable(port, since):
            for vip, mac in hosts.items():
                at = vip if "." in vip else f"{vip}%ens160"
                check(pings(client, at), f"{vip} does not answer")
                equal(client.neighbour(vip), mac, f"the client's entry of {vip}")
            sources = {f.eth_src for f in sniffer.adverts(port, since)}
            equal(sources, set(hosts.values()), "source MAC addresses of the adverts")

        def start():
            vipd = program.router(node, text(200), f"vmac{len(node.lab.procs)}")
            for name in "VI_1", "VI_6":
                vipd.wait_state("Active", 15, name=name)
            return vipd

        start().kill9()
        vipd, peer = start(), native(other, text(100))
        reachable("n1", 0)
        mark = sniffer.mark()
        vipd.terminate()
        for name in "VI_1", "VI_6":
            peer.wait_state("Active", 15, name=name)
        reachable("n2", mark)
        code, out, _ = node.run("sh", "-c", "ls /sys/class/net; cat /proc/sys/net/ipv4/conf/ens160/arp_ignore")
        equal((code, "vrrp" in out, out.split()[-1]), (0, False, "0"), f"what is left on the machine ({out!r})")


@limits(timeout=BOUND_S)
def case_two_machines():
    """Two MIPS routers on one wire: one is killed, the other takes over; it comes back clean and preempts."""
    program = OnMachine()
    with Lab() as lab:
        node1, node2 = program.place(lab, "n1", conf.NODE1), program.place(lab, "n2", conf.NODE2)
        routers.crash_and_return(lab, node1, node2, program.router, program.router)


@limits(timeout=BOUND_S)
def case_kernel_tests():
    """tests/kernel: netlink and packet sockets of a big-endian kernel."""
    # Linux 6.1 has no words for a wrong prefix length; this kernel has no multipath routes, which are tried first of all.
    skipped = ["--skip", "the_kernels_own_words_come_with_the_error", "--skip", "routes::"]
    with Lab() as lab:
        node = OnMachine(tests=os.environ["VIPD_KERNEL_TESTS"]).place(lab, "n1", conf.NODE1)
        tests = node.popen("tests", ["env", "RUSTC_BOOTSTRAP=1", "tests", "-Zunstable-options",
                                     "--force-run-in-process", "--test-threads=1", "--nocapture", *skipped])
        equal(tests.wait(BOUND_S), 0, "exit code of tests/kernel")
        count = int(re.search(r"(\d+) passed; 0 failed", tests.log.matches("test result")[0]).group(1))
        check(count >= 15, f"only {count} tests ran")
