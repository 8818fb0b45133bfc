"""What the daemon may do once it runs, as the kernel tells it: two capabilities, never more, and a filter.

That the filter lets everything through that the daemon does is shown by all other cases; that it lets nothing else
through, by tests/kernel/rights.rs.
"""

from lib import conf
from lib.check import check, equal
from lib.lab import Lab
from lib.life import helper, reload
from lib.vipd import Vipd, binary

# CAP_NET_ADMIN and CAP_NET_RAW.
BOTH = f"{1 << 12 | 1 << 13:016x}"
SCHED_RR = 2
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


def urgency(pid):
    """Niceness, real-time priority and policy of a process, and whether all of it is in memory."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        locked = next(line for line in file if line.startswith("VmLck:")).split()[1]
    return int(fields[16]), int(fields[37]), int(fields[38]), int(locked) > 100


def may_lift_limits():
    """Whether root has CAP_SYS_RESOURCE here: not in many containers."""
    with open("/proc/self/status", encoding="ascii") as file:
        effective = next(line for line in file if line.startswith("CapEff:")).split()[1]
    return bool(int(effective, 16) & 1 << 24)


def case_urgency():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        words = ("vrrp_priority -7", "vrrp_rt_priority 3", "vrrp_no_swap", "script_user root", "startup_script /bin/true")
        text = conf.global_defs(*words) + conf.instance(priority=100)
        vipd = Vipd(node, text)
        vipd.wait_state("Active", 10)
        equal(urgency(vipd.proc.pid), (-7, 3, SCHED_RR, True), "niceness, priority, policy, in memory")
        # Memory is locked without a right if the limit could be lifted at the start.
        lock = 0 if may_lift_limits() else 1 << 14
        both = f"{int(BOTH, 16) | lock:016x}"
        equal(rights(vipd.proc), {**WANTED, "CapEff": both, "CapPrm": both}, "rights")
        # Those that run programs have other things to do.
        for pid in helper(vipd):
            equal(urgency(pid), (0, 0, 0, False), "the same of the helper")
        # Memory beyond any limit, without a right to lock it.
        many = "".join(conf.instance(f"I{n}", vrid=n, vips=[f"10.10.200.{n}"]) for n in range(60, 160))
        mark = vipd.log.mark()
        check("reload: added" in reload(vipd, f"{lab.dir}/n1-vipd.conf", text + many), "it is not reloaded")
        reload(vipd, f"{lab.dir}/n1-vipd.conf", text.replace("rt_priority 3", "rt_priority 4"))
        vipd.log.wait("vrrp_no_swap have changed: they take effect at the next start", 5, mark)
        equal(urgency(vipd.proc.pid), (-7, 3, SCHED_RR, True), "after the reload")
        vipd.terminate()


def case_urgency_without_the_rights_for_it():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        text = conf.global_defs("vrrp_priority -7", "vrrp_rt_priority 3", "vrrp_no_swap") + conf.instance(priority=100)
        without = "--bounding-set=-sys_nice,-ipc_lock,-sys_resource"
        vipd = Vipd(node, text, command=["setpriv", without, binary()])
        for what in "priority", "rt_priority", "no_swap":
            vipd.log.wait(f"warn: vrrp_{what}: .*; vipd goes on without it", 5)
        vipd.wait_state("Active", 10)
        equal(urgency(vipd.proc.pid), (0, 0, 0, False), "niceness, priority, policy, in memory")
        vipd.terminate()


def case_one_capability_is_too_few():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        vipd = Vipd(node, conf.instance(), command=["setpriv", "--bounding-set=-net_raw", binary()])
        equal(vipd.proc.wait(5), 3, "exit code")
        vipd.log.wait("error: .*CAP_NET_RAW", 5)
