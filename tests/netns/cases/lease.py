"""The dead-man lease: what the kernel does when vipd is killed, hangs, or is stopped."""

import signal

from lib import conf
from lib.check import check, each, equal, limits
from lib.lab import Lab, now
from lib.life import replace_file
from lib.pair import down_s
from lib.ping import Pinger
from lib.sniffer import is_advert
from lib.vipd import Vipd
from lib.watch import Watch

LEASE = 2
# The kernel's own timer of address lifetimes is a lazy one.
SLACK_S = 1.5
SECOND_VIP = "10.10.201.140"


def leased(seconds=LEASE, **options):
    """An instance with a lease."""
    return conf.instance(extra=[f"address_lease {seconds}"] if seconds else [], **options)


@each("instance", "global")
@limits(timeout=40)
def case_kernel_removes_the_address_of_a_killed_daemon(where):
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        text = leased(priority=255, vips=[conf.VIP, SECOND_VIP])
        if where == "global":
            text = conf.global_defs(f"address_lease {LEASE}") + conf.instance(
                priority=255, vips=[conf.VIP, SECOND_VIP])
        vipd, watch = Vipd(node, text), Watch(node)
        node.wait_has(conf.VIP, 5)
        # Refreshed for longer than three leases: never gone, and the kernel never without a bound.
        started = now()
        watch.wait_count(lambda n: n.address == conf.VIP and n.at > started + 3 * LEASE + 0.5, 1,
                         4 * LEASE + 5, "refreshes")
        news = watch.of(conf.VIP) + watch.of(SECOND_VIP)
        equal({n.kind for n in news}, {"new"}, "news while it runs")
        equal({n.valid for n in news}, {LEASE}, "lifetimes")
        equal(vipd.warnings(), [], "warnings")
        mark, killed = watch.mark(), now()
        vipd.kill9()
        check(node.has(conf.VIP), "it went before the lease was over")
        for vip in (conf.VIP, SECOND_VIP):
            gone = watch.wait("gone", vip, LEASE + SLACK_S + 2, mark)
            check(gone.at - killed <= LEASE + SLACK_S, f"{vip} stayed for {gone.at - killed:.3f} s after the kill")


class Pair:
    """n1 with a lease and the higher priority, n2 its Backup, and a client."""

    def __init__(self, lab, count=1, **options):
        self.node1, self.node2 = lab.node("n1", conf.NODE1), lab.node("n2", conf.NODE2)
        self.sniffer, self.watch = lab.sniff(), Watch(self.node1)
        self.count = count
        text = "".join(leased(name=f"VI_{i}", vrid=i + 1, priority=200, vips=[self.vip(i)], **options)
                       for i in range(count))
        self.first = Vipd(self.node1, text)
        self.wait_all(self.first, "Active")
        self.second = Vipd(self.node2, text.replace("priority 200", "priority 100"))
        self.wait_all(self.second, "Backup")

    @staticmethod
    def vip(index):
        """The address of an instance."""
        return f"10.10.200.{index + 1}"

    def wait_all(self, vipd, state, since=0):
        """Waits until each instance has come to `state`."""
        vipd.log.wait_count(rf"VI_\d+: \w+ -> {state}\b", self.count, 15, since)


@each(1, 64)
@limits(timeout=60)
def case_active_that_stood_still_gives_way_first(count):
    with Lab() as lab:
        pair = Pair(lab, count)
        first, second, sniffer, node1 = pair.first, pair.second, pair.sniffer, pair.node1
        vip = pair.vip(0)
        ping = Pinger(lab.node("client", "10.10.201.50/23"), vip)
        ping.wait_answer(5)
        news, log = pair.watch.mark(), first.log.mark()
        first.proc.signal(signal.SIGSTOP)
        stopped = now()
        try:
            pair.wait_all(second, "Active")
            gone = pair.watch.wait("gone", vip, LEASE + SLACK_S + 2, news)
            check(gone.at - stopped <= LEASE + SLACK_S, f"the address stayed for {gone.at - stopped:.3f} s")
            # Several hundred adverts wait for the sleeper now.
            sniffer.wait_count(lambda f: is_advert(f, "n2", count), 5, 5, "adverts of the other", sniffer.mark())
            node1.wait(lambda: not [a for a in node1.addresses() if a["local"].startswith("10.10.200.")],
                       LEASE + SLACK_S, "all addresses to go")
            ping.wait_answer(5)
            frames, news, woken = sniffer.mark(), pair.watch.mark(), now()
        finally:
            first.proc.signal(signal.SIGCONT)
        pair.wait_all(first, "Backup", log)
        lines = first.log.matches("-> Backup", log)
        equal(len([x for x in lines if "stood still" in x and "10.10.201.103 took over" in x]), count, "reasons")
        # Then it preempts as any Backup of a higher priority: after Active_Down_Interval, not before.
        pair.wait_all(first, "Active", log)
        lines = first.log.matches("-> Active", log)
        equal(len([x for x in lines if "Active with the lower priority 100" in x]), count, "reasons to preempt")
        # The clock of its timer starts when it wakes; the capture's stamp of a frame comes after that.
        early = [f for f in sniffer.adverts("n1", frames) if f.at < woken + down_s(3, 200, 0.1) - 0.002]
        equal([str(f) for f in early[:3]], [], "adverts of the woken router before its time")
        check(not [n for n in pair.watch.of(vip, news) if n.at < woken + 0.3], "the address came back at once")
        node1.wait_has(vip, 5)
        ping.wait_answer(5)
        ping.stop()
        equal(first.log.matches("somebody else", log), [], "lines about somebody else")
        first.terminate()
        check(not [a for a in node1.addresses() if a["local"].startswith("10.10.200.")], "left after the stop")


@limits(timeout=40)
def case_active_alone_that_stood_still_goes_on():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        vipd, watch = Vipd(node, leased()), Watch(node)
        vipd.wait_state("Active", 5)
        node.wait_has(conf.VIP, 5)
        for _ in range(2):
            mark, log = watch.mark(), vipd.log.mark()
            vipd.proc.signal(signal.SIGSTOP)
            try:
                watch.wait("gone", conf.VIP, LEASE + SLACK_S + 2, mark)
            finally:
                frames = sniffer.mark()
                vipd.proc.signal(signal.SIGCONT)
            node.wait_has(conf.VIP, 5)
            sniffer.wait_count(lambda f: is_advert(f, "n1"), 30, 8, "adverts", frames)
            watch.wait_count(lambda n: n.kind == "new" and n.valid == LEASE, 3, 5, "refreshes", watch.mark())
            equal(vipd.transitions(log), [], "transitions")
            equal(vipd.log.matches("somebody else added|was added by somebody", log), [], "lines")
        vipd.terminate()
        check(not node.has(conf.VIP), "left after the stop")


@limits(timeout=60)
def case_lease_is_changed_in_place_by_a_reload():
    with Lab() as lab:
        node = lab.node("n1", conf.NODE1)
        vipd, watch = Vipd(node, leased(0, priority=255)), Watch(node)
        vipd.wait_state("Active", 5)
        node.wait_has(conf.VIP, 5)
        path = f"{lab.dir}/n1-vipd.conf"
        log = vipd.log.mark()
        for lease in (LEASE, 5, 0):
            mark = watch.mark()
            replace_file(path, leased(lease, priority=255))
            vipd.proc.signal(signal.SIGHUP)
            watch.wait_count(lambda n: n.valid == (lease or None), 1, 5, f"a lease of {lease} s", mark)
        vipd.log.wait_count("reload: changed VI_1", 3, 5, log)
        equal({n.kind for n in watch.of(conf.VIP)}, {"new"}, "news")
        equal(vipd.transitions(log), [], "transitions")
        # Without a lease nothing is refreshed and nothing ends: the last word of the kernel is for ever.
        mark = watch.mark()
        vipd.kill9()
        node.wait_has(conf.VIP, 1)
        equal((watch.of(conf.VIP)[-1].valid, watch.words(mark)), (None, []), "the address without a lease")
