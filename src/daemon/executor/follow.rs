//! What follows the Active besides its addresses: DHCP and router advertisements.

use crate::time::Instant;
use crate::vrrp::action::Id;

use super::{Context, Executor};

impl Executor {
    /// Behind adverts, addresses and announcements: transitions first, then what is due.
    pub(super) fn follow(&mut self, context: &Context<'_>, now: Instant) {
        if self.followed != Some(self.state_changes) || now >= self.dhcp.poll_at() {
            self.followed = Some(self.state_changes);
            self.dhcp.tend(context, now);
            self.tend_ra(context, now);
        }
        if now >= self.ra.poll_at() {
            self.advertise(context, now);
        }
    }

    /// Something else than a transition asks for it.
    pub(in crate::daemon) fn follow_again(&mut self) {
        self.followed = None;
    }

    /// Another router has been Active beside this one.
    pub(super) fn contradicted(&mut self, id: Id) {
        if self.ra.contradicted(id) {
            self.follow_again();
        }
    }
}
