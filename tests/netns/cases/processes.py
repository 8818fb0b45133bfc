"""track_process: processes that are counted. Not beside keepalived: in the laboratory it counts none."""

import os
import shutil
import subprocess

from cases.control import ask, status
from cases.files import wait_priority
from lib import conf
from lib.check import check, equal, limits
from lib.lab import Lab
from lib.sniffer import is_advert
from lib.vipd import Vipd


class Crowd:
    """Processes with a name of their own; all are gone at the end."""

    def __init__(self, folder):
        self.path, self.all = os.path.join(folder, f"vt{os.getpid()}"), []
        shutil.copy("/bin/sleep", self.path)

    def __enter__(self):
        return self

    def more(self, *arguments):
        self.all.append(subprocess.Popen([self.path, *(arguments or ("300",))]))

    def fewer(self):
        process = self.all.pop()
        process.kill()
        process.wait()

    def __exit__(self, *_):
        while self.all:
            self.fewer()


def tracked(crowd, lines, weight="", full=False):
    """A definition, and an instance that tracks it."""
    words = ("process " + (crowd.path if full else os.path.basename(crowd.path)), *lines)
    text = "vrrp_track_process crowd {\n" + "".join(f"    {line}\n" for line in words) + "}\n"
    return text + conf.instance(priority=100, extra=["track_process {", f"    crowd {weight}", "}"])


@limits(timeout=60)
def case_quorum_at_the_start():
    for running, lines, priority in ((0, (), 100), (1, (), 120), (1, ("quorum 2",), 100), (2, ("quorum 2",), 120),
                                     (2, ("quorum_max 1",), 100), (1, ("param_match",), 100)):
        with Lab() as lab:
            node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
            with Crowd(node.folder("crowd")) as crowd:
                for _ in range(running):
                    crowd.more()
                Vipd(node, tracked(crowd, lines, "weight 20"))
                try:
                    wait_priority(sniffer, priority)
                except Exception as error:
                    raise type(error)(f"{running} with {lines}: {error}") from error


@limits(timeout=60)
def case_processes_come_and_go():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        with Crowd(node.folder("crowd")) as crowd:
            vipd = Vipd(node, tracked(crowd, ("full_command", "quorum 2", "quorum_max 3"), "weight -30", True))
            crowd.more()
            wait_priority(sniffer, 70)
            for step, priority in ((crowd.more, 100), (crowd.fewer, 70), (crowd.more, 100)):
                mark = sniffer.mark()
                step()
                wait_priority(sniffer, priority, mark)
            crowd.more()
            mark = sniffer.mark()
            crowd.more()
            wait_priority(sniffer, 70, mark)
            [tracker] = status(vipd)["VI_1"]["trackers"]
            equal((tracker["value"], tracker["up"], tracker["reason"]), (4, False, "4 processes, 3 at most"), "status")
            check("4 processes, 3 at most" in ask(vipd, "status")[1], ask(vipd, "status")[1])


@limits(timeout=60)
def case_a_change_waits_for_its_delay():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        with Crowd(node.folder("crowd")) as crowd:
            crowd.more()
            vipd = Vipd(node, tracked(crowd, ("terminate_delay 3",), "weight 20"))
            wait_priority(sniffer, 120)
            mark = sniffer.mark()
            crowd.fewer()
            sniffer.wait_count(lambda f: is_advert(f, "n1") and f.priority == 120, 2, 5, "adverts within the delay", mark)
            wait_priority(sniffer, 100, mark)
            [tracker] = status(vipd)["VI_1"]["trackers"]
            equal((tracker["value"], tracker["reason"]), (0, "0 of 1 processes"), "status")
