"""Scripts that are tracked: what they do to priorities, to adverts, and what is left of them: nothing."""

import os
import signal
import time

from lib import conf
from lib.check import Deadline, await_that, check, each, equal, limits
from lib.lab import Lab
from lib.life import children, descriptors, helper, keepers, reload, replace_file
from lib.ns import ip
from lib.peers import Keepalived
from lib.sniffer import is_advert
from lib.vipd import Vipd
from cases.control import status

FAST_S = 0.01


class Script:
    """A script in the laboratory's folder, and what it does: lines of shell that can be changed."""

    def __init__(self, lab, does="exit 0", name="check"):
        self.path = os.path.join(lab.dir, name)
        self._does = f"{self.path}.does"
        self.does(does)
        with open(self.path, "w", encoding="ascii") as out:
            out.write(f"#!/bin/sh\n. {self._does}\n")
        os.chmod(self.path, 0o755)
        # Another user must be able to read it.
        os.chmod(lab.dir, 0o755)

    def does(self, lines):
        """What it does from its next start on."""
        replace_file(self._does, lines + "\n")
        os.chmod(self._does, 0o644)


def block(script, *lines, name="chk"):
    """A vrrp_script."""
    return f"vrrp_script {name} {{\n    script \"{script.path}\"\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def tracks(*words, name="chk"):
    """A `track_script` block of one script."""
    return ["track_script {", f"    {' '.join((name, *words))}", "}"]


def priority(sniffer, wanted, since=0):
    """Waits for an advert with this priority."""
    sniffer.wait(lambda f: is_advert(f, "n1") and f.priority == wanted, 15, f"an advert with priority {wanted}", since)


def settled(vipd, processes):
    """Waits until nothing is left in the node but the daemon and its helper."""
    deadline = Deadline(15)
    while (left := processes()) != sorted([vipd.proc.pid, *helper(vipd)]) or len(helper(vipd)) != 2:
        check(not deadline.passed(), f"processes in the node: {left}, of which vipd's: {[vipd.proc.pid, *helper(vipd)]}")
        time.sleep(0.01)


@each(("20", ""), ("-20", ""), ("20", "reverse"), ("-20", "reverse"), ("-253", ""), ("253", ""))
@limits(timeout=90)
def case_effective_priority_as_keepaliveds(words):
    weight, direction = words
    seen = {}
    for daemon in Vipd, Keepalived:
        with Lab() as lab:
            node, sniffer, script = lab.node("n1", conf.NODE1), lab.sniff(), Script(lab)
            text = (conf.global_defs("script_user root") + block(script, "interval 1", f"weight {weight} {direction}")
                    + conf.instance(extra=tracks()))
            daemon(node, text)
            rows = []
            for code in 0, 1, 0:
                mark = sniffer.mark()
                script.does(f"touch {script.path}.ran; exit {code}")
                if os.path.exists(f"{script.path}.ran"):
                    os.unlink(f"{script.path}.ran")
                # The result of a start after this one has been taken in when the next one starts.
                for _ in range(2):
                    deadline = Deadline(20)
                    while not os.path.exists(f"{script.path}.ran"):
                        check(not deadline.passed(), "the script is not run")
                        time.sleep(0.01)
                    os.unlink(f"{script.path}.ran")
                mark = sniffer.mark()
                rows.append(sniffer.wait(lambda f: is_advert(f, "n1"), 10, "an advert", mark).priority)
            seen[daemon.__name__] = rows
    equal(seen["Vipd"], seen["Keepalived"], "priorities while it succeeds, fails, succeeds")
    check(seen["Vipd"][0] != seen["Vipd"][1], "the script changes nothing")


# Lines of the script's block, what its runs return (`1` fails), and the priorities up to where both daemons agree:
# keepalived waits for the first result where there is no weight only, and of `init_fail` it takes the first success for
# all of `rise`, and adds no weight before it.
RUNS = {
    "first-success": (("weight 20", "rise 3", "fall 2"), "0010110", [None], [100]),
    "first-failure": (("weight 20", "rise 3", "fall 2"), "1001000", [None], [100]),
    "init-fail": (("weight -20", "rise 2", "fall 1", "init_fail"), "00100", [80, 80], [100, 100]),
    "no-weight": (("rise 2", "fall 2"), "011001", [None], [None]),
    "no-weight-init-fail": (("rise 2", "fall 2", "init_fail"), "001100", [None, None], [None, 100]),
}
INTERVAL_S = 3
# The first run takes so long: what holds before its result is seen in the adverts.
FIRST_RUN_S = 1.2


def stamps(path):
    """The times in a file, a line each; one that is being written does not count."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return [float(line) for line in file if line.endswith("\n")]


def priorities(daemon, lines, results):
    """The priority in the adverts before the first result of the script and after each one; None where there are none.
    The script says when it starts: by then the result of its last run has long been taken in."""
    with Lab() as lab:
        node, sniffer, script = lab.node("n1", conf.NODE1), lab.sniff(), Script(lab)
        starts = f"{script.path}.starts"
        script.does(f"n=$(cat {starts} 2>/dev/null | wc -l); date +%s.%N >>{starts}; "
                    f"[ $n -gt 0 ] || sleep {FIRST_RUN_S}; exit $(echo {results}0 | cut -c $((n + 1)))")
        daemon(node, conf.global_defs("script_user root") + block(script, f"interval {INTERVAL_S}", *lines)
               + conf.instance(extra=tracks()))
        await_that(lambda: len(stamps(starts)) > len(results), 60, "the script to run for each result")
        times, adverts = stamps(starts), sniffer.adverts("n1")
    first = [f.priority for f in adverts if f.at < times[0] + FIRST_RUN_S]
    rows = [first[-1] if first else None]
    for before in times[1:]:
        seen = [f.priority for f in adverts if before - 0.4 < f.at < before]
        rows.append(seen[-1] if seen else None)
    return rows


@each(*RUNS)
@limits(timeout=120)
def case_first_result_rise_and_fall_as_keepaliveds(name):
    lines, results, ours, theirs = RUNS[name]
    seen, wanted = (priorities(daemon, lines, results) for daemon in (Vipd, Keepalived))
    equal((seen[:len(ours)], wanted[:len(ours)]), (ours, theirs), "priorities up to where they agree")
    equal(seen[len(ours):], wanted[len(ours):], f"priorities from there on, with the results {results}")
    check(len(set(seen)) > 1, "the script changes nothing")


@limits(timeout=60)
def case_without_a_weight_it_holds_the_instance():
    with Lab() as lab:
        node, sniffer, script = lab.node("n1", conf.NODE1), lab.sniff(), Script(lab, "exit 3")
        text = block(script, "interval 0.1", "rise 2", "fall 3") + conf.instance(extra=tracks())
        vipd = Vipd(node, text)
        vipd.log.wait("script chk fails: it ended with exit code 3", 5)
        vipd.log.wait("VI_1: waiting in Initialize: .*chk", 5)
        equal(sniffer.adverts("n1"), [], "adverts")
        shown = status(vipd)["VI_1"]["trackers"]
        equal([(t["kind"], t["name"], t["up"]) for t in shown], [("script", "chk", False)], "trackers in status")
        check("exit code" in shown[0]["reason"], f"the reason in status is {shown[0]['reason']!r}")
        script.does("exit 0")
        vipd.wait_state("Active", 5)
        [shown] = status(vipd)["VI_1"]["trackers"]
        equal((shown["up"], shown["reason"]), (True, None), "state in status")
        mark = vipd.log.mark()
        for lines, says in (("kill -KILL $$", "was ended by SIGKILL"), ("exec sleep 61", "ran into its timeout")):
            script.does(lines)
            vipd.log.wait(f"script chk fails: it {says}", 10, mark)
            vipd.wait_state("Initialize", 5, mark)
            script.does("exit 0")
            mark = vipd.log.mark()
            vipd.wait_state("Active", 10, mark)
        os.unlink(script.path)
        vipd.log.wait("script chk fails: it cannot be started: No such file", 5, mark)
        vipd.wait_state("Initialize", 5, mark)
        node.wait_lacks(conf.VIP, 5)


EVIL = {
    "sleeps": "sleep 61",
    "ignores-sigterm": "trap '' TERM HUP INT; sleep 61; sleep 61",
    "daemon": "setsid sh -c 'trap \"\" TERM HUP; sleep 61 & wait' & exit 1",
    "double-fork": "(setsid sh -c 'sleep 61 & sleep 62 & wait' &) ; sleep 0.01; exit 1",
    "floods": "head -c 30000000 /dev/zero; head -c 30000000 /dev/zero >&2; exit 1",
    "killed": "sleep 61 & kill -KILL $$",
    "fork-many": "for i in 1 2 3 4 5 6 7 8; do sleep 61 & done; exit 1",
}


@each(*EVIL)
@limits(timeout=60, alone=True)
def case_nothing_remains_of_a_script_that(does):
    with Lab() as lab:
        node, sniffer, script = lab.node("n1", conf.NODE1), lab.sniff(), Script(lab)
        text = (block(script, "interval 0.3", "timeout 0.3", "weight -20") +
                conf.instance(advert_int=FAST_S, extra=tracks()))
        vipd = Vipd(node, text)
        vipd.wait_state("Active", 5)
        processes = lambda: sorted(map(int, ip("netns", "pids", node.ns).split()))
        sockets = [len(descriptors(pid)) for pid in (vipd.proc.pid, *helper(vipd))]
        frames, mark = sniffer.mark(), vipd.log.mark()
        script.does(EVIL[does])
        vipd.log.wait("script chk fails", 10, mark)
        priority(sniffer, 80, frames)
        # Some more of them.
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 150, 20, "adverts", frames)
        script.does("exit 0")
        vipd.log.wait("script chk succeeds", 15, mark)
        seen = sniffer.adverts("n1", frames)
        wanted = (seen[-1].at - seen[0].at) / FAST_S
        gaps = [b.at - a.at for a, b in zip(seen, seen[1:])]
        check(len(seen) > wanted * 0.75, f"{len(seen)} adverts of {wanted:.0f}")
        check(max(gaps) < 0.3, f"a gap of {max(gaps):.3f} s between two adverts")
        equal(vipd.transitions(mark), [], "transitions")
        reload(vipd, f"{lab.dir}/n1-vipd.conf", conf.instance(advert_int=FAST_S))
        settled(vipd, processes)
        equal([len(descriptors(pid)) for pid in (vipd.proc.pid, *helper(vipd))], sockets, "descriptors")
        vipd.terminate()
        deadline = Deadline(10)
        while processes():
            check(not deadline.passed(), "processes live longer than vipd")
            time.sleep(0.01)


@limits(timeout=60)
def case_worker_and_nursery_that_are_killed():
    with Lab() as lab:
        node, sniffer, script = lab.node("n1", conf.NODE1), lab.sniff(), Script(lab)
        vipd = Vipd(node, block(script, "interval 0.2", "weight -20") + conf.instance(extra=tracks()))
        vipd.wait_state("Active", 5)
        script.does("exec sleep 61")
        deadline = Deadline(5)
        while not [k for k in keepers(vipd) if children(k)]:
            check(not deadline.passed(), "the script is not run")
        os.kill(helper(vipd)[1], signal.SIGKILL)
        vipd.log.wait("the worker of the helper process was ended by SIGKILL", 5)
        mark = vipd.log.mark()
        script.does("exit 1")
        vipd.log.wait("script chk fails", 10)
        priority(sniffer, 80)
        script.does("exit 0")
        vipd.log.wait("script chk succeeds", 10, mark)
        priority(sniffer, 100, sniffer.mark())
        equal(vipd.transitions(mark), [], "transitions")
        # Without the nursery there is no other: what is known stays, and it is said once.
        os.kill(helper(vipd)[0], signal.SIGKILL)
        vipd.log.wait("the helper process is gone, and cannot", 5, mark)
        vipd.log.wait("script chk is not run: the helper process is gone", 5, mark)
        script.does("exit 1")
        frames = sniffer.mark()
        sniffer.wait_count(lambda f: is_advert(f, "n1"), 10, 5, "adverts", frames)
        equal({f.priority for f in sniffer.adverts("n1", frames)}, {100}, "priorities")
        equal(len(vipd.log.matches("helper process is gone", mark)), 2, "lines about it, one of them the script's")
        vipd.terminate()


@limits(timeout=60)
def case_reload_changes_adds_and_removes():
    with Lab() as lab:
        node, sniffer, script = lab.node("n1", conf.NODE1), lab.sniff(), Script(lab, "exit 1")
        other = Script(lab, "exit 1", "other")
        path, plain = f"{lab.dir}/n1-vipd.conf", conf.instance()
        vipd = Vipd(node, plain)
        vipd.wait_state("Active", 5)
        one = block(script, "interval 0.1") + conf.instance(extra=tracks("weight", "-20"))
        mark = vipd.log.mark()
        check("first that has programs" in reload(vipd, path, one) or
              vipd.log.wait("first that has programs", 5, mark), "the reload is not refused")
        equal(helper(vipd), [], "a helper that was not needed")
        vipd.terminate()
        vipd = Vipd(node, one, name="again")
        path = f"{lab.dir}/n1-again.conf"
        vipd.wait_state("Active", 5)
        priority(sniffer, 80)
        mark = vipd.log.mark()
        reload(vipd, path, one.replace("weight -20", "weight -30"))
        priority(sniffer, 70)
        two = block(other, "interval 0.1", name="more")
        both = two + one.replace("chk weight -20", "chk weight -30\n        more weight -5")
        reload(vipd, path, both)
        priority(sniffer, 65)
        reload(vipd, path, plain)
        priority(sniffer, 100, sniffer.mark())
        equal(vipd.transitions(mark), [], "transitions")
        # In place, with an argument.
        other.does("exit $1")
        reload(vipd, path, conf.instance(extra=tracks("7", "weight", "-11", name=other.path)))
        priority(sniffer, 89)
        vipd.log.wait(f"script {other.path} 7 fails: it ended with exit code 7", 5, mark)
        vipd.terminate()


@limits(timeout=60)
def case_user_and_security():
    with Lab() as lab:
        node, script = lab.node("n1", conf.NODE1), Script(lab)
        out = f"{lab.dir}/out"
        os.mkdir(out)
        os.chmod(out, 0o777)
        script.does(f"echo $(id -u) $(id -G) >{out}/new; mv {out}/new {out}/$(id -u); exit 0")
        path, text = f"{lab.dir}/n1-vipd.conf", block(script, "interval 0.1") + conf.instance(extra=tracks())
        vipd = Vipd(node, conf.global_defs("script_user nobody nogroup") + text)
        vipd.wait_state("Active", 5)
        reload(vipd, path, conf.global_defs("script_user nobody") +
               text.replace("interval 0.1", "interval 0.1\n    user root"))
        for user, said in ("65534", "65534 65534"), ("0", "0 0"):
            deadline = Deadline(5)
            while not os.path.exists(f"{out}/{user}"):
                check(not deadline.passed(), f"the script does not run as {user}")
                time.sleep(0.01)
            with open(f"{out}/{user}", encoding="ascii") as file:
                equal(file.read().strip(), said, "user and groups")
        mark = vipd.log.mark()
        os.chmod(script.path, 0o777)
        reload(vipd, path, conf.global_defs("script_user root", "enable_script_security") + text)
        # The laboratory's folder is below /tmp, which all may write.
        vipd.log.wait(r"conf:\d+:\d+: `/.*` is not root's alone to write", 5, mark)
        vipd.log.wait("reload refused", 5, mark)
        mark = vipd.log.mark()
        good = text.replace(script.path, "/bin/true")
        check("refused" not in reload(vipd, path, conf.global_defs("enable_script_security") + good), "it is refused")
        for user in "root", "nobody":
            reloaded = reload(vipd, path, conf.global_defs("enable_script_security", f"script_user {user}") + text)
            equal("refused" in reloaded, user == "root", f"whether a script of {user} is refused")
        vipd.terminate()
