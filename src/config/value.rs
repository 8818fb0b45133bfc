//! The value of a keyword, read as its row in the table says.

use core::fmt::Arguments;
use core::net::IpAddr;

use super::block::Word;
use super::error::{Placed, Span, quoted};
use super::model::{Dialect, InitFile};
use super::read::{Reader, Statement, boolean};
use super::schema::{Draft, Keyword, Rule};
use super::{probe, program, script, track, vip, vmac};
use crate::probe::Check;
use crate::time::Duration;
use crate::vrrp::types::Family;

impl Reader<'_> {
    /// Reads the value and fills the slot; None if the value was wrong, which is reported.
    pub(super) fn value(
        &mut self,
        keyword: &Keyword,
        statement: &Statement<'_>,
        draft: &mut Draft,
    ) -> Option<()> {
        let span = &statement.word.span;
        if let Rule::Flag { bare, slot } = keyword.rule {
            let on = self.flag(keyword, statement.arguments)?;
            let value = if on { bare } else { !bare };
            let slot = slot(&mut draft.plain);
            // Two words for one thing, as in `accept '1'` and `no_accept '0'`.
            if slot.as_ref().is_some_and(|before| before.value == value) {
                return Some(());
            }
            return self.fill(slot, keyword, span, span, value);
        }
        if let Rule::Vmac { slot } = keyword.rule {
            let name = vmac::name(statement.arguments, self.report)?;
            return self.fill(slot(draft), keyword, span, span, name);
        }
        if let Rule::InitFile { slot } = keyword.rule {
            let mut words = statement.arguments.iter().take(2);
            let value = InitFile {
                value: words.clone().find_map(|w| w.text.parse().ok()).unwrap_or(0),
                overwrite: words.any(|word| word.text == "overwrite"),
            };
            return self.fill(slot(&mut draft.plain), keyword, span, span, value);
        }
        if let Rule::Line(line) = keyword.rule {
            let mut words = Vec::new();
            for word in statement.arguments {
                words.push(word.text.as_str().into());
            }
            return self.fill((line.slot)(draft), keyword, span, span, words.into());
        }
        if let Rule::Program(hook) = keyword.rule {
            return program::read(keyword, hook, span, statement.arguments, draft, self.report);
        }
        if let (Rule::Check, [], "default_route") =
            (keyword.rule, statement.arguments, keyword.name)
        {
            let value = Check::DefaultRoute(Family::V4);
            return self.fill(&mut draft.check, keyword, span, span, value);
        }
        let Some(word) = statement.arguments.first() else {
            self.refuse(
                keyword,
                span,
                format_args!("`{}` needs a value", keyword.name),
            );
            return None;
        };
        let at = &word.span;
        match keyword.rule {
            Rule::Number { min, max, slot } => {
                let value = self.number(keyword, word, i32::from(min), max)?;
                self.fill(slot(&mut draft.plain), keyword, span, at, value)
            }
            Rule::Repeat { slot } => {
                let mut value = self.number(keyword, word, 0, 255)?;
                if value == 0 {
                    self.report.warn(
                        at,
                        format_args!(
                            "`{} 0` counts as 1, as in keepalived\nwrite 1",
                            keyword.name
                        ),
                    );
                    value = 1;
                }
                self.fill(slot(&mut draft.plain), keyword, span, at, value)
            }
            Rule::Seconds {
                min_centis,
                max,
                slot,
            } => {
                let min = Duration::from_centis(min_centis.into());
                let max = Duration::from_secs(max.into());
                let value = self.seconds(keyword, word, min, max)?;
                self.fill(slot(&mut draft.plain), keyword, span, at, value)
            }
            Rule::Text { slot } | Rule::Secret { slot } => {
                let value = word.text.as_str().into();
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Interface { slot } => {
                let value = vip::interface(word, self.report)?;
                if &*value == "lo" {
                    self.report.error(
                        at,
                        format_args!(
                            "the loopback interface has no neighbours to elect with\n\
                             write the interface that faces the other routers"
                        ),
                    );
                    return None;
                }
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Check => {
                let value = probe::check(keyword.name, statement.arguments, self.report)?;
                self.fill(&mut draft.check, keyword, span, at, value)
            }
            Rule::Weight { max, slot } => {
                let weight = track::parse_weight(&word.text, max);
                if weight.is_none() {
                    let is_number = word.text.parse::<i32>().is_ok();
                    self.bad_value(keyword, word, is_number, "a whole number");
                }
                let reverse = statement.arguments.get(1);
                let reverse = reverse.is_some_and(|word| word.text == "reverse");
                self.fill(
                    slot(&mut draft.plain),
                    keyword,
                    span,
                    at,
                    (weight?, reverse),
                )
            }
            Rule::Command { slot } => {
                let value = script::command(statement.arguments, self.report)?;
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::User { slot } => {
                let value = script::user(statement.arguments);
                self.fill(slot(draft), keyword, span, at, value)
            }
            Rule::Choice(choice) => {
                let value = self.choice(keyword, word, choice.of)?;
                self.fill((choice.slot)(&mut draft.plain), keyword, span, at, value)
            }
            Rule::Address { slot } => {
                let value = self.address(keyword, word, vip::is_host, "a unicast address")?;
                self.fill(slot(&mut draft.plain), keyword, span, at, value)
            }
            Rule::Group { slot } => {
                let is_group = |address: &IpAddr| address.is_ipv4() && address.is_multicast();
                let group = self.address(keyword, word, is_group, "an IPv4 multicast group")?;
                let IpAddr::V4(value) = group else {
                    return None;
                };
                self.fill(slot(&mut draft.plain), keyword, span, at, value)
            }
            // Handled before, or read elsewhere.
            Rule::Flag { .. }
            | Rule::Words(_)
            | Rule::Instance
            | Rule::SyncGroup
            | Rule::Members
            | Rule::Probes
            | Rule::Tracked(_)
            | Rule::Watched { .. }
            | Rule::Delays
            | Rule::Addresses { .. }
            | Rule::Routes
            | Rule::Rules
            | Rule::Peers
            | Rule::Vmac { .. }
            | Rule::InitFile { .. }
            | Rule::Line(_)
            | Rule::Program(_)
            | Rule::Option { .. }
            | Rule::Skipped { .. }
            | Rule::SkippedWords { .. } => Some(()),
        }
    }

    fn fill<T>(
        &mut self,
        slot: &mut Option<Placed<T>>,
        keyword: &Keyword,
        word: &Span,
        at: &Span,
        value: T,
    ) -> Option<()> {
        if let Some(before) = slot {
            self.report.set_twice(keyword.name, word, before.span);
        }
        let span = *at;
        *slot = Some(Placed { value, span });
        Some(())
    }

    fn flag(&mut self, keyword: &Keyword, arguments: &[Word]) -> Option<bool> {
        let Some(word) = arguments.first() else {
            return Some(true);
        };
        let value = boolean(&word.text);
        if value.is_none() {
            let name = keyword.name;
            let message = "is neither on nor off";
            match self.report.dialect {
                Dialect::Keepalived => self.report.error_of(
                    word,
                    format_args!("{message}\nwrite `{name}`, `{name} on` or `{name} off`"),
                ),
                Dialect::Uci => self.report.error_of(
                    word,
                    format_args!("{message}\nwrite `option {name} '1'`, or '0'"),
                ),
            }
        }
        value
    }

    fn number(&mut self, keyword: &Keyword, word: &Word, min: i32, max: i32) -> Option<u32> {
        let digits = match word.text.strip_prefix('-') {
            Some(digits) if min < 0 => digits,
            _ => &word.text,
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
        let value = word.text.parse::<i32>().ok();
        let value = value.filter(|value| (min..=max).contains(value));
        if value.is_none() || !is_number {
            self.bad_value(keyword, word, is_number, "a whole number");
            return None;
        }
        value.map(i32::cast_unsigned)
    }

    fn seconds(
        &mut self,
        keyword: &Keyword,
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

    /// Says what is wrong, and what the keyword takes.
    fn refuse(&mut self, keyword: &Keyword, span: &Span, message: Arguments<'_>) {
        let wanted = self.report.spell(keyword.name, &keyword.syntax());
        self.report
            .error(span, format_args!("{message}\nwrite {wanted}"));
    }

    fn bad_value(&mut self, keyword: &Keyword, word: &Word, is_number: bool, what: &str) {
        let (is, what) = if is_number {
            ("is out of range", "")
        } else {
            ("is not ", what)
        };
        let message = format_args!("{} {is}{what}", quoted(&word.text));
        self.refuse(keyword, &word.span, message);
    }

    fn choice(
        &mut self,
        keyword: &Keyword,
        word: &Word,
        of: &'static [&'static str],
    ) -> Option<&'static str> {
        let value = of.iter().copied().find(|choice| *choice == word.text);
        if value.is_none() {
            let message = format_args!("`{}` cannot be {}", keyword.name, quoted(&word.text));
            self.refuse(keyword, &word.span, message);
        }
        value
    }

    fn address(
        &mut self,
        keyword: &Keyword,
        word: &Word,
        fits: fn(&IpAddr) -> bool,
        what: &str,
    ) -> Option<IpAddr> {
        let value = word.text.parse().ok().filter(fits);
        if value.is_none() {
            self.bad_value(keyword, word, false, what);
        }
        value
    }
}

/// `1`, `0.01`, `2.500000`: at most six decimals, at most 32 bits of whole seconds.
pub(super) fn parse_seconds(text: &str) -> Option<Duration> {
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
