"""Outlines code: instructions that stand in several places are written once and called, or jumped to.

LLVM does so, too, but less: on x86_64 never with an access to the stack, nor with a call as the last instruction; and
what is jumped to is a function of its own, where here it stays in one of its places.
"""

import heapq
from dataclasses import dataclass
from itertools import accumulate, count

from assembly import CALLS, LEAVES, POP, PUSH, STAYS, TAIL, Instruction

LONGEST = 60
# Outlined code is the same as other code again, more often than not three times.
ROUNDS = 4


@dataclass(frozen=True)
class Machine:
    """How a machine calls, jumps and returns, in how many bytes."""

    call: str
    jump: str
    size: int
    back: str
    back_size: int

    def to(self, name, jump):
        """A call of, or a jump to."""
        return Instruction(f"{self.jump if jump else self.call}\t{name}", self.size, LEAVES if jump else CALLS)

    def inside(self, code):
        """An instruction as it is in outlined code. A call at the end becomes a jump: the function called returns to
        where the outlined code was called."""
        if code.kind != CALLS:
            return code
        return Instruction(code.text.replace(self.call, self.jump, 1), code.size, LEAVES)


def balanced(kinds):
    """Whether as much is pushed as popped, and nothing popped that was not pushed."""
    depth = 0
    for each in kinds:
        depth += (each == PUSH) - (each == POP)
        if depth < 0:
            return False
    return depth == 0


class Way:
    """How instructions are outlined: by a jump if they leave their function, otherwise by a call."""

    def __init__(self, machine, instructions):
        kinds = [i.kind for i in instructions]
        self.size = sum(i.size for i in instructions)
        self.jump = kinds[-1] == LEAVES
        self.returns = not self.jump and kinds[-1] != CALLS
        self.machine = machine
        self.possible = self.jump or TAIL not in kinds and CALLS not in kinds[:-1] and balanced(kinds)

    def saves(self, times):
        """How many bytes, if they stand there so often."""
        if not self.possible or times < 2:
            return 0
        copies = times - 1 if self.jump else times
        body = 0 if self.jump else self.size + (self.machine.back_size if self.returns else 0)
        return copies * (self.size - self.machine.size) - body


def numbered(items):
    """A number for each instruction that may move, the same for equal ones, and None for what may not."""
    numbers = {}
    return [
        None if isinstance(item, str) or item.kind == STAYS else numbers.setdefault(item.text, len(numbers))
        for item in items
    ]


def tails_before(items):
    """How many instructions of the kind TAIL stand before each place, and before the end."""
    return [0, *accumulate(isinstance(item, Instruction) and item.kind == TAIL for item in items)]


def by_next(row, places, length):
    """The places in groups that go on in the same way."""
    groups = {}
    for at in places:
        if at + length < len(row) and row[at + length] is not None:
            groups.setdefault(row[at + length], []).append(at)
    return [group for group in groups.values() if len(group) > 1]


def repeated(machine, items):
    """(way, length, places) of whatever is worth it."""
    row, tails = numbered(items), tails_before(items)
    groups, length = by_next(row, range(len(row)), 0), 1
    while groups and length <= LONGEST:
        longer = []
        for places in groups:
            # The same text can be of the kind TAIL in one place and not in another.
            free = [at for at in places if tails[at] == tails[at + length]]
            first = free[0] if free else places[0]
            way = Way(machine, items[first : first + length])
            usable = places if way.jump else free
            if way.saves(len(usable)) > 0:
                yield way, length, usable
            if not way.jump:
                longer += by_next(row, places, length)
        groups, length = longer, length + 1


def apart(places, length, taken):
    """Those places that neither are taken nor overlap."""
    free, end = [], 0
    for at in places:
        if at >= end and not any(taken[at : at + length]):
            free.append(at)
            end = at + length
    return free


def worth(way, length, places):
    """What saves much goes first, and what takes little of the code from others."""
    return way.saves(len(places)) / (len(places) * length) ** 0.7


def chosen(machine, items):
    """(way, length, places) of what is to be outlined: first what is worth most, none over another."""
    candidates = list(repeated(machine, items))
    heap = [(-worth(*candidate), n) for n, candidate in enumerate(candidates)]
    heapq.heapify(heap)
    taken = bytearray(len(items))
    while heap:
        before, n = heapq.heappop(heap)
        way, length, places = candidates[n]
        places = apart(places, length, taken)
        now = worth(way, length, places) if places else 0
        if now == -before:
            for at in places:
                taken[at : at + length] = b"\1" * length
            yield way, length, places
        elif now > 0:
            candidates[n] = way, length, places
            heapq.heappush(heap, (-now, n))


def once(machine, items, names):
    """The items with a call or a jump in the place of what is worth it. What is jumped to stays where it is first."""
    instead, functions = {}, []
    for way, length, places in chosen(machine, items):
        name, code = next(names), items[places[0] : places[0] + length]
        if way.jump:
            instead[places.pop(0)] = length, [f"{name}:", *code]
        else:
            functions += [f'\t.section\t.text.{name},"ax",@progbits', f"\t.type\t{name},@function", f"{name}:"]
            functions += map(machine.inside, code)
            functions += [Instruction(machine.back, machine.back_size, LEAVES)] if way.returns else []
            functions.append(f"\t.size\t{name}, . - {name}")
        instead.update((at, (length, [machine.to(name, way.jump)])) for at in places)
    result, at = [], 0
    while at < len(items):
        length, new = instead.get(at, (1, items[at : at + 1]))
        result += new
        at += length
    return result + functions


def outlined(machine, items):
    """The items, with what stands in several places written once."""
    names = (f"outlined.{n}" for n in count())
    for _ in range(ROUNDS):
        items = once(machine, items, names)
    return items
