//! The lines of `virtual_rules` and `static_rules`.

use std::rc::Rc;

use super::block::{Node, Word};
use super::error::Report;
use super::option::{self, Families, Found};
use super::route::items;
use super::routing::{
    FRA_FWMARK, FRA_FWMASK, FRA_GOTO, FRA_PRIORITY, FRA_SUPPRESS_IFGROUP, FRA_SUPPRESS_PREFIXLEN,
    FRA_TABLE, Item, Rule, What,
};
use super::schema::{Block, Skip};
use super::vip;
use crate::vrrp::types::Family;

/// keepalived's, of the first rule that has none; the next ones count down, each family by itself.
const PRIORITY: u32 = 16_384;
/// FR_ACT_…
const TO_TABLE: u8 = 1;
const GOTO: u8 = 2;
/// The words that are an action.
const ACTIONS: [(&str, u8); 4] = [
    ("nop", 3),
    ("blackhole", 6),
    ("unreachable", 7),
    ("prohibit", 8),
];

/// Reads the lines of a block. One that is wrong, or that is to be left out, is not there.
pub(crate) fn read(lines: &[Node], list: &mut Vec<Rc<Item>>, report: &mut Report) {
    items(lines, list, report, "a rule", |words, report| {
        let rule = rule(words, report)?;
        if rule.action == 0 {
            report.error(
                &words[0].span,
                format_args!(
                    "this rule does nothing\n\
                     write `table TABLE`, or one of goto, blackhole, unreachable, prohibit"
                ),
            );
            return None;
        }
        Some(What::Rule(rule))
    });
}

/// None if a word is wrong, or the rule is to be left out.
fn rule(words: &[Word], report: &mut Report) -> Option<Rule> {
    let mut families = Families::default();
    let mut rule = Rule {
        family: Family::V4,
        from: None,
        to: None,
        not: false,
        tos: 0,
        devs: [None, None],
        action: 0,
        numbers: Vec::new(),
    };
    let mut rest = words.iter();
    let mut left_out = false;
    while let Some(word) = rest.next() {
        let Found {
            keyword,
            value,
            skipped,
        } = option::read(Block::Rule, "a rule", word, &mut rest, report)?;
        match skipped {
            None => option(keyword.name, value, &mut rule, &mut families, report)?,
            Some(why) => left_out |= why == Skip::Foreign,
        }
    }
    if left_out {
        return None;
    }
    rule.family = families.family();
    if !rule.numbers.iter().any(|(kind, _)| *kind == FRA_PRIORITY) {
        let next = &mut report.rules[usize::from(rule.family == Family::V6)];
        rule.numbers.push((FRA_PRIORITY, PRIORITY - *next));
        *next += 1;
    }
    Some(rule)
}

fn option(
    name: &str,
    value: &Word,
    rule: &mut Rule,
    families: &mut Families,
    report: &mut Report,
) -> Option<()> {
    let number = match name {
        "from" => {
            rule.from = families.prefix(value, report)?;
            return Some(());
        }
        "to" => {
            rule.to = families.prefix(value, report)?;
            return Some(());
        }
        "iif" | "dev" | "oif" => {
            let place = usize::from(name == "oif");
            rule.devs[place] = Some(vip::interface(value, report)?);
            return Some(());
        }
        "fwmark" => {
            let (mark, mask) = match value.text.split_once('/') {
                Some((mark, mask)) => (mark, Some(mask)),
                None => (value.text.as_str(), None),
            };
            if let Some(mask) = mask {
                let mask = option::number(value, mask, u32::MAX, report)?;
                rule.numbers.push((FRA_FWMASK, mask));
            }
            (FRA_FWMARK, option::number(value, mark, u32::MAX, report)?)
        }
        "table" | "lookup" => {
            rule.action = TO_TABLE;
            (FRA_TABLE, option::table(value, report)?)
        }
        "inet" | "inet6" | "not" => {
            match name {
                "inet" => families.said = Some(Family::V4),
                "inet6" => families.said = Some(Family::V6),
                _ => rule.not = true,
            }
            return Some(());
        }
        _ => {
            if let Some((_, action)) = ACTIONS.iter().find(|(word, _)| *word == name) {
                rule.action = *action;
                return Some(());
            }
            let (kind, most) = match name {
                "goto" => (FRA_GOTO, u32::MAX),
                "suppress_ifgroup" => (FRA_SUPPRESS_IFGROUP, u32::MAX),
                "tos" | "dsfield" => (0, 255),
                "suppress_prefixlength" | "suppress_prefixlen" => (FRA_SUPPRESS_PREFIXLEN, 128),
                // priority, preference, order, pref
                _ => (FRA_PRIORITY, u32::MAX),
            };
            let number = option::number(value, &value.text, most, report)?;
            if kind == 0 {
                rule.tos = number as u8;
                return Some(());
            }
            if kind == FRA_GOTO {
                rule.action = GOTO;
            }
            (kind, number)
        }
    };
    rule.numbers.push(number);
    Some(())
}
