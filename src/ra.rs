//! Router advertisements of an Active (RFC 4861 §6.2): when one is due, and what it says.
//!
//! Time comes in as an argument, addresses as facts; who sends is in `daemon::ra`, the bytes are in
//! [`frame`](crate::frame).

use core::net::Ipv6Addr;

use crate::limits;
use crate::time::{Duration, Instant};
use crate::vrrp::types::is_link_local;

/// MAX_INITIAL_RTR_ADVERTISEMENTS (RFC 4861 §10), also after something has changed.
const BURST: u8 = 3;
/// MIN_DELAY_BETWEEN_RAS: from one advertisement to the next.
const MIN_GAP: Duration = Duration::from_secs(3);
/// MAX_RA_DELAY_TIME: until a solicitation is answered.
const MAX_DELAY: Duration = Duration::from_millis(500);
/// ND_PREFERRED_LIMIT and ND_VALID_LIMIT (RFC 9096 §3.4): what hosts keep of a prefix whose router
/// has died.
const PREFERRED_LIMIT: u32 = 2_700;
const VALID_LIMIT: u32 = 5_400;
/// Interface identifiers have 64 bits (RFC 4291 §2.5.1), and so have prefixes for hosts.
pub const PREFIX_LEN: u8 = 64;

/// How often advertisements are sent, and for how long hosts believe them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    min: Duration,
    max: Duration,
    /// AdvDefaultLifetime in seconds, and that of the DNS servers.
    pub lifetime: u16,
}

impl Timing {
    /// From a virtual link-local address: a takeover changes nothing for hosts, so that RFC 4861's
    /// defaults do.
    pub const STABLE: Self = Self {
        min: Duration::from_secs(200),
        max: Duration::from_secs(600),
        lifetime: 1_800,
    };
    /// From a router's own address, which hosts of a router that has died keep for so long.
    pub const OWN: Self = Self {
        min: Duration::from_secs(10),
        max: Duration::from_secs(30),
        lifetime: 90,
    };
}

/// A prefix as it is advertised: on the link, and for addresses that hosts make themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// [`PREFIX_LEN`] bits of it, and zeros.
    pub address: Ipv6Addr,
    /// Seconds for which hosts open connections from it.
    pub preferred: u32,
    /// Seconds for which they have it; 0: it is gone.
    pub valid: u32,
}

/// An address of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The address.
    pub address: Ipv6Addr,
    /// Its prefix length. A shorter one than [`PREFIX_LEN`] holds one of that length, a longer one
    /// no network of hosts.
    pub prefix_len: u8,
    /// When it is deprecated.
    pub preferred_until: Instant,
    /// When it goes.
    pub valid_until: Instant,
}

/// Prefixes of one advertisement.
pub type Prefixes = heapless::Vec<Prefix, { limits::RA_PREFIXES }>;

/// What an advertisement says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Seconds for which the sender is a default router; 0: it is none.
    pub lifetime: u16,
    /// What is on the link.
    pub prefixes: Prefixes,
    /// Recursive DNS servers (RFC 8106).
    pub servers: heapless::Vec<Ipv6Addr, { limits::RA_SERVERS }>,
    /// Seconds for which they are that.
    pub servers_lifetime: u16,
}

impl Content {
    /// The interface has this address.
    pub fn address(&mut self, known: &Known, now: Instant) {
        let Known {
            address,
            prefix_len,
            ..
        } = *known;
        let [a, b, c, d, ..] = address.segments();
        if is_link_local(&address.into()) || prefix_len > PREFIX_LEN || a == 0 {
            return;
        }
        let rest = |until: Instant, limit: u32| {
            let rest = until.since(now).as_secs().min(limit.into());
            rest as u32
        };
        let valid = rest(known.valid_until, VALID_LIMIT);
        let new = Prefix {
            address: Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0),
            valid,
            preferred: rest(known.preferred_until, PREFERRED_LIMIT).min(valid),
        };
        match self.prefixes.iter_mut().find(|p| p.address == new.address) {
            Some(known) => {
                known.valid = known.valid.max(new.valid);
                known.preferred = known.preferred.max(new.preferred);
            }
            // More than there is room for are left out.
            None => self.prefixes.push(new).unwrap_or(()),
        }
    }

    /// This address moves with the Active.
    pub fn vip(&mut self, vip: Ipv6Addr) {
        if !is_link_local(&vip.into()) {
            self.servers.push(vip).unwrap_or(());
        }
    }

    /// Behind all addresses. Who has no global prefix is no default router (RFC 7084 ULA-5). DNS is
    /// where the Active is: at a virtual address that is seen from everywhere, else where the
    /// advertisement comes from.
    pub fn finish(&mut self, timing: Timing, source: Ipv6Addr) {
        let is_global = |p: &Prefix| p.valid > 0 && p.address.octets()[0] >> 5 == 1;
        if self.prefixes.iter().any(is_global) {
            self.lifetime = timing.lifetime;
        }
        self.servers_lifetime = timing.lifetime;
        if self.servers.is_empty() {
            self.servers.push(source).unwrap_or(());
        }
    }

    /// The last one of a sender that is Active no more, from the router's `own` address (RFC 4861
    /// §6.2.5): it is no default router and no DNS server, and hosts had better use another router's
    /// prefixes. Those that both have become preferred again with the other's next advertisement, which
    /// follows soon: it hears this one.
    ///
    /// A virtual address is not taken back: it is another router's now, and so are the servers.
    pub fn farewell(&mut self, own: Ipv6Addr) {
        self.lifetime = 0;
        self.servers_lifetime = 0;
        let stays = self.servers.contains(&own);
        self.servers.clear();
        if stays {
            self.servers.push(own).unwrap_or(());
        }
        self.prefixes.iter_mut().for_each(|p| p.preferred = 0);
    }
}

/// What a change of the state asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Stay,
    /// [`Advertiser::start`].
    Begin,
    /// A last one, [`Content::farewell`].
    End,
}

/// When an interface's advertisements are due.
#[derive(Clone, Debug)]
pub struct Advertiser {
    /// The state of a generator of random numbers; never 0.
    random: u32,
    /// Of a burst, those that are still to come.
    burst: u8,
    last: Instant,
    next: Instant,
    /// What the last one said; those without a valid lifetime are gone.
    before: Prefixes,
}

impl Default for Advertiser {
    fn default() -> Self {
        Self::new()
    }
}

impl Advertiser {
    /// Sends nothing.
    pub const fn new() -> Self {
        Self {
            random: 1,
            burst: 0,
            last: Instant::ZERO,
            next: Instant::NEVER,
            before: Prefixes::new(),
        }
    }

    /// Active from now on: one at once, and two more soon. `seed` tells routers apart.
    pub fn start(&mut self, seed: u32, now: Instant) {
        self.random = seed | 1;
        self.burst = BURST;
        self.next = now;
        self.before.clear();
    }

    /// What follows from whether this router is Active now. `contradicted`: another one was, too, and may
    /// have said that it is no more.
    pub fn turn(&mut self, active: bool, contradicted: bool, now: Instant) -> Turn {
        match (active, self.runs()) {
            (true, false) => Turn::Begin,
            (false, true) => {
                self.stop();
                Turn::End
            }
            (true, true) if contradicted => {
                self.stir(now);
                Turn::Stay
            }
            _ => Turn::Stay,
        }
    }

    /// Active no more.
    fn stop(&mut self) {
        self.next = Instant::NEVER;
    }

    /// It sends.
    pub fn runs(&self) -> bool {
        self.next != Instant::NEVER
    }

    /// A host has asked, or another router has taken its leave: all are answered together, soon, but not too often (RFC 4861 §6.2.6).
    pub fn solicited(&mut self, now: Instant) {
        if self.runs() {
            let delay = self.random_up_to(MAX_DELAY);
            self.bring_forward(now + delay);
        }
    }

    /// Hosts may know something else than what would be sent now.
    pub fn stir(&mut self, now: Instant) {
        if self.runs() {
            self.burst = BURST;
            self.bring_forward(now);
        }
    }

    fn bring_forward(&mut self, at: Instant) {
        self.next = self.next.min(at.max(self.last + MIN_GAP));
    }

    /// When the next one is due.
    pub fn poll_at(&self) -> Instant {
        self.next
    }

    /// Whether hosts that have heard the last one miss something of these prefixes, or know one more.
    pub fn is_outdated(&self, prefixes: &Prefixes) -> bool {
        let lacks = |these: &[Prefix], those: &[Prefix]| {
            let has = |p: &Prefix| those.iter().any(|q| q.address == p.address && q.valid > 0);
            these.iter().any(|p| p.valid > 0 && !has(p))
        };
        self.runs() && (lacks(prefixes, &self.before) || lacks(&self.before, prefixes))
    }

    /// One is sent: adds to it what was on the link before and is not any more, for the length of a
    /// burst, and settles when the next one is due.
    pub fn send(&mut self, timing: Timing, prefixes: &mut Prefixes, now: Instant) {
        self.burst = self.burst.saturating_sub(1);
        for old in &self.before {
            if !prefixes.iter().any(|p| p.address == old.address) {
                let gone = Prefix {
                    valid: 0,
                    preferred: 0,
                    ..*old
                };
                // What finds no room runs out by itself.
                prefixes.push(gone).unwrap_or(());
            }
        }
        self.before.clone_from(prefixes);
        let gap = if self.burst > 0 {
            MIN_GAP
        } else {
            self.before.retain(|prefix| prefix.valid > 0);
            let Timing { min, max, .. } = timing;
            let range = Duration::from_micros(max.as_micros() - min.as_micros());
            min + self.random_up_to(range)
        };
        self.last = now;
        self.next = now + gap;
    }

    /// Not good, but other than the other router's (RFC 4861 §6.2.4): Marsaglia's xorshift.
    fn random_up_to(&mut self, span: Duration) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let millis = self.random % (span.as_millis() as u32 + 1);
        Duration::from_millis(millis.into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const OWN: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

    fn at(secs: u64) -> Instant {
        Instant::from_micros(secs * 1_000_000)
    }

    fn known(address: &str, prefix_len: u8) -> Known {
        Known {
            address: address.parse().unwrap(),
            prefix_len,
            preferred_until: Instant::NEVER,
            valid_until: Instant::NEVER,
        }
    }

    fn say(vips: &[&str], addresses: &[Known]) -> Content {
        let mut said = Content::default();
        vips.iter().for_each(|vip| said.vip(vip.parse().unwrap()));
        addresses
            .iter()
            .for_each(|known| said.address(known, at(1_000)));
        said.finish(Timing::OWN, OWN);
        said
    }

    fn prefix(text: &str, preferred: u32, valid: u32) -> Prefix {
        Prefix {
            address: text.parse().unwrap(),
            preferred,
            valid,
        }
    }

    #[test]
    fn prefixes_are_those_of_networks_of_hosts() {
        let said = say(
            &[],
            &[
                known("2001:db8:1:2::5", 60),
                known("fd00:1::5", 64),
                known("fd00:1::6", 64),
                known("2001:db8:2::1", 80),
                known("2001:db8:3::1", 128),
                known("fe80::5", 64),
                known("::1", 64),
            ],
        );
        let expected = [
            prefix("2001:db8:1:2::", 2_700, 5_400),
            prefix("fd00:1::", 2_700, 5_400),
        ];
        assert_eq!(said.prefixes, expected);
        assert_eq!((said.lifetime, said.servers_lifetime), (90, 90));
    }

    #[test]
    fn lifetimes_are_what_the_address_has_left() {
        let mut delegated = known("2001:db8::1", 64);
        delegated.preferred_until = at(1_100);
        delegated.valid_until = at(1_200);
        assert_eq!(
            say(&[], &[delegated]).prefixes,
            [prefix("2001:db8::", 100, 200)]
        );
        // The longer one of two addresses of a prefix counts.
        let said = say(&[], &[delegated, known("2001:db8::2", 64)]);
        assert_eq!(said.prefixes, [prefix("2001:db8::", 2_700, 5_400)]);
        delegated.preferred_until = at(900);
        delegated.valid_until = at(900);
        let said = say(&[], &[delegated]);
        assert_eq!(said.prefixes, [prefix("2001:db8::", 0, 0)]);
        assert_eq!(said.lifetime, 0, "nothing global is left");
    }

    #[test]
    fn without_a_global_prefix_it_is_no_default_router() {
        assert_eq!(say(&[], &[known("fd00::1", 64)]).lifetime, 0);
        assert_eq!(say(&[], &[]).lifetime, 0);
    }

    #[test]
    fn more_prefixes_than_there_is_room_for_are_left_out() {
        let many = core::array::from_fn::<_, 12, _>(|n| known(&format!("2001:db8:{n}::1"), 64));
        assert_eq!(say(&[], &many).prefixes.len(), limits::RA_PREFIXES);
    }

    #[test]
    fn dns_is_at_a_virtual_address_or_at_the_sender() {
        let servers = |vips: &[&str]| say(vips, &[]).servers.to_vec();
        assert_eq!(servers(&["fe80::1"]), [OWN]);
        let vip: Ipv6Addr = "fd00::53".parse().unwrap();
        assert_eq!(servers(&["fe80::1", "fd00::53"]), [vip]);
        assert_eq!(
            servers(&["fd00::1", "fd00::2", "fd00::3", "fd00::4"]).len(),
            3
        );
    }

    #[test]
    fn a_farewell_takes_back_what_is_its_own() {
        let mut said = say(&["fd00::53"], &[known("2001:db8::1", 64)]);
        said.farewell(OWN);
        assert_eq!((said.lifetime, said.servers.len()), (0, 0));
        assert_eq!(said.prefixes, [prefix("2001:db8::", 0, 5_400)]);
        let mut said = say(&[], &[]);
        said.farewell(OWN);
        assert_eq!(
            (said.servers.to_vec(), said.servers_lifetime),
            (vec![OWN], 0)
        );
    }

    /// Sends until `until`, and tells when.
    fn run(advertiser: &mut Advertiser, timing: Timing, until: Instant) -> Vec<Instant> {
        let mut sent = Vec::new();
        while advertiser.poll_at() <= until {
            let now = advertiser.poll_at();
            advertiser.send(timing, &mut Prefixes::new(), now);
            sent.push(now);
        }
        sent
    }

    #[test]
    fn three_at_first_then_at_random() {
        for (timing, min, max) in [(Timing::STABLE, 200, 600), (Timing::OWN, 10, 30)] {
            let mut advertiser = Advertiser::new();
            assert_eq!(advertiser.poll_at(), Instant::NEVER);
            advertiser.start(7, at(100));
            let sent = run(&mut advertiser, timing, at(100_000));
            assert_eq!(sent[..3], [at(100), at(103), at(106)]);
            let gaps = sent[2..].windows(2).map(|two| two[1].since(two[0]));
            let gaps: Vec<_> = gaps.collect();
            let fits = |gap: &Duration| (min..=max).contains(&gap.as_secs());
            assert!(gaps.iter().all(fits), "{gaps:?}");
            assert!(gaps.iter().any(|gap| *gap != gaps[0]), "at random");
            advertiser.stop();
            assert_eq!(advertiser.poll_at(), Instant::NEVER);
        }
    }

    #[test]
    fn two_routers_differ() {
        let second = |seed| {
            let mut advertiser = Advertiser::new();
            advertiser.start(seed, at(0));
            run(&mut advertiser, Timing::STABLE, at(2_000))[3]
        };
        assert_ne!(second(0x0200_0001), second(0x0200_0003));
    }

    #[test]
    fn solicitations_are_answered_soon_and_not_often() {
        let mut advertiser = Advertiser::new();
        advertiser.start(7, at(100));
        run(&mut advertiser, Timing::STABLE, at(106));
        advertiser.solicited(at(120));
        let due = advertiser.poll_at();
        assert!(due >= at(120) && due <= at(120) + MAX_DELAY, "{due:?}");
        advertiser.send(Timing::STABLE, &mut Prefixes::new(), due);
        for _ in 0..100 {
            advertiser.solicited(due);
        }
        assert_eq!(advertiser.poll_at(), due + MIN_GAP);
        advertiser.stop();
        advertiser.solicited(at(130));
        assert!(!advertiser.runs(), "nobody else's business");
    }

    #[test]
    fn what_is_gone_is_said_for_a_burst() {
        let here = |text: &str| say(&[], &[known(text, 64)]).prefixes;
        let mut advertiser = Advertiser::new();
        advertiser.start(7, at(100));
        for _ in 0..4 {
            let now = advertiser.poll_at();
            advertiser.send(Timing::STABLE, &mut here("2001:db8:1::1"), now);
        }
        assert!(!advertiser.is_outdated(&here("2001:db8:1::2")));
        assert!(advertiser.is_outdated(&here("2001:db8:2::1")));
        assert!(advertiser.is_outdated(&Prefixes::new()));
        let now = advertiser.poll_at() - Duration::from_secs(10);
        advertiser.stir(now);
        assert_eq!(advertiser.poll_at(), now);
        let mut gone = Vec::new();
        for _ in 0..4 {
            let (now, mut said) = (advertiser.poll_at(), here("2001:db8:2::1"));
            advertiser.send(Timing::STABLE, &mut said, now);
            gone.push(said.get(1).copied());
        }
        let old = Some(prefix("2001:db8:1::", 0, 0));
        assert_eq!(gone, [old, old, old, None]);
        assert!(!advertiser.is_outdated(&here("2001:db8:2::1")));
    }
}
