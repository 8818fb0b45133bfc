//! One line of keepalived syntax: comments, continuation, quotes, words and braces.

use super::variables::close_of;
use crate::config::error::Span;

/// A character and where it stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Char {
    pub(super) c: char,
    pub(super) line: u32,
    pub(super) column: u16,
}

/// A logical line. `file` holds all its characters.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) file: u16,
    pub(super) chars: Vec<Char>,
}

impl Line {
    /// The place of character `index`, or of the last one if there are fewer.
    pub(super) fn span(&self, index: usize) -> Span {
        match self.chars.get(index).or(self.chars.last()) {
            Some(at) => self.span_of(*at),
            None => Span::whole(self.file),
        }
    }

    fn span_of(&self, at: Char) -> Span {
        Span {
            file: self.file,
            line: at.line,
            column: at.column,
        }
    }

    /// The text from `start` to `end`.
    pub(super) fn text(&self, start: usize, end: usize) -> String {
        let end = end.min(self.chars.len());
        self.chars[start.min(end)..end]
            .iter()
            .map(|at| at.c)
            .collect()
    }

    /// All its text.
    pub(super) fn all(&self) -> String {
        self.text(0, self.chars.len())
    }

    /// Puts `chars` in place of those from `start` to `end`.
    pub(super) fn replace(&mut self, start: usize, end: usize, chars: &[Char]) {
        let behind = self.chars.split_off(end);
        self.chars.truncate(start);
        self.chars.extend_from_slice(chars);
        self.chars.extend_from_slice(&behind);
    }

    /// Without the white space at both ends.
    pub(super) fn trimmed(&self, start: usize) -> Line {
        let is_text = |at: &Char| !at.c.is_whitespace();
        let rest = &self.chars[start.min(self.chars.len())..];
        let first = rest.iter().position(is_text).unwrap_or(rest.len());
        let end = rest
            .iter()
            .rposition(is_text)
            .map_or(first, |last| last + 1);
        Line {
            file: self.file,
            chars: rest[first..end].to_vec(),
        }
    }
}

/// A physical line without its comment.
pub(super) struct Physical {
    /// The characters in front of the comment and of the continuation mark.
    pub(super) chars: Vec<Char>,
    /// The line ends with `\`: the next one belongs to it.
    pub(super) continued: bool,
    /// A comment that begins in the middle of a word.
    pub(super) glued_comment: Option<usize>,
}

/// Cuts the comment and the continuation mark off the physical line `text`.
pub(super) fn physical(text: &str, line: u32) -> Physical {
    let mut chars = Vec::new();
    for (column, c) in (1..).zip(text.chars()) {
        chars.push(Char { c, line, column });
    }
    let comment = find_comment(&chars);
    let glued = |at: &usize| *at > 0 && !ends_word(chars[*at - 1].c);
    let glued_comment = comment.filter(glued);
    chars.truncate(comment.unwrap_or(chars.len()));
    while chars.last().is_some_and(|at| at.c.is_whitespace()) {
        chars.pop();
    }
    let continued = chars.last().is_some_and(|at| at.c == '\\');
    if continued {
        chars.pop();
    }
    Physical {
        chars,
        continued,
        glued_comment,
    }
}

fn find_comment(chars: &[Char]) -> Option<usize> {
    let mut index = 0;
    while index < chars.len() {
        let at_start = index == 0 || ends_word(chars[index - 1].c);
        match chars[index].c {
            '#' | '!' => return Some(index),
            quote @ ('"' | '\'') => match closing_quote(chars, index, quote) {
                Some(close) => index = close,
                // Reported when the words are read.
                None if at_start => return None,
                None => {}
            },
            _ => {}
        }
        index += 1;
    }
    None
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '{' | '}')
}

/// Where the quote that opens at `open` closes on this line. `\` escapes the next character.
fn closing_quote(chars: &[Char], open: usize, quote: char) -> Option<usize> {
    let mut index = open + 1;
    while index < chars.len() {
        match chars[index].c {
            '\\' => index += 1,
            c if c == quote => return Some(index),
            _ => {}
        }
        index += 1;
    }
    None
}

/// What a line consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word, without its quotes.
    Word {
        text: String,
        span: Span,
        quoted: bool,
    },
    /// `{`
    Open(Span),
    /// `}`
    Close(Span),
    /// A quote that does not close on this line.
    BadQuote(Span),
    /// A character that has no place in a configuration: NUL, ESC, bytes that are not UTF-8.
    BadChar(Span),
}

/// Splits a line without comments into tokens.
pub(super) fn tokens(line: &Line) -> Vec<Token> {
    let chars = &line.chars;
    let mut found = Vec::new();
    let mut index = 0;
    while index < chars.len() {
        match chars[index].c {
            c if c.is_whitespace() => index += 1,
            '{' => {
                found.push(Token::Open(line.span(index)));
                index += 1;
            }
            '}' => {
                found.push(Token::Close(line.span(index)));
                index += 1;
            }
            _ => index = word(line, index, &mut found),
        }
    }
    found
}

/// Reads the word that begins at `start`; returns the index behind it.
fn word(line: &Line, start: usize, found: &mut Vec<Token>) -> usize {
    let chars = &line.chars;
    let (mut text, mut quoted, mut index) = (String::new(), false, start);
    while index < chars.len() {
        let c = chars[index].c;
        if ends_word(c) {
            break;
        }
        if is_unprintable(c) {
            found.push(Token::BadChar(line.span(index)));
            return chars.len();
        }
        if matches!(c, '"' | '\'') {
            match closing_quote(chars, index, c) {
                Some(close) => {
                    unescape(&chars[index + 1..close], &mut text);
                    (quoted, index) = (true, close + 1);
                    continue;
                }
                None if index == start => {
                    found.push(Token::BadQuote(line.span(index)));
                    return chars.len();
                }
                None => {}
            }
        }
        // The braces of `${NAME}` that was not defined belong to the word, as in keepalived.
        if c == '$' && chars.get(index + 1).is_some_and(|next| next.c == '{') {
            let close = close_of(chars, index);
            let is_name =
                |close: &usize| !chars[index..*close].iter().any(|at| at.c.is_whitespace());
            if let Some(close) = close.filter(is_name) {
                text.extend(chars[index..=close].iter().map(|at| at.c));
                index = close + 1;
                continue;
            }
        }
        text.push(c);
        index += 1;
    }
    let span = line.span(start);
    found.push(Token::Word { text, span, quoted });
    index
}

/// `\"`, `\'` and `\\` lose their backslash; any other backslash stays.
fn unescape(chars: &[Char], text: &mut String) {
    let mut rest = chars.iter().map(|at| at.c).peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some('"' | '\'' | '\\')) => text.extend(rest.next()),
            _ if is_unprintable(c) => text.push(char::REPLACEMENT_CHARACTER),
            _ => text.push(c),
        }
    }
}

fn is_unprintable(c: char) -> bool {
    c.is_control() || c == char::REPLACEMENT_CHARACTER
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line's words, `<` and `>` for the braces, `?` for what is wrong.
    fn words(text: &str) -> Vec<String> {
        let Physical { chars, .. } = physical(text, 1);
        let line = Line { file: 0, chars };
        let shown = |token| match token {
            Token::Word { text, .. } => text,
            Token::Open(_) => "<".into(),
            Token::Close(_) => ">".into(),
            Token::BadQuote(_) | Token::BadChar(_) => "?".into(),
        };
        tokens(&line).into_iter().map(shown).collect()
    }

    #[test]
    fn a_line_splits_into_words_and_braces() {
        let rows: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  # all comment", &[]),
            ("! all comment", &[]),
            ("priority 100 # why", &["priority", "100"]),
            ("a{b}c", &["a", "<", "b", ">", "c"]),
            ("script \"/bin/x -a\" y", &["script", "/bin/x -a", "y"]),
            (
                "script '/bin/x # not a comment'",
                &["script", "/bin/x # not a comment"],
            ),
            (r#"s "a \"b\" \n""#, &["s", r#"a "b" \n"#]),
            ("x=\"a b\"c", &["x=a bc"]),
            ("don't # stop", &["don't"]),
            ("\"\"", &[""]),
            ("\"open", &["?"]),
            ("nul\0", &["?"]),
            ("${UNKNOWN}x {", &["${UNKNOWN}x", "<"]),
            ("${", &["$", "<"]),
            ("a\tb\r", &["a", "b"]),
        ];
        for (text, expected) in rows {
            assert_eq!(words(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn a_comment_ends_a_continuation_and_may_be_glued_to_a_word() {
        assert!(physical("a \\", 1).continued);
        assert!(physical("a \\  ", 1).continued);
        assert!(!physical("a # b \\", 1).continued);
        assert_eq!(physical("auth_pass a#b", 1).glued_comment, Some(11));
        assert_eq!(physical("}#b", 1).glued_comment, None);
    }
}
