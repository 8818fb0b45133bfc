//! Sync groups: whose members are whom, and what they track together.

use std::rc::Rc;

use super::error::{Placed, Report, quoted};
use super::read::{Drafts, InstanceDraft};
use super::schema::nearest_help;
use super::track::{Entry, known};

/// Tells each instance its group, and gives it what the group and its other members track.
pub(crate) fn resolve(drafts: &mut Drafts, report: &mut Report) {
    let Drafts {
        instances, groups, ..
    } = drafts;
    for (index, group) in groups.iter().enumerate() {
        if let Some(before) = groups[..index].iter().find(|g| g.name == group.name) {
            let message = format_args!("sync group {} already stands", quoted(&group.name));
            let help = format_args!("give it another name");
            report.error_at(&group.span, message, before.span, help);
        }
        let members = members(group, instances, report);
        if members.len() < 2 {
            report.warn(
                &group.span,
                format_args!(
                    "sync group {} has fewer than two instances: it has no effect\n\
                     name them all in `group {{ … }}`",
                    quoted(&group.name)
                ),
            );
        }
        share(group, &members, instances, report);
    }
}

/// The places of the members.
fn members(
    group: &InstanceDraft,
    instances: &mut [InstanceDraft],
    report: &mut Report,
) -> Vec<usize> {
    let name: Rc<str> = (&*group.name).into();
    let mut found = Vec::new();
    for member in &group.draft.members {
        let place = instances.iter().position(|i| *i.name == *member.value);
        let Some(place) = place else {
            let mut names: Vec<&str> = Vec::with_capacity(instances.len());
            for instance in &*instances {
                names.push(&instance.name);
            }
            let otherwise = "write the name of a vrrp_instance";
            let help = nearest_help(&member.value, &names, otherwise);
            report.error(
                &member.span,
                format_args!("there is no instance {}\n{help}", quoted(&member.value)),
            );
            continue;
        };
        if let Some(other) = instances[place].group.replace(Rc::clone(&name)) {
            report.error(
                &member.span,
                format_args!(
                    "instance {} is already in sync group {}\n\
                     remove it from one of the two",
                    quoted(&member.value),
                    quoted(&other)
                ),
            );
        }
        found.push(place);
    }
    found
}

/// What the group tracks counts for each member; so does what a member tracks, unless the group
/// has `sync_group_tracking_weight` and the tracker a weight.
fn share(
    group: &InstanceDraft,
    members: &[usize],
    instances: &mut [InstanceDraft],
    report: &mut Report,
) {
    if let Some(on) = &group.draft.plain.notify_priority {
        for place in members {
            instances[*place].draft.plain.notify_priority = Some(*on);
        }
    }
    let alone = group
        .draft
        .plain
        .tracking_weight
        .as_ref()
        .is_some_and(|p| p.value);
    let mut common: Vec<Placed<Entry>> = group.draft.tracked.clone();
    for place in members {
        for placed in &instances[*place].draft.tracked {
            if alone && placed.value.weight != Some(0) {
                continue;
            }
            match known(&common, &placed.value.what) {
                None => common.push(placed.clone()),
                Some(other) if other.value != placed.value => {
                    report.warn(
                        &placed.span,
                        format_args!(
                            "the sync group tracks {} in another way at {}, which counts\n\
                             write the same at both, or `sync_group_tracking_weight` into the group",
                            quoted(&placed.value.what.name),
                            report.place(other.span)
                        ),
                    );
                }
                Some(_) => {}
            }
        }
    }
    for place in members {
        let tracked = &mut instances[*place].draft.tracked;
        for placed in core::mem::replace(tracked, common.clone()) {
            if known(&common, &placed.value.what).is_none() {
                tracked.push(placed);
            }
        }
    }
}
