//! Announcements of the addresses: gratuitous ARPs and Neighbour Advertisements.

use core::net::IpAddr;

use crate::config::model::GarpMode;
use crate::frame::{self, GarpForm};
use crate::limits;
use crate::time::Instant;
use crate::vrrp::types::State;

use super::super::addresses::Entry;
use super::{Context, Executor};

impl Executor {
    /// Gratuitous ARPs and Neighbour Advertisements, round by round over all addresses that are owed
    /// some, bounded a wakeup.
    pub(super) fn announce(&mut self, now: Instant, context: &Context<'_>) {
        let gap = context.config.globals.garp_interval;
        let budget = if gap.is_zero() {
            limits::ANNOUNCEMENTS
        } else {
            1
        };
        let count = self.addresses.entries().len();
        let (mut sent, mut idle) = (0, 0);
        while sent < budget && idle < count {
            self.cursor = (self.cursor + 1) % count;
            if self.addresses.get_mut(self.cursor).owed == 0 {
                idle += 1;
                continue;
            }
            idle = 0;
            sent += 1;
            self.announce_one(self.cursor, context);
        }
        self.send_frames();
        let more = self.addresses.entries().iter().any(|e| e.owed > 0);
        self.announce_at = if more { now + gap } else { Instant::NEVER };
    }

    fn announce_one(&mut self, index: usize, context: &Context<'_>) {
        let entry = self.addresses.get_mut(index);
        entry.owed -= 1;
        let Entry {
            instance,
            link,
            address,
            ..
        } = *entry;
        // With a virtual MAC address, through the interface below: the macvlan may not be ready yet.
        let vmac = self.vmacs.at(link).map(|vmac| (vmac.base, vmac.mac));
        let kernel = context
            .links
            .get(vmac.map_or(link, |v| v.0))
            .kernel
            .as_ref();
        let Some(kernel) = kernel else {
            return;
        };
        let mac = vmac.map_or(kernel.mac, |v| v.1);
        if context.router.instance(instance).state() != State::Active {
            return;
        }
        match address {
            IpAddr::V4(address) => {
                for form in forms(context.instance(instance).garp_mode) {
                    self.push_frame(kernel.ifindex, &mut |buf| {
                        frame::emit_garp(buf, mac, address, *form)
                    });
                }
            }
            IpAddr::V6(address) => {
                self.push_frame(kernel.ifindex, &mut |buf| frame::emit_na(buf, mac, address));
            }
        }
    }
}

fn forms(mode: GarpMode) -> &'static [GarpForm] {
    match mode {
        GarpMode::Request => &[GarpForm::Request],
        GarpMode::Reply => &[GarpForm::Reply],
        GarpMode::Both => &[GarpForm::Request, GarpForm::Reply],
    }
}
