//! `Config`: what a configuration file means, after validation. Every text format ends here.

use core::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use super::routing::Item;
use crate::helper::message::Ids;
use crate::probe::{Check, Plan};
use crate::time::Duration;
use crate::vrrp::trial::Rules;
use crate::vrrp::types::Settings;

/// How the text of a configuration was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// keepalived.conf: names of interfaces are the kernel's.
    #[default]
    Keepalived,
    /// UCI: names of interfaces may be netifd's, such as `lan`.
    Uci,
}

/// A whole validated configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// How it was written, which says whose names its interfaces have.
    pub dialect: Dialect,
    /// `global_defs`.
    pub globals: Globals,
    /// `vrrp_script`, and scripts in place: those that an instance tracks.
    pub scripts: Vec<Rc<Script>>,
    /// `track_probe` and `probe`: those that an instance tracks.
    pub probes: Vec<Rc<Probe>>,
    /// `interface_up_down_delays`.
    pub delays: Box<[Delay]>,
    /// One for each `vrrp_sync_group`, in the order of the file.
    pub groups: Box<[Group]>,
    /// `static_ipaddress`; the daemon takes them out, as those of the instances.
    pub vips: Box<[Vip]>,
    /// `static_routes`, then `static_rules`.
    pub routes: Box<[Rc<Item>]>,
    /// One for each `track_file`.
    pub files: Box<[Rc<TrackFile>]>,
    /// One for each `vrrp_track_process`.
    pub processes: Box<[Rc<TrackProcess>]>,
    /// One for each `vrrp_instance`, in the order of the file.
    pub instances: Vec<Instance>,
}

impl Config {
    /// Whether anything in it is a program to be run: without, vipd has no helper process.
    pub fn has_programs(&self) -> bool {
        let is_run = |program: &Program| !program.hook.is_fifo() && !program.argv.is_empty();
        let runs = |programs: &Programs| programs.iter().any(is_run);
        runs(&self.globals.programs)
            || self.instances.iter().any(|i| runs(&i.programs))
            || self.groups.iter().any(|group| runs(&group.programs))
            || !self.scripts.is_empty()
            || self.has_uplinks()
    }

    /// Whether any instance has an uplink.
    pub fn has_uplinks(&self) -> bool {
        self.instances.iter().any(|i| !i.uplinks.is_empty())
    }
}

/// One `vrrp_script`, or one that stands in place of a name in `track_script`.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    /// Its name, or its command line.
    pub name: Box<str>,
    /// Path and arguments.
    pub command: Box<[Box<str>]>,
    /// Of whom it runs; none: of whom vipd runs.
    pub ids: Option<Ids>,
    /// From one start to the next.
    pub interval: Duration,
    /// From then on it is killed and has failed.
    pub timeout: Duration,
    /// Successes in a row that make it up.
    pub rise: u32,
    /// Failures in a row that make it down.
    pub fall: u32,
    /// It is down until it has succeeded, not unknown.
    pub init_fail: bool,
}

/// How long a change of an interface must last to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The interface.
    pub interface: Rc<str>,
    /// When it goes down.
    pub down: Duration,
    /// When it comes up.
    pub up: Duration,
}

/// A file whose number counts.
#[derive(Debug, PartialEq, Eq)]
pub struct TrackFile {
    /// How trackers call it.
    pub name: Box<str>,
    /// Where it is: a folder, a slash, a name.
    pub path: Box<str>,
    /// What to write there at the start.
    pub init: Option<InitFile>,
}

/// Processes that are counted.
#[derive(Debug, PartialEq, Eq)]
pub struct TrackProcess {
    /// How trackers call them.
    pub name: Box<str>,
    /// What `compare` takes: a name, or words of a command line, each with its NUL.
    pub wanted: Box<[u8]>,
    /// Which processes they are.
    pub compare: Compare,
    /// How many there must be.
    pub quorum: u32,
    /// How many there may be.
    pub most: u32,
    /// How long a change must last that more processes have brought.
    pub fork_delay: Duration,
    /// And one of fewer.
    pub terminate_delay: Duration,
}

/// How a process is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// By its name.
    Name,
    /// By the beginning of its command line.
    Start,
    /// By its whole command line.
    Whole,
}

/// `init_file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitFile {
    /// The number.
    pub value: i32,
    /// Also if the file is there.
    pub overwrite: bool,
}

/// One `track_probe NAME { … }`, or one line of `probe`.
#[derive(Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name; of one in place its line, without the weight.
    pub name: Box<str>,
    /// What is asked.
    pub check: Check,
    /// The interface that is asked through.
    pub interface: Rc<str>,
    /// How often, and what counts.
    pub plan: Plan,
}

/// What holds for all instances.
#[derive(Debug, PartialEq, Eq)]
pub struct Globals {
    /// `router_id`: how this router is called in messages. The host name if absent.
    pub router_id: Option<String>,
    /// `vrrp_startup_delay`: instances stay in Initialize for so long after the start.
    pub startup_delay: Duration,
    /// `vrrp_mcast_group4`: where IPv4 adverts go; 224.0.0.18 unless set.
    pub mcast_group4: Ipv4Addr,
    /// `vrrp_garp_interval`: the gap between two gratuitous ARPs on an interface.
    pub garp_interval: Duration,
    /// The programs at start and end, the FIFOs and their programs.
    pub programs: Programs,
    /// `startup_script_timeout`.
    pub startup_timeout: Duration,
    /// `shutdown_script_timeout`.
    pub shutdown_timeout: Duration,
    /// `fifo_write_vrrp_states_on_reload`.
    pub states_on_reload: bool,
    /// `hotplug_keepalived`: OpenWrt's scripts for keepalived are run too.
    pub hotplug_keepalived: bool,
    /// How vipd stands beside other processes.
    pub urgency: Urgency,
}

/// How vipd stands beside other processes of the machine. Set at the start only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Urgency {
    /// `vrrp_priority`: its niceness, from -20 to 19.
    pub nice: Option<i32>,
    /// `vrrp_rt_priority`: its real-time priority, from 1 to 99.
    pub realtime: Option<u32>,
    /// `vrrp_no_swap`: all of it stays in memory.
    pub no_swap: bool,
}

/// One `vrrp_sync_group`; each instance says which one it is in.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Rc<str>,
    /// What is run at its transitions.
    pub programs: Programs,
}

/// The programs of an instance, of a sync group or of `global_defs`, at most one for each hook.
pub type Programs = Rc<[Program]>;

/// A program to run, or a FIFO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// When.
    pub hook: Hook,
    /// Its path and its arguments; none for a `notify_deleted` that stands alone.
    pub argv: Box<[Box<str>]>,
    /// As written: the user, then the group.
    pub user: Box<[Box<str>]>,
    /// Whose rights it has, or who owns the FIFO; none: vipd itself.
    pub ids: Option<Ids>,
}

/// When a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `notify_master`
    Master,
    /// `notify_backup`
    Backup,
    /// `notify_fault`
    Fault,
    /// `notify_stop`
    Stop,
    /// `notify_deleted`
    Deleted,
    /// `notify_master_rx_lower_pri`
    LowerPriority,
    /// `notify`
    Any,
    /// `notify_leave`
    Leave,
    /// `startup_script`
    Startup,
    /// `shutdown_script`
    Shutdown,
    /// `notify_fifo`, which is a file
    Fifo,
    /// `notify_fifo_script`
    FifoScript,
    /// `vrrp_notify_fifo`, which is a file
    VrrpFifo,
    /// `vrrp_notify_fifo_script`
    VrrpFifoScript,
}

impl Hook {
    /// It is no program but a file.
    pub(crate) const fn is_fifo(self) -> bool {
        matches!(self, Self::Fifo | Self::VrrpFifo)
    }
}

/// One `vrrp_instance`.
#[derive(Debug, Eq)]
pub struct Instance {
    /// The name in the file, for messages.
    pub name: Box<str>,
    /// The interface that adverts are sent and received on.
    pub interface: Rc<str>,
    /// What the protocol core needs, and shares.
    pub settings: Rc<Settings>,
    /// The name of the `vrrp_sync_group` that it is in.
    pub group: Option<Rc<str>>,
    /// `dont_track_primary`: it runs while its own interface is down.
    pub ignores_link: bool,
    /// The virtual addresses as the kernel gets them, in the order of `settings.addresses`, and
    /// behind them `virtual_ipaddress_excluded`. The daemon takes them out, into its table of addresses.
    pub vips: Box<[Vip]>,
    /// `virtual_routes`, then `virtual_rules`.
    pub routes: Box<[Rc<Item>]>,
    /// `unicast_src_ip` or `mcast_src_ip`: the source of adverts instead of the interface's first
    /// address.
    pub source: Option<IpAddr>,
    /// `garp_mode`: the form of a gratuitous ARP.
    pub garp_mode: GarpMode,
    /// `address_lease`: a finite valid lifetime for the addresses, refreshed while vipd lives.
    pub address_lease: Option<Duration>,
    /// `receive`: how adverts are received.
    pub receive: Receive,
    /// What is run at its transitions.
    pub programs: Programs,
    /// `notify_leave_timeout`.
    pub leave_timeout: Duration,
    /// `uplink`: interfaces of netifd's that are up on the Active only.
    pub uplinks: Box<[Rc<str>]>,
    /// `uplink_timeout` and `uplink_hold_down`.
    pub uplink_rules: Rules,
    /// `notify_priority_changes`: the FIFOs are told each new priority.
    pub notify_priority: bool,
    /// Accept_Mode (RFC 9568 §6.1): packets to the virtual addresses are accepted.
    pub accept: bool,
    /// `dhcp follow`: DHCP servers of this host are heard on the interface while Active only.
    pub dhcp: bool,
    /// `ra follow`: router advertisements are sent on the interface while Active.
    pub ra: bool,
    /// `use_vmac` without `vmac_xmit_base`: adverts carry the virtual MAC address.
    pub vmac_adverts: bool,
    /// The interfaces with the virtual MAC address that vipd makes, each for the addresses whose
    /// `dev` it is.
    pub macvlans: Box<[Macvlan]>,
}

/// An interface with a virtual MAC address.
#[derive(Debug, PartialEq, Eq)]
pub struct Macvlan {
    /// Its name.
    pub name: Rc<str>,
    /// The interface that it stands on.
    pub base: Rc<str>,
}

impl Instance {
    /// Equal in all that has an effect; the name is for messages.
    pub fn same_but_name(&self, other: &Self) -> bool {
        let Self {
            name: _,
            interface,
            settings,
            group,
            ignores_link,
            vips,
            routes,
            source,
            garp_mode,
            address_lease,
            receive,
            vmac_adverts,
            macvlans,
            programs,
            leave_timeout,
            uplinks,
            uplink_rules,
            notify_priority,
            accept,
            dhcp,
            ra,
        } = self;
        *interface == other.interface
            && *settings == other.settings
            && *group == other.group
            && *ignores_link == other.ignores_link
            && *vips == other.vips
            && *routes == other.routes
            && *source == other.source
            && *garp_mode == other.garp_mode
            && *address_lease == other.address_lease
            && *receive == other.receive
            && *vmac_adverts == other.vmac_adverts
            && *macvlans == other.macvlans
            && *programs == other.programs
            && *leave_timeout == other.leave_timeout
            && *uplinks == other.uplinks
            && *uplink_rules == other.uplink_rules
            && *notify_priority == other.notify_priority
            && *accept == other.accept
            && (*dhcp, *ra) == (other.dhcp, other.ra)
    }
}

impl PartialEq for Instance {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.same_but_name(other)
    }
}

/// One virtual address as the kernel gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// Its prefix length: 32 / 128 unless given.
    pub prefix_len: u8,
    /// `dev`: the interface that carries it, if it is not the instance's.
    pub dev: Option<Rc<str>>,
    /// `scope` as rtnetlink's number: 0 global, 200 site, 253 link, 254 host.
    pub scope: u8,
    /// `label`: at most 15 bytes.
    pub label: Option<Rc<str>>,
    /// `brd` / `broadcast`; `+` in the file is computed here.
    pub broadcast: Option<Ipv4Addr>,
}

/// The form of a gratuitous ARP: a request (RFC 5227 §3, the default), a reply, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GarpMode {
    /// ARP request.
    #[default]
    Request,
    /// ARP reply.
    Reply,
    /// A request and a reply.
    Both,
}

/// How adverts are received; see "Sockets" in CONTRIBUTING.md.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Receive {
    /// AF_PACKET, and the raw socket instead while Active once it has proved to hear the same.
    #[default]
    Auto,
    /// AF_PACKET only: hears adverts whatever the firewall says.
    Packet,
    /// A raw IP socket only: cheaper on a busy router; a firewall can deafen it.
    Raw,
}
