//! Ethernet frames in and out: IP packets that carry VRRP, gratuitous ARP, and Neighbour Advertisements.
//!
//! Bytes to bytes, no socket, no heap. Received bytes may be anything: every parse function answers
//! with a [`DropReason`]. What is emitted is ours: the `emit` functions panic, as smoltcp's do, if
//! the buffer is shorter than the length constants here say.

mod ipv6;
mod ra;

use core::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{ArpHardware, ArpOperation, ArpPacket, EthernetProtocol};

use crate::vrrp::checksum::Sum;
use crate::vrrp::drop::DropReason;
use crate::vrrp::types::Family;

pub use crate::vrrp::types::TTL;
pub use ipv6::{
    IPV6_HEADER_LEN, IPV6_PAYLOAD, Ipv6Header, NA_LEN, emit_ipv6, emit_ipv6_packet, emit_na,
    packet_header, parse_ipv6, parse_ipv6_packet,
};
pub use ra::emit_ra;

/// The IP protocol number of VRRP (RFC 9568 §5.1.1.4).
pub const PROTOCOL_VRRP: u8 = 112;
/// The Hop Limit of every advert (RFC 9568 §5.1.2.3) and of neighbour discovery (RFC 4861 §7.1.2).
pub const HOP_LIMIT: u8 = 255;
/// Length of an Ethernet header in bytes.
pub const ETHERNET_HEADER_LEN: usize = 14;
/// Length of the IPv4 header that [`emit_ipv4`] writes, in bytes: no options.
pub const IPV4_HEADER_LEN: usize = 20;
/// Where the payload of an IPv4 frame of ours starts.
pub const IPV4_PAYLOAD: usize = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN;
/// Length of a gratuitous ARP frame in bytes, without the padding that the driver adds.
pub const GARP_LEN: usize = ETHERNET_HEADER_LEN + 28;

/// Where the type stands in an Ethernet header.
const ETHERTYPE: usize = 12;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
/// The Ethernet broadcast address.
const BROADCAST: [u8; 6] = [0xff; 6];
/// DSCP CS6 (network control), as routing protocols use it.
const DSCP_CS6: u8 = 48;

/// Where the fields of an IPv4 header start (RFC 791 §3.1).
mod ip {
    pub(super) const VERSION_IHL: usize = 0;
    pub(super) const DSCP: usize = 1;
    pub(super) const TOTAL_LEN: usize = 2;
    pub(super) const IDENTIFICATION: usize = 4;
    pub(super) const FRAGMENT: usize = 6;
    pub(super) const TTL: usize = 8;
    pub(super) const PROTOCOL: usize = 9;
    pub(super) const CHECKSUM: usize = 10;
    pub(super) const SOURCE: usize = 12;
    pub(super) const DESTINATION: usize = 16;

    /// More fragments follow, or this one has an offset.
    pub(super) const IS_FRAGMENT: u16 = 0x3fff;
}

/// A received IP packet that carries VRRP; the header is checked, the payload is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip<'a> {
    /// Who sent it.
    pub source: IpAddr,
    /// The multicast group, or one of our addresses.
    pub destination: IpAddr,
    /// Time to live (IPv6: hop limit) as received; the ladder wants 255.
    pub ttl: u8,
    /// The VRRP message: what the header's length covers, without the padding of short frames.
    pub payload: &'a [u8],
}

/// Parses an Ethernet frame with a packet of `family`, as AF_PACKET hands it up.
///
/// # Errors
/// As [`parse_ipv4`] and [`parse_ipv6`].
pub fn parse(family: Family, frame: &[u8]) -> Result<Ip<'_>, DropReason> {
    match family {
        Family::V4 => parse_ipv4(frame),
        Family::V6 => parse_ipv6(frame),
    }
}

/// Parses a packet of `family` without a link-layer header.
///
/// # Errors
/// As [`parse_ipv4`] and [`parse_ipv6`].
pub fn parse_packet(family: Family, bytes: &[u8]) -> Result<Ip<'_>, DropReason> {
    match family {
        Family::V4 => parse_ipv4_packet(bytes),
        Family::V6 => parse_ipv6_packet(bytes),
    }
}

/// Parses an Ethernet frame as AF_PACKET hands it up: VLAN tag taken off, padding still on.
///
/// # Errors
/// The [`DropReason`] to count: `FrameTruncated`, `IpHeader`, `IpChecksum`, `Fragment`, `NotVrrp`.
pub fn parse_ipv4(frame: &[u8]) -> Result<Ip<'_>, DropReason> {
    parse_ipv4_packet(split_ethernet(frame, ETHERTYPE_IPV4)?)
}

/// What is behind an Ethernet header of this type.
fn split_ethernet(frame: &[u8], ethertype: [u8; 2]) -> Result<&[u8], DropReason> {
    let (header, packet) = frame
        .split_first_chunk::<ETHERNET_HEADER_LEN>()
        .ok_or(DropReason::FrameTruncated)?;
    if header[ETHERTYPE..] != ethertype {
        return Err(DropReason::NotVrrp);
    }
    Ok(packet)
}

/// Parses an IPv4 packet without a link-layer header, as a raw socket hands it up.
///
/// # Errors
/// As [`parse_ipv4`].
pub fn parse_ipv4_packet(bytes: &[u8]) -> Result<Ip<'_>, DropReason> {
    let header: &[u8; IPV4_HEADER_LEN] = bytes.first_chunk().ok_or(DropReason::FrameTruncated)?;
    let header_len = usize::from(header[ip::VERSION_IHL] & 0x0f) * 4;
    let total_len = usize::from(u16::from_be_bytes(two(header, ip::TOTAL_LEN)));
    if header[ip::VERSION_IHL] >> 4 != 4 || header_len < IPV4_HEADER_LEN || total_len < header_len {
        return Err(DropReason::IpHeader);
    }
    let packet = bytes.get(..total_len).ok_or(DropReason::FrameTruncated)?;
    let (with_options, payload) = packet.split_at(header_len);
    if Sum::default().plus(with_options).fold() != 0xffff {
        return Err(DropReason::IpChecksum);
    }
    if u16::from_be_bytes(two(header, ip::FRAGMENT)) & ip::IS_FRAGMENT != 0 {
        return Err(DropReason::Fragment);
    }
    if header[ip::PROTOCOL] != PROTOCOL_VRRP {
        return Err(DropReason::NotVrrp);
    }
    Ok(Ip {
        source: IpAddr::from(four(header, ip::SOURCE)),
        destination: IpAddr::from(four(header, ip::DESTINATION)),
        ttl: header[ip::TTL],
        payload,
    })
}

/// The addresses of an Ethernet frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macs {
    /// The interface's MAC address, or the virtual router's.
    pub source: [u8; 6],
    /// Of an advert: [`multicast_mac`] of its destination.
    pub destination: [u8; 6],
}

/// What goes in front of a VRRP message over IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Header {
    /// The primary address of the interface.
    pub source: Ipv4Addr,
    /// The multicast group, or a peer.
    pub destination: Ipv4Addr,
    /// [`TTL`].
    pub ttl: u8,
    /// Rises by one with each packet of an instance.
    pub identification: u16,
    /// Length of the VRRP message in bytes.
    pub payload_len: usize,
}

/// Writes the Ethernet and the IPv4 header into the first [`IPV4_PAYLOAD`] bytes of `buf`; the
/// payload behind them is left as it is. Returns the length of the whole frame.
///
/// # Panics
/// If `buf` is shorter than the frame.
pub fn emit_ipv4(buf: &mut [u8], macs: &Macs, header: &Ipv4Header) -> usize {
    let packet = emit_ethernet(buf, macs, Family::V4);
    ETHERNET_HEADER_LEN + emit_ipv4_packet(packet, header)
}

/// Writes the Ethernet header of a packet of `family`, and returns what is behind it.
///
/// # Panics
/// If `buf` is shorter than [`ETHERNET_HEADER_LEN`].
pub fn emit_ethernet<'a>(buf: &'a mut [u8], macs: &Macs, family: Family) -> &'a mut [u8] {
    let ethertype = match family {
        Family::V4 => ETHERTYPE_IPV4,
        Family::V6 => ETHERTYPE_IPV6,
    };
    let (ethernet, packet) = buf.split_at_mut(ETHERNET_HEADER_LEN);
    ethernet.copy_from_slice(&ethernet_header(macs, ethertype));
    packet
}

/// Writes the IPv4 header into the first [`IPV4_HEADER_LEN`] bytes of `buf`; the payload behind it
/// is left as it is. Returns the length of the whole packet.
///
/// The header is keepalived's: DSCP CS6, no "don't fragment", no options.
///
/// # Panics
/// If `buf` is shorter than the packet.
pub fn emit_ipv4_packet(buf: &mut [u8], header: &Ipv4Header) -> usize {
    let total_len = IPV4_HEADER_LEN + header.payload_len;
    let ip_total = u16::try_from(total_len).expect("a VRRP message is at most 4 KB long");
    let mut ip = [0; IPV4_HEADER_LEN];
    ip[ip::VERSION_IHL] = 4 << 4 | (IPV4_HEADER_LEN / 4) as u8;
    ip[ip::DSCP] = DSCP_CS6 << 2;
    ip[ip::TOTAL_LEN..][..2].copy_from_slice(&ip_total.to_be_bytes());
    ip[ip::IDENTIFICATION..][..2].copy_from_slice(&header.identification.to_be_bytes());
    ip[ip::TTL] = header.ttl;
    ip[ip::PROTOCOL] = PROTOCOL_VRRP;
    ip[ip::SOURCE..][..4].copy_from_slice(&header.source.octets());
    ip[ip::DESTINATION..][..4].copy_from_slice(&header.destination.octets());
    let checksum = !Sum::default().plus(&ip).fold();
    ip[ip::CHECKSUM..][..2].copy_from_slice(&checksum.to_be_bytes());
    let packet = &mut buf[..total_len];
    packet[..IPV4_HEADER_LEN].copy_from_slice(&ip);
    packet.len()
}

/// The MAC address of a multicast group: 01-00-5e and the low 23 bits of an IPv4 group (RFC 1112
/// §6.4), 33-33 and the low 32 bits of an IPv6 group (RFC 2464 §7).
pub const fn multicast_mac(group: IpAddr) -> [u8; 6] {
    match group {
        IpAddr::V4(group) => {
            let [_, b, c, d] = group.octets();
            [0x01, 0x00, 0x5e, b & 0x7f, c, d]
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            [0x33, 0x33, a, b, c, d]
        }
    }
}

/// The form of a gratuitous ARP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GarpForm {
    /// A request, target hardware address zero: the ARP announcement of RFC 5227 §3.
    Request,
    /// A reply to everybody, for gear that listens to replies only.
    Reply,
}

/// Writes a broadcast ARP frame that tells the segment `address` is at `source_mac`. Returns its
/// length, [`GARP_LEN`].
///
/// # Panics
/// If `buf` is shorter than [`GARP_LEN`].
pub fn emit_garp(buf: &mut [u8], source_mac: [u8; 6], address: Ipv4Addr, form: GarpForm) -> usize {
    // RFC 5227 §1.1: the target hardware address of a request is ignored and should be zero. A
    // reply names its receiver there: everybody.
    let (operation, target_mac) = match form {
        GarpForm::Request => (ArpOperation::Request, [0; 6]),
        GarpForm::Reply => (ArpOperation::Reply, BROADCAST),
    };
    let (ethernet, arp) = buf[..GARP_LEN].split_at_mut(ETHERNET_HEADER_LEN);
    let macs = Macs {
        source: source_mac,
        destination: BROADCAST,
    };
    ethernet.copy_from_slice(&ethernet_header(&macs, ETHERTYPE_ARP));
    let mut arp = ArpPacket::new_unchecked(arp);
    arp.set_hardware_type(ArpHardware::Ethernet);
    arp.set_protocol_type(EthernetProtocol::Ipv4);
    arp.set_hardware_len(6);
    arp.set_protocol_len(4);
    arp.set_operation(operation);
    arp.set_source_hardware_addr(&source_mac);
    arp.set_source_protocol_addr(&address.octets());
    arp.set_target_hardware_addr(&target_mac);
    arp.set_target_protocol_addr(&address.octets());
    GARP_LEN
}

fn ethernet_header(macs: &Macs, ethertype: [u8; 2]) -> [u8; ETHERNET_HEADER_LEN] {
    let mut header = [0; ETHERNET_HEADER_LEN];
    header[..6].copy_from_slice(&macs.destination);
    header[6..12].copy_from_slice(&macs.source);
    header[ETHERTYPE..].copy_from_slice(&ethertype);
    header
}

fn two(header: &[u8; IPV4_HEADER_LEN], at: usize) -> [u8; 2] {
    [header[at], header[at + 1]]
}

fn four(header: &[u8; IPV4_HEADER_LEN], at: usize) -> [u8; 4] {
    [header[at], header[at + 1], header[at + 2], header[at + 3]]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use smoltcp::wire::Ipv4Packet;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

    fn advert() -> Vec<u8> {
        let mut frame = vec![0; 60];
        let macs = Macs {
            source: MAC,
            destination: multicast_mac(GROUP.into()),
        };
        let header = Ipv4Header {
            source: Ipv4Addr::new(10, 10, 201, 102),
            destination: GROUP,
            ttl: TTL,
            identification: 7,
            payload_len: 12,
        };
        assert_eq!(emit_ipv4(&mut frame, &macs, &header), 46);
        frame[IPV4_PAYLOAD..46].copy_from_slice(b"twelve bytes");
        frame
    }

    /// Changes one byte and makes the header checksum right again.
    fn altered(at: usize, value: u8) -> Vec<u8> {
        let mut frame = advert();
        frame[ETHERNET_HEADER_LEN + at] = value;
        Ipv4Packet::new_unchecked(&mut frame[ETHERNET_HEADER_LEN..]).fill_checksum();
        frame
    }

    fn reason(frame: &[u8]) -> DropReason {
        parse_ipv4(frame).unwrap_err()
    }

    #[test]
    fn padding_is_not_payload() {
        let frame = advert();
        let parsed = parse_ipv4(&frame).unwrap();
        assert_eq!(parsed.payload, b"twelve bytes");
        assert_eq!(parsed.source, Ipv4Addr::new(10, 10, 201, 102));
        assert_eq!(parsed.destination, GROUP);
        assert_eq!(parsed.ttl, 255);
        assert_eq!(parse_ipv4_packet(&frame[14..]), Ok(parsed));
    }

    #[test]
    fn options_are_skipped() {
        let plain = advert();
        let mut frame = plain[..IPV4_PAYLOAD].to_vec();
        frame.extend([1, 1, 1, 0]);
        frame.extend(b"twelve bytes");
        let mut packet = Ipv4Packet::new_unchecked(&mut frame[ETHERNET_HEADER_LEN..]);
        packet.set_header_len(24);
        packet.set_total_len(36);
        packet.fill_checksum();
        assert_eq!(parse_ipv4(&frame).unwrap().payload, b"twelve bytes");
    }

    #[test]
    fn every_cut_is_truncated() {
        let frame = advert();
        for len in 0..46 {
            assert_eq!(reason(&frame[..len]), DropReason::FrameTruncated, "{len}");
        }
    }

    #[test]
    fn impossible_headers() {
        assert_eq!(reason(&altered(0, 0x65)), DropReason::IpHeader, "version 6");
        assert_eq!(reason(&altered(0, 0x44)), DropReason::IpHeader, "IHL 4");
        let mut frame = advert();
        frame[ETHERNET_HEADER_LEN + 3] = 19;
        assert_eq!(reason(&frame), DropReason::IpHeader, "total below header");
        let mut frame = advert();
        frame[ETHERNET_HEADER_LEN] = 0x4f;
        assert_eq!(reason(&frame), DropReason::IpHeader, "header above total");
    }

    #[test]
    fn checksum_fragment_protocol() {
        let mut frame = advert();
        frame[ETHERNET_HEADER_LEN + 8] = 254;
        assert_eq!(reason(&frame), DropReason::IpChecksum);
        assert_eq!(reason(&altered(6, 0x20)), DropReason::Fragment, "first");
        assert_eq!(reason(&altered(7, 1)), DropReason::Fragment, "later");
        assert!(parse_ipv4(&altered(6, 0x40)).is_ok(), "don't fragment");
        assert_eq!(reason(&altered(9, 17)), DropReason::NotVrrp);
        let mut arp = vec![0; 60];
        emit_garp(&mut arp, MAC, GROUP, GarpForm::Request);
        assert_eq!(reason(&arp), DropReason::NotVrrp);
    }

    #[test]
    fn multicast_mac_keeps_23_bits() {
        assert_eq!(multicast_mac(GROUP.into()), [1, 0, 0x5e, 0, 0, 18]);
        assert_eq!(
            multicast_mac(IpAddr::from([239, 255, 1, 2])),
            [1, 0, 0x5e, 0x7f, 1, 2]
        );
    }

    #[test]
    fn ipv6_multicast_mac_keeps_32_bits() {
        let group: IpAddr = "ff02::1:ff12:3456".parse().unwrap();
        assert_eq!(multicast_mac(group), [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
    }
}
