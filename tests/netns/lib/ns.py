"""Network namespaces: entering one, and waiting for an event of its kernel."""

import contextlib
import ctypes
import os
import select
import socket
import subprocess

from lib.check import CaseFailed, Deadline

CLONE_NEWNET = 0x40000000
NETNS_DIR = "/run/netns"
# rtnetlink multicast groups: links, neighbours, IPv4 and IPv6 addresses.
LINK, NEIGH, IPV4_ADDR, IPV6_ADDR = 0x1, 0x4, 0x10, 0x100

_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"setns: {os.strerror(errno)}")


@contextlib.contextmanager
def entered(name):
    """This thread is inside namespace `name`; sockets made meanwhile stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"{NETNS_DIR}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(there)
        os.close(home)


def ip(*args, ns=None, text=None, timeout=20):
    """Runs `ip` (in namespace `ns`) and returns its output; a refusal is a CaseFailed."""
    argv = ["ip"] + (["-n", ns] if ns else []) + [str(a) for a in args]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise CaseFailed(f"{' '.join(argv)} failed: {done.stderr.strip()}")
    return done.stdout


def wait_kernel(ns, holds, timeout, what, groups=LINK | NEIGH | IPV4_ADDR | IPV6_ADDR):
    """Asks `holds()` again at each kernel event of `ns` until it is true, and returns that.

    An event can be lost in a storm (ENOBUFS), so the question is also asked once a second.
    """
    deadline = Deadline(timeout)
    with entered(ns):
        events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with events:
        events.bind((0, groups))
        events.setblocking(False)
        while True:
            answer = holds()
            if answer:
                return answer
            if deadline.passed():
                raise CaseFailed(f"waited {timeout} s in vain for: {what}")
            select.select([events], [], [], min(1.0, deadline.left()))
            _drain(events)


def _drain(events):
    for _ in range(10_000):
        try:
            events.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            continue
