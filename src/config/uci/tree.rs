//! Sections → the tree that keepalived.conf would have been read into.

use super::text::{Section, Setting, Value};
use crate::config::block::{Node, Word};
use crate::config::error::{Report, Span, quoted};
use crate::config::schema::uci::{ENTRIES, Entry, KINDS, LVS_ONLY, Part, ignored};
use crate::config::schema::{Block, Keyword, Rule, nearest};
use crate::vrrp::types::Family;

/// A list with more lines than this is refused.
const MAX_LINES: usize = 512;

/// Reads the sections in their order.
pub(crate) struct Tree<'a> {
    pub(crate) sections: &'a [Section],
    pub(crate) report: &'a mut Report,
}

impl<'a> Tree<'a> {
    /// The statement that the section stands for; None if it has no effect of its own.
    pub(crate) fn node(&mut self, section: &Section) -> Option<Node> {
        let kind = section.kind.text.as_str();
        if let Some(entry) = ENTRIES.iter().find(|entry| entry.kind == kind) {
            self.check_entry(section, entry);
            return None;
        }
        if kind == LVS_ONLY {
            return None;
        }
        let word = Word {
            text: if kind == "globals" {
                "global_defs"
            } else {
                kind
            }
            .to_owned(),
            ..section.kind.clone()
        };
        let Some(keyword) = Block::Top.find(&word.text) else {
            self.unknown_kind(&section.kind);
            return None;
        };
        if kind != "globals" && self.is_off(section) {
            return None;
        }
        let span = word.span.clone();
        let (block, name) = match keyword.rule {
            Rule::Instance => (Block::Instance, Some(self.name(section)?)),
            Rule::SkippedWords { words, .. } => (words, name_of(section).cloned()),
            Rule::Words(block) => (block, None),
            // Skipped with all that it says.
            _ => {
                return Some(Node {
                    words: vec![word],
                    children: Some(Vec::new()),
                    span,
                });
            }
        };
        Some(Node {
            words: [word].into_iter().chain(name).collect(),
            children: Some(self.block(section, block)),
            span,
        })
    }

    /// The name of an instance, which it needs.
    fn name(&mut self, section: &Section) -> Option<Word> {
        let name = name_of(section);
        if name.is_none() {
            let message = "this instance has no name";
            let help = "write `config vrrp_instance 'NAME'`, or add `option name 'NAME'`";
            self.report.error(&section.kind.span, message, help);
        }
        name.cloned()
    }

    fn is_off(&mut self, section: &Section) -> bool {
        let Some(value) = setting(section, "enabled").map(value) else {
            return false;
        };
        let on = boolean(&value.whole.text);
        if on.is_none() {
            let message = format!("{} is neither on nor off", quoted(&value.whole.text));
            let help = "write `option enabled '1'` or `option enabled '0'`";
            self.report.error(&value.whole.span, message, help);
        }
        on == Some(false)
    }

    fn unknown_kind(&mut self, kind: &Word) {
        let message = format!("unknown type of section {}", quoted(&kind.text));
        let entries = ENTRIES.iter().map(|entry| entry.kind);
        let near = nearest(&kind.text, &mut entries.chain(KINDS.iter().copied()));
        let help = match near {
            Some(near) => format!("write `config {near}`"),
            None => "remove it; CONFIG.md lists all types".into(),
        };
        self.report.error(&kind.span, message, help);
    }

    fn block(&mut self, section: &Section, block: Block) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut password = Vec::new();
        for setting in &section.settings {
            let name = setting.name.text.as_str();
            if let Some(keyword) = block.find(name) {
                self.statement(section, setting, keyword, &mut nodes);
            } else if let Some(keyword) = Block::Authentication
                .find(name)
                .filter(|_| block == Block::Instance)
            {
                self.statement(section, setting, keyword, &mut password);
            } else if !is_ours(block, name) && !self.is_ignored(section, &setting.name) {
                self.unknown(&setting.name, block);
            }
        }
        nodes.extend(self.authentication(password));
        nodes
    }

    /// The block that `auth_type` and `auth_pass` make; without a password there is none, as in
    /// OpenWrt's keepalived.
    fn authentication(&mut self, options: Vec<Node>) -> Option<Node> {
        let span = options.first()?.span.clone();
        let is_password = |option: &Node| option.words[0].text == "auth_pass";
        if !options.iter().any(is_password) {
            let message = "`auth_type` has no effect without `auth_pass`";
            self.report
                .warn(&span, message, "add `option auth_pass`, or remove it");
            return None;
        }
        Some(Node {
            words: vec![plain("authentication", &span)],
            children: Some(options),
            span,
        })
    }

    /// Whether the option is another program's; that is told of once.
    fn is_ignored(&mut self, section: &Section, word: &Word) -> bool {
        let Some((option, help)) = ignored(&section.kind.text, &word.text) else {
            return false;
        };
        let message = format!("`{option}` has no effect in vipd");
        self.report.skip(option, &word.span, message, help);
        true
    }

    fn unknown(&mut self, word: &Word, block: Block) {
        let dialect = self.report.dialect;
        let place = block.called(dialect);
        let message = format!("unknown option {} in `{place}`", quoted(&word.text));
        let suggestion = if self.report.is_full() {
            None
        } else {
            block.suggest(&word.text, dialect)
        };
        let help = suggestion.unwrap_or_else(|| "remove it; CONFIG.md lists all options".into());
        self.report.error(&word.span, message, help);
    }

    /// One option: the keyword and its value, or its block with a line for each value.
    fn statement(
        &mut self,
        section: &Section,
        setting: &Setting,
        keyword: &Keyword,
        nodes: &mut Vec<Node>,
    ) {
        let span = setting.name.span.clone();
        if keyword.syntax().starts_with('{') {
            let lines = self.lines(setting);
            if let Rule::Addresses = keyword.rule {
                self.one_family(&lines);
            }
            nodes.push(Node {
                words: vec![setting.name.clone()],
                children: Some(lines),
                span,
            });
            return;
        }
        for value in &setting.values {
            let mut words = vec![setting.name.clone()];
            let on = boolean(&value.whole.text);
            match (keyword.rule, on) {
                (Rule::Skipped { .. }, Some(false)) => continue,
                (Rule::Skipped { .. }, Some(true)) => {}
                (Rule::Flag { .. }, Some(on)) => words.push(Word {
                    text: if on { "on" } else { "off" }.to_owned(),
                    ..value.whole.clone()
                }),
                _ => words.push(value.whole.clone()),
            }
            if keyword.name == "weight" {
                words.extend(direction(section));
            }
            nodes.push(Node {
                words,
                children: None,
                span: span.clone(),
            });
        }
    }

    /// Both families in one section will be two instances in one group, once there are groups.
    fn one_family(&mut self, lines: &[Node]) {
        let family = |word: &Word| {
            let address = word.text.split('/').next().unwrap_or_default();
            address.parse().ok().as_ref().map(Family::of)
        };
        let words = || lines.iter().flat_map(|line| &line.words);
        let first = words().find_map(family);
        let other =
            words().find(|word| first.is_some() && family(word).is_some_and(|f| Some(f) != first));
        if let Some(word) = other {
            let message = "IPv4 and IPv6 addresses in one section are not supported yet by vipd";
            let help = "write a second section for the other family; it may have the same VRID";
            self.report.error(&word.span, message, help);
        }
    }

    /// The lines of a block: what the values say, and the sections that they name.
    fn lines(&mut self, setting: &Setting) -> Vec<Node> {
        let list = setting.name.text.as_str();
        let entry = ENTRIES.iter().find(|entry| entry.lists.contains(&list));
        let mut lines: Vec<Node> = Vec::new();
        for value in &setting.values {
            let mut open = false;
            for word in value.words() {
                let line = lines.last_mut().filter(|_| open);
                let named = entry.and_then(|entry| Some((entry, self.named(entry, word)?)));
                if let Some(line) = line {
                    line.words.push(word.clone());
                } else if let Some((entry, section)) = named {
                    lines.extend(self.line(entry, section));
                } else if !word.text.is_empty() {
                    lines.push(Node {
                        words: vec![word.clone()],
                        children: None,
                        span: word.span.clone(),
                    });
                    open = true;
                }
            }
            if lines.len() > MAX_LINES {
                let message = format!("{} has more than {MAX_LINES} lines", quoted(list));
                self.report.error(&value.whole.span, message, "write fewer");
                break;
            }
        }
        lines
    }

    /// The section of this type that `word` names.
    fn named(&self, entry: &Entry, word: &Word) -> Option<&'a Section> {
        let is_it = |name: Option<&Word>| name.is_some_and(|name| name.text == word.text);
        self.sections.iter().find(|section| {
            section.kind.text == entry.kind
                && (is_it(name_of(section)) || is_it(section.name.as_ref()))
        })
    }
}

impl Tree<'_> {
    /// The line that a section like `config ipaddress` stands for.
    fn line(&mut self, entry: &Entry, section: &Section) -> Option<Node> {
        let mut words = Vec::new();
        let mut complete = false;
        for (option, part) in entry.options {
            let found = setting(section, option).map(value);
            match (part, found) {
                (Part::Label, _) => words.extend(label(section)),
                (_, None) => {}
                (Part::Value, Some(value)) => {
                    complete = true;
                    words.extend(value.words().iter().cloned());
                }
                (Part::Named(word), Some(value)) => {
                    words.push(plain(word, &value.whole.span));
                    words.push(value.whole.clone());
                }
                (Part::Flag(word), Some(value)) => {
                    let on = boolean(&value.whole.text) == Some(true);
                    words.extend(on.then(|| plain(word, &value.whole.span)));
                }
                (Part::Direction, Some(_)) => words.extend(direction(section)),
            }
        }
        let wanted = entry.options.iter().find(|(_, part)| *part == Part::Value);
        if let Some((option, _)) = wanted.filter(|_| !complete) {
            let message = format!("this section has no `{option}`");
            let help = format!("add `option {option} '…'`");
            self.report.error(&section.kind.span, message, help);
        }
        let span = words.first()?.span.clone();
        complete.then_some(Node {
            words,
            children: None,
            span,
        })
    }

    fn check_entry(&mut self, section: &Section, entry: &Entry) {
        let known =
            |name: &str| name == "name" || entry.options.iter().any(|(own, _)| *own == name);
        for setting in &section.settings {
            let word = &setting.name;
            if known(&word.text) || self.is_ignored(section, word) {
                continue;
            }
            let message = format!("unknown option {} in `{}`", quoted(&word.text), entry.kind);
            let near = nearest(&word.text, &mut entry.options.iter().map(|(name, _)| *name));
            let help = match near {
                Some(near) => format!("write `{near}`"),
                None => "remove it; CONFIG.md lists all options".into(),
            };
            self.report.error(&word.span, message, help);
        }
    }
}

/// Options of a section that are no keywords of its block.
fn is_ours(block: Block, name: &str) -> bool {
    match block {
        Block::GlobalDefs => matches!(name, "enabled" | "alt_config_file"),
        Block::Script => matches!(name, "name" | "enabled" | "direction"),
        _ => matches!(name, "name" | "enabled"),
    }
}

/// `option name`, or else the name of the section itself.
fn name_of(section: &Section) -> Option<&Word> {
    let named = setting(section, "name").map(|setting| &value(setting).whole);
    named.or(section.name.as_ref())
}

pub(super) fn setting<'a>(section: &'a Section, name: &str) -> Option<&'a Setting> {
    let mut settings = section.settings.iter();
    settings.find(|setting| setting.name.text == name)
}

/// The first value; there is no other if it is no list.
pub(super) fn value(setting: &Setting) -> &Value {
    &setting.values[0]
}

/// `config_get_bool` of OpenWrt's shell library.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "on" | "true" | "yes" | "enabled" => Some(true),
        "0" | "off" | "false" | "no" | "disabled" => Some(false),
        _ => None,
    }
}

fn direction(section: &Section) -> Option<Word> {
    let value = value(setting(section, "direction")?);
    (value.whole.text == "reverse").then(|| value.whole.clone())
}

/// `label DEVICE:SUFFIX`, as OpenWrt's keepalived gives it to addresses that name a device. Where
/// the suffix is not given and does not fit, there is no label.
fn label(section: &Section) -> Vec<Word> {
    const LONGEST: usize = 15;
    let suffix = setting(section, "label_suffix").map(value);
    let Some(device) = setting(section, "device").map(value) else {
        return Vec::new();
    };
    let is_v6 = setting(section, "address").is_some_and(|s| value(s).whole.text.contains(':'));
    let text = format!(
        "{}:{}",
        device.whole.text,
        suffix.map_or("vip", |suffix| &suffix.whole.text)
    );
    if suffix.is_none() && (is_v6 || text.len() > LONGEST) {
        return Vec::new();
    }
    let span = &suffix.unwrap_or(device).whole.span;
    vec![plain("label", span), plain(&text, span)]
}

/// A word that does not stand in the file; `span` is where it comes from.
fn plain(text: &str, span: &Span) -> Word {
    Word {
        text: text.to_owned(),
        span: span.clone(),
        quoted: false,
    }
}
