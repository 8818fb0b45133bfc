//! The loop: wait, take input in, let the core decide, carry out, wait again.
//!
//! One mutation, then its actions: there is no way back from an action to an input except through
//! the kernel. Timers come before packets and packets are bounded a wakeup, so that a flood cannot
//! starve an advert.

mod accept;
mod addresses;
mod advert;
mod control;
mod ears;
mod executor;
mod foreign;
mod helper;
mod journal;
mod kernel;
mod leave;
mod links;
mod netifd;
mod notify;
pub mod reload;
mod report;
mod rights;
mod routes;
mod start;
mod status;
mod tap;
mod unicast;
mod vmac;
mod watch;

use crate::config::model::Config;
use crate::control::server::Control;
use crate::limits;
use crate::sys::clock;
use crate::sys::error::Error;
use crate::sys::lock::PidLock;
use crate::sys::memory;
use crate::sys::poll::{Interest, Poll};
use crate::sys::signal::{Signal, Signals};
use crate::sys::timer::Timer;
use crate::time::{Duration, Instant};
use crate::vrrp::action::{Actions, Id};
use crate::vrrp::instance::{Event, LinkState};
use crate::vrrp::router::Router;
use crate::vrrp::track::{Kind, Reading, Tracker};
use crate::vrrp::types::Family;

use accept::AcceptMode;
use addresses::{News, STATIC};
use ears::Ears;
use executor::{Context, Executor};
use helper::Helper;
use journal::Journal;
use kernel::Kernel;
use leave::Leave;
use links::{Links, Slot};
use netifd::Netifd;
use reload::{Outcome, Refused};
use watch::Watches;

pub use accept::{Unenforceable, unenforceable};
pub use foreign::already_there;
pub use start::StartError;

/// Everything that a running daemon has.
pub struct Daemon {
    config: Config,
    /// The file that it was read from.
    path: String,
    journal: Journal,
    router: Router,
    links: Links,
    /// The interface of each instance.
    link_of: Vec<Slot>,
    executor: Executor,
    kernel: Kernel,
    accept_mode: AcceptMode,
    ears: Ears,
    netifd: Netifd,
    watches: Watches,
    /// Runs programs for whoever has one to run.
    helper: Helper,
    /// What is waited for at the start, at the end, and before an instance goes.
    leave: Leave,
    signals: Signals,
    timer: Timer,
    poll: Poll,
    /// The poll set is to be listed anew: sockets may have come or gone.
    relist: bool,
    places: Places,
    /// The number of state changes when the sockets were last tended.
    tended: u64,
    control: Control,
    /// When [`Daemon::start`] was done.
    started: Instant,
    /// Held for as long as the daemon lives: one daemon a runtime directory.
    _lock: PidLock,
}

/// Places in the poll set, in front of the sockets of the interfaces.
#[derive(Default)]
struct Places {
    timer: usize,
    signals: usize,
    kernel: usize,
}

impl Daemon {
    /// Runs until SIGTERM or SIGINT, and what has to be done after that.
    pub fn run(&mut self) -> Result<(), Error> {
        let mut armed = Instant::NEVER;
        let mut now = clock::now();
        loop {
            if self.executor.has_work(now) {
                self.flush(now);
            }
            if now >= self.executor.notify.poll_at() {
                self.executor.notify.tend(&mut self.helper, now);
            }
            self.tend_leave(now);
            if self.leave.is_over() {
                return Ok(());
            }
            self.tend_ears(now);
            let deadline = self.deadline();
            let mut readable = self.wait(deadline, now, &mut armed)?;
            now = clock::now();
            if now.since(deadline) > limits::LATE {
                // This machine stood still: what was said meanwhile counts before our own timers.
                self.catch_up(now)?;
                readable = true;
            }
            if now >= self.router.poll_at() {
                self.timers(now);
            }
            if now >= self.links.poll_at() {
                self.report_links(now);
            }
            if !self.executor.addresses.news.is_empty() {
                self.address_news(now);
            }
            if readable {
                self.read(now)?;
            }
            if self.watches.tend(&self.poll, &mut self.helper, now) {
                self.relist = true;
                self.report_watches(now);
            }
            self.relist |= self.watches.relists();
            self.serve_control(now);
            if self.netifd.has_work(&self.poll, now) {
                self.relist = true;
                self.netifd.tend(&mut self.helper, now);
            }
            if self.helper.has_work(&self.poll, now) {
                self.programs_ended(now);
            }
        }
    }

    /// Tells each end of a program to whoever had it run.
    fn programs_ended(&mut self, now: Instant) {
        self.relist = true;
        while let Some((ticket, end)) = self.helper.next_end(now) {
            if self.executor.notify.ended(ticket, end, now) || self.leave_ended(ticket, end, now) {
                continue;
            }
            match self.watches.ended(ticket, end) {
                Some(true) => self.report_watches(now),
                Some(false) => {}
                None if self.netifd.ended(ticket, end, now) => self.resolved(now),
                None => {}
            }
        }
    }

    /// Takes in what the last wait found.
    fn read(&mut self, now: Instant) -> Result<(), Error> {
        if self.poll.readiness(self.places.signals).any() {
            self.signals(now)?;
        }
        if self.poll.readiness(self.places.kernel).any() {
            self.kernel_events(limits::EVENTS, now);
        }
        self.receive(now);
        Ok(())
    }

    fn deadline(&self) -> Instant {
        let (core, executor) = (self.router.poll_at(), self.executor.poll_at());
        let (ears, control) = (self.ears.poll_at(), self.control.poll_at());
        let (netifd, links) = (self.netifd.poll_at(), self.links.poll_at());
        core.min(executor)
            .min(self.executor.notify.poll_at())
            .min(self.leave.poll_at())
            .min(self.helper.poll_at())
            .min(ears)
            .min(control)
            .min(netifd)
            .min(links)
            .min(self.watches.poll_at())
    }

    /// Listens on what is needed now that states may have changed.
    fn tend_ears(&mut self, now: Instant) {
        let changes = self.executor.state_changes;
        if changes == self.tended && now < self.ears.poll_at() {
            return;
        }
        self.tended = changes;
        self.relist = true;
        let Self {
            ears,
            router,
            link_of,
            links,
            ..
        } = self;
        let good = ears.tend(links, now, |place| {
            let of_place = router
                .instances()
                .iter()
                .zip(link_of.iter())
                .filter(|(i, s)| (**s, i.settings().family) == place);
            of_place
                .map(|(instance, _)| instance.active_down_interval_if_active())
                .reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b)))?
        });
        if !good {
            self.report_links(now);
        }
        if self.ears.closes() {
            self.close_taps(now);
        }
    }

    /// Takes what the taps still have, so that no advert falls between two sockets.
    fn close_taps(&mut self, now: Instant) {
        for _ in 0..limits::CATCH_UP {
            if self.receive(now) == 0 {
                break;
            }
        }
        self.ears.close_taps();
        self.flush(now);
    }

    /// Sleeps until something can be read or `deadline` has passed. True if there is something
    /// else to be seen to than the timer.
    ///
    /// The timer is left alone when it is set to an earlier time: a Backup's deadline moves with
    /// every advert, and a wakeup for nothing now and then is cheaper than a system call each time.
    fn wait(
        &mut self,
        deadline: Instant,
        now: Instant,
        armed: &mut Instant,
    ) -> Result<bool, Error> {
        if deadline < *armed || *armed <= now {
            self.timer.set(deadline)?;
            *armed = deadline;
        }
        if core::mem::take(&mut self.relist) {
            self.list();
        }
        let ready = self
            .poll
            .wait((deadline <= now).then_some(Duration::ZERO))?;
        let timer = self.poll.readiness(self.places.timer).any();
        Ok(ready > usize::from(timer))
    }

    /// Makes the poll set.
    fn list(&mut self) {
        self.poll.clear();
        self.places = Places {
            timer: self.poll.add(&self.timer, Interest::Read),
            signals: self.poll.add(&self.signals, Interest::Read),
            kernel: self.poll.add(self.kernel.events(), Interest::Read),
        };
        self.ears.add_to(&mut self.poll);
        self.control.add_to(&mut self.poll);
        self.netifd.add_to(&mut self.poll);
        self.watches.add_to(&mut self.poll);
        self.helper.add_to(&mut self.poll);
    }

    fn timers(&mut self, now: Instant) {
        let mut actions = Actions::new();
        while self.router.poll(now, &mut actions) {
            self.execute(&mut actions);
        }
    }

    /// Takes in all that waits, however much that is (within a bound): what the last wait found
    /// may be from before the standstill.
    fn catch_up(&mut self, now: Instant) -> Result<(), Error> {
        for _ in 0..limits::CATCH_UP {
            self.poll.wait(Some(Duration::ZERO))?;
            if self.receive(now) == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Returns how many frames there were.
    fn receive(&mut self, now: Instant) -> usize {
        let mut count = 0;
        let Self {
            router,
            executor,
            config,
            links,
            link_of,
            ears,
            poll,
            ..
        } = self;
        let mut actions = Actions::new();
        ears.receive(poll, links, now, |heard| {
            count += 1;
            match heard {
                Ok(received) => router.receive(received, now, &mut actions),
                Err(reason) => router.count_drop(reason),
            }
            let context = Context {
                config,
                links,
                link_of,
                router,
            };
            for action in &actions {
                executor.execute(action, &context);
            }
            actions.clear();
        });
        count
    }

    fn signals(&mut self, now: Instant) -> Result<(), Error> {
        while let Some(signal) = self.signals.next()? {
            match signal {
                Signal::SIGTERM | Signal::SIGINT => {
                    ::log::info!("{signal}: stopping");
                    self.stop(now);
                }
                Signal::SIGHUP => {
                    // The log has it, and nobody else is there to be told.
                    let _ = self.reload_and_log(now);
                }
                Signal::SIGUSR1 => self.log_counters(),
                _ => ::log::warn!("{signal}: vipd does not know this signal"),
            }
        }
        Ok(())
    }

    fn reload_and_log(&mut self, now: Instant) -> Result<Outcome, Refused> {
        let result = self.reload(now);
        memory::trim();
        match &result {
            Ok(outcome) => ::log::info!("reload: {outcome}"),
            Err(refused) => {
                refused
                    .to_string()
                    .lines()
                    .for_each(|line| ::log::error!("{line}"));
                ::log::error!(
                    "reload refused: nothing has changed; mend the file and send SIGHUP again"
                );
            }
        }
        result
    }

    /// Makes the macvlans that are missing, and prepares the interfaces below them.
    fn tend_vmacs(&mut self) {
        let (links, executor) = (&self.links, &mut self.executor);
        if executor.vmacs.is_empty() {
            return;
        }
        if executor.vmacs.look_below(links) {
            let lines = self.journal_lines();
            let executor = &mut self.executor;
            match self.journal.write(&lines) {
                Ok(()) => executor.change_below(),
                Err(error) => ::log::error!(
                    "the journal cannot be written, so the interfaces below the virtual MAC addresses are left \
                     as they are, and hosts may learn theirs: {error}"
                ),
            }
        }
        // What is read then may be that another one is gone.
        for _ in 0..limits::DUMPS {
            if !self.executor.make_vmacs(&self.links) {
                break;
            }
            self.take_in_vmacs();
        }
    }

    /// What a killed daemon might leave behind.
    fn journal_lines(&self) -> Vec<journal::Line> {
        let Executor {
            addresses,
            routes,
            vmacs,
            ..
        } = &self.executor;
        start::journal_lines(&self.links, addresses, routes, vmacs)
    }

    /// Reads what the kernel tells of macvlans that were made or removed.
    fn take_in_vmacs(&mut self) {
        self.read_kernel(limits::EVENTS_OF_RELOAD);
    }

    fn read_kernel(&mut self, limit: usize) {
        let Executor {
            addresses, routes, ..
        } = &mut self.executor;
        self.kernel.read(limit, &mut self.links, addresses, routes);
    }

    fn kernel_events(&mut self, limit: usize, now: Instant) {
        self.read_kernel(limit);
        if core::mem::take(&mut self.kernel.stirred) {
            self.executor.stir(now);
        }
        self.report_links(now);
        self.address_news(now);
    }

    /// Tells what happened to the addresses without our doing, and has them put back.
    fn address_news(&mut self, now: Instant) {
        let mut restored = None;
        // What a restoration finds is told at the next wakeup.
        for (index, news) in core::mem::take(&mut self.executor.addresses.news) {
            let entry = &self.executor.addresses.entries()[index];
            let id = entry.instance;
            let link = self.links.get(entry.link);
            let line = report::AddressNews {
                instance: self.config.instances.get(id.index()),
                interface: &link.name,
                address: entry.address,
                news,
            };
            // An interface that is being deleted goes down, then loses its addresses; one that is
            // set down loses its IPv6 addresses.
            let told = match news {
                News::Removed => link.is_up() && entry.wanted,
                News::Foreign => id != STATIC,
                _ => true,
            };
            if told {
                line.log();
            }
            let missing = entry.wanted && matches!(news, News::Removed | News::InterfaceBack);
            if missing && id == STATIC {
                self.executor.stir(now);
            } else if missing && restored != Some(id) {
                restored = Some(id);
                self.handle(id, Event::AddressLost, now);
            }
        }
    }

    /// Tells the core what has changed on the interfaces, and opens their sockets.
    fn report_links(&mut self, now: Instant) {
        self.links.settle(now);
        self.tend_vmacs();
        self.ears.follow(&self.links);
        self.relist = true;
        let names = self.netifd.names(self.config.dialect);
        let slot = |name: &str| names.find(name, &self.links);
        self.watches.follow(&self.links, slot, now);
        if self.leave.is_starting() {
            return;
        }
        for id in self.router.ids() {
            self.read_trackers(id, now);
            let state = self.link_state(id);
            if self.router.instance(id).link() != state {
                self.handle(id, Event::Link(state), now);
            }
        }
    }

    /// Tells the instances what has changed of what they track besides interfaces.
    fn report_watches(&mut self, now: Instant) {
        for id in self.router.ids() {
            self.read_trackers(id, now);
        }
    }

    /// Tells an instance what it tracks.
    fn read_trackers(&mut self, id: Id, now: Instant) {
        if self.router.instance(id).settings().trackers.is_empty() {
            return;
        }
        let (links, names) = (&self.links, self.netifd.names(self.config.dialect));
        let is_up = |slot| links.get(slot).counts_as_up();
        let read = |tracker: &Tracker| match tracker.what.kind {
            Kind::Interface if names.find(&tracker.what.name, links).is_some_and(is_up) => {
                Reading::Up
            }
            Kind::Interface => Reading::Down,
            _ => self.watches.reading(&tracker.what),
        };
        let mut actions = Actions::new();
        self.router.track(id, &read, now, &mut actions);
        self.execute(&mut actions);
    }

    fn link_state(&self, id: Id) -> LinkState {
        let instance = &self.config.instances[id.index()];
        let slot = self.link_of[id.index()];
        let addresses = &self.executor.addresses;
        let family = instance.settings.family;
        let owner = instance.settings.priority == crate::vrrp::types::PRIORITY_OWNER;
        let chosen = instance.source;
        let unicast = self.router.instance(id).settings().unicast.is_some();
        // A multicast source over IPv6 is one of the interface's own addresses.
        let pinned = family == Family::V6 && !unicast && chosen.is_some();
        let state = self.links.get(slot).state(instance.ignores_link, |a| {
            let virtual_ = addresses.is_virtual(slot, &a.address);
            let ours = !virtual_ || owner && addresses.is_foreign(slot, &a.address);
            ours && a.may_be_source(family) && (!pinned || chosen == Some(a.address))
        });
        let names = self.netifd.names(self.config.dialect);
        if let Some(why) = names.unresolved(&instance.interface, self.links.get(slot)) {
            return LinkState::Unresolved(why);
        }
        match (state, chosen) {
            // Without an address of its family it may have no multicast to join.
            (LinkState::Up(None), None) => state,
            (LinkState::Up(None), Some(_)) if pinned => state,
            (LinkState::Up(_), _) if !self.ears.hears((slot, family)) => LinkState::Deaf,
            (LinkState::Up(_), _) if !self.executor.vmacs.are_ready(id, &self.links) => {
                LinkState::NoMacvlan
            }
            (LinkState::Up(_), Some(source)) if unicast && !self.links.has_source(&source) => {
                LinkState::NoSource(source)
            }
            (LinkState::Up(_), Some(source)) => LinkState::Up(Some(source)),
            _ => state,
        }
    }

    fn handle(&mut self, id: Id, event: Event, now: Instant) {
        let mut actions = Actions::new();
        self.router.handle(id, event, now, &mut actions);
        self.execute(&mut actions);
    }

    fn execute(&mut self, actions: &mut Actions) {
        let Self {
            router,
            executor,
            config,
            links,
            link_of,
            ..
        } = self;
        let context = Context {
            config,
            links,
            link_of,
            router,
        };
        for action in actions.iter() {
            executor.execute(action, &context);
        }
        actions.clear();
    }

    fn flush(&mut self, now: Instant) {
        self.with_context(|executor, context| executor.flush(now, context));
    }

    fn with_context(&mut self, run: impl FnOnce(&mut Executor, &Context<'_>)) {
        let Self {
            router,
            executor,
            config,
            links,
            link_of,
            ..
        } = self;
        let context = Context {
            config,
            links,
            link_of,
            router,
        };
        run(executor, &context);
    }

    fn log_counters(&self) {
        for (id, instance) in self.router.ids().zip(&self.config.instances) {
            let numbers = report::Numbers(self.router.instance(id).counters());
            ::log::info!("{}: counters: {numbers}", instance.name);
            let (sockets, why) = self
                .ears
                .explain((self.link_of[id.index()], instance.settings.family));
            ::log::info!("{}: listens on {sockets}: {why}", instance.name);
        }
        ::log::info!(
            "no instance: drops:{}",
            report::Dropped(self.router.drops())
        );
    }
}
