//! The intervals of RFC 9568 §6.1 and RFC 3768 §6.1, and the queue of the instances' deadlines.

use super::types::{Settings, Version};
use crate::time::{Duration, Instant};

/// Skew_Time: v3 `(256 − priority) × Active_Adver_Interval / 256`, v2 `(256 − priority) / 256` s.
pub fn skew_time(version: Version, priority: u8, active_adver_interval: Duration) -> Duration {
    let unit = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => active_adver_interval,
    };
    Duration::from_micros(unit.as_micros() * (256 - u64::from(priority)) / 256)
}

/// Active_Down_Interval: 3 (or `down_timer_adverts`) × Active_Adver_Interval + Skew_Time.
pub fn active_down_interval(
    settings: &Settings,
    priority: u8,
    active_adver_interval: Duration,
) -> Duration {
    active_adver_interval.times(u64::from(settings.down_timer_adverts))
        + skew_time(settings.version, priority, active_adver_interval)
}

/// The deadlines of all instances, and a tournament between them for the earliest.
///
/// The winner of a match goes up to the next round, so that a deadline that moves costs the matches
/// of its own branch only, and those only as far as they have another result: a Backup's deadline
/// moves with every advert, and hardly ever wins. The storage is allocated once, by [`Queue::new`].
#[derive(Debug)]
pub struct Queue {
    deadlines: Vec<Instant>,
    /// Match `n` is between the winners of `2 n` and `2 n + 1`; match 1 is the last one. The second
    /// half are the instances themselves, each at its number and the number of all.
    winners: Vec<u16>,
}

impl Queue {
    /// A queue for instances `0..len`, none of which has a deadline yet.
    pub fn new(len: u16) -> Self {
        let mut queue = Self {
            deadlines: Vec::with_capacity(len.into()),
            winners: Vec::with_capacity(2 * usize::from(len)),
        };
        for _ in 0..len {
            queue.deadlines.push(Instant::NEVER);
        }
        for place in 0..2 * len {
            queue.winners.push(place % len);
        }
        for place in (1..usize::from(len)).rev() {
            queue.winners[place] = queue.play(place);
        }
        queue
    }

    /// The earliest deadline and whose it is.
    pub fn first(&self) -> Option<(Instant, u16)> {
        let id = *self.winners.get(1)?;
        match self.deadlines[usize::from(id)] {
            Instant::NEVER => None,
            deadline => Some((deadline, id)),
        }
    }

    /// The earliest deadline, [`Instant::NEVER`] if there is none.
    pub fn earliest(&self) -> Instant {
        match self.winners.get(1) {
            Some(id) => self.deadlines[usize::from(*id)],
            None => Instant::NEVER,
        }
    }

    /// Gives instance `id` the deadline `at` if that is earlier than the one it has.
    pub fn bring_forward(&mut self, id: u16, at: Instant) {
        if at < self.deadlines[usize::from(id)] {
            self.set(id, at);
        }
    }

    /// Gives instance `id` the deadline `at`; `Instant::NEVER` for none.
    pub fn set(&mut self, id: u16, at: Instant) {
        self.deadlines[usize::from(id)] = at;
        let mut place = (self.deadlines.len() + usize::from(id)) / 2;
        while place > 0 {
            let winner = self.play(place);
            let before = core::mem::replace(&mut self.winners[place], winner);
            if winner == before && winner != id {
                return;
            }
            place /= 2;
        }
    }

    /// Who wins the match.
    fn play(&self, place: usize) -> u16 {
        let (one, other) = (self.winners[2 * place], self.winners[2 * place + 1]);
        if self.deadlines[usize::from(other)] < self.deadlines[usize::from(one)] {
            other
        } else {
            one
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skew_keeps_its_microseconds() {
        // RFC 9568 §6.1: (256 - 101) * 100 cs / 256 = 60.546875 cs.
        let v3 = skew_time(Version::V3, 101, Duration::from_secs(1));
        assert_eq!(v3.as_micros(), 605_468);
        // At 10 ms, whole centiseconds would cut the skew to nothing.
        let fast = skew_time(Version::V3, 254, Duration::from_millis(10));
        assert_eq!(fast.as_micros(), 78);
        // RFC 3768 §6.1: seconds, whatever the interval.
        let v2 = skew_time(Version::V2, 100, Duration::from_secs(5));
        assert_eq!(v2.as_micros(), 609_375);
    }

    #[test]
    fn the_queue_yields_deadlines_in_order() {
        let mut queue = Queue::new(300);
        assert_eq!(queue.first(), None);
        let at = |id: u16| Instant::from_micros(u64::from(id) * 7919 % 601);
        (0..300).for_each(|id| queue.set(id, at(id)));
        (0..300)
            .step_by(3)
            .for_each(|id| queue.set(id, Instant::NEVER));
        let mut last = Instant::ZERO;
        let mut seen = 0;
        while let Some((deadline, id)) = queue.first() {
            assert!(deadline >= last && deadline == at(id) && id % 3 != 0);
            last = deadline;
            seen += 1;
            queue.set(id, Instant::NEVER);
        }
        assert_eq!(seen, 200);
    }
}
