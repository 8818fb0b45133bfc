//! All clients: who is let in, whose turn it is, who is dropped.

use core::ops::Range;
use std::path::Path;

use super::client::{Client, Step};
use super::request::{Refusal, Request};
use super::socket_path;
use crate::limits;
use crate::sys::error::Error;
use crate::sys::poll::{Interest, Poll};
use crate::sys::unix::{self, Listener};
use crate::time::Instant;

/// The control socket of a daemon.
#[derive(Debug)]
pub struct Control {
    listener: Listener,
    clients: heapless::Vec<Client, { limits::CONTROL_CLIENTS }>,
    /// The client that is looked at first.
    turn: usize,
    /// Nobody is let in before.
    accept_at: Instant,
}

/// A question that only the daemon can answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who: to be named in the answer, which has to be given before the next [`Control::serve`].
    pub client: usize,
    /// What.
    pub question: Question,
}

/// What the daemon is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Question {
    /// A request: [`Control::begin`], [`Control::answer`] or [`Control::refuse`] answer it.
    Request(Request),
    /// The next instance of a status: [`Control::instance`].
    Instance(usize),
}

impl Control {
    /// Listens in the runtime directory, which must be locked.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn open(runtime_dir: &Path) -> Result<Self, Error> {
        Ok(Self {
            listener: Listener::bind(&socket_path(runtime_dir))?,
            clients: heapless::Vec::new(),
            turn: 0,
            accept_at: Instant::ZERO,
        })
    }

    /// How many descriptors there may be in the poll set.
    pub const fn capacity() -> usize {
        limits::CONTROL_CLIENTS + 1
    }

    /// Adds the clients and the listener to a poll set; the place of the first.
    pub fn add_to(&self, poll: &mut Poll) -> usize {
        let mut first = None;
        for client in &self.clients {
            let place = poll.add(client, client.interest());
            first.get_or_insert(place);
        }
        let listener = if self.accept_at == Instant::ZERO {
            Some(poll.add(&self.listener, Interest::Read))
        } else {
            None
        };
        first.or(listener).unwrap_or(usize::MAX)
    }

    /// When [`Control::serve`] has something to do on its own account.
    pub fn poll_at(&self) -> Instant {
        let pause = match self.accept_at {
            Instant::ZERO => Instant::NEVER,
            at => at,
        };
        let deadlines = self.clients.iter().map(|client| client.deadline);
        deadlines.fold(pause, Instant::min)
    }

    /// One piece of work: drops who is late, lets one in, goes on with one. `first` is what
    /// [`Control::add_to`] has returned before the wait.
    pub fn serve(&mut self, poll: &Poll, first: usize, now: Instant) -> Option<Asked> {
        for (index, client) in self.clients.iter_mut().enumerate() {
            client.readiness = poll.readiness(first.saturating_add(index));
        }
        let listener = first.saturating_add(self.clients.len());
        let knocks = self.accept_at == Instant::ZERO && poll.readiness(listener).any();
        if now >= self.accept_at {
            self.accept_at = Instant::ZERO;
        }
        self.clients.retain(|client| client.deadline > now);
        if knocks {
            self.accept(now);
        }
        self.go_on()
    }

    fn accept(&mut self, now: Instant) {
        let stream = match self.listener.accept() {
            Ok(Some(stream)) => stream,
            Ok(None) => return,
            Err(error) => {
                log::warn!(
                    "{error}; nobody is let in for {}, all else goes on",
                    limits::CONTROL_PAUSE
                );
                self.accept_at = now + limits::CONTROL_PAUSE;
                return;
            }
        };
        let peer = unix::peer_uid(&stream);
        let mut client = Client::new(stream, now + limits::CONTROL_PATIENCE);
        match peer {
            Ok(uid) if may_ask(uid) => {
                if let Err(mut client) = self.clients.push(client) {
                    client.refuse(&Refusal::busy());
                }
            }
            Ok(uid) => {
                client.refuse(&Refusal::denied(uid));
            }
            Err(error) => log::warn!("{error}; the client is sent away"),
        }
    }

    fn go_on(&mut self) -> Option<Asked> {
        let count = self.clients.len();
        let ready = |index: &usize| self.clients[*index].readiness.any();
        let client = (self.turn..count)
            .chain(0..self.turn.min(count))
            .find(ready)?;
        self.turn = client + 1;
        let question = match self.clients[client].step() {
            Step::Asked(request) => Question::Request(request),
            Step::Instance(index) => Question::Instance(index),
            step => {
                self.after(client, &step);
                return None;
            }
        };
        Some(Asked { client, question })
    }

    /// Answers `client` with lines of text.
    pub fn answer(&mut self, client: usize, lines: &str) {
        let step = self.clients[client].answer(lines);
        self.after(client, &step);
    }

    /// Answers `client` with what is wrong.
    pub fn refuse(&mut self, client: usize, refusal: &Refusal) {
        let step = self.clients[client].refuse(refusal);
        self.after(client, &step);
    }

    /// Begins to answer `client` with a status: `head` writes a JSON object that ends with an empty
    /// list. [`Question::Instance`] then asks for each of `instances`, at later wakeups.
    pub fn begin<E: core::fmt::Display>(
        &mut self,
        client: usize,
        instances: Range<usize>,
        head: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) {
        let step = self.clients[client].begin(instances, head);
        self.after_rendering(client, step);
    }

    /// Goes on with the status of `client`: `render` writes the instance that was asked for.
    pub fn instance<E: core::fmt::Display>(
        &mut self,
        client: usize,
        render: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) {
        let step = self.clients[client].instance(render);
        self.after_rendering(client, step);
    }

    /// To be called when the daemon's instances have changed: cuts off the answers that are on their
    /// way, which would mix old and new. The client asks again.
    pub fn cut_off(&mut self) {
        self.clients.retain(|client| !client.is_in_list());
    }

    fn after_rendering<E: core::fmt::Display>(&mut self, client: usize, step: Result<Step, E>) {
        let step = step.unwrap_or_else(|error| {
            log::error!("a status could not be rendered, so it is cut off: {error}");
            Step::Done
        });
        self.after(client, &step);
    }

    /// What is left to do comes with the next wakeup.
    fn after(&mut self, client: usize, step: &Step) {
        if *step == Step::Done {
            self.clients.swap_remove(client);
        }
    }
}

fn may_ask(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}
