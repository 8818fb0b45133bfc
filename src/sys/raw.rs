//! The cheap ear: a raw IP socket for protocol 112 on one interface, raw(7).
//!
//! It costs forwarded packets nothing, but hears only what the firewall lets in, and only groups
//! that somebody on this host has joined ([`Membership`](super::group::Membership)). While it is
//! open, with whatever filter, the kernel does not answer VRRP packets with ICMP "protocol
//! unreachable".

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::error::{Context, Error};
use super::filter::Filter;
use super::receive::{Frame, PacketType, ReceiveRing, Received};
use super::socket;
use crate::frame::PROTOCOL_VRRP;

/// The high four bits of the destination of an IPv4 packet, if they say multicast.
const MULTICAST: u8 = 0xe0;
/// Where an IPv4 packet's destination starts.
const DESTINATION: usize = 16;

/// A raw socket for VRRP over IPv4, bound to one interface.
#[derive(Debug)]
pub struct RawSocket {
    fd: OwnedFd,
    ifindex: u32,
}

impl RawSocket {
    /// Opens a socket for the interface `name` with the index `ifindex`. It is bound to the
    /// interface that has the name now; open another when that has gone.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2): ENODEV if the interface is gone.
    pub fn open(name: &str, ifindex: u32) -> Result<Self, Error> {
        let protocol = i32::from(PROTOCOL_VRRP);
        let fd = socket::open(libc::AF_INET, libc::SOCK_RAW, protocol)
            .context("open raw socket", name)?;
        // Deaf until it is bound: it would hear every interface.
        Filter::NOTHING
            .attach(&fd)
            .context("attach filter to raw socket", name)?;
        socket::bind_to_device(&fd, name).context("bind raw socket", name)?;
        let raw = Self { fd, ifindex };
        raw.set_deaf(false)
            .context("change filter of raw socket", name)?;
        Ok(raw)
    }

    /// Deaf: packets are dropped before they wake anybody, and still draw no ICMP error. What waits
    /// already is still received.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn set_deaf(&self, deaf: bool) -> Result<(), Errno> {
        // Not SO_DETACH_FILTER, which qemu-user lacks and which needs a filter that is there.
        let filter = if deaf {
            Filter::NOTHING
        } else {
            Filter::EVERYTHING
        };
        filter.attach(&self.fd)
    }

    /// Hands up to `limit` waiting packets to `each`. They start with the IP header.
    ///
    /// # Errors
    /// As recvmmsg(2). ENETDOWN: the interface was set down; ENODEV: it was deleted.
    pub fn receive(
        &self,
        ring: &mut ReceiveRing,
        limit: usize,
        mut each: impl FnMut(Frame<'_>),
    ) -> Result<Received, Errno> {
        ring.receive(self.fd.as_fd(), limit, |frame| {
            each(Frame {
                bytes: frame.bytes,
                packet_type: packet_type(frame.bytes),
                ifindex: self.ifindex,
            });
        })
    }
}

/// The kernel hands a raw socket only what is addressed to this host or to a group.
fn packet_type(packet: &[u8]) -> PacketType {
    match packet.get(DESTINATION) {
        Some(byte) if byte & 0xf0 == MULTICAST => PacketType::Multicast,
        _ => PacketType::Host,
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
