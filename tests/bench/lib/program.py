"""What a program of the bench is: TITLE, `measure(options)`, and this around it."""

import argparse
import os
import platform
import subprocess
import sys
import time

from lib import report
from lib.daemon import vipd_binary
from lib.error import BenchError
from lib.tools import need


def options(argv=None, names=()):
    """The command line, of one program or of `run`."""
    parser = argparse.ArgumentParser(description="vipd beside keepalived; root only")
    parser.add_argument("--quick", action="store_true", help="few rounds: a look, not a result")
    parser.add_argument("--only", default="keepalived,vipd", help="measure one daemon alone")
    if names:
        parser.add_argument("--results", action="store_true", help="write the kept results into RESULTS.md")
        parser.add_argument("names", nargs="*", choices=[*names, []], default=[], help="all, if none is named")
    chosen = parser.parse_args(argv)
    if os.geteuid() != 0:
        parser.error("network namespaces need root: run it as root")
    return chosen


def kinds(chosen):
    """The daemons to measure."""
    return [kind for kind in ("keepalived", "vipd") if kind in chosen.only.split(",")]


def alternate(rounds, chosen, sample):
    """`sample(kind)` for each daemon in turn, `rounds` times, the order turned round each time."""
    results = {kind: [] for kind in ("vipd", "keepalived")}
    for turn in range(rounds):
        for kind in kinds(chosen)[::1 if turn % 2 else -1]:
            results[kind].append(sample(kind))
    return results


def facts():
    """What the numbers were measured with."""
    keepalived = subprocess.run([need("keepalived"), "--version"], capture_output=True, text=True, timeout=20)
    words = (keepalived.stderr or keepalived.stdout).split()
    size = os.path.getsize(vipd_binary())
    return (f"{report.today()}, {os.cpu_count()} CPUs, Linux {platform.release()}, keepalived {words[1]}, "
            f"vipd {size // 1024} kB ({os.path.basename(os.path.dirname(os.path.dirname(vipd_binary())))}), "
            f"load {os.getloadavg()[0]:.1f}")


def perform(name, title, measure, chosen):
    """Runs one program, keeps and prints its rows. True if it could be done."""
    print(f"## {title}", flush=True)
    start = time.monotonic()
    try:
        rows = measure(chosen)
    except BenchError as error:
        print(f"{name}: {error}", flush=True)
        return False
    noted = facts() + (", --quick" if chosen.quick else "")
    report.save(name, rows, noted)
    print(report.show(rows) + f"\n{noted}, {time.monotonic() - start:.0f} s\n", flush=True)
    return True


def main(name, title, measure):
    """The body of a program that is run by itself."""
    sys.exit(0 if perform(name, title, measure, options()) else 1)


def note(text):
    """A word on what is going on, on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)
