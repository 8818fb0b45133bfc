//! Unicast: where adverts go, whose are believed, and when there is nobody to send to.

use std::net::IpAddr;

use vipd::vrrp::action::{Action, Actions, Hold};
use vipd::vrrp::drop::DropReason;
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::types::{Settings, State, Version};

use crate::common::bench::{Bench, ID};
use crate::common::{self, GROUP, HIGH, LOW, OWN, bytes, peer};
use crate::row::{BOTH, changed, held, takeover};
use vipd::vrrp::action::Reason;

fn settings(version: Version, peers: &[IpAddr]) -> Settings {
    Settings {
        unicast: Some(common::unicast(peers, false)),
        ..common::settings(version)
    }
}

fn drops(bench: &Bench, reason: DropReason) -> u32 {
    bench.router.instance(ID).counters().drops.get(reason)
}

fn reconfigure(bench: &mut Bench, settings: Settings) -> Vec<Action> {
    let mut out = Actions::new();
    let now = bench.now;
    bench.router.reconfigure(ID, settings.into(), now, &mut out);
    out.iter().copied().collect()
}

/// Each peer gets one, with a checksum of its own (RFC 5798 §5.2.8: the pseudo-header has the
/// destination); the router's own place in a list that all share is skipped.
#[test]
fn an_advert_goes_to_each_peer_but_not_to_itself() {
    for version in BOTH {
        let bench = Bench::active(settings(*version, &[HIGH, OWN, LOW]));
        let adverts: Vec<_> = bench.router.adverts(ID, 101).collect();
        let destinations: Vec<_> = adverts.iter().map(|advert| advert.destination).collect();
        assert_eq!(destinations, [HIGH, LOW]);
        assert!(adverts.iter().all(|a| a.source == OWN && a.priority == 101));
        let differ = bytes(&adverts[0]) != bytes(&adverts[1]);
        assert_eq!(differ, *version == Version::V3, "v3 covers the destination");
    }
}

/// To our address it is believed; to the group, or to another of our addresses, it is not.
#[test]
fn an_advert_must_come_to_our_own_address() {
    for version in BOTH {
        let settings = settings(*version, &[HIGH]);
        let mut bench = Bench::active(settings.clone());
        let mut good = peer(&settings, HIGH, 200);
        for destination in [GROUP, LOW] {
            good.destination = destination;
            bench.receive(HIGH, destination, 255, &bytes(&good));
        }
        assert_eq!(drops(&bench, DropReason::Destination), 2);
        assert_eq!(bench.state(), State::Active);
        good.destination = OWN;
        bench.receive(HIGH, OWN, 255, &bytes(&good));
        assert_eq!(bench.state(), State::Backup);
    }
}

/// A multicast instance does not take what is sent to its address.
#[test]
fn without_peers_a_unicast_advert_is_dropped() {
    let settings = common::settings(Version::V3);
    let mut bench = Bench::active(settings.clone());
    let good = peer(&settings, HIGH, 200);
    bench.receive(HIGH, OWN, 255, &bytes(&good));
    assert_eq!(drops(&bench, DropReason::Destination), 1);
    assert_eq!(bench.state(), State::Active);
}

#[test]
fn a_peers_ttl_has_bounds_where_they_are_given() {
    for (ttl, believed) in [(253, false), (254, true), (255, false)] {
        let mut settings = settings(Version::V3, &[HIGH]);
        if let Some(unicast) = &mut settings.unicast {
            unicast.peers[0].ttl = 254..=254;
        }
        let mut bench = Bench::active(settings.clone());
        let good = peer(&settings, HIGH, 200);
        bench.receive(HIGH, OWN, ttl, &bytes(&good));
        assert_eq!(
            drops(&bench, DropReason::Ttl),
            u32::from(!believed),
            "{ttl}"
        );
        assert_eq!(bench.state() == State::Backup, believed, "{ttl}");
    }
}

/// As keepalived: who is not a peer is believed unless `check_unicast_src` says otherwise.
#[test]
fn a_stranger_is_dropped_only_when_sources_are_checked() {
    for check in [false, true] {
        let settings = Settings {
            unicast: Some(common::unicast(&[LOW], check)),
            ..common::settings(Version::V3)
        };
        let mut bench = Bench::active(settings.clone());
        let good = peer(&settings, HIGH, 200);
        bench.receive(HIGH, OWN, 64, &bytes(&good));
        assert_eq!(drops(&bench, DropReason::NotPeer), u32::from(check));
        assert_eq!(bench.state() == State::Backup, !check);
    }
}

/// `unicast_fault_no_peer`, and a reload that gives it a peer and takes it away again.
#[test]
fn without_a_peer_it_waits() {
    let nobody = settings(Version::V3, &[]);
    let mut bench = Bench::initialize(nobody.clone());
    bench.at(0);
    let up = Event::Link(LinkState::Up(Some(OWN)));
    assert_eq!(bench.event(up), [held(State::Initialize, Hold::NoPeer)]);
    let somebody = settings(Version::V3, &[HIGH]);
    let ready = changed(State::Initialize, State::Backup, Reason::Ready);
    assert_eq!(reconfigure(&mut bench, somebody), [ready]);
    let mut bench = Bench::active(settings(Version::V3, &[HIGH]));
    let actions = reconfigure(&mut bench, nobody);
    assert_eq!(
        actions[1..],
        [
            Action::RemoveAddresses(ID),
            held(State::Active, Hold::NoPeer)
        ]
    );
    assert_eq!(bench.router.adverts(ID, 101).count(), 0);
}

/// keepalived's 1847: an address that is missing, comes, goes and comes again.
#[test]
fn a_source_address_that_is_missing_is_waited_for() {
    let settings = settings(Version::V3, &[HIGH]);
    let mut bench = Bench::initialize(settings.clone());
    bench.at(0);
    let absent = Event::Link(LinkState::NoSource(OWN));
    let up = Event::Link(LinkState::Up(Some(OWN)));
    let waiting = held(State::Initialize, Hold::NoSource(OWN));
    assert_eq!(bench.event(absent), [waiting]);
    let ready = changed(State::Initialize, State::Backup, Reason::Ready);
    assert_eq!(bench.event(up), [ready]);
    let mut bench = Bench::active(settings);
    let gone = [
        Action::RemoveAddresses(ID),
        held(State::Active, Hold::NoSource(OWN)),
    ];
    assert_eq!(bench.event(absent), gone);
    assert_eq!(bench.event(up), [ready]);
    let due = bench.router.instance(ID).poll_at();
    let waited = due.since(bench.now).as_micros() as i64;
    bench.now = due;
    let silence = crate::row::silence(None, waited);
    assert_eq!(bench.timer(), takeover(101, State::Backup, silence));
}
