//! `use_vmac` and its like: which macvlans an instance needs, and how they are called.

use std::rc::Rc;

use super::block::Word;
use super::error::Report;
use super::model::Macvlan;
use super::read::{Drafts, InstanceDraft};
use super::schema::Draft;
use super::vip;
use crate::vrrp::types::{Family, Settings, is_link_local};

/// `use_vmac [NAME]`: the name, if one is given. None if it is wrong.
pub(crate) fn name(words: &[Word], report: &mut Report) -> Option<Option<Rc<str>>> {
    if let Some(mac) = words.iter().find(|word| word.text.contains(':')) {
        report.error(
            &mac.span,
            format_args!(
                "a virtual MAC address of your own is not supported\n\
                 remove it, on all routers: it is 00:00:5e:00:01:VRID, or 00:00:5e:00:02:VRID for IPv6"
            ),
        );
        return None;
    }
    match words.first() {
        Some(word) => vip::interface(word, report).map(Some),
        None => Some(None),
    }
}

/// The names of interfaces that the configuration uses.
pub(crate) struct Names {
    taken: Vec<Rc<str>>,
    /// The virtual MAC addresses so far, each with the interface below it: the kernel allows one.
    macs: Vec<(Rc<str>, [u8; 6])>,
}

impl Names {
    /// All that are written somewhere; a name for a macvlan must be its own.
    pub(crate) fn new(drafts: &Drafts, report: &mut Report) -> Self {
        let mut taken: Vec<Rc<str>> = Vec::new();
        let named = |placed: &super::error::Placed<Rc<str>>| Rc::clone(&placed.value);
        taken.extend(drafts.globals.interface.as_ref().map(named));
        for InstanceDraft { draft, .. } in &drafts.instances {
            taken.extend(draft.interface.as_ref().map(named));
            for placed in &draft.vips {
                taken.extend(placed.vip.dev.clone());
            }
        }
        for InstanceDraft { draft, .. } in &drafts.instances {
            let Some(placed) = &draft.use_vmac else {
                continue;
            };
            let Some(name) = &placed.value else { continue };
            if taken.contains(name) {
                report.error(
                    &placed.span,
                    format_args!(
                        "`use_vmac {name}`: another interface has this name\n\
                         write another one, or none: it is vrrp.VRID or vrrp6.VRID then"
                    ),
                );
            }
            taken.push(Rc::clone(name));
        }
        Self {
            taken,
            macs: Vec::new(),
        }
    }

    /// keepalived's name for a macvlan: vrrp.50, vrrp6.50; if that is taken vrrp1.50, vrrp6_1.50 …
    fn choose(&mut self, settings: &Settings) -> Rc<str> {
        let Settings { family, vrid, .. } = settings;
        let mut number = String::new();
        for next in 1.. {
            let six = match (family, number.as_str()) {
                (Family::V4, _) => "",
                (Family::V6, "") => "6",
                (Family::V6, _) => "6_",
            };
            let name: Rc<str> = format!("vrrp{six}{number}.{vrid}").into();
            if !self.taken.contains(&name) {
                self.taken.push(Rc::clone(&name));
                return name;
            }
            number = next.to_string();
        }
        unreachable!("there are more numbers than names")
    }

    /// The macvlans of an instance on `interface`. The addresses that go onto one get its name as
    /// `dev`.
    pub(crate) fn macvlans(
        &mut self,
        draft: &mut Draft,
        interface: &Rc<str>,
        settings: &Settings,
        report: &mut Report,
    ) -> Box<[Macvlan]> {
        let all = draft.plain.use_vmac_addr.as_ref().is_some_and(|p| p.value);
        let mut macvlans: Vec<Macvlan> = Vec::new();
        for placed in &mut draft.vips {
            let vip = &mut placed.vip;
            let own = vip.dev.as_ref().is_none_or(|dev| dev == interface);
            let general = if own { draft.use_vmac.is_some() } else { all };
            if !general && !placed.use_vmac {
                continue;
            }
            let base = vip.dev.as_ref().unwrap_or(interface);
            let known = macvlans.iter().find(|macvlan| macvlan.base == *base);
            let name = known.map(|macvlan| Rc::clone(&macvlan.name));
            let given = || draft.use_vmac.as_ref()?.value.clone().filter(|_| own);
            let name = name.or_else(given).unwrap_or_else(|| self.choose(settings));
            if known.is_none() {
                let mac = (Rc::clone(base), settings.virtual_mac());
                if self.macs.contains(&mac) {
                    report.error(
                        &placed.span,
                        format_args!(
                            "another instance has this virtual MAC address on {base}\n\
                             write another virtual_router_id, the same on all routers"
                        ),
                    );
                }
                self.macs.push(mac);
                macvlans.push(Macvlan {
                    name: Rc::clone(&name),
                    base: Rc::clone(base),
                });
            }
            vip.dev = Some(name);
            if is_link_local(&vip.address) && vip.prefix_len == 128 {
                // Nobody else gives the macvlan a route to its link-local neighbours.
                vip.prefix_len = 64;
            }
        }
        macvlans.into()
    }
}
