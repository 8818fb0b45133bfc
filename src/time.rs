//! Time as the core knows it: microseconds on a monotonic clock that somebody else reads.
//!
//! Nothing here asks for the time. `sys::clock` reads CLOCK_MONOTONIC once a wakeup and hands an
//! [`Instant`] down; the simulation hands down its own.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A point on the monotonic clock, in microseconds since an arbitrary origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);
    /// Later than every deadline: "no timer runs".
    pub const NEVER: Self = Self(u64::MAX);

    /// The earliest of some deadlines.
    pub fn earliest(deadlines: impl Iterator<Item = Self>) -> Self {
        deadlines.fold(Self::NEVER, Self::min)
    }

    /// The instant `micros` µs after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Default for Instant {
    /// No timer runs.
    fn default() -> Self {
        Self::NEVER
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(rhs.0))
    }
}

/// A span of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `micros` µs.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// `millis` ms.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// `centis` hundredths of a second, the unit of the v3 Max Advertise Interval.
    pub const fn from_centis(centis: u64) -> Self {
        Self(centis * 10_000)
    }

    /// `secs` seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000)
    }

    /// The span in µs.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span in whole ms, cut.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// The span in whole centiseconds, cut.
    pub const fn as_centis(self) -> u64 {
        self.0 / 10_000
    }

    /// The span in whole seconds, cut.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// `self × factor`.
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// True for the empty span.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add for Duration {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

/// Seconds with as many decimals as are needed: `1s`, `0.01s`, `3.605468s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, mut fraction) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if fraction == 0 {
            return write!(f, "{secs}s");
        }
        let mut width = 6;
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        write!(f, "{secs}.{fraction:0width$}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_seconds() {
        assert_eq!(Duration::from_secs(1).to_string(), "1s");
        assert_eq!(Duration::from_millis(10).to_string(), "0.01s");
        assert_eq!(Duration::from_micros(3_605_468).to_string(), "3.605468s");
    }

    #[test]
    fn never_stays_never() {
        assert_eq!(
            Instant::NEVER + Duration::from_secs(1),
            Instant::NEVER,
            "an unset timer must not wrap around into the past"
        );
    }
}
