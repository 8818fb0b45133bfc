//! The nouns of the protocol, under the names of RFC 9568.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::ops::RangeInclusive;

use super::track::Tracker;
use crate::time::Duration;

/// The protocol version of an advert: RFC 3768 or RFC 9568.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// VRRPv2, RFC 3768: IPv4, whole seconds.
    V2,
    /// VRRPv3, RFC 9568: IPv4 and IPv6, centiseconds.
    V3,
}

impl Version {
    /// The number in the packet's first four bits.
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// The address family of a virtual router. IPv4 and IPv6 instances with one VRID are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of `address`.
    pub const fn of(address: &IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// Where IPv6 adverts go (RFC 9568 §5.1.2.2).
pub const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

/// An IPv6 address that means something on one link only: fe80::/10 (RFC 4291 §2.5.6).
pub const fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// The states of RFC 9568 §6.4. What other daemons call a fault is `Initialize` with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waiting for a Startup event: the link, an address, the operator.
    Initialize,
    /// Watching the Active Router.
    Backup,
    /// Forwarding for the virtual addresses.
    Active,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initialize => "Initialize",
            Self::Backup => "Backup",
            Self::Active => "Active",
        })
    }
}

/// VRRPv2 authentication (RFC 2338 §5.3.6; removed by RFC 3768, alive in every deployment).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Auth {
    /// Type 0, or any v3 advert.
    #[default]
    None,
    /// Type 1, a clear-text password of at most 8 bytes, padded with zeros.
    Pass([u8; 8]),
}

/// Never shows the password.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Pass(_) => "Pass(…)",
        })
    }
}

/// What a v3 checksum over IPv4 covers. RFC 5798 was read as including a pseudo-header; RFC 9568
/// §5.2.8 says the message alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumForm {
    /// RFC 9568: the VRRP message alone.
    Message,
    /// RFC 5798 as deployed: IPv4 pseudo-header and message.
    PseudoHeader,
}

/// Which checksum form a v3 instance transmits over IPv4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumMode {
    /// Follow the peers that were heard; [`ChecksumForm::PseudoHeader`] until then.
    #[default]
    Auto,
    /// Always this form.
    Fixed(ChecksumForm),
}

/// When and how often the address change is announced (gratuitous ARP, unsolicited NA).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// From becoming Active to the second round; zero: no second round.
    pub master_delay: Duration,
    /// Announcements of each address in the first and in the second round, 1 or more.
    pub master_repeat: u8,
    /// Period of the announcements while Active; zero: none.
    pub master_refresh: Duration,
    /// Announcements of each address at each refresh.
    pub master_refresh_repeat: u8,
    /// From hearing a lower-priority Active to the second round; zero: no second round.
    pub lower_prio_delay: Duration,
    /// Announcements of each address after a lower-priority Active was heard; 0: none.
    pub lower_prio_repeat: u8,
}

impl Default for Announce {
    /// keepalived's defaults.
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            master_refresh: Duration::ZERO,
            master_refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
        }
    }
}

/// Adverts that go to each peer instead of the multicast group. No RFC has it; keepalived does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unicast {
    /// Where adverts go. Without any the instance stays in Initialize.
    pub peers: Box<[Peer]>,
    /// TTL or Hop Limit of what is sent.
    pub ttl: u8,
    /// Adverts of anybody else than the peers are dropped.
    pub check_source: bool,
}

/// Another router of a virtual router that uses unicast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The TTL or Hop Limit that its adverts may have when they arrive.
    pub ttl: RangeInclusive<u8>,
}

/// The priority of the router that owns the addresses (RFC 9568 §5.2.4).
pub const PRIORITY_OWNER: u8 = 255;
/// TTL or Hop Limit of multicast adverts (RFC 9568 §5.1.1.3, §5.1.2.3).
pub const TTL: u8 = 255;
/// The priority of an Active that gives up its role (RFC 9568 §5.2.4).
pub const PRIORITY_RELEASE: u8 = 0;

/// The parameters of one virtual router (RFC 9568 §6.1): all that the protocol needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address family of the virtual addresses and of the adverts.
    pub family: Family,
    /// Version of the adverts that are sent and accepted.
    pub version: Version,
    /// Virtual Router Identifier, 1–255.
    pub vrid: u8,
    /// 1–255; 255 is the owner.
    pub priority: u8,
    /// Advertisement_Interval: whole seconds in v2, 10 ms – 40.95 s in steps of 10 ms in v3.
    pub advert_interval: Duration,
    /// Active_Down_Interval is this many intervals and the skew; RFC: 3.
    pub down_timer_adverts: u8,
    /// Preempt_Mode.
    pub preempt: bool,
    /// How long a lower-priority Active is tolerated before it is preempted.
    pub preempt_delay: Duration,
    /// v2 authentication.
    pub auth: Auth,
    /// v3 checksum over IPv4.
    pub checksum: ChecksumMode,
    /// Do not compare the address list of an advert from the Active that was compared before.
    pub skip_check_adv_addr: bool,
    /// Gratuitous ARP and unsolicited NA.
    pub announce: Announce,
    /// Adverts to peers; none: to the multicast group.
    pub unicast: Option<Box<Unicast>>,
    /// What else priority and state depend on; with a sync group, what its members depend on together.
    pub trackers: Box<[Tracker]>,
    /// The virtual addresses as they stand in the adverts, 1–255 of `family`.
    pub addresses: Box<[IpAddr]>,
}

impl Settings {
    /// The virtual router's MAC address (RFC 9568 §7.3).
    pub fn virtual_mac(&self) -> [u8; 6] {
        let range = match self.family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        [0, 0, 0x5e, 0, range, self.vrid]
    }

    /// Whether an advert from `source` may have arrived with this TTL or Hop Limit: 255 with
    /// multicast (RFC 9568 §5.1.1.3), what the peer's bounds say with unicast.
    pub(super) fn accepts_ttl(&self, source: &IpAddr, ttl: u8) -> bool {
        match &self.unicast {
            None => ttl == TTL,
            Some(unicast) => unicast.peer(source).is_none_or(|p| p.ttl.contains(&ttl)),
        }
    }

    /// Whether `source` may advertise.
    pub(super) fn accepts_source(&self, source: &IpAddr) -> bool {
        let open = |unicast: &Unicast| !unicast.check_source || unicast.peer(source).is_some();
        self.unicast.as_deref().is_none_or(open)
    }
}

impl Unicast {
    fn peer(&self, address: &IpAddr) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.address == *address)
    }
}
