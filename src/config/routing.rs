//! Routes and routing policy rules as the kernel gets them: the part of the model beside addresses.

use core::net::IpAddr;
use std::rc::Rc;

use crate::vrrp::types::Family;

/// RTA_PRIORITY and the like: numbers of the kernel's attributes are kept as they are sent.
pub type Number = (u16, u32);

/// A route or a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    /// The line as it was written, for messages.
    pub text: Box<str>,
    /// What it means.
    pub what: What,
}

/// What an [`Item`] is.
#[derive(Debug, PartialEq, Eq)]
pub enum What {
    /// A line of `virtual_routes` or `static_routes`.
    Route(Route),
    /// A line of `virtual_rules` or `static_rules`.
    Rule(Rule),
}

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Its address, without bits beyond the prefix.
    pub address: IpAddr,
    /// Its length.
    pub len: u8,
}

/// A route.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads; /0 is the default route.
    pub to: Prefix,
    /// RTN_…: unicast, blackhole, unreachable, prohibit or throw.
    pub kind: u8,
    /// The type of service that it is for.
    pub tos: u8,
    /// RT_SCOPE_…
    pub scope: u8,
    /// The number of its table.
    pub table: u32,
    /// NLM_F_EXCL (`add`), NLM_F_APPEND (`append`) or 0: in front of others with the same prefix, which
    /// is what the kernel and keepalived do.
    pub place: u16,
    /// `src`: the address that this host's own packets come from.
    pub source: Option<IpAddr>,
    /// `metric`: of two routes the smaller counts. The kernel takes 0, IPv6 1024.
    pub metric: Option<u32>,
    /// ICMPV6_ROUTER_PREF_…: `pref` of an IPv6 route.
    pub preference: Option<u8>,
    /// RTAX_… and the value, `mtu` and the like.
    pub metrics: Vec<Number>,
    /// None for a blackhole and the like; several share the traffic.
    pub hops: Vec<Hop>,
}

/// A next hop.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// The gateway; without one the network is on the link.
    pub via: Option<IpAddr>,
    /// The interface; without one the kernel finds that of the gateway.
    pub dev: Option<Rc<str>>,
    /// The gateway is on the link, even if no address says so.
    pub onlink: bool,
    /// Its share of the traffic less one.
    pub weight: u8,
}

/// A routing policy rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its family.
    pub family: Family,
    /// The sources that it is for.
    pub from: Option<Prefix>,
    /// The destinations that it is for.
    pub to: Option<Prefix>,
    /// It is for all that does not match.
    pub not: bool,
    /// The type of service that it is for.
    pub tos: u8,
    /// The interfaces that it is for: `iif` and `oif`.
    pub devs: [Option<Rc<str>>; 2],
    /// FR_ACT_…
    pub action: u8,
    /// FRA_… and the value: table, priority, fwmark and the like.
    pub numbers: Vec<Number>,
}

/// FRA_GOTO
pub const FRA_GOTO: u16 = 4;
/// FRA_PRIORITY
pub const FRA_PRIORITY: u16 = 6;
/// FRA_FWMARK
pub const FRA_FWMARK: u16 = 10;
/// FRA_SUPPRESS_IFGROUP
pub const FRA_SUPPRESS_IFGROUP: u16 = 13;
/// FRA_SUPPRESS_PREFIXLEN
pub const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
/// FRA_TABLE
pub const FRA_TABLE: u16 = 15;
/// FRA_FWMASK
pub const FRA_FWMASK: u16 = 16;

impl Item {
    /// The word for it: that of `ip`.
    pub fn kind(&self) -> &'static str {
        match self.what {
            What::Route(_) => "route",
            What::Rule(_) => "rule",
        }
    }

    /// The address family that it belongs to.
    pub fn family(&self) -> Family {
        match &self.what {
            What::Route(route) => Family::of(&route.to.address),
            What::Rule(rule) => rule.family,
        }
    }

    /// The interfaces that it names, each at its place: of the next hops, or `iif` and `oif`.
    pub fn devs(&self) -> impl Iterator<Item = Option<&Rc<str>>> {
        let (hops, devs) = match &self.what {
            What::Route(route) => (&route.hops[..], &[][..]),
            What::Rule(rule) => (&[][..], &rule.devs[..]),
        };
        let of_hops = hops.iter().map(|hop| hop.dev.as_ref());
        of_hops.chain(devs.iter().map(Option::as_ref))
    }
}
