"""Assembly as LLVM writes it: which of its lines are instructions, and what an instruction is to the code around it."""

import re

# A label that has its meaning only in its function.
LOCAL = re.compile(r"\.L(BB|JTI|tmp|CPI|func)")
# What `-show-mc-encoding` adds.
ENCODING = re.compile(r"encoding: \[(.*?)\]")

# PLAIN goes anywhere, LEAVES ends its function, TAIL goes only together with what ends its function, STAYS nowhere.
PLAIN, PUSH, POP, CALLS, LEAVES, TAIL, STAYS = range(7)


class Instruction:
    """Its text, how many bytes it has, about, and its kind."""

    def __init__(self, text, size, kind):
        self.text, self.size, self.kind = text, size, kind


def read(lines, comment, kind):
    """The file as a list: instructions, and the other lines as they are. `kind` tells that of an instruction's text.
    Without an encoding, on its line or the next one, an instruction has four bytes."""
    items, waiting, by_hand = [], None, False
    for line in lines:
        found = ENCODING.search(line)
        size = found[1].count(",") + 1 if found else None
        text = (line if '"' in line else line.split(comment, 1)[0]).rstrip()
        if line.lstrip().startswith(comment):
            # Assembly of the source stands between these two.
            by_hand = line.startswith(f"\t{comment}APP") or by_hand and not line.startswith(f"\t{comment}NO_APP")
            if size and waiting:
                waiting.size = size
        elif text.startswith("\t") and text[1] != ".":
            items.append(Instruction(text[1:], size or 4, STAYS if by_hand else kind(text[1:])))
        elif text:
            items.append(text)
        last = items[-1] if items else None
        waiting = last if isinstance(last, Instruction) and not size else None
    return items


def write(items):
    """The file, to standard output."""
    for item in items:
        print(f"\t{item.text}" if isinstance(item, Instruction) else item)
