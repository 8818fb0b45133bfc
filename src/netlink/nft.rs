//! nf_tables, as far as two purposes need it. Accept_Mode (RFC 9568 §6.1): a table that drops what
//! comes to addresses of three sets. DHCP: one that drops requests on interfaces of a set.
//!
//! ```text
//! table inet NAME { flags owner, persist
//!     set ipv4 { type ipv4_addr }  set ipv6 { type ipv6_addr }  set link { type ipv6_addr . ifname }
//!     chain input { type filter hook input priority filter - 10; policy accept
//!         ip daddr @ipv4 drop
//!         icmpv6 type nd-neighbor-solicit-nd-neighbor-advert accept
//!         ip6 daddr @ipv6 drop
//!         ip6 daddr . iifname @link drop } }
//! table inet NAME { flags owner
//!     set dhcp { type ifname . inet_service }
//!     chain input { type filter hook input priority filter - 10; policy accept
//!         meta l4proto udp iifname . th dport @dhcp drop } }
//! ```
//!
//! Headers are in the machine's own byte order, values are big-endian on every machine. The kernel
//! carries out what stands between [`begin`] and [`end`] as one, or nothing of it.

use core::ffi::c_int;
use core::net::IpAddr;
use core::ops::Range;

use super::build::{Batch, Body};

/// The kernel removes the table with our socket, and lets nobody else touch it: not even
/// `nft flush ruleset` (Linux 5.12).
pub const OWNER: u32 = 2;
/// … but it stays when our socket goes without having removed it (Linux 6.9).
pub const PERSIST: u32 = 4;

/// Before fw4, which would answer in its own way.
const PRIORITY: i32 = -10;
/// Length of an interface's name in a set, with zeros behind it.
const NAME_LEN: usize = libc::IFNAMSIZ;
/// The attribute's value is made of attributes.
const NESTED: u16 = libc::NLA_F_NESTED as u16;
const CREATE: u16 = libc::NLM_F_CREATE as u16;
const APPEND: u16 = libc::NLM_F_APPEND as u16;
const CHAIN: &str = "input";
/// The two registers of 16 bytes, one behind the other.
const FIRST: u32 = libc::NFT_REG_1 as u32;
const SECOND: u32 = libc::NFT_REG_2 as u32;

/// What a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Virtual addresses that nothing is accepted for.
    AcceptMode,
    /// Interfaces on which this host's DHCP servers hear nothing.
    Dhcp,
}

impl Purpose {
    /// Its part of [`SETS`] and of [`RULES`].
    const fn parts(self) -> (Range<usize>, Range<usize>) {
        match self {
            Self::AcceptMode => (IPV4..DHCP, 0..4),
            Self::Dhcp => (DHCP..SETS.len(), 4..RULES.len()),
        }
    }
}

/// What is dropped, as the key of an element of its set: what comes to a virtual address, or requests
/// on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    set: usize,
    key: [u8; 16 + NAME_LEN],
}

impl Refused {
    /// `interface` for a link-local address: it means something else on each.
    pub fn new(address: IpAddr, interface: Option<&str>) -> Self {
        let mut key = [0; 16 + NAME_LEN];
        let set = match (address, interface) {
            (IpAddr::V4(address), _) => {
                key[..4].copy_from_slice(&address.octets());
                IPV4
            }
            (IpAddr::V6(address), interface) => {
                key[..16].copy_from_slice(&address.octets());
                let name = interface.unwrap_or_default();
                let name = key[16..].iter_mut().zip(name.bytes());
                name.for_each(|(to, from)| *to = from);
                if interface.is_some() { LINK } else { IPV6 }
            }
        };
        Self { set, key }
    }

    /// Datagrams to a UDP port of this host that come in on `interface`.
    pub fn port(interface: &str, port: u16) -> Self {
        let mut key = [0; 16 + NAME_LEN];
        let name = key[..NAME_LEN].iter_mut().zip(interface.bytes());
        name.for_each(|(to, from)| *to = from);
        key[NAME_LEN..][..2].copy_from_slice(&port.to_be_bytes());
        Self { set: DHCP, key }
    }
}

/// A set: its name, what `nft` shows as its type, and the length of its keys.
struct Set {
    name: &'static str,
    kind: u32,
    len: u32,
}

/// nft's numbers of ipv4_addr, ipv6_addr, ifname and inet_service; it puts six bits behind one another.
#[rustfmt::skip] // a table
const SETS: [Set; 4] = [
    Set { name: "ipv4", kind: 7, len: 4 },
    Set { name: "ipv6", kind: 8, len: 16 },
    Set { name: "link", kind: 8 << 6 | 41, len: 16 + NAME_LEN as u32 },
    Set { name: "dhcp", kind: 41 << 6 | 13, len: NAME_LEN as u32 + 4 },
];
const IPV4: usize = 0;
const IPV6: usize = 1;
const LINK: usize = 2;
const DHCP: usize = 3;

/// One step of a rule; the rule ends where a comparison or a search fails.
enum Step {
    /// Loads a fact about the packet into this register.
    Meta(c_int, u32),
    /// Loads into this register so many bytes from here on in this header.
    Load(u32, c_int, u32, u32),
    /// Compares the first register.
    Compare(c_int, u8),
    /// Searches in this set.
    In(usize),
    /// NF_DROP or NF_ACCEPT.
    Verdict(c_int),
}

use Step::{Compare, In, Load, Meta, Verdict};

const FAMILY: Step = Meta(libc::NFT_META_NFPROTO, FIRST);
const IS_IPV4: Step = Compare(libc::NFT_CMP_EQ, libc::NFPROTO_IPV4 as u8);
const IS_IPV6: Step = Compare(libc::NFT_CMP_EQ, libc::NFPROTO_IPV6 as u8);
const TO_IPV4: Step = Load(FIRST, libc::NFT_PAYLOAD_NETWORK_HEADER, 16, 4);
const TO_IPV6: Step = Load(FIRST, libc::NFT_PAYLOAD_NETWORK_HEADER, 24, 16);
const DROP: Step = Verdict(libc::NF_DROP);

const RULES: [&[Step]; 5] = [
    &[FAMILY, IS_IPV4, TO_IPV4, In(IPV4), DROP],
    // RFC 9568 §6.1: not accepting must not keep Neighbour Solicitations and Advertisements out.
    &[
        Meta(libc::NFT_META_L4PROTO, FIRST),
        Compare(libc::NFT_CMP_EQ, libc::IPPROTO_ICMPV6 as u8),
        Load(FIRST, libc::NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1),
        Compare(libc::NFT_CMP_GTE, 135),
        Compare(libc::NFT_CMP_LTE, 136),
        Verdict(libc::NF_ACCEPT),
    ],
    &[FAMILY, IS_IPV6, TO_IPV6, In(IPV6), DROP],
    &[
        FAMILY,
        IS_IPV6,
        TO_IPV6,
        Meta(libc::NFT_META_IIFNAME, SECOND),
        In(LINK),
        DROP,
    ],
    &[
        Meta(libc::NFT_META_L4PROTO, FIRST),
        Compare(libc::NFT_CMP_EQ, libc::IPPROTO_UDP as u8),
        Meta(libc::NFT_META_IIFNAME, FIRST),
        // The destination port.
        Load(SECOND, libc::NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2),
        In(DHCP),
        DROP,
    ],
];

/// Opens a transaction.
pub fn begin(batch: &mut Batch) {
    bracket(batch, libc::NFNL_MSG_BATCH_BEGIN);
}

/// Carries the transaction out. Without it the kernel only tries whether it could.
pub fn end(batch: &mut Batch) {
    bracket(batch, libc::NFNL_MSG_BATCH_END);
}

/// The table with its empty sets and its rules. It must not be there.
pub fn create(batch: &mut Batch, table: &str, purpose: Purpose, flags: u32) {
    let (sets, rules) = purpose.parts();
    message(batch, libc::NFT_MSG_NEWTABLE, CREATE, table, |body| {
        number(body, nfta::TABLE_FLAGS, flags);
    });
    message(batch, libc::NFT_MSG_NEWCHAIN, CREATE, table, |body| {
        body.attribute_str(nfta::CHAIN_NAME, CHAIN);
        body.attribute_str(nfta::CHAIN_TYPE, "filter");
        body.nested(nfta::CHAIN_HOOK | NESTED, |body| {
            number(body, nfta::HOOK_HOOKNUM, libc::NF_INET_LOCAL_IN as u32);
            number(body, nfta::HOOK_PRIORITY, PRIORITY as u32);
        });
    });
    for (index, set) in SETS[sets].iter().enumerate() {
        message(batch, libc::NFT_MSG_NEWSET, CREATE, table, |body| {
            body.attribute_str(nfta::SET_NAME, set.name);
            number(body, nfta::SET_KEY_TYPE, set.kind);
            number(body, nfta::SET_KEY_LEN, set.len);
            number(body, nfta::SET_ID, index as u32 + 1);
        });
    }
    for rule in &RULES[rules] {
        message(
            batch,
            libc::NFT_MSG_NEWRULE,
            CREATE | APPEND,
            table,
            |body| {
                body.attribute_str(nfta::RULE_CHAIN, CHAIN);
                body.nested(nfta::RULE_EXPRESSIONS | NESTED, |body| {
                    rule.iter().for_each(|step| put(body, step));
                });
            },
        );
    }
}

/// Removes the table and all that is in it.
pub fn delete(batch: &mut Batch, table: &str) {
    message(batch, libc::NFT_MSG_DELTABLE, 0, table, |_| ());
}

/// Adds what is to be dropped to its set.
pub fn refuse(batch: &mut Batch, table: &str, refused: &Refused) {
    element(batch, libc::NFT_MSG_NEWSETELEM, table, refused);
}

/// Takes it, which is there, out of its set.
pub fn accept(batch: &mut Batch, table: &str, refused: &Refused) {
    element(batch, libc::NFT_MSG_DELSETELEM, table, refused);
}

fn element(batch: &mut Batch, kind: c_int, table: &str, refused: &Refused) {
    let Refused { set, key } = refused;
    let set = &SETS[*set];
    message(batch, kind, CREATE, table, |body| {
        body.attribute_str(nfta::SET_ELEM_LIST_SET, set.name);
        body.nested(nfta::SET_ELEM_LIST_ELEMENTS | NESTED, |body| {
            body.nested(nfta::LIST_ELEM | NESTED, |body| {
                value(body, nfta::SET_ELEM_KEY, &key[..set.len as usize]);
            });
        });
    });
}

fn bracket(batch: &mut Batch, kind: c_int) {
    let [high, low] = (libc::NFNL_SUBSYS_NFTABLES as u16).to_be_bytes();
    batch.message(kind as u16, 0, |body| body.put(&[0, 0, high, low]));
}

/// A message about the table. Its name is the first attribute of all that are used here.
fn message(
    batch: &mut Batch,
    kind: c_int,
    flags: u16,
    table: &str,
    write: impl FnOnce(&mut Body<'_>),
) {
    let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | kind) as u16;
    batch.message(kind, flags, |body| {
        body.put(&[libc::NFPROTO_INET as u8, 0, 0, 0]);
        body.attribute_str(nfta::TABLE, table);
        write(body);
    });
}

fn put(body: &mut Body<'_>, step: &Step) {
    let name = match step {
        Meta(..) => "meta",
        Load(..) => "payload",
        Compare(..) => "cmp",
        In(_) => "lookup",
        Verdict(_) => "immediate",
    };
    body.nested(nfta::LIST_ELEM | NESTED, |body| {
        body.attribute_str(nfta::EXPR_NAME, name);
        body.nested(nfta::EXPR_DATA | NESTED, |body| match *step {
            Meta(key, register) => {
                number(body, nfta::META_DREG, register);
                number(body, nfta::META_KEY, key as u32);
            }
            Load(register, header, offset, len) => {
                number(body, nfta::PAYLOAD_DREG, register);
                number(body, nfta::PAYLOAD_BASE, header as u32);
                number(body, nfta::PAYLOAD_OFFSET, offset);
                number(body, nfta::PAYLOAD_LEN, len);
            }
            Compare(operator, with) => {
                number(body, nfta::CMP_SREG, FIRST);
                number(body, nfta::CMP_OP, operator as u32);
                value(body, nfta::CMP_DATA, &[with]);
            }
            In(set) => {
                body.attribute_str(nfta::LOOKUP_SET, SETS[set].name);
                number(body, nfta::LOOKUP_SREG, FIRST);
            }
            Verdict(verdict) => {
                number(body, nfta::IMMEDIATE_DREG, libc::NFT_REG_VERDICT as u32);
                body.nested(nfta::IMMEDIATE_DATA | NESTED, |body| {
                    body.nested(nfta::DATA_VERDICT | NESTED, |body| {
                        number(body, nfta::VERDICT_CODE, verdict as u32);
                    });
                });
            }
        });
    });
}

fn number(body: &mut Body<'_>, kind: u16, number: u32) {
    body.attribute(kind, &number.to_be_bytes());
}

fn value(body: &mut Body<'_>, kind: u16, bytes: &[u8]) {
    body.nested(kind | NESTED, |body| {
        body.attribute(nfta::DATA_VALUE, bytes)
    });
}

/// Numbers of attributes in include/uapi/linux/netfilter/nf_tables.h; libc has the rest of it.
#[rustfmt::skip] // a table
mod nfta {
    /// NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE, NFTA_RULE_TABLE.
    pub(super) const TABLE: u16 = 1;
    pub(super) const TABLE_FLAGS: u16 = 2;
    pub(super) const CHAIN_NAME: u16 = 3; pub(super) const CHAIN_HOOK: u16 = 4; pub(super) const CHAIN_TYPE: u16 = 7;
    pub(super) const HOOK_HOOKNUM: u16 = 1; pub(super) const HOOK_PRIORITY: u16 = 2;
    pub(super) const SET_NAME: u16 = 2; pub(super) const SET_KEY_TYPE: u16 = 4;
    pub(super) const SET_KEY_LEN: u16 = 5; pub(super) const SET_ID: u16 = 10;
    pub(super) const SET_ELEM_LIST_SET: u16 = 2; pub(super) const SET_ELEM_LIST_ELEMENTS: u16 = 3;
    pub(super) const SET_ELEM_KEY: u16 = 1;
    pub(super) const RULE_CHAIN: u16 = 2; pub(super) const RULE_EXPRESSIONS: u16 = 4;
    pub(super) const LIST_ELEM: u16 = 1;
    pub(super) const EXPR_NAME: u16 = 1; pub(super) const EXPR_DATA: u16 = 2;
    pub(super) const META_DREG: u16 = 1; pub(super) const META_KEY: u16 = 2;
    pub(super) const PAYLOAD_DREG: u16 = 1; pub(super) const PAYLOAD_BASE: u16 = 2;
    pub(super) const PAYLOAD_OFFSET: u16 = 3; pub(super) const PAYLOAD_LEN: u16 = 4;
    pub(super) const CMP_SREG: u16 = 1; pub(super) const CMP_OP: u16 = 2; pub(super) const CMP_DATA: u16 = 3;
    pub(super) const LOOKUP_SET: u16 = 1; pub(super) const LOOKUP_SREG: u16 = 2;
    pub(super) const IMMEDIATE_DREG: u16 = 1; pub(super) const IMMEDIATE_DATA: u16 = 2;
    pub(super) const DATA_VALUE: u16 = 1; pub(super) const DATA_VERDICT: u16 = 2;
    pub(super) const VERDICT_CODE: u16 = 1;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::netlink::parse::{Attributes, Messages};

    /// An attribute as `nft --debug=mnl` shows it: header in native order, value as it is, padded.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = value.len() as u16 + 4;
        let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().div_ceil(4) * 4, 0);
        bytes
    }

    fn only_body(batch: &Batch, kind: u16) -> Vec<u8> {
        let mut messages = Messages::new(batch.bytes());
        let message = messages.next().unwrap();
        assert_eq!(message.kind, kind);
        assert_eq!(messages.next(), None);
        message.body.to_vec()
    }

    #[test]
    fn a_transaction_is_bracketed_for_nftables() {
        let mut batch = Batch::with_capacity(64);
        begin(&mut batch);
        assert_eq!(only_body(&batch, 0x10), [0, 0, 0, 10]);
        batch.clear();
        end(&mut batch);
        assert_eq!(only_body(&batch, 0x11), [0, 0, 0, 10]);
    }

    #[test]
    fn an_ipv4_address_is_what_nft_sends() {
        let mut batch = Batch::with_capacity(256);
        let refused = Refused::new([10, 0, 0, 1].into(), None);
        refuse(&mut batch, "vipd", &refused);
        let key = attribute(0x8001, &attribute(1, &[10, 0, 0, 1]));
        let elements = attribute(0x8003, &attribute(0x8001, &key));
        let names = [attribute(1, b"vipd\0"), attribute(2, b"ipv4\0")];
        let expected = [vec![1, 0, 0, 0], names.concat(), elements].concat();
        assert_eq!(only_body(&batch, 0x0a0c), expected);
        batch.clear();
        accept(&mut batch, "vipd", &refused);
        assert_eq!(only_body(&batch, 0x0a0e), expected);
    }

    #[test]
    fn a_link_local_address_goes_with_its_interface() {
        let mut batch = Batch::with_capacity(256);
        let refused = Refused::new("fe80::1".parse().unwrap(), Some("br-lan"));
        refuse(&mut batch, "vipd", &refused);
        let body = only_body(&batch, 0x0a0c);
        let mut key = [0; 32];
        key[..2].copy_from_slice(&[0xfe, 0x80]);
        key[15] = 1;
        key[16..22].copy_from_slice(b"br-lan");
        assert!(body.ends_with(&key));
        let set = Attributes::behind(&body, 4).nth(1).unwrap();
        assert_eq!(set.str(), Some("link"));
    }

    #[test]
    fn a_port_goes_with_its_interface() {
        let mut batch = Batch::with_capacity(4096);
        refuse(&mut batch, "vipd", &Refused::port("br-lan", 547));
        let body = only_body(&batch, 0x0a0c);
        // 547 is 0x0223; the key is as long as its two registers say.
        assert!(body.ends_with(b"br-lan\0\0\0\0\0\0\0\0\0\0\x02\x23\0\0"));
        let set = Attributes::behind(&body, 4).nth(1).unwrap();
        assert_eq!(set.str(), Some("dhcp"));
        batch.clear();
        create(&mut batch, "vipd", Purpose::Dhcp, OWNER);
        let kinds = Messages::new(batch.bytes()).map(|m| m.kind & 0xff);
        assert_eq!(kinds.collect::<Vec<_>>(), [0, 3, 9, 6]);
    }

    #[test]
    fn numbers_are_big_endian_whatever_the_machine() {
        let mut batch = Batch::with_capacity(4096);
        create(&mut batch, "vipd", Purpose::AcceptMode, OWNER | PERSIST);
        let messages: Vec<_> = Messages::new(batch.bytes()).collect();
        let kinds: Vec<_> = messages.iter().map(|m| m.kind & 0xff).collect();
        assert_eq!(kinds, [0, 3, 9, 9, 9, 6, 6, 6, 6]);
        let value = |index: usize, kind: u16| {
            let mut all = Attributes::behind(messages[index].body, 4);
            all.find(|a| a.kind == kind).unwrap().value
        };
        assert_eq!(value(0, nfta::TABLE_FLAGS), [0, 0, 0, 6]);
        let hook = [
            attribute(1, &[0, 0, 0, 1]),
            attribute(2, &[0xff, 0xff, 0xff, 0xf6]),
        ];
        assert_eq!(value(1, nfta::CHAIN_HOOK), hook.concat());
        assert_eq!(value(4, nfta::SET_KEY_LEN), [0, 0, 0, 32]);
        let rule = value(5, nfta::RULE_EXPRESSIONS);
        let meta = [attribute(1, &[0, 0, 0, 1]), attribute(2, &[0, 0, 0, 15])].concat();
        let first = [attribute(1, b"meta\0"), attribute(0x8002, &meta)].concat();
        assert!(rule.starts_with(&attribute(0x8001, &first)));
        let drop = attribute(0x8002, &attribute(1, &[0, 0, 0, 0]));
        assert!(rule.ends_with(&drop));
    }
}
