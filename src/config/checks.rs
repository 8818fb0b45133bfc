//! What must hold inside an instance and between instances.

use core::net::{IpAddr, Ipv6Addr};

use super::error::{Place, Placed, Report, Span, quoted};
use super::family;
use super::files::Files;
use super::read::{Drafts, InstanceDraft};
use super::schema::Draft;
use super::vip::PlacedVip;
use crate::time::Duration;
use crate::vrrp::types::{Family, Version, is_link_local};

/// More instances than this are refused.
pub const MAX_INSTANCES: usize = crate::limits::INSTANCES;

/// Checks between instances: names, VRIDs and addresses that must differ.
pub(crate) fn between(drafts: &Drafts, report: &mut Report) {
    if let Some(first) = drafts.instances.get(MAX_INSTANCES) {
        report.error(
            &first.span,
            format_args!(
                "there are more than {MAX_INSTANCES} instances\n\
                 remove this one and those behind it"
            ),
        );
    }
    names(drafts, report);
    virtual_routers(drafts, report);
    addresses(drafts, report);
}

/// Passwords in files that everybody may read: one warning a file.
pub(crate) fn open_secrets(drafts: &Drafts, files: &dyn Files, report: &mut Report) {
    let mut told: Vec<u16> = Vec::new();
    for instance in &drafts.instances {
        let Some(secret) = &instance.draft.auth_pass else {
            continue;
        };
        let Place { file, .. } = report.place(secret.span);
        if files.is_open(&file) && !told.contains(&secret.span.file) {
            told.push(secret.span.file);
            report.warn(
                &secret.span,
                format_args!("others may read this password\nrun `chmod 600 {file}`"),
            );
        }
    }
}

/// One use of a name and number (a VRID or an address on an interface): how many were before it, and where
/// it stands.
type Use<'a> = (&'a str, u128, usize, Span);

/// Each use that is not the first of its kind, and where the first stands.
///
/// Sorting does it: a map, and another for each kind of key, would be 10 KB of a router's flash.
fn repeats(mut uses: Vec<Use<'_>>) -> Vec<(Use<'_>, Span)> {
    uses.sort_unstable();
    let mut found = Vec::new();
    let mut first = 0;
    for (index, one) in uses.iter().enumerate() {
        if index > 0 && (uses[first].0, uses[first].1) == (one.0, one.1) {
            found.push((*one, uses[first].3));
        } else {
            first = index;
        }
    }
    found
}

fn names(drafts: &Drafts, report: &mut Report) {
    let mut uses = Vec::with_capacity(drafts.instances.len());
    for instance in &drafts.instances {
        uses.push((&*instance.name, 0, uses.len(), instance.span));
    }
    for ((name, _, _, span), first) in repeats(uses) {
        let message = format_args!("instance {} already stands", quoted(name));
        report.error_at(&span, message, first, format_args!("give it another name"));
    }
}

fn interface<'a>(instance: &'a InstanceDraft, globals: &'a Draft) -> Option<&'a str> {
    let placed = instance
        .draft
        .interface
        .as_ref()
        .or(globals.interface.as_ref())?;
    Some(&placed.value)
}

fn virtual_routers(drafts: &Drafts, report: &mut Report) {
    let mut uses = Vec::new();
    for instance in &drafts.instances {
        if let (Some(vrid), Some(interface)) = (
            &instance.draft.plain.vrid,
            interface(instance, &drafts.globals),
        ) {
            // IPv4 and IPv6 have a range of VRIDs each.
            let family = family::of(&instance.draft) as u128;
            let number = family << 32 | u128::from(vrid.value);
            uses.push((interface, number, uses.len(), vrid.span));
        }
    }
    for ((interface, number, _, span), first) in repeats(uses) {
        let vrid = number as u32;
        let message = format_args!(
            "virtual_router_id {vrid} on {} is already used",
            quoted(interface)
        );
        let help = format_args!("write another one, the same on all routers");
        report.error_at(&span, message, first, help);
    }
}

fn addresses(drafts: &Drafts, report: &mut Report) {
    let mut uses = Vec::new();
    let of_instances = drafts.instances.iter();
    let of_instances = of_instances.map(|i| (&i.draft.vips, interface(i, &drafts.globals)));
    let default = drafts.globals.interface.as_ref().map(|p| &*p.value);
    let all = core::iter::once((&drafts.globals.vips, default)).chain(of_instances);
    for (vips, own) in all {
        let twice = addresses_of_one(vips, report);
        for (index, placed) in vips.iter().enumerate() {
            let Some(device) = placed.vip.dev.as_deref().or(own) else {
                continue;
            };
            if !twice.iter().any(|((_, _, later, _), _)| *later == index) {
                uses.push((device, bits(placed.vip.address), uses.len(), placed.span));
            }
        }
    }
    for ((device, number, _, span), first) in repeats(uses) {
        let (address, device) = (address(number), quoted(device));
        let message = format_args!("{address} on {device} already belongs to the instance");
        let help = format_args!("leave it in one instance only");
        report.error_at(&span, message, first, help);
    }
}

/// Addresses that stand twice in one instance, as [`repeats`] tells them.
fn addresses_of_one<'a>(vips: &[PlacedVip], report: &mut Report) -> Vec<(Use<'a>, Span)> {
    let mut uses = Vec::with_capacity(vips.len());
    for placed in vips {
        uses.push(("", bits(placed.vip.address), uses.len(), placed.span));
    }
    let twice = repeats(uses);
    for ((_, number, _, span), first) in &twice {
        let message = format_args!("{} already stands", address(*number));
        report.error_at(span, message, *first, format_args!("remove one of the two"));
    }
    twice
}

/// An address as a number, of both families in one range (RFC 4291 §2.5.5.2).
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address that has these [`bits`]: nobody writes an IPv4 address as an IPv6 one.
fn address(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).to_canonical()
}

/// `interface`, `virtual_router_id` and addresses; said at the instance's name.
pub(crate) fn required(instance: &InstanceDraft, globals: &Draft, report: &mut Report) {
    let draft = &instance.draft;
    let mut need = |has: bool, word: &str, takes: &str| {
        if has || draft.has_failed(word) {
            return;
        }
        report.error(
            &instance.span,
            format_args!(
                "instance {} has no `{word}`\nadd {}",
                quoted(&instance.name),
                report.spell(word, takes)
            ),
        );
    };
    let has_interface = draft.interface.is_some() || globals.interface.is_some();
    let default_failed = globals.has_failed("default_interface");
    need(has_interface || default_failed, "interface", "INTERFACE");
    need(draft.plain.vrid.is_some(), "virtual_router_id", "1–255");
    need(draft.advertised > 0, "virtual_ipaddress", "{ ADDRESS }");
}

/// Advertisement_Interval: RFC 3768 §5.3.7 has eight bits of seconds, RFC 9568 §5.2.7 twelve of
/// centiseconds. None if it fits into neither.
pub(crate) fn advert_interval(
    draft: &Draft,
    version: Version,
    report: &mut Report,
) -> Option<Duration> {
    let Some(Placed { value, span }) = &draft.plain.advert_int else {
        let failed = draft.has_failed("advert_int");
        return (!failed).then_some(Duration::from_secs(1));
    };
    let (fits, message, help) = match version {
        Version::V2 => (
            value.as_micros().is_multiple_of(1_000_000) && !value.is_zero(),
            format_args!("VRRP version 2 has whole seconds only, not {value}"),
            format_args!("write `advert_int 1–255`, or add `version 3` on all routers"),
        ),
        Version::V3 => (
            value.as_micros().is_multiple_of(10_000) && value.as_centis() <= 4095,
            format_args!(
                "VRRP version 3 has intervals of 0.01 to 40.95 s in steps of 0.01, not {value}"
            ),
            format_args!("write such a number"),
        ),
    };
    if !fits {
        report.error_with(span, message, help);
        return None;
    }
    Some(*value)
}

/// The source of adverts must be there before the addresses are.
pub(crate) fn source_address(draft: &Draft, report: &mut Report) {
    if let (Some(unicast), Some(mcast)) = (&draft.plain.unicast_src_ip, &draft.plain.mcast_src_ip) {
        let message = format_args!("`mcast_src_ip` has no effect beside `unicast_src_ip`");
        let help = format_args!("remove one of the two");
        report.warn_at(&mcast.span, message, unicast.span, help);
    }
    let Some(source) = draft
        .plain
        .unicast_src_ip
        .as_ref()
        .or(draft.plain.mcast_src_ip.as_ref())
    else {
        return;
    };
    let family = family::of(draft);
    let multicast = draft.peers.is_empty();
    let on_link = family == Family::V4 || is_link_local(&source.value);
    if Family::of(&source.value) != family || multicast && !on_link {
        let (message, help) = match family {
            Family::V4 => (
                "is no source for an IPv4 instance",
                format_args!("write an IPv4 address"),
            ),
            Family::V6 => (
                "is no source for an IPv6 instance: RFC 9568 §5.1.2.1 wants a link-local address",
                format_args!("write one, such as fe80::2, or leave it out"),
            ),
        };
        report.error_with(
            &source.span,
            format_args!("{} {message}", source.value),
            help,
        );
    }
    let vip = draft
        .vips
        .iter()
        .find(|placed| placed.vip.address == source.value);
    let is_owner = draft
        .plain
        .priority
        .as_ref()
        .is_some_and(|priority| priority.value == 255);
    if let Some(vip) = vip.filter(|_| !is_owner) {
        let message = format_args!("{} is the virtual address", source.value);
        let help = format_args!("write an address that this router always has");
        report.error_at(&source.span, message, vip.span, help);
    }
}

/// Peers are of the family of the addresses, and are not these.
pub(crate) fn peers(draft: &Draft, report: &mut Report) {
    for peer in &draft.peers {
        let address = peer.value.address;
        let virtual_ = |placed: &&PlacedVip| placed.vip.address == address;
        if let Some(vip) = draft.vips.iter().find(virtual_) {
            let message = format_args!("{address} is the virtual address");
            let help = format_args!("write the address that the other router always has");
            report.error_at(&peer.span, message, vip.span, help);
        }
        let differs = |placed: &PlacedVip| Family::of(&placed.vip.address) != Family::of(&address);
        if draft.vips.first().is_some_and(differs) {
            report.error(
                &peer.span,
                format_args!(
                    "{address} is not of the family of the virtual addresses\n\
                     write the other router's address of that family"
                ),
            );
        }
    }
}

/// Two words for one thing.
pub(crate) fn checksum_words(draft: &Draft, report: &mut Report) {
    if let (Some(old), Some(own)) = (&draft.plain.checksum_as_v2, &draft.plain.checksum) {
        let message = format_args!("`v3_checksum_as_v2` and `v3_checksum`");
        let help = format_args!("remove one of the two");
        report.error_at(&old.span, message, own.span, help);
    }
}
