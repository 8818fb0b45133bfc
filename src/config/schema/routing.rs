//! The words of a route and of a rule.

use super::Class::{A, B, C, Own};
use super::{Block, Opt, Table, not_needed, not_ours, not_yet, option};
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
        option("to", A, Opt::To, "PREFIX|default", "", "The destination; the word may be left out.", ""),
        option("via", A, Opt::Via, "[inet|inet6] ADDRESS", "none: on the link", "The gateway.", ""),
        option("gw", C, Opt::Via, "ADDRESS", "", "The same as `via`.", ""),
        option("dev", A, Opt::Dev, "INTERFACE", "that of the gateway", "The interface.", ""),
        option("oif", C, Opt::Dev, "INTERFACE", "", "The same as `dev`.", ""),
        option("src", A, Opt::Source, "ADDRESS", "the kernel's choice", "The address that this router's own packets come from.", ""),
        option("metric", A, Opt::Metric, "0–4294967295", "0; IPv6: 1024", "Of two routes with one destination the smaller counts.", ""),
        option("priority", B, Opt::Metric, "0–4294967295", "", "The same as `metric`.", ""),
        option("preference", B, Opt::Metric, "0–4294967295", "", "The same as `metric`.", ""),
        option("table", A, Opt::Table, "NUMBER|NAME", "main", "The routing table; names are those of /etc/iproute2/rt_tables.", ""),
        option("scope", A, Opt::Scope, "global|site|link|host|nowhere|0–255", "global", "Scope of the route, IPv4 only.", ""),
        option("tos", B, Opt::Tos, "0–255", "0", "The type of service that it is for.", ""),
        option("dsfield", C, Opt::Tos, "0–255", "", "The same as `tos`.", ""),
        option("onlink", B, Opt::Onlink, "", "", "The gateway is on the link, even if no address says so.", ""),
        option("nexthop", B, Opt::Hop, "", "", "A next hop of several: `nexthop via ADDRESS [dev INTERFACE] [weight N] [onlink]`, up to 16 times.", ""),
        option("or", C, Opt::Or, "ADDRESS", "", "Another gateway: `via ADDRESS or ADDRESS`; better write `nexthop` for each.", ""),
        option("weight", B, Opt::Weight, "1–256", "1", "The next hop's share of the traffic.", ""),
        option("unicast", C, Opt::Word, "", "", "What a route is anyway.", ""),
        option("blackhole", A, Opt::Kind(libc::RTN_BLACKHOLE), "", "", "Drop the packets.", ""),
        option("unreachable", B, Opt::Kind(libc::RTN_UNREACHABLE), "", "", "Answer them with ICMP host unreachable.", ""),
        option("prohibit", B, Opt::Kind(libc::RTN_PROHIBIT), "", "", "Answer them with ICMP administratively prohibited.", ""),
        option("throw", B, Opt::Kind(libc::RTN_THROW), "", "", "Look no further in this table.", ""),
        option("mtu", B, Opt::Rtax(2), "[lock] BYTES", "the interface's", "MTU of the way; `lock`: it is not discovered.", ""),
        option("advmss", B, Opt::Rtax(8), "[lock] BYTES", "", "MSS that TCP announces.", ""),
        option("hoplimit", C, Opt::Rtax(10), "[lock] 0–255", "", "TTL or Hop Limit of this router's own packets.", ""),
        option("window", C, Opt::Rtax(3), "[lock] BYTES", "", "Largest window that TCP announces.", ""),
        option("initcwnd", C, Opt::Rtax(11), "[lock] PACKETS", "", "First congestion window of TCP.", ""),
        option("initrwnd", C, Opt::Rtax(14), "[lock] PACKETS", "", "First receive window of TCP.", ""),
        option("cwnd", C, Opt::Rtax(7), "[lock] PACKETS", "", "Largest congestion window; needs `lock`.", ""),
        option("ssthresh", C, Opt::Rtax(6), "[lock] PACKETS", "", "Slow start threshold.", ""),
        option("reordering", C, Opt::Rtax(9), "[lock] PACKETS", "", "Reordering on this way.", ""),
        option("quickack", C, Opt::Rtax(15), "[lock] 0–1", "", "Acknowledge at once.", ""),
        option("pref", B, Opt::Preference, "low|medium|high", "medium", "Preference of an IPv6 route (RFC 4191).", ""),
        option("inet", C, Opt::Family(Family::V4), "", "", "It is an IPv4 route, if nothing else in it says so.", ""),
        option("inet6", B, Opt::Family(Family::V6), "", "", "It is an IPv6 route, if nothing else in it says so.", ""),
        option("prepend", C, Opt::Word, "", "", "In front of what is there; so it is anyway.", ""),
        option("append", C, Opt::Append, "", "", "Behind routes with the same destination and metric.", ""),
        option("add", C, Opt::Exclusive, "", "", "Not beside a route with the same destination and metric.", ""),
        not_needed("proto", B, "PROTOCOL", OWN_MARK),
        not_needed("protocol", B, "PROTOCOL", OWN_MARK),
        not_needed("no_track", B, "", COMES_BACK),
        not_needed("track_group", C, "NAME", COMES_BACK),
        not_ours("as", C, "[to] ADDRESS", NO_ROUTE),
        not_ours("encap", C, "…", NO_ROUTE),
        not_ours("vrf", C, "INTERFACE", "the route is left out: write the VRF's `table`"),
        not_ours("from", C, "PREFIX", NO_ROUTE),
        not_ours("local", C, "", NO_ROUTE),
        not_ours("broadcast", C, "", NO_ROUTE),
        not_ours("anycast", C, "", NO_ROUTE),
        not_ours("multicast", C, "", NO_ROUTE),
        not_ours("nat", C, "", NO_ROUTE),
        not_ours("xresolve", C, "", NO_ROUTE),
        not_yet("realms", C, "[REALM/]REALM", WITHOUT),
        not_yet("rtt", C, "TIME", WITHOUT),
        not_yet("rttvar", C, "TIME", WITHOUT),
        not_yet("rto_min", C, "TIME", WITHOUT),
        not_yet("features", C, "ecn", WITHOUT),
        not_yet("congctl", C, "NAME", WITHOUT),
        not_yet("fastopen_no_cookie", C, "BOOL", WITHOUT),
        not_yet("ttl-propagate", C, "BOOL", WITHOUT),
        not_yet("expires", C, "SECONDS", WITHOUT),
        not_yet("pervasive", C, "", WITHOUT),
    ],
};

#[rustfmt::skip] // one row a keyword
pub(super) const RULE: Table = Table {
    block: Block::Rule,
    words: &[
        option("from", A, Opt::From, "PREFIX|all", "all", "Packets from there.", ""),
        option("to", A, Opt::To, "PREFIX|all", "all", "Packets to there.", ""),
        option("not", B, Opt::Not, "", "", "All packets but those.", ""),
        option("iif", A, Opt::Input, "INTERFACE", "any", "Packets that came in there; `lo`: this router's own.", ""),
        option("dev", C, Opt::Input, "INTERFACE", "", "The same as `iif`.", ""),
        option("oif", B, Opt::Output, "INTERFACE", "any", "Packets of sockets that are bound to it.", ""),
        option("fwmark", A, Opt::Mark, "MARK[/MASK]", "any", "Packets with this mark.", ""),
        option("tos", B, Opt::Tos, "0–255", "any", "Packets with this type of service.", ""),
        option("dsfield", C, Opt::Tos, "0–255", "", "The same as `tos`.", ""),
        option("table", A, Opt::Table, "NUMBER|NAME", "", "The routing table to look in.", ""),
        option("lookup", A, Opt::Table, "NUMBER|NAME", "", "The same as `table`.", ""),
        option("goto", C, Opt::Goto, "NUMBER", "", "Go on with the rule of this priority.", ""),
        option("blackhole", B, Opt::Kind(BLACKHOLE), "", "", "Drop the packets.", ""),
        option("unreachable", B, Opt::Kind(UNREACHABLE), "", "", "Answer them with ICMP network unreachable.", ""),
        option("prohibit", B, Opt::Kind(PROHIBIT), "", "", "Answer them with ICMP administratively prohibited.", ""),
        option("nop", C, Opt::Kind(NOP), "", "", "Do nothing.", ""),
        option("priority", A, Opt::Number(FRA_PRIORITY), "0–4294967295", "16384, 16383 … as in keepalived", "Its place: the smallest comes first. Better write one.", ""),
        option("preference", A, Opt::Number(FRA_PRIORITY), "0–4294967295", "", "The same as `priority`.", ""),
        option("order", C, Opt::Number(FRA_PRIORITY), "0–4294967295", "", "The same as `priority`.", ""),
        option("pref", Own, Opt::Number(FRA_PRIORITY), "0–4294967295", "", "The same as `priority`.", ""),
        option("suppress_prefixlength", B, Opt::PrefixLength, "0–128", "", "Pass over routes of this length and shorter ones: 0 is the default route.", ""),
        option("suppress_prefixlen", C, Opt::PrefixLength, "0–128", "", "The same.", ""),
        option("suppress_ifgroup", C, Opt::Number(FRA_SUPPRESS_IFGROUP), "NUMBER", "", "Pass over routes of interfaces in this group.", ""),
        option("inet", C, Opt::Family(Family::V4), "", "", "It is an IPv4 rule, if nothing else in it says so.", ""),
        option("inet6", B, Opt::Family(Family::V6), "", "", "It is an IPv6 rule, if nothing else in it says so.", ""),
        not_needed("protocol", C, "PROTOCOL", OWN_MARK),
        not_needed("no_track", B, "", COMES_BACK),
        not_needed("track_group", C, "NAME", COMES_BACK),
        not_ours("realms", C, "[REALM/]REALM", "the rule is left out"),
        not_ours("tun_id", C, "NUMBER", NO_RULE),
        not_ours("tunnel-id", C, "NUMBER", NO_RULE),
        not_ours("uidrange", C, "FROM-TO", NO_RULE),
        not_ours("l3mdev", C, "", NO_RULE),
        not_ours("ip_proto", C, "PROTOCOL", NO_RULE),
        not_ours("ipproto", C, "PROTOCOL", NO_RULE),
        not_ours("sport", C, "FROM-TO", NO_RULE),
        not_ours("dport", C, "FROM-TO", NO_RULE),
        not_ours("nat", C, "ADDRESS", "the rule is left out"),
        not_ours("map-to", C, "ADDRESS", "the rule is left out"),
    ],
};
