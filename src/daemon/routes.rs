//! Routes and rules as the kernel has them: wanted, there, ours or somebody else's.
//!
//! Nothing is dumped and compared: a table may have a million routes of others. What is wanted is
//! asked for again whenever something has happened that may have taken it away; where it is still
//! there, the kernel answers EEXIST and does nothing. All of ours carry our mark, which a deletion
//! names too, so that nobody else's is ever deleted.

use core::fmt::Write;
use core::ops::Range;
use std::rc::Rc;

use nix::errno::Errno;

use crate::config::model::Config;
use crate::config::routing::{Item, What};
use crate::limits;
use crate::log;
use crate::netlink::build::Batch;
use crate::netlink::route::Gone;
use crate::netlink::{route, rule};
use crate::sys::error::{Cause, Error};
use crate::sys::netlink::CommandSocket;
use crate::time::{Duration, Instant};
use crate::vrrp::action::Id;
use crate::vrrp::types::Family;

use super::addresses::STATIC;
use super::journal::{self, Line};
use super::links::{Links, Slot};
use super::netifd::Names;

/// rtm_protocol and FRA_PROTOCOL of ours: the protocol number of VRRP, as IFA_PROTO of the addresses.
const PROTOCOL: u8 = 112;

/// One route or rule.
#[derive(Debug)]
pub(super) struct Entry {
    /// Whose it is, or [`STATIC`].
    pub(super) instance: Id,
    /// What it is.
    pub(super) item: Rc<Item>,
    /// The devices of the interfaces that it names, each at its place.
    slots: Vec<Option<Slot>>,
    /// Another instance has the same.
    shared: bool,
    /// The instance is Active.
    pub(super) wanted: bool,
    /// The kernel has it, as far as we know.
    pub(super) present: bool,
    /// It was there before: not ours to add or to remove.
    pub(super) foreign: bool,
    /// It is asked for, and the kernel has not refused it yet.
    asked: bool,
    /// It is told that it could not be added.
    told: bool,
}

/// All of them, in the order of the instances.
#[derive(Debug)]
pub(super) struct Routes {
    entries: Vec<Entry>,
    /// When all that is wanted is asked for again.
    pub(super) look_at: Instant,
    /// When that was done last.
    looked: Instant,
    /// The wait between two times, longer while somebody fights us.
    gap: Duration,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            look_at: Instant::NEVER,
            looked: Instant::ZERO,
            gap: Duration::ZERO,
        }
    }
}

impl Routes {
    /// What the configuration asks for; nothing is added yet.
    pub(super) fn new(config: &Config, names: &Names, links: &mut Links) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let instances = config.instances.iter().enumerate();
        let instances = instances.map(|(index, i)| (Id(index as u16), &i.routes));
        for (instance, items) in instances.chain([(STATIC, &config.routes)]) {
            for item in items {
                let mut slots = Vec::new();
                for dev in item.devs() {
                    slots.push(dev.map(|dev| names.slot(dev, links)));
                }
                entries.push(Entry {
                    instance,
                    item: Rc::clone(item),
                    slots,
                    shared: false,
                    wanted: false,
                    present: false,
                    foreign: false,
                    asked: false,
                    told: false,
                });
            }
        }
        for index in 0..entries.len() {
            let (before, rest) = entries.split_at_mut(index);
            for other in before {
                if other.instance != rest[0].instance && other.is_like(&rest[0]) {
                    (other.shared, rest[0].shared) = (true, true);
                }
            }
        }
        Self {
            entries,
            ..Self::default()
        }
    }

    /// The same, of the same instances, on the same devices.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let pairs = || self.entries.iter().zip(&other.entries);
        self.entries.len() == other.entries.len()
            && pairs().all(|(a, b)| a.instance == b.instance && a.is_like(b))
    }

    /// All entries.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Which entries are the instance's.
    pub(super) fn of(&self, id: Id) -> Range<usize> {
        let start = self.entries.partition_point(|e| e.instance < id);
        let of_it = |e: &&Entry| e.instance == id;
        start..start + self.entries[start..].iter().take_while(of_it).count()
    }

    /// Which news of the kernel matter: of IPv4 and IPv6 routes, then of the rules.
    pub(super) fn groups(&self) -> [bool; 4] {
        let mut groups = [false; 4];
        for entry in &self.entries {
            let is_rule = matches!(entry.item.what, What::Rule(_));
            let is_v6 = entry.item.family() == Family::V6;
            groups[usize::from(is_rule) * 2 + usize::from(is_v6)] = true;
        }
        groups
    }

    /// Something that is wanted could not be added.
    pub(super) fn lacks(&self) -> bool {
        let lacks = |e: &Entry| e.wanted && !e.present && !e.foreign;
        self.entries.iter().any(lacks)
    }

    /// A route of somebody's is gone that could have been one of these.
    pub(super) fn concerns(&self, gone: &Gone) -> bool {
        let like = |e: &Entry| match &e.item.what {
            What::Route(route) => e.wanted && gone.is_like(route),
            What::Rule(_) => false,
        };
        self.entries.iter().any(like)
    }

    /// Something has happened that may have taken away what is wanted, or may let it be added.
    pub(super) fn stir(&mut self, now: Instant) {
        if now.since(self.looked) > limits::RESTORE_GAP_MAX.times(2) {
            self.gap = Duration::ZERO;
        }
        self.look_at = self.look_at.min(now.max(self.looked + self.gap));
    }

    /// What a killed daemon might leave behind.
    pub(super) fn journal(&self, links: &Links, each: &mut dyn FnMut(Line<'_>)) {
        for entry in &self.entries {
            let mut batch = Batch::with_capacity(128);
            entry.delete(&mut batch, links, false);
            let mut message = String::new();
            for byte in &batch.bytes()[HEADER_LEN..] {
                let _ = write!(message, "{byte:02x}");
            }
            each(Line::Routing {
                kind: entry.item.kind(),
                message: &message,
                text: &entry.item.text,
            });
        }
    }

    /// The instance is Active: asks for what is not there. `each` gets the requests with their entries.
    pub(super) fn want(
        &mut self,
        id: Id,
        links: &Links,
        batch: &mut Batch,
        each: &mut dyn FnMut(u32, usize),
    ) {
        for index in self.of(id) {
            self.entries[index].wanted = true;
            let Entry {
                present, foreign, ..
            } = self.entries[index];
            if !present && !foreign {
                self.ask(index, links, batch, each);
            }
        }
    }

    /// Asks for all that is wanted.
    pub(super) fn look(
        &mut self,
        now: Instant,
        links: &Links,
        batch: &mut Batch,
        each: &mut dyn FnMut(u32, usize),
    ) {
        self.look_at = Instant::NEVER;
        self.looked = now;
        for index in 0..self.entries.len() {
            if self.entries[index].wanted {
                self.ask(index, links, batch, each);
            }
        }
    }

    fn ask(
        &mut self,
        index: usize,
        links: &Links,
        batch: &mut Batch,
        each: &mut dyn FnMut(u32, usize),
    ) {
        let entry = &self.entries[index];
        if entry.asked {
            return;
        }
        let has = |twin: usize| self.entries[twin].present || self.entries[twin].asked;
        if !entry.present && self.twins(index).any(has) {
            self.entries[index].present = true;
            return;
        }
        let entry = &mut self.entries[index];
        entry.asked = true;
        if !entry.has_devices(links) {
            return self.refused(index, Errno::ENODEV, None);
        }
        each(entry.add(batch, links), index);
    }

    /// The same of other instances.
    fn twins(&self, index: usize) -> impl Iterator<Item = usize> {
        let own = &self.entries[index];
        let same = move |other: &usize| {
            let other = &self.entries[*other];
            other.shared && other.instance != own.instance && other.is_like(own)
        };
        let all = if own.shared { self.entries.len() } else { 0 };
        (0..all).filter(same)
    }

    /// The instance is not Active: takes away what is there, last things first.
    pub(super) fn give_up(
        &mut self,
        id: Id,
        links: &Links,
        batch: &mut Batch,
        each: &mut dyn FnMut(u32, usize),
    ) {
        for index in self.of(id).rev() {
            let entry = &mut self.entries[index];
            let there = entry.present || entry.asked;
            (entry.wanted, entry.present) = (false, false);
            (entry.asked, entry.foreign, entry.told) = (false, false, false);
            if !there {
                continue;
            }
            let heir = self.twins(index).find(|t| self.entries[*t].wanted);
            match heir {
                Some(heir) => self.entries[heir].present = true,
                None => each(self.entries[index].delete(batch, links, true), index),
            }
        }
    }

    /// The kernel has refused to add an entry.
    pub(super) fn refused(&mut self, index: usize, errno: Errno, explanation: Option<&str>) {
        let entry = &mut self.entries[index];
        if !core::mem::take(&mut entry.asked) {
            return;
        }
        let Item { text, .. } = &*entry.item;
        let kind = entry.item.kind();
        if errno == Errno::EEXIST {
            if !entry.present && !core::mem::replace(&mut entry.foreign, true) {
                log::warn!(
                    "{kind} {text} is there and not vipd's, so it is left alone and will not be \
                     removed: delete it if vipd is to manage it"
                );
            }
            return;
        }
        (entry.present, entry.foreign) = (false, false);
        if core::mem::replace(&mut entry.told, true) {
            return;
        }
        let (why, open) = match explanation {
            Some(explanation) => (explanation, ": "),
            None => ("", ""),
        };
        let remedy = match errno {
            Errno::ENETUNREACH | Errno::EHOSTUNREACH => {
                "no network of this router has its gateway: correct `via`, or write `dev` and `onlink`"
            }
            Errno::ENETDOWN | Errno::ENODEV => "its interface is down or does not exist",
            _ => "see `ip route` and `ip rule`",
        };
        log::warn!(
            "{kind} {text} could not be added: {}{open}{why}: {remedy}; it is tried again when an \
             interface or an address changes",
            Cause(errno)
        );
    }

    /// The answers are read: what was not refused is there.
    pub(super) fn settle(&mut self) {
        let mut fought = false;
        for entry in self.entries.iter_mut().filter(|entry| entry.asked) {
            entry.asked = false;
            let (kind, text) = (entry.item.kind(), &entry.item.text);
            if entry.present {
                fought = true;
                log::warn!("{kind} {text} was gone without vipd's doing; it is put back");
            } else if entry.told {
                log::info!("{kind} {text} is there now");
            }
            (entry.present, entry.foreign, entry.told) = (true, false, false);
        }
        if fought {
            let longer = self.gap.times(2).max(limits::RESTORE_GAP_MIN);
            self.gap = longer.min(limits::RESTORE_GAP_MAX);
        }
    }

    /// After a reload: takes over what is there, also for another instance, and takes away what is
    /// not in the configuration any more.
    pub(super) fn carry_over(
        &mut self,
        old: &Self,
        links: &Links,
        batch: &mut Batch,
        mut each: impl FnMut(u32),
    ) {
        (self.looked, self.gap) = (old.looked, old.gap);
        for before in old.entries.iter().rev() {
            let mut like = self.entries.iter_mut().filter(|e| e.is_like(before));
            let mut kept = false;
            let taker = like.find(|e| {
                kept = true;
                !e.present && !e.foreign
            });
            if let Some(entry) = taker {
                (entry.present, entry.foreign) = (before.present, before.foreign);
                entry.told = before.told;
            } else if before.present && !kept {
                each(before.delete(batch, links, true));
            }
        }
    }
}

impl Entry {
    /// The same in the kernel's eyes.
    fn is_like(&self, other: &Self) -> bool {
        self.item.what == other.item.what && self.slots == other.slots
    }

    /// All interfaces that it cannot do without exist. A rule waits for its interface in the kernel.
    fn has_devices(&self, links: &Links) -> bool {
        let is_route = matches!(self.item.what, What::Route(_));
        let has = |slot: &Slot| {
            let link = links.get(*slot);
            link.is_device() && (!is_route || link.ifindex().is_some())
        };
        self.slots.iter().flatten().all(has)
    }

    fn add(&self, batch: &mut Batch, links: &Links) -> u32 {
        match &self.item.what {
            What::Route(route) => route::add(batch, route, PROTOCOL, &|p| self.index(p, links)),
            What::Rule(rule) => rule::add(batch, rule, PROTOCOL, &|p| self.name(p, links)),
        }
    }

    /// On its interfaces `here`, or on any.
    fn delete(&self, batch: &mut Batch, links: &Links, here: bool) -> u32 {
        match &self.item.what {
            What::Route(route) => route::delete(batch, route, PROTOCOL, &|place| {
                if here { self.index(place, links) } else { 0 }
            }),
            What::Rule(rule) => rule::delete(batch, rule, PROTOCOL, &|p| self.name(p, links)),
        }
    }

    /// 0: any interface.
    fn index(&self, place: usize, links: &Links) -> u32 {
        let slot = self.slots.get(place).copied().flatten();
        slot.and_then(|slot| links.get(slot).ifindex()).unwrap_or(0)
    }

    fn name<'l>(&self, place: usize, links: &'l Links) -> Option<&'l str> {
        let slot = self.slots.get(place).copied().flatten()?;
        Some(&links.get(slot).name)
    }
}

/// A removal that did not happen, unless there was nothing to remove.
pub(super) fn not_removed(item: &Item, errno: Errno) {
    if !matches!(errno, Errno::ESRCH | Errno::ENOENT | Errno::ENODEV) {
        let kind = item.kind();
        log::error!(
            "{kind} {} could not be removed: {}; remove it with `ip {kind} del`",
            item.text,
            Cause(errno)
        );
    }
}

/// Removes what a journal names, as far as it is still there.
pub(super) fn remove_left(left: &[Line<'_>], commands: &mut CommandSocket) -> Result<(), Error> {
    let mut asked = Vec::new();
    for line in left {
        if let Line::Routing {
            kind,
            message,
            text,
        } = line
        {
            let request = match *kind {
                "rule" => libc::RTM_DELRULE,
                _ => libc::RTM_DELROUTE,
            };
            let message = journal::bytes(message);
            let sequence = commands.batch().message(request, 0, |b| b.put(&message));
            asked.push((sequence, kind, text));
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    commands.carry_out(&mut |ack| {
        let place = asked.iter().position(|(s, ..)| *s == ack.sequence);
        if let Some(place) = place {
            asked.remove(place);
        }
    })?;
    for (_, kind, text) in asked {
        log::warn!("{kind} {text} was left by an earlier vipd; it is removed");
    }
    Ok(())
}

/// Length of a message's header.
const HEADER_LEN: usize = 16;
