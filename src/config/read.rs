//! Block tree → drafts: each statement is looked up in the table and its arguments are read.

use std::rc::Rc;

use super::block::{Node, Word};
use super::error::{Report, Span, quoted};
use super::schema::{Block, Draft, Form, Keyword, Rule, Skip};
use super::{peer, probe, route, rule, track, vip};
use crate::vrrp::track::Kind;

/// What the files say, before defaults and cross-checks.
#[derive(Debug)]
pub(crate) struct Drafts {
    pub(crate) globals: Box<Draft>,
    pub(crate) instances: Vec<InstanceDraft>,
    pub(crate) groups: Vec<InstanceDraft>,
    /// What can be tracked besides interfaces.
    pub(crate) watched: Vec<(Kind, InstanceDraft)>,
}

/// One `vrrp_instance`, `vrrp_sync_group`, or block of what can be tracked.
#[derive(Debug)]
pub(crate) struct InstanceDraft {
    pub(crate) name: Box<str>,
    /// Where the name stands.
    pub(crate) span: Span,
    pub(crate) draft: Box<Draft>,
    /// The sync group that an instance is in.
    pub(crate) group: Option<Rc<str>>,
}

impl InstanceDraft {
    /// One that says nothing so far.
    pub(crate) fn new(name: &str, span: Span) -> Self {
        Self {
            name: name.into(),
            span,
            draft: Draft::empty(),
            group: None,
        }
    }
}

impl Drafts {
    /// Drafts that say nothing so far.
    pub(crate) fn new() -> Self {
        Self {
            globals: Draft::empty(),
            instances: Vec::new(),
            groups: Vec::new(),
            watched: Vec::new(),
        }
    }

    /// Reads a statement of the top level.
    pub(crate) fn read(&mut self, node: &Node, report: &mut Report) {
        let mut reader = Reader {
            report,
            watched: &mut self.watched,
        };
        for statement in statements(core::slice::from_ref(node), Block::Top) {
            let Some(keyword) = reader.lookup(&statement, Block::Top) else {
                continue;
            };
            let (list, block) = match keyword.rule {
                Rule::Instance => (&mut self.instances, Block::Instance),
                Rule::SyncGroup => (&mut self.groups, Block::SyncGroup),
                Rule::Watched { kind, block } => {
                    if let Some(draft) = reader.named(&keyword, block, &statement) {
                        reader.watched.push((kind, draft));
                    }
                    continue;
                }
                _ => {
                    reader.keyword(&keyword, &statement, &mut self.globals);
                    continue;
                }
            };
            if let Some(draft) = reader.named(&keyword, block, &statement) {
                list.push(draft);
            }
        }
    }
}

/// A keyword, its arguments and its block.
pub(super) struct Statement<'a> {
    pub(super) word: &'a Word,
    pub(super) arguments: &'a [Word],
    children: Option<&'a [Node]>,
}

/// The statements of a block. A line may hold several (`{ state BACKUP priority 90 }`): where a
/// keyword has all that it takes and the next word is a keyword, a new statement begins.
fn statements(nodes: &[Node], block: Block) -> Vec<Statement<'_>> {
    let mut found = Vec::new();
    for node in nodes {
        let mut rest = node.words.as_slice();
        while let Some((word, arguments)) = rest.split_first() {
            let keyword = block.find(&word.text).filter(|_| !word.quoted);
            let taken = keyword.map_or(arguments.len(), |keyword| taken(&keyword, arguments));
            let starts_statement = |next: &Word| !next.quoted && block.has(&next.text);
            let split = arguments.get(taken).is_some_and(starts_statement);
            let end = if split { taken } else { arguments.len() };
            found.push(Statement {
                word,
                arguments: &arguments[..end],
                children: node.children.as_deref().filter(|_| !split),
            });
            rest = &arguments[end..];
        }
    }
    found
}

/// How many of `arguments` the keyword takes.
fn taken(keyword: &Keyword, arguments: &[Word]) -> usize {
    let most = match keyword.rule {
        Rule::Flag { .. }
        | Rule::Skipped {
            takes: Form::Bool, ..
        } => {
            let is_bool = |word: &Word| boolean(&word.text).is_some();
            usize::from(arguments.first().is_some_and(is_bool))
        }
        Rule::Vmac { .. } => {
            let is_name = |word: &Word| !Block::Instance.has(&word.text);
            usize::from(arguments.first().is_some_and(is_name))
        }
        Rule::Program(_) => before(Block::Instance, arguments, 0, 3),
        Rule::Words(_)
        | Rule::Addresses { .. }
        | Rule::Routes
        | Rule::Rules
        | Rule::Peers
        | Rule::Tracked(_)
        | Rule::Members
        | Rule::Probes
        | Rule::Delays => 0,
        Rule::Check => probe::taken(keyword.name, arguments),
        Rule::Option { .. } | Rule::Skipped { .. } | Rule::SkippedWords { .. } => {
            if keyword.takes_nothing() || keyword.is_list() {
                0
            } else {
                arguments.len()
            }
        }
        Rule::Command { .. } => before(Block::Script, arguments, 1, arguments.len()),
        Rule::User { .. } => before(Block::Script, arguments, 1, 2),
        Rule::Line(_) => before(Block::TrackProcess, arguments, 0, arguments.len()),
        Rule::InitFile { .. } => {
            let is_number = |word: &Word| word.text.parse::<i32>().is_ok();
            let number = usize::from(arguments.first().is_some_and(is_number));
            let overwrite = arguments
                .get(number)
                .is_some_and(|word| word.text == "overwrite");
            number + usize::from(overwrite)
        }
        Rule::Weight { .. } => {
            let direction = |word: &Word| matches!(&*word.text, "reverse" | "noreverse");
            1 + usize::from(arguments.get(1).is_some_and(direction))
        }
        _ => 1,
    };
    most.min(arguments.len())
}

/// How many stand before a word of the block: so many at least, and at most.
fn before(block: Block, arguments: &[Word], least: usize, most: usize) -> usize {
    let mut count = least;
    while count < most
        && let Some(next) = arguments.get(count)
        && (next.quoted || !block.has(&next.text))
    {
        count += 1;
    }
    count
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

pub(super) struct Reader<'a> {
    pub(super) report: &'a mut Report,
    /// What is defined where it is tracked goes to the other definitions.
    pub(super) watched: &'a mut Vec<(Kind, InstanceDraft)>,
}

impl Reader<'_> {
    fn named(
        &mut self,
        keyword: &Keyword,
        block: Block,
        statement: &Statement<'_>,
    ) -> Option<InstanceDraft> {
        let (name, children) = match (statement.arguments.first(), statement.children) {
            (Some(name), Some(children)) => (name, children),
            (name, _) => {
                let missing = if name.is_none() { "name" } else { "block" };
                self.report.error(
                    &statement.word.span,
                    format_args!(
                        "`{name}` without a {missing}\nwrite `{name} NAME {{ … }}`",
                        name = keyword.name
                    ),
                );
                return None;
            }
        };
        self.unused(&statement.arguments[1..], Block::Top);
        let mut named = InstanceDraft::new(&name.text, name.span);
        self.block(children, block, &mut named.draft);
        named.draft.vips.shrink_to_fit();
        Some(named)
    }

    pub(super) fn block(&mut self, nodes: &[Node], block: Block, draft: &mut Draft) {
        for statement in statements(nodes, block) {
            let Some(keyword) = self.lookup(&statement, block) else {
                continue;
            };
            let taken = taken(&keyword, statement.arguments);
            if !matches!(keyword.rule, Rule::Flag { .. }) {
                self.unused(&statement.arguments[taken..], block);
            }
            self.keyword(&keyword, &statement, draft);
        }
    }

    fn lookup(&mut self, statement: &Statement<'_>, block: Block) -> Option<Keyword> {
        let word = statement.word;
        let found = block.find(&word.text);
        if found.is_none() {
            let (shown, place) = (quoted(&word.text), block.name());
            let message = match block {
                Block::Top => format_args!("unknown word {shown}"),
                block if block.is_secret() => format_args!("unknown word in `{place}`"),
                _ => format_args!("unknown word {shown} in `{place}`"),
            };
            let otherwise = "remove it; CONFIG.md lists all words";
            let help = block.help(&word.text, self.report, otherwise);
            self.report
                .error_with(&word.span, message, format_args!("{help}"));
        }
        found
    }

    /// Not for words whose error is only counted: it takes a while.
    fn suggest(&self, block: Block, word: &Word) -> Option<String> {
        let wanted = !self.report.is_full();
        wanted
            .then(|| block.suggest(&word.text, self.report.dialect))
            .flatten()
    }

    /// keepalived ignores what a keyword does not take; so do we, but we say so. A slip in the
    /// second keyword of a line would change what the line means: that is an error.
    fn unused(&mut self, words: &[Word], block: Block) {
        let Some(first) = words.first() else { return };
        let help = format_args!("remove it, or put it on a line of its own");
        if block.is_secret() {
            self.report
                .warn_with(&first.span, format_args!("this word is not used"), help);
        } else if let Some(suggestion) = self.suggest(block, first) {
            self.report.error(
                &first.span,
                format_args!("unknown word {}\n{suggestion}", quoted(&first.text)),
            );
        } else {
            let message = format_args!("{} is not used", quoted(&first.text));
            self.report.warn_with(&first.span, message, help);
        }
    }

    fn keyword(&mut self, keyword: &Keyword, statement: &Statement<'_>, draft: &mut Draft) {
        match keyword.rule {
            Rule::Skipped { why, .. } => {
                return self.skip(keyword, why, &statement.word.span);
            }
            Rule::SkippedWords { words, .. } => {
                self.skip(keyword, Skip::Later, &statement.word.span);
                return self.check_words(statement.children.unwrap_or_default(), words);
            }
            Rule::Words(_)
            | Rule::Addresses { .. }
            | Rule::Routes
            | Rule::Rules
            | Rule::Peers
            | Rule::Tracked(_)
            | Rule::Members
            | Rule::Probes
            | Rule::Delays => {
                let Some(children) = statement.children else {
                    self.report.error(
                        &statement.word.span,
                        format_args!(
                            "`{name}` without a block\nwrite `{name} {{ … }}`",
                            name = keyword.name
                        ),
                    );
                    draft.failed.push(keyword.name);
                    return;
                };
                let span = &statement.word.span;
                match keyword.rule {
                    Rule::Words(block) => self.block(children, block, draft),
                    Rule::Peers => peer::read(children, span, draft, self.report),
                    Rule::Tracked(kind) => track::read(kind, children, draft, self.report),
                    Rule::Probes => self.probes(children, draft),
                    Rule::Members => track::members(children, draft),
                    Rule::Delays => track::delays(children, draft, self.report),
                    Rule::Addresses { most, list } => {
                        if !vip::read(children, span, most.into(), list(draft), self.report) {
                            draft.failed.push(keyword.name);
                        }
                    }
                    Rule::Routes => route::read(children, &mut draft.routes, self.report),
                    _ => rule::read(children, &mut draft.rules, self.report),
                }
                return;
            }
            _ => {}
        }
        if statement.children.is_some() {
            self.report.error(
                &statement.word.span,
                format_args!(
                    "`{name}` is not a block\nwrite `{name} {}` without braces",
                    keyword.syntax(),
                    name = keyword.name
                ),
            );
        }
        if self.value(keyword, statement, draft).is_none() {
            draft.failed.push(keyword.name);
        }
    }

    fn skip(&mut self, keyword: &Keyword, why: Skip, span: &Span) {
        let name = keyword.name;
        let message = match why {
            Skip::Later => format!("`{name}` is not supported yet by vipd"),
            Skip::Needless => format!("`{name}` is not needed by vipd"),
            Skip::Foreign => format!("`{name}` is not supported by vipd"),
        };
        self.report.skip(name, span, message, keyword.text);
    }

    fn check_words(&mut self, nodes: &[Node], block: Block) {
        for statement in statements(nodes, block) {
            self.lookup(&statement, block);
        }
    }
}
