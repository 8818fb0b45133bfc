//! Whatever arrives: no panic, no belief without a reason, and what we write we can read.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod common;
#[path = "fuzz/entry.rs"]
mod entry;

use std::net::{IpAddr, Ipv6Addr};

use common::bench::{Bench, ID};
use common::{GROUP, HIGH, OWN, bytes, settings};
use proptest::prelude::*;
use vipd::time::Duration;
use vipd::vrrp::types::{Auth, ChecksumForm, Family, Version};
use vipd::vrrp::validate::{Expected, Received, validate};
use vipd::vrrp::wire::{Packet, Repr};

fn any_family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::V4), Just(Family::V6)]
}

fn any_addresses(family: Family, most: usize) -> BoxedStrategy<Vec<IpAddr>> {
    match family {
        Family::V4 => {
            prop::collection::vec(any::<[u8; 4]>().prop_map(IpAddr::from), 1..=most).boxed()
        }
        Family::V6 => {
            prop::collection::vec(any::<[u8; 16]>().prop_map(IpAddr::from), 1..=most).boxed()
        }
    }
}

/// An advert that one of our own could send.
#[derive(Clone, Debug)]
struct Sent {
    version: Version,
    vrid: u8,
    priority: u8,
    interval: Duration,
    auth: Auth,
    checksum: ChecksumForm,
    source: IpAddr,
    destination: IpAddr,
    addresses: Vec<IpAddr>,
}

impl Sent {
    fn repr(&self) -> Repr<'_> {
        Repr {
            version: self.version,
            vrid: self.vrid,
            priority: self.priority,
            interval: self.interval,
            auth: self.auth,
            checksum: self.checksum,
            source: self.source,
            destination: self.destination,
            addresses: &self.addresses,
        }
    }
}

fn any_sent() -> impl Strategy<Value = Sent> {
    any_family().prop_flat_map(|family| {
        let version = match family {
            Family::V4 => prop_oneof![Just(Version::V2), Just(Version::V3)].boxed(),
            Family::V6 => Just(Version::V3).boxed(),
        };
        let form = prop_oneof![
            Just(ChecksumForm::Message),
            Just(ChecksumForm::PseudoHeader)
        ];
        let ends = (
            any_addresses(family, 1),
            any_addresses(family, 1),
            any_addresses(family, 255),
        );
        let fields = (
            version,
            any::<(u8, u8)>(),
            1_u64..=255,
            1_u64..4096,
            any::<Option<[u8; 8]>>(),
            form,
        );
        (fields, ends).prop_map(|(fields, (source, destination, addresses))| {
            let (version, (vrid, priority), secs, centis, password, checksum) = fields;
            let v2 = version == Version::V2;
            Sent {
                version,
                vrid,
                priority,
                interval: if v2 {
                    Duration::from_secs(secs)
                } else {
                    Duration::from_centis(centis)
                },
                auth: password.filter(|_| v2).map_or(Auth::None, Auth::Pass),
                checksum,
                // An IPv6 advert to the group comes from a link-local address (RFC 9568 §5.1.2.1).
                source: match source[0] {
                    IpAddr::V4(_) => source[0],
                    IpAddr::V6(address) => {
                        Ipv6Addr::from_bits(0xfe80 << 112 | address.to_bits() >> 64).into()
                    }
                },
                destination: destination[0],
                addresses,
            }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// What may be anything, and what begins like a message of the helper.
    #[test]
    fn any_message_of_the_helper_is_read_or_dropped(
        kind in 0_u8..6,
        data in prop::collection::vec(any::<u8>(), 0..300),
        words in prop::collection::vec("[a-z/]{0,9}\0", 0..70),
    ) {
        entry::helper(&data);
        let with_kind = [&[kind], &data[..]].concat();
        entry::helper(&with_kind);
        let head = &with_kind[..with_kind.len().min(23)];
        entry::helper(&[head, words.concat().as_bytes()].concat());
    }

    /// Every accessor of a packet that was let through can be called.
    #[test]
    fn any_bytes_are_parsed_or_refused(data in prop::collection::vec(any::<u8>(), 0..300), family in any_family()) {
        if let Ok(packet) = Packet::new_checked(&data, family) {
            prop_assert!(packet.bytes().len() <= data.len());
            prop_assert_eq!(packet.addresses().count(), usize::from(packet.count()));
            prop_assert!(!packet.to_string().is_empty());
            prop_assert_eq!(packet.auth_data().is_some(), packet.version() == Version::V2);
        }
        entry::advert(&data);
        entry::frame(&data);
        entry::answer(&data);
        entry::process(&data);
    }

    /// Bytes that begin like an advert go deeper.
    #[test]
    fn anything_shaped_like_an_advert(
        first in prop_oneof![Just(0x21_u8), Just(0x31)],
        mut data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        data.insert(0, first);
        entry::advert(&data);
    }

    #[test]
    fn what_is_written_is_read_again(sent in any_sent(), behind in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut message = bytes(&sent.repr());
        prop_assert_eq!(message.len(), sent.repr().buffer_len());
        let family = Family::of(&sent.source);
        // What stands behind the message is not ours; over IPv6 the checksum covers it.
        if family == Family::V4 {
            message.extend(behind);
        }
        let packet = Packet::new_checked(&message, family).unwrap();
        prop_assert_eq!(packet.version(), sent.version);
        prop_assert_eq!(packet.vrid(), sent.vrid);
        prop_assert_eq!(packet.priority(), sent.priority);
        prop_assert_eq!(packet.interval(), sent.interval);
        prop_assert!(packet.addresses().eq(sent.addresses.iter().copied()));
        if let Auth::Pass(password) = sent.auth {
            prop_assert_eq!(packet.auth_data(), Some(password));
        }
        let mut settings = settings(sent.version);
        (settings.family, settings.vrid, settings.auth) = (family, sent.vrid, sent.auth);
        settings.advert_interval = sent.interval;
        let received = Received {
            link: 0,
            source: sent.source,
            destination: sent.destination,
            ttl: 255,
            payload: &message,
        };
        let expected = Expected {
            addressed: true,
            own: false,
            settings: Some(&settings),
            form: sent.checksum,
        };
        let believed = validate(&received, &expected).unwrap();
        let form = match (sent.version, family) {
            (Version::V2, _) => ChecksumForm::Message,
            (Version::V3, Family::V4) => sent.checksum,
            (Version::V3, Family::V6) => ChecksumForm::PseudoHeader,
        };
        prop_assert_eq!(believed.checksum, form);
    }

    /// One flipped bit of a good advert is always found, and moves nothing.
    #[test]
    fn a_flipped_bit_is_found(bit in 0_usize..96, priority in 0_u8..=255, v3 in any::<bool>()) {
        let settings = settings(if v3 { Version::V3 } else { Version::V2 });
        let mut message = bytes(&common::peer(&settings, HIGH, priority));
        message[bit / 8] ^= 1 << (bit % 8);
        let mut bench = Bench::backup(settings);
        let before = bench.at(1_000).deadline();
        bench.receive(HIGH, GROUP, 255, &message);
        prop_assert_eq!(bench.router.instance(ID).counters().received, 0);
        prop_assert_eq!(bench.deadline(), before);
    }

    /// Golden frames with some bytes changed, as whole frames.
    #[test]
    fn golden_frames_with_changes(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut frame = which.get(&golden()).clone();
        for (at, value) in changes {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        entry::frame(&frame);
        entry::frame(&frame[..cut.index(frame.len())]);
    }

    /// The router in both states, anything from anybody.
    #[test]
    fn the_router_survives_anything(
        packets in prop::collection::vec(
            (any::<[u8; 4]>(), any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)), 1..20),
        active in any::<bool>(),
    ) {
        let settings = settings(Version::V3);
        let mut bench = if active { Bench::active(settings) } else { Bench::backup(settings) };
        for (source, ours, group, mut payload) in packets {
            if let (true, Some(vrid)) = (ours, payload.get_mut(1)) {
                *vrid = common::VRID;
            }
            let destination = if group { GROUP } else { OWN };
            bench.receive(source.into(), destination, 255, &payload);
        }
    }
}

fn golden() -> Vec<Vec<u8>> {
    let names = [
        "v2-none",
        "v2-pass",
        "v3-ipv4",
        "v3-ipv6",
        "2.4.3-hmac-v2",
        "2.4.3-hmac-v3",
    ];
    names
        .iter()
        .flat_map(|name| common::pcap::golden(&format!("keepalived-{name}.pcap")))
        .collect()
}

/// What fuzzing has found or should start from, as an ordinary test on stable.
#[test]
fn the_corpus() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus");
    for (target, run) in [
        ("advert", entry::advert as fn(&[u8])),
        ("frame", entry::frame),
        ("helper", entry::helper),
        ("answer", entry::answer),
        ("process", entry::process),
        ("operations", entry::operations),
    ] {
        let mut inputs = 0;
        for entry in std::fs::read_dir(format!("{root}/{target}")).unwrap() {
            run(&std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs >= 4, "{target}: only {inputs} inputs");
    }
}

/// Sequences of operations, drawn as the fuzzer draws them.
#[test]
fn operations_from_a_simple_generator() {
    let mut state = 1_u32;
    for len in 0..2_000 {
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let data: Vec<u8> = (0..len % 400).map(|_| byte()).collect();
        entry::operations(&data);
    }
}
