//! What several tests need: settings, adverts as bytes, a pcap reader.
//! Each test binary uses a part of it.
#![allow(dead_code)]

pub mod bench;
pub mod family;
pub mod pcap;

use std::net::{IpAddr, Ipv4Addr};

use vipd::time::{Duration, Instant};
use vipd::vrrp::types::{
    Announce, Auth, ChecksumForm, ChecksumMode, Family, Peer, Settings, Unicast, Version,
};
use vipd::vrrp::wire::Repr;

/// The group of IPv4 adverts.
pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
/// The router under test.
pub const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 201, 102));
/// A peer with the higher address.
pub const HIGH: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 201, 103));
/// A peer with the lower address, though its last byte read alone is the larger one.
pub const LOW: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 200, 250));
/// The virtual address.
pub const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 201, 101));
/// The VRID under test.
pub const VRID: u8 = 50;

/// The example: priority 101, one second, one address, preempting.
pub fn settings(version: Version) -> Settings {
    Settings {
        family: Family::V4,
        version,
        vrid: VRID,
        priority: 101,
        advert_interval: Duration::from_secs(1),
        down_timer_adverts: 3,
        preempt: true,
        preempt_delay: Duration::ZERO,
        auth: Auth::None,
        checksum: ChecksumMode::Auto,
        skip_check_adv_addr: false,
        announce: Announce::default(),
        unicast: None,
        trackers: Box::default(),
        addresses: [VIP].into(),
    }
}

/// Unicast to these peers, whose adverts may have any TTL.
pub fn unicast(peers: &[IpAddr], check_source: bool) -> Box<Unicast> {
    let peer = |address: &IpAddr| Peer {
        address: *address,
        ttl: 0..=255,
    };
    Box::new(Unicast {
        peers: peers.iter().map(peer).collect(),
        ttl: 255,
        check_source,
    })
}

/// An advert that a router with these settings would receive from `source`.
/// `source` may be the IPv4 counterpart of an IPv6 one.
pub fn peer<'a>(settings: &'a Settings, source: IpAddr, priority: u8) -> Repr<'a> {
    let to = settings.unicast.as_ref().map_or(GROUP, |_| OWN);
    Repr {
        version: settings.version,
        vrid: settings.vrid,
        priority,
        interval: settings.advert_interval,
        auth: settings.auth,
        checksum: ChecksumForm::PseudoHeader,
        source: family::address(source, settings.family),
        destination: family::address(to, settings.family),
        addresses: &settings.addresses,
    }
}

/// The bytes of an advert.
pub fn bytes(repr: &Repr<'_>) -> Vec<u8> {
    // Not zeros: `emit` must write every byte itself.
    let mut buffer = vec![0xa5; repr.buffer_len()];
    repr.emit(&mut buffer);
    buffer
}

/// `base` and so many µs, which may be negative.
pub fn shifted(base: Instant, micros: i64) -> Instant {
    let span = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 { base - span } else { base + span }
}
