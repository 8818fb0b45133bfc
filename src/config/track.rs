//! What is tracked: the entries of `track_interface` and its like, and the definitions that they name;
//! also those of a sync group's `group` and of `interface_up_down_delays`.

use std::rc::Rc;

use super::block::{Node, Word};
use super::error::{Placed, Report, quoted};
use super::model::{Compare, Delay, Instance, TrackFile, TrackProcess};
use super::read::{Drafts, InstanceDraft};
use super::schema::{Block, Draft, nearest_help};
use super::script;
use super::value::parse_seconds;
use super::vip;
use crate::time::Duration;
use crate::vrrp::track::{Kind, Tracker, Watched};

/// The largest weight, and the smallest with its sign turned round, as in keepalived: a file's
/// number may be negative, so that -254 is reached with 254 only.
const fn max_weight(kind: Kind) -> i16 {
    match kind {
        Kind::File | Kind::Process => 254,
        _ => 253,
    }
}

/// What is not said by a definition.
const fn default_weight(kind: Kind) -> i16 {
    match kind {
        Kind::File | Kind::Process => 1,
        _ => 0,
    }
}

const MAX_DELAY: Duration = Duration::from_secs(255);

/// One line of `track_interface` and its like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) what: Watched,
    /// None as long as it is what the definition says.
    pub(crate) weight: Option<i16>,
    pub(crate) reverse: bool,
}

impl Entry {
    /// What the core gets of it.
    pub(crate) fn tracker(&self) -> Tracker {
        Tracker {
            what: self.what.clone(),
            weight: self.weight.unwrap_or(0),
            reverse: self.reverse,
            uplink: None,
        }
    }
}

/// The words of all lines: where a line ends says nothing.
fn words(lines: &[Node]) -> Vec<&Word> {
    let mut words = Vec::new();
    lines.iter().for_each(|line| words.extend(&line.words));
    words
}

/// Reads the lines of a `track_interface` block, or of one of its like.
pub(crate) fn read(kind: Kind, lines: &[Node], draft: &mut Draft, report: &mut Report) {
    let words = words(lines);
    let mut words = words.iter().copied().peekable();
    while let Some(word) = words.next() {
        let Some(mut name) = name(kind, word, report) else {
            continue;
        };
        if kind == Kind::Script && name.starts_with('/') {
            // The rest of the line are its arguments.
            let of_it = |next: &&Word| next.span.line == word.span.line;
            let is_argument = |next: &&Word| of_it(next) && !Block::Tracked.has(&next.text);
            let mut line = name.into_string();
            while let Some(argument) = words.next_if(is_argument) {
                line.push(' ');
                line.push_str(&argument.text);
            }
            name = line.into();
        }
        let (mut weight, mut reverse) = (None, false);
        while let Some(option) = words.next_if(|next| Block::Tracked.has(&next.text)) {
            match option.text.as_str() {
                "weight" => weight = Some(self::weight(kind, option, words.next(), report)),
                text => reverse = text == "reverse",
            }
        }
        let span = word.span;
        let what = Watched { kind, name };
        if let Some(before) = known(&draft.tracked, &what) {
            let message = format_args!("{} already stands", quoted(&what.name));
            let help = format_args!("remove one of the two");
            report.error_at(&span, message, before.span, help);
            continue;
        }
        let value = Entry {
            what,
            weight,
            reverse,
        };
        draft.tracked.push(Placed { value, span });
    }
}

/// What the list says of this thing.
pub(crate) fn known<'a>(list: &'a [Placed<Entry>], what: &Watched) -> Option<&'a Placed<Entry>> {
    list.iter().find(|placed| placed.value.what == *what)
}

/// Whether any instance tracks it.
pub(crate) fn is_tracked(kind: Kind, name: &str, instances: &[Instance]) -> bool {
    let is_it = |tracker: &Tracker| tracker.what.kind == kind && *tracker.what.name == *name;
    instances
        .iter()
        .any(|i| i.settings.trackers.iter().any(is_it))
}

/// An interface, or the name of a definition, which [`resolve`] looks for.
fn name(kind: Kind, word: &Word, report: &mut Report) -> Option<Box<str>> {
    if kind != Kind::Interface {
        return Some(word.text.as_str().into());
    }
    if let Some(suggestion) = Block::Tracked.suggest(&word.text, report.dialect) {
        report.error_of(word, format_args!("is not an interface\n{suggestion}"));
        return None;
    }
    vip::interface(word, report).map(|name| (&*name).into())
}

/// The N of `weight N`.
pub(crate) fn parse_weight(text: &str, max: i16) -> Option<i16> {
    let weight: i32 = text.parse().ok()?;
    let max = i32::from(max);
    (-max..=max).contains(&weight).then_some(weight as i16)
}

fn weight(kind: Kind, option: &Word, value: Option<&Word>, report: &mut Report) -> i16 {
    let max = max_weight(kind);
    let weight = value.and_then(|word| parse_weight(&word.text, max));
    if weight.is_none() {
        report.error(
            &option.span,
            format_args!(
                "`weight` needs a number from -{max} to {max}\n\
                 write `weight -50`, for example"
            ),
        );
    }
    weight.unwrap_or(0)
}

/// Finds the definition of everything that is tracked, and takes weights from there where none is
/// given. A definition that nobody tracks has no effect.
pub(crate) fn resolve(drafts: &mut Drafts, report: &mut Report) {
    let Drafts {
        watched,
        instances,
        groups,
        ..
    } = drafts;
    let mut tracked = vec![false; watched.len()];
    for draft in instances.iter_mut().chain(groups) {
        for Placed { value, span } in &mut draft.draft.tracked {
            let Watched { kind, name } = &value.what;
            if *kind == Kind::Interface {
                value.weight = value.weight.or(Some(0));
                continue;
            }
            let is_it = |(of, draft): &(Kind, InstanceDraft)| of == kind && draft.name == *name;
            let mut place = watched.iter().position(is_it);
            if place.is_none() && *kind == Kind::Script && name.starts_with('/') {
                place = Some(watched.len());
                watched.push((*kind, script::in_place(name, span, report)));
                tracked.push(true);
            }
            let Some(place) = place else {
                let mut names: Vec<&str> = Vec::new();
                for (of, draft) in &*watched {
                    if of == kind {
                        names.push(&draft.name);
                    }
                }
                let help = nearest_help(name, &names, "define it outside of all blocks");
                report.error(
                    span,
                    format_args!("there is no {} {}\n{help}", kind.name(), quoted(name)),
                );
                continue;
            };
            tracked[place] = true;
            if let (None, Some(default)) = (value.weight, &watched[place].1.draft.plain.weight) {
                (value.weight, value.reverse) = (Some(default.value.0), default.value.1);
            }
            value.weight = value.weight.or(Some(default_weight(*kind)));
        }
    }
    for (index, (kind, draft)) in watched.iter().enumerate() {
        let same = |(of, other): &&(Kind, InstanceDraft)| of == kind && other.name == draft.name;
        let name = quoted(&draft.name);
        if let Some((_, before)) = watched[..index].iter().find(same) {
            let message = format_args!("{} {name} already stands", kind.name());
            let help = format_args!("give it another name");
            report.error_at(&draft.span, message, before.span, help);
        } else if !tracked[index] {
            report.warn(
                &draft.span,
                format_args!(
                    "nobody tracks {kind} {name}: it has no effect\n\
                     name it in `track_{kind}`, or remove it",
                    kind = kind.name()
                ),
            );
        }
    }
}

/// The files that can be tracked.
pub(crate) fn files(drafts: &Drafts, report: &mut Report) -> Box<[Rc<TrackFile>]> {
    let mut files = Vec::new();
    for (kind, watched) in &drafts.watched {
        if *kind != Kind::File {
            continue;
        }
        let path = watched.draft.file.as_ref();
        // A path has a folder and a name.
        let is_path =
            |path: &&Placed<Rc<str>>| path.value.starts_with('/') && !path.value.ends_with('/');
        match path.filter(is_path) {
            Some(path) => files.push(Rc::new(TrackFile {
                name: watched.name.clone(),
                path: (*path.value).into(),
                init: watched.draft.plain.init_file.map(|init| init.value),
            })),
            None => {
                let name = quoted(&watched.name);
                let span = path.map_or(&watched.span, |path| &path.span);
                report.error(
                    span,
                    format_args!(
                        "file {name} has no path that begins with a slash and ends with a name\n\
                         write `file /run/load`, for example"
                    ),
                );
            }
        }
    }
    files.into()
}

/// Bytes of a name that the kernel keeps.
const NAME_BYTES: usize = 15;

/// The processes that can be tracked.
pub(crate) fn processes(drafts: &Drafts, report: &mut Report) -> Box<[Rc<TrackProcess>]> {
    let mut processes = Vec::new();
    for (kind, watched) in &drafts.watched {
        if *kind != Kind::Process {
            continue;
        }
        if let Some(process) = process(watched, report) {
            processes.push(process);
        }
    }
    processes.into()
}

fn process(watched: &InstanceDraft, report: &mut Report) -> Option<Rc<TrackProcess>> {
    let draft = &watched.draft;
    let words = draft.command.as_ref().map(|command| &*command.value);
    let Some(words @ [command, parameters @ ..]) = words else {
        report.error(
            &watched.span,
            format_args!(
                "process {} has no command\nwrite `process haproxy`, for example",
                quoted(&watched.name)
            ),
        );
        return None;
    };
    let how = draft.param_match.as_ref();
    let how_word = how.and_then(|how| how.value.first());
    if let (Some(how), Some(word)) = (how, how_word)
        && !matches!(&**word, "initial" | "partial")
    {
        report.error(
            &how.span,
            format_args!(
                "`param_match` cannot be {}\n\
                 write `initial`, `partial` or nothing",
                quoted(word)
            ),
        );
    }
    let full = draft
        .plain
        .full_command
        .as_ref()
        .is_some_and(|full| full.value);
    let mut wanted = Vec::new();
    for word in words {
        wanted.extend_from_slice(word.as_bytes());
        wanted.push(0);
    }
    let compare = match (how, parameters) {
        (None, []) if full => Compare::Start,
        (None, []) => {
            if let (Some(command), true) = (&draft.command, command.starts_with('/')) {
                report.warn(
                    &command.span,
                    format_args!(
                        "the name of a process is no path as {}\n\
                         add `full_command`, or write the name alone",
                        quoted(&command.value[0])
                    ),
                );
            }
            wanted.pop();
            wanted.truncate(NAME_BYTES);
            Compare::Name
        }
        (Some(_), [_, ..]) if how_word.is_some() => Compare::Start,
        _ => Compare::Whole,
    };
    if compare == Compare::Start && how_word.is_some_and(|word| &**word == "initial") {
        wanted.pop();
    }
    let most = draft
        .plain
        .fall
        .as_ref()
        .map_or(u32::MAX, |most| most.value);
    let quorum = draft
        .plain
        .rise
        .as_ref()
        .map_or(most.min(1), |quorum| quorum.value);
    if let (Some(placed), true) = (&draft.plain.fall, quorum > most) {
        report.error(
            &placed.span,
            format_args!(
                "`quorum_max` {most} is less than `quorum` {quorum}\n\
                 remove one of the two"
            ),
        );
    }
    let delay = |own: &Option<Placed<Duration>>| {
        let delay = own.as_ref().or(draft.plain.interval.as_ref());
        delay.map_or(Duration::ZERO, |delay| delay.value)
    };
    Some(Rc::new(TrackProcess {
        name: watched.name.clone(),
        wanted: wanted.into(),
        compare,
        quorum,
        most,
        fork_delay: delay(&draft.plain.fork_delay),
        terminate_delay: delay(&draft.plain.timeout),
    }))
}

/// Reads the names in a `group` block.
pub(crate) fn members(lines: &[Node], draft: &mut Draft) {
    for word in words(lines) {
        let (value, span) = (word.text.as_str().into(), word.span);
        draft.members.push(Placed { value, span });
    }
}

/// Reads the lines of `interface_up_down_delays`.
pub(crate) fn delays(lines: &[Node], draft: &mut Draft, report: &mut Report) {
    let words = words(lines);
    let mut words = words.iter().copied().peekable();
    while let Some(word) = words.next() {
        let mut next = || {
            let delay = parse_seconds(&words.peek()?.text)?;
            words.next();
            Some(delay)
        };
        let (down, up) = (next(), next());
        let Some(interface) = vip::interface(word, report) else {
            continue;
        };
        let fits = |delay: &Duration| *delay <= MAX_DELAY;
        let (Some(down), true) = (down.filter(fits), up.as_ref().is_none_or(fits)) else {
            report.error(
                &word.span,
                format_args!(
                    "the delays of {} are not numbers of seconds\n\
                     write `INTERFACE DOWN [UP]`, each from 0 to 255",
                    quoted(&word.text)
                ),
            );
            continue;
        };
        let up = up.unwrap_or(down);
        let same = |delay: &Delay| delay.interface == interface;
        if let Some(before) = draft.delays.iter().position(same) {
            draft.delays.remove(before);
        }
        draft.delays.push(Delay {
            interface,
            down,
            up,
        });
    }
}
