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
use probes::{Probes, Reason};
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

    /// How long the last answer of a probe took, or why there is none.
    pub(super) fn last(&self, what: &Watched) -> Option<Result<Duration, Reason>> {
        match what.kind {
            Kind::Probe => self.probes.last(&what.name),
            _ => None,
        }
    }

    /// How a script failed the last time.
    pub(super) fn failure(&self, what: &Watched) -> Option<End> {
        match what.kind {
            Kind::Script => self.scripts.failure(&what.name),
            _ => None,
        }
    }

    /// How many processes there are, and what is wrong with that number.
    pub(super) fn count(&self, what: &Watched) -> Option<(u32, Option<String>)> {
        match what.kind {
            Kind::Process => self.processes.count(&what.name),
            _ => None,
        }
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
