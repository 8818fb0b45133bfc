//! Definitions and their replacement.

use super::Parser;
use super::line::{Char, Line};
use super::variables::{self, Use};
use crate::config::error::quoted;

/// A configuration that replaces more variables than this is refused.
const MAX_REPLACEMENTS: usize = 20_000;
/// Definitions of several lines that use one another deeper than this are refused.
const MAX_EXPANSION_DEPTH: usize = 8;

/// What a variable was replaced by.
pub(super) enum Replaced {
    /// Stays as it is, as in keepalived.
    Undefined,
    Chars(Vec<Char>),
    Lines(Vec<Line>),
}

impl Replaced {
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Undefined => 0,
            Self::Chars(chars) => chars.len(),
            Self::Lines(lines) => lines.iter().map(|line| line.chars.len()).sum(),
        }
    }
}

impl Parser<'_> {
    pub(super) fn define(&mut self, line: &Line, name: String, value: Vec<Line>) {
        if name.starts_with('_') {
            self.report.error(
                &line.span(0),
                format_args!(
                    "`${name}`: names that begin with `_` are built in\n\
                     choose another name"
                ),
            );
        } else if !self.variables.define(name, value) {
            let limit = variables::MAX_VARIABLES;
            self.report.error(
                &line.span(0),
                format_args!("more than {limit} variables are defined\ndefine fewer"),
            );
        }
    }

    pub(super) fn replace(&mut self, line: &Line, found: &Use) -> Replaced {
        let at = line.chars[found.start];
        let replaced = match self.variables.get(&found.name) {
            Some([only]) => Replaced::Chars(variables::placed(&only.all(), at)),
            Some(lines) => Replaced::Lines(lines.to_vec()),
            None => match self.built_in(line, found) {
                Some(text) => Replaced::Chars(variables::placed(&text, at)),
                None => return Replaced::Undefined,
            },
        };
        self.spend(replaced.length(), &line.span(found.start));
        self.replacements += 1;
        if self.replacements > MAX_REPLACEMENTS {
            let message = format_args!("more than {MAX_REPLACEMENTS} variables were replaced");
            let help = format_args!("look for a definition that uses itself");
            self.give_up(&line.span(found.start), message, help);
        }
        replaced
    }

    /// keepalived's predefined variables.
    fn built_in(&mut self, line: &Line, found: &Use) -> Option<String> {
        let mut words = found.name.split_whitespace();
        match words.next()? {
            "_PWD" => Some(directory(self.reading.last()?)),
            "_INSTANCE" => Some(self.config_id().to_owned()),
            "_HASH" => Some("#".into()),
            "_BANG" => Some("!".into()),
            "_ENV" => {
                let name = words.next().unwrap_or_default();
                let value = self.files.env(name);
                if value.is_none() {
                    self.report.error(
                        &line.span(found.start),
                        format_args!(
                            "the environment has no {}\n\
                             set it where vipd is started, or write the value here",
                            quoted(name)
                        ),
                    );
                }
                Some(value.unwrap_or_default())
            }
            "_RANDOM" => {
                self.report.error(
                    &line.span(found.start),
                    format_args!(
                        "`${{_RANDOM}}` is not supported\n\
                         write a number: a reload must read what the start read"
                    ),
                );
                Some(String::new())
            }
            _ => None,
        }
    }

    /// A definition of several lines: what stands around its use goes to its first and last line.
    pub(super) fn expand(&mut self, line: &Line, found: &Use, mut lines: Vec<Line>, depth: usize) {
        if depth == MAX_EXPANSION_DEPTH {
            let message = format_args!("definitions use one another more than {depth} deep");
            self.give_up(
                &line.span(found.start),
                message,
                format_args!("look for one that uses itself"),
            );
            return;
        }
        let at = line.chars[found.start];
        for value in &mut lines {
            // A line has one file: text from another one gets the place of its use.
            if value.file != line.file {
                value.file = line.file;
                value
                    .chars
                    .iter_mut()
                    .for_each(|from| *from = Char { c: from.c, ..at });
            }
        }
        if let Some(first) = lines.first_mut() {
            first.replace(0, 0, &line.chars[..found.start]);
        }
        if let Some(last) = lines.last_mut() {
            last.chars.extend_from_slice(&line.chars[found.end..]);
        }
        for value in lines {
            self.line(value.trimmed(0), depth + 1);
        }
    }
}

fn directory(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) => "/".into(),
        Some((directory, _)) => directory.into(),
        None => ".".into(),
    }
}
