//! Reload: read and validate first, then apply what differs.
//!
//! Instances are matched by interface, family and VRID, not by name. A matched one keeps its state,
//! its timers, its counters and its socket. An address that stays, or moves to another instance,
//! is not touched in the kernel.

use core::fmt;
use std::rc::Rc;

use crate::config::model::{Config, Instance, Probe};
use crate::config::{self, Failure, uplink};
use crate::limits;
use crate::log;
use crate::time::Instant;
use crate::vrrp::action::{Action, Actions, Id};
use crate::vrrp::instance::{Event, Instance as Running, LinkState};
use crate::vrrp::types::State;

use super::Daemon;
use super::accept;
use super::addresses::{Addresses, Entry, STATIC};
use super::dhcp;
use super::drops::{self, Unenforceable};
use super::executor::{Context, Executor};
use super::links::Slot;
use super::netifd::Netifd;
use super::routes::Routes;
use super::start::{journal_lines, receive_modes, specs, tables, watch_sources};
use super::uplinks::{self, NoNetifd};
use super::vmac::Vmacs;

/// Why a reload was refused; nothing has changed then.
#[derive(Debug)]
pub enum Refused {
    /// The file is wrong; the errors say where.
    Config(Failure),
    /// The journal cannot be written, so that a killed daemon would leave addresses behind.
    Journal(crate::sys::Error),
    /// The kernel does not list its interfaces.
    Kernel(crate::sys::Error),
    /// The kernel cannot do what `no_accept` or `dhcp follow` asks for.
    Unenforceable(Unenforceable),
    /// It has the first programs to be run, and there is no helper to run them.
    NoHelper,
    /// There is nobody to bring uplinks up.
    Uplinks(NoNetifd),
    /// The daemon stops.
    Stopping,
}

impl Daemon {
    /// Reads the configuration file again and applies it. Says what has changed.
    pub fn reload(&mut self, now: Instant) -> Result<String, Refused> {
        if self.leave.is_stopping() {
            return Err(Refused::Stopping);
        }
        let loaded = config::load(&self.path);
        // Interfaces may have changed even if the file is wrong now.
        let config = loaded.as_ref().map_or(&self.config, |l| &l.config);
        self.netifd.ask(config, &self.helper, now);
        let loaded = loaded.map_err(Refused::Config)?;
        loaded
            .warnings
            .iter()
            .for_each(|warning| log::warn!("{warning}"));
        let mut config = loaded.config;
        if let Some(error) = uplinks::no_netifd(&config) {
            return Err(Refused::Uplinks(error));
        }
        if config.has_programs() && !self.helper.was_started() {
            return Err(Refused::NoHelper);
        }
        let leaving = self.leave_first(&config, now);
        if !leaving.is_empty() {
            return Ok(format!(
                "{leaving} leaves first: the rest follows when notify_leave has ended and the uplinks are down"
            ));
        }
        if config.globals.urgency != self.config.globals.urgency {
            log::warn!(
                "vrrp_priority, vrrp_rt_priority and vrrp_no_swap have changed: they take effect at the next start"
            );
        }
        let known = self.links.iter().count();
        let names = self.netifd.names(config.dialect);
        let addresses = tables(&mut config, names, &mut self.links);
        mark_uplinks(&self.netifd, &mut config);
        let outcome = self.apply(Some(config), addresses, known, now)?;
        if self.config.globals.states_on_reload {
            self.with_context(|executor, context| executor.notify.write_states(context, now));
        }
        Ok(outcome)
    }

    /// netifd has said which devices its interfaces are.
    pub(super) fn resolved(&mut self, now: Instant) {
        if self.leave.is_busy() {
            return self.netifd.ask_later(now);
        }
        if !self.netifd.has_moved() && !self.waits_for_device() {
            return;
        }
        let known = self.links.iter().count();
        let names = self.netifd.names(self.config.dialect);
        let slot = |name: &str| names.slot(name, &mut self.links);
        let addresses = self.executor.addresses.moved(slot);
        let before = self.link_of.clone();
        // This counts once it is applied.
        mark_uplinks(&self.netifd, &mut self.config);
        let applied = self.apply(None, addresses, known, now);
        self.netifd.arranged();
        match applied {
            Ok(_) => {
                self.tell_devices(&before);
                // What is tracked may be on another device that is known already.
                self.report_links(now);
            }
            Err(refused) => {
                log::error!("what netifd says of its interfaces is not applied: {refused}");
                self.netifd.ask_later(now);
            }
        }
        if self.waits_for_device() {
            self.netifd.ask_later(now);
        }
    }

    fn tell_devices(&self, before: &[Slot]) {
        for (index, instance) in self.config.instances.iter().enumerate() {
            let link = self.links.get(self.link_of[index]);
            if self.link_of[index] != before[index] && link.is_device() {
                let Instance {
                    name, interface, ..
                } = instance;
                log::info!("{name}: interface {interface} is {} now", link.name);
            }
        }
    }

    /// An address or its instance has no device, or a probe.
    fn waits_for_device(&self) -> bool {
        let names = self.netifd.names(self.config.dialect);
        let nowhere = |e: &Entry| {
            let link = self.links.get(e.link);
            names.unresolved(&e.interface, link).is_some()
        };
        let waits = |i: &Running| matches!(i.link(), LinkState::Unresolved(_));
        let unfound = |p: &Rc<Probe>| names.find(&p.interface, &self.links).is_none();
        self.config.probes.iter().any(unfound)
            || self.router.instances().iter().any(waits)
            || self.executor.addresses.entries().iter().any(nowhere)
    }

    /// Goes over to another configuration, or, if there is none, to other devices with the same. `known`
    /// is how many interfaces there were before it. Says what has changed.
    fn apply(
        &mut self,
        new: Option<Config>,
        mut addresses: Addresses,
        known: usize,
        now: Instant,
    ) -> Result<String, Refused> {
        let config = new.as_ref().unwrap_or(&self.config);
        let names = self.netifd.names(config.dialect);
        let link_of = names.slots(config, &mut self.links);
        let vmacs = Vmacs::new(config, names, &mut self.links);
        let routes = Routes::new(config, names, &mut self.links);
        let same_places = link_of == self.link_of
            && vmacs.is_like(&self.executor.vmacs)
            && routes.is_like(&self.executor.routes);
        let same_links = self.links.iter().count() == known;
        if same_places && same_links && self.is_as_before(config, &addresses) {
            return Ok(format!("{} unchanged", config.instances.len()));
        }
        // What the reload before this one has done must not look like somebody else's doing.
        self.flush(now);
        self.kernel_events(limits::EVENTS_OF_RELOAD, now);
        let config = new.as_ref().unwrap_or(&self.config);
        if watch_sources(config, &mut self.links) || self.links.iter().count() > known {
            self.kernel.dump(&mut self.links).map_err(Refused::Kernel)?;
        }
        self.executor
            .unicast
            .open(config)
            .map_err(Refused::Kernel)?;
        addresses.carry_over(&self.executor.addresses, &self.links);
        let specs = specs(config, &link_of);
        let matches = self.router.matches(&specs);
        let mut lines = journal_lines(&self.links, &addresses, &routes, &vmacs);
        lines.push_str(&self.journal_lines());
        let refused = accept::refused(config, &self.links, &addresses);
        let gates = dhcp::gates(config, &self.links, &link_of);
        let table = drops::journaled(!refused.is_empty(), !gates.is_empty());
        if self.journal.table.is_none() {
            self.journal.table = table.clone();
        }
        let fifos = self.executor.notify.fifos.to_be_made(config, &[]);
        for path in &fifos {
            if !self.journal.fifos.contains(path) {
                self.journal.fifos.push(path.clone());
            }
        }
        self.journal.write(lines).map_err(Refused::Journal)?;
        self.accept_mode
            .widen(&refused)
            .map_err(Refused::Unenforceable)?;
        if let Err(error) = self.executor.dhcp.widen(&gates) {
            let before = accept::refused(&self.config, &self.links, &self.executor.addresses);
            self.accept_mode.narrow(before);
            return Err(Refused::Unenforceable(error));
        }

        // From here on nothing can fail.
        self.control.cut_off();
        let outcome = self.compare(config, &addresses, &matches);
        let group = config.globals.mcast_group4;
        self.say_goodbye(&matches, now);
        self.with_context(|executor, context| {
            let config = new.as_ref().unwrap_or(context.config);
            executor.replace_ra(config, &matches, context, now);
        });
        self.router.rearrange(specs, &matches, group.into(), now);
        if let Some(config) = new {
            self.config = config;
        }
        self.link_of = link_of;
        let modes = receive_modes(&self.config, &self.link_of);
        self.ears.retarget(group, &modes);
        self.executor
            .replace(addresses, routes, &matches, &self.links);
        self.executor.replace_vmacs(vmacs, &self.links);
        self.executor.dhcp.narrow(gates);
        self.take_in_vmacs();
        self.tend_vmacs();
        self.adopt_notify(&matches, fifos.clone(), now);
        self.kernel.watch(self.executor.routes.groups());
        self.adopt(now);
        self.with_context(Executor::add_static);
        self.executor.stir(now);
        self.arrange(now);
        self.report_links(now);
        self.flush(now);
        self.accept_mode.narrow(refused);
        self.journal.table = table;
        self.journal.fifos = fifos;
        let settled = self.journal_lines();
        if let Err(error) = self.journal.write(settled) {
            log::warn!("the journal keeps more than is needed: {error}");
        }
        Ok(outcome)
    }

    fn is_as_before(&self, config: &Config, addresses: &Addresses) -> bool {
        let same = |id| addresses.same_as(id, &self.executor.addresses, id);
        let known = |id: Id| {
            let settings = &*config.instances[id.index()].settings;
            self.router.instance(id).settings() == settings && same(id)
        };
        *config == self.config && self.router.ids().all(known) && same(STATIC)
    }

    /// Which instances are new, gone, changed or called otherwise, and how many stay as they are.
    fn compare(&self, new: &Config, addresses: &Addresses, matches: &[Option<Id>]) -> String {
        let (mut added, mut removed) = (String::new(), String::new());
        let (mut changed, mut renamed) = (String::new(), String::new());
        let mut unchanged = 0;
        for (index, (instance, matched)) in new.instances.iter().zip(matches).enumerate() {
            let old = matched.map(|id| &self.config.instances[id.index()]);
            let id = Id(index as u16);
            let same = |old| addresses.same_as(id, &self.executor.addresses, old);
            let name = &*instance.name;
            match old {
                None => append(&mut added, &[" ", name]),
                Some(old) if !(old.same_but_name(instance) && matched.is_some_and(same)) => {
                    append(&mut changed, &[" ", name]);
                }
                Some(old) if old.name != instance.name => {
                    append(&mut renamed, &[&old.name, " is called ", name, " now; "]);
                }
                Some(_) => unchanged += 1,
            }
        }
        for id in self.router.ids().filter(|id| !matches.contains(&Some(*id))) {
            append(
                &mut removed,
                &[" ", &self.config.instances[id.index()].name],
            );
        }
        let mut text = String::new();
        for (what, names) in [
            ("added", &added),
            ("removed", &removed),
            ("changed", &changed),
        ] {
            if !names.is_empty() {
                append(&mut text, &[what, names, "; "]);
            }
        }
        append(&mut text, &[&renamed, &format!("{unchanged} unchanged")]);
        text
    }

    /// Instances that are gone give up their role. Their addresses go with the rest of the
    /// difference, because they may have moved to another instance.
    fn say_goodbye(&mut self, matches: &[Option<Id>], now: Instant) {
        for id in self.router.ids().filter(|id| !matches.contains(&Some(*id))) {
            let mut actions = Actions::new();
            self.router.handle(id, Event::Shutdown, now, &mut actions);
            self.with_context(|executor, context| {
                for action in &actions {
                    if !matches!(action, Action::RemoveAddresses(_)) {
                        executor.execute(action, context);
                    }
                }
            });
        }
        self.flush(now);
    }

    /// New parameters for the instances that stay, and their addresses in the kernel.
    pub(super) fn adopt(&mut self, now: Instant) {
        for id in self.router.ids() {
            let settings = Rc::clone(&self.config.instances[id.index()].settings);
            let mut actions = Actions::new();
            self.router.reconfigure(id, settings, now, &mut actions);
            self.execute(&mut actions);
            let Self {
                router,
                executor,
                config,
                links,
                link_of,
                ..
            } = self;
            let active = router.instance(id).state() == State::Active;
            executor.adopt(
                id,
                active,
                &Context {
                    config,
                    links,
                    link_of,
                    router,
                },
            );
        }
    }
}

/// Adds words to a text.
pub(super) fn append(text: &mut String, words: &[&str]) {
    for word in words {
        text.push_str(word);
    }
}

/// What is tracked through the device of an uplink is tracked through the uplink.
fn mark_uplinks(netifd: &Netifd, config: &mut Config) {
    let names = netifd.names(config.dialect);
    let said = netifd.said().0;
    uplink::mark(config, &|uplink, interface| {
        let device = said.device(uplink).ok();
        device.is_some() && device == names.device(interface).ok()
    });
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(failure) => {
                let mut separator = "";
                for error in &failure.errors {
                    write!(f, "{separator}{error}")?;
                    separator = "\n";
                }
                Ok(())
            }
            Self::Journal(error) => write!(f, "the journal cannot be written: {error}"),
            Self::Kernel(error) => error.fmt(f),
            Self::Unenforceable(error) => error.fmt(f),
            Self::Uplinks(error) => error.fmt(f),
            Self::Stopping => f.write_str("vipd is stopping"),
            Self::NoHelper => f.write_str(
                "this configuration is the first that has programs to be run, and vipd has given up the right to \
                 start the process that runs them: restart vipd",
            ),
        }
    }
}
