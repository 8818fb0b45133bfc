//! The receiving sockets, a set for each interface, opened when it appears.

use core::net::{IpAddr, Ipv4Addr};

use crate::config::model::Receive;
use crate::frame;
use crate::limits;
use crate::log;
use crate::sys::error::{Cause, Error};
use crate::sys::group::{self, Membership};
use crate::sys::packet::PacketSocket;
use crate::sys::poll::{Interest, Poll};
use crate::sys::raw::RawSocket;
use crate::sys::receive::{PacketType, ReceiveRing};
use crate::time::{Duration, Instant};
use crate::vrrp::drop::DropReason;
use crate::vrrp::types::{Family, GROUP6};
use crate::vrrp::validate::Received;

use super::links::{Links, Slot};
use super::tap::{News, Tap};

/// Where adverts of a family are expected: each family has sockets of its own.
pub(super) type Place = (Slot, Family);

/// The sockets of all interfaces that adverts are expected on.
pub(super) struct Ears {
    slots: Vec<Listening>,
    ring: ReceiveRing,
    /// When [`Ears::tend`] has something to do though nothing happens.
    tend_at: Instant,
}

/// One interface that adverts of a family are expected on.
struct Listening {
    place: Place,
    /// Where they go to.
    group: IpAddr,
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
    /// The filter of the raw socket lets nothing in.
    raw_deaf: bool,
    _membership: Membership,
}

struct Socket<S> {
    socket: S,
    /// Its place in the poll set.
    place: usize,
}

impl Ears {
    /// Nothing is listened to yet.
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            ring: ReceiveRing::new(),
            tend_at: Instant::NEVER,
        }
    }

    /// At the start and after a reload: sockets of interfaces that are used as before stay open. `wanted` is the
    /// place of each instance and how it receives.
    pub(super) fn retarget(&mut self, group4: Ipv4Addr, wanted: &[(Place, Receive)]) {
        let target = |place: Place| {
            let modes = wanted.iter().filter(|(p, _)| *p == place);
            let group = match place.1 {
                Family::V4 => IpAddr::V4(group4),
                Family::V6 => GROUP6,
            };
            (group, Tap::mode_of(modes.map(|(_, mode)| *mode)))
        };
        self.slots.retain(|l| {
            let wanted = wanted.iter().any(|(place, _)| *place == l.place);
            wanted && target(l.place) == (l.group, l.tap.mode())
        });
        for (place, _) in wanted {
            if self.slots.iter().all(|l| l.place != *place) {
                let (group, mode) = target(*place);
                self.slots.push(Listening {
                    place: *place,
                    group,
                    tap: Tap::new(mode),
                    ear: None,
                    failed: None,
                });
            }
        }
        self.schedule();
    }

    /// How many sockets there may be.
    pub(super) fn capacity(&self) -> usize {
        self.slots.len() * 2
    }

    /// Opens and closes sockets as interfaces come and go.
    pub(super) fn follow(&mut self, links: &Links) {
        for listening in &mut self.slots {
            let link = links.get(listening.place.0);
            let ifindex = link.ifindex();
            if listening.ear.as_ref().map(|ear| ear.ifindex) != ifindex {
                listening.ear = None;
            }
            if let (None, Some(ifindex)) = (&listening.ear, ifindex) {
                listening.open(ifindex, &link.name, &mut self.ring);
            }
        }
    }

    /// Decides anew which sockets listen. `active` is the longest Active_Down_Interval of an
    /// interface's instances, if all of them are Active. False if a socket could not be opened.
    pub(super) fn tend(
        &mut self,
        links: &Links,
        now: Instant,
        active: impl Fn(Place) -> Option<Duration>,
    ) -> bool {
        let mut good = true;
        for listening in &mut self.slots {
            listening.compare(&mut self.ring, now);
            let name = &links.get(listening.place.0).name;
            match listening.tap.tend(active(listening.place), now) {
                Some(News::Closed) => log::debug!("{name}: the tap is closed while Active"),
                Some(News::Deaf) => log::warn!(
                    "{name}: the raw socket no longer hears adverts that the tap hears, so the tap stays \
                     open; another router may have been Active unheard for up to a minute: a firewall \
                     drops protocol 112; let it in, or write `receive packet`"
                ),
                None => {}
            }
            let open = listening.ear.is_some();
            listening.adjust(name, &mut self.ring);
            if listening.closes() {
                listening.skip(&mut self.ring);
            }
            good &= open == listening.ear.is_some();
        }
        self.schedule();
        good
    }

    /// Some tap is to be closed. What it still has must be taken first, by [`Ears::receive`]: what
    /// comes from here on, the raw socket hears too.
    pub(super) fn closes(&self) -> bool {
        self.slots.iter().any(Listening::closes)
    }

    /// Closes the taps that are not wanted any more.
    pub(super) fn close_taps(&mut self) {
        for listening in &mut self.slots {
            if let Some(ear) = listening
                .ear
                .as_mut()
                .filter(|_| !listening.tap.wants_tap())
            {
                ear.tap = None;
            }
        }
    }

    /// When [`Ears::tend`] has something to do though nothing happens.
    pub(super) fn poll_at(&self) -> Instant {
        self.tend_at
    }

    /// To be called when a decision may have come to another [`Tap::poll_at`].
    fn schedule(&mut self) {
        let times = self.slots.iter().map(|listening| listening.tap.poll_at());
        self.tend_at = Instant::earliest(times);
    }

    /// Adds the sockets to a poll set; the raw socket beside a tap wakes nobody.
    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        for ear in self.slots.iter_mut().filter_map(|l| l.ear.as_mut()) {
            if let Some(tap) = &mut ear.tap {
                tap.place = poll.add(&tap.socket, Interest::Read);
            } else if let Some(raw) = &mut ear.raw {
                raw.place = poll.add(&raw.socket, Interest::Read);
            }
        }
    }

    /// Takes what has come in, a bounded number of frames a socket.
    pub(super) fn receive(
        &mut self,
        poll: &Poll,
        links: &Links,
        now: Instant,
        mut heard: impl FnMut(Result<&Received<'_>, DropReason>),
    ) {
        let Self { slots, ring, .. } = self;
        let mut compared = false;
        for listening in slots {
            let (place, group) = (listening.place, listening.group);
            let Some(ear) = &listening.ear else { continue };
            if let Some(tap) = &ear.tap {
                if !tap.is_ready(poll) && listening.tap.wants_tap() {
                    continue;
                }
                let result = tap.socket.receive(ring, limits::RECEIVE_FRAMES, |frame| {
                    let here = frame.ifindex == ear.ifindex;
                    if !here || frame.packet_type == PacketType::OtherHost {
                        return heard(Err(DropReason::Elsewhere));
                    }
                    let packet = frame::parse(place.1, frame.bytes);
                    let expected = |to| to == group || links.is_local(place.0, to);
                    if packet.as_ref().is_ok_and(|p| expected(p.destination)) {
                        listening.tap.tap_heard();
                    }
                    hand_on(place.0, &packet, &mut heard);
                });
                tell(result);
                if listening.tap.wants_comparison() {
                    listening.compare(ring, now);
                    listening.tune(ring);
                    compared = true;
                }
            } else if let Some(raw) = ear.raw.as_ref().filter(|raw| raw.is_ready(poll)) {
                let result = raw.socket.receive(ring, limits::RECEIVE_FRAMES, |frame| {
                    let packet = frame::parse_packet(place.1, frame.bytes);
                    hand_on(place.0, &packet, &mut heard);
                });
                tell(result);
            }
        }
        if compared {
            self.schedule();
        }
    }

    /// Adverts of this place can be heard.
    pub(super) fn hears(&self, place: Place) -> bool {
        let hears = |l: &Listening| l.place == place && l.ear.is_some();
        self.slots.iter().any(hears)
    }

    /// Which sockets of a place listen, and why.
    pub(super) fn explain(&self, place: Place) -> (&'static str, &'static str) {
        let listening = self.slots.iter().find(|l| l.place == place);
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
    fn open(&mut self, ifindex: u32, name: &str, ring: &mut ReceiveRing) {
        match Membership::join(name, ifindex, self.group) {
            Ok(membership) => {
                self.ear = Some(Ear {
                    ifindex,
                    tap: None,
                    raw: None,
                    raw_deaf: false,
                    _membership: membership,
                });
                self.adjust(name, ring);
            }
            Err(error) => self.fail(ifindex, name, &error),
        }
    }

    /// Reads what the raw socket has heard beside the tap, to count it.
    fn compare(&mut self, ring: &mut ReceiveRing, now: Instant) {
        let Some((_, raw)) = self.ear.as_ref().and_then(Ear::both) else {
            return;
        };
        let mut heard = 0;
        let result = raw.receive(ring, self.tap.enough() as usize, |frame| {
            let packet = frame::parse_packet(self.place.1, frame.bytes);
            // A raw socket gets what is for this machine alone.
            let expected = |to: IpAddr| to == self.group || !to.is_multicast();
            heard += u32::from(packet.is_ok_and(|p| expected(p.destination)));
        });
        tell(result);
        self.tap.compare(heard, now);
    }

    /// The tap is open, and not wanted.
    fn closes(&self) -> bool {
        let open = self.ear.as_ref().is_some_and(|ear| ear.tap.is_some());
        open && !self.tap.wants_tap()
    }

    /// Opens and closes the filter of the raw socket as the decision asks.
    fn tune(&mut self, ring: &mut ReceiveRing) {
        let deaf = !self.tap.raw_hears();
        let ear = self.ear.as_mut().filter(|ear| ear.raw_deaf != deaf);
        let Some(raw) = ear.as_ref().and_then(|ear| ear.raw.as_ref()) else {
            return;
        };
        if let Err(errno) = raw.socket.set_deaf(deaf) {
            return log::debug!("filter of a raw socket: {}", Cause(errno));
        }
        if let Some(ear) = ear {
            ear.raw_deaf = deaf;
        }
        // What it heard in an earlier sample is no proof, nor news.
        self.skip(ring);
    }

    /// What waits in the raw socket was heard by the tap, and must not be taken for new.
    fn skip(&self, ring: &mut ReceiveRing) {
        if let Some((_, raw)) = self.ear.as_ref().and_then(Ear::both) {
            tell(raw.receive(ring, limits::RECEIVE_FRAMES * limits::CATCH_UP, |_| ()));
        }
    }

    /// Opens the sockets that the decision asks for.
    fn adjust(&mut self, name: &str, ring: &mut ReceiveRing) {
        let Some(ear) = &mut self.ear else { return };
        if let Err(error) = ear.adjust(&self.tap, name, self.group) {
            let ifindex = ear.ifindex;
            self.fail(ifindex, name, &error);
        }
        self.tune(ring);
    }

    fn fail(&mut self, ifindex: u32, name: &str, error: &Error) {
        self.ear = None;
        if self.failed.replace(ifindex) != Some(ifindex) {
            log::error!("{name}: adverts cannot be received: {error}");
        }
    }
}

impl Ear {
    /// The sockets, if both are open.
    fn both(&self) -> Option<(&PacketSocket, &RawSocket)> {
        Some((&self.tap.as_ref()?.socket, &self.raw.as_ref()?.socket))
    }

    fn adjust(&mut self, decision: &Tap, name: &str, group: IpAddr) -> Result<(), Error> {
        let family = Family::of(&group);
        if decision.wants_tap() && self.tap.is_none() {
            let socket = PacketSocket::open(name, self.ifindex, family)?;
            if let Err(error) = group::accept_mac(&socket, name, self.ifindex, group) {
                log::debug!("{error}; the join of the group does the same on most network cards");
            }
            self.tap = Some(Socket {
                socket,
                place: usize::MAX,
            });
        }
        if decision.wants_raw() && self.raw.is_none() {
            let socket = RawSocket::open(name, self.ifindex, family)?;
            self.raw = Some(Socket {
                socket,
                place: usize::MAX,
            });
        }
        Ok(())
    }
}

impl<S> Socket<S> {
    /// The last wait found something to read.
    fn is_ready(&self, poll: &Poll) -> bool {
        poll.readiness(self.place).any()
    }
}

/// ENETDOWN and ENODEV: the interface's own event says the rest.
fn tell<T>(result: Result<T, nix::errno::Errno>) {
    if let Err(errno) = result {
        log::debug!("receive: {}", Cause(errno));
    }
}

fn hand_on(
    slot: Slot,
    packet: &Result<frame::Ip<'_>, DropReason>,
    heard: &mut impl FnMut(Result<&Received<'_>, DropReason>),
) {
    match packet {
        Ok(packet) => heard(Ok(&Received {
            link: slot,
            source: packet.source,
            destination: packet.destination,
            ttl: packet.ttl,
            payload: packet.payload,
        })),
        Err(reason) => heard(Err(*reason)),
    }
}
