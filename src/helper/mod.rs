//! The helper: a small second process that runs programs, so that the daemon need not.
//!
//! ```text
//!   vipd ── nursery ── worker ── keeper ── program
//!                            └── keeper ── program
//! ```
//!
//! It is made before the daemon has sockets and gives up its rights, and cannot be made again. So the
//! first of its processes, the *nursery*, does nothing but wait for the *worker*, and make another if
//! it dies. The worker takes requests and forks a *keeper* for each program. The keeper is the parent
//! of all that the program leaves behind, and tells the daemon how it ended when nothing is left.
//! Whoever dies, the kernel tells its child: nothing lives longer than the daemon.
//!
//! One connection carries it all, see [`message`]. The daemon never waits for it.

mod keeper;
pub mod message;
mod nursery;
mod worker;

use crate::sys::child::Child;
use crate::sys::error::Error;
use crate::sys::seqpacket::Seqpacket;

/// Starts the helper: the daemon's end of the connection, and the nursery, which dies when it is
/// dropped.
///
/// # Errors
/// EBUSY if this process has threads. As socketpair(2), fork(2), pidfd_open(2).
pub fn start() -> Result<(Seqpacket, Child), Error> {
    let (ours, theirs) = Seqpacket::pair()?;
    let nursery = Child::fork(|| nursery::run(&theirs))?;
    Ok((ours, nursery))
}
