//! Warnings: what they say, and how seldom.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use vipd::limits;
use vipd::time::Duration;
use vipd::vrrp::action::{Action, Actions, Warning};
use vipd::vrrp::drop::DropReason;
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::router::{Router, Spec};
use vipd::vrrp::types::{Settings, Version};
use vipd::vrrp::validate::Received;
use vipd::vrrp::wire::Repr;

use crate::common::bench::{Bench, ID};
use crate::common::{self, GROUP, HIGH, LOW, OWN, VIP, VRID, bytes, peer};
use crate::row::{SECOND, instant};

const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 201, 200));

fn warnings(actions: &[Action]) -> Vec<Warning> {
    let warning = |action: &Action| match action {
        Action::Warn(_, warning) => Some(*warning),
        _ => None,
    };
    actions.iter().filter_map(warning).collect()
}

/// The slip in the published example: the second node says VRID 51, with the same address.
#[test]
fn another_vrid_with_our_address_is_told_with_vrid_and_address() {
    for version in [Version::V2, Version::V3] {
        let theirs = Settings {
            vrid: VRID + 1,
            ..common::settings(version)
        };
        for start in [Bench::backup, Bench::active] {
            let mut bench = start(common::settings(version));
            bench.at(100);
            let actions = bench.receive(HIGH, GROUP, 255, &bytes(&peer(&theirs, HIGH, 100)));
            let told = Warning::ForeignVrid {
                source: HIGH,
                vrid: VRID + 1,
                address: VIP,
            };
            assert_eq!(actions, [Action::Warn(ID, told)]);
            assert_eq!(bench.router.drops().get(DropReason::UnknownVrid), 1);
        }
    }
}

#[test]
fn another_pair_with_its_own_address_is_no_news() {
    let theirs = Settings {
        vrid: VRID + 1,
        addresses: [OTHER].into(),
        ..common::settings(Version::V2)
    };
    let mut bench = Bench::active(common::settings(Version::V2));
    bench.at(100);
    assert_eq!(
        bench.receive(HIGH, GROUP, 255, &bytes(&peer(&theirs, HIGH, 100))),
        []
    );
}

/// A broken advert proves nothing about anybody's addresses.
#[test]
fn a_foreign_vrid_is_looked_at_only_in_adverts_that_are_whole() {
    let theirs = Settings {
        vrid: VRID + 1,
        ..common::settings(Version::V2)
    };
    let mut bench = Bench::active(common::settings(Version::V2));
    bench.at(100);
    let mut message = bytes(&peer(&theirs, HIGH, 100));
    message[2] ^= 1;
    assert_eq!(bench.receive(HIGH, GROUP, 255, &message), []);
    assert_eq!(bench.router.drops().get(DropReason::Checksum), 1);
}

#[test]
fn another_list_of_addresses_is_told_and_followed() {
    let lists: [(&[IpAddr], bool); 4] = [
        (&[VIP, OTHER], false),
        (&[OTHER, VIP], false),
        (&[VIP], true),
        (&[VIP, OWN], true),
    ];
    for (list, told) in lists {
        let settings = Settings {
            addresses: [VIP, OTHER].into(),
            ..common::settings(Version::V3)
        };
        let mut bench = Bench::backup(settings.clone());
        bench.at(SECOND);
        let repr = Repr {
            addresses: list,
            ..peer(&settings, HIGH, 200)
        };
        let actions = bench.receive(HIGH, GROUP, 255, &bytes(&repr));
        let warning = Warning::Addresses {
            source: HIGH,
            count: list.len() as u8,
        };
        assert_eq!(
            warnings(&actions),
            if told { vec![warning] } else { vec![] },
            "{list:?}"
        );
        assert_eq!(
            bench.deadline(),
            Some(SECOND + crate::row::DOWN),
            "followed all the same"
        );
    }
}

/// skip_check_adv_addr: compared at a speaker's first advert and never again.
#[test]
fn skip_check_adv_addr_looks_once() {
    for skip in [false, true] {
        let settings = Settings {
            skip_check_adv_addr: skip,
            ..common::settings(Version::V3)
        };
        let mut bench = Bench::backup(settings.clone());
        bench
            .at(SECOND)
            .receive(HIGH, GROUP, 255, &bytes(&peer(&settings, HIGH, 200)));
        bench.at(2 * SECOND);
        let repr = Repr {
            addresses: &[OTHER],
            ..peer(&settings, HIGH, 200)
        };
        let told = warnings(&bench.receive(HIGH, GROUP, 255, &bytes(&repr)));
        assert_eq!(told.len(), usize::from(!skip));
    }
}

/// Two adverts around the end of any window: still one warning in WARN_PERIOD.
#[test]
fn one_warning_of_a_kind_and_instance_in_a_period() {
    let settings = common::settings(Version::V2);
    let message = bytes(&Repr {
        interval: Duration::from_secs(7),
        ..peer(&settings, HIGH, 200)
    });
    let mut bench = Bench::backup(settings);
    let period = limits::WARN_PERIOD.as_micros() as i64;
    let mut told = Vec::new();
    // Another kind has warned long before, so that no window of this kind starts here.
    bench.at(0).receive(HIGH, GROUP, 254, &message);
    for tick in 0..400 {
        let at = period - 10 * SECOND + tick * 5 * SECOND;
        bench.at(at);
        bench.timer();
        if !warnings(&bench.receive(HIGH, GROUP, 255, &message)).is_empty() {
            told.push(at);
        }
    }
    assert_eq!(
        told[0],
        period - 10 * SECOND,
        "the first packet is told at once"
    );
    let gaps: Vec<i64> = told.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= period), "{gaps:?}");
    assert!(
        gaps.len() >= 4,
        "a fault that lasts is told again: {gaps:?}"
    );
}

/// All instances and kinds together: at most one warning a second, and each gets its turn.
#[test]
fn one_warning_a_second_over_all() {
    let specs = (1..=20).map(|vrid| Spec {
        link: 0,
        settings: Rc::new(Settings {
            vrid,
            ..common::settings(Version::V2)
        }),
    });
    let mut router = Router::new(specs.collect(), GROUP, Duration::ZERO, instant(0));
    let mut out = Actions::new();
    for id in router.ids() {
        router.handle(
            id,
            Event::Link(LinkState::Up(Some(OWN))),
            instant(0),
            &mut out,
        );
        out.clear();
    }
    let settings = common::settings(Version::V2);
    let mut told = Vec::new();
    for tick in 0..1_000 {
        let at = tick * 100_000;
        for vrid in 1..=20 {
            for (ttl, priority) in [(1, 200), (255, 200)] {
                let repr = Repr {
                    vrid,
                    interval: Duration::from_secs(9),
                    ..peer(&settings, LOW, priority)
                };
                let payload = bytes(&repr);
                let received = Received {
                    link: 0,
                    source: LOW,
                    destination: GROUP,
                    ttl,
                    payload: &payload,
                };
                router.receive(&received, instant(at), &mut out);
                told.extend(out.iter().filter_map(|a| match a {
                    Action::Warn(id, Warning::Dropped { reason, .. }) => Some((at, *id, *reason)),
                    _ => None,
                }));
                out.clear();
            }
        }
    }
    assert!(
        told.windows(2).all(|pair| pair[1].0 - pair[0].0 >= SECOND),
        "{told:?}"
    );
    for id in router.ids() {
        for reason in [DropReason::Ttl, DropReason::IntervalMismatch] {
            let times = told
                .iter()
                .filter(|(_, i, r)| (*i, *r) == (id, reason))
                .count();
            assert_eq!(times, 1, "{id:?} {reason:?}");
        }
    }
}

/// An interval that is learned does not become the one that we send.
#[test]
fn our_adverts_keep_our_interval_and_fields() {
    let settings = common::settings(Version::V3);
    let mut bench = Bench::backup(settings.clone());
    bench
        .at(SECOND)
        .advert(HIGH, 200, Duration::from_millis(250));
    for priority in [101, 0] {
        let sent = bench.router.adverts(ID, priority).next().unwrap();
        let source = OWN;
        assert_eq!(
            sent,
            Repr {
                source,
                ..peer(&settings, OWN, priority)
            }
        );
    }
    bench.event(Event::Link(LinkState::Up(None)));
    assert_eq!(
        bench.router.adverts(ID, 101).next(),
        None,
        "nothing to send it from"
    );
}
