"""Sends crafted frames: one, a trickle, or a flood as fast as the machine can."""

import os
import socket
import sys
import time

from lib import ns
from lib.check import CaseFailed

HERE = os.path.dirname(os.path.abspath(__file__))


class Injector:
    """Raw frames out of a node's interface."""

    def __init__(self, node):
        self.node = node
        with ns.entered(node.ns):
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._sock.bind((node.iface, 0))

    def send(self, frame):
        """Sends one frame."""
        self._sock.send(frame)

    def trickle(self, frame, interval, seconds):
        """Sends a frame each `interval` seconds for `seconds`; returns how many."""
        end, sent = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            self._sock.send(frame)
            sent += 1
            time.sleep(interval)
        return sent

    def flood(self, frame, seconds):
        """Sends a frame without a pause for `seconds` from a process of its own; returns how many."""
        proc = self.node.popen("flood", [sys.executable, "-I", f"{HERE}/flood.py",
                                         self.node.iface, frame.hex(), str(seconds)])
        if proc.wait(seconds + 20) != 0:
            raise CaseFailed(f"the flood ended badly: {proc.log.lines[-3:]}")
        return int(proc.log.wait(r"^sent (\d+)", 5).group(1))
