"""The package under test, made by cross/ipk.sh once a run."""

import functools
import glob
import os
import subprocess
import tempfile

from lib.check import CaseFailed
from lib.vipd import binary

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
# Removed when the run ends.
_work = tempfile.TemporaryDirectory(prefix="vipd-openwrt-")
EPOCH = 1700000000


def repository(*path):
    """A file of the repository."""
    return os.path.join(REPOSITORY, *path)


def read(*path):
    """The text of a file of the repository."""
    with open(repository(*path), encoding="utf-8") as file:
        return file.read()


def work(name):
    """A new folder, which goes when the run ends."""
    return tempfile.mkdtemp(prefix=f"{name}-", dir=_work.name)


def run(*argv, text=None, cwd=REPOSITORY, env=None, timeout=60):
    """A command's standard output; that it fails is a failure of the case."""
    done = subprocess.run([str(a) for a in argv], input=text, cwd=cwd, env={**os.environ, **(env or {})},
                          capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise CaseFailed(f"{' '.join(map(str, argv))} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


@functools.cache
def payload():
    """This machine's vipd without its symbols, which are ten times the program."""
    stripped = os.path.join(work("payload"), "vipd")
    run("strip", "-o", stripped, binary())
    return stripped


def make(folder, target="x86_64", kind="ipk", **env):
    """Makes the packages of a target into `folder`, with this machine's vipd as the binary."""
    run(repository(f"cross/{kind}.sh"), target,
        env={"VIPD_BINARY": payload(), f"{kind.upper()}_DIR": folder, "SOURCE_DATE_EPOCH": str(EPOCH), **env})


@functools.cache
def ipk():
    """The x86_64 package."""
    return _only("ipk", "x86_64/*.ipk")


@functools.cache
def apk():
    """The x86_64 package of apk."""
    return _only("apk", "x86_64/*.apk")


@functools.cache
def deb():
    """The amd64 package."""
    return _only("deb", "*.deb")


def _only(kind, pattern):
    folder = work(kind)
    make(folder, kind=kind)
    [found] = glob.glob(f"{folder}/{pattern}")
    return found


def made_twice(kind):
    """The files of two folders, made of the same sources by users with other masks: two tables, by their names."""
    found = []
    for umask in (0o022, 0o077):
        folder, before = work(kind), os.umask(umask)
        try:
            make(folder, kind=kind)
        finally:
            os.umask(before)
        found.append({os.path.relpath(path, folder): _bytes(path)
                      for path in glob.glob(f"{folder}/**", recursive=True) if os.path.isfile(path)})
    return found


def _bytes(path):
    with open(path, "rb") as file:
        return file.read()


@functools.cache
def tools():
    """The folder of the real uci and jshn."""
    return run(repository("tests/uci/build-uci"), timeout=600).strip()
