//! `vrrp_instance` and the blocks in it.

use super::Class::{A, B, C, Own};
use super::globals::{GARP_MODE, MAX_DELAY, RECEIVE, V3_CHECKSUM};
use super::{
    Block, Choice, Choices, FOLLOW, Keyword, Opt, Rule, Table, not_needed, not_ours, not_yet,
    option, row, skipped_block,
};
use crate::config::model::Hook;
use crate::limits;
use crate::vrrp::track::Kind;

/// What `state` takes.
const STATES: Choices = &["MASTER", "BACKUP"];
/// What `auth_type` takes.
const AUTH_TYPES: Choices = &["PASS", "AH"];
const MAX_LEAVE: u32 = 600;
/// What `dhcp` and `ra` may say.
const FOLLOWS: Choices = &[FOLLOW, "off"];
const MAX_UPLINK: u32 = 3600;
const NO_TRACK: &str = "it is not tracked: priority and state do not depend on it";
const NO_VMAC_GARP: &str = "addresses are announced on the interface that carries them alone";
const NO_DAD: &str = "IPv6 addresses are added without duplicate address detection anyway";
const NO_ADDRESS_OPTION: &str = "the address is added without it";

pub(super) const INSTANCE: Table = Table {
    block: Block::Instance,
    words: WORDS,
};

#[rustfmt::skip] // one row a keyword
const WORDS: &[Keyword] = &[
    row("state", A, Rule::Choice(&Choice { of: STATES, slot: |d| &mut d.state }), "BACKUP", "MASTER without a `priority` means priority 255; otherwise the election decides, whatever stands here.", ""),
    row("interface", A, Rule::Interface { slot: |d| &mut d.interface }, "default_interface", "The interface that adverts are sent and received on, and that carries the addresses. In UCI also netifd's name of it: `lan` is the device that netifd says, now and whenever that changes.", ""),
    row("virtual_router_id", A, Rule::Number { min: 1, max: 255, slot: |d| &mut d.vrid }, "", "VRID; the same on all routers of this virtual router. Required.", "RFC 9568 §5.2.3"),
    row("priority", A, Rule::Number { min: 1, max: 255, slot: |d| &mut d.priority }, "100; 255 with `state MASTER`", "The highest becomes Active; 255 is the owner of the addresses.", "RFC 9568 §5.2.4"),
    row("advert_int", A, Rule::Seconds { min_centis: 1, max: 255, slot: |d| &mut d.advert_int }, "1", "Time between two adverts. v2: whole seconds, 1–255; v3: 0.01–40.95 in steps of 0.01.", "RFC 9568 §6.1, RFC 3768 §5.3.7"),
    row("virtual_ipaddress", A, Rule::Addresses { most: limits::ADDRESSES as u16, list: |d| &mut d.vips }, "", "The virtual addresses, 1–255 of them, of one family (IPv6: at most 90, the first link-local). Required.", "RFC 9568 §5.2.9"),
    row("virtual_ipaddress_excluded", B, Rule::Addresses { most: limits::EXTRA_ADDRESSES as u16, list: |d| &mut d.excluded }, "none", "Addresses that move with the others and are announced like them, but do not stand in the advert: of either family, and as many as 1024.", ""),
    row("virtual_routes", B, Rule::Routes, "none", "Routes that this router has while it is Active, one a line; they come after the addresses and go before them.", ""),
    row("virtual_rules", B, Rule::Rules, "none", "Routing policy rules that this router has while it is Active, one a line.", ""),
    row("authentication", A, Rule::Words(Block::Authentication), "none", "Clear-text password of v2 adverts.", "RFC 2338 §5.3.6"),
    row("version", B, Rule::Number { min: 2, max: 3, slot: |d| &mut d.version }, "vrrp_version", "Version of the adverts that are sent and accepted; IPv6 has 3 only.", "RFC 3768, RFC 9568"),
    row("nopreempt", A, Rule::Flag { bare: false, slot: |d| &mut d.preempt }, "off", "Do not take over from a working lower-priority Active, unless its priority falls below ours while we hear it: something it tracks has failed. Needs `state BACKUP`.", "RFC 9568 §6.1"),
    row("preempt", B, Rule::Flag { bare: true, slot: |d| &mut d.preempt }, "on", "The opposite of `nopreempt`.", "RFC 9568 §6.1"),
    row("preempt_delay", B, Rule::Seconds { min_centis: 0, max: 1000, slot: |d| &mut d.preempt_delay }, "0", "How long a lower-priority Active is tolerated. Needs `state BACKUP`.", ""),
    row("track_interface", A, Rule::Tracked(Kind::Interface), "none", "Other interfaces that count. In a sync group all members count what one tracks.", ""),
    row("track_probe", Own, Rule::Tracked(Kind::Probe), "none", "Probes that count, by the names of their `track_probe NAME { … }`.", ""),
    row("probe", Own, Rule::Probes, "none", "Probes in place, one on each line, as `ping 9.9.9.9 via wan weight -50`: the words of `track_probe`.", ""),
    row("dont_track_primary", B, Rule::Flag { bare: true, slot: |d| &mut d.dont_track_primary }, "off", "Stay Active or Backup while the instance's own interface is down.", ""),
    row("unicast_peer", A, Rule::Peers, "none", "Adverts go to each of these routers instead of the multicast group. The router's own address is skipped, so that all may have one list.", ""),
    row("unicast_src_ip", A, Rule::Address { slot: |d| &mut d.unicast_src_ip }, "the interface's first address", "Source address of the adverts. The instance waits in Initialize until an interface has it.", ""),
    row("unicast_ttl", C, Rule::Number { min: 1, max: 255, slot: |d| &mut d.unicast_ttl }, "255", "TTL or Hop Limit of the adverts.", ""),
    row("check_unicast_src", C, Rule::Flag { bare: true, slot: |d| &mut d.check_unicast_src }, "vrrp_check_unicast_src", "Drop adverts of anybody else than the peers. On if a peer has bounds of its TTL.", ""),
    row("unicast_fault_no_peer", C, Rule::Flag { bare: true, slot: |d| &mut d.unicast_fault_no_peer }, "off", "Without peers, wait in Initialize instead of using multicast.", ""),
    row("native_ipv6", C, Rule::Flag { bare: true, slot: |d| &mut d.native_ipv6 }, "the first address decides", "An IPv6 instance; IPv4 addresses in it are ignored.", "RFC 9568 §5.1.2"),
    row("use_vmac", B, Rule::Vmac { slot: |d| &mut d.use_vmac }, "off; then vrrp.VRID or vrrp6.VRID", "The addresses stand on a macvlan of this name with the virtual MAC address, which moves with the Active; adverts carry it too.", "RFC 9568 §7.3"),
    row("use_vmac_addr", C, Rule::Flag { bare: true, slot: |d| &mut d.use_vmac_addr }, "off", "Addresses with a `dev` of their own stand on a macvlan with the virtual MAC address over that interface.", ""),
    row("vmac_xmit_base", B, Rule::Flag { bare: true, slot: |d| &mut d.vmac_xmit_base }, "off", "Adverts carry the interface's own MAC address in spite of `use_vmac`.", "RFC 9568 §7.2"),
    row("mcast_src_ip", B, Rule::Address { slot: |d| &mut d.mcast_src_ip }, "the interface's first (IPv6: link-local) address", "Source address of the adverts; in an IPv6 instance a link-local one.", "RFC 9568 §5.1"),
    row("no_accept", B, Rule::Flag { bare: false, slot: |d| &mut d.accept }, "off; on in strict mode", "Drop packets to the virtual addresses (not ARP, nor Neighbour Solicitations and Advertisements) unless the priority is 255; what is routed through them passes. Needs nf_tables: kmod-nft-core.", "RFC 9568 §6.1"),
    row("accept", B, Rule::Flag { bare: true, slot: |d| &mut d.accept }, "on; off in strict mode", "The opposite of `no_accept`.", "RFC 9568 §6.1"),
    row("strict_mode", C, Rule::Flag { bare: true, slot: |d| &mut d.strict }, "vrrp_strict", "As `vrrp_strict`.", ""),
    row("skip_check_adv_addr", C, Rule::Flag { bare: true, slot: |d| &mut d.skip_check_adv_addr }, "vrrp_skip_check_adv_addr", "Do not compare the address list of an advert again when its sender is the same as before.", ""),
    row("down_timer_adverts", C, Rule::Number { min: 1, max: 100, slot: |d| &mut d.down_timer_adverts }, "vrrp_down_timer_adverts", "Adverts that may be missed before the Active counts as down.", "RFC 9568 §6.1"),
    row("v3_checksum_as_v2", C, Rule::Flag { bare: true, slot: |d| &mut d.checksum_as_v2 }, "the global one", "As in `global_defs`.", "RFC 9568 §5.2.8"),
    row("v3_checksum", Own, Rule::Choice(&Choice { of: V3_CHECKSUM, slot: |d| &mut d.checksum }), "the global one", "As in `global_defs`.", "RFC 9568 §5.2.8"),
    row("garp_master_delay", B, Rule::Seconds { min_centis: 0, max: MAX_DELAY, slot: |d| &mut d.garp_master_delay }, "vrrp_garp_master_delay", "From becoming Active to the second round of gratuitous ARPs; 0: no second round.", ""),
    row("garp_master_repeat", B, Rule::Repeat { slot: |d| &mut d.garp_master_repeat }, "vrrp_garp_master_repeat", "Gratuitous ARPs of each address in the first and in the second round.", ""),
    row("garp_master_refresh", B, Rule::Seconds { min_centis: 0, max: MAX_DELAY, slot: |d| &mut d.garp_master_refresh }, "vrrp_garp_master_refresh", "Period of further gratuitous ARPs while Active; 0: none.", ""),
    row("garp_master_refresh_repeat", B, Rule::Repeat { slot: |d| &mut d.garp_master_refresh_repeat }, "vrrp_garp_master_refresh_repeat", "Gratuitous ARPs of each address at each refresh.", ""),
    row("garp_lower_prio_delay", B, Rule::Seconds { min_centis: 0, max: MAX_DELAY, slot: |d| &mut d.garp_lower_prio_delay }, "vrrp_garp_lower_prio_delay", "From hearing a lower-priority Active to the second round; 0: no second round.", ""),
    row("garp_lower_prio_repeat", B, Rule::Number { min: 0, max: 255, slot: |d| &mut d.garp_lower_prio_repeat }, "vrrp_garp_lower_prio_repeat", "Gratuitous ARPs of each address after a lower-priority Active was heard; 0: none.", ""),
    row("dhcp", Own, Rule::Choice(&Choice { of: FOLLOWS, slot: |d| &mut d.dhcp }), "off", "`follow`: DHCP servers of this host, which run on all routers, are heard on the interface while the instance is Active only. Needs nf_tables.", ""),
    row("ra", Own, Rule::Choice(&Choice { of: FOLLOWS, slot: |d| &mut d.ra }), "off", "`follow`: router advertisements are sent on the interface while the instance is Active, by vipd, so that nobody else on this host must send any.", "RFC 4861 §6.2, RFC 9568 §6.4.3"),
    row("notify", A, Rule::Program(Hook::Any), "none", "Run at each of these, after the program above. It gets four more arguments: INSTANCE, the name, MASTER, BACKUP, FAULT, STOP or DELETED, and the priority.", ""),
    row("notify_master", A, Rule::Program(Hook::Master), "none", "Run when the instance has become Active. Programs of one instance run one after the other.", ""),
    row("notify_backup", A, Rule::Program(Hook::Backup), "none", "Run when it has become Backup.", ""),
    row("notify_fault", A, Rule::Program(Hook::Fault), "none", "Run when something holds it in Initialize.", ""),
    row("notify_stop", B, Rule::Program(Hook::Stop), "none", "Run when vipd stops, after the addresses have gone.", ""),
    row("notify_deleted", C, Rule::Program(Hook::Deleted), "none", "Run when a reload has removed the instance. `notify` and the FIFOs are told DELETED then, and FAULT without this word.", ""),
    row("notify_master_rx_lower_pri", C, Rule::Program(Hook::LowerPriority), "none", "Run when the Active hears a lower-priority advert, at most once an `advert_int`; the FIFOs are told MASTER_RX_LOWER_PRI.", ""),
    row("notify_leave", Own, Rule::Program(Hook::Leave), "none", "Run while the instance is still Active, before it gives its addresses up because vipd stops or a reload removes it. It goes on advertising until the program has ended.", ""),
    row("notify_leave_timeout", Own, Rule::Seconds { min_centis: 100, max: MAX_LEAVE, slot: |d| &mut d.leave_timeout }, "5", "How long `notify_leave` may take; then it is killed and the addresses go. A second SIGTERM ends it at once.", ""),
    row("notify_priority_changes", C, Rule::Flag { bare: true, slot: |d| &mut d.notify_priority }, "vrrp_notify_priority_changes", "Tell the FIFOs each new effective priority: MASTER_PRIORITY or BACKUP_PRIORITY.", ""),
    row("uplink", Own, Rule::Members, "none", "Interfaces of OpenWrt's, as in /etc/config/network, that are up while this instance is Active and down while it is not: `wan`, or several. They need `option auto '0'` there. One uplink belongs to one instance or one sync group. A tracker of such an interface, or a probe through it, counts only while Active, and has weight -253 if it has none.", ""),
    row("uplink_timeout", Own, Rule::Seconds { min_centis: 100, max: MAX_UPLINK, slot: |d| &mut d.uplink_timeout }, "60", "How long the uplinks may take to come up: until then, what is tracked through them counts only if it has been up once since this router became Active.", ""),
    row("uplink_hold_down", Own, Rule::Seconds { min_centis: 100, max: MAX_UPLINK, slot: |d| &mut d.uplink_hold_down }, "300", "How long what failed there still counts once this router has given way. The next failure soon after that doubles it, up to 16 times.", ""),
    row("garp_mode", Own, Rule::Choice(&Choice { of: GARP_MODE, slot: |d| &mut d.garp_mode }), "the global one", "The form of a gratuitous ARP.", "RFC 5227 §3"),
    row("receive", Own, Rule::Choice(&Choice { of: RECEIVE, slot: |d| &mut d.receive }), "the global one", "How adverts are received.", ""),
    row("address_lease", Own, Rule::Number { min: 0, max: 86_400, slot: |d| &mut d.address_lease }, "the global one", "Seconds after which the kernel itself removes the addresses if vipd is killed or hangs; 0: never; else 2 or more.", ""),
    row("track_script", A, Rule::Tracked(Kind::Script), "none", "Scripts, each by the name of its `vrrp_script`, or as a path with arguments, which runs each second. Without a weight the instance is in Initialize while one fails. It waits for the first result.", ""),
    row("track_file", B, Rule::Tracked(Kind::File), "none", "Files whose numbers count.", ""),
    row("track_process", B, Rule::Tracked(Kind::Process), "none", "Processes whose number counts.", ""),
    not_yet("track_bfd", B, "{ NAME [weight N [reverse]] … }", NO_TRACK),
    not_yet("track_src_ip", C, "", "the source address is not tracked"),
    not_yet("old_unicast_checksum", C, "[never]", "v3 adverts have the checksum of RFC 9568 or of RFC 5798: see `v3_checksum`"),
    not_yet("mcast_dst_ip", C, "ADDRESS", "adverts go to `vrrp_mcast_group4`"),
    not_yet("no_virtual_ipaddress", C, "", "an instance needs an address"),
    not_needed("promote_secondaries", B, "", "what the kernel takes along with a removed address is put back at once, if it is vipd's; for addresses of others set the sysctl net.ipv4.conf.INTERFACE.promote_secondaries"),
    not_yet("garp_extra_if", C, "[all] SECONDS", NO_VMAC_GARP),
    not_yet("vmac_garp_intvl", C, "[all] SECONDS", NO_VMAC_GARP),
    not_yet("use_ipvlan", C, "[INTERFACE] [ADDRESS] [bridge|private|vepa]", "addresses stay on the interface itself"),
    not_yet("vrf", C, "INTERFACE", "the instance runs on its interface"),
    not_yet("lower_prio_no_advert", C, "[BOOL]", "a lower-priority advert is answered at once, as RFC 9568 §6.4.3 says"),
    not_yet("higher_prio_send_advert", C, "[BOOL]", "a higher-priority advert is not answered"),
    not_yet("owner_ignore_adverts", C, "[BOOL]", "an owner logs the adverts of others"),
    not_yet("timer_expired_backup", C, "[1–254]", "the master goes by RFC 9568 §6.4.3"),
    not_needed("kernel_rx_buf_size", C, "BYTES", "vipd sizes its socket buffers itself"),
    not_needed("linkbeat_use_polling", C, "", "the kernel's link events are used"),
    not_needed("debug", B, "0–4", "use `vipd run --log debug`"),
    not_ours("smtp_alert", B, "[BOOL]", "no mail is sent; watch the log instead"),
    not_ours("lvs_sync_daemon_interface", C, "INTERFACE", "vipd balances no load; leave it to keepalived or ipvsadm"),
    skipped_block("auth_hmac", C, Block::AuthHmac, "{ … }", "adverts carry no trailer, and routers that enforce it drop them"),
];

#[rustfmt::skip] // one row a keyword
pub(super) const AUTHENTICATION: Table = Table {
    block: Block::Authentication,
    words: &[
        row("auth_type", A, Rule::Choice(&Choice { of: AUTH_TYPES, slot: |d| &mut d.auth_type }), "none", "PASS. AH is not supported yet.", "RFC 2338 §5.3.6"),
        row("auth_pass", A, Rule::Secret { slot: |d| &mut d.auth_pass }, "", "The password, of which 8 bytes count. It crosses the wire in clear text.", "RFC 2338 §5.3.6"),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const ADDRESS: Table = Table {
    block: Block::Address,
    words: &[
        option("dev", A, Opt::Dev, "INTERFACE", "the instance's interface", "The interface that carries the address.", ""),
        option("scope", A, Opt::Scope, "global|site|link|host|nowhere|0–255", "global", "Scope of the address; an IPv6 address itself says what it is.", ""),
        option("label", A, Opt::Label, "LABEL", "none", "Label of the address, such as eth0:1; at most 15 bytes, IPv4 only.", ""),
        option("brd", A, Opt::Broadcast, "ADDRESS|+|-", "none", "Broadcast address, IPv4 only; `+` is the last, `-` the first address of the prefix.", ""),
        option("broadcast", A, Opt::Broadcast, "ADDRESS|+|-", "none", "The same as `brd`.", ""),
        not_yet("peer", C, "ADDRESS", NO_ADDRESS_OPTION),
        not_yet("track_group", C, "NAME", NO_ADDRESS_OPTION),
        not_yet("preferred_lft", C, "SECONDS|forever|0", "an IPv6 /128 is deprecated, which is keepalived's default too, and any other address preferred"),
        option("use_vmac", C, Opt::Word, "", "use_vmac_addr", "The address stands on a macvlan with the virtual MAC address over its interface.", ""),
        not_yet("no_track", C, "", "an address that is deleted by hand comes back"),
        not_yet("home", C, "", NO_ADDRESS_OPTION),
        not_needed("-nodad", C, "", NO_DAD),
        not_needed("nodad", C, "", NO_DAD),
        not_yet("mngtmpaddr", C, "", NO_ADDRESS_OPTION),
        not_yet("noprefixroute", C, "", NO_ADDRESS_OPTION),
        not_yet("autojoin", C, "", NO_ADDRESS_OPTION),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const PEER: Table = Table {
    block: Block::Peer,
    words: &[
        option("min_ttl", C, Opt::Word, "0–255", "0", "Adverts of the peer that arrive with a smaller TTL or Hop Limit are dropped.", ""),
        option("max_ttl", C, Opt::Word, "0–255", "255", "Adverts of the peer that arrive with a larger one are dropped.", ""),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const TRACKED: Table = Table {
    block: Block::Tracked,
    words: &[
        option("weight", A, Opt::Word, "-253–253", "0", "Added to the priority, which stays within 1–254: a positive one while the interface is up, a negative one while it is down. 0: Initialize while it is down. Priority 255 never moves.", ""),
        option("reverse", C, Opt::Word, "", "", "The weight is taken from the priority; with weight 0, Initialize while the interface is up.", ""),
        option("noreverse", C, Opt::Word, "", "", "The opposite of `reverse`.", ""),
    ],
};

const NO_HMAC: &str = "adverts carry no trailer";

#[rustfmt::skip] // one row a keyword
pub(super) const AUTH_HMAC: Table = Table {
    block: Block::AuthHmac,
    words: &[
        not_yet("key", C, "ID KEY", NO_HMAC),
        not_yet("active_key", C, "ID", NO_HMAC),
        not_yet("time_window", C, "SECONDS", NO_HMAC),
        not_yet("anti_replay", C, "time|monotonic", NO_HMAC),
        not_yet("mode", C, "enforce|permissive|receive-only", NO_HMAC),
    ],
};
