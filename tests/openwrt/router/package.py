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


def make(folder, target="x86_64", **env):
    """Makes the packages of a target into `folder`, with this machine's vipd as the binary."""
    run(repository("cross/ipk.sh"), target,
        env={"VIPD_BINARY": payload(), "IPK_DIR": folder, "SOURCE_DATE_EPOCH": str(EPOCH), **env})


@functools.cache
def ipk():
    """The x86_64 package."""
    folder = work("ipk")
    make(folder)
    [found] = glob.glob(f"{folder}/x86_64/*.ipk")
    return found


@functools.cache
def tools():
    """The folder of the real uci and jshn."""
    return run(repository("tests/uci/build-uci"), timeout=600).strip()
