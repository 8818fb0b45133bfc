//! The tap on one interface: an AF_PACKET socket, packet(7).
//!
//! It hears adverts whatever the firewall says. It does not hear what this host sends: the kernel
//! shows that to sockets that are bound to every protocol only.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::error::{Context, Error};
use super::filter::Filter;
use super::receive::{Frame, ReceiveRing, Received};
use super::socket;
use crate::vrrp::types::Family;

/// A packet socket that receives the adverts of one family on one interface.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

impl PacketSocket {
    /// Opens a socket for the adverts of `family` on the interface `ifindex`; `name` is for
    /// messages. The interface may be down: then the first receive tells ENETDOWN, and frames come
    /// once it is up.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2), bind(2): ENODEV if the interface is gone.
    pub fn open(name: &str, ifindex: u32, family: Family) -> Result<Self, Error> {
        // Protocol 0 receives nothing: no frame gets in before the filter and the interface.
        let fd =
            socket::open(libc::AF_PACKET, libc::SOCK_RAW, 0).context("open packet socket", name)?;
        Filter::vrrp(family)
            .attach(&fd)
            .context("attach packet filter", name)?;
        let protocol = match family {
            Family::V4 => libc::ETH_P_IP,
            Family::V6 => libc::ETH_P_IPV6,
        };
        let address = link_address(ifindex, socket::network_order(protocol));
        // SAFETY: sockaddr_ll is the address structure of AF_PACKET.
        unsafe { socket::bind(&fd, &address) }.context("bind packet socket", name)?;
        Ok(Self { fd })
    }

    /// Hands up to `limit` waiting frames to `each`, with their Ethernet header.
    ///
    /// # Errors
    /// As recvmmsg(2). ENETDOWN: the interface went down or was deleted; told once.
    pub fn receive(
        &self,
        ring: &mut ReceiveRing,
        limit: usize,
        each: impl FnMut(Frame<'_>),
    ) -> Result<Received, Errno> {
        ring.receive(self.fd.as_fd(), limit, each)
    }

    /// Puts another filter in place of the one there is.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn set_filter(&self, filter: Filter) -> Result<(), Errno> {
        filter.attach(&self.fd)
    }

    /// Sets the size of the receive buffer in bytes.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn set_receive_buffer(&self, bytes: usize) -> Result<(), Errno> {
        socket::set_receive_buffer(&self.fd, bytes)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The address of an interface, and a protocol in network order.
pub(super) fn link_address(ifindex: u32, protocol: u16) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol,
        sll_ifindex: ifindex.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}
