//! The sockets of probes: one for all ICMP echoes of a family on an interface, one for its ARP, and one
//! for each question that goes over TCP or UDP.

use core::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::error::{Context, Error};
use super::filter::{self, Filter};
use super::packet::link_address;
use super::receive::{ReceiveRing, Received};
use super::socket;
use crate::vrrp::types::Family;

/// What a [`ProbeSocket`] speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// ICMP echo over IPv4 or ICMPv6 echo over IPv6.
    Echo(Family),
    /// ARP.
    Arp,
}

/// A raw ICMP socket, or a packet socket for ARP, on one interface. The kernel drops what is no answer
/// to a question of ours.
#[derive(Debug)]
pub struct ProbeSocket {
    fd: OwnedFd,
    speech: Speech,
}

impl ProbeSocket {
    /// Opens the socket for the interface `name` with the index `ifindex`. `ident` tells our echoes
    /// from those of others.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2), bind(2): ENODEV if the interface is gone.
    pub fn open(speech: Speech, name: &str, ifindex: u32, ident: u16) -> Result<Self, Error> {
        let opened = match speech {
            Speech::Echo(family) => open_echo(family, name, ident),
            Speech::Arp => open_arp(ifindex),
        };
        let fd = opened.context("open socket for probes", name)?;
        Ok(Self { fd, speech })
    }

    /// Sends an echo request. A link-local address is one of the interface `ifindex`.
    ///
    /// # Errors
    /// As sendto(2).
    pub fn send_echo(&self, message: &[u8], to: IpAddr, ifindex: u32) -> Result<(), Errno> {
        let to = Address::new(to, 0, ifindex);
        send(&self.fd, message, Some(&to))
    }

    /// Sends an Ethernet frame.
    ///
    /// # Errors
    /// As send(2).
    pub fn send_frame(&self, frame: &[u8]) -> Result<(), Errno> {
        send(&self.fd, frame, None)
    }

    /// Hands up to `limit` waiting packets to `each`: IP packets, or Ethernet frames with ARP. Of an
    /// IPv6 header only the source is true.
    ///
    /// # Errors
    /// As recvmmsg(2).
    pub fn receive(
        &self,
        ring: &mut ReceiveRing,
        limit: usize,
        mut each: impl FnMut(&[u8]),
    ) -> Result<Received, Errno> {
        match self.speech {
            Speech::Echo(family) => ring.receive_packets(self.fd.as_fd(), family, limit, each),
            Speech::Arp => ring.receive(self.fd.as_fd(), limit, |frame| each(frame.bytes)),
        }
    }
}

impl AsFd for ProbeSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Deaf until it is bound: it would hear every interface.
fn open_echo(family: Family, name: &str, ident: u16) -> Result<OwnedFd, Errno> {
    let (domain, protocol) = match family {
        Family::V4 => (libc::AF_INET, libc::IPPROTO_ICMP),
        Family::V6 => (libc::AF_INET6, libc::IPPROTO_ICMPV6),
    };
    let fd = socket::open(domain, libc::SOCK_RAW, protocol)?;
    Filter::NOTHING.attach(&fd)?;
    socket::bind_to_device(&fd, name)?;
    filter::attach_echo(&fd, family, ident)?;
    Ok(fd)
}

/// Protocol 0 receives nothing: no frame gets in before the filter and the interface.
fn open_arp(ifindex: u32) -> Result<OwnedFd, Errno> {
    let fd = socket::open(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    Filter::ARP_REPLY.attach(&fd)?;
    let address = link_address(ifindex, socket::network_order(libc::ETH_P_ARP));
    // SAFETY: sockaddr_ll is the address structure of AF_PACKET.
    unsafe { socket::bind(&fd, &address) }?;
    Ok(fd)
}

/// One question over TCP or UDP: a socket that is connected to whom it asks, so that nobody else can
/// answer, that errors on the way are told, and that its own address is the interface's present one.
#[derive(Debug)]
pub struct Exchange {
    fd: OwnedFd,
}

impl Exchange {
    /// Begins a connection to `port` of `to`, out of the interface `name` with the index `ifindex`, without
    /// waiting for it. It is there when the socket is writable.
    ///
    /// When it is closed the other end gets a reset (SO_LINGER 0): an orderly end would keep the port
    /// here for a minute (TIME_WAIT), and ten probes a second would hold 600 of them.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2) and connect(2), but for EINPROGRESS.
    pub fn tcp(name: &str, ifindex: u32, to: IpAddr, port: u16) -> Result<Self, Errno> {
        let exchange = Self::open(libc::SOCK_STREAM, name, to)?;
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        // SAFETY: SO_LINGER takes a linger.
        unsafe { socket::set_option(&exchange.fd, libc::SOL_SOCKET, libc::SO_LINGER, &linger) }?;
        match Address::new(to, port, ifindex).connect(&exchange.fd) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(exchange),
            Err(errno) => Err(errno),
        }
    }

    /// Sends `question` to `port` of `to` in the same way.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2), connect(2) and send(2).
    pub fn udp(
        name: &str,
        ifindex: u32,
        to: IpAddr,
        port: u16,
        question: &[u8],
    ) -> Result<Self, Errno> {
        let exchange = Self::open(libc::SOCK_DGRAM, name, to)?;
        Address::new(to, port, ifindex).connect(&exchange.fd)?;
        send(&exchange.fd, question, None)?;
        Ok(exchange)
    }

    fn open(kind: i32, name: &str, to: IpAddr) -> Result<Self, Errno> {
        let domain = if to.is_ipv4() {
            libc::AF_INET
        } else {
            libc::AF_INET6
        };
        let fd = socket::open(domain, kind, 0)?;
        socket::bind_to_device(&fd, name)?;
        Ok(Self { fd })
    }

    /// How the connection ended that was begun.
    ///
    /// # Errors
    /// Why there is none: ECONNREFUSED, EHOSTUNREACH, ….
    pub fn outcome(&self) -> Result<(), Errno> {
        let (mut error, mut len) = (0_i32, size_of::<i32>() as libc::socklen_t);
        // SAFETY: SO_ERROR writes an int and its length, which both live until the call ends.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut error).cast(),
                &raw mut len,
            )
        };
        match Errno::result(result).map(|_| error)? {
            0 => Ok(()),
            errno => Err(Errno::from_raw(errno)),
        }
    }

    /// The length of the next datagram, which is put into `buffer`, cut to its length.
    ///
    /// # Errors
    /// As recv(2): EAGAIN if none waits; ECONNREFUSED, EHOSTUNREACH, … if an ICMP error has come.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the pointer and the length describe `buffer`, which lives until the call ends.
        let len = unsafe {
            libc::recv(
                self.fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_DONTWAIT,
            )
        };
        Errno::result(len).map(isize::unsigned_abs)
    }
}

impl AsFd for Exchange {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Sends `bytes`, all or nothing, to whom the socket is bound or connected unless `to` says another.
fn send(fd: &OwnedFd, bytes: &[u8], to: Option<&Address>) -> Result<(), Errno> {
    let (address, len) = to.map_or((core::ptr::null(), 0), |to| (to.bytes.as_ptr(), to.len));
    // SAFETY: both pointers come with their lengths, and live until the call ends; none at all is
    // the address of a socket that has one.
    let sent = unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            address.cast(),
            len,
        )
    };
    Errno::result(sent).map(drop)
}

/// A sockaddr_in or sockaddr_in6, as bytes.
struct Address {
    bytes: [u8; size_of::<libc::sockaddr_in6>()],
    len: libc::socklen_t,
}

impl Address {
    /// What is link-local needs the interface; RFC 4007 §6 has no scope for the rest.
    fn new(to: IpAddr, port: u16, ifindex: u32) -> Self {
        let mut bytes = [0; size_of::<libc::sockaddr_in6>()];
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        let (family, len) = match to {
            IpAddr::V4(address) => {
                bytes[4..8].copy_from_slice(&address.octets());
                (libc::AF_INET, size_of::<libc::sockaddr_in>())
            }
            IpAddr::V6(address) => {
                bytes[8..24].copy_from_slice(&address.octets());
                if address.is_unicast_link_local() {
                    bytes[24..].copy_from_slice(&ifindex.to_ne_bytes());
                }
                (libc::AF_INET6, bytes.len())
            }
        };
        bytes[..2].copy_from_slice(&(family as libc::sa_family_t).to_ne_bytes());
        Self {
            bytes,
            len: len as libc::socklen_t,
        }
    }

    fn connect(&self, fd: &OwnedFd) -> Result<(), Errno> {
        // SAFETY: the pointer and the length describe an address, which lives until the call ends.
        let result = unsafe { libc::connect(fd.as_raw_fd(), self.bytes.as_ptr().cast(), self.len) };
        Errno::result(result).map(drop)
    }
}
