//! Tells programs and FIFOs of transitions.
//!
//! A line goes to the FIFOs at once. Programs are run by the helper: those of one instance or group
//! one after the other, so that the last one has the last word, those of different ones side by side.
//! Nothing here waits, and nothing is allocated but at start and reload.

pub(super) mod fifos;
mod queue;

use core::fmt::Write;
use std::path::Path;
use std::rc::Rc;

use crate::config::model::{Config, Dialect, Hook, Program};
use crate::limits;
use crate::log;
use crate::time::Instant;
use crate::vrrp::action::{Action, Hold, Id, Reason, Unresolved};
use crate::vrrp::instance::Instance as Running;
use crate::vrrp::types::State;

use super::executor::Context;
use super::helper::{End, Helper, Job, NotRun, Remains, Ticket};
use super::status::reason_word;
use fifos::Fifos;
use queue::{Event, Queue, Step, Subject, Word};

/// Runs OpenWrt's scripts of one folder.
const HOTPLUG: &str = "/sbin/hotplug-call";

/// Whom to tell, what was told last, and what is still to be told.
pub(super) struct Notify {
    queue: Queue<Ticket>,
    pub(super) fifos: Fifos,
    instances: Vec<Told>,
    groups: Vec<Told>,
    /// OpenWrt's scripts are run: for vipd, and for keepalived.
    hotplug: (bool, bool),
    /// The daemon stops.
    pub(super) stopping: bool,
    /// A group may have another state.
    regroup: bool,
    /// Room for a line.
    line: String,
    /// Events that were left out, since when that was told.
    left_out: u32,
    tell_at: Instant,
    retry_at: Instant,
}

/// What was told of an instance or group.
struct Told {
    subject: Rc<Subject>,
    last: Option<Word>,
}

impl Notify {
    pub(super) fn new() -> Self {
        Self {
            queue: Queue::new(limits::NOTIFY_PROGRAMS),
            fifos: Fifos::default(),
            instances: Vec::new(),
            groups: Vec::new(),
            hotplug: (false, false),
            stopping: false,
            regroup: false,
            line: String::with_capacity(limits::NOTIFY_LINE),
            left_out: 0,
            tell_at: Instant::ZERO,
            retry_at: Instant::NEVER,
        }
    }

    /// At start and at reload: whom to tell from now on. An instance that stays has been told already
    /// what it was told.
    pub(super) fn adopt(&mut self, config: &Config, matches: &[Option<Id>], now: Instant) {
        let here = config.dialect == Dialect::Uci && hotplug_is_here();
        self.hotplug = (here, here && config.globals.hotplug_keepalived);
        let old = core::mem::take(&mut self.instances);
        for (index, instance) in config.instances.iter().enumerate() {
            let before = matches.get(index).copied().flatten();
            let before = before.and_then(|id| old.get(id.index()));
            let told = told(false, &instance.name, &instance.programs, before);
            self.instances.push(told);
        }
        let old = core::mem::take(&mut self.groups);
        for group in &config.groups {
            let before = old.iter().find(|told| *told.subject.name == *group.name);
            let told = told(true, &group.name, &group.programs, before);
            self.groups.push(told);
        }
        let subjects = self.instances.len() + self.groups.len();
        self.queue.make_room(limits::NOTIFIES.max(2 * subjects));
        for gone in &old {
            let name = &gone.subject.name;
            if !config.groups.iter().any(|group| *group.name == **name) {
                self.tell(&gone.subject, gone_word(&gone.subject), 0, "", now);
            }
        }
    }

    /// Whether nothing is left to be told.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Something has happened to an instance.
    pub(super) fn note(&mut self, note: Action, context: &Context<'_>, now: Instant) {
        let (id, word, reason) = match note {
            Action::StateChanged(id, change) => {
                self.regroup = true;
                let Some(word) = self.word(change.to, change.reason, id) else {
                    return;
                };
                (id, word, change.reason)
            }
            Action::LowerPriority(id) => (id, Word::LowerPriority, Reason::Ready),
            Action::PriorityChanged(id, _)
                if context.config.instances[id.index()].notify_priority =>
            {
                let word = match context.router.instance(id).state() {
                    State::Active => Word::MasterPriority,
                    State::Backup | State::Initialize => Word::BackupPriority,
                };
                (id, word, Reason::Ready)
            }
            _ => return,
        };
        let Some(told) = self.instances.get_mut(id.index()) else {
            return;
        };
        if word.hotplug().is_some() && told.last.replace(word) == Some(word) {
            return;
        }
        let subject = Rc::clone(&told.subject);
        let priority = context.router.instance(id).effective_priority();
        self.tell(&subject, word, priority, reason_word(reason), now);
    }

    /// What keepalived calls it; none for what it has not.
    fn word(&self, state: State, reason: Reason, id: Id) -> Option<Word> {
        Some(match (state, reason) {
            (State::Active, _) => Word::Master,
            (State::Backup, _) | (_, Reason::Held(Hold::StartupDelay)) => Word::Backup,
            (_, Reason::Held(Hold::Starting | Hold::Unresolved(Unresolved::Silent))) => {
                return None;
            }
            (_, Reason::Held(Hold::Stopped)) if self.stopping => Word::Stop,
            (_, Reason::Held(Hold::Stopped)) => gone_word(&self.instances.get(id.index())?.subject),
            _ => Word::Fault,
        })
    }

    /// What has become of the groups, once their members agree.
    pub(super) fn note_groups(&mut self, context: &Context<'_>, now: Instant) {
        if !core::mem::take(&mut self.regroup) {
            return;
        }
        for (index, state) in context.router.group_states().enumerate() {
            let Some(state) = state else { continue };
            let name = self.groups.get(index).map(|told| &told.subject.name);
            let is_member = |i: &crate::config::model::Instance| {
                name.is_some_and(|name| i.group.as_deref() == Some(name))
            };
            let places = context.config.instances.iter().position(is_member);
            let running = places.and_then(|at| context.router.instances().get(at));
            let reason = running.map_or(Reason::Ready, Running::reason);
            let word = match (state, reason) {
                (State::Initialize, Reason::Held(Hold::Stopped)) if !self.stopping => None,
                _ => self.word(state, reason, Id(0)),
            };
            let (Some(word), Some(told)) = (word, self.groups.get_mut(index)) else {
                continue;
            };
            if told.last.replace(word) != Some(word) {
                let subject = Rc::clone(&told.subject);
                self.tell(&subject, word, 0, reason_word(reason), now);
            }
        }
    }

    /// After a reload with `fifo_write_vrrp_states_on_reload`.
    pub(super) fn write_states(&mut self, context: &Context<'_>, now: Instant) {
        for (place, running) in context.router.instances().iter().enumerate() {
            if let Some(Told {
                subject,
                last: Some(word),
            }) = self.instances.get(place)
            {
                let (subject, word) = (Rc::clone(subject), *word);
                self.write(&subject, word, running.effective_priority(), now);
            }
        }
        for place in 0..self.groups.len() {
            if let Some(Told {
                subject,
                last: Some(word),
            }) = self.groups.get(place)
            {
                let (subject, word) = (Rc::clone(subject), *word);
                self.write(&subject, word, 0, now);
            }
        }
    }

    fn write(&mut self, subject: &Subject, word: Word, priority: u8, now: Instant) {
        if self.fifos.is_empty() {
            return;
        }
        let (kind, name, word) = (kind(subject), &subject.name, word.name());
        self.line.clear();
        let written = writeln!(self.line, "{kind} \"{name}\" {word} {priority}");
        if written.is_ok() {
            self.fifos.write(self.line.as_bytes(), now);
        }
    }

    fn tell(
        &mut self,
        subject: &Rc<Subject>,
        word: Word,
        priority: u8,
        reason: &'static str,
        now: Instant,
    ) {
        self.write(subject, word, priority, now);
        let event = Event::new(subject, word, priority, reason);
        let has_program = event
            .program(Step::Own)
            .or(event.program(Step::Any))
            .is_some();
        let has_script = self.hotplug.0 && word.hotplug().is_some();
        if !has_program && !has_script {
            return;
        }
        self.retry_at = Instant::ZERO;
        let Some(dropped) = self.queue.push(event) else {
            return;
        };
        self.left_out += 1;
        if now >= self.tell_at {
            log::warn!(
                "{}: {} is not told to its programs, which do not keep up with the transitions: {} left out \
                 so far; the last one is always told",
                dropped.subject.name,
                dropped.word.name(),
                self.left_out
            );
            self.tell_at = now + limits::WARN_PERIOD;
        }
    }

    /// When [`Notify::tend`] has something to do.
    pub(super) fn poll_at(&self) -> Instant {
        self.retry_at.min(self.fifos.poll_at())
    }

    /// Starts what may be started.
    pub(super) fn tend(&mut self, helper: &mut Helper, now: Instant) {
        self.fifos.tend(helper, now);
        self.retry_at = Instant::NEVER;
        while let Some(at) = self.queue.next() {
            let Some((event, step)) = self.queue.begin(at) else {
                continue;
            };
            match run(event, step, self.hotplug, helper, now) {
                None => {}
                Some(Ok(ticket)) => self.queue.runs(at, ticket),
                Some(Err(NotRun::Busy)) => {
                    self.queue.again(at);
                    self.retry_at = now + limits::NOTIFY_RETRY;
                    return;
                }
                Some(Err(error)) => log::error!(
                    "{}: a program for {} {error}",
                    event.subject.name,
                    event.word.name()
                ),
            }
        }
    }

    /// A program has ended. True if it was one of these.
    pub(super) fn ended(&mut self, ticket: Ticket, end: End, now: Instant) -> bool {
        if self.fifos.ended(ticket, end, now) {
            return true;
        }
        let Some(event) = self.queue.ended(ticket) else {
            return false;
        };
        if end != End::Exit(0) {
            let path = match event.step().and_then(|step| event.program(step)) {
                Some(program) => path_of(program),
                None => HOTPLUG,
            };
            log::warn!(
                "{}: {path} for {} {end}",
                event.subject.name,
                event.word.name()
            );
        }
        self.retry_at = Instant::ZERO;
        true
    }
}

/// Whether there are scripts of OpenWrt that may be run.
pub(super) fn hotplug_is_here() -> bool {
    Path::new(HOTPLUG).exists()
}

fn told(group: bool, name: &str, programs: &Rc<[Program]>, before: Option<&Told>) -> Told {
    let same = |told: &&Told| *told.subject.name == *name && told.subject.programs == *programs;
    Told {
        subject: match before.filter(same) {
            Some(told) => Rc::clone(&told.subject),
            None => Rc::new(Subject::new(group, name, programs)),
        },
        last: before.and_then(|told| told.last),
    }
}

fn gone_word(subject: &Subject) -> Word {
    match subject.programs.iter().any(|p| p.hook == Hook::Deleted) {
        true => Word::Deleted,
        false => Word::Gone,
    }
}

fn kind(subject: &Subject) -> &'static str {
    if subject.group { "GROUP" } else { "INSTANCE" }
}

/// For messages.
pub(super) fn path_of(program: &Program) -> &str {
    program.argv.first().map_or("", |path| path)
}

/// Runs the program of a step. None if it has none.
fn run(
    event: &Event<Ticket>,
    step: Step,
    hotplug: (bool, bool),
    helper: &mut Helper,
    now: Instant,
) -> Option<Result<Ticket, NotRun>> {
    let mut digits = heapless::String::<4>::new();
    write!(digits, "{}", event.priority).ok()?;
    let subject = &event.subject;
    let (name, kind, word) = (&*subject.name, kind(subject), event.word.name());
    let told: [&str; 4] = [kind, name, word, &digits];
    let mut job = Job {
        command: &[],
        arguments: &[],
        environment: &[],
        ids: None,
        timeout: limits::NOTIFY_PATIENCE,
        remains: Remains::Left,
        stdout: None,
    };
    let folder = match step {
        Step::Own | Step::Any => {
            let program = event.program(step)?;
            job.command = &program.argv;
            job.ids = program.ids;
            if step == Step::Any {
                job.arguments = &told;
            }
            return Some(helper.run(&job, now));
        }
        Step::Hotplug if hotplug.0 => "vipd",
        Step::HotplugKeepalived if hotplug.1 => "keepalived",
        Step::Hotplug | Step::HotplugKeepalived => return None,
    };
    let environment = [
        ("ACTION", event.word.hotplug()?),
        ("TYPE", kind),
        ("NAME", name),
        ("PRIORITY", &digits),
        ("REASON", event.reason),
    ];
    let arguments = [HOTPLUG, folder];
    job.arguments = &arguments;
    job.environment = &environment;
    Some(helper.run(&job, now))
}
