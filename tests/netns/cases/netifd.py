"""Logical interfaces of a UCI file: what netifd says, when it says nothing, and when it says something else."""

import os
import time

from lib import conf
from lib.check import Deadline, check, each, equal, limits
from lib.lab import Lab
from lib.life import descriptors, helper, journal, keepers, reload
from lib.netifd import Netifd
from lib.ns import ip
from lib.sniffer import is_advert
from lib.vipd import Vipd
from cases.control import status

# limits::NETIFD_PATIENCE.
PATIENCE_S = 5
FAST_S = 0.01
FAST_VIP = "10.10.201.120"


def settled(vipd, timeout=5):
    """Waits until no program runs for a moment: what was asked is answered. No event tells of it."""
    deadline, quiet = Deadline(timeout), 0
    while quiet < 5:
        quiet = 0 if keepers(vipd) or len(helper(vipd)) != 2 else quiet + 1
        check(not deadline.passed(), f"a program runs after {timeout} s")
        time.sleep(0.01)


def inherited_pipes(vipd):
    """The pipe that its log goes into."""
    return {os.readlink(f"/proc/{vipd.proc.pid}/fd/{fd}") for fd in (1, 2)}


def processes(node):
    """All that runs in the node."""
    return sorted(map(int, ip("netns", "pids", node.ns).split()))


def await_processes(node, wanted):
    """Waits until the processes of the node are as they should be."""
    deadline = Deadline(10)
    while not wanted(processes(node)):
        check(not deadline.passed(), f"processes in the node: {processes(node)}")
        time.sleep(0.01)


def reason(vipd, name="VI_1"):
    """Word and text of an instance's reason."""
    seen = status(vipd)[name]
    return seen["reason"], seen["reason_text"]


@limits(timeout=40)
def case_name_is_resolved_at_start():
    with Lab() as lab:
        node, sniffer, netifd = lab.node("n1", conf.NODE1), lab.sniff(), Netifd(lab, lan="ens160", wan=None)
        vipd = netifd.vipd(node, conf.uci(iface="lan"))
        vipd.log.wait("VI_1: interface lan is ens160 now", 5)
        vipd.wait_state("Active", 5)
        equal(node.wait_has(conf.VIP, 5)["dev"], "ens160", "where the address is")
        equal(len(vipd.log.matches("waiting in Initialize: lan: ")), 1, "reasons to wait: netifd has not answered yet")
        sniffer.wait(lambda f: is_advert(f, "n1"), 5, "an advert")
        seen = status(vipd)["VI_1"]
        equal((seen["interface"], seen["vips"][0]["interface"]), ("lan", "ens160"), "interfaces in status")
        equal(journal(node), [f"address ens160 {conf.VIP}/32"], "journal")
        settled(vipd)
        sockets, calls = descriptors(vipd.proc), netifd.calls()
        for _ in range(20):
            reload(vipd, f"{lab.dir}/n1-vipd.conf", conf.uci(iface="lan"))
            settled(vipd)
        equal((descriptors(vipd.proc), len(vipd.transitions())), (sockets, 2), "descriptors and transitions")
        equal(netifd.calls(), calls + 20, "questions")
        vipd.terminate()


@limits(timeout=40)
def case_name_that_netifd_does_not_know():
    with Lab() as lab:
        node, netifd = lab.node("n1", conf.NODE1), Netifd(lab, lan="ens160", wan=None)
        lab.plug(node, "wan", "n1-wan")
        node.ip("addr", "add", "10.10.201.104/23", "dev", "wan")
        text = (conf.uci(iface="lann") + conf.uci("VI_2", iface="wan", vrid=51, vips=[FAST_VIP])
                + conf.uci("VI_3", iface="ens160", vrid=52, vips=["10.10.201.121"]))
        vipd = netifd.vipd(node, text)
        vipd.log.wait("VI_1: waiting in Initialize: lann: netifd does not know this interface", 5)
        # There is a device called `wan`, which is not the interface `wan`.
        vipd.log.wait("VI_2: waiting in Initialize: wan: netifd says that it is down", 5)
        # netifd has no such interface, but there is such a device.
        vipd.wait_state("Active", 5, name="VI_3")
        for name in "VI_1", "VI_2":
            equal(reason(vipd, name)[0], "unresolved", "reason")
        code, text = netifd.check(node, f"{lab.dir}/n1-vipd.conf")
        check(code == 0 and "VI_1: lann: netifd does not know" in text and "VI_2: wan: netifd says" in text
              and "VI_3" not in text, f"check says: {text}")
        netifd.says(lann="ens160", wan="wan")
        # It is asked again by itself, and nothing was sent for an instance without a device.
        vipd.wait_state("Active", 15)
        vipd.wait_state("Active", 5, name="VI_2")
        equal((node.wait_has(conf.VIP, 5)["dev"], node.wait_has(FAST_VIP, 5)["dev"]), ("ens160", "wan"), "devices")
        equal(node.wait_has("10.10.201.121", 5)["dev"], "ens160", "the device")
        vipd.terminate()
        equal(journal_addresses(node), [], "addresses that were left")


def journal_addresses(node):
    """The addresses of the journal that the node still has."""
    return [line for line in journal(node) if node.has(line.split()[2].split("/")[0])]


@limits(timeout=40)
def case_reload_heals_and_moves():
    with Lab() as lab:
        node, sniffer, netifd = lab.node("n1", conf.NODE1), lab.sniff(), Netifd(lab)
        lab.plug(node, "lan1", "n1-lan")
        node.ip("addr", "add", "10.10.201.104/23", "dev", "lan1")
        path, text = f"{lab.dir}/n1-vipd.conf", conf.uci(iface="lan")
        vipd = netifd.vipd(node, text)
        vipd.log.wait("lan: netifd does not know", 5)
        netifd.says(lan="ens160")
        check(reload(vipd, path, text).endswith("1 unchanged"), "the configuration is what it was")
        vipd.wait_state("Active", 5)
        node.wait_has(conf.VIP, 5)
        # To another device, as reload's diff has it: the old one is told, and the address goes with it.
        mark, frames = vipd.log.mark(), sniffer.mark()
        netifd.says(lan="lan1")
        reload(vipd, path, text)
        vipd.wait_state("Active", 5, mark)
        equal(node.wait_has(conf.VIP, 5)["dev"], "lan1", "where the address is")
        check(not node.has(conf.VIP, "ens160"), "the old device still has the address")
        sniffer.wait(lambda f: is_advert(f, "n1", priority=0), 5, "the priority 0 advert", frames)
        sniffer.wait(lambda f: is_advert(f, "n1-lan"), 5, "an advert out of lan1", frames)
        equal(journal(node), [f"address lan1 {conf.VIP}/32"], "journal")
        # A file that is wrong keeps the configuration, and netifd is heard all the same.
        mark = vipd.log.mark()
        netifd.says(lan="ens160")
        check("refused" in reload(vipd, path, "config vrrp_instance\n\toption nonsense"), "a wrong file was taken")
        node.wait_has(conf.VIP, 5, "ens160")
        vipd.wait_state("Active", 5, mark)
        mark = vipd.log.mark()
        netifd.says(lan="lan1")
        reload(vipd, path, text)
        node.wait_has(conf.VIP, 5, "lan1")
        vipd.wait_state("Active", 5, mark)
        # Down: the device that it had is watched, not given up.
        mark = vipd.log.mark()
        netifd.says(lan=None)
        reload(vipd, path, text)
        settled(vipd)
        equal((vipd.transitions(mark), status(vipd)["VI_1"]["state"]), ([], "Active"), "transitions and state")
        # Gone from netifd's configuration.
        netifd.says(other="lan1")
        reload(vipd, path, text)
        node.wait_lacks(conf.VIP, 5)
        equal(reason(vipd)[0], "unresolved", "reason")
        netifd.says(lan="lan1")
        vipd.wait_state("Active", 10, mark)
        vipd.kill9()
        check(node.has(conf.VIP, "lan1"), "the kernel must still hold the address")
        again = netifd.vipd(node, conf.uci(iface="lan", vips=[FAST_VIP]), name="again")
        again.log.wait(f"{conf.VIP}/32 on lan1 was left by an earlier vipd", 5)
        node.wait_has(FAST_VIP, 5)
        node.wait_lacks(conf.VIP, 5)


FAILURES = {
    "hangs": ("exec sleep 61", "ran into its timeout"),
    "hangs-forked": ("trap '' TERM HUP; sleep 61 & sleep 61 & wait", "ran into its timeout"),
    "floods": ("exec cat /dev/zero", "printed more than"),
    "fails": ("exit 4", "ended with exit code 4"),
    "killed": ("kill -KILL $$", "ended by SIGKILL"),
    "rubbish": ("echo Command failed: Not found", "no list of interfaces"),
    "half": ("echo '{ \"interface\": [ { \"interface\": \"lan\"'", "no list of interfaces"),
    "empty": ("echo '{ \"interface\": [ ] }'", "no list of interfaces"),
}


@each(*FAILURES)
@limits(timeout=60, alone=True)
def case_ubus_that(fails):
    """An instance that advertises each 10 ms goes on, nothing is left of ubus, and it is asked again."""
    with Lab() as lab:
        node, sniffer, netifd = lab.node("n1", conf.NODE1), lab.sniff(), Netifd(lab, lan="ens160")
        script, says = FAILURES[fails]
        netifd.does(script)
        lab.plug(node, "br-fast", "n1-fast")
        node.ip("addr", "add", "10.10.201.104/23", "dev", "br-fast")
        text = conf.uci(iface="lan") + conf.uci("FAST", iface="br-fast", vrid=51, advert_int=FAST_S, vips=[FAST_VIP])
        vipd = netifd.vipd(node, text)
        vipd.wait_state("Active", 5, name="FAST")
        sockets, pipes = None, inherited_pipes(vipd)
        for _ in range(1 if fails.startswith("hangs") else 3):
            mark, frames = vipd.log.mark(), sniffer.mark()
            for _ in range(5):
                reload(vipd, f"{lab.dir}/n1-vipd.conf", text)
            vipd.log.wait_quiet(0.3, PATIENCE_S + 5)
            # Two questions, one after the other, each with its timeout and its last moment.
            settled(vipd, 2 * (PATIENCE_S + 1) + 3)
            seen = sniffer.adverts("n1-fast", frames)
            # A busy machine loses some, one that waits for ubus half of them.
            wanted = (seen[-1].at - seen[0].at) / FAST_S
            check(len(seen) > wanted * 0.75, f"{len(seen)} adverts of {wanted:.0f}")
            equal(vipd.transitions(mark), [], "transitions")
            equal(processes(node), sorted([vipd.proc.pid, *helper(vipd)]), "processes in the node")
            have = [descriptors(pid) for pid in (vipd.proc.pid, *helper(vipd))]
            equal(sockets or have, have, "descriptors")
            sockets = have
        equal(len(vipd.log.matches(says)), 1, "lines that say what is wrong")
        equal(reason(vipd)[0], "unresolved", "reason")
        code, said = netifd.check(node, f"{lab.dir}/n1-vipd.conf")
        check(code == 0 and any(says in line for line in said.splitlines()), f"check says {said}")
        netifd.says(lan="ens160")
        reload(vipd, f"{lab.dir}/n1-vipd.conf", text)
        vipd.wait_state("Active", 15)
        equal(node.wait_has(conf.VIP, 5)["dev"], "ens160", "where the address is")
        settled(vipd)
        check(not [d for d in descriptors(vipd.proc) if d.startswith("pipe:") and d not in pipes], "a pipe is open")
        vipd.terminate()


@limits(timeout=40)
def case_stopped_while_ubus_hangs():
    with Lab() as lab:
        node, netifd = lab.node("n1", conf.NODE1), Netifd(lab)
        netifd.does(FAILURES["hangs-forked"][0])
        vipd = netifd.vipd(node, conf.uci(iface="lan"))
        # The daemon, its helper, ubus with its keeper, and two children of ubus.
        await_processes(node, lambda pids: len(pids) == 7)
        vipd.terminate(PATIENCE_S - 1)
        await_processes(node, lambda pids: not pids)


@limits(timeout=40)
def case_without_ubus_the_name_is_the_device():
    with Lab() as lab:
        check(not os.path.exists("/bin/ubus"), "this machine has a /bin/ubus of its own")
        node = lab.node("n1", conf.NODE1)
        vipd = Vipd(node, conf.uci(iface="ens160"))
        vipd.wait_state("Active", 5)
        equal(node.wait_has(conf.VIP, 5)["dev"], "ens160", "where the address is")


@limits(timeout=40)
def case_keepalived_conf_has_names_of_devices():
    with Lab() as lab:
        node, netifd = lab.node("n1", conf.NODE1), Netifd(lab, ens160="lo")
        vipd = netifd.vipd(node, conf.instance())
        vipd.wait_state("Active", 5)
        equal(node.wait_has(conf.VIP, 5)["dev"], "ens160", "where the address is")
        check(not os.path.exists(os.path.join(netifd.folder, "calls")), "netifd was asked")


@limits(timeout=40)
def case_startup_delay_outlives_the_first_answer():
    with Lab() as lab:
        node, sniffer, netifd = lab.node("n1", conf.NODE1), lab.sniff(), Netifd(lab, lan="ens160")
        vipd = netifd.vipd(node, conf.uci_globals(vrrp_startup_delay=2) + conf.uci(iface="lan"))
        vipd.log.wait("VI_1: waiting in Initialize: lan: vrrp_startup_delay", 5)
        vipd.wait_state("Active", 10)
        first = sniffer.wait(lambda f: is_advert(f, "n1"), 5, "the first advert")
        check(first.at - vipd.started >= 2, f"an advert after {first.at - vipd.started:.3f} s")


@limits(timeout=40)
def case_two_names_of_one_device():
    with Lab() as lab:
        node, netifd = lab.node("n1", conf.NODE1), Netifd(lab, wan="ens160", wan6="ens160")
        text = (conf.uci(iface="wan") + conf.uci("VI_2", iface="wan6", vips=[FAST_VIP])
                + conf.uci("VI_3", iface="wan6", vrid=52, vips=["10.10.201.121"]))
        vipd = netifd.vipd(node, text)
        vipd.wait_state("Active", 5)
        vipd.wait_state("Active", 5, name="VI_3")
        vipd.log.wait("VI_2: waiting in Initialize: wan6: its device already serves", 5)
        check(not node.has(FAST_VIP), "the address of an instance that has no device is there")


@each("wiped", "made-anew")
@limits(timeout=40, alone=True)
def case_network_restart(how):
    """netifd takes down all that it has made, vanishes from ubus, and comes back."""
    with Lab() as lab:
        node, netifd = lab.node("n1", conf.NODE1), Netifd(lab, lan="ens160")
        path, text = f"{lab.dir}/n1-vipd.conf", conf.uci(iface="lan")
        vipd = netifd.vipd(node, text)
        vipd.wait_state("Active", 5)
        node.wait_has(conf.VIP, 5)
        for round_ in 1, 2:
            mark = vipd.log.mark()
            # What `network restart` takes away first.
            node.ip("addr", "del", f"{conf.VIP}/32", "dev", "ens160")
            node.wait_has(conf.VIP, 5)
            netifd.does("exit 4")
            reload(vipd, path, text)
            node.ip("addr", "flush", "dev", "ens160")
            if how == "made-anew":
                node.ip("link", "del", "ens160")
            vipd.log.wait("Active -> Initialize", 5, mark)
            netifd.says(lan=None)
            reload(vipd, path, text)
            if how == "made-anew":
                lab.plug(node, "ens160", "n1")
            node.ip("addr", "add", conf.NODE1, "dev", "ens160")
            node.wait_has(conf.VIP, 5)
            netifd.says(lan="ens160")
            reload(vipd, path, text)
            settled(vipd)
            counters = status(vipd)["VI_1"]["counters"]
            check(counters["addresses_lost"] >= round_ and counters["became_active"] == 1 + round_,
                  f"round {round_} is not counted: {counters}")
            check(node.has(conf.VIP), "the address has gone again")
