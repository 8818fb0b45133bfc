//! `ra follow`: the Active sends router advertisements; the decisions are in [`crate::ra`].

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use crate::config::model::Config;
use crate::frame;
use crate::log;
use crate::ra::{Advertiser, Content, Known, PREFIX_LEN, Prefixes, Timing, Turn};
use crate::sys::poll::{Interest, Poll};
use crate::sys::solicit::SolicitSocket;
use crate::time::Instant;
use crate::vrrp::action::Id;
use crate::vrrp::types::{State, is_link_local};

use super::addresses::Addresses;
use super::executor::{Context, Executor};
use super::links::{Links, Slot};
use super::vmac::Vmacs;

/// The instances that advertise.
#[derive(Default)]
pub(super) struct Ra {
    senders: Vec<Sender>,
}

/// One of them.
struct Sender {
    instance: Id,
    advertiser: Advertiser,
    /// Somebody may have told hosts something else.
    contradicted: bool,
    /// Hears hosts that look for a router, while Active.
    ear: Option<SolicitSocket>,
    /// Its place in the poll set.
    place: usize,
}

/// What the advertisements of instances depend on.
pub(super) struct Scene<'a> {
    /// The interfaces.
    pub(super) links: &'a Links,
    /// The interface of each instance.
    pub(super) link_of: &'a [Slot],
    /// The virtual addresses.
    pub(super) addresses: &'a Addresses,
    /// The macvlans that they may be on.
    pub(super) vmacs: &'a Vmacs,
}

/// An advertisement, and where it comes from.
pub(super) struct Speech {
    ifindex: u32,
    mac: [u8; 6],
    own_mac: [u8; 6],
    /// The virtual link-local address, or the router's own.
    pub(super) source: Ipv6Addr,
    own: Option<Ipv6Addr>,
    /// The interface can send.
    up: bool,
    timing: Timing,
    mtu: u32,
    /// What it says.
    pub(super) content: Content,
}

/// For people.
impl fmt::Display for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Content {
            lifetime,
            prefixes,
            servers,
            ..
        } = &self.content;
        write!(f, "sent from {}: ", self.source)?;
        match lifetime {
            0 => f.write_str("no default router without a global prefix")?,
            lifetime => write!(f, "default router for {lifetime} s")?,
        }
        let mut prefixes = prefixes.iter();
        prefixes.try_for_each(|p| write!(f, ", prefix {}/{PREFIX_LEN}", p.address))?;
        servers.iter().try_for_each(|s| write!(f, ", DNS {s}"))
    }
}

impl Scene<'_> {
    /// What the instance says while it is Active; nothing without a link-local address.
    pub(super) fn speech(&self, id: Id, now: Instant) -> Option<Speech> {
        let slot = self.link_of[id.index()];
        let kernel = self.links.get(slot).kernel.as_ref()?;
        let mut content = Content::default();
        let (mut own, mut virtual_) = (None, None);
        for known in kernel.addresses.iter().filter(|a| a.usable) {
            let IpAddr::V6(address) = known.address else {
                continue;
            };
            let known = Known {
                address,
                prefix_len: known.prefix_len,
                preferred_until: known.preferred_until,
                valid_until: known.valid_until,
            };
            content.address(&known, now);
            if is_link_local(&address.into()) && !self.addresses.is_virtual(slot, &address.into()) {
                own = own.or(Some(address));
            }
        }
        // They may be on a macvlan, or have a lease that is renewed.
        for entry in &self.addresses.entries()[self.addresses.of(id)] {
            let vmac = self.vmacs.at(entry.link);
            let IpAddr::V6(address) = entry.address else {
                continue;
            };
            if vmac.map_or(entry.link, |vmac| vmac.base) != slot {
                continue;
            }
            let known = Known {
                address,
                prefix_len: entry.prefix_len,
                preferred_until: Instant::NEVER,
                valid_until: Instant::NEVER,
            };
            content.address(&known, now);
            content.vip(address);
            if is_link_local(&address.into()) {
                virtual_ = virtual_.or(Some((address, vmac.map_or(kernel.mac, |vmac| vmac.mac))));
            }
        }
        let (timing, (source, mac)) = match virtual_ {
            Some(virtual_) => (Timing::STABLE, virtual_),
            None => (Timing::OWN, (own?, kernel.mac)),
        };
        content.finish(timing, source);
        Some(Speech {
            ifindex: kernel.ifindex,
            mac,
            own_mac: kernel.mac,
            source,
            own,
            up: kernel.up,
            timing,
            mtu: kernel.mtu,
            content,
        })
    }
}

impl Ra {
    /// When an advertisement is due.
    pub(super) fn poll_at(&self) -> Instant {
        let due = self.senders.iter().map(|s| s.advertiser.poll_at());
        Instant::earliest(due)
    }

    /// Adds the sockets to a poll set.
    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        for sender in &mut self.senders {
            if let Some(ear) = &sender.ear {
                sender.place = poll.add(ear, Interest::Read);
            }
        }
    }

    /// Hears hosts that look for a router.
    pub(super) fn receive(&mut self, poll: &Poll, now: Instant) {
        for sender in &mut self.senders {
            let ear = sender.ear.as_ref();
            let ear = ear.filter(|_| poll.readiness(sender.place).any());
            if ear.is_some_and(SolicitSocket::take) {
                sender.advertiser.solicited(now);
            }
        }
    }

    /// Another router has been Active beside this one, and may have said that it is no more. True if
    /// there is somebody to contradict it.
    pub(super) fn contradicted(&mut self, id: Id) -> bool {
        let sender = self.senders.iter_mut().find(|s| s.instance == id);
        sender.map(|sender| sender.contradicted = true).is_some()
    }
}

impl Sender {
    fn new(instance: Id) -> Self {
        Self {
            instance,
            advertiser: Advertiser::new(),
            contradicted: false,
            ear: None,
            place: usize::MAX,
        }
    }

    fn start(&mut self, context: &Context<'_>, now: Instant) {
        let slot = context.link_of[self.instance.index()];
        let link = context.links.get(slot);
        let Some(kernel) = &link.kernel else { return };
        let [.., a, b, c, d] = kernel.mac;
        let clock = now.as_micros() as u32;
        self.advertiser
            .start(u32::from_be_bytes([a, b, c, d]) ^ clock, now);
        match SolicitSocket::open(&link.name, kernel.ifindex) {
            Ok(ear) => self.ear = Some(ear),
            Err(error) => log::warn!(
                "{}: {error}: hosts that look for a router are not heard",
                context.instance(self.instance).name
            ),
        }
    }

    fn hang_up(&mut self) {
        self.ear = None;
        self.place = usize::MAX;
    }
}

impl Executor {
    fn speech(&self, id: Id, context: &Context<'_>, now: Instant) -> Option<Speech> {
        let scene = Scene {
            links: context.links,
            link_of: context.link_of,
            addresses: &self.addresses,
            vmacs: &self.vmacs,
        };
        scene.speech(id, now)
    }

    /// Starts where this router is Active, and ends where it is not.
    pub(super) fn tend_ra(&mut self, context: &Context<'_>, now: Instant) {
        for index in 0..self.ra.senders.len() {
            let sender = &mut self.ra.senders[index];
            let id = sender.instance;
            let active = context.router.instance(id).state() == State::Active;
            let contradicted = core::mem::take(&mut sender.contradicted);
            match sender.advertiser.turn(active, contradicted, now) {
                Turn::Stay => {}
                Turn::Begin => sender.start(context, now),
                Turn::End => {
                    sender.hang_up();
                    self.farewell(id, context, now);
                }
            }
        }
    }

    /// Sends what is due.
    pub(super) fn advertise(&mut self, context: &Context<'_>, now: Instant) {
        for index in 0..self.ra.senders.len() {
            let sender = &self.ra.senders[index];
            if now < sender.advertiser.poll_at() {
                continue;
            }
            let mut speech = self.speech(sender.instance, context, now);
            let advertiser = &mut self.ra.senders[index].advertiser;
            match &mut speech {
                Some(said) => advertiser.send(said.timing, &mut said.content.prefixes, now),
                // As soon as there is a link-local address, its prefixes are news.
                None => advertiser.send(Timing::OWN, &mut Prefixes::new(), now),
            }
            if let Some(said) = speech {
                self.push_ra(&said, said.mac, said.source);
            }
        }
        self.send_frames();
    }

    /// The last advertisement; always from the router's own address, see [`Content::farewell`].
    fn farewell(&mut self, id: Id, context: &Context<'_>, now: Instant) {
        if let Some(mut said) = self.speech(id, context, now)
            && let Some(own) = said.own.filter(|_| said.up)
        {
            said.content.farewell(own);
            self.push_ra(&said, said.own_mac, own);
            self.send_frames();
        }
    }

    fn push_ra(&mut self, said: &Speech, mac: [u8; 6], source: Ipv6Addr) {
        self.push_frame(said.ifindex, &mut |buf| {
            frame::emit_ra(buf, mac, source, said.mtu, &said.content)
        });
    }

    /// The kernel has told something: hosts are told soon if prefixes have come or gone.
    pub(super) fn compare_ra(&mut self, context: &Context<'_>, now: Instant) {
        for index in 0..self.ra.senders.len() {
            let sender = &self.ra.senders[index];
            let said = self.speech(sender.instance, context, now);
            let advertiser = &mut self.ra.senders[index].advertiser;
            if said.is_some_and(|said| advertiser.is_outdated(&said.content.prefixes)) {
                advertiser.stir(now);
            }
        }
    }

    /// Before a reload: who advertises no longer says so. The others begin anew.
    pub(super) fn replace_ra(
        &mut self,
        config: &Config,
        matches: &[Option<Id>],
        context: &Context<'_>,
        now: Instant,
    ) {
        self.follow_again();
        let old = core::mem::take(&mut self.ra.senders);
        for (index, instance) in config.instances.iter().enumerate() {
            if instance.ra {
                self.ra.senders.push(Sender::new(Id(index as u16)));
            }
        }
        for gone in old.iter().filter(|sender| sender.advertiser.runs()) {
            let stays = |new: &Sender| matches[new.instance.index()] == Some(gone.instance);
            if !self.ra.senders.iter().any(stays) {
                self.farewell(gone.instance, context, now);
            }
        }
    }
}
