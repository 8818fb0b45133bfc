"""What can be said of the shipped files without running them."""

import json
import os
import re
import subprocess

from lib.check import check, equal
from router import package
from router.router import Router

# busybox ash has `local`.
SHELLCHECK = ("shellcheck", "-s", "sh", "-e", "SC3043")


def case_shellcheck_of_all_that_runs_on_a_router():
    files = ["openwrt/test.sh"] + [f"openwrt/files/vipd.{name}" for name in ("init", "hotplug", "uci-defaults", "rpcd")]
    package.run(*SHELLCHECK, *files)
    router = Router()
    package.run("tar", "-xzf", package.ipk(), "-C", router.path("tmp"))
    package.run("tar", "-xzf", router.path("tmp/control.tar.gz"), "-C", router.path("tmp"))
    # default_postinst is OpenWrt's.
    package.run(*SHELLCHECK, "-e", "SC1091", router.path("tmp/postinst"), router.path("tmp/prerm"))


def case_shellcheck_of_what_builds_and_tests_it():
    package.run("shellcheck", "-x", "cross/ipk.sh", "cross/apk.sh", "cross/deb.sh", "tests/uci/build-uci")
    package.run("shellcheck", *(f"cross/deb/{name}" for name in ("postinst", "prerm", "postrm")))


def case_ash_reads_all_of_it():
    router = Router()
    for file in ("etc/init.d/vipd", "etc/hotplug.d/iface/50-vipd", "etc/uci-defaults/vipd", "usr/libexec/rpcd/vipd"):
        equal(router.must("/bin/sh", "-n", f"/{file}"), "", f"what ash says of {file}")


def case_the_jail_has_two_capabilities():
    sets = json.loads(package.read("openwrt/files/vipd.capabilities.json"))
    equal(sorted(sets), ["ambient", "bounding", "effective", "inheritable", "permitted"], "sets")
    for name, capabilities in sets.items():
        equal(capabilities, ["CAP_NET_ADMIN", "CAP_NET_RAW"], name)


def case_nobody_may_ask_netifd_what_vipd_asks_it_and_nothing_else():
    asked = re.search(r'\[UBUS, "call", "(.*?)", "(.*?)"\]', package.read("src/daemon/netifd/question.rs"))
    source = package.read("src/daemon/uplinks.rs")
    wanted = re.search(r'if up \{ "(.*?)" \} else \{ "(.*?)" \}', source)
    named = re.search(r'format!\("(.*?)\{name\}"\)', source)
    check(asked and wanted and named, "what vipd asks is not found")
    equal(json.loads(package.read("openwrt/files/vipd.ubus-acl.json")),
          {"user": "nobody", "access": {asked.group(1): {"methods": [asked.group(2)]},
                                        f"{named.group(1)}*": {"methods": list(wanted.groups())}}}, "the ACL of ubus")


def case_reading_and_writing_are_apart():
    acl = json.loads(package.read("openwrt/files/vipd.rpcd-acl.json"))["vipd"]
    methods = json.loads(Router().must("/usr/libexec/rpcd/vipd", "list"))
    equal(acl["write"]["ubus"], {"vipd": ["reload"]}, "what a writer may call")
    equal(sorted(acl["read"]["ubus"]["vipd"] + ["reload"]), sorted(methods), "what a reader may call, and the rest")
    equal((acl["read"]["uci"], acl["write"]["uci"]), (["vipd"], ["vipd"]), "configurations")


def case_sysupgrade_keeps_what_was_installed_and_that_it_is_enabled():
    router = Router()
    kept = [line for line in router.read("lib/upgrade/keep.d/vipd").splitlines() if not line.startswith("#")]
    listed = subprocess.run(["tar", "-xzOf", package.ipk(), "./data.tar.gz"], capture_output=True, check=True).stdout
    files = subprocess.run(["tar", "-tz"], input=listed, capture_output=True, check=True).stdout.decode().split()
    # uci-defaults are gone once they have run.
    wanted = {f[1:] for f in files if not f.endswith("/")} - {"/etc/uci-defaults/vipd"}
    script = router.read("etc/init.d/vipd")
    start, stop = (re.search(rf"(?m)^{name}=(\d+)$", script).group(1) for name in ("START", "STOP"))
    equal(sorted(kept), sorted(wanted | {f"/etc/rc.d/S{start}vipd", f"/etc/rc.d/K{stop}vipd"}), "what is kept")


def case_the_feed_package_is_of_this_version():
    version = re.search(r'(?m)^version = "(.*)"', package.read("Cargo.toml")).group(1)
    check(f"\nPKG_VERSION:={version}\n" in package.read("openwrt/Makefile"), f"PKG_VERSION is {version}")
    said = Router().must("/bin/sh", "-c", package.read("openwrt/test.sh"), "test.sh", "vipd", version)
    check(version in said, f"test.sh prints the version: {said!r}")
    code, _ = Router().run("/bin/sh", "-c", package.read("openwrt/test.sh"), "test.sh", "vipd", "9.9.9")
    check(code != 0, "test.sh fails at another version")


def case_the_links_of_the_documents_lead_somewhere():
    documents = package.run("git", "ls-files", "*.md").split()
    check({"README.md", "GUIDE.md", "openwrt/README.md"} <= set(documents), f"documents: {documents}")
    for document in documents:
        for target in re.findall(r"\]\(([^)\s]+)\)", package.read(document)):
            path, _, anchor = target.partition("#")
            if re.match(r"\w+:", path):
                continue
            found = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
            check(os.path.exists(package.repository(found)), f"{document}: {target}: there is no {found}")
            if anchor:
                titles = re.findall(r"(?m)^#+ (.*)$", package.read(found))
                anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
                check(anchor in anchors, f"{document}: {target}: {found} has no such title")
