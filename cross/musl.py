"""Prepares musl for the program that it becomes a part of (LLVM's text, standard input to output). The argument are two
lines of the program's text: the triple, and a function's attributes that name the processor.

Assembly within C, which is system calls above all, is inlined no more: no function of a shorter mode could have it,
and equal functions become one. The same holds for the count of trailing zeros, which MIPS16 has no code for.

The program has one thread: nothing is locked, and no other thread is asked to change its user, too.
"""

import re
import sys

FUNCTION = re.compile(r"^define internal .*?^}\n", re.MULTILINE | re.DOTALL)
APART = re.compile(r"\basm\b|^define [^(]*@a_ctz_")
GROUP = re.compile(r"#(\d+)(?=[^#\n]*\{\n)")
ATTRIBUTES = re.compile(r"^attributes #(\d+) = \{(.*)\}\n", re.MULTILINE)
TRIPLE = re.compile(r'^target triple = ".*"$', re.MULTILINE)
PROCESSOR = re.compile(r'"target-cpu"="[^"]*"(?: "target-features"="[^"]*")?')
# What musl knows of threads: that it has to lock, and how many there are besides the first one.
THREADS = re.compile(r"load (?:volatile )?(i8|i32), ptr getelementptr [a-z ]*\(%struct\.__libc, ptr @__libc, i32 0, i32 [34]\), align \d")
# Added to the number of a group of attributes: the same group, not to be inlined.
MARK = 100000


def apart(match):
    """A function that is to be one of its own, marked so, or the function as it is."""
    function = match.group()
    if not APART.search(function):
        return function
    return GROUP.sub(lambda group: f"#{int(group.group(1)) + MARK}", function, count=1)


def both(match):
    """A group of attributes, and the same for functions of their own."""
    number, attributes = match.groups()
    kept = re.sub(r" (?:always_?inline|inlinehint)\b", "", attributes)
    return match.group() + f"attributes #{int(number) + MARK} = {{ noinline{kept}}}\n"


def main():
    """Standard input to standard output."""
    text = THREADS.sub(r"add \1 0, 0", sys.stdin.read())
    for line in (TRIPLE, PROCESSOR):
        text = line.sub(line.search(sys.argv[1]).group(), text)
    sys.stdout.write(ATTRIBUTES.sub(both, FUNCTION.sub(apart, text)))


main()
