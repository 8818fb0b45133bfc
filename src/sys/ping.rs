//! ICMP echo: the client of `vipd demo`.

use core::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn, recv, sendto};
use smoltcp::wire::{Icmpv4Message, Icmpv4Packet, IpProtocol, Ipv4Packet};

use super::error::{Context, Error};
use super::socket;

/// Length of an echo request without data.
const ECHO_LEN: usize = 8;
/// Room for whatever ICMP message comes by; a longer one is cut, and is no answer to ours.
const BUFFER_LEN: usize = 576;

/// A raw socket that sends echo requests and hears the replies. The kernel does the ARP.
#[derive(Debug)]
pub struct PingSocket {
    fd: OwnedFd,
    ident: u16,
}

impl PingSocket {
    /// Opens the socket in the calling thread's network namespace. `ident` tells our replies from
    /// others'.
    ///
    /// # Errors
    /// As socket(2).
    pub fn open(ident: u16) -> Result<Self, Error> {
        let fd = socket::open(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)
            .context("open ping socket", "")?;
        Ok(Self { fd, ident })
    }

    /// Sends an echo request. One that finds no way is lost like any other, and is no error.
    ///
    /// # Errors
    /// As sendto(2), but for EHOSTUNREACH, ENETUNREACH, ENETDOWN, ENOBUFS and EAGAIN.
    pub fn send(&self, to: Ipv4Addr, sequence: u16) -> Result<(), Error> {
        let mut packet = Icmpv4Packet::new_unchecked([0; ECHO_LEN]);
        packet.set_msg_type(Icmpv4Message::EchoRequest);
        packet.set_msg_code(0);
        packet.set_echo_ident(self.ident);
        packet.set_echo_seq_no(sequence);
        packet.fill_checksum();
        let address = SockaddrIn::from(core::net::SocketAddrV4::new(to, 0));
        let flags = MsgFlags::MSG_DONTWAIT;
        match sendto(self.fd.as_raw_fd(), &packet.into_inner(), &address, flags) {
            Ok(_)
            | Err(
                Errno::EHOSTUNREACH
                | Errno::ENETUNREACH
                | Errno::ENETDOWN
                | Errno::ENOBUFS
                | Errno::EAGAIN,
            ) => Ok(()),
            Err(errno) => Err(errno).context("send ping", ""),
        }
    }

    /// The sequence number of the next reply from `from` that waits, if any.
    ///
    /// # Errors
    /// As recv(2).
    pub fn receive(&self, from: Ipv4Addr) -> Result<Option<u16>, Error> {
        let mut buffer = [0; BUFFER_LEN];
        loop {
            match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(len) => {
                    if let Some(sequence) = echo_reply(&buffer[..len], from, self.ident) {
                        return Ok(Some(sequence));
                    }
                }
                Err(Errno::EAGAIN) => return Ok(None),
                // The kernel tells of requests that found no way.
                Err(Errno::EINTR | Errno::EHOSTUNREACH | Errno::ENETUNREACH) => (),
                Err(errno) => return Err(errno).context("receive ping", ""),
            }
        }
    }
}

impl AsFd for PingSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The sequence number, if this IPv4 packet is an echo reply from `from` with our `ident`.
fn echo_reply(bytes: &[u8], from: Ipv4Addr, ident: u16) -> Option<u16> {
    let ip = Ipv4Packet::new_checked(bytes).ok()?;
    if ip.src_addr() != from || ip.next_header() != IpProtocol::Icmp {
        return None;
    }
    let icmp = Icmpv4Packet::new_checked(ip.payload()).ok()?;
    let ours = icmp.msg_type() == Icmpv4Message::EchoReply && icmp.echo_ident() == ident;
    ours.then(|| icmp.echo_seq_no())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 201, 101);

    fn reply(kind: Icmpv4Message) -> [u8; 28] {
        let mut bytes = [0; 28];
        let mut ip = Ipv4Packet::new_unchecked(&mut bytes[..]);
        ip.set_version(4);
        ip.set_header_len(20);
        ip.set_total_len(28);
        ip.set_next_header(IpProtocol::Icmp);
        ip.set_src_addr(VIP);
        let mut icmp = Icmpv4Packet::new_unchecked(ip.payload_mut());
        icmp.set_msg_type(kind);
        icmp.set_echo_ident(7);
        icmp.set_echo_seq_no(0x1234);
        bytes
    }

    #[test]
    fn only_our_replies_count() {
        let bytes = reply(Icmpv4Message::EchoReply);
        assert_eq!(echo_reply(&bytes, VIP, 7), Some(0x1234));
        assert_eq!(echo_reply(&bytes, VIP, 8), None, "somebody else's ping");
        assert_eq!(echo_reply(&bytes, Ipv4Addr::LOCALHOST, 7), None);
        assert_eq!(echo_reply(&bytes[..27], VIP, 7), None, "cut");
        let bytes = reply(Icmpv4Message::EchoRequest);
        assert_eq!(echo_reply(&bytes, VIP, 7), None, "a request");
    }
}
