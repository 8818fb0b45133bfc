//! What the core asks the daemon to do, and why. The order of actions is part of the contract.

use core::fmt;
use core::net::IpAddr;

use super::drop::DropReason;
use super::types::State;
use crate::limits;
use crate::time::Duration;

/// A virtual router's place in the [`Router`](super::router::Router).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u16);

impl Id {
    /// The place as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The actions of one input, in the order in which they are to be done.
pub type Actions = heapless::Vec<Action, { limits::ACTIONS }>;

/// One thing to do for a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send an advert with this priority.
    Advert(Id, u8),
    /// Put the virtual addresses into the kernel; those that are there already stay.
    AddAddresses(Id),
    /// Take the virtual addresses out of the kernel.
    RemoveAddresses(Id),
    /// Announce each virtual address so many times by gratuitous ARP or unsolicited NA.
    Announce(Id, u8),
    /// Tell the operator and the hooks.
    StateChanged(Id, Change),
    /// Tell the operator that the effective priority was this one, and is another now.
    PriorityChanged(Id, u8),
    /// Tell the hooks that an Active has heard, and answered, a lower-priority advert.
    LowerPriority(Id),
    /// Tell the operator; the core has rate-limited it.
    Warn(Id, Warning),
}

/// A transition, or a new reason to stay in Initialize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The state that was left.
    pub from: State,
    /// The state that was entered.
    pub to: State,
    /// Why.
    pub reason: Reason,
}

/// Why an instance has to stay in Initialize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing is known of the link yet.
    Starting,
    /// `vrrp_startup_delay` runs.
    StartupDelay,
    /// It is not known which device the logical interface is.
    Unresolved(Unresolved),
    /// The interface does not exist.
    LinkAbsent,
    /// The interface has no carrier or is set down.
    LinkDown,
    /// The interface is a port of the bridge with this index, and receives nothing itself.
    BridgePort(u32),
    /// No socket for adverts could be opened on the interface.
    Deaf,
    /// The interface with the virtual MAC address could not be made.
    NoMacvlan,
    /// The interface has no IPv4 address to send from.
    NoAddress,
    /// This machine does not have the configured source of unicast adverts.
    NoSource(IpAddr),
    /// Unicast, and nobody to send to.
    NoPeer,
    /// The interface has no IPv6 link-local address that can be used.
    NoLinkLocal,
    /// The tracker at this place of the settings, which has no weight, demands it.
    Tracker(u8),
    /// This member of the sync group is in Initialize.
    Group(Id),
    /// The daemon stops, or the instance has gone from the configuration.
    Stopped,
}

/// Why it is not known which device a logical interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// netifd has not answered yet.
    Silent,
    /// netifd does not know the interface, and no device has that name.
    Unknown,
    /// netifd knows the interface, which has no device now.
    NoDevice,
    /// Its device serves another instance with the same VRID.
    Taken,
}

/// Why a state was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Initialize: see the hold.
    Held(Hold),
    /// Backup: the interface is up and has an address.
    Ready,
    /// Active: priority 255 owns the addresses and does not wait.
    Owner,
    /// Active: nobody was heard for so long.
    Silence {
        /// Who was the Active Router before, if one was heard.
        last: Option<IpAddr>,
        /// Since when nothing was heard.
        waited: Duration,
    },
    /// Active: the Active Router gave up with a priority 0 advert.
    Released {
        /// Who gave up.
        by: IpAddr,
    },
    /// Active: the Active Router's priority is lower than ours.
    Preempted {
        /// Who was the Active Router.
        by: IpAddr,
        /// With which priority.
        priority: u8,
    },
    /// Backup: another router advertises a higher priority.
    HigherPriority {
        /// Who.
        by: IpAddr,
        /// With which priority.
        priority: u8,
    },
    /// Backup: another router with our priority has the higher address.
    HigherAddress {
        /// Who.
        by: IpAddr,
    },
    /// Backup or Active: together with this member of the sync group.
    Group(Id),
    /// Backup: this machine stood still for longer than Active_Down_Interval, and another router
    /// took over meanwhile.
    Stalled {
        /// Who took over.
        by: IpAddr,
        /// How late our own advert was.
        late: Duration,
    },
}

/// A hint to the operator, at most one a kind and instance in [`limits::WARN_PERIOD`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Frames of this sender are dropped.
    Dropped {
        /// Why.
        reason: DropReason,
        /// Who sent the frame.
        source: IpAddr,
    },
    /// Another router announces one of our addresses under another VRID.
    ForeignVrid {
        /// Who.
        source: IpAddr,
        /// Under which VRID.
        vrid: u8,
        /// The address.
        address: IpAddr,
    },
    /// v3: the Active Router's interval is not ours; its own counts while it is Active.
    Interval {
        /// Who.
        source: IpAddr,
        /// Its interval.
        theirs: Duration,
    },
    /// The other router's list of addresses is not ours.
    Addresses {
        /// Who.
        source: IpAddr,
        /// How many it has.
        count: u8,
    },
}

impl Warning {
    /// The number of its kind, for the rate limit.
    pub(super) const fn kind(&self) -> usize {
        match self {
            Self::Dropped { reason, .. } => *reason as usize,
            Self::ForeignVrid { .. } => DropReason::COUNT,
            Self::Interval { .. } => DropReason::COUNT + 1,
            Self::Addresses { .. } => DropReason::COUNT + 2,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::StartupDelay => f.write_str("vrrp_startup_delay has not passed yet"),
            Self::Unresolved(unresolved) => unresolved.fmt(f),
            Self::LinkAbsent => {
                f.write_str("the interface does not exist; it is taken up as soon as it appears")
            }
            Self::LinkDown => f.write_str(
                "the interface is down or has no carrier; look at its cable and `ip link`",
            ),
            Self::BridgePort(index) => write!(
                f,
                "the interface is a port of the bridge with index {index} and receives nothing itself; \
                 write the bridge's name in the configuration"
            ),
            Self::Deaf => f.write_str(
                "no socket for adverts could be opened, and who hears nobody must not be Active; \
                 mend what the error above says, it is tried again at each change of the interface",
            ),
            Self::NoMacvlan => f.write_str(
                "the macvlan for use_vmac could not be made, and without it nobody could reach the addresses; \
                 mend what the error above says, it is tried again at each change of an interface",
            ),
            Self::NoAddress => f.write_str(
                "the interface has no address of its own to send from; give it one beside the virtual address",
            ),
            Self::NoSource(source) => write!(
                f,
                "no interface has the unicast_src_ip {source}, or not yet; it is taken up as soon as one has it"
            ),
            Self::NoPeer => f.write_str(
                "there is no unicast_peer to advertise to, and unicast_fault_no_peer says to wait; add one",
            ),
            Self::NoLinkLocal => f.write_str(
                "the interface has no link-local IPv6 address of its own to send from: none, or one that `ip -6 \
                 address` shows as tentative or dadfailed, or IPv6 is disabled there; it is taken up as soon as \
                 there is one",
            ),
            Self::Tracker(_) => f.write_str("what it tracks without a weight demands it"),
            Self::Group(_) => f.write_str(
                "another member of its sync group is in Initialize, and they run together or not at all",
            ),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => {
                "netifd has not said yet which device this is; it is asked until it does"
            }
            Self::Unknown => {
                "netifd does not know this interface, and no device is called so; correct the name, \
                 or add the interface to /etc/config/network"
            }
            Self::NoDevice => {
                "netifd says that it is down: it has no device yet; look at `ifstatus` and `ifup`"
            }
            Self::Taken => {
                "its device already serves an instance with this virtual_router_id; write another one, \
                 the same on all routers"
            }
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(hold) => hold.fmt(f),
            Self::Ready => f.write_str("the interface is up; listening for an Active Router"),
            Self::Owner => f.write_str("priority 255 owns the addresses"),
            Self::Silence {
                last: Some(last),
                waited,
            } => {
                write!(f, "no advert from {last} for {waited}")
            }
            Self::Silence { last: None, waited } => {
                write!(f, "no advert from any router for {waited}")
            }
            Self::Released { by } => write!(f, "{by} gave up with a priority 0 advert"),
            Self::Preempted { by, priority } => {
                write!(f, "{by} is Active with the lower priority {priority}")
            }
            Self::HigherPriority { by, priority } => {
                write!(f, "{by} advertises the higher priority {priority}")
            }
            Self::HigherAddress { by } => {
                write!(f, "{by} has the same priority and the higher address")
            }
            Self::Group(_) => f.write_str("together with its sync group"),
            Self::Stalled { by, late } => write!(
                f,
                "this machine stood still for {late} and {by} took over meanwhile"
            ),
        }
    }
}
