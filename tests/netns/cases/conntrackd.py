"""The example for conntrackd: a connection through NAT goes on at the router that takes over."""

import os
import subprocess
import time

from lib import conf
from lib.check import CaseFailed, Deadline, check, each, equal, limits
from lib.lab import Lab
from lib.vipd import Vipd

EXAMPLE = os.path.join(os.path.dirname(__file__), "../../../openwrt/examples/conntrackd")
WAN_VIP, SERVER = "203.0.113.1", "203.0.113.9"
# As strict as a firewall can be: a packet in the middle of a connection that the kernel does not know is dropped.
FIREWALL = f"""
table ip gate {{
    chain forward {{
        type filter hook forward priority 0; policy drop;
        ct state invalid drop
        ct state established accept
        iifname ens160 ct state new accept
    }}
    chain postrouting {{
        type nat hook postrouting priority 100;
        oifname wan0 snat to {WAN_VIP}
    }}
}}
"""
ECHO = """import socket
listener = socket.create_server(("0.0.0.0", 7))
while True:
    peer, address = listener.accept()
    print("from", address[0], flush=True)
    while data := peer.recv(100):
        peer.sendall(data)
"""
# One connection. What it says again and again is answered, or it waits.
TALK = f"""import itertools, socket, time
line = socket.create_connection(("{SERVER}", 7))
for n in itertools.count():
    line.sendall(b"%d " % n)
    print("echo", line.recv(100).decode(), flush=True)
    time.sleep(0.05)
"""


def example(node, name, **replaced):
    """A file of the example in a node, with other values."""
    with open(os.path.join(EXAMPLE, name), encoding="utf-8") as file:
        text = file.read()
    for old, new in replaced.values():
        check(old in text, f"{name} has no {old}")
        text = text.replace(old, new)
    return node.file(name, text)


class Router:
    """vipd with a sync group over both sides, a firewall with NAT, and conntrackd."""

    def __init__(self, lab, name, own, other, number, priority, hooked):
        self.node = lab.node(name, own)
        lab.plug(self.node, "wan0", f"{name}-wan")
        self.node.ip("addr", "add", f"203.0.113.{number}/24", "dev", "wan0")
        rules = self.node.file("gate.nft", FIREWALL)
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.run("nft", "-f", rules)
        # It is there once a rule tracks connections.
        self.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=0")
        folder = self.node.folder("conntrackd")
        self.config = example(
            self.node, "conntrackd.conf", lan=("br-lan", "ens160"), lock=("/var/run/conntrackd.lock", f"{folder}/lock"),
            control=("/var/run/conntrackd.ctl", f"{folder}/ctl"), log=("Syslog on", "Syslog off"),
            own=("192.168.1.2", own.split("/")[0]), other=("192.168.1.3", other.split("/")[0]))
        hook = example(self.node, "vipd-conntrackd.sh", config=("/etc/conntrackd/conntrackd.conf", self.config))
        os.chmod(hook, 0o755)
        self.conntrackd = self.node.popen("conntrackd", ["conntrackd", "-C", self.config])
        until(lambda: os.path.exists(f"{folder}/ctl"), 10, "conntrackd's socket")
        lan = conf.instance("LAN", priority=priority)
        wan = conf.instance("WAN", iface="wan0", vrid=51, priority=priority, vips=(f"{WAN_VIP}/24",))
        notify = f"    notify {hook}\n" if hooked else ""
        self.vipd = Vipd(self.node, f"vrrp_sync_group gateway {{\n    group {{ LAN WAN }}\n{notify}}}\n{lan}{wan}")

    def run(self, *argv):
        """A command in the node: its output."""
        return run(self.node, *argv)

    def known(self):
        """The connections to the server that the kernel knows."""
        return self.run("conntrack", "-L", "-p", "tcp", "-d", SERVER, "--dport", "7", "--state", "ESTABLISHED")

    def waiting(self):
        """What the other router has told, and is not in the kernel."""
        return self.run("conntrackd", "-C", self.config, "-e")


def run(node, *argv):
    """A command in a node, which must not fail: its output."""
    done = subprocess.run(["ip", "netns", "exec", node.ns, *argv], capture_output=True, text=True, timeout=20)
    check(done.returncode == 0, f"{argv} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def until(holds, seconds, what):
    """Asks again and again, for there is no event to wait for."""
    deadline = Deadline(seconds)
    while not holds():
        if deadline.passed():
            raise CaseFailed(f"not within {seconds} s: {what}")
        time.sleep(0.05)


@each("hook", "none")
@limits(timeout=90)
def case_a_connection_goes_on_through_the_other_router(hook):
    with Lab() as lab:
        first = Router(lab, "n1", conf.NODE1, conf.NODE2, 2, 150, hook == "hook")
        first.vipd.wait_state("Active", 10, name="WAN")
        second = Router(lab, "n2", conf.NODE2, conf.NODE1, 3, 100, hook == "hook")
        second.vipd.wait_state("Backup", 10, name="WAN")
        server, client = lab.node("server", f"{SERVER}/24"), lab.node("client", conf.CLIENT)
        client.ip("route", "add", "default", "via", conf.VIP)
        first.node.wait_has(conf.VIP, 5)
        echo = server.popen("echo", ["python3", "-c", ECHO])
        until(lambda: run(server, "ss", "-Htln", "sport = :7"), 10, "the server listens")
        talk = client.popen("talk", ["python3", "-c", TALK])
        talk.log.wait_count("echo", 5, 20)
        equal(echo.log.matches("from"), [f"from {WAN_VIP}"], "the connection comes from the virtual address")
        until(lambda: f"dst={SERVER}" in second.waiting(), 10, "the connection is in the other router's cache")
        equal(second.known(), "", "connections in the other router's kernel before the failover")
        first.node.link("down")
        second.vipd.wait_state("Active", 10, name="WAN")
        after = talk.log.mark()
        if hook == "hook":
            talk.log.wait_count("echo", 5, 20, after)
            equal(second.known().count(f"dst={WAN_VIP}"), 1, "connections in the other router's kernel")
            equal(len(echo.log.matches("from")), 1, "it is the same connection")
        else:
            # The control: what the client sends is dropped, for nobody has told the kernel.
            talk.log.wait_quiet(2, 10)
            equal(second.known(), "", "connections in the other router's kernel without the hook")

