//! What the user may have meant by a word that no table has.

use super::Block;
use super::packed::ALL;
use crate::config::error::Report;
use crate::config::model::Dialect;

impl Block {
    /// What to write instead of a word that is unknown: what the user may have meant, or else `otherwise`.
    /// Not for words whose error is only counted: it takes a while.
    pub(crate) fn help(self, unknown: &str, report: &Report, otherwise: &str) -> String {
        let meant = if report.is_full() {
            None
        } else {
            self.suggest(unknown, report.dialect)
        };
        meant.unwrap_or_else(|| otherwise.into())
    }

    /// What the user may have meant by `unknown`.
    pub(crate) fn suggest(self, unknown: &str, dialect: Dialect) -> Option<String> {
        if unknown.starts_with("include") {
            return Some("begin a new line with `include`".into());
        }
        let mut names: Vec<&str> = Vec::new();
        for word in self.words() {
            names.push(word.name);
        }
        if let Some(name) = nearest(unknown, &names) {
            return Some(format!("write `{name}`"));
        }
        let is_longer = |name: &&&str| name.len() > 5 && unknown.starts_with(**name);
        let is_shorter = |name: &&&str| unknown.len() > 3 && name.starts_with(unknown);
        let (mut longer, mut shorter) = (names.iter(), names.iter());
        if let Some(name) = longer.find(is_longer).or(shorter.find(is_shorter)) {
            return Some(format!("write `{name}`"));
        }
        let elsewhere = ALL.iter().find(|block| {
            !matches!(
                block,
                Self::Address | Self::Route | Self::Rule | Self::Peer | Self::Tracked
            ) && block.has(unknown)
        })?;
        match elsewhere {
            Self::Top => Some(match dialect {
                Dialect::Keepalived => {
                    "it belongs outside of all blocks: close the block above it".into()
                }
                Dialect::Uci => format!("write `config {unknown}` for a section of its own"),
            }),
            block => Some(format!("it belongs into `{}`", block.called(dialect))),
        }
    }
}

/// The one of `names` that is meant by `unknown`, if one is near enough.
pub(crate) fn nearest<'a>(unknown: &str, names: &[&'a str]) -> Option<&'a str> {
    let near = |name: &&'a str| (distance(unknown, name), *name);
    let (wrong, name) = names.iter().map(near).min()?;
    (wrong <= tolerance(unknown)).then_some(name)
}

/// What to write instead of `unknown`: the one of `names` that is meant, or else `otherwise`.
pub(crate) fn nearest_help(unknown: &str, names: &[&str], otherwise: &str) -> String {
    match nearest(unknown, names) {
        Some(near) => format!("write `{near}`"),
        None => otherwise.into(),
    }
}

/// How many letters may be wrong for a word to be recognized.
fn tolerance(word: &str) -> usize {
    match word.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    }
}

fn letters(word: &str) -> Vec<char> {
    let mut letters = Vec::new();
    for letter in word.chars() {
        letters.push(letter);
    }
    letters
}

/// Letters to insert, remove, replace or swap to get from `a` to `b` (optimal string alignment).
/// Words longer than any keyword are infinitely far away.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 48;
    if a.chars().count() > LONGEST {
        return usize::MAX;
    }
    let (a, b) = (letters(a), letters(b));
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let replaced = row[j] + usize::from(a[i] != b[j]);
            let mut best = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = core::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognized() {
        let rows = [
            ("priorty", Some("write `priority`")),
            ("virtual_ruoter_id", Some("write `virtual_router_id`")),
            ("virtual_ipadress", Some("write `virtual_ipaddress`")),
            ("advert_interval", Some("write `advert_int`")),
            ("prio", Some("write `priority`")),
            ("nopremt", Some("write `nopreempt`")),
            ("router_id", Some("it belongs into `global_defs`")),
            (
                "vrrp_instance",
                Some("it belongs outside of all blocks: close the block above it"),
            ),
            ("xyzzy", None),
        ];
        for (unknown, expected) in rows {
            let found = Block::Instance.suggest(unknown, Dialect::Keepalived);
            assert_eq!(found.as_deref(), expected, "{unknown}");
        }
        assert_eq!(
            Block::Top.suggest(&"x".repeat(100_000), Dialect::Keepalived),
            None
        );
    }
}
