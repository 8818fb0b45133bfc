//! keepalived.conf syntax → block tree.
//!
//! A physical line loses its comment; lines that end with `\` are joined; a logical line is kept
//! or dropped by its `@id`, defines a variable, or has its variables replaced; then it is an
//! `include`, or words and braces for the tree. Whatever bytes arrive: no panic, and memory, time
//! and recursion are bounded by the constants here.

mod expand;
mod include;
mod line;
#[cfg(test)]
mod tests;
mod variables;

use core::fmt::Arguments;

use super::block::{Builder, Node, Word};
use super::error::{Report, Span};
use super::files::Files;
use expand::Replaced;
use include::Include;
use line::{Char, Line, Token};
use variables::Variables;

/// More bytes than this in all files and all replaced variables together are refused.
const MAX_TOTAL_BYTES: usize = 4 << 20;
/// A logical line longer than this, after its variables were replaced, is refused.
const MAX_LINE_CHARS: usize = 8_192;
/// Reads `text`, the content of the file called `name`, and all that it includes. Each statement of
/// the top level is handed to `each` as soon as it is complete, so that only one tree is there at a
/// time.
pub(crate) fn parse(
    name: &str,
    text: &[u8],
    files: &mut dyn Files,
    report: &mut Report,
    each: &mut dyn FnMut(Node, &mut Report),
) {
    let mut parser = Parser {
        files,
        report,
        each,
        config_id: None,
        builder: Builder::default(),
        variables: Variables::default(),
        reading: Vec::new(),
        bytes: 0,
        replacements: 0,
        gave_up: false,
    };
    parser.file(name, text);
    parser.builder.finish(parser.report, parser.each);
}

struct Parser<'a> {
    files: &'a mut dyn Files,
    report: &'a mut Report,
    each: &'a mut dyn FnMut(Node, &mut Report),
    /// Read when it is first asked for.
    config_id: Option<String>,
    builder: Builder,
    variables: Variables,
    /// The file being read and those that included it.
    reading: Vec<String>,
    bytes: usize,
    replacements: usize,
    /// A limit was reached and reported: read no further.
    gave_up: bool,
}

impl Parser<'_> {
    fn file(&mut self, name: &str, bytes: &[u8]) {
        let file = self.report.file(name);
        self.spend(bytes.len(), &Span::whole(file));
        if self.gave_up {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        self.reading.push(name.to_owned());
        self.lines(file, text);
        self.reading.pop();
    }

    /// Joins physical lines to logical ones.
    fn lines(&mut self, file: u16, text: &str) {
        let mut parts: Vec<Line> = Vec::new();
        let mut continued = false;
        for (number, text) in (1u32..).zip(text.split('\n')) {
            // Four bytes are the longest character.
            if text.len() > 4 * MAX_LINE_CHARS {
                let (file, line, column) = (file, number, 1);
                self.error_too_long(&Span { file, line, column });
                continue;
            }
            let physical = line::physical(text, number);
            if let Some(column) = physical.glued_comment {
                self.warn_glued_comment(file, number, column);
            }
            // Blank lines inside a continued line do not end it.
            let blank = physical.chars.iter().all(|at| at.c.is_whitespace());
            if blank && !physical.continued && continued {
                continue;
            }
            parts.push(Line {
                file,
                chars: physical.chars,
            });
            continued = physical.continued;
            if !continued {
                self.logical(&parts);
                parts.clear();
            }
            if self.gave_up {
                return;
            }
        }
        self.logical(&parts);
    }

    fn warn_glued_comment(&mut self, file: u16, line: u32, index: usize) {
        let span = Span {
            file,
            line,
            column: u16::try_from(index + 1).unwrap_or(u16::MAX),
        };
        self.report.warn(
            &span,
            format_args!(
                "a comment begins in the middle of a word\n\
                 put a space before it, or quotes around the word if it belongs to it"
            ),
        );
    }

    /// One logical line in its physical parts.
    fn logical(&mut self, parts: &[Line]) {
        let Some((first, rest)) = parts.split_first() else {
            return;
        };
        let start = first.trimmed(0);
        // The lines of a definition stay lines.
        if !rest.is_empty()
            && let Some((name, value)) = variables::definition(&start)
            && start.trimmed(value).chars.is_empty()
        {
            let mut lines = Vec::with_capacity(rest.len());
            for line in rest {
                lines.push(line.trimmed(0));
            }
            self.define(&start, name, lines);
            return;
        }
        let mut joined = start;
        for part in rest {
            if let Some(last) = joined.chars.last().copied() {
                joined.chars.push(Char { c: ' ', ..last });
            }
            joined.chars.extend_from_slice(&part.trimmed(0).chars);
        }
        self.line(joined, 0);
    }

    /// A logical line: condition, definition, variables, then what it says.
    fn line(&mut self, mut line: Line, depth: usize) {
        let mut from = 0;
        loop {
            if self.too_long(&line) || self.gave_up {
                return;
            }
            if line.chars.first().is_some_and(|at| at.c == '@') {
                match self.condition(&line) {
                    Some(rest) => line = rest,
                    None => return,
                }
                from = 0;
                continue;
            }
            if let Some((name, value)) = variables::definition(&line) {
                let value = vec![line.trimmed(value)];
                self.define(&line, name, value);
                return;
            }
            let Some(found) = variables::next_use(&line, from) else {
                self.statement(&line);
                return;
            };
            from = match self.replace(&line, &found) {
                Replaced::Undefined => found.end,
                Replaced::Chars(chars) => {
                    line.replace(found.start, found.end, &chars);
                    found.start
                }
                Replaced::Lines(lines) => {
                    self.expand(&line, &found, lines, depth);
                    return;
                }
            };
        }
    }

    fn too_long(&mut self, line: &Line) -> bool {
        let too_long = line.chars.len() > MAX_LINE_CHARS;
        if too_long {
            self.error_too_long(&line.span(0));
        }
        too_long
    }

    fn error_too_long(&mut self, span: &Span) {
        self.report.error(
            span,
            format_args!(
                "this line is longer than {MAX_LINE_CHARS} characters\n\
                 break it into several lines"
            ),
        );
    }

    /// `@id rest` and `@^id rest`: the rest, if it holds for this router.
    fn condition(&mut self, line: &Line) -> Option<Line> {
        let negated = line.chars.get(1).is_some_and(|at| at.c == '^');
        let start = 1 + usize::from(negated);
        let is_end = |at: &Char| at.c.is_whitespace();
        let length = line.chars.iter().position(is_end);
        let end = length.unwrap_or(line.chars.len());
        if end <= start {
            self.report.error(
                &line.span(0),
                format_args!("`@` without an id\nwrite `@id` or `@^id` in front of the line"),
            );
            return None;
        }
        let holds = (line.text(start, end) == self.config_id()) != negated;
        holds.then(|| line.trimmed(end))
    }

    fn config_id(&mut self) -> &str {
        self.config_id.get_or_insert_with(|| self.files.config_id())
    }

    /// A line that is ready to be read.
    fn statement(&mut self, line: &Line) {
        if let Some(name) = loop_keyword(line) {
            self.report.error(
                &line.span(0),
                format_args!(
                    "`{name}` is not supported\n\
                     write the lines out, one for each value"
                ),
            );
            return;
        }
        let tokens = line::tokens(line);
        if let Some(Token::Word {
            text,
            quoted: false,
            ..
        }) = tokens.first()
            && let Some(kind) = Include::named(text)
        {
            self.include(kind, &line.span(0), &tokens[1..]);
            return;
        }
        for token in tokens {
            self.token(token);
        }
        self.builder.end_of_line();
        self.builder.complete(self.report, self.each);
    }

    fn token(&mut self, token: Token) {
        match token {
            Token::Word { text, span, quoted } => {
                let word = Word { text, span, quoted };
                self.builder.word(word, self.report);
            }
            Token::Open(span) => self.builder.open(span, self.report),
            Token::Close(span) => self.builder.close(&span, self.report),
            Token::BadQuote(span) => {
                self.report.error(
                    &span,
                    format_args!("this quote is not closed on its line\nadd the closing quote"),
                );
            }
            Token::BadChar(span) => {
                self.report.error(
                    &span,
                    format_args!(
                        "this character is not printable UTF-8\n\
                         remove it, or save the file as UTF-8"
                    ),
                );
            }
        }
    }

    /// Counts what is read and what variables add to it.
    fn spend(&mut self, bytes: usize, span: &Span) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_TOTAL_BYTES {
            let message = format_args!("the configuration is larger than {MAX_TOTAL_BYTES} bytes");
            self.give_up(
                span,
                message,
                format_args!("include fewer or smaller files"),
            );
        }
    }

    fn give_up(&mut self, span: &Span, message: Arguments<'_>, help: Arguments<'_>) {
        if !self.gave_up {
            self.report.error_with(span, message, help);
        }
        self.gave_up = true;
    }
}

/// `~SEQ(…)`, `~SEQx(…)` or `~LST(…)` anywhere in front of a word.
fn loop_keyword(line: &Line) -> Option<&'static str> {
    if !line.chars.iter().any(|at| at.c == '~') {
        return None;
    }
    let text = line.all();
    let has = |name: &str| text.split(' ').any(|word| word.starts_with(name));
    ["~SEQ", "~LST"].into_iter().find(|name| has(name))
}
