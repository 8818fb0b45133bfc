"""The package and its index: byte for byte, and field by field."""

import gzip
import hashlib
import io
import os
import re
import subprocess
import tarfile

from lib.check import check, equal
from router import package

VERSION = "0.1.0-r1"
FILES = {
    "./etc/capabilities/vipd.json": 0o644,
    "./etc/config/vipd": 0o600,
    "./etc/hotplug.d/iface/50-vipd": 0o644,
    "./etc/init.d/vipd": 0o755,
    "./etc/uci-defaults/vipd": 0o755,
    "./lib/upgrade/keep.d/vipd": 0o644,
    "./usr/libexec/rpcd/vipd": 0o755,
    "./usr/sbin/vipd": 0o755,
    "./usr/share/acl.d/vipd.json": 0o644,
    "./usr/share/rpcd/acl.d/vipd.json": 0o644,
}
CONTROL_FIELDS = ["Package", "Version", "Depends", "Source", "SourceName", "License", "LicenseFiles", "Section",
                  "SourceDateEpoch", "URL", "Maintainer", "Architecture", "Installed-Size", "Description"]
# OpenWrt's default scripts: not at a build, not where there is no OpenWrt.
SCRIPT = """#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "${IPKG_INSTROOT}/lib/functions.sh"
default_%s "$0" "$@"
"""


def inner(name):
    """The bytes of a member of the package."""
    with tarfile.open(package.ipk()) as outer:
        return outer.extractfile(f"./{name}").read()


def members(name):
    """The members of a tar in the package; all of them root's, of one time, in order, GNU."""
    with tarfile.open(fileobj=io.BytesIO(inner(name))) as archive:
        found = archive.getmembers()
        texts = {m.name: archive.extractfile(m).read() for m in found if m.isfile()}
    for member in found:
        owner = (member.uid, member.gid, member.uname, member.gname, member.mtime)
        equal(owner, (0, 0, "", "", package.EPOCH), f"owner and time of {member.name}")
    names = [f"{m.name}/" if m.isdir() else m.name for m in found]
    equal(names, sorted(names), "order")
    return {m.name: m for m in found}, texts


def fields(text):
    """The fields of a control file: names in order, and values with their continuation lines."""
    found = re.findall(r"(?m)^([A-Za-z0-9-]+):(.*(?:\n .*)*)", text)
    return [name for name, _ in found], {name: value.strip() for name, value in found}


def case_two_builds_are_the_same_bytes():
    first, second = package.made_twice("ipk")
    equal(sorted(first), [f"x86_64/{name}" for name in ("Packages", "Packages.gz", f"vipd_{VERSION}_x86_64.ipk")], "files")
    for name, data in first.items():
        check(data == second[name], f"{name} differs")


def case_the_outer_archive():
    with open(package.ipk(), "rb") as file:
        head = file.read(10)
    # No name and no time in gzip's header.
    equal((head[:2], head[3], head[4:8]), (b"\x1f\x8b", 0, b"\0\0\0\0"), "gzip's magic, flags and time")
    with tarfile.open(package.ipk()) as outer:
        equal([m.name for m in outer], ["./debian-binary", "./data.tar.gz", "./control.tar.gz"], "members")
    equal(inner("debian-binary"), b"2.0\n", "debian-binary")
    for name in ("data.tar.gz", "control.tar.gz"):
        equal(inner(name)[3:8], b"\0\0\0\0\0", f"flags and time of {name}")
        equal(gzip.decompress(inner(name))[257:265], b"ustar  \0", f"format of {name}")


def case_the_data_are_exactly_these_files():
    found, texts = members("data.tar.gz")
    equal({n: m.mode for n, m in found.items() if m.isfile()}, FILES, "files and modes")
    folders = {n: m.mode for n, m in found.items() if m.isdir()}
    equal(folders, {os.path.dirname(f): 0o755 for path in FILES for f in parents(path)}, "folders and modes")
    check(all(m.isfile() or m.isdir() for m in found.values()), "files and folders only")
    with open(package.payload(), "rb") as file:
        check(texts["./usr/sbin/vipd"] == file.read(), "the binary is the one that was built")


def parents(path):
    """`path` and the paths of the folders that it is in."""
    while path != ".":
        yield path
        path = os.path.dirname(path)


def case_the_control_file():
    found, texts = members("control.tar.gz")
    equal({n: m.mode for n, m in found.items() if m.isfile()},
          {"./conffiles": 0o644, "./control": 0o644, "./postinst": 0o755, "./prerm": 0o755}, "files and modes")
    text = texts["./control"].decode()
    names, values = fields(text)
    equal(names, CONTROL_FIELDS, "fields, in order")
    size = len(gzip.decompress(inner("data.tar.gz")))
    for name, wanted in (("Package", "vipd"), ("Version", VERSION), ("Depends", ""), ("SourceName", "vipd"),
                         ("Source", "feeds/packages/net/vipd"), ("License", "MIT OR Apache-2.0"), ("Section", "net"),
                         ("LicenseFiles", "LICENSE-MIT LICENSE-APACHE"), ("Architecture", "x86_64"),
                         ("SourceDateEpoch", str(package.EPOCH)), ("Installed-Size", str(size))):
        equal(values[name], wanted, name)
    for name in ("URL", "Maintainer", "Description"):
        check(values[name], f"{name} is empty")
    check(all(len(line) < 80 for line in values["Description"].splitlines()), "short lines of description")
    for license_file in values["LicenseFiles"].split():
        check(os.path.exists(package.repository(license_file)), f"{license_file} is not there")


def case_conffiles_and_scripts():
    _, texts = members("control.tar.gz")
    equal(texts["./conffiles"], b"/etc/config/vipd\n", "conffiles")
    for name in ("postinst", "prerm"):
        equal(texts[f"./{name}"].decode(), SCRIPT % name, name)


def case_the_index():
    folder = os.path.dirname(package.ipk())
    with open(f"{folder}/Packages", "rb") as file, gzip.open(f"{folder}/Packages.gz") as packed:
        text = file.read()
        check(packed.read() == text, "Packages.gz is Packages")
    check(text.endswith(b"\n\n"), "an empty line ends an entry")
    names, values = fields(text.decode())
    equal(names, ["Package", "Version", "Depends", "License", "Section", "URL", "Architecture", "Installed-Size",
                  "Filename", "Size", "SHA256sum", "Description"], "fields, in order")
    with open(package.ipk(), "rb") as file:
        ipk = file.read()
    equal(values["Filename"], f"vipd_{VERSION}_x86_64.ipk", "Filename")
    equal(values["Size"], str(len(ipk)), "Size")
    equal(values["SHA256sum"], hashlib.sha256(ipk).hexdigest(), "SHA256sum")


def case_a_package_for_each_architecture():
    folder = package.work("armv7")
    package.make(folder, "armv7")
    names = ["arm_cortex-a15_neon-vfpv4", "arm_cortex-a7_neon-vfpv4", "arm_cortex-a9_vfpv3-d16"]
    equal(sorted(os.listdir(folder)), names, "architectures")
    for name in names:
        check(os.path.exists(f"{folder}/{name}/vipd_{VERSION}_{name}.ipk"), f"the package of {name}")


def case_every_target_serves_some_architecture():
    script = '. cross/targets.sh; . cross/architectures.sh; ' \
             'for t in $(target_names); do echo "$t $(architectures_of "$t" | wc -l)"; done; ' \
             'awk "{ print \\$2 }" <<<"$ARCHITECTURES" | while read -r t; do target_field "$t" 1 >/dev/null || echo "$t 0"; done'
    counts = dict(line.split() for line in package.run("bash", "-c", script).splitlines())
    check(len(counts) >= 7 and "0" not in counts.values(), f"architectures of each target: {counts}")


def case_a_signed_index():
    folder = package.work("signed")
    package.run("signify-openbsd", "-G", "-n", "-p", f"{folder}/key.pub", "-s", f"{folder}/key.sec")
    package.make(f"{folder}/ipk", USIGN_KEY=f"{folder}/key.sec")
    verify = ["signify-openbsd", "-V", "-q", "-p", f"{folder}/key.pub", "-m", f"{folder}/ipk/x86_64/Packages",
              "-x", f"{folder}/ipk/x86_64/Packages.sig"]
    package.run(*verify)
    with open(f"{folder}/ipk/x86_64/Packages", "a", encoding="utf-8") as file:
        file.write("more\n")
    check(subprocess.run(verify, capture_output=True, timeout=20).returncode != 0, "another index is refused")
    # An unsigned index must not keep the signature of an older one.
    package.make(f"{folder}/ipk")
    check(not os.path.exists(f"{folder}/ipk/x86_64/Packages.sig"), "a stale signature")


def case_what_is_missing_is_named():
    script = package.repository("cross/ipk.sh")
    for argv, env, words in (
            (["mips"], {"VIPD_BINARY": "/nowhere"}, "/nowhere is not there: cross/build.sh mips builds it"),
            (["x86_64"], {"USIGN_KEY": "/nowhere"}, "/nowhere cannot be read"),
            (["all"], {}, "VIPD_BINARY serves one TARGET"),
            (["sparc"], {}, "unknown target sparc"),
            ([], {}, "cross/ipk.sh TARGET")):
        done = subprocess.run([script, *argv], capture_output=True, text=True, timeout=60, env={
            **os.environ, "VIPD_BINARY": package.payload(), "IPK_DIR": package.work("none"), **env})
        check(done.returncode != 0 and words in done.stderr, f"{argv} {env}: {done.returncode}, {done.stderr!r}")
