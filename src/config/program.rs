//! Programs of the configuration: `WORD "COMMAND" [USER [GROUP]]`.

use super::block::Word;
use super::error::{Placed, Report, Span, quoted};
use super::model::{Hook, Program};
use super::schema::{Draft, Keyword};

/// Reads what follows `keyword`; None if it is wrong, which is reported.
pub(crate) fn read(
    keyword: &'static Keyword,
    hook: Hook,
    span: &Span,
    arguments: &[Word],
    draft: &mut Draft,
    report: &mut Report,
) -> Option<()> {
    let mut argv: Vec<Box<str>> = Vec::new();
    if let Some(word) = arguments.first() {
        let whole = hook.is_fifo();
        let good = whole || split(&word.text, &mut argv);
        if whole {
            argv.push(word.text.as_str().into());
        }
        if !good || !argv.first().is_some_and(|path| path.starts_with('/')) {
            let message = format!(
                "{} is not the path of a program or a file",
                quoted(&word.text)
            );
            let help =
                "write the whole path, from `/` on; with arguments all of it in one pair of quotes";
            report.error(&word.span, message, help);
            return None;
        }
    } else if hook != Hook::Deleted {
        let message = format!("`{}` needs a value", keyword.name);
        let help = format!("write {}", report.spell(keyword.name, &keyword.syntax()));
        report.error(span, message, help);
        return None;
    }
    if let Some(user) = arguments.get(1) {
        let message = "the user of a program is not supported yet by vipd";
        let help = "it runs with the rights of vipd itself: let it give them up";
        report.skip("USER", &user.span, message.into(), help);
    }
    let text = |at: usize| arguments.get(at).map(|word| word.text.as_str().into());
    let value = Program {
        hook,
        argv: argv.into(),
        user: text(1),
        group: text(2),
    };
    let same = |placed: &Placed<Program>| placed.value.hook == hook;
    if let Some(at) = draft.programs.iter().position(same) {
        let before = draft.programs.remove(at).span;
        let message = format!("`{}` was already set at {before}", keyword.name);
        report.warn(span, message, "the last one counts; remove the other");
    }
    let span = span.clone();
    draft.programs.push(Placed { value, span });
    Some(())
}

/// Splits a command into its words: quotes keep blanks together, a backslash takes the next
/// character as it is. False if a quote does not close.
fn split(text: &str, argv: &mut Vec<Box<str>>) -> bool {
    let (mut word, mut begun, mut open) = (String::new(), false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, open) {
            ('\\', _) => {
                word.extend(chars.next());
                begun = true;
            }
            (c, Some(quote)) if c == quote => open = None,
            ('"' | '\'', None) => (open, begun) = (Some(c), true),
            (c, None) if c.is_whitespace() => {
                if core::mem::take(&mut begun) {
                    argv.push(core::mem::take(&mut word).into());
                }
            }
            (c, _) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        argv.push(word.into());
    }
    open.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_splits_as_in_keepalived() {
        let rows: [(&str, &[&str]); 7] = [
            ("/bin/x", &["/bin/x"]),
            ("  /bin/x  a\tb ", &["/bin/x", "a", "b"]),
            ("/bin/x 'one two' \"3 4\"", &["/bin/x", "one two", "3 4"]),
            (r"/bin/x x\ y z", &["/bin/x", "x y", "z"]),
            (r#"/bin/x 'a"b' "" \'"#, &["/bin/x", "a\"b", "", "'"]),
            ("/bin/x a'b c'd", &["/bin/x", "ab cd"]),
            ("", &[]),
        ];
        for (text, expected) in rows {
            let mut argv = Vec::new();
            assert!(split(text, &mut argv), "{text}");
            let argv: Vec<&str> = argv.iter().map(|word| &**word).collect();
            assert_eq!(argv, expected, "{text}");
        }
        assert!(!split("/bin/x 'a", &mut Vec::new()));
    }
}
