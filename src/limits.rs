//! Every fixed capacity, in one place. Running over one is a configuration error that names it,
//! or, on the wire, a counted drop.

use crate::time::Duration;

/// Virtual routers of one daemon.
pub const INSTANCES: usize = 1024;
/// Virtual addresses of one instance: the count in an advert is one byte (RFC 9568 §5.2.5).
pub const ADDRESSES: usize = 255;
/// Addresses of one `virtual_ipaddress_excluded`, or of `static_ipaddress`.
pub const EXTRA_ADDRESSES: usize = 1024;
/// Routes, and as many rules, of one instance, or static ones.
pub const ROUTES: usize = 1024;
/// Next hops of one route.
pub const HOPS: usize = 16;
/// Peers of one instance that uses unicast.
pub const PEERS: usize = 64;
/// Virtual addresses of one IPv6 instance: what fits into an Ethernet frame.
pub const ADDRESSES_IPV6: usize = 90;
/// What one instance tracks, with what its sync group tracks.
pub const TRACKERS: usize = 16;
/// Probes: the number of one is a byte of its echo requests' sequence numbers.
pub const PROBES: usize = 256;
/// Probes that ask in one wakeup; the others ask in the next ones, so that no advert waits for all.
pub const PROBES_OF_WAKEUP: usize = 8;
/// Speakers that one instance remembers; the one heard longest ago makes room.
pub const SPEAKERS: usize = 4;
/// Actions of one input to one instance.
pub const ACTIONS: usize = 8;
/// Searches for our addresses in other people's adverts, each second.
pub const SEARCHES_PER_SECOND: u8 = 32;
/// One warning of a kind and instance in this time.
pub const WARN_PERIOD: Duration = Duration::from_secs(300);
/// One warning of all instances in this time.
pub const WARN_GAP: Duration = Duration::from_secs(1);
/// The first wait between two restorations of an address that somebody else removes.
pub const RESTORE_GAP_MIN: Duration = Duration::from_millis(100);
/// The longest such wait.
pub const RESTORE_GAP_MAX: Duration = Duration::from_secs(10);
/// Frames of one `sendmmsg`.
pub const SEND_FRAMES: usize = 64;
/// Bytes of the frames of one `sendmmsg`.
pub const SEND_BYTES: usize = 8 * 1024;
/// Log lines of one wakeup that there is always room for; what more of them take is given back in
/// the first wakeup that has none.
pub const NOTES: usize = 64;
/// Requests about addresses in one wakeup that there is always room for, in the same way.
pub const REQUESTS: usize = 64;
/// Addresses of one nf_tables transaction, which must fit into one datagram.
pub const REFUSED_OF_BATCH: usize = 128;
/// Where DHCP servers listen, over IPv4 and over IPv6.
pub const DHCP_PORTS: [u16; 2] = [67, 547];
/// From becoming Active to serving DHCP.
pub const DHCP_PATIENCE: Duration = Duration::from_secs(1);
/// Prefixes of one router advertisement.
pub const RA_PREFIXES: usize = 8;
/// DNS servers of one router advertisement; hosts keep three (RFC 8106 §5.3.1).
pub const RA_SERVERS: usize = 3;
/// Gratuitous ARPs and Neighbour Advertisements of one wakeup.
pub const ANNOUNCEMENTS: usize = 256;
/// Frames that one socket may hand in a wakeup.
pub const RECEIVE_FRAMES: usize = 32;
/// Where adverts come more often than this, they are left to gather for so long: one wakeup for
/// several. Shorter than what a takeover may be late, and longer than what a wakeup costs.
pub const GATHER: Duration = Duration::from_micros(200);
/// A timer that fires so late means that the machine stood still.
pub const LATE: Duration = Duration::from_millis(10);
/// Rounds of [`RECEIVE_FRAMES`] that are read before the timers after that.
pub const CATCH_UP: usize = 32;
/// Netlink datagrams of one wakeup.
pub const EVENTS: usize = 64;
/// Netlink datagrams that a start or a reload reads, where all that wait are to be known.
pub const EVENTS_OF_RELOAD: usize = 65536;
/// Attempts at a dump of interfaces that do not stand still.
pub const DUMPS: usize = 5;
/// How long until a folder that cannot be watched is tried again, and its files are read.
pub const FILE_RETRY: Duration = Duration::from_secs(1);
/// How often /proc is read for processes.
pub const PROCESS_SCAN: Duration = Duration::from_secs(1);
/// The least time from one such reading to the next, when news of processes ask for it.
pub const PROCESS_GAP: Duration = Duration::from_millis(100);
/// Processes that count and whose end is known to matter; with more of them, each end does.
pub const PROCESSES: usize = 64;
/// Clients of the control socket at one time; the next is told to come again.
pub const CONTROL_CLIENTS: usize = 8;
/// Bytes of a request on the control socket, with its end of line.
pub const CONTROL_REQUEST: usize = 256;
/// How long a client of the control socket may take, from its connection to the end of its answer.
pub const CONTROL_PATIENCE: Duration = Duration::from_secs(5);
/// Pause in accepting control clients after the system had no descriptor for one.
pub const CONTROL_PAUSE: Duration = Duration::from_secs(1);
/// Refreshes of an address within its lease.
pub const RENEWALS: u64 = 3;
/// Adverts that the raw socket must have heard beside the tap before the tap may be closed.
pub const PROOF_ADVERTS: u32 = 3;
/// Adverts that the tap hears before the raw socket beside it is read, all at once.
pub const PROOF_BATCH: u32 = 8;
/// Adverts that one of the two may be ahead: the sockets are read one after the other.
pub const PROOF_SLACK: u32 = 2;
/// The tap of an Active is opened after this, to see that the raw socket still hears.
pub const RECHECK_PERIOD: Duration = Duration::from_secs(60);
/// Pairs of addresses that are compared in one search.
pub const COMPARISONS: usize = 65_536;
/// How long netifd may take to say which devices its interfaces are.
pub const NETIFD_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of netifd's answer: about 2 KB an interface.
pub const NETIFD_ANSWER: usize = 256 * 1024;
/// The first wait before netifd is asked again about an interface that has no device yet.
pub const NETIFD_GAP_MIN: Duration = Duration::from_secs(1);
/// The longest such wait.
pub const NETIFD_GAP_MAX: Duration = Duration::from_secs(60);
/// Uplinks of one configuration.
pub const UPLINKS: usize = 16;
/// How long netifd may take to accept that an uplink is to come up or go down.
pub const UPLINK_PATIENCE: Duration = Duration::from_secs(5);
/// The second wait before an uplink that somebody else changes is changed back; the first time it is
/// done at once.
pub const UPLINK_GAP_MIN: Duration = Duration::from_secs(1);
/// The longest such wait, and how often netifd is asked how its uplinks are though nothing has happened.
pub const UPLINK_GAP_MAX: Duration = Duration::from_secs(60);
/// Transitions that programs are still to be told of; at least two of each instance and group.
pub const NOTIFIES: usize = 64;
/// Programs that are told of transitions at one time.
pub const NOTIFY_PROGRAMS: usize = 8;
/// How long such a program may take.
pub const NOTIFY_PATIENCE: Duration = Duration::from_secs(60);
/// The pause before a program that the helper could not take is asked for again.
pub const NOTIFY_RETRY: Duration = Duration::from_secs(1);
/// Bytes of a line in a FIFO that there is always room for.
pub const NOTIFY_LINE: usize = 128;
/// The pause before the program that reads a FIFO is started again.
pub const FIFO_SCRIPT_GAP: Duration = Duration::from_secs(10);
/// The longest timeout of a program that is to live as long as vipd: 49 days.
pub const FOR_EVER: Duration = Duration::from_millis(0xffff_ffff);
/// How long the programs for the stop may take before vipd ends, and they with it.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// How long the programs that read a FIFO may take to read its last lines.
pub const FIFO_PATIENCE: Duration = Duration::from_secs(1);
/// Programs that the helper runs at one time.
pub const HELPER_JOBS: usize = 32;
/// Bytes of a request to the helper: a command line and its environment.
pub const HELPER_MESSAGE: usize = 4096;
/// Arguments and variables of one program.
pub const HELPER_WORDS: usize = 64;
/// Bytes of a command line in the configuration; what is put behind it must fit, too.
pub const COMMAND_LINE: usize = HELPER_MESSAGE / 2;
/// Words of a command line in the configuration.
pub const COMMAND_WORDS: usize = HELPER_WORDS / 2;
/// From SIGTERM at a program's timeout to SIGKILL.
pub const HELPER_MERCY: Duration = Duration::from_secs(1);
/// How long a killed program is waited for, and what it has left behind is looked for.
pub const HELPER_BURIAL: Duration = Duration::from_secs(2);
/// How long after all that a reply may be away.
pub const HELPER_SLACK: Duration = Duration::from_secs(5);
/// The first wait before a worker of the helper that died gets a successor.
pub const HELPER_GAP_MIN: Duration = Duration::from_millis(100);
/// The longest such wait; a worker that lived so long is not held against the next.
pub const HELPER_GAP_MAX: Duration = Duration::from_secs(10);
