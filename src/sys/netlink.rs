//! The two rtnetlink sockets: one for commands, one for events.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::error::{Context, Error};
use super::poll::{Interest, Poll};
use super::socket;
use crate::netlink::build::{Batch, pieces};
use crate::netlink::error::{Ack, NLMSG_DONE, NLMSG_ERROR, done};
use crate::netlink::parse::{Message, Messages};
use crate::netlink::process;
use crate::time::Duration;

/// Longest request datagram. The default send buffer takes 200 KB, a small router's 80.
const PIECE_LEN: usize = 32 * 1024;
/// Receive buffer of this program; the kernel makes its datagrams of a dump fit. Four pages with
/// what musl's allocator adds.
const DATAGRAM_LEN: usize = 16 * 1024 - 20;
/// Room that is kept for requests: some forty addresses.
const BATCH_LEN: usize = 4 * 1024;
/// How long a dump may stand still. The kernel fills a dump while it is read, so this never passes.
const DUMP_PATIENCE: Duration = Duration::from_secs(1);
/// Datagrams of one dump, at most: ten thousand addresses are about a hundred.
const DUMP_DATAGRAMS_MAX: usize = 10_000;
/// Size of the event socket's receive buffer at the start, in bytes.
const EVENT_BUFFER: usize = 1024 * 1024;
/// [`EventSocket::grow`] stops here.
const EVENT_BUFFER_MAX: usize = 16 * 1024 * 1024;

/// Requests and their answers.
#[derive(Debug)]
pub struct CommandSocket {
    fd: OwnedFd,
    batch: Batch,
    buffer: Box<[u8]>,
}

/// How a dump ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// All was there.
    Complete,
    /// Something changed meanwhile (NLM_F_DUMP_INTR): dump again.
    Interrupted,
}

impl CommandSocket {
    /// Opens the socket.
    ///
    /// # Errors
    /// As socket(2), bind(2).
    pub fn open() -> Result<Self, Error> {
        Self::with(open(libc::NETLINK_ROUTE, 0).context("open netlink socket for commands", "")?)
    }

    /// Opens a socket for nf_tables.
    ///
    /// # Errors
    /// As socket(2), bind(2): EPROTONOSUPPORT if the kernel has no netfilter.
    pub fn open_netfilter() -> Result<Self, Error> {
        Self::with(open(libc::NETLINK_NETFILTER, 0).context("open netfilter socket", "")?)
    }

    fn with(fd: OwnedFd) -> Result<Self, Error> {
        // Errors with the kernel's own words and without a copy of the request. Kernels before 4.12
        // know neither, and nothing depends on it.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            let _ = socket::set_int(&fd, libc::SOL_NETLINK, option, 1);
        }
        Ok(Self {
            fd,
            batch: Batch::with_capacity(BATCH_LEN),
            buffer: vec![0; DATAGRAM_LEN].into_boxed_slice(),
        })
    }

    /// The port that the kernel's news of this socket's changes carry (`nlmsg_pid`).
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn port(&self) -> Result<u32, Error> {
        let address: nix::sys::socket::NetlinkAddr =
            nix::sys::socket::getsockname(self.fd.as_raw_fd())
                .context("read address of netlink socket", "")?;
        Ok(address.pid())
    }

    /// The requests that wait for [`send`](Self::send). One batch a socket: so the sequence numbers
    /// differ.
    pub fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// No requests wait: gives back the room that many of them have taken.
    pub fn rest(&mut self) {
        self.batch.shrink_to(BATCH_LEN);
    }

    /// Sends the batch and empties it. An acknowledgement comes for the last request only; of the
    /// others only failures are told. The kernel does the work inside this call (which may wait for
    /// its rtnl lock): when it returns, the answers are there to [`receive`](Self::receive).
    ///
    /// # Errors
    /// As sendto(2). The requests up to some point were done, the rest were not.
    pub fn send(&mut self) -> Result<(), Error> {
        self.batch.acknowledge_last();
        self.send_batch()
    }

    fn send_batch(&mut self) -> Result<(), Error> {
        let result = pieces(self.batch.bytes(), PIECE_LEN)
            .try_for_each(|piece| send(self.fd.as_fd(), piece));
        self.batch.clear();
        result.context("send netlink request", "")
    }

    /// Hands every answer that waits to `each`: [`Content::Ack`](crate::netlink::Content::Ack), or
    /// what was asked for. Returns how many messages there were.
    ///
    /// # Errors
    /// As recvfrom(2). ENOBUFS: answers were lost; dump and reconcile.
    pub fn receive(&mut self, mut each: impl FnMut(Message<'_>)) -> Result<usize, Error> {
        self.take_answers(&mut each)
    }

    /// Sends the batch, and hands each refusal that comes or waits to `each`.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`receive`](Self::receive), which is done in any case.
    pub fn carry_out(&mut self, each: &mut dyn FnMut(&Ack<'_>)) -> Result<(), Error> {
        let sent = self.send();
        let answered = self.take_answers(&mut |message| {
            if message.kind == NLMSG_ERROR
                && let Some(ack) = Ack::parse(&message)
                && ack.errno != 0
            {
                each(&ack);
            }
        });
        sent.and(answered.map(drop))
    }

    fn take_answers(&mut self, each: &mut dyn FnMut(Message<'_>)) -> Result<usize, Error> {
        let mut count = 0;
        // Ends: answers come to requests only, and none is sent in here.
        while let Some(datagram) =
            receive(self.fd.as_fd(), &mut self.buffer).context("receive netlink answer", "")?
        {
            for message in Messages::new(datagram) {
                count += 1;
                each(message);
            }
        }
        Ok(count)
    }

    /// Sends the request that `request` writes, and whatever waits in the batch before it, and
    /// hands all answers to `each` until the dump has ended. Late answers to earlier requests come
    /// through `each` too. Waits, but not for other processes' doings.
    ///
    /// # Errors
    /// As sendto(2) and recvfrom(2); what the kernel answers to the request; ETIMEDOUT.
    pub fn dump(
        &mut self,
        request: impl FnOnce(&mut Batch) -> u32,
        each: impl FnMut(Message<'_>),
    ) -> Result<Dump, Error> {
        self.ask(request, each)?.context("dump by netlink", "")
    }

    /// As [`dump`](Self::dump), but what the kernel answers is a result of its own: to whom it may well
    /// refuse, and often.
    ///
    /// # Errors
    /// As sendto(2) and recvfrom(2); ETIMEDOUT.
    pub fn ask(
        &mut self,
        request: impl FnOnce(&mut Batch) -> u32,
        mut each: impl FnMut(Message<'_>),
    ) -> Result<Result<Dump, Errno>, Error> {
        let sequence = request(&mut self.batch);
        self.take_dump(sequence, &mut each)
    }

    fn take_dump(
        &mut self,
        sequence: u32,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<Result<Dump, Errno>, Error> {
        self.send_batch()?;
        let mut outcome = Dump::Complete;
        for _ in 0..DUMP_DATAGRAMS_MAX {
            let received = receive(self.fd.as_fd(), &mut self.buffer);
            let Some(datagram) = received.context("receive netlink dump", "")? else {
                self.wait()?;
                continue;
            };
            for message in Messages::new(datagram) {
                let ours = message.sequence == sequence;
                if ours && message.flags & libc::NLM_F_DUMP_INTR as u16 != 0 {
                    outcome = Dump::Interrupted;
                }
                let ends = matches!(message.kind, NLMSG_DONE | NLMSG_ERROR);
                if !(ours && ends) {
                    each(message);
                    continue;
                }
                return Ok(match done(message.body) {
                    Some(errno) if errno != 0 => Err(Errno::from_raw(errno)),
                    _ => Ok(outcome),
                });
            }
        }
        Err(Errno::ETIMEDOUT).context("receive netlink dump", "")
    }

    fn wait(&self) -> Result<(), Error> {
        let mut poll = Poll::with_capacity(1);
        poll.add(&self.fd, Interest::Read);
        match poll.wait(Some(DUMP_PATIENCE))? {
            0 => Err(Errno::ETIMEDOUT).context("receive netlink dump", ""),
            _ => Ok(()),
        }
    }
}

impl AsFd for CommandSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The kernel's notifications about links and addresses.
#[derive(Debug)]
pub struct EventSocket {
    fd: OwnedFd,
    buffer: Box<[u8]>,
    receive_buffer: usize,
}

/// How a receive of events ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// No event waits any more.
    Drained,
    /// The limit was reached: more may wait.
    More,
    /// Events were lost (ENOBUFS): [`EventSocket::grow`], dump, reconcile. Later events may wait.
    Overrun,
}

impl EventSocket {
    /// Opens the socket and subscribes to links, IPv4 and IPv6 addresses. Do so before the first
    /// dump, and nothing can be missed between the two.
    ///
    /// # Errors
    /// As socket(2), bind(2).
    pub fn open() -> Result<Self, Error> {
        let groups = [
            libc::RTNLGRP_LINK,
            libc::RTNLGRP_IPV4_IFADDR,
            libc::RTNLGRP_IPV6_IFADDR,
        ]
        .iter()
        .fold(0, |mask, group| mask | 1 << (group - 1));
        let fd = open(libc::NETLINK_ROUTE, groups).context("open netlink socket for events", "")?;
        let events = Self::with(fd);
        events.apply_size()?;
        Ok(events)
    }

    fn with(fd: OwnedFd) -> Self {
        Self {
            fd,
            buffer: vec![0; DATAGRAM_LEN].into_boxed_slice(),
            receive_buffer: EVENT_BUFFER,
        }
    }

    /// Subscribes to another group (RTNLGRP_…), or leaves it.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn watch(&self, group: u32, on: bool) -> Result<(), Error> {
        let option = if on {
            libc::NETLINK_ADD_MEMBERSHIP
        } else {
            libc::NETLINK_DROP_MEMBERSHIP
        };
        socket::set_int(&self.fd, libc::SOL_NETLINK, option, group as i32)
            .context("subscribe to netlink events", "")
    }

    /// Hands the messages of up to `limit` waiting datagrams to `each`.
    ///
    /// # Errors
    /// As recvfrom(2), but for ENOBUFS.
    pub fn receive(
        &mut self,
        limit: usize,
        mut each: impl FnMut(Message<'_>),
    ) -> Result<Events, Error> {
        self.receive_all(limit, &mut each)
    }

    /// One copy of it in the program.
    fn receive_all(
        &mut self,
        limit: usize,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<Events, Error> {
        for _ in 0..limit {
            match receive(self.fd.as_fd(), &mut self.buffer) {
                Ok(Some(datagram)) => Messages::new(datagram).for_each(&mut *each),
                Ok(None) => return Ok(Events::Drained),
                Err(Errno::ENOBUFS) => return Ok(Events::Overrun),
                Err(errno) => return Err(errno).context("receive netlink event", ""),
            }
        }
        Ok(Events::More)
    }

    /// Doubles the receive buffer, up to 16 MB.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn grow(&mut self) -> Result<(), Error> {
        self.receive_buffer = (self.receive_buffer * 2).min(EVENT_BUFFER_MAX);
        self.apply_size()
    }

    fn apply_size(&self) -> Result<(), Error> {
        socket::set_receive_buffer(&self.fd, self.receive_buffer)
            .context("set receive buffer of netlink socket", "")
    }
}

impl AsFd for EventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The kernel's news of processes. There are some in the initial network, user and process namespaces
/// only.
#[derive(Debug)]
pub struct ProcessSocket(EventSocket);

impl ProcessSocket {
    /// Opens the socket and asks for news; the first one is an answer, if they will come.
    ///
    /// # Errors
    /// As socket(2), bind(2), which wants CAP_NET_ADMIN, and sendto(2): ECONNREFUSED in a network
    /// namespace. EPROTONOSUPPORT if the kernel has no connector.
    pub fn open() -> Result<Self, Errno> {
        let fd = open(libc::NETLINK_CONNECTOR, process::GROUP)?;
        send(fd.as_fd(), &process::request(true))?;
        Ok(Self(EventSocket::with(fd)))
    }

    /// As [`EventSocket::receive`].
    ///
    /// # Errors
    /// As there.
    pub fn receive(
        &mut self,
        limit: usize,
        each: impl FnMut(Message<'_>),
    ) -> Result<Events, Error> {
        self.0.receive(limit, each)
    }
}

/// Kernels before 6.6 go on counting who has only closed his socket.
impl Drop for ProcessSocket {
    fn drop(&mut self) {
        let _ = send(self.0.as_fd(), &process::request(false));
    }
}

impl AsFd for ProcessSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn open(protocol: libc::c_int, groups: u32) -> Result<OwnedFd, Errno> {
    let fd = socket::open(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
    // SAFETY: sockaddr_nl is the address structure of AF_NETLINK.
    unsafe { socket::bind(&fd, &address(groups)) }?;
    Ok(fd)
}

/// The kernel (port 0), or our own address for bind(2), where port 0 means "choose one".
fn address(groups: u32) -> libc::sockaddr_nl {
    // SAFETY: all-zero bytes are a valid sockaddr_nl; it has private padding.
    let mut address: libc::sockaddr_nl = unsafe { core::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = groups;
    address
}

fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
    let kernel = address(0);
    loop {
        // SAFETY: both pointers come with their lengths and outlive the call, which only reads.
        let sent = unsafe {
            libc::sendto(
                fd.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT,
                (&raw const kernel).cast(),
                size_of::<libc::sockaddr_nl>() as libc::socklen_t,
            )
        };
        match Errno::result(sent) {
            Err(Errno::EINTR) => (),
            result => return result.map(drop),
        }
    }
}

/// The next datagram of the kernel; `None` if none waits. One that did not fit into `buffer` is an
/// ENOBUFS: something was lost.
fn receive<'a>(fd: BorrowedFd<'_>, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, Errno> {
    loop {
        let mut sender = address(0);
        let mut sender_len = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: both pointers come with their lengths, are alive until the call ends, and nobody
        // else uses what they point to.
        let len = unsafe {
            libc::recvfrom(
                fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                (&raw mut sender).cast(),
                &raw mut sender_len,
            )
        };
        let len = match Errno::result(len) {
            Ok(len) => usize::try_from(len).unwrap_or(0),
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno),
        };
        // Another process may write to our port; it is not the kernel, and says nothing.
        let len = if sender.nl_pid == 0 { len } else { 0 };
        return buffer.get(..len).map(Some).ok_or(Errno::ENOBUFS);
    }
}

/// The name of the interface with this index, if there is one.
pub fn interface_name(index: u32) -> Option<String> {
    nix::net::if_::if_indextoname(index)
        .ok()?
        .into_string()
        .ok()
}

/// The network namespace's own number of the interface `name`, if there is one.
///
/// # Errors
/// As if_nametoindex(3), but for ENODEV.
pub fn interface_index(name: &str) -> Result<Option<u32>, Error> {
    match nix::net::if_::if_nametoindex(name) {
        Ok(index) => Ok(Some(index)),
        Err(Errno::ENODEV | Errno::ENXIO) => Ok(None),
        Err(errno) => Err(errno).context("look up interface", name),
    }
}
