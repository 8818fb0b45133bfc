"""netifd as OPENWRT.md observed it, as far as uplinks go: a process of its own inside a node.

    netifd_model.py FOLDER PID_FILE INTERFACES

INTERFACES is JSON: names, each with its device and `auto`; one with `proto` "dhcp" runs udhcpc while it is up, one with
"pppoe" takes three seconds to come up, and one with an `address` (and a `gateway`) has that while it is up. What comes
in by the FIFO FOLDER/bus is a line each: the FIFO for the answer, or `-`, and words. `call …` is what ubus was asked;
`restart` is `network restart`; `event …` comes from udhcpc. At ifup and ifdown the process in PID_FILE gets SIGHUP, as
from the package's hotplug script.
"""

import errno
import json
import os
import select
import signal
import subprocess
import sys
import time

SCRIPT = """#!/bin/sh
case "$1" in
bound | renew)
    ip addr replace "$ip/24" dev "$interface"
    [ -z "$router" ] || ip route replace default via "$router" dev "$interface"
    echo "- event $NAME $1 $$" >{folder}/bus ;;
deconfig) ip addr flush dev "$interface" ;;
esac
"""
# A session with a provider, from the search for one to the address.
DIAL = 'sleep 3; echo "- event $NAME up $$" >"$0/bus"; exec sleep infinity'


class Interface:
    """One logical interface."""

    def __init__(self, model, name, device, auto=False, proto="dhcp", address=None, gateway=None):
        self.model, self.name, self.device, self.auto, self.proto = model, name, device, auto, proto
        self.address, self.gateway = address, gateway
        self.autostart, self.state, self.client = auto, "down", None

    def up(self):
        """interface_set_up()"""
        self.autostart = True
        if self.state != "down":
            return
        subprocess.run(["ip", "link", "set", self.device, "up"], check=False)
        programs = {"dhcp": ["busybox", "udhcpc", "-f", "-R", "-t", "0", "-T", "1", "-i", self.device,
                             "-s", self.model.script], "pppoe": ["sh", "-c", DIAL, self.model.folder]}
        if self.proto not in programs:
            self.is_up()
            return
        self.state = "setup"
        self.client = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *programs[self.proto]],
                                       env=os.environ | {"NAME": self.name}, stdin=subprocess.DEVNULL)

    def is_up(self):
        """The protocol has its address."""
        if self.state != "up":
            if self.address:
                subprocess.run(["ip", "addr", "replace", self.address, "dev", self.device], check=False)
            if self.gateway:
                subprocess.run(["ip", "route", "replace", "default", "via", self.gateway], check=False)
            self.state = "up"
            self.model.hotplug("ifup", self.name)

    def take_down(self):
        """__interface_set_down()"""
        if self.state == "down":
            return
        if self.client:
            self.client.terminate()
            self.client.wait()
            self.client = None
        if self.address:
            subprocess.run(["ip", "-4", "addr", "flush", "dev", self.device], check=False)
        if self.proto in ("dhcp", "pppoe"):
            subprocess.run(["ip", "addr", "flush", "dev", self.device], check=False)
            subprocess.run(["ip", "link", "set", self.device, "down"], check=False)
        self.state = "down"
        self.model.hotplug("ifdown", self.name)

    def dump(self):
        """Its part of `network.interface dump`."""
        said = {"interface": self.name, "up": self.state == "up", "pending": self.state == "setup", "available": True,
                "autostart": self.autostart, "proto": self.proto, "device": self.device, "data": {}}
        return said | ({"l3_device": self.device} if self.state == "up" else {})


class Model:
    """All of them, and the bus."""

    def __init__(self, folder, pid_file, interfaces):
        self.folder, self.pid_file = folder, pid_file
        self.script = os.path.join(folder, "udhcpc")
        with open(self.script, "w", encoding="ascii") as out:
            out.write(SCRIPT.format(folder=folder))
        os.chmod(self.script, 0o755)
        self.interfaces = {name: Interface(self, name, **how) for name, how in interfaces.items()}
        bus = os.path.join(folder, "bus")
        os.mkfifo(bus)
        # Open for writing as well: there is no end of file.
        self.bus = os.open(bus, os.O_RDWR)
        self.boot()

    def boot(self):
        """What is `auto` comes up, with the configuration's value of it."""
        for interface in self.interfaces.values():
            interface.autostart = interface.auto
            if interface.auto:
                interface.up()
            elif interface.proto in ("dhcp", "pppoe"):
                subprocess.run(["ip", "link", "set", interface.device, "down"], check=False)

    def hotplug(self, action, name):
        """The hotplug script of the package."""
        print(f"{action} {name}", flush=True)
        try:
            with open(self.pid_file, encoding="ascii") as file:
                os.kill(int(file.read()), signal.SIGHUP)
        except (OSError, ValueError):
            pass

    def run(self):
        """Serves until it is killed."""
        rest = b""
        print("serves", flush=True)
        while True:
            select.select([self.bus], [], [])
            *lines, rest = (rest + os.read(self.bus, 4096)).split(b"\n")
            for line in lines:
                reply, *words = line.decode().split()
                code, text = self.asked(words)
                if reply != "-":
                    self.answer(reply, f"{code}\n{text}")

    def asked(self, words):
        """Exit code of ubus, and what it prints."""
        if words[-1] != "dump":
            print(*words, flush=True)
        match words:
            case ["call", "network.interface", "dump"]:
                listed = [interface.dump() for interface in self.interfaces.values()]
                return 0, json.dumps({"interface": listed})
            case ["call", path, "up" | "down" as what] if path.removeprefix("network.interface.") in self.interfaces:
                interface = self.interfaces[path.removeprefix("network.interface.")]
                if what == "up":
                    interface.up()
                else:
                    interface.autostart = False
                    interface.take_down()
                return 0, ""
            case ["restart"]:
                for interface in self.interfaces.values():
                    interface.take_down()
                self.boot()
                return 0, ""
            case ["event", name, *_]:
                interface = self.interfaces[name]
                if interface.state == "setup":
                    interface.is_up()
                return 0, ""
        return 4, ""

    @staticmethod
    def answer(path, text):
        """To who asked, unless he has been killed."""
        for _ in range(100):
            try:
                fifo = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno not in (errno.ENXIO, errno.ENOENT):
                    raise
                time.sleep(0.01)
                continue
            try:
                os.write(fifo, text.encode())
            except BrokenPipeError:
                pass
            os.close(fifo)
            return


if __name__ == "__main__":
    Model(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])).run()
