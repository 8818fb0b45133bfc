#!/usr/bin/env python3
"""A machine by hand: `shell.py [mips|arm|aarch64] [BINARY…]`. Needs root.

Boots it on a switch with the binaries (and its router binary, if it is built) in its /bin, and runs
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
from programs import OnMachine  # noqa: E402

TRIPLES = {"mips": "mips-unknown-linux-musl", "arm": "armv5te-unknown-linux-musleabi",
           "aarch64": "aarch64-unknown-linux-musl"}
DEBIAN = {"arm": "armhf", "aarch64": "arm64"}


def guest(part):
    """The path of a part of the machine, which is built if need be."""
    done = subprocess.run([os.path.join(HERE, "guest.sh"), part], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def main():
    """The command line."""
    if os.geteuid() != 0:
        sys.exit("a machine needs root, for its wire: sudo tests/cross/shell.py")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    name, binaries = "mips", sys.argv[1:]
    if binaries and binaries[0] in TRIPLES:
        name = binaries.pop(0)
    if name in DEBIAN:
        folder = guest(DEBIAN[name])
        kernel, busybox, modules = (os.path.join(folder, part) for part in ("kernel", "busybox", "modules"))
    else:
        kernel, busybox, modules = guest("kernel"), guest("busybox"), ""
    router = os.path.join(ROOT, "target/cross", TRIPLES[name], "router/vipd")
    program = OnMachine(name, kernel, busybox, modules, router if os.path.exists(router) else busybox, "")
    remove_leftovers()
    with Lab() as lab:
        machine = program.place(lab, "n1", conf.NODE1, **{os.path.basename(path): path for path in binaries})
        print(f"{conf.NODE1} on {machine.iface}; beside it: ip netns exec {lab.switch} tcpdump -ni {BRIDGE}", flush=True)
        for line in sys.stdin:
            code, out, err = machine.sh(line.rstrip("\n"))
            print(out + err + (f"(ended with {code})\n" if code else ""), end="", flush=True)


if __name__ == "__main__":
    main()
