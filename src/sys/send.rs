//! Sending whole frames out of any interface, many in one system call.

use core::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;

use super::error::{Context, Error};
use super::packet::link_address;
use super::socket;

/// Frames of one sendmmsg(2).
const BATCH: usize = 32;
/// The longest frame: Ethernet's 1,514 bytes.
pub const FRAME_LEN_MAX: usize = 1514;
/// Network control, the queue that is served first (SO_PRIORITY, IEEE 802.1Q).
const PRIORITY_NETWORK_CONTROL: i32 = 7;

/// A packet socket that only sends. One serves all interfaces.
#[derive(Debug)]
pub struct SendSocket {
    fd: OwnedFd,
}

impl SendSocket {
    /// Opens the socket. With protocol 0 it receives nothing.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2).
    pub fn open() -> Result<Self, Error> {
        let fd = socket::open(libc::AF_PACKET, libc::SOCK_RAW, 0)
            .context("open packet socket for sending", "")?;
        let (level, name) = (libc::SOL_SOCKET, libc::SO_PRIORITY);
        socket::set_int(&fd, level, name, PRIORITY_NETWORK_CONTROL)
            .context("set priority of packet socket", "")?;
        Ok(Self { fd })
    }
}

/// Where a frame stands in the arena, and where it goes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    len: usize,
    ifindex: u32,
}

/// Frames that wait to be sent together. Allocates when it is made, and then no more.
#[derive(Debug)]
pub struct SendBatch {
    arena: Box<[u8]>,
    used: usize,
    entries: Box<[Entry]>,
    count: usize,
}

impl SendBatch {
    /// Room for `frames` frames and, together, `bytes` bytes; at least one frame of full length.
    pub fn new(frames: usize, bytes: usize) -> Self {
        let empty = Entry {
            start: 0,
            len: 0,
            ifindex: 0,
        };
        Self {
            arena: vec![0; bytes.max(FRAME_LEN_MAX)].into_boxed_slice(),
            used: 0,
            entries: vec![empty; frames.max(1)].into_boxed_slice(),
            count: 0,
        }
    }

    /// How many frames wait.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if no frame waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// True if the next [`push`](Self::push) is sure to find room.
    pub fn has_room(&self) -> bool {
        self.count < self.entries.len() && self.arena.len() - self.used >= FRAME_LEN_MAX
    }

    /// Adds a frame for the interface `ifindex`: `write` writes it into a buffer of
    /// [`FRAME_LEN_MAX`] bytes and returns its length. `false`, and nothing written, if there is no
    /// room: flush first.
    #[must_use = "a frame that finds no room is not sent"]
    pub fn push(&mut self, ifindex: u32, write: impl FnOnce(&mut [u8]) -> usize) -> bool {
        if !self.has_room() {
            return false;
        }
        let start = self.used;
        let len = write(&mut self.arena[start..start + FRAME_LEN_MAX]).min(FRAME_LEN_MAX);
        self.entries[self.count] = Entry {
            start,
            len,
            ifindex,
        };
        self.count += 1;
        self.used += len;
        true
    }

    /// Sends all frames in their order and empties the batch. A frame that fails is reported as
    /// its place in the batch and the errno, and the others are sent all the same. Never waits:
    /// a full queue is an error of the frame (ENOBUFS, EAGAIN). Returns how many were sent.
    pub fn flush(&mut self, socket: &SendSocket, mut failed: impl FnMut(usize, Errno)) -> usize {
        let mut next = 0;
        let mut sent = 0;
        while next < self.count {
            let end = self.count.min(next + BATCH);
            match self.send(socket, next, end) {
                Ok(count) => {
                    sent += count;
                    next += count;
                }
                Err(Errno::EINTR) => (),
                Err(errno) => {
                    failed(next, errno);
                    next += 1;
                }
            }
        }
        self.count = 0;
        self.used = 0;
        sent
    }

    /// One sendmmsg(2) with the frames `start..end`, at most [`BATCH`]. Returns how many were sent,
    /// one at least; an error is the first frame's.
    fn send(&mut self, socket: &SendSocket, start: usize, end: usize) -> Result<usize, Errno> {
        // SAFETY: all-zero bytes are valid for these structures of integers and null pointers.
        let (mut addresses, mut vectors, mut headers): (
            [libc::sockaddr_ll; BATCH],
            [libc::iovec; BATCH],
            [libc::mmsghdr; BATCH],
        ) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let entries = &self.entries[start..end];
        for (index, entry) in entries.iter().enumerate() {
            let frame = &mut self.arena[entry.start..entry.start + entry.len];
            addresses[index] = link_address(entry.ifindex, protocol(frame));
            vectors[index].iov_base = frame.as_mut_ptr().cast();
            vectors[index].iov_len = frame.len();
            headers[index].msg_hdr.msg_name = (&raw mut addresses[index]).cast();
            headers[index].msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            headers[index].msg_hdr.msg_iov = &raw mut vectors[index];
            headers[index].msg_hdr.msg_iovlen = 1;
        }
        // The system call itself: on 64-bit machines musl's function is a loop of sendmsg(2).
        // SAFETY: the first `entries.len()` headers point to an address, a vector and a frame of
        // the length given, all alive until the call ends; the kernel writes only `msg_len`.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_sendmmsg,
                socket.fd.as_raw_fd(),
                headers.as_mut_ptr(),
                entries.len(),
                libc::MSG_DONTWAIT,
            )
        };
        // Never 0: that would send the caller into the same call for ever.
        match usize::try_from(Errno::result(sent)?) {
            Ok(0) | Err(_) => Err(Errno::EIO),
            Ok(sent) => Ok(sent.min(entries.len())),
        }
    }
}

/// The Ethernet type of a frame, as it stands there: packet filters and queues look at it.
fn protocol(frame: &[u8]) -> u16 {
    match frame {
        [_, _, _, _, _, _, _, _, _, _, _, _, a, b, ..] => u16::from_ne_bytes([*a, *b]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_is_full_says_so() {
        let mut batch = SendBatch::new(2, 10_000);
        assert!(batch.push(1, |_| 60));
        assert!(batch.push(1, |_| 60));
        assert!(!batch.push(1, |_| panic!("no room for another frame")));
        let mut batch = SendBatch::new(10, 0);
        assert!(batch.push(1, |buf| buf.len()));
        assert!(!batch.push(1, |_| panic!("no room for another byte")));
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn the_protocol_is_the_frames_own() {
        let mut frame = [0; 60];
        frame[12..14].copy_from_slice(&0x0806_u16.to_be_bytes());
        assert_eq!(protocol(&frame), 0x0806_u16.to_be());
        assert_eq!(protocol(&frame[..13]), 0);
    }
}
