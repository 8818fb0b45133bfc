//! The receiving sockets, one set an interface, opened when it appears.

use core::net::{IpAddr, Ipv4Addr};

use crate::frame;
use crate::limits;
use crate::sys::error::Error;
use crate::sys::filter::Filter;
use crate::sys::group::{self, Membership};
use crate::sys::packet::PacketSocket;
use crate::sys::poll::{Interest, Poll};
use crate::sys::receive::{PacketType, ReceiveRing};
use crate::vrrp::drop::DropReason;
use crate::vrrp::validate::Received;

use super::links::{Links, Slot};

/// The sockets of all interfaces that adverts are expected on.
pub(super) struct Ears {
    group: Ipv4Addr,
    slots: Vec<Listening>,
    ring: ReceiveRing,
}

/// One interface that adverts are expected on.
struct Listening {
    slot: Slot,
    ear: Option<Ear>,
    /// The index for which opening failed, so that it is tried and told once.
    failed: Option<u32>,
}

struct Ear {
    ifindex: u32,
    socket: PacketSocket,
    _membership: Membership,
}

impl Ears {
    /// Nothing is open yet.
    pub(super) fn new(group: Ipv4Addr, slots: impl Iterator<Item = Slot>) -> Self {
        let mut ears = Self {
            group,
            slots: Vec::new(),
            ring: ReceiveRing::new(),
        };
        ears.retarget(group, slots);
        ears
    }

    /// After a reload: sockets of interfaces that are still used stay open.
    pub(super) fn retarget(&mut self, group: Ipv4Addr, slots: impl Iterator<Item = Slot>) {
        let mut wanted: Vec<Slot> = slots.collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut old = core::mem::take(&mut self.slots);
        if group != self.group {
            old.clear();
        }
        self.group = group;
        for slot in wanted {
            let kept = old
                .iter()
                .position(|l| l.slot == slot)
                .map(|i| old.swap_remove(i));
            self.slots.push(kept.unwrap_or(Listening {
                slot,
                ear: None,
                failed: None,
            }));
        }
    }

    /// How many sockets there may be.
    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Opens and closes sockets as interfaces come and go.
    pub(super) fn follow(&mut self, links: &Links) {
        for listening in &mut self.slots {
            let link = links.get(listening.slot);
            let ifindex = link.ifindex();
            if listening.ear.as_ref().map(|ear| ear.ifindex) == ifindex {
                continue;
            }
            listening.ear = None;
            let Some(ifindex) = ifindex.filter(|index| listening.failed != Some(*index)) else {
                continue;
            };
            match Ear::open(ifindex, &link.name, self.group) {
                Ok(ear) => listening.ear = Some(ear),
                Err(error) => {
                    listening.failed = Some(ifindex);
                    log::error!("{}: adverts cannot be received: {error}", link.name);
                }
            }
        }
    }

    /// Adds the sockets to a poll set; the place of the first.
    pub(super) fn add_to(&self, poll: &mut Poll) -> usize {
        let mut first = None;
        for ear in self.slots.iter().filter_map(|l| l.ear.as_ref()) {
            let place = poll.add(&ear.socket, Interest::Read);
            first.get_or_insert(place);
        }
        first.unwrap_or_default()
    }

    /// Takes what has come in, a bounded number of frames a socket.
    pub(super) fn receive(
        &mut self,
        poll: &Poll,
        first: usize,
        mut heard: impl FnMut(Result<Received<'_>, DropReason>),
    ) {
        let open = self
            .slots
            .iter()
            .filter_map(|l| Some((l.slot, l.ear.as_ref()?)));
        for (place, (slot, ear)) in open.enumerate() {
            if !poll.readiness(first + place).any() {
                continue;
            }
            let result = ear
                .socket
                .receive(&mut self.ring, limits::RECEIVE_FRAMES, |frame| {
                    let elsewhere =
                        frame.packet_type == PacketType::OtherHost || frame.ifindex != ear.ifindex;
                    heard(if elsewhere {
                        Err(DropReason::Elsewhere)
                    } else {
                        parse(slot, frame.bytes)
                    });
                });
            if let Err(errno) = result {
                // ENETDOWN: the interface's own event says the rest.
                log::debug!("receive: {}", errno.desc());
            }
        }
    }
}

impl Ear {
    fn open(ifindex: u32, name: &str, group: Ipv4Addr) -> Result<Self, Error> {
        let socket = PacketSocket::open(name, ifindex, Filter::VRRP_IPV4)?;
        if let Err(error) = group::accept_mac(&socket, name, ifindex, group) {
            log::warn!("{error}; the join below does the same on most network cards");
        }
        let membership = Membership::join(name, ifindex, group)?;
        Ok(Self {
            ifindex,
            socket,
            _membership: membership,
        })
    }
}

fn parse(slot: Slot, bytes: &[u8]) -> Result<Received<'_>, DropReason> {
    let packet = frame::parse_ipv4(bytes)?;
    Ok(Received {
        link: slot,
        source: IpAddr::V4(packet.source),
        destination: IpAddr::V4(packet.destination),
        ttl: packet.ttl,
        payload: packet.payload,
    })
}
