#!/usr/bin/env python3
"""A router binary under emulation: `smoke.py NAME BINARY NATIVE [EMULATOR]`. Needs root.

BINARY is run by EMULATOR (itself, if there is none); NATIVE is this machine's vipd, the peer. The
command line, then two routers on one wire: every advert byte for byte, crashes and priority 0 in
both directions. The last line of the output is `N passed, N failed`.

What qemu-user cannot do (7.2, tried) is not judged: PACKET_ADD_MEMBERSHIP fails, where the join of the
group does the work; the error codes of netlink come in the wrong byte order on big-endian machines.
On emulated 64-bit machines it reads the interface of a join from the wrong bytes (ip_mreqn's int as a
long): no router can run there, so only the command line is tested, and a line says so.
"""

import glob
import os
import re
import signal
import subprocess
import sys
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/netns"))
sys.dont_write_bytecode = True

from lib import conf, wire  # noqa: E402
from lib.check import CaseFailed, Deadline, check, equal  # noqa: E402
from lib.lab import Lab, now  # noqa: E402
from lib.peers import Keepalived  # noqa: E402
from lib.sniffer import is_advert, is_garp, is_na  # noqa: E402
from lib.vipd import Vipd  # noqa: E402

# A restart after kill -9 says so.
EXPECTED = r"was left by an earlier vipd; it is removed"
ELFCLASS64 = 2
SECOND_VIP = "10.10.201.104"


class Program:
    """The binary under test, and the native one beside it."""

    def __init__(self, binary, native, emulator=None):
        self.command = [emulator, binary] if emulator else [binary]
        self.native = [native]

    def cannot_join(self):
        """Whether this is the emulation of a 64-bit machine."""
        with open(self.command[-1], "rb") as binary:
            return len(self.command) > 1 and binary.read(5)[4] == ELFCLASS64

    def output(self, *args, native=False):
        """Exit code, standard output and standard error of a command that ends by itself."""
        argv = [*(self.native if native else self.command), *args]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=ROOT)
        return done.returncode, done.stdout, done.stderr

    def router(self, node, text, name="cross"):
        """The binary under test as a router."""
        return Vipd(node, text, name, command=self.command)

    def peer(self, node, text, name="native"):
        """The native binary as a router."""
        return Vipd(node, text, name, command=self.native)


def case_version(program):
    with open(os.path.join(ROOT, "Cargo.toml"), encoding="utf-8") as manifest:
        version = re.search(r'^version = "(.+)"', manifest.read(), re.M).group(1)
    equal(program.output("--version"), (0, f"vipd {version}\n", ""), "vipd --version")


def case_check_example(program):
    code, out, err = program.output("check", "tests/config/example.conf")
    equal((code, err), (0, ""), "exit code and standard error of a good file")
    check(out.endswith(": 1 instance(s), 0 warning(s): good\n"), f"unexpected verdict {out!r}")


def case_check_bad_file(program):
    code, out, err = program.output("check", "tests/config/broken.conf")
    equal((code, out), (1, ""), "exit code and standard output of a bad file")
    check("broken.conf:12:1: no block is open here: remove this `}`" in err, f"unexpected messages {err!r}")


def case_check_says_what_the_native_one_says(program):
    files = sorted(glob.glob("tests/config/*.conf", root_dir=ROOT))
    check(len(files) > 5, f"the corpus of tests/config is missing: {files}")
    for file in files:
        equal(program.output("check", file), program.output("check", file, native=True), f"verdict on {file}")


COMMAND_LINE = [case_version, case_check_example, case_check_bad_file, case_check_says_what_the_native_one_says]


def case_active_speaks_the_example_byte_for_byte(program):
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
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


def case_version_3_byte_for_byte(program):
    vips = [conf.VIP, SECOND_VIP]
    for kind, pseudo in (("rfc9568", False), ("rfc5798", True)):
        with Lab() as lab:
            node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
            text = conf.global_defs(f"v3_checksum {kind}") + conf.instance(
                vrid=201, priority=254, advert_int=0.3, vips=vips)
            vipd = program.router(node, text)
            vipd.wait_state("Active", 15)
            message = wire.vrrp3(201, 254, vips, node.address, interval_cs=30, pseudo=pseudo)
            adverts_are(sniffer, node, message, 5)
            vipd.terminate()
            clean(vipd)


def case_native_peer_takes_over_and_gives_back(program):
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        first = program.router(node1, conf.example())
        first.wait_state("Active", 15)
        second = program.peer(node2, conf.example(100))
        second.wait_state("Backup", 5)
        received_all(second)
        first.kill9()
        second.wait_state("Active", 10)
        node2.wait_has(conf.VIP, 5)
        check(node1.has(conf.VIP), "kill -9 cannot take the address away")
        mark = second.log.mark()
        first = program.router(node1, conf.example(), "again")
        node1.wait_lacks(conf.VIP, 10)  # what the crash left; then it preempts
        first.wait_state("Active", 15)
        second.wait_state("Backup", 5, mark)
        node1.wait_has(conf.VIP, 5)
        node2.wait_lacks(conf.VIP, 5)
        mark, told = second.log.mark(), now()
        first.terminate()
        second.wait_state("Active", 5, mark)
        handed_over(sniffer, "n1", "n2", told)
        check(not node1.has(conf.VIP), "the address is left behind")
        clean(first)


def case_takes_over_from_a_native_peer(program):
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
        second = program.peer(node2, conf.example(200))
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
        second = program.peer(node2, conf.example(200), "again")
        first.wait_state("Backup", 15, mark)
        node1.wait_lacks(conf.VIP, 5)
        mark, told = first.log.mark(), now()
        second.terminate()
        first.wait_state("Active", 5, mark)
        handed_over(sniffer, "n2", "n1", told)
        first.terminate()
        clean(first)


def case_keepalived_in_version_3(program):
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2), lab.sniff()
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


def case_ipv6_byte_for_byte(program):
    with Lab() as lab:
        node, sniffer = lab.node("n1"), lab.sniff()
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


def case_ipv6_in_turn_with_a_native_peer(program):
    with Lab() as lab:
        node1, node2, sniffer = lab.node("n1"), lab.node("n2"), lab.sniff()
        for node in (node1, node2):
            node.link_local()
        text = {priority: conf.instance(priority=priority, advert_int=0.3, vips=conf.VIPS6) for priority in (100, 200)}
        second = program.peer(node2, text[200])
        second.wait_state("Active", 10)
        first = program.router(node1, text[100])
        first.wait_state("Backup", 15)
        received_all(first)
        mark = first.log.mark()
        second.kill9()
        first.wait_state("Active", 10, mark)
        node1.wait_has(conf.VIPS6[1], 5)
        mark = first.log.mark()
        second = program.peer(node2, text[200], "again")
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
    adverts = sniffer.wait_count(lambda f: is_advert(f, "n1"), count, 15, "adverts")
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
    arp = sniffer.wait(lambda f: is_garp(f, vip, "n1"), 5, "a gratuitous ARP", since)
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


def passed(name, case, program):
    """Runs a case and prints its line, and its trouble."""
    started = now()
    try:
        case(program)
    except CaseFailed as error:
        where = next(f for f in traceback.extract_tb(error.__traceback__) if f.name == case.__name__)
        trouble = f"FAILED at smoke.py:{where.lineno}: {error}"
    except Exception:  # the report of anything else is its trace
        trouble = traceback.format_exc()
    else:
        trouble = None
    title = f"{name}.{case.__name__.removeprefix('case_')}"
    print(f"{'FAILED' if trouble else 'ok    '} {now() - started:6.1f} s  {title}", flush=True)
    if trouble:
        print("    " + trouble.replace("\n", "\n    "), flush=True)
    return trouble is None


def main():
    """The command line."""
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    if os.geteuid() != 0:
        sys.exit("the smoke test needs root, for network namespaces: sudo tests/cross/run")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    name, program = sys.argv[1], Program(*sys.argv[2:])
    cases = [value for key, value in globals().items() if key.startswith("case_")]
    if program.cannot_join():
        cases = COMMAND_LINE
        print(f"{name}: the command line only: qemu-user cannot join multicast groups on 64-bit machines")
    results = [passed(name, case, program) for case in cases]
    print(f"{results.count(True)} passed, {results.count(False)} failed", flush=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
