"""vipd started hundreds of times, killed at any moment, and what the kernel then has."""

import contextlib
import os
import random
import signal
import subprocess
import threading

from lib import ns
from lib.check import CaseFailed
from lib.proc import Log
from lib.vipd import binary

LOG_LINES_KEPT = 40


class Run:
    """One short `vipd run`, started without the detour over `ip netns exec`: it is killed at once."""

    def __init__(self, node, conf, runtime_dir):
        self.node, self.log = node, Log()
        with ns.entered(node.ns):
            self.child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", binary(), "run", "--config", conf,
                 "--runtime-dir", runtime_dir, "--log", "info"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self.log.feed, args=(self.child.stdout,), daemon=True)
        self._reader.start()

    def signal(self, number):
        """A signal, unless it has ended."""
        if self.child.poll() is None:
            self.child.send_signal(number)

    def kill9(self):
        """A crash; returns what it had said."""
        self.signal(signal.SIGKILL)
        return self.finish()

    def terminate(self):
        """SIGTERM; a clean exit code is demanded."""
        self.signal(signal.SIGTERM)
        lines = self.finish()
        if self.child.returncode != 0:
            raise CaseFailed(f"vipd ended with {self.child.returncode} on SIGTERM: {lines[-3:]}")

    def finish(self):
        """Waits for the end of the process and of its log."""
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise CaseFailed("vipd did not end within 10 s") from None
        self._reader.join(10)
        self.child.stdout.close()
        return [line for _, line in self.log.lines]

    def tail(self):
        """The end of its log, for a report."""
        return "\n".join(f"    {line}" for _, line in self.log.lines[-LOG_LINES_KEPT:])


def held(node):
    """What the node's kernel has: (interface, address, prefix length), without loopback."""
    return {(a["dev"], a["local"], a["prefixlen"]) for a in node.addresses() if a["dev"] != "lo"}


def replace_file(path, text):
    """A new text for a file that somebody may be reading: whole or not at all."""
    new = f"{path}.new"
    with open(new, "w", encoding="utf-8") as out:
        out.write(text)
    os.rename(new, path)


def seed():
    """The seed of a random case: $SEED, or a new one; it is printed, so that a failure can be had again."""
    chosen = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {chosen}: SEED={chosen} has the same again", flush=True)
    return chosen


def journal(node):
    """The lines of the node's journal."""
    with open(os.path.join(node.lab.dir, f"{node.name}-run", "journal"), encoding="utf-8") as file:
        return file.read().splitlines()


def reload(vipd, path, text, timeout=5):
    """Puts `text` into the daemon's file, sends SIGHUP and returns the line that answers it."""
    replace_file(path, text)
    mark = vipd.log.mark()
    vipd.proc.signal(signal.SIGHUP)
    return vipd.log.wait(r"reload(:| refused)", timeout, mark).string


def children(pid):
    """The processes that this one has started and not reaped."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def helper(vipd):
    """The daemon's helper: nursery and worker; none while it has none, or is replacing its worker."""
    nurseries = children(vipd.proc.pid)
    return nurseries + [worker for nursery in nurseries for worker in children(nursery)]


def keepers(vipd):
    """One process for each program that the helper runs."""
    return [keeper for worker in helper(vipd)[1:] for keeper in children(worker)]


def descriptors(proc):
    """What the process has open: the target of each descriptor, sockets by their inode."""
    folder = f"/proc/{getattr(proc, 'pid', proc)}/fd"
    found = []
    for name in os.listdir(folder):
        # One may be closed while we look.
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(os.path.join(folder, name)))
    return sorted(found)
