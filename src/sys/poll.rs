//! Waiting for many descriptors: ppoll(2).

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

use super::error::{Context, Error};
use crate::time::Duration;

/// What is waited for. Errors and hang-ups are always reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something can be read or accepted.
    Read,
    /// Something can be written.
    Write,
    /// Either.
    ReadWrite,
}

/// What has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness(libc::c_short);

impl Readiness {
    /// Reading will not block: there is something, or an error or the end to be told.
    pub fn readable(self) -> bool {
        self.0 & (libc::POLLIN | libc::POLLERR | libc::POLLHUP) != 0
    }

    /// Writing will not block.
    pub fn writable(self) -> bool {
        self.0 & (libc::POLLOUT | libc::POLLERR | libc::POLLHUP) != 0
    }

    /// An error waits, or the other end is gone, or the descriptor is not open.
    pub fn failed(self) -> bool {
        self.0 & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0
    }

    /// Anything at all.
    pub fn any(self) -> bool {
        self.0 != 0
    }
}

/// A list of descriptors, used again for each wait; it keeps its capacity.
#[derive(Debug)]
pub struct Poll {
    fds: Vec<libc::pollfd>,
}

impl Poll {
    /// An empty list with room for `capacity` descriptors.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            fds: Vec::with_capacity(capacity),
        }
    }

    /// Makes room for `more` descriptors, now.
    pub fn reserve(&mut self, more: usize) {
        self.fds.reserve(more);
    }

    /// Empties the list.
    pub fn clear(&mut self) {
        self.fds.clear();
    }

    /// Adds a descriptor and returns its place in the list. The list does not keep it open: a
    /// descriptor that is closed before the wait is reported as [`Readiness::failed`].
    pub fn add(&mut self, fd: &impl AsFd, interest: Interest) -> usize {
        let events = match interest {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
            Interest::ReadWrite => libc::POLLIN | libc::POLLOUT,
        };
        self.fds.push(libc::pollfd {
            fd: fd.as_fd().as_raw_fd(),
            events,
            revents: 0,
        });
        self.fds.len() - 1
    }

    /// Waits until a descriptor is ready or `timeout` has passed (`None`: without end), and returns
    /// how many are ready. A signal ends the wait with 0.
    ///
    /// For deadlines put a [`Timer`](super::timer::Timer) into the list: `timeout` comes late by
    /// 0.1 % of its length.
    ///
    /// # Errors
    /// As ppoll(2), but for EINTR.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<usize, Error> {
        self.wait_for(self.fds.len(), timeout)
    }

    /// [`wait`](Self::wait) for the first `count` descriptors alone; what was found of the others
    /// before stays.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_for(&mut self, count: usize, timeout: Option<Duration>) -> Result<usize, Error> {
        let timeout = timeout.map(timespec);
        let timeout = timeout
            .as_ref()
            .map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: `fds` is a live array of at least that many pollfds; `timeout` is null or points to a
        // timespec that lives until the end of this function; a null mask leaves the mask alone.
        let ready = unsafe {
            libc::ppoll(
                self.fds.as_mut_ptr(),
                count.min(self.fds.len()) as libc::nfds_t,
                timeout,
                core::ptr::null(),
            )
        };
        match Errno::result(ready) {
            Ok(ready) => Ok(ready.unsigned_abs() as usize),
            Err(Errno::EINTR) => {
                self.fds.iter_mut().for_each(|fd| fd.revents = 0);
                Ok(0)
            }
            Err(errno) => Err(errno).context("wait for sockets", ""),
        }
    }

    /// What the last wait found at `place`; nothing for a place beyond the list.
    pub fn readiness(&self, place: usize) -> Readiness {
        self.fds
            .get(place)
            .map_or_else(Readiness::default, |fd| Readiness(fd.revents))
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    // SAFETY: all-zero bytes are a valid timespec; musl's has private padding on 32-bit machines.
    let mut time: libc::timespec = unsafe { core::mem::zeroed() };
    time.tv_sec = libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX);
    time.tv_nsec = ((duration.as_micros() % 1_000_000) * 1_000) as _;
    time
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn each_place_has_its_own_answer() {
        let (quiet, _kept) = UnixStream::pair().unwrap();
        let (loud, mut other) = UnixStream::pair().unwrap();
        let (abandoned, peer) = UnixStream::pair().unwrap();
        other.write_all(b"x").unwrap();
        drop(peer);
        let mut poll = Poll::with_capacity(3);
        let quiet = poll.add(&quiet, Interest::Read);
        let loud = poll.add(&loud, Interest::Read);
        let abandoned = poll.add(&abandoned, Interest::Read);
        let writer = poll.add(&other, Interest::ReadWrite);
        assert_eq!(poll.wait(Some(Duration::from_secs(5))).unwrap(), 3);
        assert!(!poll.readiness(quiet).any());
        assert!(poll.readiness(loud).readable() && !poll.readiness(loud).failed());
        assert!(poll.readiness(abandoned).failed());
        assert!(poll.readiness(writer).writable() && !poll.readiness(writer).readable());
        assert!(!poll.readiness(9).any());
    }

    #[test]
    fn the_first_alone_are_waited_for() {
        let (quiet, _kept) = UnixStream::pair().unwrap();
        let (loud, mut other) = UnixStream::pair().unwrap();
        other.write_all(b"x").unwrap();
        let mut poll = Poll::with_capacity(2);
        poll.add(&quiet, Interest::Read);
        let loud = poll.add(&loud, Interest::Read);
        let short = Some(Duration::from_millis(1));
        assert_eq!(poll.wait_for(1, short).unwrap(), 0);
        assert!(!poll.readiness(loud).any());
        assert_eq!(
            poll.wait_for(9, short).unwrap(),
            1,
            "no more than there are"
        );
        assert!(poll.readiness(loud).readable());
    }

    #[test]
    fn the_timeout_ends_the_wait() {
        let mut poll = Poll::with_capacity(0);
        assert_eq!(poll.wait(Some(Duration::from_millis(1))).unwrap(), 0);
    }
}
