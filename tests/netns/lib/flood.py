"""A process that sends one frame as fast as it can: `flood.py IFACE HEX SECONDS`."""

import socket
import sys
import time


def main():
    """Floods, then prints how many frames went out."""
    iface, frame, seconds = sys.argv[1], bytes.fromhex(sys.argv[2]), float(sys.argv[3])
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((iface, 0))
    send, clock, sent = sock.send, time.monotonic, 0
    end = clock() + seconds
    while clock() < end:
        for _ in range(64):
            try:
                send(frame)
                sent += 1
            except OSError:
                pass  # the queue is full: a flood goes on
    print(f"sent {sent}", flush=True)


main()
