"""`dhcp follow` and DHCPv6: dnsmasq on both routers, ISC's dhclient on a host, for an address and for DNS alone."""

from lib import conf
from lib.check import each, equal, limits
from lib.dhcp import Client6, Dnsmasq
from lib.lab import Lab
from lib.vipd import Vipd
from cases.follow import DHCP, GLOBAL, POOL, opened

DNS = "fd00:201::101"
SERVER = (f"--dhcp-range={GLOBAL}1000,{GLOBAL}1fff,64,1h", f"--dhcp-option=option6:dns-server,[{DNS}]")


@each("address", "stateless")
@limits(timeout=60)
def case_the_active_alone_answers(what):
    """The Backup's server hears nothing. A host that asks after a failover whether its lease still holds, as one that
    was unplugged does, has it confirmed by a server that knows nothing of it, and a new one gets its own."""
    with Lab() as lab:
        routers, host = (lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)), lab.node("host")
        for router in routers:
            router.ip("addr", "add", f"{GLOBAL}{router.address[-3:]}/64", "dev", "ens160", "nodad")
            router.link_local()
        host.link_local()
        servers = [Dnsmasq(router, POOL, conf.VIP, extra=SERVER) for router in routers]
        first, other = (Vipd(router, conf.instance(priority=priority, extra=DHCP))
                        for router, priority in zip(routers, (200, 100)))
        other.wait_state("Backup", 10)
        first.wait_state("Active", 10)
        opened(first)
        opened(other, False)
        stateless = what == "stateless"
        mark = servers[1].log.mark()
        client = Client6(host, stateless)
        got = client.event("RENEW6" if stateless else "BOUND6", 20)
        equal((got["server"], got["dns"]), (routers[0].mac(), DNS), "server and DNS")
        equal(got["ip"].startswith(GLOBAL), not stateless, f"an address, {got['ip']!r}")
        equal(servers[1].asked(mark), [], "what the Backup's server has heard")
        client.proc.kill9()
        routers[0].cable("down")
        first.kill9()
        opened(other)
        if not stateless:
            again = Client6(host)
            equal(again.event("BOUND6", 30)["ip"], got["ip"], "the address that is confirmed")
            confirmed = servers[1].log.matches(r"DHCPCONFIRM\(", mark)
            equal(len(confirmed), 1, "who has confirmed it")
            again.proc.kill9()
        new = Client6(host, stateless, name="new").event("RENEW6" if stateless else "BOUND6", 20)
        equal((new["server"], new["dns"]), (routers[1].mac(), DNS), "server and DNS after the failover")
