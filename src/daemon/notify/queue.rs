//! What programs are still to be told: in order for each instance and group, side by side for
//! different ones, and never more than there is room for.

use core::cell::Cell;
use std::rc::Rc;

use crate::config::model::{Hook, Program, Programs};

/// What is told, in keepalived's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Word {
    Master,
    Backup,
    Fault,
    Stop,
    Deleted,
    /// Deleted, by a configuration without `notify_deleted`.
    Gone,
    LowerPriority,
    MasterPriority,
    BackupPriority,
}

impl Word {
    /// As it stands in arguments and FIFOs.
    pub(in crate::daemon) const fn name(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault | Self::Gone => "FAULT",
            Self::Stop => "STOP",
            Self::Deleted => "DELETED",
            Self::LowerPriority => "MASTER_RX_LOWER_PRI",
            Self::MasterPriority => "MASTER_PRIORITY",
            Self::BackupPriority => "BACKUP_PRIORITY",
        }
    }

    /// The program that is run at it alone.
    const fn hook(self) -> Option<Hook> {
        match self {
            Self::Master => Some(Hook::Master),
            Self::Backup => Some(Hook::Backup),
            Self::Fault => Some(Hook::Fault),
            Self::Stop => Some(Hook::Stop),
            Self::Deleted => Some(Hook::Deleted),
            Self::LowerPriority => Some(Hook::LowerPriority),
            Self::Gone | Self::MasterPriority | Self::BackupPriority => None,
        }
    }

    /// What the scripts of OpenWrt know; the others are not told to them.
    pub(in crate::daemon) const fn hotplug(self) -> Option<&'static str> {
        match self {
            Self::Master => Some("NOTIFY_MASTER"),
            Self::Backup => Some("NOTIFY_BACKUP"),
            Self::Fault => Some("NOTIFY_FAULT"),
            Self::Stop | Self::Deleted | Self::Gone => Some("NOTIFY_STOP"),
            Self::LowerPriority | Self::MasterPriority | Self::BackupPriority => None,
        }
    }
}

/// Whose transitions they are.
#[derive(Debug)]
pub(in crate::daemon) struct Subject {
    /// A sync group, else an instance.
    pub(in crate::daemon) group: bool,
    pub(in crate::daemon) name: Box<str>,
    pub(in crate::daemon) programs: Programs,
    /// How many of its events have not begun.
    waiting: Cell<u16>,
}

impl Subject {
    pub(in crate::daemon) fn new(group: bool, name: &str, programs: &Programs) -> Self {
        Self {
            group,
            name: name.into(),
            programs: Rc::clone(programs),
            waiting: Cell::new(0),
        }
    }

    /// The program of a hook, if there is one.
    pub(in crate::daemon) fn program(&self, hook: Hook) -> Option<&Program> {
        let is_it = |program: &&Program| program.hook == hook && !program.argv.is_empty();
        self.programs.iter().find(is_it)
    }

    /// The same instance or group, after a reload too.
    fn is(&self, other: &Self) -> bool {
        self.group == other.group && self.name == other.name
    }
}

/// The programs of one event, in their order; `Hotplug` is one of OpenWrt's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Own,
    Any,
    Hotplug,
    HotplugKeepalived,
}

const STEPS: [Step; 4] = [Step::Own, Step::Any, Step::Hotplug, Step::HotplugKeepalived];

/// Something that was to be told, and how far that has come.
#[derive(Debug)]
pub(super) struct Event<T> {
    pub(super) subject: Rc<Subject>,
    pub(super) word: Word,
    pub(super) priority: u8,
    pub(super) reason: &'static str,
    /// How many steps have begun.
    begun: u8,
    /// The program that runs.
    ticket: Option<T>,
}

impl<T> Event<T> {
    pub(super) fn new(
        subject: &Rc<Subject>,
        word: Word,
        priority: u8,
        reason: &'static str,
    ) -> Self {
        Self {
            subject: Rc::clone(subject),
            word,
            priority,
            reason,
            begun: 0,
            ticket: None,
        }
    }

    /// The step that runs, or ran last.
    pub(super) fn step(&self) -> Option<Step> {
        STEPS.get(usize::from(self.begun).wrapping_sub(1)).copied()
    }

    /// The program of this event alone, or the one of all.
    pub(super) fn program(&self, step: Step) -> Option<&Program> {
        match step {
            Step::Own => self.subject.program(self.word.hook()?),
            // No new state, as in keepalived.
            _ if self.word.hotplug().is_none() => None,
            _ => self.subject.program(Hook::Any),
        }
    }
}

/// All events that are not over.
pub(super) struct Queue<T> {
    events: Vec<Event<T>>,
    room: usize,
    running: usize,
    side_by_side: usize,
}

impl<T: Copy + PartialEq> Queue<T> {
    /// So many programs run side by side.
    pub(super) fn new(side_by_side: usize) -> Self {
        Self {
            events: Vec::new(),
            room: 0,
            running: 0,
            side_by_side,
        }
    }

    /// Makes room for so many events: at least two of each subject, one that has begun and the last,
    /// so that there is always another one to be left out.
    pub(super) fn make_room(&mut self, room: usize) {
        self.room = room;
        self.events.reserve(room.saturating_sub(self.events.len()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// One more. Returns what is left out for it: something older of a subject of which something
    /// newer waits.
    pub(super) fn push(&mut self, event: Event<T>) -> Option<Event<T>> {
        let full = self.events.len() >= self.room;
        let superseded = |other: &Event<T>| {
            let newer = u16::from(other.subject.is(&event.subject)) + other.subject.waiting.get();
            other.begun == 0 && newer > 1
        };
        let waits = |other: &Event<T>| other.begun == 0;
        let place = full.then(|| {
            let place = self.events.iter().position(superseded);
            place.or_else(|| self.events.iter().position(waits))
        });
        let dropped = place.flatten().map(|at| self.events.remove(at));
        if let Some(dropped) = &dropped {
            add(&dropped.subject.waiting, -1);
        }
        add(&event.subject.waiting, 1);
        self.events.push(event);
        dropped
    }

    /// The place of an event whose next step may begin: nothing runs for its subject, nor waits in
    /// front of it.
    pub(super) fn next(&self) -> Option<usize> {
        if self.running >= self.side_by_side {
            return None;
        }
        let first = |at: &usize| {
            let subject = &self.events[*at].subject;
            let mut before = self.events[..*at].iter();
            self.events[*at].ticket.is_none() && !before.any(|e| e.subject.is(subject))
        };
        (0..self.events.len()).find(first)
    }

    /// Begins the next step of the event at this place. None if that was the last: it is over then.
    pub(super) fn begin(&mut self, at: usize) -> Option<(&Event<T>, Step)> {
        let event = self.events.get_mut(at)?;
        if event.begun == 0 {
            add(&event.subject.waiting, -1);
        }
        event.begun += 1;
        if event.step().is_none() {
            self.events.remove(at);
            return None;
        }
        let event = &self.events[at];
        Some((event, event.step()?))
    }

    /// The step of the event at this place runs.
    pub(super) fn runs(&mut self, at: usize, ticket: T) {
        self.events[at].ticket = Some(ticket);
        self.running += 1;
    }

    /// The step of the event at this place could not begin, and is to be begun again.
    pub(super) fn again(&mut self, at: usize) {
        self.events[at].begun -= 1;
        if self.events[at].begun == 0 {
            add(&self.events[at].subject.waiting, 1);
        }
    }

    /// A program has ended: the event that it was for.
    pub(super) fn ended(&mut self, ticket: T) -> Option<&Event<T>> {
        let mut events = self.events.iter_mut();
        let event = events.find(|event| event.ticket == Some(ticket))?;
        event.ticket = None;
        self.running -= 1;
        Some(event)
    }
}

fn add(count: &Cell<u16>, change: i16) {
    count.set(count.get().saturating_add_signed(change));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(name: &str) -> Rc<Subject> {
        Rc::new(Subject::new(false, name, &Rc::from([])))
    }

    /// Runs all that may run; the ticket is the number of the event.
    fn start(queue: &mut Queue<u8>) -> Vec<(String, u8)> {
        let mut started = Vec::new();
        while let Some(at) = queue.next() {
            let Some((event, step)) = queue.begin(at) else {
                continue;
            };
            if step == Step::Own {
                let number = event.priority;
                started.push((event.subject.name.to_string(), number));
                queue.runs(at, number);
            }
        }
        started
    }

    fn push(queue: &mut Queue<u8>, of: &Rc<Subject>, number: u8) -> Option<u8> {
        let dropped = queue.push(Event::new(of, Word::Master, number, ""));
        dropped.map(|event| event.priority)
    }

    fn named(list: &[(&str, u8)]) -> Vec<(String, u8)> {
        list.iter().map(|(name, n)| ((*name).into(), *n)).collect()
    }

    #[test]
    fn one_subject_waits_for_its_own_program_and_others_do_not() {
        let (a, b) = (subject("a"), subject("b"));
        let mut queue = Queue::new(8);
        queue.make_room(8);
        for (of, number) in [(&a, 1), (&a, 2), (&b, 3), (&a, 4)] {
            assert_eq!(push(&mut queue, of, number), None);
        }
        assert_eq!(start(&mut queue), named(&[("a", 1), ("b", 3)]));
        assert_eq!(start(&mut queue), []);
        assert!(queue.ended(1).is_some() && queue.ended(1).is_none());
        assert_eq!(start(&mut queue), named(&[("a", 2)]));
        queue.ended(3);
        queue.ended(2);
        assert_eq!(start(&mut queue), named(&[("a", 4)]));
        queue.ended(4);
        assert_eq!(start(&mut queue), []);
        assert!(queue.is_empty());
    }

    #[test]
    fn no_more_run_side_by_side_than_may() {
        let mut queue = Queue::new(2);
        queue.make_room(8);
        let all: Vec<_> = ["a", "b", "c"].into_iter().map(subject).collect();
        for (of, number) in all.iter().zip(1..) {
            push(&mut queue, of, number);
        }
        assert_eq!(start(&mut queue), named(&[("a", 1), ("b", 2)]));
        queue.ended(2);
        assert_eq!(start(&mut queue), named(&[("c", 3)]));
    }

    #[test]
    fn the_last_of_each_is_never_left_out() {
        let (a, b) = (subject("a"), subject("b"));
        let mut queue = Queue::new(8);
        queue.make_room(6);
        push(&mut queue, &b, 1);
        push(&mut queue, &a, 2);
        start(&mut queue);
        for number in 3..=5 {
            assert_eq!(push(&mut queue, &a, number), None);
        }
        assert_eq!(push(&mut queue, &b, 6), None);
        // Those of `a`, from the oldest that has not begun; never the one of `b`.
        assert_eq!(push(&mut queue, &a, 7), Some(3));
        assert_eq!(push(&mut queue, &a, 8), Some(4));
        assert_eq!(push(&mut queue, &b, 9), Some(5));
        assert_eq!(push(&mut queue, &b, 10), Some(6));
        let mut told = Vec::new();
        for ended in [1, 2, 7, 8, 9, 10] {
            queue.ended(ended);
            told.extend(start(&mut queue));
        }
        assert_eq!(told, named(&[("b", 9), ("a", 7), ("a", 8), ("b", 10)]));
        assert!(queue.is_empty());
    }

    #[test]
    fn what_could_not_begin_begins_again() {
        let a = subject("a");
        let mut queue: Queue<u8> = Queue::new(8);
        queue.make_room(4);
        push(&mut queue, &a, 1);
        let at = queue.next().expect("it may begin");
        assert!(queue.begin(at).is_some());
        queue.again(at);
        assert_eq!(start(&mut queue), named(&[("a", 1)]));
        assert_eq!(a.waiting.get(), 0);
    }
}
