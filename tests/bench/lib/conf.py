"""One text for both daemons, in keepalived's syntax. VRID n has the VIP 10.9.1.n."""

import socket

NET = "10.9.1.0"
A, B, C = "10.9.0.1", "10.9.0.2", "10.9.0.9"
INTERVALS_US = (1_000_000, 100_000, 10_000)


def version(interval_us):
    """Version 2 has whole seconds only; it is what a second is measured with."""
    return 2 if interval_us >= 1_000_000 else 3


def instances(count, priority, interval_us, iface="eth0", first=1, extra=(), quiet=False, globals_=()):
    """A configuration of `count` instances. `quiet`: gratuitous ARP once, and no more after a second."""
    lines = [f"vrrp_version {version(interval_us)}", *globals_]
    if quiet:
        lines += ["vrrp_garp_master_delay 1", "vrrp_garp_master_repeat 1"]
    text = "global_defs {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
    interval = f"{interval_us / 1e6:g}"
    for vrid in range(first, first + count):
        body = ["state BACKUP", f"interface {iface}", f"virtual_router_id {vrid}", f"priority {priority}",
                f"advert_int {interval}", *extra, f"virtual_ipaddress {{\n        {vip(vrid)}\n    }}"]
        text += f"vrrp_instance V{vrid} {{\n" + "".join(f"    {line}\n" for line in body) + "}\n"
    return text


def vip(vrid):
    """The VIP of a VRID."""
    return NET.rsplit(".", 1)[0] + f".{vrid}"


def vip_bytes(vrid):
    """The VIP of a VRID as four bytes."""
    return socket.inet_aton(vip(vrid))


def skew_ns(priority, interval_us):
    """Skew_Time: RFC 9568 section 6.1, RFC 3768 section 6.1."""
    return (256 - priority) * (interval_us if version(interval_us) == 3 else 1_000_000) * 1000 // 256


def down_ns(priority, interval_us):
    """Active_Down_Interval."""
    return 3 * interval_us * 1000 + skew_ns(priority, interval_us)


def named(interval_us):
    """An interval as a reader writes it."""
    return "1 s" if interval_us >= 1_000_000 else f"{interval_us // 1000} ms"
