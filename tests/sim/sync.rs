//! Sync groups and weights: routers with an instance on each of several segments. Whatever fails, on
//! one segment or all, the members of a router are Active together or not at all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr};

use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Actions, Id};
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::router::{Router, Spec};
use vipd::vrrp::track::{Kind, Reading, Tracker, Watched};
use vipd::vrrp::types::{Family, Settings, State, Version};
use vipd::vrrp::validate::Received;

use crate::common;
use crate::plan;
use crate::rng::Rng;

const INTERVAL: Duration = Duration::from_millis(100);
/// Three intervals, the skew, and the longest way of a frame.
const DOWN: Duration = Duration::from_millis(405);
const DELAY: u64 = 2_000;
/// Several elections: two groups may have to give way to each other first.
const SETTLED: Duration = Duration::from_secs(4);
const SEEDS: u64 = 3_000;

/// What has occurred in all worlds.
#[derive(Debug, Default)]
struct Seen {
    takeovers: u64,
    weights: u64,
    contradictions: u64,
    ties: u64,
    partitions: u64,
}

struct Node {
    settings: Vec<Settings>,
    router: Option<Router>,
    /// The link on each segment.
    links: Vec<bool>,
    uplink: bool,
    /// The addresses in its kernel.
    holds: Vec<bool>,
}

type Frame = (Instant, u64, usize, usize, usize, Vec<u8>);

struct Net {
    seed: u64,
    trace: bool,
    now: Instant,
    rng: Rng,
    nodes: Vec<Node>,
    segments: usize,
    /// Segments on which nobody hears anybody, though links are up.
    cut: Vec<bool>,
    /// At, order, from, to, segment, bytes.
    frames: BinaryHeap<Reverse<Frame>>,
    sequence: u64,
    transitions: u64,
    /// From the end of one Active to the next.
    bound: Duration,
}

/// Another order of addresses on each segment.
fn source(segment: usize, node: usize) -> Ipv4Addr {
    let host = [[30, 20, 10], [10, 20, 30], [20, 30, 10]][segment][node];
    Ipv4Addr::new(192, 0, segment as u8, host)
}

impl Net {
    fn new(seed: u64, seen: &mut Seen) -> Self {
        let mut rng = Rng::new(seed);
        let (segments, count) = (rng.between(2, 3) as usize, rng.between(2, 3) as usize);
        let (contradiction, tie) = (rng.percent(25), rng.percent(25));
        seen.contradictions += u64::from(contradiction);
        seen.ties += u64::from(tie && !contradiction);
        let (weight, preempt) = (rng.pick(&[0, 0, -100, 60]), rng.percent(70));
        let mut nodes = Vec::new();
        for node in 0..count {
            let own = if tie { 100 } else { 150 - 40 * node as u8 };
            let settings = (0..segments).map(|segment| Settings {
                vrid: 50 + segment as u8,
                priority: if contradiction {
                    rng.pick(&[50, 100, 150])
                } else {
                    own
                },
                advert_interval: INTERVAL,
                preempt,
                trackers: [Tracker {
                    what: Watched {
                        kind: Kind::Interface,
                        name: "wan".into(),
                    },
                    weight,
                    reverse: false,
                    uplink: None,
                }]
                .into(),
                addresses: [Ipv4Addr::new(192, 0, segment as u8, 1).into()].into(),
                ..common::settings(Version::V3)
            });
            nodes.push(Node {
                settings: settings.collect(),
                router: None,
                links: vec![true; segments],
                uplink: true,
                holds: vec![false; segments],
            });
        }
        let mut net = Self {
            seed,
            trace: crate::from_environment("VIPD_SIM_SEED").is_some(),
            now: Instant::from_micros(50_000_000),
            rng,
            nodes,
            segments,
            cut: vec![false; segments],
            frames: BinaryHeap::new(),
            sequence: 0,
            transitions: 0,
            // Where the order of the routers is not the same on all segments, two of them may have to give
            // way to each other, and then wait once more, the one of them an interval longer.
            bound: if contradiction || tie {
                DOWN + DOWN + INTERVAL
            } else {
                DOWN
            },
        };
        (0..count).for_each(|node| net.start(node));
        net
    }

    #[track_caller]
    fn require(&self, holds: bool, what: &str) {
        let states: Vec<Vec<State>> = (0..self.nodes.len()).map(|n| self.states(n)).collect();
        assert!(
            holds,
            "seed {} at {:?}: {what}: {states:?}",
            self.seed, self.now
        );
    }

    fn states(&self, node: usize) -> Vec<State> {
        let router = self.nodes[node].router.as_ref();
        router.map_or(Vec::new(), |r| {
            r.instances().iter().map(|i| i.state()).collect()
        })
    }

    fn start(&mut self, node: usize) {
        let settings = self.nodes[node].settings.iter().cloned().enumerate();
        let specs = settings.map(|(segment, settings)| Spec {
            link: segment as u16,
            settings: settings.into(),
        });
        let group = plan::destination(Family::V4);
        let mut router = Router::new(specs.collect(), group, Duration::ZERO, self.now);
        router.set_groups(vec![router.ids().collect()], self.now);
        self.nodes[node].router = Some(router);
        self.nodes[node].holds.fill(false);
        self.tell(node);
    }

    /// Links and trackers of a node, one after the other, as the kernel's news come.
    fn tell(&mut self, node: usize) {
        let reading = if self.nodes[node].uplink {
            Reading::Up
        } else {
            Reading::Down
        };
        for segment in 0..self.segments {
            let link = match self.nodes[node].links[segment] {
                true => LinkState::Up(Some(source(segment, node).into())),
                false => LinkState::Down,
            };
            let (id, now) = (Id(segment as u16), self.now);
            self.act(node, |router, out| router.track(id, &|_| reading, now, out));
            self.act(node, |router, out| {
                router.handle(id, Event::Link(link), now, out)
            });
        }
        self.drain(node);
    }

    fn act(&mut self, node: usize, act: impl FnOnce(&mut Router, &mut Actions)) {
        let Some(mut router) = self.nodes[node].router.take() else {
            return;
        };
        let mut out = Actions::new();
        act(&mut router, &mut out);
        self.nodes[node].router = Some(router);
        for action in out {
            self.execute(node, action);
        }
    }

    fn execute(&mut self, node: usize, action: Action) {
        if self.trace {
            println!("{:?} node {node} {action:?}", self.now);
        }
        match action {
            Action::Advert(id, priority) => self.send(node, id, priority),
            Action::AddAddresses(id) => self.nodes[node].holds[id.index()] = true,
            Action::RemoveAddresses(id) => {
                let held = core::mem::take(&mut self.nodes[node].holds[id.index()]);
                self.require(held, "removed what was not there");
            }
            Action::StateChanged(..) => self.transitions += 1,
            Action::Announce(..)
            | Action::PriorityChanged(..)
            | Action::LowerPriority(_)
            | Action::Warn(..) => {}
        }
    }

    fn send(&mut self, node: usize, id: Id, priority: u8) {
        let segment = id.index();
        if self.cut[segment] || !self.nodes[node].links[segment] {
            return;
        }
        let Some(router) = &self.nodes[node].router else {
            return;
        };
        let mut bytes = Vec::new();
        for repr in router.adverts(id, priority) {
            bytes.resize(repr.buffer_len(), 0);
            repr.emit(&mut bytes);
        }
        for to in (0..self.nodes.len()).filter(|to| *to != node) {
            let at = self.now + Duration::from_micros(self.rng.below(DELAY));
            self.sequence += 1;
            self.frames.push(Reverse((
                at,
                self.sequence,
                node,
                to,
                segment,
                bytes.clone(),
            )));
        }
    }

    /// Lets a node do all that is due; then its members agree.
    fn drain(&mut self, node: usize) {
        let mut rounds = 0;
        while self.nodes[node]
            .router
            .as_ref()
            .is_some_and(|r| r.poll_at() <= self.now)
        {
            let now = self.now;
            self.act(node, |router, out| {
                router.poll(now, out);
            });
            rounds += 1;
            self.require(rounds < 100, "never at rest");
        }
        let states = self.states(node);
        let active = states.iter().filter(|s| **s == State::Active).count();
        self.require(active == 0 || active == states.len(), "a group is split");
        let held = states.iter().map(|s| *s == State::Active);
        self.require(
            held.eq(self.nodes[node].holds[..states.len()].iter().copied()),
            "states and addresses differ",
        );
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let timers = (0..self.nodes.len()).filter_map(|n| {
                let router = self.nodes[n].router.as_ref()?;
                Some((router.poll_at(), n))
            });
            let timer = timers.min().unwrap_or((Instant::NEVER, 0));
            let frame = self.frames.peek().map_or(Instant::NEVER, |Reverse(f)| f.0);
            let next = timer.0.min(frame);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if frame <= timer.0 {
                self.deliver();
            } else {
                self.drain(timer.1);
            }
        }
        self.now = end;
    }

    fn deliver(&mut self) {
        let Some(Reverse((_, _, from, to, segment, bytes))) = self.frames.pop() else {
            return;
        };
        if !self.nodes[to].links[segment] {
            return;
        }
        let now = self.now;
        let received = Received {
            link: segment as u16,
            source: IpAddr::V4(source(segment, from)),
            destination: plan::destination(Family::V4),
            ttl: 255,
            payload: &bytes,
        };
        self.act(to, |router, out| router.receive(&received, now, out));
        self.drain(to);
    }

    fn fault(&mut self, seen: &mut Seen) {
        let node = self.rng.index(self.nodes.len());
        let segment = self.rng.index(self.segments);
        match self.rng.below(6) {
            0 | 1 => self.nodes[node].links[segment] ^= true,
            2 => self.nodes[node].uplink ^= true,
            3 => {
                self.cut[segment] ^= true;
                seen.partitions += 1;
            }
            4 if self.nodes[node].router.is_none() => self.start(node),
            4 => self.nodes[node].router = None,
            _ => {}
        }
        self.tell(node);
    }

    /// Can be Active on all segments.
    fn is_fit(&self, node: usize) -> bool {
        let Node {
            router,
            links,
            uplink,
            settings,
            ..
        } = &self.nodes[node];
        let holds = settings[0].trackers[0].weight == 0 && !uplink;
        router.is_some() && links.iter().all(|up| *up) && !holds
    }

    fn effective(&self, node: usize) -> Vec<u8> {
        let router = self.nodes[node].router.as_ref();
        router.map_or(Vec::new(), |r| {
            r.instances()
                .iter()
                .map(|i| i.effective_priority())
                .collect()
        })
    }

    fn actives(&self) -> Vec<usize> {
        let is_active = |n: &usize| self.states(*n).contains(&State::Active);
        (0..self.nodes.len()).filter(is_active).collect()
    }

    /// One of the fit is Active; with `preempt` and priorities that do not contradict each other, none
    /// that is better is left out; and nothing moves any more.
    fn check_settled(&mut self) {
        let fit: Vec<usize> = (0..self.nodes.len()).filter(|n| self.is_fit(*n)).collect();
        let actives = self.actives();
        self.require(
            actives.len() == usize::from(!fit.is_empty()),
            "one Active if there can be one",
        );
        self.require(
            actives.iter().all(|n| fit.contains(n)),
            "an Active that is not fit",
        );
        for active in actives
            .iter()
            .filter(|a| self.nodes[**a].settings[0].preempt)
        {
            let own = self.effective(*active);
            let better = |node: &usize| self.effective(*node).iter().zip(&own).all(|(a, b)| a > b);
            self.require(!fit.iter().any(better), "a better router is left out");
        }
        let before = self.transitions;
        self.run(SETTLED);
        self.require(self.transitions == before, "it never comes to rest");
    }

    /// Something of the Active's fails, and another is Active on all segments in time.
    fn fail_active(&mut self, seen: &mut Seen) {
        let Some(active) = self.actives().first().copied() else {
            return;
        };
        match self.rng.below(3) {
            0 => self.nodes[active].router = None,
            1 => {
                let segment = self.rng.index(self.segments);
                self.nodes[active].links[segment] = false;
            }
            _ => self.nodes[active].uplink = false,
        }
        self.tell(active);
        if self.is_fit(active) {
            seen.weights += 1;
            return;
        }
        self.require(
            !self.states(active).contains(&State::Active),
            "it did not leave at once",
        );
        let fit = (0..self.nodes.len()).any(|n| self.is_fit(n));
        self.run(self.bound);
        self.require(
            self.actives().len() == usize::from(fit),
            "nobody took over in time",
        );
        seen.takeovers += u64::from(fit);
    }

    fn live(&mut self, seen: &mut Seen) {
        for _ in 0..3 {
            for _ in 0..self.rng.between(1, 12) {
                let pause = self.rng.below(1_000_000);
                self.run(Duration::from_micros(pause));
                self.fault(seen);
            }
            self.cut.fill(false);
            self.run(SETTLED);
            self.check_settled();
            self.fail_active(seen);
            self.run(SETTLED);
            self.check_settled();
        }
    }
}

#[test]
fn sync_groups_move_together() {
    let mut seen = Seen::default();
    let chosen = crate::from_environment("VIPD_SIM_SEED");
    let end = crate::from_environment("VIPD_SIM_SEEDS").unwrap_or(SEEDS);
    for seed in chosen.map_or(0..end, |seed| seed..seed + 1) {
        Net::new(seed, &mut seen).live(&mut seen);
    }
    let Seen {
        takeovers,
        weights,
        contradictions,
        ties,
        partitions,
    } = seen;
    let all = [takeovers, weights, contradictions, ties, partitions];
    println!("{seen:?}");
    assert!(
        chosen.is_some() || all.iter().all(|n| *n > 100),
        "{seen:?}: not shown"
    );
}
