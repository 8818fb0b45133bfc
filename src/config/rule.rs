//! The lines of `virtual_rules` and `static_rules`.

use std::rc::Rc;

use super::block::{Node, Word};
use super::error::Report;
use super::option::{self, Families, Found};
use super::route::items;
use super::routing::{
    FRA_FWMARK, FRA_FWMASK, FRA_GOTO, FRA_PRIORITY, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, Item, Rule,
    What,
};
use super::schema::{Block, Opt, Skip};
use super::vip;
use crate::vrrp::types::Family;

/// keepalived's, of the first rule that has none; the next ones count down, each family by itself.
const PRIORITY: u32 = 16_384;
/// FR_ACT_…
const TO_TABLE: u8 = 1;
const GOTO: u8 = 2;

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
        let Found { value, is, .. } = option::read(Block::Rule, "a rule", word, &mut rest, report)?;
        match is {
            Ok(is) => option(is, value, &mut rule, &mut families, report)?,
            Err(why) => left_out |= why == Skip::Foreign,
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
    is: Opt,
    value: &Word,
    rule: &mut Rule,
    families: &mut Families,
    report: &mut Report,
) -> Option<()> {
    let number = |most, report: &mut Report| option::number(value, &value.text, most, report);
    let found = match is {
        Opt::Goto => {
            rule.action = GOTO;
            (FRA_GOTO, number(u32::MAX, report)?)
        }
        Opt::Table => {
            rule.action = TO_TABLE;
            (FRA_TABLE, option::table(value, report)?)
        }
        Opt::PrefixLength => (FRA_SUPPRESS_PREFIXLEN, number(128, report)?),
        Opt::Number(kind) => (kind, number(u32::MAX, report)?),
        Opt::Mark => {
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
        _ => {
            match is {
                Opt::From => rule.from = families.prefix(value, report)?,
                Opt::To => rule.to = families.prefix(value, report)?,
                Opt::Input => rule.devs[0] = Some(vip::interface(value, report)?),
                Opt::Output => rule.devs[1] = Some(vip::interface(value, report)?),
                Opt::Family(family) => families.said = Some(family),
                Opt::Tos => rule.tos = number(255, report)? as u8,
                Opt::Kind(action) => rule.action = action,
                Opt::Not => rule.not = true,
                _ => {}
            }
            return Some(());
        }
    };
    rule.numbers.push(found);
    Some(())
}
