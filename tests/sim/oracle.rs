//! A second, plain reading of RFC 9568 §6.4 beside each real instance: when it may take over, to
//! whom it has to give way, how often it has to advertise. It shares no code with the core.

use std::net::IpAddr;

use vipd::limits;
use vipd::time::{Duration, Instant};
use vipd::vrrp::types::{PRIORITY_OWNER, Settings, State, Version};

pub struct Oracle {
    settings: Settings,
    source: IpAddr,
    pub state: State,
    /// When the Active_Down_Timer has to fire.
    pub deadline: Instant,
    preempt_at: Option<Instant>,
    /// Active_Adver_Interval.
    interval: Duration,
    /// A Backup that does not preempt: the Active whose priority has fallen below ours.
    fallen: Option<(IpAddr, u8)>,
    /// The last priority of each router, and when it was heard; as many as the core remembers.
    priorities: Vec<(Instant, IpAddr, u8)>,
    /// The last two adverts sent as this Active.
    sent: [Option<Instant>; 2],
}

/// An advert as the wire has it.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    pub source: IpAddr,
    pub priority: u8,
    pub interval: Duration,
}

impl Oracle {
    pub fn new(settings: Settings, source: IpAddr) -> Self {
        Self {
            interval: settings.advert_interval,
            settings,
            source,
            state: State::Initialize,
            deadline: Instant::NEVER,
            preempt_at: None,
            fallen: None,
            priorities: Vec::new(),
            sent: [None; 2],
        }
    }

    pub fn skew(&self, interval: Duration) -> Duration {
        let unit = match self.settings.version {
            Version::V2 => 1_000_000,
            Version::V3 => interval.as_micros(),
        };
        Duration::from_micros(unit * (256 - u64::from(self.settings.priority)) / 256)
    }

    pub fn down(&self, interval: Duration) -> Duration {
        let adverts = u64::from(self.settings.down_timer_adverts);
        Duration::from_micros(adverts * interval.as_micros()) + self.skew(interval)
    }

    fn preempts(&self) -> bool {
        self.settings.preempt || self.settings.priority == PRIORITY_OWNER
    }

    /// True if it must not leave this Active alone for ever.
    pub fn must_replace(&self, priority: u8) -> bool {
        self.preempts() && self.settings.priority > priority
    }

    /// An advert that passed the ladder.
    pub fn heard(&mut self, heard: Heard, now: Instant) {
        let fell = self.fell(&heard, now);
        match self.state {
            State::Initialize => {}
            State::Backup => self.heard_as_backup(heard, fell, now),
            State::Active if self.outranked_by(&heard) => self.follow_as_new_backup(heard, now),
            State::Active => {}
        }
    }

    /// `nopreempt` protects an Active that works, not one whose priority falls.
    fn fell(&mut self, heard: &Heard, now: Instant) -> bool {
        let place = self
            .priorities
            .iter()
            .position(|(_, by, _)| *by == heard.source);
        let before = place.map(|place| self.priorities.remove(place).2);
        if self.priorities.len() == limits::SPEAKERS {
            self.priorities.sort_unstable();
            self.priorities.remove(0);
        }
        self.priorities.push((now, heard.source, heard.priority));
        let still = |(by, priority)| by == heard.source && priority >= heard.priority;
        before.is_some_and(|before| before > heard.priority) || self.fallen.is_some_and(still)
    }

    fn heard_as_backup(&mut self, heard: Heard, fell: bool, now: Instant) {
        let lower = heard.priority < self.settings.priority;
        self.fallen =
            (lower && fell && heard.priority > 0).then_some((heard.source, heard.priority));
        if heard.priority == 0 {
            self.deadline = self.deadline.min(now + self.skew(self.interval));
        } else if !lower || !self.preempts() && !fell {
            self.preempt_at = None;
            self.follow(heard, now);
        } else if !self.settings.preempt_delay.is_zero() {
            // A delay delays: it never ends before the Active_Down_Timer would have.
            let end = (now + self.settings.preempt_delay).max(self.deadline);
            let end = *self.preempt_at.get_or_insert(end);
            if now < end {
                self.follow(heard, now);
                self.deadline = self.deadline.min(end);
            }
        }
    }

    fn outranked_by(&self, heard: &Heard) -> bool {
        heard.priority > self.settings.priority
            || heard.priority == self.settings.priority && heard.source > self.source
    }

    fn follow(&mut self, heard: Heard, now: Instant) {
        if self.settings.version == Version::V3 {
            self.interval = heard.interval;
        }
        self.deadline = now + self.down(self.interval);
    }

    /// It gave way to this advert.
    pub fn follow_as_new_backup(&mut self, heard: Heard, now: Instant) {
        self.enter_backup(now);
        self.follow(heard, now);
    }

    fn enter_backup(&mut self, now: Instant) {
        self.state = State::Backup;
        self.preempt_at = None;
        self.fallen = None;
        self.interval = self.settings.advert_interval;
        self.deadline = now + self.down(self.interval);
    }

    /// A Startup event happened.
    pub fn startup(&mut self, now: Instant) {
        if self.settings.priority == PRIORITY_OWNER {
            self.enter_active();
        } else {
            self.enter_backup(now);
        }
    }

    pub fn enter_active(&mut self) {
        self.state = State::Active;
        self.deadline = Instant::NEVER;
    }

    pub fn enter_initialize(&mut self) {
        self.state = State::Initialize;
        self.deadline = Instant::NEVER;
        self.sent = [None; 2];
    }

    /// An advert went out; what is wrong with its time, if something is.
    pub fn sent(&mut self, now: Instant, woke: Instant) -> Result<(), String> {
        let own = self.settings.advert_interval;
        let [last, before] = self.sent;
        self.sent = [Some(now), last];
        if self.state != State::Active {
            // The first one of a new Active.
            self.sent = [Some(now), None];
            return Ok(());
        }
        if let Some(before) = before.filter(|b| *b > woke && now.since(*b) < own) {
            return Err(format!(
                "the third advert in {}, less than its interval {own}",
                now.since(before)
            ));
        }
        self.quiet_for(now, woke)?;
        match last.filter(|last| *last >= woke && now.since(*last) > own) {
            Some(last) => Err(format!(
                "an advert after {}, its interval is {own}",
                now.since(last)
            )),
            None => Ok(()),
        }
    }

    /// What is wrong with doing nothing up to now, if something is.
    pub fn quiet_for(&self, now: Instant, woke: Instant) -> Result<(), String> {
        if self.deadline < now && woke < now {
            return Err(format!(
                "no takeover, which was due {} ago",
                now.since(self.deadline)
            ));
        }
        let own = self.settings.advert_interval;
        let mute = |last: &Instant| *last >= woke && now.since(*last) > own;
        match self.sent[0].filter(|last| self.state == State::Active && mute(last)) {
            Some(last) => Err(format!("Active and mute for {}", now.since(last))),
            None => Ok(()),
        }
    }
}
