//! What a running daemon says about itself: from its tables into `control::status`.

use core::net::IpAddr;
use std::borrow::Cow;

use crate::config::model::{self, Config};
use crate::control::status::{
    Active, Counters, Dropped, FORMAT, Follows, Instance, Peer, Receive, Route, Status, Tracker,
    Vip, Vmac,
};
use crate::time::{Duration, Instant};
use crate::vrrp::action::{Hold, Id, Reason};
use crate::vrrp::counters::Drops;
use crate::vrrp::instance::Instance as Running;
use crate::vrrp::router::Router;
use crate::vrrp::speakers::Speaker;
use crate::vrrp::track::{self, Effect, Reading};
use crate::vrrp::types::{ChecksumForm, Family, Settings, State, Version};

use super::addresses::{Addresses, Entry, STATIC};
use super::dhcp::Dhcp;
use super::ears::Ears;
use super::lack::{self, Lack};
use super::links::{Links, Slot};
use super::ra::Scene;
use super::report::{self, Why};
use super::routes::{self, Routes};
use super::uplinks::Uplinks;
use super::vmac::{Mac, Vmacs};
use super::watch::Watches;

/// What is shown, and when.
pub(super) struct View<'a> {
    pub(super) config: &'a Config,
    pub(super) router: &'a Router,
    pub(super) links: &'a Links,
    pub(super) link_of: &'a [Slot],
    pub(super) addresses: &'a Addresses,
    pub(super) routes: &'a Routes,
    pub(super) vmacs: &'a Vmacs,
    pub(super) dhcp: &'a Dhcp,
    pub(super) ears: &'a Ears,
    pub(super) watches: &'a Watches,
    pub(super) uplinks: &'a Uplinks,
    pub(super) send_errors: u64,
    pub(super) started: Instant,
    pub(super) now: Instant,
}

impl<'a> View<'a> {
    /// The place of the instance called `name`.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.config.instances.iter().position(|i| &*i.name == name)
    }

    /// Everything but the instances.
    pub(super) fn head(&self) -> Status<'a> {
        Status {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            uptime_ms: self.now.since(self.started).as_millis(),
            send_errors: self.send_errors,
            drops: self.drops(),
            static_addresses: self.vips(STATIC, 0),
            static_routes: self.routes(STATIC),
            instances: Vec::new(),
        }
    }

    /// One instance; none beyond the last.
    pub(super) fn instance(&self, index: usize) -> Option<Instance<'a>> {
        let configured = self.config.instances.get(index)?;
        let running = self.router.instances().get(index)?;
        let receive = self.receive(index)?;
        let settings = running.settings();
        let state = running.state();
        let id = Id(index as u16);
        // What takes a call comes first: the rest is copied without a stop on the way.
        let reason_text = why(configured, running.reason(), self.config).into();
        let trackers = self.trackers(running);
        let uplinks = self.uplinks.shown(id, self.now);
        let active = active(running);
        let vmac = vmac(configured, settings);
        let dhcp = configured.dhcp.then(|| self.dhcp(id));
        let ra = configured.ra.then(|| self.ra(id));
        let vips = self.vips(id, settings.addresses.len());
        let routes = self.routes(id);
        let peers = self.peers(running);
        let drops = drops(&running.counters().drops);
        let unicast_peers = unicast_peers(settings);
        let takeover = running.takeover_at();
        Some(Instance {
            reason: reason_word(running.reason()),
            checksum: form(running, running.checksum_form()),
            active_down_in_ms: takeover.map(|at| at.since(self.now).as_millis()),
            state_age_ms: self.now.since(running.since()).as_millis(),
            effective_priority: running.effective_priority(),
            source: running.source(),
            name: &configured.name,
            interface: &configured.interface,
            family: family(settings.family),
            vrid: settings.vrid,
            version: settings.version.number(),
            state: state_name(state),
            keepalived_state: keepalived_state(state),
            reason_text,
            priority: settings.priority,
            advert_interval_ms: settings.advert_interval.as_millis(),
            preempt: settings.preempt,
            preempt_delay_ms: settings.preempt_delay.as_millis(),
            accept: configured.accept,
            unicast_peers,
            group: configured.group.as_deref(),
            trackers,
            uplinks,
            active,
            receive,
            vmac,
            dhcp,
            ra,
            vips,
            routes,
            peers,
            counters: counters(running),
            drops,
        })
    }

    /// What was for no instance, and for no probe.
    fn drops(&self) -> Vec<Dropped<'a>> {
        let mut drops = drops(self.router.drops());
        let count = self.watches.strangers();
        if count > 0 {
            drops.push(Dropped {
                reason: "probe-answer",
                count,
                remedy: "an answer to a probe came late, twice, or from somebody else",
            });
        }
        drops
    }

    fn trackers(&self, running: &'a Running) -> Vec<Tracker<'a>> {
        let trackers = &running.settings().trackers;
        let mut shown = Vec::with_capacity(trackers.len());
        for (tracker, reading) in trackers.iter().zip(running.readings()) {
            let effect = match tracker.effect(*reading) {
                Effect::Priority(change) => Some(change),
                Effect::Fault => None,
            };
            let (mut value, up) = match reading {
                Reading::Value(value) => (Some(*value), effect.is_some()),
                reading => (None, *reading == Reading::Up),
            };
            let details = self.watches.details(&tracker.what);
            if let Some(count) = details.count {
                value = Some(count.min(i16::MAX as u32) as i16);
            }
            let mut reason = details.reason.map(Cow::Owned);
            if reason.is_none() && *reading == Reading::Unknown {
                reason = Some("no result yet".into());
            }
            if let Some(rests) = rests(running, tracker, up) {
                reason = Some(rests.into());
            }
            shown.push(Tracker {
                kind: tracker.what.kind.name(),
                name: &tracker.what.name,
                weight: tracker.weight,
                reverse: tracker.reverse,
                up,
                value,
                effect,
                round_trip_us: details.round_trip.map(Duration::as_micros),
                reason,
            });
        }
        shown
    }

    fn receive(&self, index: usize) -> Option<Receive<'a>> {
        let family = self.router.instances().get(index)?.settings().family;
        let (sockets, why) = self.ears.explain((*self.link_of.get(index)?, family));
        Some(Receive { sockets, why })
    }

    fn dhcp(&self, id: Id) -> Follows<'a> {
        let active = self.router.instance(id).state() == State::Active;
        let here = !self.dhcp.is_shut(id);
        let why = match here {
            true => "served here".into(),
            false if active => "served here in a moment; if it stays so, see the log".into(),
            false => self.elsewhere("blocked", id),
        };
        let why = and_lacks(why, lack::of_dhcp());
        Follows { here, why }
    }

    fn ra(&self, id: Id) -> Follows<'a> {
        let scene = Scene {
            links: self.links,
            link_of: self.link_of,
            addresses: self.addresses,
            vmacs: self.vmacs,
        };
        let active = self.router.instance(id).state() == State::Active;
        let speech = match active {
            true => scene.speech(id, self.now),
            false => None,
        };
        let why = match &speech {
            Some(speech) => speech.to_string().into(),
            None if active => "not sent: no link-local address can be used".into(),
            None => self.elsewhere("not sent", id),
        };
        let lack = lack::of_ra(id, self.links, self.link_of, self.addresses);
        let why = and_lacks(why, lack);
        let here = speech.is_some();
        Follows { here, why }
    }

    fn elsewhere(&self, what: &str, id: Id) -> Cow<'a, str> {
        let mut text = format!("{what} here, ");
        match self.router.instance(id).active_router() {
            Some(other) => text.push_str(&other.to_string()),
            None => text.push_str("nobody known"),
        }
        text.push_str(" is Active");
        text.into()
    }

    /// The first so many are in adverts.
    fn vips(&self, id: Id, advertised: usize) -> Vec<Vip<'a>> {
        let vip = |(place, entry): (usize, &Entry)| Vip {
            advertised: place < advertised,
            address: entry.address,
            prefix_len: entry.prefix_len,
            interface: &self.links.get(entry.link).name,
            wanted: entry.wanted,
            present: entry.present,
            foreign: entry.foreign,
            lease_s: entry.lease,
        };
        let entries = &self.addresses.entries()[self.addresses.of(id)];
        entries.iter().enumerate().map(vip).collect()
    }

    fn routes(&self, id: Id) -> Vec<Route<'a>> {
        let route = |entry: &'a routes::Entry| Route {
            kind: entry.item.kind(),
            text: &entry.item.text,
            wanted: entry.wanted,
            present: entry.present || entry.foreign,
            foreign: entry.foreign,
        };
        let entries = &self.routes.entries()[self.routes.of(id)];
        entries.iter().map(route).collect()
    }

    fn peers(&self, running: &Running) -> Vec<Peer<'a>> {
        let peer = |speaker: &Speaker| Peer {
            address: speaker.source(),
            priority: speaker.priority,
            advert_interval_ms: speaker.interval().as_millis(),
            heard_ms_ago: self.now.since(speaker.last_heard).as_millis(),
            checksum: form(running, speaker.checksum),
            adverts: speaker.adverts,
        };
        running.speakers().iter().map(peer).collect()
    }
}

/// With what this host lacks for it.
fn and_lacks<'a>(why: Cow<'a, str>, lack: Option<Lack<'_>>) -> Cow<'a, str> {
    match lack {
        Some(lack) => format!("{why}; {lack}").into(),
        None => why,
    }
}

/// Why the tracker of an uplink says what it says though nobody looks.
fn rests(running: &Running, tracker: &track::Tracker, up: bool) -> Option<&'static str> {
    let rests = tracker.uplink.is_some() && running.state() != State::Active;
    rests.then_some(match up != tracker.reverse {
        true => "it does not count: the uplink is down on who is not Active",
        false => "it has failed: that counts until `uplink_hold_down` is over",
    })
}

fn vmac<'a>(configured: &'a model::Instance, settings: &Settings) -> Option<Vmac<'a>> {
    let wanted = configured.vmac_adverts || !configured.macvlans.is_empty();
    wanted.then(|| Vmac {
        address: Mac(settings.virtual_mac()).to_string().into(),
        interfaces: configured.macvlans.iter().map(|m| &*m.name).collect(),
        adverts: configured.vmac_adverts,
    })
}

fn active<'a>(running: &Running) -> Option<Active<'a>> {
    let settings = running.settings();
    let version = settings.version.number();
    if running.state() == State::Active {
        return Some(Active {
            address: running.source(),
            this_router: true,
            priority: Some(running.effective_priority()),
            advert_interval_ms: Some(settings.advert_interval.as_millis()),
            version,
            checksum: form(running, running.checksum_form()),
        });
    }
    let address = running.active_router()?;
    let speaker = running.speakers().get(&address);
    Some(Active {
        address: Some(address),
        this_router: false,
        priority: speaker.map(|s| s.priority),
        advert_interval_ms: speaker.map(|s| s.interval().as_millis()),
        version,
        checksum: speaker.and_then(|s| form(running, s.checksum)),
    })
}

fn counters(running: &Running) -> Counters {
    let counters = running.counters();
    Counters {
        sent: counters.sent,
        received: counters.received,
        priority_zero_sent: counters.priority_zero_sent,
        priority_zero_received: counters.priority_zero_received,
        became_active: counters.became_active,
        addresses_lost: counters.addresses_lost,
    }
}

fn drops<'a>(drops: &Drops) -> Vec<Dropped<'a>> {
    let mut shown = Vec::new();
    for (reason, count) in drops.occurred() {
        shown.push(Dropped {
            reason: reason.name(),
            count,
            remedy: reason.remedy(),
        });
    }
    shown
}

fn why(instance: &model::Instance, reason: Reason, config: &Config) -> String {
    let other = report::other(reason, &config.instances);
    let other = other.as_deref();
    Why {
        instance,
        reason,
        other,
    }
    .to_string()
}

fn family(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}

/// There is a choice in v3 over IPv4 only.
fn form(running: &Running, form: ChecksumForm) -> Option<&'static str> {
    let settings = running.settings();
    let choice = (settings.version, settings.family) == (Version::V3, Family::V4);
    choice.then_some(match form {
        ChecksumForm::Message => "message",
        ChecksumForm::PseudoHeader => "pseudo-header",
    })
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Initialize => "Initialize",
        State::Backup => "Backup",
        State::Active => "Active",
    }
}

fn unicast_peers(settings: &Settings) -> Vec<IpAddr> {
    let peers = settings.unicast.as_ref().map(|unicast| &*unicast.peers);
    let peers = peers.unwrap_or_default().iter();
    peers.map(|peer| peer.address).collect()
}

fn keepalived_state(state: State) -> &'static str {
    match state {
        State::Initialize => "FAULT",
        State::Backup => "BACKUP",
        State::Active => "MASTER",
    }
}

pub(super) fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Held(Hold::Starting) => "starting",
        Reason::Held(Hold::StartupDelay) => "startup-delay",
        Reason::Held(Hold::Unresolved(_)) => "unresolved",
        Reason::Held(Hold::LinkAbsent) => "interface-absent",
        Reason::Held(Hold::LinkDown) => "interface-down",
        Reason::Held(Hold::BridgePort(_)) => "bridge-port",
        Reason::Held(Hold::NoAddress) => "no-address",
        Reason::Held(Hold::NoLinkLocal) => "no-link-local",
        Reason::Held(Hold::Deaf) => "deaf",
        Reason::Held(Hold::NoMacvlan) => "no-macvlan",
        Reason::Held(Hold::NoSource(_)) => "no-source",
        Reason::Held(Hold::NoPeer) => "no-peer",
        Reason::Held(Hold::Tracker(_)) => "tracker",
        Reason::Held(Hold::Group(_)) => "group",
        Reason::Held(Hold::Stopped) => "stopped",
        Reason::Ready => "ready",
        Reason::Owner => "owner",
        Reason::Silence { .. } => "silence",
        Reason::Released { .. } => "released",
        Reason::Preempted { .. } => "preempted",
        Reason::HigherPriority { .. } => "higher-priority",
        Reason::HigherAddress { .. } => "higher-address",
        Reason::Stalled { .. } => "stalled",
        Reason::Group(_) => "group",
    }
}
