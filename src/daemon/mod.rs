//! The loop: wait, take input in, let the core decide, carry out, wait again.
//!
//! One mutation, then its actions: there is no way back from an action to an input except through
//! the kernel. Timers come before packets and packets are bounded a wakeup, so that a flood cannot
//! starve an advert.

mod accept;
mod addresses;
mod advert;
mod control;
mod dhcp;
mod drops;
mod ears;
mod executor;
mod foreign;
mod helper;
mod journal;
mod kernel;
mod lack;
mod leave;
mod links;
mod netifd;
mod news;
mod notify;
mod ra;
pub mod reload;
mod report;
mod rights;
mod routes;
mod start;
mod status;
mod tap;
mod unicast;
mod uplinks;
mod vmac;
mod watch;

use crate::config::model::Config;
use crate::control::server::Control;
use crate::limits;
use crate::log;
use crate::sys::clock;
use crate::sys::error::Error;
use crate::sys::lock::PidLock;
use crate::sys::memory;
use crate::sys::poll::{Interest, Poll};
use crate::sys::signal::{Signal, Signals};
use crate::sys::timer::Timer;
use crate::time::{Duration, Instant};
use crate::vrrp::action::{Actions, Id};
use crate::vrrp::instance::Event;
use crate::vrrp::router::Router;

use drops::Drops;
use ears::Ears;
use executor::{Context, Executor};
use helper::Helper;
use journal::Journal;
use kernel::Kernel;
use leave::Leave;
use links::{Links, Slot};
use netifd::Netifd;
use reload::Refused;
use uplinks::Uplinks;
use watch::Watches;

pub use drops::{Unenforceable, unenforceable};
pub use foreign::already_there;
pub use start::StartError;
pub use uplinks::{NoNetifd, no_netifd};

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
    accept_mode: Drops,
    ears: Ears,
    netifd: Netifd,
    watches: Watches,
    uplinks: Uplinks,
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
    /// The last wakeup that brought frames.
    heard_at: Instant,
    /// Frames come so often that the next ones are left to gather.
    crowded: bool,
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
            self.tend_uplinks(now);
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
            if self.executor.notify.ended(ticket, end, now)
                || self.leave_ended(ticket, end, now)
                || self.uplink_ended(ticket, end, now)
            {
                continue;
            }
            match self.watches.ended(ticket, end) {
                Some(true) => self.report_watches(now),
                Some(false) => {}
                None if self.netifd.ended(ticket, end, now) => {
                    self.uplinks_said(now);
                    self.resolved(now);
                }
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
        self.executor.ra.receive(&self.poll, now);
        let count = self.receive(now);
        if count > 0 {
            let often = count > 1 || now.since(self.heard_at) < limits::GATHER;
            // Of a flood there is always more to be read than can gather.
            self.crowded = often && count < limits::RECEIVE_FRAMES;
            self.heard_at = now;
        }
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
            .min(self.uplinks.poll_at())
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
            let mut longest = None;
            for (instance, slot) in router.instances().iter().zip(link_of.iter()) {
                if (*slot, instance.settings().family) == place {
                    let interval = instance.active_down_interval_if_active()?;
                    longest = longest.max(Some(interval));
                }
            }
            longest
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
    ///
    /// Where adverts come in crowds, all but the timer waits [`limits::GATHER`] first.
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
        if core::mem::take(&mut self.crowded) && deadline > now {
            self.poll
                .wait_for(self.places.timer + 1, Some(limits::GATHER))?;
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
        self.executor.ra.add_to(&mut self.poll);
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

    /// One signal a wakeup: reloads that come faster than they are done must not starve the timers.
    fn signals(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(signal) = self.signals.next()? {
            match signal {
                Signal::SIGTERM | Signal::SIGINT => {
                    log::info!("{signal}: stopping");
                    self.stop(now);
                }
                Signal::SIGHUP => {
                    // The log has it, and nobody else is there to be told.
                    let _ = self.reload_and_log(now);
                }
                Signal::SIGUSR1 => self.log_counters(),
                _ => log::warn!("{signal}: vipd does not know this signal"),
            }
        }
        Ok(())
    }

    fn reload_and_log(&mut self, now: Instant) -> Result<String, Refused> {
        let result = self.reload(now);
        memory::trim();
        match &result {
            Ok(outcome) => log::info!("reload: {outcome}"),
            Err(refused) => {
                refused
                    .to_string()
                    .lines()
                    .for_each(|line| log::error!("{line}"));
                log::error!(
                    "reload refused: nothing has changed; mend the file and send SIGHUP again"
                );
            }
        }
        result
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
            log::info!("{}: counters: {numbers}", instance.name);
            let (sockets, why) = self
                .ears
                .explain((self.link_of[id.index()], instance.settings.family));
            log::info!("{}: listens on {sockets}: {why}", instance.name);
        }
        log::info!(
            "no instance: drops:{}",
            report::Dropped(self.router.drops())
        );
    }
}
