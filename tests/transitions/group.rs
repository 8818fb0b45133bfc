//! Sync groups: what each member is told to do, in its order.

use std::net::{IpAddr, Ipv4Addr};

use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Actions, Change, Hold, Id, Reason};
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::router::{Router, Spec};
use vipd::vrrp::types::State::{Active, Backup, Initialize};
use vipd::vrrp::types::{Settings, State, Version};
use vipd::vrrp::validate::Received;

use crate::common::{GROUP, bytes, peer, settings};
use crate::row::{DOWN, SKEW, instant};

const A: Id = Id(0);
const B: Id = Id(1);

/// Two members on two links, and the time.
struct Two {
    router: Router,
    now: Instant,
}

fn own(id: Id) -> IpAddr {
    Ipv4Addr::new(10, 10, id.0 as u8, 2).into()
}

fn other(id: Id) -> IpAddr {
    Ipv4Addr::new(10, 10, id.0 as u8, 3).into()
}

impl Two {
    /// With links, in Backup since time 0.
    fn new() -> Self {
        let spec = |link| Spec {
            link,
            settings: settings_of(Id(link)).into(),
        };
        let mut router = Router::new(vec![spec(0), spec(1)], GROUP, Duration::ZERO, instant(0));
        router.set_groups(vec![vec![A, B]], instant(0));
        let now = instant(0);
        let mut two = Self { router, now };
        // Nobody starts alone.
        let waits = held(A, Initialize, Hold::Group(B));
        assert_eq!(two.link(A, true), [waits]);
        let ready = |id| changed(id, Initialize, Backup, Reason::Ready);
        assert_eq!(two.link(B, true), [ready(A), ready(B)]);
        two
    }

    /// Active since Active_Down_Interval.
    fn active() -> Self {
        let mut two = Self::new();
        two.at(DOWN);
        assert_eq!(two.states(), [Active, Active]);
        two
    }

    fn states(&self) -> [State; 2] {
        [A, B].map(|id| self.router.instance(id).state())
    }

    fn link(&mut self, id: Id, up: bool) -> Vec<Action> {
        let link = match up {
            true => LinkState::Up(Some(own(id))),
            false => LinkState::Down,
        };
        self.act(|router, now, out| router.handle(id, Event::Link(link), now, out))
    }

    fn advert(&mut self, id: Id, priority: u8) -> Vec<Action> {
        let settings = settings_of(id);
        let repr = peer(&settings, other(id), priority);
        let payload = bytes(&repr);
        let received = Received {
            link: id.0,
            source: other(id),
            destination: GROUP,
            ttl: 255,
            payload: &payload,
        };
        self.act(|router, now, out| router.receive(&received, now, out))
    }

    fn at(&mut self, micros: i64) -> Vec<Action> {
        self.now = instant(micros);
        self.act(|_, _, _| ())
    }

    /// What comes of it, and of what is due then.
    fn act(&mut self, act: impl FnOnce(&mut Router, Instant, &mut Actions)) -> Vec<Action> {
        let mut out = Actions::new();
        act(&mut self.router, self.now, &mut out);
        let mut all = out.to_vec();
        out.clear();
        while self.router.poll_at() <= self.now && self.router.poll(self.now, &mut out) {
            all.extend(out.iter().copied());
            out.clear();
        }
        all
    }
}

fn settings_of(id: Id) -> Settings {
    Settings {
        vrid: 50 + id.0 as u8,
        addresses: [Ipv4Addr::new(10, 10, id.0 as u8, 1).into()].into(),
        ..settings(Version::V3)
    }
}

fn changed(id: Id, from: State, to: State, reason: Reason) -> Action {
    Action::StateChanged(id, Change { from, to, reason })
}

fn held(id: Id, from: State, hold: Hold) -> Action {
    changed(id, from, Initialize, Reason::Held(hold))
}

#[test]
fn a_fault_of_one_holds_all_and_nobody_for_ever() {
    let mut two = Two::active();
    let down = [
        Action::RemoveAddresses(A),
        held(A, Active, Hold::LinkDown),
        Action::Advert(B, 0),
        Action::RemoveAddresses(B),
        held(B, Active, Hold::Group(A)),
    ];
    assert_eq!(two.link(A, false), down);
    // Another fault on top; the first one ends, then the second.
    assert_eq!(two.link(B, false), [held(B, Initialize, Hold::LinkDown)]);
    assert_eq!(two.link(A, true), [held(A, Initialize, Hold::Group(B))]);
    let ready = |id| changed(id, Initialize, Backup, Reason::Ready);
    assert_eq!(two.link(B, true), [ready(A), ready(B)]);
    for id in [A, B] {
        assert_eq!(two.router.instance(id).poll_at(), instant(2 * DOWN));
    }
}

#[test]
fn when_one_gives_way_all_do() {
    let mut two = Two::active();
    let reason = Reason::HigherPriority {
        by: other(B),
        priority: 200,
    };
    let all = [
        Action::RemoveAddresses(B),
        changed(B, Active, Backup, reason),
        Action::RemoveAddresses(A),
        changed(A, Active, Backup, Reason::Group(B)),
    ];
    assert_eq!(two.advert(B, 200), all);
}

#[test]
fn a_member_whose_time_has_come_waits_for_the_others() {
    let mut two = Two::new();
    two.at(1_000_000);
    two.advert(B, 200);
    assert_eq!(two.at(DOWN), [], "B follows another router");
    assert_eq!(two.states(), [Backup, Backup]);
    // A router with a lower priority there does not change that A may.
    two.advert(A, 50);
    let both = two.at(1_000_000 + DOWN);
    let became = |id| move |a: &&Action| matches!(a, Action::StateChanged(of, c) if *of == id && c.to == Active);
    assert!(
        both.iter().any(|a| became(A)(&a)) && both.iter().any(|a| became(B)(&a)),
        "{both:?}"
    );
}

#[test]
fn an_active_that_gives_up_on_one_segment_is_not_waited_for_on_the_other() {
    let mut two = Two::new();
    two.at(1_000_000);
    two.advert(A, 200);
    two.advert(B, 200);
    two.advert(B, 0);
    two.at(1_000_000 + SKEW);
    assert_eq!(two.states(), [Active, Active]);
    // If it has not, it is asserted against us, and both give way.
    two.advert(A, 200);
    assert_eq!(two.states(), [Backup, Backup]);
}
