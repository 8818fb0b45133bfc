"""Marks the functions of a program (LLVM's text, standard input to output) as code for size, and as code of a shorter
mode: the first argument, LLVM's name of it, or nothing. Left out of the mode are those few that LLVM cannot translate
so: with assembly, floating point, or a count of trailing zeros, and those named as further arguments.

For size: what is inlined best at opt-level "s" is translated best at "z", and nobody looks at frame pointers. Nothing
stands below the stack pointer, so that a function can be called in the midst of code (outline.py).

For MIPS16, every call is made by the C convention: LLVM's fast one passes arguments in registers that MIPS16 code
does not reach, and LLVM 22 then leaves out, without a word, the moves between two of them.
"""

import re
import sys

NOT_SHORT = re.compile(r'@llvm\.cttz|\basm\b(?! (?:sideeffect )?"",)|\b(?:float|double)\b')
# Added to the number of a group of attributes: the same group for the mode.
MARK = 100000
GROUP = re.compile(r"#(\d+)(?=[^#]*\{$)")
NAME = re.compile(r'@"?([^"(]+)"?\(')
FEATURES = re.compile(r'("target-features"="[^"]*)"')
# What tells the group of a function that has a body from that of a declaration.
BODY = ' "target-cpu"='
REPLACED = re.compile(r' "frame-pointer"="[^"]*"| (?:minsize|optsize)(?= )')


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
    """A definition that refers to the group for the mode."""
    head, rest = function.split("\n", 1)
    head, count = GROUP.subn(lambda m: f"#{int(m.group(1)) + MARK}", head)
    if count != 1:
        sys.exit(f"codegen.py: a function without attributes: {head}")
    return f"{head}\n{rest}"


def for_size(line):
    """A group of attributes, with those for size."""
    if BODY not in line:
        return line
    return REPLACED.sub("", line).replace("= {", "= { minsize optsize noredzone", 1)


def group_for(mode, line):
    """A group of attributes a second time, for the mode, or nothing."""
    group = re.match(r"attributes #(\d+) = (.*\n)", line)
    if not group or not FEATURES.search(line):
        return ""
    return f"attributes #{int(group.group(1)) + MARK} = " + FEATURES.sub(rf'\1,+{mode}"', group.group(2))


def main():
    """Standard input to standard output."""
    mode, named = sys.argv[1], set(sys.argv[2:])
    for piece in functions(sys.stdin):
        if mode == "mips16":
            piece = piece.replace(" fastcc ", " ")
        if piece.startswith("attributes "):
            piece = for_size(piece)
            piece += group_for(mode, piece) if mode else ""
        elif mode and piece.startswith("define "):
            keeps = NOT_SHORT.search(piece) or NAME.search(piece).group(1) in named
            piece = piece if keeps else marked(piece)
        sys.stdout.write(piece)


main()
