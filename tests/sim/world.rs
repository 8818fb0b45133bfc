//! The virtual network and clock: what happens next, to whom, and what comes of it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Actions};
use vipd::vrrp::instance::Event;
use vipd::vrrp::router::Router;
use vipd::vrrp::types::Family;
use vipd::vrrp::validate::Received;

use crate::node::{Kernel, Link, Node, Packet, SOCKET_BUFFER};
use crate::oracle::{Heard, Oracle};
use crate::plan::{self, Plan};
use crate::rng::Rng;
use crate::stats::Stats;
use crate::watch::Watch;

/// Fails the world if something does not hold: seed and virtual time go into the message.
macro_rules! require {
    ($world:expr, $holds:expr, $($message:tt)+) => {
        if !$holds {
            $world.fail(&format!($($message)+));
        }
    };
}
pub(crate) use require;

/// The clock does not start at zero, as on a machine.
pub const START: Instant = Instant::from_micros(77_000_000);

/// How the network treats frames.
#[derive(Clone, Debug)]
pub struct Weather {
    pub loss_percent: u64,
    pub duplicate_percent: u64,
    pub delay: Duration,
    /// Frames between two nodes keep their order.
    pub in_order: bool,
    /// `blocked[from][to]`.
    pub blocked: Vec<Vec<bool>>,
}

enum What {
    Deliver(usize, Packet),
    Wake(usize),
}

struct Scheduled {
    at: Instant,
    sequence: u64,
    what: What,
}

impl Ord for Scheduled {
    /// Earliest on top of the heap.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

pub struct World {
    pub seed: u64,
    pub trace: bool,
    pub now: Instant,
    pub rng: Rng,
    pub plan: Plan,
    pub nodes: Vec<Node>,
    pub weather: Weather,
    pub watch: Watch,
    pub stats: Stats,
    /// A sum over everything that happened: the same seed gives the same.
    pub fingerprint: u64,
    queue: BinaryHeap<Scheduled>,
    sequence: u64,
    last_arrival: Vec<Vec<Instant>>,
}

impl World {
    pub fn new(seed: u64, trace: bool) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let count = plan.nodes.len();
        let mut world = Self {
            seed,
            trace,
            now: START,
            rng,
            nodes: (0..count)
                .map(|index| empty_node(index, plan.groups.len()))
                .collect(),
            weather: Weather {
                loss_percent: 0,
                duplicate_percent: 0,
                delay: plan.quiet_delay,
                in_order: true,
                blocked: vec![vec![false; count]; count],
            },
            watch: Watch::new(plan.groups.len()),
            stats: Stats::default(),
            fingerprint: 0,
            queue: BinaryHeap::new(),
            sequence: 0,
            last_arrival: vec![vec![START; count]; count],
            plan,
        };
        world.describe();
        (0..count).for_each(|node| world.start(node));
        world
    }

    fn describe(&self) {
        for (index, specs) in self.plan.nodes.iter().enumerate() {
            for spec in specs {
                self.log(|| format!("node {index}: {:?}", spec.settings));
            }
        }
    }

    pub fn log(&self, line: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>12} {}", self.now.since(START).as_micros(), line());
        }
    }

    /// Ends the world.
    pub fn fail(&self, message: &str) -> ! {
        let at = self.now.since(START).as_micros();
        panic!("seed {} at {at} µs: {message}", self.seed);
    }

    /// Starts the process of a node; what its predecessor left in the kernel goes away.
    pub fn start(&mut self, index: usize) {
        let specs = self.plan.nodes[index].clone();
        let oracles = specs.iter().zip(&self.plan.groups);
        let oracles =
            oracles.map(|(s, g)| Oracle::new((*s.settings).clone(), plan::source(index, g.family)));
        let node = &mut self.nodes[index];
        node.oracles = oracles.collect();
        node.kernel.fill(Kernel::default());
        node.warned.clear();
        node.inbox.clear();
        (node.started, node.woke) = (self.now, self.now);
        let group = plan::destination(vipd::vrrp::types::Family::V4);
        node.router = Some(Router::new(specs, group, self.plan.startup_delay, self.now));
        self.log(|| format!("node {index} starts"));
        self.tell_link(index);
    }

    /// Tells all instances of a node what its link is like.
    pub fn tell_link(&mut self, index: usize) {
        for group in 0..self.plan.groups.len() {
            let link = self.nodes[index].link_state(self.plan.groups[group].family);
            self.event(index, group, Event::Link(link));
        }
    }

    /// Something else than an advert or a timer happens to an instance.
    pub fn event(&mut self, index: usize, group: usize, event: Event) {
        let now = self.now;
        self.with_router(index, None, |router, out| {
            let id = router
                .ids()
                .nth(group)
                .expect("every node runs every group");
            router.handle(id, event, now, out);
        });
    }

    /// Lets the process act once, carries out what it asks for, and compares it with the oracle.
    fn with_router(
        &mut self,
        index: usize,
        heard: Option<(usize, Heard)>,
        act: impl FnOnce(&mut Router, &mut Actions),
    ) {
        let Some(mut router) = self.nodes[index].router.take() else {
            return;
        };
        let mut actions = Actions::new();
        let accepted =
            |router: &Router| heard.map(|(group, _)| router.instances()[group].counters().received);
        let before = accepted(&router);
        act(&mut router, &mut actions);
        let accepted = accepted(&router) != before;
        self.nodes[index].router = Some(router);
        if let (Some((group, heard)), true) = (heard, accepted) {
            self.stats.accepted += 1;
            self.nodes[index].oracles[group].heard(heard, self.now);
        }
        for action in actions {
            self.execute(index, action, heard.map(|(_, heard)| heard));
        }
        self.agree_with_oracle(index);
    }

    /// Runs the world up to `end`.
    pub fn run_until(&mut self, end: Instant) {
        loop {
            let timer = self.nodes.iter().map(|n| (n.poll_at(), n.index)).min();
            let timer = timer.expect("a world has nodes");
            let queued = self.queue.peek().map_or(Instant::NEVER, |s| s.at);
            let next = timer.0.min(queued);
            if next > end {
                break;
            }
            self.advance(next);
            // Both at once: either may be first.
            if timer.0 < queued || timer.0 == queued && self.rng.percent(50) {
                self.poll(timer.1);
            } else if let Some(scheduled) = self.queue.pop() {
                self.happen(scheduled.what);
            }
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Instant) {
        require!(self, to >= self.now, "the clock went back");
        if to > self.now {
            self.check_groups();
            self.now = to;
            self.check_groups();
            self.check_silence();
        }
    }

    fn poll(&mut self, index: usize) {
        let now = self.now;
        let mut more = true;
        let mut rounds = 0;
        while more {
            self.with_router(index, None, |router, out| more = router.poll(now, out));
            rounds += 1;
            require!(
                self,
                rounds < 100,
                "node {index}: its timers never come to rest"
            );
        }
        require!(
            self,
            self.nodes[index].poll_at() > now,
            "node {index}: drained, yet something is due"
        );
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Deliver(to, packet) => self.deliver(to, packet),
            What::Wake(index) => self.wake(index),
        }
    }

    fn deliver(&mut self, to: usize, packet: Packet) {
        let node = &mut self.nodes[to];
        if node.router.is_none() || matches!(node.link, Link::Down | Link::Absent) {
            return;
        }
        if node.stalled_until.is_some() {
            if node.inbox.len() < SOCKET_BUFFER {
                node.inbox.push_back(packet);
            }
            return;
        }
        self.receive(to, &packet);
    }

    fn receive(&mut self, to: usize, packet: &Packet) {
        let payload = packet.payload();
        let by_vrid = |g: &plan::Group| payload.get(1) == Some(&g.vrid);
        let group = self.plan.groups.iter().position(by_vrid);
        let heard = group.and_then(|group| {
            let family = self.plan.groups[group].family;
            let advert = vipd::vrrp::wire::Packet::new_checked(payload, family).ok()?;
            let (priority, interval) = (advert.priority(), advert.interval());
            Some((
                group,
                Heard {
                    source: packet.source,
                    priority,
                    interval,
                },
            ))
        });
        self.log(|| format!("node {to} receives {heard:?}"));
        let now = self.now;
        let received = Received {
            link: 0,
            source: packet.source,
            destination: packet.destination,
            ttl: 255,
            payload,
        };
        self.with_router(to, heard, |router, out| router.receive(&received, now, out));
    }

    /// A process stands still for a while.
    pub fn stall(&mut self, index: usize, span: Duration) {
        let until = self.now + span;
        self.nodes[index].stalled_until = Some(until);
        self.stats.stalls += 1;
        self.log(|| format!("node {index} stands still for {span}"));
        self.schedule(until, What::Wake(index));
    }

    /// Back from a stall: as the daemon does when it is late, it reads before it looks at timers.
    fn wake(&mut self, index: usize) {
        if self.nodes[index].stalled_until != Some(self.now) {
            // Killed meanwhile.
            return;
        }
        self.nodes[index].stalled_until = None;
        self.nodes[index].woke = self.now;
        self.log(|| format!("node {index} wakes up"));
        self.watch.disturbed(self.now);
        let inbox: VecDeque<Packet> = std::mem::take(&mut self.nodes[index].inbox);
        for packet in &inbox {
            self.receive(index, packet);
        }
        self.poll(index);
        // Then what the kernel said meanwhile.
        self.tell_link(index);
        for group in 0..self.plan.groups.len() {
            if self.nodes[index].kernel[group].taken.is_some() {
                self.event(index, group, Event::AddressLost);
            }
        }
    }

    fn schedule(&mut self, at: Instant, what: What) {
        self.sequence += 1;
        self.queue.push(Scheduled {
            at,
            sequence: self.sequence,
            what,
        });
    }

    /// Sends a frame to every other node, as the weather lets it.
    pub fn send(&mut self, from: usize, packet: &Packet) {
        for to in 0..self.nodes.len() {
            let family = Family::of(&packet.destination);
            let is_its = |to| packet.destination == plan::source(to, family);
            let unicast = packet.destination != plan::destination(family);
            if to == from || self.nodes[from].link != Link::Up || unicast && !is_its(to) {
                continue;
            }
            if self.weather.blocked[from][to] || self.rng.percent(self.weather.loss_percent) {
                self.stats.lost += 1;
                continue;
            }
            self.transmit(from, to, packet.clone());
            if self.rng.percent(self.weather.duplicate_percent) {
                self.stats.duplicated += 1;
                self.transmit(from, to, packet.clone());
            }
        }
    }

    fn transmit(&mut self, from: usize, to: usize, packet: Packet) {
        let mut at =
            self.now + Duration::from_micros(self.rng.below(self.weather.delay.as_micros() + 1));
        let last = self.last_arrival[from][to];
        if at < last {
            if self.weather.in_order {
                at = last;
            } else {
                self.stats.reordered += 1;
            }
        }
        self.last_arrival[from][to] = at.max(last);
        self.schedule(at, What::Deliver(to, packet));
    }

    /// A frame from nowhere to one node.
    pub fn inject(&mut self, to: usize, packet: Packet) {
        self.schedule(self.now, What::Deliver(to, packet));
    }

    /// Everything that is on its way has arrived by then.
    pub fn last_arrival(&self) -> Instant {
        let deliveries = self
            .queue
            .iter()
            .filter(|s| matches!(s.what, What::Deliver(..)));
        deliveries.map(|s| s.at).max().unwrap_or(self.now)
    }

    /// Takes a step into the fingerprint.
    pub fn mark(&mut self, value: u64) {
        let mixed = self.fingerprint ^ value ^ self.now.as_micros();
        self.fingerprint = mixed.wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
    }

    /// Applies `change` to the settings of the weather and logs it.
    pub fn weather(&mut self, change: impl FnOnce(&mut Weather)) {
        change(&mut self.weather);
        self.log(|| format!("weather {:?}", self.weather));
    }

    /// Kills the process: its state is gone, its addresses stay in the kernel.
    pub fn crash(&mut self, index: usize) {
        self.log(|| format!("node {index} is killed"));
        let node = &mut self.nodes[index];
        node.router = None;
        node.stalled_until = None;
        node.oracles.iter_mut().for_each(Oracle::enter_initialize);
        self.stats.crashes += 1;
    }

    /// Whether an action of this node can be heard by anybody.
    pub fn action_log(&self, index: usize, action: &Action) {
        self.log(|| format!("node {index} {action:?}"));
    }
}

fn empty_node(index: usize, groups: usize) -> Node {
    Node {
        index,
        router: None,
        link: Link::Up,
        started: START,
        stalled_until: None,
        woke: START,
        inbox: VecDeque::new(),
        oracles: Vec::new(),
        kernel: vec![Kernel::default(); groups],
        warned: Vec::new(),
    }
}
