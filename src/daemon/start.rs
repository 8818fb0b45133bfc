//! The way to a running daemon: lock, sockets, what an earlier one left behind, the journal.

use core::fmt::{self, Write};
use std::rc::Rc;

use crate::config::model::{Config, Receive, Vip};
use crate::control::server::Control;
use crate::limits;
use crate::log;
use crate::netlink::nft::Purpose;
use crate::netlink::{addr, link_request};
use crate::sys::clock;
use crate::sys::error::Error;
use crate::sys::fifo;
use crate::sys::lock::{self, LockError, PidLock};
use crate::sys::memory;
use crate::sys::netlink::CommandSocket;
use crate::sys::poll::Poll;
use crate::sys::signal::{self, Signal, Signals};
use crate::sys::timer::Timer;
use crate::time::{Duration, Instant};
use crate::vrrp::action::Id;
use crate::vrrp::router::{Router, Spec};
use crate::vrrp::types::GROUP6;

use super::accept;
use super::addresses::{Addresses, Entry, IFA_PROTO_VIPD, STATIC};
use super::dhcp;
use super::drops::{self, Drops, Unenforceable};
use super::ears::{Ears, Place};
use super::executor::Executor;
use super::foreign;
use super::helper::Helper;
use super::journal::{self, Journal, Line};
use super::kernel::Kernel;
use super::leave::Leave;
use super::links::{Links, Slot};
use super::netifd::{Names, Netifd};
use super::notify::fifos::Fifos;
use super::rights;
use super::routes::{self, Routes};
use super::uplinks::{self, NoNetifd, Uplinks};
use super::vmac::{self, Mac, Vmacs};
use super::watch::Watches;
use super::{Daemon, Places};

/// Signals that the daemon answers.
const SIGNALS: &[Signal] = &[
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGUSR1,
];
/// The sockets in the poll set besides those of the interfaces.
const FIXED_SOCKETS: usize = 6;

/// Why the daemon cannot start.
#[derive(Debug)]
pub enum StartError {
    /// Another process has the runtime directory, or it cannot be had.
    Lock(LockError),
    /// A system call failed.
    System(Error),
    /// The kernel cannot do what `no_accept` or `dhcp follow` asks for.
    Unenforceable(Unenforceable),
    /// There is nobody to bring uplinks up.
    Uplinks(NoNetifd),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
            Self::Unenforceable(error) => error.fmt(f),
            Self::Uplinks(error) => error.fmt(f),
        }
    }
}

impl From<LockError> for StartError {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::System(error)
    }
}

impl Daemon {
    /// Everything up to the first wait: afterwards the daemon listens, and nothing of an earlier one
    /// is left in the kernel. `path` is the file that `config` was read from.
    pub fn start(config: Config, path: &str, runtime_dir: &str) -> Result<Self, StartError> {
        if let Some(error) = uplinks::no_netifd(&config) {
            return Err(StartError::Uplinks(error));
        }
        // First of all: it has our rights, and nothing else that we have.
        let helper = Helper::start(&config)?;
        lock::create_runtime_dir(runtime_dir)?;
        let lock = PidLock::take(runtime_dir)?;
        let control = Control::open(runtime_dir)?;
        let signals = Signals::block(SIGNALS)?;
        signal::ignore_pipe()?;
        let (timer, kernel) = (Timer::new()?, Kernel::open()?);
        let executor = Executor::new(CommandSocket::open()?, config.instances.len())?;
        let now = clock::now();
        let mut daemon = Self {
            relist: true,
            places: Places::default(),
            heard_at: Instant::ZERO,
            crowded: false,
            poll: Poll::with_capacity(0),
            timer,
            path: path.to_owned(),
            journal: Journal::new(runtime_dir),
            router: Router::new(Vec::new(), GROUP6, Duration::ZERO, now),
            links: Links::default(),
            link_of: Vec::new(),
            kernel,
            executor,
            config,
            accept_mode: Drops::new(Purpose::AcceptMode),
            tended: 0,
            ears: Ears::new(),
            netifd: Netifd::new(),
            watches: Watches::default(),
            uplinks: Uplinks::default(),
            helper,
            leave: Leave::default(),
            signals,
            control,
            started: now,
            _lock: lock,
        };
        daemon.look_around()?;
        daemon.begin()?;
        Ok(daemon)
    }

    /// Fills the tables, and the kernel's side of them; what an earlier daemon left is removed.
    fn look_around(&mut self) -> Result<(), StartError> {
        let (links, executor) = (&mut self.links, &mut self.executor);
        self.netifd.ask(&self.config, &self.helper, clock::now());
        let names = self.netifd.names(self.config.dialect);
        self.link_of = names.slots(&self.config, links);
        executor.addresses = tables(&mut self.config, names, links);
        let left = self.journal.read()?;
        let left = journal::lines(&left);
        for name in left.iter().filter_map(Line::interface) {
            links.slot(name);
        }
        executor.vmacs = Vmacs::new(&self.config, names, links);
        executor.routes = Routes::new(&self.config, names, links);
        watch_sources(&self.config, links);
        self.kernel.watch(executor.routes.groups());
        self.kernel.dump_with(&mut executor.commands, links)?;
        clean_up(&left, self.kernel.tells_who, links, executor)?;
        let Executor {
            addresses,
            routes,
            vmacs,
            ..
        } = executor;
        // The news of these removals, before anything of ours is there that they could be about.
        let limit = limits::EVENTS_OF_RELOAD;
        self.kernel.read(limit, links, addresses, routes);
        addresses.reconcile(links, true);
        for line in foreign::lines(&self.config, links, &self.link_of, addresses, vmacs) {
            log::warn!("{line}");
        }
        if let Some(table) = &self.journal.table {
            drops::remove_left(table);
        }
        Ok(())
    }

    /// Writes the journal, and begins with what stands in it.
    fn begin(&mut self) -> Result<(), StartError> {
        let fifos = Fifos::default().to_be_made(&self.config, &self.journal.fifos);
        for path in self.journal.fifos.iter().filter(|p| !fifos.contains(p)) {
            fifo::remove(path);
        }
        self.journal.fifos = fifos.clone();
        let refused = accept::refused(&self.config, &self.links, &self.executor.addresses);
        let gates = dhcp::gates(&self.config, &self.links, &self.link_of);
        self.journal.table = drops::journaled(!refused.is_empty(), !gates.is_empty());
        self.journal.write(self.journal_lines())?;

        let now = clock::now();
        self.started = now;
        let globals = &self.config.globals;
        let group = globals.mcast_group4;
        let specs = specs(&self.config, &self.link_of);
        self.router = Router::new(specs, group.into(), globals.startup_delay, now);
        self.executor.unicast.open(&self.config)?;
        self.kernel.own_port(self.executor.port()?);
        let modes = receive_modes(&self.config, &self.link_of);
        self.ears.retarget(group, &modes);
        let sockets = FIXED_SOCKETS + self.ears.capacity() + Control::capacity();
        self.poll = Poll::with_capacity(sockets);
        // Before any address is there, and last of all that can fail: the table outlives us.
        let dhcp = &mut self.executor.dhcp;
        let widened = self.accept_mode.widen(&refused);
        let widened = widened.and_then(|()| dhcp.widen(&gates));
        widened.map_err(StartError::Unenforceable)?;
        dhcp.narrow(gates);
        self.with_context(|executor, context| {
            executor.replace_ra(context.config, &[], context, now);
        });
        self.run_startup_script(now);
        self.adopt_notify(&[], fifos, now);
        self.arrange(now);
        self.with_context(Executor::add_static);
        self.report_links(now);
        // They need not wait for the kernel to compile a filter. Addresses do: they come once nothing can fail.
        self.executor.send_frames();
        memory::trim();
        let locks = rights::hurry(self.config.globals.urgency);
        rights::confine(locks)?;
        Ok(())
    }
}

impl Daemon {
    /// Whom to tell of transitions from now on. `fifos` are those that vipd makes.
    pub(super) fn adopt_notify(
        &mut self,
        matches: &[Option<Id>],
        fifos: Vec<Box<str>>,
        now: Instant,
    ) {
        let notify = &mut self.executor.notify;
        notify
            .fifos
            .adopt(&self.config, fifos, &mut self.helper, now);
        notify.adopt(&self.config, matches, now);
    }

    /// What the configuration says beside the instances: sync groups, delays of interfaces, and what is
    /// watched.
    pub(super) fn arrange(&mut self, now: Instant) {
        let instances = &self.config.instances;
        let mut groups = Vec::new();
        for group in &self.config.groups {
            let mut members = Vec::new();
            for id in self.router.ids() {
                if instances[id.index()].group.as_ref() == Some(&group.name) {
                    members.push(id);
                }
            }
            groups.push(members);
        }
        self.router.set_groups(groups, now);
        let names = self.netifd.names(self.config.dialect);
        self.links.forget_delays();
        for delay in &self.config.delays {
            if let Some(slot) = names.find(&delay.interface, &self.links) {
                self.links.set_delays(slot, delay.down, delay.up);
            }
        }
        self.watches.adopt(&self.config, &mut self.helper, now);
        self.uplinks.adopt(&self.config);
    }
}

/// What the core needs of the configuration.
pub(super) fn specs(config: &Config, link_of: &[Slot]) -> Vec<Spec> {
    let mut specs = Vec::with_capacity(link_of.len());
    for (instance, link) in config.instances.iter().zip(link_of) {
        specs.push(Spec {
            link: *link,
            settings: Rc::clone(&instance.settings),
        });
    }
    specs
}

/// The interface and family of each instance, and how it receives.
pub(super) fn receive_modes(config: &Config, link_of: &[Slot]) -> Vec<(Place, Receive)> {
    let mut modes = Vec::with_capacity(link_of.len());
    for (slot, instance) in link_of.iter().zip(&config.instances) {
        modes.push(((*slot, instance.settings.family), instance.receive));
    }
    modes
}

/// The addresses that adverts are to be sent from are watched on all interfaces. True if one is new.
pub(super) fn watch_sources(config: &Config, links: &mut Links) -> bool {
    let mut any_new = false;
    for source in config.instances.iter().filter_map(|i| i.source) {
        any_new |= links.watch(source);
    }
    any_new
}

/// Takes the virtual addresses out of the configuration, and makes a slot for each interface they
/// are on.
pub(super) fn tables(config: &mut Config, names: &Names, links: &mut Links) -> Addresses {
    let count: usize = config.instances.iter().map(|i| i.vips.len()).sum();
    let mut addresses = Addresses::with_capacity(count + config.vips.len());
    let mut push = |instance, vips: Box<[Vip]>, own: &Rc<str>, lease: Option<Duration>| {
        let named = |vip: Vip| (vip.dev.clone().unwrap_or_else(|| Rc::clone(own)), vip);
        let entries = vips.into_iter().map(named).map(|(interface, vip)| Entry {
            instance,
            link: names.slot(&interface, links),
            interface,
            address: vip.address,
            prefix_len: vip.prefix_len,
            scope: vip.scope,
            label: vip.label,
            broadcast: vip.broadcast,
            lease: lease.map(|lease| lease.as_secs() as u32),
            outdated_lease: false,
            wanted: false,
            present: false,
            foreign: false,
            told_missing: false,
            leaving: 0,
            owed: 0,
        });
        addresses.push_instance(entries);
    };
    for (index, instance) in config.instances.iter_mut().enumerate() {
        let vips = core::mem::take(&mut instance.vips);
        let id = Id(index as u16);
        push(id, vips, &instance.interface, instance.address_lease);
    }
    // Each of these names its interface.
    push(STATIC, core::mem::take(&mut config.vips), &"".into(), None);
    addresses
}

/// Removes what an earlier daemon put into the kernel: what its journal names, and the addresses
/// of this configuration that carry our mark. With a kernel that `tells_who` put an address there,
/// one without our mark is somebody else's, even if the journal names it: he added it meanwhile.
fn clean_up(
    left: &[Line<'_>],
    tells_who: bool,
    links: &mut Links,
    executor: &mut Executor,
) -> Result<(), Error> {
    let Executor {
        addresses,
        commands,
        ..
    } = executor;
    routes::remove_left(left, commands)?;
    let (mut gone, mut macvlans) = (Vec::new(), Vec::new());
    for (slot, link) in links.iter() {
        let Some(kernel) = &link.kernel else { continue };
        for found in &kernel.addresses {
            let is_it = |line: &Line<'_>| match line {
                Line::Address {
                    interface,
                    address,
                    prefix_len,
                } => {
                    *interface == link.name
                        && (*address, *prefix_len) == (found.address, found.prefix_len)
                }
                _ => false,
            };
            let journaled = left.iter().any(is_it);
            let marked = found.proto == IFA_PROTO_VIPD;
            let ours = journaled && (marked || !tells_who && found.proto == 0)
                || marked && addresses.has(slot, &found.address);
            if ours {
                log::warn!(
                    "{}/{} on {} was left by an earlier vipd; it is removed",
                    found.address,
                    found.prefix_len,
                    link.name
                );
                gone.push((slot, kernel.ifindex, found.address, found.prefix_len));
            }
        }
    }
    for line in left {
        match line {
            Line::Macvlan { interface, mac } => {
                let slot = links.slot(interface);
                if let Some(kernel) = &links.get(slot).kernel
                    && Mac(kernel.mac).to_string() == *mac
                {
                    log::warn!("{interface} was left by an earlier vipd; it is removed");
                    macvlans.push(kernel.ifindex);
                }
            }
            Line::Arp { .. } => vmac::restore(commands, line),
            Line::Address { .. } | Line::Routing { .. } => {}
        }
    }
    if gone.is_empty() && macvlans.is_empty() {
        return Ok(());
    }
    for (slot, ifindex, address, prefix_len) in gone {
        addr::delete(commands.batch(), ifindex, address, prefix_len);
        links.address_removed(slot, address, prefix_len);
    }
    for ifindex in macvlans {
        link_request::delete(commands.batch(), ifindex);
        links.vanished(ifindex);
    }
    commands.carry_out(&mut |_| {})
}

/// What a killed daemon might leave behind.
pub(super) fn journal_lines(
    links: &Links,
    addresses: &Addresses,
    routes: &Routes,
    vmacs: &Vmacs,
) -> String {
    let mut text = String::new();
    // A String has room for all of them.
    let mut put = |line: Line<'_>| {
        let _ = writeln!(text, "{line}");
    };
    for entry in addresses.entries() {
        let link = links.get(entry.link);
        if !entry.foreign && link.is_device() {
            put(Line::Address {
                interface: &link.name,
                address: entry.address,
                prefix_len: entry.prefix_len,
            });
        }
    }
    routes.journal(links, &mut put);
    vmacs.journal(links, &mut put);
    text
}
