//! When something that only the Active may do begins here, and when it ends: at once at the end, and at the
//! beginning after a moment, for who was Active until now has to hear of it first. A DHCP client would
//! get two offers.

use crate::limits;
use crate::time::Instant;

/// The moment that is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    at: Instant,
}

impl Default for Opening {
    fn default() -> Self {
        Self { at: Instant::NEVER }
    }
}

impl Opening {
    /// What is to be done now, given whether this router is Active and it is `shut`: to shut it (true), to
    /// open it, or nothing yet.
    pub fn tend(&mut self, active: bool, shut: bool, now: Instant) -> Option<bool> {
        self.at = match self.at {
            Instant::NEVER if active && shut => now + limits::DHCP_PATIENCE,
            due if active && now < due => due,
            _ => Instant::NEVER,
        };
        (self.at == Instant::NEVER).then_some(!active)
    }

    /// When [`Opening::tend`] has something to do though nothing happens.
    pub fn poll_at(&self) -> Instant {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn opens_after_a_moment_and_shuts_at_once() {
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        let mut opening = Opening::default();
        assert_eq!(opening.tend(false, true, at(0)), Some(true));
        assert_eq!(opening.poll_at(), Instant::NEVER);
        assert_eq!(opening.tend(true, true, at(100)), None);
        assert_eq!(opening.tend(true, true, at(600)), None);
        assert_eq!(opening.poll_at(), at(100) + limits::DHCP_PATIENCE);
        assert_eq!(opening.tend(true, true, at(1_100)), Some(false));
        assert_eq!(opening.tend(true, false, at(1_200)), Some(false));
        assert_eq!(opening.tend(false, false, at(1_300)), Some(true));
        // Active for less than a moment, twice: each begins anew.
        assert_eq!(opening.tend(true, true, at(2_000)), None);
        assert_eq!(opening.tend(false, true, at(2_900)), Some(true));
        assert_eq!(opening.tend(true, true, at(2_950)), None);
        assert_eq!(opening.tend(true, true, at(3_100)), None);
    }
}
