"""The table of cross/sizes.sh: `sizes.py FILE [PREFIX]`, FILE with symbols."""

import re
import subprocess
import sys
from collections import Counter

from elf import Elf

FUNCTION = 2
# `alloc`, `core` and `std` are big enough to be told apart by module.
DEPTH = {"vipd": 2, "core": 2, "alloc": 2, "std": 2}
NOT_LOADED = re.compile(r"\.(symtab|strtab|shstrtab|debug|comment|pdr|mdebug)")


def demangle(names):
    """Readable names, of both of Rust's schemes."""
    out = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    return out.stdout.splitlines()


def part(name):
    """The crate and module of a demangled name: `<vipd::config::X as core::fmt::Debug>::fmt` is vipd::config."""
    path = re.match(r"[<&*\[(]*(?:dyn |mut )*([A-Za-z_]\w*(?:\[[0-9a-f]+\])?(?:::[A-Za-z_]\w*)*)", name)
    words = [re.sub(r"\[.*", "", w) for w in path.group(1).split("::")] if path and "::" in path.group(0) else []
    if name.startswith(("outlined.", "OUTLINED_")):
        return "outlined: what was there twice"
    if not words:
        return "core (of primitive types)" if name.startswith("<") else "C (musl, zig's allocator)"
    return "::".join(words[:DEPTH.get(words[0], 1)])


def functions(elf):
    """(readable name, bytes) of each function, each address once."""
    found = {}
    for symbol in elf.symbols():
        if symbol.kind == FUNCTION and symbol.size:
            found.setdefault(symbol.value, symbol)
    symbols = list(found.values())
    return [(name, s.size) for name, s in zip(demangle([s.name for s in symbols]), symbols)]


def row(size, total, name):
    """One line of a table."""
    print(f"{size:9,d}  {100 * size / total:5.1f} %  {name}")


def main():
    """The command line."""
    elf = Elf(sys.argv[1])
    named = functions(elf)
    if len(sys.argv) > 2:
        chosen = [(size, name) for name, size in named if part(name).startswith(sys.argv[2])]
        total = sum(size for size, _ in chosen)
        for size, name in sorted(chosen, reverse=True)[:60]:
            row(size, total, name)
        row(total, total, f"together, {len(chosen)} functions")
        return
    sections = [s for s in elf.sections() if s.in_file and s.name and not NOT_LOADED.match(s.name)]
    total = sum(s.in_file for s in sections)
    print("    bytes      of  section")
    for section in sorted(sections, key=lambda s: -s.in_file)[:8]:
        row(section.in_file, total, section.name)
    row(total, total, "together: about the stripped file")
    parts = Counter()
    for name, size in named:
        parts[part(name)] += size
    code = sum(parts.values())
    print("\n    bytes  of code  part (its own functions; an inlined one counts where it went)")
    for name, size in parts.most_common():
        if size >= 500:
            row(size, code, name)
    row(code, code, "together")


main()
