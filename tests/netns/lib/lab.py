"""One case's world: a switch, nodes on it, their processes; all of it gone at the end."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time

from lib import ns
from lib.check import CaseFailed, Deadline
from lib.ns import ip
from lib.proc import Proc
from lib.sniffer import Sniffer

PREFIX = "vipdt"
BRIDGE = "br0"


class Node:
    """A machine with one interface on the switch (more by `Lab.plug`)."""

    def __init__(self, lab, name, iface):
        self.lab, self.name, self.iface = lab, name, iface
        self.ns = f"{lab.prefix}-{name}"
        self.address = None

    def ip(self, *args):
        """`ip` inside the node."""
        return ip(*args, ns=self.ns)

    def popen(self, name, argv, read_log=True):
        """Starts a process inside the node; the lab ends it."""
        proc = Proc(f"{self.name}/{name}", ["ip", "netns", "exec", self.ns, *argv], read_log)
        self.lab.procs.append(proc)
        return proc

    def folder(self, name):
        """A folder for the node's programs; returns its path."""
        path = os.path.join(self.lab.dir, f"{self.name}-{name}")
        os.makedirs(path, exist_ok=True)
        return path

    def file(self, name, text):
        """Writes a file for the node's programs and returns its path."""
        return self.lab.file(f"{self.name}-{name}", text)

    def mac(self, iface=None):
        """The MAC address of an interface."""
        return json.loads(self.ip("-j", "link", "show", "dev", iface or self.iface))[0]["address"]

    def ifindex(self, iface=None):
        """The index of an interface."""
        return json.loads(self.ip("-j", "link", "show", "dev", iface or self.iface))[0]["ifindex"]

    def addresses(self, iface=None):
        """The IPv4 addresses of the node (of one interface), as `ip -j addr` has them."""
        return self._addresses("-4", iface)

    def addresses6(self, iface=None):
        """The same for IPv6."""
        return self._addresses("-6", iface)

    def _addresses(self, family, iface):
        links = json.loads(self.ip(family, "-j", "addr", "show", *(["dev", iface] if iface else [])))
        return [dict(a, dev=link["ifname"]) for link in links if link for a in link.get("addr_info", [])]

    def has(self, address, iface=None):
        """Whether the node holds `address`."""
        return bool(self._entries(address, iface))

    def _entries(self, address, iface):
        held = self.addresses6(iface) if ":" in address else self.addresses(iface)
        return [a for a in held if a["local"] == address]

    def link_local(self, iface=None, timeout=10):
        """Waits for the node's own link-local address to be usable, and returns it."""
        return self.wait(lambda: [a for a in self.addresses6(iface or self.iface)
                                  if a["scope"] == "link" and a["prefixlen"] == 64
                                  and not a.get("tentative") and not a.get("dadfailed")],
                         timeout, f"{self.name} to have a link-local address")[0]["local"]

    def wait_has(self, address, timeout, iface=None):
        """Waits until the node holds `address`, and returns its entry."""
        return self.wait(lambda: self._entries(address, iface), timeout, f"{self.name} to hold {address}")[0]

    def wait_lacks(self, address, timeout, iface=None):
        """Waits until the node does not hold `address`."""
        self.wait(lambda: not self.has(address, iface), timeout, f"{self.name} to give up {address}")

    def wait(self, holds, timeout, what):
        """Waits for a state of the node's kernel."""
        return ns.wait_kernel(self.ns, holds, timeout, what)

    def neighbour(self, address):
        """The MAC that the node's ARP table or neighbour cache has for `address`, or None."""
        family = "-6" if ":" in address else "-4"
        entries = json.loads(self.ip(family, "-j", "neigh", "show", address) or "[]")
        return next((e.get("lladdr") for e in entries), None)

    def wait_neighbour(self, address, mac, timeout):
        """Waits until the node's ARP table has `mac` for `address`."""
        self.wait(lambda: self.neighbour(address) == mac, timeout,
                  f"{self.name}'s ARP entry of {address} to become {mac}")

    def link(self, state):
        """`ip link set IFACE up` or `down`."""
        self.ip("link", "set", self.iface, state)

    def cable(self, state):
        """Pulls the cable (`down`: the node loses its carrier) or plugs it in (`up`)."""
        ip("link", "set", self.name, state, ns=self.lab.switch)

    def path(self, open_):
        """Breaks or mends the way behind the switch port: the carrier stays."""
        way = ("master", BRIDGE) if open_ else ("nomaster",)
        ip("link", "set", self.name, *way, ns=self.lab.switch)


class Lab:
    """Context manager; whatever happens, it leaves no process and no namespace."""

    def __init__(self):
        self.prefix = f"{PREFIX}{os.getpid()}"
        self.switch = f"{self.prefix}-sw"
        self.nodes, self.procs, self.sniffers, self.ports = {}, [], [], set()
        self.dir = None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix=f"{self.prefix}-")
        os.chmod(self.dir, 0o755)
        try:
            self._add_namespace(self.switch)
            self.segment(BRIDGE)
            self._unguard_switch()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self._report()
        self._remove()

    def _add_namespace(self, name):
        ip("netns", "add", name)
        ip("link", "set", "lo", "up", ns=name)

    def _unguard_switch(self):
        """A switch passes every frame; with br_netfilter the kernel drops those with a bad IP header."""
        with ns.entered(self.switch):
            for table in ("iptables", "ip6tables"):
                guard = f"/proc/sys/net/bridge/bridge-nf-call-{table}"
                if os.path.exists(guard):
                    with open(guard, "w", encoding="ascii") as out:
                        out.write("0")

    def segment(self, bridge):
        """A network of its own in the switch."""
        ip("link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0",
           ns=self.switch)
        ip("link", "set", bridge, "up", ns=self.switch)

    def node(self, name, address=None, iface="ens160", bridge=BRIDGE):
        """Adds a node; `address` with its prefix length."""
        node = Node(self, name, iface)
        self._add_namespace(node.ns)
        self.nodes[name] = node
        self.plug(node, iface, name, bridge)
        if address:
            node.ip("addr", "add", address, "dev", iface)
            node.address = address.split("/")[0]
        return node

    def plug(self, node, iface, port, bridge=BRIDGE):
        """Joins an interface of a node to a port of the switch."""
        ip("link", "add", "name", port, "netns", self.switch, "type", "veth", "peer", "name", iface, "netns", node.ns)
        ip("link", "set", port, "master", bridge, "up", ns=self.switch)
        node.ip("link", "set", iface, "up")
        self.ports.add(port)

    def sniff(self, ignored_mac=None, protocols=()):
        """Starts a capture at the switch; `protocols` are what is wanted over IPv4 besides VRRP."""
        sniffer = Sniffer(self.switch, self.ports, ignored_mac, protocols)
        self.sniffers.append(sniffer)
        return sniffer

    def file(self, name, text):
        """Writes a file of the case and returns its path."""
        path = os.path.join(self.dir, name)
        # It may have passwords in it.
        with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
            out.write(text)
        return path

    def _report(self):
        for proc in self.procs:
            state = "running" if proc.running() else f"ended with {proc.child.returncode}"
            print(f"--- log of {proc.name} (pid {proc.pid}, {state})")
            for at, line in proc.log.lines[-120:]:
                print(f"    {at:.6f} {line}")
        for sniffer in self.sniffers:
            print(f"--- capture, last 80 of {len(sniffer.frames)} frames")
            for frame in sniffer.frames[-80:]:
                print(f"    {frame}")
        for node in self.nodes.values():
            try:
                print(f"--- addresses of {node.name}\n{node.ip('-br', 'addr')}", end="")
            except CaseFailed as error:
                print(f"--- addresses of {node.name}: {error}")
        sys.stdout.flush()

    def _remove(self):
        for proc in self.procs:
            try:
                proc.kill9()
            except CaseFailed as error:
                print(error)
        for sniffer in self.sniffers:
            sniffer.close()
        remove_namespaces(self.prefix + "-")
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


def _namespaces():
    return [line.split()[0] for line in ip("netns", "list").splitlines() if line.strip()]


def remove_namespaces(prefix):
    """Removes every namespace of that prefix, and the processes in it."""
    for name in [n for n in _namespaces() if n.startswith(prefix)]:
        _kill_inside(name)
        try:
            ip("netns", "del", name)
        except CaseFailed as error:
            print(error)


def _kill_inside(name):
    deadline = Deadline(5)
    while (pids := ip("netns", "pids", name).split()) and not deadline.passed():
        for pid in pids:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def remove_leftovers():
    """Removes what runs that are dead by now left behind (their pid is in the name)."""
    for name in _namespaces():
        owner = name.removeprefix(PREFIX).split("-")[0]
        if name.startswith(PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            print(f"removing {name}: left by a run that is gone")
            remove_namespaces(name)
    base = tempfile.gettempdir()
    for entry in os.listdir(base):
        owner = entry.removeprefix(PREFIX).split("-")[0]
        if entry.startswith(PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            shutil.rmtree(os.path.join(base, entry), ignore_errors=True)


def now():
    """The clock of captures and logs."""
    return time.time()


