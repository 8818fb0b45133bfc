//! The one timer: a timerfd on CLOCK_MONOTONIC with an absolute deadline.
//!
//! A timeout of ppoll comes late by 0.1 % of its length (3.7 ms at 3.6 s); a timerfd does not.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::error::{Context, Error};
use crate::time::Instant;

/// A deadline that can be polled. Readable once it has passed.
#[derive(Debug)]
pub struct Timer {
    fd: TimerFd,
    deadline: Instant,
}

impl Timer {
    /// A timer without a deadline.
    ///
    /// # Errors
    /// As timerfd_create(2).
    pub fn new() -> Result<Self, Error> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let fd = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).context("create timer", "")?;
        Ok(Self {
            fd,
            deadline: Instant::NEVER,
        })
    }

    /// Sets the deadline, [`Instant::NEVER`] for none; no system call if it is the same as before.
    ///
    /// There is nothing to read: a new deadline makes a timer that has expired unreadable again.
    ///
    /// # Errors
    /// As timerfd_settime(2).
    pub fn set(&mut self, deadline: Instant) -> Result<(), Error> {
        if deadline == self.deadline {
            return Ok(());
        }
        if deadline == Instant::NEVER {
            self.fd.unset().context("stop timer", "")?;
        } else {
            let expiration = Expiration::OneShot(absolute(deadline));
            self.fd
                .set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME)
                .context("set timer", "")?;
        }
        self.deadline = deadline;
        Ok(())
    }
}

/// The kernel's form of a deadline; its zero would mean "no deadline".
fn absolute(deadline: Instant) -> TimeSpec {
    let micros = deadline.as_micros().max(1);
    // Cut to what fits into the machine's time_t: 68 years of uptime with 32 bits.
    let secs = libc::time_t::try_from(micros / 1_000_000).unwrap_or(libc::time_t::MAX);
    let nanos = (micros % 1_000_000) * 1_000;
    TimeSpec::new(secs, nanos as _)
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sys::clock;
    use crate::sys::poll::{Interest, Poll};
    use crate::time::Duration;

    fn expired(timer: &Timer, wait: Duration) -> bool {
        let mut poll = Poll::with_capacity(1);
        poll.add(timer, Interest::Read);
        poll.wait(Some(wait)).unwrap() == 1
    }

    #[test]
    fn expires_not_before_its_deadline_and_is_reset_by_the_next() {
        let mut timer = Timer::new().unwrap();
        assert!(!expired(&timer, Duration::ZERO), "no deadline yet");
        let deadline = clock::now() + Duration::from_millis(20);
        timer.set(deadline).unwrap();
        assert!(expired(&timer, Duration::from_secs(5)));
        assert!(clock::now() >= deadline, "early");
        timer.set(deadline + Duration::from_secs(1000)).unwrap();
        assert!(!expired(&timer, Duration::ZERO), "the next deadline");
        timer.set(Instant::ZERO).unwrap();
        assert!(expired(&timer, Duration::from_secs(5)), "long ago");
        timer.set(Instant::NEVER).unwrap();
        assert!(!expired(&timer, Duration::ZERO), "stopped");
    }
}
