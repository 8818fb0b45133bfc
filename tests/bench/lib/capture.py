"""Adverts and ARP as they pass an interface, with the kernel's times."""

import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import namedtuple

from lib.error import BenchError
from lib.tools import tool

# See c/capture.c. `at` is CLOCK_REALTIME in ns; VRID 0 is an ARP message.
Frame = namedtuple("Frame", "at source vrid priority outgoing mac")
_RECORD = struct.Struct("=q4sBBBB")


class Capture:
    """Context manager: what passes `iface` of `node` between enter and exit."""

    def __init__(self, lab, node, iface, arp=False):
        argv = [tool("capture"), iface, *(["arp"] if arp else [])]
        self.proc = lab.start(node, argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.bytes = bytearray()
        self.proc.stderr.readline()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while chunk := os.read(self.proc.stdout.fileno(), 65536):
            self.bytes += chunk

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(kind is None)

    def close(self, check=True):
        """Ends the capture; lost packets are an error."""
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            self.proc.wait(10)
            self.thread.join(10)
            error = self.proc.stderr.read().decode().strip()
            if check and self.proc.returncode != 0:
                raise BenchError(f"capture: {error}")

    def frames(self, source=None, since=0):
        """The frames so far, of one source address and from a time on if wanted."""
        whole = len(self.bytes) // _RECORD.size * _RECORD.size
        frames = [Frame(*record) for record in _RECORD.iter_unpack(bytes(self.bytes[:whole]))]
        wanted = socket.inet_aton(source) if source else None
        return [f for f in frames if (wanted is None or f.source == wanted) and f.at >= since]

    def adverts(self, source=None, since=0):
        """The adverts among them."""
        return [f for f in self.frames(source, since) if f.vrid]

    def wait(self, holds, timeout, what):
        """Waits until `holds()`, asked each 10 ms, is true, and returns that."""
        end = time.monotonic() + timeout
        while not (answer := holds()):
            if time.monotonic() > end:
                raise BenchError(f"waited {timeout} s in vain for {what}")
            time.sleep(0.01)
        return answer

    def wait_all_active(self, source, count, timeout, since=0):
        """Waits until `source` has sent adverts of `count` VRIDs."""
        return self.wait(lambda: len({f.vrid for f in self.adverts(source, since)}) >= count, timeout,
                         f"the adverts of {count} virtual routers from {source}")


def now_ns():
    """The clock of the captures."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def in_window(frames, start, end):
    """The frames between two times."""
    return [f for f in frames if start <= f.at < end]
