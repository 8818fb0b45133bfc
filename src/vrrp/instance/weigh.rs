//! What a virtual router makes of its trackers: see [`track`](crate::vrrp::track).

use super::super::action::{Action, Actions, Hold};
use super::super::timers;
use super::super::track::{self, Reading, Tracker};
use super::super::trial::Trial;
use super::super::types::Settings;
use super::{Instance, Last, Machine, push};
use crate::time::Instant;

impl Instance {
    /// The trackers were read.
    pub(in crate::vrrp) fn track(
        &mut self,
        read: &dyn Fn(&Tracker) -> Reading,
        now: Instant,
        out: &mut Actions,
    ) {
        for (place, tracker) in self.settings.trackers.iter().enumerate() {
            match &mut self.trial {
                Some(trial) => trial.saw(place, read(tracker)),
                None => self.readings[place] = read(tracker),
            }
        }
        self.judge(now);
        self.weigh(now, out);
        self.settle(now, out);
    }

    /// What counts of what is seen, where that is not the same.
    pub(super) fn judge(&mut self, now: Instant) {
        let Some(trial) = &mut self.trial else { return };
        trial.at = Instant::NEVER;
        let readings = self.readings.iter_mut().zip(&self.settings.trackers);
        for (place, (reading, tracker)) in readings.enumerate() {
            *reading = trial.judge(place, tracker, now);
        }
    }

    /// A new effective priority is advertised at once; a second one within the interval by the next
    /// regular advert, so that something that flaps is not a flood.
    pub(super) fn weigh(&mut self, now: Instant, out: &mut Actions) {
        let before = self.effective;
        self.effective = self.weighted();
        if self.effective == before {
            return;
        }
        push(out, Action::PriorityChanged(self.id, before));
        let new = self.effective;
        match &mut self.machine {
            Machine::Initialize(_) => {}
            Machine::Backup(_) => self.shift_timer(before, now),
            Machine::Active(active) => {
                if now >= active.assert_at {
                    active.assert_at = now + self.settings.advert_interval;
                    self.counters.sent += 1;
                    push(out, Action::Advert(self.id, new));
                }
            }
        }
    }

    /// Skew_Time depends on the priority; the time that has passed already does not. A lower-priority
    /// Active that is none any more is followed again.
    fn shift_timer(&mut self, before: u8, now: Instant) {
        let interval = self.active_adver_interval;
        let skew = |priority| timers::skew_time(self.settings.version, priority, interval);
        let (old, new) = (skew(before), skew(self.effective));
        let down = self.active_down_interval(interval);
        let Machine::Backup(backup) = &mut self.machine else {
            return;
        };
        match backup.last {
            Last::Lower(by, priority) if priority >= self.effective => {
                backup.last = Last::Followed(by);
                backup.preempt_at = Instant::NEVER;
                backup.active_down_at = now + down;
            }
            _ if backup.active_down_at == Instant::NEVER => {}
            _ => {
                let shifted = (backup.active_down_at + new) - old;
                backup.active_down_at = shifted.min(backup.preempt_at);
            }
        }
    }

    /// The new effective priority; the old one as long as a reading is missing.
    fn weighted(&self) -> u8 {
        track::effective_priority(&self.settings, &self.readings).unwrap_or(self.effective)
    }

    /// Other settings: what is known of trackers that stay is kept. Returns the effective priority
    /// from before.
    pub(super) fn carry_readings_over(&mut self, old: &Settings, now: Instant) -> u8 {
        if self.settings.trackers != old.trackers {
            let is_active = matches!(self.machine, Machine::Active(_));
            self.trial = Trial::of(&self.settings.trackers, is_active, now);
        }
        let known = core::mem::take(&mut self.readings);
        let reading = |tracker: &Tracker| {
            let same = |other: &Tracker| other.what == tracker.what;
            let place = old.trackers.iter().position(same);
            place.map_or(Reading::Unknown, |place| known[place])
        };
        self.readings = self.settings.trackers.iter().map(reading).collect();
        let effective = self.weighted();
        core::mem::replace(&mut self.effective, effective)
    }

    /// An instance that does not run yet waits for its trackers to be read.
    pub(super) fn hold_of_a_tracker(&self) -> Option<Hold> {
        let fault = track::fault(&self.settings, &self.readings);
        let waits = matches!(self.machine, Machine::Initialize(_))
            && self.readings.contains(&Reading::Unknown);
        fault.map(Hold::Tracker).or(waits.then_some(Hold::Starting))
    }
}
