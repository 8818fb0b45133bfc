"""What procd's jail leaves to vipd is enough for it: nobody, two capabilities, no /proc, and the files that are mounted.

There is no ujail here. setpriv gives the same rights, and the chroot of the other cases has even less in it.
"""

import json
import os
import shutil
import signal

from lib.check import check, equal
from lib.ns import ip
from openwrt_cases import rpcd
from openwrt_cases.init import HUP, JAIL
from router import package
from router.router import CONFIG, Router

# netifd's answer, for the only question that the ACL allows.
UBUS = """#!/bin/sh
[ "$*" = "call network.interface dump" ] || exit 4
echo '{ "interface": [ { "interface": "lan", "up": true, "l3_device": "lan0", "device": "lan0" } ] }'
"""


def jailed():
    """A router whose service was started with a jail: the router, and the calls to procd."""
    router = Router(rpcd.CONFIGURED.replace("lan0", "lan"))
    router.write("bin/ubus", UBUS)
    os.chmod(router.path("bin/ubus"), 0o755)
    router.touch("sbin/ujail", 0o755)
    calls, said = router.service("start")
    equal(said, "", "what it says")
    check([c for c in calls if c in JAIL] == JAIL, f"no jail: {calls}")
    # busybox's own cannot change the user.
    router.remove("bin/setpriv")
    shutil.copy(shutil.which("setpriv"), router.path("bin/setpriv"))
    router.libraries(router.path("bin/setpriv"))
    return router, calls


def rights():
    """The options of setpriv that give what the package asks ujail for."""
    capabilities = json.loads(package.read("openwrt/files/vipd.capabilities.json"))

    def only(name):
        return ",".join(["-all"] + [c.replace("CAP_", "+").lower() for c in capabilities[name]])

    return ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--no-new-privs",
            f"--bounding-set={only('bounding')}", f"--inh-caps={only('inheritable')}",
            f"--ambient-caps={only('ambient')}"]


def status_of(proc):
    """What the kernel says of a process."""
    with open(f"/proc/{proc.pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def case_nobody_with_two_capabilities_is_enough():
    router, calls = jailed()
    [command] = [c.split()[2:] for c in calls if c.startswith("procd_set_param command ")]
    with rpcd.namespace() as name, rpcd.daemon(name, router, "/bin/setpriv", *rights(), *command) as vipd:
        rights_now = status_of(vipd)
        equal((rights_now["Uid"].split(), rights_now["NoNewPrivs"]), (["65534"] * 4, "1"), "uid and NoNewPrivs")
        equal(int(rights_now["CapEff"], 16), 0x3000, "capabilities")
        check("192.168.1.1/32" in ip("address", "show", "dev", "lan0", ns=name), "it has put its address there")
        check("Active" in router.must("vipd", "status"), "root may ask it")
        reload_after_commit(router, vipd)
        equal(vipd.terminate(), 0, "exit code")
        check("192.168.1.1" not in ip("address", "show", "dev", "lan0", ns=name), "its address is gone")


def reload_after_commit(router, vipd):
    """`uci commit` makes a new file, which is root's alone: nobody reads it after `service vipd reload`."""
    router.must("uci", "set", "vipd.home.priority=160")
    router.must("uci", "commit", "vipd")
    os.chown(router.path(CONFIG), 0, 0)
    os.chmod(router.path(CONFIG), 0o600)
    mark = vipd.log.mark()
    vipd.signal(signal.SIGHUP)
    refused = vipd.log.wait("reload refused.*|cannot read.*", 5, mark).string
    check("Permission denied" in "\n".join(text for _, text in vipd.log.lines[mark:]), f"it says why: {refused!r}")
    router.running()
    check(router.service("reload")[0][-1:] == HUP, "the service's reload ends with the signal")
    mark = vipd.log.mark()
    vipd.signal(signal.SIGHUP)
    vipd.log.wait("reload: .*", 5, mark)
    answer = json.loads(router.must("vipd", "status", "--json"))
    equal(answer["instances"][0]["priority"], 160, "priority")
