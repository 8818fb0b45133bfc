//! The interface that a probe asks through.

use core::net::{IpAddr, Ipv4Addr};

use crate::daemon::links::{Kernel, Link};
use crate::probe::{Check, Failure};
use crate::vrrp::types::Family;

/// An interface that can be asked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Its name: no more than IFNAMSIZ allows, and no heap, for interfaces are looked at with each change
    /// of an address.
    pub(super) name: heapless::String<15, u8>,
    pub(super) ifindex: u32,
    pub(super) mac: [u8; 6],
    /// The address that ARP requests come from.
    pub(super) source4: Ipv4Addr,
    /// An address that packets over IPv6 come from.
    pub(super) source6: Option<IpAddr>,
}

impl Way {
    /// The way out through an interface, or why there is none.
    pub(super) fn through(link: Option<&Link>, check: &Check) -> Result<Self, Failure> {
        let link = link.ok_or(Failure::NoInterface)?;
        let kernel = link.kernel.as_ref().ok_or(Failure::NoInterface)?;
        if !link.counts_as_up() {
            return Err(Failure::InterfaceDown);
        }
        Ok(Way {
            name: heapless::String::try_from(link.name.as_str())
                .map_err(|_| Failure::NoInterface)?,
            ifindex: kernel.ifindex,
            mac: kernel.mac,
            source4: match check {
                Check::Arp(target) => arp_source(kernel, *target),
                _ => Ipv4Addr::UNSPECIFIED,
            },
            source6: match check {
                Check::DefaultRoute(Family::V6) => kernel
                    .addresses
                    .iter()
                    .find(|a| a.usable && a.address.is_ipv6() && !a.may_be_source(Family::V6))
                    .map(|a| a.address),
                _ => None,
            },
        })
    }
}

/// The address on the segment of `target`, or else the first one, or none at all.
fn arp_source(kernel: &Kernel, target: Ipv4Addr) -> Ipv4Addr {
    let mut found = Ipv4Addr::UNSPECIFIED;
    for address in &kernel.addresses {
        let IpAddr::V4(own) = address.address else {
            continue;
        };
        let host_bits = 32_u32.saturating_sub(address.prefix_len.into());
        let differs = (own.to_bits() ^ target.to_bits()).checked_shr(host_bits);
        if differs.unwrap_or(0) == 0 {
            return own;
        }
        if found.is_unspecified() {
            found = own;
        }
    }
    found
}
