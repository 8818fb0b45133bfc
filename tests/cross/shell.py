#!/usr/bin/env python3
"""A MIPS machine by hand: `shell.py [BINARY…]`. Needs root.

Boots it on a switch with the binaries (and the router binary of mips, if it is built) in its /bin, and runs
each line of standard input in it. `&` works; output of what runs on is had by `> /tmp/FILE`. Says which
namespace holds the switch, for tcpdump and for peers.
"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/netns")]
sys.dont_write_bytecode = True

from lib import conf  # noqa: E402
from lib.lab import BRIDGE, Lab, remove_leftovers  # noqa: E402
from machine import Machine  # noqa: E402

ROUTER = os.path.join(ROOT, "target/cross/mips-unknown-linux-musl/router/vipd")


def guest(part):
    """The path of a part of the machine, which is built if need be."""
    done = subprocess.run([os.path.join(HERE, "guest.sh"), part], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def main():
    """The command line."""
    if os.geteuid() != 0:
        sys.exit("a machine needs root, for its wire: sudo tests/cross/shell.py")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    paths = [guest("busybox"), *([ROUTER] if os.path.exists(ROUTER) else []), *sys.argv[1:]]
    files = {"busybox" if n == 0 else os.path.basename(path): path for n, path in enumerate(paths)}
    remove_leftovers()
    with Lab() as lab:
        machine = Machine(lab, "n1", conf.NODE1, guest("kernel"), files)
        print(f"{conf.NODE1} on {machine.iface}; beside it: ip netns exec {lab.switch} tcpdump -ni {BRIDGE}", flush=True)
        for line in sys.stdin:
            code, out, err = machine.sh(line.rstrip("\n"))
            print(out + err + (f"(ended with {code})\n" if code else ""), end="", flush=True)


if __name__ == "__main__":
    main()
