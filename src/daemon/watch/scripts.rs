//! Scripts: started by the helper in their intervals, and what their ends add up to.

use std::rc::Rc;

use crate::config::model::{Config, Script};
use crate::daemon::helper::{End, Helper, Job, NotRun, Remains, Ticket};
use crate::log;
use crate::time::Instant;
use crate::vrrp::track::Reading;

/// All scripts that somebody tracks.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Scripts {
    scripts: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    script: Rc<Script>,
    reading: Reading,
    /// Ends in a row that speak against the reading.
    against: u32,
    /// How it ended the last time.
    last: Option<End>,
    /// When it is started next.
    next: Instant,
    ticket: Option<Ticket>,
    /// Why it could not be run, the last time, if that was told.
    told: Option<NotRun>,
}

impl Scripts {
    /// At start and after a reload: a script that does as before is known as before.
    pub(super) fn adopt(&mut self, config: &Config, helper: &mut Helper, now: Instant) {
        let same = |known: &Script, script: &Script| {
            known.name == script.name && known.command == script.command && known.ids == script.ids
        };
        let mut before = core::mem::take(&mut self.scripts);
        for script in &config.scripts {
            let known = before.iter().position(|r| same(&r.script, script));
            let mut running = match known {
                Some(place) => before.swap_remove(place),
                None => Running {
                    script: Rc::clone(script),
                    reading: match script.init_fail {
                        true => Reading::Down,
                        false => Reading::Unknown,
                    },
                    against: 0,
                    last: None,
                    next: now,
                    ticket: None,
                    told: None,
                },
            };
            running.next = running.next.min(now + script.interval);
            running.script = Rc::clone(script);
            self.scripts.push(running);
        }
        for ticket in before.iter().filter_map(|gone| gone.ticket) {
            helper.cancel(ticket);
        }
    }

    /// What is known of the script of this name.
    pub(super) fn reading(&self, name: &str) -> Reading {
        let known = self.scripts.iter().find(|r| *r.script.name == *name);
        known.map_or(Reading::Unknown, |running| running.reading)
    }

    /// How the script of this name failed the last time; none if it did not.
    pub(super) fn failure(&self, name: &str) -> Option<End> {
        let known = self.scripts.iter().find(|r| *r.script.name == *name)?;
        known.last.filter(|end| *end != End::Exit(0))
    }

    /// When the next one is to be started.
    pub(super) fn poll_at(&self) -> Instant {
        Instant::earliest(self.scripts.iter().map(|running| running.next))
    }

    /// Starts what is due.
    pub(super) fn tend(&mut self, helper: &mut Helper, now: Instant) {
        for running in &mut self.scripts {
            if running.next <= now {
                running.start(helper, now);
            }
        }
    }

    /// A program of the helper has ended. None if it is no script; true if its reading has changed.
    pub(super) fn ended(&mut self, ticket: Ticket, end: End) -> Option<bool> {
        let running = self.scripts.iter_mut().find(|r| r.ticket == Some(ticket))?;
        running.ticket = None;
        Some(running.ended(end))
    }
}

impl Running {
    fn start(&mut self, helper: &mut Helper, now: Instant) {
        // In step, but for starts that were missed.
        self.next += self.script.interval;
        if self.next <= now {
            self.next = now + self.script.interval;
        }
        let name = &*self.script.name;
        if self.ticket.is_some() {
            log::debug!("script {name} still runs: it is not started a second time");
            return;
        }
        let job = Job {
            command: &self.script.command,
            arguments: &[],
            environment: &[],
            ids: self.script.ids,
            timeout: self.script.timeout,
            remains: Remains::Killed,
            stdout: None,
        };
        match helper.run(&job, now) {
            Ok(ticket) => (self.ticket, self.told) = (Some(ticket), None),
            // What is known of it stays.
            Err(why) if self.told != Some(why) => {
                log::warn!("script {name} {why}");
                self.told = Some(why);
            }
            Err(_) => {}
        }
    }

    /// True if the reading has changed.
    fn ended(&mut self, end: End) -> bool {
        let (name, up) = (&*self.script.name, end == End::Exit(0));
        let (reading, needed) = match up {
            true => (Reading::Up, self.script.rise),
            false => (Reading::Down, self.script.fall),
        };
        log::debug!("script {name} {end}");
        if end == End::Lost {
            return false;
        }
        self.last = Some(end);
        if self.reading == reading {
            self.against = 0;
            return false;
        }
        self.against += 1;
        if self.reading != Reading::Unknown && self.against < needed {
            return false;
        }
        (self.reading, self.against) = (reading, 0);
        match up {
            true => log::info!("script {name} succeeds: it {end}"),
            false => log::warn!("script {name} fails: it {end}"),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    fn running(rise: u32, fall: u32, reading: Reading) -> Running {
        Running {
            script: Rc::new(Script {
                name: "s".into(),
                command: ["/bin/true".into()].into(),
                ids: None,
                interval: Duration::from_secs(1),
                timeout: Duration::from_secs(1),
                rise,
                fall,
                init_fail: false,
            }),
            reading,
            against: 0,
            last: None,
            next: Instant::ZERO,
            ticket: None,
            told: None,
        }
    }

    /// After each end, `+` success, `-` failure, `?` lost: what is read.
    fn readings(mut running: Running, ends: &str) -> String {
        let letter = |end: char| {
            running.ended(match end {
                '+' => End::Exit(0),
                '-' => End::Exit(1),
                _ => End::Lost,
            });
            match running.reading {
                Reading::Unknown => '?',
                Reading::Up => 'u',
                Reading::Down => 'd',
                Reading::Value(_) => 'v',
            }
        };
        ends.chars().map(letter).collect()
    }

    #[test]
    fn rise_and_fall_count_ends_in_a_row() {
        let unknown = |rise, fall| running(rise, fall, Reading::Unknown);
        assert_eq!(
            readings(unknown(3, 3), "?+--+---?++-+++"),
            "?uuuuuudddddddu"
        );
        assert_eq!(
            readings(unknown(3, 3), "-++-+++"),
            "ddddddu",
            "the first decides"
        );
        assert_eq!(readings(unknown(1, 1), "+-+?-"), "uduud");
        let failed = running(2, 1, Reading::Down);
        assert_eq!(readings(failed, "+-++-"), "dddud", "init_fail");
    }

    #[test]
    fn all_but_exit_code_0_is_failure() {
        for end in [
            End::Exit(1),
            End::Signal(9),
            End::TimedOut,
            End::NotStarted(crate::sys::Errno::ENOENT),
        ] {
            let mut running = running(1, 1, Reading::Up);
            assert!(running.ended(end));
            assert_eq!(running.reading, Reading::Down);
        }
    }
}
