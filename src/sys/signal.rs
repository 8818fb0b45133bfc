//! Signals as something to read: signalfd(2).

use std::os::fd::{AsFd, BorrowedFd};

pub use nix::sys::signal::Signal;
use nix::sys::signal::{SigHandler, SigSet, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::error::{Context, Error};

/// The signals of a set, blocked and readable.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks `signals` in this thread (call it before any other thread starts) and makes them
    /// readable. Children inherit the blocked set: see [`unblock_all`].
    ///
    /// # Errors
    /// As sigprocmask(2) and signalfd(2).
    pub fn block(signals: &[Signal]) -> Result<Self, Error> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block().context("block signals", "")?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd = SignalFd::with_flags(&set, flags).context("create signal descriptor", "")?;
        Ok(Self { fd })
    }

    /// The next signal that has come, if any. Equal signals that wait are one.
    ///
    /// # Errors
    /// As read(2).
    pub fn next(&self) -> Result<Option<Signal>, Error> {
        let info = self.fd.read_signal().context("read signal", "")?;
        Ok(info.and_then(|info| Signal::try_from(info.ssi_signo.cast_signed()).ok()))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Blocks no signal any more in this thread: for a child that runs somebody else's program.
///
/// # Errors
/// As sigprocmask(2).
pub fn unblock_all() -> Result<(), Error> {
    SigSet::empty()
        .thread_set_mask()
        .context("unblock signals", "")
}

/// Blocks these signals in this thread, and nobody reads them.
///
/// # Errors
/// As sigprocmask(2).
pub fn block(signals: &[Signal]) -> Result<(), Error> {
    let set: SigSet = signals.iter().copied().collect();
    set.thread_block().context("block signals", "")
}

/// Sends a signal to a child that was not waited for yet.
pub fn send(pid: i32, signal: Signal) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

/// Ignores SIGPIPE, so that a status client that hangs up is an error of write(2).
///
/// # Errors
/// As sigaction(2).
pub fn ignore_pipe() -> Result<(), Error> {
    // SAFETY: no handler function is installed, the signal is ignored.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) }.context("ignore SIGPIPE", "")?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    #[test]
    fn a_signal_is_read_once() {
        let signals = Signals::block(&[Signal::SIGUSR1, Signal::SIGHUP]).unwrap();
        assert_eq!(signals.next().unwrap(), None);
        raise(Signal::SIGHUP).unwrap();
        assert_eq!(signals.next().unwrap(), Some(Signal::SIGHUP));
        assert_eq!(signals.next().unwrap(), None);
    }
}
