//! The control socket: what a running daemon is asked, and what it answers.
//!
//! A unix stream socket `control` in the runtime directory, 0600, for root and the daemon's own user
//! (SO_PEERCRED). One request a connection, in lines of UTF-8:
//!
//! ```text
//!   client                         daemon
//!   vipd/1 status [NAME]\n   ──►
//!                            ◄──   vipd/1 ok\n
//!                                  {"format":1,…,"instances":[…]}\n
//!                                  vipd/1 end\n
//!   vipd/1 show [NAME]\n     ──►
//!                            ◄──   vipd/1 ok\n            the same in words, in lines
//!   vipd/1 reload\n          ──►
//!                            ◄──   vipd/1 ok\n            what changed, in lines
//!                            ◄──   vipd/1 error CODE\n    what is wrong, in lines
//!                                  …\n
//!                                  vipd/1 end\n
//! ```
//!
//! An answer that does not end with the `end` line was cut off. NAME is the rest of the line. The
//! codes are those of [`request::Code`], the JSON is that of [`status`] and `status.schema.json`.
//!
//! A client costs the daemon next to nothing, and can never hold up an advert: one piece of work a
//! wakeup – one connection, one request, one instance of a status – after timers and packets. A
//! status is rendered instance by instance as the socket takes it, so that memory is bounded by one
//! instance, however many there are; each instance is true for the moment in which it was rendered.
//! Whoever has not read the whole answer in [`CONTROL_PATIENCE`](crate::limits::CONTROL_PATIENCE) is
//! dropped. While nobody is connected, no memory is held.
//!
//! Read [`request`], [`server`] (all clients), `client` (one of them); [`ask`] is the other side.

pub mod ask;
mod client;
pub mod json;
pub mod request;
pub mod server;
pub mod status;
pub mod text;

/// The runtime directory, unless another one is named.
pub const RUNTIME_DIR: &str = "/var/run/vipd";

/// The first word of each request and each answer: the protocol and its version.
pub const PROTOCOL: &str = "vipd/1";

/// The control socket of a runtime directory.
pub fn socket_path(runtime_dir: &str) -> String {
    [runtime_dir, "/control"].concat()
}
