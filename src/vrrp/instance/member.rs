//! A virtual router's part in its sync group: see [`group`](crate::vrrp::group).

use super::super::action::{Action, Actions, Hold, Id, Reason};
use super::super::validate::Advert;
use super::{Backup, Instance, Last, Machine, Membership, Order, push};
use crate::time::Instant;

/// What the rest of its sync group wants to know of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vrrp) enum Standing {
    /// In Initialize, for a reason of its own.
    Faulty,
    /// In Initialize because of this member.
    Held(Id),
    /// Backup.
    Backup,
    /// Backup, and its Active_Down_Timer has run out.
    Waits {
        /// After a priority 0 advert.
        released: bool,
    },
    /// Active.
    Active,
}

impl Membership {
    /// In no group.
    pub(super) const NONE: Self = Self {
        member: false,
        first: false,
        hesitates_until: Instant::ZERO,
        held_by: None,
    };
}

impl Instance {
    pub(in crate::vrrp) fn is_member(&self) -> bool {
        self.membership.member
    }

    /// It is in no sync group.
    pub(in crate::vrrp) fn ungroup(&mut self) {
        self.membership.member = false;
        self.membership.first = false;
    }

    /// It is in a sync group, which has not been looked at yet.
    pub(in crate::vrrp) fn join_group(&mut self, first: bool) {
        let held = matches!(self.machine, Machine::Initialize(_));
        self.membership = Membership {
            member: true,
            first,
            hesitates_until: Instant::ZERO,
            held_by: held.then_some(self.id),
        };
        if let Machine::Initialize(hold @ Hold::Group(_)) = &mut self.machine {
            *hold = Hold::Group(self.id);
        }
    }

    pub(in crate::vrrp) fn standing(&self) -> Standing {
        match &self.machine {
            Machine::Initialize(Hold::Group(by)) => Standing::Held(*by),
            Machine::Initialize(_) => Standing::Faulty,
            Machine::Active(_) => Standing::Active,
            Machine::Backup(Backup {
                active_down_at: Instant::NEVER,
                last,
                ..
            }) => Standing::Waits {
                released: matches!(last, Last::Released(_)),
            },
            Machine::Backup(_) => Standing::Backup,
        }
    }

    /// What the group wants.
    pub(super) fn obey(&mut self, order: Order, now: Instant, out: &mut Actions) {
        match (order, &self.machine) {
            (Order::Hold(by), _) => self.membership.held_by = Some(by),
            (Order::Release, _) => self.membership.held_by = None,
            (Order::Backup(by), Machine::Active(_)) => {
                push(out, Action::RemoveAddresses(self.id));
                self.become_backup(Reason::Group(by), now, out);
                self.give_way(now);
            }
            (Order::Active(by), Machine::Backup(_)) => {
                let reason = match self.standing() {
                    Standing::Waits { .. } => self.takeover_reason(now),
                    _ => Reason::Group(by),
                };
                self.become_active(reason, now, out);
            }
            (Order::Backup(_) | Order::Active(_), _) => {}
        }
        self.settle(now, out);
    }

    /// The group has given way.
    pub(super) fn give_way(&mut self, now: Instant) {
        if self.membership.first {
            self.membership.hesitates_until = now + self.settings.advert_interval;
        }
    }

    /// The first member of a group that has given way lets a better one go first, which it hears on its
    /// segment while both give way.
    pub(super) fn hesitate(&mut self, advert: &Advert<'_>, now: Instant) {
        let rank = (self.effective, self.source());
        let outranked = (advert.priority, Some(advert.source)) > rank;
        if now < self.membership.hesitates_until
            && outranked
            && let Machine::Backup(backup) = &mut self.machine
        {
            backup.active_down_at += self.settings.advert_interval;
        }
    }
}
