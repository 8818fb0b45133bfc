//! The status as it stands in JSON: what `vipd status --json` prints, and `status.schema.json`
//! describes. [`text`](super::text) writes the same for people.
//!
//! Words – states, reasons, drop reasons – are strings of a closed set that may grow; a reader shows
//! one that it does not know as it is. A member that does not apply is `null`, never absent. Adding
//! a member does not change [`FORMAT`], taking one away or giving it another meaning does.

use core::net::IpAddr;
use std::borrow::Cow;

use super::json::object;

/// The version of this format.
pub const FORMAT: u32 = 1;

object! {
    /// A running daemon.
    pub struct Status<'a> {
        /// [`FORMAT`].
        pub format: u32,
        /// The daemon's version.
        pub version: &'a str,
        /// Its process id.
        pub pid: u32,
        /// Milliseconds since its start.
        pub uptime_ms: u64,
        /// Frames that the kernel did not take.
        pub send_errors: u64,
        /// Frames that were for no instance, by reason; those that have occurred.
        pub drops: Vec<Dropped<'a>>,
        /// `static_ipaddress`.
        pub static_addresses: Vec<Vip<'a>>,
        /// `static_routes` and `static_rules`.
        pub static_routes: Vec<Route<'a>>,
        /// The instances that were asked for, in the order of the configuration. Must stay the last.
        pub instances: Vec<Instance<'a>>,
    }

    /// A virtual router.
    pub struct Instance<'a> {
        /// Its name in the configuration.
        pub name: &'a str,
        /// The interface of its adverts.
        pub interface: &'a str,
        /// `ipv4` or `ipv6`.
        pub family: &'a str,
        /// Virtual Router Identifier.
        pub vrid: u8,
        /// 2 or 3.
        pub version: u8,
        /// `Initialize`, `Backup` or `Active` (RFC 9568 §6.4).
        pub state: &'a str,
        /// The same in keepalived's words: `FAULT`, `BACKUP` or `MASTER`.
        pub keepalived_state: &'a str,
        /// Milliseconds in this state (in Initialize: for this reason).
        pub state_age_ms: u64,
        /// Why it is in this state: a stable word.
        pub reason: &'a str,
        /// The same for people.
        pub reason_text: Cow<'a, str>,
        /// The priority in the configuration.
        pub priority: u8,
        /// The priority that counts now.
        pub effective_priority: u8,
        /// Our own Advertisement_Interval.
        pub advert_interval_ms: u64,
        /// Preempt_Mode.
        pub preempt: bool,
        /// How long a lower-priority Active is tolerated.
        pub preempt_delay_ms: u64,
        /// Accept_Mode: packets to the virtual addresses are accepted.
        pub accept: bool,
        /// What our v3 checksum covers over IPv4: `message` or `pseudo-header`.
        pub checksum: Option<&'a str>,
        /// The address that our adverts come from.
        pub source: Option<IpAddr>,
        /// `unicast_peer`: where our adverts go; empty: to the multicast group.
        pub unicast_peers: Vec<IpAddr>,
        /// Backup: when it becomes Active unless an advert comes.
        pub active_down_in_ms: Option<u64>,
        /// The sync group that it is in.
        pub group: Option<&'a str>,
        /// What else state and priority depend on.
        pub trackers: Vec<Tracker<'a>>,
        /// Interfaces that are up on the Active only.
        pub uplinks: Vec<Uplink<'a>>,
        /// Who is Active, as far as this router knows.
        pub active: Option<Active<'a>>,
        /// How adverts are received.
        pub receive: Receive<'a>,
        /// The virtual MAC address, if `use_vmac` asks for one.
        pub vmac: Option<Vmac<'a>>,
        /// `dhcp follow`: whether DHCP is served here.
        pub dhcp: Option<Follows<'a>>,
        /// `ra follow`: whether router advertisements are sent here.
        pub ra: Option<Follows<'a>>,
        /// The virtual addresses.
        pub vips: Vec<Vip<'a>>,
        /// The virtual routes and rules.
        pub routes: Vec<Route<'a>>,
        /// The other routers that were heard, the last few.
        pub peers: Vec<Peer<'a>>,
        /// What was sent and heard.
        pub counters: Counters,
        /// Adverts for this instance that were dropped, by reason; those that have occurred.
        pub drops: Vec<Dropped<'a>>,
    }

    /// The Active Router.
    pub struct Active<'a> {
        /// Its address.
        pub address: Option<IpAddr>,
        /// It is the router that answers.
        pub this_router: bool,
        /// Its priority.
        pub priority: Option<u8>,
        /// Its interval.
        pub advert_interval_ms: Option<u64>,
        /// Its protocol version.
        pub version: u8,
        /// Its form of the v3 checksum over IPv4.
        pub checksum: Option<&'a str>,
    }

    /// Something that is tracked.
    pub struct Tracker<'a> {
        /// What it is: `interface`, `script`, `file`, `process` or `probe`.
        pub kind: &'a str,
        /// The interface, or the name in the configuration.
        pub name: &'a str,
        /// Its weight in the configuration.
        pub weight: i16,
        /// The weight counts the other way round.
        pub reverse: bool,
        /// It is up, or the number in its file no fault.
        pub up: bool,
        /// The number that a file says, or how many processes there are, at most 32767 either way; else null.
        pub value: Option<i16>,
        /// What it adds to the priority now; null: it holds the instance in Initialize.
        pub effect: Option<i16>,
        /// A probe: microseconds that its last answer took.
        pub round_trip_us: Option<u64>,
        /// For people: why a probe has no answer, or what is wrong with the number of processes.
        pub reason: Option<Cow<'a, str>>,
    }

    /// An uplink.
    pub struct Uplink<'a> {
        /// netifd's name of it.
        pub name: &'a str,
        /// It is to be up: this router is Active.
        pub wanted: bool,
        /// What netifd says: `unknown` (nothing yet), `absent`, `down`, `waiting` (for its device), `coming` or `up`.
        pub state: &'a str,
        /// Milliseconds in this state; null while it is `unknown`.
        pub state_age_ms: Option<u64>,
        /// Requests that netifd did not accept.
        pub failures: u32,
        /// Times that somebody else had changed it.
        pub fights: u32,
    }

    /// How adverts are received.
    pub struct Receive<'a> {
        /// The sockets that listen now.
        pub sockets: &'a str,
        /// Why, for people.
        pub why: &'a str,
    }

    /// Something that is done where the Active is.
    pub struct Follows<'a> {
        /// It is done here.
        pub here: bool,
        /// Why, or what, for people.
        pub why: Cow<'a, str>,
    }

    /// A virtual MAC address.
    pub struct Vmac<'a> {
        /// The address.
        pub address: Cow<'a, str>,
        /// The macvlans that have it; the virtual addresses are on these.
        pub interfaces: Vec<&'a str>,
        /// Adverts come from it too.
        pub adverts: bool,
    }

    /// A virtual address.
    pub struct Vip<'a> {
        /// The address.
        pub address: IpAddr,
        /// Its prefix length.
        pub prefix_len: u8,
        /// The interface that carries it.
        pub interface: &'a str,
        /// It is in the adverts: neither static nor in `virtual_ipaddress_excluded`.
        pub advertised: bool,
        /// This router should have it now.
        pub wanted: bool,
        /// This router has it now.
        pub present: bool,
        /// Somebody else has put it there, so vipd leaves it alone.
        pub foreign: bool,
        /// Seconds after which the kernel removes it unless vipd lives (`address_lease`).
        pub lease_s: Option<u32>,
    }

    /// A route or a routing policy rule.
    pub struct Route<'a> {
        /// `route` or `rule`.
        pub kind: &'a str,
        /// The line of the configuration.
        pub text: &'a str,
        /// This router should have it now.
        pub wanted: bool,
        /// This router has it now.
        pub present: bool,
        /// Somebody else has put it there, so vipd leaves it alone.
        pub foreign: bool,
    }

    /// A router that was heard.
    pub struct Peer<'a> {
        /// Its address.
        pub address: IpAddr,
        /// The priority of its last advert; 0: it has given up.
        pub priority: u8,
        /// The interval of its last advert.
        pub advert_interval_ms: u64,
        /// How long ago that was.
        pub heard_ms_ago: u64,
        /// The form of its last v3 checksum over IPv4.
        pub checksum: Option<&'a str>,
        /// Adverts of it that were accepted, modulo 2^32.
        pub adverts: u32,
    }

    /// What an instance has done since the daemon's start.
    pub struct Counters {
        /// Adverts sent, without those of priority 0.
        pub sent: u64,
        /// Adverts accepted.
        pub received: u64,
        /// Priority 0 adverts sent.
        pub priority_zero_sent: u32,
        /// Priority 0 adverts accepted.
        pub priority_zero_received: u32,
        /// Times it became Active.
        pub became_active: u32,
        /// Times that somebody else removed an address of ours.
        pub addresses_lost: u32,
    }

    /// Frames that were dropped for one reason.
    pub struct Dropped<'a> {
        /// The reason's stable name.
        pub reason: &'a str,
        /// How many.
        pub count: u32,
        /// What can be done about it.
        pub remedy: &'a str,
    }
}
