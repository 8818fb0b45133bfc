//! Uplinks: netifd's interfaces that are up on the Active only. What is to be asked for is decided by
//! [`Uplink`]; here `/bin/ubus` is run for it, by the helper, and what netifd says is handed on.

use core::fmt;
use std::rc::Rc;

use crate::config::model::Config;
use crate::control::{RUNTIME_DIR, status};
use crate::limits;
use crate::log::{self, Level};
use crate::sys::lock;
use crate::time::{Duration, Instant};
use crate::vrrp::action::Id;
use crate::vrrp::types::State;
use crate::vrrp::uplink::{News, Seen, Uplink};

use super::Daemon;
use super::helper::{End, Helper, Job, Remains, Ticket};
use super::netifd::{self, Names, UBUS};

/// Behind the name of an uplink that netifd brings up by itself.
const NOT_AUTO: &str = "was not down though no vipd is Active here: write `option auto '0'` for it in \
                        /etc/config/network, or netifd brings it up at each boot";
/// Behind one that netifd does not have.
const ABSENT: &str =
    "is not known to netifd: correct the name, or add the interface to /etc/config/network";

/// Behind any of them while nothing is known.
const UNKNOWN: &str = "may be missing, or come up by itself: netifd could not be asked";

/// All uplinks.
#[derive(Default)]
pub(super) struct Uplinks {
    entries: Vec<Entry>,
    /// From one look at them to the next.
    gap: Duration,
    /// Nothing is waited for any more.
    abandoned: bool,
}

struct Entry {
    name: Rc<str>,
    /// What netifd calls it on the bus.
    object: Box<str>,
    owners: Vec<Id>,
    uplink: Uplink,
    /// The request that runs.
    ticket: Option<Ticket>,
}

/// There is nobody to bring uplinks up.
#[derive(Clone, Copy, Debug)]
pub struct NoNetifd;

impl fmt::Display for NoNetifd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "`uplink` needs OpenWrt's netifd, and there is no /bin/ubus: remove it, and let `notify_master` and \
             `notify_leave` run what brings the uplink up and down",
        )
    }
}

/// Whether `config` has uplinks and this machine nobody to bring them up.
pub fn no_netifd(config: &Config) -> Option<NoNetifd> {
    (config.has_uplinks() && !netifd::is_here()).then_some(NoNetifd)
}

/// What is wrong with the uplinks, for `vipd check`: whether netifd brings one up by itself can be seen as
/// long as no vipd runs.
pub(super) fn to_be_told(config: &Config, said: &Names) -> Vec<String> {
    let runs = lock::runs(RUNTIME_DIR);
    let mut told = Vec::new();
    for instance in &config.instances {
        for name in &instance.uplinks {
            let what = match said.seen(name) {
                Seen::Absent => ABSENT,
                Seen::Unknown => UNKNOWN,
                Seen::Waiting | Seen::Coming | Seen::Up if !runs => NOT_AUTO,
                _ => continue,
            };
            told.push(format!("{}: uplink {name} {what}", instance.name));
        }
    }
    told
}

/// One line of the log, made in one place: each of its own takes 300 bytes of flash.
fn tell(level: Level, name: &str, what: fmt::Arguments<'_>) {
    log::say(level, format_args!("uplink {name} {what}"));
}

/// netifd's method.
fn word(up: bool) -> &'static str {
    if up { "up" } else { "down" }
}

impl Uplinks {
    /// At start and at reload. What has gone from the configuration stays as it is.
    pub(super) fn adopt(&mut self, config: &Config) {
        self.entries.iter_mut().for_each(|e| e.owners.clear());
        for (index, instance) in config.instances.iter().enumerate() {
            for name in &instance.uplinks {
                let known = self.entries.iter().position(|e| e.name == *name);
                let place = known.unwrap_or_else(|| {
                    self.entries.push(Entry {
                        name: Rc::clone(name),
                        object: format!("network.interface.{name}").into(),
                        owners: Vec::new(),
                        uplink: Uplink::default(),
                        ticket: None,
                    });
                    self.entries.len() - 1
                });
                self.entries[place].owners.push(Id(index as u16));
            }
        }
        while let Some(gone) = self.entries.iter().position(|e| e.owners.is_empty()) {
            self.entries.remove(gone);
        }
    }

    /// When [`Uplinks::tend`] has something to do though nothing happens.
    pub(super) fn poll_at(&self) -> Instant {
        let all = self.entries.iter().map(|entry| entry.uplink.poll_at());
        Instant::earliest(all)
    }

    /// Asks for what is due. True if a request has ended at once.
    fn tend(&mut self, helper: &mut Helper, last: bool, now: Instant) -> bool {
        let mut ended = false;
        for entry in &mut self.entries {
            let Some(up) = entry.uplink.request(now) else {
                continue;
            };
            let word = word(up);
            let job = Job {
                command: &[],
                arguments: &[UBUS, "call", &entry.object, word],
                environment: &[],
                ids: None,
                timeout: limits::UPLINK_PATIENCE,
                remains: Remains::Killed,
                stdout: None,
            };
            tell(
                Level::Info,
                &entry.name,
                format_args!("is to be {word}: netifd is asked for it"),
            );
            match helper.run(&job, now) {
                Ok(ticket) => entry.ticket = Some(ticket),
                Err(error) => {
                    entry.uplink.ended(false, last, now);
                    tell(
                        Level::Error,
                        &entry.name,
                        format_args!("cannot be changed: {UBUS} {error}"),
                    );
                    ended = true;
                }
            }
        }
        ended
    }

    /// A program has ended. True if it was one of these.
    fn ended(&mut self, ticket: Ticket, end: End, last: bool, now: Instant) -> bool {
        let is_it = |entry: &&mut Entry| entry.ticket == Some(ticket);
        let Some(entry) = self.entries.iter_mut().find(is_it) else {
            return false;
        };
        entry.ticket = None;
        let good = end == End::Exit(0);
        entry.uplink.ended(good, last, now);
        self.gap = limits::UPLINK_GAP_MIN;
        if !good {
            let (word, object) = (word(entry.uplink.is_wanted()), &entry.object);
            tell(
                Level::Warn,
                &entry.name,
                format_args!(
                    "may not have been brought {word}: {UBUS} {end}; try `{UBUS} call {object} {word}` by hand, \
                     as the user that vipd runs as"
                ),
            );
        }
        true
    }

    /// What netifd said when it was asked at `then`. Returns when to ask it again.
    fn said(&mut self, names: &Names, then: Instant, now: Instant) -> Instant {
        let mut at_rest = true;
        for Entry { name, uplink, .. } in &mut self.entries {
            let again = word(uplink.is_wanted());
            match uplink.saw(names.seen(name), then, now) {
                Some(News::Settled) => tell(Level::Info, name, format_args!("is up")),
                Some(News::Absent) => tell(Level::Error, name, format_args!("{ABSENT}")),
                Some(News::Leftover) => tell(
                    Level::Warn,
                    name,
                    format_args!("is taken down: unless a vipd was killed, it {NOT_AUTO}"),
                ),
                Some(News::Fight) => tell(
                    Level::Warn,
                    name,
                    format_args!("was changed by somebody else: it is brought {again} again"),
                ),
                None => {}
            }
            at_rest &= uplink.is_settled() && (!uplink.is_wanted() || uplink.seen() == Seen::Up);
        }
        let gap = match at_rest {
            true => limits::UPLINK_GAP_MAX,
            false => self.gap,
        };
        self.gap = gap.times(2).min(limits::UPLINK_GAP_MAX);
        match self.entries.is_empty() {
            true => Instant::NEVER,
            false => now + gap.max(limits::UPLINK_GAP_MIN),
        }
    }

    /// Whether an uplink is being taken down that one of these instances has.
    fn falls(&self, is_it: &dyn Fn(Id) -> bool, now: Instant) -> bool {
        !self.abandoned
            && self.entries.iter().any(|entry| {
                let falls = entry.ticket.is_some() || now >= entry.uplink.poll_at();
                falls && !entry.uplink.is_wanted() && entry.owners.iter().any(|id| is_it(*id))
            })
    }

    /// The uplinks of an instance, for `status`.
    pub(super) fn shown(&self, id: Id, now: Instant) -> Vec<status::Uplink<'_>> {
        let mut shown = Vec::new();
        for entry in self.entries.iter().filter(|e| e.owners.contains(&id)) {
            let Entry { name, uplink, .. } = entry;
            shown.push(status::Uplink {
                name,
                wanted: uplink.is_wanted(),
                state: uplink.seen().name(),
                state_age_ms: uplink.since().map(|since| now.since(since).as_millis()),
                failures: uplink.failures,
                fights: uplink.fights,
            });
        }
        shown
    }
}

impl Daemon {
    /// Each uplink is up while an owner is Active that is not about to go, and asked for where it is not.
    pub(super) fn tend_uplinks(&mut self, now: Instant) {
        if self.uplinks.entries.is_empty() {
            return;
        }
        self.follow_uplinks(now);
        let last = self.leave.is_busy();
        if now >= self.uplinks.poll_at() && self.uplinks.tend(&mut self.helper, last, now) {
            self.leave_goes_on(now);
        }
    }

    /// What is wanted of each uplink, as the states of its owners say.
    pub(super) fn follow_uplinks(&mut self, now: Instant) {
        for place in 0..self.uplinks.entries.len() {
            let owners = self.uplinks.entries[place].owners.iter();
            let wanted = owners.copied().any(|id| {
                let instance = self.router.instance(id);
                instance.state() == State::Active
                    && (!instance.is_leaving() || self.waits_for_hook(id))
            });
            let entry = &mut self.uplinks.entries[place];
            if entry.uplink.want(wanted, now)
                && let Some(ticket) = entry.ticket.take()
            {
                self.helper.cancel(ticket);
            }
        }
    }

    /// A program has ended. True if it was a request for an uplink.
    pub(super) fn uplink_ended(&mut self, ticket: Ticket, end: End, now: Instant) -> bool {
        let last = self.leave.is_busy();
        let is_it = self.uplinks.ended(ticket, end, last, now);
        if is_it {
            self.netifd.ask_by(now + limits::UPLINK_GAP_MIN);
            self.leave_goes_on(now);
        }
        is_it
    }

    /// netifd has said how its interfaces are.
    pub(super) fn uplinks_said(&mut self, now: Instant) {
        let (names, then) = self.netifd.said();
        let again = self.uplinks.said(names, then, now);
        self.netifd.ask_by(again);
    }

    /// Whether this instance, or its sync group, waits for an uplink to be taken down.
    pub(super) fn waits_for_uplink(&self, id: Id, now: Instant) -> bool {
        self.uplinks.falls(&|of| self.is_together(id, of), now)
    }

    /// Whether any is being taken down.
    pub(super) fn any_uplink_falls(&self, now: Instant) -> bool {
        self.uplinks.falls(&|_| true, now)
    }

    /// Whether an instance has an uplink that is wanted.
    pub(super) fn has_uplink_up(&self, id: Id) -> bool {
        let mut entries = self.uplinks.entries.iter();
        entries.any(|entry| entry.uplink.is_wanted() && entry.owners.contains(&id))
    }

    /// They go on by themselves: nobody waits.
    pub(super) fn abandon_uplinks(&mut self) {
        self.uplinks.abandoned = true;
    }
}
