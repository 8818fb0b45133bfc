"""Which sockets a daemon listens on, as the kernel has them, and a firewall to deafen some."""

import time

from lib.check import CaseFailed, Deadline

ETH_P_IP, VRRP = 0x0800, 112


def taps(node, proc):
    """How many packet sockets of the node's namespace tap IPv4."""
    return sum(1 for row in _table(proc, "packet") if int(row[3], 16) == ETH_P_IP)


def raws(node, proc):
    """How many raw IP sockets of the node's namespace hear protocol 112."""
    return sum(1 for row in _table(proc, "raw") if int(row[1].partition(":")[2], 16) == VRRP)


def _table(proc, name):
    with open(f"/proc/{proc.pid}/net/{name}", encoding="ascii") as file:
        return [line.split() for line in file.readlines()[1:]]


def wait_ears(node, proc, tap, raw, timeout):
    """Waits until there are so many of both; no event tells of a socket, so the tables are read again."""
    deadline = Deadline(timeout)
    while (seen := (taps(node, proc), raws(node, proc))) != (tap, raw):
        if deadline.passed():
            raise CaseFailed(f"{node.name} has {seen[0]} taps and {seen[1]} raw sockets, not {tap} and {raw}")
        time.sleep(0.01)


def close_firewall(node, what="", hook="input"):
    """A chain of that hook that drops everything, or what the words of `what` match."""
    _nft(node, "add table ip fw", f"add chain ip fw {hook} {{ type filter hook {hook} priority 0 ; }}",
         f"add rule ip fw {hook} {what} drop")


def open_firewall(node):
    """Takes the chain away again."""
    _nft(node, "delete table ip fw")


def _nft(node, *commands):
    path = node.lab.file(f"{node.name}.nft", "\n".join(commands) + "\n")
    proc = node.popen("nft", ["nft", "-f", path])
    if proc.wait(10) != 0:
        raise CaseFailed(f"nft: {proc.log.lines}")
