//! The address family of an instance: it has one, as in keepalived.

use core::net::IpAddr;

use super::error::{Placed, Report};
use super::read::{Drafts, InstanceDraft};
use super::schema::Draft;
use crate::limits;
use crate::vrrp::types::{Family, is_link_local};

/// IPv6 with `native_ipv6`; otherwise the first address decides.
pub(crate) fn of(draft: &Draft) -> Family {
    let native = draft.plain.native_ipv6.as_ref().is_some_and(|p| p.value);
    match draft.vips.first().map(|placed| placed.vip.address) {
        Some(IpAddr::V6(_)) => Family::V6,
        _ if native => Family::V6,
        _ => Family::V4,
    }
}

/// A section of UCI with addresses of both families is two instances in one sync group: `NAME` and
/// `NAME-6`.
pub(crate) fn split(drafts: &mut Drafts) {
    let Drafts {
        instances, groups, ..
    } = drafts;
    for place in (0..instances.len()).rev() {
        let instance = &mut instances[place];
        let families = [Family::V4, Family::V6];
        let has = |family| {
            instance
                .draft
                .vips
                .iter()
                .any(|vip| Family::of(&vip.vip.address) == family)
        };
        if !families.into_iter().all(has) {
            continue;
        }
        let (span, name) = (instance.span, format!("{}-6", instance.name));
        let member = |name: &str| Placed {
            value: name.into(),
            span,
        };
        let own = groups.iter_mut().find_map(|group| {
            let place = group
                .draft
                .members
                .iter()
                .position(|m| *m.value == *instance.name)?;
            Some((group, place))
        });
        match own {
            Some((group, place)) => group.draft.members.insert(place + 1, member(&name)),
            None => {
                let mut group = InstanceDraft::new(&instance.name, span);
                group.draft.members = vec![member(&instance.name), member(&name)];
                groups.push(group);
            }
        }
        let draft = &mut instance.draft;
        draft.plain.native_ipv6 = None;
        let mut second = InstanceDraft::new(&name, span);
        let to = &mut second.draft;
        to.plain = draft.plain;
        to.interface = draft.interface.clone();
        to.use_vmac = draft.use_vmac.clone();
        to.tracked = draft.tracked.clone();
        to.programs = draft.programs.clone();
        to.members = draft.members.clone();
        to.failed = draft.failed.clone();
        move_ipv6(draft, to);
        instances.insert(place + 1, second);
    }
}

/// Takes what is IPv6 alone out of a draft, and leaves it alone in the other.
fn move_ipv6(from: &mut Draft, to: &mut Draft) {
    to.vips = taken(&mut from.vips, |placed| placed.vip.address.is_ipv6());
    to.excluded = taken(&mut from.excluded, |placed| placed.vip.address.is_ipv6());
    to.routes = taken(&mut from.routes, |item| item.family() == Family::V6);
    to.rules = taken(&mut from.rules, |item| item.family() == Family::V6);
    to.peers = taken(&mut from.peers, |placed| placed.value.address.is_ipv6());
    for (slot, other) in [
        (&mut from.plain.mcast_src_ip, &mut to.plain.mcast_src_ip),
        (&mut from.plain.unicast_src_ip, &mut to.plain.unicast_src_ip),
    ] {
        slot.take_if(|placed| placed.value.is_ipv6());
        other.take_if(|placed| placed.value.is_ipv4());
    }
    // What RFC 3768 and IPv4 alone have.
    (to.plain.version, to.plain.auth_type, to.plain.dhcp) = (None, None, None);
    from.plain.ra = None;
}

/// Those of the list that are chosen, which it loses.
fn taken<T>(list: &mut Vec<T>, chosen: fn(&T) -> bool) -> Vec<T> {
    let (mut found, mut place) = (Vec::new(), 0);
    while let Some(one) = list.get(place) {
        if chosen(one) {
            found.push(list.remove(place));
        } else {
            place += 1;
        }
    }
    found
}

/// Leaves an instance with addresses of one family, in the order in which adverts carry them, and the
/// excluded ones, which may be of either, behind them.
pub(crate) fn settle(instance: &mut InstanceDraft, report: &mut Report) {
    let draft = &mut instance.draft;
    let family = of(draft);
    one_family(draft, family, report);
    if family == Family::V6 {
        version(draft, report);
        link_local_first(draft, report);
        fits(draft, report);
    }
    draft.advertised = draft.vips.len();
    draft.vips.append(&mut draft.excluded);
}

fn one_family(draft: &mut Draft, family: Family, report: &mut Report) {
    draft.vips.retain(|placed| {
        let same = Family::of(&placed.vip.address) == family;
        if !same {
            report.warn(
                &placed.span,
                format_args!(
                    "{} is ignored, as in keepalived: this is an {} instance\n\
                     write a second instance for the other family; it may have the same VRID",
                    placed.vip.address,
                    match family {
                        Family::V4 => "IPv4",
                        Family::V6 => "IPv6",
                    }
                ),
            );
        }
        same
    });
}

/// RFC 3768 knows IPv4 alone.
fn version(draft: &Draft, report: &mut Report) {
    if let Some(version) = draft
        .plain
        .version
        .as_ref()
        .filter(|version| version.value == 2)
    {
        report.error(
            &version.span,
            format_args!("VRRP version 2 has no IPv6\nwrite `version 3` on all routers"),
        );
    }
}

/// RFC 9568 §5.2.9: the first address of an IPv6 advert is link-local. keepalived says so and goes
/// on without; the order of the others means nothing.
fn link_local_first(draft: &mut Draft, report: &mut Report) {
    let found = draft
        .vips
        .iter()
        .position(|placed| is_link_local(&placed.vip.address));
    let Some(first) = draft.vips.first() else {
        return;
    };
    match found {
        Some(0) => {}
        Some(place) => {
            let placed = &draft.vips[place];
            report.warn(&placed.span, format_args!("{} goes to the front: the first address of an IPv6 instance is link-local (RFC 9568 §5.2.9)\n\
                                                    write it first, on all routers", placed.vip.address));
            let placed = draft.vips.remove(place);
            draft.vips.insert(0, placed);
        }
        None => {
            report.warn(
                &first.span,
                format_args!(
                    "the first address of an IPv6 instance should be link-local (RFC 9568 §5.2.9)\n\
                     add one such as fe80::1 in front, the same on all routers"
                ),
            );
        }
    }
}

fn fits(draft: &Draft, report: &mut Report) {
    if let Some(placed) = draft.vips.get(limits::ADDRESSES_IPV6) {
        report.error(
            &placed.span,
            format_args!(
                "the instance has more than {} addresses\n\
                 an IPv6 advert holds no more: make another instance for the rest",
                limits::ADDRESSES_IPV6
            ),
        );
    }
}
