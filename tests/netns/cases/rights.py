"""What the daemon may do once it runs, as the kernel tells it: two capabilities, never more, and a filter.

That the filter lets everything through that the daemon does is shown by all other cases; that it lets nothing else
through, by tests/kernel/rights.rs.
"""

from lib import conf
from lib.check import check, equal
from lib.lab import Lab
from lib.life import reload
from lib.vipd import Vipd, binary

# CAP_NET_ADMIN and CAP_NET_RAW.
BOTH = f"{1 << 12 | 1 << 13:016x}"
WANTED = {"CapEff": BOTH, "CapPrm": BOTH, "CapInh": f"{0:016x}", "CapAmb": f"{0:016x}", "NoNewPrivs": "1",
          "Seccomp": "2"}


def rights(proc):
    """What of /proc/PID/status is asserted here."""
    with open(f"/proc/{proc.pid}/status", encoding="ascii") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return {name: fields[name] for name in WANTED}


def case_two_capabilities_and_a_filter():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        text = conf.instance(priority=100)
        vipd = Vipd(node, text, level="debug")
        vipd.wait_state("Active", 5)
        equal(rights(vipd.proc), WANTED, "rights as Active")
        vipd.log.wait("rights: CAP_NET_ADMIN, CAP_NET_RAW, the system calls of one list", 1)
        # Another interface, file and socket are opened with what is left.
        node.ip("link", "add", "later", "type", "veth", "peer", "name", "other")
        node.ip("address", "add", "10.10.209.1/24", "dev", "later")
        for name in ("later", "other"):
            node.ip("link", "set", name, "up")
        more = conf.instance("VI_2", iface="later", vrid=51, vips=["10.10.209.9"])
        said = reload(vipd, f"{lab.dir}/n1-vipd.conf", text + more)
        check("reload: added VI_2" in said, said)
        vipd.wait_state("Active", 5, name="VI_2")
        equal(rights(vipd.proc), WANTED, "rights after the reload")
        vipd.terminate()
        equal(node.addresses("later")[0]["local"], "10.10.209.1", "what is left")


def case_one_capability_is_too_few():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        vipd = Vipd(node, conf.instance(), command=["setpriv", "--bounding-set=-net_raw", binary()])
        equal(vipd.proc.wait(5), 3, "exit code")
        vipd.log.wait("error: .*CAP_NET_RAW", 5)
