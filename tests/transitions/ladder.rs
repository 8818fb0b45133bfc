//! One packet for each DropReason that draws exactly this one, and the proof that none of them
//! moves a timer, however many come.

use std::net::{IpAddr, Ipv4Addr};

use vipd::frame::{self, Ipv4Header, Macs};
use vipd::time::Duration;
use vipd::vrrp::action::{Action, Warning};
use vipd::vrrp::drop::DropReason;
use vipd::vrrp::types::{Auth, Settings, State, Version};
use vipd::vrrp::wire::Repr;

use crate::common::bench::{Bench, ID};
use crate::common::{self, GROUP, HIGH, OWN, VRID, bytes, peer};

const PASSWORD: [u8; 8] = *b"123456\0\0";

/// Settings in which the reason can occur.
fn settings_for(reason: DropReason) -> Settings {
    let version = match reason {
        DropReason::ZeroInterval => Version::V3,
        _ => Version::V2,
    };
    let auth = match version {
        Version::V2 => Auth::Pass(PASSWORD),
        Version::V3 => Auth::None,
    };
    Settings {
        auth,
        ..common::settings(version)
    }
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
        DropReason::IpHeader => count_frame(bench, |frame| frame[14] = 0x65),
        DropReason::IpChecksum => count_frame(bench, |frame| frame[24] ^= 1),
        DropReason::Fragment => count_frame(bench, |frame| rewrite(frame, 20, 0x20)),
        DropReason::NotVrrp => count_frame(bench, |frame| rewrite(frame, 23, 17)),
        DropReason::Destination => send(HIGH, OWN, 255, &plain),
        DropReason::OwnAdvert => send(
            OWN,
            GROUP,
            255,
            &bytes(&Repr {
                source: OWN,
                ..good
            }),
        ),
        DropReason::Ttl => send(HIGH, GROUP, 254, &plain),
        DropReason::Truncated => send(HIGH, GROUP, 255, &plain[..plain.len() - 1]),
        DropReason::UnknownVersion => send(HIGH, GROUP, 255, &summed(&plain, |p| p[0] = 0x41)),
        DropReason::UnknownType => send(
            HIGH,
            GROUP,
            255,
            &summed(&plain, |p| p[0] = p[0] & 0xf0 | 2),
        ),
        DropReason::Checksum => {
            let mut wrong = plain.clone();
            wrong[2] ^= 1;
            send(HIGH, GROUP, 255, &wrong)
        }
        DropReason::UnknownVrid => {
            let (_, actions) = send(
                HIGH,
                GROUP,
                255,
                &bytes(&Repr {
                    vrid: VRID + 1,
                    addresses: &[OWN],
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
            send(HIGH, GROUP, 255, &bytes(&Repr { version, ..good }))
        }
        DropReason::NoAddress => send(
            HIGH,
            GROUP,
            255,
            &bytes(&Repr {
                addresses: &[],
                ..good
            }),
        ),
        DropReason::ZeroInterval => send(
            HIGH,
            GROUP,
            255,
            &bytes(&Repr {
                interval: Duration::ZERO,
                ..good
            }),
        ),
        DropReason::AuthType => send(
            HIGH,
            GROUP,
            255,
            &bytes(&Repr {
                auth: Auth::None,
                ..good
            }),
        ),
        DropReason::AuthData => send(
            HIGH,
            GROUP,
            255,
            &bytes(&Repr {
                auth: Auth::Pass(*b"1234567\0"),
                ..good
            }),
        ),
        DropReason::IntervalMismatch => send(
            HIGH,
            GROUP,
            255,
            &bytes(&Repr {
                interval: Duration::from_secs(2),
                ..good
            }),
        ),
        DropReason::NotRunning => send(HIGH, GROUP, 255, &plain),
    }
}

fn count_drop(bench: &mut Bench, reason: DropReason) -> (Counted, Vec<Action>) {
    bench.router.count_drop(reason);
    (Counted::Router, Vec::new())
}

/// A good frame but for one thing: `frame` names the reason, the router counts it.
fn count_frame(bench: &mut Bench, spoil: impl FnOnce(&mut Vec<u8>)) -> (Counted, Vec<Action>) {
    let settings = bench.router.instance(ID).settings().clone();
    let message = bytes(&peer(&settings, HIGH, 200));
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (HIGH, GROUP) else {
        panic!("the addresses are IPv4");
    };
    let macs = Macs {
        source: [2, 0, 0, 0, 0, 1],
        destination: frame::multicast_mac(destination),
    };
    let header = Ipv4Header {
        source,
        destination,
        ttl: frame::TTL,
        identification: 1,
        payload_len: message.len(),
    };
    let mut bytes = vec![0; frame::IPV4_PAYLOAD];
    bytes.extend(&message);
    frame::emit_ipv4(&mut bytes, &macs, &header);
    assert!(
        frame::parse_ipv4(&bytes).is_ok(),
        "good before it is spoiled"
    );
    spoil(&mut bytes);
    let reason = frame::parse_ipv4(&bytes).expect_err("spoiled");
    count_drop(bench, reason)
}

/// Another byte in the IP header, with the checksum made right again (RFC 1624).
fn rewrite(frame: &mut [u8], at: usize, value: u8) {
    let header = frame::ETHERNET_HEADER_LEN..frame::IPV4_PAYLOAD;
    frame[at] = value;
    frame[24..26].fill(0);
    let form = vipd::vrrp::types::ChecksumForm::Message;
    let sum = vipd::vrrp::checksum::compute(form, &frame[header], &HIGH, &GROUP);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

/// A message with something changed and the v2 checksum made right again.
fn summed(message: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut message = message.to_vec();
    change(&mut message);
    message[6..8].fill(0);
    let form = vipd::vrrp::types::ChecksumForm::Message;
    let sum = vipd::vrrp::checksum::compute(form, &message, &HIGH, &GROUP);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    message
}

/// The states in which the reason can occur.
fn benches(reason: DropReason) -> Vec<Bench> {
    let settings = || settings_for(reason);
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
    for reason in DropReason::ALL {
        for mut bench in benches(*reason) {
            bench.at(1_000);
            let before = (bench.state(), bench.deadline());
            let (counted, actions) = provoke(&mut bench, *reason);
            assert_eq!(
                count(&bench, &counted, *reason),
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
    for reason in DropReason::ALL {
        let settings = settings_for(*reason);
        let mut bench = Bench::backup(settings.clone());
        bench.at(1_000);
        bench.receive(HIGH, GROUP, 255, &bytes(&peer(&settings, HIGH, 200)));
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
    for reason in DropReason::ALL {
        for (mut bench, mut twin) in benches(*reason).into_iter().zip(benches(*reason)) {
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
                    let (_, actions) = provoke(&mut bench, *reason);
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
            let (counted, _) = provoke(&mut bench, *reason);
            assert_eq!(count(&bench, &counted, *reason), sent + 1, "{reason:?}");
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
    let settings = settings_for(DropReason::AuthData);
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
    for reason in DropReason::ALL {
        let Some(mut bench) = benches(*reason).into_iter().next() else {
            continue;
        };
        bench.at(1_000);
        let (counted, actions) = provoke(&mut bench, *reason);
        let source = if *reason == DropReason::OwnAdvert {
            OWN
        } else {
            HIGH
        };
        let told = Action::Warn(
            ID,
            Warning::Dropped {
                reason: *reason,
                source,
            },
        );
        match (counted, reason) {
            (Counted::Router, _) | (_, DropReason::NotRunning) => assert_eq!(actions, []),
            (Counted::Instance, _) => assert_eq!(actions, [told]),
        }
    }
}
