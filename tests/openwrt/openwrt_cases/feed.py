"""openwrt/Makefile, run by make with stand-ins for what OpenWrt's build system includes."""

import os
import re
import shutil

from lib.check import check, equal
from openwrt_cases.ipk import FILES
from router import package

STAND_INS = {
    "rules.mk": "INCLUDE_DIR:=$(TOPDIR)/include\nINSTALL_DIR:=install -d -m0755\nINSTALL_BIN:=install -m0755\n"
                "INSTALL_CONF:=install -m0600\nINSTALL_DATA:=install -m0644\n",
    "include/package.mk": "define BuildPackage\n"
                          "install-$(1): ; $$(call Package/$(1)/install,$(DEST))\n"
                          "show-$(1): ; @:$$(info $$(Package/$(1)))$$(info cargo:$$(CARGO_PKG_ARGS))\n"
                          "endef\n",
    # It sets the arguments anew, so that ours must come later.
    "feeds/lang/rust/rust-package.mk": "RUST_ARCH_DEPENDS:=@(aarch64||arm||mips)\nCARGO_PKG_ARGS:=--locked\n"
                                       "define RustBinPackage\nendef\n",
}


def build(*goals):
    """Runs make on a copy of openwrt/; returns the folder that it installs into, and what it prints."""
    top = package.work("feed")
    for name, text in STAND_INS.items():
        os.makedirs(os.path.dirname(f"{top}/{name}"), exist_ok=True)
        with open(f"{top}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    shutil.copytree(package.repository("openwrt"), f"{top}/feeds/net/vipd")
    os.makedirs(f"{top}/built/bin")
    shutil.copy(package.payload(), f"{top}/built/bin/vipd")
    said = package.run("make", "-s", f"TOPDIR={top}", f"PKG_INSTALL_DIR={top}/built", f"DEST={top}/dest", *goals,
                       cwd=f"{top}/feeds/net/vipd")
    return f"{top}/dest", said


def case_it_installs_what_the_ipk_has():
    dest, _ = build("install-vipd")
    found = {}
    for folder, _, names in os.walk(dest):
        for name in names:
            path = os.path.join(folder, name)
            found["./" + os.path.relpath(path, dest)] = os.stat(path).st_mode & 0o777
    # An image has the package; what sysupgrade would keep of it, it would keep over the new image's.
    equal(found, {path: mode for path, mode in FILES.items() if "keep.d" not in path}, "files and modes")


def case_its_definition():
    _, said = build("show-vipd")
    for line in ("SECTION:=net", "CATEGORY:=Network", "DEPENDS:=@(aarch64||arm||mips)", "cargo:--locked --no-default-features"):
        check(re.search(rf"(?m)^ *{re.escape(line)}$", said), f"{line!r} in {said!r}")
