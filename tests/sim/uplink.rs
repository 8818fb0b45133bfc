//! Uplinks: two routers on one LAN, each with a provider. Whatever fails, two uplinks are up at once for
//! no longer than it takes to hear of it and to take one down.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use vipd::limits;
use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Actions, Id};
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::router::{Router, Spec};
use vipd::vrrp::track::{Kind, Reading, Tracker, Watched};
use vipd::vrrp::trial::{Rules, WEIGHT};
use vipd::vrrp::types::{Announce, Auth, ChecksumMode, Family, Settings, State, Version};
use vipd::vrrp::uplink::{Seen, Uplink};
use vipd::vrrp::validate::Received;

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
const SEEDS: u64 = 60;

/// netifd's side of an uplink.
#[derive(Debug, Default)]
struct Interface {
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

struct Node {
    settings: Rc<Settings>,
    router: Option<Router>,
    uplink: Uplink,
    netifd: Interface,
    provider: bool,
    restart_at: Option<Instant>,
    turns: u32,
}

impl Node {
    fn is_active(&self) -> bool {
        let router = self.router.as_ref();
        router.is_some_and(|r| r.instances()[0].state() == State::Active)
    }
}

struct Pair {
    seed: u64,
    now: Instant,
    rng: Rng,
    nodes: Vec<Node>,
    cut: bool,
    frames: Vec<(usize, Vec<u8>)>,
    /// Since when both uplinks are up, and nothing excuses it.
    both_since: Option<Instant>,
    stride: Duration,
    longest: Duration,
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
                family: Family::V4,
                version: Version::V3,
                vrid: 50,
                priority: 150 - 50 * place as u8,
                advert_interval: INTERVAL,
                down_timer_adverts: 3,
                preempt,
                preempt_delay: Duration::ZERO,
                auth: Auth::None,
                checksum: ChecksumMode::Auto,
                skip_check_adv_addr: false,
                announce: Announce::default(),
                unicast: None,
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
            }),
            router: None,
            uplink: Uplink::default(),
            netifd: Interface {
                auto: rng.percent(30),
                ..Interface::default()
            },
            provider: true,
            restart_at: None,
            turns: 0,
        };
        let nodes = (0..2).map(|place| node(place, &mut rng)).collect();
        let mut pair = Self {
            seed,
            now: Instant::from_micros(90_000_000),
            rng,
            nodes,
            cut: false,
            frames: Vec::new(),
            both_since: None,
            stride: STEP,
            longest: Duration::ZERO,
        };
        // Both are switched on at once: netifd starts what is `auto`, then vipd.
        for node in 0..2 {
            pair.boot(node);
            pair.start(node);
        }
        pair
    }

    #[track_caller]
    fn require(&self, holds: bool, what: &str) {
        let states: Vec<_> = self
            .nodes
            .iter()
            .map(|n| (n.is_active(), &n.netifd, &n.uplink))
            .collect();
        assert!(
            holds,
            "seed {} at {:?}: {what}: {states:#?}",
            self.seed, self.now
        );
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
        self.nodes[node].router = Some(Router::new(vec![spec], group, Duration::ZERO, self.now));
        self.nodes[node].uplink = Uplink::default();
        self.nodes[node].restart_at = None;
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
        self.nodes[node].router = None;
        self.nodes[node].netifd.request = None;
        self.nodes[node].restart_at = Some(self.now + pause);
    }

    fn act(&mut self, node: usize, act: impl FnOnce(&mut Router, &mut Actions)) {
        let Some(mut router) = self.nodes[node].router.take() else {
            return;
        };
        let mut out = Actions::new();
        act(&mut router, &mut out);
        for action in &out {
            match *action {
                Action::Advert(id, priority) if !self.cut => {
                    for repr in router.adverts(id, priority) {
                        let mut bytes = vec![0; repr.buffer_len()];
                        repr.emit(&mut bytes);
                        self.frames.push((1 - node, bytes));
                    }
                }
                Action::StateChanged(_, change) if change.to == State::Active => {
                    self.nodes[node].turns += 1;
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
        if self.nodes[node].router.is_none() {
            if self.nodes[node].restart_at.is_some_and(|at| now >= at) {
                self.start(node);
            }
            return;
        }
        let is_active = self.nodes[node].is_active();
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
            uplink.ended(good, false, now);
        }
        if netifd.news_at.is_some_and(|at| now >= at) {
            netifd.news_at = netifd.up_at.filter(|at| now < *at).map(|at| at + NEWS);
            uplink.saw(netifd.seen(now), now, now);
        }
    }

    fn step(&mut self) {
        self.now += self.stride;
        let now = self.now;
        for (to, bytes) in std::mem::take(&mut self.frames) {
            let received = Received {
                link: 0,
                source: IpAddr::V4(source(1 - to)),
                destination: plan::destination(Family::V4),
                ttl: 255,
                payload: &bytes,
            };
            self.act(to, |router, out| router.receive(&received, now, out));
        }
        (0..2).for_each(|node| self.serve(node));
        let both = self.nodes.iter().all(|n| n.netifd.seen(now) == Seen::Up);
        // Who is dead takes nothing down, and who hears nobody is Active.
        let excused = self.cut || self.nodes.iter().any(|n| n.router.is_none());
        self.both_since = match both && !excused {
            true => self.both_since.or(Some(now)),
            false => None,
        };
        if let Some(since) = self.both_since {
            self.longest = self.longest.max(now.since(since));
            self.require(now.since(since) <= BOUND, "two uplinks are up");
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.step();
        }
    }

    fn fault(&mut self) {
        let node = self.rng.index(2);
        match self.rng.below(5) {
            0 => self.nodes[node].provider ^= true,
            1 => self.cut ^= true,
            2 if self.nodes[node].router.is_some() => self.kill(node),
            3 => self.boot(node),
            _ => {}
        }
    }

    /// In peace: one Active, its uplink is up, and the other's is down.
    fn check_settled(&mut self) {
        self.cut = false;
        self.run(DOWN + DOWN + limits::UPLINK_GAP_MAX + Duration::from_secs(30));
        // The end of a hold-down may fall into this moment.
        let end = self.now + BOUND + DOWN + LEASE;
        while self.now < end && !self.is_settled() {
            self.step();
        }
        self.require(
            self.is_settled(),
            "one Active, its uplink is up, and no other",
        );
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
    for seed in chosen.map_or(0..end, |seed| seed..seed + 1) {
        let mut pair = Pair::new(seed);
        pair.live();
        longest = longest.max(pair.longest);
    }
    println!("two uplinks were up for {longest} at most");
    assert!(
        chosen.is_some() || !longest.is_zero(),
        "never were two up: nothing is shown"
    );
}
