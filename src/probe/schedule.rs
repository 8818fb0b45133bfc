//! When one probe asks, and what its answers add up to.
//!
//! ```text
//!                 begin            answered, failed, or the timeout
//!    waits for ──────────► asks ─────────────────────────────────────► counts, waits for
//!    its turn                                                          the next turn
//! ```
//!
//! Turns are an interval apart, counted from question to question; one that comes late moves those
//! behind it, so that a standstill is not followed by a burst.

use super::{Failure, Plan};
use crate::time::{Duration, Instant};
use crate::vrrp::track::Reading;

/// What a probe is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Ask: [`Schedule::begin`].
    Turn,
    /// Nothing has answered: [`Schedule::failed`] with [`Failure::Timeout`], after a last look.
    Timeout,
}

/// The state of one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    plan: Plan,
    reading: Reading,
    /// Results in a row that contradict `reading`.
    streak: u8,
    /// The number of the last question, modulo 256.
    question: u8,
    /// When it was asked, while its answer is waited for.
    asked: Option<Instant>,
    /// The next turn, or the timeout of the question.
    at: Instant,
    /// How the last question ended: how long the answer took, or why there is none.
    last: Option<Result<Duration, Failure>>,
}

impl Schedule {
    /// Nothing is known yet; the first turn is at `first`.
    pub fn new(plan: Plan, first: Instant) -> Self {
        Self {
            plan,
            reading: Reading::Unknown,
            streak: 0,
            question: 0,
            asked: None,
            at: first,
            last: None,
        }
    }

    /// What is known.
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// How the last question ended: how long the answer took, or why there is none.
    pub fn last(&self) -> Option<Result<Duration, Failure>> {
        self.last
    }

    /// When [`due`](Self::due) has something.
    pub fn poll_at(&self) -> Instant {
        self.at
    }

    /// What there is to do now.
    pub fn due(&self, now: Instant) -> Option<Due> {
        let due = match self.asked {
            None => Due::Turn,
            Some(_) => Due::Timeout,
        };
        (now >= self.at).then_some(due)
    }

    /// A question is asked now; its number.
    pub fn begin(&mut self, now: Instant) -> u8 {
        self.question = self.question.wrapping_add(1);
        self.asked = Some(now);
        self.at = now + self.plan.timeout;
        self.question
    }

    /// The number of the last question.
    pub fn question(&self) -> u8 {
        self.question
    }

    /// The answer to question `number` is waited for.
    pub fn awaits(&self, number: u8) -> bool {
        self.asked.is_some() && self.question == number
    }

    /// An answer is waited for.
    pub fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// The answer to the question is here. True if what is known has changed.
    pub fn answered(&mut self, now: Instant) -> bool {
        let Some(asked) = self.asked else {
            return false;
        };
        self.end(now);
        self.last = Some(Ok(now.since(asked)));
        let needed = match self.reading {
            Reading::Unknown => 1,
            _ => self.plan.rise,
        };
        self.count(Reading::Up, needed)
    }

    /// There is no answer to the question, and there will be none. True if what is known has changed.
    pub fn failed(&mut self, why: Failure, now: Instant) -> bool {
        self.end(now);
        self.last = Some(Err(why));
        let needed = if why.is_final() { 1 } else { self.plan.fall };
        self.count(Reading::Down, needed)
    }

    /// What it asks is another now, or can be asked again: it does so at once.
    pub fn hurry(&mut self, now: Instant) {
        self.asked = None;
        self.at = now;
    }

    fn end(&mut self, now: Instant) {
        let asked = self.asked.take().unwrap_or(now);
        self.at = asked + self.plan.interval;
    }

    fn count(&mut self, result: Reading, needed: u8) -> bool {
        if result == self.reading {
            self.streak = 0;
            return false;
        }
        self.streak = self.streak.saturating_add(1);
        let changes = self.streak >= needed;
        if changes {
            self.reading = result;
            self.streak = 0;
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const START: Instant = Instant::from_micros(5_000_000);
    const PLAN: Plan = Plan {
        interval: S,
        timeout: Duration::from_millis(500),
        rise: 2,
        fall: 3,
    };

    /// Lets one question end in this way, and returns whether that has changed anything.
    fn ask(schedule: &mut Schedule, answer: bool) -> bool {
        let turn = schedule.poll_at();
        assert_eq!(schedule.due(turn), Some(Due::Turn));
        let number = schedule.begin(turn);
        assert!(schedule.awaits(number) && !schedule.awaits(number.wrapping_add(1)));
        if answer {
            return schedule.answered(turn + Duration::from_micros(250));
        }
        let late = schedule.poll_at();
        assert_eq!(late, turn + PLAN.timeout);
        assert_eq!(schedule.due(late), Some(Due::Timeout));
        schedule.failed(Failure::Timeout, late)
    }

    #[test]
    fn the_first_answer_counts_at_once() {
        let mut schedule = Schedule::new(PLAN, START);
        assert_eq!(schedule.reading(), Reading::Unknown);
        assert!(ask(&mut schedule, true));
        assert_eq!(schedule.reading(), Reading::Up);
        assert_eq!(schedule.last(), Some(Ok(Duration::from_micros(250))));
        assert_eq!(schedule.poll_at(), START + S);
    }

    #[test]
    fn without_an_answer_it_is_unknown_for_fall_intervals_at_most() {
        let mut schedule = Schedule::new(PLAN, START);
        assert!(!ask(&mut schedule, false));
        assert!(!ask(&mut schedule, false));
        assert_eq!(schedule.reading(), Reading::Unknown);
        let asked = schedule.poll_at();
        assert!(ask(&mut schedule, false));
        assert_eq!(schedule.reading(), Reading::Down);
        let bound = PLAN.interval.times(u64::from(PLAN.fall)) + PLAN.timeout;
        assert!((asked + PLAN.timeout).since(START) <= bound);
    }

    #[test]
    fn rise_and_fall_are_counted_in_a_row() {
        use Reading::{Down, Up};
        let rows = [
            (true, Up),
            (false, Up),
            (false, Up),
            (true, Up),
            (false, Up),
            (false, Up),
            (false, Down),
            (true, Down),
            (false, Down),
            (true, Down),
            (true, Up),
            (false, Up),
        ];
        let mut schedule = Schedule::new(PLAN, START);
        for (row, (answer, expected)) in rows.into_iter().enumerate() {
            let before = schedule.reading();
            let changed = ask(&mut schedule, answer);
            assert_eq!(schedule.reading(), expected, "row {row}");
            assert_eq!(changed, before != expected, "row {row}");
        }
    }

    #[test]
    fn an_interface_that_is_gone_counts_at_once() {
        let mut schedule = Schedule::new(PLAN, START);
        ask(&mut schedule, true);
        schedule.begin(START + S);
        assert!(schedule.failed(Failure::NoInterface, START + S));
        assert_eq!(schedule.reading(), Reading::Down);
        assert!(!schedule.failed(Failure::NoInterface, START + S));
        let back = START + S + S + S;
        schedule.hurry(back);
        assert_eq!(schedule.due(back), Some(Due::Turn));
        assert!(!ask(&mut schedule, true));
        assert!(ask(&mut schedule, true));
    }

    #[test]
    fn an_answer_that_nobody_waits_for_changes_nothing() {
        let mut schedule = Schedule::new(PLAN, START);
        let before = schedule.clone();
        assert!(!schedule.answered(START));
        assert_eq!(schedule, before);
    }

    #[test]
    fn a_standstill_is_not_followed_by_a_burst() {
        let mut schedule = Schedule::new(PLAN, START);
        let late = START + S.times(60);
        schedule.begin(late);
        schedule.answered(late);
        assert_eq!(schedule.poll_at(), late + S);
    }

    #[test]
    fn the_number_of_a_question_wraps() {
        let mut schedule = Schedule::new(PLAN, START);
        let numbers: Vec<u8> = (0..300).map(|_| schedule.begin(START)).collect();
        assert_eq!(
            (numbers[0], numbers[254], numbers[255], numbers[256]),
            (1, 255, 0, 1)
        );
    }
}
