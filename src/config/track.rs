//! The entries of `track_interface`, of a sync group's `group` and of `interface_up_down_delays`.

use super::block::{Node, Word};
use super::error::{Placed, Report, quoted};
use super::model::Delay;
use super::schema::{Block, Draft};
use super::value::parse_seconds;
use super::vip;
use crate::time::Duration;
use crate::vrrp::track::Tracker;

/// The largest weight and the smallest.
const MAX_WEIGHT: i16 = 253;
const MAX_DELAY: Duration = Duration::from_secs(255);

/// Reads the lines of a `track_interface` block.
pub(crate) fn read(lines: &[Node], draft: &mut Draft, report: &mut Report) {
    let words = lines.iter().flat_map(|line| &line.words);
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        if let Some(suggestion) = Block::Tracked.suggest(&word.text, report.dialect) {
            let message = format!("{} is not an interface", quoted(&word.text));
            report.error(&word.span, message, suggestion);
            continue;
        }
        let Some(interface) = vip::interface(word, report) else {
            continue;
        };
        let (mut weight, mut reverse) = (0, false);
        while let Some(option) = words.next_if(|next| Block::Tracked.find(&next.text).is_some()) {
            match option.text.as_str() {
                "weight" => weight = self::weight(option, words.next(), report),
                text => reverse = text == "reverse",
            }
        }
        let span = word.span.clone();
        let interface: Box<str> = (&*interface).into();
        let same = |placed: &&Placed<Tracker>| placed.value.interface == interface;
        if let Some(before) = draft.tracked.iter().find(same) {
            let message = format!("{} already stands at {}", quoted(&interface), before.span);
            report.error(&span, message, "remove one of the two");
            continue;
        }
        let value = Tracker {
            interface,
            weight,
            reverse,
        };
        draft.tracked.push(Placed { value, span });
    }
}

fn weight(option: &Word, value: Option<&Word>, report: &mut Report) -> i16 {
    let weight = value.and_then(|word| word.text.parse().ok());
    let weight = weight.filter(|weight| (-MAX_WEIGHT..=MAX_WEIGHT).contains(weight));
    if weight.is_none() {
        let message = format!("`weight` needs a number from -{MAX_WEIGHT} to {MAX_WEIGHT}");
        report.error(&option.span, message, "write `weight -50`, for example");
    }
    weight.unwrap_or(0)
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
