//! Router solicitations (RFC 4861 §4.1), and routers that take their leave: a raw ICMPv6 socket on one
//! interface that hears nothing else.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::error::{Context, Error};
use super::filter;
use super::group;
use super::socket;
use crate::limits;

/// All routers of the link.
const ALL_ROUTERS: [u16; 8] = [0xff02, 0, 0, 0, 0, 0, 0, 2];

/// Hears that hosts on the interface look for a router, or have been told that they had better.
#[derive(Debug)]
pub struct SolicitSocket {
    fd: OwnedFd,
}

impl SolicitSocket {
    /// Opens a socket for the interface `name` with the index `ifindex`.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2): ENODEV if the interface is gone, or takes no IPv6.
    pub fn open(name: &str, ifindex: u32) -> Result<Self, Error> {
        let open = || -> Result<OwnedFd, Errno> {
            let fd = socket::open(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6)?;
            // First, so that nothing else gets in.
            filter::attach_solicitations(&fd)?;
            socket::bind_to_device(&fd, name)?;
            group::join(&fd, ifindex, core::net::Ipv6Addr::from(ALL_ROUTERS).into())?;
            Ok(fd)
        };
        let fd = open().context("open socket for router solicitations", name)?;
        Ok(Self { fd })
    }

    /// Takes what waits, a bounded number, and says whether there was anything. The kernel has seen to
    /// the checksum, the filter to the rest (RFC 4861 §6.1.1).
    pub fn take(&self) -> bool {
        let next = |_| match recv(self.fd.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT) {
            Ok(_) => Some(true),
            Err(Errno::EAGAIN) => None,
            // An interrupted call, or an interface that is down: its own event says the rest.
            Err(_) => Some(false),
        };
        let taken = (0..limits::RECEIVE_FRAMES).map_while(next);
        taken.fold(false, |any, one| any | one)
    }
}

impl AsFd for SolicitSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
