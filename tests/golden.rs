//! Adverts captured from keepalived, parsed and re-emitted byte for byte.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::frame::{self, ETHERNET_HEADER_LEN, Ipv4Header, Ipv6Header, Macs};
use vipd::time::Duration;
use vipd::vrrp::checksum;
use vipd::vrrp::types::{Auth, ChecksumForm, Family, Version};
use vipd::vrrp::validate::{Expected, Received, validate};
use vipd::vrrp::wire::{AUTH_NONE, AUTH_PASS, Packet, Repr};

const NONE: &str = "keepalived-v2-none.pcap";
const PASS: &str = "keepalived-v2-pass.pcap";
const V3_IPV4: &str = "keepalived-v3-ipv4.pcap";
const V3_IPV6: &str = "keepalived-v3-ipv6.pcap";
const V3_IPV6_ROUTER: &str = "keepalived-v3-ipv6-router.pcap";
const V3_VMAC: &str = "keepalived-v3-vmac.pcap";
const HMAC_V2: &str = "keepalived-2.4.3-hmac-v2.pcap";
const HMAC_V3: &str = "keepalived-2.4.3-hmac-v3.pcap";
/// keepalived's HMAC trailer stands behind the message.
const TRAILER_LEN: usize = 28;

/// What is inside an IP packet of protocol 112, and the frame around it.
struct Advert {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    payload: Vec<u8>,
    frame: Vec<u8>,
}

/// The adverts of a capture; the ARP and neighbour frames between them are left out.
fn adverts(name: &str) -> Vec<Advert> {
    let frames = common::pcap::golden(name);
    frames.into_iter().filter_map(advert).collect()
}

fn advert(frame: Vec<u8>) -> Option<Advert> {
    let packet = &frame[ETHERNET_HEADER_LEN..];
    match &frame[12..14] {
        [0x08, 0x00] => {
            let parsed = frame::parse_ipv4(&frame).unwrap();
            Some(Advert {
                source: parsed.source,
                destination: parsed.destination,
                ttl: parsed.ttl,
                payload: parsed.payload.to_vec(),
                frame,
            })
        }
        [0x86, 0xdd] if packet[6] == checksum::PROTOCOL => {
            let parsed = frame::parse_ipv6(&frame).unwrap();
            Some(Advert {
                source: parsed.source,
                destination: parsed.destination,
                ttl: parsed.ttl,
                payload: parsed.payload.to_vec(),
                frame,
            })
        }
        _ => None,
    }
}

/// Header and message, as the daemon puts them together.
fn whole_frame(advert: &Advert, repr: &Repr<'_>) -> Vec<u8> {
    let macs = Macs {
        source: advert.frame[6..12].try_into().unwrap(),
        destination: frame::multicast_mac(advert.destination),
    };
    let payload_len = repr.buffer_len();
    match (advert.source, advert.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = Ipv4Header {
                source,
                destination,
                ttl: frame::TTL,
                identification: u16::from_be_bytes([advert.frame[18], advert.frame[19]]),
                payload_len,
            };
            let mut frame = vec![0x5a; frame::IPV4_PAYLOAD + payload_len];
            repr.emit(&mut frame[frame::IPV4_PAYLOAD..]);
            assert_eq!(frame::emit_ipv4(&mut frame, &macs, &header), frame.len());
            frame
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header {
                source,
                destination,
                hop_limit: frame::HOP_LIMIT,
                payload_len,
            };
            let mut frame = vec![0x5a; frame::IPV6_PAYLOAD + payload_len];
            repr.emit(&mut frame[frame::IPV6_PAYLOAD..]);
            assert_eq!(frame::emit_ipv6(&mut frame, &macs, &header), frame.len());
            // The kernel chose keepalived's flow label.
            frame[15..18].copy_from_slice(&advert.frame[15..18]);
            frame
        }
        _ => panic!("two families in one packet"),
    }
}

/// Parses and emits each advert; the message comes out as it went in.
fn round_trip(file: &str, behind: usize) -> usize {
    let adverts = adverts(file);
    for advert in &adverts {
        let family = Family::of(&advert.source);
        let packet = Packet::new_checked(&advert.payload, family).unwrap();
        assert_eq!(packet.bytes().len() + behind, advert.payload.len());
        let addresses: Vec<IpAddr> = packet.addresses().collect();
        let repr = Repr {
            version: packet.version(),
            vrid: packet.vrid(),
            priority: packet.priority(),
            interval: packet.interval(),
            auth: match packet.auth_type() {
                AUTH_PASS => Auth::Pass(packet.auth_data().unwrap()),
                _ => Auth::None,
            },
            checksum: ChecksumForm::PseudoHeader,
            source: advert.source,
            destination: advert.destination,
            addresses: &addresses,
        };
        let mut expected = packet.bytes().to_vec();
        if behind > 0 && family == Family::V6 {
            // The kernel summed message and trailer; without the trailer it is another sum.
            assert_eq!(advert_sum(advert), Some(ChecksumForm::PseudoHeader));
            let sum = common::bytes(&repr)[6..8].to_vec();
            expected[6..8].copy_from_slice(&sum);
        }
        assert_eq!(common::bytes(&repr), expected, "{packet}");
        if behind == 0 {
            assert_eq!(whole_frame(advert, &repr), advert.frame, "{packet}");
        }
    }
    adverts.len()
}

fn advert_sum(advert: &Advert) -> Option<ChecksumForm> {
    let form = ChecksumForm::PseudoHeader;
    checksum::verify(&advert.payload, &advert.source, &advert.destination, form)
}

#[test]
fn v2_without_authentication() {
    assert_eq!(round_trip(NONE, 0), 4);
    for advert in adverts(NONE) {
        let packet = Packet::new_checked(&advert.payload, Family::V4).unwrap();
        assert_eq!(packet.version(), Version::V2);
        assert_eq!(
            (packet.auth_type(), packet.auth_data()),
            (AUTH_NONE, Some([0; 8]))
        );
    }
}

#[test]
fn v2_with_the_password_of_the_example() {
    assert_eq!(round_trip(PASS, 0), 4);
    for advert in adverts(PASS) {
        let packet = Packet::new_checked(&advert.payload, Family::V4).unwrap();
        assert_eq!(packet.auth_type(), AUTH_PASS);
        assert_eq!(packet.auth_data(), Some(*b"123456\0\0"));
    }
}

#[test]
fn v3_over_ipv4_and_ipv6() {
    assert_eq!(round_trip(V3_IPV4, 0), 4);
    assert_eq!(round_trip(V3_IPV6, 0), 4);
    assert_eq!(round_trip(V3_IPV6_ROUTER, 0), 9);
}

/// `use_vmac`: all that keepalived sends for a virtual router comes from the virtual MAC address.
#[test]
fn v3_from_the_virtual_mac() {
    assert_eq!(round_trip(V3_VMAC, 0), 14);
    for advert in adverts(V3_VMAC) {
        let mut settings = common::settings(Version::V3);
        (settings.family, settings.vrid) = (Family::of(&advert.source), 50);
        assert_eq!(advert.frame[6..12], settings.virtual_mac());
    }
}

/// The trailer is not ours to read yet; the message in front of it is.
#[test]
fn the_message_in_front_of_an_hmac_trailer() {
    assert_eq!(round_trip(HMAC_V2, TRAILER_LEN), 6);
    assert_eq!(round_trip(HMAC_V3, TRAILER_LEN), 74);
}

/// Each capture is one router from its first advert to the one with which it gives up.
#[test]
fn the_fields_are_those_that_the_capture_was_made_with() {
    for (file, version) in [
        (NONE, Version::V2),
        (PASS, Version::V2),
        (V3_IPV4, Version::V3),
        (V3_IPV6, Version::V3),
    ] {
        let adverts = adverts(file);
        for (index, advert) in adverts.iter().enumerate() {
            let family = Family::of(&advert.source);
            let packet = Packet::new_checked(&advert.payload, family).unwrap();
            let last = index + 1 == adverts.len();
            assert_eq!(packet.version(), version);
            assert_eq!(packet.vrid(), 50);
            assert_eq!(packet.priority(), if last { 0 } else { 101 });
            assert_eq!(packet.interval(), Duration::from_secs(1));
            assert_eq!(advert.ttl, 255);
            let addresses: Vec<IpAddr> = packet.addresses().collect();
            match family {
                Family::V4 => assert_eq!(addresses, [common::VIP]),
                Family::V6 => assert_eq!(
                    addresses,
                    ["fe80::50", "fd00:201::101"]
                        .map(|a| IpAddr::V6(a.parse::<Ipv6Addr>().unwrap()))
                ),
            }
        }
    }
}

/// The ladder believes every one of them.
#[test]
fn the_ladder_lets_keepalived_in() {
    for (file, version, auth) in [
        (NONE, Version::V2, Auth::None),
        (PASS, Version::V2, Auth::Pass(*b"123456\0\0")),
        (V3_IPV4, Version::V3, Auth::None),
        (V3_IPV6, Version::V3, Auth::None),
        (V3_IPV6_ROUTER, Version::V3, Auth::None),
        (V3_VMAC, Version::V3, Auth::None),
        // keepalived's v2 with HMAC says authentication type 0.
        (HMAC_V2, Version::V2, Auth::None),
        // Over IPv6 the checksum covers the trailer as well.
        (HMAC_V3, Version::V3, Auth::None),
    ] {
        for advert in adverts(file) {
            let family = Family::of(&advert.source);
            let mut settings = common::settings(version);
            (settings.family, settings.auth) = (family, auth);
            let group = match family {
                Family::V4 => IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
                Family::V6 => "ff02::12".parse().unwrap(),
            };
            let received = Received {
                link: 0,
                source: advert.source,
                destination: advert.destination,
                ttl: advert.ttl,
                payload: &advert.payload,
            };
            let expected = Expected {
                addressed: advert.destination == group,
                own: false,
                settings: Some(&settings),
                form: ChecksumForm::Message,
            };
            let believed = validate(&received, &expected).unwrap();
            let form = match version {
                Version::V2 => ChecksumForm::Message,
                Version::V3 => ChecksumForm::PseudoHeader,
            };
            assert_eq!(believed.checksum, form);
        }
    }
}
