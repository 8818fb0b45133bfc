"""The programs under test, and where they run: under qemu-user beside the native one, or in whole machines.

tests/cross/run says by the environment what there is:
VIPD_TARGETS   `NAME:BINARY:EMULATOR:PROCESSOR` for each target (no emulator: it runs as it is)
VIPD           the native vipd, the peer
VIPD_MACHINES  `NAME:KERNEL:BUSYBOX:MODULES:BINARY:TESTS` for each machine (tests/cross/run machine_of)
"""

import os
import re
import subprocess
from dataclasses import dataclass

from lib.check import check
from lib.vipd import Vipd, binary
from machine import BOARDS, Machine

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ELFCLASS64 = 2


@dataclass
class Emulated:
    """A router binary under qemu-user. `str()` names its cases."""

    name: str
    binary: str
    emulator: str
    processor: str

    def __str__(self):
        return self.name

    def command(self):
        """What runs it."""
        return ["env", f"QEMU_CPU={self.processor}", self.emulator, self.binary] if self.emulator else [self.binary]

    def joins(self):
        """Whether it can join multicast groups: qemu-user reads ip_mreqn's int as a long on 64-bit machines."""
        with open(self.binary, "rb") as program:
            return not self.emulator or program.read(5)[4] != ELFCLASS64

    def output(self, *args):
        """Exit code, standard output and standard error of a command that ends by itself."""
        return output(*self.command(), *args)

    def place(self, lab, name, address=None):
        """A node for it."""
        return lab.node(name, address)

    def router(self, node, text, name="cross"):
        """The program as a router."""
        return Vipd(node, text, name, command=self.command())


@dataclass
class OnMachine:
    """The router binary on a kernel of its architecture; `tests` is tests/kernel. `str()` names its cases."""

    name: str
    kernel: str
    busybox: str
    modules: str
    binary: str
    tests: str

    def __str__(self):
        return self.name

    def place(self, lab, name, address=None, **programs):
        """A machine for it, with more programs in its /bin."""
        programs = {"busybox": self.busybox, "vipd": self.binary, **programs}
        files = {f"bin/{program}": path for program, path in programs.items()}
        for module in sorted(os.listdir(self.modules)) if self.modules else ():
            files[f"modules/{module}"] = os.path.join(self.modules, module)
        return Machine(lab, name, address, BOARDS[self.name], self.kernel, files)

    def router(self, node, text, name="cross", level="info"):
        """The program as a router."""
        return Vipd(node, text, name, level, command=["vipd"])


def targets():
    """The programs for qemu-user."""
    return [Emulated(*entry.split(":")) for entry in os.environ.get("VIPD_TARGETS", "").split()]


def machines():
    """The programs for machines."""
    return [OnMachine(*entry.split(":")) for entry in os.environ.get("VIPD_MACHINES", "").split()]


def native(node, text, name="native"):
    """This machine's vipd as a router: the peer."""
    return Vipd(node, text, name)


def output(*argv):
    """Exit code, standard output and standard error of a command that ends by itself."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=ROOT)
    return done.returncode, done.stdout, done.stderr


def native_output(*args):
    """The same of the native vipd."""
    return output(binary(), *args)


def version():
    """The version that every program must print."""
    with open(os.path.join(ROOT, "Cargo.toml"), encoding="utf-8") as manifest:
        found = re.search(r'^version = "(.+)"', manifest.read(), re.M)
    check(found, "Cargo.toml has no version")
    return found.group(1)
