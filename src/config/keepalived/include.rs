//! `include FILE` and its stricter variants.

use super::Parser;
use super::line::Token;
use crate::config::error::{Span, quoted};
use crate::config::files::{is_pattern, relative_to};

/// Files included from one another deeper than this are refused.
const MAX_INCLUDE_DEPTH: usize = 8;

/// `include` and its stricter variants.
#[derive(Clone, Copy)]
pub(super) struct Include {
    /// A pattern must match something.
    needs_match: bool,
    /// A file named without a pattern must be readable.
    needs_file: bool,
    /// A file that a pattern found must be readable.
    needs_readable: bool,
}

impl Include {
    pub(super) fn named(word: &str) -> Option<Self> {
        let (needs_match, needs_file, needs_readable) = match word {
            "include" => (false, false, false),
            "includer" => (false, false, true),
            "includem" | "includeb" => (false, true, true),
            "includew" | "includea" => (true, true, true),
            _ => return None,
        };
        Some(Self {
            needs_match,
            needs_file,
            needs_readable,
        })
    }
}

impl Parser<'_> {
    pub(super) fn include(&mut self, kind: Include, span: &Span, arguments: &[Token]) {
        let [Token::Word { text, span, .. }] = arguments else {
            self.report.error(
                span,
                format_args!(
                    "`include` takes one file name\n\
                     write `include FILE`, with quotes around a name that has spaces or braces"
                ),
            );
            return;
        };
        if self.reading.len() > MAX_INCLUDE_DEPTH {
            let message =
                format_args!("files include one another more than {MAX_INCLUDE_DEPTH} deep");
            self.give_up(
                span,
                message,
                format_args!("look for a file that includes itself"),
            );
            return;
        }
        let pattern = match self.reading.last() {
            Some(base) => relative_to(base, text),
            None => text.clone(),
        };
        let paths = if is_pattern(&pattern) {
            self.files.glob(&pattern)
        } else {
            vec![pattern.clone()]
        };
        if paths.is_empty() && kind.needs_match {
            self.report.error(
                span,
                format_args!(
                    "no file matches {}\ncorrect the pattern, or write `include`",
                    quoted(&pattern)
                ),
            );
        }
        for path in paths {
            self.include_one(kind, span, &path, is_pattern(&pattern));
        }
    }

    fn include_one(&mut self, kind: Include, span: &Span, path: &str, matched: bool) {
        if self.reading.iter().any(|open| open == path) {
            self.report.error(
                span,
                format_args!("{} includes itself\nremove this line", quoted(path)),
            );
            return;
        }
        match self.files.read(path) {
            Ok(bytes) => self.file(path, &bytes),
            Err(why) => {
                let message = format_args!("cannot read {} ({why})", quoted(path));
                if kind.needs_file || (kind.needs_readable && matched) {
                    let help = format_args!("correct the name or the permissions");
                    self.report.error_with(span, message, help);
                } else {
                    let help =
                        format_args!("it is left out; correct the name, or remove this line");
                    self.report.warn_with(span, message, help);
                }
            }
        }
    }
}
