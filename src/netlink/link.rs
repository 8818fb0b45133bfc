//! Interfaces: what RTM_NEWLINK and RTM_DELLINK say.

use super::build::Batch;
use super::parse::{Attribute, Attributes, u16_at, u32_at};

/// Length of `struct ifinfomsg`.
const HEADER_LEN: usize = 16;
/// RTEXT_FILTER_SKIP_STATS: leave the counters out of a dump.
const SKIP_STATS: u32 = 1 << 3;

/// IFLA_INET_CONF inside IFLA_AF_SPEC.
pub(super) const IFLA_INET_CONF: u16 = 1;
/// An IPv4 parameter of an interface, as IFLA_INET_CONF counts them: `forwarding`.
pub const FORWARDING: u16 = 1;
/// `rp_filter`.
pub const RP_FILTER: u16 = 8;
/// `arp_announce`.
pub const ARP_ANNOUNCE: u16 = 18;
/// `arp_ignore`.
pub const ARP_IGNORE: u16 = 19;

/// An interface as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The interface index.
    pub index: u32,
    /// ARPHRD_…: 1 is Ethernet.
    pub hardware_type: u16,
    /// IFF_….
    pub flags: u32,
    /// The name; empty if it is not UTF-8, which no configuration can name.
    pub name: &'a str,
    /// The MAC address, if the interface has one of six bytes.
    pub mac: Option<[u8; 6]>,
    /// IF_OPER_… (RFC 2863): 6 is up, 0 unknown.
    pub operstate: u8,
    /// The bridge, bond or VRF that this is a port of.
    pub master: Option<u32>,
    /// The interface that this one stands on: a VLAN's or macvlan's parent, a veth's peer.
    pub parent: Option<u32>,
    /// The largest packet in bytes, without the Ethernet header.
    pub mtu: u32,
    /// The driver's kind of a virtual interface: "veth", "bridge", "macvlan", "vlan".
    pub kind: Option<&'a str>,
    /// The kind of the interface that [`master`](Self::master) names: "bridge", "bond", "vrf".
    pub port_kind: Option<&'a str>,
    /// The IPv4 parameters, a 32-bit number each.
    ipv4: &'a [u8],
}

impl<'a> Link<'a> {
    /// Reads the body of a message. `None` if it is cut short, has no name, or is one of the
    /// kernel's messages of the same type that do not describe the interface: a bridge port's
    /// (family AF_BRIDGE: its RTM_DELLINK means "left the bridge"), or a wireless event.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let family = *body.first()?;
        if i32::from(family) != libc::AF_UNSPEC {
            return None;
        }
        let mut link = Self {
            index: u32_at(body, 4)?,
            hardware_type: u16_at(body, 2)?,
            flags: u32_at(body, 8)?,
            name: "",
            mac: None,
            operstate: 0,
            master: None,
            parent: None,
            mtu: 0,
            kind: None,
            port_kind: None,
            ipv4: &[],
        };
        let mut named = false;
        for attribute in Attributes::behind(body, HEADER_LEN) {
            match attribute.kind {
                libc::IFLA_WIRELESS => return None,
                libc::IFLA_IFNAME => {
                    named = true;
                    link.name = attribute.str().unwrap_or("");
                }
                _ => link.take(&attribute),
            }
        }
        named.then_some(link)
    }

    fn take(&mut self, attribute: &Attribute<'a>) {
        match attribute.kind {
            libc::IFLA_ADDRESS => self.mac = attribute.value.try_into().ok(),
            libc::IFLA_OPERSTATE => self.operstate = attribute.u8().unwrap_or(0),
            libc::IFLA_MASTER => self.master = attribute.u32(),
            libc::IFLA_LINK => self.parent = attribute.u32(),
            libc::IFLA_MTU => self.mtu = attribute.u32().unwrap_or(0),
            libc::IFLA_AF_SPEC => {
                let is_ipv4 = |inner: &Attribute<'_>| i32::from(inner.kind) == libc::AF_INET;
                let ipv4 = attribute.nested().find(is_ipv4);
                let mut inner = ipv4.into_iter().flat_map(|ipv4| ipv4.nested());
                let conf = inner.find(|inner| inner.kind == IFLA_INET_CONF);
                self.ipv4 = conf.map_or(&[], |conf| conf.value);
            }
            libc::IFLA_LINKINFO => {
                for inner in attribute.nested() {
                    match inner.kind {
                        libc::IFLA_INFO_KIND => self.kind = inner.str(),
                        libc::IFLA_INFO_SLAVE_KIND => self.port_kind = inner.str(),
                        _ => (),
                    }
                }
            }
            _ => (),
        }
    }

    /// An IPv4 parameter, such as [`ARP_IGNORE`].
    pub fn ipv4(&self, parameter: u16) -> Option<u32> {
        u32_at(self.ipv4, usize::from(parameter).checked_sub(1)? * 4)
    }

    /// Set up by the administrator (IFF_UP).
    pub fn is_up(&self) -> bool {
        self.flags & libc::IFF_UP as u32 != 0
    }

    /// The cable is in and the driver ready (IFF_LOWER_UP).
    pub fn has_carrier(&self) -> bool {
        self.flags & libc::IFF_LOWER_UP as u32 != 0
    }

    /// Frames can be sent and heard: up, with carrier, and IFF_RUNNING, which the kernel sets a
    /// moment after the carrier. Between the two its queue drops what is sent, and says nothing.
    pub fn is_running(&self) -> bool {
        self.is_up() && self.has_carrier() && self.flags & libc::IFF_RUNNING as u32 != 0
    }

    /// A port of a bridge, where the bridge takes every frame before IP does.
    pub fn is_bridge_port(&self) -> bool {
        self.master.is_some() && self.port_kind == Some("bridge")
    }
}

/// Asks for every interface.
pub fn dump(batch: &mut Batch) -> u32 {
    let flags = libc::NLM_F_DUMP as u16;
    batch.message(libc::RTM_GETLINK, flags, |body| {
        body.put(&header(0, 0, 0));
        body.attribute_u32(libc::IFLA_EXT_MASK, SKIP_STATS);
    })
}

/// Asks for one interface by its name; the answer is a [`Link`] or the error ENODEV.
pub fn get(batch: &mut Batch, name: &str) -> u32 {
    batch.message(libc::RTM_GETLINK, 0, |body| {
        body.put(&header(0, 0, 0));
        body.attribute_str(libc::IFLA_IFNAME, name);
        body.attribute_u32(libc::IFLA_EXT_MASK, SKIP_STATS);
    })
}

/// `struct ifinfomsg`: the interface `index` (0: named by an attribute), the flags `set`, and which
/// flags of them to `change`.
pub(super) fn header(index: u32, set: u32, change: u32) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&set.to_ne_bytes());
    bytes[12..16].copy_from_slice(&change.to_ne_bytes());
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::netlink::Content;
    use crate::netlink::parse::Messages;

    fn port() -> Batch {
        let mut batch = Batch::with_capacity(256);
        batch.message(libc::RTM_NEWLINK, 0, |body| {
            let up = (libc::IFF_UP | libc::IFF_LOWER_UP | libc::IFF_RUNNING) as u32;
            let mut bytes = header(7, up, 0);
            bytes[2..4].copy_from_slice(&1_u16.to_ne_bytes());
            body.put(&bytes);
            body.attribute_str(libc::IFLA_IFNAME, "veth0");
            body.attribute(libc::IFLA_ADDRESS, &[2, 0, 0, 0, 0, 1]);
            body.attribute(libc::IFLA_OPERSTATE, &[6]);
            body.attribute_u32(libc::IFLA_MASTER, 3);
            body.attribute_u32(libc::IFLA_LINK, 8);
            body.attribute_u32(libc::IFLA_MTU, 1500);
            body.nested(libc::IFLA_LINKINFO, |body| {
                body.attribute_str(libc::IFLA_INFO_KIND, "veth");
                body.attribute_str(libc::IFLA_INFO_SLAVE_KIND, "bridge");
            });
        });
        batch
    }

    fn parse(bytes: &[u8]) -> Content<'_> {
        Content::parse(&Messages::new(bytes).next().unwrap())
    }

    #[test]
    fn a_bridge_port() {
        let batch = port();
        let Content::Link(link) = parse(batch.bytes()) else {
            panic!("not a link");
        };
        assert_eq!((link.index, link.name, link.mtu), (7, "veth0", 1500));
        assert_eq!(link.mac, Some([2, 0, 0, 0, 0, 1]));
        assert_eq!((link.hardware_type, link.operstate), (1, 6));
        assert_eq!((link.master, link.parent), (Some(3), Some(8)));
        assert_eq!((link.kind, link.port_kind), (Some("veth"), Some("bridge")));
        assert!(link.is_running() && link.is_bridge_port());
        for flag in [libc::IFF_UP, libc::IFF_LOWER_UP, libc::IFF_RUNNING] {
            let flags = link.flags & !(flag as u32);
            assert!(!Link { flags, ..link }.is_running(), "without {flag:#x}");
        }
    }

    #[test]
    fn other_messages_of_the_type_are_no_links() {
        let batch = port();
        let mut bytes = batch.bytes().to_vec();
        bytes[16] = libc::AF_BRIDGE as u8;
        assert_eq!(parse(&bytes), Content::Other, "a port leaves its bridge");
        let mut batch = Batch::with_capacity(64);
        batch.message(libc::RTM_NEWLINK, 0, |body| {
            body.put(&header(7, 0, 0));
            body.attribute_str(libc::IFLA_IFNAME, "wlan0");
            body.attribute(libc::IFLA_WIRELESS, &[0; 16]);
        });
        assert_eq!(parse(batch.bytes()), Content::Other, "a wireless event");
        let mut batch = Batch::with_capacity(64);
        batch.message(libc::RTM_NEWLINK, 0, |body| body.put(&header(7, 0, 0)));
        assert_eq!(parse(batch.bytes()), Content::Other, "no name");
    }
}
