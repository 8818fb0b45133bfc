//! UCI, the configuration of OpenWrt → block tree.
//!
//! ```text
//!   bytes ─► cursor (words, quotes) ─► text (sections and options, as libuci has them)
//!         ─► tree (sections → the statements of keepalived.conf, each word with its place here)
//! ```
//!
//! The words are those of OpenWrt's keepalived package and, below them, the one table of
//! `schema`; what UCI calls differently stands in `schema/uci.rs`.

mod cursor;
mod text;
mod tree;

pub use cursor::MAX_STATEMENT;
pub use text::{MAX_SECTIONS, MAX_SETTINGS, Section, Setting, Value};

use super::block::Node;
use super::error::{Diagnostic, Report, quoted};
use super::files::Files;
use super::keepalived;
use super::model::Dialect;
use super::schema::uci::ignored;
use tree::{setting, value};

/// Where OpenWrt keeps its UCI files.
const FOLDER: &str = "/etc/config/";

/// The dialect of the file `name`: UCI if it is in OpenWrt's folder, or if its first statement is
/// `config` or `package`, with which no keepalived.conf begins.
pub(crate) fn dialect_of(name: &str, bytes: &[u8]) -> Dialect {
    let mut rest = bytes.trim_ascii_start();
    while rest.first() == Some(&b'#') {
        let end = rest.iter().position(|byte| *byte == b'\n');
        rest = rest[end.unwrap_or(rest.len())..].trim_ascii_start();
    }
    let begins = |word: &[u8]| {
        let behind = rest.strip_prefix(word).and_then(<[u8]>::first);
        behind.is_some_and(u8::is_ascii_whitespace)
    };
    if name.starts_with(FOLDER) || begins(b"config") || begins(b"package") {
        Dialect::Uci
    } else {
        Dialect::Keepalived
    }
}

/// Reads `bytes`, the content of the file called `name`, and hands each statement to `each`. Says
/// in which dialect the statements are: `alt_config_file` names a keepalived.conf that counts
/// instead.
pub(crate) fn parse(
    name: &str,
    bytes: &[u8],
    files: &mut dyn Files,
    report: &mut Report,
    each: &mut dyn FnMut(Node, &mut Report),
) -> Dialect {
    let file = report.file(name);
    let text = String::from_utf8_lossy(bytes);
    let sections = text::sections(file, &text, report);
    sections.iter().for_each(|s| check_quotes(s, report));
    // What a forgotten quote has swallowed says nothing sensible, and a password may be in it.
    if report.error_count() > 0 {
        return Dialect::Uci;
    }
    if let Some((path, bytes)) = alternative(&sections, files, report) {
        report.dialect = Dialect::Keepalived;
        keepalived::parse(path, &bytes, files, report, each);
        return Dialect::Keepalived;
    }
    tree::read(&sections, report, each);
    Dialect::Uci
}

/// No value of ours has two lines: a quote was forgotten.
fn check_quotes(section: &Section, report: &mut Report) {
    for setting in &section.settings {
        if ignored(&section.kind.text, &setting.name.text).is_some() {
            continue;
        }
        for value in &setting.values {
            if value.whole.text.contains('\n') {
                text::report_open(&value.whole.span, report);
            }
        }
    }
}

/// `alt_config_file` of the globals; a file that is not there does not count, as in OpenWrt.
fn alternative<'a>(
    sections: &'a [Section],
    files: &mut dyn Files,
    report: &mut Report,
) -> Option<(&'a str, Vec<u8>)> {
    let mut globals = sections.iter().filter(|s| s.kind.text == "globals");
    let path = &value(globals.find_map(|s| setting(s, "alt_config_file"))?).whole;
    match files.read(&path.text) {
        Ok(bytes) => Some((&path.text, bytes)),
        Err(why) => {
            report.warn(
                &path.span,
                format_args!(
                    "cannot read {} ({why})\n\
                     the sections of this file count instead; correct the name, or remove it",
                    quoted(&path.text)
                ),
            );
            None
        }
    }
}

/// The sections of a text as `uci export` would show them, and what is wrong with it: what the
/// tests compare with the real program.
///
/// # Errors
/// All that libuci would refuse the file for, and the limits named here.
pub fn sections(name: &str, bytes: &[u8]) -> Result<Vec<Section>, Vec<Diagnostic>> {
    let mut report = Report::default();
    let file = report.file(name);
    let sections = text::sections(file, &String::from_utf8_lossy(bytes), &mut report);
    let (errors, _) = report.finish();
    if errors.is_empty() {
        Ok(sections)
    } else {
        Err(errors)
    }
}
