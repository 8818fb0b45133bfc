"""Shorter jumps of x86_64 code: a jump of 127 bytes at most has two bytes, a longer one five or six. One that is too
long goes to another one to the same place, if that one is near and on the way."""

import re

from assembly import Instruction

JUMP = re.compile(r"(j[a-z]+)\t([\w.$]+)$")
SHORT, LONG, LONG_BRANCH = 2, 5, 6
REACH = 127
# How much of it is used: the sizes of outlined code are guesses.
SURE_REACH = 125
TURNS = 2


def long_size(name):
    """Bytes of a long jump, and of a long branch."""
    return LONG if name == "jmp" else LONG_BRANCH


def all_jumps(items):
    """{place in the list: (name, target)}"""
    found = ((at, JUMP.match(item.text)) for at, item in enumerate(items) if isinstance(item, Instruction))
    return {at: match.groups() for at, match in found if match}


def sections_of(items):
    """The number of each item's section."""
    sections, number = [], 0
    for item in items:
        number += isinstance(item, str) and item.startswith("\t.section")
        sections.append(number)
    return sections


def targets(items, jumps):
    """{place of a jump: place of its label}, where that is in the same section."""
    sections = sections_of(items)
    labels = {(item.rstrip(":"), sections[at]): at for at, item in enumerate(items) if isinstance(item, str)}
    wanted = ((at, labels.get((target, sections[at]))) for at, (_, target) in jumps.items())
    return {at: to for at, to in wanted if to is not None}


def laid_out(items, jumps, to):
    """Where each item begins, once each jump is as short as it can be. Sets their sizes, as the assembler will."""
    for at, (name, _) in jumps.items():
        items[at].size = SHORT if at in to else long_size(name)
    while True:
        begins, now = [], 0
        for item in items:
            begins.append(now)
            now += item.size if isinstance(item, Instruction) else 0
        begins.append(now)
        far = [a for a, b in to.items() if items[a].size == SHORT and abs(begins[b] - begins[a + 1]) > REACH]
        if not far:
            return begins
        for at in far:
            items[at].size = long_size(jumps[at][0])


def chained(items):
    """The items with long jumps by way of others. What became shorter has brought others near."""
    for turn in range(TURNS):
        items = once(items, turn)
    return items


def once(items, turn):
    """The same, in one go."""
    jumps = all_jumps(items)
    to = targets(items, jumps)
    begins = laid_out(items, jumps, to)
    sections, same = sections_of(items), {}
    for at, (_, target) in jumps.items():
        same.setdefault((sections[at], target), []).append(at)
    labels = {}
    for at, (name, target) in jumps.items():
        if items[at].size == SHORT:
            continue
        end = to.get(at, len(items))
        on_the_way = [
            other
            for other in same[sections[at], target]
            if jumps[other][0] in (name, "jmp")
            and (at < other < end or end < other < at)
            and abs(begins[other] - begins[at]) < SURE_REACH
        ]
        if on_the_way:
            last = max(on_the_way, key=lambda other: abs(other - at))
            label = labels.setdefault(last, f".Lchain{turn}_{last}")
            items[at] = Instruction(f"{name}\t{label}", SHORT, items[at].kind)
    result = []
    for at, item in enumerate(items):
        result += [f"{labels[at]}:", item] if at in labels else [item]
    return result
