//! Probes: what they ask, and those that are defined where they are tracked.

use core::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use super::block::{Node, Word, joined};
use super::error::{Placed, Report, quoted};
use super::model::{Instance, Probe};
use super::read::{InstanceDraft, Reader};
use super::schema::{Block, Draft, Rule};
use super::track::{Entry, is_tracked};
use super::vip;
use crate::limits;
use crate::probe::{Check, Plan, dns};
use crate::time::Duration;
use crate::vrrp::track::{Kind, Watched};
use crate::vrrp::types::Family;

const INTERVAL: Duration = Duration::from_secs(1);
const RISE: u8 = 2;
const FALL: u8 = 3;

/// How many of `arguments` the check `keyword` takes.
pub(crate) fn taken(keyword: &str, arguments: &[Word]) -> usize {
    match keyword {
        "dns" => 2,
        "default_route" => usize::from(arguments.first().is_some_and(|w| family(w).is_some())),
        _ => 1,
    }
}

/// `1` is UCI's for a bare word.
fn family(word: &Word) -> Option<Family> {
    match word.text.as_str() {
        "ipv4" | "1" => Some(Family::V4),
        "ipv6" => Some(Family::V6),
        _ => None,
    }
}

/// `ADDRESS:PORT` or `[ADDRESS]:PORT`. A zone by its number is read over: `via` names the interface.
fn address_and_port(text: &str) -> Option<(IpAddr, u16)> {
    let (text, port) = text.rsplit_once(':')?;
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let zoned = inner.and_then(|t| t.split_once('%'));
    let (address, zone) = zoned.unwrap_or((inner.unwrap_or(text), "0"));
    let address: IpAddr = address.parse().ok()?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = address.is_ipv6() == inner.is_some()
        && vip::is_host(&address)
        && is_number(port)
        && is_number(zone)
        && zone.parse::<u32>().is_ok();
    let port = port.parse().ok()?;
    (fits && port != 0).then_some((address, port))
}

/// What the words behind `keyword` ask; there is at least one. An option of UCI is one word.
pub(crate) fn check(keyword: &str, arguments: &[Word], report: &mut Report) -> Option<Check> {
    let first = arguments.first()?;
    let shown = joined(arguments);
    let mut words = shown.split(' ');
    let mut next = || words.next().unwrap_or_default();
    let host = |text: &str| text.parse().ok().filter(vip::is_host);
    let check = match keyword {
        "ping" => host(next()).map(Check::Ping),
        "arp" => next().parse::<Ipv4Addr>().ok().map(Check::Arp),
        "tcp" => {
            let to = address_and_port(next());
            to.map(|(address, port)| Check::Tcp(address, port))
        }
        "dns" => {
            let (name, server) = (next(), next());
            let server = server.strip_prefix('@').and_then(host);
            let name = name.strip_suffix('.').unwrap_or(name);
            server
                .filter(|_| dns::is_name(name))
                .map(|server| Check::Dns {
                    name: name.into(),
                    server,
                })
        }
        _ => family(first).map(Check::DefaultRoute),
    };
    let is_host = |check: &Check| match check {
        Check::Arp(address) => vip::is_host(&IpAddr::V4(*address)),
        _ => true,
    };
    let check = check.filter(is_host);
    if check.is_none() {
        let (what, example) = match keyword {
            "ping" => ("an address", "ping 192.0.2.1"),
            "arp" => ("an IPv4 address", "arp 192.0.2.1"),
            "tcp" => (
                "an address and a port",
                "tcp 192.0.2.1:80` or `tcp [2001:db8::1]:80",
            ),
            "dns" => (
                "a name and the address of a name server",
                "dns example.org @192.0.2.1",
            ),
            _ => ("a family", "default_route`, or `default_route ipv6"),
        };
        let message = format_args!("{} is not {what}", quoted(&shown));
        let help = match keyword {
            "default_route" => format_args!("write `{example}`"),
            _ => format_args!("vipd resolves no names: write `{example}`"),
        };
        report.error_with(&first.span, message, help);
    }
    check
}

impl Reader<'_> {
    /// The lines of `probe`: each defines a probe, whose name is the line, and tracks it.
    pub(super) fn probes(&mut self, lines: &[Node], draft: &mut Draft) {
        for line in lines {
            let mut name = String::new();
            let mut words = line.words.iter().map(|word| word.text.as_str()).peekable();
            while let Some(word) = words.next() {
                if word == "weight" {
                    words.next();
                    words.next_if(|next| matches!(*next, "reverse" | "noreverse"));
                    continue;
                }
                name.push_str(if name.is_empty() { "" } else { " " });
                name.push_str(word);
            }
            let span = line.span;
            let mut probe = InstanceDraft::new(&name, span);
            self.block(core::slice::from_ref(line), Block::Probe, &mut probe.draft);
            let weight = probe.draft.plain.weight.take();
            let (weight, reverse) = weight.map_or((0, false), |placed| placed.value);
            let value = Entry {
                what: Watched {
                    kind: Kind::Probe,
                    name: probe.name.clone(),
                },
                weight: Some(weight),
                reverse,
            };
            draft.tracked.push(Placed { value, span });
            let same = |(kind, known): &(Kind, InstanceDraft)| {
                *kind == Kind::Probe && known.name == probe.name
            };
            if !self.watched.iter().any(same) {
                self.watched.push((Kind::Probe, probe));
            }
        }
    }
}

/// The probes that `instances` track.
pub(crate) fn build(
    watched: &[(Kind, InstanceDraft)],
    instances: &[Instance],
    report: &mut Report,
) -> Vec<Rc<Probe>> {
    let mut probes = Vec::new();
    for (kind, probe) in watched {
        if *kind != Kind::Probe {
            continue;
        }
        let Some(built) = one(probe, report) else {
            continue;
        };
        if probes.len() == limits::PROBES {
            report.error(
                &probe.span,
                format_args!(
                    "more than {} probes\nremove this one and those behind it",
                    limits::PROBES
                ),
            );
            break;
        }
        if is_tracked(Kind::Probe, &built.name, instances) {
            probes.push(Rc::new(built));
        }
    }
    probes
}

fn one(probe: &InstanceDraft, report: &mut Report) -> Option<Probe> {
    let draft = &probe.draft;
    let failed = |check: bool| {
        let mut words = Block::Probe.words();
        words.any(|word| matches!(word.rule, Rule::Check) == check && draft.has_failed(word.name))
    };
    if draft.check.is_none() && !failed(true) {
        report.error(
            &probe.span,
            format_args!(
                "probe {} asks nothing\nadd a check, such as `ping 192.0.2.1`",
                quoted(&probe.name)
            ),
        );
    }
    if draft.interface.is_none() && !failed(false) {
        report.error(
            &probe.span,
            format_args!(
                "probe {} has no `interface`\n\
                 add the one that it asks through: `interface NAME`, or `via NAME`",
                quoted(&probe.name)
            ),
        );
    }
    let interval = draft
        .plain
        .interval
        .as_ref()
        .map_or(INTERVAL, |placed| placed.value);
    if let Some(timeout) = draft.plain.timeout.as_ref().filter(|t| t.value > interval) {
        report.error(
            &timeout.span,
            format_args!(
                "a timeout above the interval, {interval}\n\
                 write a shorter one, or a longer interval"
            ),
        );
    }
    let timeout = draft
        .plain
        .timeout
        .as_ref()
        .map_or(interval.min(INTERVAL), |placed| placed.value);
    // The table limits these numbers to 100.
    let count = |slot: &Option<Placed<u32>>, default| {
        slot.as_ref().map_or(default, |placed| placed.value as u8)
    };
    Some(Probe {
        name: probe.name.clone(),
        check: draft.check.as_ref()?.value.clone(),
        interface: draft.interface.as_ref()?.value.clone(),
        plan: Plan {
            interval,
            timeout,
            rise: count(&draft.plain.rise, RISE),
            fall: count(&draft.plain.fall, FALL),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_port_are_read_as_std_reads_them() {
        for text in [
            "192.0.2.1:80",
            "192.0.2.1:080",
            "192.0.2.1:+80",
            "192.0.2.1:65536",
            "192.0.2.1:",
            "192.0.2.1",
            "[192.0.2.1]:80",
            "192.0.2.1%1:80",
            "[2001:db8::1]:80",
            "2001:db8::1:80",
            "[2001:db8::1]80",
            "[2001:db8::1:80",
            "[fe80::1%2]:80",
            "[fe80::1%+2]:80",
            "[fe80::1%]:80",
            "[fe80::1%eth0]:80",
            "[fe80::1%4294967296]:80",
            "",
            ":",
            ":80",
            "[]:80",
            "name:80",
        ] {
            let std = text.parse::<core::net::SocketAddr>().ok();
            let std = std.map(|to| (to.ip(), to.port()));
            assert_eq!(address_and_port(text), std, "{text}");
        }
    }
}
