//! The process that sees one program through to its end, and to the end of all that it started.

use std::os::fd::OwnedFd;

use crate::limits;
use crate::sys::clock;
use crate::sys::poll::{Interest, Poll};
use crate::sys::program::{self, Leader, Program};
use crate::sys::seqpacket::Seqpacket;
use crate::sys::signal::{Signal, Signals};
use crate::sys::{Errno, Error};
use crate::time::Duration;

use super::message::{About, End, Remains, Reply, Run};

/// Runs a program and tells how it ended.
pub(super) fn run(socket: &Seqpacket, about: About, run: &Run<'_>, stdout: Option<OwnedFd>) -> i32 {
    let (arguments, environment) = run.words();
    let program = Program {
        arguments,
        environment,
        ids: run.ids.map(|ids| (ids.uid, ids.gid)),
    };
    let result = Keeper::new(run).and_then(|mut keeper| keeper.keep(&program, stdout));
    let end = match result {
        Ok(end) => end,
        Err(errno) => End::NotStarted(errno),
    };
    i32::from(
        socket
            .send_and_wait(&Reply::Ended(end).emit(about))
            .is_err(),
    )
}

struct Keeper {
    signals: Signals,
    timeout: Duration,
    remains: Remains,
    /// The program is of no interest any more.
    cancelled: bool,
}

impl Keeper {
    fn new(run: &Run<'_>) -> Result<Self, Errno> {
        let errno = |error: Error| error.errno;
        let signals = Signals::block(&[Signal::SIGCHLD, Signal::SIGTERM]).map_err(errno)?;
        program::adopt_orphans()?;
        // With its own death would go the knowledge of what the program has left.
        program::be_told_of_death(Signal::SIGTERM)?;
        Ok(Self {
            signals,
            timeout: run.timeout,
            remains: run.remains,
            cancelled: false,
        })
    }

    fn keep(&mut self, program: &Program<'_>, stdout: Option<OwnedFd>) -> Result<End, Errno> {
        let mut leader = program.start(stdout)?;
        let killed = self.see_to_its_end(&leader);
        if !leader.has_ended() {
            // Not even SIGKILL: it waits for a device, say.
            return Ok(End::TimedOut);
        }
        let bury = killed || self.remains == Remains::Killed;
        if bury {
            leader.signal_group(Signal::SIGKILL);
        }
        let ended = leader.reap();
        if bury {
            self.bury_the_rest();
        }
        match leader.failure() {
            Some(errno) => Err(errno),
            None if killed => Ok(End::TimedOut),
            None => Ok(ended.into()),
        }
    }

    /// Waits for the program, with SIGTERM at its timeout and SIGKILL after that. True if it took them.
    fn see_to_its_end(&mut self, leader: &Leader) -> bool {
        if self.ends_within(self.timeout, leader, true) {
            return false;
        }
        leader.signal_group(Signal::SIGTERM);
        if !self.ends_within(limits::HELPER_MERCY, leader, false) {
            leader.signal_group(Signal::SIGKILL);
            self.ends_within(limits::HELPER_BURIAL, leader, false);
        }
        true
    }

    /// Waits for the program to end, or until it is `cancellable` and cancelled.
    fn ends_within(&mut self, patience: Duration, leader: &Leader, cancellable: bool) -> bool {
        let mut now = clock::now();
        let deadline = now + patience;
        while !leader.has_ended() {
            if now >= deadline || cancellable && self.cancelled {
                return false;
            }
            self.wait(deadline.since(now));
            now = clock::now();
        }
        true
    }

    /// Kills all children that there are, and those that come while it does.
    fn bury_the_rest(&mut self) {
        let give_up = clock::now() + limits::HELPER_BURIAL;
        loop {
            // ECHILD is what is waited for.
            match program::wait_for_any(false) {
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(_) => return,
            }
            program::kill_children();
            let now = clock::now();
            if now >= give_up {
                return;
            }
            self.wait(give_up.since(now));
        }
    }

    /// Waits for a signal.
    fn wait(&mut self, patience: Duration) {
        let mut poll = Poll::with_capacity(1);
        poll.add(&self.signals, Interest::Read);
        let _ = poll.wait(Some(patience));
        while let Ok(Some(signal)) = self.signals.next() {
            self.cancelled |= signal == Signal::SIGTERM;
        }
    }
}
