//! Child processes that never outlive us.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{ChildStderr, Command};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{ForkResult, Pid, getpid, getppid};

use super::error::{Context, Error};
use super::poll::{Interest, Poll};
use super::proc::Walk;
use crate::time::Duration;

/// A child process. Killed and waited for when this is dropped.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    exit: Option<Exit>,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this exit code.
    Code(i32),
    /// By a signal.
    Signal(Signal),
}

impl Child {
    /// Starts a copy of this process that runs `work` and ends with the exit code that it returns;
    /// 101 if it panics. The kernel kills it when the calling thread ends.
    ///
    /// # Errors
    /// EBUSY if this process has other threads, of whose locks the copy would never get one.
    /// As fork(2), pidfd_open(2).
    pub fn fork(work: impl FnOnce() -> i32) -> Result<Self, Error> {
        // Where /proc is not there, as in procd's jail, nobody can tell.
        if threads().unwrap_or(1) != 1 {
            return Err(Errno::EBUSY).context("fork beside other threads", "");
        }
        let parent = getpid();
        // SAFETY: this is the only thread, so the copy may do whatever a new process may.
        match unsafe { nix::unistd::fork() }.context("fork", "")? {
            ForkResult::Child => run_and_exit(parent, work),
            ForkResult::Parent { child } => Self::adopt(child),
        }
    }

    /// Starts a program, prepared as by [`die_with_parent`]. If its standard error is piped, the
    /// pipe comes with it.
    ///
    /// # Errors
    /// As fork(2), execve(2), pidfd_open(2).
    pub fn spawn(command: &mut Command) -> Result<(Self, Option<ChildStderr>), Error> {
        die_with_parent(command);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().context("start program", &program)?;
        // The library's handle neither waits nor kills when it is dropped.
        Ok((
            Self::adopt(Pid::from_raw(child.id().cast_signed()))?,
            child.stderr.take(),
        ))
    }

    /// Takes charge of a new child that nobody else waits for.
    fn adopt(pid: Pid) -> Result<Self, Error> {
        match pidfd_open(pid) {
            Ok(pidfd) => Ok(Self {
                pid,
                pidfd,
                exit: None,
            }),
            Err(errno) => {
                let _ = kill(pid, Signal::SIGKILL);
                let _ = nix::sys::wait::waitpid(pid, None);
                Err(errno).context("open process descriptor", "")
            }
        }
    }

    /// The process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Sends a signal, unless the child has ended.
    ///
    /// # Errors
    /// As kill(2).
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        // Not reaped yet, so the number is still this child's.
        match self.exit {
            Some(_) => Ok(()),
            None => kill(self.pid, signal).context("signal child", ""),
        }
    }

    /// How the child ended; `None` if it has not after `patience`. The child itself can be polled
    /// too: readable when it has ended.
    ///
    /// # Errors
    /// As ppoll(2), waitid(2).
    pub fn wait(&mut self, patience: Duration) -> Result<Option<Exit>, Error> {
        if self.exit.is_none() {
            let mut poll = Poll::with_capacity(1);
            poll.add(&self.pidfd, Interest::Read);
            poll.wait(Some(patience))?;
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
            self.exit = match waitid(Id::Pid(self.pid), flags).context("wait for child", "")? {
                WaitStatus::Exited(_, code) => Some(Exit::Code(code)),
                WaitStatus::Signaled(_, signal, _) => Some(Exit::Signal(signal)),
                _ => None,
            };
        }
        Ok(self.exit)
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.signal(Signal::SIGKILL);
        let _ = self.wait(Duration::from_secs(10));
    }
}

/// Starts a copy of this process as [`Child::fork`] does, and returns its number. For processes that
/// have made themselves by it, so that there are no threads; they wait for all their children.
///
/// # Errors
/// As fork(2).
pub fn fork(work: impl FnOnce() -> i32) -> Result<i32, Errno> {
    let parent = getpid();
    // SAFETY: this is the only thread, so the copy may do whatever a new process may.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => run_and_exit(parent, work),
        ForkResult::Parent { child } => Ok(child.as_raw()),
    }
}

/// Prepares `command` to be killed by the kernel when the calling thread ends, and to start with no
/// signal blocked, whatever [`Signals`](super::signal::Signals) has blocked here.
pub fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    let prepare = move || {
        follow_parent(parent)?;
        SigSet::empty()
            .thread_set_mask()
            .map_err(std::io::Error::from)
    };
    // SAFETY: between fork and exec only async-signal-safe functions may run: these are system
    // calls, and their errors are plain numbers.
    unsafe { command.pre_exec(prepare) };
}

/// In the child: be killed with the parent; fail if it has gone already.
pub(super) fn follow_parent(parent: Pid) -> Result<(), Errno> {
    set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == parent {
        Ok(())
    } else {
        Err(Errno::ESRCH)
    }
}

fn run_and_exit(parent: Pid, work: impl FnOnce() -> i32) -> ! {
    let code = match follow_parent(parent) {
        // A panic must not unwind into what was the parent's stack.
        Ok(()) => std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(101),
        Err(_) => 101,
    };
    // SAFETY: ends this process without its exit handlers, which are the parent's.
    unsafe { libc::_exit(code) }
}

fn pidfd_open(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: pidfd_open takes no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the descriptor is new (and close-on-exec), nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn threads() -> Result<usize, Error> {
    const PATH: &str = "/proc/self/task";
    let mut count = 0;
    let mut walk = Walk::over(PATH)?;
    while walk
        .next(&mut |_| count += 1)
        .context("count threads", PATH)?
    {}
    Ok(count)
}
