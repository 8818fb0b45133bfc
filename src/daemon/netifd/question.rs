//! `/bin/ubus`, asked for all of netifd's interfaces: run by the helper, its output read here.

use core::fmt;
use std::os::fd::{AsFd, OwnedFd};

use crate::daemon::helper::{End, Helper, Job, NotRun, Remains, Ticket};
use crate::limits;
use crate::sys::Errno;
use crate::sys::error::Error;
use crate::sys::pipe;
use crate::sys::poll::{Interest, Poll};
use crate::time::Instant;

use super::UBUS;

/// The command line.
const ASK: &[&str] = &[UBUS, "call", "network.interface", "dump"];
/// Bytes of one read(2).
const CHUNK: usize = 4096;
/// Chunks of one wakeup while the program lives: a flood must not hold up the loop.
const CHUNKS: usize = 4;

/// A question that waits for its answer.
pub(super) struct Question {
    ticket: Ticket,
    /// None once the other end is closed.
    stdout: Option<OwnedFd>,
    answer: Vec<u8>,
    place: usize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Failure {
    /// A system call.
    System(Error),
    /// The helper does not run it.
    NotRun(NotRun),
    /// In another way than with exit code 0.
    Ended(End),
    /// More than [`limits::NETIFD_ANSWER`].
    TooMuch,
    /// What it printed is none.
    NoAnswer,
}

impl Question {
    /// Asks.
    pub(super) fn ask(helper: &mut Helper, now: Instant) -> Result<Self, Failure> {
        let (stdout, writer) = pipe::open().map_err(Failure::System)?;
        let job = Job {
            command: &[],
            arguments: ASK,
            environment: &[],
            ids: None,
            timeout: limits::NETIFD_PATIENCE,
            remains: Remains::Killed,
            stdout: Some(&writer),
        };
        let ticket = helper.run(&job, now).map_err(Failure::NotRun)?;
        Ok(Self {
            ticket,
            stdout: Some(stdout),
            answer: Vec::new(),
            place: usize::MAX,
        })
    }

    /// Puts the pipe into the poll set.
    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        self.place = match &self.stdout {
            Some(stdout) => poll.add(stdout, Interest::Read),
            None => usize::MAX,
        };
    }

    /// True if [`Question::read`] has something to do.
    pub(super) fn has_work(&self, poll: &Poll) -> bool {
        poll.readiness(self.place).any()
    }

    /// Whether this is the program.
    pub(super) fn is(&self, ticket: Ticket) -> bool {
        self.ticket == ticket
    }

    /// Nobody wants the answer any more.
    pub(super) fn cancel(&self, helper: &mut Helper) {
        helper.cancel(self.ticket);
    }

    /// Reads what has come.
    pub(super) fn read(&mut self) -> Result<(), Failure> {
        self.read_chunks(CHUNKS)
    }

    /// The answer, once the program has ended.
    pub(super) fn end(&mut self, end: End) -> Result<&[u8], Failure> {
        self.read_chunks(limits::NETIFD_ANSWER / CHUNK + 1)?;
        match end {
            End::Exit(0) => Ok(&self.answer),
            _ => Err(Failure::Ended(end)),
        }
    }

    fn read_chunks(&mut self, chunks: usize) -> Result<(), Failure> {
        let mut chunk = [0; CHUNK];
        for _ in 0..chunks {
            let Some(stdout) = &self.stdout else {
                break;
            };
            match pipe::read(stdout.as_fd(), &mut chunk) {
                Ok(0) => self.stdout = None,
                Ok(count) if self.answer.len() + count > limits::NETIFD_ANSWER => {
                    return Err(Failure::TooMuch);
                }
                Ok(count) => self.answer.extend_from_slice(&chunk[..count]),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) => self.stdout = None,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("netifd cannot be asked for its interfaces: ")?;
        match self {
            Self::System(error) => error.fmt(f)?,
            Self::NotRun(why) => write!(f, "{UBUS} {why}")?,
            Self::Ended(end) => write!(f, "{UBUS} {end}")?,
            Self::NoAnswer => write!(f, "what {UBUS} printed is no list of interfaces")?,
            Self::TooMuch => write!(
                f,
                "{UBUS} printed more than {} bytes",
                limits::NETIFD_ANSWER
            )?,
        }
        f.write_str(
            "; try `ubus call network.interface dump` by hand, as the user that vipd runs as; \
             it is asked again",
        )
    }
}
