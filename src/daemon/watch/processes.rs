//! Processes that are counted: /proc is walked through, a piece at each wakeup.
//!
//! Where the kernel tells us of processes that is done when one that counts has come, changed or gone,
//! else each second. The walk alone counts, so that news that are lost or late do no harm.

use std::rc::Rc;

use crate::config::model::{Compare, TrackProcess};
use crate::limits;
use crate::log;
use crate::netlink::process::News;
use crate::sys::Errno;
use crate::sys::error::Cause;
use crate::sys::netlink::{Events, ProcessSocket};
use crate::sys::poll::{Interest, Poll};
use crate::sys::proc::{self, Walk};
use crate::time::Instant;
use crate::vrrp::track::Reading;

/// Bytes of a command line that are looked at.
const BYTES: usize = 4096;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Processes {
    counted: Vec<Counted>,
    walk: Option<Walk>,
    walk_at: Instant,
    /// No walk begins earlier.
    rests_until: Option<Instant>,
    /// Something has happened that the present walk may not see.
    stale: bool,
    /// Those that count.
    ids: Vec<u32>,
    news: Option<ProcessSocket>,
    /// The place of `news` in the poll set.
    place: Option<usize>,
    /// News do come.
    is_told: bool,
    /// Process 1 was seen in this walk.
    first_seen: bool,
    /// That processes are hidden, or that /proc cannot be read, has been told.
    told: bool,
}

#[derive(Debug)]
struct Counted {
    process: Rc<TrackProcess>,
    /// How many of them this walk has found so far.
    found: u32,
    /// How many the last one has; none before it.
    count: Option<u32>,
    up: bool,
    /// When a number that would change `up` counts.
    change_at: Instant,
}

impl Processes {
    pub(super) fn adopt(&mut self, processes: &[Rc<TrackProcess>], now: Instant) {
        let mut before = core::mem::take(&mut self.counted);
        let mut changes = processes.len() != before.len();
        for process in processes {
            let known = before.iter().position(|known| known.process == *process);
            changes |= known.is_none();
            self.counted.push(match known {
                Some(place) => before.swap_remove(place),
                None => Counted {
                    process: Rc::clone(process),
                    found: 0,
                    count: None,
                    up: false,
                    change_at: Instant::NEVER,
                },
            });
        }
        if !changes {
            return;
        }
        self.walk = None;
        self.walk_at = now;
        if processes.is_empty() {
            *self = Self::default();
        } else if self.news.is_none() {
            self.ids.reserve_exact(limits::PROCESSES);
            self.news = ProcessSocket::open().ok();
        }
    }

    pub(super) fn reading(&self, name: &str) -> Reading {
        match self.find(name) {
            Some(Counted {
                count: Some(_), up, ..
            }) if *up => Reading::Up,
            Some(Counted { count: Some(_), .. }) => Reading::Down,
            _ => Reading::Unknown,
        }
    }

    /// How many there are, and what is wrong with that number.
    pub(super) fn count(&self, name: &str) -> Option<(u32, Option<String>)> {
        let Counted { process, count, .. } = self.find(name)?;
        let count = (*count)?;
        let reason = if count < process.quorum {
            Some(format!("{count} of {} processes", process.quorum))
        } else if count > process.most {
            Some(format!("{count} processes, {} at most", process.most))
        } else {
            None
        };
        Some((count, reason))
    }

    fn find(&self, name: &str) -> Option<&Counted> {
        self.counted.iter().find(|it| *it.process.name == *name)
    }

    pub(super) fn poll_at(&self) -> Instant {
        let changes = self.counted.iter().map(|it| it.change_at);
        self.walk_at.min(Instant::earliest(changes))
    }

    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        let news = self.news.as_ref();
        self.place = news.map(|news| poll.add(news, Interest::Read));
    }

    /// Goes a piece further. True if a reading or the descriptors have changed.
    pub(super) fn tend(&mut self, poll: &Poll, now: Instant) -> bool {
        let is_ready = self.place.is_some_and(|place| poll.readiness(place).any());
        let mut changed = is_ready && !self.hear(now);
        if self.walk_at <= now && self.walked(now) {
            for it in &mut self.counted {
                let found = core::mem::take(&mut it.found);
                changed |= it.counted(found, now);
            }
        }
        for it in &mut self.counted {
            changed |= it.due(now);
        }
        changed
    }

    /// Reads news. False if there will be none any more.
    fn hear(&mut self, now: Instant) -> bool {
        let Self {
            counted,
            ids,
            news: Some(news),
            is_told,
            stale,
            ..
        } = self
        else {
            return true;
        };
        let all = ids.len() == limits::PROCESSES;
        let heard = news.receive(limits::EVENTS, |message| {
            let matters = match News::parse(&message) {
                // What has happened before it was not told.
                Some(News::Answer(errno)) => {
                    *is_told = errno == 0;
                    log::debug!(
                        "news of processes: {}",
                        Cause(Errno::from_raw(errno as i32))
                    );
                    true
                }
                _ if *stale => false,
                Some(News::Ended(id)) => all || ids.contains(&id),
                Some(News::Changed(id)) => {
                    let mut counts = ids.contains(&id);
                    look(counted, id, &mut |_| counts = true);
                    counts
                }
                None => false,
            };
            *stale |= matters;
        });
        match heard {
            Ok(Events::Overrun) => *stale = true,
            Ok(_) => {}
            Err(_) => (self.news, self.is_told, self.stale) = (None, false, true),
        }
        if self.stale && self.walk.is_none() {
            self.walk_at = self.rests_until.map_or(now, |at| at.max(now));
        }
        self.news.is_some()
    }

    /// When the next walk begins.
    fn rest(&mut self, now: Instant) {
        let gap = now + limits::PROCESS_GAP;
        self.rests_until = Some(gap);
        self.walk_at = match (self.stale, self.is_told) {
            (true, true) => gap,
            (false, true) => Instant::NEVER,
            (_, false) => now + limits::PROCESS_SCAN,
        };
    }

    /// True at the end of a walk.
    fn walked(&mut self, now: Instant) -> bool {
        let begun = match self.walk.take() {
            Some(walk) => Ok(walk),
            None => {
                (self.first_seen, self.stale) = (false, false);
                self.ids.clear();
                self.counted.iter_mut().for_each(|it| it.found = 0);
                Walk::begin()
            }
        };
        let mut walk = match begun {
            Ok(walk) => walk,
            Err(error) => {
                self.walk_at = now + limits::PROCESS_SCAN;
                self.tell(&error);
                return false;
            }
        };
        let Self {
            counted,
            first_seen,
            ids,
            ..
        } = self;
        let went_on = walk.next(&mut |id| {
            let mut counts = false;
            let is_seen = look(counted, id, &mut |it| {
                it.found += 1;
                counts = true;
            });
            *first_seen |= is_seen && id == 1;
            if counts && ids.len() < limits::PROCESSES {
                ids.push(id);
            }
        });
        if went_on == Ok(true) {
            self.walk = Some(walk);
            return false;
        }
        self.rest(now);
        if !self.first_seen {
            self.tell(&"/proc hides processes of others (hidepid)");
        }
        went_on.is_ok()
    }

    fn tell(&mut self, what: &dyn core::fmt::Display) {
        if !core::mem::replace(&mut self.told, true) {
            log::warn!("{what}: what is hidden is not counted by vrrp_track_process");
        }
    }
}

/// Hands what a process counts for to `each`; false if it cannot be seen.
fn look(counted: &mut [Counted], id: u32, each: &mut dyn FnMut(&mut Counted)) -> bool {
    let mut stat = [0; 128];
    let Some(name) = proc::living(proc::read(id, "stat", &mut stat)) else {
        return false;
    };
    let mut buffer = [0; BYTES];
    let by_line = |it: &Counted| it.process.compare != Compare::Name;
    let line = if counted.iter().any(by_line) {
        // Room for the NUL that a process may have taken from its end.
        let length = proc::read(id, "cmdline", &mut buffer[..BYTES - 1]).len();
        let ends = length == 0 || buffer[length - 1] == 0;
        &buffer[..length + usize::from(!ends)]
    } else {
        &[]
    };
    let belongs = |it: &&mut Counted| is_it(&it.process, name, line);
    counted.iter_mut().filter(belongs).for_each(each);
    true
}

fn is_it(process: &TrackProcess, name: &[u8], line: &[u8]) -> bool {
    match process.compare {
        Compare::Name => name == &*process.wanted,
        Compare::Start => line.starts_with(&process.wanted),
        Compare::Whole => line == &*process.wanted,
    }
}

impl Counted {
    /// A walk has found so many. True if the reading has changed.
    fn counted(&mut self, count: u32, now: Instant) -> bool {
        let TrackProcess { quorum, most, .. } = *self.process;
        let up = (quorum..=most).contains(&count);
        let Some(before) = self.count.replace(count) else {
            // What is there at the start counts at once.
            self.up = up;
            return true;
        };
        if count != before {
            log::debug!("process {}: {before} -> {count}", self.process.name);
        }
        if up == self.up {
            self.change_at = Instant::NEVER;
        } else if self.change_at == Instant::NEVER {
            let more = count > before;
            let TrackProcess {
                fork_delay,
                terminate_delay,
                ..
            } = *self.process;
            self.change_at = now + if more { fork_delay } else { terminate_delay };
        }
        false
    }

    /// Takes the change whose delay is over.
    fn due(&mut self, now: Instant) -> bool {
        let due = self.change_at <= now;
        if due {
            self.change_at = Instant::NEVER;
            self.up = !self.up;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    fn counted(compare: Compare, wanted: &[u8]) -> Counted {
        let process = Rc::new(TrackProcess {
            name: "p".into(),
            wanted: wanted.into(),
            compare,
            quorum: 1,
            most: 2,
            fork_delay: Duration::from_secs(3),
            terminate_delay: Duration::from_secs(5),
        });
        Counted {
            process,
            found: 0,
            count: None,
            up: false,
            change_at: Instant::NEVER,
        }
    }

    #[test]
    fn names_and_command_lines() {
        for (compare, wanted, line, is) in [
            (Compare::Name, "sshd", "x\0", true),
            (Compare::Name, "ssh", "ssh\0", false),
            (Compare::Start, "a b\0", "a b\0c\0", true),
            (Compare::Start, "a\0", "ab\0", false),
            (Compare::Start, "a\0-f\0xy", "a\0-f\0xyz\0", true),
            (Compare::Start, "a\0-f\0xy\0", "a\0-f\0xyz\0", false),
            (Compare::Whole, "a\0", "a\0", true),
            (Compare::Whole, "a\0", "a\0b\0", false),
            (Compare::Whole, "a\0", "", false),
        ] {
            let it = counted(compare, wanted.as_bytes());
            assert_eq!(
                is_it(&it.process, b"sshd", line.as_bytes()),
                is,
                "{wanted} {line}"
            );
        }
    }

    #[test]
    fn a_change_counts_when_its_delay_is_over() {
        let mut it = counted(Compare::Name, b"p");
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        assert!(it.counted(1, at(0)), "the start");
        assert!(it.up);
        for (second, count, up) in [
            (1, 0, true),
            (5, 0, true),
            (6, 0, false),
            (7, 1, false),
            (8, 0, false),
            (9, 1, false),
            (12, 1, true),
            // Too many are a matter of forks.
            (13, 3, true),
            (16, 3, false),
            (17, 2, false),
            (21, 2, false),
            (22, 2, true),
        ] {
            it.counted(count, at(second));
            it.due(at(second));
            assert_eq!(it.up, up, "second {second}");
        }
    }
}
