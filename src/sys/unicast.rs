//! Sending whole IP packets to peers: a raw IP socket, because the kernel must resolve the neighbour.
//!
//! It stays open in every state, with a filter that lets nothing in: without it, the kernel answers
//! unicast adverts with ICMP "protocol unreachable".

use core::mem::zeroed;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;

use super::error::{Context, Error};
use super::filter::Filter;
use super::send::PRIORITY_NETWORK_CONTROL;
use super::socket;
use crate::frame::PROTOCOL_VRRP;
use crate::vrrp::types::Family;

/// Bytes that a control message with an in6_pktinfo, the longer one, takes on any machine.
const CONTROL_LEN: usize = 64;

/// A raw socket for VRRP of one family that only sends. One serves all interfaces.
#[derive(Debug)]
pub struct UnicastSocket {
    fd: OwnedFd,
}

/// A way for a packet: where to, where from, out of which interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The interface's index.
    pub ifindex: u32,
    /// An address of this machine.
    pub source: IpAddr,
    /// The peer, of the same family.
    pub destination: IpAddr,
}

impl UnicastSocket {
    /// Opens the socket. Its packets start with the IP header.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2).
    pub fn open(family: Family) -> Result<Self, Error> {
        let (domain, level, header_included) = match family {
            Family::V4 => (libc::AF_INET, libc::IPPROTO_IP, libc::IP_HDRINCL),
            Family::V6 => (libc::AF_INET6, libc::IPPROTO_IPV6, libc::IPV6_HDRINCL),
        };
        let fd = socket::open(domain, libc::SOCK_RAW, i32::from(PROTOCOL_VRRP))
            .context("open raw socket for sending", "")?;
        Filter::NOTHING
            .attach(&fd)
            .context("attach filter to raw socket for sending", "")?;
        socket::set_int(&fd, level, header_included, 1)
            .context("send whole packets through raw socket", "")?;
        let (level, name) = (libc::SOL_SOCKET, libc::SO_PRIORITY);
        socket::set_int(&fd, level, name, PRIORITY_NETWORK_CONTROL)
            .context("set priority of raw socket", "")?;
        Ok(Self { fd })
    }

    /// Sends one packet, header and all, without waiting.
    ///
    /// # Errors
    /// As sendmsg(2). ENETUNREACH, EHOSTUNREACH: there is no way to the peer; EPERM: a firewall
    /// drops what this machine sends; EINVAL: the source is not an address of this machine.
    pub fn send(&self, packet: &[u8], way: &Way) -> Result<(), Errno> {
        match (way.source, way.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: way.ifindex.cast_signed(),
                    ipi_spec_dst: in_addr(source),
                    ipi_addr: in_addr(Ipv4Addr::UNSPECIFIED),
                };
                let kind = (libc::IPPROTO_IP, libc::IP_PKTINFO);
                self.send_to(packet, &sockaddr_in(destination), kind, info)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: in6_addr(source),
                    ipi6_ifindex: way.ifindex as _,
                };
                let kind = (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO);
                self.send_to(packet, &sockaddr_in6(destination, way.ifindex), kind, info)
            }
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }

    /// `A` is a sockaddr structure, `I` what the control message `kind` (level, type) carries.
    fn send_to<A, I>(
        &self,
        packet: &[u8],
        address: &A,
        kind: (i32, i32),
        info: I,
    ) -> Result<(), Errno> {
        #[repr(C, align(8))]
        struct Control([u8; CONTROL_LEN]);
        let mut control = Control([0; CONTROL_LEN]);
        let mut vector = libc::iovec {
            iov_base: packet.as_ptr().cast_mut().cast(),
            iov_len: packet.len(),
        };
        // SAFETY: all-zero bytes are a valid msghdr, of integers and null pointers.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_name = core::ptr::from_ref(address).cast_mut().cast();
        message.msg_namelen = size_of::<A>() as libc::socklen_t;
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: the CMSG functions compute with sizes and read msg_control and msg_controllen,
        // which describe `control`: aligned for a cmsghdr and longer than either `I` needs, so that
        // the first header exists and its data has room for an `I`.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(size_of::<I>() as u32) as _;
            debug_assert!(message.msg_controllen as usize <= CONTROL_LEN);
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = kind.0;
            (*header).cmsg_type = kind.1;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<I>() as u32) as _;
            libc::CMSG_DATA(header).cast::<I>().write_unaligned(info);
        }
        // SAFETY: every pointer in `message` is to something here that outlives the call, with its
        // length beside it; the kernel writes to none of it.
        let sent =
            unsafe { libc::sendmsg(self.fd.as_raw_fd(), &raw const message, libc::MSG_DONTWAIT) };
        Errno::result(sent).map(drop)
    }
}

fn in_addr(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr {
        s_addr: u32::from_ne_bytes(address.octets()),
    }
}

fn in6_addr(address: Ipv6Addr) -> libc::in6_addr {
    libc::in6_addr {
        s6_addr: address.octets(),
    }
}

fn sockaddr_in(address: Ipv4Addr) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: in_addr(address),
        sin_zero: [0; 8],
    }
}

fn sockaddr_in6(address: Ipv6Addr, ifindex: u32) -> libc::sockaddr_in6 {
    // What is link-local needs the interface; RFC 4007 §6 has no scope for the rest.
    let scope = if address.is_unicast_link_local() {
        ifindex
    } else {
        0
    };
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: 0,
        sin6_flowinfo: 0,
        sin6_addr: in6_addr(address),
        sin6_scope_id: scope,
    }
}
