//! The daemon's side of the helper: whoever in the daemon has a program to run asks here.
//!
//! A module that runs programs keeps the [`Ticket`] of each and is told its [`End`] by the loop
//! (`Daemon::programs_ended`). Nothing here waits, and nothing is allocated.

use core::fmt;
use std::os::fd::{AsFd, OwnedFd};

use crate::config::model::{Config, Dialect};
use crate::helper;
use crate::helper::message::{About, REPLY_LEN, Reply, Writer};
use crate::limits;
use crate::log;
use crate::sys::Errno;
use crate::sys::child::Child;
use crate::sys::error::{Cause, Error};
use crate::sys::poll::{Interest, Poll};
use crate::sys::seqpacket::{Incoming, Seqpacket};
use crate::time::{Duration, Instant};

use super::{netifd, notify};

pub(super) use crate::helper::message::{End, Ids, Remains};

/// A program to be run.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    /// The path and what follows it, as the configuration has them.
    pub(super) command: &'a [Box<str>],
    /// More arguments behind those.
    pub(super) arguments: &'a [&'a str],
    /// Names and values, which the program finds in its environment beside `PATH`.
    pub(super) environment: &'a [(&'a str, &'a str)],
    /// User and only group; none: those of vipd.
    pub(super) ids: Option<Ids>,
    /// From then on SIGTERM, and SIGKILL after [`limits::HELPER_MERCY`], to its process group.
    pub(super) timeout: Duration,
    /// What becomes of its children when it has ended by itself.
    pub(super) remains: Remains,
    /// The writing end of a pipe for what it prints; none: /dev/null.
    pub(super) stdout: Option<&'a OwnedFd>,
}

/// A program that runs. No other has the same number while the daemon lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u32);

/// Why a program is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotRun {
    /// There is no helper, or it is gone, which was logged when it was seen.
    NoHelper,
    /// [`limits::HELPER_JOBS`] programs run, or the helper does not take in what it is sent. Try
    /// again later.
    Busy,
    /// The command line is longer than [`limits::HELPER_MESSAGE`], or has more than
    /// [`limits::HELPER_WORDS`] words.
    TooLong,
    /// The system refused it.
    System(Errno),
}

/// The connection to the helper, and the programs that it runs for us.
pub(super) struct Helper {
    link: Option<Link>,
    running: Vec<Running>,
    /// Those that run are lost: who ran them is gone, or was replaced.
    lost: bool,
    next: u32,
    place: usize,
}

/// Messages of one [`Helper::next_end`].
const MESSAGES: usize = 2 * limits::HELPER_JOBS;

struct Link {
    socket: Seqpacket,
    /// Killed when this is dropped, and all the others with it.
    _nursery: Child,
    /// The worker that is meant by what we send.
    generation: u32,
    gone: bool,
}

struct Running {
    ticket: Ticket,
    /// When there must have been a reply, whatever has happened.
    give_up: Instant,
}

impl Helper {
    /// None, on which nothing can be run.
    pub(super) fn none() -> Self {
        Self {
            link: None,
            running: Vec::new(),
            lost: false,
            next: 0,
            place: usize::MAX,
        }
    }

    /// Starts one if this configuration has something that it could have to run. To be called while
    /// this process has all its rights and nothing else.
    ///
    /// # Errors
    /// As [`helper::start`].
    pub(super) fn start(config: &Config) -> Result<Self, Error> {
        if !may_run_programs(config) {
            return Ok(Self::none());
        }
        Self::anyway()
    }

    /// Starts one.
    ///
    /// # Errors
    /// As [`helper::start`].
    pub(super) fn anyway() -> Result<Self, Error> {
        let (socket, nursery) = helper::start()?;
        Ok(Self {
            link: Some(Link {
                socket,
                _nursery: nursery,
                generation: 0,
                gone: false,
            }),
            running: Vec::with_capacity(limits::HELPER_JOBS),
            ..Self::none()
        })
    }

    /// Whether there was one from the start: without, a configuration with programs is refused.
    pub(super) fn was_started(&self) -> bool {
        self.link.is_some()
    }

    /// Asks for a program to be run. Its end is told by [`Helper::next_end`], once, unless it is
    /// cancelled.
    ///
    /// # Errors
    /// The program is not run.
    pub(super) fn run(&mut self, job: &Job<'_>, now: Instant) -> Result<Ticket, NotRun> {
        let link = self.link.as_ref().filter(|link| !link.gone);
        let link = link.ok_or(NotRun::NoHelper)?;
        if self.running.len() == limits::HELPER_JOBS {
            return Err(NotRun::Busy);
        }
        let mut buffer = [0; limits::HELPER_MESSAGE];
        let ticket = Ticket(self.next);
        let about = link.about(ticket);
        let mut writer = Writer::new(&mut buffer, about, job.timeout, job.ids, job.remains);
        let more = job.arguments.iter().copied();
        let words = job.command.iter().map(|word| &**word).chain(more);
        words.for_each(|word| writer.argument(&[word]));
        for (name, value) in job.environment {
            writer.variable(&[name, "=", value]);
        }
        let message = writer.finish().ok_or(NotRun::TooLong)?;
        let stdout = job.stdout.map(AsFd::as_fd);
        match link.socket.send(message, stdout) {
            Ok(()) => {}
            // ETOOMANYREFS: descriptors that were sent and not received.
            Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ETOOMANYREFS) => return Err(NotRun::Busy),
            // That it is gone is seen where its end of the connection is read.
            Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(NotRun::NoHelper),
            Err(errno) => return Err(NotRun::System(errno)),
        }
        self.next = self.next.wrapping_add(1);
        let bounds = [
            job.timeout,
            limits::HELPER_MERCY,
            limits::HELPER_BURIAL.times(2),
            limits::HELPER_SLACK,
        ];
        let give_up = bounds.into_iter().fold(now, |until, bound| until + bound);
        self.running.push(Running { ticket, give_up });
        Ok(ticket)
    }

    /// Has a program killed, with SIGTERM first, and its end not told.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        let Some(index) = self.running.iter().position(|r| r.ticket == ticket) else {
            return;
        };
        self.running.swap_remove(index);
        if let Some(link) = &self.link {
            // If there is no room for it, the program has its timeout.
            let _ = link.socket.send(&link.about(ticket).cancel(), None);
        }
    }

    /// When there is something to do though nothing happens.
    pub(super) fn poll_at(&self) -> Instant {
        Instant::earliest(self.running.iter().map(|r| r.give_up))
    }

    /// Puts the connection into the poll set.
    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        self.place = match &self.link {
            Some(link) if !link.gone => poll.add(&link.socket, Interest::Read),
            _ => usize::MAX,
        };
    }

    /// True if [`Helper::next_end`] is to be called until it returns nothing.
    pub(super) fn has_work(&self, poll: &Poll, now: Instant) -> bool {
        poll.readiness(self.place).any() || now >= self.poll_at()
    }

    /// The next program that has ended.
    pub(super) fn next_end(&mut self, now: Instant) -> Option<(Ticket, End)> {
        for _ in 0..MESSAGES {
            if self.lost {
                if let Some(running) = self.running.pop() {
                    return Some((running.ticket, End::Lost));
                }
                self.lost = false;
            }
            let link = self.link.as_mut().filter(|link| !link.gone)?;
            let mut reply = [0; REPLY_LEN];
            let length = match link.socket.receive(&mut reply) {
                Incoming::Message(length) => length,
                Incoming::Nothing => {
                    let overdue = self.running.iter().position(|r| r.give_up <= now)?;
                    return Some((self.running.swap_remove(overdue).ticket, End::Lost));
                }
                Incoming::Gone => {
                    (link.gone, self.lost) = (true, true);
                    log::error!(
                        "the helper process is gone, and cannot be made again: no program is run any more, \
                         what scripts have found stays as it is; restart vipd"
                    );
                    continue;
                }
            };
            match Reply::parse(&reply[..length]) {
                Some((about, Reply::Restarted(end))) => {
                    (link.generation, self.lost) = (about.generation, true);
                    log::warn!(
                        "the worker of the helper process {end}, and with it {} program(s) that ran: another \
                         one takes its place",
                        self.running.len()
                    );
                }
                Some((about, Reply::Ended(end))) if about.generation == link.generation => {
                    let ticket = Ticket(about.job);
                    if let Some(index) = self.running.iter().position(|r| r.ticket == ticket) {
                        self.running.swap_remove(index);
                        return Some((ticket, end));
                    }
                }
                _ => {}
            }
        }
        None
    }
}

impl Link {
    fn about(&self, ticket: Ticket) -> About {
        About {
            generation: self.generation,
            job: ticket.0,
        }
    }
}

/// Whether anything in this configuration may have to be run.
fn may_run_programs(config: &Config) -> bool {
    let openwrt = || netifd::is_here() || notify::hotplug_is_here();
    config.has_programs() || config.dialect == Dialect::Uci && openwrt()
}

/// Behind "it": `is not run: …`.
impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not run: ")?;
        match self {
            Self::NoHelper => f.write_str("the helper process is gone; restart vipd"),
            Self::Busy => write!(f, "{} programs run already", limits::HELPER_JOBS),
            Self::TooLong => write!(
                f,
                "its command line is longer than {} bytes or {} words",
                limits::HELPER_MESSAGE - 100,
                limits::HELPER_WORDS
            ),
            Self::System(errno) => Cause(*errno).fmt(f),
        }
    }
}
