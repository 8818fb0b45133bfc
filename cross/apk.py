#!/usr/bin/env python3
"""Writes a package of apk-tools 3: `apk.py OUTPUT DATA SCRIPTS EPOCH KEY=VALUE…`, for apk.sh.

DATA is the folder of the files, SCRIPTS one with files named as apk names its scripts, KEY one of INFO below. Modes
are those of the files, owner is root, time is EPOCH. Debian has no apk-tools; the format is that of its manual
apk-v3(5), the numbers of fields are those of its schemas. No signature, and no more than a package without
dependencies, links and extended attributes needs.

A file is "ADBd" and a raw deflate stream of: "ADB.", "pckg", a block of metadata, and for each file that is not
empty, in the order of the metadata, a block with its bytes. Everything is little-endian.
"""

import hashlib
import os
import struct
import sys
import zlib

# Types of values (the upper four bits of their word), types of blocks (the upper two of theirs).
INT, INT32, BLOB8, BLOB16, BLOB32, ARRAY, OBJECT = (t << 28 for t in (1, 2, 8, 9, 0xa, 0xd, 0xe))
NULL = 0
METADATA, DATA = 0, 2

# The number of a field is its slot in the object; slot 0 is the number of slots.
INFO = {"name": 1, "version": 2, "description": 4, "arch": 5, "license": 6, "origin": 7, "maintainer": 8, "url": 9}
INFO_HASHES, INFO_INSTALLED_SIZE = 3, 12
SCRIPTS = {"pre-install": 2, "post-install": 3, "pre-deinstall": 4, "post-deinstall": 5, "pre-upgrade": 6,
           "post-upgrade": 7}
# An identity is as long as it was in apk 2, a SHA-1: the first bytes of the SHA-256 of the metadata.
IDENTITY_BYTES = 20


class Metadata:
    """The values of the metadata block. Equal ones stand there once."""

    def __init__(self):
        # Version of the format, oldest version of a reader, two reserved bytes, and the root, which comes last.
        self.bytes = bytearray(8)
        self._places = {}

    def raw(self, data, alignment):
        """Puts bytes at an aligned offset, which it returns."""
        self.bytes += bytes(-len(self.bytes) % alignment)
        self.bytes += data
        return len(self.bytes) - len(data)

    def _once(self, kind, data, alignment):
        if (kind, data) not in self._places:
            self._places[kind, data] = self.raw(data, alignment)
        return kind | self._places[kind, data]

    def blob(self, data):
        """The value of a string of bytes; an empty one is none."""
        if not data:
            return NULL
        for kind, size in ((BLOB8, 1), (BLOB16, 2), (BLOB32, 4)):
            if len(data) < 1 << 8 * size:
                return self._once(kind, len(data).to_bytes(size, "little") + data, size)
        raise ValueError("a string of 4 GiB")

    def text(self, text):
        """The value of a text."""
        return self.blob(text.encode())

    def number(self, number):
        """The value of a number: in its word while that has room."""
        return INT | number if number < 1 << 28 else self._once(INT32, struct.pack("<I", number), 4)

    def object(self, fields):
        """The value of an object from its fields by their numbers; one without fields is none."""
        slots = [NULL] * (max((n for n, value in fields.items() if value != NULL), default=0) + 1)
        for number, value in fields.items():
            if value != NULL:
                slots[number] = value
        return self._slots(OBJECT, slots)

    def array(self, values):
        """The value of an array."""
        return self._slots(ARRAY, [NULL, *values])

    def _slots(self, kind, slots):
        if len(slots) == 1:
            return NULL
        slots[0] = len(slots)
        return self._once(kind, struct.pack(f"<{len(slots)}I", *slots), 4)

    def finish(self, root):
        """Sets the root."""
        struct.pack_into("<I", self.bytes, 4, root)


def acl(metadata, path):
    """Who owns a file or folder, and its mode."""
    root = metadata.text("root")
    return metadata.object({1: metadata.number(os.stat(path).st_mode & 0o7777), 2: root, 3: root})


def folders_of(data):
    """Each folder with its files, in the order of their names as bytes; the top folder has the name ''."""
    found = [(os.path.relpath(folder, data), sorted(files, key=os.fsencode)) for folder, _, files in os.walk(data)]
    return sorted((("" if name == "." else name, files) for name, files in found), key=lambda f: os.fsencode(f[0]))


def build(data, scripts, epoch, info):
    """The metadata, and the blocks of the files' bytes."""
    metadata, blocks, folders, total = Metadata(), [], [], 0
    for folder_number, (folder, names) in enumerate(folders_of(data), 1):
        files = []
        for file_number, name in enumerate(names, 1):
            path = os.path.join(data, folder, name)
            with open(path, "rb") as file:
                content = file.read()
            total += len(content)
            files.append(metadata.object({1: metadata.text(name), 2: acl(metadata, path),
                                          3: metadata.number(len(content)), 4: metadata.number(epoch),
                                          5: metadata.blob(hashlib.sha256(content).digest())}))
            if content:
                blocks.append(block(DATA, struct.pack("<II", folder_number, file_number) + content))
        folders.append(metadata.object({1: metadata.text(folder), 2: acl(metadata, os.path.join(data, folder)),
                                        3: metadata.array(files)}))
    # Filled in when everything else is there, so that nothing else may share it.
    identity = metadata.raw(bytes([IDENTITY_BYTES]) + bytes(IDENTITY_BYTES), 1)
    fields = {INFO[key]: metadata.text(value) for key, value in info.items()}
    fields |= {INFO_HASHES: BLOB8 | identity, INFO_INSTALLED_SIZE: metadata.number(total)}
    metadata.finish(metadata.object({1: metadata.object(fields), 2: metadata.array(folders),
                                     3: metadata.object({SCRIPTS[name]: metadata.text(read(os.path.join(scripts, name)))
                                                         for name in sorted(os.listdir(scripts))})}))
    digest = hashlib.sha256(metadata.bytes).digest()[:IDENTITY_BYTES]
    metadata.bytes[identity + 1:identity + 1 + IDENTITY_BYTES] = digest
    return bytes(metadata.bytes), blocks


def read(path):
    """The text of a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def block(kind, payload):
    """A block: type and size with this word, the payload, and zeros up to a multiple of eight bytes."""
    size = 4 + len(payload)
    return struct.pack("<I", kind << 30 | size) + payload + bytes(-size % 8)


def main():
    """The command line."""
    output, data, scripts, epoch, *pairs = sys.argv[1:]
    metadata, blocks = build(data, scripts, int(epoch), dict(pair.split("=", 1) for pair in pairs))
    plain = b"ADB.pckg" + block(METADATA, metadata) + b"".join(blocks)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    with open(output, "wb") as file:
        file.write(b"ADBd" + packer.compress(plain) + packer.flush())


if __name__ == "__main__":
    main()
