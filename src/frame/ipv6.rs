//! IPv6 (RFC 8200): packets that carry VRRP, and the unsolicited Neighbour Advertisement of RFC 4861.

use core::net::Ipv6Addr;

use super::{
    DSCP_CS6, ETHERNET_HEADER_LEN, ETHERTYPE_IPV6, HOP_LIMIT, Ip, Macs, PROTOCOL_VRRP,
    emit_ethernet, split_ethernet,
};
use crate::vrrp::checksum::Sum;
use crate::vrrp::drop::DropReason;
use crate::vrrp::types::Family;

/// Length of an IPv6 header in bytes.
pub const IPV6_HEADER_LEN: usize = 40;
/// Where the payload of an IPv6 frame of ours starts.
pub const IPV6_PAYLOAD: usize = ETHERNET_HEADER_LEN + IPV6_HEADER_LEN;
/// Length of an unsolicited Neighbour Advertisement's frame in bytes.
pub const NA_LEN: usize = IPV6_PAYLOAD + na::LEN;

/// Where the fields of an IPv6 header start (RFC 8200 §3).
mod ip {
    pub(super) const VERSION: usize = 0;
    pub(super) const PAYLOAD_LEN: usize = 4;
    pub(super) const NEXT_HEADER: usize = 6;
    pub(super) const HOP_LIMIT: usize = 7;
    pub(super) const SOURCE: usize = 8;
    pub(super) const DESTINATION: usize = 24;
}

/// All nodes of the link.
pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The next header's number of ICMPv6, and where its checksum stands (RFC 4443 §2.1).
const ICMPV6: u8 = 58;
const ICMPV6_CHECKSUM: usize = 2;

/// Where the fields of a Neighbour Advertisement start (RFC 4861 §4.4), and what stands there.
mod na {
    pub(super) const FLAGS: usize = 4;
    pub(super) const TARGET: usize = 8;
    pub(super) const OPTION: usize = 24;
    pub(super) const LEN: usize = 32;

    pub(super) const TYPE: u8 = 136;
    /// RFC 9568 §6.4.1: Router and Override set, Solicited clear.
    pub(super) const ROUTER_AND_OVERRIDE: u8 = 0xa0;
    /// Target Link-layer Address, one unit of 8 bytes.
    pub(super) const TARGET_LINK_LAYER: [u8; 2] = [2, 1];
}

/// Parses an Ethernet frame as AF_PACKET hands it up: VLAN tag taken off, padding still on.
///
/// # Errors
/// The [`DropReason`] to count: `FrameTruncated`, `IpHeader`, `NotVrrp`.
pub fn parse_ipv6(frame: &[u8]) -> Result<Ip<'_>, DropReason> {
    parse_ipv6_packet(split_ethernet(frame, ETHERTYPE_IPV6)?)
}

/// Parses an IPv6 packet without a link-layer header. Adverts have no extension headers.
///
/// # Errors
/// As [`parse_ipv6`].
pub fn parse_ipv6_packet(bytes: &[u8]) -> Result<Ip<'_>, DropReason> {
    let (header, rest) = bytes
        .split_first_chunk::<IPV6_HEADER_LEN>()
        .ok_or(DropReason::FrameTruncated)?;
    if header[ip::VERSION] >> 4 != 6 {
        return Err(DropReason::IpHeader);
    }
    let len = u16::from_be_bytes([header[ip::PAYLOAD_LEN], header[ip::PAYLOAD_LEN + 1]]);
    let payload = rest
        .get(..usize::from(len))
        .ok_or(DropReason::FrameTruncated)?;
    if header[ip::NEXT_HEADER] != PROTOCOL_VRRP {
        return Err(DropReason::NotVrrp);
    }
    Ok(Ip {
        source: sixteen(header, ip::SOURCE).into(),
        destination: sixteen(header, ip::DESTINATION).into(),
        ttl: header[ip::HOP_LIMIT],
        payload,
    })
}

/// What goes in front of a VRRP message over IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Header {
    /// A link-local address of the interface (RFC 9568 §5.1.2.1); with unicast any of ours.
    pub source: Ipv6Addr,
    /// The multicast group, or a peer.
    pub destination: Ipv6Addr,
    /// [`HOP_LIMIT`].
    pub hop_limit: u8,
    /// Length of the VRRP message in bytes.
    pub payload_len: usize,
}

/// Writes the Ethernet and the IPv6 header into the first [`IPV6_PAYLOAD`] bytes of `buf`; the
/// payload behind them is left as it is. Returns the length of the whole frame.
///
/// # Panics
/// If `buf` is shorter than the frame.
pub fn emit_ipv6(buf: &mut [u8], macs: &Macs, header: &Ipv6Header) -> usize {
    emit_frame(buf, macs, header, PROTOCOL_VRRP)
}

/// Writes the IPv6 header into the first [`IPV6_HEADER_LEN`] bytes of `buf`; the payload behind it
/// is left as it is. Returns the length of the whole packet.
///
/// # Panics
/// If `buf` is shorter than the packet.
pub fn emit_ipv6_packet(buf: &mut [u8], header: &Ipv6Header) -> usize {
    emit_header(buf, header, PROTOCOL_VRRP)
}

fn emit_frame(buf: &mut [u8], macs: &Macs, header: &Ipv6Header, next_header: u8) -> usize {
    let packet = emit_ethernet(buf, macs, Family::V6);
    ETHERNET_HEADER_LEN + emit_header(packet, header, next_header)
}

fn emit_header(buf: &mut [u8], header: &Ipv6Header, next_header: u8) -> usize {
    let payload_len = u16::try_from(header.payload_len).expect("a message is at most 4 KB long");
    let packet = &mut buf[..IPV6_HEADER_LEN + header.payload_len];
    // Version 6, the traffic class across the byte boundary, flow label 0.
    let class = if next_header == PROTOCOL_VRRP {
        DSCP_CS6 << 2
    } else {
        0
    };
    packet[..4].copy_from_slice(&[6 << 4 | class >> 4, class << 4, 0, 0]);
    packet[ip::PAYLOAD_LEN..][..2].copy_from_slice(&payload_len.to_be_bytes());
    packet[ip::NEXT_HEADER] = next_header;
    packet[ip::HOP_LIMIT] = header.hop_limit;
    packet[ip::SOURCE..][..16].copy_from_slice(&header.source.octets());
    packet[ip::DESTINATION..][..16].copy_from_slice(&header.destination.octets());
    packet.len()
}

/// Writes the unsolicited Neighbour Advertisement that tells all nodes that `address` is at
/// `source_mac` now (RFC 9568 §6.4.1). Returns its length, [`NA_LEN`].
///
/// # Panics
/// If `buf` is shorter than [`NA_LEN`].
pub fn emit_na(buf: &mut [u8], source_mac: [u8; 6], address: Ipv6Addr) -> usize {
    let header = Ipv6Header {
        source: address,
        destination: ALL_NODES,
        hop_limit: HOP_LIMIT,
        payload_len: na::LEN,
    };
    let message = &mut buf[IPV6_PAYLOAD..NA_LEN];
    message.fill(0);
    message[0] = na::TYPE;
    message[na::FLAGS] = na::ROUTER_AND_OVERRIDE;
    message[na::TARGET..][..16].copy_from_slice(&address.octets());
    message[na::OPTION..][..2].copy_from_slice(&na::TARGET_LINK_LAYER);
    message[na::OPTION + 2..].copy_from_slice(&source_mac);
    emit_icmpv6(buf, source_mac, &header)
}

/// Puts the headers in front of an ICMPv6 message to a group, and its checksum, which is zero yet,
/// into it. Returns the length of the frame.
pub(super) fn emit_icmpv6(buf: &mut [u8], source_mac: [u8; 6], header: &Ipv6Header) -> usize {
    let macs = Macs {
        source: source_mac,
        destination: super::multicast_mac(header.destination.into()),
    };
    let len = emit_frame(buf, &macs, header, ICMPV6);
    let message = &mut buf[IPV6_PAYLOAD..len];
    let sum = Sum::default()
        .plus(&header.source.octets())
        .plus(&header.destination.octets())
        .plus_word(header.payload_len as u32)
        .plus_word(ICMPV6.into())
        .plus(message);
    message[ICMPV6_CHECKSUM..][..2].copy_from_slice(&(!sum.fold()).to_be_bytes());
    len
}

/// The header that the kernel takes off before it hands a packet of protocol 112 to a raw socket, as
/// far as anybody looks at it (RFC 8200 §3).
pub fn packet_header(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    payload_len: u16,
) -> [u8; IPV6_HEADER_LEN] {
    let mut header = [0; IPV6_HEADER_LEN];
    header[ip::VERSION] = 6 << 4;
    header[ip::PAYLOAD_LEN..][..2].copy_from_slice(&payload_len.to_be_bytes());
    header[ip::NEXT_HEADER] = PROTOCOL_VRRP;
    header[ip::HOP_LIMIT] = hop_limit;
    header[ip::SOURCE..][..16].copy_from_slice(&source.octets());
    header[ip::DESTINATION..][..16].copy_from_slice(&destination.octets());
    header
}

fn sixteen(header: &[u8; IPV6_HEADER_LEN], at: usize) -> [u8; 16] {
    let mut octets = [0; 16];
    octets.copy_from_slice(&header[at..at + 16]);
    octets
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::{
        EthernetAddress, Icmpv6Packet, Icmpv6Repr, Ipv6Packet, NdiscNeighborFlags, NdiscRepr,
        RawHardwareAddress,
    };

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1);
    const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

    fn advert() -> Vec<u8> {
        let mut frame = vec![0; 70];
        let macs = Macs {
            source: MAC,
            destination: super::super::multicast_mac(GROUP.into()),
        };
        let header = Ipv6Header {
            source: SOURCE,
            destination: GROUP,
            hop_limit: HOP_LIMIT,
            payload_len: 12,
        };
        assert_eq!(emit_ipv6(&mut frame, &macs, &header), 66);
        frame[IPV6_PAYLOAD..66].copy_from_slice(b"twelve bytes");
        frame
    }

    fn altered(at: usize, value: u8) -> Result<(), DropReason> {
        let mut frame = advert();
        frame[ETHERNET_HEADER_LEN + at] = value;
        parse_ipv6(&frame).map(drop)
    }

    #[test]
    fn what_is_emitted_is_parsed_by_us_and_by_smoltcp() {
        let frame = advert();
        let parsed = parse_ipv6(&frame).unwrap();
        assert_eq!(parsed.payload, b"twelve bytes");
        assert_eq!((parsed.source, parsed.ttl), (SOURCE.into(), 255));
        assert_eq!(parsed.destination, GROUP);
        assert_eq!(parse_ipv6_packet(&frame[14..]), Ok(parsed));
        let theirs = Ipv6Packet::new_checked(&frame[14..]).unwrap();
        assert_eq!(theirs.version(), 6);
        assert_eq!(theirs.traffic_class(), 0xc0);
        assert_eq!(theirs.flow_label(), 0);
        assert_eq!(u8::from(theirs.next_header()), 112);
        assert_eq!(theirs.hop_limit(), 255);
        assert_eq!((theirs.src_addr(), theirs.dst_addr()), (SOURCE, GROUP));
        assert_eq!(theirs.payload(), b"twelve bytes");
    }

    #[test]
    fn a_header_that_was_taken_off_is_put_back() {
        let frame = advert();
        let mut packet = packet_header(SOURCE, GROUP, 255, 12).to_vec();
        packet.extend(b"twelve bytes");
        assert_eq!(parse_ipv6_packet(&packet), parse_ipv6(&frame));
    }

    #[test]
    fn every_cut_is_truncated() {
        let frame = advert();
        for len in 0..66 {
            let reason = parse_ipv6(&frame[..len]).unwrap_err();
            assert_eq!(reason, DropReason::FrameTruncated, "{len}");
        }
    }

    #[test]
    fn other_headers() {
        assert_eq!(altered(0, 0x4c), Err(DropReason::IpHeader), "version 4");
        assert_eq!(altered(4, 1), Err(DropReason::FrameTruncated), "long");
        assert_eq!(altered(6, 0), Err(DropReason::NotVrrp), "hop by hop");
        assert_eq!(altered(6, 44), Err(DropReason::NotVrrp), "a fragment");
        assert_eq!(altered(7, 254), Ok(()), "the ladder judges it");
        let mut frame = advert();
        frame[13] = 0;
        assert_eq!(parse_ipv6(&frame).unwrap_err(), DropReason::NotVrrp);
    }

    #[test]
    fn the_neighbour_advertisement_is_what_smoltcp_reads() {
        let vip = Ipv6Addr::new(0xfd00, 0x201, 0, 0, 0, 0, 0, 0x101);
        let mut frame = [0x55; NA_LEN];
        assert_eq!(emit_na(&mut frame, MAC, vip), NA_LEN);
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1]);
        let packet = Ipv6Packet::new_checked(&frame[14..]).unwrap();
        assert_eq!(packet.hop_limit(), 255);
        let message = Icmpv6Packet::new_checked(packet.payload()).unwrap();
        let (source, destination) = (packet.src_addr(), packet.dst_addr());
        let checks = ChecksumCapabilities::default();
        let read = Icmpv6Repr::parse(&source, &destination, &message, &checks).unwrap();
        let expected = NdiscRepr::NeighborAdvert {
            flags: NdiscNeighborFlags::ROUTER | NdiscNeighborFlags::OVERRIDE,
            target_addr: vip,
            lladdr: Some(RawHardwareAddress::from(EthernetAddress(MAC))),
        };
        assert_eq!(read, Icmpv6Repr::Ndisc(expected));
    }
}
