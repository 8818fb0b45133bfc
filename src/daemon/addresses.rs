//! The virtual addresses as the kernel has them: wanted, there, ours or somebody else's.

use core::net::{IpAddr, Ipv4Addr};
use core::ops::Range;
use std::rc::Rc;

use super::links::{Links, Slot};
use crate::vrrp::action::Id;

/// IFA_PROTO of the addresses that vipd puts into the kernel: the protocol number of VRRP.
pub(super) const IFA_PROTO_VIPD: u8 = 112;

/// Whose addresses, routes and rules are that are there whatever happens: nobody's, and behind all.
pub(super) const STATIC: Id = Id(u16::MAX);

/// What happened to a virtual address without our doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Somebody else removed it, and it is wanted.
    Removed,
    /// Somebody else added it.
    Foreign,
    /// It is wanted, and its interface does not exist.
    NoInterface,
    /// It is wanted, and its interface exists again.
    InterfaceBack,
}

/// One virtual address on one interface.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Whose it is.
    pub(super) instance: Id,
    /// The interface that carries it, as the configuration calls it.
    pub(super) interface: Rc<str>,
    /// The device that is.
    pub(super) link: Slot,
    /// The address.
    pub(super) address: IpAddr,
    /// Its prefix length.
    pub(super) prefix_len: u8,
    /// Its rtnetlink scope.
    pub(super) scope: u8,
    /// Its label.
    pub(super) label: Option<Rc<str>>,
    /// Its broadcast address.
    pub(super) broadcast: Option<Ipv4Addr>,
    /// Seconds after which the kernel removes it unless it is refreshed.
    pub(super) lease: Option<u32>,
    /// The kernel still has the lease from before a reload.
    pub(super) outdated_lease: bool,
    /// The instance is Active.
    pub(super) wanted: bool,
    /// The kernel has it.
    pub(super) present: bool,
    /// It was there before: not ours to add or to remove.
    pub(super) foreign: bool,
    /// It is told that its interface does not exist.
    pub(super) told_missing: bool,
    /// Removals of ours of which the kernel's news has not been read yet. IPv6 news do not say whose
    /// doing they tell of; those up to that one are from before the removal, or tell of it.
    pub(super) leaving: u8,
    /// Announcements that are still to be sent.
    pub(super) owed: u8,
}

impl Entry {
    fn is_at(&self, link: Slot, address: &IpAddr) -> bool {
        self.link == link && self.address == *address
    }

    /// The configuration says the same of both.
    fn is_configured_like(&self, other: &Self) -> bool {
        (self.link, self.address, self.lease) == (other.link, other.address, other.lease)
            && self.looks_like(other)
    }

    /// Nothing differs but the lease, which can be changed in place.
    fn looks_like(&self, other: &Self) -> bool {
        (self.prefix_len, self.scope, &self.label, self.broadcast)
            == (other.prefix_len, other.scope, &other.label, other.broadcast)
    }
}

/// All virtual addresses, in the order of the instances.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    entries: Vec<Entry>,
    /// Which entry, and what happened; for the daemon to tell and to act on.
    pub(super) news: Vec<(usize, News)>,
}

impl Addresses {
    /// No addresses, and room for so many.
    pub(super) fn with_capacity(addresses: usize) -> Self {
        Self {
            entries: Vec::with_capacity(addresses),
            news: Vec::new(),
        }
    }

    /// The same addresses, as a configuration has them, on other devices.
    pub(super) fn moved(&self, mut slot: impl FnMut(&str) -> Slot) -> Self {
        let move_one = |entry: &Entry| Entry {
            link: slot(&entry.interface),
            outdated_lease: false,
            wanted: false,
            present: false,
            foreign: false,
            told_missing: false,
            leaving: 0,
            owed: 0,
            ..entry.clone()
        };
        Self {
            entries: self.entries.iter().map(move_one).collect(),
            news: Vec::new(),
        }
    }

    /// Appends the addresses of the next instance.
    pub(super) fn push_instance(&mut self, entries: impl Iterator<Item = Entry>) {
        self.entries.extend(entries);
    }

    /// Which entries are the instance's.
    pub(super) fn of(&self, id: Id) -> Range<usize> {
        let start = self.entries.partition_point(|e| e.instance < id);
        let of_it = |e: &&Entry| e.instance == id;
        start..start + self.entries[start..].iter().take_while(of_it).count()
    }

    /// All entries.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// One entry.
    pub(super) fn get_mut(&mut self, index: usize) -> &mut Entry {
        &mut self.entries[index]
    }

    /// True if the configuration says the same of the instance's addresses as it does in `old` of
    /// those of `old_id`.
    pub(super) fn same_as(&self, id: Id, old: &Self, old_id: Id) -> bool {
        let (ours, theirs) = (&self.entries[self.of(id)], &old.entries[old.of(old_id)]);
        let mut pairs = ours.iter().zip(theirs);
        ours.len() == theirs.len() && pairs.all(|(a, b)| a.is_configured_like(b))
    }

    /// Is this a virtual address of that interface?
    pub(super) fn is_virtual(&self, link: Slot, address: &IpAddr) -> bool {
        let is_it = |e: &Entry| e.instance != STATIC && e.is_at(link, address);
        self.entries.iter().any(is_it)
    }

    /// Does the configuration have it there, virtual or static?
    pub(super) fn has(&self, link: Slot, address: &IpAddr) -> bool {
        self.entries.iter().any(|e| e.is_at(link, address))
    }

    /// Is this a virtual address of that interface which was there before us?
    pub(super) fn is_foreign(&self, link: Slot, address: &IpAddr) -> bool {
        let is_it = |e: &Entry| e.foreign && e.is_at(link, address);
        self.entries.iter().any(is_it)
    }

    /// After a dump: marks what the kernel has; `first` is the dump at the start, when everything
    /// of ours has just been removed, so that what is there is somebody else's.
    pub(super) fn reconcile(&mut self, links: &Links, first: bool) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let kernel = links.get(entry.link).kernel.as_ref();
            let at = |a: &&super::links::Address| a.address == entry.address;
            let found = kernel.and_then(|k| k.addresses.iter().find(at));
            if first {
                entry.foreign = found.is_some();
            } else if found.is_none() {
                entry.foreign = false;
            }
            entry.present =
                found.is_some_and(|a| entry.foreign || a.prefix_len == entry.prefix_len);
            entry.leaving = 0;
            if entry.wanted && !entry.present {
                self.news.push((index, News::Removed));
            }
        }
    }

    /// RTM_NEWADDR that we did not ask for: somebody else's, unless it tells of ours again.
    pub(super) fn added(&mut self, link: Slot, added: &super::links::Address) {
        let same = |e: &Entry| e.is_at(link, &added.address);
        let found = self.entries.iter().position(same);
        let is_news = |index: &usize| {
            let entry = &self.entries[*index];
            !entry.present && entry.leaving == 0
        };
        let Some(index) = found.filter(is_news) else {
            return;
        };
        self.entries[index].present = true;
        self.entries[index].foreign = true;
        self.news.push((index, News::Foreign));
    }

    /// RTM_DELADDR that we did not ask for.
    pub(super) fn removed(&mut self, link: Slot, address: IpAddr, prefix_len: u8) {
        let gone = |e: &Entry| e.is_at(link, &address) && (e.foreign || e.prefix_len == prefix_len);
        let Some(index) = self.entries.iter().position(gone) else {
            return;
        };
        let entry = &mut self.entries[index];
        if entry.leaving > 0 {
            entry.leaving -= 1;
            return;
        }
        entry.present = false;
        entry.foreign = false;
        if entry.wanted {
            self.news.push((index, News::Removed));
        }
    }

    /// All events are read, so that `links` is what the kernel has: which addresses are missing?
    ///
    /// A removal of ours takes the secondary addresses of the same network with it unless
    /// `promote_secondaries` is set, and the kernel tells that under our own name.
    pub(super) fn find_missing(&mut self, links: &Links) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let Some(kernel) = &links.get(entry.link).kernel else {
                continue;
            };
            let has = kernel.addresses.iter().any(|a| a.address == entry.address);
            if entry.present && !has {
                // While a reload is under way nothing is wanted yet, and this is asked once.
                (entry.present, entry.foreign) = (false, false);
                if entry.wanted {
                    self.news.push((index, News::Removed));
                }
            }
        }
    }

    /// The interface is gone, and its addresses with it.
    pub(super) fn interface_gone(&mut self, link: Slot) {
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            if entry.link == link {
                entry.present = false;
                entry.foreign = false;
                entry.leaving = 0;
                if entry.wanted {
                    self.no_interface(index);
                }
            }
        }
    }

    /// A wanted address has no interface: told once until the interface is there.
    pub(super) fn no_interface(&mut self, index: usize) {
        if !core::mem::replace(&mut self.entries[index].told_missing, true) {
            self.news.push((index, News::NoInterface));
        }
    }

    /// The interface is there, without any address of ours yet.
    pub(super) fn interface_back(&mut self, link: Slot) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.link == link {
                entry.told_missing = false;
                if entry.wanted && !entry.present {
                    self.news.push((index, News::InterfaceBack));
                }
            }
        }
    }

    /// Takes over from the table before a reload what the kernel has.
    ///
    /// An address that moves to another instance stays where it is.
    pub(super) fn carry_over(&mut self, old: &Self, links: &Links) {
        for entry in &mut self.entries {
            let at = |e: &&Entry| e.is_at(entry.link, &entry.address);
            let kernel = links.get(entry.link).kernel.as_ref();
            match old.entries.iter().find(at) {
                Some(before) if before.foreign || before.looks_like(entry) => {
                    entry.present = before.present;
                    entry.foreign = before.foreign;
                    entry.owed = before.owed;
                    entry.leaving = before.leaving;
                    entry.outdated_lease = before.lease != entry.lease;
                }
                Some(_) => {}
                None => {
                    let has = |k: &super::links::Kernel| {
                        k.addresses.iter().any(|a| a.address == entry.address)
                    };
                    entry.foreign = kernel.is_some_and(has);
                    entry.present = entry.foreign;
                }
            }
        }
    }

    /// What `before`, an entry of the tables before these, has put into the kernel is wanted no more.
    pub(super) fn give_up(&self, before: &Entry) -> bool {
        let kept = |e: &Entry| e.is_at(before.link, &before.address) && before.looks_like(e);
        before.present && !before.foreign && !self.entries.iter().any(kept)
    }

    /// `rounds` more announcements of each address of the instance.
    pub(super) fn owe(&mut self, id: Id, rounds: u8) {
        let own = self.of(id);
        for entry in &mut self.entries[own] {
            entry.owed = entry.owed.max(rounds);
        }
    }
}
