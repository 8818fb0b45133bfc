"""A stand-in for netifd: a `/bin/ubus` that a daemon inside the lab sees, and that says what it is told to."""

import json
import os
import subprocess

from lib.life import replace_file
from lib.vipd import Vipd, binary

SCRIPT = """#!/bin/sh
echo "$*" >>{folder}/calls
[ "$*" = "call network.interface dump" ] || exit 2
. {folder}/does
"""
# The program's folder with one more file in it. `ip netns exec` has made a mount namespace.
MOUNT = 'mount -t overlay overlay -o "lowerdir=$1:/usr/bin" /usr/bin && shift && exec "$@"'


class Netifd:
    """Interfaces and their devices, as `ubus call network.interface dump` tells them."""

    def __init__(self, lab, name="netifd", **devices):
        self.folder = os.path.join(lab.dir, name)
        self.bin = os.path.join(self.folder, "bin")
        os.makedirs(self.bin)
        path = os.path.join(self.bin, "ubus")
        with open(path, "w", encoding="ascii") as out:
            out.write(SCRIPT.format(folder=self.folder))
        os.chmod(path, 0o755)
        self.says(**devices)

    def does(self, script):
        """What ubus does from now on: lines of shell."""
        replace_file(os.path.join(self.folder, "does"), script + "\n")

    def says(self, **devices):
        """Which device each interface has; None: it is down."""
        listed = [{"interface": "loopback", "up": True, "l3_device": "lo", "data": {}}]
        for name, device in devices.items():
            up = {"up": device is not None, "pending": False, "available": True, "proto": "static"}
            there = {"l3_device": device, "device": device} if device else {"device": "decoy0"}
            listed.append({"interface": name} | up | there | {"data": {"interface": "decoy", "l3_device": "lo"}})
        self.does("cat <<'END'\n" + json.dumps({"interface": listed}, indent="\t") + "\nEND")

    def calls(self):
        """How often it was asked."""
        with open(os.path.join(self.folder, "calls"), encoding="ascii") as file:
            return len(file.readlines())

    def command(self, *argv):
        """A command line with this ubus in its /bin."""
        return ["sh", "-c", MOUNT, "sh", self.bin, *argv]

    def vipd(self, node, conf, **options):
        """`vipd run` beside this netifd."""
        return Vipd(node, conf, command=self.command(binary()), **options)

    def check(self, node, path):
        """`vipd check`: exit code, and what it printed."""
        argv = ["ip", "netns", "exec", node.ns, *self.command(binary(), "check", path)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
        return done.returncode, done.stdout + done.stderr


ASK = """
r={folder}/reply.$$
mkfifo "$r" || exit 4
echo "$r $*" >{folder}/bus
{{ read -r code; cat; }} <"$r"
rm -f "$r"
exit "$code"
"""


class Uplinks(Netifd):
    """A netifd that brings interfaces up and down: `netifd_model.py` in a node, and its /bin/ubus."""

    def __init__(self, lab, node, **interfaces):
        super().__init__(lab, name=f"netifd-{node.name}")
        self.node = node
        pid_file = os.path.join(node.folder("run"), "vipd.pid")
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "netifd_model.py")
        self.model = node.popen("netifd", ["python3", path, self.folder, pid_file, json.dumps(interfaces)])
        self.model.log.wait("serves", 10)
        path = os.path.join(self.bin, "ubus")
        replace_file(path, f"#!/bin/sh\n. {self.folder}/does\n")
        os.chmod(path, 0o755)
        self.works()

    def works(self):
        """ubus asks the model."""
        self.does(ASK.format(folder=self.folder))

    def ask(self, *words):
        """Asks the model as ubus would; returns what it says."""
        done = subprocess.run(["sh", "-c", ASK.format(folder=self.folder), "ubus", *words],
                              capture_output=True, text=True, timeout=10)
        return done.stdout

    def state(self, name):
        """Up, coming up or down, as netifd has it."""
        listed = json.loads(self.ask("call", "network.interface", "dump"))["interface"]
        it = next(entry for entry in listed if entry["interface"] == name)
        return "up" if it["up"] else "setup" if it["pending"] else "down"
