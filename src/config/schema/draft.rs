//! What the words of one block say, before defaults and cross-checks.

use core::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use crate::config::error::Placed;
use crate::config::model::{Delay, InitFile, Program};
use crate::config::routing::Item;
use crate::config::track::Entry;
use crate::config::vip::PlacedVip;
use crate::probe::Check;
use crate::time::Duration;
use crate::vrrp::types::Peer;

/// Which value of a draft a keyword fills.
pub(crate) type Slot<T> = fn(&mut Plain) -> &mut Option<Placed<T>>;

/// [`Slot`] of a value that is on the heap.
pub(crate) type HeapSlot<T> = fn(&mut Draft) -> &mut Option<Placed<T>>;

/// The words of `global_defs`, or of one `vrrp_instance`. Many words exist in both, so both fill
/// the same draft; the table decides what may stand where.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) plain: Plain,

    pub(crate) router_id: Option<Placed<Rc<str>>>,
    /// `interface`, or `default_interface`.
    pub(crate) interface: Option<Placed<Rc<str>>>,
    pub(crate) peers: Vec<Placed<Peer>>,
    pub(crate) auth_pass: Option<Placed<Rc<str>>>,
    /// `virtual_ipaddress`; those of `virtual_ipaddress_excluded` stand behind them once the order of an
    /// advert is settled. In the globals: `static_ipaddress`.
    pub(crate) vips: Vec<PlacedVip>,
    pub(crate) excluded: Vec<PlacedVip>,
    /// How many of `vips` are in adverts.
    pub(crate) advertised: usize,
    /// `virtual_routes`, or `static_routes`.
    pub(crate) routes: Vec<Rc<Item>>,
    /// `virtual_rules`, or `static_rules`.
    pub(crate) rules: Vec<Rc<Item>>,
    pub(crate) use_vmac: Option<Placed<Option<Rc<str>>>>,
    pub(crate) tracked: Vec<Placed<Entry>>,

    pub(crate) programs: Vec<Placed<Program>>,
    /// Of `vrrp_sync_group`: the names of its instances. Of an instance: its uplinks.
    pub(crate) members: Vec<Placed<Rc<str>>>,
    /// `interface_up_down_delays`, which stands outside of all blocks.
    pub(crate) delays: Vec<Delay>,

    /// Of what can be watched.
    pub(crate) check: Option<Placed<Check>>,
    /// Of `vrrp_script` and `vrrp_track_process`.
    pub(crate) command: Option<Placed<Box<[Box<str>]>>>,
    /// `user`, or `script_user`: one word or two.
    pub(crate) user: Option<Placed<Box<[Box<str>]>>>,
    /// Of `vrrp_track_process`.
    pub(crate) param_match: Option<Placed<Box<[Box<str>]>>>,
    /// Of `track_file`.
    pub(crate) file: Option<Placed<Rc<str>>>,

    /// Keywords whose value was wrong and reported: they are not missing.
    pub(crate) failed: Vec<&'static str>,
}

impl Draft {
    /// One that says nothing so far. On the heap: it has hundreds of bytes.
    pub(crate) fn empty() -> Box<Self> {
        Box::default()
    }

    /// Whether the value of this keyword was wrong.
    pub(crate) fn has_failed(&self, word: &str) -> bool {
        self.failed.contains(&word)
    }
}

/// The values of a draft that are not on the heap: they are copied as one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plain {
    pub(crate) startup_delay: Option<Placed<Duration>>,
    pub(crate) mcast_group4: Option<Placed<Ipv4Addr>>,
    pub(crate) garp_interval: Option<Placed<Duration>>,
    pub(crate) min_garp: Option<Placed<bool>>,

    pub(crate) state: Option<Placed<&'static str>>,
    pub(crate) vrid: Option<Placed<u32>>,
    /// In the globals: `vrrp_priority`.
    pub(crate) priority: Option<Placed<u32>>,
    pub(crate) advert_int: Option<Placed<Duration>>,
    /// In the globals: `vrrp_no_swap`.
    pub(crate) preempt: Option<Placed<bool>>,
    pub(crate) preempt_delay: Option<Placed<Duration>>,
    pub(crate) mcast_src_ip: Option<Placed<IpAddr>>,
    pub(crate) unicast_src_ip: Option<Placed<IpAddr>>,
    /// In the globals: `vrrp_rt_priority`.
    pub(crate) unicast_ttl: Option<Placed<u32>>,
    pub(crate) check_unicast_src: Option<Placed<bool>>,
    pub(crate) unicast_fault_no_peer: Option<Placed<bool>>,
    pub(crate) auth_type: Option<Placed<&'static str>>,
    pub(crate) use_vmac_addr: Option<Placed<bool>>,
    pub(crate) vmac_xmit_base: Option<Placed<bool>>,
    pub(crate) dont_track_primary: Option<Placed<bool>>,
    pub(crate) native_ipv6: Option<Placed<bool>>,
    pub(crate) accept: Option<Placed<bool>>,
    pub(crate) strict: Option<Placed<bool>>,

    pub(crate) version: Option<Placed<u32>>,
    pub(crate) checksum_as_v2: Option<Placed<bool>>,
    pub(crate) checksum: Option<Placed<&'static str>>,
    pub(crate) skip_check_adv_addr: Option<Placed<bool>>,
    pub(crate) down_timer_adverts: Option<Placed<u32>>,
    pub(crate) garp_master_delay: Option<Placed<Duration>>,
    pub(crate) garp_master_repeat: Option<Placed<u32>>,
    pub(crate) garp_master_refresh: Option<Placed<Duration>>,
    pub(crate) garp_master_refresh_repeat: Option<Placed<u32>>,
    pub(crate) garp_lower_prio_delay: Option<Placed<Duration>>,
    pub(crate) garp_lower_prio_repeat: Option<Placed<u32>>,
    pub(crate) garp_mode: Option<Placed<&'static str>>,
    pub(crate) receive: Option<Placed<&'static str>>,
    pub(crate) address_lease: Option<Placed<u32>>,
    pub(crate) dhcp: Option<Placed<&'static str>>,
    pub(crate) ra: Option<Placed<&'static str>>,
    pub(crate) notify_priority: Option<Placed<bool>>,
    pub(crate) leave_timeout: Option<Placed<Duration>>,
    pub(crate) startup_timeout: Option<Placed<Duration>>,
    pub(crate) shutdown_timeout: Option<Placed<Duration>>,
    pub(crate) states_on_reload: Option<Placed<bool>>,
    pub(crate) hotplug_keepalived: Option<Placed<bool>>,

    pub(crate) uplink_timeout: Option<Placed<Duration>>,
    pub(crate) uplink_hold_down: Option<Placed<Duration>>,
    pub(crate) tracking_weight: Option<Placed<bool>>,

    /// Of what can be watched: its weight where it is tracked without one, and whether that is reversed.
    pub(crate) weight: Option<Placed<(i16, bool)>>,
    pub(crate) interval: Option<Placed<Duration>>,
    pub(crate) timeout: Option<Placed<Duration>>,
    pub(crate) rise: Option<Placed<u32>>,
    pub(crate) fall: Option<Placed<u32>>,
    pub(crate) init_fail: Option<Placed<bool>>,
    pub(crate) script_security: Option<Placed<bool>>,
    /// Of `vrrp_track_process`, which uses some of the slots of scripts as well.
    pub(crate) fork_delay: Option<Placed<Duration>>,
    pub(crate) full_command: Option<Placed<bool>>,
    pub(crate) init_file: Option<Placed<InitFile>>,
}
