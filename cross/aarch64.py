"""Makes LLVM's assembly of AArch64 code shorter: what is there twice is written once (outline.py)."""

import re
import sys
from dataclasses import dataclass

from assembly import CALLS, LEAVES, LOCAL, PLAIN, STAYS, TAIL, Instruction, read, write
from outline import Machine, outlined

# An access to the stack that leaves the stack pointer alone.
STACK_USED = re.compile(r"(add|mov)\tx\d+, sp\b|.*\[sp(, #\d+)?\]$")
# The register of the return address, and the functions that save registers with it (`homogeneous-prolog-epilog`).
RETURN_SAVED = re.compile(r"st[rp]\t.*\bx30\b|bl\tOUTLINED_FUNCTION_PROLOG")
RETURN_RESTORED = re.compile(r"ld[rp]\t.*\bx30\b|bl\tOUTLINED_FUNCTION_EPILOG")
RETURN_USED = re.compile(r"\b[xw]30\b|bl\tOUTLINED_FUNCTION_(PRO|EPI)LOG")


def kind(text):
    """What an instruction is, where the return address is saved."""
    name, _, operands = text.partition("\t")
    if name in ("ret", "brk") or name == "b" and not LOCAL.search(operands):
        return LEAVES
    if name in ("b", "br") or name.startswith(("b.", "cb", "tb")) or LOCAL.search(operands):
        return STAYS
    if RETURN_USED.search(text) or re.search(r"\bsp\b", operands) and not STACK_USED.match(text):
        return TAIL
    return CALLS if name in ("bl", "blr") else PLAIN


def only_tails(items):
    """Makes what stands where the return address is not saved go only together with what ends its function: a call
    would overwrite that address. LLVM saves it first of all (no shrink-wrapping), and restores it last."""
    saved = False
    for item in items:
        if isinstance(item, str):
            if item.startswith("\t.section"):
                saved = False
        elif RETURN_SAVED.match(item.text):
            saved = True
        elif saved and RETURN_RESTORED.match(item.text):
            saved = None
        elif saved is None and item.kind == LEAVES:
            saved = True
        elif not saved and item.kind in (PLAIN, CALLS):
            item.kind = TAIL


@dataclass(frozen=True)
class AArch64(Machine):
    """A call overwrites the return address."""

    def inside(self, code):
        """Outlined code does not save it."""
        code = super().inside(code)
        return code if code.kind == LEAVES else Instruction(code.text, code.size, TAIL)


def main():
    """Standard input to output."""
    items = read(sys.stdin, "//", kind)
    only_tails(items)
    write(outlined(AArch64(call="bl", jump="b", size=4, back="ret", back_size=4), items))


main()
