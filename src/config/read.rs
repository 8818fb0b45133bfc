//! Block tree → drafts: each statement is looked up in the table and its arguments are read.

use core::net::Ipv4Addr;

use super::block::{Node, Word};
use super::error::{Placed, Report, Span, quoted};
use super::schema::{Block, Draft, Keyword, Rule, Skip};
use super::vip;
use crate::time::Duration;

/// What the files say, before defaults and cross-checks.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    pub(crate) globals: Draft,
    pub(crate) instances: Vec<InstanceDraft>,
}

/// One `vrrp_instance`.
#[derive(Debug)]
pub(crate) struct InstanceDraft {
    pub(crate) name: String,
    /// Where the name stands.
    pub(crate) span: Span,
    pub(crate) draft: Draft,
}

/// Reads the whole tree.
pub(crate) fn read(nodes: &[Node], report: &mut Report) -> Drafts {
    let mut drafts = Drafts::default();
    let mut reader = Reader { report };
    for statement in statements(nodes, Block::Top) {
        let Some(keyword) = reader.lookup(&statement, Block::Top) else {
            continue;
        };
        if let Rule::Instance = keyword.rule {
            drafts.instances.extend(reader.instance(&statement));
        } else {
            reader.keyword(keyword, &statement, &mut drafts.globals);
        }
    }
    drafts
}

/// A keyword, its arguments and its block.
struct Statement<'a> {
    word: &'a Word,
    arguments: &'a [Word],
    children: Option<&'a [Node]>,
}

/// The statements of a block. A line may hold several (`{ state BACKUP priority 90 }`): where a
/// keyword has all that it takes and the next word is a keyword, a new statement begins.
fn statements(nodes: &[Node], block: Block) -> Vec<Statement<'_>> {
    let mut found = Vec::new();
    for node in nodes {
        let mut rest = node.words.as_slice();
        while let Some((word, arguments)) = rest.split_first() {
            let keyword = block.find(&word.text).filter(|_| !word.quoted);
            let taken = keyword.map_or(arguments.len(), |keyword| taken(keyword, arguments));
            let starts_statement = |next: &Word| !next.quoted && block.find(&next.text).is_some();
            let split = arguments.get(taken).is_some_and(starts_statement);
            let end = if split { taken } else { arguments.len() };
            found.push(Statement {
                word,
                arguments: &arguments[..end],
                children: node.children.as_deref().filter(|_| !split),
            });
            rest = &arguments[end..];
        }
    }
    found
}

/// How many of `arguments` the keyword takes.
fn taken(keyword: &Keyword, arguments: &[Word]) -> usize {
    let most = match keyword.rule {
        Rule::Flag { .. }
        | Rule::Skipped {
            takes: "[BOOL]", ..
        } => {
            let is_bool = |word: &Word| boolean(&word.text).is_some();
            usize::from(arguments.first().is_some_and(is_bool))
        }
        Rule::Words(_) | Rule::Addresses => 0,
        Rule::Option { takes } | Rule::Skipped { takes, .. } | Rule::SkippedWords { takes, .. } => {
            if takes.is_empty() || takes.starts_with('{') {
                0
            } else {
                arguments.len()
            }
        }
        _ => 1,
    };
    most.min(arguments.len())
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

struct Reader<'a> {
    report: &'a mut Report,
}

impl Reader<'_> {
    fn instance(&mut self, statement: &Statement<'_>) -> Option<InstanceDraft> {
        let Some(name) = statement.arguments.first() else {
            let message = "`vrrp_instance` without a name";
            let help = "write `vrrp_instance NAME { … }`";
            self.report.error(&statement.word.span, message, help);
            return None;
        };
        let Some(children) = statement.children else {
            let message = "`vrrp_instance` without a block";
            let help = "write `vrrp_instance NAME { … }`";
            self.report.error(&statement.word.span, message, help);
            return None;
        };
        self.unused(&statement.arguments[1..], Block::Top);
        let mut draft = Draft::default();
        self.block(children, Block::Instance, &mut draft);
        Some(InstanceDraft {
            name: name.text.clone(),
            span: name.span.clone(),
            draft,
        })
    }

    fn block(&mut self, nodes: &[Node], block: Block, draft: &mut Draft) {
        for statement in statements(nodes, block) {
            let Some(keyword) = self.lookup(&statement, block) else {
                continue;
            };
            let taken = taken(keyword, statement.arguments);
            if !matches!(keyword.rule, Rule::Flag { .. }) {
                self.unused(&statement.arguments[taken..], block);
            }
            self.keyword(keyword, &statement, draft);
        }
    }

    fn lookup(&mut self, statement: &Statement<'_>, block: Block) -> Option<&'static Keyword> {
        let word = statement.word;
        let found = block.find(&word.text);
        if found.is_none() {
            let message = if block.is_secret() {
                "unknown word".into()
            } else {
                format!("unknown word {}", quoted(&word.text))
            };
            let place = match block {
                Block::Top => message,
                block => format!("{message} in `{}`", block.name()),
            };
            let suggestion = block.suggest(&word.text);
            let help = suggestion.unwrap_or_else(|| "remove it; CONFIG.md lists all words".into());
            self.report.error(&word.span, place, help);
        }
        found
    }

    /// keepalived ignores what a keyword does not take; so do we, but we say so.
    fn unused(&mut self, words: &[Word], block: Block) {
        let Some(first) = words.first() else { return };
        let message = if block.is_secret() {
            "this word is not used".into()
        } else {
            format!("{} is not used", quoted(&first.text))
        };
        let help = "remove it, or put it on a line of its own";
        self.report.warn(&first.span, message, help);
    }

    fn keyword(&mut self, keyword: &'static Keyword, statement: &Statement<'_>, draft: &mut Draft) {
        match keyword.rule {
            Rule::Skipped { why, .. } => return self.skip(keyword, why, &statement.word.span),
            Rule::SkippedWords { words, .. } => {
                self.skip(keyword, Skip::Later, &statement.word.span);
                return self.check_words(statement.children.unwrap_or_default(), words);
            }
            Rule::Words(_) | Rule::Addresses => {
                let Some(children) = statement.children else {
                    let message = format!("`{}` without a block", keyword.name);
                    let help = format!("write `{} {{ … }}`", keyword.name);
                    self.report.error(&statement.word.span, message, help);
                    draft.failed.push(keyword.name);
                    return;
                };
                if let Rule::Words(block) = keyword.rule {
                    self.block(children, block, draft);
                } else {
                    vip::read(children, &statement.word.span, draft, self.report);
                }
                return;
            }
            _ => {}
        }
        if statement.children.is_some() {
            let message = format!("`{}` is not a block", keyword.name);
            let help = format!(
                "write `{} {}` without braces",
                keyword.name,
                keyword.syntax()
            );
            self.report.error(&statement.word.span, message, help);
        }
        if self.value(keyword, statement, draft).is_none() {
            draft.failed.push(keyword.name);
        }
    }

    fn skip(&mut self, keyword: &'static Keyword, why: Skip, span: &Span) {
        let name = keyword.name;
        let message = match why {
            Skip::Later => format!("`{name}` is not supported yet by vipd"),
            Skip::Needless => format!("`{name}` is not needed by vipd"),
            Skip::Foreign => format!("`{name}` is not supported by vipd"),
        };
        self.report.skip(name, span, message, keyword.doc);
    }

    fn check_words(&mut self, nodes: &[Node], block: Block) {
        for statement in statements(nodes, block) {
            self.lookup(&statement, block);
        }
    }

    /// Reads the value and fills the slot; None if the value was wrong, which is reported.
    fn value(
        &mut self,
        keyword: &'static Keyword,
        statement: &Statement<'_>,
        draft: &mut Draft,
    ) -> Option<()> {
        let span = &statement.word.span;
        if let Rule::Flag { bare, slot } = keyword.rule {
            let on = self.flag(keyword, statement.arguments)?;
            let value = if on { bare } else { !bare };
            return self.fill(slot(draft), keyword, span, span, value);
        }
        let Some(word) = statement.arguments.first() else {
            let message = format!("`{}` needs a value", keyword.name);
            self.report.error(span, message, wanted(keyword));
            return None;
        };
        let at = &word.span;
        match keyword.rule {
            Rule::Number { min, max, slot } => {
                let value = self.number(keyword, word, min, max)?;
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Repeat { slot } => {
                let mut value = self.number(keyword, word, 0, 255)?;
                if value == 0 {
                    let message = format!("`{} 0` counts as 1, as in keepalived", keyword.name);
                    self.report.warn(at, message, "write 1");
                    value = 1;
                }
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Seconds { min, max, slot } => {
                let value = self.seconds(keyword, word, min, max)?;
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Text { slot } => self.fill(slot(draft), keyword, span, at, word.text.clone()),
            Rule::Secret { slot } => {
                let value = word.text.clone().into_bytes();
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Interface { slot } => {
                let value = vip::interface(word, self.report)?;
                if value == "lo" {
                    let message = "the loopback interface has no neighbours to elect with";
                    self.report.error(
                        at,
                        message,
                        "write the interface that faces the other routers",
                    );
                    return None;
                }
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Choice { of, slot } => {
                let value = self.choice(keyword, word, of)?;
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Address { slot } => {
                let value = self.address(keyword, word, vip::is_host, "a unicast IPv4 address")?;
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Group { slot } => {
                let is_group = |address: &Ipv4Addr| address.is_multicast();
                let value = self.address(keyword, word, is_group, "an IPv4 multicast group")?;
                self.fill(slot(draft), keyword, span, at, value)
            }
            // Handled before, or read elsewhere.
            Rule::Flag { .. }
            | Rule::Words(_)
            | Rule::Instance
            | Rule::Addresses
            | Rule::Option { .. }
            | Rule::Skipped { .. }
            | Rule::SkippedWords { .. } => Some(()),
        }
    }

    fn fill<T>(
        &mut self,
        slot: &mut Option<Placed<T>>,
        keyword: &'static Keyword,
        word: &Span,
        at: &Span,
        value: T,
    ) -> Option<()> {
        if let Some(before) = slot {
            let message = format!("`{}` was already set at {}", keyword.name, before.span);
            self.report
                .warn(word, message, "the last one counts; remove the other");
        }
        let span = at.clone();
        *slot = Some(Placed { value, span });
        Some(())
    }

    fn flag(&mut self, keyword: &'static Keyword, arguments: &[Word]) -> Option<bool> {
        let Some(word) = arguments.first() else {
            return Some(true);
        };
        let value = boolean(&word.text);
        if value.is_none() {
            let message = format!("{} is neither on nor off", quoted(&word.text));
            let help = format!("write `{0}`, `{0} on` or `{0} off`", keyword.name);
            self.report.error(&word.span, message, help);
        }
        value
    }

    fn number(
        &mut self,
        keyword: &'static Keyword,
        word: &Word,
        min: u32,
        max: u32,
    ) -> Option<u32> {
        let is_number = !word.text.is_empty() && word.text.bytes().all(|c| c.is_ascii_digit());
        let value = word
            .text
            .parse()
            .ok()
            .filter(|value| (min..=max).contains(value));
        if value.is_none() || !is_number {
            self.bad_value(keyword, word, is_number, "a whole number");
            return None;
        }
        value
    }

    fn seconds(
        &mut self,
        keyword: &'static Keyword,
        word: &Word,
        min: Duration,
        max: Duration,
    ) -> Option<Duration> {
        let value = parse_seconds(&word.text);
        let in_range = value.filter(|value| (min..=max).contains(value));
        if in_range.is_none() {
            let what = "a number of seconds with at most six decimals";
            self.bad_value(keyword, word, value.is_some(), what);
        }
        in_range
    }

    fn bad_value(&mut self, keyword: &Keyword, word: &Word, is_number: bool, what: &str) {
        let shown = quoted(&word.text);
        let message = if is_number {
            format!("{shown} is out of range")
        } else {
            format!("{shown} is not {what}")
        };
        self.report.error(&word.span, message, wanted(keyword));
    }

    fn choice(
        &mut self,
        keyword: &'static Keyword,
        word: &Word,
        of: &'static [&'static str],
    ) -> Option<&'static str> {
        let value = of.iter().copied().find(|choice| *choice == word.text);
        if value.is_none() {
            let message = format!("`{}` cannot be {}", keyword.name, quoted(&word.text));
            self.report.error(&word.span, message, wanted(keyword));
        }
        value
    }

    fn address(
        &mut self,
        keyword: &'static Keyword,
        word: &Word,
        fits: impl Fn(&Ipv4Addr) -> bool,
        what: &str,
    ) -> Option<Ipv4Addr> {
        let value = word.text.parse().ok().filter(|address| fits(address));
        if value.is_none() {
            let is_v6 = word.text.parse::<core::net::Ipv6Addr>().is_ok();
            let message = if is_v6 {
                format!(
                    "IPv6 is not supported yet by vipd, so {} is of no use",
                    quoted(&word.text)
                )
            } else {
                format!("{} is not {what}", quoted(&word.text))
            };
            self.report.error(&word.span, message, wanted(keyword));
        }
        value
    }
}

/// What to write: `write `priority 1–255``.
fn wanted(keyword: &Keyword) -> String {
    format!("write `{} {}`", keyword.name, keyword.syntax())
}

/// `1`, `0.01`, `2.500000`: at most six decimals, at most 32 bits of whole seconds.
fn parse_seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    if fraction.len() > 6 {
        return None;
    }
    let secs: u32 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let micros: u32 = format!("{fraction:0<6}").parse().ok()?;
    Some(Duration::from_secs(u64::from(secs)) + Duration::from_micros(u64::from(micros)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_without_floats() {
        let rows = [
            ("1", Some(1_000_000)),
            ("0.01", Some(10_000)),
            (".5", Some(500_000)),
            ("1.", Some(1_000_000)),
            ("40.95", Some(40_950_000)),
            ("0.000001", Some(1)),
            ("0.0000001", None),
            ("", None),
            (".", None),
            ("-1", None),
            ("1e3", None),
            ("1.2.3", None),
            ("99999999999", None),
        ];
        for (text, micros) in rows {
            let expected = micros.map(Duration::from_micros);
            assert_eq!(parse_seconds(text), expected, "{text:?}");
        }
    }
}
