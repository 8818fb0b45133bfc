"""A host with systemd: this machine's files under an overlay, and a real systemd that is process 1 of its namespaces."""

import os
import shutil
import subprocess

from lib.check import check
from router import package

BOUND_S = 50
# Nothing of sysinit.target but the journal: the rest would set parameters and devices of the kernel that all share.
BOOT = r"""set -e
work=$1; root=$work/root
group=$3
mount --make-rprivate /
mount -t tmpfs none "$work"
mkdir "$work/groups"
mount -t cgroup2 none "$work/groups"
mkdir "$work/groups/$group"
echo $$ >"$work/groups/$group/cgroup.procs"
exec unshare --mount --pid --fork --cgroup --net --ipc --uts sh -e -c '
    work=$1; root=$work/root
    mkdir "$work/upper" "$work/work" "$root"
    mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" none "$root"
    mount -t proc none "$root/proc"
    mount -t sysfs -o ro none "$root/sys"
    for folder in run tmp dev; do mount -t tmpfs -o mode=1777 none "$root/$folder"; done
    chmod 0755 "$root/run" "$root/dev"
    for node in null zero full random urandom tty; do
        touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 none "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    # This one alone, also where the machine has the older ones: systemd then mounts none of them.
    mount -t cgroup2 none "$root/sys/fs/cgroup"
    for unit in /lib/systemd/system/sysinit.target.wants/* /etc/systemd/system/sysinit.target.wants/*; do
        case ${unit##*/} in
        systemd-journald.service | "*") ;;
        *) ln -sf /dev/null "$root/etc/systemd/system/${unit##*/}" ;;
        esac
    done
    : >"$root/etc/fstab"
    rm -f "$root/usr/sbin/policy-rc.d"
    printf "[Unit]\nWants=try.service\n" >"$root/etc/systemd/system/try.target"
    printf "[Service]\nType=oneshot\nExecStart=/bin/sh /try/script\n" >"$root/etc/systemd/system/try.service"
    for part in StandardOutput=append:/try/out StandardError=append:/try/errors \
        "ExecStopPost=/bin/systemctl exit --force --force"; do
        echo "$part" >>"$root/etc/systemd/system/try.service"
    done
    mkdir "$root/try"; mount --bind "$2" "$root/try"
    export container=other
    # In a chroot systemd cannot make the namespaces of its services.
    mkdir "$root/old"; cd "$root"; pivot_root . old
    umount -l old
    exec /lib/systemd/systemd --system --unit=try.target --log-target=null --show-status=no
' sh "$work" "$2"
"""
# A group whose processes have ended: what systemd has made in it, and itself.
CLEAR = """mount --make-rprivate /
mount -t cgroup2 none "$1"
n=0
while [ -d "$1/$2" ] && [ $n -lt 50 ]; do
    find "$1/$2" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    n=$((n + 1))
done
[ ! -d "$1/$2" ] || echo "the control group $2 is still there"
"""


def boot(script, *files):
    """Boots a host that runs a script of shell, where /try has some files; what it printed, and its errors."""
    work, shared = package.work("host"), package.work("try")
    for file in files:
        shutil.copy(file, shared)
    with open(f"{shared}/script", "w", encoding="utf-8") as out:
        out.write(script)
    group = f"vipd-host-{os.getpid()}"
    try:
        said = _namespace("--pid", "--kill-child", "--fork", "sh", "-c", BOOT, "sh", work, shared, group)
    except subprocess.TimeoutExpired:
        said = f"not done within {BOUND_S} s\n"
    finally:
        left = _namespace("sh", "-c", CLEAR, "sh", work, group)
    check(not left, left)
    return _read(f"{shared}/out"), f"{said}{_read(f'{shared}/errors')}"


def _namespace(*argv):
    done = subprocess.run(["unshare", "--mount", *argv], capture_output=True, text=True, timeout=BOUND_S)
    return f"{done.stdout}{done.stderr}"


def _read(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()
