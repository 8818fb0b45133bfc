//! Sending whole frames out of any interface, many in one system call.

use core::fmt;
use core::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;

use super::error::{Context, Error};
use super::packet::link_address;
use super::socket;

/// The longest frame: Ethernet's 1,514 bytes.
pub const FRAME_LEN_MAX: usize = 1514;
/// Network control, the queue that is served first (SO_PRIORITY, IEEE 802.1Q).
pub(super) const PRIORITY_NETWORK_CONTROL: i32 = 7;

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

/// Where a frame of the arena goes: what a message header points to.
#[derive(Clone, Copy)]
struct Entry {
    address: libc::sockaddr_ll,
    vector: libc::iovec,
}

/// Frames that wait to be sent together. Allocates when it is made, and then no more.
///
/// Each header points to its entry, and the entry to its frame in the arena, from the moment that
/// the frame is pushed: nothing is left to do when they are sent.
pub struct SendBatch {
    arena: Box<[u8]>,
    used: usize,
    entries: Box<[Entry]>,
    headers: Box<[libc::mmsghdr]>,
    count: usize,
}

impl SendBatch {
    /// Room for `frames` frames and, together, `bytes` bytes; at least one frame of full length.
    pub fn new(frames: usize, bytes: usize) -> Self {
        // SAFETY: all-zero bytes are valid for these structures of integers and null pointers.
        let (entry, header): (Entry, libc::mmsghdr) = unsafe { (zeroed(), zeroed()) };
        Self {
            arena: vec![0; bytes.max(FRAME_LEN_MAX)].into_boxed_slice(),
            used: 0,
            entries: vec![entry; frames.max(1)].into_boxed_slice(),
            headers: vec![header; frames.max(1)].into_boxed_slice(),
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
        let frame = &mut self.arena[self.used..self.used + FRAME_LEN_MAX];
        let len = write(frame).min(FRAME_LEN_MAX);
        let entry = &mut self.entries[self.count];
        entry.address = link_address(ifindex, protocol(&frame[..len]));
        entry.vector.iov_base = frame.as_mut_ptr().cast();
        entry.vector.iov_len = len;
        let header = &mut self.headers[self.count].msg_hdr;
        header.msg_name = (&raw mut entry.address).cast();
        header.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        header.msg_iov = &raw mut entry.vector;
        header.msg_iovlen = 1;
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
            match self.send(socket, next) {
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

    /// One sendmmsg(2) with the frames from `start` on. Returns how many were sent, one at least;
    /// an error is the first frame's.
    fn send(&mut self, socket: &SendSocket, start: usize) -> Result<usize, Errno> {
        let headers = &mut self.headers[start..self.count];
        // The system call itself: on 64-bit machines musl's function is a loop of sendmsg(2).
        // SAFETY: each header up to `count` was given its pointers by `push`: to an address and a
        // vector in `entries`, and to a frame in `arena`, boxes that are as old as the batch and
        // are not written until the call ends; the kernel writes only `msg_len`.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_sendmmsg,
                socket.fd.as_raw_fd(),
                headers.as_mut_ptr(),
                headers.len(),
                libc::MSG_DONTWAIT,
            )
        };
        // Never 0: that would send the caller into the same call for ever.
        match usize::try_from(Errno::result(sent)?) {
            Ok(0) | Err(_) => Err(Errno::EIO),
            Ok(sent) => Ok(sent.min(headers.len())),
        }
    }
}

impl fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendBatch of {} frames", self.count)
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
