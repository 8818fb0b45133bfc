//! Trackers: what the priority and the state of a virtual router depend on besides its own link.
//!
//! The rules are keepalived's. A tracker without a weight (0) holds the instance in Initialize while
//! what it watches is down. A positive weight is added to the priority while that is up, a negative
//! one while it is down; `reverse` turns the sign round, and without a weight the condition. The sum
//! is clamped to 1–254. The owner's 255 never moves, but a tracker without a weight holds it too.
//! What is a number instead (of a file) is multiplied by the weight and added; a product below -253
//! holds the instance, and without a weight any number but 0 does, or with `reverse` 0.

use core::fmt;

use super::trial::Rules;
use super::types::{PRIORITY_OWNER, Settings};

/// One thing that a virtual router watches, and what it counts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracker {
    /// The thing.
    pub what: Watched,
    /// -254–254; 0: the instance stays in Initialize while the thing is down.
    pub weight: i16,
    /// Down counts as up, and up as down.
    pub reverse: bool,
    /// It is seen through an uplink.
    pub uplink: Option<Rules>,
}

/// A thing that can be watched; everybody who watches it sees the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// What it is.
    pub kind: Kind,
    /// The interface, or the name that the configuration has given it.
    pub name: Box<str>,
}

/// The kinds of things that can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An interface: whether it is up.
    Interface,
    /// A script: how it ends.
    Script,
    /// A file: the number in it.
    File,
    /// Processes: how many there are.
    Process,
    /// A probe: whether there is an answer.
    Probe,
}

impl Kind {
    /// The word for it, as in `track_interface`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::Script => "script",
            Self::File => "file",
            Self::Process => "process",
            Self::Probe => "probe",
        }
    }
}

/// An interface by its name alone, all else with what it is.
impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind != Kind::Interface {
            write!(f, "{} ", self.kind.name())?;
        }
        f.write_str(&self.name)
    }
}

/// What is known of the thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Nothing yet: it changes nothing in an instance that runs, and one that does not waits.
    #[default]
    Unknown,
    /// It is up.
    Up,
    /// It is down or does not exist.
    Down,
    /// It is this number.
    Value(i16),
}

/// What a reading does to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Added to its priority.
    Priority(i16),
    /// It must be in Initialize.
    Fault,
}

impl Tracker {
    /// What this reading does.
    pub fn effect(&self, reading: Reading) -> Effect {
        let up = match reading {
            Reading::Unknown => return Effect::Priority(0),
            Reading::Value(value) => return self.multiplied(value),
            Reading::Up => true,
            Reading::Down => false,
        };
        let sign = if self.reverse { -1 } else { 1 };
        match self.weight {
            0 if up == self.reverse => Effect::Fault,
            weight if up == (weight > 0) => Effect::Priority(sign * weight),
            _ => Effect::Priority(0),
        }
    }

    fn multiplied(&self, value: i16) -> Effect {
        let sign = if self.reverse { -1 } else { 1 };
        let product = i32::from(value) * i32::from(self.weight) * sign;
        match self.weight {
            0 if (value == 0) == self.reverse => Effect::Fault,
            _ if product < -MOST => Effect::Fault,
            _ => Effect::Priority(product.min(MOST) as i16),
        }
    }
}

/// The most that one number adds; what takes more away than this is a fault.
const MOST: i32 = 253;

/// The priority that counts; none as long as a reading is missing.
pub(super) fn effective_priority(settings: &Settings, readings: &[Reading]) -> Option<u8> {
    if settings.priority == PRIORITY_OWNER {
        return Some(PRIORITY_OWNER);
    }
    let mut sum = i32::from(settings.priority);
    for (tracker, reading) in settings.trackers.iter().zip(readings) {
        match tracker.effect(*reading) {
            _ if *reading == Reading::Unknown => return None,
            Effect::Priority(change) => sum += i32::from(change),
            Effect::Fault => {}
        }
    }
    Some(sum.clamp(1, i32::from(PRIORITY_OWNER) - 1) as u8)
}

/// The place of the first tracker that does not let the instance run.
pub(super) fn fault(settings: &Settings, readings: &[Reading]) -> Option<u8> {
    let mut both = settings.trackers.iter().zip(readings);
    let place = both.position(|(tracker, reading)| tracker.effect(*reading) == Effect::Fault);
    place.map(|place| place as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_keepaliveds() {
        use Effect::{Fault, Priority};
        let rows = [
            (0, false, Priority(0), Fault),
            (0, true, Fault, Priority(0)),
            (20, false, Priority(20), Priority(0)),
            (20, true, Priority(-20), Priority(0)),
            (-20, false, Priority(0), Priority(-20)),
            (-20, true, Priority(0), Priority(20)),
        ];
        for (weight, reverse, up, down) in rows {
            let tracker = Tracker {
                what: Watched {
                    kind: Kind::Interface,
                    name: "eth1".into(),
                },
                weight,
                reverse,
                uplink: None,
            };
            assert_eq!(tracker.effect(Reading::Up), up, "{tracker:?}");
            assert_eq!(tracker.effect(Reading::Down), down, "{tracker:?}");
            assert_eq!(tracker.effect(Reading::Unknown), Priority(0), "{tracker:?}");
        }
    }

    #[test]
    fn numbers_are_multiplied() {
        use Effect::{Fault, Priority};
        let rows = [
            (0, false, 0, Priority(0)),
            (0, false, -1, Fault),
            (0, true, 0, Fault),
            (0, true, 7, Priority(0)),
            (1, false, -253, Priority(-253)),
            (1, false, -254, Fault),
            (1, true, 254, Fault),
            (1, false, 254, Priority(253)),
            (254, false, -1, Fault),
            (-254, false, 1, Fault),
            (-254, false, -1, Priority(253)),
            (2, false, 10, Priority(20)),
            (2, true, 10, Priority(-20)),
            (254, false, i16::MAX, Priority(253)),
            (-254, true, i16::MIN, Fault),
        ];
        for (weight, reverse, value, effect) in rows {
            let what = Watched {
                kind: Kind::File,
                name: "f".into(),
            };
            let tracker = Tracker {
                what,
                weight,
                reverse,
                uplink: None,
            };
            assert_eq!(
                tracker.effect(Reading::Value(value)),
                effect,
                "{value} {tracker:?}"
            );
        }
    }
}
