"""Makes LLVM's assembly of x86_64 code shorter: standard input, with the encodings of `-show-mc-encoding`, to output.

An instruction with a 64-bit operand has a prefix for that. Push and pop have not: together they are shorter than a
copy between two of the older registers, than the store of a small number, and than a load of a number with the highest
bit set (Rust's mark of an enum's variants), which is a small one turned round.

Then what is there twice is written once (outline.py), and jumps go by way of others (jumps.py).
"""

import re
import sys
from dataclasses import dataclass

from assembly import CALLS, LEAVES, LOCAL, PLAIN, POP, PUSH, STAYS, TAIL, Instruction, read, write
from jumps import chained
from outline import Machine, outlined

# Of functions that might be in a library: the linker knows where they are.
FAR = re.compile(r"(callq|jmp)q?\t\*(\w+)@GOTPCREL\(%rip\)")
# An address on the stack, as it is used, and as it is taken.
ON_STACK = re.compile(r"(-?\d*)\(%rsp\b")
STACK_TAKEN = re.compile(r"movq\t%rsp, (%r(?!sp)\w+)$")

OLDER_REGISTER = "%r(?:[abcd]x|[sd]i|bp)"
COPY = re.compile(rf"movq\t({OLDER_REGISTER}), ({OLDER_REGISTER})$")
STORE = re.compile(r"movq\t\$(-?\d+), (\S*\(.*\))$")
HIGH_BIT = re.compile(r"movabsq\t\$-(\d+), (%r\w+)$")

# Instructions that set all flags without a look at them (a function is not asked for them, nor gives any), and those
# that look.
SETS_FLAGS = re.compile("add|sub|cmp|test|xor|and|or|neg|call|ret")
READS_FLAGS = re.compile("j|set|cmov|adc|sbb|rc[lr]|pushf|lahf")


def kind(text):
    """What an instruction is."""
    name, _, operands = text.partition("\t")
    if name in ("retq", "ud2") or name.startswith("jmp") and not LOCAL.search(operands) and operands[:2] != "*%":
        return LEAVES
    if name[0] == "j" or LOCAL.search(operands):
        return STAYS
    if name.startswith("call"):
        return CALLS
    if name.startswith("push"):
        return PUSH
    if name.startswith("pop"):
        return POP
    if re.search("%[re]?sp", ON_STACK.sub("", operands)) and not STACK_TAKEN.match(text):
        return TAIL
    return PLAIN


@dataclass(frozen=True)
class X8664(Machine):
    """Behind the return address of a call, the stack is eight bytes further away. Nothing may stand below the stack
    pointer (codegen.py: `noredzone`)."""

    def inside(self, code):
        """With addresses on the stack made good."""
        text = STACK_TAKEN.sub(r"leaq\t0(%rsp), \1", code.text)
        text = ON_STACK.sub(lambda m: f"{int(m[1] or 0) + 8}(%rsp", text)
        return super().inside(Instruction(text, code.size, code.kind))


def flags_are_free(items):
    """Whether these items set the flags before they look at them."""
    for item in items:
        if isinstance(item, str) or READS_FLAGS.match(item.text):
            return False
        if SETS_FLAGS.match(item.text):
            return True
    return False


def shorter(items, at):
    """What does the same as the instruction there, in fewer bytes, if there is such a thing."""
    item = items[at]
    if copy := COPY.match(item.text):
        return Instruction(f"pushq\t{copy[1]}\n\tpopq\t{copy[2]}", 2, PLAIN)
    if (store := STORE.match(item.text)) and -128 <= int(store[1]) <= 127:
        return Instruction(f"pushq\t${store[1]}\n\tpopq\t{store[2]}", item.size - 3, PLAIN)
    if high := HIGH_BIT.match(item.text):
        low = (1 << 63) - int(high[1])
        if low <= 63 and flags_are_free(items[at + 1 : at + 9]):
            turned = f"pushq\t${2 * low + 1}\n\tpopq\t{high[2]}\n\trorq\t{high[2]}"
            return Instruction(turned, 6 if re.match(OLDER_REGISTER, high[2]) else 8, PLAIN)
    return item


def main():
    """Standard input to output."""
    items = read((FAR.sub(r"\1\t\2", line) for line in sys.stdin), "#", kind)
    for at, item in enumerate(items):
        if isinstance(item, Instruction) and item.kind != STAYS:
            items[at] = shorter(items, at)
    machine = X8664(call="callq", jump="jmp", size=5, back="retq", back_size=1)
    write(chained(outlined(machine, items)))


main()
