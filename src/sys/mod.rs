//! System calls, and nothing but: the only place with `unsafe`.
//!
//! Every descriptor is an `OwnedFd`, close-on-exec and non-blocking. Every failure is an
//! [`Error`](error::Error) that names the operation, what it was done to, and the errno. No policy:
//! what to do about a failure is decided in `daemon`.
#![allow(unsafe_code)]

pub mod child;
pub mod clock;
pub mod error;
pub mod fifo;
pub mod filter;
pub mod group;
pub mod inotify;
pub mod lock;
pub mod memory;
pub mod netlink;
pub mod netns;
pub mod packet;
#[cfg(feature = "demo")]
pub mod ping;
pub mod pipe;
pub mod poll;
pub mod probe;
pub mod proc;
pub mod program;
pub mod raw;
pub mod receive;
pub mod rights;
pub mod seccomp;
pub mod send;
pub mod seqpacket;
pub mod signal;
mod socket;
pub mod solicit;
pub mod sysctl;
pub mod timer;
pub mod unicast;
pub mod unix;
pub mod urgency;

pub use error::Error;
pub use nix::errno::Errno;
