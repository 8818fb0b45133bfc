"""A whole machine with a kernel of its own, on a port of a laboratory's switch.

A `Machine` is a `Node`: the same questions are answered by commands inside it. Three serial ports: the
kernel's console, commands (guest/init), and the output of what `popen` started (guest/spawn).
"""

import ipaddress
import os
import re
import signal
import socket
import threading
import time
from dataclasses import dataclass

from lib.check import CaseFailed, Deadline, check, equal
from lib.lab import BRIDGE, Node
from lib.ns import ip
from lib.proc import Log, Proc

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT_S, COMMAND_S = 60, 30
IFA_FLAGS = {"nodad": 0x02, "dadfailed": 0x08, "tentative": 0x40}
EXECUTABLE, LINK = 0o100755, 0o120777


@dataclass
class Board:
    """A kind of machine: its emulator, network device and console, the two serial ports beside the console as the
    emulator makes them of two paths, and their names in the machine."""

    emulator: str
    network: str
    console: str
    serial: str
    ports: tuple


# ARM's board has one serial port; the others are virtio's.
VIRT = ("virtio-net-device", "ttyAMA0", "-device virtio-serial-device -chardev socket,id=a,path={} "
        "-device virtconsole,chardev=a -chardev socket,id=b,path={} -device virtconsole,chardev=b", ("hvc0", "hvc1"))
BOARDS = {
    "mips": Board("qemu-system-mips -M malta -cpu 24Kc -vga none", "virtio-net-pci,romfile=", "ttyS0",
                  "-serial unix:{} -serial unix:{}", ("ttyS1", "ttyS2")),
    "arm": Board("qemu-system-arm -M virt -cpu cortex-a15", *VIRT),
    "aarch64": Board("qemu-system-aarch64 -M virt -cpu cortex-a53", *VIRT),
}


class Machine(Node):
    """`files` are what is in it, by path; `address` has its prefix length, or is None."""

    def __init__(self, lab, name, address, board, kernel, files, iface="ens160"):
        super().__init__(lab, name, iface)
        self.ns = lab.switch  # where the emulator runs
        self.number, self.spawned = len(lab.procs), 0
        self._guests = {}
        self._plug()
        commands, output = (self._listener(port) for port in ("commands", "output"))
        self.qemu = self._boot(board, kernel, self._initramfs(files))
        self._wire = _accept(commands)
        self._commands = self._wire.makefile("rwb")
        threading.Thread(target=self._listen, args=(_accept(output),), daemon=True).start()
        self._wait_boot()
        self._configure(address)

    def _plug(self):
        ip("tuntap", "add", self.name, "mode", "tap", ns=self.lab.switch)
        ip("link", "set", self.name, "master", BRIDGE, "up", ns=self.lab.switch)
        self.lab.ports.add(self.name)

    def _path(self, name):
        return os.path.join(self.lab.dir, f"{self.name}.{name}")

    def _listener(self, port):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._path(port))
        listener.listen(1)
        return listener

    def _initramfs(self, files):
        archive = _cpio({
            "bin": (0o40755, b""), "dev": (0o40755, b""), "proc": (0o40755, b""), "sys": (0o40755, b""),
            "tmp": (0o40755, b""), "run": (0o40755, b""), "modules": (0o40755, b""), "bin/sh": (LINK, b"busybox"),
            "init": (EXECUTABLE, _read(f"{HERE}/guest/init")),
            "bin/spawn": (EXECUTABLE, _read(f"{HERE}/guest/spawn")),
            **{place: (EXECUTABLE, _read(path)) for place, path in files.items()},
        })
        with open(self._path("initramfs"), "wb") as out:
            out.write(archive)
        return self._path("initramfs")

    def _boot(self, board, kernel, initramfs):
        mac = f"52:54:00:76:70:{self.number:02x}"
        # What the kernel does not know is the environment of process 1.
        commands, output = board.ports
        append = f"console={board.console} quiet panic=-1 COMMANDS=/dev/{commands} OUTPUT=/dev/{output}"
        serial = board.serial.format(self._path("commands"), self._path("output"))
        argv = ["ip", "netns", "exec", self.ns, *board.emulator.split(), "-m", "128",
                "-no-reboot", "-display", "none", "-monitor", "none", "-nic", "none",
                "-kernel", kernel, "-initrd", initramfs, "-append", append,
                "-netdev", f"tap,id=wire,ifname={self.name},script=no,downscript=no",
                "-device", f"{board.network},netdev=wire,mac={mac}",
                "-serial", "file:/dev/stdout", *serial.split()]
        proc = Proc(f"{self.name}/machine", argv)
        self.lab.procs.append(proc)
        return proc

    def _wait_boot(self):
        try:
            equal(self._commands.readline(), b"ready\n", f"what {self.name} said when it had booted")
        except TimeoutError:
            raise CaseFailed(f"{self.name} did not boot within {BOOT_S} s") from None
        self._wire.settimeout(COMMAND_S)

    def _configure(self, address):
        self.must("ip", "link", "set", "eth0", "name", self.iface)
        if address:
            self.must("ip", "addr", "add", address, "dev", self.iface)
            self.address = address.split("/")[0]
        self.must("ip", "link", "set", self.iface, "up")

    def _listen(self, connection):
        """The third serial port: each line to the process whose it is, and to the machine's log."""
        guest = None
        connection.settimeout(None)
        for raw in connection.makefile("rb"):
            line = raw.decode(errors="replace").rstrip("\r\n")
            self.qemu.log.add(line)
            if mark := re.match(r"@start (\d+) (\d+)$", line):
                guest = self._guests[int(mark.group(1))]
                guest.begin(int(mark.group(2)))
            elif mark := re.match(r"@end (\d+) (\d+)$", line):
                self._guests[int(mark.group(1))].end(int(mark.group(2)))
            elif guest:
                guest.log.add(line)

    def sh(self, line):
        """Runs a line of shell inside the machine: exit code, standard output, standard error."""
        self._commands.write(line.encode() + b"\n")
        self._commands.flush()
        try:
            head = self._commands.readline()
            check(head, f"{self.name} ended while it ran: {line}")
            code, out, err = map(int, head.split())
            return code, self._commands.read(out).decode(), self._commands.read(err).decode()
        except TimeoutError:
            raise CaseFailed(f"{self.name} gave no answer within {COMMAND_S} s to: {line}") from None

    def run(self, *argv):
        """Runs a command inside the machine: exit code, standard output, standard error."""
        return self.sh(" ".join(map(_quoted, argv)))

    def must(self, *argv):
        """The output of a command that must succeed."""
        code, out, err = self.run(*argv)
        check(code == 0, f"{self.name}: {' '.join(map(str, argv))} ended with {code}: {err.strip()}")
        return out

    def popen(self, name, argv, read_log=True):
        """Starts a process inside the machine, which goes on while other commands run."""
        self.spawned += 1
        guest = self._guests[self.spawned] = Guest(f"{self.name}/{name}", self)
        code, _, err = self.sh(f"spawn {self.spawned} {' '.join(map(_quoted, argv))} &")
        check(code == 0, f"{self.name}: {name} was not started: {err}")
        check(guest.started.wait(COMMAND_S), f"{self.name}: {name} did not start within {COMMAND_S} s")
        return guest

    def folder(self, name):
        """A folder inside the machine."""
        self.must("mkdir", "-p", f"/run/{name}")
        return f"/run/{name}"

    def file(self, name, text):
        """Writes a file inside the machine and returns its path."""
        path = f"/tmp/{name}"
        # It may have passwords in it.
        code, _, err = self.sh(f"umask 077 && printf %s {_quoted(text)} > {_quoted(path)}")
        check(code == 0, f"{self.name}: {path} was not written: {err}")
        return path

    def ip(self, *args):
        """busybox's `ip` inside the machine."""
        return self.must("ip", *args)

    def mac(self, iface=None):
        """The MAC address of an interface."""
        return self.must("cat", f"/sys/class/net/{iface or self.iface}/address").strip()

    def ifindex(self, iface=None):
        """The index of an interface."""
        return int(self.must("cat", f"/sys/class/net/{iface or self.iface}/ifindex"))

    def addresses(self, iface=None):
        """The IPv4 addresses of the machine (of one interface), as `Node.addresses` has them."""
        lines = self.ip("-4", "-o", "addr", "show", *(["dev", iface] if iface else []))
        found = re.findall(r"^\d+: (\S+) +inet ([\d.]+)(?:/(\d+))?", lines, re.M)
        return [{"dev": dev, "local": local, "prefixlen": int(length or 32)} for dev, local, length in found]

    def addresses6(self, iface=None):
        """The same for IPv6, with the flags that busybox does not show."""
        found = []
        for line in self.must("cat", "/proc/net/if_inet6").splitlines():
            digits, _, length, scope, flags, dev = line.split()
            entry = {"dev": dev, "local": str(ipaddress.IPv6Address(bytes.fromhex(digits))),
                     "prefixlen": int(length, 16), "scope": "link" if int(scope, 16) == 0x20 else "other"}
            entry.update({name: True for name, bit in IFA_FLAGS.items() if int(flags, 16) & bit})
            if iface in (None, dev):
                found.append(entry)
        return found

    def wait(self, holds, timeout, what):
        """Asks again until it holds; the command itself takes long enough for a pause."""
        deadline = Deadline(timeout)
        while not (answer := holds()):
            check(not deadline.passed(), f"waited {timeout} s in vain for: {what}")
            time.sleep(0.02)
        return answer


class Guest:
    """A process inside a machine, as `Proc` is one beside it."""

    def __init__(self, name, machine):
        self.name, self.machine, self.log = name, machine, Log()
        self.pid, self.code = None, None
        self.started, self.ended = threading.Event(), threading.Event()

    def begin(self, pid):
        """It runs."""
        self.pid = pid
        self.started.set()

    def end(self, code):
        """It ended: a code above 128 is a signal's."""
        self.code = code if code <= 128 else 128 - code
        self.ended.set()
        self.log.close()

    def running(self):
        """Whether it has not ended yet."""
        return not self.ended.is_set()

    def signal(self, number):
        """Sends a signal, by its name: MIPS has its own numbers."""
        self.machine.must("kill", "-" + signal.Signals(number).name.removeprefix("SIG"), self.pid)

    def wait(self, timeout=10):
        """Its exit code (negative: the signal)."""
        check(self.ended.wait(timeout), f"{self.name} did not end within {timeout} s")
        return self.code

    def terminate(self, timeout=10):
        """SIGTERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill9(self):
        """SIGKILL: a crash."""
        self.signal(signal.SIGKILL)
        self.wait()


def _accept(listener):
    listener.settimeout(BOOT_S)
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        raise CaseFailed("the emulator did not start: see its log") from None
    finally:
        listener.close()
    connection.settimeout(BOOT_S)
    return connection


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _quoted(word):
    """A word for the machine's shell, on one line whatever is in it."""
    text = str(word).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"$'{text}'"


def _cpio(entries):
    """An archive (newc) of path -> (mode, content)."""
    archive = b""
    for number, (path, (mode, content)) in enumerate([*entries.items(), ("TRAILER!!!", (0, b""))], 1):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        archive += _padded(head) + _padded(content)
    return archive


def _padded(data):
    return data + b"\0" * (-len(data) % 4)
