//! Router advertisements as frames (RFC 4861 §4.2, RFC 8106 §5.1).

use core::net::Ipv6Addr;

use super::HOP_LIMIT;
use super::ipv6::{ALL_NODES, IPV6_PAYLOAD, Ipv6Header, emit_icmpv6};
use crate::ra::{Content, PREFIX_LEN};

/// Router Advertisement, a checksum to be, the Hop Limit that hosts use, and flags: neither Managed
/// nor Other configuration.
const HEAD: [u8; 6] = [134, 0, 0, 0, 64, 0];
/// Reachable Time and Retrans Timer, of which hosts use their own, and behind them the first option:
/// each begins with its type and its length in units of 8 bytes.
const TIMERS_AND_SOURCE: [u8; 10] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
const MTU: [u8; 4] = [5, 1, 0, 0];
/// On-link and Autonomous.
const PREFIX: [u8; 4] = [3, 4, PREFIX_LEN, 0xc0];
const RECURSIVE_DNS: u8 = 25;

/// Writes the router advertisement that `source` at `source_mac` sends to all nodes; `mtu` is the
/// link's. Returns its length, which is 398 bytes at most.
///
/// # Panics
/// If `buf` is shorter than the frame.
pub fn emit_ra(
    buf: &mut [u8],
    source_mac: [u8; 6],
    source: Ipv6Addr,
    mtu: u32,
    content: &Content,
) -> usize {
    let end = &mut { IPV6_PAYLOAD };
    put(buf, end, &HEAD);
    put(buf, end, &content.lifetime.to_be_bytes());
    put(buf, end, &TIMERS_AND_SOURCE);
    put(buf, end, &source_mac);
    put(buf, end, &MTU);
    put(buf, end, &mtu.to_be_bytes());
    for prefix in &content.prefixes {
        put(buf, end, &PREFIX);
        put(buf, end, &prefix.valid.to_be_bytes());
        put(buf, end, &prefix.preferred.to_be_bytes());
        put(buf, end, &[0; 4]);
        put(buf, end, &prefix.address.octets());
    }
    if !content.servers.is_empty() {
        let units = 1 + 2 * content.servers.len() as u8;
        let lifetime = u32::from(content.servers_lifetime);
        put(buf, end, &[RECURSIVE_DNS, units, 0, 0]);
        put(buf, end, &lifetime.to_be_bytes());
        for server in &content.servers {
            put(buf, end, &server.octets());
        }
    }
    let header = Ipv6Header {
        source,
        destination: ALL_NODES,
        hop_limit: HOP_LIMIT,
        payload_len: *end - IPV6_PAYLOAD,
    };
    emit_icmpv6(buf, source_mac, &header)
}

/// Writes `bytes` at `end`, which is behind them then.
fn put(buf: &mut [u8], end: &mut usize, bytes: &[u8]) {
    buf[*end..][..bytes.len()].copy_from_slice(bytes);
    *end += bytes.len();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ra::Prefix;
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::time::Duration;
    use smoltcp::wire::{
        EthernetAddress, Icmpv6Packet, Icmpv6Repr, Ipv6Packet, NdiscPrefixInfoFlags,
        NdiscPrefixInformation, NdiscRepr, NdiscRouterFlags, RawHardwareAddress,
    };

    const MAC: [u8; 6] = [0, 0, 0x5e, 0, 2, 50];

    fn text(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    fn content(prefixes: usize, servers: &[&str]) -> Content {
        let prefix = |n: usize| Prefix {
            address: text(&format!("2001:db8:{n}::")),
            preferred: 2_700,
            valid: 5_400,
        };
        Content {
            lifetime: 1_800,
            prefixes: (0..prefixes).map(prefix).collect(),
            servers: servers.iter().map(|s| text(s)).collect(),
            servers_lifetime: 1_800,
        }
    }

    #[test]
    fn the_advertisement_is_what_smoltcp_reads() {
        let source = text("fe80::1");
        let mut frame = [0x55; 600];
        let len = emit_ra(&mut frame, MAC, source, 1_492, &content(1, &[]));
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(frame[6..12], MAC);
        let packet = Ipv6Packet::new_checked(&frame[14..len]).unwrap();
        assert_eq!((packet.src_addr(), packet.hop_limit()), (source, 255));
        assert_eq!(packet.dst_addr(), text("ff02::1"));
        assert_eq!(packet.total_len(), len - 14);
        let message = Icmpv6Packet::new_checked(packet.payload()).unwrap();
        let checks = ChecksumCapabilities::default();
        let read = Icmpv6Repr::parse(&source, &packet.dst_addr(), &message, &checks);
        let expected = NdiscRepr::RouterAdvert {
            hop_limit: 64,
            flags: NdiscRouterFlags::empty(),
            router_lifetime: Duration::from_secs(1_800),
            reachable_time: Duration::ZERO,
            retrans_time: Duration::ZERO,
            lladdr: Some(RawHardwareAddress::from(EthernetAddress(MAC))),
            mtu: Some(1_492),
            prefix_info: Some(NdiscPrefixInformation {
                prefix_len: 64,
                flags: NdiscPrefixInfoFlags::ON_LINK | NdiscPrefixInfoFlags::ADDRCONF,
                valid_lifetime: Duration::from_secs(5_400),
                preferred_lifetime: Duration::from_secs(2_700),
                prefix: text("2001:db8::"),
            }),
        };
        assert_eq!(read.unwrap(), Icmpv6Repr::Ndisc(expected));
    }

    #[test]
    fn servers_are_the_last_option() {
        let mut frame = [0x55; 600];
        let full = content(8, &["fd00::1", "fd00::2", "fd00::3"]);
        let len = emit_ra(&mut frame, MAC, text("fe80::1"), 1_500, &full);
        assert_eq!(len, 398);
        let option = &frame[len - 56..len];
        assert_eq!(option[..8], [25, 7, 0, 0, 0, 0, 0x07, 0x08]);
        assert_eq!(option[8..24], text("fd00::1").octets());
        assert_eq!(option[40..], text("fd00::3").octets());
    }
}
