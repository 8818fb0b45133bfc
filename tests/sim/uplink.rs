//! Uplinks: two routers on one LAN, each with a provider. Whatever fails, two uplinks are up at once for
//! no longer than it takes to hear of it and to take one down; and what else follows the Active, see [`follow`].

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use vipd::limits;
use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Actions, Id};
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::router::{Router, Spec};
use vipd::vrrp::track::{Kind, Reading, Tracker, Watched};
use vipd::vrrp::trial::{Rules, WEIGHT};
use vipd::vrrp::types::{Family, Settings, State, Version};
use vipd::vrrp::uplink::{Seen, Uplink};
use vipd::vrrp::validate::Received;

use crate::common;
use crate::follow::{self, Follower, Host, Said};
use crate::plan;
use crate::rng::Rng;

const INTERVAL: Duration = Duration::from_secs(1);
/// Three intervals and the skew of the lowest priority.
const DOWN: Duration = Duration::from_secs(4);
const STEP: Duration = Duration::from_millis(50);
/// In the long run.
const STRIDE: Duration = Duration::from_millis(500);
const RULES: Rules = Rules {
    timeout: Duration::from_secs(60),
    hold_down: Duration::from_secs(300),
};
/// From netifd's starting a protocol to an address.
const LEASE: Duration = Duration::from_secs(3);
/// The hotplug event, which makes vipd ask.
const NEWS: Duration = Duration::from_millis(500);
/// An Active that has to give way hears of it with an advert; its request takes what it may take, fails, and is
/// made once more.
const BOUND: Duration = Duration::from_secs(15);
/// A switch port of a machine that was switched on does not forward yet (STP).
const BLOCKS: Duration = Duration::from_secs(30);
/// `vrrp_startup_delay`, where there is one.
const DELAY: Duration = Duration::from_secs(32);
/// The longest way of a frame.
const WAY_MICROS: u64 = 100_000;
const SEEDS: u64 = 60;

/// netifd's side of an uplink.
#[derive(Debug, Default)]
pub struct Interface {
    auto: bool,
    autostart: bool,
    up_at: Option<Instant>,
    /// What is being asked of it, until when.
    request: Option<(bool, Instant)>,
    /// When its news are heard.
    news_at: Option<Instant>,
}

impl Interface {
    fn set(&mut self, up: bool, now: Instant) {
        self.autostart = up;
        self.up_at = up.then(|| self.up_at.unwrap_or(now + LEASE));
        self.news_at = Some(now + NEWS);
    }

    fn seen(&self, now: Instant) -> Seen {
        match self.up_at {
            Some(at) if now >= at => Seen::Up,
            Some(_) => Seen::Coming,
            None if self.autostart => Seen::Waiting,
            None => Seen::Down,
        }
    }
}

pub struct Node {
    settings: Rc<Settings>,
    pub router: Option<Router>,
    uplink: Uplink,
    netifd: Interface,
    pub follower: Follower,
    provider: bool,
    restart_at: Option<Instant>,
    /// The machine is off until then.
    on_at: Option<Instant>,
    blocked_until: Instant,
    /// It was told to stop.
    stops: bool,
    turns: u32,
}

impl Node {
    pub fn is_active(&self) -> bool {
        let router = self.router.as_ref();
        router.is_some_and(|r| r.instances()[0].state() == State::Active)
    }

    pub fn is_blocked(&self, now: Instant) -> bool {
        now < self.blocked_until
    }
}

/// What is on its way.
struct Frame {
    from: usize,
    /// A router, or the host at its port.
    to: usize,
    at: Instant,
    what: What,
}

enum What {
    Advert(Vec<u8>),
    Ra(Box<Said>),
    Solicitation,
}

/// What must have happened in some world.
#[derive(Debug, Default)]
pub struct Counts {
    faults: [u32; 7],
    pub farewells: u32,
    contradictions: u32,
    solicitations: u32,
    farewells_heard: u32,
}

impl Counts {
    fn all(&mut self) -> impl Iterator<Item = &mut u32> {
        let rest = [
            &mut self.farewells,
            &mut self.contradictions,
            &mut self.solicitations,
            &mut self.farewells_heard,
        ];
        self.faults.iter_mut().chain(rest)
    }

    fn add(&mut self, mut other: Self) {
        let both = self.all().zip(other.all());
        both.for_each(|(total, one)| *total += *one);
    }

    fn all_occurred(&mut self) -> bool {
        self.all().all(|count| *count > 0)
    }
}

pub struct Pair {
    seed: u64,
    pub now: Instant,
    rng: Rng,
    pub plan: follow::Plan,
    pub nodes: Vec<Node>,
    pub hosts: [Host; 2],
    pub cut: bool,
    pub lossy: bool,
    has_lost: bool,
    /// When the routers did not hear each other last.
    pub deaf_at: Instant,
    /// Ports block at first.
    blocks: bool,
    startup_delay: Duration,
    frames: Vec<Frame>,
    /// Since when both uplinks are up, and nothing excuses it.
    both_since: Option<Instant>,
    pub stride: Duration,
    longest: Duration,
    pub counts: Counts,
}

fn source(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, 2 + node as u8)
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let preempt = rng.percent(70);
        let weight = rng.pick(&[WEIGHT, WEIGHT, -100]);
        let node = |place: usize, rng: &mut Rng| Node {
            settings: Rc::new(Settings {
                priority: 150 - 50 * place as u8,
                advert_interval: INTERVAL,
                preempt,
                trackers: [Tracker {
                    what: Watched {
                        kind: Kind::Probe,
                        name: "p".into(),
                    },
                    weight,
                    reverse: false,
                    uplink: Some(RULES),
                }]
                .into(),
                addresses: [Ipv4Addr::new(192, 168, 1, 1).into()].into(),
                ..common::settings(Version::V3)
            }),
            router: None,
            uplink: Uplink::default(),
            netifd: Interface {
                auto: rng.percent(30),
                ..Interface::default()
            },
            follower: Follower::new(),
            provider: true,
            restart_at: None,
            on_at: None,
            blocked_until: Instant::ZERO,
            stops: false,
            turns: 0,
        };
        let nodes = (0..2).map(|place| node(place, &mut rng)).collect();
        let (blocks, delayed) = (rng.percent(50), rng.percent(50));
        let mut pair = Self {
            seed,
            now: Instant::from_micros(90_000_000),
            plan: follow::Plan::new(&mut rng),
            rng,
            nodes,
            hosts: Default::default(),
            cut: false,
            lossy: false,
            has_lost: false,
            deaf_at: Instant::ZERO,
            blocks,
            startup_delay: if delayed { DELAY } else { Duration::ZERO },
            frames: Vec::new(),
            both_since: None,
            stride: STEP,
            longest: Duration::ZERO,
            counts: Counts::default(),
        };
        // Both are switched on at once.
        (0..2).for_each(|node| pair.switch_on(node));
        pair
    }

    #[track_caller]
    pub fn require(&self, holds: bool, what: &str) {
        if holds {
            return;
        }
        let states: Vec<_> = self
            .nodes
            .iter()
            .map(|n| (n.is_active(), &n.netifd, &n.uplink, &n.follower))
            .collect();
        panic!(
            "seed {} at {:?}: {what}: {:?} {:#?} {states:#?}",
            self.seed, self.now, self.plan, self.hosts
        );
    }

    pub fn has_uplink(&self, node: usize) -> bool {
        self.nodes[node].netifd.seen(self.now) == Seen::Up
    }

    /// netifd starts what is `auto`, then vipd; the port may block.
    fn switch_on(&mut self, node: usize) {
        self.boot(node);
        self.start(node);
        if self.blocks {
            self.nodes[node].blocked_until = self.now + BLOCKS;
        }
    }

    fn switch_off(&mut self, node: usize) {
        let pause = Duration::from_secs(self.rng.between(5, 40));
        let off = &mut self.nodes[node];
        (off.router, off.restart_at, off.stops) = (None, None, false);
        off.netifd = Interface {
            auto: off.netifd.auto,
            ..Interface::default()
        };
        off.on_at = Some(self.now + pause);
    }

    /// `network restart`, or a boot.
    fn boot(&mut self, node: usize) {
        let netifd = &mut self.nodes[node].netifd;
        netifd.set(false, self.now);
        if netifd.auto {
            netifd.set(true, self.now);
        }
    }

    fn start(&mut self, node: usize) {
        let spec = Spec {
            link: 0,
            settings: Rc::clone(&self.nodes[node].settings),
        };
        let group = plan::destination(Family::V4);
        self.nodes[node].router =
            Some(Router::new(vec![spec], group, self.startup_delay, self.now));
        self.nodes[node].uplink = Uplink::default();
        self.nodes[node].follower = Follower::new();
        (self.nodes[node].restart_at, self.nodes[node].on_at) = (None, None);
        let link = LinkState::Up(Some(source(node).into()));
        let now = self.now;
        self.act(node, |router, out| {
            router.handle(Id(0), Event::Link(link), now, out)
        });
        self.nodes[node].netifd.news_at = Some(now);
    }

    /// A crash: what netifd was asked for goes on, what it has stays. procd starts vipd again.
    fn kill(&mut self, node: usize) {
        let pause = Duration::from_secs(self.rng.between(5, 20));
        let dead = &mut self.nodes[node];
        (dead.router, dead.stops) = (None, false);
        dead.netifd.request = None;
        dead.restart_at = Some(self.now + pause);
    }

    /// SIGTERM: the uplink goes first, as `daemon::leave` has it.
    fn stop(&mut self, node: usize) {
        self.nodes[node].stops = true;
        let now = self.now;
        self.act(node, |router, out| {
            router.handle(Id(0), Event::Leave, now, out)
        });
    }

    fn leave(&mut self, node: usize) {
        let (now, it) = (self.now, &self.nodes[node]);
        let falls = it.netifd.request.is_some() || now >= it.uplink.poll_at();
        if !it.stops || falls && !it.uplink.is_wanted() {
            return;
        }
        self.act(node, |router, out| {
            router.handle(Id(0), Event::Shutdown, now, out)
        });
        self.follow(node);
        self.kill(node);
    }

    /// To who hears this router now, each in its own time, but in order.
    fn send(&mut self, from: usize, to: usize, what: What) {
        let apart = from != to && self.cut;
        if apart || self.nodes[from].is_blocked(self.now) || self.lossy && self.rng.percent(20) {
            return;
        }
        let way = Duration::from_micros(self.rng.below(WAY_MICROS));
        let same = self.frames.iter().filter(|f| (f.from, f.to) == (from, to));
        let last = same.map(|f| f.at).max().unwrap_or(Instant::ZERO);
        let at = last.max(self.now + way);
        self.frames.push(Frame { from, to, at, what });
    }

    fn send_from_host(&mut self, from: usize, to: usize) {
        let (apart, at) = (from != to && self.cut, self.now);
        if apart || self.lossy && self.rng.percent(20) {
            return;
        }
        let what = What::Solicitation;
        self.frames.push(Frame { from, to, at, what });
    }

    pub fn broadcast(&mut self, from: usize, said: &Said) {
        (0..2).for_each(|host| self.send(from, host, What::Ra(said.clone().into())));
    }

    fn act(&mut self, node: usize, act: impl FnOnce(&mut Router, &mut Actions)) {
        let Some(mut router) = self.nodes[node].router.take() else {
            return;
        };
        let mut out = Actions::new();
        act(&mut router, &mut out);
        for action in &out {
            match *action {
                Action::Advert(id, priority) => {
                    for repr in router.adverts(id, priority) {
                        let mut bytes = vec![0; repr.buffer_len()];
                        repr.emit(&mut bytes);
                        self.send(node, 1 - node, What::Advert(bytes));
                    }
                }
                Action::StateChanged(_, change) => {
                    let active = change.to == State::Active;
                    let it = &mut self.nodes[node];
                    it.turns += u32::from(active);
                    it.follower.changes += 1;
                    it.follower.active_since = active.then_some(self.now);
                }
                Action::LowerPriority(_) => {
                    self.counts.contradictions += 1;
                    self.nodes[node].follower.contradicted = true;
                }
                _ => {}
            }
        }
        self.nodes[node].router = Some(router);
    }

    /// What the daemon does in one wakeup of a node.
    fn serve(&mut self, node: usize) {
        let now = self.now;
        let Node {
            netifd, provider, ..
        } = &self.nodes[node];
        let reading = match netifd.seen(now) == Seen::Up && *provider {
            true => Reading::Up,
            false => Reading::Down,
        };
        self.act(node, |router, out| {
            router.track(Id(0), &|_| reading, now, out)
        });
        for _ in 0..4 {
            self.act(node, |router, out| {
                router.poll(now, out);
            });
        }
        if self.nodes[node].on_at.is_some_and(|at| now >= at) {
            self.switch_on(node);
        }
        if self.nodes[node].router.is_none() {
            if self.nodes[node].restart_at.is_some_and(|at| now >= at) {
                self.start(node);
            }
            return;
        }
        let leaves = self.nodes[node].stops;
        let is_active = self.nodes[node].is_active() && !leaves;
        let patience = limits::UPLINK_PATIENCE.as_micros();
        let takes = Duration::from_micros(match self.rng.percent(90) {
            true => self.rng.below(200_000),
            false => self.rng.below(patience),
        });
        let Node { uplink, netifd, .. } = &mut self.nodes[node];
        if uplink.want(is_active, now) {
            netifd.request = None;
        }
        if let Some(up) = uplink.request(now) {
            netifd.request = Some((up, now + takes));
        }
        if let Some((up, at)) = netifd.request.filter(|(_, at)| now >= *at) {
            netifd.request = None;
            // Now and then it is not accepted.
            let good = !self.rng.percent(5);
            if good {
                netifd.set(up, at);
            }
            uplink.ended(good, leaves, now);
        }
        if netifd.news_at.is_some_and(|at| now >= at) {
            netifd.news_at = netifd.up_at.filter(|at| now < *at).map(|at| at + NEWS);
            uplink.saw(netifd.seen(now), now, now);
        }
        self.follow(node);
        self.leave(node);
    }

    fn step(&mut self) {
        self.now += self.stride;
        let now = self.now;
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.frames)
            .into_iter()
            .partition(|frame| now >= frame.at);
        self.frames = later;
        for Frame { from, to, what, .. } in due {
            match what {
                What::Ra(said) => {
                    self.hosts[to].hear(&said, now);
                    let it = &mut self.nodes[to];
                    if from != to && !it.is_blocked(now) {
                        self.counts.farewells_heard += u32::from(it.follower.hear(&said, now));
                    }
                }
                What::Advert(_) | What::Solicitation if self.nodes[to].is_blocked(now) => {}
                What::Solicitation => {
                    self.counts.solicitations += 1;
                    self.nodes[to].follower.solicited(now);
                }
                What::Advert(bytes) => {
                    let received = Received {
                        link: 0,
                        source: IpAddr::V4(source(1 - to)),
                        destination: plan::destination(Family::V4),
                        ttl: 255,
                        payload: &bytes,
                    };
                    self.act(to, |router, out| router.receive(&received, now, out));
                }
            }
        }
        for at in 0..2 {
            if self.hosts[at].solicits(now) {
                // Its own port forwards, whatever the router's does.
                (0..2).for_each(|node| self.send_from_host(at, node));
            }
        }
        (0..2).for_each(|node| self.serve(node));
        let both = self.nodes.iter().all(|n| n.netifd.seen(now) == Seen::Up);
        // Who is dead takes nothing down, and who hears nobody is Active, unless `vrrp_startup_delay` is long enough.
        let blocked = |n: &Node| n.is_blocked(now) && self.startup_delay < BLOCKS;
        let excused = self.cut || self.nodes.iter().any(|n| n.router.is_none() || blocked(n));
        self.both_since = match both && !excused {
            true => self.both_since.or(Some(now)),
            false => None,
        };
        if let Some(since) = self.both_since {
            self.longest = self.longest.max(now.since(since));
            self.require(now.since(since) <= BOUND, "two uplinks are up");
        }
        self.check_followers();
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.step();
        }
    }

    fn fault(&mut self) {
        let node = self.rng.index(2);
        let fault = self.rng.index(self.counts.faults.len());
        let runs = self.nodes[node].router.is_some();
        match fault {
            0 => self.nodes[node].provider ^= true,
            1 => self.cut ^= true,
            2 if runs => self.kill(node),
            3 if self.nodes[node].on_at.is_none() => self.boot(node),
            4 if self.nodes[node].on_at.is_none() => self.switch_off(node),
            5 if runs && !self.nodes[node].stops => self.stop(node),
            6 => {
                self.lossy ^= true;
                self.has_lost = true;
            }
            _ => return,
        }
        self.counts.faults[fault] += 1;
    }

    /// In peace: one Active, its uplink is up, and the other's is down.
    fn check_settled(&mut self) {
        self.cut = false;
        let runs = |n: &Node, now| n.router.is_some() && !n.stops && !n.is_blocked(now);
        while !self.nodes.iter().all(|n| runs(n, self.now)) {
            self.step();
        }
        // What was lost is said again in its time.
        self.lossy = false;
        if std::mem::take(&mut self.has_lost) {
            self.stride = STRIDE;
            self.run(self.plan.longest());
            self.stride = STEP;
        }
        self.run(self.startup_delay);
        self.run(DOWN + DOWN + limits::UPLINK_GAP_MAX + Duration::from_secs(30));
        // The end of a hold-down may fall into this moment.
        let end = self.now + BOUND + DOWN + LEASE;
        let rests = |pair: &Self| pair.is_settled() && pair.check_hosts().is_ok();
        while self.now < end && !rests(self) {
            self.step();
        }
        self.require(
            self.is_settled(),
            "one Active, its uplink is up, and no other",
        );
        let wrong = self.check_hosts().err().unwrap_or_default();
        self.require(wrong.is_empty(), wrong);
    }

    fn is_settled(&self) -> bool {
        let fits = |n: &Node| (n.netifd.seen(self.now) == Seen::Up) == n.is_active();
        self.nodes.iter().filter(|n| n.is_active()).count() == 1 && self.nodes.iter().all(fits)
    }

    fn turns(&self) -> u32 {
        self.nodes.iter().map(|n| n.turns).sum()
    }

    fn live(&mut self) {
        for _ in 0..4 {
            for _ in 0..self.rng.between(1, 8) {
                let pause = self.rng.below(20_000_000);
                self.run(Duration::from_micros(pause));
                self.fault();
            }
            self.check_settled();
        }
        self.stride = STRIDE;
        // Both providers are dead: each router has its tries, ever more seldom.
        self.nodes.iter_mut().for_each(|n| n.provider = false);
        let before = self.turns();
        self.run(Duration::from_secs(4 * 3600));
        let turns = self.turns() - before;
        self.require(
            turns <= 24,
            &format!("{turns} turns in four hours without a provider"),
        );
        if !self.nodes[0].settings.preempt {
            // Who has failed while the other had failed too waits for that one to fall again.
            return;
        }
        // One of them is back: it serves, but for the other's tries, after the longest hold-down at the latest.
        let node = self.rng.index(2);
        self.nodes[node].provider = true;
        self.run(RULES.hold_down.times(16) + RULES.timeout.times(2) + DOWN.times(4));
        let mut served = 0;
        for _ in 0..360 {
            self.run(Duration::from_secs(30));
            served += u32::from(self.nodes[node].is_active());
        }
        self.require(served >= 340, "who has a provider is Active");
    }
}

#[test]
fn one_uplink_is_up() {
    let chosen = crate::from_environment("VIPD_SIM_SEED");
    let end = crate::from_environment("VIPD_SIM_SEEDS").map_or(SEEDS, |n| n.min(20 * SEEDS));
    let mut longest = Duration::ZERO;
    let mut total = Counts::default();
    for seed in chosen.map_or(0..end, |seed| seed..seed + 1) {
        let mut pair = Pair::new(seed);
        pair.live();
        longest = longest.max(pair.longest);
        total.add(pair.counts);
    }
    println!("two uplinks were up for {longest} at most; {total:?}");
    let shows = !longest.is_zero() && total.all_occurred();
    assert!(
        chosen.is_some() || shows,
        "never were two up, or something never occurred: nothing is shown"
    );
}
