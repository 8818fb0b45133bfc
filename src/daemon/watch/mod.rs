//! What instances watch besides interfaces: one place in the loop for all of it.
//!
//! Each kind is a module of its own with the same five calls. What it sees is kept here and read from
//! here; what follows from it is decided by the core.

mod file;
mod probes;
mod processes;
mod scripts;

use crate::config::model::Config;
use crate::sys::poll::Poll;
use crate::time::{Duration, Instant};
use crate::vrrp::track::{Kind, Reading, Watched};

use super::helper::{End, Helper, Ticket};
use super::links::{Links, Slot};
use file::Files;
use probes::Probes;
use processes::Processes;
use scripts::Scripts;

/// All that is watched.
#[derive(Debug, Default)]
pub(super) struct Watches {
    files: Files,
    probes: Probes,
    processes: Processes,
    scripts: Scripts,
}

/// What is known of a thing besides its reading.
#[derive(Default)]
pub(super) struct Details {
    /// How many processes there are.
    pub(super) count: Option<u32>,
    /// How long the last answer of a probe took.
    pub(super) round_trip: Option<Duration>,
    /// What is wrong: why a probe has no answer, how a script failed the last time, too few processes.
    pub(super) reason: Option<String>,
}

impl Watches {
    /// At start and after a reload: what stays is watched on, and keeps what is known of it.
    pub(super) fn adopt(&mut self, config: &Config, helper: &mut Helper, now: Instant) {
        self.files.adopt(&config.files, now);
        self.probes.adopt(config, now);
        self.processes.adopt(&config.processes, now);
        self.scripts.adopt(config, helper, now);
    }

    /// Interfaces may have changed; `slot` finds one by its name in the configuration.
    pub(super) fn follow(
        &mut self,
        links: &Links,
        slot: impl Fn(&str) -> Option<Slot>,
        now: Instant,
    ) {
        self.probes.follow(links, slot, now);
    }

    /// What is known of a thing.
    pub(super) fn reading(&self, what: &Watched) -> Reading {
        match what.kind {
            Kind::File => self.files.reading(&what.name),
            Kind::Probe => self.probes.reading(&what.name),
            Kind::Script => self.scripts.reading(&what.name),
            Kind::Process => self.processes.reading(&what.name),
            Kind::Interface => Reading::Unknown,
        }
    }

    /// What is known of it besides.
    pub(super) fn details(&self, what: &Watched) -> Details {
        let mut details = Details::default();
        match what.kind {
            Kind::Probe => match self.probes.last(&what.name) {
                Some(Ok(time)) => details.round_trip = Some(time),
                Some(Err(why)) => details.reason = Some(why.to_string()),
                None => {}
            },
            Kind::Script => {
                let failure = self.scripts.failure(&what.name);
                details.reason = failure.map(|end| format!("it {end}"));
            }
            Kind::Process => {
                if let Some((count, why)) = self.processes.count(&what.name) {
                    (details.count, details.reason) = (Some(count), why);
                }
            }
            Kind::File | Kind::Interface => {}
        }
        details
    }

    /// Packets that looked like answers to probes and were none.
    pub(super) fn strangers(&self) -> u32 {
        self.probes.strangers()
    }

    /// A program of the helper has ended. None if it is nothing that is watched; true if a reading
    /// has changed.
    pub(super) fn ended(&mut self, ticket: Ticket, end: End) -> Option<bool> {
        self.scripts.ended(ticket, end)
    }

    /// Puts its descriptors into the poll set.
    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        self.files.add_to(poll);
        self.processes.add_to(poll);
        self.probes.add_to(poll);
    }

    /// When [`Watches::tend`] has something to do even if nothing is ready.
    pub(super) fn poll_at(&self) -> Instant {
        let (files, probes) = (self.files.poll_at(), self.probes.poll_at());
        let rest = self.scripts.poll_at().min(self.processes.poll_at());
        files.min(probes).min(rest)
    }

    /// Goes on with what is due or ready. True if a reading or the descriptors have changed.
    pub(super) fn tend(&mut self, poll: &Poll, helper: &mut Helper, now: Instant) -> bool {
        self.scripts.tend(helper, now);
        let files = self.files.tend(poll, now);
        let processes = self.processes.tend(poll, now);
        self.probes.tend(poll, now) || files || processes
    }

    /// Descriptors have come or gone, and no reading with them: that of a probe lives for one question.
    pub(super) fn relists(&self) -> bool {
        self.probes.relists()
    }
}
