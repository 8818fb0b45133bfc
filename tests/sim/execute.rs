//! Carries out the actions of a router, in their order, on the modelled kernel and network, and
//! checks each as it comes.

use vipd::limits;
use vipd::vrrp::action::{Action, Change, Id, Reason};
use vipd::vrrp::types::{ChecksumForm, Family, PRIORITY_RELEASE, State, Version};
use vipd::vrrp::wire;

use crate::node::{Kernel, Link, Packet};
use crate::oracle::Heard;
use crate::plan;
use crate::world::{World, require};

impl World {
    pub fn execute(&mut self, node: usize, action: Action, heard: Option<Heard>) {
        self.action_log(node, &action);
        match action {
            Action::Advert(id, priority) => self.send_advert(node, id, priority),
            Action::AddAddresses(id) => self.add_addresses(node, id),
            Action::RemoveAddresses(id) => self.remove_addresses(node, id),
            Action::Announce(id, times) => self.announce(node, id, times),
            Action::StateChanged(id, change) => self.state_changed(node, id, change, heard),
            Action::PriorityChanged(..) | Action::LowerPriority(_) => {}
            Action::Warn(..) => self.warn(node),
        }
    }

    fn send_advert(&mut self, index: usize, id: Id, priority: u8) {
        let group = id.index();
        let node = &self.nodes[index];
        let router = node.router.as_ref().expect("a process that acts exists");
        let reprs: Vec<_> = router.adverts(id, priority).collect();
        let settings = &self.plan.nodes[index][group].settings;
        let to_others = self.nodes.len() - 1;
        let expected = settings.unicast.as_ref().map_or(1, |_| to_others);
        require!(
            self,
            reprs.len() == expected,
            "node {index} sends {} adverts, or has no address to send them from",
            reprs.len()
        );
        let packets: Vec<_> = reprs
            .iter()
            .map(|repr| self.packet(index, group, priority, repr))
            .collect();
        for repr in &reprs {
            if (repr.version, settings.family) == (Version::V3, Family::V4) {
                match repr.checksum {
                    ChecksumForm::Message => self.stats.message_checksums += 1,
                    ChecksumForm::PseudoHeader => self.stats.pseudo_header_checksums += 1,
                }
            }
        }
        self.stats.unicast_adverts += u64::from(settings.unicast.is_some());
        self.stats.adverts += 1;
        self.mark(u64::from(priority) << 8 | index as u64);
        let (now, woke) = (self.now, self.nodes[index].woke);
        if priority != PRIORITY_RELEASE
            && let Err(wrong) = self.nodes[index].oracles[group].sent(now, woke)
        {
            self.fail(&format!("node {index} group {group}: {wrong}"));
        }
        for packet in &packets {
            self.send(index, packet);
        }
    }

    /// The bytes of one advert, which must be what the settings say.
    fn packet(&self, index: usize, group: usize, priority: u8, repr: &wire::Repr<'_>) -> Packet {
        let settings = &self.plan.nodes[index][group].settings;
        require!(
            self,
            repr.interval == settings.advert_interval,
            "node {index} transmits {}",
            repr.interval
        );
        require!(
            self,
            repr.vrid == settings.vrid && repr.version == settings.version,
            "{repr:?}"
        );
        require!(
            self,
            repr.priority == priority && repr.addresses == &*settings.addresses,
            "{repr:?}"
        );
        require!(
            self,
            priority == PRIORITY_RELEASE || priority == settings.priority,
            "priority {priority}"
        );
        let mut packet = Packet {
            source: repr.source,
            destination: repr.destination,
            len: repr.buffer_len(),
            bytes: [0; 64],
        };
        repr.emit(&mut packet.bytes[..packet.len]);
        packet
    }

    fn add_addresses(&mut self, index: usize, id: Id) {
        let kernel = &mut self.nodes[index].kernel[id.index()];
        let before = *kernel;
        *kernel = Kernel {
            present: true,
            taken: None,
        };
        self.stats.restorations += u64::from(before.taken.is_some());
        require!(self, !before.present, "node {index}: addresses added twice");
        self.require_active(index, id, "an address");
    }

    fn remove_addresses(&mut self, index: usize, id: Id) {
        let kernel = &mut self.nodes[index].kernel[id.index()];
        let before = *kernel;
        *kernel = Kernel::default();
        require!(
            self,
            before.present || before.taken.is_some(),
            "node {index}: addresses removed that were not there"
        );
    }

    fn announce(&mut self, index: usize, id: Id, times: u8) {
        require!(self, times > 0, "node {index}: an announcement of nothing");
        self.require_active(index, id, "an announcement");
        // Addresses first, then their announcement; it is pointless while somebody took them away.
        let kernel = self.nodes[index].kernel[id.index()];
        require!(
            self,
            kernel.present || kernel.taken.is_some(),
            "node {index}: announced before it was added"
        );
    }

    fn require_active(&self, index: usize, id: Id, what: &str) {
        let node = &self.nodes[index];
        let state = node.state(id.index());
        require!(
            self,
            state == State::Active,
            "node {index}: {what} in {state}"
        );
        // Back from a stall, it reads and acts before it learns of the link.
        let knows = node.woke < self.now;
        require!(
            self,
            node.link == Link::Up || !knows,
            "node {index}: {what} without a link"
        );
    }

    /// One a second of all instances of a process.
    fn warn(&mut self, index: usize) {
        self.stats.warnings += 1;
        let last = self.nodes[index].warned.last().copied();
        let gap = last.map(|last| self.now.since(last));
        require!(
            self,
            gap.is_none_or(|g| g >= limits::WARN_GAP),
            "node {index}: warned again after {gap:?}"
        );
        self.nodes[index].warned.push(self.now);
    }

    fn state_changed(&mut self, index: usize, id: Id, change: Change, heard: Option<Heard>) {
        let group = id.index();
        let (now, woke) = (self.now, self.nodes[index].woke);
        self.mark(0x1000 | (change.to as u64) << 4 | index as u64);
        let oracle = &mut self.nodes[index].oracles[group];
        match (change.from, change.to) {
            (State::Initialize, State::Backup | State::Active) => oracle.startup(now),
            (State::Backup, State::Active) => {
                let due = oracle.deadline;
                oracle.enter_active();
                require!(
                    self,
                    now >= due,
                    "node {index}: takes over {} early",
                    due.since(now)
                );
                // After a stall the timer is late by as long as the stall was.
                require!(
                    self,
                    now == due || woke == now,
                    "node {index}: takes over {} late",
                    now.since(due)
                );
                self.count_takeover(index, group, change.reason);
            }
            (State::Active, State::Backup) => self.gave_way(index, group, change.reason, heard),
            (_, State::Initialize) => oracle.enter_initialize(),
            _ => self.fail(&format!(
                "node {index}: {change:?} is no transition of the RFC"
            )),
        }
    }

    fn count_takeover(&mut self, index: usize, group: usize, reason: Reason) {
        self.stats.takeovers += 1;
        let delayed = !self.plan.nodes[index][group]
            .settings
            .preempt_delay
            .is_zero();
        match reason {
            Reason::Silence { .. } => self.stats.takeovers_after_silence += 1,
            Reason::Released { .. } => self.stats.takeovers_after_release += 1,
            Reason::Preempted { .. } if delayed => self.stats.delayed_preemptions += 1,
            Reason::Preempted { .. } => self.stats.preemptions += 1,
            _ => self.fail(&format!(
                "node {index}: {reason:?} is no reason for a takeover"
            )),
        }
    }

    fn gave_way(&mut self, index: usize, group: usize, reason: Reason, heard: Option<Heard>) {
        let Some(heard) = heard else {
            self.fail(&format!("node {index}: gave way to nobody"));
        };
        match reason {
            Reason::HigherPriority { .. } => self.stats.yields_to_priority += 1,
            Reason::HigherAddress { .. } => self.stats.yields_to_address += 1,
            Reason::Stalled { late, .. } => {
                self.stats.yields_after_stall += 1;
                let oracle = &mut self.nodes[index].oracles[group];
                // The oracle knows no stalls: it is right only if the process really slept so long.
                let own = self.plan.nodes[index][group].settings.advert_interval;
                let long_enough = late >= oracle.down(own);
                oracle.follow_as_new_backup(heard, self.now);
                let woke = self.nodes[index].woke;
                require!(
                    self,
                    woke == self.now && long_enough,
                    "node {index}: no stall of {late}"
                );
            }
            _ => self.fail(&format!(
                "node {index}: {reason:?} is no reason to give way"
            )),
        }
    }

    /// State, kernel and timers of a node are what they have to be.
    pub fn agree_with_oracle(&mut self, index: usize) {
        let node = &self.nodes[index];
        let Some(router) = &node.router else { return };
        for (group, oracle) in node.oracles.iter().enumerate() {
            let state = node.state(group);
            require!(
                self,
                state == oracle.state,
                "node {index} group {group} is {state}, ought to be {}",
                oracle.state
            );
            let kernel = node.kernel[group];
            let wanted = state == State::Active;
            require!(
                self,
                kernel.present == wanted || wanted && kernel.taken.is_some(),
                "node {index} group {group} is {state}, its kernel {kernel:?}"
            );
            let due = router.instances()[group].poll_at();
            require!(
                self,
                router.poll_at() <= due,
                "node {index}: a timer that the queue does not know"
            );
            require!(
                self,
                state != State::Backup || due == oracle.deadline,
                "node {index} group {group}: Active_Down_Timer at {due:?}, ought to be {:?}",
                oracle.deadline
            );
        }
    }

    /// No running node sleeps through what it has to do.
    pub fn check_silence(&self) {
        for node in self.nodes.iter().filter(|node| node.runs()) {
            for oracle in &node.oracles {
                if let Err(wrong) = oracle.quiet_for(self.now, node.woke) {
                    self.fail(&format!("node {}: {wrong}", node.index));
                }
            }
        }
    }

    /// The link of a node changes, and the kernel tells the process.
    pub fn set_link(&mut self, index: usize, link: Link) {
        if link == Link::Absent {
            // The kernel takes the addresses of an interface with it.
            let now = self.now;
            for kernel in &mut self.nodes[index].kernel {
                let taken = kernel.taken.or(kernel.present.then_some(now));
                *kernel = Kernel {
                    present: false,
                    taken,
                };
            }
        }
        self.nodes[index].link = link;
        self.log(|| format!("node {index} link {link:?}"));
        match link {
            Link::Up => {}
            Link::Down => self.stats.links_down += 1,
            Link::Absent => self.stats.interfaces_gone += 1,
            Link::NoAddress => self.stats.addresses_gone += 1,
        }
        // A process that stands still learns of it when it wakes up.
        if self.nodes[index].runs() {
            self.tell_link(index);
        }
    }

    /// The address that a forged advert comes from: nobody of this world.
    pub fn stranger(&self, family: Family) -> std::net::IpAddr {
        match plan::source(0, family) {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::new(192, 0, 2, 199).into(),
            std::net::IpAddr::V6(_) => {
                std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x199).into()
            }
        }
    }

    /// The bytes of an advert to node `to` that no router of this world sends.
    pub fn forge(&self, group: usize, like: usize, to: usize, priority: u8) -> Packet {
        let settings = &self.plan.nodes[like][group].settings;
        let repr = wire::Repr {
            version: settings.version,
            vrid: settings.vrid,
            priority,
            interval: settings.advert_interval,
            auth: settings.auth,
            checksum: ChecksumForm::Message,
            source: self.stranger(settings.family),
            destination: match settings.unicast {
                Some(_) => plan::source(to, settings.family),
                None => plan::destination(settings.family),
            },
            addresses: &settings.addresses,
        };
        let mut packet = Packet {
            source: repr.source,
            destination: repr.destination,
            len: repr.buffer_len(),
            bytes: [0; 64],
        };
        repr.emit(&mut packet.bytes[..packet.len]);
        packet
    }
}
