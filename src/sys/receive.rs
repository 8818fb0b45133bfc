//! Receiving many packets in one system call, into buffers that all sockets share.

use core::ffi::c_int;
use core::fmt;
use core::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

/// Packets of one recvmmsg(2).
const BATCH: usize = 16;
/// Longer packets are cut, and fail the length check of the IP header: an advert is at most 1,066
/// bytes long, and an Ethernet frame 1,514.
const BUFFER_LEN: usize = 2048;
const ADDRESS_LEN: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

/// The receive buffers, allocated once. Sockets are read one after the other, so one is enough.
///
/// The headers point to addresses, vectors and buffers from the start on, and only what a call has
/// changed in them is put right again: a call for one packet costs no more than that packet.
pub struct ReceiveRing {
    buffers: Box<[u8]>,
    addresses: Box<[libc::sockaddr_ll; BATCH]>,
    /// What the headers point to; read by the kernel alone.
    _vectors: Box<[libc::iovec; BATCH]>,
    headers: Box<[libc::mmsghdr; BATCH]>,
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
    /// Allocates the buffers, 32 KB, of which the memory is used that packets were written to.
    pub fn new() -> Self {
        // SAFETY: all-zero bytes are valid for these structures of integers and null pointers.
        let (addresses, vectors, headers) = unsafe { (zeroed(), zeroed(), zeroed()) };
        // Of bytes, so that the zeros come from the kernel with the page that is written to first.
        let mut buffers = vec![0; BATCH * BUFFER_LEN].into_boxed_slice();
        let mut addresses: Box<[libc::sockaddr_ll; BATCH]> = boxed(addresses);
        let mut vectors: Box<[libc::iovec; BATCH]> = boxed(vectors);
        let mut headers: Box<[libc::mmsghdr; BATCH]> = boxed(headers);
        for (index, header) in headers.iter_mut().enumerate() {
            vectors[index].iov_base = buffers[index * BUFFER_LEN..].as_mut_ptr().cast();
            vectors[index].iov_len = BUFFER_LEN;
            header.msg_hdr.msg_name = (&raw mut addresses[index]).cast();
            header.msg_hdr.msg_namelen = ADDRESS_LEN;
            header.msg_hdr.msg_iov = &raw mut vectors[index];
            header.msg_hdr.msg_iovlen = 1;
        }
        Self {
            buffers,
            addresses,
            _vectors: vectors,
            headers,
        }
    }

    /// Hands up to `limit` packets of the socket to `each`. One system call if fewer than
    /// [`BATCH`] wait.
    pub(super) fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        limit: usize,
        mut each: impl FnMut(Frame<'_>),
    ) -> Result<Received, Errno> {
        let mut count = 0;
        while count < limit {
            let wanted = BATCH.min(limit - count);
            let got = match self.receive_batch(socket, wanted, &mut each) {
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
        each: &mut impl FnMut(Frame<'_>),
    ) -> Result<usize, Errno> {
        // The system call itself: musl's function wraps it for a time_t that is not used here.
        // SAFETY: each of the `BATCH` headers points to an address, a vector and a buffer of the
        // length given, in boxes that are as old as the ring and used by nobody else until the call
        // ends; the timeout is null.
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
            let (header, address) = (&mut self.headers[index], &self.addresses[index]);
            let buffer = &self.buffers[index * BUFFER_LEN..][..BUFFER_LEN];
            each(Frame {
                bytes: &buffer[..(header.msg_len as usize).min(BUFFER_LEN)],
                packet_type: PacketType::of(address.sll_pkttype),
                ifindex: c_int::unsigned_abs(address.sll_ifindex),
            });
            // The kernel wrote how long the address was, and the next one may be longer.
            header.msg_hdr.msg_namelen = ADDRESS_LEN;
        }
        Ok(got)
    }
}

/// As many of `value` as a batch has, on the heap.
fn boxed<T: Clone>(value: T) -> Box<[T; BATCH]> {
    match vec![value; BATCH].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("the vector has BATCH elements"),
    }
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
