//! Receiving many packets in one system call, into buffers that all sockets share.

use core::ffi::c_int;
use core::fmt;
use core::mem::zeroed;
use core::net::Ipv6Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use crate::frame::{IPV6_HEADER_LEN, packet_header};
use crate::vrrp::types::Family;

/// Packets of one recvmmsg(2).
const BATCH: usize = 16;
/// Longer packets are cut, and fail the length check of the IP header: an advert is at most 1,066
/// bytes long, and an Ethernet frame 1,514.
const BUFFER_LEN: usize = 2048;
/// In front of each packet: where the header is put back that raw IPv6 sockets do not hand up.
const ROOM: usize = IPV6_HEADER_LEN;
const ADDRESS_LEN: libc::socklen_t = size_of::<Address>() as libc::socklen_t;
/// Bytes for the control messages of a packet: its destination (in6_pktinfo) and its hop limit (int),
/// 40 and 24 bytes on 64-bit machines.
const CONTROL_LEN: usize = 64;

/// Whom a packet came from, in the form of its socket's family.
#[derive(Clone, Copy)]
union Address {
    link: libc::sockaddr_ll,
    ipv6: libc::sockaddr_in6,
}

/// From one buffer to the next.
const STRIDE: usize = ROOM + BUFFER_LEN;

/// The control messages of a packet, aligned as cmsg(3) wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

/// The receive buffers, allocated once. Sockets are read one after the other, so one is enough.
///
/// The headers point to addresses, vectors and buffers from the start on, and only what a call has
/// changed in them is put right again: a call for one packet costs no more than that packet.
pub struct ReceiveRing {
    buffers: Box<[u8]>,
    entries: Box<[Entry]>,
    headers: Box<[libc::mmsghdr]>,
}

/// What the header of a packet points to.
#[derive(Clone, Copy)]
struct Entry {
    address: Address,
    control: Control,
    /// Read by the kernel alone.
    vector: libc::iovec,
}

/// A packet as it was received. The bytes are gone at the next receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The frame (packet socket) or the IP packet (raw socket).
    pub bytes: &'a [u8],
    /// Whom it was sent to, as the kernel sees it.
    pub packet_type: PacketType,
    /// The interface it came in on. Not the socket's own for a frame to one of its macvlans.
    pub ifindex: u32,
}

/// Whom a frame was sent to: `sll_pkttype` of packet(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketType {
    /// To this host.
    Host,
    /// To all.
    Broadcast,
    /// To a group.
    Multicast,
    /// To another host, or on a VLAN that this host does not have.
    OtherHost,
    /// By this host.
    Outgoing,
    /// None of these.
    Other,
}

impl PacketType {
    fn of(sll_pkttype: u8) -> Self {
        match sll_pkttype {
            libc::PACKET_HOST => Self::Host,
            libc::PACKET_BROADCAST => Self::Broadcast,
            libc::PACKET_MULTICAST => Self::Multicast,
            libc::PACKET_OTHERHOST => Self::OtherHost,
            libc::PACKET_OUTGOING => Self::Outgoing,
            _ => Self::Other,
        }
    }
}

/// How a receive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many packets were handed up.
    pub count: usize,
    /// The limit was reached: more may wait.
    pub more: bool,
}

impl ReceiveRing {
    /// Allocates the buffers, 33 KB, of which the memory is used that packets were written to.
    pub fn new() -> Self {
        // SAFETY: all-zero bytes are valid for these structures of integers and null pointers.
        let (entry, header): (Entry, libc::mmsghdr) = unsafe { (zeroed(), zeroed()) };
        // Of bytes, so that the zeros come from the kernel with the page that is written to first.
        let mut buffers = vec![0; BATCH * STRIDE].into_boxed_slice();
        let mut entries = vec![entry; BATCH].into_boxed_slice();
        let mut headers = vec![header; BATCH].into_boxed_slice();
        let places = buffers.chunks_exact_mut(STRIDE).zip(&mut entries);
        for ((buffer, entry), header) in places.zip(&mut headers) {
            entry.vector.iov_base = buffer[ROOM..].as_mut_ptr().cast();
            entry.vector.iov_len = BUFFER_LEN;
            header.msg_hdr.msg_name = (&raw mut entry.address).cast();
            header.msg_hdr.msg_namelen = ADDRESS_LEN;
            header.msg_hdr.msg_iov = &raw mut entry.vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = (&raw mut entry.control).cast();
            header.msg_hdr.msg_controllen = CONTROL_LEN as _;
        }
        Self {
            buffers,
            entries,
            headers,
        }
    }

    /// Hands up to `limit` frames of a packet socket to `each`. One system call if fewer than
    /// [`BATCH`] wait.
    pub(super) fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        limit: usize,
        mut each: impl FnMut(Frame<'_>),
    ) -> Result<Received, Errno> {
        self.receive_all(socket, limit, &mut |slot| {
            // SAFETY: a packet socket's address is a sockaddr_ll; whatever else was written there is
            // plain data, as the zeros are that it began with.
            let address = unsafe { slot.address.link };
            each(Frame {
                bytes: &slot.buffer[ROOM..ROOM + slot.len],
                packet_type: PacketType::of(address.sll_pkttype),
                ifindex: c_int::unsigned_abs(address.sll_ifindex),
            });
        })
    }

    /// The same for a raw IP socket: packets with their IP header.
    pub(super) fn receive_packets(
        &mut self,
        socket: BorrowedFd<'_>,
        family: Family,
        limit: usize,
        mut each: impl FnMut(&[u8]),
    ) -> Result<Received, Errno> {
        self.receive_all(socket, limit, &mut |mut slot| match family {
            Family::V4 => each(&slot.buffer[ROOM..ROOM + slot.len]),
            Family::V6 => each(slot.with_header()),
        })
    }

    /// One copy of it in the program, as of the next.
    fn receive_all(
        &mut self,
        socket: BorrowedFd<'_>,
        limit: usize,
        each: &mut dyn FnMut(Slot<'_>),
    ) -> Result<Received, Errno> {
        let mut count = 0;
        while count < limit {
            let wanted = BATCH.min(limit - count);
            let got = match self.receive_batch(socket, wanted, each) {
                Ok(got) => got,
                Err(Errno::EAGAIN) => 0,
                Err(Errno::EINTR) => continue,
                // Packets were handed up, and the error is pending again or was told.
                Err(_) if count > 0 => 0,
                Err(errno) => return Err(errno),
            };
            count += got;
            if got < wanted {
                return Ok(Received { count, more: false });
            }
        }
        Ok(Received { count, more: true })
    }

    /// One recvmmsg(2) for at most `wanted` packets.
    fn receive_batch(
        &mut self,
        socket: BorrowedFd<'_>,
        wanted: usize,
        each: &mut dyn FnMut(Slot<'_>),
    ) -> Result<usize, Errno> {
        // The system call itself: musl's function wraps it for a time_t that is not used here.
        // SAFETY: each of the `BATCH` headers points to an address, a vector, a control buffer and a
        // buffer of the length given, in boxes that are as old as the ring and used by nobody else
        // until the call ends; the timeout is null.
        let got = unsafe {
            libc::syscall(
                libc::SYS_recvmmsg,
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                wanted.min(BATCH),
                libc::MSG_DONTWAIT,
                core::ptr::null_mut::<libc::timespec>(),
            )
        };
        let got = usize::try_from(Errno::result(got)?).unwrap_or(0).min(BATCH);
        for index in 0..got {
            let (header, entry) = (&mut self.headers[index], &self.entries[index]);
            // 32 bits in musl, a machine word in glibc.
            #[allow(clippy::unnecessary_cast)]
            let control_len = header.msg_hdr.msg_controllen as usize;
            each(Slot {
                buffer: &mut self.buffers[index * STRIDE..][..STRIDE],
                len: (header.msg_len as usize).min(BUFFER_LEN),
                address: &entry.address,
                control: &entry.control.0[..control_len.min(CONTROL_LEN)],
            });
            // The kernel wrote how long address and control messages were; the next may be longer.
            header.msg_hdr.msg_namelen = ADDRESS_LEN;
            header.msg_hdr.msg_controllen = CONTROL_LEN as _;
        }
        Ok(got)
    }
}

/// What the kernel wrote of one packet.
struct Slot<'a> {
    /// [`ROOM`], and the packet.
    buffer: &'a mut [u8],
    /// Length of the packet.
    len: usize,
    address: &'a Address,
    control: &'a [u8],
}

impl Slot<'_> {
    /// The packet of a raw IPv6 socket, with the header that the kernel has taken off in front.
    fn with_header(&mut self) -> &[u8] {
        // SAFETY: a raw IPv6 socket's address is a sockaddr_in6; whatever else was written there is
        // plain data, as the zeros are that it began with.
        let source = unsafe { self.address.ipv6 }.sin6_addr.s6_addr;
        let (destination, hop_limit) = header_fields(self.control);
        let header = packet_header(
            source.into(),
            destination,
            hop_limit,
            u16::try_from(self.len).unwrap_or(u16::MAX),
        );
        self.buffer[..ROOM].copy_from_slice(&header);
        &self.buffer[..ROOM + self.len]
    }
}

/// Destination and hop limit out of the control messages of a raw IPv6 socket (RFC 3542 §6). What is not
/// told is zero, which no advert has.
fn header_fields(control: &[u8]) -> (Ipv6Addr, u8) {
    let (mut destination, mut hop_limit) = (Ipv6Addr::UNSPECIFIED, 0);
    for (kind, data) in ControlMessages(control) {
        match kind {
            libc::IPV6_PKTINFO => {
                let octets = data.first_chunk::<16>();
                destination = octets.map_or(destination, |octets| Ipv6Addr::from(*octets));
            }
            libc::IPV6_HOPLIMIT => {
                hop_limit = int(data).and_then(|v| u8::try_from(v).ok()).unwrap_or(0);
            }
            _ => (),
        }
    }
    (destination, hop_limit)
}

/// Type and data of each control message, up to a length of zero: each is a `cmsghdr` and its data, both
/// padded to the size of a machine word.
pub(super) struct ControlMessages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for ControlMessages<'a> {
    type Item = (c_int, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        const WORD: usize = size_of::<usize>();
        const HEADER: usize = size_of::<libc::cmsghdr>().next_multiple_of(WORD);
        let len = usize::from_ne_bytes(*self.0.first_chunk()?);
        let message = self.0.get(..len).filter(|m| m.len() >= HEADER)?;
        self.0 = self.0.get(len.next_multiple_of(WORD)..).unwrap_or_default();
        // cmsg_level and cmsg_type are the last two ints of the header.
        let kind = int(&message[HEADER - size_of::<c_int>()..])?;
        Some((kind, &message[HEADER..]))
    }
}

/// The integer that `bytes` begins with.
pub(super) fn int(bytes: &[u8]) -> Option<c_int> {
    bytes
        .first_chunk()
        .map(|chunk| c_int::from_ne_bytes(*chunk))
}

impl fmt::Debug for ReceiveRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiveRing of {BATCH} packets")
    }
}

impl Default for ReceiveRing {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn the_limit_is_kept_and_the_end_is_told() {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        sender.set_nonblocking(true).unwrap();
        // A unix socket queues max_dgram_qlen datagrams, 10 and more.
        for index in 0..10 {
            sender.send(&[index; 3]).unwrap();
        }
        let mut ring = ReceiveRing::new();
        let mut seen = Vec::new();
        let mut receive = |limit, seen: &mut Vec<u8>| {
            ring.receive(receiver.as_fd(), limit, |frame| {
                assert_eq!(frame.bytes, [frame.bytes[0]; 3]);
                seen.push(frame.bytes[0]);
            })
            .unwrap()
        };
        let expected = Received {
            count: 4,
            more: true,
        };
        assert_eq!(receive(4, &mut seen), expected);
        let expected = Received {
            count: 6,
            more: false,
        };
        assert_eq!(receive(64, &mut seen), expected);
        assert_eq!(seen, (0..10).collect::<Vec<u8>>());
        let expected = Received {
            count: 0,
            more: false,
        };
        assert_eq!(receive(64, &mut seen), expected);
    }

    #[test]
    fn a_long_packet_is_cut() {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        sender.send(&[7; 9000]).unwrap();
        let mut len = 0;
        ReceiveRing::new()
            .receive(receiver.as_fd(), 1, |frame| len = frame.bytes.len())
            .unwrap();
        assert_eq!(len, BUFFER_LEN);
    }
}
