//! The top level, and the blocks beside `global_defs` and `vrrp_instance`.

use super::Class::{A, B, C, Own};
use super::{Block, Keyword, Rule, Table, not_needed, not_ours, not_yet, row, skipped_block};
use crate::time::Duration;
use crate::vrrp::track::Kind;

const NO_LVS: &str =
    "the block is skipped: vipd balances no load; leave it to keepalived or ipvsadm";
const NO_STATIC: &str =
    "the block is skipped: configure it where the system configures its network";
const NO_TRACK: &str = "the block is skipped: nothing is tracked by it";
const NO_BFD: &str = "the block is skipped: there is no BFD";
const ONE_PROCESS: &str = "vipd is one process";

#[rustfmt::skip] // one row a keyword
pub(super) const TOP: Table = Table {
    block: Block::Top,
    words: &[
        row("global_defs", A, Rule::Words(Block::GlobalDefs), "", "What holds for all instances.", ""),
        row("vrrp_instance", A, Rule::Instance, "", "One virtual router on one interface.", "RFC 9568 §6.1"),
        row("vrrp_sync_group", A, Rule::SyncGroup, "", "Instances that are Active together or not at all.", ""),
        row("interface_up_down_delays", B, Rule::Delays, "none", "Seconds (0–255) that a change of the interface must last to count; UP as DOWN unless given.", ""),
        skipped_block("vrrp_script", A, Block::Script, "NAME { … }", NO_TRACK),
        skipped_block("track_file", B, Block::TrackFile, "NAME { … }", NO_TRACK),
        skipped_block("vrrp_track_file", B, Block::TrackFile, "NAME { … }", NO_TRACK),
        skipped_block("vrrp_track_process", B, Block::TrackProcess, "NAME { … }", NO_TRACK),
        row("track_probe", Own, Rule::Watched { kind: Kind::Probe, block: Block::Probe }, "", "A probe: something behind an interface is asked whether it answers. Also the name of the block that tracks it.", ""),
        skipped_block("garp_group", C, Block::GarpGroup, "{ … }", "the block is skipped: `vrrp_garp_interval` holds for each interface"),
        skipped_block("bfd_instance", C, Block::Bfd, "NAME { … }", NO_BFD),
        not_yet("static_ipaddress", B, "{ ADDRESS … }", NO_STATIC),
        not_yet("static_routes", B, "{ ROUTE … }", NO_STATIC),
        not_yet("static_rules", B, "{ RULE … }", NO_STATIC),
        not_yet("track_group", C, "NAME { group { NAME … } }", NO_STATIC),
        not_needed("linkbeat_interfaces", C, "{ INTERFACE … }", "the block is skipped: the kernel's link events are used"),
        not_needed("linkbeat_use_polling", C, "", "the kernel's link events are used"),
        not_needed("net_namespace", C, "NAME", "start vipd inside the namespace"),
        not_ours("net_namespace_ipvs", C, "NAME", "vipd balances no load; leave it to keepalived or ipvsadm"),
        not_needed("namespace_with_ipsets", C, "", "vipd uses no ipsets"),
        not_needed("instance", C, "NAME", "give each vipd its own runtime directory"),
        not_needed("use_pid_dir", C, "", "the runtime directory holds all files of vipd"),
        not_needed("child_wait_time", C, "SECONDS", ONE_PROCESS),
        not_ours("virtual_server", C, "ADDRESS PORT { … }", NO_LVS),
        not_ours("virtual_server_group", C, "NAME { … }", NO_LVS),
        not_ours("real_server", C, "ADDRESS PORT { … }", NO_LVS),
        not_ours("SSL", C, "{ … }", NO_LVS),
        not_ours("local_address_group", C, "NAME { … }", NO_LVS),
    ],
};

const NO_NOTIFY: &str = "no script is run on a transition";

#[rustfmt::skip] // one row a keyword
pub(super) const SYNC_GROUP: Table = Table {
    block: Block::SyncGroup,
    words: &[
        row("group", A, Rule::Members, "", "The instances. While one is in Initialize all are; when one gives way all do; they take over when each may.", ""),
        row("track_interface", B, Rule::Tracked(Kind::Interface), "none", "Interfaces that count for all members.", ""),
        row("track_probe", Own, Rule::Tracked(Kind::Probe), "none", "Probes that count for all members.", ""),
        row("probe", Own, Rule::Probes, "none", "Probes in place, one on each line, as `ping 9.9.9.9 via wan weight -50`: the words of `track_probe`.", ""),
        row("sync_group_tracking_weight", B, Rule::Flag { bare: true, slot: |d| &mut d.tracking_weight }, "off", "on: the weights in an instance count for that instance alone. off: for all members, so that their priorities move together (keepalived ignores them).", ""),
        not_yet("track_script", B, "{ NAME [weight N [reverse]] … }", NO_TRACK),
        not_yet("track_file", B, "{ NAME [weight N [reverse]] … }", NO_TRACK),
        not_yet("track_process", B, "{ NAME [weight N [reverse]] … }", NO_TRACK),
        not_yet("track_bfd", B, "{ NAME [weight N [reverse]] … }", NO_TRACK),
        not_yet("notify", A, "SCRIPT [USER [GROUP]]", NO_NOTIFY),
        not_yet("notify_master", A, "SCRIPT [USER [GROUP]]", NO_NOTIFY),
        not_yet("notify_backup", A, "SCRIPT [USER [GROUP]]", NO_NOTIFY),
        not_yet("notify_fault", A, "SCRIPT [USER [GROUP]]", NO_NOTIFY),
        not_yet("notify_stop", A, "SCRIPT [USER [GROUP]]", NO_NOTIFY),
        not_yet("notify_deleted", C, "[SCRIPT [USER [GROUP]]]", NO_NOTIFY),
        not_yet("notify_priority_changes", C, "[BOOL]", "nothing is written to a FIFO"),
        not_needed("global_tracking", C, "", "what a member tracks counts for all members"),
        not_ours("smtp_alert", C, "[BOOL]", "no mail is sent; watch the log instead"),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const SCRIPT: Table = Table {
    block: Block::Script,
    words: &[
        not_yet("script", A, "SCRIPT", NO_TRACK),
        not_yet("interval", A, "SECONDS", NO_TRACK),
        not_yet("weight", A, "-253–253 [reverse]", NO_TRACK),
        not_yet("rise", A, "NUMBER", NO_TRACK),
        not_yet("fall", A, "NUMBER", NO_TRACK),
        not_yet("timeout", B, "SECONDS", NO_TRACK),
        not_yet("user", B, "USER [GROUP]", NO_TRACK),
        not_yet("init_fail", B, "", NO_TRACK),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const TRACK_FILE: Table = Table {
    block: Block::TrackFile,
    words: &[
        not_yet("file", B, "FILE", NO_TRACK),
        not_yet("weight", B, "-254–254 [reverse]", NO_TRACK),
        not_yet("init_file", B, "[VALUE] [overwrite]", NO_TRACK),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const TRACK_PROCESS: Table = Table {
    block: Block::TrackProcess,
    words: &[
        not_yet("process", B, "COMMAND [ARGUMENT …]", NO_TRACK),
        not_yet("weight", B, "-254–254 [reverse]", NO_TRACK),
        not_yet("quorum", B, "NUMBER", NO_TRACK),
        not_yet("quorum_max", B, "NUMBER", NO_TRACK),
        not_yet("delay", B, "SECONDS", NO_TRACK),
        not_yet("fork_delay", B, "SECONDS", NO_TRACK),
        not_yet("terminate_delay", B, "SECONDS", NO_TRACK),
        not_yet("param_match", B, "[initial|partial]", NO_TRACK),
        not_yet("full_command", B, "", NO_TRACK),
    ],
};

const MIN_INTERVAL: Duration = Duration::from_millis(10);
const MAX_INTERVAL: Duration = Duration::from_secs(3_600);

#[rustfmt::skip] // one row a keyword
pub(super) const PROBE: Table = Table {
    block: Block::Probe,
    words: &[
        row("ping", Own, Rule::Check { takes: "ADDRESS" }, "", "An ICMP echo request. This or one of the next four must stand there. Addresses only: no name is resolved.", ""),
        row("arp", Own, Rule::Check { takes: "ADDRESS" }, "", "An ARP request: a host on the segment, whatever it filters.", ""),
        row("tcp", Own, Rule::Check { takes: "ADDRESS:PORT" }, "", "A connection, reset as soon as it is there; `[ADDRESS]:PORT` with IPv6.", ""),
        row("dns", Own, Rule::Check { takes: "NAME @ADDRESS" }, "", "The name server is asked for the A record of NAME (AAAA if its own address is IPv6) and must answer without an error.", ""),
        row("default_route", Own, Rule::Check { takes: "[ipv4|ipv6]" }, "ipv4", "The kernel has a default route through the interface; it is asked for each interval (Linux 4.13).", ""),
        row("interface", Own, Rule::Interface { slot: |d| &mut d.interface }, "", "The interface that is asked through. While it is down, so is the probe.", ""),
        row("via", Own, Rule::Interface { slot: |d| &mut d.interface }, "", "The same as `interface`.", ""),
        row("interval", Own, Rule::Seconds { min: MIN_INTERVAL, max: MAX_INTERVAL, slot: |d| &mut d.interval }, "1", "From one question to the next.", ""),
        row("timeout", Own, Rule::Seconds { min: MIN_INTERVAL, max: MAX_INTERVAL, slot: |d| &mut d.timeout }, "1, or the interval if that is shorter", "How long an answer may take; not above the interval.", ""),
        row("rise", Own, Rule::Number { min: 1, max: 100, slot: |d| &mut d.rise }, "2", "Answers in a row after which it is up again; the first answer after the start counts at once.", ""),
        row("fall", Own, Rule::Number { min: 1, max: 100, slot: |d| &mut d.fall }, "3", "Failures in a row after which it is down. Until an answer or so many failures, an instance that tracks it waits.", ""),
        row("weight", Own, Rule::Weight { slot: |d| &mut d.weight }, "0", "What it counts for where it is tracked without a `weight`.", ""),
    ],
};

const GARP_GROUPS: &str = "`vrrp_garp_interval` holds for each interface";

#[rustfmt::skip] // one row a keyword
pub(super) const GARP_GROUP: Table = Table {
    block: Block::GarpGroup,
    words: &[
        not_yet("garp_interval", C, "SECONDS", GARP_GROUPS),
        not_yet("gna_interval", C, "SECONDS", GARP_GROUPS),
        not_yet("interface", C, "INTERFACE", GARP_GROUPS),
        not_yet("interfaces", C, "{ INTERFACE … }", GARP_GROUPS),
    ],
};

pub(super) const BFD: Table = Table {
    block: Block::Bfd,
    words: BFD_WORDS,
};

#[rustfmt::skip] // one row a keyword
const BFD_WORDS: &[Keyword] = &[
    not_yet("neighbor_ip", C, "ADDRESS", NO_BFD),
    not_yet("neighbour_ip", C, "ADDRESS", NO_BFD),
    not_yet("source_ip", C, "ADDRESS", NO_BFD),
    not_yet("min_rx", C, "MILLISECONDS", NO_BFD),
    not_yet("min_tx", C, "MILLISECONDS", NO_BFD),
    not_yet("idle_tx", C, "MILLISECONDS", NO_BFD),
    not_yet("multiplier", C, "NUMBER", NO_BFD),
    not_yet("passive", C, "", NO_BFD),
    not_yet("ttl", C, "NUMBER", NO_BFD),
    not_yet("hoplimit", C, "NUMBER", NO_BFD),
    not_yet("max_hops", C, "NUMBER", NO_BFD),
    not_yet("weight", C, "-253–253 [reverse]", NO_BFD),
    not_yet("vrrp", C, "", NO_BFD),
    not_yet("checker", C, "", NO_BFD),
];
