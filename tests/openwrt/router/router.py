"""A router: the package unpacked beside busybox, uci, jshn and the stand-ins of tests/openwrt/root."""

import os
import re
import shutil
import stat
import subprocess

from lib.check import CaseFailed
from router import package

CONFIG = "etc/config/vipd"
# A configuration that works; the parameters are an interface and, if wanted, more lines.
INSTANCE = """
config globals 'globals'
	option enabled '1'

config vrrp_instance 'home'
	option interface '{interface}'
	option virtual_router_id '50'
	option priority '150'
	list virtual_ipaddress '192.168.1.1'
"""


class Router:
    """A folder to chroot into. It goes when the run ends."""

    def __init__(self, config=None):
        self.root = package.work("router")
        self._unpack()
        self._furnish()
        if config is not None:
            self.write(CONFIG, config)
            os.chmod(self.path(CONFIG), 0o600)

    def path(self, name):
        """Where a file of the router is."""
        return os.path.join(self.root, name.lstrip("/"))

    def write(self, name, text):
        """Writes a file of the router."""
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        """The text of a file of the router."""
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def touch(self, name, mode=0o644):
        """An empty file."""
        self.write(name, "")
        os.chmod(self.path(name), mode)

    def remove(self, name):
        """Removes a file, if it is there."""
        if os.path.lexists(self.path(name)):
            os.remove(self.path(name))

    def run(self, *argv, env=None):
        """Runs a command there with nothing but `env`; returns its exit code and all that it prints."""
        done = subprocess.run(["chroot", self.root, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, timeout=30,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})})
        return done.returncode, done.stdout

    def must(self, *argv, env=None):
        """As [`run`], and it must succeed."""
        code, said = self.run(*argv, env=env)
        if code != 0:
            raise CaseFailed(f"{' '.join(argv)} ended with {code}: {said}")
        return said

    def service(self, action):
        """`service vipd ACTION`; returns the calls that it made and what it said."""
        self.remove("record")
        _, said = self.run("/bin/sh", "/etc/rc.common", "/etc/init.d/vipd", action)
        return self.record(), said

    def record(self):
        """The calls of the stand-ins so far, without those to the log."""
        calls = self.read("record").splitlines() if os.path.exists(self.path("record")) else []
        return [c for c in calls if not c.startswith("logger ")]

    def running(self, yes=True):
        """What procd_running says from now on."""
        self.touch("running") if yes else self.remove("running")

    def libraries(self, program):
        """What a program that is not static needs of this machine."""
        done = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=20)
        for library in re.findall(r"(/\S+) \(0x", done.stdout):
            os.makedirs(os.path.dirname(self.path(library)), exist_ok=True)
            shutil.copy(library, self.path(library))

    def _unpack(self):
        archive = package.ipk()
        data = subprocess.run(["tar", "-xzOf", archive, "./data.tar.gz"], capture_output=True, check=True, timeout=60)
        subprocess.run(["tar", "-xzf", "-", "-C", self.root], input=data.stdout, check=True, timeout=60)

    def _furnish(self):
        for folder in ("bin", "dev", "tmp", "usr/bin", "usr/share/libubox", "var/run"):
            os.makedirs(self.path(folder), exist_ok=True)
        os.mknod(self.path("dev/null"), 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.chmod(self.path("dev/null"), 0o666)
        shutil.copytree(package.repository("tests/openwrt/root"), self.root, dirs_exist_ok=True)
        shutil.copy(shutil.which("busybox"), self.path("bin/busybox"))
        for applet in package.run("busybox", "--list").split():
            if not os.path.lexists(self.path(f"bin/{applet}")):
                os.symlink("busybox", self.path(f"bin/{applet}"))
        tools = package.tools()
        shutil.copy(f"{tools}/bin/uci", self.path("bin/uci"))
        shutil.copy(f"{tools}/bin/jshn", self.path("bin/jshn"))
        for library in ("uci.sh", "jshn.sh"):
            shutil.copy(f"{tools}/share/{library}", self.path(f"usr/share/libubox/{library}"))
        self.write("etc/passwd", "root:x:0:0::/root:/bin/ash\nnobody:*:65534:65534:nobody:/var:/bin/false\n")
        self.write("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        self.libraries(self.path("usr/sbin/vipd"))
