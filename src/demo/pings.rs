//! What became of the pings: counted, without a socket.

use crate::time::{Duration, Instant};

/// A row of pings, from the first that was answered.
#[derive(Debug, Default)]
pub(super) struct Pings {
    /// The sequence number of the first that was answered.
    first: Option<u16>,
    /// The sequence number of the next one.
    next: u16,
    /// Of each since the first: whether it was answered.
    answered: Vec<bool>,
    /// How many in a row were answered, up to now.
    streak: usize,
    /// When the last answer came.
    last_answer: Instant,
    /// The longest time without an answer since the last mark.
    silence: Duration,
}

/// A point in the row, to count from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

/// What the pings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many were sent.
    pub(super) sent: usize,
    /// How many of them were never answered.
    pub(super) lost: usize,
    /// The longest time between two answers; zero if no ping was lost.
    pub(super) outage: Duration,
}

impl Pings {
    /// The sequence number of a new ping.
    pub(super) fn next(&mut self) -> u16 {
        // The one before has had a whole interval, on a wire without a length.
        if self.answered.last() == Some(&false) {
            self.streak = 0;
        }
        if self.first.is_some() {
            self.answered.push(false);
        }
        let sequence = self.next;
        self.next = sequence.wrapping_add(1);
        sequence
    }

    /// The ping with this sequence number is answered.
    pub(super) fn answer(&mut self, sequence: u16, now: Instant) {
        let first = *self.first.get_or_insert_with(|| {
            // What was sent before it found nobody there yet, and does not count.
            let since = self.next.wrapping_sub(sequence);
            self.answered = vec![false; usize::from(since)];
            self.last_answer = now;
            sequence
        });
        let place = usize::from(sequence.wrapping_sub(first));
        if let Some(answered) = self.answered.get_mut(place)
            && !*answered
        {
            *answered = true;
            self.streak += 1;
            self.silence = self.silence.max(now.since(self.last_answer));
            self.last_answer = now;
        }
    }

    /// How many in a row were answered, up to now and since the last
    /// [`forget_streak`](Self::forget_streak).
    pub(super) fn streak(&self) -> usize {
        self.streak
    }

    /// Starts to count those in a row again.
    pub(super) fn forget_streak(&mut self) {
        self.streak = 0;
    }

    /// Starts to count losses again.
    pub(super) fn mark(&mut self) -> Mark {
        self.silence = Duration::ZERO;
        Mark(self.answered.len())
    }

    /// What has become of the pings since `mark`. The last one may be under way: it is left out.
    pub(super) fn tally(&self, mark: Mark) -> Tally {
        let settled = self.answered.len().saturating_sub(1);
        let pings = self.answered.get(mark.0..settled).unwrap_or_default();
        let lost = pings.iter().filter(|answered| !**answered).count();
        let outage = match lost {
            0 => Duration::ZERO,
            _ => self.silence,
        };
        Tally {
            sent: pings.len(),
            lost,
            outage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn pings_before_the_first_answer_do_not_count() {
        let mut pings = Pings::default();
        let start = pings.mark();
        for _ in 0..10 {
            pings.next();
        }
        // ARP has found somebody: what had waited is answered at once.
        pings.answer(8, at(200));
        pings.answer(9, at(200));
        pings.next();
        let tally = pings.tally(start);
        assert_eq!((tally.sent, tally.lost, pings.streak()), (2, 0, 2));
    }

    #[test]
    fn an_outage_lasts_from_answer_to_answer() {
        let mut pings = Pings {
            next: u16::MAX,
            ..Pings::default()
        };
        let answered = pings.next();
        pings.answer(answered, at(0));
        let mark = pings.mark();
        for _ in 0..3 {
            pings.next();
        }
        assert_eq!(pings.streak(), 0);
        let last = pings.next();
        pings.answer(last, at(80));
        pings.answer(last, at(99)); // twice is once
        pings.next();
        let expected = Tally {
            sent: 4,
            lost: 3,
            outage: Duration::from_millis(80),
        };
        assert_eq!(pings.tally(mark), expected);
        assert_eq!(pings.streak(), 1);
    }

    #[test]
    fn without_a_loss_there_is_no_outage() {
        let mut pings = Pings::default();
        let mark = pings.mark();
        for late in [20, 39, 70] {
            let sequence = pings.next();
            pings.answer(sequence, at(late));
        }
        assert_eq!(pings.tally(mark).outage, Duration::ZERO);
        assert_eq!(pings.streak(), 3);
    }

    #[test]
    fn answers_to_nothing_are_passed_over() {
        let mut pings = Pings::default();
        let mark = pings.mark();
        let sequence = pings.next();
        pings.answer(sequence, at(1));
        pings.answer(sequence.wrapping_add(9), at(2));
        pings.next();
        assert_eq!(pings.tally(mark).sent, 1);
        assert_eq!(pings.streak(), 1);
    }
}
