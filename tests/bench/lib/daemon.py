"""The two daemons, started the same way and looked at from outside."""

import os
import signal
import subprocess
import time

from lib.conf import NET
from lib.error import BenchError
from lib.lab import ip
from lib.tools import need

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
KINDS = ("vipd", "keepalived")


def vipd_binary():
    """$VIPD, else the router's binary of this machine, else a release build."""
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    places = [os.path.join(target, place, "vipd") for place in
              ("cross/x86_64-unknown-linux-musl/router", "x86_64-unknown-linux-musl/release",
               "x86_64-unknown-linux-gnu/release", "release")]
    paths = [os.environ["VIPD"]] if "VIPD" in os.environ else places
    found = [p for p in paths if os.access(p, os.X_OK)]
    if not found:
        raise BenchError(f"there is no vipd at {' or '.join(paths)}: cargo build --release "
                         "--no-default-features, or set VIPD")
    return os.path.normpath(found[0])


def command(lab, kind, text):
    """The command line of a daemon for a configuration."""
    path = lab.file(f"{kind}.conf", text)
    if kind == "vipd":
        return [vipd_binary(), "run", "--config", path, "--runtime-dir", f"{path}.run", "--log", "info"]
    return [need("keepalived"), "--dont-fork", "--log-console", "--no-syslog", "--vrrp", "--use-file", path,
            f"--pid={path}.pid", f"--vrrp_pid={path}.vrrp.pid"]


class Daemon:
    """A running vipd or keepalived, with all of its processes."""

    def __init__(self, lab, node, kind, text, wrapper=(), clock=False):
        self.kind, self.node_ns = kind, lab.nodes[node]
        self.log = lab.file(f"{kind}.log", "")
        with open(self.log, "wb") as log:
            self.proc = lab.start(node, [*wrapper, *command(lab, kind, text)], clock,
                                  stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill9()
        # What a kill leaves behind would be somebody else's address to the next daemon.
        ip("addr", "flush", "to", NET + "/24", ns=self.node_ns)

    def pids(self):
        """Its processes: keepalived has a parent and a child."""
        return [self.proc.pid, *_children(self.proc.pid)]

    def check(self):
        """Fails if it has ended."""
        if self.proc.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise BenchError(f"{self.kind} ended with {self.proc.returncode}: {log.read()[-2000:]}")

    def terminate(self, timeout=30):
        """SIGTERM, and waits for the end."""
        self.proc.send_signal(signal.SIGTERM)
        try:
            self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{self.kind} did not end within {timeout} s of SIGTERM") from None

    def kill9(self):
        """SIGKILL to all of it."""
        try:
            os.killpg(self.proc.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.proc.wait()

    def cpu_ns(self):
        """Nanoseconds on a CPU since its start, of all its processes."""
        return sum(_cpu_ns(pid) for pid in self.pids())

    def settle(self, seconds):
        """Lets it run: the time of a measurement, not a wait for something."""
        time.sleep(seconds)
        self.check()


def _children(pid):
    children = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            children += map(int, file.read().split())
    return children + [grandchild for child in children for grandchild in _children(child)]


def _cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])
