//! The process that takes requests and makes a keeper for each program.

use std::os::fd::OwnedFd;

use crate::limits;
use crate::sys::child;
use crate::sys::poll::{Interest, Poll};
use crate::sys::program::{self, Ended};
use crate::sys::seqpacket::{Incoming, Seqpacket};
use crate::sys::signal::{self, Signal, Signals};
use crate::sys::{Errno, Error};

use super::keeper;
use super::message::{About, End, Reply, Request, Run};

struct Worker<'s> {
    socket: &'s Seqpacket,
    generation: u32,
    /// The job of each keeper, and its process.
    keepers: Vec<(u32, i32)>,
}

/// Works until the daemon is gone (0) or something fails that should not.
pub(super) fn run(socket: &Seqpacket, generation: u32) -> i32 {
    let keepers = Vec::with_capacity(limits::HELPER_JOBS);
    let mut worker = Worker {
        socket,
        generation,
        keepers,
    };
    // Its keepers see its death, and clean up.
    i32::from(worker.work().is_err())
}

impl Worker<'_> {
    fn work(&mut self) -> Result<(), Error> {
        let signals = Signals::block(&[Signal::SIGCHLD])?;
        let mut buffer = [0; limits::HELPER_MESSAGE];
        let mut poll = Poll::with_capacity(2);
        let ends = poll.add(&signals, Interest::Read);
        let requests = poll.add(self.socket, Interest::Read);
        loop {
            poll.wait(None)?;
            if poll.readiness(ends).any() {
                while signals.next()?.is_some() {}
                self.reap();
            }
            if poll.readiness(requests).any() {
                match self.socket.receive_with(&mut buffer) {
                    (Incoming::Nothing, _) => {}
                    (Incoming::Gone, _) => return Ok(()),
                    (Incoming::Message(length), stdout) => self.take(&buffer[..length], stdout),
                }
            }
        }
    }

    fn take(&mut self, message: &[u8], stdout: Option<OwnedFd>) {
        match Request::parse(message) {
            // What an earlier worker was asked has been told to be lost.
            Some((about, _)) if about.generation != self.generation => {}
            Some((about, Request::Run(run))) => self.start(about, &run, stdout),
            Some((about, Request::Cancel)) => {
                let keeper = self.keepers.iter().find(|(job, _)| *job == about.job);
                if let Some((_, pid)) = keeper {
                    signal::send(*pid, Signal::SIGTERM);
                }
            }
            None => {}
        }
    }

    fn start(&mut self, about: About, run: &Run<'_>, stdout: Option<OwnedFd>) {
        let keeper = match self.keepers.len() < limits::HELPER_JOBS {
            true => child::fork(|| keeper::run(self.socket, about, run, stdout)),
            false => Err(Errno::EAGAIN),
        };
        match keeper {
            Ok(pid) => self.keepers.push((about.job, pid)),
            Err(errno) => self.tell(about.job, End::NotStarted(errno)),
        }
    }

    /// Forgets keepers that have ended, and tells of those that were killed.
    fn reap(&mut self) {
        while let Ok(Some((pid, ended))) = program::wait_for_any(false) {
            let Some(index) = self.keepers.iter().position(|(_, keeper)| *keeper == pid) else {
                continue;
            };
            let (job, _) = self.keepers.swap_remove(index);
            if ended != Ended::Code(0) {
                self.tell(job, End::Lost);
            }
        }
    }

    fn tell(&self, job: u32, end: End) {
        let about = About {
            generation: self.generation,
            job,
        };
        let _ = self.socket.send_and_wait(&Reply::Ended(end).emit(about));
    }
}
