"""/etc/config/vipd as it is shipped."""

import re

from lib.check import check, equal
from router import package
from router.router import CONFIG, Router


def case_it_is_off_and_says_nothing_else():
    equal(Router().must("uci", "show", "vipd"), "vipd.globals=globals\nvipd.globals.enabled='0'\n", "uci show vipd")


def case_its_example_works():
    router = Router()
    text = router.read(CONFIG)
    example = re.sub(r"(?m)^#(config|\t)", r"\1", text).replace("enabled '0'", "enabled '1'")
    check("\nconfig vrrp_instance 'home'\n\toption interface 'lan'\n" in example, f"no example in {text}")
    router.write(CONFIG, example)
    said = router.must("vipd", "check", "/etc/config/vipd")
    equal(said, "/etc/config/vipd: 1 instance(s), 0 warning(s): good\n", "what vipd says of it")
    shown = router.must("uci", "show", "vipd.home")
    check("vipd.home.virtual_ipaddress='192.168.1.1'" in shown, f"what uci says of it: {shown}")


def case_the_commands_of_the_readme_work():
    section = package.read("README.md").partition("## On OpenWrt")[2].partition("\n## ")[0]
    commands = re.findall(r"(?m)^    (uci .*)$", section)
    check(len(commands) > 5, f"the commands of the README: {commands}")
    router = Router()
    for command in commands:
        equal(router.must("/bin/sh", "-c", command), "", command)
    equal(router.must("vipd", "check", "/etc/config/vipd"), "/etc/config/vipd: 1 instance(s), 0 warning(s): good\n",
          "what vipd says of it")
    calls, said = router.service("start")
    check("procd_open_instance " in calls and not said, f"it is started: {calls}, {said!r}")


def case_the_readme_names_the_architectures():
    table = re.findall(r"(?m)^\| (`.*`) \|.*\| `(\w+)` \|$", package.read("README.md").partition("## On OpenWrt")[2])
    told = {name: target for names, target in table for name in re.findall(r"`([^`]+)`", names)}
    rows = re.findall(r'(?m)^([\w-]+) +(\w+) ', package.read("cross/architectures.sh").partition('"\\\n')[2])
    equal(told, dict(rows), "architectures and the targets that serve them")
