//! What the kernel tells, on its way to the core: interfaces, addresses, macvlans, and what is watched.

use crate::limits;
use crate::log;
use crate::time::Instant;
use crate::vrrp::action::{Actions, Id};
use crate::vrrp::instance::{Event, LinkState};
use crate::vrrp::track::{Kind, Reading, Tracker};
use crate::vrrp::types::{Family, PRIORITY_OWNER};

use super::addresses::{News, STATIC};
use super::executor::Executor;
use super::{Daemon, report, start};

impl Daemon {
    /// Makes the macvlans that are missing, and prepares the interfaces below them.
    pub(super) fn tend_vmacs(&mut self) {
        let (links, executor) = (&self.links, &mut self.executor);
        if executor.vmacs.is_empty() {
            return;
        }
        if executor.vmacs.look_below(links) {
            let lines = self.journal_lines();
            let executor = &mut self.executor;
            match self.journal.write(lines) {
                Ok(()) => executor.change_below(),
                Err(error) => log::error!(
                    "the journal cannot be written, so the interfaces below the virtual MAC addresses are left \
                     as they are, and hosts may learn theirs: {error}"
                ),
            }
        }
        // What is read then may be that another one is gone.
        for _ in 0..limits::DUMPS {
            if !self.executor.make_vmacs(&self.links) {
                break;
            }
            self.take_in_vmacs();
        }
    }

    /// What a killed daemon might leave behind.
    pub(super) fn journal_lines(&self) -> String {
        let Executor {
            addresses,
            routes,
            vmacs,
            ..
        } = &self.executor;
        start::journal_lines(&self.links, addresses, routes, vmacs)
    }

    /// Reads what the kernel tells of macvlans that were made or removed.
    pub(super) fn take_in_vmacs(&mut self) {
        self.read_kernel(limits::EVENTS_OF_RELOAD);
    }

    fn read_kernel(&mut self, limit: usize) {
        let Executor {
            addresses, routes, ..
        } = &mut self.executor;
        self.kernel.read(limit, &mut self.links, addresses, routes);
    }

    pub(super) fn kernel_events(&mut self, limit: usize, now: Instant) {
        self.read_kernel(limit);
        if core::mem::take(&mut self.kernel.stirred) {
            self.executor.stir(now);
        }
        self.report_links(now);
        self.address_news(now);
        self.with_context(|executor, context| executor.compare_ra(context, now));
    }

    /// Tells what happened to the addresses without our doing, and has them put back.
    pub(super) fn address_news(&mut self, now: Instant) {
        let mut restored = None;
        // What a restoration finds is told at the next wakeup.
        for (index, news) in core::mem::take(&mut self.executor.addresses.news) {
            let entry = &self.executor.addresses.entries()[index];
            let id = entry.instance;
            let link = self.links.get(entry.link);
            let line = report::AddressNews {
                instance: self.config.instances.get(id.index()),
                interface: &link.name,
                address: entry.address,
                news,
            };
            // An interface that is being deleted goes down, then loses its addresses; one that is
            // set down loses its IPv6 addresses.
            let told = match news {
                News::Removed => link.is_up() && entry.wanted,
                News::Foreign => id != STATIC,
                _ => true,
            };
            if told {
                line.log();
            }
            let missing = entry.wanted && matches!(news, News::Removed | News::InterfaceBack);
            if missing && id == STATIC {
                self.executor.stir(now);
            } else if missing && restored != Some(id) {
                restored = Some(id);
                self.handle(id, Event::AddressLost, now);
            }
        }
    }

    /// Tells the core what has changed on the interfaces, and opens their sockets.
    pub(super) fn report_links(&mut self, now: Instant) {
        self.links.settle(now);
        self.tend_vmacs();
        self.ears.follow(&self.links);
        self.relist = true;
        let names = self.netifd.names(self.config.dialect);
        let slot = |name: &str| names.find(name, &self.links);
        self.watches.follow(&self.links, slot, now);
        if self.leave.is_starting() {
            return;
        }
        for id in self.router.ids() {
            self.read_trackers(id, now);
            let state = self.link_state(id);
            if self.router.instance(id).link() != state {
                self.handle(id, Event::Link(state), now);
            }
        }
    }

    /// Tells the instances what has changed of what they track besides interfaces.
    pub(super) fn report_watches(&mut self, now: Instant) {
        for id in self.router.ids() {
            self.read_trackers(id, now);
        }
    }

    /// Tells an instance what it tracks.
    fn read_trackers(&mut self, id: Id, now: Instant) {
        if self.router.instance(id).settings().trackers.is_empty() {
            return;
        }
        let (links, names) = (&self.links, self.netifd.names(self.config.dialect));
        let is_up = |slot| links.get(slot).counts_as_up();
        let read = |tracker: &Tracker| match tracker.what.kind {
            Kind::Interface if names.find(&tracker.what.name, links).is_some_and(is_up) => {
                Reading::Up
            }
            Kind::Interface => Reading::Down,
            _ => self.watches.reading(&tracker.what),
        };
        let mut actions = Actions::new();
        self.router.track(id, &read, now, &mut actions);
        self.execute(&mut actions);
    }

    fn link_state(&self, id: Id) -> LinkState {
        let instance = &self.config.instances[id.index()];
        let slot = self.link_of[id.index()];
        let addresses = &self.executor.addresses;
        let family = instance.settings.family;
        let owner = instance.settings.priority == PRIORITY_OWNER;
        let chosen = instance.source;
        let unicast = self.router.instance(id).settings().unicast.is_some();
        // A multicast source over IPv6 is one of the interface's own addresses.
        let pinned = family == Family::V6 && !unicast && chosen.is_some();
        let state = self.links.get(slot).state(instance.ignores_link, |a| {
            let virtual_ = addresses.is_virtual(slot, &a.address);
            let ours = !virtual_ || owner && addresses.is_foreign(slot, &a.address);
            ours && a.may_be_source(family) && (!pinned || chosen == Some(a.address))
        });
        let names = self.netifd.names(self.config.dialect);
        if let Some(why) = names.unresolved(&instance.interface, self.links.get(slot)) {
            return match self.netifd.has_moved() {
                // The slot is still that of what netifd said before.
                true => self.router.instance(id).link(),
                false => LinkState::Unresolved(why),
            };
        }
        match (state, chosen) {
            // Without an address of its family it may have no multicast to join.
            (LinkState::Up(None), None) => state,
            (LinkState::Up(None), Some(_)) if pinned => state,
            (LinkState::Up(_), _) if !self.ears.hears((slot, family)) => LinkState::Deaf,
            (LinkState::Up(_), _) if !self.executor.vmacs.are_ready(id, &self.links) => {
                LinkState::NoMacvlan
            }
            (LinkState::Up(_), Some(source)) if unicast && !self.links.has_source(&source) => {
                LinkState::NoSource(source)
            }
            (LinkState::Up(_), Some(source)) => LinkState::Up(Some(source)),
            _ => state,
        }
    }
}
