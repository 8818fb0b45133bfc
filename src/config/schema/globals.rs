//! `global_defs`.

use super::Class::{A, B, C, Own};
use super::{Block, Choice, Choices, Keyword, Rule, Table, not_needed, not_ours, not_yet, row};
use crate::config::model::Hook;

/// The longest delay of any announcement.
pub(super) const MAX_DELAY: u32 = 86_400;
/// The longest that a program of the start or of the end may take.
const MAX_SCRIPT: u32 = 1000;
/// What `receive` takes.
pub(super) const RECEIVE: Choices = &["auto", "packet", "raw"];
/// What `garp_mode` takes.
pub(super) const GARP_MODE: Choices = &["request", "reply", "both"];
/// What `v3_checksum` takes.
pub(super) const V3_CHECKSUM: Choices = &["auto", "rfc9568", "rfc5798"];

const NO_SCRIPT: &str = "no script is run";
const NO_MAIL: &str = "no mail is sent; watch the log instead";
const NO_SNMP: &str = "there is no SNMP agent";
const NO_DBUS: &str = "there is no D-Bus interface";
const NO_LVS: &str = "vipd balances no load; leave it to keepalived or ipvsadm";
const NO_BFD: &str = "there is no BFD";
const NO_IPV6: &str = "IPv6 adverts go to ff02::12";
const NO_VMAC_GARP: &str = "addresses are announced on the interface that carries them alone";
const VMAC_NAMES: &str =
    "macvlans are called vrrp.VRID and vrrp6.VRID unless `use_vmac` names them";
const NO_FILTER: &str =
    "adverts need no rule, and what `no_accept` needs stands in a table of vipd's own";
const ONE_PROCESS: &str =
    "vipd is one process with little to do; `vrrp_rt_priority` puts it in front of others";
const OWN_BUFFERS: &str = "vipd sizes its socket buffers itself";
const ALWAYS_CHECKED: &str =
    "a reload always checks the whole file first, and a bad one changes nothing";
const NO_RELOAD_FILE: &str = "a reload is asked for with SIGHUP";
const FOLLOWS: &str = "vipd always follows interfaces that come and go";
const ONE_NAMESPACE: &str = "start vipd inside the namespace";

pub(super) const GLOBAL_DEFS: Table = Table {
    block: Block::GlobalDefs,
    words: WORDS,
};

#[rustfmt::skip] // one row a keyword
const WORDS: &[Keyword] = &[
    row("router_id", A, Rule::Text { slot: |d| &mut d.router_id }, "the host name", "How this router is called in messages.", ""),
    row("vrrp_version", A, Rule::Number { min: 2, max: 3, slot: |d| &mut d.version }, "2", "Version of the adverts of instances that have no `version`.", "RFC 3768, RFC 9568"),
    row("vrrp_garp_master_delay", B, Rule::Seconds { min_centis: 0, max: MAX_DELAY, slot: |d| &mut d.garp_master_delay }, "5", "From becoming Active to the second round of gratuitous ARPs; 0: no second round.", ""),
    row("vrrp_garp_master_repeat", B, Rule::Repeat { slot: |d| &mut d.garp_master_repeat }, "5", "Gratuitous ARPs of each address in the first and in the second round.", ""),
    row("vrrp_garp_master_refresh", B, Rule::Seconds { min_centis: 0, max: MAX_DELAY, slot: |d| &mut d.garp_master_refresh }, "0", "Period of further gratuitous ARPs while Active; 0: none.", ""),
    row("vrrp_garp_master_refresh_repeat", B, Rule::Repeat { slot: |d| &mut d.garp_master_refresh_repeat }, "1", "Gratuitous ARPs of each address at each refresh.", ""),
    row("vrrp_garp_lower_prio_delay", B, Rule::Seconds { min_centis: 0, max: MAX_DELAY, slot: |d| &mut d.garp_lower_prio_delay }, "as the master delay", "From hearing a lower-priority Active to the second round; 0: no second round.", ""),
    row("vrrp_garp_lower_prio_repeat", B, Rule::Number { min: 0, max: 255, slot: |d| &mut d.garp_lower_prio_repeat }, "as the master repeat", "Gratuitous ARPs of each address after a lower-priority Active was heard; 0: none.", ""),
    row("vrrp_garp_interval", B, Rule::Seconds { min_centis: 0, max: 10, slot: |d| &mut d.garp_interval }, "0", "Gap between two gratuitous ARPs on an interface.", ""),
    row("vrrp_min_garp", C, Rule::Flag { bare: true, slot: |d| &mut d.min_garp }, "off", "One gratuitous ARP and no second round, where nothing else is set.", ""),
    row("vrrp_startup_delay", B, Rule::Seconds { min_centis: 0, max: MAX_DELAY, slot: |d| &mut d.startup_delay }, "0", "Instances stay in Initialize for so long after the start.", ""),
    row("vrrp_mcast_group4", B, Rule::Group { slot: |d| &mut d.mcast_group4 }, "224.0.0.18", "Where IPv4 adverts go.", "RFC 9568 §5.1.1.2"),
    row("vrrp_skip_check_adv_addr", B, Rule::Flag { bare: true, slot: |d| &mut d.skip_check_adv_addr }, "off", "Do not compare the address list of an advert again when its sender is the same as before.", ""),
    row("vrrp_down_timer_adverts", C, Rule::Number { min: 1, max: 100, slot: |d| &mut d.down_timer_adverts }, "3", "Adverts that may be missed before the Active counts as down.", "RFC 9568 §6.1"),
    row("v3_checksum_as_v2", C, Rule::Flag { bare: true, slot: |d| &mut d.checksum_as_v2 }, "not set: as `v3_checksum auto`", "on: v3 checksums over IPv4 cover the message alone (`v3_checksum rfc9568`); off: `v3_checksum rfc5798`.", "RFC 9568 §5.2.8"),
    row("v3_checksum", Own, Rule::Choice(&Choice { of: V3_CHECKSUM, slot: |d| &mut d.checksum }), "auto", "What a v3 checksum over IPv4 covers: the message (rfc9568), a pseudo-header too (rfc5798), or what the peers do (auto).", "RFC 9568 §5.2.8"),
    row("vrrp_strict", B, Rule::Flag { bare: true, slot: |d| &mut d.strict }, "off", "`no_accept` unless said otherwise (v2: always), no gratuitous ARP after an advert of lower priority; `unicast_peer` is an error; authentication, `preempt_delay` and `state MASTER` below priority 255 are ignored.", "RFC 9568, RFC 3768"),
    row("default_interface", B, Rule::Interface { slot: |d| &mut d.interface }, "", "The interface of instances that name none.", ""),
    row("address_lease", Own, Rule::Number { min: 0, max: 86_400, slot: |d| &mut d.address_lease }, "0", "Seconds after which the kernel itself removes the addresses if vipd is killed or hangs; 0: never; else 2 or more.", ""),
    row("receive", Own, Rule::Choice(&Choice { of: RECEIVE, slot: |d| &mut d.receive }), "auto", "How adverts are received: behind the firewall's back (packet), as any program (raw), or the cheaper of both that works (auto).", ""),
    row("garp_mode", Own, Rule::Choice(&Choice { of: GARP_MODE, slot: |d| &mut d.garp_mode }), "request", "The form of a gratuitous ARP: some old gear listens only to replies.", "RFC 5227 §3"),
    row("vrrp_check_unicast_src", B, Rule::Flag { bare: true, slot: |d| &mut d.check_unicast_src }, "off", "Drop adverts of anybody else than the peers.", ""),
    row("script_user", A, Rule::User { slot: |d| &mut d.user }, "keepalived_script if there is such a user, else whom vipd runs as", "Of whom scripts run that say nothing else. The group is that of the user unless given, and the only one.", ""),
    row("enable_script_security", A, Rule::Flag { bare: true, slot: |d| &mut d.script_security }, "off", "A script that runs as root, and that somebody else than root can write, or a folder on its path, is an error.", ""),
    not_yet("vrrp_gna_interval", B, "SECONDS", NO_IPV6),
    not_yet("vrrp_mcast_group6", B, "IPV6-GROUP", NO_IPV6),
    not_needed("dynamic_interfaces", B, "[allow_if_changes]", FOLLOWS),
    row("notify_fifo", B, Rule::Program(Hook::Fifo), "none", "A FIFO that each transition is written to, as `INSTANCE \"NAME\" STATE PRIORITY`, or GROUP. Made if it is not there. Nobody is waited for: what does not fit is dropped.", ""),
    row("notify_fifo_script", B, Rule::Program(Hook::FifoScript), "none", "Runs beside vipd and reads the FIFO, whose path is its last argument.", ""),
    row("vrrp_notify_fifo", B, Rule::Program(Hook::VrrpFifo), "none", "Another one.", ""),
    row("vrrp_notify_fifo_script", B, Rule::Program(Hook::VrrpFifoScript), "none", "Runs beside vipd and reads the other FIFO.", ""),
    row("startup_script", B, Rule::Program(Hook::Startup), "none", "Run first: instances wait for its end in Initialize.", ""),
    row("startup_script_timeout", C, Rule::Seconds { min_centis: 100, max: MAX_SCRIPT, slot: |d| &mut d.startup_timeout }, "10", "How long it may take.", ""),
    row("shutdown_script", B, Rule::Program(Hook::Shutdown), "none", "Run last, when the addresses have gone.", ""),
    row("shutdown_script_timeout", C, Rule::Seconds { min_centis: 100, max: MAX_SCRIPT, slot: |d| &mut d.shutdown_timeout }, "10", "How long it may take.", ""),
    row("vrrp_notify_priority_changes", C, Rule::Flag { bare: true, slot: |d| &mut d.notify_priority }, "off", "Tell the FIFOs each new effective priority.", ""),
    row("fifo_write_vrrp_states_on_reload", C, Rule::Flag { bare: true, slot: |d| &mut d.states_on_reload }, "off", "Tell the FIFOs the states of all at each reload.", ""),
    row("hotplug_keepalived", Own, Rule::Flag { bare: true, slot: |d| &mut d.hotplug_keepalived }, "off", "UCI: run the scripts in /etc/hotplug.d/keepalived too, with what those in /etc/hotplug.d/vipd get: ACTION=NOTIFY_MASTER (BACKUP, FAULT, STOP), TYPE, NAME, PRIORITY and REASON.", ""),
    not_needed("reload_check_config", B, "[FILE]", ALWAYS_CHECKED),
    not_yet("vrrp_garp_extra_if", C, "[all] SECONDS", NO_VMAC_GARP),
    not_yet("vrrp_vmac_garp_intvl", C, "[all] SECONDS", NO_VMAC_GARP),
    not_yet("vrrp_lower_prio_no_advert", C, "[BOOL]", "a lower-priority advert is answered at once, as RFC 9568 §6.4.3 says"),
    not_yet("vrrp_higher_prio_send_advert", C, "[BOOL]", "a higher-priority advert is not answered"),
    not_yet("vrrp_owner_ignore_adverts", C, "[BOOL]", "an owner logs the adverts of others"),
    not_yet("vrrp_delay_after_boot", C, "SECONDS", "use `vrrp_startup_delay`, which counts from the start of vipd"),
    not_needed("log_unknown_vrids", C, "[BOOL]", "adverts for unknown VRIDs are counted, and told of when they carry one of our addresses"),
    not_yet("vmac_prefix", C, "TEXT", VMAC_NAMES),
    not_yet("vmac_addr_prefix", C, "TEXT", VMAC_NAMES),
    not_needed("disable_local_igmp", C, "", "reports for the advert group are wanted: switches that snoop need them"),
    not_needed("vrrp_iptables", C, "[IN [OUT]]", NO_FILTER),
    not_needed("vrrp_ipsets", C, "[NAME …]", NO_FILTER),
    not_needed("nftables", C, "[TABLE]", NO_FILTER),
    not_needed("nftables_priority", C, "NUMBER", NO_FILTER),
    not_needed("nftables_counters", C, "", NO_FILTER),
    not_needed("nftables_ifindex", C, "", NO_FILTER),
    not_ours("nftables_ipvs", C, "[TABLE]", NO_LVS),
    not_ours("nftables_ipvs_priority", C, "NUMBER", NO_LVS),
    not_ours("nftables_ipvs_start_fwmark", C, "NUMBER", NO_LVS),
    row("vrrp_priority", C, Rule::Number { min: -20, max: 19, slot: |d| &mut d.priority }, "as started", "Niceness of vipd, not of its scripts. Like the next two set at the start only, with rights that are given up then.", "setpriority(2)"),
    row("vrrp_rt_priority", C, Rule::Number { min: 1, max: 99, slot: |d| &mut d.unicast_ttl }, "not real-time", "Real-time priority of vipd (SCHED_RR), for adverts of 10 ms on a machine that is busy.", "sched(7)"),
    row("vrrp_no_swap", C, Rule::Flag { bare: true, slot: |d| &mut d.preempt }, "off", "Keep all of vipd in memory, its program too, which is otherwise read again from the flash when memory is short.", "mlockall(2)"),
    not_needed("vrrp_cpu_affinity", C, "CPU …", ONE_PROCESS),
    not_needed("vrrp_rlimit_rttime", C, "MICROSECONDS", ONE_PROCESS),
    not_needed("vrrp_rlimit_rtime", C, "MICROSECONDS", ONE_PROCESS),
    not_needed("max_auto_priority", C, "[NUMBER]", ONE_PROCESS),
    not_needed("min_auto_priority_delay", C, "MICROSECONDS", ONE_PROCESS),
    not_ours("checker_priority", C, "-20–19", NO_LVS),
    not_ours("checker_rt_priority", C, "1–99", NO_LVS),
    not_ours("checker_no_swap", C, "[BOOL]", NO_LVS),
    not_ours("checker_cpu_affinity", C, "CPU …", NO_LVS),
    not_ours("checker_rlimit_rttime", C, "MICROSECONDS", NO_LVS),
    not_ours("checker_rlimit_rtime", C, "MICROSECONDS", NO_LVS),
    not_ours("checker_log_all_failures", C, "[BOOL]", NO_LVS),
    not_yet("bfd_priority", C, "-20–19", NO_BFD),
    not_yet("bfd_rt_priority", C, "1–99", NO_BFD),
    not_yet("bfd_no_swap", C, "[BOOL]", NO_BFD),
    not_yet("bfd_cpu_affinity", C, "CPU …", NO_BFD),
    not_yet("bfd_rlimit_rttime", C, "MICROSECONDS", NO_BFD),
    not_yet("bfd_rlimit_rtime", C, "MICROSECONDS", NO_BFD),
    not_needed("vrrp_netlink_cmd_rcv_bufs", C, "BYTES", OWN_BUFFERS),
    not_needed("vrrp_netlink_cmd_rcv_bufs_force", C, "[BOOL]", OWN_BUFFERS),
    not_needed("vrrp_netlink_monitor_rcv_bufs", C, "BYTES", OWN_BUFFERS),
    not_needed("vrrp_netlink_monitor_rcv_bufs_force", C, "[BOOL]", OWN_BUFFERS),
    not_ours("lvs_netlink_cmd_rcv_bufs", C, "BYTES", NO_LVS),
    not_ours("lvs_netlink_cmd_rcv_bufs_force", C, "[BOOL]", NO_LVS),
    not_ours("lvs_netlink_monitor_rcv_bufs", C, "BYTES", NO_LVS),
    not_ours("lvs_netlink_monitor_rcv_bufs_force", C, "[BOOL]", NO_LVS),
    not_needed("process_monitor_rcv_bufs", C, "BYTES", OWN_BUFFERS),
    not_needed("process_monitor_rcv_bufs_force", C, "[BOOL]", OWN_BUFFERS),
    not_needed("vrrp_rx_bufs_policy", C, "MTU|ADVERT|BYTES", OWN_BUFFERS),
    not_needed("vrrp_rx_bufs_multiplier", C, "NUMBER", OWN_BUFFERS),
    not_yet("snmp_socket", C, "SOCKET", NO_SNMP),
    not_yet("enable_traps", C, "", NO_SNMP),
    not_yet("enable_snmp_vrrp", C, "", NO_SNMP),
    not_yet("enable_snmp_keepalived", C, "", NO_SNMP),
    not_yet("enable_snmp_checker", C, "", NO_SNMP),
    not_yet("enable_snmp_rfc", C, "", NO_SNMP),
    not_yet("enable_snmp_rfcv2", C, "", NO_SNMP),
    not_yet("enable_snmp_rfcv3", C, "", NO_SNMP),
    not_yet("snmp_vrrp_trap", C, "", NO_SNMP),
    not_yet("enable_dbus", C, "", NO_DBUS),
    not_yet("dbus_service_name", C, "NAME", NO_DBUS),
    not_ours("notification_email", C, "{ ADDRESS … }", NO_MAIL),
    not_ours("notification_email_from", C, "ADDRESS", NO_MAIL),
    not_ours("smtp_server", C, "ADDRESS [PORT]", NO_MAIL),
    not_ours("smtp_helo_name", C, "NAME", NO_MAIL),
    not_ours("smtp_connect_timeout", C, "SECONDS", NO_MAIL),
    not_ours("smtp_alert", C, "[BOOL]", NO_MAIL),
    not_ours("smtp_alert_vrrp", C, "[BOOL]", NO_MAIL),
    not_ours("smtp_alert_checker", C, "[BOOL]", NO_MAIL),
    not_ours("no_email_faults", C, "[BOOL]", NO_MAIL),
    not_ours("no_checker_emails", C, "[BOOL]", NO_MAIL),
    not_ours("email_faults", C, "[BOOL]", NO_MAIL),
    not_ours("lvs_sync_daemon", C, "INTERFACE …", NO_LVS),
    not_ours("lvs_timeouts", C, "[tcp SECONDS] …", NO_LVS),
    not_ours("lvs_flush", C, "", NO_LVS),
    not_ours("lvs_flush_on_stop", C, "[VS]", NO_LVS),
    not_ours("lvs_flush_onstop", C, "[VS]", NO_LVS),
    not_ours("lvs_notify_fifo", C, "FILE [USER [GROUP]]", NO_LVS),
    not_ours("lvs_notify_fifo_script", C, "SCRIPT [USER [GROUP]]", NO_LVS),
    not_ours("rs_init_notifies", C, "", NO_LVS),
    not_needed("reload_time_file", C, "FILE", NO_RELOAD_FILE),
    not_needed("reload_repeat", C, "", NO_RELOAD_FILE),
    not_needed("reload_file", C, "[FILE]", NO_RELOAD_FILE),
    not_needed("include_check", C, "[CHECK …]", "use `includem`, `includew` or `includea` for files that must be there"),
    not_needed("tmp_config_directory", C, "DIRECTORY", "vipd reads the files once and needs no copy"),
    not_needed("config_save_dir", C, "DIRECTORY", "vipd reads the files once and needs no copy"),
    not_needed("data_use_instance", C, "[BOOL]", "vipd writes no data files"),
    not_needed("json_version", C, "1|2", "vipd's JSON carries its own version"),
    not_needed("process_names", C, "", "vipd is one process"),
    not_needed("process_name", C, "NAME", "vipd is one process"),
    not_needed("vrrp_process_name", C, "NAME", "vipd is one process"),
    not_needed("checker_process_name", C, "NAME", "vipd is one process"),
    not_needed("bfd_process_name", C, "NAME", "vipd is one process"),
    not_needed("use_symlink_paths", C, "[BOOL]", NO_SCRIPT),
    not_needed("umask", C, "BITS", "vipd's files are for its own user only"),
    not_needed("random_seed", C, "NUMBER", "`${_RANDOM}` is not supported"),
    not_needed("linkbeat_use_polling", C, "", "the kernel's link events are used"),
    not_needed("child_wait_time", C, "SECONDS", "vipd is one process"),
    not_needed("net_namespace", C, "NAME", ONE_NAMESPACE),
    not_ours("net_namespace_ipvs", C, "NAME", NO_LVS),
    not_needed("namespace_with_ipsets", C, "", NO_FILTER),
    not_needed("instance", C, "NAME", "give each vipd its own runtime directory"),
    not_needed("use_pid_dir", C, "", "the runtime directory holds all files of vipd"),
];
