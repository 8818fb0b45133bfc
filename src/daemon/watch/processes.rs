//! Processes that are counted: /proc is walked through each second, a piece at each wakeup.

use crate::config::model::{Compare, TrackProcess};
use crate::limits;
use crate::sys::proc::{self, Walk};
use crate::time::Instant;
use crate::vrrp::track::Reading;

/// Bytes of a command line that are looked at.
const BYTES: usize = 4096;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Processes {
    counted: Box<[Counted]>,
    walk: Option<Walk>,
    walk_at: Option<Instant>,
    /// Process 1 was seen in this walk.
    first_seen: bool,
    /// That processes are hidden, or that /proc cannot be read, has been told.
    told: bool,
}

#[derive(Clone, Debug)]
struct Counted {
    process: TrackProcess,
    /// How many of them this walk has found so far.
    found: u32,
    /// How many the last one has; none before it.
    count: Option<u32>,
    up: bool,
    /// When a number that would change `up` counts.
    change_at: Option<Instant>,
}

impl Processes {
    pub(super) fn adopt(&mut self, processes: &[TrackProcess], now: Instant) {
        if self.counted.iter().map(|it| &it.process).eq(processes) {
            return;
        }
        let adopted = processes.iter().map(|process| {
            let known = self.counted.iter().find(|known| known.process == *process);
            known.cloned().unwrap_or(Counted {
                process: process.clone(),
                found: 0,
                count: None,
                up: false,
                change_at: None,
            })
        });
        self.counted = adopted.collect();
        self.walk = None;
        self.walk_at = (!processes.is_empty()).then_some(now);
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
        let changes = self.counted.iter().filter_map(|it| it.change_at);
        changes.chain(self.walk_at).min().unwrap_or(Instant::NEVER)
    }

    /// Goes a piece further. True if a reading has changed.
    pub(super) fn tend(&mut self, now: Instant) -> bool {
        let mut changed = false;
        if self.walk_at.is_some_and(|at| at <= now) && self.walked(now) {
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

    /// True at the end of a walk.
    fn walked(&mut self, now: Instant) -> bool {
        let begun = match self.walk.take() {
            Some(walk) => Ok(walk),
            None => {
                self.first_seen = false;
                self.counted.iter_mut().for_each(|it| it.found = 0);
                Walk::begin()
            }
        };
        let mut walk = match begun {
            Ok(walk) => walk,
            Err(error) => {
                self.walk_at = Some(now + limits::PROCESS_SCAN);
                self.tell(&error);
                return false;
            }
        };
        let Self {
            counted,
            first_seen,
            ..
        } = self;
        let went_on = walk.next(&mut |id| *first_seen |= look(counted, id) && id == 1);
        if went_on == Ok(true) {
            self.walk = Some(walk);
            return false;
        }
        self.walk_at = Some(now + limits::PROCESS_SCAN);
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

/// Counts one process where it belongs; false if it cannot be seen.
fn look(counted: &mut [Counted], id: u32) -> bool {
    let mut stat = [0; 128];
    let Some(name) = living(proc::read(id, "stat", &mut stat)) else {
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
    for it in counted {
        it.found += u32::from(is_it(&it.process, name, line));
    }
    true
}

/// The name in `/proc/PID/stat`, unless the process has ended and waits for its parent.
fn living(stat: &[u8]) -> Option<&[u8]> {
    let begin = stat.iter().position(|byte| *byte == b'(')? + 1;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let state = stat.get(end + 2)?;
    let name = stat.get(begin..end)?;
    (!matches!(state, b'Z' | b'X' | b'x')).then_some(name)
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
        let TrackProcess { quorum, most, .. } = self.process;
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
            self.change_at = None;
        } else if self.change_at.is_none() {
            let more = count > before;
            let TrackProcess {
                fork_delay,
                terminate_delay,
                ..
            } = self.process;
            self.change_at = Some(now + if more { fork_delay } else { terminate_delay });
        }
        false
    }

    /// Takes the change whose delay is over.
    fn due(&mut self, now: Instant) -> bool {
        let due = self.change_at.is_some_and(|at| at <= now);
        if due {
            self.change_at = None;
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
        let process = TrackProcess {
            name: "p".into(),
            wanted: wanted.into(),
            compare,
            quorum: 1,
            most: 2,
            fork_delay: Duration::from_secs(3),
            terminate_delay: Duration::from_secs(5),
        };
        Counted {
            process,
            found: 0,
            count: None,
            up: false,
            change_at: None,
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
    fn the_name_may_hold_anything_and_zombies_do_not_count() {
        for (stat, name) in [
            ("1 (init) S 0", Some("init")),
            ("1 (a) Z (b)) R 0", Some("a) Z (b)")),
            ("1 (init) Z 0", None),
            ("1 (init)", None),
            (")(", None),
            ("1 )( S 0 ", None),
            ("", None),
        ] {
            assert_eq!(living(stat.as_bytes()), name.map(str::as_bytes), "{stat}");
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
