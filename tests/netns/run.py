#!/usr/bin/env python3
"""Runs the namespace cases: `run.py [-k PATTERN] [-j JOBS] [--list]`. Needs root.

A case is a function `case_*` in cases/*.py (of $CASES_OF, if that names another folder). Each runs in a process of its own with a bound; the
last line of the output is `N passed, N failed`.
"""

import argparse
import importlib
import inspect
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = os.path.abspath(os.environ.get("CASES_OF", HERE))
sys.path[:0] = [BASE, HERE]
sys.dont_write_bytecode = True

from lib.check import CaseFailed  # noqa: E402
from lib.lab import remove_leftovers  # noqa: E402

TOOLS = ("ip", "setpriv", "keepalived", "nft", "vtysh", "conntrackd", "conntrack", "dnsmasq", "busybox",
         "dhclient")
GRACE_S = 15


@dataclass
class Case:
    """One case, with one of its parameters."""

    name: str
    run: object
    timeout: float
    alone: bool


def find_cases():
    """Every case of cases/*.py, in the order of the files and of their lines."""
    cases = []
    for file in sorted(os.listdir(os.path.join(BASE, "cases"))):
        if not file.endswith(".py"):
            continue
        module = importlib.import_module(f"cases.{file[:-3]}")
        functions = [f for n, f in inspect.getmembers(module, inspect.isfunction)
                     if n.startswith("case_") and f.__module__ == module.__name__]
        for function in sorted(functions, key=lambda f: f.__code__.co_firstlineno):
            cases += expand(file[:-3], function)
    return cases


def expand(module, function):
    """A case for each parameter of `function`, or the one it is."""
    name = f"{module}.{function.__name__.removeprefix('case_')}"
    timeout, alone = getattr(function, "timeout", 60), getattr(function, "alone", False)
    if not hasattr(function, "params"):
        return [Case(name, function, timeout, alone)]
    return [Case(f"{name}[{p}]", lambda p=p: function(p), timeout, alone) for p in function.params]


def demand_tools():
    """Fails loudly where a skip would hide that nothing was tested."""
    if os.geteuid() != 0:
        sys.exit("the namespace cases need root: run them with sudo")
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [t for t in TOOLS if not any(os.access(f"{d}/{t}", os.X_OK) for d in path.split(":"))]
    if not os.path.exists("/usr/lib/frr/vrrpd"):
        missing.append("/usr/lib/frr/vrrpd")
    if missing:
        sys.exit(f"missing: {', '.join(missing)}: run tests/run, which installs them")
    os.environ["PATH"] = path


def run_one(name):
    """The body of a case's process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by the runner"))
    case = next(c for c in find_cases() if c.name == name)
    try:
        case.run()
    except CaseFailed as error:
        where = traceback.extract_tb(error.__traceback__)
        place = next((f for f in reversed(where) if "/cases/" in f.filename), where[-1])
        print(f"FAILED at {os.path.basename(place.filename)}:{place.lineno}: {error}", flush=True)
        os._exit(1)
    except BaseException:  # the report of anything else is its trace
        traceback.print_exc()
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


class Running:
    """A case's process and its output."""

    def __init__(self, case):
        self.case, self.started = case, time.monotonic()
        self.out = tempfile.TemporaryFile()
        self.proc = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", sys.executable, "-u", os.path.join(HERE, "run.py"),
             "--one", case.name],
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT, start_new_session=True)
        self.stopping = None

    def seconds(self):
        """How long it has been running."""
        return time.monotonic() - self.started

    def finished(self):
        """Whether it has ended; past its bound it is told to, then made to."""
        if self.proc.poll() is not None:
            return True
        if self.stopping is None and self.seconds() > self.case.timeout:
            self.stop()
        elif self.stopping is not None and time.monotonic() > self.stopping + GRACE_S:
            self.proc.kill()
        return False

    def stop(self):
        """SIGTERM: the case removes its namespaces and ends."""
        self.stopping = time.monotonic()
        self.proc.terminate()

    def report(self):
        """Prints the line of the case, and its output if it failed; returns whether it passed."""
        passed = self.proc.returncode == 0 and self.stopping is None
        print(f"{'ok    ' if passed else 'FAILED'} {self.seconds():6.1f} s  {self.case.name}", flush=True)
        if not passed:
            self.out.seek(0)
            if self.stopping is not None:
                print(f"    stopped after its bound of {self.case.timeout} s")
            for line in self.out.read().decode(errors="replace").splitlines():
                print(f"    {line}")
            sys.stdout.flush()
        return passed


def run_all(cases, jobs):
    """Runs the cases, `jobs` at a time (those that must be alone, last and alone)."""
    # The longest first, so that none of them is left for the end.
    waiting = sorted((c for c in cases if not c.alone), key=lambda c: -c.timeout)
    lonely = [c for c in cases if c.alone]
    running, results = [], []
    try:
        while waiting or lonely or running:
            while waiting and len(running) < jobs:
                running.append(Running(waiting.pop(0)))
            if not waiting and not running and lonely:
                running.append(Running(lonely.pop(0)))
            for one in [r for r in running if r.finished()]:
                running.remove(one)
                results.append(one.report())
            time.sleep(0.02)
    finally:
        for one in running:
            one.stop()
        for one in running:
            while not one.finished():
                time.sleep(0.02)
    return results


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", metavar="PATTERN", default="", help="only cases whose name matches")
    parser.add_argument("-j", metavar="JOBS", type=int, default=4, help="how many at a time")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        demand_tools()
        run_one(args.one)
    cases = [c for c in find_cases() if re.search(args.k, c.name)]
    if args.list:
        print("\n".join(c.name for c in cases))
        return 0
    if not cases:
        sys.exit(f"no case matches {args.k!r}")
    demand_tools()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    remove_leftovers()
    results = run_all(cases, args.j)
    remove_leftovers()
    print(f"{results.count(True)} passed, {results.count(False)} failed", flush=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
