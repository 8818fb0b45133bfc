//! What is tracked: the entries of `track_interface` and its like, and the definitions that they name;
//! also those of a sync group's `group` and of `interface_up_down_delays`.

use super::block::{Node, Word};
use super::error::{Placed, Report, quoted};
use super::model::Delay;
use super::read::{Drafts, InstanceDraft};
use super::schema::{Block, Draft, nearest};
use super::value::parse_seconds;
use super::vip;
use crate::time::Duration;
use crate::vrrp::track::{Kind, Tracker, Watched};

/// The largest weight, and the smallest with its sign turned round, as in keepalived.
const MAX_WEIGHT: i16 = 253;
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
        }
    }
}

/// Reads the lines of a `track_interface` block, or of one of its like.
pub(crate) fn read(kind: Kind, lines: &[Node], draft: &mut Draft, report: &mut Report) {
    let words = lines.iter().flat_map(|line| &line.words);
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let Some(name) = name(kind, word, report) else {
            continue;
        };
        let (mut weight, mut reverse) = (None, false);
        while let Some(option) = words.next_if(|next| Block::Tracked.find(&next.text).is_some()) {
            match option.text.as_str() {
                "weight" => weight = Some(self::weight(option, words.next(), report)),
                text => reverse = text == "reverse",
            }
        }
        let span = word.span.clone();
        let what = Watched { kind, name };
        let same = |placed: &&Placed<Entry>| placed.value.what == what;
        if let Some(before) = draft.tracked.iter().find(same) {
            let message = format!("{} already stands at {}", quoted(&what.name), before.span);
            report.error(&span, message, "remove one of the two");
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

/// An interface, or the name of a definition, which [`resolve`] looks for.
fn name(kind: Kind, word: &Word, report: &mut Report) -> Option<Box<str>> {
    if kind != Kind::Interface {
        return Some(word.text.as_str().into());
    }
    if let Some(suggestion) = Block::Tracked.suggest(&word.text, report.dialect) {
        let message = format!("{} is not an interface", quoted(&word.text));
        report.error(&word.span, message, suggestion);
        return None;
    }
    vip::interface(word, report).map(|name| (&*name).into())
}

/// The N of `weight N`.
pub(crate) fn parse_weight(text: &str) -> Option<i16> {
    let weight = text.parse().ok();
    weight.filter(|weight| (-MAX_WEIGHT..=MAX_WEIGHT).contains(weight))
}

fn weight(option: &Word, value: Option<&Word>, report: &mut Report) -> i16 {
    let weight = value.and_then(|word| parse_weight(&word.text));
    if weight.is_none() {
        let message = format!("`weight` needs a number from -{MAX_WEIGHT} to {MAX_WEIGHT}");
        report.error(&option.span, message, "write `weight -50`, for example");
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
            let Some(place) = watched.iter().position(is_it) else {
                let of_kind = watched.iter().filter(|(of, _)| of == kind);
                let names: Vec<&str> = of_kind.map(|(_, draft)| &*draft.name).collect();
                let help = match nearest(name, &names) {
                    Some(near) => format!("write `{near}`"),
                    None => "define it outside of all blocks".into(),
                };
                let message = format!("there is no {} {}", kind.name(), quoted(name));
                report.error(span, message, help);
                continue;
            };
            tracked[place] = true;
            if let (None, Some(default)) = (value.weight, &watched[place].1.draft.weight) {
                (value.weight, value.reverse) = (Some(default.value.0), default.value.1);
            }
        }
    }
    for (index, (kind, draft)) in watched.iter().enumerate() {
        let same = |(of, other): &&(Kind, InstanceDraft)| of == kind && other.name == draft.name;
        let name = quoted(&draft.name);
        if let Some((_, before)) = watched[..index].iter().find(same) {
            let message = format!("{} {name} already stands at {}", kind.name(), before.span);
            report.error(&draft.span, message, "give it another name");
        } else if !tracked[index] {
            let message = format!("nobody tracks {} {name}: it has no effect", kind.name());
            let help = format!("name it in `track_{}`, or remove it", kind.name());
            report.warn(&draft.span, message, help);
        }
    }
}

/// Reads the names in a `group` block.
pub(crate) fn members(lines: &[Node], draft: &mut Draft) {
    let words = lines.iter().flat_map(|line| &line.words);
    draft.members.extend(words.map(|word| Placed {
        value: word.text.as_str().into(),
        span: word.span.clone(),
    }));
}

/// Reads the lines of `interface_up_down_delays`.
pub(crate) fn delays(lines: &[Node], draft: &mut Draft, report: &mut Report) {
    let words = lines.iter().flat_map(|line| &line.words);
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let mut next = || {
            let word = words.next_if(|next| parse_seconds(&next.text).is_some())?;
            parse_seconds(&word.text)
        };
        let (down, up) = (next(), next());
        let Some(interface) = vip::interface(word, report) else {
            continue;
        };
        let fits = |delay: &Duration| *delay <= MAX_DELAY;
        let (Some(down), true) = (down.filter(fits), up.as_ref().is_none_or(fits)) else {
            let message = format!(
                "the delays of {} are not numbers of seconds",
                quoted(&word.text)
            );
            report.error(
                &word.span,
                message,
                "write `INTERFACE DOWN [UP]`, each from 0 to 255",
            );
            continue;
        };
        let up = up.unwrap_or(down);
        draft.delays.retain(|delay| delay.interface != interface);
        draft.delays.push(Delay {
            interface,
            down,
            up,
        });
    }
}
