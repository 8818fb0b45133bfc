//! vipd: a VRRP daemon for small routers.
//!
//! ```text
//!             one thread, one poll set
//!   AF_PACKET ──► sys::packet ─► frame::parse ─► vrrp::validate ─┐
//!   netlink   ──► sys::netlink ─► netlink::parse ─► link events ─┤
//!   timers    ──► router.poll_at() ──────────────────────────────┼─► vrrp::Router ─► Actions
//!   signals   ──► sys::signal ───────────────────────────────────┘        │
//!                                                                         ▼
//!                      daemon::executor carries them out strictly in order:
//!                      advert, address, announcement, log line
//! ```
//!
//! To follow one advert from the wire to the answer, read `daemon::mod` (the loop), `daemon::ears`
//! (the socket), [`frame`] (the headers), [`vrrp::router`] (whose is it), [`vrrp::validate`] (may
//! it be believed), [`vrrp::instance`] (what follows from it) and `daemon::executor` (how it is done).

extern crate alloc;

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
#[cfg(feature = "demo")]
pub mod demo;
mod file;
pub mod frame;
pub mod helper;
pub mod limits;
mod log;
pub mod netlink;
pub mod probe;
pub mod ra;
pub mod sys;
pub mod time;
pub mod vrrp;
