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
use crate::vrrp::types::Family;

/// A raw socket for VRRP, bound to one interface.
#[derive(Debug)]
pub struct RawSocket {
    fd: OwnedFd,
    ifindex: u32,
    family: Family,
}

impl RawSocket {
    /// Opens a socket of `family` for the interface `name` with the index `ifindex`. It is bound to the
    /// interface that has the name now; open another when that has gone.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2): ENODEV if the interface is gone.
    pub fn open(name: &str, ifindex: u32, family: Family) -> Result<Self, Error> {
        let protocol = i32::from(PROTOCOL_VRRP);
        let domain = match family {
            Family::V4 => libc::AF_INET,
            Family::V6 => libc::AF_INET6,
        };
        let fd = socket::open(domain, libc::SOCK_RAW, protocol).context("open raw socket", name)?;
        // Deaf until it is bound: it would hear every interface.
        Filter::NOTHING
            .attach(&fd)
            .context("attach filter to raw socket", name)?;
        socket::bind_to_device(&fd, name).context("bind raw socket", name)?;
        if family == Family::V6 {
            tell_header(&fd).context("set options of raw socket", name)?;
        }
        let raw = Self {
            fd,
            ifindex,
            family,
        };
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

    /// Hands up to `limit` waiting packets to `each`. They start with the IP header; of an IPv6
    /// header, which the kernel takes off, addresses, length and hop limit are true.
    ///
    /// # Errors
    /// As recvmmsg(2). ENETDOWN: the interface was set down; ENODEV: it was deleted.
    pub fn receive(
        &self,
        ring: &mut ReceiveRing,
        limit: usize,
        mut each: impl FnMut(Frame<'_>),
    ) -> Result<Received, Errno> {
        ring.receive_packets(self.fd.as_fd(), self.family, limit, |bytes| {
            each(Frame {
                bytes,
                packet_type: packet_type(self.family, bytes),
                ifindex: self.ifindex,
            });
        })
    }
}

/// Has the kernel tell what stood in the IPv6 header (RFC 3542 §4). It does not look at checksums
/// of protocol 112 (IPV6_CHECKSUM is off unless asked for), so that broken ones can be counted.
fn tell_header(fd: &OwnedFd) -> Result<(), Errno> {
    for option in [libc::IPV6_RECVPKTINFO, libc::IPV6_RECVHOPLIMIT] {
        socket::set_int(fd, libc::IPPROTO_IPV6, option, 1)?;
    }
    Ok(())
}

/// The kernel hands a raw socket only what is addressed to this host or to a group.
fn packet_type(family: Family, packet: &[u8]) -> PacketType {
    let multicast = match family {
        // 224.0.0.0/4
        Family::V4 => packet.get(16).is_some_and(|byte| byte >> 4 == 0xe),
        // ff00::/8
        Family::V6 => packet.get(24) == Some(&0xff),
    };
    if multicast {
        PacketType::Multicast
    } else {
        PacketType::Host
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
