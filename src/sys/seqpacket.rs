//! Pairs of connected sockets that keep the boundaries of messages: unix(7), SOCK_SEQPACKET.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, recvmsg, send, sendmsg,
    socketpair,
};

use super::error::{Context, Error};
use super::receive::{ControlMessages, int};

/// One end. It is the calls that block or not, because its descriptor may be another process's too.
#[derive(Debug)]
pub struct Seqpacket {
    fd: OwnedFd,
}

/// A message that was received.
#[derive(Debug)]
pub enum Incoming {
    /// Nothing waits.
    Nothing,
    /// So many bytes, at most as many as there was room for.
    Message(usize),
    /// Nobody has the other end any more, or nobody will ever read from it.
    Gone,
}

impl Incoming {
    fn new(result: Result<usize, Errno>) -> Self {
        match result {
            // Nobody sends empty messages.
            Ok(0) => Self::Gone,
            Ok(length) => Self::Message(length),
            Err(Errno::EAGAIN | Errno::EINTR) => Self::Nothing,
            Err(_) => Self::Gone,
        }
    }
}

impl Seqpacket {
    /// Two ends of one connection.
    ///
    /// # Errors
    /// As socketpair(2).
    pub fn pair() -> Result<(Self, Self), Error> {
        let (kind, flags) = (SockType::SeqPacket, SockFlag::SOCK_CLOEXEC);
        let (one, other) = socketpair(AddressFamily::Unix, kind, None, flags)
            .context("make pair of sockets", "")?;
        Ok((Self { fd: one }, Self { fd: other }))
    }

    /// Sends a message, and a descriptor with it. Nothing waits.
    ///
    /// # Errors
    /// EAGAIN: too much waits to be read. EPIPE: the other end is gone.
    pub fn send(&self, message: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let fd = self.fd.as_raw_fd();
        match descriptor {
            None => send(fd, message, flags),
            Some(descriptor) => {
                let descriptors = [descriptor.as_raw_fd()];
                let control = [ControlMessage::ScmRights(&descriptors)];
                sendmsg::<()>(fd, &[IoSlice::new(message)], &control, flags, None)
            }
        }
        .map(drop)
    }

    /// Sends a message, and waits until there is room for it.
    ///
    /// # Errors
    /// EPIPE: the other end is gone.
    pub fn send_and_wait(&self, message: &[u8]) -> Result<(), Errno> {
        loop {
            match send(self.fd.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL) {
                Err(Errno::EINTR) => {}
                result => return result.map(drop),
            }
        }
    }

    /// The next message, without waiting for one.
    pub fn receive(&self, buffer: &mut [u8]) -> Incoming {
        Incoming::new(recv(self.fd.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT))
    }

    /// The next message and the descriptor that came with it, without waiting for one. Allocates.
    pub fn receive_with(&self, buffer: &mut [u8]) -> (Incoming, Option<OwnedFd>) {
        let mut control = nix::cmsg_space!([RawFd; 1]);
        control.resize(control.capacity(), 0);
        let mut vectors = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let fd = self.fd.as_raw_fd();
        let length = recvmsg::<()>(fd, &mut vectors, Some(&mut control), flags).map(|m| m.bytes);
        let mut descriptor = None;
        for (_, data) in ControlMessages(&control).filter(|(kind, _)| *kind == libc::SCM_RIGHTS) {
            for fd in data.chunks_exact(size_of::<RawFd>()).filter_map(int) {
                // SAFETY: the kernel has just made this descriptor for us. All but the last are
                // closed here.
                descriptor = Some(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        (Incoming::new(length), descriptor)
    }
}

impl AsFd for Seqpacket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn messages_keep_their_boundaries_and_descriptors_come_along() {
        let (one, other) = Seqpacket::pair().unwrap();
        let mut buffer = [0; 4];
        assert!(matches!(one.receive(&mut buffer), Incoming::Nothing));
        other.send(b"ab", None).unwrap();
        other.send_and_wait(b"cdefgh").unwrap();
        assert!(matches!(one.receive(&mut buffer), Incoming::Message(2)));
        assert!(matches!(one.receive(&mut buffer), Incoming::Message(4)));
        assert_eq!(&buffer, b"cdef", "what does not fit is cut");
        let (mut reader, writer) = std::io::pipe().unwrap();
        other.send(b"x", Some(writer.as_fd())).unwrap();
        drop(writer);
        let (incoming, descriptor) = one.receive_with(&mut buffer);
        assert!(matches!(incoming, Incoming::Message(1)));
        let mut file = std::fs::File::from(descriptor.unwrap());
        file.write_all(b"through").unwrap();
        drop(file);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        assert!(one.receive_with(&mut buffer).1.is_none());
        drop(other);
        assert!(matches!(one.receive(&mut buffer), Incoming::Gone));
        assert_eq!(one.send(b"x", None), Err(Errno::EPIPE));
    }

    #[test]
    fn a_full_socket_does_not_block() {
        let (one, _other) = Seqpacket::pair().unwrap();
        let mut sent = 0;
        while one.send(&[7; 2000], None).is_ok() {
            sent += 1;
            assert!(sent < 100_000, "the queue has an end");
        }
        assert_eq!(one.send(&[7; 2000], None), Err(Errno::EAGAIN));
    }
}
