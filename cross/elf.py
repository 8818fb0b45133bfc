"""Reads ELF files: `elf.py static FILE` ends with 0 if FILE is a program that needs no other file.

The same for both word sizes and both byte orders, because Debian's binutils know only this machine's.
"""

import struct
import sys
from dataclasses import dataclass

PT_DYNAMIC, PT_INTERP = 2, 3
SHT_SYMTAB, SHT_NOBITS = 2, 8


@dataclass
class Section:
    """A section; `size` in bytes, `in_file` what of it the file holds."""

    name: str
    kind: int
    offset: int
    size: int
    link: int
    entry_size: int

    @property
    def in_file(self):
        """Bytes of the file that the section takes."""
        return 0 if self.kind == SHT_NOBITS else self.size


@dataclass
class Symbol:
    """A symbol; `section` is an index into the sections."""

    name: str
    value: int
    size: int
    section: int
    kind: int


class Elf:
    """A file's headers, sections and symbols."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.raw = file.read()
        if self.raw[:4] != b"\x7fELF":
            raise ValueError(f"{path} is not an ELF file")
        self.wide = self.raw[4] == 2
        self.order = "<" if self.raw[5] == 1 else ">"
        header = self._unpack("HHIQQQIHHHHHH" if self.wide else "HHIIIIIHHHHHH", 16)
        (self.kind, self.machine, _, _, self._phoff, self._shoff, _, _,
         self._phsize, self._phnum, self._shsize, self._shnum, self._names) = header

    def _unpack(self, form, offset):
        return struct.unpack_from(self.order + form, self.raw, offset)

    def segments(self):
        """The type of each program header."""
        return [self._unpack("I", self._phoff + i * self._phsize)[0] for i in range(self._phnum)]

    def sections(self):
        """Every section, in the order of the file."""
        heads = [self._unpack("IIQQQQIIQQ" if self.wide else "IIIIIIIIII", self._shoff + i * self._shsize)
                 for i in range(self._shnum)]
        names = heads[self._names][4] if heads else 0
        return [Section(self._text(names + h[0]), h[1], h[4], h[5], h[6], h[9]) for h in heads]

    def symbols(self):
        """Every symbol of the symbol table; none if the file is stripped."""
        sections = self.sections()
        table = next((s for s in sections if s.kind == SHT_SYMTAB), None)
        if table is None:
            return
        names = sections[table.link].offset
        for at in range(table.offset, table.offset + table.size, table.entry_size):
            if self.wide:
                name, info, _, section, value, size = self._unpack("IBBHQQ", at)
            else:
                name, value, size, info, _, section = self._unpack("IIIBBH", at)
            yield Symbol(self._text(names + name), value, size, section, info & 15)

    def _text(self, offset):
        return self.raw[offset:self.raw.index(b"\0", offset)].decode()

    def is_static(self):
        """Whether neither a loader nor a library is asked for."""
        return not {PT_DYNAMIC, PT_INTERP} & set(self.segments())


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "static":
        sys.exit(__doc__)
    sys.exit(0 if Elf(sys.argv[2]).is_static() else f"{sys.argv[2]} is dynamically linked")
