//! What must hold between the routers of a group at every moment, once the network is quiet.

use vipd::limits;
use vipd::time::{Duration, Instant};
use vipd::vrrp::action::Reason;
use vipd::vrrp::types::State;

use crate::world::{World, require};

pub struct Watch {
    /// Since when nothing is lost, late or asleep; `NEVER` while there is chaos.
    pub quiet_since: Instant,
    dual_since: Vec<Option<Instant>>,
    none_since: Vec<Option<Instant>>,
}

impl Watch {
    pub fn new(groups: usize) -> Self {
        Self {
            quiet_since: Instant::NEVER,
            dual_since: vec![None; groups],
            none_since: vec![None; groups],
        }
    }

    /// Something happened that the routers need an interval to find out.
    pub fn disturbed(&mut self, now: Instant) {
        if self.quiet_since != Instant::NEVER {
            self.quiet_since = self.quiet_since.max(now);
        }
    }
}

impl World {
    /// The time that a word needs to all nodes and back from each.
    pub fn round_trips(&self) -> Duration {
        self.plan.quiet_delay.times(self.nodes.len() as u64)
    }

    /// In quiet times: at most one Active but for the time of a frame, and none for no longer than
    /// the longest Active_Down_Interval.
    pub fn check_groups(&mut self) {
        for group in 0..self.plan.groups.len() {
            let actives = self.nodes.iter().filter(|n| n.is_active(group)).count();
            let participants = self.nodes.iter().filter(|n| n.takes_part(group)).count();
            let now = self.now;
            let since = |holds: bool, slot: &mut Option<Instant>| {
                *slot = if holds { slot.or(Some(now)) } else { None };
                *slot
            };
            let dual = since(actives > 1, &mut self.watch.dual_since[group]);
            let none = since(
                actives == 0 && participants > 0,
                &mut self.watch.none_since[group],
            );
            if self.watch.quiet_since == Instant::NEVER || self.plan.groups[group].misconfigured {
                continue;
            }
            let g = &self.plan.groups[group];
            let quiet = self.watch.quiet_since;
            // Two things that RFC 9568 §6.4.2 asks for let a Backup take over from a live Active,
            // until that one's next advert: a straggler of a router that has just given way teaches
            // it an interval that is too short, and a priority 0 advert may come behind the first
            // advert of the successor.
            let unequal = g.shortest_interval != g.longest_interval;
            let mistaken = unequal || self.released(group);
            let overlap = self.round_trips()
                + if mistaken {
                    g.longest_interval
                } else {
                    Duration::ZERO
                };
            let bound = |since: Instant| {
                (since + overlap).max(quiet + g.longest_interval + self.round_trips())
            };
            require!(
                self,
                dual.is_none_or(|since| now <= bound(since)),
                "group {group}: {actives} Actives since {dual:?}, quiet since {quiet:?}"
            );
            let bound = |since: Instant| since.max(quiet) + g.worst_down + self.plan.quiet_delay;
            require!(
                self,
                none.is_none_or(|since| now <= bound(since)),
                "group {group}: no Active since {none:?}, quiet since {quiet:?}, with {participants} routers"
            );
        }
    }

    /// An Active took over because another one gave up.
    fn released(&self, group: usize) -> bool {
        let reason = |node: &crate::node::Node| {
            let router = node.router.as_ref();
            router.map(|router| router.instances()[group].reason())
        };
        let mut actives = self.nodes.iter().filter(|n| n.is_active(group));
        actives.any(|node| matches!(reason(node), Some(Reason::Released { .. })))
    }

    /// The one Active of a group, if there is exactly one.
    pub fn the_active(&self, group: usize) -> Option<usize> {
        let mut actives = self.nodes.iter().filter(|n| n.is_active(group));
        actives
            .next()
            .map(|n| n.index)
            .filter(|_| actives.next().is_none())
    }

    /// Long enough for every group to come to rest.
    pub fn settling_time(&self) -> Duration {
        let of = |g: &crate::plan::Group| {
            g.worst_down.times(2) + g.longest_interval.times(2) + g.longest_preempt_delay
        };
        let longest = self.plan.groups.iter().map(of).max().unwrap_or_default();
        longest + self.plan.startup_delay + self.round_trips().times(2)
    }

    /// Everybody has found his place: one Active, the right one, with the addresses.
    pub fn check_settled(&mut self) {
        for group in 0..self.plan.groups.len() {
            self.check_kernels(group);
            let g = &self.plan.groups[group];
            if g.misconfigured || !self.nodes.iter().any(|n| n.takes_part(group)) {
                continue;
            }
            let Some(active) = self.the_active(group) else {
                self.fail(&format!("group {group} has not settled: no single Active"));
            };
            let priority = self.plan.nodes[active][group].settings.priority;
            for node in self
                .nodes
                .iter()
                .filter(|n| n.takes_part(group) && n.index != active)
            {
                require!(
                    self,
                    !node.oracles[group].must_replace(priority),
                    "group {group}: node {} leaves node {active} with priority {priority} Active",
                    node.index
                );
                require!(
                    self,
                    node.state(group) == State::Backup,
                    "node {}",
                    node.index
                );
            }
            self.stats.settled_groups += 1;
        }
    }

    fn check_kernels(&self, group: usize) {
        for node in self.nodes.iter().filter(|n| n.runs()) {
            let kernel = node.kernel[group];
            let late = kernel.taken.map(|at| self.now.since(at));
            let restored = late.is_none_or(|late| late <= limits::RESTORE_GAP_MAX);
            let holds = kernel.present || kernel.taken.is_some() && restored;
            let active = node.state(group) == State::Active;
            require!(
                self,
                holds == active,
                "node {} group {group}: kernel {kernel:?}",
                node.index
            );
        }
    }
}
