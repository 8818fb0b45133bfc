//! A router of the world: the real core, and a model of the kernel under it.

use std::collections::VecDeque;
use std::net::IpAddr;

use vipd::time::Instant;
use vipd::vrrp::instance::LinkState;
use vipd::vrrp::router::Router;
use vipd::vrrp::types::{Family, State};

use crate::oracle::Oracle;
use crate::plan;

/// Frames that wait for a process which stands still; the kernel drops the rest.
pub const SOCKET_BUFFER: usize = 64;

/// An advert on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub len: usize,
    pub bytes: [u8; 64],
}

impl Packet {
    pub fn payload(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What the interface is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Up,
    Down,
    Absent,
    NoAddress,
}

/// The virtual addresses of one group in this node's kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    pub present: bool,
    /// When somebody took them out under the feet of the process.
    pub taken: Option<Instant>,
}

pub struct Node {
    pub index: usize,
    /// The process; none while it is dead.
    pub router: Option<Router>,
    pub link: Link,
    pub started: Instant,
    /// SIGSTOP until then.
    pub stalled_until: Option<Instant>,
    /// When it last came back from a stall, or started.
    pub woke: Instant,
    pub inbox: VecDeque<Packet>,
    pub oracles: Vec<Oracle>,
    pub kernel: Vec<Kernel>,
    /// When each instance warned, for the rate limit.
    pub warned: Vec<Instant>,
}

impl Node {
    pub fn source(&self, family: Family) -> IpAddr {
        plan::source(self.index, family)
    }

    /// The process exists and is not stopped.
    pub fn runs(&self) -> bool {
        self.router.is_some() && self.stalled_until.is_none()
    }

    /// It takes part: it runs, hears and can be heard.
    pub fn takes_part(&self, group: usize) -> bool {
        self.runs() && self.link == Link::Up && self.state(group) != State::Initialize
    }

    pub fn state(&self, group: usize) -> State {
        let instance = |router: &Router| router.instances()[group].state();
        self.router.as_ref().map_or(State::Initialize, instance)
    }

    /// Active, and what hosts would meet.
    pub fn is_active(&self, group: usize) -> bool {
        self.takes_part(group) && self.state(group) == State::Active
    }

    /// What the process is told of the interface.
    pub fn link_state(&self, family: Family) -> LinkState {
        match self.link {
            Link::Up => LinkState::Up(Some(self.source(family))),
            Link::Down => LinkState::Down,
            Link::Absent => LinkState::Absent,
            Link::NoAddress => LinkState::Up(None),
        }
    }

    /// When its next timer fires.
    pub fn poll_at(&self) -> Instant {
        match &self.router {
            Some(router) if self.stalled_until.is_none() => router.poll_at(),
            _ => Instant::NEVER,
        }
    }
}
