//! The limit on warnings: one of a kind and instance in [`limits::WARN_PERIOD`], and one of all
//! instances in [`limits::WARN_GAP`]. So few can stand in the way of the next one, however many
//! instances there are.

use super::action::{Id, Warning};
use crate::limits;
use crate::time::Instant;

/// As many warnings as there are gaps in a period, and the two at its ends.
const PLACES: usize = (limits::WARN_PERIOD.as_micros() / limits::WARN_GAP.as_micros()) as usize + 2;

/// What has been said in the last period.
#[derive(Debug)]
pub(super) struct Hints {
    given: Vec<Given>,
    next_at: Instant,
}

#[derive(Debug)]
struct Given {
    /// Whole seconds of the clock: 136 years of uptime fit, in half the room of an [`Instant`].
    second: u32,
    id: Id,
    kind: u8,
}

impl Hints {
    /// Nothing has been said. Storage is allocated here, and never after.
    pub(super) fn new() -> Self {
        Self {
            given: Vec::with_capacity(PLACES),
            next_at: Instant::ZERO,
        }
    }

    /// True if the warning is due now; the caller then gives it.
    pub(super) fn allow(&mut self, id: Id, warning: &Warning, now: Instant) -> bool {
        if now < self.next_at {
            return false;
        }
        let second = now.since(Instant::ZERO).as_secs() as u32;
        let period = limits::WARN_PERIOD.as_secs() as u32;
        let stands = |given: &Given| second.saturating_sub(given.second) <= period;
        self.given.retain(stands);
        let kind = warning.kind() as u8;
        if self.given.iter().any(|g| (g.id, g.kind) == (id, kind)) {
            return false;
        }
        self.given.push(Given { second, id, kind });
        self.next_at = now + limits::WARN_GAP;
        true
    }

    /// After a reload: `matches` has the old name of each instance that was there before.
    pub(super) fn renumber(&mut self, matches: &[Option<Id>]) {
        self.given.retain_mut(|given| {
            let place = matches.iter().position(|old| *old == Some(given.id));
            if let Some(place) = place {
                given.id = Id(place as u16);
            }
            place.is_some()
        });
    }
}
