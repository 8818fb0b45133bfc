//! What an Active does besides advertising: announce again, and put back what was taken away.

use super::action::{Action, Actions, Id};
use super::instance::push;
use super::types::Announce;
use crate::limits;
use crate::time::{Duration, Instant};

/// The deadlines of the announcements and of the restoration of lost addresses.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// The second round, `master_delay` after becoming Active.
    second_at: Instant,
    /// The next refresh.
    refresh_at: Instant,
    /// The second round after a lower-priority Active was heard.
    lower_at: Instant,
    restore: Restore,
}

/// Restoration at once, and with growing gaps when somebody fights us.
#[derive(Debug)]
struct Restore {
    at: Instant,
    last: Instant,
    /// From one restoration to the next; zero before the first.
    gap: Duration,
}

impl Upkeep {
    /// The announcement at once is the caller's.
    pub(super) fn new(announce: &Announce, now: Instant) -> Self {
        Self {
            second_at: after(now, announce.master_delay),
            refresh_at: after(now, announce.master_refresh),
            lower_at: Instant::NEVER,
            restore: Restore {
                at: Instant::NEVER,
                last: Instant::ZERO,
                gap: Duration::ZERO,
            },
        }
    }

    /// A new refresh period starts now; rounds that are due already stay.
    pub(super) fn reconfigure(&mut self, new: &Announce, old: &Announce, now: Instant) {
        if new.master_refresh != old.master_refresh {
            self.refresh_at = after(now, new.master_refresh);
        }
    }

    pub(super) fn poll_at(&self) -> Instant {
        self.second_at
            .min(self.refresh_at)
            .min(self.lower_at)
            .min(self.restore.at)
    }

    pub(super) fn on_timer(
        &mut self,
        id: Id,
        announce: &Announce,
        now: Instant,
        out: &mut Actions,
    ) {
        if now >= self.restore.at {
            self.restore.now(id, now, out);
        }
        if now >= self.second_at {
            self.second_at = Instant::NEVER;
            push(out, Action::Announce(id, announce.master_repeat));
        }
        if now >= self.lower_at {
            self.lower_at = Instant::NEVER;
            push(out, Action::Announce(id, announce.lower_prio_repeat));
        }
        if now >= self.refresh_at {
            self.refresh_at = after(now, announce.master_refresh);
            push(out, Action::Announce(id, announce.master_refresh_repeat));
        }
    }

    /// Announces at once and once more after `lower_prio_delay`.
    pub(super) fn lower_priority_heard(
        &mut self,
        id: Id,
        announce: &Announce,
        now: Instant,
        out: &mut Actions,
    ) {
        if announce.lower_prio_repeat == 0 {
            return;
        }
        push(out, Action::Announce(id, announce.lower_prio_repeat));
        if self.lower_at == Instant::NEVER {
            self.lower_at = after(now, announce.lower_prio_delay);
        }
    }

    pub(super) fn address_lost(&mut self, id: Id, now: Instant, out: &mut Actions) {
        self.restore.lost(id, now, out);
    }
}

impl Restore {
    fn lost(&mut self, id: Id, now: Instant, out: &mut Actions) {
        if self.at != Instant::NEVER {
            return;
        }
        if now.since(self.last) > limits::RESTORE_GAP_MAX {
            self.gap = Duration::ZERO;
        }
        if now >= self.last + self.gap {
            self.now(id, now, out);
        } else {
            self.at = self.last + self.gap;
        }
    }

    fn now(&mut self, id: Id, now: Instant, out: &mut Actions) {
        self.at = Instant::NEVER;
        self.last = now;
        let longer = self.gap.times(2).max(limits::RESTORE_GAP_MIN);
        self.gap = longer.min(limits::RESTORE_GAP_MAX);
        push(out, Action::AddAddresses(id));
        push(out, Action::Announce(id, 1));
    }
}

/// `delay` from now; zero means never.
fn after(now: Instant, delay: Duration) -> Instant {
    if delay.is_zero() {
        Instant::NEVER
    } else {
        now + delay
    }
}
