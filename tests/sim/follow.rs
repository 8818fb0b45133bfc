//! What follows the Active of the pair beside its uplink: the gate of DHCP and router advertisements, as
//! `daemon::executor::follow` carries them out; and a host at each router's port that believes what it hears.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use vipd::limits;
use vipd::ra::{Advertiser, Content, Known, Timing, Turn};
use vipd::time::{Duration, Instant};
use vipd::vrrp::opening::Opening;

use crate::rng::Rng;
use crate::uplink::Pair;

/// From one advertisement to the next, at most: RFC 4861's default, and ours without a virtual address.
const LONGEST: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(30)];
/// Two routers that hear each other: an interval, the longest way of a frame, and what a step is coarser.
const HEARD: Duration = Duration::from_secs(2);
/// From one solicitation of a host to the next.
const SOLICITS: Duration = Duration::from_secs(30);
const VIRTUAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x50);

/// How the LAN is numbered.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// There is a virtual link-local address.
    has_virtual: bool,
    /// The prefix comes and goes with the uplink.
    delegated: bool,
    /// Both routers have the same.
    shared: bool,
}

impl Plan {
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            has_virtual: rng.percent(50),
            delegated: rng.percent(50),
            shared: rng.percent(50),
        }
    }

    fn timing(&self) -> Timing {
        match self.has_virtual {
            true => Timing::STABLE,
            false => Timing::OWN,
        }
    }

    /// From one advertisement to the next.
    pub fn longest(&self) -> Duration {
        LONGEST[usize::from(!self.has_virtual)]
    }

    fn source(&self, node: usize) -> Ipv6Addr {
        match self.has_virtual {
            true => VIRTUAL,
            false => own(node),
        }
    }

    fn prefix(&self, node: usize) -> Ipv6Addr {
        let site = if self.shared { 0 } else { node as u16 };
        Ipv6Addr::new(0x2001, 0xdb8, site, 1, 0, 0, 0, 0)
    }

    /// As `daemon::ra::Scene::speech` gathers it.
    fn content(&self, node: usize, has_uplink: bool, now: Instant) -> Content {
        let mut content = Content::default();
        let known = |address| Known {
            address,
            prefix_len: 64,
            preferred_until: Instant::NEVER,
            valid_until: Instant::NEVER,
        };
        content.address(&known(own(node)), now);
        if has_uplink || !self.delegated {
            content.address(&known(self.prefix(node)), now);
        }
        content.finish(self.timing(), self.source(node));
        content
    }
}

fn own(node: usize) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2 + node as u16)
}

/// An advertisement on its way.
#[derive(Clone, Debug)]
pub struct Said {
    from: usize,
    source: Ipv6Addr,
    content: Content,
}

/// The part of a daemon.
#[derive(Debug)]
pub struct Follower {
    opening: Opening,
    /// Requests are dropped before the DHCP server hears them.
    pub shut: bool,
    advertiser: Advertiser,
    /// Another Active was heard.
    pub contradicted: bool,
    /// Transitions, and how many there were when they were followed.
    pub changes: u64,
    followed: Option<u64>,
    pub active_since: Option<Instant>,
    last: Instant,
}

impl Follower {
    /// Before anybody is Active here it is shut.
    pub fn new() -> Self {
        Self {
            opening: Opening::default(),
            shut: true,
            advertiser: Advertiser::new(),
            contradicted: false,
            changes: 0,
            followed: None,
            active_since: None,
            last: Instant::ZERO,
        }
    }

    /// A host looks for a router.
    pub fn solicited(&mut self, now: Instant) {
        self.advertiser.solicited(now);
    }

    /// What `sys::solicit` lets through besides.
    pub fn hear(&mut self, said: &Said, now: Instant) -> bool {
        let Content {
            lifetime, prefixes, ..
        } = &said.content;
        let heard = *lifetime == 0 && prefixes.first().is_some_and(|p| p.preferred == 0);
        if heard {
            self.advertiser.solicited(now);
        }
        heard && self.advertiser.runs()
    }

    /// Behind adverts and addresses of a wakeup.
    fn tend(&mut self, plan: &Plan, node: usize, has_uplink: bool, now: Instant) -> Vec<Said> {
        let mut said = Vec::new();
        let active = self.active_since.is_some();
        let content = plan.content(node, has_uplink, now);
        if self.contradicted || self.followed != Some(self.changes) || now >= self.opening.poll_at()
        {
            self.followed = Some(self.changes);
            if let Some(shut) = self.opening.tend(active, self.shut, now) {
                self.shut = shut;
            }
            let contradicted = std::mem::take(&mut self.contradicted);
            match self.advertiser.turn(active, contradicted, now) {
                Turn::Stay => {}
                Turn::Begin => self.advertiser.start(node as u32 * 7 + 2, now),
                Turn::End => {
                    let (source, mut content) = (own(node), content.clone());
                    content.farewell(source);
                    said.push(Said {
                        from: node,
                        source,
                        content,
                    });
                }
            }
        }
        // What the kernel tells of addresses.
        if self.advertiser.is_outdated(&content.prefixes) {
            self.advertiser.stir(now);
        }
        if now >= self.advertiser.poll_at() {
            let mut content = content;
            self.advertiser
                .send(plan.timing(), &mut content.prefixes, now);
            self.last = now;
            said.push(Said {
                from: node,
                source: plan.source(node),
                content,
            });
        }
        said
    }
}

/// What a host knows (RFC 4861 §6.3.4).
#[derive(Debug, Default)]
pub struct Host {
    /// Until when they are default routers.
    routers: BTreeMap<Ipv6Addr, Instant>,
    /// Which machine an address is.
    machines: BTreeMap<Ipv6Addr, usize>,
    /// Until when prefixes are preferred.
    preferred: BTreeMap<Ipv6Addr, Instant>,
    asked: Option<Instant>,
}

impl Host {
    pub fn hear(&mut self, said: &Said, now: Instant) {
        let source = said.source;
        self.machines.insert(source, said.from);
        let until = now + Duration::from_secs(said.content.lifetime.into());
        self.routers.insert(source, until);
        for prefix in &said.content.prefixes {
            let until = now + Duration::from_secs(prefix.preferred.into());
            self.preferred.insert(prefix.address, until);
        }
    }

    /// It looks for a router now (RFC 7559, but for the growing gaps).
    pub fn solicits(&mut self, now: Instant) -> bool {
        let lost = self.routers.values().all(|until| now >= *until);
        let due = self.asked.is_none_or(|last| now.since(last) >= SOLICITS);
        if lost && due {
            self.asked = Some(now);
        }
        lost && due
    }
}

impl Pair {
    /// What a wakeup of a node ends with.
    pub fn follow(&mut self, node: usize) {
        let (now, plan) = (self.now, self.plan);
        let has_uplink = self.has_uplink(node);
        let follower = &mut self.nodes[node].follower;
        let ran = follower.advertiser.runs();
        let active = follower.active_since.is_some();
        let said = follower.tend(&plan, node, has_uplink, now);
        self.require(
            active == self.nodes[node].is_active(),
            "every transition is told",
        );
        let is_last = |said: &Said| said.content.lifetime == 0 && said.source == own(node);
        self.require(
            active || said.iter().all(is_last),
            "who is not Active advertises itself",
        );
        self.require(
            active || said.len() == usize::from(ran),
            "who leaves says so, once",
        );
        self.counts.farewells += u32::from(!active && ran);
        for said in said {
            self.broadcast(node, &said);
        }
    }

    /// At the end of each step.
    pub fn check_followers(&mut self) {
        let now = self.now;
        // The steps are as long as that.
        let late = self.stride;
        for node in self.nodes.iter().filter(|n| n.router.is_some()) {
            let Follower {
                shut,
                active_since,
                last,
                ..
            } = node.follower;
            let Some(since) = active_since else {
                self.require(shut, "DHCP is served by who is not Active");
                continue;
            };
            let opens = since + limits::DHCP_PATIENCE;
            self.require(
                shut || now >= opens,
                "DHCP is served before the other has heard of it",
            );
            self.require(
                !shut || now < opens + late,
                "DHCP is not served by the Active",
            );
            let gap = self.plan.longest() + late;
            self.require(
                now.since(last.max(since)) <= gap,
                "the Active does not advertise itself",
            );
        }
        let both = self
            .nodes
            .iter()
            .all(|n| n.router.is_some() && !n.follower.shut);
        if self.cut || self.lossy || self.nodes.iter().any(|n| n.is_blocked(now)) {
            self.deaf_at = now;
        }
        self.require(
            !both || now.since(self.deaf_at) <= HEARD,
            "two routers serve DHCP",
        );
    }

    /// In peace: hosts use the Active, and nobody else. Or what is wrong.
    pub fn check_hosts(&self) -> Result<(), &'static str> {
        let active = self.nodes.iter().position(|n| n.is_active());
        let active = active.ok_or("nobody is Active")?;
        let (now, source) = (self.now, self.plan.source(active));
        for host in &self.hosts {
            let known = host.routers.iter().filter(|(_, until)| now < **until);
            let known: Vec<_> = known.map(|(router, _)| *router).collect();
            if known != [source] {
                return Err("a host has other routers than the Active");
            }
            if host.machines.get(&source) != Some(&active) {
                return Err("a host takes the other router for the Active");
            }
            let until = host.preferred.get(&self.plan.prefix(active));
            if until.is_none_or(|until| now >= *until) {
                return Err("a host does not prefer the Active's prefix");
            }
        }
        Ok(())
    }
}
