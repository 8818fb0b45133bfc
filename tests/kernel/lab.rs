//! A network namespace with the sockets that the tests need, and waits that have an end.

use core::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;

use vipd::frame::{IPV4_PAYLOAD, Ipv4Header, Macs, TTL, emit_ipv4, multicast_mac};
use vipd::netlink::build::Batch;
use vipd::netlink::{Content, addr, link, link_request};
use vipd::sys::clock;
use vipd::sys::netlink::{CommandSocket, Dump, EventSocket, Events};
use vipd::sys::netns::NetNs;
use vipd::sys::poll::{Interest, Poll};
use vipd::time::Duration;

/// How long anything may take. Reached only when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// Runs `test` in a new network namespace.
pub(crate) fn in_namespace(test: impl FnOnce()) {
    NetNs::new()
        .expect("these tests need root: sudo, or unshare --map-root-user --net")
        .run(test)
        .expect("entering the new namespace");
}

/// Polls `attempt` whenever `fd` is readable, until it answers.
pub(crate) fn wait_for<T>(fd: &impl AsFd, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = clock::now() + PATIENCE;
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        let left = deadline.since(clock::now());
        assert!(!left.is_zero(), "nothing came within {PATIENCE}");
        let mut poll = Poll::with_capacity(1);
        poll.add(fd, Interest::Read);
        poll.wait(Some(left)).unwrap();
    }
}

/// An interface, as the tests compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) kind: Option<String>,
    pub(crate) port_kind: Option<String>,
    pub(crate) master: Option<u32>,
    pub(crate) parent: Option<u32>,
    pub(crate) running: bool,
    pub(crate) gone: bool,
}

impl Seen {
    pub(crate) fn of(content: &Content<'_>) -> Option<Self> {
        let (link, gone) = match content {
            Content::Link(link) => (link, false),
            Content::LinkGone(link) => (link, true),
            _ => return None,
        };
        Some(Self {
            index: link.index,
            name: link.name.to_owned(),
            mac: link.mac,
            kind: link.kind.map(str::to_owned),
            port_kind: link.port_kind.map(str::to_owned),
            master: link.master,
            parent: link.parent,
            running: link.is_running(),
            gone,
        })
    }
}

/// The command socket, with the answers in a form for tests.
pub(crate) struct Kernel(pub(crate) CommandSocket);

impl Kernel {
    pub(crate) fn open() -> Self {
        Self(CommandSocket::open().unwrap())
    }

    /// Sends what `build` puts into the batch; returns (sequence, errno) of each answer.
    pub(crate) fn answers(&mut self, build: impl FnOnce(&mut Batch)) -> Vec<(u32, i32)> {
        build(self.0.batch());
        self.0.send().unwrap();
        let mut answers = Vec::new();
        self.0
            .receive(|message| match Content::parse(&message) {
                Content::Ack(ack) => answers.push((ack.sequence, ack.errno)),
                other => panic!("unexpected answer {other:?}"),
            })
            .unwrap();
        answers
    }

    /// Sends one request that must succeed.
    pub(crate) fn done(&mut self, build: impl FnOnce(&mut Batch) -> u32) {
        let mut sequence = 0;
        let answers = self.answers(|batch| sequence = build(batch));
        assert_eq!(answers, [(sequence, 0)]);
    }

    pub(crate) fn links(&mut self) -> Vec<Seen> {
        let mut links = Vec::new();
        let end = self.0.dump(link::dump, |message| {
            links.extend(Seen::of(&Content::parse(&message)));
        });
        assert_eq!(end.unwrap(), Dump::Complete);
        links
    }

    pub(crate) fn link(&mut self, name: &str) -> Seen {
        let links = self.links();
        let found = links.iter().find(|link| link.name == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {links:?}"))
            .clone()
    }

    /// Makes the veth pair `a`–`b`, and returns them when both are running.
    pub(crate) fn veth(&mut self) -> (Seen, Seen) {
        let mut events = EventSocket::open().unwrap();
        self.done(|batch| link_request::create_veth(batch, "a", "b", None));
        for name in ["a", "b"] {
            let index = self.link(name).index;
            self.done(|batch| link_request::set_up(batch, index, true));
        }
        both_running(&mut events);
        (self.link("a"), self.link("b"))
    }

    pub(crate) fn add(&mut self, index: u32, address: IpAddr, prefix_len: u8) {
        let new = addr::NewAddress::plain(index, address, prefix_len);
        self.done(|batch| addr::add(batch, &new, addr::Existing::Refuse));
    }
}

/// Reads events until `wanted` recognises one.
pub(crate) fn event<T>(
    events: &mut EventSocket,
    mut wanted: impl FnMut(&Content<'_>) -> Option<T>,
) -> T {
    let deadline = clock::now() + PATIENCE;
    let mut found = None;
    while found.is_none() {
        let mut poll = Poll::with_capacity(1);
        poll.add(events, Interest::Read);
        assert_eq!(
            poll.wait(Some(deadline.since(clock::now()))).unwrap(),
            1,
            "no such event"
        );
        let end = events.receive(1, |message| {
            let content = Content::parse(&message);
            found = found.take().or_else(|| wanted(&content));
        });
        assert_ne!(end.unwrap(), Events::Overrun);
    }
    found.unwrap()
}

/// Waits until `a` and `b` are running.
pub(crate) fn both_running(events: &mut EventSocket) {
    let mut running = [false; 2];
    event(events, |content| {
        let seen = Seen::of(content)?;
        running[usize::from(seen.name == "b")] = seen.running;
        (running == [true; 2]).then_some(())
    });
}

/// A frame that passes for an advert to the group: `tag` is its payload, four times.
pub(crate) fn advert(buf: &mut [u8], destination_mac: [u8; 6], tag: u8) -> usize {
    advert_to(buf, destination_mac, GROUP, tag)
}

/// The same, to any address.
pub(crate) fn advert_to(
    buf: &mut [u8],
    destination_mac: [u8; 6],
    destination: Ipv4Addr,
    tag: u8,
) -> usize {
    buf[IPV4_PAYLOAD..IPV4_PAYLOAD + 4].fill(tag);
    let macs = Macs {
        source: [2, 0, 0, 0, 0, 9],
        destination: destination_mac,
    };
    let header = Ipv4Header {
        source: Ipv4Addr::new(10, 0, 0, 9),
        destination,
        ttl: TTL,
        identification: u16::from(tag),
        payload_len: 4,
    };
    emit_ipv4(buf, &macs, &header)
}

pub(crate) fn group_mac() -> [u8; 6] {
    multicast_mac(GROUP.into())
}
