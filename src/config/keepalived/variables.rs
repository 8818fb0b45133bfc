//! `$NAME=VALUE` definitions and their use.

use super::line::{Char, Line};

/// More definitions than this are refused.
pub(super) const MAX_VARIABLES: usize = 1024;

/// What stands between the braces of a use is not longer than this.
const MAX_NAME_CHARS: usize = 128;

/// What has been defined so far, in the order of first definition.
#[derive(Debug, Default)]
pub(super) struct Variables(Vec<(String, Vec<Line>)>);

/// A use of a variable in a line: `chars[start..end]` is `$NAME` or `${NAME}`.
pub(super) struct Use {
    pub(super) start: usize,
    pub(super) end: usize,
    /// `NAME`, or for the built-in ones all between the braces.
    pub(super) name: String,
}

/// If the line begins with `$NAME=`: the name and where the value begins.
pub(super) fn definition(line: &Line) -> Option<(String, usize)> {
    let chars = &line.chars;
    if chars.first()?.c != '$' {
        return None;
    }
    let end = 1 + name_length(&chars[1..]);
    if end == 1 || chars[1].c.is_ascii_digit() || chars.get(end)?.c != '=' {
        return None;
    }
    Some((line.text(1, end), end + 1))
}

/// The first use of a variable at or behind `from`, defined or not.
pub(super) fn next_use(line: &Line, from: usize) -> Option<Use> {
    let chars = &line.chars;
    for start in from..chars.len() {
        if chars[start].c != '$' {
            continue;
        }
        let braced = chars.get(start + 1).is_some_and(|at| at.c == '{');
        let found = if braced {
            let close = close_of(chars, start);
            close.map(|close| (start + 2, close, close + 1))
        } else {
            let end = start + 1 + name_length(&chars[start + 1..]);
            let stands_alone = chars.get(end).is_none_or(|at| ends_name(at.c));
            (end > start + 1 && stands_alone).then_some((start + 1, end, end))
        };
        if let Some((name_start, name_end, end)) = found {
            let name = line.text(name_start, name_end);
            return Some(Use { start, end, name });
        }
    }
    None
}

/// Where the brace of `${` at `start` closes.
pub(super) fn close_of(chars: &[Char], start: usize) -> Option<usize> {
    let mut name = chars[start..].iter().take(MAX_NAME_CHARS);
    name.position(|at| at.c == '}').map(|close| start + close)
}

fn name_length(chars: &[Char]) -> usize {
    let is_name = |at: &&Char| at.c.is_ascii_alphanumeric() || at.c == '_';
    chars.iter().take_while(is_name).count()
}

fn ends_name(c: char) -> bool {
    c.is_whitespace() || matches!(c, '{' | '}' | '"' | '\'')
}

impl Variables {
    /// Defines or redefines; false if there are too many.
    pub(super) fn define(&mut self, name: String, value: Vec<Line>) -> bool {
        if let Some((_, old)) = self.0.iter_mut().find(|(other, _)| *other == name) {
            *old = value;
            return true;
        }
        if self.0.len() == MAX_VARIABLES {
            return false;
        }
        self.0.push((name, value));
        true
    }

    /// The lines of the value.
    pub(super) fn get(&self, name: &str) -> Option<&[Line]> {
        let (_, value) = self.0.iter().find(|(other, _)| other == name)?;
        Some(value)
    }
}

/// `text` as characters that all stand where the use stands.
pub(super) fn placed(text: &str, at: Char) -> Vec<Char> {
    let mut chars = Vec::with_capacity(text.len());
    for c in text.chars() {
        chars.push(Char { c, ..at });
    }
    chars
}
