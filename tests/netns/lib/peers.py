"""The peers: keepalived and FRR, each inside a node, with its log."""

import os
import re
import shutil
import signal
import subprocess
import time

from lib.check import CaseFailed, check

# What a peer says when it dislikes one of our adverts.
COMPLAINT = (r"(?i)invalid|mismatch|bogus|malformed|ignor|discard|dropp|incorrect|unexpected|"
             r"\bbad\b|error|wrong|not valid|different|unsupported|truncated|checksum|conflict")
# Lines that hold such a word and say nothing about an advert.
HARMLESS = (r"setting config option|Refusing to start Virtual Router|EC 4043309110|"
            r"stream_read_try|encountered an error and is shutting down|Setting protodown|"
            r"script user|SECURITY VIOLATION|track_process|received lower priority \(\d+\) advert|"
            r"Received VRRP Advertisement from|Discarding advertisement from \S+ \((\d+) <=? \d+ &")


def complaints(proc, since=0):
    """The lines of a peer's log that complain."""
    return [line for line in proc.log.matches(COMPLAINT, since) if not re.search(HARMLESS, line)]


class Keepalived:
    """keepalived in the foreground, VRRP part alone; parent and child are one session."""

    def __init__(self, node, conf, name="keepalived"):
        check(shutil.which("keepalived"), "keepalived is not installed: run tests/run, which installs it")
        base = os.path.join(node.lab.dir, f"{node.name}-{name}")
        path = node.lab.file(f"{node.name}-{name}.conf", conf)
        self.node = node
        self.proc = node.popen(name, ["keepalived", "--dont-fork", "--log-console", "--log-detail",
                                      "--no-syslog", "--vrrp", "--use-file", path,
                                      f"--pid={base}.pid", f"--vrrp_pid={base}-vrrp.pid"])
        self.log = self.proc.log

    def wait_master(self, timeout, since=0, name="VI_1"):
        """Waits until it says that it is master."""
        self.log.wait(rf"\({name}\) Entering MASTER STATE", timeout, since)

    def wait_backup(self, timeout, since=0, name="VI_1"):
        """Waits until it says that it is backup."""
        self.log.wait(rf"\({name}\) Entering BACKUP STATE", timeout, since)

    def terminate(self):
        """SIGTERM: it sends priority 0 and leaves."""
        return self.proc.terminate()

    def kill9(self):
        """A crash of parent and child."""
        self.proc.kill9()

    def complaints(self, since=0):
        """What it disliked."""
        return complaints(self.proc, since)


class Frr:
    """FRR's zebra and vrrpd with one virtual router of version 3 on a macvlan."""

    DAEMONS = "/usr/lib/frr"

    def __init__(self, node, vrid, priority, interval_ms, vip, name="frr"):
        check(os.path.exists(f"{self.DAEMONS}/vrrpd"), "FRR is not installed: run tests/run, which installs it")
        self.node, self.vrid = node, vrid
        self.dir = os.path.join(node.lab.dir, f"{node.name}-{name}")
        os.mkdir(self.dir)
        shutil.chown(self.dir, "frr", "frr")
        vips = [vip] if isinstance(vip, str) else list(vip)
        word, self.family = ("ipv6", "IPv6") if ":" in vips[0] else ("ip", "IPv4")
        if word == "ipv6":
            self._macvlan6(vips)
        else:
            self._macvlan(vips)
        self._config("zebra", "")
        self._config("vrrpd", f"debug vrrp\ninterface {node.iface}\n"
                     f" vrrp {vrid} version 3\n vrrp {vrid} priority {priority}\n"
                     f" vrrp {vrid} advertisement-interval {interval_ms}\n\n"
                     + "".join(f" vrrp {vrid} {word} {address}\n" for address in vips))
        self.zebra = self._start("zebra")
        self._wait_file("zserv.api")
        self.vrrpd = self._start("vrrpd")
        self.log = self.vrrpd.log

    def _macvlan(self, vips):
        node, vmac = self.node, f"00:00:5e:00:01:{self.vrid:02x}"
        if any(a["dev"] == "vrrp4" for a in node.addresses()):
            return
        node.ip("link", "add", "vrrp4", "link", node.iface, "address", vmac, "type", "macvlan", "mode", "bridge")
        for vip in vips:
            node.ip("addr", "add", f"{vip}/32", "dev", "vrrp4")
        node.ip("link", "set", "vrrp4", "up")

    def _macvlan6(self, vips):
        """The link-local address among `vips` is the source of its adverts."""
        node, vmac = self.node, f"00:00:5e:00:02:{self.vrid:02x}"
        if any(a["dev"] == "vrrp6" for a in node.addresses6()):
            return
        node.ip("link", "add", "vrrp6", "link", node.iface, "address", vmac, "type", "macvlan", "mode", "bridge")
        node.ip("link", "set", "vrrp6", "addrgenmode", "none")
        for address in vips:
            node.ip("addr", "add", f"{address}/64", "dev", "vrrp6", "nodad")
        node.ip("link", "set", "vrrp6", "up")

    def _config(self, daemon, text):
        path = os.path.join(self.dir, f"{daemon}.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        shutil.chown(path, "frr", "frr")

    def _start(self, daemon):
        base = f"{self.dir}/{daemon}"
        return self.node.popen(daemon, [f"{self.DAEMONS}/{daemon}", "-f", f"{base}.conf", "-i", f"{base}.pid",
                                        "-z", f"{self.dir}/zserv.api", "--vty_socket", self.dir,
                                        "--log", "stdout", "--log-level", "debug", "-P", "0"])

    def _wait_file(self, name):
        """Waits for zebra's socket; zebra says that it is starting just before it listens."""
        for _ in range(500):
            if os.path.exists(os.path.join(self.dir, name)):
                return
            time.sleep(0.02)
        raise CaseFailed(f"zebra made no {name} within 10 s")

    def wait_master(self, timeout, since=0):
        """Waits until it says that it is master."""
        self.log.wait(rf"\[{self.family}\] \w+ -> Master", timeout, since)

    def wait_backup(self, timeout, since=0):
        """Waits until it says that it is backup."""
        self.log.wait(rf"\[{self.family}\] \w+ -> Backup", timeout, since)

    def received(self):
        """How many adverts vrrpd counted as received."""
        done = subprocess.run(["vtysh", "--vty_socket", self.dir, "-d", "vrrpd", "-c", "show vrrp"],
                              capture_output=True, text=True, timeout=20)
        for line in done.stdout.splitlines():
            if line.strip().startswith(f"Advertisements Rx (v{self.family[-1]})"):
                return int(line.split()[-1])
        raise CaseFailed(f"vtysh showed no count of received adverts: {done.stdout}{done.stderr}")

    def terminate(self):
        """SIGTERM to vrrpd, then zebra."""
        self.vrrpd.terminate()
        self.zebra.terminate()

    def kill9(self):
        """A crash of both daemons."""
        self.vrrpd.signal(signal.SIGKILL)
        self.zebra.signal(signal.SIGKILL)
        self.vrrpd.wait()
        self.zebra.wait()

    def complaints(self, since=0):
        """What vrrpd disliked."""
        return complaints(self.vrrpd, since)
