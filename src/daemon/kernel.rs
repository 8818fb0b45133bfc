//! What the kernel tells of interfaces and addresses, taken into the tables.

use crate::limits;
use crate::log;
use crate::netlink::link::{self, Link};
use crate::netlink::{Content, addr};
use crate::sys::clock;
use crate::sys::error::Error;
use crate::sys::netlink::{CommandSocket, Dump, EventSocket, Events};
use crate::time::{Duration, Instant};

use super::addresses::Addresses;
use super::links::{Address, Ipv4, Kernel as LinkKernel, Links};
use super::routes::Routes;

/// The groups of news of routes and rules, as [`Routes::groups`] counts them.
const ROUTING: [u32; 4] = [
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
];

/// The event socket, and how to ask for everything again.
pub(super) struct Kernel {
    events: EventSocket,
    /// The netlink port of the executor's socket: news of our own doing carry it.
    own_port: u32,
    /// Something has happened that routes and static addresses may depend on.
    pub(super) stirred: bool,
    /// Which groups of [`ROUTING`] we are told of.
    watched: [bool; ROUTING.len()],
    /// A removal of ours was told; it may have taken other addresses with it.
    check: bool,
    /// This kernel tells who put an address there (IFA_PROTO, Linux 5.18): it does so for the
    /// IPv6 addresses that it makes itself.
    pub(super) tells_who: bool,
}

impl Kernel {
    /// Events flow from here on; dump after this, so that nothing falls in between.
    pub(super) fn open() -> Result<Self, Error> {
        Ok(Self {
            events: EventSocket::open()?,
            own_port: 0,
            stirred: false,
            watched: [false; ROUTING.len()],
            check: false,
            tells_who: false,
        })
    }

    /// Tells which changes are our own.
    pub(super) fn own_port(&mut self, port: u32) {
        self.own_port = port;
    }

    /// Listens to news of routes and rules as far as they matter: on a router with many, others' may
    /// change all the time.
    pub(super) fn watch(&mut self, wanted: [bool; ROUTING.len()]) {
        for ((group, watched), wanted) in ROUTING.into_iter().zip(&mut self.watched).zip(wanted) {
            if core::mem::replace(watched, wanted) != wanted
                && let Err(error) = self.events.watch(group, wanted)
            {
                log::error!("{error}: what is removed by others is not put back");
            }
        }
    }

    /// For the poll set.
    pub(super) fn events(&self) -> &EventSocket {
        &self.events
    }

    /// [`Kernel::dump_with`] a socket for the purpose.
    pub(super) fn dump(&mut self, links: &mut Links) -> Result<(), Error> {
        self.dump_with(&mut CommandSocket::open()?, links)
    }

    /// Asks the kernel for all interfaces and addresses; again if they change meanwhile.
    pub(super) fn dump_with(
        &mut self,
        socket: &mut CommandSocket,
        links: &mut Links,
    ) -> Result<(), Error> {
        let tells_who = &mut self.tells_who;
        for _ in 0..limits::DUMPS {
            links.forget();
            let first = socket.dump(link::dump, |message| {
                if let Content::Link(link) = Content::parse(&message) {
                    take_link(&link, links);
                }
            })?;
            let second = socket.dump(addr::dump, |message| {
                let Content::Address(address) = Content::parse(&message) else {
                    return;
                };
                *tells_who |= address.protocol.is_some();
                links.source_changed(address.index, address.address, true);
                if let Some(slot) = links.by_index(address.index) {
                    links.address_added(slot, table_address(&address));
                }
            })?;
            if (first, second) == (Dump::Complete, Dump::Complete) {
                break;
            }
        }
        // If it never stood still, the events that wait tell the rest.
        Ok(())
    }

    /// Reads the events that wait, `limit` datagrams at most. An overrun is answered by a bigger
    /// buffer and a new dump.
    ///
    /// The kernel queues the news of a change before it acknowledges the change, so that after
    /// this the tables show all that we have done so far.
    pub(super) fn read(
        &mut self,
        limit: usize,
        links: &mut Links,
        addresses: &mut Addresses,
        routes: &Routes,
    ) {
        let (own_port, check, stirred) = (self.own_port, &mut self.check, &mut self.stirred);
        let result = self.events.receive(limit, |message| {
            let own = message.port == own_port;
            *check |= own && message.kind == libc::RTM_DELADDR;
            let content = Content::parse(&message);
            *stirred |= (!own || routes.lacks()) && stirs(&content, routes);
            take(&content, own, links, addresses);
        });
        match result {
            Ok(Events::More) => {}
            Ok(Events::Drained) => {
                if core::mem::take(&mut self.check) {
                    addresses.find_missing(links);
                }
            }
            Ok(Events::Overrun) => self.start_over(links, addresses),
            Err(error) => log::error!("{error}"),
        }
    }

    fn start_over(&mut self, links: &mut Links, addresses: &mut Addresses) {
        log::warn!(
            "the kernel had more events than its buffer holds and dropped some; the buffer is doubled \
             and everything is compared again"
        );
        self.stirred = true;
        if let Err(error) = self.events.grow() {
            log::warn!("{error}");
        }
        // What still waits is older than the dump, and would be taken for news after it.
        if let Err(error) = self.events.receive(limits::EVENTS_OF_RELOAD, |_| ()) {
            log::warn!("{error}");
        }
        match self.dump(links) {
            Ok(()) => addresses.reconcile(links, false),
            Err(error) => log::error!("interfaces cannot be listed: {error}"),
        }
    }
}

fn take_link(link: &Link<'_>, links: &mut Links) {
    let bridge = link.master.filter(|_| link.is_bridge_port());
    let ipv4 = |parameter| link.ipv4(parameter).unwrap_or(0);
    let kernel = LinkKernel {
        ifindex: link.index,
        mac: link.mac.unwrap_or_default(),
        up: link.is_up() && link.is_running(),
        is_bridge: link.kind == Some("bridge"),
        mtu: link.mtu,
        ipv4: Ipv4 {
            forwarding: ipv4(link::FORWARDING),
            arp: [ipv4(link::ARP_IGNORE), ipv4(link::ARP_ANNOUNCE)],
        },
        bridge,
        addresses: Vec::new(),
    };
    links.appeared(link.name, kernel);
}

fn take(content: &Content<'_>, own: bool, links: &mut Links, addresses: &mut Addresses) {
    match content {
        Content::Link(link) => {
            let before = links.by_index(link.index);
            take_link(link, links);
            // A new index or a new name: what was on the old interface is gone.
            for slot in before
                .into_iter()
                .filter(|slot| links.get(*slot).ifindex() != Some(link.index))
            {
                addresses.interface_gone(slot);
            }
            let now = links.by_index(link.index);
            now.filter(|slot| before != Some(*slot))
                .inspect(|slot| addresses.interface_back(*slot));
        }
        Content::LinkGone(link) => {
            let slot = links.by_index(link.index);
            links.vanished(link.index);
            if let Some(slot) = slot {
                addresses.interface_gone(slot);
            }
        }
        Content::Address(address) => {
            links.source_changed(address.index, address.address, true);
            if let Some(slot) = links.by_index(address.index) {
                links.address_added(slot, table_address(address));
                if !own {
                    addresses.added(slot, &table_address(address));
                }
            }
        }
        Content::AddressGone(address) => {
            links.source_changed(address.index, address.address, false);
            if let Some(slot) = links.by_index(address.index) {
                links.address_removed(slot, address.address, address.prefix_len);
                if !own {
                    addresses.removed(slot, address.address, address.prefix_len);
                }
            }
        }
        Content::RouteGone(_) | Content::RuleGone => {}
        Content::Ack(_) | Content::Done(_) | Content::Other => {}
    }
}

/// Whether the news of somebody's doing may concern routes: those that are gone, and what they need.
fn stirs(content: &Content<'_>, routes: &Routes) -> bool {
    match content {
        Content::RouteGone(gone) => routes.concerns(gone),
        Content::Ack(_) | Content::Done(_) | Content::Other => false,
        _ => true,
    }
}

fn table_address(address: &addr::Address<'_>) -> Address {
    Address {
        address: address.address,
        prefix_len: address.prefix_len,
        proto: address.protocol.unwrap_or(0),
        usable: address.is_usable(),
        preferred_until: from_now(address.preferred_secs),
        valid_until: from_now(address.valid_secs),
    }
}

fn from_now(secs: Option<u32>) -> Instant {
    let ends = |secs: u32| clock::now() + Duration::from_secs(secs.into());
    secs.map_or(Instant::NEVER, ends)
}
