//! Text → validated [`model::Config`]. May use the heap, may not touch the running state.

pub mod error;
pub mod model;
