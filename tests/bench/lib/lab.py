"""Network namespaces, wires between them, and processes inside; all gone at the end."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from lib.error import BenchError

PREFIX = "vipdbench"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*args, ns=None):
    """Runs `ip`, in a namespace if one is given, and returns its output."""
    argv = ["ip", *(["-n", ns] if ns else []), *map(str, args)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def _enter(fd, clock):
    """Runs in the child: into the namespace, to die with the bench, and the time of the exec."""
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        os._exit(126)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if clock is not None:
        os.write(clock, time.clock_gettime_ns(time.CLOCK_REALTIME).to_bytes(8, "little"))


class Lab:
    """Context manager. `node` makes namespaces, `wire` joins two."""

    def __init__(self):
        self.prefix = f"{PREFIX}{os.getpid()}"
        self.nodes, self.procs, self.dir, self.files = {}, [], None, 0

    def __enter__(self):
        remove_leftovers()
        self.dir = tempfile.mkdtemp(prefix=f"{self.prefix}-")
        return self

    def __exit__(self, *_):
        for proc in self.procs:
            _kill(proc)
        for name in self.nodes.values():
            _remove(name)
        shutil.rmtree(self.dir, ignore_errors=True)

    def node(self, name):
        """A namespace without interfaces but lo."""
        self.nodes[name] = f"{self.prefix}-{name}"
        ip("netns", "add", self.nodes[name])
        ip("link", "set", "lo", "up", ns=self.nodes[name])

    def wire(self, a, iface_a, address_a, b, iface_b, address_b):
        """A veth pair between two nodes, with an address at each end or None."""
        ip("link", "add", "name", iface_a, "netns", self.nodes[a],
           "type", "veth", "peer", "name", iface_b, "netns", self.nodes[b])
        for node, iface, address in ((a, iface_a, address_a), (b, iface_b, address_b)):
            # No router solicitations or MLD reports in the middle of a measurement.
            ip("link", "set", iface, "addrgenmode", "none", ns=self.nodes[node])
            if address:
                ip("addr", "add", address, "dev", iface, ns=self.nodes[node])
            ip("link", "set", iface, "up", ns=self.nodes[node])

    def bridge(self, node, address, *ports):
        """Joins ports of a node to a bridge `br0`."""
        ns = self.nodes[node]
        ip("link", "add", "br0", "type", "bridge", "stp_state", 0, "forward_delay", 0, "mcast_snooping", 0, ns=ns)
        # An address of its own, or it would take its ports' and change it as they come and go.
        ip("link", "set", "br0", "address", "02:00:00:00:0b:00", "addrgenmode", "none", ns=ns)
        for port in ports:
            ip("link", "set", port, "master", "br0", ns=ns)
        ip("addr", "add", address, "dev", "br0", ns=ns)
        ip("link", "set", "br0", "up", ns=ns)

    def link(self, node, iface):
        """An interface as `ip -j -s link` shows it."""
        return json.loads(ip("-j", "-s", "link", "show", "dev", iface, ns=self.nodes[node]))[0]

    def mac(self, node, iface):
        """The MAC address of an interface."""
        return self.link(node, iface)["address"]

    def inside(self, node, make):
        """What `make()` returns, called in a thread inside a node: a socket stays there."""
        made = []

        def run():
            with open(f"/run/netns/{self.nodes[node]}", "rb") as file:
                if _libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                    return
            made.append(make())

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if not made:
            raise BenchError(f"nothing could be made inside {node}")
        return made[0]

    def start(self, node, argv, clock=False, **kwargs):
        """Starts a process inside a node. With `clock`, `proc.started` is the time of its exec."""
        reader, writer = os.pipe() if clock else (None, None)
        fd = os.open(f"/run/netns/{self.nodes[node]}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            proc = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, close_fds=False,
                                    start_new_session=True, preexec_fn=lambda: _enter(fd, writer), **kwargs)
        finally:
            os.close(fd)
        if clock:
            os.close(writer)
            proc.started = int.from_bytes(os.read(reader, 8), "little")
            os.close(reader)
        self.procs.append(proc)
        return proc

    def output(self, node, argv, timeout):
        """Runs a process inside a node and returns what it printed."""
        proc = self.start(node, argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = proc.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{argv[0]} did not end within {timeout} s") from None
        if proc.returncode != 0:
            raise BenchError(f"{' '.join(map(str, argv))} ended with {proc.returncode}: {err.strip()}")
        return out

    def file(self, name, text):
        """Writes a file of the lab and returns its path."""
        self.files += 1
        path = os.path.join(self.dir, f"{self.files}-{name}")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path


def _kill(proc):
    try:
        os.killpg(proc.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    proc.wait()


def _remove(name):
    for pid in ip("netns", "pids", name).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    ip("netns", "del", name)


def remove_leftovers():
    """Removes what runs that are dead by now left behind; their pid is in the name."""
    for name in [line.split()[0] for line in ip("netns", "list").splitlines() if line.strip()]:
        owner = name.removeprefix(PREFIX).split("-")[0]
        if name.startswith(PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            _remove(name)
