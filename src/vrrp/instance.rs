//! One virtual router: the state machine of RFC 9568 §6.4 and RFC 3768 §6.4.
//!
//! ```text
//!                      +---------------+
//!           +--------->|               |<-------------+
//!           |          |  Initialize   |              |
//!           |   +------|               |----------+   |
//!           |   |      +---------------+          |   |
//!           |   |                                 |   |
//!           |   V                                 V   |
//!   +---------------+                       +---------------+
//!   |               |---------------------->|               |
//!   |    Active     |                       |    Backup     |
//!   |               |<----------------------|               |
//!   +---------------+                       +---------------+
//! ```

mod member;
mod reconfigure;
mod view;
mod weigh;

use alloc::rc::Rc;
use core::net::IpAddr;

use super::action::{Action, Actions, Change, Hold, Id, Reason, Unresolved};
use super::counters::Counters;
use super::speakers::{Speaker, Speakers};
use super::timers;
use super::track::Reading;
use super::trial::Trial;
use super::types::{Family, PRIORITY_OWNER, PRIORITY_RELEASE, Settings, Version};
use super::upkeep::Upkeep;
use super::validate::Advert;
use crate::limits;
use crate::time::{Duration, Instant};

pub(super) use member::Standing;

/// What the kernel says about an instance's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Nothing yet.
    Unknown,
    /// It is not known which device it is.
    Unresolved(Unresolved),
    /// There is no such interface.
    Absent,
    /// It is down or has no carrier.
    Down,
    /// It is a port of the bridge with this index.
    BridgePort(u32),
    /// It is up, but no socket for adverts could be opened: who hears nobody must not be Active.
    Deaf,
    /// It is up, but the interface for the virtual MAC address could not be made on it.
    NoMacvlan,
    /// It is up, but no interface has this address, which adverts are to be sent from.
    NoSource(IpAddr),
    /// It is up, and this is the address to send from, if it has one.
    Up(Option<IpAddr>),
}

/// What happens to an instance besides adverts and timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The interface or its addresses changed.
    Link(LinkState),
    /// Somebody else removed a virtual address while we are Active.
    AddressLost,
    /// It is to stop soon: an Active goes on as it is until [`Event::Shutdown`], so that what must be
    /// done before the addresses go can be done; who is not Active, or is no longer, stops.
    Leave,
    /// The daemon stops, or the instance has gone from the configuration.
    Shutdown,
    /// What the sync group wants.
    Group(Order),
}

/// What a sync group wants of a member; each names the member whose doing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Stay in Initialize.
    Hold(Id),
    /// The group holds it no longer.
    Release,
    /// Give way with the others.
    Backup(Id),
    /// Take over with the others.
    Active(Id),
}

/// A state with the timers that run in it (RFC 9568 §6.2).
#[derive(Debug)]
enum Machine {
    Initialize(Hold),
    Backup(Backup),
    Active(Active),
}

#[derive(Debug)]
struct Backup {
    /// Active_Down_Timer; `NEVER` once it has run out and the sync group is waited for.
    active_down_at: Instant,
    /// The end of preempt_delay, once a lower-priority Active was heard.
    preempt_at: Instant,
    /// What the Active Router said last.
    last: Last,
}

/// What a Backup knows of the Active Router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Nothing,
    Followed(IpAddr),
    Released(IpAddr),
    Lower(IpAddr, u8),
}

#[derive(Debug)]
struct Active {
    /// Adver_Timer.
    adver_at: Instant,
    /// An advert out of turn is allowed from here on, so that a flood is not amplified.
    assert_at: Instant,
    upkeep: Upkeep,
}

/// An instance's part in a sync group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Membership {
    /// It is in one.
    member: bool,
    /// It is the group's first.
    first: bool,
    /// It is the first, and has given way with the others: when it hears until then that it had to, it
    /// waits longer.
    hesitates_until: Instant,
    /// The member that holds it in Initialize; itself, until the group has been looked at.
    held_by: Option<Id>,
}

/// One virtual router.
#[derive(Debug)]
pub struct Instance {
    pub(super) id: Id,
    settings: Rc<Settings>,
    /// What the trackers of the settings see, in their order.
    readings: Box<[Reading]>,
    /// What it knows of those that are seen through an uplink.
    trial: Option<Box<Trial>>,
    /// The priority that counts: the configured one and the weights.
    effective: u8,
    link: LinkState,
    startup_at: Instant,
    /// It is not to become Active any more.
    leaving: bool,
    stopped: bool,
    membership: Membership,
    machine: Machine,
    /// Active_Adver_Interval: learned from the Active Router in v3, our own until then.
    active_adver_interval: Duration,
    since: Instant,
    reason: Reason,
    speakers: Speakers,
    /// What it has sent, heard and dropped.
    pub(super) counters: Counters,
}

impl Instance {
    /// An instance in Initialize, which may start at `startup_at` at the earliest.
    pub fn new(id: Id, settings: Rc<Settings>, startup_at: Instant, now: Instant) -> Self {
        Self {
            id,
            active_adver_interval: settings.advert_interval,
            readings: vec![Reading::Unknown; settings.trackers.len()].into(),
            trial: Trial::of(&settings.trackers, false, now),
            effective: settings.priority,
            settings,
            link: LinkState::Unknown,
            startup_at,
            leaving: false,
            stopped: false,
            membership: Membership::NONE,
            machine: Machine::Initialize(Hold::Starting),
            since: now,
            reason: Reason::Held(Hold::Starting),
            speakers: Speakers::default(),
            counters: Counters::default(),
        }
    }

    /// When [`Instance::on_timer`] wants to be called.
    pub fn poll_at(&self) -> Instant {
        let own = match &self.machine {
            Machine::Initialize(Hold::StartupDelay) => self.startup_at,
            Machine::Initialize(_) => Instant::NEVER,
            Machine::Backup(backup) => backup.active_down_at,
            Machine::Active(active) => active.adver_at.min(active.upkeep.poll_at()),
        };
        match &self.trial {
            Some(trial) => own.min(trial.at),
            None => own,
        }
    }

    /// A timer may have fired.
    pub fn on_timer(&mut self, now: Instant, out: &mut Actions) {
        if self.trial.as_ref().is_some_and(|trial| now >= trial.at) {
            // What else is due comes with the next call.
            self.judge(now);
            self.weigh(now, out);
            return self.settle(now, out);
        }
        match &mut self.machine {
            Machine::Initialize(_) => self.settle(now, out),
            Machine::Backup(backup) if now >= backup.active_down_at => {
                if self.membership.member {
                    backup.active_down_at = Instant::NEVER;
                    return;
                }
                let reason = self.takeover_reason(now);
                self.become_active(reason, now, out);
            }
            Machine::Backup(_) => {}
            Machine::Active(active) => {
                if now >= active.adver_at {
                    active.adver_at =
                        next_on_grid(active.adver_at, self.settings.advert_interval, now);
                    self.counters.sent += 1;
                    push(out, Action::Advert(self.id, self.effective));
                }
                active
                    .upkeep
                    .on_timer(self.id, &self.settings.announce, now, out);
            }
        }
    }

    /// Something else than an advert or a timer.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Actions) {
        match event {
            Event::Link(link) => self.link = link,
            Event::Leave => self.leaving = true,
            Event::Shutdown => self.stopped = true,
            Event::Group(order) => return self.obey(order, now, out),
            Event::AddressLost => {
                if let Machine::Active(active) = &mut self.machine {
                    self.counters.addresses_lost += 1;
                    active.upkeep.address_lost(self.id, now, out);
                }
            }
        }
        self.settle(now, out);
    }

    /// An advert that the ladder let through (RFC 9568 §6.4.2 and §6.4.3).
    pub fn on_advert(&mut self, advert: &Advert<'_>, now: Instant, out: &mut Actions) {
        self.counters.received += 1;
        if advert.priority == PRIORITY_RELEASE {
            self.counters.priority_zero_received += 1;
        }
        let fell = !self.settings.preempt && self.has_fallen(advert);
        self.speakers.heard(advert, now);
        match &mut self.machine {
            Machine::Initialize(_) => {}
            Machine::Backup(_) => self.advert_as_backup(advert, fell, now),
            Machine::Active(_) => self.advert_as_active(advert, now, out),
        }
        if self.leaving {
            self.settle(now, out);
        }
    }

    /// Its sender's priority was higher before: something there has failed since. `nopreempt` is for
    /// an Active that works, so one that has fallen below us is replaced all the same, unless it
    /// recovers before the Active_Down_Timer has run out.
    fn has_fallen(&self, advert: &Advert<'_>) -> bool {
        let before = self.speakers.get(&advert.source).map(|s| s.priority);
        let since = match &self.machine {
            Machine::Backup(Backup {
                last: Last::Lower(by, priority),
                ..
            }) => *by == advert.source && *priority >= advert.priority,
            _ => false,
        };
        since || before.is_some_and(|before| before > advert.priority)
    }

    fn advert_as_backup(&mut self, advert: &Advert<'_>, fell: bool, now: Instant) {
        let Machine::Backup(backup) = &mut self.machine else {
            return;
        };
        if advert.priority == PRIORITY_RELEASE {
            // §6.4.2: set the Active_Down_Timer to Skew_Time. A second release does not push it out.
            let skew = timers::skew_time(
                self.settings.version,
                self.effective,
                self.active_adver_interval,
            );
            backup.active_down_at = backup.active_down_at.min(now + skew);
            backup.last = Last::Released(advert.source);
            return;
        }
        // The owner always preempts (RFC 9568 §6.1, Preempt_Mode).
        let preempt = self.settings.preempt || self.effective == PRIORITY_OWNER;
        if advert.priority >= self.effective || !preempt && !fell {
            // §6.4.2: believe it, learn its interval, start again.
            backup.last = Last::Followed(advert.source);
            backup.preempt_at = Instant::NEVER;
            self.follow(advert, now);
            self.hesitate(advert, now);
            return;
        }
        // §6.4.2: discard, so that the timer runs out; with preempt_delay, not before it is over.
        backup.last = Last::Lower(advert.source, advert.priority);
        if backup.preempt_at == Instant::NEVER && !self.settings.preempt_delay.is_zero() {
            // Never before the timer that runs: a straggler of a router that has just given way must
            // not bring the takeover of a live Active forward.
            let end = now + self.settings.preempt_delay;
            backup.preempt_at = match backup.active_down_at {
                Instant::NEVER => end,
                runs => end.max(runs),
            };
        }
        if backup.preempt_at != Instant::NEVER && now < backup.preempt_at {
            self.follow(advert, now);
        }
    }

    /// Learns the interval (v3) and restarts the Active_Down_Timer.
    fn follow(&mut self, advert: &Advert<'_>, now: Instant) {
        self.active_adver_interval = match self.settings.version {
            Version::V2 => self.settings.advert_interval,
            Version::V3 => advert.interval,
        };
        let down = self.active_down_interval(self.active_adver_interval);
        if let Machine::Backup(backup) = &mut self.machine {
            backup.active_down_at = (now + down).min(backup.preempt_at);
        }
    }

    fn advert_as_active(&mut self, advert: &Advert<'_>, now: Instant, out: &mut Actions) {
        let Machine::Active(active) = &mut self.machine else {
            return;
        };
        if advert.priority == PRIORITY_RELEASE {
            // §6.4.3: send an advert and reset the Adver_Timer.
            if now >= active.assert_at {
                active.assert_at = now + self.settings.advert_interval;
                active.adver_at = now + self.settings.advert_interval;
                self.counters.sent += 1;
                push(out, Action::Advert(self.id, self.effective));
            }
            return;
        }
        if let Some(reason) = self.yields_to(advert, now) {
            push(out, Action::RemoveAddresses(self.id));
            self.become_backup(reason, now, out);
            if let Machine::Backup(backup) = &mut self.machine {
                backup.last = Last::Followed(advert.source);
            }
            self.follow(advert, now);
            self.give_way(now);
            self.hesitate(advert, now);
            return;
        }
        // §6.4.3: discard, and assert the Active state at once; the other side may have poisoned
        // the hosts' caches. The Adver_Timer keeps its grid.
        let Machine::Active(active) = &mut self.machine else {
            return;
        };
        if now >= active.assert_at {
            active.assert_at = now + self.settings.advert_interval;
            self.counters.sent += 1;
            push(out, Action::Advert(self.id, self.effective));
            push(out, Action::LowerPriority(self.id));
            active
                .upkeep
                .lower_priority_heard(self.id, &self.settings.announce, now, out);
        }
    }

    /// Why an Active gives way to this advert, if it does (RFC 9568 §6.4.3).
    fn yields_to(&self, advert: &Advert<'_>, now: Instant) -> Option<Reason> {
        let by = advert.source;
        let Machine::Active(active) = &self.machine else {
            return None;
        };
        if advert.priority > self.effective {
            return Some(Reason::HigherPriority {
                by,
                priority: advert.priority,
            });
        }
        if advert.priority == self.effective && self.source().is_some_and(|own| by > own) {
            return Some(Reason::HigherAddress { by });
        }
        // A machine that slept through Active_Down_Interval is not Active any more: the other
        // router did what the RFC asks of it. The owner is never a Backup.
        let late = now.since(active.adver_at);
        let down = self.active_down_interval(self.settings.advert_interval);
        (late >= down && self.effective != PRIORITY_OWNER).then_some(Reason::Stalled { by, late })
    }

    /// Moves into or out of Initialize, as link, delay and operator demand.
    fn settle(&mut self, now: Instant, out: &mut Actions) {
        let own = self.hold_of_its_own(now);
        if own.is_some() && self.membership.member {
            // When that is over, the group decides.
            self.membership.held_by = Some(self.id);
        }
        let hold = own.or(self.membership.held_by.map(Hold::Group));
        match (hold, &self.machine) {
            (None, Machine::Initialize(_)) => self.startup(now, out),
            (None, _) => {}
            (Some(hold), Machine::Initialize(old)) if hold == *old => {}
            (Some(hold), _) => self.leave(hold, now, out),
        }
    }

    fn hold_of_its_own(&self, now: Instant) -> Option<Hold> {
        if self.stopped || self.leaving && !matches!(self.machine, Machine::Active(_)) {
            return Some(Hold::Stopped);
        }
        match self.link {
            LinkState::Unknown => Some(Hold::Starting),
            LinkState::Unresolved(why) => Some(Hold::Unresolved(why)),
            LinkState::Absent => Some(Hold::LinkAbsent),
            LinkState::Down => Some(Hold::LinkDown),
            LinkState::BridgePort(bridge) => Some(Hold::BridgePort(bridge)),
            LinkState::Deaf => Some(Hold::Deaf),
            LinkState::NoMacvlan => Some(Hold::NoMacvlan),
            LinkState::NoSource(source) => Some(Hold::NoSource(source)),
            LinkState::Up(None) => Some(match self.settings.family {
                Family::V4 => Hold::NoAddress,
                Family::V6 => Hold::NoLinkLocal,
            }),
            LinkState::Up(Some(_)) if self.has_no_peer() => Some(Hold::NoPeer),
            LinkState::Up(Some(_)) if now < self.startup_at => Some(Hold::StartupDelay),
            LinkState::Up(Some(_)) => self.hold_of_a_tracker(),
        }
    }

    fn has_no_peer(&self) -> bool {
        let unicast = self.settings.unicast.as_deref();
        unicast.is_some_and(|unicast| unicast.peers.is_empty())
    }

    /// §6.4.1: a Startup event.
    fn startup(&mut self, now: Instant, out: &mut Actions) {
        if self.effective == PRIORITY_OWNER && !self.membership.member {
            return self.become_active(Reason::Owner, now, out);
        }
        self.become_backup(Reason::Ready, now, out);
        if let Machine::Backup(backup) = &mut self.machine
            && self.effective == PRIORITY_OWNER
        {
            backup.active_down_at = Instant::NEVER;
        }
    }

    fn active_down_interval(&self, active_adver_interval: Duration) -> Duration {
        timers::active_down_interval(&self.settings, self.effective, active_adver_interval)
    }

    fn become_backup(&mut self, reason: Reason, now: Instant, out: &mut Actions) {
        self.active_adver_interval = self.settings.advert_interval;
        let down = self.active_down_interval(self.active_adver_interval);
        self.enter(
            Machine::Backup(Backup {
                active_down_at: now + down,
                preempt_at: Instant::NEVER,
                last: Last::Nothing,
            }),
            reason,
            now,
            out,
        );
    }

    /// The order is the contract: advert, address, announcement.
    fn become_active(&mut self, reason: Reason, now: Instant, out: &mut Actions) {
        self.counters.became_active += 1;
        self.counters.sent += 1;
        push(out, Action::Advert(self.id, self.effective));
        push(out, Action::AddAddresses(self.id));
        push(
            out,
            Action::Announce(self.id, self.settings.announce.master_repeat),
        );
        let machine = Machine::Active(Active {
            adver_at: now + self.settings.advert_interval,
            assert_at: now,
            upkeep: Upkeep::new(&self.settings.announce, now),
        });
        self.enter(machine, reason, now, out);
    }

    /// To Initialize. Leaving on purpose: the priority 0 advert and the removal back to back.
    fn leave(&mut self, hold: Hold, now: Instant, out: &mut Actions) {
        if let Machine::Active(_) = self.machine {
            // Without a link nobody would hear it.
            if matches!(hold, Hold::Stopped | Hold::Tracker(_) | Hold::Group(_)) {
                self.counters.priority_zero_sent += 1;
                push(out, Action::Advert(self.id, PRIORITY_RELEASE));
            }
            push(out, Action::RemoveAddresses(self.id));
        }
        self.enter(Machine::Initialize(hold), Reason::Held(hold), now, out);
    }

    fn enter(&mut self, machine: Machine, reason: Reason, now: Instant, out: &mut Actions) {
        if let Machine::Initialize(Hold::Group(by)) = machine
            && by == self.id
        {
            // It could run, and waits for the group to be looked at: no news.
            self.machine = machine;
            return;
        }
        let from = self.state();
        self.machine = machine;
        let is_active = matches!(self.machine, Machine::Active(_));
        if let Some(trial) = &mut self.trial {
            trial.turn(is_active, now);
        }
        self.since = now;
        self.reason = reason;
        let change = Change {
            from,
            to: self.state(),
            reason,
        };
        push(out, Action::StateChanged(self.id, change));
    }

    fn takeover_reason(&self, now: Instant) -> Reason {
        let Machine::Backup(backup) = &self.machine else {
            return self.reason;
        };
        // A lower-priority Active that dies before preempt_delay is over was not preempted.
        let tolerated = backup.preempt_at != Instant::NEVER && now < backup.preempt_at;
        match backup.last {
            Last::Nothing => Reason::Silence {
                last: None,
                waited: now.since(self.since),
            },
            Last::Followed(last) => self.silence_of(last, now),
            Last::Lower(last, _) if tolerated => self.silence_of(last, now),
            Last::Released(by) => Reason::Released { by },
            Last::Lower(by, priority) => Reason::Preempted { by, priority },
        }
    }

    fn silence_of(&self, last: IpAddr, now: Instant) -> Reason {
        let heard = self.speakers.get(&last).map(|s| s.last_heard);
        Reason::Silence {
            last: Some(last),
            waited: now.since(heard.unwrap_or(self.since)),
        }
    }

    /// True if the speaker's list of addresses is to be compared with ours: at each advert, or
    /// with `skip_check_adv_addr` at its first.
    pub(super) fn wants_comparison(&mut self, source: &IpAddr) -> bool {
        let first = || self.speakers.get(source).is_some_and(Speaker::is_new);
        !self.settings.skip_check_adv_addr || first()
    }
}

/// The next deadline on the grid of `deadline` that is still to come: adverts that were missed are
/// not made up for, and a machine that is late now and then does not drift.
fn next_on_grid(deadline: Instant, interval: Duration, now: Instant) -> Instant {
    let next = deadline + interval;
    if now < next {
        return next;
    }
    let missed = now.since(deadline).as_micros() / interval.as_micros().max(1);
    deadline + interval.times(missed + 1)
}

/// One input never yields more than [`limits::ACTIONS`] actions; the tests assert it.
#[inline(never)]
pub(super) fn push(out: &mut Actions, action: Action) {
    let full = out.push(action).is_err();
    debug_assert!(!full, "more than {} actions of one input", limits::ACTIONS);
}
