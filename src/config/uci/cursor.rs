//! A place in the text of a UCI file: lines, words, quotes, backslashes, as libuci reads them.

use core::fmt::Arguments;

use super::text::Value;
use crate::config::block::Word;
use crate::config::error::{Report, Span};

/// A statement with more characters than this is refused.
pub const MAX_STATEMENT: usize = 8_192;

/// It is in the report.
pub(super) struct Reported;

/// A character and where it stands.
#[derive(Clone, Copy)]
struct Char {
    c: char,
    line: u32,
    column: u16,
}

/// The first word of a statement, and how it ends.
pub(super) struct Command {
    /// `config`, `option`, `list` or `package`; None if it is something else.
    pub(super) keyword: Option<&'static str>,
    pub(super) span: Span,
    /// Nothing stands behind it, not even a blank.
    pub(super) ends_line: bool,
}

pub(super) struct Cursor<'a> {
    lines: core::iter::Zip<core::ops::RangeFrom<u32>, core::str::SplitInclusive<'a, char>>,
    /// What is being read: a line, and those that a quote or a backslash adds to it.
    line: Vec<Char>,
    pos: usize,
    pub(super) file: u16,
    pub(super) report: &'a mut Report,
    /// A limit was reached and reported: read no further.
    gave_up: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(file: u16, text: &'a str, report: &'a mut Report) -> Self {
        Self {
            lines: (1..).zip(text.split_inclusive('\n')),
            line: Vec::new(),
            pos: 0,
            file,
            report,
            gave_up: false,
        }
    }

    /// Begins with the next line of the file; false at its end.
    pub(super) fn next_line(&mut self) -> bool {
        self.pos = 0;
        !self.gave_up && self.add_line()
    }

    /// Puts the next line of the file behind what was read; false at the end of the file.
    fn add_line(&mut self) -> bool {
        self.line.truncate(self.pos);
        let Some((line, text)) = self.lines.next() else {
            return false;
        };
        // Four bytes are the longest character.
        let bytes = text.len() + 4 * self.line.len();
        if bytes > 4 * MAX_STATEMENT || text.contains('\0') {
            let (file, column) = (self.file, 1);
            let span = Span { file, line, column };
            let text = if text.contains('\0') {
                format_args!("there is a NUL in this line\nremove it")
            } else {
                format_args!(
                    "this statement is far too long\n\
                     close the quote in front of it, or make it shorter"
                )
            };
            self.report.error(&span, text);
            self.gave_up = true;
            return false;
        }
        for (column, c) in (1..).zip(text.chars()) {
            self.line.push(Char { c, line, column });
        }
        true
    }

    fn current(&self) -> Option<char> {
        self.line.get(self.pos).map(|at| at.c)
    }

    /// The place of the current character, or of the last one.
    pub(super) fn here(&self) -> Span {
        match self.line.get(self.pos).or(self.line.last()) {
            Some(at) => Span {
                file: self.file,
                line: at.line,
                column: at.column,
            },
            None => Span::whole(self.file),
        }
    }

    /// An error, whose lines are those of [`Report::error`].
    pub(super) fn refuse(&mut self, span: &Span, text: Arguments<'_>) -> Result<(), Reported> {
        self.report.error(span, text);
        Err(Reported)
    }

    /// A limit: nothing more is read.
    pub(super) fn give_up(&mut self, span: &Span, message: Arguments<'_>) {
        self.report.error(
            span,
            format_args!("{message}\nthe rest is not read: write less"),
        );
        self.gave_up = true;
    }

    pub(super) fn skip_space(&mut self) {
        while self.current().is_some_and(is_space) {
            self.pos += 1;
        }
    }

    /// The first word of a statement, or None if there is none.
    pub(super) fn command(&mut self) -> Option<Command> {
        const KEYWORDS: [&str; 4] = ["config", "option", "list", "package"];
        while self.current().is_some_and(is_blank) {
            self.pos += 1;
        }
        if matches!(self.current(), None | Some('#')) {
            return None;
        }
        let rest = self.line[self.pos..].iter().map(|at| at.c);
        let word: String = rest.take_while(|c| !is_blank(*c)).collect();
        let length = word.chars().count();
        let ends_line = self.pos + length == self.line.len();
        let text = if ends_line { word.trim_end() } else { &word };
        // libuci takes the first letter alone, too.
        let is_it = |keyword: &&&str| **keyword == text || keyword[..1] == *text;
        let command = Command {
            span: self.here(),
            keyword: KEYWORDS.iter().find(is_it).copied(),
            ends_line,
        };
        self.pos = (self.pos + length + 1).min(self.line.len());
        Some(command)
    }

    /// The next word behind the first one, empty if there is none.
    pub(super) fn argument(&mut self) -> Result<Value, Reported> {
        self.skip_space();
        let start = self.pos;
        let span = self.here();
        let is_quoted = matches!(self.current(), Some('"' | '\''));
        let mut found = Value {
            whole: Word {
                text: String::new(),
                span,
                quoted: false,
            },
            column: span.right(usize::from(is_quoted)).column,
        };
        let word = &mut found.whole;
        if self.current() == Some(';') {
            self.pos += 1;
            return Ok(found);
        }
        loop {
            match self.current() {
                Some(quote @ ('"' | '\'')) => self.in_quotes(quote, word)?,
                Some('#') => self.line.truncate(self.pos),
                Some(';') => {
                    // libuci ends the word here, and if it had no quotes the line with it.
                    if word.text.chars().count() == self.pos - start {
                        self.line.truncate(self.pos);
                    }
                    return Ok(found);
                }
                Some('\\') if !self.backslash() => {}
                _ => self.take(&mut word.text),
            }
            if self.current().is_none_or(is_space) {
                break;
            }
        }
        self.pos += usize::from(self.current().is_some());
        Ok(found)
    }

    /// What stands between two quotes, over as many lines as it needs.
    fn in_quotes(&mut self, quote: char, word: &mut Word) -> Result<(), Reported> {
        self.pos += 1;
        loop {
            match self.current() {
                Some(c) if c == quote => {
                    self.pos += 1;
                    return Ok(());
                }
                Some('\\') if quote == '"' && !self.backslash() => {}
                Some(_) => self.take(&mut word.text),
                None if self.add_line() => {}
                None if self.gave_up => return Err(Reported),
                None => {
                    let text = format_args!(
                        "a quote of this word is not closed before the end of the file\n\
                         add the closing quote"
                    );
                    return self.refuse(&word.span, text);
                }
            }
        }
    }

    /// Passes a backslash; false if it stood at the end of a line, which the next one now continues.
    fn backslash(&mut self) -> bool {
        self.pos += 1;
        let rest = self.line[self.pos..].iter().map(|at| at.c);
        if !rest.eq("\r\n".chars()) && !matches!(self.current(), None | Some('\n')) {
            return true;
        }
        self.add_line();
        false
    }

    fn take(&mut self, text: &mut String) {
        if let Some(c) = self.current() {
            text.push(c);
            self.pos += 1;
        }
    }
}

/// C's isspace().
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// What divides the first word of a statement from the second.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}
