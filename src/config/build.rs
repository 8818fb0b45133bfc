//! Drafts → [`Config`]: inheritance, defaults, and what must hold between words.

use core::mem::take;
use core::net::Ipv4Addr;
use std::rc::Rc;

use super::checks;
use super::error::{Placed, Report};
use super::family;
use super::model::{
    Config, Dialect, GarpMode, Globals, Group, Instance, Program, Programs, Receive, Script,
    Urgency, Vip,
};
use super::probe;
use super::read::{Drafts, InstanceDraft};
use super::routing::Item;
use super::schema::{Draft, FOLLOW, Plain};
use super::script;
use super::strict;
use super::track::{self, Entry};
use super::vip::PlacedVip;
use super::vmac::Names;
use crate::limits;
use crate::time::Duration;
use crate::vrrp::track::Tracker;
use crate::vrrp::trial::Rules;
use crate::vrrp::types::{
    Announce, Auth, ChecksumForm, ChecksumMode, Family, PRIORITY_OWNER, Peer, Settings, TTL,
    Unicast, Version,
};

/// The group of RFC 9568 §5.1.1.2.
const MCAST_GROUP4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// keepalived's default, and RFC 9568 §5.2.4's for a router that does not own the addresses.
const PRIORITY_DEFAULT: u8 = 100;
/// How long the programs at start and end may take.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long `notify_leave` may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long uplinks may take to come up.
const UPLINK_TIMEOUT: Duration = Duration::from_secs(60);
/// How long their failures count.
const UPLINK_HOLD_DOWN: Duration = Duration::from_secs(300);
/// The bytes of an `auth_pass` that count (RFC 2338 §5.3.10).
const AUTH_BYTES: usize = 8;

/// The configuration, which takes what it can out of the drafts; meaningless if the report has errors.
pub(crate) fn build(
    drafts: &mut Drafts,
    mut scripts: Vec<Rc<Script>>,
    dialect: Dialect,
    report: &mut Report,
) -> Config {
    let mut names = Names::new(drafts, report);
    let files = track::files(drafts, report);
    let processes = track::processes(drafts, report);
    let globals = &mut drafts.globals;
    checks::checksum_words(globals, report);
    let vips = static_addresses(globals, report);
    let routes = routing(globals);
    let mut built: Vec<Instance> = Vec::with_capacity(drafts.instances.len());
    for draft in &mut drafts.instances {
        let mut builder = Builder {
            globals,
            report,
            names: &mut names,
        };
        if let Some(mut instance) = builder.instance(draft) {
            if built.iter().any(|before| share_follower(before, &instance)) {
                report.error(
                    &draft.span,
                    format_args!(
                        "another instance of this interface has `dhcp follow` or `ra follow`, too\n\
                         leave it in one of the two"
                    ),
                );
            }
            share_interface(&mut instance, built.last());
            built.push(instance);
        }
    }
    script::keep_tracked(&mut scripts, &built);
    let mut groups = Vec::with_capacity(drafts.groups.len());
    for InstanceDraft { name, draft, .. } in &mut drafts.groups {
        groups.push(Group {
            name: (**name).into(),
            programs: programs(&mut draft.programs),
        });
    }
    let plain = &globals.plain;
    Config {
        dialect,
        vips,
        routes,
        scripts,
        probes: probe::build(&drafts.watched, &built, report),
        delays: take(&mut globals.delays).into(),
        files,
        processes,
        groups: groups.into(),
        globals: Globals {
            programs: programs(&mut globals.programs),
            startup_timeout: value(&plain.startup_timeout).unwrap_or(SCRIPT_TIMEOUT),
            shutdown_timeout: value(&plain.shutdown_timeout).unwrap_or(SCRIPT_TIMEOUT),
            states_on_reload: value(&plain.states_on_reload).unwrap_or(false),
            hotplug_keepalived: value(&plain.hotplug_keepalived).unwrap_or(false),
            startup_delay: value(&plain.startup_delay).unwrap_or(Duration::ZERO),
            urgency: Urgency {
                nice: value(&plain.priority).map(u32::cast_signed),
                realtime: value(&plain.unicast_ttl),
                no_swap: value(&plain.preempt).unwrap_or(false),
            },
            mcast_group4: value(&plain.mcast_group4).unwrap_or(MCAST_GROUP4),
            garp_interval: value(&plain.garp_interval).unwrap_or(Duration::ZERO),
            router_id: globals.router_id.as_ref().map(|p| (*p.value).into()),
        },
        instances: built,
    }
}

/// `static_ipaddress`, each with its interface.
fn static_addresses(globals: &mut Draft, report: &mut Report) -> Box<[Vip]> {
    let mut vips = Vec::with_capacity(globals.vips.len());
    for PlacedVip { mut vip, span, .. } in take(&mut globals.vips) {
        if vip.dev.is_none() {
            vip.dev = globals.interface.as_ref().map(|own| Rc::clone(&own.value));
        }
        if vip.dev.is_none() {
            report.error(
                &span,
                format_args!(
                    "{} has no interface\n\
                     write `dev INTERFACE` behind it, or `default_interface` in `global_defs`",
                    vip.address
                ),
            );
        }
        vips.push(vip);
    }
    vips.into()
}

/// Routes, and behind them rules.
fn routing(draft: &mut Draft) -> Box<[Rc<Item>]> {
    draft.routes.append(&mut draft.rules);
    take(&mut draft.routes).into()
}

/// Two instances could not agree on what is one thing of their interface.
fn share_follower(one: &Instance, other: &Instance) -> bool {
    one.interface == other.interface && (one.dhcp && other.dhcp || one.ra && other.ra)
}

/// One copy of the name for the instances of an interface that follow one another.
fn share_interface(instance: &mut Instance, before: Option<&Instance>) {
    if let Some(before) = before.filter(|before| before.interface == instance.interface) {
        instance.interface = Rc::clone(&before.interface);
    }
}

fn programs(placed: &mut Vec<Placed<Program>>) -> Programs {
    let mut programs = Vec::with_capacity(placed.len());
    for placed in take(placed) {
        programs.push(placed.value);
    }
    programs.into()
}

fn value<T: Copy>(slot: &Option<Placed<T>>) -> Option<T> {
    slot.as_ref().map(|placed| placed.value)
}

struct Builder<'a> {
    globals: &'a Draft,
    report: &'a mut Report,
    names: &'a mut Names,
}

impl Builder<'_> {
    /// None if something that an instance cannot do without is missing or wrong.
    fn instance(&mut self, instance: &mut InstanceDraft) -> Option<Instance> {
        let family = family::of(&instance.draft);
        let version = match self.inherit(&instance.draft, |d| value(&d.version)) {
            Some(3) => Version::V3,
            _ if family == Family::V6 => Version::V3,
            _ => Version::V2,
        };
        checks::checksum_words(&instance.draft, self.report);
        checks::required(instance, self.globals, self.report);
        let draft = &mut instance.draft;
        let priority = priority(draft);
        strict::settle(draft, self.globals, (version, priority), self.report);
        let advert_interval = checks::advert_interval(draft, version, self.report);
        let auth = self.auth(draft, version);
        let (preempt, preempt_delay) = self.preempt(draft, priority);
        checks::source_address(draft, self.report);
        checks::peers(draft, self.report);
        let address_lease = self.address_lease(draft);
        let addresses = draft.vips.iter().take(draft.advertised);
        let settings = Settings {
            family,
            version,
            vrid: byte(&draft.plain.vrid)?,
            priority,
            advert_interval: advert_interval?,
            down_timer_adverts: self
                .inherit(draft, |d| byte(&d.down_timer_adverts))
                .unwrap_or(3),
            preempt,
            preempt_delay,
            auth,
            checksum: self.checksum(draft),
            skip_check_adv_addr: self
                .inherit(draft, |d| value(&d.skip_check_adv_addr))
                .unwrap_or(false),
            announce: self.announce(draft),
            unicast: self.unicast(draft),
            trackers: self.trackers(draft, priority),
            addresses: addresses.map(|placed| placed.vip.address).collect(),
        };
        let interface = draft.interface.as_ref();
        let interface = interface.or(self.globals.interface.as_ref())?;
        let interface = Rc::clone(&interface.value);
        if settings.addresses.is_empty() {
            return None;
        }
        let macvlans = self
            .names
            .macvlans(draft, &interface, &settings, self.report);
        let mut vips = Vec::with_capacity(draft.vips.len());
        for placed in take(&mut draft.vips) {
            vips.push(placed.vip);
        }
        let plain = &draft.plain;
        Some(Instance {
            uplinks: draft.members.iter().map(|p| Rc::clone(&p.value)).collect(),
            uplink_rules: Rules {
                timeout: value(&plain.uplink_timeout).unwrap_or(UPLINK_TIMEOUT),
                hold_down: value(&plain.uplink_hold_down).unwrap_or(UPLINK_HOLD_DOWN),
            },
            vmac_adverts: draft.use_vmac.is_some()
                && !value(&plain.vmac_xmit_base).unwrap_or(false)
                && settings.unicast.is_none(),
            macvlans,
            accept: strict::accept(draft, self.globals, priority),
            dhcp: value(&plain.dhcp) == Some(FOLLOW),
            ra: value(&plain.ra) == Some(FOLLOW),
            garp_mode: garp_mode(self.inherit(draft, |d| value(&d.garp_mode))),
            receive: receive(self.inherit(draft, |d| value(&d.receive))),
            leave_timeout: value(&plain.leave_timeout).unwrap_or(LEAVE_TIMEOUT),
            notify_priority: self
                .inherit(draft, |d| value(&d.notify_priority))
                .unwrap_or(false),
            ignores_link: value(&plain.dont_track_primary).unwrap_or(false),
            source: value(&plain.unicast_src_ip).or(value(&plain.mcast_src_ip)),
            name: take(&mut instance.name),
            interface,
            settings: Rc::new(settings),
            group: instance.group.take(),
            programs: programs(&mut draft.programs),
            vips: vips.into(),
            address_lease,
            routes: routing(draft),
        })
    }

    /// What the instance says, or else `global_defs`.
    fn inherit<T>(&self, own: &Draft, get: impl Fn(&Plain) -> Option<T>) -> Option<T> {
        get(&own.plain).or_else(|| get(&self.globals.plain))
    }

    /// v2 only: PASS, cut at 8 bytes. keepalived says the same in other words.
    fn auth(&mut self, draft: &Draft, version: Version) -> Auth {
        let Some(kind) = &draft.plain.auth_type else {
            let failed = draft.has_failed("auth_type");
            if let Some(pass) = draft.auth_pass.as_ref().filter(|_| !failed) {
                self.report.warn(
                    &pass.span,
                    format_args!(
                        "`auth_pass` has no effect without a type\n\
                         write `auth_type PASS`, or remove it"
                    ),
                );
            }
            return Auth::None;
        };
        if version == Version::V3 {
            let message = format_args!("VRRP version 3 has no authentication: it is ignored");
            let help = match family::of(draft) {
                Family::V4 => format_args!("remove it, or write `version 2`"),
                Family::V6 => format_args!("remove it: IPv6 has version 3 only"),
            };
            self.report.warn_with(&kind.span, message, help);
            return Auth::None;
        }
        if kind.value == "AH" {
            self.report.error(
                &kind.span,
                format_args!(
                    "`auth_type AH` is not supported yet by vipd\n\
                     write `auth_type PASS` on all routers of this virtual router"
                ),
            );
            return Auth::None;
        }
        let Some(pass) = draft
            .auth_pass
            .as_ref()
            .filter(|pass| !pass.value.is_empty())
        else {
            self.report.warn(
                &kind.span,
                format_args!(
                    "`auth_type PASS` without a password: adverts carry none\n\
                     add `auth_pass`, or remove `auth_type`"
                ),
            );
            return Auth::None;
        };
        if pass.value.len() > AUTH_BYTES {
            self.report.warn(
                &pass.span,
                format_args!(
                    "the password is longer than {AUTH_BYTES} bytes\n\
                     the first {AUTH_BYTES} count; cut it on all routers"
                ),
            );
        }
        let mut bytes = [0; AUTH_BYTES];
        for (to, from) in bytes.iter_mut().zip(pass.value.bytes()) {
            *to = from;
        }
        Auth::Pass(bytes)
    }

    /// Preempt_Mode and the delay. keepalived clears what cannot work; so do we.
    fn preempt(&mut self, draft: &Draft, priority: u8) -> (bool, Duration) {
        let mut preempt = value(&draft.plain.preempt).unwrap_or(true);
        let mut delay = value(&draft.plain.preempt_delay).unwrap_or(Duration::ZERO);
        let master = draft
            .plain
            .state
            .as_ref()
            .filter(|state| state.value == "MASTER");
        if let Some(placed) = draft.plain.preempt.as_ref().filter(|placed| !placed.value) {
            if let Some(state) = master {
                let message = format_args!("`nopreempt` does not go with `state MASTER`");
                let help = format_args!(
                    "it is ignored, as in keepalived; write `state BACKUP` to have it"
                );
                self.report.warn_at(&placed.span, message, state.span, help);
                preempt = true;
            } else if priority == PRIORITY_OWNER {
                self.report.warn(
                    &placed.span,
                    format_args!(
                        "`nopreempt` does not go with priority 255: the owner always preempts\n\
                         it is ignored; write a priority from 1 to 254 to have it"
                    ),
                );
                preempt = true;
            }
        }
        if let Some(placed) = draft
            .plain
            .preempt_delay
            .as_ref()
            .filter(|_| !delay.is_zero())
        {
            if let Some(state) = master {
                let message = format_args!("`preempt_delay` does not go with `state MASTER`");
                let help = format_args!(
                    "it is ignored, as in keepalived; write `state BACKUP` to have it"
                );
                self.report.warn_at(&placed.span, message, state.span, help);
                delay = Duration::ZERO;
            } else if !preempt {
                self.report.warn(
                    &placed.span,
                    format_args!(
                        "`preempt_delay` does not go with `nopreempt`\n\
                         it is ignored, as in keepalived; remove one of the two to have it"
                    ),
                );
                delay = Duration::ZERO;
            }
        }
        (preempt, delay)
    }

    /// keepalived without a peer goes back to multicast; so do we, but we say so.
    fn unicast(&mut self, draft: &Draft) -> Option<Box<Unicast>> {
        let waits = value(&draft.plain.unicast_fault_no_peer).unwrap_or(false);
        let failed = draft.has_failed("unicast_peer");
        if draft.peers.is_empty() && !waits {
            if let Some(source) = draft.plain.unicast_src_ip.as_ref().filter(|_| !failed) {
                self.report.warn(&source.span, format_args!("`unicast_src_ip` without a `unicast_peer`: adverts go to the multicast group\n\
                                                             add `unicast_peer {{ ADDRESS }}`, or write `mcast_src_ip`"));
            }
            return None;
        }
        let mut peers: Vec<Peer> = Vec::with_capacity(draft.peers.len());
        let mut bounded = false;
        for Placed { value, .. } in &draft.peers {
            bounded |= value.ttl != (0..=u8::MAX);
            peers.push(value.clone());
        }
        let check_source = self.inherit(draft, |d| value(&d.check_unicast_src));
        Some(Box::new(Unicast {
            peers: peers.into(),
            ttl: byte(&draft.plain.unicast_ttl).unwrap_or(TTL),
            check_source: check_source.unwrap_or(bounded),
        }))
    }

    fn trackers(&mut self, draft: &Draft, priority: u8) -> Box<[Tracker]> {
        if let Some(first) = draft.tracked.get(limits::TRACKERS) {
            self.report.error(
                &first.span,
                format_args!(
                    "more than {} trackers\n\
                     track fewer; those of the other members of a sync group count too",
                    limits::TRACKERS
                ),
            );
        }
        let weighted = |placed: &&Placed<Entry>| placed.value.weight != Some(0);
        let weighted = draft.tracked.iter().find(weighted);
        if let Some(placed) = weighted.filter(|_| priority == PRIORITY_OWNER) {
            self.report.warn(
                &placed.span,
                format_args!(
                    "a weight has no effect on priority 255\n\
                     write a priority from 1 to 254, or remove the weight to make it a condition"
                ),
            );
        }
        let mut trackers = Vec::with_capacity(draft.tracked.len());
        for placed in &draft.tracked {
            trackers.push(placed.value.tracker());
        }
        trackers.into()
    }

    fn checksum(&self, draft: &Draft) -> ChecksumMode {
        self.inherit(draft, |d| {
            match (value(&d.checksum), value(&d.checksum_as_v2)) {
                (Some("rfc9568"), _) | (None, Some(true)) => {
                    Some(ChecksumMode::Fixed(ChecksumForm::Message))
                }
                (Some("rfc5798"), _) | (None, Some(false)) => {
                    Some(ChecksumMode::Fixed(ChecksumForm::PseudoHeader))
                }
                (Some(_), _) => Some(ChecksumMode::Auto),
                (None, None) => None,
            }
        })
        .unwrap_or_default()
    }

    /// The lower_prio words default to what the instance's master words say.
    fn announce(&self, draft: &Draft) -> Announce {
        let min_garp = value(&self.globals.plain.min_garp).unwrap_or(false);
        let default = Announce::default();
        let (delay, repeat) = if min_garp {
            (Duration::ZERO, 1)
        } else {
            (default.master_delay, default.master_repeat)
        };
        let master_delay = self
            .inherit(draft, |d| value(&d.garp_master_delay))
            .unwrap_or(delay);
        let master_repeat = self
            .inherit(draft, |d| byte(&d.garp_master_repeat))
            .unwrap_or(repeat);
        Announce {
            master_delay,
            master_repeat,
            master_refresh: self
                .inherit(draft, |d| value(&d.garp_master_refresh))
                .unwrap_or(default.master_refresh),
            master_refresh_repeat: self
                .inherit(draft, |d| byte(&d.garp_master_refresh_repeat))
                .unwrap_or(default.master_refresh_repeat),
            lower_prio_delay: self
                .inherit(draft, |d| value(&d.garp_lower_prio_delay))
                .unwrap_or(master_delay),
            lower_prio_repeat: self
                .inherit(draft, |d| byte(&d.garp_lower_prio_repeat))
                .unwrap_or(master_repeat),
        }
    }

    fn address_lease(&mut self, draft: &Draft) -> Option<Duration> {
        let lease = self.inherit(draft, |d| d.address_lease)?;
        if lease.value == 1 {
            self.report.error(
                &lease.span,
                format_args!(
                    "a lease of one second cannot be refreshed in time\n\
                     write 0 for none, or 2–86400 seconds"
                ),
            );
        }
        let lease = Duration::from_secs(u64::from(lease.value));
        (!lease.is_zero()).then_some(lease)
    }
}

fn priority(draft: &Draft) -> u8 {
    let is_master = draft
        .plain
        .state
        .as_ref()
        .is_some_and(|state| state.value == "MASTER");
    let default = if is_master {
        PRIORITY_OWNER
    } else {
        PRIORITY_DEFAULT
    };
    byte(&draft.plain.priority).unwrap_or(default)
}

/// The table limits these numbers to 255.
fn byte(slot: &Option<Placed<u32>>) -> Option<u8> {
    value(slot).and_then(|number| u8::try_from(number).ok())
}

fn garp_mode(word: Option<&str>) -> GarpMode {
    match word {
        Some("reply") => GarpMode::Reply,
        Some("both") => GarpMode::Both,
        _ => GarpMode::Request,
    }
}

fn receive(word: Option<&str>) -> Receive {
    match word {
        Some("packet") => Receive::Packet,
        Some("raw") => Receive::Raw,
        _ => Receive::Auto,
    }
}
