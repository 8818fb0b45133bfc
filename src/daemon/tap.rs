//! Which socket of an interface listens: the tap (AF_PACKET), the raw IP socket, or both.
//!
//! The tap hears adverts whatever the firewall says, but makes every packet that the router
//! forwards dearer. The raw socket costs next to nothing, but a firewall can deafen it. With
//! `receive auto` a Backup listens on the tap, and each minute for some adverts on both, and so learns
//! whether the raw socket hears what the tap hears; otherwise the raw socket's filter lets nothing in, so
//! that an advert is queued and read once. While all instances of the interface are Active and there
//! is that proof, the tap is closed; it is opened for one Active_Down_Interval each minute, so
//! that a firewall that is closed later is noticed within that bound.

use crate::config::model::Receive;
use crate::limits;
use crate::time::{Duration, Instant};

/// The decision for one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    mode: Receive,
    phase: Phase,
    /// Adverts that the tap has heard while both were open, and the raw socket not so far.
    by_tap: u32,
    /// Adverts that the raw socket has heard, and the tap not so far.
    by_raw: u32,
    /// Adverts that both have heard.
    by_both: u32,
    /// The raw socket has heard enough of what the tap heard, then; not since it missed something.
    proved: Option<Instant>,
    /// Beside the tap the raw socket's filter is open, and what both hear is compared.
    sampling: bool,
    /// The raw socket has missed something that the tap heard, and has not heard anything since.
    deaf: bool,
    /// The tap has been closed on a proof since deafness was last told: it is news, then.
    trusted: bool,
}

/// Where `auto` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Both listen.
    Both,
    /// The raw socket listens alone until then.
    Alone(Instant),
    /// Both listen until then, to see that the raw socket still hears everything.
    Recheck(Instant),
}

/// What the operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The tap is closed.
    Closed,
    /// The raw socket is deaf; the tap stays.
    Deaf,
}

impl Tap {
    pub(super) fn new(mode: Receive) -> Self {
        Self {
            mode,
            phase: Phase::Both,
            by_tap: 0,
            by_raw: 0,
            by_both: 0,
            proved: None,
            sampling: true,
            deaf: false,
            trusted: false,
        }
    }

    /// The mode of an interface whose instances ask for these.
    pub(super) fn mode_of(modes: impl Iterator<Item = Receive>) -> Receive {
        modes
            .reduce(|a, b| match (a, b) {
                (Receive::Packet, _) | (_, Receive::Packet) => Receive::Packet,
                (Receive::Raw, Receive::Raw) => Receive::Raw,
                _ => Receive::Auto,
            })
            .unwrap_or_default()
    }

    /// The configured mode.
    pub(super) fn mode(&self) -> Receive {
        self.mode
    }

    /// Is the tap open?
    pub(super) fn wants_tap(&self) -> bool {
        match self.mode {
            Receive::Packet => true,
            Receive::Raw => false,
            Receive::Auto => !matches!(self.phase, Phase::Alone(_)),
        }
    }

    /// Is the raw socket open?
    pub(super) fn wants_raw(&self) -> bool {
        self.mode != Receive::Packet
    }

    /// Does the raw socket's filter let adverts in? Beside a tap it does while there is something
    /// to prove.
    pub(super) fn raw_hears(&self) -> bool {
        self.phase != Phase::Both || self.sampling
    }

    /// The tap has heard an advert.
    pub(super) fn tap_heard(&mut self) {
        if self.raw_hears() {
            self.by_tap = self.by_tap.saturating_add(1);
        }
    }

    /// The tap is so far ahead that the raw socket beside it is to be read.
    pub(super) fn wants_comparison(&self) -> bool {
        self.by_tap >= limits::PROOF_BATCH
    }

    /// How many adverts of the raw socket say enough: more may wait there that the tap is about to
    /// hear.
    pub(super) fn enough(&self) -> u32 {
        (self.by_tap + limits::PROOF_SLACK).saturating_sub(self.by_raw)
    }

    /// The raw socket was read while the tap was open too, and had heard so many adverts.
    pub(super) fn compare(&mut self, heard: u32, now: Instant) {
        let by_raw = self.by_raw + heard;
        let both = self.by_tap.min(by_raw);
        self.by_tap -= both;
        self.by_raw = by_raw - both;
        self.by_both = self.by_both.saturating_add(both);
        if self.by_tap > limits::PROOF_SLACK {
            self.disprove();
        } else if self.by_both >= limits::PROOF_ADVERTS {
            self.proved = Some(now);
            self.sampling = false;
            self.deaf = false;
        }
    }

    fn disprove(&mut self) {
        self.sample();
        self.proved = None;
        self.deaf = true;
    }

    /// Begins to compare.
    fn sample(&mut self) {
        self.forget();
        self.sampling = true;
    }

    fn forget(&mut self) {
        (self.by_tap, self.by_raw, self.by_both) = (0, 0, 0);
    }

    /// When there is to be another proof.
    fn recheck_at(&self) -> Instant {
        self.proved
            .map_or(Instant::NEVER, |proved| proved + limits::RECHECK_PERIOD)
    }

    /// When [`Tap::tend`] has something to do though nothing happens.
    pub(super) fn poll_at(&self) -> Instant {
        match self.phase {
            Phase::Both if self.deaf && self.trusted => Instant::ZERO,
            Phase::Both if self.sampling => Instant::NEVER,
            Phase::Both => self.recheck_at(),
            Phase::Alone(until) | Phase::Recheck(until) => until,
        }
    }

    /// Decides anew. `active` is the longest Active_Down_Interval of the interface's instances, if
    /// all of them are Active.
    pub(super) fn tend(&mut self, active: Option<Duration>, now: Instant) -> Option<News> {
        if self.mode != Receive::Auto {
            return None;
        }
        let Some(active_down_interval) = active else {
            if self.phase != Phase::Both {
                self.phase = Phase::Both;
                self.proved = None;
                self.sample();
            } else if !self.sampling && now >= self.recheck_at() {
                self.sample();
            }
            return self.deafness();
        };
        match self.phase {
            Phase::Both if self.proved.is_some() => {
                self.phase = Phase::Alone(self.recheck_at());
                self.trusted = true;
                Some(News::Closed)
            }
            Phase::Alone(until) if now >= until => {
                self.forget();
                self.phase = Phase::Recheck(now + active_down_interval);
                None
            }
            Phase::Recheck(until) if now >= until || self.deaf => {
                if self.deaf || self.by_tap > 0 {
                    self.disprove();
                    self.phase = Phase::Both;
                    return self.deafness();
                }
                self.phase = Phase::Alone(now + limits::RECHECK_PERIOD);
                None
            }
            _ => self.deafness(),
        }
    }

    /// Once for each proof that turned out wrong. A firewall that was closed all along is none:
    /// the tap has never been closed then.
    fn deafness(&mut self) -> Option<News> {
        let news = self.phase == Phase::Both && self.deaf && self.trusted;
        if news {
            self.trusted = false;
        }
        news.then_some(News::Deaf)
    }

    /// Which sockets listen, and why: for `status`.
    pub(super) fn explain(&self) -> (&'static str, &'static str) {
        match (self.mode, self.phase) {
            (Receive::Packet, _) => ("packet", "configured"),
            (Receive::Raw, _) => ("raw", "configured"),
            (Receive::Auto, Phase::Alone(_)) => (
                "raw",
                "Active, and the raw socket has heard what the tap heard",
            ),
            (Receive::Auto, Phase::Recheck(_)) => {
                ("packet and raw", "checking that the raw socket still hears")
            }
            (Receive::Auto, Phase::Both) if self.deaf => (
                "packet and raw",
                "the raw socket misses adverts: a firewall drops protocol 112",
            ),
            (Receive::Auto, Phase::Both) if self.proved.is_some() => (
                "packet and raw",
                "the raw socket hears what the tap hears, by a sample each minute; not all instances are Active",
            ),
            (Receive::Auto, Phase::Both) => (
                "packet and raw",
                "no proof yet that the raw socket hears adverts",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Duration = Duration::from_millis(3600);

    fn at(secs: u64) -> Instant {
        Instant::from_micros(secs * 1_000_000)
    }

    fn hears(tap: &mut Tap, adverts: u32) {
        (0..adverts).for_each(|_| tap.tap_heard());
    }

    fn proved() -> Tap {
        let mut tap = Tap::new(Receive::Auto);
        hears(&mut tap, limits::PROOF_ADVERTS);
        tap.compare(limits::PROOF_ADVERTS, at(0));
        tap
    }

    #[test]
    fn without_proof_the_tap_stays() {
        let mut tap = Tap::new(Receive::Auto);
        assert_eq!(tap.tend(Some(DOWN), at(1)), None);
        assert!(tap.wants_tap() && tap.wants_raw());
    }

    #[test]
    fn with_proof_an_active_closes_it_and_a_backup_opens_it_again() {
        let mut tap = proved();
        assert_eq!(tap.tend(None, at(1)), None, "a Backup keeps both");
        assert!(tap.wants_tap());
        assert_eq!(tap.tend(Some(DOWN), at(2)), Some(News::Closed));
        assert!(!tap.wants_tap());
        assert_eq!(tap.tend(None, at(3)), None);
        assert!(tap.wants_tap(), "leaving Active");
        assert_eq!(
            tap.tend(Some(DOWN), at(4)),
            None,
            "the proof is to be had again"
        );
    }

    #[test]
    fn each_minute_the_proof_is_checked() {
        let mut tap = proved();
        tap.tend(Some(DOWN), at(0));
        assert_eq!(tap.poll_at(), at(60));
        assert_eq!(tap.tend(Some(DOWN), at(60)), None);
        assert!(tap.wants_tap());
        assert_eq!(tap.tend(Some(DOWN), at(64)), None);
        assert!(!tap.wants_tap(), "nothing spoke against it");
        tap.tend(Some(DOWN), at(124));
        tap.tap_heard();
        assert_eq!(tap.tend(Some(DOWN), at(128)), Some(News::Deaf));
        assert!(tap.wants_tap(), "a firewall was closed");
        assert_eq!(tap.tend(Some(DOWN), at(500)), None);
        assert!(tap.wants_tap(), "until there is new proof");
    }

    #[test]
    fn deafness_that_a_backup_finds_is_told_once() {
        let mut tap = proved();
        tap.tend(Some(DOWN), at(0));
        tap.tend(Some(DOWN), at(60));
        tap.tap_heard();
        assert_eq!(tap.tend(None, at(61)), None, "the advert made it a Backup");
        hears(&mut tap, limits::PROOF_BATCH - 1);
        assert!(!tap.wants_comparison());
        hears(&mut tap, 1);
        assert!(tap.wants_comparison());
        assert_eq!(tap.poll_at(), Instant::NEVER);
        tap.compare(0, at(0));
        assert_eq!(tap.poll_at(), Instant::ZERO);
        assert_eq!(tap.tend(None, at(62)), Some(News::Deaf));
        assert_eq!(tap.poll_at(), Instant::NEVER);
        hears(&mut tap, 9);
        tap.compare(0, at(0));
        assert_eq!(tap.tend(None, at(63)), None);
        assert!(tap.wants_tap());
    }

    #[test]
    fn a_firewall_that_was_closed_all_along_is_no_news() {
        let mut tap = Tap::new(Receive::Auto);
        hears(&mut tap, 9);
        tap.compare(0, at(0));
        assert_eq!(tap.poll_at(), Instant::NEVER);
        assert_eq!(tap.tend(None, at(1)), None);
        assert_eq!(tap.tend(Some(DOWN), at(2)), None);
        assert!(tap.wants_tap());
    }

    #[test]
    fn after_a_proof_the_raw_socket_rests_for_a_minute() {
        let mut tap = proved();
        assert!(!tap.raw_hears());
        assert_eq!(tap.poll_at(), at(60));
        hears(&mut tap, 100);
        assert!(!tap.wants_comparison(), "the tap alone hears");
        assert_eq!(tap.tend(None, at(59)), None);
        assert!(!tap.raw_hears());
        assert_eq!(tap.tend(None, at(60)), None);
        assert!(tap.raw_hears(), "another sample");
        assert!(tap.proved.is_some(), "the old proof counts meanwhile");
        assert_eq!(tap.poll_at(), Instant::NEVER);
    }

    #[test]
    fn an_old_proof_is_checked_as_soon_as_the_tap_is_closed() {
        let mut tap = proved();
        tap.tend(None, at(60));
        assert_eq!(tap.tend(Some(DOWN), at(65)), Some(News::Closed));
        assert!(tap.raw_hears() && !tap.wants_tap());
        assert!(tap.poll_at() <= at(65));
        assert_eq!(tap.tend(Some(DOWN), at(65)), None);
        assert!(tap.wants_tap());
        assert_eq!(tap.poll_at(), at(65) + DOWN);
    }

    #[test]
    fn one_advert_on_its_way_is_no_disproof_but_silence_is() {
        let mut tap = proved();
        tap.tend(None, at(60));
        hears(&mut tap, 1);
        tap.compare(0, at(61));
        assert!(tap.proved.is_some());
        hears(&mut tap, limits::PROOF_SLACK);
        tap.compare(0, at(62));
        assert!(tap.proved.is_none() && tap.raw_hears());
        assert_eq!(tap.tend(Some(DOWN), at(63)), None);
    }

    #[test]
    fn the_raw_socket_is_read_no_further_than_the_tap_by_more_than_the_slack() {
        let mut tap = Tap::new(Receive::Auto);
        hears(&mut tap, 1);
        assert_eq!(tap.enough(), 1 + limits::PROOF_SLACK);
        tap.compare(tap.enough(), at(0));
        assert_eq!(tap.enough(), 0);
        hears(&mut tap, limits::PROOF_SLACK);
        tap.compare(0, at(0));
        assert!(tap.proved.is_some(), "what the raw socket was ahead counts");
    }

    #[test]
    fn packet_wins_over_auto_and_auto_over_raw() {
        use Receive::{Auto, Packet, Raw};
        assert_eq!(Tap::mode_of([Raw, Auto, Packet].into_iter()), Packet);
        assert_eq!(Tap::mode_of([Raw, Auto].into_iter()), Auto);
        assert_eq!(Tap::mode_of([Raw, Raw].into_iter()), Raw);
    }
}
