//! All virtual routers of this machine: who a packet is for, and whose timer fires next.

use alloc::rc::Rc;
use core::net::IpAddr;

use super::action::{Action, Actions, Id, Warning};
use super::counters::Drops;
use super::drop::DropReason;
use super::group::Groups;
use super::hints::Hints;
use super::instance::{Event, Instance, Standing};
use super::timers::Queue;
use super::track::{Reading, Tracker};
use super::types::{
    ChecksumForm, Family, GROUP6, PRIORITY_RELEASE, Settings, State, Version, is_link_local,
};
use super::validate::{Advert, Expected, Received, validate};
use super::wire::{Packet, Repr};
use crate::limits;
use crate::time::{Duration, Instant};

/// One virtual router to be: its parameters and its interface.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The slot of the interface in the daemon's table.
    pub link: u16,
    /// The parameters, shared with whoever made them.
    pub settings: Rc<Settings>,
}

/// All virtual routers. Storage is allocated when it is made, and never after.
#[derive(Debug)]
pub struct Router {
    instances: Vec<Instance>,
    demux: Demux,
    timers: Queue,
    groups: Groups,
    group4: IpAddr,
    /// No instance leaves Initialize before this.
    startup_at: Instant,
    /// The addresses that the instances send from and their interfaces, each once.
    sources: Vec<(u16, IpAddr)>,
    drops: Drops,
    searches: Searches,
    hints: Hints,
}

impl Router {
    /// Every instance is in Initialize until its link is reported, and `startup_delay` at least.
    pub fn new(specs: Vec<Spec>, group4: IpAddr, startup_delay: Duration, now: Instant) -> Self {
        let startup_at = if startup_delay.is_zero() {
            Instant::ZERO
        } else {
            now + startup_delay
        };
        let mut router = Self {
            instances: Vec::new(),
            demux: Demux::new(&[]),
            timers: Queue::new(0),
            groups: Groups::default(),
            group4,
            startup_at,
            sources: Vec::new(),
            drops: Drops::default(),
            searches: Searches::default(),
            hints: Hints::new(),
        };
        let matches = router.matches(&specs);
        router.rearrange(specs, &matches, group4, now);
        router
    }

    /// Which instances of `specs` there are already: the same interface, family and VRID, whatever
    /// their names. The result stands beside `specs`.
    pub fn matches(&self, specs: &[Spec]) -> Vec<Option<Id>> {
        let mut matches = Vec::with_capacity(specs.len());
        for spec in specs {
            let Settings { family, vrid, .. } = *spec.settings;
            matches.push(self.demux.find(spec.link, family, vrid));
        }
        matches
    }

    /// Rearranges the instances in the order of `specs`. Those of `matches` stay as they are, for
    /// [`Router::reconfigure`]; the rest of `specs` is new; what is left over is dropped.
    pub fn rearrange(
        &mut self,
        mut specs: Vec<Spec>,
        matches: &[Option<Id>],
        group4: IpAddr,
        now: Instant,
    ) {
        specs.truncate(limits::INSTANCES);
        self.demux = Demux::new(&specs);
        self.group4 = group4;
        self.hints.renumber(matches);
        let mut old = core::mem::take(&mut self.instances);
        self.instances.reserve_exact(specs.len());
        for (index, (spec, matched)) in specs.into_iter().zip(matches).enumerate() {
            let id = Id(index as u16);
            let kept = matched.and_then(|id| old.iter().position(|old| old.id == id));
            let mut instance = match kept {
                Some(place) => old.swap_remove(place),
                None => Instance::new(id, spec.settings, self.startup_at, now),
            };
            instance.id = id;
            self.instances.push(instance);
        }
        self.timers = Queue::new(self.instances.len() as u16);
        for instance in &self.instances {
            self.timers.set(instance.id.0, instance.poll_at());
        }
        self.sources.reserve(self.instances.len());
        self.collect_sources();
    }

    /// New parameters for an instance; its interface, family and VRID are what they were.
    pub fn reconfigure(&mut self, id: Id, settings: Rc<Settings>, now: Instant, out: &mut Actions) {
        self.with(id, now, |instance| instance.reconfigure(settings, now, out));
    }

    /// The sync groups, each by its members: before anything else after [`Router::new`] and
    /// [`Router::rearrange`], which know of none.
    pub fn set_groups(&mut self, groups: Vec<Vec<Id>>, now: Instant) {
        self.groups = Groups::new(groups, &mut self.instances, now);
    }

    /// The state of each sync group, in the order of [`Router::set_groups`]: that of its members, none
    /// while they differ.
    pub fn group_states(&self) -> impl Iterator<Item = Option<State>> + '_ {
        self.groups.states(&self.instances)
    }

    /// What an instance's trackers see now.
    pub fn track(
        &mut self,
        id: Id,
        read: &dyn Fn(&Tracker) -> Reading,
        now: Instant,
        out: &mut Actions,
    ) {
        self.with(id, now, |instance| instance.track(read, now, out));
    }

    /// When [`Router::poll`] wants to be called: at the next timer, or before it.
    pub fn poll_at(&self) -> Instant {
        self.groups.due.min(self.timers.earliest())
    }

    /// Lets one instance whose deadline has passed act; false if there is none.
    pub fn poll(&mut self, now: Instant, out: &mut Actions) -> bool {
        if self.groups.due != Instant::NEVER
            && let Some((id, event)) = self.groups.next(&self.instances)
        {
            self.handle(id, event, now, out);
            return true;
        }
        while let Some((_, id)) = self.timers.first().filter(|(at, _)| *at <= now) {
            let instance = &mut self.instances[usize::from(id)];
            let due = instance.poll_at() <= now;
            if due {
                let before = instance.standing();
                instance.on_timer(now, out);
                if instance.is_member() && instance.standing() != before {
                    self.groups.due = now;
                }
            }
            self.timers.set(id, instance.poll_at());
            if due {
                return true;
            }
        }
        false
    }

    /// Something else than a packet or a timer happened to an instance.
    pub fn handle(&mut self, id: Id, event: Event, now: Instant, out: &mut Actions) {
        self.with(id, now, |instance| instance.handle(event, now, out));
        if let Event::Link(_) = event {
            self.collect_sources();
        }
    }

    fn collect_sources(&mut self) {
        self.sources.clear();
        for (key, id) in &self.demux.0 {
            let place = self.instances[id.index()]
                .source()
                .map(|s| (Demux::link(*key), s));
            self.sources
                .extend(place.filter(|place| !self.sources.contains(place)));
        }
    }

    /// A packet of protocol 112 came in: judge it, count it, act on it.
    pub fn receive(&mut self, received: &Received<'_>, now: Instant, out: &mut Actions) {
        let id = Packet::peek_vrid(received.payload).and_then(|vrid| {
            self.demux
                .find(received.link, Family::of(&received.source), vrid)
        });
        match validate(received, &self.expected(received, id)) {
            Ok(advert) => {
                if let Some(id) = id {
                    self.accept(id, &advert, now, out);
                }
            }
            Err(reason) => self.reject(id, received, reason, now, out),
        }
    }

    /// Counts a frame that was dropped before its VRRP message was looked at.
    pub fn count_drop(&mut self, reason: DropReason) {
        self.drops.count(reason);
    }

    fn expected(&self, received: &Received<'_>, id: Option<Id>) -> Expected<'_> {
        let instance = id.map(|id| &self.instances[id.index()]);
        let destination = received.destination;
        let group = self.group(Family::of(&received.source));
        // Nobody's VRID is told as such, with unicast too.
        let addressed_to_nobody =
            || destination == group || self.is_own(received.link, destination);
        Expected {
            addressed: instance.map_or_else(addressed_to_nobody, |instance| {
                instance.is_destination(destination, group)
            }),
            own: self.is_own(received.link, received.source),
            settings: instance.map(Instance::settings),
            form: instance.map_or(ChecksumForm::PseudoHeader, Instance::checksum_form),
        }
    }

    /// Our own address, wherever it comes in; a link-local one is ours on its own link only.
    fn is_own(&self, here: u16, address: IpAddr) -> bool {
        let one_link = is_link_local(&address);
        let mut sources = self.sources.iter();
        sources.any(|(link, source)| *source == address && (*link == here || !one_link))
    }

    fn accept(&mut self, id: Id, advert: &Advert<'_>, now: Instant, out: &mut Actions) {
        if self.instances[id.index()].state() == State::Initialize {
            self.instances[id.index()]
                .counters
                .drops
                .count(DropReason::NotRunning);
            return;
        }
        self.with(id, now, |instance| instance.on_advert(advert, now, out));
        if advert.priority != PRIORITY_RELEASE {
            self.compare(id, advert, now, out);
        }
    }

    /// v3: an interval or a list of addresses that differs is told, not dropped.
    fn compare(&mut self, id: Id, advert: &Advert<'_>, now: Instant, out: &mut Actions) {
        let instance = &mut self.instances[id.index()];
        let settings = instance.settings();
        let source = advert.source;
        if settings.version == Version::V3 && advert.interval != settings.advert_interval {
            let warning = Warning::Interval {
                source,
                theirs: advert.interval,
            };
            self.warn(id, warning, now, out);
        }
        let instance = &mut self.instances[id.index()];
        if !instance.wants_comparison(&source) {
            return;
        }
        if !same_addresses(advert, &instance.settings().addresses) && self.searches.allow(now) {
            let instance = &self.instances[id.index()];
            if !same_set(advert, &instance.settings().addresses) {
                let warning = Warning::Addresses {
                    source,
                    count: advert.packet.count(),
                };
                self.warn(id, warning, now, out);
            }
        }
    }

    fn reject(
        &mut self,
        id: Option<Id>,
        received: &Received<'_>,
        reason: DropReason,
        now: Instant,
        out: &mut Actions,
    ) {
        let Some(id) = id else {
            self.drops.count(reason);
            if reason == DropReason::UnknownVrid && self.searches.allow(now) {
                self.search(received, now, out);
            }
            return;
        };
        self.instances[id.index()].counters.drops.count(reason);
        self.warn(
            id,
            Warning::Dropped {
                reason,
                source: received.source,
            },
            now,
            out,
        );
    }

    /// Does another pair's advert, which is whole, name one of our addresses?
    fn search(&mut self, received: &Received<'_>, now: Instant, out: &mut Actions) {
        let Ok(packet) = Packet::new_checked(received.payload, Family::of(&received.source)) else {
            return;
        };
        let mut budget = limits::COMPARISONS;
        let hit = packet.addresses().find_map(|address| {
            Some((self.carrier(received.link, address, &mut budget)?, address))
        });
        if let Some((id, address)) = hit {
            let warning = Warning::ForeignVrid {
                source: received.source,
                vrid: packet.vrid(),
                address,
            };
            self.warn(id, warning, now, out);
        }
    }

    /// The instance of the interface that has this virtual address; none when `budget` is used up.
    fn carrier(&self, link: u16, address: IpAddr, budget: &mut usize) -> Option<Id> {
        let carries = |(_, id): &&(u32, Id)| {
            let own = &self.instances[id.index()].settings().addresses;
            let affordable = own.len().min(*budget);
            *budget -= affordable;
            own[..affordable].contains(&address)
        };
        let found = self.demux.of_link(link).iter().find(carries);
        found.map(|(_, id)| *id)
    }

    fn warn(&mut self, id: Id, warning: Warning, now: Instant, out: &mut Actions) {
        if self.hints.allow(id, &warning, now) {
            super::instance::push(out, Action::Warn(id, warning));
        }
    }

    fn with(&mut self, id: Id, now: Instant, act: impl FnOnce(&mut Instance)) {
        let instance = &mut self.instances[id.index()];
        let before = instance.standing();
        act(instance);
        self.has_acted(id, before, now);
    }

    /// What follows, whatever it did.
    fn has_acted(&mut self, id: Id, before: Standing, now: Instant) {
        let instance = &self.instances[id.index()];
        if instance.is_member() && instance.standing() != before {
            self.groups.due = self.groups.due.min(now);
        }
        // A later deadline is seen by `poll` when the earlier one has come: a Backup's moves with
        // every advert.
        self.timers.bring_forward(id.0, instance.poll_at());
    }

    /// Where adverts of this family go.
    pub fn group(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.group4,
            Family::V6 => GROUP6,
        }
    }

    /// The adverts of an [`Action::Advert`]: one to the multicast group, or one to each peer; none
    /// if the source address has gone meanwhile.
    pub fn adverts(&self, id: Id, priority: u8) -> impl Iterator<Item = Repr<'_>> {
        let instance = self.instance(id);
        let group = self.group(instance.settings().family);
        let unicast = instance.settings().unicast.as_deref();
        let mut place = 0;
        core::iter::from_fn(move || {
            loop {
                let destination = match unicast {
                    Some(unicast) => unicast.peers.get(place)?.address,
                    None if place == 0 => group,
                    None => return None,
                };
                place += 1;
                // All routers may have one list, with themselves in it.
                if instance.source() == Some(destination) {
                    continue;
                }
                if let Some(advert) = instance.advert(priority, destination) {
                    return Some(advert);
                }
            }
        })
    }

    /// One virtual router. A call, which is smaller in its many places.
    #[inline(never)]
    pub fn instance(&self, id: Id) -> &Instance {
        &self.instances[id.index()]
    }

    /// All of them, in the order of the configuration.
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// Their names in [`Action`]s.
    pub fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        (0..self.instances.len() as u16).map(Id)
    }

    /// Frames that belong to no instance.
    pub fn drops(&self) -> &Drops {
        &self.drops
    }
}

/// (link, family, VRID) → instance, sorted.
#[derive(Debug)]
struct Demux(Vec<(u32, Id)>);

impl Demux {
    fn new(specs: &[Spec]) -> Self {
        let mut table = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let Settings { family, vrid, .. } = *spec.settings;
            let entry = (Self::key(spec.link, family, vrid), Id(index as u16));
            let place = table.partition_point(|before| *before < entry);
            table.insert(place, entry);
        }
        Self(table)
    }

    fn key(link: u16, family: Family, vrid: u8) -> u32 {
        u32::from(link) << 16 | (family as u32) << 8 | u32::from(vrid)
    }

    fn link(key: u32) -> u16 {
        (key >> 16) as u16
    }

    fn find(&self, link: u16, family: Family, vrid: u8) -> Option<Id> {
        let key = Self::key(link, family, vrid);
        self.0
            .binary_search_by_key(&key, |(k, _)| *k)
            .ok()
            .map(|i| self.0[i].1)
    }

    fn of_link(&self, link: u16) -> &[(u32, Id)] {
        let from = self.0.partition_point(|(k, _)| k >> 16 < u32::from(link));
        let to = self.0.partition_point(|(k, _)| k >> 16 <= u32::from(link));
        &self.0[from..to]
    }
}

/// A budget for searches through lists of addresses, so that a flood buys no work.
#[derive(Debug, Default)]
struct Searches {
    second: u64,
    used: u8,
}

impl Searches {
    fn allow(&mut self, now: Instant) -> bool {
        let second = now.as_micros() / 1_000_000;
        if second != self.second {
            *self = Self { second, used: 0 };
        }
        self.used = self.used.saturating_add(1);
        self.used <= limits::SEARCHES_PER_SECOND
    }
}

/// The same addresses in the same order: what almost every advert shows.
fn same_addresses(advert: &Advert<'_>, ours: &[IpAddr]) -> bool {
    advert.packet.addresses().eq(ours.iter().copied())
}

/// The same addresses in any order.
fn same_set(advert: &Advert<'_>, ours: &[IpAddr]) -> bool {
    usize::from(advert.packet.count()) == ours.len()
        && advert
            .packet
            .addresses()
            .all(|address| ours.contains(&address))
}
