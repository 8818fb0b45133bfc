//! The interfaces that carry the virtual MAC address (RFC 9568 §7.3): macvlans that vipd makes.
//!
//! A macvlan is there from the start on and stays down until its instance is Active, so that a
//! Backup says nothing with the virtual MAC address: no MLD report, no duplicate address detection.
//! The interface below must not answer for the macvlan's addresses, nor ask in their name; what is
//! changed there for it is journaled and put back.

use core::fmt;

use nix::errno::Errno;

use crate::config::model::Config;
use crate::log;
use crate::netlink::{Content, link, link_request};
use crate::sys::error::Cause;
use crate::sys::netlink::CommandSocket;
use crate::sys::sysctl;
use crate::vrrp::action::Id;
use crate::vrrp::types::Family;

use super::journal::Line;
use super::links::{Links, Slot};
use super::netifd::Names;

/// What the interface below needs: it answers ARP for its own addresses only, and asks in their
/// name only. Higher values are stricter.
const BELOW: [(&str, u16, u32); 2] = [
    ("arp_ignore", link::ARP_IGNORE, 1),
    ("arp_announce", link::ARP_ANNOUNCE, 2),
];
/// What the macvlan needs besides. Its packets come in there while the way back is through the
/// interface below: `rp_filter` 2 allows that, whatever `all` says.
const RP_FILTER: (u16, u32) = (link::RP_FILTER, 2);
/// What netlink cannot set, and what is seldom otherwise on a router: no address from anybody
/// else, and none that outlives the interface's being up.
const IPV6: [(&str, &str); 2] = [("accept_ra", "0"), ("keep_addr_on_down", "-1")];
/// The same, as the interface below has it.
const IPV6_ALIKE: [&str; 2] = ["disable_ipv6", "forwarding"];

/// One macvlan.
#[derive(Clone, Debug)]
pub(super) struct Vmac {
    /// Whose addresses it carries.
    pub(super) instance: Id,
    /// The macvlan.
    pub(super) link: Slot,
    /// The interface that it stands on.
    pub(super) base: Slot,
    /// Its address.
    pub(super) mac: [u8; 6],
    /// The family of its addresses.
    family: Family,
    stage: Stage,
    /// The instance is Active.
    pub(super) up: bool,
    /// It is told that it could not be made.
    told: bool,
}

/// How far a macvlan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What has its name is not ours.
    Missing,
    /// It was made, and its parameters are those of any interface.
    Made,
    /// It may be set up.
    Ready,
}

/// An interface below macvlans with IPv4 addresses.
#[derive(Clone, Debug)]
struct Base {
    link: Slot,
    ifindex: u32,
    /// The values of [`BELOW`] that were there before, where they had to be changed.
    before: [Option<u32>; BELOW.len()],
}

/// All macvlans, in the order of the instances.
#[derive(Debug, Default)]
pub(super) struct Vmacs {
    list: Vec<Vmac>,
    bases: Vec<Base>,
}

impl Vmacs {
    /// What the configuration asks for; nothing is made yet.
    pub(super) fn new(config: &Config, names: &Names, links: &mut Links) -> Self {
        let mut list = Vec::new();
        for (index, instance) in config.instances.iter().enumerate() {
            list.extend(instance.macvlans.iter().map(|macvlan| Vmac {
                instance: Id(index as u16),
                link: links.slot(&macvlan.name),
                base: names.slot(&macvlan.base, links),
                mac: instance.settings.virtual_mac(),
                family: instance.settings.family,
                stage: Stage::Missing,
                up: false,
                told: false,
            }));
        }
        Self {
            list,
            bases: Vec::new(),
        }
    }

    /// The same macvlans on the same interfaces.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let place = |v: &Vmac| (v.instance, v.link, v.base, v.mac);
        self.list.iter().map(place).eq(other.list.iter().map(place))
    }

    /// True if nobody uses a virtual MAC address.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Those of an instance.
    pub(super) fn of(&mut self, id: Id) -> impl Iterator<Item = &mut Vmac> {
        self.list.iter_mut().filter(move |v| v.instance == id)
    }

    /// The macvlan in this slot, if it is one.
    pub(super) fn at(&self, link: Slot) -> Option<&Vmac> {
        self.list.iter().find(|v| v.link == link)
    }

    /// All of the instance's macvlans whose interface exists are there.
    pub(super) fn are_ready(&self, id: Id, links: &Links) -> bool {
        let missing = |v: &Vmac| {
            let base = links.get(v.base).ifindex().is_some();
            v.instance == id && base && v.ifindex(links).is_none()
        };
        !self.list.iter().any(missing)
    }

    /// What a killed daemon might leave behind.
    pub(super) fn journal(&self, links: &Links, each: &mut dyn FnMut(Line<'_>)) {
        for v in &self.list {
            each(Line::Macvlan {
                interface: &links.get(v.link).name,
                mac: &Mac(v.mac).to_string(),
            });
        }
        for base in &self.bases {
            base.journal(links, each);
        }
    }

    /// Looks at interfaces below that are new. True if something has to be changed there, after
    /// the journal has been written.
    pub(super) fn look_below(&mut self, links: &Links) -> bool {
        let mut news = false;
        for v in self.list.iter().filter(|v| v.family == Family::V4) {
            let Some(kernel) = &links.get(v.base).kernel else {
                continue;
            };
            let here = (v.base, kernel.ifindex);
            if self.bases.iter().any(|b| (b.link, b.ifindex) == here) {
                continue;
            }
            if let Some(place) = self.bases.iter().position(|b| b.link == v.base) {
                self.bases.swap_remove(place);
            }
            let mut base = Base {
                link: v.base,
                ifindex: kernel.ifindex,
                before: [None; BELOW.len()],
            };
            for (index, (_, _, value)) in BELOW.iter().enumerate() {
                let now = kernel.ipv4.arp[index];
                base.before[index] = (now < *value).then_some(now);
            }
            news |= base.before.iter().any(Option::is_some);
            self.bases.push(base);
        }
        news
    }

    /// Changes what [`Vmacs::look_below`] has found.
    pub(super) fn change_below(&self, commands: &mut CommandSocket) {
        for base in &self.bases {
            for ((_, parameter, value), before) in BELOW.iter().zip(base.before) {
                if before.is_some() {
                    link_request::set_ipv4(commands.batch(), base.ifindex, &[(*parameter, *value)]);
                }
            }
        }
        send(
            commands,
            "the interfaces below macvlans may answer for virtual addresses",
        );
    }

    /// Makes the macvlans that are missing, one step of each. True if there are any: then there is
    /// news to be read, and perhaps another step.
    pub(super) fn make(&mut self, links: &Links, commands: &mut CommandSocket) -> bool {
        let (mut asked, mut unsettled) = (Vec::new(), false);
        for (index, v) in self.list.iter_mut().enumerate() {
            let (link, base) = (links.get(v.link), links.get(v.base));
            let Some(below) = &base.kernel else { continue };
            match &link.kernel {
                Some(kernel) => match v.stage {
                    Stage::Missing => v.failed(Errno::EEXIST, links),
                    Stage::Made => unsettled = true,
                    Stage::Ready if v.up && below.up && !kernel.up => {
                        link_request::set_up(commands.batch(), kernel.ifindex, true);
                    }
                    Stage::Ready => {}
                },
                None => {
                    v.stage = Stage::Made;
                    let batch = commands.batch();
                    let sequence =
                        link_request::create_macvlan(batch, &link.name, below.ifindex, v.mac);
                    asked.push((sequence, index));
                }
            }
        }
        if commands.batch().is_empty() {
            if unsettled {
                let made = self.list.iter_mut().filter(|v| v.stage == Stage::Made);
                made.for_each(|v| v.settle(links, commands));
            }
            return unsettled;
        }
        let done = commands.carry_out(&mut |ack| {
            if let Some((_, index)) = asked.iter().find(|(s, _)| *s == ack.sequence) {
                self.list[*index].failed(Errno::from_raw(ack.errno), links);
            }
        });
        if let Err(error) = done {
            log::error!("macvlans may not have been made: {error}");
        }
        true
    }

    /// After a reload: takes over what is there, and takes away what no instance has any more.
    pub(super) fn carry_over(&mut self, old: &Self, links: &Links, commands: &mut CommandSocket) {
        for v in &mut self.list {
            let same = |o: &&Vmac| (o.link, o.base, o.mac) == (v.link, v.base, v.mac);
            v.stage = old.list.iter().find(same).map_or(v.stage, |o| o.stage);
        }
        for o in old.list.iter().filter(|o| o.stage != Stage::Missing) {
            let kept = |v: &Vmac| v.stage != Stage::Missing && v.link == o.link;
            let kept = self.list.iter().any(kept);
            if let Some(ifindex) = links.get(o.link).ifindex().filter(|_| !kept) {
                link_request::delete(commands.batch(), ifindex);
            }
        }
        let mut given_up = Vec::new();
        for base in &old.bases {
            let used = |v: &Vmac| v.family == Family::V4 && v.base == base.link;
            if self.list.iter().any(used) {
                self.bases.push(base.clone());
            } else {
                given_up.push(base);
            }
        }
        send(
            commands,
            "macvlans may not have been removed, see `ip link`",
        );
        for base in given_up {
            base.journal(links, &mut |line| restore(commands, &line));
        }
    }
}

impl Vmac {
    /// Its interface index, if it is ours and may be set up.
    pub(super) fn ifindex(&self, links: &Links) -> Option<u32> {
        let ready = self.stage == Stage::Ready;
        links.get(self.link).ifindex().filter(|_| ready)
    }

    /// It was just made, and the kernel's news of it were read.
    fn settle(&mut self, links: &Links, commands: &mut CommandSocket) {
        let (link, base) = (links.get(self.link), links.get(self.base));
        let (Some(kernel), Some(below)) = (&link.kernel, &base.kernel) else {
            return;
        };
        self.stage = Stage::Ready;
        self.told = false;
        let name = &link.name;
        let [ignore, announce] = BELOW.map(|(_, parameter, value)| (parameter, value));
        let forwarding = (link::FORWARDING, below.ipv4.forwarding);
        let ipv4 = [ignore, announce, RP_FILTER, forwarding];
        link_request::set_ipv4(commands.batch(), kernel.ifindex, &ipv4);
        send(commands, "hosts may not reach the addresses of a macvlan");
        link_request::no_own_ipv6(commands.batch(), kernel.ifindex);
        send(commands, "a macvlan may say more than it should");
        let of = |name: &str, what: &str| format!("net/ipv6/conf/{name}/{what}");
        let set = |what: &str, value: &str| {
            if let Err(error) = sysctl::write(&of(name, what), value) {
                log::debug!("{error}");
            }
        };
        IPV6.iter().for_each(|(what, value)| set(what, value));
        for what in IPV6_ALIKE {
            if let Ok(value) = sysctl::read(&of(&base.name, what)) {
                set(what, &value);
            }
        }
        log::info!(
            "{name}: made on {}, with the MAC address {}; it is down while this router is not Active",
            base.name,
            Mac(self.mac)
        );
        if below.is_bridge {
            log::warn!(
                "{name} stands on the bridge {}, which becomes promiscuous: while this router is Active, the CPU \
                 sees every frame that the bridge forwards; do without `use_vmac` if that is too much",
                base.name
            );
        }
    }

    fn failed(&mut self, errno: Errno, links: &Links) {
        self.stage = Stage::Missing;
        if core::mem::replace(&mut self.told, true) {
            return;
        }
        let (name, base) = (&links.get(self.link).name, &links.get(self.base).name);
        let remedy = match errno {
            Errno::EEXIST => {
                "an interface of this name exists and is not vipd's: delete it, or write `use_vmac` with another name"
            }
            Errno::EOPNOTSUPP => {
                "this kernel has no macvlan: install it (OpenWrt: kmod-macvlan), or do without `use_vmac`"
            }
            _ => "do without `use_vmac` there if that stays so",
        };
        log::error!(
            "{name} could not be made on {base}: {}: {remedy}",
            Cause(errno)
        );
    }
}

impl Base {
    /// What is changed there.
    fn journal(&self, links: &Links, each: &mut dyn FnMut(Line<'_>)) {
        for ((parameter, _, value), before) in BELOW.iter().zip(self.before) {
            if let Some(before) = before {
                each(Line::Arp {
                    interface: &links.get(self.link).name,
                    parameter,
                    before,
                    value: *value,
                });
            }
        }
    }
}

/// Sends what waits. EAFNOSUPPORT: there is no IPv6. EADDRNOTAVAIL, ENODEV: it has gone already.
pub(super) fn send(commands: &mut CommandSocket, consequence: &str) {
    if commands.batch().is_empty() {
        return;
    }
    let mut failure = None;
    let done = commands.carry_out(&mut |ack| failure = Some(Errno::from_raw(ack.errno)));
    match (done, failure) {
        (Err(error), _) => log::error!("{error}: {consequence}"),
        (_, None | Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL | Errno::ENODEV)) => {}
        (_, Some(errno)) => log::error!("{}: {consequence}", Cause(errno)),
    }
}

/// A macvlan could not be set up or down.
pub(super) fn not_set(name: &str, errno: Errno) {
    // ENODEV: it is gone, and made again.
    if errno != Errno::ENODEV {
        log::error!(
            "{name} could not be set up or down: {}; without it nobody reaches the virtual addresses, and \
             another router may have the same MAC address: see `ip -d link`",
            Cause(errno)
        );
    }
}

/// Puts back what a line of the journal says, unless somebody else has changed it since.
pub(super) fn restore(commands: &mut CommandSocket, line: &Line<'_>) {
    let Line::Arp {
        interface,
        parameter,
        before,
        value,
    } = line
    else {
        return;
    };
    let Some((_, parameter, _)) = BELOW.iter().find(|(name, ..)| name == parameter) else {
        return;
    };
    link::get(commands.batch(), interface);
    let mut found = None;
    let _ = commands.send();
    let answered = commands.receive(|message| {
        if let Content::Link(link) = Content::parse(&message)
            && link.ipv4(*parameter) == Some(*value)
        {
            found = Some(link.index);
        }
    });
    if let (Ok(_), Some(index)) = (answered, found) {
        link_request::set_ipv4(commands.batch(), index, &[(*parameter, *before)]);
        send(commands, "the interface below a macvlan is not as it was");
    }
}

/// A MAC address as text.
pub(super) struct Mac(pub(super) [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for byte in self.0 {
            write!(f, "{separator}{byte:02x}")?;
            separator = ":";
        }
        Ok(())
    }
}
