//! What this host lacks of what follows the Active. `vipd check`, the log at the start and `vipd status`
//! say it in the same words, on the Backup too: before a failover shows it.

use core::fmt;
use core::net::IpAddr;

use crate::config::model::Config;
use crate::sys::{proc, sysctl};
use crate::vrrp::action::Id;
use crate::vrrp::types::is_link_local;

use super::addresses::Addresses;
use super::links::{Links, Slot};

/// Something that is missing, on an interface or under a kernel parameter.
pub(super) enum Lack<'a> {
    /// DHCP is let through to nobody.
    Server,
    /// `disable_ipv6` is set for this interface.
    Ipv6(&'a str),
    /// This interface has no address that router advertisements could come from.
    LinkLocal(&'a str),
    /// Of all interfaces, or of this one: without the first nothing is forwarded, without the second
    /// Neighbour Advertisements say that this is no router, and hosts forget it (RFC 4861 §7.2.5).
    Forwarding(&'a str),
}

impl fmt::Display for Lack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, name, after) = match self {
            Self::Server => (
                "no DHCP server runs on this host, nobody listens on UDP port 67 or 547: start one, or write \
                 `dhcp off`",
                "",
                "",
            ),
            Self::Ipv6(name) => (
                "net.ipv6.conf.",
                *name,
                ".disable_ipv6 is 1, so this host is no IPv6 router: set it to 0, or write `ra off`",
            ),
            Self::LinkLocal(name) => (
                "",
                *name,
                " has no link-local IPv6 address, so no router advertisement is sent: give it one, or write `ra off`",
            ),
            Self::Forwarding(name) => (
                "net.ipv6.conf.",
                *name,
                ".forwarding is 0, so this host is no IPv6 router, though it advertises one: set it to 1, or write `ra off`",
            ),
        };
        write!(f, "{before}{name}{after}")
    }
}

/// What `dhcp follow` lacks. Nothing if the kernel does not say.
pub(super) fn of_dhcp() -> Option<Lack<'static>> {
    (proc::has_dhcp_server() == Some(false)).then_some(Lack::Server)
}

/// What `ra follow` of an instance lacks. An interface that is not up has its own line.
pub(super) fn of_ra<'a>(
    id: Id,
    links: &'a Links,
    link_of: &[Slot],
    addresses: &Addresses,
) -> Option<Lack<'a>> {
    let link = links.get(link_of[id.index()]);
    let kernel = link.kernel.as_ref().filter(|kernel| kernel.up)?;
    let is = |place: &str, name: &str, value: &str| {
        let path = format!("net/ipv6/conf/{place}/{name}");
        sysctl::read(&path).is_ok_and(|found| found == value)
    };
    let name = &*link.name;
    if is(name, "disable_ipv6", "1") {
        return Some(Lack::Ipv6(name));
    }
    // One that is tentative will do in a moment.
    let own = kernel.addresses.iter().map(|known| known.address);
    let virtual_ = &addresses.entries()[addresses.of(id)];
    let mut all = own.chain(virtual_.iter().map(|entry| entry.address));
    if !all.any(|address: IpAddr| address.is_ipv6() && is_link_local(&address)) {
        return Some(Lack::LinkLocal(name));
    }
    let mut places = ["all", name].into_iter();
    let off = places.find(|place| is(place, "forwarding", "0"));
    off.map(Lack::Forwarding)
}

/// A line for each thing that an instance of `config` lacks.
pub(super) fn lines(
    config: &Config,
    links: &Links,
    link_of: &[Slot],
    addresses: &Addresses,
    lines: &mut Vec<String>,
) {
    for (index, instance) in config.instances.iter().enumerate() {
        let dhcp = instance.dhcp.then(of_dhcp).flatten();
        let ra = || of_ra(Id(index as u16), links, link_of, addresses);
        for lack in [dhcp, instance.ra.then(ra).flatten()].iter().flatten() {
            lines.push(format!("{}: {lack}", instance.name));
        }
    }
}
