//! Programs of the configuration: `WORD "COMMAND" [USER [GROUP]]`.

use super::block::Word;
use super::error::{Placed, Report, Span};
use super::model::{Hook, Program};
use super::schema::{Draft, Keyword};
use super::script;

/// Reads what follows `keyword`; None if it is wrong, which is reported.
pub(crate) fn read(
    keyword: &Keyword,
    hook: Hook,
    span: &Span,
    arguments: &[Word],
    draft: &mut Draft,
    report: &mut Report,
) -> Option<()> {
    let mut argv: Box<[Box<str>]> = Box::default();
    if let Some(word) = arguments.first() {
        argv = match hook.is_fifo() {
            true => fifo(word, report)?,
            false => script::command(&arguments[..1], report)?,
        };
    } else if hook != Hook::Deleted {
        report.error(
            span,
            format_args!(
                "`{}` needs a value\nwrite {}",
                keyword.name,
                report.spell(keyword.name, &keyword.syntax())
            ),
        );
        return None;
    }
    let value = Program {
        hook,
        argv,
        user: script::user(arguments.get(1..).unwrap_or_default()),
        ids: None,
    };
    let same = |placed: &Placed<Program>| placed.value.hook == hook;
    if let Some(at) = draft.programs.iter().position(same) {
        let before = draft.programs.remove(at).span;
        report.set_twice(keyword.name, span, before);
    }
    let span = *span;
    draft.programs.push(Placed { value, span });
    Some(())
}

/// The path of a FIFO.
fn fifo(word: &Word, report: &mut Report) -> Option<Box<[Box<str>]>> {
    if word.text.starts_with('/') {
        return Some([word.text.as_str().into()].into());
    }
    report.error_of(
        word,
        format_args!("is not the path of a file\nwrite the whole path, from `/` on"),
    );
    None
}
