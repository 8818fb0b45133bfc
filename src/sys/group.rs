//! Joining a multicast group, so that the network card and snooping switches let adverts through.

use core::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;

use super::error::{Context, Error};
use super::packet::PacketSocket;
use super::socket;
use crate::frame::multicast_mac;

/// A join of a group on an interface, in force while this is held.
///
/// A socket of its own for each: the kernel allows 20 joins a socket (igmp_max_memberships).
#[derive(Debug)]
pub struct Membership {
    _socket: OwnedFd,
}

impl Membership {
    /// Joins `group` on the interface `ifindex`: the kernel answers IGMP or MLD queries and tells
    /// the card. `name` is for messages.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2): ENODEV if the interface is gone, or takes no IPv4 or IPv6.
    pub fn join(name: &str, ifindex: u32, group: IpAddr) -> Result<Self, Error> {
        let domain = match group {
            IpAddr::V4(_) => libc::AF_INET,
            IpAddr::V6(_) => libc::AF_INET6,
        };
        let fd =
            socket::open(domain, libc::SOCK_DGRAM, 0).context("open socket for multicast", name)?;
        join(&fd, ifindex, group).context("join multicast group", name)?;
        Ok(Self { _socket: fd })
    }
}

/// Joins `group` for as long as the socket is open.
pub(super) fn join(fd: &OwnedFd, ifindex: u32, group: IpAddr) -> Result<(), Errno> {
    match group {
        IpAddr::V4(group) => {
            let request = libc::ip_mreqn {
                imr_multiaddr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(group.octets()),
                },
                imr_address: libc::in_addr { s_addr: 0 },
                imr_ifindex: ifindex.cast_signed(),
            };
            // SAFETY: IP_ADD_MEMBERSHIP takes an ip_mreqn.
            unsafe { socket::set_option(fd, libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, &request) }
        }
        IpAddr::V6(group) => {
            let request = libc::ipv6_mreq {
                ipv6mr_multiaddr: libc::in6_addr {
                    s6_addr: group.octets(),
                },
                ipv6mr_interface: ifindex as _,
            };
            let (level, option) = (libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP);
            // SAFETY: IPV6_ADD_MEMBERSHIP takes an ipv6_mreq.
            unsafe { socket::set_option(fd, level, option, &request) }
        }
    }
}

/// Tells the card to accept the group's MAC address, while `socket` is open. The join of a
/// [`Membership`] does that too; this one needs no IP on the interface.
///
/// # Errors
/// As setsockopt(2). A warning, no more: qemu-user, for one, does not know the option.
pub fn accept_mac(
    socket: &PacketSocket,
    name: &str,
    ifindex: u32,
    group: IpAddr,
) -> Result<(), Error> {
    let mac = multicast_mac(group);
    let mut request = libc::packet_mreq {
        mr_ifindex: ifindex.cast_signed(),
        mr_type: libc::PACKET_MR_MULTICAST as u16,
        mr_alen: mac.len() as u16,
        mr_address: [0; 8],
    };
    request.mr_address[..mac.len()].copy_from_slice(&mac);
    let fd = socket.as_fd().as_raw_fd();
    let (level, option) = (libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP);
    // SAFETY: PACKET_ADD_MEMBERSHIP takes a packet_mreq.
    unsafe { socket::set_option(&fd, level, option, &request) }
        .context("accept multicast MAC address", name)
}
