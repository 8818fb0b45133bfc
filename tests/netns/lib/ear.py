"""A thread that hears the IPv4 packets of a node's interface."""

import socket
import threading

from lib import ns

ETH_P_IP = 0x0800


class Ear:
    """Hands each frame that comes in, from now on, to `hear`."""

    def __init__(self, node):
        with ns.entered(node.ns):
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self._sock.bind((node.iface, ETH_P_IP))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                raw, address = self._sock.recvfrom(2048)
            except OSError:
                return
            if address[2] != socket.PACKET_OUTGOING:
                self.hear(raw)

    def hear(self, raw):
        """A frame."""
        raise NotImplementedError

    def close(self):
        """Hears no more."""
        self._sock.close()
