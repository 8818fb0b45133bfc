//! The words of a route and of a rule.

use super::Class::{A, B, C, Own};
use super::{Block, Opt, Rule, Table, not_needed, not_ours, not_yet, row};
use crate::config::routing::{FRA_PRIORITY, FRA_SUPPRESS_IFGROUP};
use crate::vrrp::types::Family;

/// FR_ACT_…
const NOP: u8 = 3;
const BLACKHOLE: u8 = 6;
const UNREACHABLE: u8 = 7;
const PROHIBIT: u8 = 8;

const WITHOUT: &str = "the route is added without it";
const NO_ROUTE: &str = "the route is left out";
const NO_RULE: &str = "the rule is left out, for without it others would match too";
const OWN_MARK: &str = "ours carry protocol 112, by which vipd knows them";
const COMES_BACK: &str = "what is removed by hand comes back, and no state depends on it";

#[rustfmt::skip] // one row a keyword
pub(super) const ROUTE: Table = Table {
    block: Block::Route,
    words: &[
        row("to", A, Rule::Option { is: Opt::To, takes: &"PREFIX|default" }, "", "The destination; the word may be left out.", ""),
        row("via", A, Rule::Option { is: Opt::Via, takes: &"[inet|inet6] ADDRESS" }, "none: on the link", "The gateway.", ""),
        row("gw", C, Rule::Option { is: Opt::Via, takes: &"ADDRESS" }, "", "The same as `via`.", ""),
        row("dev", A, Rule::Option { is: Opt::Dev, takes: &"INTERFACE" }, "that of the gateway", "The interface.", ""),
        row("oif", C, Rule::Option { is: Opt::Dev, takes: &"INTERFACE" }, "", "The same as `dev`.", ""),
        row("src", A, Rule::Option { is: Opt::Source, takes: &"ADDRESS" }, "the kernel's choice", "The address that this router's own packets come from.", ""),
        row("metric", A, Rule::Option { is: Opt::Metric, takes: &"0–4294967295" }, "0; IPv6: 1024", "Of two routes with one destination the smaller counts.", ""),
        row("priority", B, Rule::Option { is: Opt::Metric, takes: &"0–4294967295" }, "", "The same as `metric`.", ""),
        row("preference", B, Rule::Option { is: Opt::Metric, takes: &"0–4294967295" }, "", "The same as `metric`.", ""),
        row("table", A, Rule::Option { is: Opt::Table, takes: &"NUMBER|NAME" }, "main", "The routing table; names are those of /etc/iproute2/rt_tables.", ""),
        row("scope", A, Rule::Option { is: Opt::Scope, takes: &"global|site|link|host|nowhere|0–255" }, "global", "Scope of the route, IPv4 only.", ""),
        row("tos", B, Rule::Option { is: Opt::Tos, takes: &"0–255" }, "0", "The type of service that it is for.", ""),
        row("dsfield", C, Rule::Option { is: Opt::Tos, takes: &"0–255" }, "", "The same as `tos`.", ""),
        row("onlink", B, Rule::Option { is: Opt::Onlink, takes: &"" }, "", "The gateway is on the link, even if no address says so.", ""),
        row("nexthop", B, Rule::Option { is: Opt::Hop, takes: &"" }, "", "A next hop of several: `nexthop via ADDRESS [dev INTERFACE] [weight N] [onlink]`, up to 16 times.", ""),
        row("or", C, Rule::Option { is: Opt::Or, takes: &"ADDRESS" }, "", "Another gateway: `via ADDRESS or ADDRESS`; better write `nexthop` for each.", ""),
        row("weight", B, Rule::Option { is: Opt::Weight, takes: &"1–256" }, "1", "The next hop's share of the traffic.", ""),
        row("unicast", C, Rule::Option { is: Opt::Word, takes: &"" }, "", "What a route is anyway.", ""),
        row("blackhole", A, Rule::Option { is: Opt::Kind(libc::RTN_BLACKHOLE), takes: &"" }, "", "Drop the packets.", ""),
        row("unreachable", B, Rule::Option { is: Opt::Kind(libc::RTN_UNREACHABLE), takes: &"" }, "", "Answer them with ICMP host unreachable.", ""),
        row("prohibit", B, Rule::Option { is: Opt::Kind(libc::RTN_PROHIBIT), takes: &"" }, "", "Answer them with ICMP administratively prohibited.", ""),
        row("throw", B, Rule::Option { is: Opt::Kind(libc::RTN_THROW), takes: &"" }, "", "Look no further in this table.", ""),
        row("mtu", B, Rule::Option { is: Opt::Rtax(2), takes: &"[lock] BYTES" }, "the interface's", "MTU of the way; `lock`: it is not discovered.", ""),
        row("advmss", B, Rule::Option { is: Opt::Rtax(8), takes: &"[lock] BYTES" }, "", "MSS that TCP announces.", ""),
        row("hoplimit", C, Rule::Option { is: Opt::Rtax(10), takes: &"[lock] 0–255" }, "", "TTL or Hop Limit of this router's own packets.", ""),
        row("window", C, Rule::Option { is: Opt::Rtax(3), takes: &"[lock] BYTES" }, "", "Largest window that TCP announces.", ""),
        row("initcwnd", C, Rule::Option { is: Opt::Rtax(11), takes: &"[lock] PACKETS" }, "", "First congestion window of TCP.", ""),
        row("initrwnd", C, Rule::Option { is: Opt::Rtax(14), takes: &"[lock] PACKETS" }, "", "First receive window of TCP.", ""),
        row("cwnd", C, Rule::Option { is: Opt::Rtax(7), takes: &"[lock] PACKETS" }, "", "Largest congestion window; needs `lock`.", ""),
        row("ssthresh", C, Rule::Option { is: Opt::Rtax(6), takes: &"[lock] PACKETS" }, "", "Slow start threshold.", ""),
        row("reordering", C, Rule::Option { is: Opt::Rtax(9), takes: &"[lock] PACKETS" }, "", "Reordering on this way.", ""),
        row("quickack", C, Rule::Option { is: Opt::Rtax(15), takes: &"[lock] 0–1" }, "", "Acknowledge at once.", ""),
        row("pref", B, Rule::Option { is: Opt::Preference, takes: &"low|medium|high" }, "medium", "Preference of an IPv6 route (RFC 4191).", ""),
        row("inet", C, Rule::Option { is: Opt::Family(Family::V4), takes: &"" }, "", "It is an IPv4 route, if nothing else in it says so.", ""),
        row("inet6", B, Rule::Option { is: Opt::Family(Family::V6), takes: &"" }, "", "It is an IPv6 route, if nothing else in it says so.", ""),
        row("prepend", C, Rule::Option { is: Opt::Word, takes: &"" }, "", "In front of what is there; so it is anyway.", ""),
        row("append", C, Rule::Option { is: Opt::Append, takes: &"" }, "", "Behind routes with the same destination and metric.", ""),
        row("add", C, Rule::Option { is: Opt::Exclusive, takes: &"" }, "", "Not beside a route with the same destination and metric.", ""),
        not_needed("proto", B, "PROTOCOL", &OWN_MARK),
        not_needed("protocol", B, "PROTOCOL", &OWN_MARK),
        not_needed("no_track", B, "", &COMES_BACK),
        not_needed("track_group", C, "NAME", &COMES_BACK),
        not_ours("as", C, "[to] ADDRESS", &NO_ROUTE),
        not_ours("encap", C, "…", &NO_ROUTE),
        not_ours("vrf", C, "INTERFACE", &"the route is left out: write the VRF's `table`"),
        not_ours("from", C, "PREFIX", &NO_ROUTE),
        not_ours("local", C, "", &NO_ROUTE),
        not_ours("broadcast", C, "", &NO_ROUTE),
        not_ours("anycast", C, "", &NO_ROUTE),
        not_ours("multicast", C, "", &NO_ROUTE),
        not_ours("nat", C, "", &NO_ROUTE),
        not_ours("xresolve", C, "", &NO_ROUTE),
        not_yet("realms", C, "[REALM/]REALM", &WITHOUT),
        not_yet("rtt", C, "TIME", &WITHOUT),
        not_yet("rttvar", C, "TIME", &WITHOUT),
        not_yet("rto_min", C, "TIME", &WITHOUT),
        not_yet("features", C, "ecn", &WITHOUT),
        not_yet("congctl", C, "NAME", &WITHOUT),
        not_yet("fastopen_no_cookie", C, "BOOL", &WITHOUT),
        not_yet("ttl-propagate", C, "BOOL", &WITHOUT),
        not_yet("expires", C, "SECONDS", &WITHOUT),
        not_yet("pervasive", C, "", &WITHOUT),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const RULE: Table = Table {
    block: Block::Rule,
    words: &[
        row("from", A, Rule::Option { is: Opt::From, takes: &"PREFIX|all" }, "all", "Packets from there.", ""),
        row("to", A, Rule::Option { is: Opt::To, takes: &"PREFIX|all" }, "all", "Packets to there.", ""),
        row("not", B, Rule::Option { is: Opt::Not, takes: &"" }, "", "All packets but those.", ""),
        row("iif", A, Rule::Option { is: Opt::Input, takes: &"INTERFACE" }, "any", "Packets that came in there; `lo`: this router's own.", ""),
        row("dev", C, Rule::Option { is: Opt::Input, takes: &"INTERFACE" }, "", "The same as `iif`.", ""),
        row("oif", B, Rule::Option { is: Opt::Output, takes: &"INTERFACE" }, "any", "Packets of sockets that are bound to it.", ""),
        row("fwmark", A, Rule::Option { is: Opt::Mark, takes: &"MARK[/MASK]" }, "any", "Packets with this mark.", ""),
        row("tos", B, Rule::Option { is: Opt::Tos, takes: &"0–255" }, "any", "Packets with this type of service.", ""),
        row("dsfield", C, Rule::Option { is: Opt::Tos, takes: &"0–255" }, "", "The same as `tos`.", ""),
        row("table", A, Rule::Option { is: Opt::Table, takes: &"NUMBER|NAME" }, "", "The routing table to look in.", ""),
        row("lookup", A, Rule::Option { is: Opt::Table, takes: &"NUMBER|NAME" }, "", "The same as `table`.", ""),
        row("goto", C, Rule::Option { is: Opt::Goto, takes: &"NUMBER" }, "", "Go on with the rule of this priority.", ""),
        row("blackhole", B, Rule::Option { is: Opt::Kind(BLACKHOLE), takes: &"" }, "", "Drop the packets.", ""),
        row("unreachable", B, Rule::Option { is: Opt::Kind(UNREACHABLE), takes: &"" }, "", "Answer them with ICMP network unreachable.", ""),
        row("prohibit", B, Rule::Option { is: Opt::Kind(PROHIBIT), takes: &"" }, "", "Answer them with ICMP administratively prohibited.", ""),
        row("nop", C, Rule::Option { is: Opt::Kind(NOP), takes: &"" }, "", "Do nothing.", ""),
        row("priority", A, Rule::Option { is: Opt::Number(FRA_PRIORITY), takes: &"0–4294967295" }, "16384, 16383 … as in keepalived", "Its place: the smallest comes first. Better write one.", ""),
        row("preference", A, Rule::Option { is: Opt::Number(FRA_PRIORITY), takes: &"0–4294967295" }, "", "The same as `priority`.", ""),
        row("order", C, Rule::Option { is: Opt::Number(FRA_PRIORITY), takes: &"0–4294967295" }, "", "The same as `priority`.", ""),
        row("pref", Own, Rule::Option { is: Opt::Number(FRA_PRIORITY), takes: &"0–4294967295" }, "", "The same as `priority`.", ""),
        row("suppress_prefixlength", B, Rule::Option { is: Opt::PrefixLength, takes: &"0–128" }, "", "Pass over routes of this length and shorter ones: 0 is the default route.", ""),
        row("suppress_prefixlen", C, Rule::Option { is: Opt::PrefixLength, takes: &"0–128" }, "", "The same.", ""),
        row("suppress_ifgroup", C, Rule::Option { is: Opt::Number(FRA_SUPPRESS_IFGROUP), takes: &"NUMBER" }, "", "Pass over routes of interfaces in this group.", ""),
        row("inet", C, Rule::Option { is: Opt::Family(Family::V4), takes: &"" }, "", "It is an IPv4 rule, if nothing else in it says so.", ""),
        row("inet6", B, Rule::Option { is: Opt::Family(Family::V6), takes: &"" }, "", "It is an IPv6 rule, if nothing else in it says so.", ""),
        not_needed("protocol", C, "PROTOCOL", &OWN_MARK),
        not_needed("no_track", B, "", &COMES_BACK),
        not_needed("track_group", C, "NAME", &COMES_BACK),
        not_ours("realms", C, "[REALM/]REALM", &"the rule is left out"),
        not_ours("tun_id", C, "NUMBER", &NO_RULE),
        not_ours("tunnel-id", C, "NUMBER", &NO_RULE),
        not_ours("uidrange", C, "FROM-TO", &NO_RULE),
        not_ours("l3mdev", C, "", &NO_RULE),
        not_ours("ip_proto", C, "PROTOCOL", &NO_RULE),
        not_ours("ipproto", C, "PROTOCOL", &NO_RULE),
        not_ours("sport", C, "FROM-TO", &NO_RULE),
        not_ours("dport", C, "FROM-TO", &NO_RULE),
        not_ours("nat", C, "ADDRESS", &"the rule is left out"),
        not_ours("map-to", C, "ADDRESS", &"the rule is left out"),
    ],
};
