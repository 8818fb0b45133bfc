//! The receiving sockets, a set for each interface, opened when it appears.

use core::net::{IpAddr, Ipv4Addr};

use crate::config::model::Receive;
use crate::frame;
use crate::limits;
use crate::sys::error::{Cause, Error};
use crate::sys::filter::Filter;
use crate::sys::group::{self, Membership};
use crate::sys::packet::PacketSocket;
use crate::sys::poll::{Interest, Poll};
use crate::sys::raw::RawSocket;
use crate::sys::receive::{PacketType, ReceiveRing};
use crate::time::{Duration, Instant};
use crate::vrrp::drop::DropReason;
use crate::vrrp::validate::Received;

use super::links::{Links, Slot};
use super::tap::{News, Tap};

/// The sockets of all interfaces that adverts are expected on.
pub(super) struct Ears {
    group: Ipv4Addr,
    slots: Vec<Listening>,
    ring: ReceiveRing,
}

/// One interface that adverts are expected on.
struct Listening {
    slot: Slot,
    tap: Tap,
    ear: Option<Ear>,
    /// The index for which opening failed last, so that it is told once.
    failed: Option<u32>,
}

/// The sockets of an interface that exists.
struct Ear {
    ifindex: u32,
    tap: Option<Socket<PacketSocket>>,
    raw: Option<Socket<RawSocket>>,
    _membership: Membership,
}

struct Socket<S> {
    socket: S,
    /// Its place in the poll set.
    place: usize,
}

impl Ears {
    /// Nothing is open yet. `wanted` is the interface of each instance and how it receives.
    pub(super) fn new(group: Ipv4Addr, wanted: &[(Slot, Receive)]) -> Self {
        let mut ears = Self {
            group,
            slots: Vec::new(),
            ring: ReceiveRing::new(),
        };
        ears.retarget(group, wanted);
        ears
    }

    /// After a reload: sockets of interfaces that are used as before stay open.
    pub(super) fn retarget(&mut self, group: Ipv4Addr, wanted: &[(Slot, Receive)]) {
        let mut old = core::mem::take(&mut self.slots);
        if group != self.group {
            old.clear();
        }
        self.group = group;
        let mut slots: Vec<Slot> = wanted.iter().map(|(slot, _)| *slot).collect();
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            let modes = wanted
                .iter()
                .filter(|(s, _)| *s == slot)
                .map(|(_, mode)| *mode);
            let mode = Tap::mode_of(modes);
            let same = |l: &Listening| l.slot == slot && l.tap.mode() == mode;
            let kept = old.iter().position(same).map(|i| old.swap_remove(i));
            let fresh = || Listening {
                slot,
                tap: Tap::new(mode),
                ear: None,
                failed: None,
            };
            self.slots.push(kept.unwrap_or_else(fresh));
        }
    }

    /// How many sockets there may be.
    pub(super) fn capacity(&self) -> usize {
        self.slots.len() * 2
    }

    /// Opens and closes sockets as interfaces come and go.
    pub(super) fn follow(&mut self, links: &Links) {
        for listening in &mut self.slots {
            let link = links.get(listening.slot);
            let ifindex = link.ifindex();
            if listening.ear.as_ref().map(|ear| ear.ifindex) != ifindex {
                listening.ear = None;
            }
            if let (None, Some(ifindex)) = (&listening.ear, ifindex) {
                listening.open(ifindex, &link.name, self.group);
            }
        }
    }

    /// Decides anew which sockets listen. `active` is the longest Active_Down_Interval of an
    /// interface's instances, if all of them are Active. False if a socket could not be opened.
    pub(super) fn tend(
        &mut self,
        links: &Links,
        now: Instant,
        active: impl Fn(Slot) -> Option<Duration>,
    ) -> bool {
        let mut good = true;
        for listening in &mut self.slots {
            let name = &links.get(listening.slot).name;
            match listening.tap.tend(active(listening.slot), now) {
                Some(News::Closed) => log::debug!("{name}: the tap is closed while Active"),
                Some(News::Deaf) => log::warn!(
                    "{name}: the raw socket no longer hears adverts that the tap hears, so the tap stays \
                     open; another router may have been Active unheard for up to a minute: a firewall \
                     drops protocol 112; let it in, or write `receive packet`"
                ),
                None => {}
            }
            let open = listening.ear.is_some();
            listening.adjust(name, self.group);
            good &= open == listening.ear.is_some();
        }
        good
    }

    /// When [`Ears::tend`] has something to do though nothing happens.
    pub(super) fn poll_at(&self) -> Instant {
        self.slots
            .iter()
            .map(|l| l.tap.poll_at())
            .min()
            .unwrap_or(Instant::NEVER)
    }

    /// Adds the sockets to a poll set.
    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        for ear in self.slots.iter_mut().filter_map(|l| l.ear.as_mut()) {
            if let Some(tap) = &mut ear.tap {
                tap.place = poll.add(&tap.socket, Interest::Read);
            }
            if let Some(raw) = &mut ear.raw {
                raw.place = poll.add(&raw.socket, Interest::Read);
            }
        }
    }

    /// Takes what has come in, a bounded number of frames a socket. While both listen, the raw
    /// socket's are only counted.
    pub(super) fn receive(
        &mut self,
        poll: &Poll,
        mut heard: impl FnMut(Result<Received<'_>, DropReason>),
    ) {
        let Self { group, slots, ring } = self;
        let group = IpAddr::V4(*group);
        for Listening {
            slot,
            tap: decision,
            ear,
            ..
        } in slots
        {
            let Some(ear) = ear else { continue };
            if let Some(tap) = ready(&ear.tap, poll) {
                let result = tap.receive(ring, limits::RECEIVE_FRAMES, |frame| {
                    let ours = frame.ifindex == ear.ifindex;
                    let received = match frame.packet_type {
                        PacketType::OtherHost => Err(DropReason::Elsewhere),
                        _ if !ours => Err(DropReason::Elsewhere),
                        _ => parse(*slot, frame::parse_ipv4(frame.bytes)),
                    };
                    if received.is_ok_and(|r| r.destination == group) {
                        decision.tap_heard();
                    }
                    heard(received);
                });
                tell(result);
            }
            if let Some(raw) = ready(&ear.raw, poll) {
                let result = raw.receive(ring, limits::RECEIVE_FRAMES, |frame| {
                    let received = parse(*slot, frame::parse_ipv4_packet(frame.bytes));
                    if ear.tap.is_none() {
                        heard(received);
                    } else if received.is_ok_and(|r| r.destination == group) {
                        decision.raw_heard();
                    }
                });
                tell(result);
            }
        }
    }

    /// Adverts of this interface can be heard.
    pub(super) fn hears(&self, slot: Slot) -> bool {
        self.slots.iter().any(|l| l.slot == slot && l.ear.is_some())
    }

    /// Which sockets of an interface listen, and why.
    pub(super) fn explain(&self, slot: Slot) -> (&'static str, &'static str) {
        let listening = self.slots.iter().find(|l| l.slot == slot);
        match listening {
            Some(Listening {
                ear: None,
                failed: Some(_),
                ..
            }) => ("none", "no socket could be opened"),
            Some(Listening { ear: None, .. }) | None => ("none", "the interface does not exist"),
            Some(listening) => listening.tap.explain(),
        }
    }
}

impl Listening {
    fn open(&mut self, ifindex: u32, name: &str, group: Ipv4Addr) {
        match Membership::join(name, ifindex, group) {
            Ok(membership) => {
                self.ear = Some(Ear {
                    ifindex,
                    tap: None,
                    raw: None,
                    _membership: membership,
                });
                self.adjust(name, group);
            }
            Err(error) => self.fail(ifindex, name, &error),
        }
    }

    /// Opens and closes the sockets as the decision asks.
    fn adjust(&mut self, name: &str, group: Ipv4Addr) {
        let Some(ear) = &mut self.ear else { return };
        if let Err(error) = ear.adjust(&self.tap, name, group) {
            let ifindex = ear.ifindex;
            self.fail(ifindex, name, &error);
        }
    }

    fn fail(&mut self, ifindex: u32, name: &str, error: &Error) {
        self.ear = None;
        if self.failed.replace(ifindex) != Some(ifindex) {
            log::error!("{name}: adverts cannot be received: {error}");
        }
    }
}

impl Ear {
    fn adjust(&mut self, decision: &Tap, name: &str, group: Ipv4Addr) -> Result<(), Error> {
        if !decision.wants_tap() {
            self.tap = None;
        } else if self.tap.is_none() {
            let socket = PacketSocket::open(name, self.ifindex, Filter::VRRP_IPV4)?;
            if let Err(error) = group::accept_mac(&socket, name, self.ifindex, group) {
                log::debug!("{error}; the join of the group does the same on most network cards");
            }
            self.tap = Some(Socket {
                socket,
                place: usize::MAX,
            });
        }
        if decision.wants_raw() && self.raw.is_none() {
            let socket = RawSocket::open(name, self.ifindex)?;
            self.raw = Some(Socket {
                socket,
                place: usize::MAX,
            });
        }
        Ok(())
    }
}

/// The socket, if the last wait found something to read.
fn ready<'s, S>(socket: &'s Option<Socket<S>>, poll: &Poll) -> Option<&'s S> {
    let socket = socket.as_ref()?;
    poll.readiness(socket.place).any().then_some(&socket.socket)
}

/// ENETDOWN and ENODEV: the interface's own event says the rest.
fn tell<T>(result: Result<T, nix::errno::Errno>) {
    if let Err(errno) = result {
        log::debug!("receive: {}", Cause(errno));
    }
}

fn parse(
    slot: Slot,
    packet: Result<frame::Ipv4<'_>, DropReason>,
) -> Result<Received<'_>, DropReason> {
    let packet = packet?;
    Ok(Received {
        link: slot,
        source: IpAddr::V4(packet.source),
        destination: IpAddr::V4(packet.destination),
        ttl: packet.ttl,
        payload: packet.payload,
    })
}
