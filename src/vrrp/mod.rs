//! The protocol core: no clock, no socket, no log, no heap in the steady state.
//!
//! Read it in the order of a packet: [`router`] finds the instance, [`validate`] judges the
//! message that [`wire`] reads, [`instance`] decides, [`action`] says what is to be done.

pub mod action;
pub mod checksum;
pub mod counters;
pub mod drop;
mod group;
mod hints;
pub mod instance;
pub mod opening;
pub mod router;
pub mod speakers;
pub mod timers;
pub mod track;
pub mod trial;
pub mod types;
mod upkeep;
pub mod uplink;
pub mod validate;
pub mod wire;
