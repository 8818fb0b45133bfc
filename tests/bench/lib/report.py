"""The rows of the table: made by the programs, kept as JSON, printed, and written into RESULTS.md."""

import json
import os
import time
from dataclasses import asdict, dataclass

from lib.daemon import ROOT
from lib.stats import median, number, quartiles

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


@dataclass
class Row:
    """One line. `ratio` is vipd's part of `against`; `noise` says how far it can be trusted."""

    what: str
    unit: str
    vipd: float = None
    keepalived: float = None
    other: str = ""
    ratio: float = None
    noise: str = ""
    target: str = ""
    met: bool = None

    def verdict(self):
        """PASS, MISS, or nothing."""
        return "" if self.met is None else "PASS" if self.met else "MISS"


def versus(what, unit, vipd, keepalived, at_most=None, other=""):
    """A row from the samples of alternate rounds: medians, and the quartiles of the rounds' ratios."""
    pairs = [v / k for v, k in zip(vipd, keepalived) if k]
    row = Row(what, unit, median(vipd) if vipd else None, median(keepalived) if keepalived else None, other)
    if row.keepalived and row.vipd is not None:
        row.ratio = row.vipd / row.keepalived
    if len(pairs) > 1:
        low, high = quartiles(pairs)
        row.noise = f"{number(low)}–{number(high)}"
    if at_most is not None and row.ratio is not None:
        row.target = f"≤ {number(at_most)} ×"
        row.met = row.ratio <= at_most
    return row


def show(rows):
    """The rows as a markdown table."""
    head = "| measured | vipd | keepalived | ratio | noise | target | |\n|---|---|---|---|---|---|---|\n"
    return head + "".join(_line(row) for row in rows)


def _line(row):
    def value(x):
        return "" if x is None else f"{number(x)} {row.unit}".strip()

    other = f" ({row.other})" if row.other else ""
    cells = [row.what + other, value(row.vipd), value(row.keepalived), number(row.ratio), row.noise, row.target,
             row.verdict()]
    return "| " + " | ".join(cells) + " |\n"


def folder():
    """Where results are kept."""
    path = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "bench")
    os.makedirs(path, exist_ok=True)
    return path


def save(name, rows, facts):
    """Keeps the rows of a program, with what they were measured on."""
    with open(os.path.join(folder(), f"{name}.json"), "w", encoding="utf-8") as out:
        json.dump({"facts": facts, "rows": [asdict(row) for row in rows]}, out, indent=1, ensure_ascii=False)


def load(name):
    """The kept rows of a program and their facts; None if it never ran."""
    path = os.path.join(folder(), f"{name}.json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        kept = json.load(file)
    return [Row(**row) for row in kept["rows"]], kept["facts"]


def write_results(tables, path=None):
    """Puts `tables` (title, rows, facts) between the marks of RESULTS.md."""
    path = path or os.path.join(ROOT, "tests/bench/RESULTS.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{path} has no {BEGIN} … {END}: add the two lines where the table belongs")
    body = "\n\n".join(f"**{title}**\n\n{show(rows).rstrip()}\n\n{facts}" for title, rows, facts in tables)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{head}{BEGIN}\n{body}\n{END}{tail}")


def today():
    """The date of a result."""
    return time.strftime("%Y-%m-%d")
