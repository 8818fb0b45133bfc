//! Ethernet frames in and out: IPv4 packets that carry VRRP, and gratuitous ARP.
//!
//! Bytes to bytes, no socket, no heap. Received bytes may be anything: every parse function answers
//! with a [`DropReason`]. What is emitted is ours: the `emit` functions panic, as smoltcp's do, if
//! the buffer is shorter than the length constants here say.

use core::net::Ipv4Addr;

use smoltcp::wire::{
    ArpHardware, ArpOperation, ArpPacket, EthernetAddress, EthernetFrame, EthernetProtocol,
    IpProtocol, Ipv4Packet,
};

use crate::vrrp::drop::DropReason;

/// The IP protocol number of VRRP (RFC 9568 §5.1.1.4).
pub const PROTOCOL_VRRP: u8 = 112;
/// The TTL of every advert (RFC 9568 §5.1.1.3).
pub const TTL: u8 = 255;
/// Length of an Ethernet header in bytes.
pub const ETHERNET_HEADER_LEN: usize = 14;
/// Length of the IPv4 header that [`emit_ipv4`] writes, in bytes: no options.
pub const IPV4_HEADER_LEN: usize = 20;
/// Where the payload of an IPv4 frame of ours starts.
pub const IPV4_PAYLOAD: usize = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN;
/// Length of a gratuitous ARP frame in bytes, without the padding that the driver adds.
pub const GARP_LEN: usize = ETHERNET_HEADER_LEN + 28;

/// The Ethernet broadcast address.
const BROADCAST: [u8; 6] = [0xff; 6];
/// DSCP CS6 (network control), as routing protocols use it.
const DSCP_CS6: u8 = 48;

/// A received IPv4 packet that carries VRRP; the header is checked, the payload is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4<'a> {
    /// Who sent it.
    pub source: Ipv4Addr,
    /// The multicast group, or one of our addresses.
    pub destination: Ipv4Addr,
    /// Time to live as received; the ladder wants 255.
    pub ttl: u8,
    /// The VRRP message: what the total length covers, without the padding of short frames.
    pub payload: &'a [u8],
}

/// Parses an Ethernet frame as AF_PACKET hands it up: VLAN tag taken off, padding still on.
///
/// # Errors
/// The [`DropReason`] to count: `FrameTruncated`, `IpHeader`, `IpChecksum`, `Fragment`, `NotVrrp`.
pub fn parse_ipv4(frame: &[u8]) -> Result<Ipv4<'_>, DropReason> {
    let frame = EthernetFrame::new_checked(frame).map_err(|_| DropReason::FrameTruncated)?;
    if frame.ethertype() != EthernetProtocol::Ipv4 {
        return Err(DropReason::NotVrrp);
    }
    parse_ipv4_packet(frame.payload())
}

/// Parses an IPv4 packet without a link-layer header, as a raw socket hands it up.
///
/// # Errors
/// As [`parse_ipv4`].
pub fn parse_ipv4_packet(bytes: &[u8]) -> Result<Ipv4<'_>, DropReason> {
    if bytes.len() < IPV4_HEADER_LEN {
        return Err(DropReason::FrameTruncated);
    }
    let packet = Ipv4Packet::new_unchecked(bytes);
    let header_len = usize::from(packet.header_len());
    let total_len = usize::from(packet.total_len());
    if packet.version() != 4 || header_len < IPV4_HEADER_LEN || total_len < header_len {
        return Err(DropReason::IpHeader);
    }
    // Covers the header too: it is no longer than the total.
    if bytes.len() < total_len {
        return Err(DropReason::FrameTruncated);
    }
    if !packet.verify_checksum() {
        return Err(DropReason::IpChecksum);
    }
    if packet.more_frags() || packet.frag_offset() != 0 {
        return Err(DropReason::Fragment);
    }
    if packet.next_header() != IpProtocol::Unknown(PROTOCOL_VRRP) {
        return Err(DropReason::NotVrrp);
    }
    Ok(Ipv4 {
        source: packet.src_addr(),
        destination: packet.dst_addr(),
        ttl: packet.hop_limit(),
        payload: packet.payload(),
    })
}

/// What goes in front of a VRRP message over IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Header {
    /// The interface's MAC address, or the virtual router's.
    pub source_mac: [u8; 6],
    /// [`multicast_mac`] of the destination.
    pub destination_mac: [u8; 6],
    /// The primary address of the interface.
    pub source: Ipv4Addr,
    /// The multicast group.
    pub destination: Ipv4Addr,
    /// [`TTL`].
    pub ttl: u8,
    /// Rises by one with each packet of an instance.
    pub identification: u16,
    /// Length of the VRRP message in bytes.
    pub payload_len: usize,
}

/// Writes the Ethernet and the IPv4 header of `header` into the first [`IPV4_PAYLOAD`] bytes of
/// `buf`; the payload behind them is left as it is. Returns the length of the whole frame.
///
/// The IPv4 header is keepalived's: DSCP CS6, no "don't fragment", no options.
///
/// # Panics
/// If `buf` is shorter than the frame.
pub fn emit_ipv4(buf: &mut [u8], header: &Ipv4Header) -> usize {
    let total_len = IPV4_HEADER_LEN + header.payload_len;
    let ip_total = u16::try_from(total_len).expect("a VRRP message is at most 4 KB long");
    let buf = &mut buf[..ETHERNET_HEADER_LEN + total_len];
    let mut packet = Ipv4Packet::new_unchecked(ethernet(
        buf,
        header.source_mac,
        header.destination_mac,
        EthernetProtocol::Ipv4,
    ));
    packet.set_version(4);
    packet.set_header_len(IPV4_HEADER_LEN as u8);
    packet.set_dscp(DSCP_CS6);
    packet.set_ecn(0);
    packet.set_total_len(ip_total);
    packet.set_ident(header.identification);
    packet.clear_flags();
    packet.set_frag_offset(0);
    packet.set_hop_limit(header.ttl);
    packet.set_next_header(IpProtocol::Unknown(PROTOCOL_VRRP));
    packet.set_src_addr(header.source);
    packet.set_dst_addr(header.destination);
    packet.fill_checksum();
    ETHERNET_HEADER_LEN + total_len
}

/// The MAC address of an IPv4 multicast group: 01-00-5e and the low 23 bits (RFC 1112 §6.4).
pub const fn multicast_mac(group: Ipv4Addr) -> [u8; 6] {
    let [_, b, c, d] = group.octets();
    [0x01, 0x00, 0x5e, b & 0x7f, c, d]
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
    let buf = &mut buf[..GARP_LEN];
    let mut arp =
        ArpPacket::new_unchecked(ethernet(buf, source_mac, BROADCAST, EthernetProtocol::Arp));
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

/// Writes the Ethernet header and hands out what is behind it.
fn ethernet(
    buf: &mut [u8],
    source: [u8; 6],
    destination: [u8; 6],
    protocol: EthernetProtocol,
) -> &mut [u8] {
    let mut frame = EthernetFrame::new_unchecked(&mut *buf);
    frame.set_src_addr(EthernetAddress(source));
    frame.set_dst_addr(EthernetAddress(destination));
    frame.set_ethertype(protocol);
    &mut buf[ETHERNET_HEADER_LEN..]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

    fn advert() -> Vec<u8> {
        let mut frame = vec![0; 60];
        let header = Ipv4Header {
            source_mac: MAC,
            destination_mac: multicast_mac(GROUP),
            source: Ipv4Addr::new(10, 10, 201, 102),
            destination: GROUP,
            ttl: TTL,
            identification: 7,
            payload_len: 12,
        };
        assert_eq!(emit_ipv4(&mut frame, &header), 46);
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
        assert_eq!(multicast_mac(GROUP), [1, 0, 0x5e, 0, 0, 18]);
        assert_eq!(
            multicast_mac(Ipv4Addr::new(239, 255, 1, 2)),
            [1, 0, 0x5e, 0x7f, 1, 2]
        );
    }
}
