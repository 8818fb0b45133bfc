//! The FIFOs: each line is written at once, and nobody is waited for.

use crate::config::model::{Config, Hook, Program};
use crate::daemon::helper::{End, Helper, Job, NotRun, Remains, Ticket};
use crate::file;
use crate::limits;
use crate::log;
use crate::sys::error::Error;
use crate::sys::fifo::{self, Fifo};
use crate::time::Instant;

/// A FIFO of the configuration, and the program that reads it.
struct Way {
    /// What the configuration says.
    file: Program,
    script: Option<Program>,
    fifo: Option<Fifo>,
    ticket: Option<Ticket>,
    /// When the program is to be started.
    start_at: Instant,
    /// Lines that did not fit, since when that was told.
    dropped: u32,
    told_at: Instant,
}

/// All of them.
#[derive(Default)]
pub(in crate::daemon) struct Fifos {
    ways: Vec<Way>,
    /// The paths of those that vipd has made or is about to make, and removes at the end.
    pub(in crate::daemon) ours: Vec<Box<str>>,
}

const HOOKS: [(Hook, Hook); 2] = [
    (Hook::Fifo, Hook::FifoScript),
    (Hook::VrrpFifo, Hook::VrrpFifoScript),
];

impl Fifos {
    /// Before a start or a reload: the paths that vipd would make FIFOs at, for the journal. `left` are
    /// those of an earlier daemon.
    pub(in crate::daemon) fn to_be_made(
        &self,
        config: &Config,
        left: &[Box<str>],
    ) -> Vec<Box<str>> {
        let files = config.globals.programs.iter().filter(|p| p.hook.is_fifo());
        let paths = files.map(super::path_of);
        let has = |list: &[Box<str>], path: &str| list.iter().any(|known| **known == *path);
        let mut made = Vec::new();
        for path in paths {
            if has(left, path) || has(&self.ours, path) || file::look_at_link(path).is_err() {
                made.push(path.into());
            }
        }
        made
    }

    /// Goes over to another configuration. What is as it was stays open, and its program runs on.
    pub(in crate::daemon) fn adopt(
        &mut self,
        config: &Config,
        ours: Vec<Box<str>>,
        helper: &mut Helper,
        now: Instant,
    ) {
        let programs = &config.globals.programs;
        let find = |hook| programs.iter().find(|p| p.hook == hook).cloned();
        let mut old = core::mem::replace(&mut self.ways, Vec::with_capacity(HOOKS.len()));
        let before = core::mem::replace(&mut self.ours, ours);
        for (hook, script) in HOOKS {
            let Some(file) = find(hook) else { continue };
            let script = find(script);
            let same = |way: &Way| way.file == file && way.script == script;
            let way = match old.iter().position(same) {
                Some(at) => old.swap_remove(at),
                None => Way {
                    start_at: script.as_ref().map_or(Instant::NEVER, |_| now),
                    file,
                    script,
                    fifo: None,
                    ticket: None,
                    dropped: 0,
                    told_at: Instant::ZERO,
                },
            };
            self.ways.push(way);
        }
        old.iter()
            .filter_map(|way| way.ticket)
            .for_each(|t| helper.cancel(t));
        drop(old);
        let gone = before.iter().filter(|path| !self.ours.contains(path));
        gone.for_each(|path| fifo::remove(path));
        for way in self.ways.iter_mut().filter(|way| way.fifo.is_none()) {
            match open(&way.file) {
                Ok(fifo) => way.fifo = Some(fifo),
                Err(error) => log::error!("{error}; nothing is written to it"),
            }
        }
    }

    /// At the end: their readers have read the last line.
    pub(in crate::daemon) fn hang_up(&mut self) {
        for way in &mut self.ways {
            (way.fifo, way.script, way.start_at) = (None, None, Instant::NEVER);
        }
        self.ours.drain(..).for_each(|path| fifo::remove(&path));
    }

    /// A program that reads one of them runs.
    pub(in crate::daemon) fn are_read(&self) -> bool {
        self.ways.iter().any(|way| way.ticket.is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// Writes a line to each.
    pub(super) fn write(&mut self, line: &[u8], now: Instant) {
        for way in &mut self.ways {
            let Some(fifo) = &mut way.fifo else { continue };
            let path = way.file.argv.first().map_or("", |path| path);
            match fifo.write(line) {
                Ok(true) => {}
                Ok(false) => {
                    way.dropped = way.dropped.saturating_add(1);
                    if now >= way.told_at {
                        log::warn!(
                            "{path} is full, {} line(s) are lost: its reader does not keep up, or there is none",
                            way.dropped
                        );
                        way.dropped = 0;
                        way.told_at = now + limits::WARN_PERIOD;
                    }
                }
                Err(error) => {
                    log::error!("{path}: {error}; nothing is written to it any more");
                    way.fifo = None;
                }
            }
        }
    }

    /// When [`Fifos::tend`] has something to do.
    pub(super) fn poll_at(&self) -> Instant {
        let starts = self.ways.iter().map(|way| way.start_at);
        Instant::earliest(starts)
    }

    /// Starts the programs that are to be started.
    pub(super) fn tend(&mut self, helper: &mut Helper, now: Instant) {
        for way in self.ways.iter_mut().filter(|way| now >= way.start_at) {
            way.start_at = Instant::NEVER;
            let (Some(script), Some(path)) = (&way.script, way.file.argv.first()) else {
                continue;
            };
            let job = Job {
                command: &script.argv,
                arguments: &[path],
                environment: &[],
                ids: script.ids,
                timeout: limits::FOR_EVER,
                remains: Remains::Killed,
                stdout: None,
            };
            match helper.run(&job, now) {
                Ok(ticket) => way.ticket = Some(ticket),
                Err(NotRun::Busy) => way.start_at = now + limits::NOTIFY_RETRY,
                Err(error) => log::error!("{}: {error}", super::path_of(script)),
            }
        }
    }

    /// A program has ended. True if it was one of these.
    pub(super) fn ended(&mut self, ticket: Ticket, end: End, now: Instant) -> bool {
        let mut ways = self.ways.iter_mut();
        let Some(way) = ways.find(|way| way.ticket == Some(ticket)) else {
            return false;
        };
        way.ticket = None;
        if let Some(script) = &way.script {
            way.start_at = now + limits::FIFO_SCRIPT_GAP;
            let gap = limits::FIFO_SCRIPT_GAP;
            let path = super::path_of(script);
            log::warn!("{path}, which reads a FIFO, {end}; it is started again in {gap}");
        }
        true
    }
}

fn open(file: &Program) -> Result<Fifo, Error> {
    let path = file.argv.first().map_or("", |path| path);
    let made = fifo::make(path)?;
    let fifo = Fifo::open(path)?;
    // After the start, vipd may not give files away any more.
    if let Some(ids) = file.ids
        && made
        && let Err(error) = fifo.give(ids.uid, ids.gid)
    {
        log::warn!("{path} stays vipd's own: {error}; make it with `mkfifo`, or restart vipd");
    }
    Ok(fifo)
}
