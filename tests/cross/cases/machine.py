"""The router binaries on real kernels of their architectures, in machines on the same wire as this one's peers."""

import json
import re

import routers
from lib import conf
from lib.check import check, each, equal, limits
from lib.lab import Lab
from lib.peers import Keepalived
from lib.schema import faults
from programs import machines, native, version

BOUND_S = 180
MACHINES = machines()


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_active_speaks_the_example_byte_for_byte(program):
    """Version 2 with a password."""
    routers.active_speaks_the_example_byte_for_byte(program)


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_version_3_byte_for_byte(program):
    """Both forms of the checksum."""
    routers.version_3_byte_for_byte(program)


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_native_peer_takes_over_and_gives_back(program):
    """A crash, the cleaning up, preemption, and priority 0."""
    routers.native_peer_takes_over_and_gives_back(program)


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_takes_over_from_a_native_peer(program):
    """The other direction."""
    routers.takes_over_from_a_native_peer(program)


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_keepalived_in_version_3(program):
    """keepalived before and after it."""
    routers.keepalived_in_version_3(program)


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_ipv6_byte_for_byte(program):
    """Adverts, announcements and addresses of IPv6."""
    routers.ipv6_byte_for_byte(program)


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_ipv6_in_turn_with_a_native_peer(program):
    """A crash and a farewell of the peer, by IPv6."""
    routers.ipv6_in_turn_with_a_native_peer(program)


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_status_tells_both_sides(program):
    """`status --json` of a Backup and of the same one as Active, against the schema and the facts."""
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
    equal((answer["version"], answer["pid"]), (version(), vipd.proc.pid), "the daemon")
    return answer["instances"][0]


def pings(node, address):
    """Whether one of three pings is answered."""
    return node.popen("ping", ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", address]).wait(20) == 0


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_no_accept(program):
    """The table of nf_tables in a kernel without the flag that keeps it over a kill."""
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
@each(*MACHINES)
def case_virtual_mac(program):
    """The macvlans of both families: made, used, handed over, and nothing of them left."""
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
@each(*MACHINES)
def case_rights(program):
    """What the running daemon may do, and that what it does is in the list of its architecture: scripts, files,
    processes, both families, a reload."""
    text = """global_defs {
    vrrp_no_swap
    vrrp_rt_priority 5
    vrrp_notify_fifo /run/fifo
}
vrrp_script s {
    script "/bin/sh /run/ok"
    interval 1
    weight 1
}
vrrp_track_file f {
    file /run/number
    weight 1
}
vrrp_track_process p {
    process tail
    weight 16
}
"""
    extra = ["track_script { s }", "track_file { f }", "track_process { p }", "notify \"/bin/sh /run/ok\""]
    with Lab() as lab:
        node = program.place(lab, "n1", conf.NODE1)
        # Beside each other: a v4 instance with all trackers, one of IPv6 with a virtual MAC address.
        text += conf.instance("VI_1", priority=100, extra=extra)
        text += conf.instance("VI_6", priority=100, vips=["fe80::50"], extra=["use_vmac"])
        node.must("sh", "-c", "echo 7 > /run/number; echo exit 0 > /run/ok")
        vipd = program.router(node, text, level="debug")
        for name in "VI_1", "VI_6":
            vipd.wait_state("Active", 15, name=name)
        node.wait(lambda: status(node, vipd)["effective_priority"] == 108, 15, "the weights 1 and 7")
        # The kernel tells of processes: this is the initial namespace.
        vipd.log.wait(r"news of processes: .*\b0\b", 15)
        tail = node.popen("tail", ["/bin/tail", "-f", "/dev/null"])
        node.wait(lambda: status(node, vipd)["effective_priority"] == 124, 15, "the weight of the process")
        tail.kill9()
        node.wait(lambda: status(node, vipd)["effective_priority"] == 108, 15, "its loss")
        lines = node.must("cat", f"/proc/{vipd.proc.pid}/status").splitlines()
        for line in ("CapPrm:\t0000000000003000", "CapEff:\t0000000000003000", "NoNewPrivs:\t1", "Seccomp:\t2"):
            check(line in lines, f"{line!r} is not in /proc/PID/status")
        vipd.terminate()


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_two_machines(program):
    """Two routers on one wire: one is killed, the other takes over; it comes back clean and preempts."""
    with Lab() as lab:
        node1, node2 = program.place(lab, "n1", conf.NODE1), program.place(lab, "n2", conf.NODE2)
        routers.crash_and_return(lab, node1, node2, program.router, program.router)


@limits(timeout=BOUND_S)
@each(*MACHINES)
def case_kernel_tests(program):
    """tests/kernel: netlink, packet sockets and the filter of system calls."""
    # Linux 6.1 has no words for a wrong prefix length.
    skipped = ["--skip", "the_kernels_own_words_come_with_the_error"]
    with Lab() as lab:
        node = program.place(lab, "n1", conf.NODE1, tests=program.tests)
        tests = node.popen("tests", ["env", "RUSTC_BOOTSTRAP=1", "tests", "-Zunstable-options",
                                     "--force-run-in-process", "--test-threads=1", "--nocapture", *skipped])
        equal(tests.wait(BOUND_S), 0, "exit code of tests/kernel")
        check(tests.log.matches("news of processes were told"), "no news of processes")
        count = int(re.search(r"(\d+) passed; 0 failed", tests.log.matches("test result")[0]).group(1))
        check(count >= 15, f"only {count} tests ran")
