//! Routing policy rules: how to add and delete one.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::build::{Batch, Body};
use super::route::{HeaderOf, header, prefix};
use crate::config::routing::{FRA_TABLE, Rule};
use crate::vrrp::types::Family;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
/// FRA_IIFNAME and FRA_OIFNAME.
const FRA_NAMES: [u16; 2] = [3, 17];
/// Who put the rule there (Linux 4.17; older kernels ignore the attribute).
const FRA_PROTOCOL: u16 = 21;
/// FIB_RULE_INVERT
const INVERT: u32 = 2;

/// Adds a rule, marked with `protocol`; `name` says which interface `iif` (0) and `oif` (1) name.
/// Returns the sequence number; EEXIST means that it is there.
pub fn add<'n>(
    batch: &mut Batch,
    rule: &Rule,
    protocol: u8,
    name: &dyn Fn(usize) -> Option<&'n str>,
) -> u32 {
    let flags = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
    batch.message(libc::RTM_NEWRULE, flags, |body| {
        write(body, rule, protocol, name);
    })
}

/// Deletes the rule that [`add`] has added. Returns the sequence number; ENOENT means that it was not
/// there.
pub fn delete<'n>(
    batch: &mut Batch,
    rule: &Rule,
    protocol: u8,
    name: &dyn Fn(usize) -> Option<&'n str>,
) -> u32 {
    batch.message(libc::RTM_DELRULE, 0, |body| {
        write(body, rule, protocol, name);
    })
}

/// The body of both.
fn write<'n>(
    body: &mut Body<'_>,
    rule: &Rule,
    protocol: u8,
    name: &dyn Fn(usize) -> Option<&'n str>,
) {
    let len = |prefix: &Option<crate::config::routing::Prefix>| prefix.map_or(0, |p| p.len);
    let table = rule.numbers.iter().find(|(kind, _)| *kind == FRA_TABLE);
    body.put(&header(&HeaderOf {
        address: match rule.family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        },
        to_len: len(&rule.to),
        from_len: len(&rule.from),
        tos: rule.tos,
        table: table.map_or(0, |(_, table)| *table),
        rest: [0, 0, rule.action],
        flags: if rule.not { INVERT } else { 0 },
    }));
    prefix(body, FRA_DST, rule.to.as_ref());
    prefix(body, FRA_SRC, rule.from.as_ref());
    for (place, kind) in FRA_NAMES.iter().enumerate() {
        if let Some(name) = name(place) {
            body.attribute_str(*kind, name);
        }
    }
    for (kind, value) in &rule.numbers {
        body.attribute_u32(*kind, *value);
    }
    body.attribute(FRA_PROTOCOL, &[protocol]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::routing::{FRA_FWMARK, FRA_PRIORITY, Prefix};

    #[test]
    fn a_rule_byte_for_byte() {
        let rule = Rule {
            family: Family::V4,
            from: Some(Prefix {
                address: [10, 1, 0, 0].into(),
                len: 16,
            }),
            to: None,
            not: true,
            tos: 8,
            devs: [Some("eth0".into()), None],
            action: 1,
            numbers: vec![(FRA_TABLE, 100), (FRA_PRIORITY, 500), (FRA_FWMARK, 4)],
        };
        let mut batch = Batch::with_capacity(128);
        let name = |place: usize| rule.devs.get(place)?.as_deref();
        add(&mut batch, &rule, 112, &name);
        let mut expected = vec![2, 0, 16, 8, 100, 0, 0, 1];
        expected.extend(INVERT.to_ne_bytes());
        let mut attribute = |kind: u16, value: &[u8]| {
            expected.extend((value.len() as u16 + 4).to_ne_bytes());
            expected.extend(kind.to_ne_bytes());
            expected.extend(value);
            expected.resize(expected.len().next_multiple_of(4), 0);
        };
        attribute(2, &[10, 1, 0, 0]);
        attribute(3, b"eth0\0");
        for (kind, value) in [(15, 100_u32), (6, 500), (10, 4)] {
            attribute(kind, &value.to_ne_bytes());
        }
        attribute(21, &[112]);
        assert_eq!(&batch.bytes()[16..], expected);
        assert_eq!(
            batch.bytes()[4..8],
            [32_u16.to_ne_bytes(), 0x601_u16.to_ne_bytes()].concat()
        );
        batch.clear();
        delete(&mut batch, &rule, 112, &name);
        assert_eq!(&batch.bytes()[16..], expected);
        assert_eq!(
            batch.bytes()[4..8],
            [33_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat()
        );
    }
}
