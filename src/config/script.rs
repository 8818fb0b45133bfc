//! Scripts: their command lines, of whom they run, and what is tracked of them.

use std::rc::Rc;

use super::block::{Word, joined};
use super::error::{Placed, Report, Span, quoted};
use super::files::Files;
use super::model::{Instance, Script};
use super::read::{Drafts, InstanceDraft};
use super::schema::Draft;
use super::track::is_tracked;
use crate::helper::message::Ids;
use crate::limits;
use crate::time::Duration;
use crate::vrrp::track::Kind;

/// Who runs scripts unless something else is said, if there is such a user; as in keepalived.
const DEFAULT_USER: &str = "keepalived_script";
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
/// Mode bits: others, or the group, may write; somebody may execute.
const WRITABLE: u32 = 0o022;
const EXECUTABLE: u32 = 0o111;

/// The command line in these words: of the first, quotes and blanks count as in a shell; no shell
/// sees them. None if it is none, which is reported.
pub(crate) fn command(words: &[Word], report: &mut Report) -> Option<Box<[Box<str>]>> {
    let first = words.first()?;
    let mut argv: Vec<Box<str>> = Vec::new();
    let whole = split(&first.text, &mut argv);
    for word in &words[1..] {
        argv.push(word.text.as_str().into());
    }
    let length: usize = argv.iter().map(|word| word.len() + 1).sum();
    let (message, help) = if !whole || !argv.first().is_some_and(|path| path.starts_with('/')) {
        let what = "is not the path of a program, with its arguments";
        (what, "write the whole path, from `/` on, and close quotes")
    } else if length > limits::COMMAND_LINE || argv.len() > limits::COMMAND_WORDS {
        let what = "is too long a command line";
        (what, "write a script that has it, and its path here")
    } else {
        return Some(argv.into());
    };
    report.error_of(first, format_args!("{message}\n{help}"));
    None
}

/// False if a quote does not close.
fn split(text: &str, argv: &mut Vec<Box<str>>) -> bool {
    let (mut word, mut begun, mut open) = (String::new(), false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, open) {
            (c, Some(quote)) if c == quote => open = None,
            ('"' | '\'', None) => (open, begun) = (Some(c), true),
            (c, None) if c.is_whitespace() => {
                if core::mem::take(&mut begun) {
                    argv.push(core::mem::take(&mut word).into());
                }
            }
            (c, _) => {
                word.extend(if c == '\\' { chars.next() } else { Some(c) });
                begun = true;
            }
        }
    }
    if begun {
        argv.push(word.into());
    }
    open.is_none()
}

/// The words of `USER [GROUP]`, which in UCI are one value.
pub(crate) fn user(words: &[Word]) -> Box<[Box<str>]> {
    let words = joined(words);
    let mut user = Vec::new();
    for word in words.split_whitespace().take(2) {
        user.push(word.into());
    }
    user.into()
}

/// The script that stands in place of a name in `track_script`.
pub(crate) fn in_place(line: &str, span: &Span, report: &mut Report) -> InstanceDraft {
    let word = Word {
        text: line.into(),
        span: *span,
        quoted: true,
    };
    let mut script = InstanceDraft::new(line, *span);
    match command(&[word], report) {
        Some(value) => script.draft.command = Some(Placed { value, span: *span }),
        None => script.draft.failed.push("script"),
    }
    script
}

/// Finds out of whom programs run and what is wrong with them; the scripts that can be tracked.
pub(crate) fn build(
    drafts: &mut Drafts,
    files: &mut dyn Files,
    report: &mut Report,
) -> Vec<Rc<Script>> {
    let mut scripts = Vec::new();
    let user = drafts.globals.user.as_ref();
    let default = user.and_then(|placed| ids(&placed.value, &placed.span, files, report));
    // Where nothing is run, the list of users is not read.
    let default = default.or_else(|| runs_something(drafts).then(|| named(files, DEFAULT_USER))?);
    let secure = drafts.globals.plain.script_security.as_ref();
    let secure = secure.is_some_and(|placed| placed.value);
    let mut look = |draft: &mut Draft, report: &mut Report| {
        for Placed { value, span } in &mut draft.programs {
            value.ids = ids(&value.user, span, files, report);
            if value.hook.is_fifo() {
                continue;
            }
            value.ids = value.ids.or(default);
            if let Some(path) = value.argv.first() {
                let as_root = value.ids.is_none_or(|ids| ids.uid == 0);
                look_at(path, secure && as_root, span, files, report);
            }
        }
    };
    for block in drafts.instances.iter_mut().chain(&mut drafts.groups) {
        look(&mut block.draft, report);
    }
    look(&mut drafts.globals, report);
    for (kind, draft) in &mut drafts.watched {
        if *kind != Kind::Script {
            continue;
        }
        let user = draft.draft.user.as_ref();
        let own = user.and_then(|placed| ids(&placed.value, &placed.span, files, report));
        let Some(Placed { value, span }) = draft.draft.command.take() else {
            if !draft.draft.has_failed("script") {
                report.error(
                    &draft.span,
                    format_args!(
                        "script {} has no command\nadd `script` and its path",
                        quoted(&draft.name)
                    ),
                );
            }
            continue;
        };
        let ids = own.or(default);
        look_at(
            &value[0],
            secure && ids.is_none_or(|ids| ids.uid == 0),
            &span,
            files,
            report,
        );
        let plain = &draft.draft.plain;
        let interval = plain.interval.map_or(DEFAULT_INTERVAL, |p| p.value);
        scripts.push(Rc::new(Script {
            name: draft.name.clone(),
            command: value,
            ids,
            interval,
            timeout: plain.timeout.map_or(interval, |p| p.value),
            rise: plain.rise.map_or(1, |p| p.value),
            fall: plain.fall.map_or(1, |p| p.value),
            init_fail: plain.init_fail.is_some_and(|p| p.value),
        }));
    }
    scripts
}

fn runs_something(drafts: &Drafts) -> bool {
    let has_some = |block: &InstanceDraft| !block.draft.programs.is_empty();
    !drafts.globals.programs.is_empty()
        || drafts.instances.iter().any(has_some)
        || drafts.groups.iter().any(has_some)
        || drafts.watched.iter().any(|(kind, _)| *kind == Kind::Script)
}

/// Leaves those that an instance tracks.
pub(crate) fn keep_tracked(scripts: &mut Vec<Rc<Script>>, instances: &[Instance]) {
    scripts.retain(|script| is_tracked(Kind::Script, &script.name, instances));
}

/// The numbers of `USER [GROUP]`; none if there are no words, or they are wrong, which is reported.
fn ids(words: &[Box<str>], span: &Span, files: &mut dyn Files, report: &mut Report) -> Option<Ids> {
    let user = words.first()?;
    let Some(mut ids) = named(files, user) else {
        report.error(
            span,
            format_args!(
                "there is no user {}\n\
                 make it, or name another one: /etc/passwd has all",
                quoted(user)
            ),
        );
        return None;
    };
    if let Some(group) = words.get(1) {
        let Some((gid, _)) = entry(files, "/etc/group", group) else {
            report.error(
                span,
                format_args!(
                    "there is no group {}\n\
                     make it, or name another one: /etc/group has all",
                    quoted(group)
                ),
            );
            return None;
        };
        ids.gid = gid;
    }
    Some(ids)
}

fn named(files: &mut dyn Files, user: &str) -> Option<Ids> {
    let (uid, gid) = entry(files, "/etc/passwd", user)?;
    Some(Ids { uid, gid: gid? })
}

/// The two numbers behind a name and a password in /etc/passwd; in /etc/group the first is one.
fn entry(files: &mut dyn Files, path: &str, name: &str) -> Option<(u32, Option<u32>)> {
    let bytes = files.read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut line = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(fields)
    })?;
    line.next();
    let id = line.next()?.parse().ok()?;
    Some((id, line.next().and_then(|gid| gid.parse().ok())))
}

/// Says what is wrong with the file; `secure` if nobody but root may have a way to change it.
fn look_at(path: &str, secure: bool, span: &Span, files: &mut dyn Files, report: &mut Report) {
    let Some(mode) = files.mode(path) else {
        return report.warn(
            span,
            format_args!(
                "there is no {}: it fails until there is\n\
                 correct the path, or install it",
                quoted(path)
            ),
        );
    };
    if mode.bits & EXECUTABLE == 0 || mode.is_folder {
        report.warn(
            span,
            format_args!(
                "{} cannot be executed: it fails\nset its mode with `chmod +x`",
                quoted(path)
            ),
        );
    }
    if !secure {
        return;
    }
    // Where a link leads to counts as well as where it stands.
    for path in [Some(path.to_owned()), files.real_path(path)]
        .into_iter()
        .flatten()
    {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at.max(1)]);
        for part in folders.chain([path.as_str()]) {
            if files
                .mode(part)
                .is_some_and(|mode| mode.is_of_root && mode.bits & WRITABLE == 0)
            {
                continue;
            }
            return report.error(
                span,
                format_args!(
                    "{} is not root's alone to write, and this runs as root\n\
                     write `chown root {part}; chmod go-w {part}`, or give the script a `user`",
                    quoted(part)
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_split_without_a_shell() {
        let rows: [(&str, &[&str]); 6] = [
            ("/bin/x", &["/bin/x"]),
            ("  /bin/x  a\tb ", &["/bin/x", "a", "b"]),
            ("/bin/x 'one two' \"3 4\"", &["/bin/x", "one two", "3 4"]),
            (r"/bin/x x\ y z", &["/bin/x", "x y", "z"]),
            ("/bin/x '' a'b c'd", &["/bin/x", "", "ab cd"]),
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
