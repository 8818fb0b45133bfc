//! An advert as bytes: the VRRP message behind its IP header, and behind Ethernet's for the group.

use core::net::IpAddr;

use crate::frame::{self, ETHERNET_HEADER_LEN, Ipv4Header, Ipv6Header, Macs};
use crate::vrrp::types::{Family, TTL};
use crate::vrrp::wire::Repr;

/// Writes the frame of an advert to the multicast group. Returns its length.
pub(super) fn write_frame(
    buf: &mut [u8],
    repr: &Repr<'_>,
    source_mac: [u8; 6],
    identification: u16,
) -> usize {
    let macs = Macs {
        source: source_mac,
        destination: frame::multicast_mac(repr.destination),
    };
    let packet = frame::emit_ethernet(buf, &macs, Family::of(&repr.source));
    ETHERNET_HEADER_LEN + write_packet(packet, repr, TTL, identification)
}

/// Writes the packet of an advert. Returns its length.
pub(super) fn write_packet(buf: &mut [u8], repr: &Repr<'_>, ttl: u8, identification: u16) -> usize {
    let payload_len = repr.buffer_len();
    match (repr.source, repr.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = Ipv4Header {
                source,
                destination,
                ttl,
                identification,
                payload_len,
            };
            repr.emit(&mut buf[frame::IPV4_HEADER_LEN..]);
            frame::emit_ipv4_packet(buf, &header)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header {
                source,
                destination,
                hop_limit: ttl,
                payload_len,
            };
            repr.emit(&mut buf[frame::IPV6_HEADER_LEN..]);
            frame::emit_ipv6_packet(buf, &header)
        }
        // One instance has one family.
        _ => 0,
    }
}
