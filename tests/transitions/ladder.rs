//! One packet for each DropReason that draws exactly this one, and the proof that none of them
//! moves a timer, however many come.

use std::net::{IpAddr, Ipv4Addr};

use vipd::frame::{self, Ipv4Header, Ipv6Header, Macs};
use vipd::time::Duration;
use vipd::vrrp::action::{Action, Warning};
use vipd::vrrp::drop::DropReason;
use vipd::vrrp::types::{Auth, ChecksumForm, Family, GROUP6, Settings, State, Version};
use vipd::vrrp::wire::Repr;

use crate::common::bench::{Bench, ID};
use crate::common::{self, GROUP, HIGH, LOW, OWN, VRID, bytes, peer};

const PASSWORD: [u8; 8] = *b"123456\0\0";

/// Every reason in each family in which it can occur.
fn cases() -> impl Iterator<Item = (DropReason, Family)> {
    let families = |reason: &DropReason| -> &'static [Family] {
        match reason {
            DropReason::Source => &[Family::V6],
            // IPv6 has neither a header checksum, nor fragments that the filter lets through, nor
            // version 2 with its authentication and its fixed interval.
            DropReason::IpChecksum
            | DropReason::Fragment
            | DropReason::AuthType
            | DropReason::AuthData
            | DropReason::IntervalMismatch => &[Family::V4],
            _ => &[Family::V4, Family::V6],
        }
    };
    let all = DropReason::ALL.iter();
    all.flat_map(move |reason| families(reason).iter().map(|family| (*reason, *family)))
}

/// Settings in which the reason can occur.
fn settings_for(reason: DropReason, family: Family) -> Settings {
    let version = match reason {
        DropReason::ZeroInterval => Version::V3,
        _ if family == Family::V6 => Version::V3,
        _ => Version::V2,
    };
    let auth = match version {
        Version::V2 => Auth::Pass(PASSWORD),
        Version::V3 => Auth::None,
    };
    let settings = Settings {
        auth,
        unicast: (reason == DropReason::NotPeer).then(|| common::unicast(&[LOW], true)),
        ..common::settings(version)
    };
    common::family::settings(settings, family)
}

/// Who counts the drop.
#[derive(Debug, PartialEq)]
enum Counted {
    Instance,
    Router,
}

/// Gives the router a packet that is right but for one thing. The match has no wildcard: a new
/// reason does not compile without a row of its own.
fn provoke(bench: &mut Bench, reason: DropReason) -> (Counted, Vec<Action>) {
    let settings = bench.router.instance(ID).settings().clone();
    let [own, high, group] =
        [OWN, HIGH, GROUP].map(|a| common::family::address(a, settings.family));
    let good = peer(&settings, HIGH, 200);
    let plain = bytes(&good);
    let mut send = |source: IpAddr, destination: IpAddr, ttl: u8, payload: &[u8]| {
        (
            Counted::Instance,
            bench.receive(source, destination, ttl, payload),
        )
    };
    match reason {
        // What the socket drops: another host's frame (`sys::packet` has its test).
        DropReason::Elsewhere => count_drop(bench, reason),
        // What `frame` drops before there is a message to judge.
        DropReason::FrameTruncated => count_frame(bench, |frame| frame.truncate(33)),
        DropReason::IpHeader => count_frame(bench, |frame| frame[14] ^= 0x20),
        DropReason::IpChecksum => count_frame(bench, |frame| frame[24] ^= 1),
        DropReason::Fragment => count_frame(bench, |frame| rewrite(frame, 20, 0x20)),
        DropReason::NotVrrp if settings.family == Family::V6 => {
            count_frame(bench, |frame| frame[20] = 17)
        }
        DropReason::NotVrrp => count_frame(bench, |frame| rewrite(frame, 23, 17)),
        DropReason::Destination => send(high, own, 255, &plain),
        DropReason::OwnAdvert => send(
            own,
            group,
            255,
            &bytes(&Repr {
                source: own,
                ..good
            }),
        ),
        DropReason::Source => {
            let source = "2001:db8::9".parse().expect("an address");
            send(source, GROUP6, 255, &bytes(&Repr { source, ..good }))
        }
        DropReason::Ttl => send(high, group, 254, &plain),
        DropReason::NotPeer => send(high, own, 255, &plain),
        DropReason::Truncated => send(high, group, 255, &plain[..plain.len() - 1]),
        DropReason::UnknownVersion => send(high, group, 255, &summed(&good, |p| p[0] = 0x41)),
        DropReason::UnknownType => {
            send(high, group, 255, &summed(&good, |p| p[0] = p[0] & 0xf0 | 2))
        }
        DropReason::Checksum => {
            let mut wrong = plain.clone();
            wrong[2] ^= 1;
            send(high, group, 255, &wrong)
        }
        DropReason::UnknownVrid => {
            let (_, actions) = send(
                high,
                group,
                255,
                &bytes(&Repr {
                    vrid: VRID + 1,
                    addresses: &[own],
                    ..good
                }),
            );
            (Counted::Router, actions)
        }
        DropReason::VersionMismatch => {
            let version = match settings.version {
                Version::V2 => Version::V3,
                Version::V3 => Version::V2,
            };
            send(high, group, 255, &bytes(&Repr { version, ..good }))
        }
        DropReason::NoAddress => send(
            high,
            group,
            255,
            &bytes(&Repr {
                addresses: &[],
                ..good
            }),
        ),
        DropReason::ZeroInterval => send(
            high,
            group,
            255,
            &bytes(&Repr {
                interval: Duration::ZERO,
                ..good
            }),
        ),
        DropReason::AuthType => send(
            high,
            group,
            255,
            &bytes(&Repr {
                auth: Auth::None,
                ..good
            }),
        ),
        DropReason::AuthData => send(
            high,
            group,
            255,
            &bytes(&Repr {
                auth: Auth::Pass(*b"1234567\0"),
                ..good
            }),
        ),
        DropReason::IntervalMismatch => send(
            high,
            group,
            255,
            &bytes(&Repr {
                interval: Duration::from_secs(2),
                ..good
            }),
        ),
        DropReason::NotRunning => send(high, group, 255, &plain),
    }
}

fn count_drop(bench: &mut Bench, reason: DropReason) -> (Counted, Vec<Action>) {
    bench.router.count_drop(reason);
    (Counted::Router, Vec::new())
}

/// A good frame but for one thing: `frame` names the reason, the router counts it.
fn count_frame(bench: &mut Bench, spoil: impl FnOnce(&mut Vec<u8>)) -> (Counted, Vec<Action>) {
    let settings = bench.router.instance(ID).settings().clone();
    let good = peer(&settings, HIGH, 200);
    let message = common::bytes(&good);
    let macs = Macs {
        source: [2, 0, 0, 0, 0, 1],
        destination: frame::multicast_mac(good.destination),
    };
    let payload_len = message.len();
    let mut bytes = vec![0; frame::ETHERNET_HEADER_LEN];
    match (good.source, good.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = Ipv4Header {
                source,
                destination,
                ttl: frame::TTL,
                identification: 1,
                payload_len,
            };
            bytes.resize(frame::IPV4_PAYLOAD, 0);
            bytes.extend(&message);
            frame::emit_ipv4(&mut bytes, &macs, &header);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header {
                source,
                destination,
                hop_limit: frame::HOP_LIMIT,
                payload_len,
            };
            bytes.resize(frame::IPV6_PAYLOAD, 0);
            bytes.extend(&message);
            frame::emit_ipv6(&mut bytes, &macs, &header);
        }
        _ => panic!("two families in one packet"),
    }
    let family = settings.family;
    assert!(
        frame::parse(family, &bytes).is_ok(),
        "good before it is spoiled"
    );
    spoil(&mut bytes);
    let reason = frame::parse(family, &bytes).expect_err("spoiled");
    count_drop(bench, reason)
}

/// Another byte in the IP header, with the checksum made right again (RFC 1624).
fn rewrite(frame: &mut [u8], at: usize, value: u8) {
    let header = frame::ETHERNET_HEADER_LEN..frame::IPV4_PAYLOAD;
    frame[at] = value;
    frame[24..26].fill(0);
    let form = ChecksumForm::Message;
    let sum = vipd::vrrp::checksum::compute(form, &frame[header], &HIGH, &GROUP);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

/// A message with something changed and its checksum made right again.
fn summed(good: &Repr<'_>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut message = bytes(good);
    change(&mut message);
    message[6..8].fill(0);
    let form = match good.version {
        Version::V2 => ChecksumForm::Message,
        Version::V3 => ChecksumForm::PseudoHeader,
    };
    let sum = vipd::vrrp::checksum::compute(form, &message, &good.source, &good.destination);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    message
}

/// The states in which the reason can occur.
fn benches(reason: DropReason, family: Family) -> Vec<Bench> {
    let settings = || settings_for(reason, family);
    match reason {
        DropReason::NotRunning => vec![Bench::initialize(settings())],
        _ => vec![Bench::backup(settings()), Bench::active(settings())],
    }
}

fn count(bench: &Bench, counted: &Counted, reason: DropReason) -> u32 {
    match counted {
        Counted::Instance => bench.router.instance(ID).counters().drops.get(reason),
        Counted::Router => bench.router.drops().get(reason),
    }
}

fn total(bench: &Bench) -> u32 {
    let of = |drops: &vipd::vrrp::counters::Drops| drops.occurred().map(|(_, n)| n).sum::<u32>();
    of(bench.router.drops()) + of(&bench.router.instance(ID).counters().drops)
}

#[test]
fn each_reason_has_a_packet_that_draws_exactly_it() {
    for (reason, family) in cases() {
        for mut bench in benches(reason, family) {
            bench.at(1_000);
            let before = (bench.state(), bench.deadline());
            let (counted, actions) = provoke(&mut bench, reason);
            assert_eq!(
                count(&bench, &counted, reason),
                1,
                "{reason:?} in {:?}",
                before.0
            );
            assert_eq!(total(&bench), 1, "{reason:?} and nothing else");
            assert_eq!(
                bench.router.instance(ID).counters().received,
                0,
                "{reason:?}"
            );
            assert_eq!((bench.state(), bench.deadline()), before, "{reason:?}");
            assert!(
                actions.iter().all(|a| matches!(a, Action::Warn(..))),
                "{reason:?}: {actions:?}"
            );
        }
    }
}

/// The packet that is right in everything is believed: what the others differ from.
#[test]
fn the_packet_without_a_fault_is_accepted() {
    for (reason, family) in cases() {
        let settings = settings_for(reason, family);
        let mut bench = Bench::backup(settings.clone());
        bench.at(1_000);
        let from = settings.unicast.as_ref().map_or(HIGH, |_| LOW);
        let good = peer(&settings, from, 200);
        bench.receive(good.source, good.destination, 255, &bytes(&good));
        assert_eq!(
            bench.router.instance(ID).counters().received,
            1,
            "{reason:?}"
        );
        assert_eq!(total(&bench), 0, "{reason:?}");
    }
}

/// Beside a twin that hears nothing: trickled each 0.3 s and in floods, the same adverts at the
/// same times. (keepalived restarts its timer on any packet for its VRID.)
#[test]
fn neither_a_trickle_nor_a_flood_of_any_reason_moves_anything() {
    for (reason, family) in cases() {
        let twins = benches(reason, family);
        for (mut bench, mut twin) in benches(reason, family).into_iter().zip(twins) {
            let (mut adverts, mut sent) = (0, 0);
            for tick in 1..400 {
                let at = tick * 50_000;
                let packets = if tick == 200 {
                    10_000
                } else {
                    u32::from(tick % 6 == 0)
                };
                for _ in 0..packets {
                    bench.at(at);
                    let (_, actions) = provoke(&mut bench, reason);
                    assert!(
                        actions.iter().all(|a| matches!(a, Action::Warn(..))),
                        "{actions:?}"
                    );
                    sent += 1;
                }
                bench.at(at);
                twin.at(at);
                let actions = twin.timer();
                assert_eq!(bench.timer(), actions, "{reason:?} at {at}");
                assert_eq!(bench.deadline(), twin.deadline(), "{reason:?} at {at}");
                assert_eq!(bench.state(), twin.state());
                adverts += actions
                    .iter()
                    .filter(|a| matches!(a, Action::Advert(..)))
                    .count();
            }
            let (counted, _) = provoke(&mut bench, reason);
            assert_eq!(count(&bench, &counted, reason), sent + 1, "{reason:?}");
            let expected = if bench.state() == State::Initialize {
                0
            } else {
                16
            };
            assert!(adverts >= expected, "{reason:?}: only {adverts} adverts");
        }
    }
}

/// The ladder's order: a packet with two faults is dropped for the one that comes first.
#[test]
fn the_first_fault_counts() {
    let settings = settings_for(DropReason::AuthData, Family::V4);
    let good = peer(&settings, HIGH, 200);
    let broken = bytes(&Repr {
        version: Version::V3,
        interval: Duration::ZERO,
        addresses: &[],
        ..good
    });
    let elsewhere = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 9));
    let mut cases: Vec<(IpAddr, IpAddr, u8, Vec<u8>, DropReason)> = vec![
        (OWN, elsewhere, 1, vec![], DropReason::Destination),
        (OWN, GROUP, 1, vec![], DropReason::OwnAdvert),
        (HIGH, GROUP, 1, vec![], DropReason::Ttl),
        (HIGH, GROUP, 255, vec![], DropReason::Truncated),
        (HIGH, GROUP, 255, vec![0x45; 40], DropReason::UnknownVersion),
        (HIGH, GROUP, 255, vec![0x25; 40], DropReason::UnknownType),
        (HIGH, GROUP, 255, vec![0x21; 200], DropReason::Checksum),
        (HIGH, GROUP, 255, broken, DropReason::NoAddress),
    ];
    let zero = bytes(&Repr {
        version: Version::V3,
        interval: Duration::ZERO,
        ..good
    });
    cases.push((HIGH, GROUP, 255, zero, DropReason::VersionMismatch));
    let no_auth = bytes(&Repr {
        auth: Auth::None,
        interval: Duration::from_secs(9),
        ..good
    });
    cases.push((HIGH, GROUP, 255, no_auth, DropReason::AuthType));
    let wrong = bytes(&Repr {
        auth: Auth::Pass([7; 8]),
        interval: Duration::from_secs(9),
        ..good
    });
    cases.push((HIGH, GROUP, 255, wrong, DropReason::AuthData));
    for (source, destination, ttl, payload, reason) in cases {
        let mut bench = Bench::backup(settings.clone());
        bench.at(1_000).receive(source, destination, ttl, &payload);
        let of = |drops: &vipd::vrrp::counters::Drops| drops.get(reason);
        let counted = of(bench.router.drops()) + of(&bench.router.instance(ID).counters().drops);
        assert_eq!((counted, total(&bench)), (1, 1), "{reason:?}");
    }
}

/// Each kind of rejected packet that names our VRID gives one warning that says why.
#[test]
fn the_warning_names_reason_and_sender() {
    for (reason, family) in cases() {
        let Some(mut bench) = benches(reason, family).into_iter().next() else {
            continue;
        };
        bench.at(1_000);
        let (counted, actions) = provoke(&mut bench, reason);
        let source = match reason {
            DropReason::OwnAdvert => common::family::address(OWN, family),
            DropReason::Source => "2001:db8::9".parse().expect("an address"),
            _ => common::family::address(HIGH, family),
        };
        let told = Action::Warn(ID, Warning::Dropped { reason, source });
        match (counted, reason) {
            (Counted::Router, _) | (_, DropReason::NotRunning) => assert_eq!(actions, []),
            (Counted::Instance, _) => assert_eq!(actions, [told]),
        }
    }
}
