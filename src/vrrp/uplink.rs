//! An uplink: an interface of the system's that is up while its virtual router is Active, and only then.
//!
//! Somebody else, netifd, brings it up and down: this is told what that one says of it, and says what
//! to ask of him. A change of mind is asked for at once. What he does otherwise is asked for again, at
//! once the first time, then with growing gaps, and counted.

use crate::limits;
use crate::time::{Duration, Instant};

/// What is said of an uplink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// Nothing yet.
    #[default]
    Unknown,
    /// There is no such interface.
    Absent,
    /// Down, and it stays so.
    Down,
    /// Down, and it comes up by itself as soon as it can.
    Waiting,
    /// It is coming up.
    Coming,
    /// Up.
    Up,
}

impl Seen {
    /// A stable word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Absent => "absent",
            Self::Down => "down",
            Self::Waiting => "waiting",
            Self::Coming => "coming",
            Self::Up => "up",
        }
    }
}

/// What is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It is what it is to be.
    Settled,
    /// There is no such interface.
    Absent,
    /// It was not down when vipd started: it is taken down.
    Leftover,
    /// Somebody else has changed it: it is changed back.
    Fight,
}

/// One uplink.
#[derive(Debug, Default)]
pub struct Uplink {
    wanted: bool,
    seen: Seen,
    since: Option<Instant>,
    /// The system is still to be asked for what is wanted.
    owed: bool,
    /// It is being asked.
    running: bool,
    act_at: Instant,
    gap: Duration,
    /// When it was asked last: what was said before that is out of date.
    asked: Option<Instant>,
    /// Requests that failed.
    pub failures: u32,
    /// Times that somebody else had changed it.
    pub fights: u32,
}

impl Uplink {
    /// What it is to be. True if that is another thing than before: a request that runs is out of date.
    pub fn want(&mut self, wanted: bool, now: Instant) -> bool {
        if self.wanted == wanted {
            return false;
        }
        (self.wanted, self.owed, self.running) = (wanted, true, false);
        (self.act_at, self.gap) = (now, Duration::ZERO);
        true
    }

    /// Whether it is to be up.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// What was said last.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// When that began, as far as it was noticed.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Nothing is to be asked for: what is wanted was asked for, or cannot be.
    pub fn is_settled(&self) -> bool {
        !self.owed
    }

    /// When [`Uplink::request`] has something to ask for.
    pub fn poll_at(&self) -> Instant {
        match self.owed && !self.running {
            true => self.act_at,
            false => Instant::NEVER,
        }
    }

    /// What is to be asked for now: up (true) or down. [`Uplink::ended`] is to follow.
    pub fn request(&mut self, now: Instant) -> Option<bool> {
        let due = now >= self.poll_at();
        self.running |= due;
        due.then_some(self.wanted)
    }

    /// The request has ended. If it failed, another one follows, unless `last`.
    pub fn ended(&mut self, good: bool, last: bool, now: Instant) {
        self.running = false;
        self.asked = Some(now);
        self.owed = !good && !last;
        if !good {
            self.failures += 1;
            self.grow();
            self.act_at = now + self.gap;
        }
    }

    /// What was said of it when it was asked for at `then`.
    pub fn saw(&mut self, seen: Seen, then: Instant, now: Instant) -> Option<News> {
        let outdated = self.asked.is_some_and(|asked| then < asked);
        if self.running || outdated {
            return None;
        }
        let before = core::mem::replace(&mut self.seen, seen);
        let is_new = before != seen;
        if is_new {
            self.since = Some(now);
        }
        let good = match (self.wanted, seen) {
            (_, Seen::Unknown) => return None,
            (_, Seen::Absent) => {
                return is_new.then_some(News::Absent);
            }
            (true, Seen::Up) => {
                let settles = is_new.then_some(News::Settled);
                self.rest(now);
                return settles;
            }
            (true, seen) => seen != Seen::Down,
            (false, seen) => seen == Seen::Down,
        };
        if good {
            self.rest(now);
            return None;
        }
        if self.owed {
            return None;
        }
        self.owed = true;
        let Some(asked) = self.asked else {
            self.act_at = now;
            return Some(News::Leftover);
        };
        self.fights += 1;
        self.act_at = now.max(asked + self.gap);
        self.grow();
        Some(News::Fight)
    }

    /// It is as it is to be.
    fn rest(&mut self, now: Instant) {
        self.owed = false;
        let long_ago = |asked| now.since(asked) > limits::UPLINK_GAP_MAX;
        if self.asked.is_none_or(long_ago) {
            self.gap = Duration::ZERO;
        }
    }

    fn grow(&mut self) {
        let longer = self.gap.times(2).max(limits::UPLINK_GAP_MIN);
        self.gap = longer.min(limits::UPLINK_GAP_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    /// Asked and answered within a second.
    fn asked(uplink: &mut Uplink, good: bool, secs: u64) -> Option<bool> {
        let request = uplink.request(at(secs));
        if request.is_some() {
            uplink.ended(good, false, at(secs));
        }
        request
    }

    fn seen(uplink: &mut Uplink, seen: Seen, secs: u64) -> Option<News> {
        uplink.saw(seen, at(secs), at(secs))
    }

    #[test]
    fn a_leftover_goes_and_what_is_wanted_comes() {
        let mut uplink = Uplink::default();
        assert_eq!(asked(&mut uplink, true, 0), None);
        assert_eq!(seen(&mut uplink, Seen::Up, 1), Some(News::Leftover));
        assert_eq!(asked(&mut uplink, true, 1), Some(false));
        assert_eq!(seen(&mut uplink, Seen::Down, 2), None);
        assert!(uplink.want(true, at(3)) && !uplink.want(true, at(3)));
        assert_eq!(asked(&mut uplink, true, 3), Some(true));
        assert_eq!(seen(&mut uplink, Seen::Coming, 4), None);
        assert_eq!(seen(&mut uplink, Seen::Up, 5), Some(News::Settled));
        assert_eq!(seen(&mut uplink, Seen::Up, 6), None);
        // netifd sees to it.
        assert_eq!(seen(&mut uplink, Seen::Waiting, 7), None);
        assert_eq!((asked(&mut uplink, true, 8), uplink.fights), (None, 0));
    }

    #[test]
    fn who_fights_is_fought_with_growing_gaps() {
        let mut uplink = Uplink::default();
        uplink.want(true, at(0));
        assert_eq!(asked(&mut uplink, true, 0), Some(true));
        let mut requests = 0;
        for secs in 100..400 {
            seen(&mut uplink, Seen::Down, secs);
            requests += u32::from(asked(&mut uplink, true, secs).is_some());
        }
        assert!((6..14).contains(&requests), "{requests} in 300 s");
        // The last one may still wait.
        assert!(uplink.fights - requests <= 1, "{} fights", uplink.fights);
        // The first after a long peace is answered at once.
        seen(&mut uplink, Seen::Up, 600);
        seen(&mut uplink, Seen::Down, 601);
        assert_eq!(asked(&mut uplink, true, 601), Some(true));
    }

    #[test]
    fn a_request_that_fails_is_repeated_unless_it_was_the_last() {
        let mut uplink = Uplink::default();
        uplink.want(true, at(0));
        assert_eq!(asked(&mut uplink, false, 0), Some(true));
        assert_eq!(asked(&mut uplink, false, 0), None);
        assert_eq!(asked(&mut uplink, false, 1), Some(true));
        assert_eq!((asked(&mut uplink, true, 2), uplink.failures), (None, 2));
        // A change of mind does not wait.
        uplink.want(false, at(2));
        assert_eq!(uplink.request(at(2)), Some(false));
        uplink.ended(false, true, at(3));
        assert!(uplink.is_settled());
    }

    #[test]
    fn an_answer_from_before_the_request_is_out_of_date() {
        let mut uplink = Uplink::default();
        uplink.want(true, at(5));
        assert_eq!(uplink.request(at(5)), Some(true));
        assert_eq!(seen(&mut uplink, Seen::Down, 6), None);
        uplink.ended(true, false, at(7));
        assert_eq!(uplink.saw(Seen::Down, at(6), at(8)), None);
        assert_eq!((uplink.seen(), uplink.since()), (Seen::Unknown, None));
        assert_eq!(seen(&mut uplink, Seen::Absent, 9), Some(News::Absent));
        assert_eq!(seen(&mut uplink, Seen::Absent, 10), None);
        assert_eq!(uplink.since(), Some(at(9)));
    }
}
