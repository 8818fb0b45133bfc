//! Sync groups: virtual routers of this machine that are Active together or not at all.
//!
//! - *Down together*: while something of its own holds one member in Initialize, it holds them all,
//!   and those that were Active say so with a priority 0 advert. Nobody is held by a member that is
//!   itself only held, so that no group can hold itself.
//! - *Back together*: when a member gives way to another router, all do.
//! - *Up together*: a member whose Active_Down_Timer has run out waits until all have come so far, as
//!   in keepalived, so that a segment where another router is Active never has two. Unlike there, an
//!   Active that gave up on one segment (priority 0) is not waited for on the others: it has given
//!   up there too, and may have no link left to say so.
//! - The member with the lowest VRID (family, first address), which is the same one on all routers,
//!   waits an interval longer when its group gives way and it hears a better router on its segment: two
//!   groups that have each given way to the other do not come back at the same time for ever.

use super::action::Id;
use super::instance::{Event, Instance, Order, Standing};
use super::types::State;
use crate::time::Instant;

/// All sync groups. Storage is allocated by [`Groups::new`], and never after.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Since when some member may have to follow the others.
    pub(super) due: Instant,
}

#[derive(Debug)]
struct Group {
    members: Vec<Id>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody may be Active.
    Down,
    /// Those that are not Active yet become so.
    Rising,
    /// Everybody is Active.
    Up,
}

impl Groups {
    /// Each group by its members, who are told. Members that are Active already draw the others
    /// along.
    pub(super) fn new(groups: Vec<Vec<Id>>, instances: &mut [Instance], now: Instant) -> Self {
        instances.iter_mut().for_each(Instance::ungroup);
        let mut made = Vec::with_capacity(groups.len());
        for members in groups {
            let first = members.iter().min_by_key(|id| key(&instances[id.index()]));
            let first = first.copied();
            for id in &members {
                instances[id.index()].join_group(Some(*id) == first);
            }
            let active = |id: &Id| instances[id.index()].standing() == Standing::Active;
            let phase = match members.iter().any(active) {
                true => Phase::Rising,
                false => Phase::Down,
            };
            made.push(Group { members, phase });
        }
        Self {
            groups: made,
            due: now,
        }
    }

    /// The state of each group: that of all its members, while they agree.
    pub(super) fn states<'a>(
        &'a self,
        instances: &'a [Instance],
    ) -> impl Iterator<Item = Option<State>> + 'a {
        self.groups.iter().map(|group| {
            let mut states = group.members.iter().map(|id| instances[id.index()].state());
            let first = states.next()?;
            states.all(|state| state == first).then_some(first)
        })
    }

    /// The next member that has to follow the others, and how; none when all groups are at rest.
    pub(super) fn next(&mut self, instances: &[Instance]) -> Option<(Id, Event)> {
        let in_groups = self
            .groups
            .iter_mut()
            .find_map(|group| group.next(instances));
        // After a reload.
        let has_left = |i: &&Instance| !i.is_member() && matches!(i.standing(), Standing::Held(_));
        let left = || instances.iter().find(has_left);
        let next = in_groups.or_else(|| left().map(|i| (i.id, Order::Release)));
        if next.is_none() {
            self.due = Instant::NEVER;
        }
        next.map(|(id, order)| (id, Event::Group(order)))
    }
}

/// The same order on all routers.
fn key(instance: &Instance) -> (u16, Option<core::net::IpAddr>) {
    let settings = instance.settings();
    let id = u16::from(settings.vrid) << 8 | settings.family as u16;
    (id, settings.addresses.first().copied())
}

impl Group {
    fn next(&mut self, instances: &[Instance]) -> Option<(Id, Order)> {
        let standing = |id: Id| instances[id.index()].standing();
        let find = |wanted: &dyn Fn(Standing) -> bool| {
            let mut members = self.members.iter().copied();
            members.find(|id| wanted(standing(*id)))
        };
        if let Some(faulty) = find(&|s| s == Standing::Faulty) {
            self.phase = Phase::Down;
            let loose = find(&|s| match s {
                Standing::Faulty => false,
                Standing::Held(by) => standing(by) != Standing::Faulty,
                _ => true,
            });
            return loose.map(|id| (id, Order::Hold(faulty)));
        }
        if let Some(held) = find(&|s| matches!(s, Standing::Held(_))) {
            return Some((held, Order::Release));
        }
        let backup = find(&|s| s != Standing::Active);
        if self.phase != Phase::Rising && backup.is_some() {
            self.phase = Phase::Down;
        }
        let released = find(&|s| s == Standing::Waits { released: true });
        let waiting = released.or_else(|| {
            let hindered = find(&|s| s == Standing::Backup);
            hindered.map_or(backup, |_| None)
        });
        let active = find(&|s| s == Standing::Active);
        match (self.phase, backup) {
            (_, None) => {
                self.phase = Phase::Up;
                None
            }
            (Phase::Down, Some(by)) if waiting.is_none() => {
                active.map(|id| (id, Order::Backup(by)))
            }
            (_, Some(id)) => {
                self.phase = Phase::Rising;
                Some((id, Order::Active(waiting.or(active).unwrap_or(id))))
            }
        }
    }
}
