"""Makes LLVM's assembly of MIPS16 code shorter (standard input to output).

A call is followed by a `nop` for its delay slot, which GNU's assembler fills by itself: without the `nop`.

The address of a symbol is made of three instructions of four bytes each. It is loaded instead, by an instruction of
two bytes or four, from a pool of constants behind the function; the assembler knows how far that is.
"""

import re
import sys

HIGH = re.compile(r"\tli\t(\$\d+), %hi\((.+)\)$")
SHIFT = re.compile(r"\tsll\t(\$\d+), (\$\d+), 16$")
LOW = re.compile(r"\taddiu\t(\$\d+), %lo\((.+)\)$")


def code(line):
    """An instruction without its comment."""
    return line.split("#", 1)[0].rstrip()


def address(lines, at):
    """The register and the symbol, if an address is made by the three instructions that begin here. The first two
    have their registers' only readers behind them: LLVM makes the three as one, and the third one's is the second's."""
    high, shift, low = (p.match(code(line)) for p, line in zip((HIGH, SHIFT, LOW), lines[at : at + 3]))
    if high and shift and low and shift[2] == high[1] and low[1] == shift[1] and low[2] == high[2]:
        return low[1], low[2]
    return None


class Function:
    """The lines of one function, and its pool: symbol to label."""

    def __init__(self, number):
        self.number, self.pool = number, {}

    def label(self, symbol):
        return self.pool.setdefault(symbol, f"$pool{self.number}_{len(self.pool)}")

    def end(self):
        if not self.pool:
            return ""
        words = "".join(f"{label}:\n\t.4byte\t{symbol}\n" for symbol, label in self.pool.items())
        return f"\t.p2align\t2\n{words}"


def shorter(lines):
    """The lines of a file."""
    function, short, at = None, False, 0
    while at < len(lines):
        line, step = lines[at], 1
        if line.startswith("\t.set\tmips16"):
            short = True
        elif line.startswith("\t.set\tnomips16"):
            short = False
        elif line.startswith("\t.ent\t"):
            function = Function(at)
        elif line.startswith("\t.end\t"):
            short = False
            yield function.end()
        elif short and line.startswith("\tjal\t") and code(lines[at + 1]) == "\tnop":
            step = 2
        elif short and (made := address(lines, at)):
            register, symbol = made
            line, step = f"\tlw\t{register}, {function.label(symbol)}\n", 3
        yield line
        at += step


sys.stdout.writelines(shorter(sys.stdin.readlines()))
