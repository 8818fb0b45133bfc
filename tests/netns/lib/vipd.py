"""vipd inside a node: starting it, waiting for its states, reading its counters."""

import os
import re
import signal
import time
from dataclasses import dataclass

from lib.check import CaseFailed, Deadline, check

WARN_OR_ERROR = r"(?i)(^|[\s\[<])(warn|warning|error)\b"
TRANSITION = r"(Initialize|Backup|Active) -> (Initialize|Backup|Active)"


def binary():
    """The program under test: $VIPD, else the newest of the target directory."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(root, "target"))
    paths = [os.environ["VIPD"]] if "VIPD" in os.environ else [
        os.path.join(target, kind, "vipd") for kind in ("release", "debug")]
    found = [p for p in paths if os.access(p, os.X_OK)]
    check(found, f"there is no vipd at {' or '.join(paths)}: run cargo build, or set VIPD")
    return max(found, key=os.path.getmtime)


@dataclass
class Counters:
    """One instance's line of counters, as SIGUSR1 has them logged."""

    sent: int
    received: int
    drops: dict


class Vipd:
    """One `vipd run`; `command` is what to run where it is not [`binary()`]."""

    def __init__(self, node, conf, name="vipd", level="info", read_log=True, command=None):
        self.node, self.name, self.started = node, name, time.time()
        # One folder a node: what a crash left there is the next start's to clean up.
        self.runtime_dir = node.folder("run")
        self.path = node.file(f"{name}.conf", conf)
        self.proc = node.popen(name, [*(command or [binary()]), "run", "--config", self.path,
                                      "--runtime-dir", self.runtime_dir, "--log", level],
                               read_log=read_log)
        self.log = self.proc.log

    def wait_state(self, state, timeout, since=0, name="VI_1"):
        """Waits for the log line of a transition to `state`, and returns the line."""
        return self.log.wait(rf"{name}: \w+ -> {state}\b.*", timeout, since).group(0)

    def transitions(self, since=0):
        """The lines of transitions from `since` on."""
        return self.log.matches(TRANSITION, since)

    def warnings(self, since=0):
        """The warnings and errors from `since` on."""
        return self.log.matches(WARN_OR_ERROR, since)

    def counters(self, name="VI_1"):
        """The counters of an instance now; drops that no instance owns (unknown VRID …) are added."""
        mark = self.log.mark()
        self.proc.signal(signal.SIGUSR1)
        line = self.log.wait(rf"{name}: counters: (.*)", 5, mark).group(1)
        self.log.wait_quiet(0.1, 2)
        sent, received = (re.search(rf"\b{word}=(\d+)", line) for word in ("sent", "received"))
        check(sent and received, f"no sent= and received= in the line of counters: {line!r}")
        lines = [line] + [x for x in self.log.matches("drops:", mark) if not re.search(r"\w: counters: sent=", x)]
        drops = {}
        for text in lines:
            for word, count in re.findall(r"([a-z0-9-]+)=(\d+)", text.partition("drops:")[2]):
                drops[word] = drops.get(word, 0) + int(count)
        return Counters(int(sent.group(1)), int(received.group(1)), drops)

    def wait_drops(self, reason, least, timeout=5):
        """Waits until the counter of a reason is at least so high; returns the counters."""
        deadline = Deadline(timeout)
        while (counters := self.counters()).drops.get(reason, 0) < least:
            if deadline.passed():
                raise CaseFailed(f"the counter {reason} did not reach {least}: {counters}")
        return counters

    def terminate(self, timeout=10):
        """SIGTERM; a clean exit code is demanded."""
        code = self.proc.terminate(timeout)
        if code != 0:
            raise CaseFailed(f"{self.proc.name} ended with {code} on SIGTERM")

    def kill9(self):
        """A crash."""
        self.proc.kill9()
