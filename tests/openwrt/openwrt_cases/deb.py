"""The package for Debian: by inspection, and installed on a host that a real systemd runs."""

import hashlib
import os
import re
import subprocess

from lib.check import check, equal
from lib.vipd import binary
from router import host, package

VERSION = "0.1.0-1"
DOC = "./usr/share/doc/vipd"
FILES = {
    "./usr/sbin/vipd": "-rwxr-xr-x",
    "./lib/systemd/system/vipd.service": "-rw-r--r--",
    "./etc/default/vipd": "-rw-r--r--",
    "./usr/share/man/man8/vipd.8.gz": "-rw-r--r--",
    f"{DOC}/CHANGELOG.md.gz": "-rw-r--r--",
    f"{DOC}/changelog.Debian.gz": "-rw-r--r--",
    f"{DOC}/copyright": "-rw-r--r--",
    f"{DOC}/CONFIG.md.gz": "-rw-r--r--",
    f"{DOC}/GUIDE.md.gz": "-rw-r--r--",
    f"{DOC}/README.md.gz": "-rw-r--r--",
    f"{DOC}/examples/conntrackd/conntrackd.conf": "-rw-r--r--",
    f"{DOC}/examples/conntrackd/vipd-conntrackd.sh": "-rwxr-xr-x",
}
# A keepalived.conf with a script of another user, and a program that says what it may do.
KEEPALIVED_CONF = """vrrp_script who {
    script "/bin/sh -c 'id -u >/tmp/who; exit 0'"
    interval 1
    user nobody
}
vrrp_instance VI_1 {
    interface e0
    virtual_router_id 50
    priority 150
    version 3
    advert_int 0.1
    virtual_ipaddress { 10.9.0.9 }
    track_script { who }
    notify_master "/bin/sh /try/program" root
}
"""
PROGRAM = """{
    ip route add 10.8.0.0/24 dev e0 && echo route
    echo 1 >/proc/sys/net/ipv4/ip_forward && echo parameter
    touch /etc/state && echo etc
    touch /usr/state || echo no usr
    logger hello && echo logger
    setpriv --reuid=nobody --clear-groups id -un
    mount -t tmpfs none /mnt || echo no mount
} >/tmp/program 2>/dev/null
"""
SCRIPT = """# A database of its own: this machine's may be changing, and takes long to read.
mkdir -p /var/lib/own/info /var/lib/own/updates; : >/var/lib/own/status
dpkg() { command dpkg --admindir=/var/lib/own "$@"; }
until_() { n=0; until eval "$1"; do n=$((n + 1)); [ $n -lt 100 ] || { echo "never: $1"; return; }; sleep 0.1; done; }
has() { ip -o addr show dev e0 | grep -q ' 10.9.0.9/32 '; }
lacks() { ! has; }
said() { echo "$1: $2"; }
ip link set lo up; ip link add e0 type veth peer name e1; ip link set e0 up; ip link set e1 up
ip addr add 10.9.0.1/24 dev e0
mkdir -p /etc/keepalived; cp /try/keepalived.conf /etc/keepalived/
dpkg -i /try/*.deb >&2
said link "$(readlink /etc/vipd/vipd.conf)"
said fresh "$(systemctl is-enabled vipd) $(systemctl is-active vipd)"
systemctl start vipd; said start $?
systemctl is-active vipd >&2 || { journalctl -u vipd >&2; exit; }
until_ has; until_ 'grep -q . /tmp/program && grep -q . /tmp/who'
said status "$(vipd status | grep -c '^VI_1: Active')"
said who "$(cat /tmp/who)"
until_ '[ $(wc -l </tmp/program) -ge 7 ]'
said program "$(tr '\\n' ' ' </tmp/program)"
systemctl enable vipd >&2; said enable "$? $(systemctl is-enabled vipd)"
systemctl reload vipd; said reload $?
echo nonsense >>/etc/keepalived/keepalived.conf
systemctl reload vipd; said bad-reload "$? $(systemctl is-active vipd)"
has && said address kept
sed -i /nonsense/d /etc/keepalived/keepalived.conf
pid=$(systemctl show -P MainPID vipd)
[ "$pid" -gt 1 ] && kill -9 "$pid"
until_ '[ "$(systemctl show -P MainPID vipd)" -gt "$pid" ] && vipd status | grep -q "^VI_1: Active"'
journalctl -u vipd | grep -q 'left by an earlier vipd' && said crash 'the journal was there'
pid=$(systemctl show -P MainPID vipd)
dpkg -i /try/*.deb >&2
until_ '[ "$(systemctl show -P MainPID vipd)" -gt "$pid" ] && vipd status | grep -q "^VI_1: Active"'
said upgrade "$(systemctl is-active vipd)"
systemctl stop vipd; said stop "$? $(ls /run/vipd/journal)"
until_ lacks
echo nonsense >>/etc/keepalived/keepalived.conf
systemctl start vipd; said bad-start $?
sed -i /nonsense/d /etc/keepalived/keepalived.conf
until_ has
dpkg -r vipd >&2; until_ lacks; said removed "$(systemctl is-enabled vipd 2>/dev/null) $(ls /etc/default/vipd)"
dpkg -i /try/*.deb >&2; said again "$(systemctl is-enabled vipd)"
dpkg -P vipd >&2; said purged "$(ls -d /etc/vipd /etc/default/vipd /etc/systemd/system/vipd.service 2>/dev/null)"
"""


def control(name):
    """A file of the package's control archive."""
    return package.run("dpkg-deb", "--info", package.deb(), name)


def case_two_builds_are_the_same_bytes():
    first, second = package.made_twice("deb")
    equal(list(first), [f"vipd_{VERSION}_amd64.deb"], "files")
    check(first == second, "the packages differ")


def case_the_files():
    lines = [re.split(r"\s+", line) for line in package.run("dpkg-deb", "--contents", package.deb()).splitlines()]
    equal({line[-1]: line[0] for line in lines if line[0][0] == "-"}, FILES, "files and modes")
    equal({line[1] for line in lines}, {"root/root"}, "owners")
    equal({line[0] for line in lines if line[0][0] != "-"}, {"drwxr-xr-x"}, "modes of folders")
    folder = package.work("unpacked")
    package.run("dpkg-deb", "--extract", package.deb(), folder)
    sums = dict(reversed(line.split("  ")) for line in control("md5sums").splitlines())
    equal(sorted(f"./{name}" for name in sums), sorted(FILES), "files with a sum")
    for name, wanted in sums.items():
        with open(f"{folder}/{name}", "rb") as file:
            equal(hashlib.md5(file.read()).hexdigest(), wanted, f"the sum of {name}")
        equal(int(os.stat(f"{folder}/{name}").st_mtime), package.EPOCH, f"the time of {name}")


def case_the_control_files():
    fields = dict(line.split(": ", 1) for line in control("control").splitlines() if ": " in line and line[0] != " ")
    for name, wanted in (("Package", "vipd"), ("Version", VERSION), ("Architecture", "amd64"), ("Section", "net")):
        equal(fields[name], wanted, name)
    for name in ("Maintainer", "Homepage", "Description", "Installed-Size"):
        check(fields[name] and "@" not in fields[name].split("<")[0], f"{name}: {fields[name]!r}")
    check("Depends" not in fields, "a static program depends on nothing")
    equal(control("conffiles"), "/etc/default/vipd\n", "conffiles")
    folder = package.work("control")
    package.run("dpkg-deb", "--control", package.deb(), folder)
    for name in ("postinst", "prerm", "postrm"):
        equal(os.stat(f"{folder}/{name}").st_mode & 0o777, 0o755, f"mode of {name}")


def case_an_architecture_for_each_target_that_debian_has():
    folder = package.work("debs")
    for target, architecture in (("armv5te", "armel"), ("armv7", "armhf"), ("aarch64", "arm64")):
        package.make(folder, target, kind="deb")
        name = f"{folder}/vipd_{VERSION}_{architecture}.deb"
        equal(package.run("dpkg-deb", "--field", name, "Architecture"), f"{architecture}\n", target)
    done = subprocess.run([package.repository("cross/deb.sh"), "mips"], capture_output=True, text=True, timeout=60)
    check(done.returncode != 0 and "no architecture of Debian is served by mips" in done.stderr, done.stderr)


def case_the_unit_is_verified():
    folder = package.work("unit")
    unit = package.read("cross/deb/vipd.service").replace("/usr/sbin/vipd", binary_path()).replace("man:vipd(8)", "man:ls(1)")
    with open(f"{folder}/vipd.service", "w", encoding="utf-8") as file:
        file.write(unit)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"{folder}/vipd.service"], capture_output=True,
                          text=True, timeout=60)
    equal((done.returncode, done.stdout + done.stderr), (0, ""), "what systemd-analyze verify says")
    said = package.run("systemd-analyze", "security", "--offline=true", f"{folder}/vipd.service")
    level = float(re.search(r"Overall exposure level for vipd.service: ([\d.]+)", said).group(1))
    check(level < 5, f"the exposure level: {level}; without all of it, it is 9.6")


def binary_path():
    """The program under test, as an absolute path."""
    return os.path.abspath(binary())


def case_the_manual_has_every_command_and_option():
    page = package.run("man", "-l", "-E", "ascii", "-P", "cat", package.repository("cross/deb/vipd.8"))
    helps = package.run(binary_path(), "--help")
    commands = [c for c in re.findall(r"(?m)^  (\w+) {4,}", helps.partition("Commands:")[2]) if c != "demo"]
    check(len(commands) >= 4, f"commands: {commands}")
    for command in commands:
        check(re.search(rf"(?m)^ +{command} ", page) or re.search(rf"(?m)^ +{command}$", page), f"{command} in {page}")
        for option in re.findall(r"(?m)^  (--[\w-]+) ", package.run(binary_path(), command, "--help")):
            check(option in page or option == "--help", f"{option} of {command} in the manual")


def case_a_host_installs_starts_reloads_upgrades_and_removes_it():
    folder = package.work("config")
    for name, text in (("keepalived.conf", KEEPALIVED_CONF), ("program", PROGRAM)):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    out, errors = host.boot(SCRIPT, package.deb(), f"{folder}/keepalived.conf", f"{folder}/program")
    wanted = ["link: ../keepalived/keepalived.conf", "fresh: disabled inactive", "start: 0", "status: 1", "who: 65534",
              "program: route parameter etc no usr logger nobody no mount ", "enable: 0 enabled", "reload: 0",
              "bad-reload: 1 active", "address: kept", "crash: the journal was there", "upgrade: active",
              "stop: 0 /run/vipd/journal", "bad-start: 1", "removed: masked /etc/default/vipd", "again: enabled", "purged: "]
    check(out.splitlines() == wanted, f"{out}\nwanted:\n" + "\n".join(wanted) + f"\nerrors:\n{errors}")
