"""The whole of a household's pair: a client with lease, gateway, DNS and IPv6 prefix from two routers and a provider.

netifd is `lib/netifd_model.py`, whose `wan` runs udhcpc against the provider's dnsmasq; the client's server is the
routers' dnsmasq. In every case `lib/provider.py` tells from the capture at the provider's ports that one uplink at most
was up, but for what the design grants:

- Nothing, where the one goes first: it stops (the uplink is down before the role is given up), or it has no power.
- `BOUND_S` where a router gives way to a better one, or netifd brings an uplink up that is to be down. Who gives way
  is told by an advert, and has `limits::UPLINK_PATIENCE` (5 s) for ubus, which ends within a second of that.
- A vipd that was killed leaves its uplink up until procd has started it again; the bound counts from then.

No PPPoE session: the kernel needs CONFIG_PPP for one. `pppoe` is an interface that takes three seconds to come up.
"""

import re
import socket

from lib import conf, ns
from lib.check import CaseFailed, await_that, check, each, equal, limits
from lib.dhcp import Client, Dnsmasq, Offers
from lib.lab import Lab, now
from lib.netifd import Uplinks
from lib.nft import run
from lib.ns import ip
from lib.provider import HOST, ISP, NAME, PORT, Provider, one_uplink, sessions, source
from cases.control import status
from cases.follow import default_routes

BOUND_S = 6
POOL = "10.10.201.150,10.10.201.180"
GATEWAY6, PREFIX = "fe80::50", "2001:db8:201::"
# What the issue has for a household, and GUIDE.md's advice on a link-local address.
UCI = f"""config globals 'globals'
	option enabled '1'
	option vrrp_startup_delay '{{delay}}'

config vrrp_instance 'home'
	option interface 'lan'
	option virtual_router_id '50'
	option version '3'
	option priority '{{priority}}'
	list virtual_ipaddress '{conf.VIP}'
	list virtual_ipaddress '{GATEWAY6}'
	list uplink 'wan'
	list uplink 'wan6'
	option dhcp 'follow'
	option ra 'follow'
	list probe 'ping {HOST} via wan{{probe}}'
"""
# What a case would wait for: 3 s to a takeover, 60 s until a dead provider counts.
TIMEOUT_S, HOLD_DOWN_S = 4, 10
HASTE = f"""	option advert_int '0.1'
	option uplink_timeout '{TIMEOUT_S}'
"""
PROBE = " interval 0.5 timeout 0.5 fall 3 rise 1"
# Nobody comes in from outside: least of all through a router whose uplink has no address yet.
NAT = """table ip nat {
    chain out {
        type nat hook postrouting priority 100;
        oifname wan0 masquerade
    }
    chain in {
        type filter hook forward priority 0;
        iifname wan0 ct state new drop
    }
}
"""
PRIORITIES = {"n1": 150, "n2": 100}


class Router:
    """What a router has besides vipd: forwarding, NAT, dnsmasq, netifd."""

    def __init__(self, node, auto, wan):
        self.node, self.vipd, self.text = node, None, ""
        for key in "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1":
            self.run("sysctl", "-qw", key)
        self.run("nft", "-f", node.file("nat.nft", NAT))
        lan = {"device": "ens160", "auto": True, "proto": "static", "address": f"{node.address}/23"}
        self.netifd = Uplinks(node.lab, node, lan=lan, wan={"device": "wan0", "auto": auto} | wan,
                              wan6={"device": "wan0", "proto": "dhcpv6"})
        node.ip("addr", "add", f"{PREFIX}{node.address.rpartition('.')[2]}/64", "dev", "ens160", "nodad")
        # The way of a Backup.
        node.ip("route", "add", "default", "via", conf.VIP, "metric", "1000")
        self.dnsmasq = Dnsmasq(node, POOL, conf.VIP, extra=(f"--server={ISP}",))

    def run(self, *argv):
        """A command that must not fail."""
        code, said = run(self.node, *argv)
        equal(code, 0, f"exit code of {argv} ({said})")

    def start(self, name="vipd"):
        """vipd."""
        self.vipd = self.netifd.vipd(self.node, self.text, name=name)

    def state(self):
        """Backup, Active or Initialize."""
        return status(self.vipd)["home"]["state"]

    def uplinks(self):
        """What vipd sees of them."""
        return [it["state"] for it in status(self.vipd)["home"]["uplinks"]]


class Household:
    """Two routers, their provider, and a client that has nothing yet."""

    def __init__(self, lab, auto=(False, False), wan=None, haste=HASTE):
        self.lab = lab
        nodes = [lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)]
        self.client, self.udhcpc = lab.node("client"), None
        self.provider = Provider(lab, nodes)
        self.capture = lab.sniff(protocols=(socket.IPPROTO_ICMP, socket.IPPROTO_TCP, socket.IPPROTO_UDP))
        equal(run(self.client, "sysctl", "-qw", "net.ipv6.conf.ens160.accept_ra=2")[0], 0, "sysctl")
        self.routers = {node.name: Router(node, at, wan(self.provider.address[node.name]) if wan else {})
                        for node, at in zip(nodes, auto)}
        for name, router in self.routers.items():
            router.text = UCI.format(delay=1 if haste else 2, priority=PRIORITIES[name],
                                     probe=PROBE if haste else "") + haste
        self.one, self.two = self.routers.values()
        self.offers = Offers(self.client)

    def start(self, at_once=False, dialled=False):
        """The first, and when it is Active the other; or both at once. The client comes when they are there."""
        self.one.start()
        if not at_once:
            self.one.vipd.wait_state("Active", 15, name="home")
        if dialled:
            dials(self.one)
        self.two.start()
        for router in self.routers.values():
            router.vipd.log.wait("vrrp_startup_delay", 10)
        self.udhcpc = Client(self.client)
        self.settles("n1")
        self.leased("bound", "n1")
        self.works("n1")

    def settles(self, name):
        """Waits until this one is Active with its uplinks up, and the other, if it runs, a Backup without."""
        for router in self.routers.values():
            if router.vipd.proc.running():
                wanted = ("Active", ["up", "up"]) if router.node.name == name else ("Backup", ["down", "down"])
                await_that(lambda it=router, wanted=wanted: (it.state(), it.uplinks()) == wanted, 25,
                           f"{router.node.name} to become {wanted}")

    def leased(self, kinds, name, since=0):
        """The client hears of this router: address, gateway and DNS. Returns the address."""
        got = self.udhcpc.event(kinds, 30, since)
        wanted = (conf.VIP, conf.VIP, self.routers[name].node.address)
        equal((got["router"], got["dns"], got["server"]), wanted, "gateway, DNS and server of the lease")
        return got["ip"]

    def renews(self, name):
        """The client's renewal is answered by this router, with the address that it has."""
        before = [a["local"] for a in self.client.addresses("ens160")]
        mark = self.udhcpc.log.mark()
        self.udhcpc.proc.signal(10)
        equal([self.leased("renew|bound", name, mark)], before, "the renewed address")

    def works(self, name):
        """The client reaches the internet through this router: by name, in a new connection; and it has one gateway."""
        wanted = self.provider.address[name]
        await_that(lambda: self.greeted() == wanted, 30, f"the client to reach {NAME} as {wanted}")
        mac = self.routers[name].node.mac()
        self.client.wait_neighbour(conf.VIP, mac, 10)
        self.client.wait(lambda: list(default_routes(self.client)) == [GATEWAY6], 10, "the client's IPv6 gateway")
        await_that(lambda: run(self.client, "ping", "-n", "-c1", "-w1", f"{GATEWAY6}%ens160")[0] == 0, 10, "its answer")
        self.client.wait_neighbour(GATEWAY6, mac, 10)
        check([a for a in self.client.addresses6() if a["local"].startswith(PREFIX[:-2])], "no address of the prefix")

    def greeted(self):
        """The client as a server of the internet sees it, if it gets there."""
        # It asks again after 2.5 s. One that gave up before and began anew would not do: dnsmasq takes questions for
        # the same name for one, and forwards them again only if the same host repeats the same one.
        said = run(self.client, "timeout", "10", "busybox", "nslookup", NAME, conf.VIP)[1]
        found = re.search(rf"Name:\s*{NAME}\s+Address(?: \d)?:\s*([0-9.]+)", said)
        if not found:
            return None
        with ns.entered(self.client.ns):
            line = socket.socket()
        line.settimeout(2)
        try:
            with line:
                line.connect((found.group(1), PORT))
                return line.recv(100).decode()
        except OSError:
            return None

    def one_uplink(self, **how):
        """What the provider has heard, see [`one_uplink`]; and never were there two offers for one request."""
        twice = {asked: servers for asked, servers in self.offers.by_request().items() if len(servers) > 1}
        equal(twice, {}, "requests with two offers")
        return one_uplink(self.capture, self.provider.address, **how)

    def power_off(self, name):
        """Its ports are dark before its programs die."""
        for port in f"{name}-wan", name:
            ip("link", "set", port, "down", ns=self.lab.switch)
        for proc in self.lab.procs:
            if proc.name.startswith(f"{name}/"):
                proc.kill9()

    def shut_down(self, name):
        """The services of a router stop."""
        self.routers[name].vipd.terminate()
        self.routers[name].dnsmasq.proc.terminate()


def heard(found):
    """Whose sessions, and whether each was released."""
    return [(it.router, it.released) for it in found]


def dials(router):
    """Waits until it is Active and its uplink is coming up: so vipd says, and so does netifd."""
    router.vipd.wait_state("Active", 15, name="home")
    await_that(lambda: router.uplinks()[0] == "coming", 10, "the uplink to be coming")
    equal(router.netifd.state("wan"), "setup", "the uplink")


@each("stop", "power-off")
@limits(timeout=90)
def case_the_active_goes(how):
    """The client keeps its address, and has gateway, DNS, internet and renewals from the other."""
    with Lab() as lab:
        home = Household(lab)
        home.start()
        equal(heard(home.one_uplink()), [("n1", False)], "what the provider has heard")
        # A Backup gets there, too.
        equal(run(home.two.node, "ping", "-n", "-c1", "-w5", HOST)[0], 0, "ping of the internet by the Backup")
        home.renews("n1")
        if how == "stop":
            home.shut_down("n1")
        else:
            home.power_off("n1")
        home.settles("n2")
        home.works("n2")
        home.renews("n2")
        home.works("n2")
        equal(heard(home.one_uplink()), [("n1", how == "stop"), ("n2", False)], "what the provider has heard")


@limits(timeout=90)
def case_the_actives_vipd_is_killed():
    """The client goes on at the other; when procd starts it again, what was left up is the first thing to go."""
    with Lab() as lab:
        home = Household(lab)
        home.start()
        home.one_uplink()
        killed = now()
        home.one.vipd.kill9()
        home.two.vipd.wait_state("Active", 10, name="home")
        await_that(lambda: home.two.uplinks() == ["up", "up"], 10, "the heir's uplinks to be up")
        home.works("n2")
        home.capture.wait_count(lambda f: f.port == "n1-wan", 5, 10, "life of the uplink", home.capture.mark())
        # The control: the capture sees what is not granted.
        try:
            home.one_uplink(grace=0.1)
        except CaseFailed as error:
            check("two uplinks were up" in str(error), str(error))
        else:
            raise CaseFailed("the capture shows nothing of the uplink that was left up")
        again = now()
        home.one.start("again")
        home.one.vipd.log.wait("vrrp_startup_delay", 10)
        home.settles("n1")
        home.works("n1")
        home.renews("n1")
        found = home.one_uplink(grace=BOUND_S, excused=("n1", killed, again))
        equal(heard(found), [("n1", True), ("n2", True), ("n1", False)], "what the provider has heard")


@limits(timeout=90)
def case_both_are_switched_on_at_once():
    """As the issue has it, with intervals of a second. On a slow machine the other is first, and has to give way."""
    with Lab() as lab:
        home = Household(lab, haste="")
        home.start(at_once=True)
        first = home.two.vipd.log.matches("-> Active")
        found = home.one_uplink(grace=BOUND_S if first else 0.0)
        if not first:
            equal(heard(found), [("n1", False)], "what the provider has heard")


@limits(timeout=90)
def case_the_actives_provider_dies():
    """Its LAN is fine, and it gives way at once."""
    with Lab() as lab:
        home = Household(lab)
        home.start()
        home.provider.line("n1", False)
        home.settles("n2")
        home.works("n2")
        home.renews("n2")
        found = home.one_uplink(grace=BOUND_S)
        equal([it.router for it in found], ["n1", "n2"], "what the provider has heard")


@each("n1", "n2")
@limits(timeout=90)
def case_both_providers_die(back):
    """There is a gateway still, and the client is in the internet again when one of the lines is."""
    with Lab() as lab:
        # Who has failed first tries again once its time is over; else the other one comes back, which is Active.
        home = Household(lab, haste=HASTE + (f"\toption uplink_hold_down '{HOLD_DOWN_S}'\n" if back == "n1" else ""))
        home.start()
        for name in home.routers:
            home.provider.line(name, False)
        home.two.vipd.wait_state("Active", 15, name="home")
        await_that(lambda: status(home.two.vipd)["home"]["effective_priority"] == 1, TIMEOUT_S + 15, "two failures")
        equal(run(home.client, "ping", "-n", "-c1", "-w5", conf.VIP)[0], 0, "ping of the gateway")
        home.provider.line(back, True)
        home.settles(back)
        home.works(back)
        home.one_uplink(grace=BOUND_S)


@each("active", "backup", "backup-auto")
@limits(timeout=90)
def case_network_restart(where):
    """netifd takes everything down, and brings up what is `auto`: vipd puts right what it has to be otherwise."""
    with Lab() as lab:
        home = Household(lab, auto=(False, where == "backup-auto"))
        if where == "backup-auto":
            await_that(lambda: home.two.netifd.state("wan") == "up", 10, "netifd to bring the uplink up at boot")
        home.start()
        router = home.one if where == "active" else home.two
        before = len(sessions(home.capture, home.provider.address))
        router.netifd.ask("restart")
        home.capture.wait_count(lambda f: f.port == "n1", 5, 10, "life of the Active", home.capture.mark())
        if where == "active":
            router.vipd.log.wait("wan was changed by somebody else: it is brought up again|-> Backup", 10)
            await_that(lambda: "Active" in (home.one.state(), home.two.state()), 10, "an Active")
        elif where == "backup-auto":
            router.vipd.log.wait("wan was changed by somebody else: it is brought down again", 10)
        active = next(name for name, it in home.routers.items() if it.state() == "Active")
        home.settles(active)
        home.works(active)
        home.renews(active)
        found = home.one_uplink(grace=0.0 if where == "backup" else BOUND_S)
        if where == "backup":
            equal(heard(found), [("n1", False)], "what the provider has heard")
        else:
            check(len(found) > before, f"nothing has happened: {heard(found)}")


@limits(timeout=90)
def case_a_session_takes_its_time():
    """`pppoe`: the client has its gateway meanwhile, and who goes while it dials has never been up."""
    with Lab() as lab:
        home = Household(lab, haste=HASTE.replace(f"'{TIMEOUT_S}'", "'20'"), wan=lambda address: {
            "proto": "pppoe", "address": f"{address}/24", "gateway": ISP})
        home.start(dialled=True)
        home.one.vipd.terminate()
        equal(home.one.netifd.state("wan"), "down", "the uplink of who has stopped")
        dials(home.two)
        home.settles("n2")
        home.works("n2")
        found = home.one_uplink(asked=False)
        equal(heard(found), [("n1", False), ("n2", False)], "what the provider has heard")
        # Back by its priority, and away again before it has come up.
        ups, frames = home.one.netifd.model.log.mark(), home.capture.mark()
        home.one.start("again")
        home.one.vipd.wait_state("Active", 15, name="home")
        await_that(lambda: home.two.netifd.state("wan") == "down", 10, "the other's uplink to be down")
        dials(home.one)
        home.one.vipd.terminate()
        equal(home.one.netifd.model.log.matches("ifup wan$", ups), [], "news of an uplink that was not up yet")
        lease = home.provider.address["n1"]
        equal([f for f in home.capture.frames[frames:] if f.port == "n1-wan" and source(f) == lease], [], "its frames")
        home.settles("n2")
        home.works("n2")
