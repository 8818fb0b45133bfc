//! The generic block tree: words, blocks, and where they stand. Every text format is read into it.

use super::error::{Report, Span};

/// Blocks nested deeper than this are an error; the deepest of keepalived is four.
pub const MAX_DEPTH: usize = 16;

/// More words than this are refused; a thousand instances have 30,000.
pub const MAX_WORDS: usize = 100_000;

/// One word of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text without its quotes.
    pub text: String,
    /// Where it begins.
    pub span: Span,
    /// Whether some of it stood in quotes; then it is never a keyword.
    pub quoted: bool,
}

/// The words with a space between each two.
pub(crate) fn joined(words: &[Word]) -> String {
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { " " });
        text.push_str(&word.text);
    }
    text
}

/// One statement: a line of words, or a block with statements in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The keyword and its arguments; at least one.
    pub words: Vec<Word>,
    /// What stands between the braces, if there are braces.
    pub children: Option<Vec<Node>>,
    /// Where the first word begins.
    pub span: Span,
}

/// Builds the tree from words, braces and line ends.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    top: Vec<Node>,
    open: Vec<Open>,
    words: Vec<Word>,
    /// How many words there were so far.
    word_count: usize,
    /// Blocks open beyond [`MAX_DEPTH`]; what stands in them is dropped.
    too_deep: usize,
    /// The last statement of the innermost block ended with its line, so that a `{` on the next
    /// line is its block.
    may_open: bool,
}

/// A block that is not closed yet.
#[derive(Debug)]
struct Open {
    words: Vec<Word>,
    children: Vec<Node>,
    brace: Span,
}

impl Builder {
    pub(crate) fn word(&mut self, word: Word, report: &mut Report) {
        self.word_count += 1;
        if self.word_count == MAX_WORDS + 1 {
            report.error(
                &word.span,
                format_args!(
                    "the configuration has more than {MAX_WORDS} words\n\
                     the rest is not read: make it shorter"
                ),
            );
        }
        if self.too_deep == 0 && self.word_count <= MAX_WORDS {
            self.words.push(word);
        }
    }

    pub(crate) fn end_of_line(&mut self) {
        if !self.words.is_empty() {
            self.end_statement();
            self.may_open = true;
        }
    }

    pub(crate) fn open(&mut self, brace: Span, report: &mut Report) {
        if self.too_deep > 0 || self.open.len() == MAX_DEPTH {
            self.refuse_depth(&brace, report);
            return;
        }
        let mut words = core::mem::take(&mut self.words);
        if words.is_empty() && self.may_open {
            words = self
                .siblings()
                .pop()
                .map(|node| node.words)
                .unwrap_or_default();
        }
        if words.is_empty() {
            report.error(
                &brace,
                format_args!("this block has no name\nwrite a keyword before `{{`"),
            );
        }
        self.may_open = false;
        self.open.push(Open {
            words,
            children: Vec::new(),
            brace,
        });
    }

    pub(crate) fn close(&mut self, brace: &Span, report: &mut Report) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        self.end_statement();
        match self.open.pop() {
            Some(block) => self.push_block(block),
            None => report.error(
                brace,
                format_args!("no block is open here\nremove this `}}`"),
            ),
        }
    }

    /// Hands over the statements of the top level that are complete. The last one is not as long as
    /// a `{` on the next line may make it a block.
    pub(crate) fn complete(
        &mut self,
        report: &mut Report,
        each: &mut dyn FnMut(Node, &mut Report),
    ) {
        let waits = self.may_open && self.open.is_empty();
        let last = if waits { self.top.pop() } else { None };
        for node in core::mem::take(&mut self.top) {
            each(node, report);
        }
        self.top.extend(last);
    }

    /// The end of the text: hands over the rest.
    pub(crate) fn finish(&mut self, report: &mut Report, each: &mut dyn FnMut(Node, &mut Report)) {
        self.end_statement();
        while let Some(block) = self.open.pop() {
            report.error(
                &block.brace,
                format_args!(
                    "this block is not closed before the end of the file\n\
                     add a `}}` where it ends"
                ),
            );
            self.push_block(block);
        }
        self.complete(report, each);
    }

    fn refuse_depth(&mut self, brace: &Span, report: &mut Report) {
        if self.too_deep == 0 {
            report.error(
                brace,
                format_args!(
                    "blocks are nested deeper than {MAX_DEPTH}\n\
                     close the blocks before this one"
                ),
            );
            self.words.clear();
        }
        self.too_deep += 1;
    }

    fn end_statement(&mut self) {
        self.may_open = false;
        let words = core::mem::take(&mut self.words);
        let Some(first) = words.first() else { return };
        let span = first.span;
        self.siblings().push(Node {
            words,
            children: None,
            span,
        });
    }

    fn push_block(&mut self, block: Open) {
        // A block without a name was reported where it was opened.
        let Some(first) = block.words.first() else {
            return;
        };
        let span = first.span;
        self.siblings().push(Node {
            words: block.words,
            children: Some(block.children),
            span,
        });
    }

    fn siblings(&mut self) -> &mut Vec<Node> {
        match self.open.last_mut() {
            Some(block) => &mut block.children,
            None => &mut self.top,
        }
    }
}
