//! Routes: how to add and delete one, and which one RTM_DELROUTE is about.

use core::net::IpAddr;

use super::build::{Batch, Body};
use super::parse::{Attributes, Message, u32_at};
use crate::config::routing::{Prefix, Route};

/// RTA_PREF: the preference of an IPv6 route (Linux 4.1).
const RTA_PREF: u16 = 20;
/// RTNH_F_ONLINK
const RTNH_F_ONLINK: u8 = 4;
/// Length of `struct rtmsg`, and of `struct fib_rule_hdr`.
pub(super) const HEADER_LEN: usize = 12;
/// Length of `struct rtnexthop`, which is laid out as the header of an attribute is.
const HOP_LEN: usize = 8;

/// Adds a route, marked with `protocol` (`rtm_protocol`). `index` says which interface the hop at a
/// place names. Returns the sequence number; EEXIST means that the very same route is there, or, for
/// one that is to be alone, another one with its destination and metric.
pub fn add(batch: &mut Batch, route: &Route, protocol: u8, index: &dyn Fn(usize) -> u32) -> u32 {
    let flags = libc::NLM_F_CREATE as u16 | route.place;
    batch.message(libc::RTM_NEWROUTE, flags, |body| {
        write(body, route, protocol, index);
    })
}

/// Deletes the route that [`add`] has added, and none that differs in anything. Returns the sequence
/// number; ESRCH means that it was not there.
pub fn delete(batch: &mut Batch, route: &Route, protocol: u8, index: &dyn Fn(usize) -> u32) -> u32 {
    batch.message(libc::RTM_DELROUTE, 0, |body| {
        write(body, route, protocol, index);
    })
}

/// The body of both; an interface index of 0 is left out, and means any.
fn write(body: &mut Body<'_>, route: &Route, protocol: u8, index: &dyn Fn(usize) -> u32) {
    let single = match &route.hops[..] {
        [hop] => Some(hop),
        _ => None,
    };
    let onlink = single.is_some_and(|hop| hop.onlink);
    body.put(&header(&HeaderOf {
        address: route.to.address,
        to_len: route.to.len,
        from_len: 0,
        tos: route.tos,
        table: route.table,
        rest: [protocol, route.scope, route.kind],
        flags: if onlink { RTNH_F_ONLINK.into() } else { 0 },
    }));
    prefix(body, libc::RTA_DST, Some(&route.to));
    body.attribute_u32(libc::RTA_TABLE, route.table);
    if let Some(source) = route.source {
        put_ip(body, libc::RTA_PREFSRC, source);
    }
    if let Some(metric) = route.metric {
        body.attribute_u32(libc::RTA_PRIORITY, metric);
    }
    if let Some(preference) = route.preference {
        body.attribute(RTA_PREF, &[preference]);
    }
    if !route.metrics.is_empty() {
        body.nested(libc::RTA_METRICS, |body| {
            for (kind, value) in &route.metrics {
                body.attribute_u32(*kind, *value);
            }
        });
    }
    match single {
        Some(hop) => {
            if let Some(via) = hop.via {
                put_ip(body, libc::RTA_GATEWAY, via);
            }
            let index = index(0);
            if index != 0 {
                body.attribute_u32(libc::RTA_OIF, index);
            }
        }
        None if route.hops.is_empty() => {}
        None => body.nested(libc::RTA_MULTIPATH, |body| {
            for (place, hop) in route.hops.iter().enumerate() {
                put_hop(body, hop, index(place));
            }
        }),
    }
}

/// `struct rtnexthop` and the gateway behind it.
fn put_hop(body: &mut Body<'_>, hop: &crate::config::routing::Hop, index: u32) {
    let gateway = match hop.via {
        Some(IpAddr::V4(_)) => 8,
        Some(IpAddr::V6(_)) => 20,
        None => 0,
    };
    let len = (HOP_LEN as u16 + gateway).to_ne_bytes();
    let flags = if hop.onlink { RTNH_F_ONLINK } else { 0 };
    body.put(&[len[0], len[1], flags, hop.weight]);
    body.put(&index.to_ne_bytes());
    if let Some(via) = hop.via {
        put_ip(body, libc::RTA_GATEWAY, via);
    }
}

/// What the 12 bytes in front of a route and of a rule say; they differ in `rest` alone.
pub(super) struct HeaderOf {
    /// An address of its family.
    pub(super) address: IpAddr,
    pub(super) to_len: u8,
    pub(super) from_len: u8,
    pub(super) tos: u8,
    pub(super) table: u32,
    pub(super) rest: [u8; 3],
    pub(super) flags: u32,
}

/// `struct rtmsg` or `struct fib_rule_hdr`. Tables beyond 255 stand in an attribute alone.
pub(super) fn header(of: &HeaderOf) -> [u8; HEADER_LEN] {
    let family = match of.address {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    let table = u8::try_from(of.table).unwrap_or(0);
    let [a, b, c] = of.rest;
    let [d, e, f, g] = of.flags.to_ne_bytes();
    [
        family as u8,
        of.to_len,
        of.from_len,
        of.tos,
        table,
        a,
        b,
        c,
        d,
        e,
        f,
        g,
    ]
}

/// The address of a prefix, if it is more than everything.
pub(super) fn prefix(body: &mut Body<'_>, kind: u16, prefix: Option<&Prefix>) {
    if let Some(prefix) = prefix.filter(|prefix| prefix.len > 0) {
        put_ip(body, kind, prefix.address);
    }
}

fn put_ip(body: &mut Body<'_>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => body.attribute(kind, &address.octets()),
        IpAddr::V6(address) => body.attribute(kind, &address.octets()),
    }
}

/// Where the route leads that RTM_DELROUTE is about, or that another has replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Length of the prefix.
    pub len: u8,
    /// Its address; none for a default route.
    pub to: Option<IpAddr>,
    /// The number of the table.
    pub table: u32,
    /// AF_…
    pub family: u8,
}

impl Gone {
    /// Reads RTM_DELROUTE, and RTM_NEWROUTE where that says that it replaces another.
    pub fn parse(message: &Message<'_>) -> Option<Self> {
        let replaces = message.flags & libc::NLM_F_REPLACE as u16 != 0;
        if message.kind == libc::RTM_NEWROUTE && !replaces {
            return None;
        }
        let header: &[u8; HEADER_LEN] = message.body.first_chunk()?;
        let mut gone = Self {
            family: header[0],
            len: header[1],
            table: header[4].into(),
            to: None,
        };
        for attribute in Attributes::behind(message.body, HEADER_LEN) {
            match attribute.kind {
                libc::RTA_DST => gone.to = attribute.ip(),
                libc::RTA_TABLE => gone.table = u32_at(attribute.value, 0)?,
                _ => {}
            }
        }
        Some(gone)
    }

    /// It has the destination and the table of `route`.
    pub fn is_like(&self, route: &Route) -> bool {
        let to = (route.to.len > 0).then_some(route.to.address);
        let family = match route.to.address {
            IpAddr::V4(_) => libc::AF_INET,
            IpAddr::V6(_) => libc::AF_INET6,
        };
        (self.len, self.to, self.table) == (route.to.len, to, route.table)
            && self.family == family as u8
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::routing::Hop;
    use crate::netlink::parse::Messages;

    fn route(to: &str, len: u8, hops: Vec<Hop>) -> Route {
        Route {
            to: Prefix {
                address: to.parse().unwrap(),
                len,
            },
            kind: libc::RTN_UNICAST,
            tos: 0,
            scope: 0,
            table: 254,
            place: 0,
            source: None,
            metric: None,
            preference: None,
            metrics: Vec::new(),
            hops,
        }
    }

    fn hop(via: &str) -> Hop {
        Hop {
            via: via.parse().ok(),
            ..Hop::default()
        }
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (value.len() as u16 + 4).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_route_byte_for_byte() {
        let mut route = route("10.20.0.0", 16, vec![hop("10.0.0.7")]);
        route.metric = Some(50);
        route.source = "10.0.0.2".parse().ok();
        route.table = 1000;
        route.tos = 8;
        route.metrics = vec![(2, 1400), (1, 4)];
        let mut batch = Batch::with_capacity(256);
        add(&mut batch, &route, 112, &|_| 3);
        let mut expected = vec![2, 16, 0, 8, 0, 112, 0, 1, 0, 0, 0, 0];
        expected.extend(attribute(1, &[10, 20, 0, 0]));
        expected.extend(attribute(15, &1000_u32.to_ne_bytes()));
        expected.extend(attribute(7, &[10, 0, 0, 2]));
        expected.extend(attribute(6, &50_u32.to_ne_bytes()));
        let mut metrics = attribute(2, &1400_u32.to_ne_bytes());
        metrics.extend(attribute(1, &4_u32.to_ne_bytes()));
        expected.extend(attribute(8, &metrics));
        expected.extend(attribute(5, &[10, 0, 0, 7]));
        expected.extend(attribute(4, &3_u32.to_ne_bytes()));
        assert_eq!(&batch.bytes()[16..], expected);
        assert_eq!(batch.bytes()[4..6], libc::RTM_NEWROUTE.to_ne_bytes());
        assert_eq!(batch.bytes()[6..8], 0x401_u16.to_ne_bytes());
    }

    #[test]
    fn next_hops_stand_one_behind_the_other() {
        let mut hops = vec![hop("fd00::7"), hop("fd00::8")];
        (hops[0].weight, hops[1].onlink) = (2, true);
        let mut batch = Batch::with_capacity(256);
        delete(&mut batch, &route("::", 0, hops), 112, &|place| {
            [3, 0][place]
        });
        let mut expected = vec![10, 0, 0, 0, 254, 112, 0, 1, 0, 0, 0, 0];
        expected.extend(attribute(15, &254_u32.to_ne_bytes()));
        let mut multipath = Vec::new();
        for (flags, weight, index, last) in [(0, 2, 3_u32, 7), (RTNH_F_ONLINK, 0, 0, 8)] {
            multipath.extend(28_u16.to_ne_bytes());
            multipath.extend([flags, weight]);
            multipath.extend(index.to_ne_bytes());
            let mut via = [0; 16];
            (via[0], via[15]) = (0xfd, last);
            multipath.extend(attribute(5, &via));
        }
        expected.extend(attribute(9, &multipath));
        assert_eq!(&batch.bytes()[16..], expected);
        assert_eq!(batch.bytes()[4..6], libc::RTM_DELROUTE.to_ne_bytes());
    }

    #[test]
    fn what_was_deleted_is_recognized() {
        let gone = |batch: &Batch| Gone::parse(&Messages::new(batch.bytes()).next().unwrap());
        let mut batch = Batch::with_capacity(256);
        let mut wanted = route("10.20.0.0", 16, vec![hop("10.0.0.7")]);
        delete(&mut batch, &wanted, 4, &|_| 0);
        assert!(gone(&batch).unwrap().is_like(&wanted));
        wanted.table = 1000;
        assert!(!gone(&batch).unwrap().is_like(&wanted));
        batch.clear();
        add(&mut batch, &wanted, 4, &|_| 0);
        assert_eq!(gone(&batch), None);
        wanted.place = libc::NLM_F_REPLACE as u16;
        batch.clear();
        add(&mut batch, &wanted, 4, &|_| 0);
        assert!(gone(&batch).unwrap().is_like(&wanted));
        let (v4, v6) = (route("0.0.0.0", 0, vec![]), route("::", 0, vec![]));
        batch.clear();
        delete(&mut batch, &v4, 4, &|_| 0);
        assert!(gone(&batch).unwrap().is_like(&v4));
        assert!(!gone(&batch).unwrap().is_like(&v6));
    }
}
