//! A row of the table and how it is run.

use std::net::IpAddr;

use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Change, Hold, Reason};
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::track::Reading;
use vipd::vrrp::types::{Family, Settings, State, Version};

use crate::common::bench::{Bench, ID, T0};
use crate::common::{self, OWN};

pub const BOTH: &[Version] = &[Version::V2, Version::V3];
pub const ONLY_V2: &[Version] = &[Version::V2];
pub const ONLY_V3: &[Version] = &[Version::V3];
pub const SECOND: i64 = 1_000_000;
/// Skew_Time at priority 101 and 1 s, in both versions.
pub const SKEW: i64 = 605_468;
/// Active_Down_Interval at priority 101 and 1 s.
pub const DOWN: i64 = 3 * SECOND + SKEW;
/// No timer runs.
pub const NEVER: i64 = i64::MAX;

/// The state in which a row starts.
#[derive(Clone, Copy)]
pub enum Start {
    Initialize,
    /// With a `vrrp_startup_delay` of so many seconds, which starts at time 0.
    Delayed(u64),
    Backup,
    Active,
}

/// What happens to the router.
#[derive(Clone, Copy, Debug)]
pub enum In {
    Timer,
    /// An advert with the settings' own interval.
    Advert(IpAddr, u8),
    /// An advert with an interval in ms.
    Every(IpAddr, u8, u64),
    Link(LinkState),
    AddressLost,
    /// What all trackers see.
    Track(Reading),
    Leave,
    Shutdown,
}
pub use In::{AddressLost, Advert, Every, Leave, Link, Shutdown, Timer, Track};

/// The link is up and has the address under test.
pub const UP: In = Link(LinkState::Up(Some(OWN)));

#[derive(Clone)]
struct Step {
    at: i64,
    input: In,
    actions: Vec<Action>,
    state: State,
    deadline: i64,
}

/// One sentence, as inputs and what comes of them.
pub struct Row {
    pub tag: &'static str,
    versions: &'static [Version],
    start: Start,
    change: fn(&mut Settings),
    steps: Vec<Step>,
}

/// A row without steps yet.
pub fn row(tag: &'static str, versions: &'static [Version], start: Start) -> Row {
    Row {
        tag,
        versions,
        start,
        change: |_| {},
        steps: Vec::new(),
    }
}

impl Row {
    /// With these settings instead of the common ones.
    pub fn with(mut self, change: fn(&mut Settings)) -> Self {
        self.change = change;
        self
    }

    /// At this time this happens: exactly these actions come of it, this state and this deadline.
    pub fn step(
        mut self,
        at: i64,
        input: In,
        actions: &[Action],
        state: State,
        deadline: i64,
    ) -> Self {
        self.steps.push(Step {
            at,
            input,
            actions: actions.to_vec(),
            state,
            deadline,
        });
        self
    }

    /// Runs the row in each of its versions, in version 3 over IPv6 as well.
    ///
    /// # Panics
    /// If something else comes of a step than the row says.
    pub fn run(&self) {
        assert!(
            !self.steps.is_empty(),
            "{}: a row without a step shows nothing",
            self.tag
        );
        for version in self.versions {
            self.run_in(*version, Family::V4);
            if *version == Version::V3 {
                self.run_in(*version, Family::V6);
            }
        }
    }

    fn run_in(&self, version: Version, family: Family) {
        let mut settings = common::settings(version);
        (self.change)(&mut settings);
        let settings = common::family::settings(settings, family);
        let mut bench = match self.start {
            Start::Initialize => Bench::initialize(settings),
            Start::Delayed(secs) => Bench::delayed(settings, Duration::from_secs(secs)),
            Start::Backup => Bench::backup(settings),
            Start::Active => Bench::active(settings),
        };
        for (index, step) in self.steps.iter().enumerate() {
            let place = format!(
                "{} ({version:?}, {family:?}), step {}: {:?}",
                self.tag,
                index + 1,
                step.input
            );
            run_step(&mut bench, step, &place);
        }
    }
}

fn run_step(bench: &mut Bench, step: &Step, place: &str) {
    bench.at(step.at);
    let interval = bench.router.instance(ID).settings().advert_interval;
    let actions = match step.input {
        In::Timer => bench.timer(),
        In::Advert(from, priority) => bench.advert(from, priority, interval),
        In::Every(from, priority, ms) => bench.advert(from, priority, Duration::from_millis(ms)),
        In::Link(link) => {
            let link = common::family::link(link, bench.family());
            bench.event(Event::Link(link))
        }
        In::AddressLost => bench.event(Event::AddressLost),
        In::Track(reading) => bench.track(reading),
        In::Leave => bench.event(Event::Leave),
        In::Shutdown => bench.event(Event::Shutdown),
    };
    let expected = step.actions.iter();
    let expected: Vec<_> = expected
        .map(|action| common::family::action(*action, bench.family()))
        .collect();
    assert_eq!(actions, expected, "{place}: actions");
    assert_eq!(bench.state(), step.state, "{place}: state");
    assert_eq!(
        bench.deadline().unwrap_or(NEVER),
        step.deadline,
        "{place}: deadline"
    );
}

pub fn advert(priority: u8) -> Action {
    Action::Advert(ID, priority)
}

pub const ADD: Action = Action::AddAddresses(ID);
pub const REMOVE: Action = Action::RemoveAddresses(ID);
pub const LOWER: Action = Action::LowerPriority(ID);

pub fn announce(times: u8) -> Action {
    Action::Announce(ID, times)
}

pub fn changed(from: State, to: State, reason: Reason) -> Action {
    Action::StateChanged(ID, Change { from, to, reason })
}

/// To Initialize, with the reason.
pub fn held(from: State, hold: Hold) -> Action {
    changed(from, State::Initialize, Reason::Held(hold))
}

/// What becoming Active means, in its order.
pub fn takeover(priority: u8, from: State, reason: Reason) -> [Action; 4] {
    [
        advert(priority),
        ADD,
        announce(5),
        changed(from, State::Active, reason),
    ]
}

pub fn silence(last: Option<IpAddr>, waited: i64) -> Reason {
    Reason::Silence {
        last,
        waited: Duration::from_micros(waited.unsigned_abs()),
    }
}

/// A row's time as the router's.
pub fn instant(at: i64) -> Instant {
    common::shifted(T0, at)
}
