//! `Config`: what a configuration file means, after validation. Every text format ends here.

use core::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use crate::probe::{Check, Plan};
use crate::time::Duration;
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How it was written, which says whose names its interfaces have.
    pub dialect: Dialect,
    /// `global_defs`.
    pub globals: Globals,
    /// `track_probe` and `probe`: those that an instance tracks.
    pub probes: Vec<Rc<Probe>>,
    /// `interface_up_down_delays`.
    pub delays: Box<[Delay]>,
    /// One for each `vrrp_instance`, in the order of the file.
    pub instances: Vec<Instance>,
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

/// One `track_probe NAME { … }`, or one line of `probe`.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Globals {
    /// `router_id`: how this router is called in messages. The host name if absent.
    pub router_id: Option<String>,
    /// `vrrp_startup_delay`: instances stay in Initialize for so long after the start.
    pub startup_delay: Duration,
    /// `vrrp_mcast_group4`: where IPv4 adverts go; 224.0.0.18 unless set.
    pub mcast_group4: Ipv4Addr,
    /// `vrrp_garp_interval`: the gap between two gratuitous ARPs on an interface.
    pub garp_interval: Duration,
}

/// One `vrrp_instance`.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The virtual addresses as the kernel gets them, in the order of `settings.addresses`. The daemon
    /// takes them out, into its table of addresses.
    pub vips: Box<[Vip]>,
    /// `unicast_src_ip` or `mcast_src_ip`: the source of adverts instead of the interface's first
    /// address.
    pub source: Option<IpAddr>,
    /// `garp_mode`: the form of a gratuitous ARP.
    pub garp_mode: GarpMode,
    /// `address_lease`: a finite valid lifetime for the addresses, refreshed while vipd lives.
    pub address_lease: Option<Duration>,
    /// `receive`: how adverts are received.
    pub receive: Receive,
    /// Accept_Mode (RFC 9568 §6.1): packets to the virtual addresses are accepted.
    pub accept: bool,
    /// `use_vmac` without `vmac_xmit_base`: adverts carry the virtual MAC address.
    pub vmac_adverts: bool,
    /// The interfaces with the virtual MAC address that vipd makes, each for the addresses whose
    /// `dev` it is.
    pub macvlans: Box<[Macvlan]>,
}

/// An interface with a virtual MAC address.
#[derive(Clone, Debug, PartialEq, Eq)]
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
            source,
            garp_mode,
            address_lease,
            receive,
            vmac_adverts,
            macvlans,
            accept,
        } = self;
        *interface == other.interface
            && *settings == other.settings
            && *group == other.group
            && *ignores_link == other.ignores_link
            && *vips == other.vips
            && *source == other.source
            && *garp_mode == other.garp_mode
            && *address_lease == other.address_lease
            && *receive == other.receive
            && *vmac_adverts == other.vmac_adverts
            && *macvlans == other.macvlans
            && *accept == other.accept
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
