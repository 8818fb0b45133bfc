"""A UCI file: run, beside a peer with keepalived.conf, and reload."""

import os
import subprocess

from lib import conf
from lib.check import check, equal, limits
from lib.lab import Lab
from lib.life import held, reload
from lib.vipd import Vipd, binary

SECOND = "10.10.201.111"
UCI = f"""config globals 'globals'
\toption enabled '1'

config vrrp_instance 'home'
\toption interface 'ens160'
\toption virtual_router_id '50'
\toption version '3'
\toption advert_int '0.1'
\toption priority '200'
\tlist virtual_ipaddress '{conf.VIP}'
"""
OTHER = conf.instance("home", priority=100)


@limits(timeout=40)
def case_a_uci_file_runs_and_is_reloaded():
    with Lab() as lab:
        node1, node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        path = os.path.join(lab.dir, "n1-vipd.conf")
        vipd = Vipd(node1, UCI)
        vipd.wait_state("Active", 10, name="home")
        other = Vipd(node2, OTHER)
        other.wait_state("Backup", 10, name="home")
        check(conf.VIP in str(held(node1)), "the address of the UCI file is not there")
        answer = subprocess.run([binary(), "check", path], capture_output=True, text=True, timeout=20, check=False)
        equal((answer.returncode, answer.stderr), (0, ""), "vipd check")
        mark = vipd.log.mark()
        line = reload(vipd, path, UCI.replace("'200'", "'2000'"))
        check("reload refused" in line, f"the reload says {line!r}")
        check(vipd.log.matches(rf"error: {path}:9:18: `2000` is out of range", mark), "no place in the UCI file")
        section = f"\tlist virtual_ipaddress 'more'\nconfig ipaddress 'more'\n\toption address '{SECOND}/32'\n"
        line = reload(vipd, path, UCI + section)
        check("changed home" in line, f"the reload says {line!r}")
        check(SECOND in str(held(node1)), f"{SECOND} is not there: {held(node1)}")
        # The same in keepalived's words is the same.
        same = conf.instance("home", priority=200, vips=(conf.VIP, SECOND))
        line = reload(vipd, path, same)
        check("1 unchanged" in line, f"the reload says {line!r}")
        equal(len(vipd.transitions(mark)), 0, "transitions while reloading")
