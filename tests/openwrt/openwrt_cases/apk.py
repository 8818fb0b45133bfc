"""The package of apk-tools 3, read by a reader of its own: Debian has no apk.

The reader knows the format from apk's manual, apk-v3(5), and from the numbers in its schemas; it shares nothing with
cross/apk.py. What a router's apk says of the package, this does not show.
"""

import hashlib
import os
import struct
import subprocess
import zlib

from lib.check import check, equal
from openwrt_cases.ipk import FILES, VERSION, members
from router import package
from router.router import Router

INFO = {1: "name", 2: "version", 3: "hashes", 4: "description", 5: "arch", 6: "license", 7: "origin", 8: "maintainer",
        9: "url", 12: "installed-size"}
SCRIPTS = {3: "post-install", 4: "pre-deinstall", 7: "post-upgrade"}
LISTS = "./lib/apk/packages/vipd"
SCRIPT = """#!/bin/sh
%s[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "${IPKG_INSTROOT}/lib/functions.sh"
export root="${IPKG_INSTROOT}"
export pkgname="vipd"
%s
"""
# apk does not stop the service for an upgrade.
RESTART = """[ -n "${IPKG_INSTROOT}" ] || [ "${PKG_UPGRADE}" != 1 ] || [ ! -d /lib/apk ] || ! /etc/init.d/vipd running ||
	/etc/init.d/vipd restart"""


class Reader:
    """A package: `blocks`, their types and payloads, and the tree of the first one's values."""

    def __init__(self, path):
        with open(path, "rb") as file:
            packed = file.read()
        equal(packed[:4], b"ADBd", "the magic of a deflated file")
        inflate = zlib.decompressobj(-15)
        self.plain = inflate.decompress(packed[4:])
        equal((inflate.eof, inflate.unused_data), (True, b""), "the end of the stream")
        equal(self.plain[:8], b"ADB.pckg", "magic and schema")
        self.blocks = list(self._blocks())
        self.metadata = self.blocks[0][1]
        equal(self.metadata[:4], bytes(4), "versions of the metadata's format")

    def _blocks(self):
        at = 8
        while at < len(self.plain):
            equal(at % 8, 0, "alignment of a block")
            [word] = struct.unpack_from("<I", self.plain, at)
            kind, size = word >> 30, word & 0x3fffffff
            check(4 <= size <= len(self.plain) - at, f"the size of a block: {size}")
            end = at + size
            at = end + -end % 8
            equal(self.plain[end:at], bytes(at - end), "padding")
            yield kind, self.plain[end - size + 4:end]

    def value(self, word):
        """A number, a string of bytes, a list of an array's or a dict of an object's values."""
        kind, rest = word >> 28, word & 0xfffffff
        if word == 0:
            return None
        if kind == 1:
            return rest
        if kind == 2:
            return self._number(rest, 4)
        if kind in (8, 9, 10):
            size = 1 << kind - 8
            length = self._number(rest, size)
            check(rest + size + length <= len(self.metadata), "a string ends in the block")
            return self.metadata[rest + size:rest + size + length]
        check(kind in (0xd, 0xe), f"type {kind:x}")
        count = self._number(rest, 4)
        slots = {n: self.value(self._number(rest + 4 * n, 4)) for n in range(1, count)}
        return list(slots.values()) if kind == 0xd else {n: v for n, v in slots.items() if v is not None}

    def _number(self, at, size):
        equal(at % size, 0, "alignment of a value")
        check(8 <= at <= len(self.metadata) - size, f"a value in the block: {at}")
        return int.from_bytes(self.metadata[at:at + size], "little")

    def root(self):
        """The tree."""
        return self.value(int.from_bytes(self.metadata[4:8], "little"))


def case_two_builds_are_the_same_bytes():
    first, second = package.made_twice("apk")
    equal(list(first), [f"x86_64/vipd-{VERSION}.apk"], "files")
    check(first == second, "the packages differ")


def case_the_metadata_of_the_package():
    reader = Reader(package.apk())
    root = reader.root()
    equal(sorted(root), [1, 2, 3], "the package has information, paths and scripts")
    info = {INFO[number]: value for number, value in root[1].items()}
    for name, wanted in (("name", "vipd"), ("version", VERSION), ("arch", "x86_64"), ("license", "MIT OR Apache-2.0"),
                         ("origin", "feeds/packages/net/vipd")):
        equal(info[name], wanted.encode(), name)
    for name in ("maintainer", "url", "description"):
        check(info[name] and b"\n" not in info[name] and b"  " not in info[name], f"{name}: {info[name]!r}")
    zeroed = reader.metadata.replace(info["hashes"], bytes(20))
    equal(reader.metadata.count(info["hashes"]), 1, "places of the identity")
    equal(info["hashes"], hashlib.sha256(zeroed).digest()[:20], "the identity")
    equal(info["installed-size"], sum(len(data) - 8 for _, data in reader.blocks[1:]), "installed-size")


def case_the_files_are_those_of_the_ipk():
    reader = Reader(package.apk())
    root = reader.root()
    found, folders, wanted_blocks = {}, [], []
    for path_number, folder in enumerate(root[2], 1):
        name = folder.get(1, b"").decode()
        folders.append(name)
        equal(folder[2], {1: 0o755, 2: b"root", 3: b"root"}, f"mode and owner of /{name}")
        names = [file[1] for file in folder.get(3, [])]
        equal(names, sorted(names), f"order of the files of /{name}")
        for file_number, file in enumerate(folder.get(3, []), 1):
            path = f"./{name}/{file[1].decode()}"
            equal((file[2][2], file[2][3], file[4]), (b"root", b"root", package.EPOCH), f"owner and time of {path}")
            wanted_blocks.append((path_number, file_number))
            found[path] = (file[2][1], file[3], file[5])
    equal(folders, sorted(folders), "order of the folders")
    equal(folders[0], "", "the top folder")
    parents = {os.path.dirname(f)[2:] for path in found for f in ancestors(path)}
    equal(set(folders), parents, "folders")
    contents = {}
    for (kind, data), path, numbers in zip(reader.blocks[1:], found, wanted_blocks, strict=True):
        equal((kind, struct.unpack_from("<II", data)), (2, numbers), f"type and numbers of the block of {path}")
        contents[path] = data[8:]
        equal(found[path][1:], (len(data) - 8, hashlib.sha256(data[8:]).digest()), f"size and hash of {path}")
    _, shipped = members("data.tar.gz")
    equal({path: text for path, text in contents.items() if path in shipped}, shipped, "the files of the ipk")
    equal({path: mode for path, (mode, _, _) in found.items()},
          {**FILES, **{f"{LISTS}.{name}": 0o644 for name in ("list", "conffiles", "conffiles_static")}}, "files and modes")
    equal(contents[f"{LISTS}.list"].decode().split(), sorted(path[1:] for path in FILES), "the list of files")
    equal(contents[f"{LISTS}.conffiles"], b"/etc/config/vipd\n", "conffiles")
    digest = hashlib.sha256(shipped["./etc/config/vipd"]).hexdigest()
    equal(contents[f"{LISTS}.conffiles_static"].decode(), f"/etc/config/vipd {digest}\n", "conffiles_static")


def ancestors(path):
    """`path` and the paths of the folders that it is in, below the top."""
    while path != ".":
        yield path
        path = os.path.dirname(path)


def case_the_scripts_are_openwrts_and_an_upgrade_restarts_what_runs():
    scripts = {SCRIPTS[number]: text.decode() for number, text in Reader(package.apk()).root()[3].items()}
    postinst = "add_group_and_user\ndefault_postinst\n" + RESTART
    equal(scripts, {"post-install": SCRIPT % ("", postinst), "pre-deinstall": SCRIPT % ("", "default_prerm"),
                    "post-upgrade": SCRIPT % ("export PKG_UPGRADE=1\n", postinst)}, "scripts")
    for text in scripts.values():
        package.run("shellcheck", "-s", "sh", "-e", "SC1091", "-", text=text)
    for name, runs, apk, wanted in (("post-upgrade", True, True, "running restart"), ("post-upgrade", False, True, "running"),
                                    ("post-install", True, True, ""), ("post-upgrade", True, False, "")):
        equal(called(scripts[name], runs, apk), wanted, f"{name}, running: {runs}, apk: {apk}")


def called(text, runs, apk):
    """What a script asks of the init script, on a router whose service runs or not, and that has apk or opkg."""
    router = Router()
    router.write("lib/functions.sh", "add_group_and_user() { :; }\ndefault_postinst() { :; }\n")
    router.write("etc/init.d/vipd", f'#!/bin/sh\necho "$1"\n[ "$1" != running ] || {"true" if runs else "false"}\n')
    os.chmod(router.path("etc/init.d/vipd"), 0o755)
    if apk:
        os.makedirs(router.path("lib/apk"))
    return " ".join(router.must("/bin/sh", "-c", text).split())


def case_a_package_for_each_architecture():
    folder = package.work("armv7")
    package.make(folder, "armv7", kind="apk")
    for name in ("arm_cortex-a15_neon-vfpv4", "arm_cortex-a7_neon-vfpv4", "arm_cortex-a9_vfpv3-d16"):
        info = Reader(f"{folder}/{name}/vipd-{VERSION}.apk").root()[1]
        equal(info[5].decode(), name, "arch")


def case_what_is_missing_is_named():
    for argv, env, words in ((["mips"], {"VIPD_BINARY": "/nowhere"}, "/nowhere is not there: cross/build.sh mips builds it"),
                             (["all"], {}, "VIPD_BINARY serves one TARGET"), (["sparc"], {}, "unknown target sparc"),
                             ([], {}, "cross/apk.sh TARGET")):
        done = subprocess.run([package.repository("cross/apk.sh"), *argv], capture_output=True, text=True, timeout=60, env={
            **os.environ, "VIPD_BINARY": package.payload(), "APK_DIR": package.work("none"), **env})
        check(done.returncode != 0 and words in done.stderr, f"{argv} {env}: {done.returncode}, {done.stderr!r}")
