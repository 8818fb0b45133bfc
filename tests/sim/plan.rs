//! A world drawn from a seed: how many routers, which virtual routers, with which parameters.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::time::Duration;
use vipd::vrrp::router::Spec;
use vipd::vrrp::types::{
    Announce, Auth, ChecksumForm, ChecksumMode, Family, PRIORITY_OWNER, Peer, Settings, Unicast,
    Version,
};

use crate::rng::Rng;

/// One virtual router of the world, run by every node of it.
pub struct Group {
    pub family: Family,
    pub vrid: u8,
    /// Some nodes differ in version, interval or password: they do not hear each other.
    pub misconfigured: bool,
    /// The longest Active_Down_Interval that any node can come to have.
    pub worst_down: Duration,
    pub longest_interval: Duration,
    pub shortest_interval: Duration,
    pub longest_preempt_delay: Duration,
}

/// The parameters of a whole world.
pub struct Plan {
    pub groups: Vec<Group>,
    /// For each node its virtual routers, in the order of `groups`.
    pub nodes: Vec<Vec<Spec>>,
    pub startup_delay: Duration,
    /// In quiet times a frame takes no longer.
    pub quiet_delay: Duration,
}

/// The address that a node sends from.
pub fn source(node: usize, family: Family) -> IpAddr {
    // Not in the order of the nodes, so that index and address decide differently.
    let host = [30, 250, 7, 131, 64][node];
    match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, host).into(),
        Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(host)).into(),
    }
}

/// Where the adverts of a family go.
pub fn destination(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(224, 0, 0, 18).into(),
        Family::V6 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into(),
    }
}

impl Plan {
    pub fn new(rng: &mut Rng) -> Self {
        let nodes = rng.between(2, 5) as usize;
        let base = Duration::from_millis(rng.pick(&[10, 50, 100, 100, 1_000, 1_000]));
        let mut plan = Self {
            groups: Vec::new(),
            nodes: vec![Vec::new(); nodes],
            startup_delay: if rng.percent(20) {
                base.times(rng.between(1, 6))
            } else {
                Duration::ZERO
            },
            quiet_delay: Duration::ZERO,
        };
        for vrid in 0..rng.between(1, 3) as u8 {
            plan.add_group(rng, vrid * 7 + 50, base);
        }
        let shortest = plan
            .groups
            .iter()
            .map(|g| g.shortest_interval.as_micros())
            .min();
        plan.quiet_delay = Duration::from_micros(rng.between(0, shortest.unwrap_or(0) / 16));
        plan
    }

    fn add_group(&mut self, rng: &mut Rng, vrid: u8, base: Duration) {
        let common = common_settings(rng, vrid, base);
        let misconfigured = rng.percent(5);
        let unequal_intervals = common.version == Version::V3 && rng.percent(30);
        let unicast = rng
            .percent(25)
            .then(|| unicast(self.nodes.len(), common.family));
        let owner = rng.percent(15).then(|| rng.index(self.nodes.len()));
        for node in 0..self.nodes.len() {
            let mut settings = individual(rng, &common, base);
            if owner == Some(node) {
                settings.priority = PRIORITY_OWNER;
            }
            if unequal_intervals {
                settings.advert_interval = base.times(rng.between(1, 3));
            }
            if misconfigured && rng.percent(50) {
                misconfigure(rng, &mut settings);
            }
            settings.unicast = unicast.clone();
            self.nodes[node].push(Spec {
                link: 0,
                settings: settings.into(),
            });
        }
        let group = self
            .nodes
            .iter()
            .map(|specs| &*specs[specs.len() - 1].settings);
        self.groups.push(summary(group, vrid, misconfigured));
    }
}

fn common_settings(rng: &mut Rng, vrid: u8, base: Duration) -> Settings {
    let whole_seconds = base.as_micros().is_multiple_of(1_000_000);
    let version = if whole_seconds && rng.percent(60) {
        Version::V2
    } else {
        Version::V3
    };
    let family = match version {
        Version::V3 if rng.percent(30) => Family::V6,
        _ => Family::V4,
    };
    let address = |host: u8| match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, host).into(),
        Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, u16::from(host)).into(),
    };
    let addresses = (0..rng.between(1, 2) as u8).map(|n| address(vrid + n));
    Settings {
        family,
        version,
        vrid,
        priority: 100,
        advert_interval: base.times(rng.between(1, 2)),
        down_timer_adverts: if rng.percent(10) {
            rng.between(2, 5) as u8
        } else {
            3
        },
        preempt: true,
        preempt_delay: Duration::ZERO,
        auth: match version {
            Version::V2 if rng.percent(50) => Auth::Pass(*b"secret\0\0"),
            _ => Auth::None,
        },
        checksum: ChecksumMode::Auto,
        skip_check_adv_addr: rng.percent(50),
        announce: Announce::default(),
        unicast: None,
        trackers: Box::default(),
        addresses: addresses.collect(),
    }
}

/// All routers have one list, with themselves in it.
fn unicast(nodes: usize, family: Family) -> Box<Unicast> {
    let peer = |node| Peer {
        address: source(node, family),
        ttl: 0..=255,
    };
    Box::new(Unicast {
        peers: (0..nodes).map(peer).collect(),
        ttl: 255,
        check_source: false,
    })
}

/// What may differ between routers that understand each other.
fn individual(rng: &mut Rng, common: &Settings, base: Duration) -> Settings {
    let mut settings = common.clone();
    settings.priority = rng.pick(&[1, 50, 100, 100, 101, 150, 200, 254]);
    settings.preempt = rng.percent(70);
    if rng.percent(20) {
        settings.preempt_delay = base.times(rng.between(1, 12));
    }
    settings.checksum = rng.pick(&[
        ChecksumMode::Auto,
        ChecksumMode::Fixed(ChecksumForm::Message),
        ChecksumMode::Fixed(ChecksumForm::PseudoHeader),
    ]);
    settings.announce.master_delay = base.times(rng.between(0, 5));
    settings.announce.master_refresh = base.times(rng.between(0, 3));
    settings.announce.lower_prio_repeat = rng.between(0, 2) as u8;
    if rng.percent(5) {
        settings.addresses = settings.addresses[..1].into();
    }
    settings
}

fn misconfigure(rng: &mut Rng, settings: &mut Settings) {
    match (settings.family, settings.version, rng.below(2)) {
        (Family::V4, Version::V2, 0) => settings.auth = Auth::Pass(*b"other\0\0\0"),
        (Family::V4, Version::V2, _) => {
            settings.advert_interval = settings.advert_interval.times(2)
        }
        (Family::V4, Version::V3, _)
            if settings
                .advert_interval
                .as_micros()
                .is_multiple_of(1_000_000) =>
        {
            settings.version = Version::V2;
        }
        // Nothing keeps IPv6 routers apart but another list of addresses, which is only told.
        _ => settings.addresses = settings.addresses[..1].into(),
    }
}

fn summary<'a>(
    settings: impl Iterator<Item = &'a Settings> + Clone,
    vrid: u8,
    misconfigured: bool,
) -> Group {
    let intervals = || settings.clone().map(|s| s.advert_interval);
    let longest = intervals().max().unwrap_or_default();
    let factor = settings
        .clone()
        .map(|s| s.down_timer_adverts)
        .max()
        .unwrap_or(3);
    Group {
        family: settings
            .clone()
            .map(|s| s.family)
            .next()
            .unwrap_or(Family::V4),
        vrid,
        misconfigured,
        // Skew_Time is at most one interval, in v2 one second.
        worst_down: longest.times(u64::from(factor) + 1),
        longest_interval: longest,
        shortest_interval: intervals().min().unwrap_or_default(),
        longest_preempt_delay: settings.map(|s| s.preempt_delay).max().unwrap_or_default(),
    }
}
