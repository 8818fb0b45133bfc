//! New parameters for a virtual router that runs: what a reload changes, and what it leaves alone.

use alloc::rc::Rc;

use super::super::action::{Action, Actions, Reason};
use super::super::types::{PRIORITY_OWNER, Settings, Version};
use super::{Instance, Machine, push};
use crate::time::Instant;

impl Instance {
    /// New parameters for the same virtual router. State and
    /// counters stay; what the other routers must know is advertised at once.
    pub(in crate::vrrp) fn reconfigure(
        &mut self,
        settings: Rc<Settings>,
        now: Instant,
        out: &mut Actions,
    ) {
        if core::mem::take(&mut self.leaving) {
            // It is wanted again.
            self.settle(now, out);
        }
        if self.settings == settings {
            return;
        }
        let old = core::mem::replace(&mut self.settings, settings);
        let before = self.carry_readings_over(&old, now);
        if self.settings.version == Version::V2 || old.version == Version::V2 {
            self.active_adver_interval = self.settings.advert_interval;
        }
        let (new, moved) = (&self.settings, before != self.effective);
        let down = self.active_down_interval(self.active_adver_interval);
        match &mut self.machine {
            Machine::Initialize(_) => {}
            Machine::Backup(backup) if new.priority == PRIORITY_OWNER => {
                backup.active_down_at = Instant::NEVER;
                if !self.membership.member {
                    self.become_active(Reason::Owner, now, out);
                }
            }
            Machine::Backup(backup) => {
                if moved || down_parameters(new) != down_parameters(&old) {
                    backup.active_down_at = (now + down).min(backup.preempt_at);
                }
            }
            Machine::Active(active) => {
                active.upkeep.reconfigure(&new.announce, &old.announce, now);
                if moved || on_the_wire(new) != on_the_wire(&old) {
                    // A longer interval must be known before the old one is over.
                    active.adver_at = now + new.advert_interval;
                    self.counters.sent += 1;
                    push(out, Action::Advert(self.id, self.effective));
                }
            }
        }
        // Unicast may have lost its last peer, or got its first.
        self.settle(now, out);
    }
}

/// What Active_Down_Interval depends on.
fn down_parameters(settings: &Settings) -> impl PartialEq {
    (
        settings.version,
        settings.advert_interval,
        settings.down_timer_adverts,
    )
}

/// What the other routers see of the parameters.
fn on_the_wire(settings: &Settings) -> impl PartialEq + '_ {
    (
        settings.version,
        settings.advert_interval,
        settings.auth,
        settings.checksum,
        &settings.addresses,
        &settings.unicast,
    )
}
