//! `dhcp follow`: this host's DHCP servers are deaf on the interface of an instance that is not Active.
//!
//! They run all the time, on both routers, and know nothing of it: requests are dropped before they
//! reach them. The table goes with its owner, so that a vipd that stops, or is killed, leaves the
//! servers as they were.

use crate::config::model::Config;
use crate::limits;
use crate::log;
use crate::netlink::nft::{Purpose, Refused};
use crate::time::Instant;
use crate::vrrp::action::Id;
use crate::vrrp::opening::Opening;
use crate::vrrp::types::State;

use super::drops::{Drops, Unenforceable};
use super::executor::Context;
use super::links::{Links, Slot};

/// The interfaces whose DHCP follows an instance.
pub(super) struct Dhcp {
    drops: Drops,
    gates: Vec<Gate>,
}

/// One of them: requests over IPv4 and over IPv6 (RFC 2131 §4.1, RFC 8415 §7.2).
#[derive(Clone, Copy)]
pub(super) struct Gate {
    instance: Id,
    ports: [Refused; 2],
    opening: Opening,
}

/// Those of a configuration.
pub(super) fn gates(config: &Config, links: &Links, link_of: &[Slot]) -> Vec<Gate> {
    let mut gates: Vec<Gate> = Vec::new();
    for (index, instance) in config.instances.iter().enumerate() {
        if !instance.dhcp {
            continue;
        }
        let name = &links.get(link_of[index]).name;
        let gate = Gate {
            instance: Id(index as u16),
            ports: limits::DHCP_PORTS.map(|port| Refused::port(name, port)),
            opening: Opening::default(),
        };
        // Two names of one interface: the first instance counts.
        if !has(&gates, &gate) {
            gates.push(gate);
        }
    }
    gates
}

fn has(gates: &[Gate], gate: &Gate) -> bool {
    gates.iter().any(|known| known.ports == gate.ports)
}

impl Dhcp {
    /// Nothing follows.
    pub(super) fn new() -> Self {
        Self {
            drops: Drops::new(Purpose::Dhcp),
            gates: Vec::new(),
        }
    }

    /// Shuts those of `gates` that are new: nobody is Active there as far as is known.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(super) fn widen(&mut self, gates: &[Gate]) -> Result<(), Unenforceable> {
        let mut new = Vec::new();
        for gate in gates.iter().filter(|gate| !has(&self.gates, gate)) {
            new.extend_from_slice(&gate.ports);
        }
        self.drops.widen(&new)
    }

    /// Opens for good what is not in `gates`, which [`Dhcp::widen`] knows.
    pub(super) fn narrow(&mut self, gates: Vec<Gate>) {
        for old in core::mem::replace(&mut self.gates, gates) {
            if !has(&self.gates, &old) {
                self.set(&old, false);
            }
        }
        if self.gates.is_empty() {
            self.drops.narrow(Vec::new());
        }
    }

    /// Opens where this router is Active, and shuts where it is not.
    pub(super) fn tend(&mut self, context: &Context<'_>, now: Instant) {
        for index in 0..self.gates.len() {
            let mut gate = self.gates[index];
            let active = context.router.instance(gate.instance).state() == State::Active;
            let shut = self.drops.has(&gate.ports[0]);
            if let Some(shut) = gate.opening.tend(active, shut, now) {
                self.set(&gate, shut);
            }
            self.gates[index] = gate;
        }
    }

    /// When [`Dhcp::tend`] has something to do.
    pub(super) fn poll_at(&self) -> Instant {
        let due = self.gates.iter().map(|gate| gate.opening.poll_at());
        Instant::earliest(due)
    }

    /// The instance has one, and requests are dropped there.
    pub(super) fn is_shut(&self, instance: Id) -> bool {
        let mut gates = self.gates.iter().filter(|gate| gate.instance == instance);
        gates.any(|gate| self.drops.has(&gate.ports[0]))
    }

    fn set(&mut self, gate: &Gate, shut: bool) {
        if self.drops.has(&gate.ports[0]) == shut {
            return;
        }
        if let Err(error) = self.drops.switch(&gate.ports, shut) {
            let what = if shut { "still" } else { "not yet" };
            log::error!("DHCP is {what} served here, although it follows the Active: {error}");
        }
    }
}
