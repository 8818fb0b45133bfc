//! A program that runs beside the loop: nothing here waits for it, and its time and its output are
//! bounded. It leads a process group of its own, of which nothing is left when its end is told.

use core::ffi::{CStr, c_char};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::unistd::{ForkResult, Pid, getpid, setpgid};

use super::child::{Child, Exit, follow_parent};
use super::error::{Context, Error};
use super::poll::{Interest, Poll};
use crate::time::Instant;

/// The whole environment of a program.
const ENVIRONMENT: &[&CStr] = &[c"PATH=/usr/sbin:/usr/bin:/sbin:/bin"];
/// Bytes of one read(2).
const CHUNK: usize = 4096;
/// Chunks of one [`Program::proceed`] while the program lives: a flood must not hold up the loop.
const CHUNKS: usize = 4;

/// A program that was started, until its end is told. Killed and waited for when it is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// The other end of its standard output; none once that is closed.
    stdout: Option<OwnedFd>,
    output: Vec<u8>,
    limit: usize,
    deadline: Instant,
    /// Why it was killed.
    cut: Option<End>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, or by a signal of somebody else.
    Exit(Exit),
    /// Killed at its deadline.
    TimedOut,
    /// Killed because it wrote more than it may.
    TooMuch,
}

impl Program {
    /// Starts the program of this path and these arguments (the first is its name), which may write
    /// `limit` bytes to its standard output and live until `deadline`. Its standard input and error
    /// are /dev/null, its environment is `PATH`, no signal is blocked and SIGPIPE is not ignored.
    ///
    /// A plain fork, not vfork: this process goes on while the new one reads the program from disk.
    ///
    /// # Errors
    /// As pipe2(2), open(2), fork(2), pidfd_open(2). A program that cannot be executed ends with 127.
    pub fn start(argv: &[&CStr], limit: usize, deadline: Instant) -> Result<Self, Error> {
        let name = argv.first().map_or("", |name| name.to_str().unwrap_or(""));
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = null.context("open", "/dev/null")?;
        let (stdout, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).context("pipe", name)?;
        fcntl(&stdout, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("pipe", name)?;
        let pointers = |list: &[&CStr]| -> Vec<*const c_char> {
            let end = core::iter::once(core::ptr::null());
            list.iter().map(|word| word.as_ptr()).chain(end).collect()
        };
        let (argv, environment) = (pointers(argv), pointers(ENVIRONMENT));
        let parent = getpid();
        // SAFETY: the copy makes system calls only, then becomes another program or ends.
        match unsafe { nix::unistd::fork() }.context("fork", name)? {
            ForkResult::Child => become_program(parent, &null, &writer, &argv, &environment),
            ForkResult::Parent { child } => {
                // Here and in the child, so that there is a group whoever comes first.
                let _ = setpgid(child, child);
                Ok(Self {
                    child: Child::adopt(child)?,
                    stdout: Some(stdout),
                    output: Vec::new(),
                    limit,
                    deadline,
                    cut: None,
                })
            }
        }
    }

    /// Reads what has come, and tells how the program ended once it has. To be called when one of
    /// its descriptors is ready, and at its deadline.
    ///
    /// # Errors
    /// As waitid(2).
    pub fn proceed(&mut self, now: Instant) -> Result<Option<End>, Error> {
        let ended = self.child.has_ended()?;
        let fits = self.read(if ended { usize::MAX } else { CHUNKS });
        if !ended && self.cut.is_none() {
            self.cut = match fits {
                false => Some(End::TooMuch),
                true if now >= self.deadline => Some(End::TimedOut),
                true => return Ok(None),
            };
            // Its death is awaited like its end: killing may take its time.
            self.stdout = None;
            self.child.kill_group();
            return Ok(None);
        }
        if !ended {
            return Ok(None);
        }
        // Before its number is free: what it has left behind.
        self.child.kill_group();
        let exit = self.child.wait(crate::time::Duration::ZERO)?;
        let too_much = (!fits).then_some(End::TooMuch);
        Ok(self.cut.or(too_much).or(exit.map(End::Exit)))
    }

    /// When [`Program::proceed`] wants to be called even if nothing is ready.
    pub fn deadline(&self) -> Instant {
        match self.cut {
            None => self.deadline,
            Some(_) => Instant::NEVER,
        }
    }

    /// What it has written so far.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Puts its descriptors into a poll set, and returns the range of their places.
    pub fn add_to(&self, poll: &mut Poll) -> core::ops::Range<usize> {
        let first = poll.add(&self.child, Interest::Read);
        let last = match &self.stdout {
            Some(stdout) => poll.add(stdout, Interest::Read),
            None => first,
        };
        first..last + 1
    }

    /// Reads at most so many chunks. False if there is more than the program may write.
    fn read(&mut self, chunks: usize) -> bool {
        let mut chunk = [0; CHUNK];
        for _ in 0..chunks {
            let Some(stdout) = &self.stdout else {
                break;
            };
            match nix::unistd::read(stdout.as_fd(), &mut chunk) {
                Ok(0) => self.stdout = None,
                Ok(count) if self.output.len() + count > self.limit => return false,
                Ok(count) => self.output.extend_from_slice(&chunk[..count]),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) => self.stdout = None,
            }
        }
        true
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill_group();
    }
}

/// In the child: system calls only, because the heap may be anybody's.
fn become_program(
    parent: Pid,
    null: &File,
    stdout: &OwnedFd,
    argv: &[*const c_char],
    environment: &[*const c_char],
) -> ! {
    let prepare = || -> Result<(), Errno> {
        follow_parent(parent)?;
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        // SAFETY: no handler function is installed.
        unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
        SigSet::empty().thread_set_mask()?;
        for (from, to) in [
            (null.as_raw_fd(), 0),
            (stdout.as_raw_fd(), 1),
            (null.as_raw_fd(), 2),
        ] {
            // SAFETY: the three standard descriptors of this process belong to nobody else.
            Errno::result(unsafe { libc::dup2(from, to) })?;
        }
        Ok(())
    };
    if prepare().is_ok() {
        // SAFETY: both lists end with a null pointer and point to C strings that outlive the call.
        unsafe { libc::execve(argv[0], argv.as_ptr(), environment.as_ptr()) };
    }
    // SAFETY: ends this process without its exit handlers, which are the parent's.
    unsafe { libc::_exit(127) }
}
