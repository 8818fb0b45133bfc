//! What the operator reads: one line that says what happened, why, and what to do about it.

use core::fmt;
use core::net::IpAddr;
use std::borrow::Cow;

use crate::config::model::Instance;
use crate::log;
use crate::sys::netlink::interface_name;
use crate::vrrp::action::{Action, Change, Hold, Reason, Warning};
use crate::vrrp::counters::{Counters, Drops};
use crate::vrrp::instance::Instance as Running;
use crate::vrrp::track::{Effect, Reading};
use crate::vrrp::types::{PRIORITY_OWNER, State};

use super::addresses::News;
use super::executor::Context;

/// Writes a line of the log about a note of the core.
pub(super) fn tell(note: Action, context: &Context<'_>) {
    match note {
        Action::StateChanged(id, change) => {
            let instance = context.instance(id);
            let other = other(change.reason, &context.config.instances);
            log::info!(
                "{}",
                Transition {
                    instance,
                    change,
                    other: other.as_deref()
                }
            );
        }
        Action::PriorityChanged(id, before) => {
            let running = context.router.instance(id);
            let instance = context.instance(id);
            log::info!(
                "{}",
                Priority {
                    instance,
                    running,
                    before
                }
            );
        }
        Action::Warn(id, warning) => {
            log::warn!(
                "{}",
                Hint {
                    instance: context.instance(id),
                    warning
                }
            );
        }
        _ => {}
    }
}

/// A transition as a line of the log.
pub(super) struct Transition<'a> {
    /// Whose.
    pub(super) instance: &'a Instance,
    /// What happened.
    pub(super) change: Change,
    /// The name of the bridge or of the instance that is the reason, if one is.
    pub(super) other: Option<&'a str>,
}

impl fmt::Display for Transition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.instance.name;
        let Change { from, to, reason } = self.change;
        match (from, to) {
            (State::Initialize, State::Initialize) => write!(f, "{name}: waiting in {to}: ")?,
            _ => write!(f, "{name}: {from} -> {to}: ")?,
        }
        Why {
            instance: self.instance,
            reason,
            other: self.other,
        }
        .fmt(f)
    }
}

/// Why an instance is in its state.
pub(super) struct Why<'a> {
    /// Whose.
    pub(super) instance: &'a Instance,
    /// Why.
    pub(super) reason: Reason,
    /// The name of the bridge or of the instance that is the reason, if one is.
    pub(super) other: Option<&'a str>,
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            instance,
            reason,
            other,
        } = self;
        let interface = &instance.interface;
        match (reason, other) {
            (Reason::Held(Hold::BridgePort(_)), Some(bridge)) => write!(
                f,
                "{interface} is a port of bridge {bridge} and receives nothing itself; \
                 write `interface {bridge}`"
            ),
            (Reason::Held(Hold::Tracker(place)), _) => {
                match instance.settings.trackers.get(usize::from(*place)) {
                    Some(tracker) => write!(
                        f,
                        "{} is {}, and `track_{}` has no weight for it",
                        tracker.what,
                        if tracker.reverse { "up" } else { "down" },
                        tracker.what.kind.name()
                    ),
                    None => reason.fmt(f),
                }
            }
            (Reason::Held(Hold::Group(_)), Some(member)) => write!(
                f,
                "{member} of its sync group is in Initialize, and they run together or not at all"
            ),
            (Reason::Group(_), Some(member)) => {
                write!(f, "together with {member} of its sync group")
            }
            (Reason::Held(Hold::Stopped | Hold::Group(_)), _) => reason.fmt(f),
            (Reason::Held(_) | Reason::Ready, _) => write!(f, "{interface}: {reason}"),
            _ => reason.fmt(f),
        }
    }
}

/// The name that [`Why`] cannot know: that of the bridge or of the other instance.
pub(super) fn other(reason: Reason, instances: &[Instance]) -> Option<Cow<'_, str>> {
    match reason {
        Reason::Held(Hold::BridgePort(index)) => interface_name(index).map(Cow::Owned),
        Reason::Held(Hold::Group(id)) | Reason::Group(id) => {
            let instance = instances.get(id.index());
            instance.map(|instance| Cow::Borrowed(&*instance.name))
        }
        _ => None,
    }
}

/// A new effective priority as a line of the log.
pub(super) struct Priority<'a> {
    /// Whose.
    pub(super) instance: &'a Instance,
    /// The virtual router.
    pub(super) running: &'a Running,
    /// What it was before.
    pub(super) before: u8,
}

impl fmt::Display for Priority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, before) = (&self.instance.name, self.before);
        let (new, settings) = (self.running.effective_priority(), self.running.settings());
        write!(
            f,
            "{name}: effective priority {before} -> {new}: {}",
            settings.priority
        )?;
        for (tracker, reading) in settings.trackers.iter().zip(self.running.readings()) {
            if let Effect::Priority(weight) = tracker.effect(*reading)
                && weight != 0
            {
                write!(f, " {weight:+} ({} is ", tracker.what)?;
                match reading {
                    Reading::Value(value) => write!(f, "{value})")?,
                    Reading::Up => f.write_str("up)")?,
                    _ => f.write_str("down)")?,
                }
            }
        }
        Ok(())
    }
}

/// A warning as a line of the log.
pub(super) struct Hint<'a> {
    /// Whose.
    pub(super) instance: &'a Instance,
    /// What is wrong on the wire.
    pub(super) warning: Warning,
}

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Instance {
            name,
            interface,
            settings,
            ..
        } = self.instance;
        match self.warning {
            Warning::Dropped { reason, source } => write!(
                f,
                "{name}: adverts of {source} on {interface} are dropped ({}): {}",
                reason.name(),
                reason.remedy()
            ),
            Warning::ForeignVrid {
                source,
                vrid,
                address,
            } => write!(
                f,
                "{name}: {source} on {interface} announces our address {address} under VRID {vrid}, \
                 ours is {}: both routers may hold it at once; write the same `virtual_router_id` on both",
                settings.vrid
            ),
            Warning::Interval { source, theirs } => write!(
                f,
                "{name}: {source} advertises every {theirs}, we every {}; while it is Active its interval \
                 counts: write the same `advert_int` on both",
                settings.advert_interval
            ),
            Warning::Addresses { source, count } => write!(
                f,
                "{name}: {source} announces {count} address(es) that are not our list of {}; \
                 write the same `virtual_ipaddress` on both",
                settings.addresses.len()
            ),
        }
    }
}

/// What happened to an address without our doing, as a line of the log.
pub(super) struct AddressNews<'a> {
    /// Whose address; nobody's, if it is static.
    pub(super) instance: Option<&'a Instance>,
    /// The interface that carries it.
    pub(super) interface: &'a str,
    /// The address.
    pub(super) address: IpAddr,
    /// What happened.
    pub(super) news: News,
}

impl AddressNews<'_> {
    /// An interface that is back is no cause for alarm; an owner's own address neither.
    pub(super) fn log(&self) {
        let priority = self.instance.map(|i| i.settings.priority);
        let owner = priority.is_none_or(|priority| priority == PRIORITY_OWNER);
        let level = match self.news {
            News::InterfaceBack => log::Level::Info,
            News::Foreign if owner => log::Level::Info,
            _ => log::Level::Warn,
        };
        log::say(level, format_args!("{self}"));
    }
}

impl fmt::Display for AddressNews<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            interface,
            address,
            news,
            ..
        } = self;
        let name = self.instance.map_or("static_ipaddress", |i| &*i.name);
        write!(f, "{name}: ")?;
        match news {
            News::Removed => write!(
                f,
                "{address} was removed from {interface} by somebody else; it is put back"
            ),
            News::Foreign => write!(
                f,
                "{address} was added to {interface} by somebody else, so it is left alone: this router \
                 answers for it in every state; remove it there, or write `priority 255` if this router owns it"
            ),
            News::NoInterface => write!(
                f,
                "{address} has no interface: {interface} does not exist; the address is added as soon as \
                 it appears"
            ),
            News::InterfaceBack => write!(f, "{interface} is there now; {address} is added to it"),
        }
    }
}

/// The counters of an instance as words of a line.
pub(super) struct Numbers<'a>(pub(super) &'a Counters);

impl fmt::Display for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters {
            sent,
            received,
            became_active,
            addresses_lost,
            drops,
            ..
        } = self.0;
        write!(
            f,
            "sent={sent} received={received} became_active={became_active} \
             addresses_lost={addresses_lost} drops:{}",
            Dropped(drops)
        )
    }
}

/// The drop counters that are not zero as words of a line.
pub(super) struct Dropped<'a>(pub(super) &'a Drops);

impl fmt::Display for Dropped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .occurred()
            .try_for_each(|(reason, count)| write!(f, " {}={count}", reason.name()))
    }
}
