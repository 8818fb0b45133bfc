#!/usr/bin/env python3
"""Runs the cases of the packages, for OpenWrt and Debian: `run.py [-k PATTERN] [--list]`. Needs root.

A case is a function `case_*` in openwrt_cases/*.py. The files are those of the package that cross/ipk.sh makes, in a
folder that looks like a router: busybox, the real uci and jshn, and stand-ins that write down how they are called; for
Debian's, a host with a real systemd. The last line of the output is `N passed, N failed`.
"""

import argparse
import importlib
import inspect
import os
import re
import shutil
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
# The laboratory of network namespaces, too.
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "netns")]
sys.dont_write_bytecode = True

from lib.check import CaseFailed  # noqa: E402

TOOLS = {"busybox": "busybox-static", "shellcheck": "shellcheck", "signify-openbsd": "signify-openbsd",
         "ip": "iproute2", "setpriv": "util-linux", "cc": "gcc", "strip": "binutils", "make": "make",
         "dpkg-deb": "dpkg", "systemd-analyze": "systemd", "deb-systemd-helper": "init-system-helpers", "man": "man-db"}
BOUND_S = 60


def find_cases():
    """Every case, by its name, in the order of the files and of their lines."""
    cases = {}
    for file in sorted(os.listdir(os.path.join(HERE, "openwrt_cases"))):
        if file.endswith(".py"):
            module = importlib.import_module(f"openwrt_cases.{file[:-3]}")
            found = [f for n, f in inspect.getmembers(module, inspect.isfunction)
                     if n.startswith("case_") and f.__module__ == module.__name__]
            for function in sorted(found, key=lambda f: f.__code__.co_firstlineno):
                cases[f"{file[:-3]}.{function.__name__.removeprefix('case_')}"] = function
    return cases


def demand_tools():
    """Fails loudly where a skip would hide that nothing was tested."""
    if os.geteuid() != 0:
        sys.exit("these cases need root, for chroot and network namespaces: run them with sudo")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if missing:
        sys.exit(f"missing: {' '.join(missing)}: run tests/run, which installs them")


def late(_signal, _frame):
    """A case has reached its bound."""
    raise CaseFailed(f"not done within {BOUND_S} s")


def passes(name, case):
    """Runs a case and prints its line, and why it failed if it did."""
    started = time.monotonic()
    signal.alarm(BOUND_S)
    why = None
    try:
        case()
    except CaseFailed as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = next((f for f in reversed(frames) if "/openwrt_cases/" in f.filename), frames[-1])
        why = f"FAILED at {os.path.basename(place.filename)}:{place.lineno}: {error}"
    except Exception:  # pylint: disable=broad-except  # its trace is the report
        why = traceback.format_exc()
    finally:
        signal.alarm(0)
    print(f"{'FAILED' if why else 'ok    '} {time.monotonic() - started:6.1f} s  {name}", flush=True)
    for line in (why or "").splitlines():
        print(f"    {line}", flush=True)
    return why is None


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", metavar="PATTERN", default="", help="only cases whose name matches")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    args = parser.parse_args()
    cases = {name: case for name, case in find_cases().items() if re.search(args.k, name)}
    if args.list:
        print("\n".join(cases))
        return 0
    if not cases:
        sys.exit(f"no case matches {args.k!r}")
    demand_tools()
    signal.signal(signal.SIGALRM, late)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    results = [passes(name, case) for name, case in cases.items()]
    print(f"{results.count(True)} passed, {results.count(False)} failed", flush=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
