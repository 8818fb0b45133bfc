//! The top level, and the blocks beside `global_defs` and `vrrp_instance`.

use super::Class::{A, B, C, Own};
use super::{
    Block, Keyword, Line, Rule, Table, check, not_needed, not_ours, not_yet, row, skipped_block,
};
use crate::config::model::Hook;
use crate::limits;
use crate::vrrp::track::Kind;

const NO_LVS: &str =
    "the block is skipped: vipd balances no load; leave it to keepalived or ipvsadm";
const NO_TRACK: &str = "the block is skipped: nothing is tracked by it";
const MAX_PROCESSES: i32 = 65_535;
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
        row("static_ipaddress", B, Rule::Addresses { most: limits::EXTRA_ADDRESSES as u16, list: |d| &mut d.vips }, "none", "Addresses that the router has while vipd runs, whatever the state of its instances. `dev` is `default_interface` unless given.", ""),
        row("static_routes", B, Rule::Routes, "none", "Routes that the router has while vipd runs.", ""),
        row("static_rules", B, Rule::Rules, "none", "Routing policy rules that the router has while vipd runs.", ""),
        row("vrrp_script", A, Rule::Watched { kind: Kind::Script, block: Block::Script }, "", "A script to be tracked. Exit code 0 is success; all else is failure, also that it cannot be started.", ""),
        row("track_file", B, Rule::Watched { kind: Kind::File, block: Block::TrackFile }, "", "A file whose number counts: multiplied by the weight, it is added to the priority. It is read whenever it changes; one that is not there counts as 0.", ""),
        row("vrrp_track_file", B, Rule::Watched { kind: Kind::File, block: Block::TrackFile }, "", "Another word for `track_file`.", ""),
        row("vrrp_track_process", B, Rule::Watched { kind: Kind::Process, block: Block::TrackProcess }, "", "Processes that are counted. /proc is read each second.", ""),
        row("track_probe", Own, Rule::Watched { kind: Kind::Probe, block: Block::Probe }, "", "A probe: something behind an interface is asked whether it answers. Also the name of the block that tracks it.", ""),
        skipped_block("garp_group", C, Block::GarpGroup, "{ … }", "the block is skipped: `vrrp_garp_interval` holds for each interface"),
        skipped_block("bfd_instance", C, Block::Bfd, "NAME { … }", NO_BFD),
        not_yet("track_group", C, "NAME { group { NAME … } }", "static addresses, routes and rules are put back, and no state depends on them"),
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

#[rustfmt::skip] // one row a keyword
pub(super) const SYNC_GROUP: Table = Table {
    block: Block::SyncGroup,
    words: &[
        row("group", A, Rule::Members, "", "The instances. While one is in Initialize all are; when one gives way all do; they take over when each may.", ""),
        row("track_interface", B, Rule::Tracked(Kind::Interface), "none", "Interfaces that count for all members.", ""),
        row("track_probe", Own, Rule::Tracked(Kind::Probe), "none", "Probes that count for all members.", ""),
        row("probe", Own, Rule::Probes, "none", "Probes in place, one on each line, as `ping 9.9.9.9 via wan weight -50`: the words of `track_probe`.", ""),
        row("sync_group_tracking_weight", B, Rule::Flag { bare: true, slot: |d| &mut d.tracking_weight }, "off", "on: the weights in an instance count for that instance alone. off: for all members, so that their priorities move together (keepalived ignores them).", ""),
        row("track_script", B, Rule::Tracked(Kind::Script), "none", "Scripts that count for all members.", ""),
        row("track_file", B, Rule::Tracked(Kind::File), "none", "Files that count for all members.", ""),
        row("track_process", B, Rule::Tracked(Kind::Process), "none", "Processes that count for all members.", ""),
        not_yet("track_bfd", B, "{ NAME [weight N [reverse]] … }", NO_TRACK),
        row("notify", A, Rule::Program(Hook::Any), "none", "As in an instance, with GROUP and priority 0.", ""),
        row("notify_master", A, Rule::Program(Hook::Master), "none", "Run when all members have become Active.", ""),
        row("notify_backup", A, Rule::Program(Hook::Backup), "none", "Run when all members have become Backup.", ""),
        row("notify_fault", A, Rule::Program(Hook::Fault), "none", "Run when one member is held in Initialize, and so all are.", ""),
        row("notify_stop", A, Rule::Program(Hook::Stop), "none", "Run when vipd stops.", ""),
        row("notify_deleted", C, Rule::Program(Hook::Deleted), "none", "Run when a reload has removed the group. `notify` and the FIFOs are told DELETED then, and FAULT without this word.", ""),
        row("notify_priority_changes", C, Rule::Flag { bare: true, slot: |d| &mut d.notify_priority }, "off", "As in the instances, for all members.", ""),
        not_needed("global_tracking", C, "", "what a member tracks counts for all members"),
        not_ours("smtp_alert", C, "[BOOL]", "no mail is sent; watch the log instead"),
    ],
};

/// In hundredths of a second.
const MIN_INTERVAL: u16 = 1;
const MAX_INTERVAL: u32 = 86_400;
const MAX_COUNT: i32 = 1_000_000;

#[rustfmt::skip] // one row a keyword
pub(super) const SCRIPT: Table = Table {
    block: Block::Script,
    words: &[
        row("script", A, Rule::Command { slot: |d| &mut d.command }, "", "Its path and its arguments. No shell sees them; blanks within quotes keep. Its input and its output are /dev/null, its environment is `PATH=/usr/sbin:/usr/bin:/sbin:/bin`. What it leaves behind is killed when it ends, daemons too.", ""),
        row("interval", A, Rule::Seconds { min_centis: MIN_INTERVAL, max: MAX_INTERVAL, slot: |d| &mut d.interval }, "1", "From one start to the next. It is not started a second time while it runs.", ""),
        row("timeout", B, Rule::Seconds { min_centis: MIN_INTERVAL, max: MAX_INTERVAL, slot: |d| &mut d.timeout }, "interval", "How long it may take: then SIGTERM to it and all that it has started, SIGKILL a second later, and it has failed.", ""),
        row("weight", A, Rule::Weight { max: 253, slot: |d| &mut d.weight }, "0", "Its weight where `track_script` gives none.", ""),
        row("rise", A, Rule::Number { min: 1, max: MAX_COUNT, slot: |d| &mut d.rise }, "1", "Successes in a row after which it counts as up.", ""),
        row("fall", A, Rule::Number { min: 1, max: MAX_COUNT, slot: |d| &mut d.fall }, "1", "Failures in a row after which it counts as down.", ""),
        row("user", B, Rule::User { slot: |d| &mut d.user }, "script_user", "Of whom it runs.", ""),
        row("init_fail", B, Rule::Flag { bare: true, slot: |d| &mut d.init_fail }, "off", "It counts as down until it has succeeded. off: the first result decides, whatever `rise` and `fall` are, and instances that track it wait for it.", ""),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const TRACK_FILE: Table = Table {
    block: Block::TrackFile,
    words: &[
        row("file", B, Rule::Text { slot: |d| &mut d.file }, "", "Its path, from the root on. The folder is watched, so that the file may come later.", ""),
        row("weight", B, Rule::Weight { max: 254, slot: |d| &mut d.weight }, "1", "What the number is multiplied by, where `track_file` in an instance does not say. A product below -253 holds the instance in Initialize; with 0 every number but 0 does (`reverse`: 0 does).", ""),
        row("init_file", B, Rule::InitFile { slot: |d| &mut d.init_file }, "nothing is written", "Write VALUE (0) into the file before it is read for the first time, if it is not there; with `overwrite` in any case.", ""),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const TRACK_PROCESS: Table = Table {
    block: Block::TrackProcess,
    words: &[
        row("process", B, Rule::Line(&Line { takes: "COMMAND [PARAMETER …]", slot: |d| &mut d.command }), "", "The name of a process as in /proc/PID/comm, of 15 bytes at most; with parameters its command line, word by word. A parameter that is a word of this block stands in quotes.", ""),
        row("weight", B, Rule::Weight { max: 254, slot: |d| &mut d.weight }, "1", "Its weight where `track_process` gives none.", ""),
        row("quorum", B, Rule::Number { min: 1, max: MAX_PROCESSES, slot: |d| &mut d.rise }, "1, or quorum_max if that is 0", "Processes that there must be. Zombies are none.", ""),
        row("quorum_max", B, Rule::Number { min: 0, max: MAX_PROCESSES, slot: |d| &mut d.fall }, "no limit", "Processes that there may be. 0: there must be none.", ""),
        row("delay", B, Rule::Seconds { min_centis: 0, max: MAX_INTERVAL, slot: |d| &mut d.interval }, "0", "`fork_delay` and `terminate_delay`, where they do not stand.", ""),
        row("fork_delay", B, Rule::Seconds { min_centis: 0, max: MAX_INTERVAL, slot: |d| &mut d.fork_delay }, "delay", "How long a change must last to count that more processes have brought.", ""),
        row("terminate_delay", B, Rule::Seconds { min_centis: 0, max: MAX_INTERVAL, slot: |d| &mut d.timeout }, "delay", "The same, when processes have ended.", ""),
        row("param_match", B, Rule::Line(&Line { takes: "[initial|partial]", slot: |d| &mut d.param_match }), "all parameters, if there are any", "partial: more parameters may follow. initial: and the last one may be longer. Without parameters: there must be none.", ""),
        row("full_command", B, Rule::Flag { bare: true, slot: |d| &mut d.full_command }, "off", "COMMAND is the first word of the command line, not the name.", ""),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const PROBE: Table = Table {
    block: Block::Probe,
    words: &[
        check("ping", Own, "ADDRESS", "", "An ICMP echo request. This or one of the next four must stand there. Addresses only: no name is resolved.", ""),
        check("arp", Own, "ADDRESS", "", "An ARP request: a host on the segment, whatever it filters.", ""),
        check("tcp", Own, "ADDRESS:PORT", "", "A connection, reset as soon as it is there; `[ADDRESS]:PORT` with IPv6.", ""),
        check("dns", Own, "NAME @ADDRESS", "", "The name server is asked for the A record of NAME (AAAA if its own address is IPv6) and must answer without an error.", ""),
        check("default_route", Own, "[ipv4|ipv6]", "ipv4", "The kernel has a default route through the interface; it is asked for each interval (Linux 4.13).", ""),
        row("interface", Own, Rule::Interface { slot: |d| &mut d.interface }, "", "The interface that is asked through. While it is down, so is the probe.", ""),
        row("via", Own, Rule::Interface { slot: |d| &mut d.interface }, "", "The same as `interface`.", ""),
        row("interval", Own, Rule::Seconds { min_centis: MIN_INTERVAL, max: MAX_INTERVAL, slot: |d| &mut d.interval }, "1", "From one question to the next.", ""),
        row("timeout", Own, Rule::Seconds { min_centis: MIN_INTERVAL, max: MAX_INTERVAL, slot: |d| &mut d.timeout }, "1, or the interval if that is shorter", "How long an answer may take; not above the interval.", ""),
        row("rise", Own, Rule::Number { min: 1, max: 100, slot: |d| &mut d.rise }, "2", "Answers in a row after which it is up again; the first answer after the start counts at once.", ""),
        row("fall", Own, Rule::Number { min: 1, max: 100, slot: |d| &mut d.fall }, "3", "Failures in a row after which it is down. Until an answer or so many failures, an instance that tracks it waits.", ""),
        row("weight", Own, Rule::Weight { max: 253, slot: |d| &mut d.weight }, "0", "What it counts for where it is tracked without a `weight`.", ""),
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
