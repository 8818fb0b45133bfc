//! Faults, drawn at random.

use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Actions};
use vipd::vrrp::instance::Event;
use vipd::vrrp::types::State;
use vipd::vrrp::validate::Received;

use crate::node::{Link, Packet};
use crate::plan;
use crate::world::{World, require};

impl World {
    /// Some time of everything going wrong; then the network is whole again, though routers may
    /// stay dead or cut off.
    pub fn chaos(&mut self) {
        let unit = self.unit();
        self.watch.quiet_since = Instant::NEVER;
        let (loss, duplicates) = (self.rng.pick(&[0, 5, 30, 80]), self.rng.pick(&[0, 10]));
        let delay = unit.times(self.rng.between(0, 3));
        self.weather(|w| {
            (w.loss_percent, w.duplicate_percent, w.delay, w.in_order) =
                (loss, duplicates, delay, false);
        });
        for _ in 0..self.rng.between(3, 25) {
            let pause = Duration::from_micros(self.rng.below(unit.as_micros() * 3));
            self.run_until(self.now + pause);
            self.fault();
        }
        self.heal();
    }

    /// The longest interval of the world.
    pub fn unit(&self) -> Duration {
        self.plan
            .groups
            .iter()
            .map(|g| g.longest_interval)
            .max()
            .unwrap_or_default()
    }

    fn heal(&mut self) {
        let quiet_delay = self.plan.quiet_delay;
        self.weather(|w| {
            (w.loss_percent, w.duplicate_percent, w.delay, w.in_order) = (0, 0, quiet_delay, true);
            w.blocked.iter_mut().for_each(|row| row.fill(false));
        });
        let asleep = self.nodes.iter().filter_map(|n| n.stalled_until).max();
        self.run_until(asleep.unwrap_or(self.now));
        for index in 0..self.nodes.len() {
            if self.rng.percent(75) {
                self.repair(index);
            }
        }
        self.watch.quiet_since = self.last_arrival();
    }

    pub fn repair(&mut self, index: usize) {
        if self.nodes[index].link != Link::Up {
            self.set_link(index, Link::Up);
        }
        if self.nodes[index].router.is_none() {
            self.stats.restarts += 1;
            self.start(index);
        }
    }

    fn fault(&mut self) {
        let index = self.rng.index(self.nodes.len());
        let group = self.rng.index(self.plan.groups.len());
        let unit = self.unit();
        match self.rng.below(14) {
            0 => self.partition(),
            1 => self.one_way(),
            2 => self.weather(|w| w.blocked.iter_mut().for_each(|row| row.fill(false))),
            3 if self.nodes[index].router.is_some() => self.crash(index),
            4 if self.nodes[index].runs() => self.stop(index),
            5 | 6 => self.repair(index),
            7 => {
                let link = self.rng.pick(&[Link::Down, Link::Absent, Link::NoAddress]);
                if self.nodes[index].link == Link::Up {
                    self.set_link(index, link);
                }
            }
            8 if self.nodes[index].runs() => {
                let span = Duration::from_micros(self.rng.below(unit.as_micros() * 8) + 1);
                self.stall(index, span);
            }
            9 => self.delete_addresses(index, group),
            10 => self.forge_advert(group),
            11 => self.forge_release(group),
            _ => self.garbage(index),
        }
    }

    /// Two halves that do not hear each other.
    fn partition(&mut self) {
        let count = self.nodes.len();
        let side: Vec<bool> = (0..count).map(|_| self.rng.percent(50)).collect();
        self.stats.partitions += 1;
        self.weather(|w| {
            for from in 0..count {
                for to in 0..count {
                    w.blocked[from][to] = side[from] != side[to];
                }
            }
        });
    }

    /// One node is heard by another no more, but hears it.
    fn one_way(&mut self) {
        let (from, to) = (
            self.rng.index(self.nodes.len()),
            self.rng.index(self.nodes.len()),
        );
        self.stats.one_way_partitions += 1;
        self.weather(|w| w.blocked[from][to] = true);
    }

    /// SIGTERM: every instance gives up, then the process is gone and leaves nothing behind.
    pub fn stop(&mut self, index: usize) {
        self.log(|| format!("node {index} is stopped"));
        for group in 0..self.plan.groups.len() {
            self.event(index, group, Event::Shutdown);
        }
        self.stats.clean_stops += 1;
        let node = &mut self.nodes[index];
        node.router = None;
        require!(
            self,
            self.nodes[index].kernel.iter().all(|k| !k.present),
            "node {index} stopped and left addresses behind"
        );
    }

    /// `ip addr del` by hand.
    pub fn delete_addresses(&mut self, index: usize, group: usize) {
        let now = self.now;
        let node = &mut self.nodes[index];
        if !node.runs() || !node.kernel[group].present {
            return;
        }
        node.kernel[group].present = false;
        node.kernel[group].taken = Some(now);
        self.stats.addresses_deleted += 1;
        self.log(|| format!("node {index} group {group}: addresses deleted by hand"));
        self.event(index, group, Event::AddressLost);
    }

    fn forge_advert(&mut self, group: usize) {
        let like = self.rng.index(self.nodes.len());
        let priority = self.rng.between(1, 255) as u8;
        self.stats.forged_adverts += 1;
        self.inject_everywhere(group, like, priority);
    }

    fn forge_release(&mut self, group: usize) {
        let like = self.rng.index(self.nodes.len());
        self.stats.forged_releases += 1;
        self.inject_everywhere(group, like, 0);
    }

    fn inject_everywhere(&mut self, group: usize, like: usize, priority: u8) {
        for to in 0..self.nodes.len() {
            let packet = self.forge(group, like, to, priority);
            self.inject(to, packet);
        }
    }

    /// A frame that must not be believed: it changes a counter and nothing else.
    pub fn garbage(&mut self, index: usize) {
        if !self.nodes[index].runs() {
            return;
        }
        let group = self.rng.index(self.plan.groups.len());
        let (packet, ttl) = self.bad_packet(index, group);
        let (now, payload) = (self.now, packet.payload().to_vec());
        let before = self.snapshot(index);
        let mut actions = Actions::new();
        if let Some(router) = &mut self.nodes[index].router {
            let (source, destination) = (packet.source, packet.destination);
            let received = Received {
                link: 0,
                source,
                destination,
                ttl,
                payload: &payload,
            };
            router.receive(&received, now, &mut actions);
        }
        let after = self.snapshot(index);
        require!(
            self,
            before.0 == after.0,
            "node {index}: garbage {payload:02x?} moved {before:?} to {after:?}"
        );
        let warnings = actions.iter().all(|a| matches!(a, Action::Warn(..)));
        require!(
            self,
            warnings,
            "node {index}: garbage {payload:02x?} draws {actions:?}"
        );
        actions
            .iter()
            .for_each(|action| self.execute(index, *action, None));
        self.stats.garbage += 1;
        self.stats.garbage_dropped += u64::from(after.1 - before.1);
    }

    fn bad_packet(&mut self, index: usize, group: usize) -> (Packet, u8) {
        let mut packet = self.forge(group, index, index, 255);
        let family = self.plan.groups[group].family;
        let unicast = self.plan.nodes[index][group].settings.unicast.is_some();
        let mut ttl = 255;
        match self.rng.below(6) {
            // Unicast adverts may have any TTL.
            0 if !unicast => ttl = self.rng.below(255) as u8,
            1 => packet.len = self.rng.index(packet.len),
            2 => packet.source = plan::source(index, family),
            0 | 3 if unicast => packet.destination = plan::destination(family),
            3 => packet.destination = plan::source(index, family),
            4 => {
                let (byte, bit) = (self.rng.index(packet.len), self.rng.below(8));
                packet.bytes[byte] ^= 1 << bit;
            }
            _ => {
                packet.len = self.rng.index(packet.bytes.len());
                for byte in &mut packet.bytes[..packet.len] {
                    *byte = self.rng.next() as u8;
                }
                // A version that nobody speaks, lest chance makes it an advert.
                packet.bytes[0] |= 0x80;
            }
        }
        (packet, ttl)
    }

    /// States, deadlines and accepted adverts of a node; and how many frames it dropped.
    fn snapshot(&self, index: usize) -> (Vec<(State, Instant, u64)>, u32) {
        let Some(router) = &self.nodes[index].router else {
            return (Vec::new(), 0);
        };
        let of =
            |drops: &vipd::vrrp::counters::Drops| drops.occurred().map(|(_, n)| n).sum::<u32>();
        let instances = router.instances();
        let seen = instances
            .iter()
            .map(|i| (i.state(), i.poll_at(), i.counters().received));
        let dropped = instances
            .iter()
            .map(|i| of(&i.counters().drops))
            .sum::<u32>();
        (seen.collect(), dropped + of(router.drops()))
    }
}
