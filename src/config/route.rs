//! The lines of `virtual_routes` and `static_routes`.

use core::slice::Iter;
use std::rc::Rc;

use super::block::{Node, Word, joined};
use super::error::Report;
use super::option::{self, Families, Found};
use super::routing::{Hop, Item, Prefix, Route, What};
use super::schema::{Block, Opt, Skip};
use super::vip;
use crate::limits;
use crate::vrrp::types::Family;

/// RTAX_LOCK: a bit for each of these that is not to change.
const RTAX_LOCK: u16 = 1;
const RT_TABLE_MAIN: u32 = libc::RT_TABLE_MAIN as u32;
/// `pref`, as RFC 4191 §2.1 has it: ICMPV6_ROUTER_PREF_….
const PREFERENCES: [(&str, u8); 3] = [("medium", 0), ("high", 1), ("low", 3)];

/// Reads the lines of a block. One that is wrong, or that is to be left out, is not there.
pub(crate) fn read(lines: &[Node], list: &mut Vec<Rc<Item>>, report: &mut Report) {
    items(lines, list, report, "a route", |words, report| {
        let mut reader = Reader::new(report);
        reader.words(words)?;
        reader.finish(&words[0]).map(What::Route)
    });
}

/// The lines of a block of routes or rules; `of` is what each is.
pub(crate) fn items(
    lines: &[Node],
    list: &mut Vec<Rc<Item>>,
    report: &mut Report,
    of: &str,
    read: fn(&[Word], &mut Report) -> Option<What>,
) {
    for line in lines {
        item(line, list, report, of, read);
    }
}

fn item(
    line: &Node,
    list: &mut Vec<Rc<Item>>,
    report: &mut Report,
    of: &str,
    read: fn(&[Word], &mut Report) -> Option<What>,
) {
    if line.children.is_some() {
        return report.error(
            &line.span,
            format_args!("{of} is not a block\nremove the braces"),
        );
    }
    if list.len() == limits::ROUTES {
        return report.error(
            &line.span,
            format_args!(
                "more than {} of {of} in one block\nwrite fewer",
                limits::ROUTES
            ),
        );
    }
    let Some(what) = read(&line.words, report) else {
        return;
    };
    let text = joined(&line.words).into();
    list.push(Rc::new(Item { text, what }));
}

struct Reader<'a> {
    families: Families,
    /// The destination; the inner None is everything.
    to: Option<Option<Prefix>>,
    /// The words stand behind `nexthop`.
    in_hop: bool,
    locked: u32,
    route: Route,
    report: &'a mut Report,
}

impl<'a> Reader<'a> {
    fn new(report: &'a mut Report) -> Self {
        let families = Families::default();
        Self {
            to: None,
            in_hop: false,
            locked: 0,
            route: Route {
                to: families.all(),
                kind: libc::RTN_UNICAST,
                tos: 0,
                scope: 0,
                table: RT_TABLE_MAIN,
                place: 0,
                source: None,
                metric: None,
                preference: None,
                metrics: Vec::new(),
                hops: Vec::new(),
            },
            families,
            report,
        }
    }

    /// None if a word is wrong, or the route is to be left out.
    fn words(&mut self, words: &[Word]) -> Option<()> {
        let mut rest = words.iter();
        let mut left_out = false;
        while let Some(word) = rest.next() {
            let bare = self.to.is_none() && !Block::Route.has(&word.text);
            if bare {
                self.to = Some(self.families.prefix(word, self.report)?);
                continue;
            }
            let Found { value, is, .. } =
                option::read(Block::Route, "a route", word, &mut rest, self.report)?;
            match is {
                Ok(is) => self.option(is, value, &mut rest)?,
                Err(why) => left_out |= why == Skip::Foreign,
            }
        }
        (!left_out).then_some(())
    }

    fn option(&mut self, is: Opt, value: &Word, rest: &mut Iter<'_, Word>) -> Option<()> {
        match is {
            Opt::Rtax(kind) => return self.metric(kind.into(), value, rest),
            Opt::To => self.to = Some(self.families.prefix(value, self.report)?),
            Opt::Source => self.route.source = Some(self.address(value)?),
            Opt::Via | Opt::Or => {
                let value = match value.text.as_str() {
                    "inet" | "inet6" => rest.next().unwrap_or(value),
                    _ => value,
                };
                let address = self.address(value)?;
                if is == Opt::Or {
                    self.route.hops.push(Hop::default());
                }
                self.hop(value)?.via = Some(address);
            }
            Opt::Dev => {
                let dev = vip::interface(value, self.report)?;
                self.hop(value)?.dev = Some(dev);
            }
            Opt::Onlink => self.hop(value)?.onlink = true,
            Opt::Hop => {
                self.in_hop = true;
                self.route.hops.push(Hop::default());
            }
            Opt::Weight => {
                let shares = self.number(value, 256)?.saturating_sub(1);
                self.hop(value)?.weight = shares as u8;
            }
            Opt::Metric => {
                self.route.metric = Some(self.number(value, u32::MAX)?);
            }
            Opt::Tos => self.route.tos = self.number(value, 255)? as u8,
            Opt::Table => self.route.table = option::table(value, self.report)?,
            Opt::Scope => self.route.scope = vip::scope(value, self.report)?,
            Opt::Preference => {
                let known = PREFERENCES.iter().find(|(word, _)| *word == value.text);
                if known.is_none() {
                    self.report.error(
                        &value.span,
                        format_args!("this is no preference\nwrite low, medium or high"),
                    );
                }
                self.route.preference = Some(known?.1);
            }
            Opt::Family(family) => self.families.said = Some(family),
            Opt::Kind(kind) => self.route.kind = kind,
            Opt::Append => self.route.place = libc::NLM_F_APPEND as u16,
            Opt::Exclusive => self.route.place = libc::NLM_F_EXCL as u16,
            // unicast, prepend
            _ => {}
        }
        Some(())
    }

    /// The next hop that is being described: the only one, or the last `nexthop`.
    fn hop(&mut self, word: &Word) -> Option<&mut Hop> {
        let hops = &mut self.route.hops;
        if hops.len() > limits::HOPS {
            self.report.error(
                &word.span,
                format_args!("more than {} next hops\nwrite fewer", limits::HOPS),
            );
            return None;
        }
        if hops.is_empty() {
            hops.push(Hop::default());
        }
        hops.last_mut()
    }

    fn address(&mut self, word: &Word) -> Option<core::net::IpAddr> {
        self.families.address(word, &word.text, self.report)
    }

    fn number(&mut self, word: &Word, most: u32) -> Option<u32> {
        option::number(word, &word.text, most, self.report)
    }

    /// `[lock] NUMBER`
    fn metric(&mut self, kind: u16, value: &Word, rest: &mut Iter<'_, Word>) -> Option<()> {
        let lock = value.text == "lock";
        let value = if lock {
            rest.next().unwrap_or(value)
        } else {
            value
        };
        let number = self.number(value, u32::MAX)?;
        self.route.metrics.push((kind, number));
        self.locked |= u32::from(lock) << kind;
        Some(())
    }

    /// What must hold between the words; `first` is where the line begins.
    fn finish(self, first: &Word) -> Option<Route> {
        let mut route = self.route;
        let unicast = route.kind == libc::RTN_UNICAST;
        let leads = |hop: &Hop| hop.via.is_some() || hop.dev.is_some();
        let single = |hop: &Hop| hop.weight == 0 || self.in_hop;
        let wrong = if self.to.is_none() {
            Some(format_args!(
                "this route has no destination\n\
                 write a prefix, or `default`"
            ))
        } else if unicast && (route.hops.is_empty() || !route.hops.iter().all(leads)) {
            Some(format_args!(
                "this route leads nowhere\n\
                 write `via ADDRESS`, `dev INTERFACE` or both"
            ))
        } else if !unicast && !route.hops.is_empty() {
            Some(format_args!(
                "a route that leads nowhere needs no `via` and no `dev`\n\
                 remove them, or the other word"
            ))
        } else if !route.hops.iter().all(single) {
            Some(format_args!(
                "`weight` is for one `nexthop` of several\n\
                 remove it, or write `nexthop` in front of each"
            ))
        } else {
            None
        };
        if let Some(text) = wrong {
            self.report.error(&first.span, text);
            return None;
        }
        route.to = self.to.flatten().unwrap_or_else(|| self.families.all());
        if self.families.family() == Family::V6 {
            // IPv6 has none of its own, and the kernel ignores it.
            route.scope = 0;
        } else {
            route.preference = None;
        }
        if self.locked != 0 {
            route.metrics.push((RTAX_LOCK, self.locked));
        }
        Some(route)
    }
}
