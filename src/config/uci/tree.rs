//! Sections → the tree that keepalived.conf would have been read into.

use super::cursor::is_space;
use super::text::{Section, Setting, Value};
use crate::config::block::{Builder, Node, Word};
use crate::config::error::{Report, Span, quoted};
use crate::config::schema::uci::{ENTRIES, Entry, KINDS, LVS_ONLY, Part, ignored};
use crate::config::schema::{Block, Keyword, Rule, nearest, nearest_help};

/// Hands the statements that the sections stand for to `each`, in their order.
pub(super) fn read(
    sections: &[Section],
    report: &mut Report,
    each: &mut dyn FnMut(Node, &mut Report),
) {
    let mut tree = Tree {
        sections,
        report,
        out: Builder::default(),
    };
    for section in sections {
        tree.section(section);
        tree.out.complete(tree.report, each);
    }
}

/// What to do about an option that nobody knows.
const REMOVE: &str = "remove it; CONFIG.md lists all options";

struct Tree<'a> {
    sections: &'a [Section],
    report: &'a mut Report,
    out: Builder,
}

impl<'a> Tree<'a> {
    /// A word of the file.
    fn put(&mut self, word: &Word) {
        self.out.word(word.clone(), self.report);
    }

    /// A word in keepalived's words; `span` is where it comes from.
    fn say(&mut self, text: &str, span: &Span) {
        let word = Word {
            text: text.to_owned(),
            span: *span,
            quoted: false,
        };
        self.out.word(word, self.report);
    }

    fn open(&mut self, span: &Span) {
        self.out.open(*span, self.report);
    }

    fn close(&mut self, span: &Span) {
        self.out.close(span, self.report);
    }

    /// The block that the section stands for, if it has an effect of its own.
    fn section(&mut self, section: &Section) {
        let (kind, span) = (section.kind.text.as_str(), &section.kind.span);
        if let Some(entry) = ENTRIES.iter().find(|entry| entry.kind == kind) {
            return self.check_entry(section, entry);
        }
        let is_globals = kind == "globals";
        let name = name_of(section).filter(|_| !is_globals);
        let word = if is_globals { "global_defs" } else { kind };
        let Some(keyword) = Block::Top.find(word) else {
            return self.unknown_kind(&section.kind);
        };
        if !is_globals && self.is_off(section) {
            return;
        }
        let block = match keyword.rule {
            Rule::Instance => Some(Block::Instance),
            Rule::SyncGroup => Some(Block::SyncGroup),
            Rule::SkippedWords { words, .. } => Some(words),
            Rule::Watched { block, .. } => Some(block),
            Rule::Words(block) => Some(block),
            // Skipped with all that it says.
            _ => None,
        };
        let is_named = matches!(
            keyword.rule,
            Rule::Instance | Rule::SyncGroup | Rule::Watched { .. }
        );
        if is_named && name.is_none() {
            return self.report.error(
                span,
                format_args!(
                    "this section has no name\n\
                     write `config {kind} 'NAME'`, or add `option name 'NAME'`"
                ),
            );
        }
        self.say(word, span);
        if let Some(name) = name {
            self.put(name);
        }
        self.open(span);
        if let Rule::Delays = keyword.rule {
            let options = ["device", "down_delay", "up_delay"];
            let settings = options.iter().filter_map(|name| setting(section, name));
            settings.for_each(|setting| self.put(&value(setting).whole));
        }
        let list = match keyword.rule {
            Rule::Addresses { .. } => Some(("address", "virtual_ipaddress")),
            Rule::Routes => Some(("route", "virtual_routes")),
            Rule::Rules => Some(("rule", "virtual_rules")),
            _ => None,
        };
        if let Some((option, like)) = list {
            self.static_lines(section, option, like);
        }
        if let Some(block) = block {
            self.block(section, block);
        }
        self.close(span);
    }

    /// The list of a section such as `static_routes`, whose items are as those of the list `like`.
    fn static_lines(&mut self, section: &Section, option: &str, like: &str) {
        let entry = ENTRIES.iter().find(|entry| entry.lists.contains(&like));
        for setting in &section.settings {
            let name = &setting.name;
            if name.text == option {
                for value in &setting.values {
                    self.words(value, entry);
                    self.out.end_of_line();
                }
            } else if !matches!(name.text.as_str(), "name" | "enabled") {
                let help = format!("write `list {option}`");
                self.unknown(name, &section.kind.text, &help);
            }
        }
    }

    fn is_off(&mut self, section: &Section) -> bool {
        let Some(value) = setting(section, "enabled").map(value) else {
            return false;
        };
        let on = boolean(&value.whole.text);
        if on.is_none() {
            self.report.error_of(
                &value.whole,
                format_args!("is neither on nor off\nwrite `option enabled '1'`, or '0'"),
            );
        }
        on == Some(false)
    }

    fn unknown_kind(&mut self, kind: &Word) {
        if kind.text == LVS_ONLY {
            return;
        }
        let near = nearest(&kind.text, KINDS);
        let help = match near {
            Some(near) => &*format!("write `config {near}`"),
            None => "remove it; CONFIG.md lists all types",
        };
        self.report.error(
            &kind.span,
            format_args!("unknown type of section {}\n{help}", quoted(&kind.text)),
        );
    }

    fn block(&mut self, section: &Section, block: Block) {
        for setting in &section.settings {
            let name = &setting.name;
            if let Some(keyword) = block.find(&name.text) {
                self.statement(section, setting, &keyword);
            } else if !is_ours(block, &name.text) && !self.is_ignored(section, name) {
                let help = block.help(&name.text, self.report, REMOVE);
                self.unknown(name, block.called(self.report.dialect), &help);
            }
        }
        if block == Block::Instance {
            self.authentication(section);
        }
    }

    fn unknown(&mut self, option: &Word, place: &str, help: &str) {
        self.report.error(
            &option.span,
            format_args!(
                "unknown option {} in `{place}`\n{help}",
                quoted(&option.text)
            ),
        );
    }

    /// The block that `auth_type` and `auth_pass` make; without a password there is none, as in
    /// OpenWrt's keepalived.
    fn authentication(&mut self, section: &Section) {
        let of = |name: &str| setting(section, name);
        let (kind, password) = (of("auth_type"), of("auth_pass"));
        let Some(first) = kind.or(password) else {
            return;
        };
        let span = &first.name.span;
        if password.is_none() {
            return self.report.warn(
                span,
                format_args!(
                    "`auth_type` has no effect without `auth_pass`\n\
                     add `option auth_pass`, or remove it"
                ),
            );
        }
        self.say("authentication", span);
        self.open(span);
        for setting in [kind, password].into_iter().flatten() {
            if let Some(keyword) = Block::Authentication.find(&setting.name.text) {
                self.statement(section, setting, &keyword);
            }
        }
        self.close(span);
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

    /// One option: the keyword and its value, or its block with a line for each value.
    fn statement(&mut self, section: &Section, setting: &Setting, keyword: &Keyword) {
        let (name, span) = (&setting.name, &setting.name.span);
        if keyword.is_list() {
            let is_list = |entry: &&Entry| entry.lists.contains(&keyword.name);
            let entry = ENTRIES.iter().find(is_list);
            self.put(name);
            self.open(span);
            for value in &setting.values {
                self.words(value, entry);
                self.out.end_of_line();
            }
            return self.close(span);
        }
        for value in &setting.values {
            let on = boolean(&value.whole.text);
            let is_bare = matches!(keyword.rule, Rule::Skipped { .. } | Rule::Vmac { .. });
            if is_bare && on == Some(false) {
                continue;
            }
            self.put(name);
            match (keyword.rule, on) {
                (Rule::Skipped { .. } | Rule::Vmac { .. }, Some(_)) => {}
                (Rule::Flag { .. }, Some(true)) => self.say("on", &value.whole.span),
                (Rule::Flag { .. }, Some(false)) => self.say("off", &value.whole.span),
                _ => self.put(&value.whole),
            }
            if keyword.name == "weight" {
                self.direction(section);
            }
            self.out.end_of_line();
        }
    }

    /// The words of a value; what names a section of the type `entry` is the line of that section.
    /// What stands behind another word belongs to it.
    fn words(&mut self, value: &Value, entry: Option<&Entry>) {
        let mut span = value.whole.span;
        span.column = value.column;
        let mut names = entry;
        for word in value.whole.text.split(is_space) {
            let section = names.and_then(|entry| Some((entry, self.named(entry.kind, word)?)));
            if let Some((entry, section)) = section {
                self.entry(entry, section);
                self.out.end_of_line();
            } else if !word.is_empty() {
                self.say(word, &span);
                names = None;
            }
            let length = word.chars().count() + 1;
            span = span.right(length);
        }
    }

    /// The section of this type and name.
    fn named(&self, kind: &str, name: &str) -> Option<&'a Section> {
        let is_it = |word: Option<&Word>| word.is_some_and(|word| word.text == name);
        self.sections.iter().find(|section| {
            section.kind.text == kind && (is_it(name_of(section)) || is_it(section.name.as_ref()))
        })
    }

    /// The line that a section like `config ipaddress` stands for.
    fn entry(&mut self, entry: &Entry, section: &Section) {
        let mut wanted = entry
            .options
            .iter()
            .filter(|(_, part)| *part == Part::Value);
        if let Some((option, _)) = wanted.find(|(option, _)| setting(section, option).is_none()) {
            return self.report.error(
                &section.kind.span,
                format_args!("this section has no `{option}`\nadd `option {option} '…'`"),
            );
        }
        for (option, part) in entry.options {
            let found = setting(section, option).map(value);
            match (part, found) {
                (Part::Label, _) => self.label(section),
                (Part::Direction, _) => self.direction(section),
                (_, None) => {}
                (Part::Value, Some(value)) => self.words(value, None),
                (Part::Named(word), Some(value)) => {
                    self.say(word, &value.whole.span);
                    self.put(&value.whole);
                }
                (Part::Flag(word), Some(value)) => {
                    if boolean(&value.whole.text) == Some(true) {
                        self.say(word, &value.whole.span);
                    }
                }
            }
        }
    }

    fn check_entry(&mut self, section: &Section, entry: &Entry) {
        for setting in &section.settings {
            let word = &setting.name;
            let known = |(own, _): &(&str, Part)| *own == word.text;
            if word.text != "name"
                && !entry.options.iter().any(known)
                && !self.is_ignored(section, word)
            {
                let mut names: Vec<&str> = Vec::new();
                for (name, _) in entry.options {
                    names.push(name);
                }
                let help = nearest_help(&word.text, &names, REMOVE);
                self.unknown(word, entry.kind, &help);
            }
        }
    }

    fn direction(&mut self, section: &Section) {
        let value = setting(section, "direction").map(value);
        if let Some(value) = value.filter(|value| value.whole.text == "reverse") {
            self.put(&value.whole);
        }
    }

    /// `label DEVICE:SUFFIX`, as OpenWrt's keepalived gives it to addresses that name a device.
    /// Where the suffix is not given and does not fit, there is no label.
    fn label(&mut self, section: &Section) {
        const LONGEST: usize = 15;
        let Some(device) = setting(section, "device").map(value) else {
            return;
        };
        let suffix = setting(section, "label_suffix").map(value);
        let address = setting(section, "address").map(value);
        let is_v6 = address.is_some_and(|address| address.whole.text.contains(':'));
        let mut label = device.whole.text.clone();
        label.push(':');
        label.push_str(suffix.map_or("vip", |suffix| &suffix.whole.text));
        if suffix.is_some() || !is_v6 && label.len() <= LONGEST {
            let span = &suffix.unwrap_or(device).whole.span;
            self.say("label", span);
            self.say(&label, span);
        }
    }
}

/// Options of a section that are no keywords of its block.
fn is_ours(block: Block, name: &str) -> bool {
    const OURS: &[(Block, &str)] = &[
        (Block::GlobalDefs, "alt_config_file"),
        (Block::Script, "direction"),
        (Block::Probe, "direction"),
        (Block::Instance, "auth_type"),
        (Block::Instance, "auth_pass"),
    ];
    name == "name" || name == "enabled" || OURS.contains(&(block, name))
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
    const WORDS: [&str; 10] = [
        "1", "on", "true", "yes", "enabled", "0", "off", "false", "no", "disabled",
    ];
    let place = WORDS.iter().position(|word| *word == text)?;
    Some(place < WORDS.len() / 2)
}
