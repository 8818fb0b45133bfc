//! Probes: what lies behind an interface is asked whether it answers.
//!
//! Bytes and deadlines only: no socket, no clock, no log, and no heap. A [`Schedule`] says when to ask
//! again and what the answers add up to; [`echo`], [`arp`] and [`dns`] write the questions and read what
//! comes back, which may be anything. The sockets are in `sys::probe`, and `daemon::watch::probes` puts
//! both together in the one loop.

pub mod arp;
pub mod dns;
pub mod echo;
pub mod schedule;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

pub use schedule::Schedule;

use crate::time::Duration;
use crate::vrrp::types::Family;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// An ICMP echo request.
    Ping(IpAddr),
    /// Who has this address on the segment?
    Arp(Ipv4Addr),
    /// Whether a connection is accepted.
    Tcp(IpAddr, u16),
    /// A name server, for the address of a name.
    Dns {
        /// The name, as [`dns::is_name`] wants it.
        name: Box<str>,
        /// The server.
        server: IpAddr,
    },
    /// The kernel, for a default route through the interface.
    DefaultRoute(Family),
}

/// How often it is asked, and which answers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// From one question to the next.
    pub interval: Duration,
    /// How long an answer may take; not above the interval.
    pub timeout: Duration,
    /// Successes in a row after which it is up.
    pub rise: u8,
    /// Failures in a row after which it is down.
    pub fall: u8,
}

/// Why there is no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// A router on the way, or this machine's own kernel, knows no way.
    Unreachable,
    /// The host is there, and nothing listens.
    Refused,
    /// The name server's answer is this error (RFC 1035 §4.1.1).
    Rcode(u8),
    /// No default route goes through the interface.
    NoDefaultRoute,
    /// There is no such interface.
    NoInterface,
    /// The interface is down.
    InterfaceDown,
    /// The kernel did not send the question: an errno.
    NotSent(i32),
}

impl Failure {
    /// What is not about an answer, but known for sure: it counts at once.
    pub fn is_final(self) -> bool {
        matches!(self, Self::NoInterface | Self::InterfaceDown)
    }

    /// What the operator can look at.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Timeout => "look at the way there, and for a firewall that drops it",
            Self::Unreachable => "look at the routes of this router and of the next ones",
            Self::Refused => "start what should listen there, or correct the port",
            Self::Rcode(_) => "look at the name server, or correct the name",
            Self::NoDefaultRoute => "look at how the interface gets its route",
            Self::NoInterface => "correct the name, or wait until it is made",
            Self::InterfaceDown => "look at the cable and the other end",
            Self::NotSent(_) => "look at the interface's addresses and at the firewall",
        }
    }
}

/// As in the configuration.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(address) => write!(f, "ping {address}"),
            Self::Arp(address) => write!(f, "arp {address}"),
            Self::Tcp(IpAddr::V4(address), port) => write!(f, "tcp {address}:{port}"),
            Self::Tcp(IpAddr::V6(address), port) => write!(f, "tcp [{address}]:{port}"),
            Self::Dns { name, server } => write!(f, "dns {name} @{server}"),
            Self::DefaultRoute(Family::V4) => f.write_str("default_route"),
            Self::DefaultRoute(Family::V6) => f.write_str("default_route ipv6"),
        }
    }
}
