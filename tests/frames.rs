//! The frames that keepalived sent, parsed and written again byte for byte.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "common/pcap.rs"]
mod pcap;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::frame::{
    GARP_LEN, GarpForm, IPV4_PAYLOAD, IPV6_PAYLOAD, Ipv4Header, Ipv6Header, Macs, NA_LEN,
    emit_garp, emit_ipv4, emit_ipv6, emit_na, multicast_mac, parse_ipv4, parse_ipv6,
};

const CAPTURES: &[&str] = &[
    "keepalived-v2-none.pcap",
    "keepalived-v2-pass.pcap",
    "keepalived-v3-ipv4.pcap",
    "keepalived-2.4.3-hmac-v2.pcap",
    "keepalived-2.4.3-hmac-v3.pcap",
];

fn ethertype(frame: &[u8]) -> u16 {
    u16::from_be_bytes(frame[12..14].try_into().unwrap())
}

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => panic!("{address} in an IPv4 packet"),
    }
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V6(address) => address,
        IpAddr::V4(address) => panic!("{address} in an IPv6 packet"),
    }
}

#[test]
fn golden_adverts_are_emitted_byte_for_byte() {
    for name in CAPTURES {
        let frames = pcap::golden(name);
        let adverts = frames.iter().filter(|frame| ethertype(frame) == 0x0800);
        let mut seen = 0;
        for frame in adverts {
            let parsed = parse_ipv4(frame).unwrap();
            let macs = Macs {
                source: frame[6..12].try_into().unwrap(),
                destination: multicast_mac(parsed.destination),
            };
            let header = Ipv4Header {
                source: v4(parsed.source),
                destination: v4(parsed.destination),
                ttl: parsed.ttl,
                identification: u16::from_be_bytes(frame[18..20].try_into().unwrap()),
                payload_len: parsed.payload.len(),
            };
            let mut ours = vec![0x55; frame.len()];
            assert_eq!(emit_ipv4(&mut ours, &macs, &header), frame.len());
            assert_eq!(ours[..IPV4_PAYLOAD], frame[..IPV4_PAYLOAD], "{name}");
            assert_eq!(parsed.payload, &frame[IPV4_PAYLOAD..], "{name}");
            seen += 1;
        }
        assert!(seen > 0, "{name} has adverts");
    }
}

/// The kernel chose keepalived's flow label; everything else is the same.
#[test]
fn golden_ipv6_adverts_differ_in_the_flow_label_only() {
    for name in [
        "keepalived-v3-ipv6.pcap",
        "keepalived-v3-ipv6-router.pcap",
        "keepalived-2.4.3-hmac-v3.pcap",
    ] {
        let mut seen = 0;
        for mut frame in pcap::golden(name) {
            let Ok(parsed) = parse_ipv6(&frame) else {
                continue;
            };
            let macs = Macs {
                source: frame[6..12].try_into().unwrap(),
                destination: multicast_mac(parsed.destination),
            };
            let header = Ipv6Header {
                source: v6(parsed.source),
                destination: v6(parsed.destination),
                hop_limit: parsed.ttl,
                payload_len: parsed.payload.len(),
            };
            let mut ours = vec![0x55; frame.len()];
            assert_eq!(emit_ipv6(&mut ours, &macs, &header), frame.len());
            assert_eq!(parsed.payload, &frame[IPV6_PAYLOAD..], "{name}");
            frame[15] &= 0xf0;
            frame[16..18].fill(0);
            assert_eq!(ours[..IPV6_PAYLOAD], frame[..IPV6_PAYLOAD], "{name}");
            seen += 1;
        }
        assert!(seen > 0, "{name} has adverts");
    }
}

/// The Neighbour Advertisements of a capture, and what we send in their place.
fn neighbour_advertisements(name: &str) -> Vec<(Vec<u8>, [u8; NA_LEN])> {
    let frames = pcap::golden(name).into_iter();
    let is_na = |frame: &Vec<u8>| {
        ethertype(frame) == 0x86dd && (frame[20], frame[IPV6_PAYLOAD]) == (58, 136)
    };
    let ours = |theirs: &[u8]| {
        let vip: [u8; 16] = theirs[IPV6_PAYLOAD + 8..][..16].try_into().unwrap();
        let mut ours = [0x55; NA_LEN];
        let len = emit_na(&mut ours, theirs[6..12].try_into().unwrap(), vip.into());
        assert_eq!(len, theirs.len());
        ours
    };
    frames
        .filter(is_na)
        .map(|theirs| (theirs.clone(), ours(&theirs)))
        .collect()
}

/// keepalived sets the Router flag where the kernel forwards, as on any router.
#[test]
fn golden_neighbour_advertisements_of_a_router_are_emitted_byte_for_byte() {
    for (file, count) in [
        ("keepalived-v3-ipv6-router.pcap", 20),
        ("keepalived-v3-vmac.pcap", 2),
    ] {
        let all = neighbour_advertisements(file);
        assert_eq!(all.len(), count);
        for (theirs, ours) in all {
            assert_eq!(ours[..], theirs[..]);
        }
    }
}

/// RFC 9568 §6.4.1 wants the Router flag whether the kernel forwards or not.
#[test]
fn golden_neighbour_advertisements_of_a_host_differ_in_the_router_flag_only() {
    let all = neighbour_advertisements("keepalived-v3-ipv6.pcap");
    assert_eq!(all.len(), 10);
    const FLAGS: usize = IPV6_PAYLOAD + 4;
    for (theirs, mut ours) in all {
        assert_eq!((theirs[FLAGS], ours[FLAGS]), (0x20, 0xa0));
        ours[FLAGS] = 0x20;
        // And in the checksum, which covers it.
        ours[IPV6_PAYLOAD + 2..][..2].copy_from_slice(&theirs[IPV6_PAYLOAD + 2..][..2]);
        assert_eq!(ours[..], theirs[..]);
    }
}

/// keepalived writes ff:ff:ff:ff:ff:ff where RFC 5227 wants zeros; everything else is the same.
#[test]
fn golden_garp_differs_in_the_target_hardware_address_only() {
    let frames = pcap::golden("keepalived-v2-pass.pcap");
    let theirs = frames
        .iter()
        .find(|frame| ethertype(frame) == 0x0806)
        .unwrap();
    let mut ours = [0x55; GARP_LEN];
    let mac = theirs[6..12].try_into().unwrap();
    let address: [u8; 4] = theirs[28..32].try_into().unwrap();
    assert_eq!(
        emit_garp(&mut ours, mac, address.into(), GarpForm::Request),
        theirs.len()
    );
    assert_eq!(ours[32..38], [0; 6]);
    ours[32..38].copy_from_slice(&[0xff; 6]);
    assert_eq!(ours[..], theirs[..]);
}

#[test]
fn garp_reply_is_a_reply_to_everybody() {
    let mut frame = [0x55; GARP_LEN];
    emit_garp(
        &mut frame,
        [2, 0, 0, 0, 0, 1],
        [10, 0, 0, 1].into(),
        GarpForm::Reply,
    );
    assert_eq!(frame[..6], [0xff; 6]);
    assert_eq!(frame[20..22], [0, 2], "operation");
    assert_eq!(frame[32..38], [0xff; 6], "target hardware address");
    assert_eq!(frame[28..32], frame[38..42], "sender and target address");
}
