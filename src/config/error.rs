//! Where in which file something is wrong, and what to write instead.

use core::fmt;
use std::rc::Rc;

use super::model::Dialect;

/// A place in a configuration file. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file as it was named on the command line or by `include`.
    pub file: Rc<str>,
    /// Line, from 1; 0 means the file as a whole.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Span {
    /// The file as a whole, for what has no line: it cannot be read, or it lacks something.
    pub fn whole(file: &Rc<str>) -> Self {
        Self {
            file: Rc::clone(file),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.file);
        }
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// One error or warning. Prints as one line, `file:line:col: what is wrong: what to write instead`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub span: Span,
    /// What is wrong. Never contains a password.
    pub message: String,
    /// What to write instead, or what vipd does about it.
    pub help: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.span, self.message, self.help)
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
    kept: Vec<Diagnostic>,
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
    /// Names a file, so that diagnostics can be sorted in the order of reading.
    pub(crate) fn file(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.files.iter().find(|known| ***known == *name) {
            return Rc::clone(known);
        }
        let file: Rc<str> = Rc::from(name);
        self.files.push(Rc::clone(&file));
        file
    }

    /// Something that makes the configuration unusable.
    pub(crate) fn error(
        &mut self,
        span: &Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.errors.push(span, message.into(), help.into());
    }

    /// Something that the operator should know; the configuration is used.
    pub(crate) fn warn(
        &mut self,
        span: &Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.warnings.push(span, message.into(), help.into());
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
                first: span.clone(),
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
            self.warnings.push(&seen.first, message, seen.help.into());
        }
        let errors = self.errors.sorted(&self.files);
        let warnings = self.warnings.sorted(&self.files);
        (errors, warnings)
    }
}

impl Found {
    fn push(&mut self, span: &Span, message: String, help: String) {
        if self.kept.len() == MAX_DIAGNOSTICS {
            self.dropped += 1;
            return;
        }
        let span = span.clone();
        self.kept.push(Diagnostic {
            span,
            message,
            help,
        });
    }

    fn sorted(mut self, files: &[Rc<str>]) -> Vec<Diagnostic> {
        let file = |span: &Span| files.iter().position(|file| *file == span.file);
        let place = |found: &Diagnostic| (file(&found.span), found.span.line, found.span.column);
        self.kept.sort_unstable_by(|a, b| {
            let places = place(a).cmp(&place(b));
            places.then_with(|| a.message.cmp(&b.message))
        });
        self.kept.dedup();
        if self.dropped > 0
            && let Some(last) = self.kept.last()
        {
            self.kept.push(Diagnostic {
                span: last.span.clone(),
                message: format!("{} more of this kind are not shown", self.dropped),
                help: "correct the ones above first".into(),
            });
        }
        self.kept
    }
}

/// A word of the user's in backquotes, cut to a length that fits into one line.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let clean = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let mut shown: String = text.chars().take(SHOWN).map(clean).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
