//! Trackers of an uplink: what is seen through an interface that is up on the Active only.
//!
//! - A Backup's uplink is down because it is a Backup: what is tracked there counts as good.
//! - An Active's uplink is given `uplink_timeout` to come up; what has been good meanwhile counts from
//!   then on, the rest when the time is over.
//! - What has failed stays as it was for `uplink_hold_down` after its router has given way, or two
//!   routers whose providers are both dead would take turns for ever. Each failure soon after a
//!   hold-down doubles the next one, up to sixteen times.

use super::track::{Reading, Tracker};
use crate::limits;
use crate::time::{Duration, Instant};

/// How patient a tracker of an uplink is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `uplink_timeout`: how long the uplink may take to come up.
    pub timeout: Duration,
    /// `uplink_hold_down`: how long a failure counts when the router is not Active any more.
    pub hold_down: Duration,
}

/// The weight of a tracker of an uplink that has none: the lowest priority instead of Initialize, so that
/// somebody is Active when all providers are dead.
pub const WEIGHT: i16 = -253;

/// Doublings of `uplink_hold_down`.
const DOUBLINGS: u8 = 4;

/// What a virtual router knows of the trackers of its uplinks.
#[derive(Debug)]
pub(super) struct Trial {
    /// What is seen, whatever counts.
    raw: [Reading; limits::TRACKERS],
    /// Since when it is Active.
    active_since: Option<Instant>,
    /// Trackers that have been good since then, a bit each.
    proved: u16,
    /// Trackers that have failed, a bit each.
    failed: u16,
    /// The end of the last hold-down.
    held_until: Option<Instant>,
    doublings: u8,
    /// When something counts otherwise though nothing happens.
    pub(super) at: Instant,
}

impl Trial {
    /// For these trackers; none if no uplink is among them.
    pub(super) fn of(trackers: &[Tracker], active: bool, now: Instant) -> Option<Box<Self>> {
        let any = trackers.iter().any(|tracker| tracker.uplink.is_some());
        any.then(|| {
            let trial = Self {
                raw: [Reading::Unknown; limits::TRACKERS],
                active_since: active.then_some(now),
                proved: 0,
                failed: 0,
                held_until: None,
                doublings: 0,
                at: now,
            };
            trial.into()
        })
    }

    /// It has become Active, or is no longer.
    pub(super) fn turn(&mut self, active: bool, now: Instant) {
        if active == self.active_since.is_some() {
            return;
        }
        self.active_since = active.then_some(now);
        self.proved = 0;
        if self.held_until.is_none_or(|until| now >= until) {
            self.failed = 0;
        }
        self.at = now;
    }

    /// What is seen of a tracker.
    pub(super) fn saw(&mut self, place: usize, reading: Reading) {
        if let Some(raw) = self.raw.get_mut(place) {
            *raw = reading;
        }
    }

    /// What counts of a tracker. `at` is to be `NEVER` before the first.
    pub(super) fn judge(&mut self, place: usize, tracker: &Tracker, now: Instant) -> Reading {
        let raw = self.raw.get(place).copied().unwrap_or_default();
        let Some(rules) = tracker.uplink else {
            return raw;
        };
        let bit = 1_u16.checked_shl(place as u32).unwrap_or(0);
        let (good, bad) = match tracker.reverse {
            false => (Reading::Up, Reading::Down),
            true => (Reading::Down, Reading::Up),
        };
        let Some(since) = self.active_since else {
            let held = self.held_until.filter(|until| now < *until);
            if let Some(until) = held.filter(|_| self.failed & bit != 0) {
                self.at = self.at.min(until);
                return bad;
            }
            self.failed &= !bit;
            return good;
        };
        if raw == good {
            self.proved |= bit;
            self.failed &= !bit;
        }
        if raw != bad {
            return good;
        }
        let due = since + rules.timeout;
        if (self.proved | self.failed) & bit == 0 && now < due {
            self.at = self.at.min(due);
            return good;
        }
        if self.failed & bit == 0 {
            self.failed |= bit;
            self.hold_down(rules, now);
        }
        bad
    }

    fn hold_down(&mut self, rules: Rules, now: Instant) {
        let grace = rules.timeout + rules.hold_down;
        let recent = |until: Instant| now < until + grace;
        self.doublings = match self.held_until {
            Some(until) if recent(until) => (self.doublings + 1).min(DOUBLINGS),
            _ => 0,
        };
        self.held_until = Some(now + rules.hold_down.times(1 << self.doublings));
    }
}

#[cfg(test)]
mod tests {
    use super::super::track::{Kind, Watched};
    use super::*;

    const RULES: Rules = Rules {
        timeout: Duration::from_secs(60),
        hold_down: Duration::from_secs(300),
    };

    fn tracker(reverse: bool) -> Tracker {
        let what = Watched {
            kind: Kind::Probe,
            name: "p".into(),
        };
        Tracker {
            what,
            weight: WEIGHT,
            reverse,
            uplink: Some(RULES),
        }
    }

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    /// Steps of a trial: the second, whether the router is Active, what is seen, and what counts.
    fn plays(steps: &[(u64, bool, Reading, Reading)]) {
        let tracker = tracker(false);
        let mut trial =
            Trial::of(core::slice::from_ref(&tracker), false, at(0)).expect("an uplink");
        for (secs, active, seen, counts) in steps {
            trial.turn(*active, at(*secs));
            trial.saw(0, *seen);
            trial.at = Instant::NEVER;
            let judged = trial.judge(0, &tracker, at(*secs));
            assert_eq!(judged, *counts, "at {secs} s: {trial:?}");
        }
    }

    #[test]
    fn a_backups_uplink_does_not_count() {
        use Reading::{Down, Unknown, Up};
        plays(&[
            (0, false, Unknown, Up),
            (1, false, Down, Up),
            (9, false, Down, Up),
        ]);
    }

    #[test]
    fn an_actives_uplink_has_its_time() {
        use Reading::{Down, Up};
        plays(&[
            (1, true, Down, Up),
            (60, true, Down, Up),
            (61, true, Down, Down),
        ]);
        // What was up counts at once.
        plays(&[
            (1, true, Down, Up),
            (5, true, Up, Up),
            (6, true, Down, Down),
        ]);
    }

    #[test]
    fn a_failure_outlives_its_router_and_grows() {
        use Reading::{Down, Up};
        plays(&[
            (1, true, Up, Up),
            (2, true, Down, Down),
            (6, false, Down, Down),
            (301, false, Down, Down),
            (302, false, Down, Up),
            // Again, after its time: twice as long.
            (310, true, Down, Up),
            (370, true, Down, Down),
            (371, false, Down, Down),
            (969, false, Down, Down),
            (970, false, Down, Up),
            // It works for longer than a hold-down: as at first.
            (971, true, Up, Up),
            (2000, true, Down, Down),
            (2001, false, Down, Down),
            (2300, false, Down, Up),
        ]);
    }

    #[test]
    fn within_a_hold_down_an_active_has_no_second_try() {
        use Reading::{Down, Up};
        plays(&[
            (1, true, Up, Up),
            (2, true, Down, Down),
            (6, false, Down, Down),
            (10, true, Down, Down),
            (20, true, Up, Up),
            (21, false, Down, Up),
        ]);
    }

    #[test]
    fn the_deadline_is_the_next_change() {
        let tracker = tracker(true);
        let mut trial =
            Trial::of(core::slice::from_ref(&tracker), false, at(0)).expect("an uplink");
        assert_eq!(trial.at, at(0));
        let judge = |trial: &mut Trial, secs| {
            trial.at = Instant::NEVER;
            (trial.judge(0, &tracker, at(secs)), trial.at)
        };
        assert_eq!(judge(&mut trial, 0), (Reading::Down, Instant::NEVER));
        trial.turn(true, at(3));
        trial.saw(0, Reading::Up);
        assert_eq!(judge(&mut trial, 3), (Reading::Down, at(63)));
        assert_eq!(judge(&mut trial, 63), (Reading::Up, Instant::NEVER));
        trial.turn(false, at(64));
        assert_eq!(judge(&mut trial, 64), (Reading::Up, at(363)));
    }
}
