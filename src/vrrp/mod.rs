//! The protocol core: no clock, no socket, no log, no heap in the steady state.

pub mod drop;
pub mod types;
