"""Marks the functions of a program (LLVM's text, standard input to output) as MIPS16 code, but for those few
that LLVM cannot translate so: with thread-local variables, assembly, or floating point, and those named as arguments.

Every call is made by the C convention: LLVM's fast one passes arguments in registers that MIPS16 code does not
reach, and LLVM 22 then leaves out, without a word, the moves between two of them.
"""

import re
import sys

ONLY_MIPS32 = re.compile(r"\bthreadlocal\b|@llvm\.threadlocal|\basm\b|\b(?:float|double)\b")
# Added to the number of a group of attributes: the same group for MIPS16.
MARK = 100000
GROUP = re.compile(r"#(\d+)(?=[^#]*\{$)")
NAME = re.compile(r'@"?([^"(]+)"?\(')
FEATURES = re.compile(r'("target-features"="[^"]*)"')


def functions(lines):
    """The text in pieces: each function's definition as one, each other line as one."""
    body = None
    for line in lines:
        if line.startswith("define "):
            body = []
        if body is None:
            yield line
            continue
        body.append(line)
        if line == "}\n":
            yield "".join(body)
            body = None


def marked(function):
    """A definition that refers to the group for MIPS16."""
    head, rest = function.split("\n", 1)
    head, count = GROUP.subn(lambda m: f"#{int(m.group(1)) + MARK}", head)
    if count != 1:
        sys.exit(f"mips16.py: a function without attributes: {head}")
    return f"{head}\n{rest}"


def group_for_mips16(line):
    """A group of attributes a second time, for MIPS16, or nothing."""
    group = re.match(r"attributes #(\d+) = (.*\n)", line)
    if not group or not FEATURES.search(line):
        return ""
    return f"attributes #{int(group.group(1)) + MARK} = " + FEATURES.sub(r'\1,+mips16"', group.group(2))


def main():
    """Standard input to standard output; the arguments are names of functions."""
    named = set(sys.argv[1:])
    for piece in functions(sys.stdin):
        if piece.startswith("define "):
            piece = piece.replace(" fastcc ", " ")
            only_mips32 = ONLY_MIPS32.search(piece) or NAME.search(piece).group(1) in named
            sys.stdout.write(piece if only_mips32 else marked(piece))
        else:
            sys.stdout.write(piece.replace(" fastcc ", " ") + group_for_mips16(piece))


main()
