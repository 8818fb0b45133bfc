"""keepalived's syntax, written for vipd and keepalived alike."""

EXAMPLE = """vrrp_instance VI_1 {
    state MASTER
    interface ens160
    virtual_router_id 50
    priority 101
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 123456
    }
    virtual_ipaddress {
        10.10.201.101
    }
}
"""
VIP = "10.10.201.101"
# The first is link-local, as RFC 9568 §5.2.9 wants it.
VIPS6 = ("fe80::50", "fd00:201::101", "fd00:201::102")
NODE1, NODE2, CLIENT = "10.10.201.102/23", "10.10.201.103/23", "10.10.201.50/23"


def example(priority=101, vrid=50):
    """The user's example, for node 1 word by word."""
    return EXAMPLE.replace("priority 101", f"priority {priority}").replace("_id 50", f"_id {vrid}")


def instance(name="VI_1", iface="ens160", vrid=50, priority=100, version=3, advert_int=0.1,
             password=None, vips=(VIP,), state="BACKUP", extra=()):
    """One vrrp_instance block; `extra` are lines inside it."""
    lines = [f"state {state}", f"interface {iface}", f"virtual_router_id {vrid}", f"priority {priority}",
             f"version {version}", f"advert_int {advert_int}"]
    if password is not None:
        lines += ["authentication {", "    auth_type PASS", f"    auth_pass {password}", "}"]
    lines += ["virtual_ipaddress {", *(f"    {vip}" for vip in vips), "}", *extra]
    return f"vrrp_instance {name} {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def global_defs(*lines):
    """A global_defs block."""
    return "global_defs {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def uci(name="VI_1", iface="lan", vrid=50, priority=100, version=3, advert_int=0.1, vips=(VIP,)):
    """One vrrp_instance in UCI."""
    options = {"name": name, "interface": iface, "virtual_router_id": vrid, "priority": priority,
               "version": version, "advert_int": advert_int, "garp_master_delay": 0}
    return (f"config vrrp_instance '{name}'\n" + _options(options)
            + "".join(f"\tlist virtual_ipaddress '{vip}'\n" for vip in vips))


def uci_globals(**options):
    """The section of what holds for all instances, in UCI."""
    return "config globals 'globals'\n" + _options(options)


def _options(options):
    return "".join(f"\toption {word} '{value}'\n" for word, value in options.items())
