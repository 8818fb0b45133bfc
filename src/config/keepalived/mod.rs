//! keepalived.conf syntax → block tree.
//!
//! A physical line loses its comment; lines that end with `\` are joined; a logical line is kept
//! or dropped by its `@id`, defines a variable, or has its variables replaced; then it is an
//! `include`, or words and braces for the tree. Whatever bytes arrive: no panic, and memory, time
//! and recursion are bounded by the constants here.

mod line;
mod variables;

use std::rc::Rc;

use super::block::{Builder, Node, Word};
use super::error::{Report, Span, quoted};
use super::files::{Files, is_pattern, relative_to};
use line::{Char, Line, Token};
use variables::{Use, Variables};

/// Files included from one another deeper than this are refused.
const MAX_INCLUDE_DEPTH: usize = 8;
/// More bytes than this in all files and all replaced variables together are refused.
const MAX_TOTAL_BYTES: usize = 4 << 20;
/// A logical line longer than this, after its variables were replaced, is refused.
const MAX_LINE_CHARS: usize = 8_192;
/// A configuration that replaces more variables than this is refused.
const MAX_REPLACEMENTS: usize = 20_000;
/// Definitions of several lines that use one another deeper than this are refused.
const MAX_EXPANSION_DEPTH: usize = 8;

/// Reads `text`, the content of the file called `name`, and all that it includes.
pub(crate) fn parse(
    name: &str,
    text: &[u8],
    files: &mut dyn Files,
    report: &mut Report,
) -> Vec<Node> {
    let config_id = files.config_id();
    let mut parser = Parser {
        files,
        report,
        config_id,
        builder: Builder::default(),
        variables: Variables::default(),
        reading: Vec::new(),
        bytes: 0,
        replacements: 0,
        gave_up: false,
    };
    parser.file(name, text);
    let Parser {
        builder, report, ..
    } = parser;
    builder.finish(report)
}

struct Parser<'a> {
    files: &'a mut dyn Files,
    report: &'a mut Report,
    config_id: String,
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
        self.spend(bytes.len(), &Span::whole(&file));
        if self.gave_up {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        self.reading.push(name.to_owned());
        self.lines(&file, text);
        self.reading.pop();
    }

    /// Joins physical lines to logical ones.
    fn lines(&mut self, file: &Rc<str>, text: &str) {
        let mut parts: Vec<Line> = Vec::new();
        let mut continued = false;
        for (number, text) in (1u32..).zip(text.split('\n')) {
            // Four bytes are the longest character.
            if text.len() > 4 * MAX_LINE_CHARS {
                let (file, line, column) = (Rc::clone(file), number, 1);
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
                file: Rc::clone(file),
                chars: physical.chars,
            });
            continued = physical.continued;
            if !continued {
                self.logical(core::mem::take(&mut parts));
            }
            if self.gave_up {
                return;
            }
        }
        self.logical(parts);
    }

    fn warn_glued_comment(&mut self, file: &Rc<str>, line: u32, index: usize) {
        let span = Span {
            file: Rc::clone(file),
            line,
            column: u32::try_from(index + 1).unwrap_or(u32::MAX),
        };
        let message = "a comment begins in the middle of a word";
        let help = "put a space before it, or quotes around the word if it belongs to it";
        self.report.warn(&span, message, help);
    }

    /// One logical line in its physical parts.
    fn logical(&mut self, parts: Vec<Line>) {
        let Some((first, rest)) = parts.split_first() else {
            return;
        };
        let start = first.trimmed(0);
        // The lines of a definition stay lines.
        if !rest.is_empty()
            && let Some((name, value)) = variables::definition(&start)
            && start.trimmed(value).chars.is_empty()
        {
            let lines = rest.iter().map(|line| line.trimmed(0)).collect();
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
                    line.chars.splice(found.start..found.end, chars);
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
        let message = format!("this line is longer than {MAX_LINE_CHARS} characters");
        self.report
            .error(span, message, "break it into several lines");
    }

    /// `@id rest` and `@^id rest`: the rest, if it holds for this router.
    fn condition(&mut self, line: &Line) -> Option<Line> {
        let negated = line.chars.get(1).is_some_and(|at| at.c == '^');
        let start = 1 + usize::from(negated);
        let is_end = |at: &Char| at.c.is_whitespace();
        let length = line.chars.iter().position(is_end);
        let end = length.unwrap_or(line.chars.len());
        if end <= start {
            let message = "`@` without an id";
            self.report.error(
                &line.span(0),
                message,
                "write `@id` or `@^id` in front of the line",
            );
            return None;
        }
        let holds = (line.text(start, end) == self.config_id) != negated;
        holds.then(|| line.trimmed(end))
    }

    fn define(&mut self, line: &Line, name: String, value: Vec<Line>) {
        if name.starts_with('_') {
            let message = format!("`${name}`: names that begin with `_` are built in");
            self.report
                .error(&line.span(0), message, "choose another name");
        } else if !self.variables.define(name, value) {
            let limit = variables::MAX_VARIABLES;
            let message = format!("more than {limit} variables are defined");
            self.report.error(&line.span(0), message, "define fewer");
        }
    }

    fn replace(&mut self, line: &Line, found: &Use) -> Replaced {
        let at = line.chars[found.start];
        let replaced = match self.variables.get(&found.name) {
            Some([only]) => {
                let chars = only.chars.iter();
                Replaced::Chars(chars.map(|from| Char { c: from.c, ..at }).collect())
            }
            Some(lines) => Replaced::Lines(lines.to_vec()),
            None => match self.built_in(line, found) {
                Some(text) => Replaced::Chars(variables::placed(&text, at)),
                None => return Replaced::Undefined,
            },
        };
        self.spend(replaced.length(), &line.span(found.start));
        self.replacements += 1;
        if self.replacements > MAX_REPLACEMENTS {
            let message = format!("more than {MAX_REPLACEMENTS} variables were replaced");
            let help = "look for a definition that uses itself";
            self.give_up(&line.span(found.start), message, help);
        }
        replaced
    }

    /// keepalived's predefined variables.
    fn built_in(&mut self, line: &Line, found: &Use) -> Option<String> {
        let mut words = found.name.split_whitespace();
        match words.next()? {
            "_PWD" => Some(relative_to(self.reading.last()?, ".")),
            "_INSTANCE" => Some(self.config_id.clone()),
            "_HASH" => Some("#".into()),
            "_BANG" => Some("!".into()),
            "_ENV" => {
                let name = words.next().unwrap_or_default();
                let value = self.files.env(name);
                if value.is_none() {
                    let message = format!("the environment has no {}", quoted(name));
                    self.report.error(
                        &line.span(found.start),
                        message,
                        "set it where vipd is started, or write the value here",
                    );
                }
                Some(value.unwrap_or_default())
            }
            "_RANDOM" => {
                let message = "`${_RANDOM}` is not supported";
                let help = "write a number: a reload must read what the start read";
                self.report.error(&line.span(found.start), message, help);
                Some(String::new())
            }
            _ => None,
        }
    }

    /// A definition of several lines: what stands around its use goes to its first and last line.
    fn expand(&mut self, line: &Line, found: &Use, mut lines: Vec<Line>, depth: usize) {
        if depth == MAX_EXPANSION_DEPTH {
            let message = format!("definitions use one another more than {depth} deep");
            self.give_up(
                &line.span(found.start),
                message,
                "look for one that uses itself",
            );
            return;
        }
        let at = line.chars[found.start];
        for value in &mut lines {
            // A line has one file: text from another one gets the place of its use.
            if value.file != line.file {
                value.file = Rc::clone(&line.file);
                value
                    .chars
                    .iter_mut()
                    .for_each(|from| *from = Char { c: from.c, ..at });
            }
        }
        if let Some(first) = lines.first_mut() {
            first
                .chars
                .splice(0..0, line.chars[..found.start].iter().copied());
        }
        if let Some(last) = lines.last_mut() {
            last.chars.extend_from_slice(&line.chars[found.end..]);
        }
        for value in lines {
            self.line(value.trimmed(0), depth + 1);
        }
    }

    /// A line that is ready to be read.
    fn statement(&mut self, line: &Line) {
        if let Some(name) = loop_keyword(line) {
            let message = format!("{name} is not supported");
            self.report.error(
                &line.span(0),
                message,
                "write the lines out, one for each value",
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
    }

    fn token(&mut self, token: Token) {
        match token {
            Token::Word { text, span, quoted } => self.builder.word(Word { text, span, quoted }),
            Token::Open(span) => self.builder.open(span, self.report),
            Token::Close(span) => self.builder.close(&span, self.report),
            Token::BadQuote(span) => {
                let message = "this quote is not closed on its line";
                self.report.error(&span, message, "add the closing quote");
            }
            Token::BadChar(span) => {
                let message = "this character is not printable UTF-8";
                self.report
                    .error(&span, message, "remove it, or save the file as UTF-8");
            }
        }
    }

    fn include(&mut self, kind: Include, span: &Span, arguments: &[Token]) {
        let [Token::Word { text, span, .. }] = arguments else {
            let message = "`include` takes one file name";
            let help = "write `include FILE`, with quotes around a name that has spaces or braces";
            self.report.error(span, message, help);
            return;
        };
        if self.reading.len() > MAX_INCLUDE_DEPTH {
            let message = format!("files include one another more than {MAX_INCLUDE_DEPTH} deep");
            self.give_up(span, message, "look for a file that includes itself");
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
            let message = format!("no file matches {}", quoted(&pattern));
            self.report
                .error(span, message, "correct the pattern, or write `include`");
        }
        for path in paths {
            self.include_one(kind, span, &path, is_pattern(&pattern));
        }
    }

    fn include_one(&mut self, kind: Include, span: &Span, path: &str, matched: bool) {
        if self.reading.iter().any(|open| open == path) {
            let message = format!("{} includes itself", quoted(path));
            self.report.error(span, message, "remove this line");
            return;
        }
        match self.files.read(path) {
            Ok(bytes) => self.file(path, &bytes),
            Err(why) => {
                let message = format!("cannot read {} ({why})", quoted(path));
                if kind.needs_file || (kind.needs_readable && matched) {
                    let help = "correct the name or the permissions";
                    self.report.error(span, message, help);
                } else {
                    let help = "it is left out; correct the name, or remove this line";
                    self.report.warn(span, message, help);
                }
            }
        }
    }

    /// Counts what is read and what variables add to it.
    fn spend(&mut self, bytes: usize, span: &Span) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_TOTAL_BYTES {
            let message = format!("the configuration is larger than {MAX_TOTAL_BYTES} bytes");
            self.give_up(span, message, "include fewer or smaller files");
        }
    }

    fn give_up(&mut self, span: &Span, message: String, help: &str) {
        if !self.gave_up {
            self.report.error(span, message, help);
        }
        self.gave_up = true;
    }
}

enum Replaced {
    /// Stays as it is, as in keepalived.
    Undefined,
    Chars(Vec<Char>),
    Lines(Vec<Line>),
}

impl Replaced {
    fn length(&self) -> usize {
        match self {
            Self::Undefined => 0,
            Self::Chars(chars) => chars.len(),
            Self::Lines(lines) => lines.iter().map(|line| line.chars.len()).sum(),
        }
    }
}

/// `include` and its stricter variants.
#[derive(Clone, Copy)]
struct Include {
    /// A pattern must match something.
    needs_match: bool,
    /// A file named without a pattern must be readable.
    needs_file: bool,
    /// A file that a pattern found must be readable.
    needs_readable: bool,
}

impl Include {
    fn named(word: &str) -> Option<Self> {
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

/// `~SEQ(…)`, `~SEQx(…)` or `~LST(…)` anywhere in front of a word.
fn loop_keyword(line: &Line) -> Option<&'static str> {
    let text = line.text(0, MAX_LINE_CHARS);
    let has = |name: &str| text.starts_with(name) || text.contains(&format!(" {name}"));
    if has("~SEQ") {
        Some("`~SEQ`")
    } else if has("~LST") {
        Some("`~LST`")
    } else {
        None
    }
}
