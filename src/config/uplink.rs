//! Uplinks: whose they are, and what is tracked through them.

use std::rc::Rc;

use super::error::{Placed, Report, quoted};
use super::model::Config;
use super::read::{Drafts, InstanceDraft};
use crate::limits;
use crate::vrrp::track::Kind;
use crate::vrrp::trial;
use crate::vrrp::types::PRIORITY_OWNER;

/// Each uplink has one owner: an instance, or the instances of one sync group, which are Active together.
pub(crate) fn check(drafts: &Drafts, report: &mut Report) {
    let mut known: Vec<(&InstanceDraft, &Placed<Rc<str>>)> = Vec::new();
    for instance in &drafts.instances {
        for uplink in &instance.draft.members {
            let name = quoted(&uplink.value);
            let is_section = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let before = known.iter().find(|(_, of)| of.value == uplink.value);
            let span = &uplink.span;
            if !uplink.value.bytes().all(is_section) {
                report.error(
                    span,
                    format_args!(
                        "{name} is no interface of /etc/config/network\n\
                         write `wan`, for example"
                    ),
                );
            } else if let Some((owner, before)) = before {
                let together = owner.group.is_some() && owner.group == instance.group;
                if together && !core::ptr::eq(*owner, instance) {
                    continue;
                }
                let message = format_args!("uplink {name} already stands");
                let help =
                    format_args!("name it once, or put both instances into one vrrp_sync_group");
                report.error_at(span, message, before.span, help);
            } else if known.len() == limits::UPLINKS {
                report.error(
                    span,
                    format_args!("more than {} uplinks\nname fewer", limits::UPLINKS),
                );
            } else {
                known.push((instance, uplink));
            }
        }
    }
}

/// Marks what is tracked through an uplink of the instance or of its sync group. `is_it` says whether
/// an uplink, the first, is an interface, the second. Idempotent.
pub(crate) fn mark(config: &mut Config, is_it: &dyn Fn(&str, &str) -> bool) {
    if !config.has_uplinks() {
        return;
    }
    let (instances, probes) = (&mut config.instances, &config.probes);
    for place in 0..instances.len() {
        let instance = &instances[place];
        let priority = instance.settings.priority;
        let mut trackers = instance.settings.trackers.clone();
        for tracker in &mut trackers {
            let what = &tracker.what;
            let interface = match what.kind {
                Kind::Interface => Some(&*what.name),
                Kind::Probe => {
                    let probe = probes.iter().find(|probe| probe.name == what.name);
                    probe.map(|probe| &*probe.interface)
                }
                Kind::Script | Kind::File | Kind::Process => None,
            };
            let Some(interface) = interface.filter(|_| tracker.uplink.is_none()) else {
                continue;
            };
            let owner = instances.iter().find(|owner| {
                let together = owner.group.is_some() && owner.group == instance.group;
                let mut uplinks = owner.uplinks.iter();
                (together || owner.name == instance.name)
                    && uplinks.any(|uplink| is_it(uplink, interface))
            });
            let Some(owner) = owner else { continue };
            tracker.uplink = Some(owner.uplink_rules);
            if tracker.weight == 0 && priority != PRIORITY_OWNER {
                // Nobody Active would be worse than an Active without a provider.
                tracker.weight = if tracker.reverse {
                    -trial::WEIGHT
                } else {
                    trial::WEIGHT
                };
            }
        }
        Rc::make_mut(&mut instances[place].settings).trackers = trackers;
    }
}
