//! What takes its time at the start, at the end, and before an instance goes: phases of the ordinary
//! loop, each with a bound. Adverts go on meanwhile.

use crate::config::model::{Config, Hook, Instance, Program};
use crate::limits;
use crate::log;
use crate::time::{Duration, Instant};
use crate::vrrp::action::Id;
use crate::vrrp::instance::Event;
use crate::vrrp::types::State;

use super::Daemon;
use super::executor::Executor;
use super::helper::{End, Job, Remains, Ticket};
use super::notify::path_of;
use super::reload::append;
use super::vmac::Vmacs;

/// What is waited for.
#[derive(Default)]
pub(super) struct Leave {
    phase: Phase,
    /// `notify_leave` of these instances runs.
    hooks: Vec<(Id, Ticket)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Serving,
    /// For `startup_script`.
    Starting(Ticket),
    /// For the hooks and uplinks of instances that a reload removes.
    Reload,
    /// For the hooks and uplinks of all, because the daemon stops.
    Hooks,
    /// For the programs that are told of the stop, not longer than this; and for those that read a
    /// FIFO.
    Told {
        until: Instant,
        readers: Instant,
    },
    /// For `shutdown_script`.
    Script(Ticket),
    Over,
}

impl Leave {
    /// Instances wait in Initialize.
    pub(super) fn is_starting(&self) -> bool {
        matches!(self.phase, Phase::Starting(_))
    }

    /// The daemon stops.
    pub(super) fn is_stopping(&self) -> bool {
        !matches!(
            self.phase,
            Phase::Serving | Phase::Starting(_) | Phase::Reload
        )
    }

    /// Nothing must change the instances now.
    pub(super) fn is_busy(&self) -> bool {
        self.is_stopping() || self.phase == Phase::Reload
    }

    /// It is time to go.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// When [`Daemon::tend_leave`] has something to do even if nothing happens.
    pub(super) fn poll_at(&self) -> Instant {
        match self.phase {
            Phase::Told { until, readers } => until.min(readers),
            _ => Instant::NEVER,
        }
    }
}

impl Daemon {
    /// Runs `startup_script`, for which the instances wait.
    pub(super) fn run_startup_script(&mut self, now: Instant) {
        let timeout = self.config.globals.startup_timeout;
        if let Some(ticket) = self.run_global(Hook::Startup, timeout, now) {
            self.leave.phase = Phase::Starting(ticket);
        }
    }

    fn run_global(&mut self, hook: Hook, timeout: Duration, now: Instant) -> Option<Ticket> {
        let programs = &self.config.globals.programs;
        let program = programs.iter().find(|program| program.hook == hook)?;
        let job = job(program, timeout);
        let run = self.helper.run(&job, now);
        let tell = |error| log::error!("{} {error}", path_of(program));
        run.map_err(tell).ok()
    }

    /// SIGTERM: what is Active leaves when its hook has run, all else at once. A second one ends that.
    pub(super) fn stop(&mut self, now: Instant) {
        if self.leave.is_stopping() {
            log::info!("again: nothing is waited for any more");
            self.leave.hooks.clear();
            self.abandon_uplinks();
            if self.leave.phase == Phase::Hooks {
                self.leave(now);
                self.close(now);
            }
            self.leave.phase = Phase::Over;
            return;
        }
        self.executor.notify.stopping = true;
        self.leave.phase = Phase::Hooks;
        for id in self.router.ids() {
            self.run_hook(id, now);
        }
        self.leave(now);
    }

    /// Runs the hook of an Active, if it has one. True if it runs.
    fn run_hook(&mut self, id: Id, now: Instant) -> bool {
        if self.leave.hooks.iter().any(|(of, _)| *of == id) {
            return true;
        }
        let instance = &self.config.instances[id.index()];
        let active = self.router.instance(id).state() == State::Active;
        let Some(program) = hook(instance).filter(|_| active) else {
            return false;
        };
        let job = job(program, instance.leave_timeout);
        match self.helper.run(&job, now) {
            Ok(ticket) => {
                let path = path_of(program);
                log::info!("{}: leaves as soon as {path} has ended", instance.name);
                self.leave.hooks.push((id, ticket));
                true
            }
            Err(error) => {
                log::error!("{}: {} {error}", instance.name, path_of(program));
                false
            }
        }
    }

    /// The same virtual router is in `config`, by the rule of [`Router::matches`]. Interfaces are not
    /// taken up here: a reload looks at what is new.
    ///
    /// [`Router::matches`]: crate::vrrp::router::Router::matches
    fn stays(&self, id: Id, config: &Config) -> bool {
        let (slot, own) = (
            self.link_of[id.index()],
            self.router.instance(id).settings(),
        );
        let names = self.netifd.names(config.dialect);
        config.instances.iter().any(|new| {
            let key = (new.settings.vrid, new.settings.family);
            key == (own.vrid, own.family) && names.find(&new.interface, &self.links) == Some(slot)
        })
    }

    /// Lets go who waits for no hook, neither its own nor one of its sync group.
    fn leave(&mut self, now: Instant) {
        for id in self.router.ids() {
            self.handle(id, Event::Leave, now);
        }
        // After the hooks, before the addresses.
        self.follow_uplinks(now);
        for id in self.router.ids() {
            if !self.waits_for_hook(id) && !self.waits_for_uplink(id, now) {
                self.handle(id, Event::Shutdown, now);
            }
        }
        if !self.waits(now) {
            self.close(now);
        }
    }

    /// For a hook or for an uplink.
    fn waits(&self, now: Instant) -> bool {
        !self.leave.hooks.is_empty() || self.any_uplink_falls(now)
    }

    /// Its own hook runs, or one of its sync group.
    pub(super) fn waits_for_hook(&self, id: Id) -> bool {
        let mut hooks = self.leave.hooks.iter();
        hooks.any(|(of, _)| self.is_together(id, *of))
    }

    /// They are one, or in one sync group.
    pub(super) fn is_together(&self, id: Id, other: Id) -> bool {
        let group = |id: Id| self.config.instances[id.index()].group.as_deref();
        id == other || group(id).is_some() && group(id) == group(other)
    }

    /// A hook or an uplink may have been the last that was waited for.
    pub(super) fn leave_goes_on(&mut self, now: Instant) {
        match self.leave.phase {
            Phase::Hooks => self.leave(now),
            Phase::Reload => {
                self.follow_uplinks(now);
                if !self.waits(now) {
                    self.reload_after_hooks(now);
                }
            }
            _ => {}
        }
    }

    /// Nothing is advertised any more: what else is in the kernel goes too.
    fn close(&mut self, now: Instant) {
        self.with_context(Executor::remove_static);
        self.flush(now);
        self.accept_mode.narrow(Vec::new());
        self.executor.dhcp.narrow(Vec::new());
        self.executor.notify.fifos.hang_up();
        let vmacs = !self.executor.vmacs.is_empty();
        if vmacs {
            self.executor.replace_vmacs(Vmacs::default(), &self.links);
        }
        if vmacs || !self.journal.fifos.is_empty() {
            // What is put back now must not be put back again by the next start.
            self.journal.table = None;
            self.journal.fifos.clear();
            if let Err(error) = self.journal.write(String::new()) {
                log::warn!("the journal keeps more than is needed: {error}");
            }
        }
        self.leave.phase = Phase::Told {
            until: now + limits::STOP_PATIENCE,
            readers: now + limits::FIFO_PATIENCE,
        };
    }

    /// Goes on with the end once the programs have been told of it.
    pub(super) fn tend_leave(&mut self, now: Instant) {
        let Phase::Told { until, readers } = self.leave.phase else {
            return;
        };
        let notify = &self.executor.notify;
        let read = now >= readers || !notify.fifos.are_read();
        if !(notify.is_idle() && read) && now < until {
            if now >= readers {
                self.leave.phase = Phase::Told {
                    until,
                    readers: until,
                };
            }
            return;
        }
        let timeout = self.config.globals.shutdown_timeout;
        self.leave.phase = match self.run_global(Hook::Shutdown, timeout, now) {
            Some(ticket) => Phase::Script(ticket),
            None => Phase::Over,
        };
    }

    /// A program has ended. True if it was one that is waited for here.
    pub(super) fn leave_ended(&mut self, ticket: Ticket, end: End, now: Instant) -> bool {
        let hook = self.leave.hooks.iter().position(|(_, of)| *of == ticket);
        if let Some(place) = hook {
            let (id, _) = self.leave.hooks.swap_remove(place);
            let name = &self.config.instances[id.index()].name;
            log::info!("{name}: notify_leave {end}");
            self.leave_goes_on(now);
            return true;
        }
        let (name, next) = match self.leave.phase {
            Phase::Starting(of) if of == ticket => ("startup_script", Phase::Serving),
            Phase::Script(of) if of == ticket => ("shutdown_script", Phase::Over),
            _ => return false,
        };
        if end != End::Exit(0) {
            log::warn!("{name} {end}");
        }
        self.leave.phase = next;
        if next == Phase::Serving {
            self.report_links(now);
        }
        true
    }

    /// Before a reload: the names of instances that are not in `config` and leave first, because their
    /// hooks run.
    pub(super) fn leave_first(&mut self, config: &Config, now: Instant) -> String {
        let mut leaving = String::new();
        if self.leave.phase == Phase::Reload && !self.waits(now) {
            return leaving;
        }
        for id in self.router.ids() {
            let stays = self.stays(id, config);
            if !stays && (self.run_hook(id, now) || self.has_uplink_up(id)) {
                self.handle(id, Event::Leave, now);
                let separator = if leaving.is_empty() { "" } else { " " };
                append(
                    &mut leaving,
                    &[separator, &self.config.instances[id.index()].name],
                );
            }
        }
        self.follow_uplinks(now);
        if !self.waits(now) {
            // Its uplinks are somebody else's too, who stays.
            leaving.clear();
        }
        self.leave.phase = match leaving.is_empty() {
            false => Phase::Reload,
            true if self.leave.is_starting() => self.leave.phase,
            true => Phase::Serving,
        };
        if leaving.is_empty() {
            // Of a reload before this one, whose instances are wanted again.
            let hooks = self.leave.hooks.drain(..);
            hooks.for_each(|(_, ticket)| self.helper.cancel(ticket));
        }
        leaving
    }

    fn reload_after_hooks(&mut self, now: Instant) {
        let result = self.reload_and_log(now);
        self.leave.phase = Phase::Serving;
        if result.is_err() {
            // They stay after all.
            self.adopt(now);
        }
    }
}

fn hook(instance: &Instance) -> Option<&Program> {
    let mut programs = instance.programs.iter();
    programs.find(|program| program.hook == Hook::Leave)
}

fn job(program: &Program, timeout: Duration) -> Job<'_> {
    Job {
        command: &program.argv,
        arguments: &[],
        environment: &[],
        ids: program.ids,
        timeout,
        remains: Remains::Left,
        stdout: None,
    }
}
