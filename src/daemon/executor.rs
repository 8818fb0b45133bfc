//! Carries out what the core decided, in one batch a wakeup.
//!
//! For each virtual router the core's order holds – advert, address, announcement, log line – and
//! across all of them every kind goes out in one system call: all adverts in one `sendmmsg`, all
//! address changes in one netlink message batch, all announcements in one `sendmmsg`. The adverts
//! go first: an address change may have to wait for the kernel's rtnl lock, an advert must not.

mod announce;
mod follow;

use nix::errno::Errno;

use crate::config::model::{Config, Instance};
use crate::limits;
use crate::log;
use crate::netlink::addr::{self, Existing, NewAddress};
use crate::netlink::link_request;
use crate::sys::error::{Cause, Error};
use crate::sys::netlink::CommandSocket;
use crate::sys::send::{SendBatch, SendSocket};
use crate::time::{Duration, Instant};
use crate::vrrp::action::{Action, Id};
use crate::vrrp::router::Router;

use super::addresses::{Addresses, Entry, IFA_PROTO_VIPD, STATIC};
use super::advert;
use super::dhcp::Dhcp;
use super::links::{Links, Slot};
use super::notify::Notify;
use super::ra::Ra;
use super::report;
use super::routes::{self, Routes};
use super::unicast::{self, Unicast};
use super::vmac::{self, Vmacs};

/// What an action is about: read, never changed here.
pub(super) struct Context<'a> {
    /// The configuration.
    pub(super) config: &'a Config,
    /// The interfaces.
    pub(super) links: &'a Links,
    /// The interface of each instance.
    pub(super) link_of: &'a [Slot],
    /// The virtual routers.
    pub(super) router: &'a Router,
}

impl Context<'_> {
    /// What the configuration says of a virtual router.
    pub(super) fn instance(&self, id: Id) -> &Instance {
        &self.config.instances[id.index()]
    }
}

/// The way into the kernel and onto the wire.
pub(super) struct Executor {
    /// The virtual addresses and what the kernel has of them.
    pub(super) addresses: Addresses,
    sender: SendSocket,
    frames: SendBatch,
    pub(super) commands: CommandSocket,
    /// What the sequence number of a waiting request is about.
    asked: Vec<(u32, About)>,
    /// The macvlans of the virtual MAC addresses.
    pub(super) vmacs: Vmacs,
    /// Routes and rules.
    pub(super) routes: Routes,
    /// The interfaces whose DHCP follows an instance.
    pub(super) dhcp: Dhcp,
    /// The instances that send router advertisements.
    pub(super) ra: Ra,
    /// The way to peers.
    pub(super) unicast: Unicast,
    /// What the adverts of each instance need.
    adverts: Vec<Adverts>,
    notes: Vec<Action>,
    /// Whom transitions are told to besides the log.
    pub(super) notify: Notify,
    /// The next gratuitous ARP may go out from here on.
    announce_at: Instant,
    /// The next refresh of the addresses that have a lease.
    renew_at: Instant,
    /// Where the round of announcements stands.
    cursor: usize,
    /// How many there were when [`Executor::follow`] was done last; none: it is to be done.
    followed: Option<u64>,
    /// How many transitions there were.
    pub(super) state_changes: u64,
    /// Frames that the kernel did not take.
    pub(super) send_errors: u64,
}

/// What the adverts of one instance need.
#[derive(Clone, Copy, Debug, Default)]
struct Adverts {
    /// IPv4 identification of the last one.
    identification: u16,
    /// Why the last one could not be sent to a peer.
    failure: Option<Errno>,
}

impl Adverts {
    /// The identification of the next one.
    fn next(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
enum About {
    /// An address that is in the table no more: what becomes of it is the same to all.
    Gone,
    /// The entry at this place.
    Address(u32),
    /// The route or rule at this place is added.
    Route(u32),
    /// It is deleted.
    NoRoute(u32),
    /// The macvlan in this slot is set up or down.
    Macvlan(Slot),
}

impl Executor {
    /// Storage for so many instances, and empty tables; nothing is allocated in the steady state.
    pub(super) fn new(commands: CommandSocket, instances: usize) -> Result<Self, Error> {
        let sender = SendSocket::open()?;
        let mut adverts = Vec::with_capacity(instances);
        for _ in 0..instances {
            adverts.push(Adverts::default());
        }
        Ok(Self {
            vmacs: Vmacs::default(),
            routes: Routes::default(),
            sender,
            frames: SendBatch::new(limits::SEND_FRAMES, limits::SEND_BYTES),
            commands,
            asked: Vec::with_capacity(limits::REQUESTS),
            dhcp: Dhcp::new(),
            ra: Ra::default(),
            unicast: Unicast::default(),
            adverts,
            notes: Vec::with_capacity(limits::NOTES),
            notify: Notify::new(),
            announce_at: Instant::NEVER,
            renew_at: Instant::NEVER,
            cursor: 0,
            followed: None,
            state_changes: 0,
            send_errors: 0,
            addresses: Addresses::default(),
        })
    }

    /// Puts one action into its batch.
    pub(super) fn execute(&mut self, action: &Action, context: &Context<'_>) {
        match *action {
            Action::Advert(id, priority) => self.advert(id, priority, context),
            Action::AddAddresses(id) => self.add_addresses(id, context),
            Action::RemoveAddresses(id) => self.remove_addresses(id, context),
            Action::Announce(id, rounds) => {
                self.addresses.owe(id, rounds);
                self.announce_at = self.announce_at.min(Instant::ZERO);
            }
            Action::StateChanged(..) => {
                self.state_changes += 1;
                self.notes.push(*action);
            }
            Action::LowerPriority(id) => {
                self.contradicted(id);
                self.notes.push(*action);
            }
            Action::PriorityChanged(..) | Action::Warn(..) => self.notes.push(*action),
        }
    }

    /// True if [`Executor::flush`] has something to do.
    pub(super) fn has_work(&self, now: Instant) -> bool {
        let gathered = !self.frames.is_empty() || !self.asked.is_empty() || !self.notes.is_empty();
        gathered || now >= self.poll_at()
    }

    /// Sends what the actions of this wakeup have gathered.
    pub(super) fn flush(&mut self, now: Instant, context: &Context<'_>) {
        self.send_frames();
        if !self.asked.is_empty() {
            self.send_requests(context);
        } else if self.asked.capacity() > limits::REQUESTS {
            // What a burst has taken is given back.
            self.asked.shrink_to(limits::REQUESTS);
            self.commands.rest();
        }
        if now >= self.announce_at {
            self.announce(now, context);
        }
        self.follow(context, now);
        if now >= self.renew_at {
            self.renew_leases(now, context);
        }
        if now >= self.routes.look_at {
            self.look(now, context);
        }
        if self.notes.is_empty() {
            self.notes.shrink_to(limits::NOTES);
        }
        for note in self.notes.drain(..) {
            report::tell(note, context);
            self.notify.note(note, context, now);
        }
        self.notify.note_groups(context, now);
    }

    /// After a reload: the new tables. Addresses and routes that no instance has any more are removed.
    pub(super) fn replace(
        &mut self,
        addresses: Addresses,
        mut routes: Routes,
        matches: &[Option<Id>],
        links: &Links,
    ) {
        let addresses_before = core::mem::replace(&mut self.addresses, addresses);
        self.cursor = 0;
        self.renew_at = Instant::ZERO;
        let old = core::mem::take(&mut self.adverts);
        for matched in matches {
            let kept = matched.map(|id| old[id.index()]);
            self.adverts.push(kept.unwrap_or_default());
        }
        let (batch, asked) = (self.commands.batch(), &mut self.asked);
        routes.carry_over(&self.routes, links, batch, |sequence| {
            asked.push((sequence, About::Gone));
        });
        self.routes = routes;
        for entry in addresses_before.entries() {
            if !self.addresses.give_up(entry) {
                continue;
            }
            let Some(ifindex) = links.get(entry.link).ifindex() else {
                continue;
            };
            let batch = self.commands.batch();
            let sequence = addr::delete(batch, ifindex, entry.address, entry.prefix_len);
            self.asked.push((sequence, About::Gone));
        }
    }

    /// After a reload, or at the end, with none: the macvlans that stay are taken over, the others
    /// are removed.
    pub(super) fn replace_vmacs(&mut self, mut vmacs: Vmacs, links: &Links) {
        if !self.asked.is_empty() {
            // What was given up goes first.
            vmac::send(&mut self.commands, "addresses may not have been removed");
            self.asked.clear();
        }
        vmacs.carry_over(&self.vmacs, links, &mut self.commands);
        self.vmacs = vmacs;
    }

    /// Changes the interfaces below macvlans as they need it.
    pub(super) fn change_below(&mut self) {
        self.vmacs.change_below(&mut self.commands);
    }

    /// Makes the macvlans that are missing. True if there is news of them to be read.
    pub(super) fn make_vmacs(&mut self, links: &Links) -> bool {
        self.vmacs.make(links, &mut self.commands)
    }

    /// Sets the macvlans of an instance up or down.
    fn set_up(&mut self, id: Id, up: bool, context: &Context<'_>) {
        for vmac in self.vmacs.of(id) {
            vmac.up = up;
            if let Some(ifindex) = vmac.ifindex(context.links) {
                let sequence = link_request::set_up(self.commands.batch(), ifindex, up);
                self.asked.push((sequence, About::Macvlan(vmac.link)));
            }
        }
    }

    /// After a reload: the addresses of one instance as its state asks for.
    pub(super) fn adopt(&mut self, id: Id, active: bool, context: &Context<'_>) {
        if !active {
            return self.remove_addresses(id, context);
        }
        let rounds = context.instance(id).settings.announce.master_repeat;
        for index in self.addresses.of(id) {
            let entry = self.addresses.get_mut(index);
            if !entry.present {
                entry.owed = rounds;
                self.announce_at = Instant::ZERO;
            }
        }
        self.add_addresses(id, context);
    }

    /// The netlink port that news of our own changes carry.
    pub(super) fn port(&self) -> Result<u32, Error> {
        self.commands.port()
    }

    /// When [`Executor::flush`] has something to do on its own account.
    pub(super) fn poll_at(&self) -> Instant {
        self.announce_at
            .min(self.renew_at)
            .min(self.routes.look_at)
            .min(self.dhcp.poll_at())
            .min(self.ra.poll_at())
    }

    fn advert(&mut self, id: Id, priority: u8, context: &Context<'_>) {
        let kernel = context
            .links
            .get(context.link_of[id.index()])
            .kernel
            .as_ref();
        let Some(kernel) = kernel else { return };
        let settings = context.router.instance(id).settings();
        if let Some(unicast) = &settings.unicast {
            return self.advert_to_peers(id, priority, unicast.ttl, kernel.ifindex, context);
        }
        let mac = if context.instance(id).vmac_adverts {
            settings.virtual_mac()
        } else {
            kernel.mac
        };
        for repr in context.router.adverts(id, priority) {
            let identification = self.adverts[id.index()].next();
            self.push_frame(kernel.ifindex, &mut |buf| {
                advert::write_frame(buf, &repr, mac, identification)
            });
        }
    }

    fn advert_to_peers(
        &mut self,
        id: Id,
        priority: u8,
        ttl: u8,
        ifindex: u32,
        context: &Context<'_>,
    ) {
        let adverts = &mut self.adverts[id.index()];
        let mut failure = None;
        for repr in context.router.adverts(id, priority) {
            let identification = adverts.next();
            if let Err(errno) = self.unicast.send(&repr, ttl, identification, ifindex) {
                self.send_errors += 1;
                failure = failure.or(Some((errno, repr.destination)));
            }
        }
        unicast::tell(&context.instance(id).name, adverts.failure, failure);
        adverts.failure = failure.map(|(errno, _)| errno);
    }

    pub(super) fn push_frame(&mut self, ifindex: u32, write: &mut dyn FnMut(&mut [u8]) -> usize) {
        if !self.frames.has_room() {
            self.send_frames();
        }
        let pushed = self.frames.push(ifindex, write);
        debug_assert!(pushed, "an empty batch has room for one frame");
    }

    /// Sends the frames that wait.
    pub(super) fn send_frames(&mut self) {
        let errors = &mut self.send_errors;
        self.frames.flush(&self.sender, |_, errno| {
            *errors += 1;
            log::debug!("a frame was not sent: {}", Cause(errno));
        });
    }

    fn add_addresses(&mut self, id: Id, context: &Context<'_>) {
        self.set_up(id, true, context);
        for index in self.addresses.of(id) {
            let entry = self.addresses.get_mut(index);
            entry.wanted = true;
            if entry.present || entry.foreign {
                continue;
            }
            let Some(ifindex) = context.links.get(entry.link).ifindex() else {
                self.addresses.no_interface(index);
                continue;
            };
            entry.present = true;
            if entry.lease.is_some() {
                self.renew_at = Instant::ZERO;
            }
            let sequence = addr::add(
                self.commands.batch(),
                &new_address(entry, ifindex),
                Existing::Refuse,
            );
            self.asked.push((sequence, About::Address(index as u32)));
        }
        // What leads through these addresses.
        let (batch, asked) = (self.commands.batch(), &mut self.asked);
        self.routes
            .want(id, context.links, batch, &mut |sequence, index| {
                asked.push((sequence, About::Route(index as u32)));
            });
    }

    /// What is always there, and routes and rules after something has happened to them.
    pub(super) fn add_static(&mut self, context: &Context<'_>) {
        self.add_addresses(STATIC, context);
    }

    /// At the end.
    pub(super) fn remove_static(&mut self, context: &Context<'_>) {
        self.remove_addresses(STATIC, context);
    }

    /// Something has happened that may have taken away routes, rules or static addresses.
    pub(super) fn stir(&mut self, now: Instant) {
        let addresses = self.addresses.of(STATIC);
        if !self.routes.entries().is_empty() || !addresses.is_empty() {
            self.routes.stir(now);
        }
    }

    fn look(&mut self, now: Instant, context: &Context<'_>) {
        self.add_static(context);
        let (batch, asked) = (self.commands.batch(), &mut self.asked);
        self.routes
            .look(now, context.links, batch, &mut |sequence, index| {
                asked.push((sequence, About::Route(index as u32)));
            });
        if !self.asked.is_empty() {
            self.send_requests(context);
        }
    }

    /// The dead-man lease: several refreshes in the time of the shortest one, so that the kernel
    /// removes an address only when this daemon is killed, hangs or is stopped.
    fn renew_leases(&mut self, now: Instant, context: &Context<'_>) {
        let mut shortest = u32::MAX;
        for index in 0..self.addresses.entries().len() {
            let entry = self.addresses.get_mut(index);
            let outdated = core::mem::take(&mut entry.outdated_lease);
            let ours = entry.wanted && entry.present && !entry.foreign;
            if !ours || entry.lease.is_none() && !outdated {
                continue;
            }
            shortest = shortest.min(entry.lease.unwrap_or(u32::MAX));
            if let Some(ifindex) = context.links.get(entry.link).ifindex() {
                let new = new_address(entry, ifindex);
                let sequence = addr::add(self.commands.batch(), &new, Existing::Replace);
                self.asked.push((sequence, About::Address(index as u32)));
            }
        }
        self.renew_at = match shortest {
            u32::MAX => Instant::NEVER,
            secs => now + Duration::from_micros(u64::from(secs) * 1_000_000 / limits::RENEWALS),
        };
        if !self.asked.is_empty() {
            self.send_requests(context);
        }
    }

    fn remove_addresses(&mut self, id: Id, context: &Context<'_>) {
        let (batch, asked) = (self.commands.batch(), &mut self.asked);
        self.routes
            .give_up(id, context.links, batch, &mut |sequence, index| {
                asked.push((sequence, About::NoRoute(index as u32)));
            });
        // First, so that nothing is said about the addresses that go.
        self.set_up(id, false, context);
        for index in self.addresses.of(id) {
            let entry = self.addresses.get_mut(index);
            entry.wanted = false;
            entry.owed = 0;
            if !entry.present || entry.foreign {
                continue;
            }
            entry.present = false;
            let Some(ifindex) = context.links.get(entry.link).ifindex() else {
                continue;
            };
            if entry.address.is_ipv6() {
                entry.leaving = entry.leaving.saturating_add(1);
                if self.vmacs.at(entry.link).is_some() {
                    // It goes with the macvlan's being up.
                    continue;
                }
            }
            let sequence = addr::delete(
                self.commands.batch(),
                ifindex,
                entry.address,
                entry.prefix_len,
            );
            self.asked.push((sequence, About::Address(index as u32)));
        }
    }

    fn send_requests(&mut self, context: &Context<'_>) {
        let (addresses, routes, asked) = (&mut self.addresses, &mut self.routes, &self.asked);
        let done = self.commands.carry_out(&mut |ack| {
            if let Ok(at) = asked.binary_search_by_key(&ack.sequence, |(s, _)| *s) {
                let errno = Errno::from_raw(ack.errno);
                match asked[at].1 {
                    About::Address(index) => {
                        failed(addresses.get_mut(index as usize), errno, context);
                    }
                    About::Macvlan(slot) => vmac::not_set(&context.links.get(slot).name, errno),
                    About::Route(index) => {
                        routes.refused(index as usize, errno, ack.explanation);
                    }
                    About::NoRoute(index) => {
                        routes::not_removed(&routes.entries()[index as usize].item, errno);
                    }
                    About::Gone => {}
                }
            }
        });
        self.asked.clear();
        self.routes.settle();
        if let Err(error) = done {
            log::error!("addresses may not have been changed: {error}");
        }
    }
}

/// An IPv6 address is usable at once: another router had it a moment ago, and detection would find
/// that. As a /128 it is not chosen for connections of this host, which would not survive its move;
/// keepalived does the same.
fn new_address(entry: &Entry, ifindex: u32) -> NewAddress<'_> {
    let is_ipv6 = entry.address.is_ipv6();
    NewAddress {
        flags: if is_ipv6 { libc::IFA_F_NODAD } else { 0 },
        deprecated: is_ipv6 && entry.prefix_len == 128,
        scope: entry.scope,
        label: entry.label.as_deref(),
        broadcast: entry.broadcast,
        protocol: Some(IFA_PROTO_VIPD),
        valid_secs: entry.lease,
        ..NewAddress::plain(ifindex, entry.address, entry.prefix_len)
    }
}

/// A request about one address was refused.
fn failed(entry: &mut Entry, errno: Errno, context: &Context<'_>) {
    let Entry {
        address,
        prefix_len,
        wanted,
        ..
    } = *entry;
    let interface = &context.links.get(entry.link).name;
    if !wanted || errno == Errno::EADDRNOTAVAIL {
        // A removal that did not happen, so that there will be no news of it.
        entry.leaving = entry.leaving.saturating_sub(1);
    }
    match errno {
        Errno::EEXIST => {
            entry.foreign = true;
            log::warn!(
                "{address}/{prefix_len} on {interface} was added by somebody else, so it is left alone \
                 and will not be removed: delete it there if vipd is to manage it"
            );
        }
        // It has gone already, or its interface has: the event tells the rest.
        Errno::EADDRNOTAVAIL | Errno::ENODEV => entry.present = false,
        _ if wanted => {
            entry.present = false;
            log::error!(
                "{address}/{prefix_len} could not be added to {interface}: {}; clients cannot reach it \
                 through this router",
                Cause(errno)
            );
        }
        _ => log::error!(
            "{address}/{prefix_len} could not be removed from {interface}: {}; remove it with \
             `ip address del`",
            Cause(errno)
        ),
    }
}
