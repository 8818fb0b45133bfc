//! Uplinks: whose they are, and what is tracked through them.

use std::rc::Rc;

use super::error::{Report, quoted};
use super::model::Config;
use super::read::Drafts;
use crate::limits;
use crate::vrrp::track::Kind;
use crate::vrrp::trial;
use crate::vrrp::types::PRIORITY_OWNER;

/// Each uplink has one owner: an instance, or the instances of one sync group, which are Active together.
pub(crate) fn check(drafts: &Drafts, report: &mut Report) {
    let instances = drafts.instances.iter();
    let all = instances.flat_map(|i| i.draft.members.iter().map(move |m| (i, m)));
    let mut known: Vec<(&str, usize)> = Vec::new();
    for (index, (instance, uplink)) in all.clone().enumerate() {
        let name = &*uplink.value;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let message = format!("{} is no interface of /etc/config/network", quoted(name));
            report.error(&uplink.span, message, "write `wan`, for example");
        }
        let Some((_, first)) = known.iter().find(|(of, _)| *of == name) else {
            if known.len() == limits::UPLINKS {
                let message = format!("more than {} uplinks", limits::UPLINKS);
                report.error(&uplink.span, message, "name fewer");
            }
            known.push((name, index));
            continue;
        };
        let Some((owner, before)) = all.clone().nth(*first) else {
            continue;
        };
        let together = owner.group.is_some() && owner.group == instance.group;
        if core::ptr::eq(owner, instance) || !together {
            let message = format!(
                "uplink {} already belongs to instance {} at {}",
                quoted(name),
                quoted(&owner.name),
                before.span
            );
            let help = "name it once, or put both into one vrrp_sync_group";
            report.error(&uplink.span, message, help);
        }
    }
}

/// Marks what is tracked through an uplink of the instance or of its sync group. `is_it` says whether
/// an uplink, the first, is an interface, the second. Idempotent.
pub(crate) fn mark(config: &mut Config, is_it: &dyn Fn(&str, &str) -> bool) {
    if !config.has_uplinks() {
        return;
    }
    let probes = &config.probes;
    let owners: Vec<_> = config
        .instances
        .iter()
        .map(|i| (i.group.clone(), i.uplinks.clone(), i.uplink_rules))
        .collect();
    for (index, instance) in config.instances.iter_mut().enumerate() {
        let is_own = |(at, (group, ..)): &(usize, &(Option<Rc<str>>, _, _))| {
            *at == index || group.is_some() && *group == instance.group
        };
        let settings = Rc::make_mut(&mut instance.settings);
        for (_, (_, uplinks, rules)) in owners.iter().enumerate().filter(is_own) {
            for tracker in &mut settings.trackers {
                let what = &tracker.what;
                let interface = match what.kind {
                    Kind::Interface => Some(&*what.name),
                    Kind::Probe => {
                        let probe = probes.iter().find(|probe| probe.name == what.name);
                        probe.map(|probe| &*probe.interface)
                    }
                    Kind::Script | Kind::File | Kind::Process => None,
                };
                let is_uplink = |interface| uplinks.iter().any(|uplink| is_it(uplink, interface));
                if tracker.uplink.is_some() || !interface.is_some_and(is_uplink) {
                    continue;
                }
                tracker.uplink = Some(*rules);
                if tracker.weight == 0 && settings.priority != PRIORITY_OWNER {
                    // Nobody Active would be worse than an Active without a provider.
                    tracker.weight = if tracker.reverse {
                        -trial::WEIGHT
                    } else {
                        trial::WEIGHT
                    };
                }
            }
        }
    }
}
