"""What many cases say about a pair: timers, and that nobody acts early."""

from lib.check import check

# The kernel stamps a captured frame a little after it was sent: µs, and ms on a busy machine.
# A sender's delay between reading its clock and the wire makes gaps look shorter by this much.
STAMP_S = 0.002


def skew_s(version, priority, interval):
    """Skew_Time in seconds (RFC 9568 §6.1, RFC 3768 §6.1)."""
    return (256 - priority) * (interval if version == 3 else 1.0) / 256


def down_s(version, priority, interval):
    """Active_Down_Interval in seconds."""
    return 3 * interval + skew_s(version, priority, interval)


def not_early(sniffer, dead, heir, since, version, priority, interval, cut=None):
    """Fails if the first advert of port `heir` came before Active_Down_Interval after `dead`'s last.

    After a priority 0 advert it is Skew_Time. What `dead` sent after `cut` did not arrive.
    """
    first = sniffer.adverts(heir, since)[0]
    last = [f for f in sniffer.adverts(dead) if f.at < (cut or first.at)][-1]
    wait = (skew_s if last.priority == 0 else down_s)(version, priority, interval)
    gap = first.at - last.at
    check(gap >= wait - STAMP_S, f"{heir} took over after {gap:.6f} s, {wait - gap:.6f} s early")


def count_fits(adverts, interval, seconds, extra=0):
    """Fails unless the adverts of a window are as many as the interval asks for, give or take one."""
    wanted = seconds / interval
    check(wanted - 1.5 <= len(adverts) <= wanted + 1.5 + extra,
          f"{len(adverts)} adverts in {seconds:.3f} s at {interval} s, {wanted:.1f} (+{extra}) expected")
