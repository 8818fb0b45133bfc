//! One thing at a time goes wrong in a whole network, and must be answered in the RFC's time.

use vipd::time::{Duration, Instant};
use vipd::vrrp::types::{Family, State, Version};

use crate::node::Link;
use crate::world::{World, require};

impl World {
    /// A life: chaos and recovery, then trouble that can be measured, several times over.
    pub fn live(&mut self) {
        for group in 0..self.plan.groups.len() {
            self.stats.misconfigured_groups += u64::from(self.plan.groups[group].misconfigured);
            let settings = &self.plan.nodes[0][group].settings;
            self.stats.v2_groups += u64::from(settings.version == Version::V2);
            self.stats.ipv6_groups += u64::from(settings.family == Family::V6);
        }
        for _ in 0..self.rng.between(1, 6) {
            self.chaos();
            self.settle();
            for _ in 0..self.rng.between(0, 3) {
                self.trouble();
                self.settle();
            }
        }
        self.stats.virtual_seconds += self.now.since(crate::world::START).as_secs();
    }

    fn settle(&mut self) {
        let end = self.now.max(self.watch.quiet_since) + self.settling_time();
        // Garbage trickles all the while.
        let parts = self.rng.below(4);
        for _ in 0..parts {
            let pause = end.since(self.now).as_micros() / 2;
            self.run_until(self.now + Duration::from_micros(pause));
            let index = self.rng.index(self.nodes.len());
            self.garbage(index);
        }
        self.run_until(end);
        self.check_settled();
    }

    fn trouble(&mut self) {
        // Not in step with the adverts.
        let pause = Duration::from_micros(self.rng.below(self.unit().as_micros()));
        self.run_until(self.now + pause);
        let group = self.rng.index(self.plan.groups.len());
        let index = self.rng.index(self.nodes.len());
        let active = self.the_active(group);
        match (self.rng.below(6), active) {
            (0, Some(active)) => {
                let due = self.takeovers_due(active, Due::Silence);
                self.crash(active);
                self.stats.checked_crashes += self.expect_takeovers(due);
            }
            (1, Some(active)) => {
                let due = self.takeovers_due(active, Due::Release);
                self.stop(active);
                self.stats.checked_stops += self.expect_takeovers(due);
            }
            (2, Some(active)) => {
                let due = self.takeovers_due(active, Due::Silence);
                let link = self.rng.pick(&[Link::Down, Link::Absent, Link::NoAddress]);
                self.set_link(active, link);
                self.stats.checked_links += self.expect_takeovers(due);
            }
            (3, Some(active)) => {
                self.delete_addresses(active, group);
                self.stats.checked_deletions += 1;
            }
            (4, Some(active)) => {
                let due = self.takeovers_due(active, Due::Silence);
                let span = self.plan.groups[group]
                    .worst_down
                    .times(self.rng.between(1, 3));
                self.stall(active, span);
                self.stats.checked_stalls += self.expect_takeovers(due);
                let awake = self.nodes[active].stalled_until;
                self.run_until(awake.unwrap_or(self.now));
            }
            _ => {
                self.repair(index);
                self.stats.checked_restarts += 1;
            }
        }
    }

    /// For each group in which this node is Active: until when another has to be.
    fn takeovers_due(&self, active: usize, due: Due) -> Vec<(Instant, usize)> {
        let mut all = Vec::new();
        for group in 0..self.plan.groups.len() {
            if self.plan.groups[group].misconfigured || self.the_active(group) != Some(active) {
                continue;
            }
            let theirs = self.plan.nodes[active][group].settings.advert_interval;
            let backups = self
                .nodes
                .iter()
                .filter(|n| n.takes_part(group) && n.index != active);
            let waits = backups.map(|node| match due {
                Due::Silence => node.oracles[group].down(theirs),
                Due::Release => node.oracles[group].skew(theirs),
            });
            if let Some(wait) = waits.min() {
                all.push((self.now + self.plan.quiet_delay + wait, group));
            }
        }
        all.sort_unstable();
        all
    }

    /// Runs to each deadline; somebody is Active by then. How many were checked.
    fn expect_takeovers(&mut self, due: Vec<(Instant, usize)>) -> u64 {
        for (at, group) in &due {
            self.run_until(*at);
            let active = self.nodes.iter().any(|n| n.is_active(*group));
            let states: Vec<State> = self.nodes.iter().map(|n| n.state(*group)).collect();
            require!(
                self,
                active,
                "group {group}: nobody took over in time: {states:?}"
            );
        }
        due.len() as u64
    }
}

#[derive(Clone, Copy)]
enum Due {
    /// Active_Down_Interval after the last advert.
    Silence,
    /// Skew_Time after the priority 0 advert.
    Release,
}
