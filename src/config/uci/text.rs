//! The text of a UCI file → its sections, by libuci's rules.
//!
//! What libuci takes is taken, with the same result, and what it refuses is refused; `tests/uci`
//! compares the two. Hence the odd corners: `option` with an empty value says nothing, a `;`
//! behind a word without quotes ends the line, a third argument of `''` lets a second statement
//! follow. What differs on purpose: a NUL, a statement longer than [`MAX_STATEMENT`](super::cursor::MAX_STATEMENT), more sections
//! than [`MAX_SECTIONS`] or more options in one than [`MAX_SETTINGS`] are errors.

use super::cursor::{Cursor, Reported};
use crate::config::block::Word;
use crate::config::error::{Report, Span, quoted};

/// More sections than this are refused.
pub const MAX_SECTIONS: usize = 4_096;
/// More options than this in one section are refused.
pub const MAX_SETTINGS: usize = 256;

/// `config KIND ['NAME']` and the options below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its type.
    pub kind: Word,
    /// None for an anonymous section.
    pub name: Option<Word>,
    /// In libuci's order: an option that is set anew goes to the end.
    pub settings: Vec<Setting>,
}

/// An option or a list of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What stands behind `option` or `list`.
    pub name: Word,
    /// Whether it is a list.
    pub list: bool,
    /// At least one; exactly one if it is no list.
    pub values: Vec<Value>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// As it is, with all blanks.
    pub whole: Word,
    /// The column where its text begins, behind a quote if there is one.
    pub column: u16,
}

/// The sections of `text`, the content of `file`; those of one name are one.
pub(crate) fn sections(file: u16, text: &str, report: &mut Report) -> Vec<Section> {
    let mut parser = Parser {
        cursor: Cursor::new(file, text, report),
        sections: Vec::new(),
        open: Open::Nothing,
    };
    while parser.cursor.next_line() {
        // What is wrong was reported; the next line may have more.
        let _: Result<(), Reported> = parser.statements();
    }
    parser.sections
}

/// Where an option goes.
enum Open {
    /// There was no section yet.
    Nothing,
    /// The section was wrong and is dropped.
    Dropped,
    /// The section of this index.
    Section(usize),
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    sections: Vec<Section>,
    open: Open,
}

impl Parser<'_> {
    /// What stands in one line: a statement as a rule.
    fn statements(&mut self) -> Result<(), Reported> {
        self.cursor.skip_space();
        while let Some(command) = self.cursor.command() {
            let span = &command.span;
            match command.keyword {
                Some(word) if command.ends_line => {
                    let text = format_args!("`{word}` without a name\nwrite the name behind it");
                    return self.cursor.refuse(span, text);
                }
                Some("config") => self.config()?,
                Some("option") => self.option(span, false)?,
                Some("list") => self.option(span, true)?,
                Some(_) => self.package()?,
                // What stands there is not repeated: it may be a password.
                None => {
                    let text = format_args!(
                        "this is no statement of UCI\n\
                         begin it with `config`, `option` or `list`, or with `#` if it is a comment"
                    );
                    return self.cursor.refuse(span, text);
                }
            }
        }
        Ok(())
    }

    /// `package NAME`; the file is one package whatever it says.
    fn package(&mut self) -> Result<(), Reported> {
        let name = self.cursor.argument()?.whole;
        if !is_name(&name.text.replace('-', "_")) {
            let text = format_args!(
                "this is not the name of a package\n\
                 write `package 'NAME'` with letters, digits, `_` and `-`, or remove it"
            );
            return self.cursor.refuse(&name.span, text);
        }
        self.end()
    }

    /// `config KIND [NAME]`
    fn config(&mut self) -> Result<(), Reported> {
        self.open = Open::Dropped;
        let kind = self.cursor.argument()?.whole;
        if kind.text.is_empty() || !kind.text.bytes().all(|c| c.is_ascii_graphic()) {
            let text = format_args!(
                "this is not the type of a section\n\
                 write `config vrrp_instance 'NAME'`"
            );
            return self.cursor.refuse(&kind.span, text);
        }
        let name = self.cursor.argument()?.whole;
        if !name.text.is_empty() && !is_name(&name.text) {
            let text = format_args!(
                "this is not the name of a section\n\
                 write letters, digits and `_`; any other name goes into `option name`"
            );
            return self.cursor.refuse(&name.span, text);
        }
        self.end()?;
        let name = Some(name).filter(|name| !name.text.is_empty());
        let known = name.as_ref().and_then(|name| self.find(name));
        if let Some(index) = known {
            let before = &self.sections[index];
            if before.kind.text != kind.text {
                let name = name.as_ref().map_or("", |name| &name.text);
                let text = format_args!(
                    "section {} already stands at {} with another type\n\
                     give it another name",
                    quoted(name),
                    self.cursor.report.place(before.kind.span)
                );
                return self.cursor.refuse(&kind.span, text);
            }
            self.open = Open::Section(index);
            return Ok(());
        }
        if self.sections.len() == MAX_SECTIONS {
            let message = format_args!("there are more than {MAX_SECTIONS} sections");
            self.cursor.give_up(&kind.span, message);
            return Err(Reported);
        }
        self.open = Open::Section(self.sections.len());
        self.sections.push(Section {
            kind,
            name,
            settings: Vec::new(),
        });
        Ok(())
    }

    fn find(&self, name: &Word) -> Option<usize> {
        let has_it = |section: &Section| {
            let own = section.name.as_ref();
            own.is_some_and(|own| own.text == name.text)
        };
        self.sections.iter().position(has_it)
    }

    /// `option NAME [VALUE]`, `list NAME [VALUE]`
    fn option(&mut self, span: &Span, list: bool) -> Result<(), Reported> {
        if let Open::Nothing = self.open {
            let text = format_args!(
                "no section is open here\n\
                 write `config globals` or `config vrrp_instance 'NAME'` in front of it"
            );
            return self.cursor.refuse(span, text);
        }
        let name = self.cursor.argument()?.whole;
        if !is_name(&name.text) {
            let text = format_args!(
                "this is not the name of an option\n\
                 write letters, digits and `_`"
            );
            return self.cursor.refuse(&name.span, text);
        }
        let mut value = self.cursor.argument()?;
        let ended = self.end();
        if ended.is_err() && value.whole.text.contains('\n') {
            report_open(&value.whole.span, self.cursor.report);
        }
        ended?;
        let Open::Section(index) = self.open else {
            return Ok(());
        };
        value.whole.quoted = true;
        if list {
            add(&mut self.sections[index].settings, name, value);
        } else if !value.whole.text.is_empty() {
            self.set(index, name, value);
        }
        if self.sections[index].settings.len() > MAX_SETTINGS {
            let message = format_args!("this section has more than {MAX_SETTINGS} options");
            self.cursor.give_up(span, message);
            return Err(Reported);
        }
        Ok(())
    }

    /// The same value again changes nothing; another one goes to the end.
    fn set(&mut self, index: usize, name: Word, value: Value) {
        let settings = &mut self.sections[index].settings;
        let has_it = |setting: &Setting| setting.name.text == name.text;
        if let Some(before) = settings.iter().position(has_it) {
            let old = &settings[before];
            if !old.list && old.values[0].whole.text == value.whole.text {
                return;
            }
            let report = &mut self.cursor.report;
            report.set_twice(&name.text, &name.span, old.name.span);
            settings.remove(before);
        }
        settings.push(Setting {
            name,
            list: false,
            values: vec![value],
        });
    }

    /// Nothing more may stand in the statement.
    fn end(&mut self) -> Result<(), Reported> {
        let more = self.cursor.argument()?.whole;
        if more.text.is_empty() {
            return Ok(());
        }
        let text = format_args!(
            "this is one word too many\n\
             remove it, or put quotes around a value with blanks"
        );
        self.cursor.refuse(&more.span, text)
    }
}

/// A value of several lines, where there should be none.
pub(super) fn report_open(span: &Span, report: &mut Report) {
    report.error(
        span,
        format_args!(
            "this value goes on in the next line\n\
             close its quote where it ends"
        ),
    );
}

/// An option becomes a list, at the end; a list gets one more.
fn add(settings: &mut Vec<Setting>, name: Word, value: Value) {
    let has_it = |setting: &Setting| setting.name.text == name.text;
    let known = settings.iter().position(has_it);
    match known {
        Some(index) if settings[index].list => settings[index].values.push(value),
        Some(index) => {
            let mut setting = settings.remove(index);
            setting.list = true;
            setting.values.push(value);
            settings.push(setting);
        }
        None => settings.push(Setting {
            name,
            list: true,
            values: vec![value],
        }),
    }
}

/// Letters, digits and `_`, one at least.
fn is_name(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    !text.is_empty() && text.bytes().all(fits)
}
