"""What processes hold of the machine's memory."""

import os
import struct

PAGE = os.sysconf("SC_PAGE_SIZE")
_PRESENT = 1 << 63
_PFN = (1 << 55) - 1


def rss_anon(pids):
    """RssAnon of all of them in bytes."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("RssAnon:")) * 1024
    return total


def distinct(pids):
    """Bytes of the distinct physical pages that they have mapped, shared ones counted once."""
    frames = set()
    for pid in pids:
        frames |= _frames(pid)
    return len(frames) * PAGE


def _frames(pid):
    frames = set()
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for line in maps:
            if line.rstrip().endswith(("[vsyscall]", "[vvar]", "[vvar_vclock]")):
                continue
            start, end = (int(x, 16) // PAGE for x in line.split()[0].split("-"))
            pagemap.seek(start * 8)
            data = pagemap.read((end - start) * 8)
            entries = struct.unpack(f"={len(data) // 8}Q", data)
            frames |= {entry & _PFN for entry in entries if entry & _PRESENT}
    frames.discard(0)
    return frames
