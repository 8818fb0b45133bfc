//! The interfaces that carry the virtual MAC address (RFC 9568 §7.3): macvlans that vipd makes.
//!
//! A macvlan is there from the start on and stays down until its instance is Active, so that a
//! Backup says nothing with the virtual MAC address: no MLD report, no duplicate address detection.
//! The interface below must not answer for the macvlan's addresses, nor ask in their name; what is
//! changed there for it is journaled and put back.

use core::fmt;

use nix::errno::Errno;

use crate::config::model::Config;
use crate::netlink::{Content, link_request};
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
const BELOW: [(&str, &str); 2] = [("arp_ignore", "1"), ("arp_announce", "2")];
/// What the macvlan needs. Its packets come in here while the way back is through the interface
/// below: `rp_filter` 2 allows that, whatever `all` says. No address of its own, from nobody, and
/// none that outlives the interface's being up.
const ON_IT: [(&str, &str); 6] = [
    ("ipv4/conf/{}/arp_ignore", "1"),
    ("ipv4/conf/{}/arp_announce", "2"),
    ("ipv4/conf/{}/rp_filter", "2"),
    ("ipv6/conf/{}/addr_gen_mode", "1"),
    ("ipv6/conf/{}/accept_ra", "0"),
    ("ipv6/conf/{}/keep_addr_on_down", "-1"),
];
/// What the macvlan has in common with the interface below.
const ALIKE: [&str; 3] = [
    "ipv4/conf/{}/forwarding",
    "ipv6/conf/{}/disable_ipv6",
    "ipv6/conf/{}/forwarding",
];

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
    /// What has this name was made by us.
    made: bool,
    /// The instance is Active.
    pub(super) up: bool,
    /// It is told that it could not be made.
    told: bool,
}

/// An interface below macvlans with IPv4 addresses.
#[derive(Clone, Debug)]
struct Base {
    link: Slot,
    ifindex: u32,
    /// The values of [`BELOW`] that were there before, where they had to be changed.
    before: [Option<String>; BELOW.len()],
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
                made: false,
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
    pub(super) fn journal<'a>(&'a self, links: &'a Links) -> impl Iterator<Item = Line> + 'a {
        let macvlans = self.list.iter().map(|v| Line::Macvlan {
            interface: links.get(v.link).name.clone(),
            mac: Mac(v.mac).to_string(),
        });
        let sysctls = self.bases.iter().flat_map(|base| {
            let name = &links.get(base.link).name;
            base.changes().map(|(what, value, before)| Line::Sysctl {
                name: below(name, what),
                before: before.to_owned(),
                value: value.to_owned(),
            })
        });
        macvlans.chain(sysctls)
    }

    /// Looks at interfaces below that are new. True if something has to be changed there, after
    /// the journal has been written.
    pub(super) fn look_below(&mut self, links: &Links) -> bool {
        let mut news = false;
        for v in self.list.iter().filter(|v| v.family == Family::V4) {
            let link = links.get(v.base);
            let Some(ifindex) = link.ifindex() else {
                continue;
            };
            if self
                .bases
                .iter()
                .any(|b| (b.link, b.ifindex) == (v.base, ifindex))
            {
                continue;
            }
            self.bases.retain(|base| base.link != v.base);
            let base = Base {
                link: v.base,
                ifindex,
                before: BELOW.map(|(what, value)| {
                    let now = sysctl::read(&below(&link.name, what)).ok()?;
                    (number(&now) < number(value)).then_some(now)
                }),
            };
            news |= base.changes().next().is_some();
            self.bases.push(base);
        }
        news
    }

    /// Changes what [`Vmacs::look_below`] has found.
    pub(super) fn change_below(&self, links: &Links) {
        for base in &self.bases {
            for (what, value, _) in base.changes() {
                set(&below(&links.get(base.link).name, what), value);
            }
        }
    }

    /// Makes the macvlans that are missing. True if there are any: then there is news to be read.
    pub(super) fn make(&mut self, links: &Links, commands: &mut CommandSocket) -> bool {
        let mut asked = Vec::new();
        for (index, v) in self.list.iter_mut().enumerate() {
            let (link, base) = (links.get(v.link), links.get(v.base));
            let Some(below) = &base.kernel else { continue };
            match &link.kernel {
                Some(kernel) if v.made && v.up && below.up && !kernel.up => {
                    link_request::set_up(commands.batch(), kernel.ifindex, true);
                }
                Some(_) if v.made => {}
                Some(_) => v.failed(Errno::EEXIST, links),
                None => {
                    v.made = true;
                    let batch = commands.batch();
                    let sequence =
                        link_request::create_macvlan(batch, &link.name, below.ifindex, v.mac);
                    asked.push((sequence, index));
                }
            }
        }
        if commands.batch().is_empty() {
            return false;
        }
        let sent = commands.send();
        let answered = commands.receive(|message| {
            if let Content::Ack(ack) = Content::parse(&message)
                && ack.errno != 0
                && let Some((_, index)) = asked.iter().find(|(s, _)| *s == ack.sequence)
            {
                self.list[*index].failed(Errno::from_raw(ack.errno), links);
            }
        });
        if let Err(error) = sent.and(answered) {
            log::error!("macvlans may not have been made: {error}");
        }
        for (_, index) in asked {
            self.list[index].settle(links);
        }
        true
    }

    /// After a reload: takes over what is there, and takes away what no instance has any more.
    pub(super) fn carry_over(&mut self, old: &Self, links: &Links, commands: &mut CommandSocket) {
        for v in &mut self.list {
            let same = |o: &&Vmac| (o.link, o.base, o.mac) == (v.link, v.base, v.mac);
            v.made = old.list.iter().find(same).is_some_and(|o| o.made);
        }
        for o in old.list.iter().filter(|o| o.made) {
            let kept = self.list.iter().any(|v| v.made && v.link == o.link);
            if let Some(ifindex) = links.get(o.link).ifindex().filter(|_| !kept) {
                link_request::delete(commands.batch(), ifindex);
            }
        }
        for base in &old.bases {
            let used = |v: &Vmac| v.family == Family::V4 && v.base == base.link;
            if self.list.iter().any(used) {
                self.bases.push(base.clone());
            } else {
                base.restore(links);
            }
        }
        if !commands.batch().is_empty()
            && let Err(error) = commands.send().and_then(|()| commands.receive(|_| {}))
        {
            log::error!(
                "macvlans may not have been removed: {error}; remove them with `ip link del`"
            );
        }
    }
}

impl Vmac {
    /// Its interface index, if it is ours.
    pub(super) fn ifindex(&self, links: &Links) -> Option<u32> {
        links.get(self.link).ifindex().filter(|_| self.made)
    }

    /// It was just made: as nothing else than a carrier of its addresses. A parameter that this
    /// kernel does not have needs not be set.
    fn settle(&mut self, links: &Links) {
        if !self.made {
            return;
        }
        self.told = false;
        let (name, base) = (&links.get(self.link).name, links.get(self.base));
        let of = |what: &str, name: &str| format!("net/{}", what.replace("{}", name));
        for (what, value) in ON_IT {
            set(&of(what, name), value);
        }
        for what in ALIKE {
            if let Ok(value) = sysctl::read(&of(what, &base.name)) {
                set(&of(what, name), &value);
            }
        }
        log::info!(
            "{name}: made on {}, with the MAC address {}; it is down while this router is not Active",
            base.name,
            Mac(self.mac)
        );
        if base.kernel.as_ref().is_some_and(|kernel| kernel.is_bridge) {
            log::warn!(
                "{name} stands on the bridge {}, which becomes promiscuous: while this router is Active, the CPU \
                 sees every frame that the bridge forwards; do without `use_vmac` if that is too much",
                base.name
            );
        }
    }

    fn failed(&mut self, errno: Errno, links: &Links) {
        self.made = false;
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
    /// Which parameters are changed: name, our value, the value before.
    fn changes(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let pairs = BELOW.iter().zip(&self.before);
        pairs.filter_map(|((what, value), before)| Some((*what, *value, before.as_deref()?)))
    }

    fn restore(&self, links: &Links) {
        for (what, value, before) in self.changes() {
            restore(&below(&links.get(self.link).name, what), before, value);
        }
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

/// Puts a parameter back, unless somebody else has changed it since.
pub(super) fn restore(name: &str, before: &str, value: &str) {
    if sysctl::read(name).is_ok_and(|now| now == value) {
        set(name, before);
    }
}

/// ENOENT: the interface is gone, or the kernel has no such parameter.
fn set(name: &str, value: &str) {
    match sysctl::write(name, value) {
        Err(error) if error.errno != Errno::ENOENT => {
            log::warn!(
                "{error}: set it to {value} yourself, or hosts may learn the wrong MAC address"
            );
        }
        _ => {}
    }
}

fn below(interface: &str, what: &str) -> String {
    format!("net/ipv4/conf/{interface}/{what}")
}

fn number(text: &str) -> i32 {
    text.parse().unwrap_or(0)
}

/// A MAC address as text.
pub(super) struct Mac(pub(super) [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
