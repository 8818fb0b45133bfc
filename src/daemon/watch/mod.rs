//! What instances watch besides interfaces: one place in the loop for all of it.
//!
//! Each kind is a module of its own with the same five calls. What it sees is kept here and read from
//! here; what follows from it is decided by the core.

use crate::config::model::Config;
use crate::sys::poll::Poll;
use crate::time::Instant;
use crate::vrrp::track::{Reading, Watched};

/// All that is watched.
#[derive(Debug, Default)]
pub(super) struct Watches {}

impl Watches {
    /// At start and after a reload: what stays is watched on, and keeps what is known of it.
    pub(super) fn adopt(&mut self, _config: &Config, _now: Instant) {}

    /// What is known of a thing.
    pub(super) fn reading(&self, _what: &Watched) -> Reading {
        Reading::Unknown
    }

    /// Puts its descriptors into the poll set.
    pub(super) fn add_to(&mut self, _poll: &mut Poll) {}

    /// When [`Watches::tend`] has something to do even if nothing is ready.
    pub(super) fn poll_at(&self) -> Instant {
        Instant::NEVER
    }

    /// Goes on with what is due or ready. True if a reading or the descriptors have changed.
    pub(super) fn tend(&mut self, _poll: &Poll, _now: Instant) -> bool {
        false
    }
}
