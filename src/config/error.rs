//! Where in which file something is wrong, and what to write instead.

use core::fmt::{self, Arguments, Write};
use std::rc::Rc;

use super::block::Word;
use super::model::Dialect;

/// A place in a configuration file, small enough to stand at each word; [`Report::place`] prints it. The order is
/// that of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The file, by its place in the report.
    pub file: u16,
    /// Line, from 1; 0 means the file as a whole.
    pub line: u32,
    /// Column in characters, from 1; no line is as long as 16 bits count.
    pub column: u16,
}

impl Span {
    /// The file as a whole, for what has no line: it cannot be read, or it lacks something.
    pub fn whole(file: u16) -> Self {
        Self {
            file,
            line: 0,
            column: 0,
        }
    }

    /// The same line, `chars` further on.
    pub(crate) fn right(self, chars: usize) -> Self {
        let chars = u16::try_from(chars).unwrap_or(u16::MAX);
        let column = self.column.saturating_add(chars);
        Self { column, ..self }
    }
}

/// A [`Span`] that can be printed. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named on the command line or by `include`.
    pub file: Rc<str>,
    /// Line, from 1; 0 means the file as a whole.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.file);
        }
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// One error or warning. Prints as one line, `file:line:col: what is wrong: what to write instead`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub place: Place,
    /// What is wrong. Never contains a password.
    pub message: String,
    /// What to write instead, or what vipd does about it.
    pub help: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.message, self.help)
    }
}

/// Why there is no configuration: all that is wrong with the files, sorted by place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// At least one.
    pub errors: Vec<Diagnostic>,
    /// What else was found on the way.
    pub warnings: Vec<Diagnostic>,
}

/// The errors, one a line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Errors and warnings beyond this number are counted, not kept.
pub const MAX_DIAGNOSTICS: usize = 200;

/// What was found so far, and the files in the order in which they were read.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The dialect of what is being read, for remedies.
    pub(crate) dialect: Dialect,
    /// How many rules without a priority there were, IPv4 and IPv6.
    pub(crate) rules: [u32; 2],
    files: Vec<Rc<str>>,
    errors: Found,
    warnings: Found,
    skipped: Vec<Skipped>,
}

/// A bounded list.
#[derive(Debug, Default)]
struct Found {
    /// The two lines of each.
    kept: Vec<(Span, String)>,
    dropped: usize,
}

/// A keyword that is known and skipped: one warning, however often it stands in the files.
#[derive(Debug)]
struct Skipped {
    word: &'static str,
    message: String,
    help: &'static str,
    first: Span,
    more: usize,
}

impl Report {
    /// The number of a file of this name, for [`Span`].
    pub(crate) fn file(&mut self, name: &str) -> u16 {
        let known = self.files.iter().position(|known| **known == *name);
        if known.is_none() {
            self.files.push(Rc::from(name));
        }
        u16::try_from(known.unwrap_or(self.files.len() - 1)).unwrap_or(u16::MAX)
    }

    /// What prints a place.
    pub(crate) fn place(&self, span: Span) -> Place {
        let file = self.files.get(usize::from(span.file));
        Place {
            file: file.cloned().unwrap_or_default(),
            line: span.line,
            column: span.column,
        }
    }

    /// Something that makes the configuration unusable. The first line of `text` says what is wrong, the second
    /// what to write instead: one text for both is half the code at each place that makes one.
    pub(crate) fn error(&mut self, span: &Span, text: Arguments<'_>) {
        self.errors.push(span, text);
    }

    /// Something that the operator should know, in lines as [`Report::error`] takes them; the configuration is used.
    pub(crate) fn warn(&mut self, span: &Span, text: Arguments<'_>) {
        self.warnings.push(span, text);
    }

    /// [`Report::error`] about a word of the user's, behind which `text` goes on.
    pub(crate) fn error_of(&mut self, word: &Word, text: Arguments<'_>) {
        self.error(&word.span, format_args!("{} {text}", quoted(&word.text)));
    }

    /// [`Report::error`], where the two lines are made apart.
    pub(crate) fn error_with(&mut self, span: &Span, message: Arguments<'_>, help: Arguments<'_>) {
        self.error(span, format_args!("{message}\n{help}"));
    }

    /// [`Report::warn`] alike.
    pub(crate) fn warn_with(&mut self, span: &Span, message: Arguments<'_>, help: Arguments<'_>) {
        self.warn(span, format_args!("{message}\n{help}"));
    }

    /// [`Report::error`] that has to do with another place: `message` ends with "at" and that one.
    pub(crate) fn error_at(
        &mut self,
        span: &Span,
        message: Arguments<'_>,
        other: Span,
        help: Arguments<'_>,
    ) {
        let at = self.place(other);
        self.error(span, format_args!("{message} at {at}\n{help}"));
    }

    /// [`Report::warn`] that has to do with another place.
    pub(crate) fn warn_at(
        &mut self,
        span: &Span,
        message: Arguments<'_>,
        other: Span,
        help: Arguments<'_>,
    ) {
        let at = self.place(other);
        self.warn(span, format_args!("{message} at {at}\n{help}"));
    }

    /// A word that stands in two places but counts in one.
    pub(crate) fn set_twice(&mut self, word: &str, span: &Span, before: Span) {
        let message = format_args!("`{word}` was already set");
        let help = format_args!("the last one counts; remove the other");
        self.warn_at(span, message, before, help);
    }

    /// A known word without effect: one warning at its first place.
    pub(crate) fn skip(
        &mut self,
        word: &'static str,
        span: &Span,
        message: String,
        help: &'static str,
    ) {
        let known = self
            .skipped
            .iter_mut()
            .find(|seen| seen.word == word && seen.help == help);
        match known {
            Some(seen) => seen.more += 1,
            None => self.skipped.push(Skipped {
                word,
                message,
                help,
                first: *span,
                more: 0,
            }),
        }
    }

    /// How a keyword and what it takes are written in this dialect.
    pub(crate) fn spell(&self, word: &str, takes: &str) -> String {
        let item = takes.strip_prefix("{ ").and_then(|t| t.strip_suffix(" }"));
        let (kind, takes) = match (self.dialect, item) {
            (Dialect::Keepalived, _) => return format!("`{word} {takes}`"),
            (Dialect::Uci, Some(item)) => ("list", item),
            (Dialect::Uci, None) => ("option", takes),
        };
        format!("`{kind} {word} '{takes}'`")
    }

    /// Whether further errors are only counted, so that their text need not be found.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.kept.len() == MAX_DIAGNOSTICS
    }

    /// How many errors there are.
    pub(crate) fn error_count(&self) -> usize {
        self.errors.kept.len() + self.errors.dropped
    }

    /// The errors and the warnings, each sorted by place.
    pub(crate) fn finish(mut self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        for seen in core::mem::take(&mut self.skipped) {
            let mut message = seen.message;
            match seen.more {
                0 => {}
                1 => message.push_str(" (here and at one more place)"),
                more => message.push_str(&format!(" (here and at {more} more places)")),
            }
            self.warn(&seen.first, format_args!("{message}\n{}", seen.help));
        }
        let errors = core::mem::take(&mut self.errors);
        let warnings = core::mem::take(&mut self.warnings);
        (self.sorted(errors), self.sorted(warnings))
    }

    fn sorted(&self, mut found: Found) -> Vec<Diagnostic> {
        found.kept.sort_unstable();
        if found.dropped > 0
            && let Some((last, _)) = found.kept.last()
        {
            let text = format!(
                "{} more of this kind are not shown\ncorrect the ones above first",
                found.dropped
            );
            found.kept.push((*last, text));
        }
        let mut diagnostics = Vec::with_capacity(found.kept.len());
        for (index, one) in found.kept.iter().enumerate() {
            // What was found twice is said once.
            if index > 0 && found.kept[index - 1] == *one {
                continue;
            }
            let (message, help) = one.1.split_once('\n').unwrap_or_default();
            diagnostics.push(Diagnostic {
                place: self.place(one.0),
                message: message.into(),
                help: help.into(),
            });
        }
        diagnostics
    }
}

impl Found {
    fn push(&mut self, span: &Span, text: Arguments<'_>) {
        if self.kept.len() == MAX_DIAGNOSTICS {
            self.dropped += 1;
        } else {
            self.kept.push((*span, text.to_string()));
        }
    }
}

/// A word of the user's in backquotes, cut to a length that fits into one line.
pub(crate) fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text)
}

/// See [`quoted`].
pub(crate) struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        f.write_char('`')?;
        for (index, c) in self.0.chars().enumerate() {
            if index == SHOWN {
                f.write_char('…')?;
                break;
            }
            f.write_char(if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            })?;
        }
        f.write_char('`')
    }
}
