"""Uplinks: one provider, a pair whose Active alone has its uplink up. netifd is `lib/netifd_model.py`, which runs udhcpc;
the provider's DHCP server is busybox's. What the provider sees of each router is captured at its port of the switch."""

import itertools
import os
import re
import socket
import subprocess
import time

from lib import conf
from lib.check import Deadline, await_that, check, each, equal, limits
from lib.dhcp import Dnsmasq
from lib.lab import Lab
from lib.life import reload
from lib.netifd import Uplinks
from lib.ns import ip
from lib.sniffer import is_advert
from lib.vipd import Vipd, binary
from lib.wire import Other
from cases.control import ask, status

ISP = "203.0.113.1"
# A lease takes udhcpd's ARP probes, two seconds each.
TIMEOUT_S, HOLD_DOWN_S, LEASE_S = 10, 120, 20
WAITS_S = TIMEOUT_S + 20
# limits::UPLINK_PATIENCE, and ubus ends within a second of it.
BOUND_S = 6

UDHCPD = """start 203.0.113.10
end 203.0.113.50
interface eth0
lease_file {folder}/leases
pidfile {folder}/pid
option subnet 255.255.255.0
option router 203.0.113.1
option lease 600
"""


class Pair:
    """Two routers with a LAN and an uplink each, and their provider."""

    def __init__(self, lab, auto=(False, False), probe=f"ping {ISP} via wan", **more):
        self.lab, self.vipds = lab, {}
        isp = lab.node("isp", f"{ISP}/24", iface="eth0")
        udhcpd = isp.popen("udhcpd", ["busybox", "udhcpd", "-f", isp.file(
            "udhcpd.conf", UDHCPD.format(folder=isp.folder("dhcp")))])
        udhcpd.log.wait("started", 10)
        self.nodes, self.netifds, self.texts = {}, {}, {}
        for at, (name, address) in enumerate((("n1", conf.NODE1), ("n2", conf.NODE2))):
            node = lab.node(name, address)
            lab.plug(node, "wan0", f"{name}-wan")
            subprocess.run(["ip", "netns", "exec", node.ns, "sysctl", "-q", "-w", "net.ipv6.conf.wan0.disable_ipv6=1"],
                           check=True)
            self.nodes[name] = node
            options = conf.uci_globals(vrrp_startup_delay=more.get("delay", 0)) if more.get("delay") else ""
            text = conf.uci(iface="lan", priority=150 - 50 * at) + (
                f"\tlist uplink 'wan'\n\toption uplink_timeout '{TIMEOUT_S}'\n"
                f"\toption uplink_hold_down '{HOLD_DOWN_S}'\n")
            text += f"\tlist probe '{probe} interval 0.2 timeout 0.2 fall 3 rise 1'\n" if probe else ""
            self.texts[name] = options + text + more.get("lines", "")
        self.sniffer = lab.sniff(protocols=(socket.IPPROTO_ICMP, socket.IPPROTO_UDP))
        for at, (name, node) in enumerate(self.nodes.items()):
            self.netifds[name] = Uplinks(lab, node, lan={"device": "ens160", "auto": True, "proto": "static"},
                                         wan={"device": "wan0", "auto": auto[at]},
                                         **({"wan6": more["wan6"]} if "wan6" in more else {}))

    def start(self, name, log="vipd"):
        """vipd on one of them."""
        vipd = self.netifds[name].vipd(self.nodes[name], self.texts[name], name=log)
        self.vipds[name] = vipd
        return vipd

    def start_both(self):
        """At once: the one of higher priority ends as the Active, with its uplink."""
        for name in self.nodes:
            self.start(name)
        self.vipds["n1"].wait_state("Active", 10)
        self.settles("n1")

    def settles(self, name):
        """Waits until this one has its uplink up and the other has not."""
        other = "n2" if name == "n1" else "n1"
        await_that(lambda: self.netifds[name].state("wan") == "up", LEASE_S, f"the uplink of {name} to be up")
        await_that(lambda: self.netifds[other].state("wan") == "down", 10, f"the uplink of {other} to be down")
        await_that(lambda: shown(self.vipds[name])["state"] == "up", 5, f"the uplink of {name} to be shown as up")

    def talk(self, name, since=0):
        """What the provider has heard from the uplink of one of them: IPv4, but no ARP."""
        return [f for f in self.sniffer.frames[since:]
                if f.port == f"{name}-wan" and isinstance(f, Other) and f.raw[12:14] == b"\x08\x00"]

    def none_at_once(self, first, then, since=0):
        """The provider heard nothing from the first router's uplink once it had heard the second's."""
        before, after = self.talk(first, since), self.talk(then, since)
        check(before and after, f"the provider heard {len(before)} frames of {first} and {len(after)} of {then}")
        check(before[-1].at < after[0].at, f"{first} spoke {before[-1].at - after[0].at:.3f} s after {then} had begun")


def shown(vipd, name="VI_1"):
    """The one uplink in `status`."""
    return status(vipd)[name]["uplinks"][0]


def effective(vipd):
    """The priority that counts."""
    return status(vipd)["VI_1"]["effective_priority"]


@limits(timeout=90)
def case_follows_the_active():
    """Both started at once; the Active stops: its uplink is given up before its role, and never are two up."""
    with Lab() as lab:
        pair = Pair(lab, delay=1)
        pair.start_both()
        equal(pair.talk("n2"), [], "what the provider heard of the Backup")
        equal(len(pair.vipds["n2"].log.matches("wan is to be up")), 0, "uplinks of the Backup")
        seen = status(pair.vipds["n2"])["VI_1"]
        check((seen["uplinks"][0]["wanted"], seen["effective_priority"]) == (False, 100), f"the Backup shows {seen}")
        mark = pair.sniffer.mark()
        pair.vipds["n1"].terminate()
        equal(pair.netifds["n1"].state("wan"), "down", "the uplink of who has stopped")
        pair.vipds["n2"].wait_state("Active", 10)
        await_that(lambda: shown(pair.vipds["n2"])["state"] == "up", LEASE_S, "the heir's uplink to be up")
        release = pair.sniffer.wait(lambda f: is_advert(f, "n1", priority=0), 5, "the priority 0 advert", mark)
        check(pair.talk("n1", mark)[-1].at < release.at, "the uplink was up after the priority 0 advert")
        pair.none_at_once("n1", "n2")


# What stands in README.md for what stands in the laboratory.
OF_README = {"VI_1": "home", conf.VIP: "192.168.1.1", "10.10.201.102": "192.168.1.2", "10.10.201.103": "192.168.1.3",
             "ens160": "br-lan", ISP: "9.9.9.9", "2001:db8:201::": "2001:db8:1::"}
# What differs each time.
VARIES = (r"process \d+", "process N"), (r"\d+ min \d+ s|\d+(\.\d+)? ?(s|ms|µs)\b", "TIME"), (r"fe80::[0-9a-f:]+[0-9a-f]", "OWN")


def alike(text):
    """The text with what varies taken out."""
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    return text


def shown_in_readme(host):
    """The pattern of the status in README.md on this router; `…` stands for any lines."""
    with open(os.path.join(os.path.dirname(__file__), "../../../README.md"), encoding="utf-8") as readme:
        block = readme.read().split(f"root@{host}:~# vipd status\n")[1]
    lines = itertools.takewhile(lambda line: line.startswith("    ") and "root@" not in line, block.splitlines())
    return "".join(r"(.*\n)*" if line.strip() == "…" else re.escape(alike(line[4:])) + r"\n" for line in lines)


@limits(timeout=120)
def case_the_status_is_as_the_readme_shows_it():
    """The household's pair of README.md, but for names, addresses and times."""
    with Lab() as lab:
        pair = Pair(lab, delay=1, probe=None, wan6={"device": "wan0", "auto": False, "proto": "none"}, lines=(
            "\tlist uplink 'wan6'\n\toption dhcp 'follow'\n\toption ra 'follow'\n"
            f"\tlist probe 'ping {ISP} via wan'\n"))
        for name, node in pair.nodes.items():
            pair.texts[name] = pair.texts[name].replace("advert_int '0.1'", "advert_int '1'")
            subprocess.run(["ip", "netns", "exec", node.ns, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"], check=True)
            node.ip("addr", "add", f"2001:db8:201::{node.address[-1]}/64", "dev", "ens160", "nodad")
            node.link_local()
            Dnsmasq(node, "10.10.201.150,10.10.201.180", conf.VIP)
        pair.start_both()
        await_that(lambda: status(pair.vipds["n1"])["VI_1"]["trackers"][0]["round_trip_us"] is not None, 10, "an answer")
        for host, name in ("one", "n1"), ("two", "n2"):
            said = ask(pair.vipds[name], "status")[1]
            for ours, theirs in OF_README.items():
                said = said.replace(ours, theirs)
            check(re.fullmatch(shown_in_readme(host), alike(said)), f"README.md does not show what {host} says: {said}")


@each("in-time", "too-long")
@limits(timeout=90)
def case_a_port_that_blocks(how):
    """Both are switched on while the switch does not forward yet: vrrp_startup_delay keeps the second uplink down;
    without, the second one goes as soon as the routers hear each other."""
    with Lab() as lab:
        pair = Pair(lab, delay=5 if how == "in-time" else 0)
        for node in pair.nodes.values():
            node.path(False)
        for name in pair.nodes:
            pair.start(name)
        if how == "in-time":
            for vipd in pair.vipds.values():
                vipd.log.wait("vrrp_startup_delay", 5)
        else:
            for name, vipd in pair.vipds.items():
                vipd.wait_state("Active", 10)
                await_that(lambda it=name: pair.netifds[it].state("wan") == "up", LEASE_S, f"the uplink of {name}")
        mark = pair.sniffer.mark()
        for node in pair.nodes.values():
            node.path(True)
        pair.vipds["n1"].wait_state("Active", 15)
        pair.settles("n1")
        if how == "in-time":
            equal(pair.talk("n2"), [], "what the provider heard of the Backup")
            return
        heard = pair.sniffer.wait(lambda f: is_advert(f, "n1"), 5, "an advert that is heard", mark).at
        late = [f.at - heard for f in pair.talk("n2", mark) if f.at > heard + BOUND_S]
        equal(late, [], "when the provider heard of the Backup")


@limits(timeout=120)
def case_the_actives_uplink_dies():
    """The LAN is fine: the other takes over, and who has failed does not come back before its time."""
    with Lab() as lab:
        pair = Pair(lab)
        pair.start_both()
        await_that(lambda: status(pair.vipds["n1"])["VI_1"]["trackers"][0]["round_trip_us"] is not None, 10, "an answer")
        mark = pair.sniffer.mark()
        ip("link", "set", "n1-wan", "nomaster", ns=lab.switch)
        pair.vipds["n2"].wait_state("Active", 15)
        pair.vipds["n1"].wait_state("Backup", 10)
        pair.settles("n2")
        # It stays out, whatever its priority was.
        until = Deadline(TIMEOUT_S + 3)
        while not until.passed():
            equal((effective(pair.vipds["n1"]), effective(pair.vipds["n2"])), (1, 100), "priorities")
            time.sleep(0.3)
        text = status(pair.vipds["n1"])["VI_1"]["trackers"][0]["reason"]
        check("uplink_hold_down" in text, f"the tracker says {text}")
        equal(pair.netifds["n1"].state("wan"), "down", "the uplink that has failed")
        # Not in order: who gives way to a better router is told so by its first advert.
        last, first = pair.talk("n1", mark)[-1].at, pair.talk("n2", mark)[0].at
        check(last < first + BOUND_S, f"two uplinks were up for {last - first:.3f} s")


@limits(timeout=120)
def case_both_uplinks_die():
    """Nobody takes turns for ever, and there is an Active all the time."""
    with Lab() as lab:
        pair = Pair(lab)
        pair.start_both()
        for name in pair.nodes:
            ip("link", "set", f"{name}-wan", "nomaster", ns=lab.switch)
        pair.vipds["n2"].wait_state("Active", 15)
        await_that(lambda: effective(pair.vipds["n2"]) == 1, WAITS_S, "the second to give up its uplink")
        pair.vipds["n2"].log.wait_quiet(3, 6)
        states = {name: status(vipd)["VI_1"]["state"] for name, vipd in pair.vipds.items()}
        equal(sorted(states.values()), ["Active", "Backup"], "states")
        turns = [len(vipd.log.matches("-> Active")) for vipd in pair.vipds.values()]
        check(sum(turns) <= 3, f"they took {turns} turns")
        active = next(name for name, state in states.items() if state == "Active")
        check(pair.nodes[active].has(conf.VIP), "the Active has no address")
        # The provider of the Active is back: so is its priority.
        ip("link", "set", f"{active}-wan", "master", "br0", ns=lab.switch)
        await_that(lambda: effective(pair.vipds[active]) > 1, LEASE_S, "the priority to come back")


@each("plain", "probe")
@limits(timeout=120)
def case_network_restart(how):
    """An `auto 1` uplink comes up on the Backup, an `auto 0` one stays down on the Active: neither for long. A probe
    through it may see that, and have the other one take over."""
    with Lab() as lab:
        pair = Pair(lab, auto=(False, True), **({} if how == "probe" else {"probe": None}))
        pair.start_both()
        pair.vipds["n2"].log.wait("uplink wan is taken down: unless a vipd was killed.*auto '0'", 5)
        equal(pair.vipds["n1"].log.matches("is taken down"), [], "what is said of the uplink that is not auto")
        for round_ in 1, 2:
            pair.netifds["n2"].ask("restart")
            await_that(lambda wanted=round_: shown(pair.vipds["n2"])["fights"] >= wanted, 15, "the fight to be counted")
            await_that(lambda: pair.netifds["n2"].state("wan") == "down", 15, "the Backup's uplink to be down again")
        mark = pair.vipds["n1"].log.mark()
        pair.netifds["n1"].ask("restart")
        if how == "plain":
            pair.vipds["n1"].log.wait("wan was changed by somebody else: it is brought up again", 10, mark)
            pair.settles("n1")
            equal(pair.vipds["n1"].transitions(mark), [], "transitions")
            return
        await_that(lambda: [status(vipd)["VI_1"]["state"] for vipd in pair.vipds.values()].count("Active") == 1
                   and all((pair.netifds[name].state("wan") == "up") == (status(vipd)["VI_1"]["state"] == "Active")
                           for name, vipd in pair.vipds.items()), WAITS_S, "one Active, and its uplink alone to be up")


@limits(timeout=120)
def case_killed():
    """A crash leaves its uplink up, until vipd is started again."""
    with Lab() as lab:
        pair = Pair(lab)
        pair.start_both()
        mark = pair.sniffer.mark()
        pair.vipds["n1"].kill9()
        pair.vipds["n2"].wait_state("Active", 10)
        equal(pair.netifds["n1"].state("wan"), "up", "the uplink of who was killed")
        # procd starts it again, as Backup: the leftover goes. Then it is Active again, by its priority.
        asked = pair.netifds["n1"].model.log.mark()
        again = pair.start("n1", log="again")
        again.log.wait("uplink wan is taken down: unless a vipd was killed", 10)
        again.wait_state("Active", 10)
        pair.vipds["n2"].wait_state("Backup", 10)
        pair.settles("n1")
        commands = pair.netifds["n1"].model.log.matches("call network.interface.wan", asked)
        equal([line.split()[-1] for line in commands], ["down", "up"], "what netifd was asked for")
        check(pair.talk("n1", mark), "nothing was heard of the first uplink")


@limits(timeout=60)
def case_leaves_though_ubus_hangs():
    """The bound of the uplink is a bound of the stop; a second SIGTERM ends it at once; a failure is counted."""
    with Lab() as lab:
        pair = Pair(lab, probe=None)
        pair.start("n1").wait_state("Active", 10)
        vipd, netifd = pair.vipds["n1"], pair.netifds["n1"]
        await_that(lambda: shown(vipd)["state"] == "up", LEASE_S, "the uplink to be up")
        netifd.does("exit 4")
        netifd.ask("call", "network.interface.wan", "down")
        reload(vipd, vipd.path, pair.texts["n1"])
        netifd.works()
        reload(vipd, vipd.path, pair.texts["n1"])
        vipd.log.wait("it is brought up again", 10)
        await_that(lambda: shown(vipd)["state"] == "up", LEASE_S, "the uplink to be up again")
        netifd.does("exec sleep 61")
        mark, frames = vipd.log.mark(), pair.sniffer.mark()
        vipd.terminate(15)
        vipd.log.wait("uplink wan may not have been brought down: /bin/ubus ran into its timeout", 1, mark)
        pair.sniffer.wait(lambda f: is_advert(f, "n1", priority=0), 1, "the priority 0 advert", frames)


@limits(timeout=90)
def case_reload_takes_the_instance_away():
    """The uplink first, then the role."""
    with Lab() as lab:
        pair = Pair(lab, probe=None)
        pair.start("n1").wait_state("Active", 10)
        vipd = pair.vipds["n1"]
        await_that(lambda: shown(vipd)["state"] == "up", LEASE_S, "the uplink to be up")
        mark, frames = vipd.log.mark(), pair.sniffer.mark()
        other = conf.uci("VI_2", iface="lan", vrid=51, vips=["10.10.201.120"])
        reload(vipd, vipd.path, other)
        vipd.log.wait("reload: .*removed VI_1", 10, mark)
        equal(pair.netifds["n1"].state("wan"), "down", "the uplink")
        release = pair.sniffer.wait(lambda f: is_advert(f, "n1", vrid=50, priority=0), 5, "the priority 0 advert", frames)
        said = pair.talk("n1", frames)
        check(not said or said[-1].at < release.at, "the uplink was up after the priority 0 advert")


@limits(timeout=90)
def case_an_uplink_of_a_group_stays_with_who_stays():
    """A reload that takes one of two owners away does not wait for anything."""
    with Lab() as lab:
        pair = Pair(lab, probe=None)
        uplink = "\tlist uplink 'wan'\n"
        one = conf.uci(iface="lan") + uplink
        two = conf.uci("VI_2", iface="lan", vrid=51, vips=["10.10.201.120"]) + uplink
        group = "config vrrp_sync_group 'G'\n\tlist group 'VI_1'\n\tlist group 'VI_2'\n"
        pair.texts["n1"] = one + two + group
        vipd = pair.start("n1")
        vipd.wait_state("Active", 10, name="VI_2")
        await_that(lambda: shown(vipd, "VI_2")["state"] == "up", LEASE_S, "the uplink to be up")
        mark = vipd.log.mark()
        said = reload(vipd, vipd.path, one)
        check("removed VI_2" in said, f"reload says {said}")
        equal((shown(vipd)["state"], pair.netifds["n1"].state("wan")), ("up", "up"), "the uplink")
        equal(vipd.log.matches("uplink wan is to be", mark), [], "what netifd was asked for")
        vipd.terminate()
        equal(pair.netifds["n1"].state("wan"), "down", "the uplink at the end")


@limits(timeout=30)
def case_without_netifd():
    """A plain Linux host is told what to do instead, by `run` and by `check`."""
    with Lab() as lab:
        check(not os.path.exists("/bin/ubus"), "this machine has a /bin/ubus of its own")
        node = lab.node("n1", conf.NODE1)
        vipd = Vipd(node, conf.instance(extra=["uplink { wan }"]))
        vipd.log.wait("`uplink` needs OpenWrt's netifd.*notify_master", 5)
        check(vipd.proc.wait(5) != 0, "vipd has started")
        done = subprocess.run([binary(), "check", f"{lab.dir}/n1-vipd.conf"], capture_output=True, text=True,
                              timeout=10, check=False)
        check(done.returncode != 0 and "needs OpenWrt's netifd" in done.stderr, f"check says {done}")


@limits(timeout=60)
def case_keepalived_conf():
    """Names of uplinks are netifd's, those of other interfaces the kernel's; check knows of `auto`."""
    with Lab() as lab:
        pair = Pair(lab, auto=(True, False))
        node, netifd = pair.nodes["n1"], pair.netifds["n1"]
        text = conf.instance(extra=["uplink { wan }", "track_interface {", "wan0", "}"])
        path = node.file("vipd.conf", text.replace("{ wan }", "{ wan nowan }"))
        netifd.does("exit 4")
        code, said = netifd.check(node, path)
        check(code == 0 and "netifd cannot be asked" in said and "uplink nowan may be missing, or come up by itself" in said,
              f"check says {said}")
        netifd.works()
        await_that(lambda: netifd.state("wan") == "up", LEASE_S, "the uplink to be up by itself")
        code, said = netifd.check(node, path)
        check(code == 0 and "uplink wan was not down though" in said and "uplink nowan is not known to netifd" in said,
              f"check says {said}")
        vipd = netifd.vipd(node, text)
        vipd.wait_state("Active", 10)
        await_that(lambda: shown(vipd)["state"] == "up", LEASE_S, "the uplink to be up")
        # The device of the uplink is tracked through it.
        await_that(lambda: status(vipd)["VI_1"]["trackers"][0]["weight"] == -253, 5, "the tracker to be the uplink's")
        vipd.terminate()
        equal(netifd.state("wan"), "down", "the uplink at the end")
