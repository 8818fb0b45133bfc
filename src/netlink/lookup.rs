//! Whether a default route goes through an interface: RTM_GETROUTE for a far address.
//!
//! The kernel looks it up as it does for each packet, by its rules and its tables, so the size of these
//! does not matter; a dump of the routes would. It is asked for the route that it finds
//! (RTM_F_FIB_MATCH, Linux 4.13), not for what follows from it: when there is none through the interface,
//! IPv4 would answer that all is on the link.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::build::Batch;
use super::parse::{Attributes, Message};
use crate::vrrp::types::Family;

/// a.root-servers.net: nobody has a route of his own to it, nor a blackhole. Nothing is sent there.
const FAR_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4));
const FAR_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30));
/// Answer with the route itself.
const RTM_F_FIB_MATCH: u32 = 0x2000;
/// Length of `struct rtmsg`.
const HEADER_LEN: usize = 12;

/// Asks for the way to the far address through the interface. `source` is what packets of ours would
/// come from: IPv6 has default routes for some sources only.
pub fn default_route(
    batch: &mut Batch,
    family: Family,
    interface: u32,
    source: Option<IpAddr>,
) -> u32 {
    let far = match family {
        Family::V4 => FAR_IPV4,
        Family::V6 => FAR_IPV6,
    };
    // An answer ends with an acknowledgement, as a dump with its end.
    batch.message(libc::RTM_GETROUTE, libc::NLM_F_ACK as u16, |body| {
        let mut header = [0; HEADER_LEN];
        header[1] = bits(far);
        header[2] = source.map_or(0, bits);
        header[0] = match family {
            Family::V4 => libc::AF_INET as u8,
            Family::V6 => libc::AF_INET6 as u8,
        };
        header[8..].copy_from_slice(&RTM_F_FIB_MATCH.to_ne_bytes());
        body.put(&header);
        let mut address = |kind: u16, address: IpAddr| match address {
            IpAddr::V4(address) => body.attribute(kind, &address.octets()),
            IpAddr::V6(address) => body.attribute(kind, &address.octets()),
        };
        address(libc::RTA_DST, far);
        if let Some(source) = source {
            address(libc::RTA_SRC, source);
        }
        body.attribute_u32(libc::RTA_OIF, interface);
    })
}

/// The answer is a default route, and goes through the interface.
pub fn is_default(message: &Message<'_>, interface: u32) -> bool {
    let Some(header) = message.body.first_chunk::<HEADER_LEN>() else {
        return false;
    };
    let through = Attributes::behind(message.body, HEADER_LEN)
        .find(|attribute| attribute.kind == libc::RTA_OIF)
        .and_then(|attribute| attribute.u32());
    message.kind == libc::RTM_NEWROUTE
        && header[1] == 0
        && header[7] == libc::RTN_UNICAST
        // A route over several interfaces names none here: it was found by ours.
        && through.is_none_or(|through| through == interface)
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}
