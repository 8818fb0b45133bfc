//! Addresses: what RTM_NEWADDR and RTM_DELADDR say, and how to add and delete one.

use core::net::{IpAddr, Ipv4Addr};

use super::build::{Batch, Body};
use super::parse::{Attribute, Attributes, u32_at};

/// Length of `struct ifaddrmsg`.
const HEADER_LEN: usize = 8;
/// Where its `ifa_flags` are, the lower eight bits.
const FLAGS: usize = 2;
/// Who put the address there (Linux 5.18; older kernels ignore the attribute).
const IFA_PROTO: u16 = 11;
/// A lifetime without an end, in `struct ifa_cacheinfo`.
const FOREVER: u32 = u32::MAX;

/// An address as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// The interface index.
    pub index: u32,
    /// The interface's own address: IFA_LOCAL where there is one, else IFA_ADDRESS.
    pub address: IpAddr,
    /// The other end of a point-to-point link, if it is not `address`.
    pub peer: Option<IpAddr>,
    /// Length of the prefix in bits.
    pub prefix_len: u8,
    /// RT_SCOPE_…: 0 global, 200 site, 253 link, 254 host.
    pub scope: u8,
    /// IFA_F_…, all 32 bits where the kernel sends them.
    pub flags: u32,
    /// The label, an IPv4 peculiarity.
    pub label: Option<&'a str>,
    /// The broadcast address, if one is set.
    pub broadcast: Option<Ipv4Addr>,
    /// IFAPROT_…, or a number of ours; `None` before Linux 5.18, and in some builds after it.
    pub protocol: Option<u8>,
    /// The rest of the valid lifetime in seconds; `None` is forever.
    pub valid_secs: Option<u32>,
    /// The rest of the preferred lifetime in seconds; `None` is forever.
    pub preferred_secs: Option<u32>,
}

impl<'a> Address<'a> {
    /// Reads the body of a message. `None` if it is cut short or has no address.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let header: &[u8; 4] = body.first_chunk()?;
        let [_family, prefix_len, flags, scope] = *header;
        let mut parsed = Self {
            index: u32_at(body, 4)?,
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            peer: None,
            prefix_len,
            scope,
            flags: u32::from(flags),
            label: None,
            broadcast: None,
            protocol: None,
            valid_secs: None,
            preferred_secs: None,
        };
        let (mut local, mut remote) = (None, None);
        for attribute in Attributes::behind(body, HEADER_LEN) {
            match attribute.kind {
                libc::IFA_LOCAL => local = attribute.ip(),
                libc::IFA_ADDRESS => remote = attribute.ip(),
                _ => parsed.take(&attribute),
            }
        }
        parsed.address = local.or(remote)?;
        parsed.peer = remote.filter(|remote| *remote != parsed.address);
        Some(parsed)
    }

    fn take(&mut self, attribute: &Attribute<'a>) {
        match attribute.kind {
            libc::IFA_FLAGS => self.flags = attribute.u32().unwrap_or(self.flags),
            libc::IFA_LABEL => self.label = attribute.str(),
            libc::IFA_BROADCAST => {
                if let Some(IpAddr::V4(broadcast)) = attribute.ip() {
                    self.broadcast = Some(broadcast);
                }
            }
            IFA_PROTO => self.protocol = attribute.u8(),
            // ifa_prefered, ifa_valid, cstamp, tstamp
            libc::IFA_CACHEINFO => {
                let secs = |at| u32_at(attribute.value, at).filter(|&secs| secs != FOREVER);
                (self.preferred_secs, self.valid_secs) = (secs(0), secs(4));
            }
            _ => (),
        }
    }

    /// It can be sent from. An IPv6 address cannot while duplicate address detection runs (RFC 4862
    /// §5.4), or when that has found another node with it.
    pub fn is_usable(&self) -> bool {
        self.flags & (libc::IFA_F_TENTATIVE | libc::IFA_F_DADFAILED) == 0
    }
}

/// An address that is to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAddress<'a> {
    /// The interface index.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix in bits.
    pub prefix_len: u8,
    /// RT_SCOPE_…: 0 global, 200 site, 253 link, 254 host. IPv6 derives it from the address.
    pub scope: u8,
    /// At most 15 bytes, IPv4 only; the kernel takes the interface's name if there is none.
    pub label: Option<&'a str>,
    /// The broadcast address, IPv4 only.
    pub broadcast: Option<Ipv4Addr>,
    /// Marks the address as ours in IFA_PROTO.
    pub protocol: Option<u8>,
    /// The kernel removes the address after so many seconds; `None` is never.
    pub valid_secs: Option<u32>,
    /// The kernel does not choose it as the source of connections that this host opens (preferred
    /// lifetime 0, RFC 4862 §5.5.4); it is reached all the same.
    pub deprecated: bool,
    /// IFA_F_…: IFA_F_NODAD, IFA_F_NOPREFIXROUTE.
    pub flags: u32,
}

impl NewAddress<'_> {
    /// `address`/`prefix_len` on the interface `index`, scope global, forever.
    pub fn plain(index: u32, address: IpAddr, prefix_len: u8) -> Self {
        Self {
            index,
            address,
            prefix_len,
            scope: 0,
            label: None,
            broadcast: None,
            protocol: None,
            valid_secs: None,
            deprecated: false,
            flags: 0,
        }
    }
}

/// What to do if the address is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Fail with EEXIST.
    Refuse,
    /// Take over the new lifetime and protocol: how a lease is refreshed.
    Replace,
}

/// Adds an address. Returns the sequence number.
pub fn add(batch: &mut Batch, new: &NewAddress<'_>, existing: Existing) -> u32 {
    let flags = libc::NLM_F_CREATE
        | match existing {
            Existing::Refuse => libc::NLM_F_EXCL,
            Existing::Replace => libc::NLM_F_REPLACE,
        };
    batch.message(libc::RTM_NEWADDR, flags as u16, |body| {
        let mut header = header(new.address, new.prefix_len, new.scope, new.index);
        header[FLAGS] = new.flags.to_le_bytes()[0];
        body.put(&header);
        put_address(body, new.address);
        if let Some(broadcast) = new.broadcast {
            body.attribute(libc::IFA_BROADCAST, &broadcast.octets());
        }
        if let Some(label) = new.label {
            body.attribute_str(libc::IFA_LABEL, label);
        }
        // Where it is present the kernel does not look at the header's eight bits.
        if new.flags > u32::from(u8::MAX) {
            body.attribute_u32(libc::IFA_FLAGS, new.flags);
        }
        if let Some(protocol) = new.protocol {
            body.attribute(IFA_PROTO, &[protocol]);
        }
        if new.valid_secs.is_some() || new.deprecated {
            let valid = new.valid_secs.unwrap_or(FOREVER);
            let preferred = if new.deprecated { 0 } else { valid };
            body.attribute(libc::IFA_CACHEINFO, &cacheinfo(preferred, valid));
        }
    })
}

/// Deletes an address. Returns the sequence number; EADDRNOTAVAIL means that it was not there.
pub fn delete(batch: &mut Batch, index: u32, address: IpAddr, prefix_len: u8) -> u32 {
    batch.message(libc::RTM_DELADDR, 0, |body| {
        body.put(&header(address, prefix_len, 0, index));
        put_address(body, address);
    })
}

/// Asks for every address of both families.
pub fn dump(batch: &mut Batch) -> u32 {
    let flags = libc::NLM_F_DUMP as u16;
    batch.message(libc::RTM_GETADDR, flags, |body| body.put(&[0; HEADER_LEN]))
}

/// `struct ifaddrmsg`.
fn header(address: IpAddr, prefix_len: u8, scope: u8, index: u32) -> [u8; HEADER_LEN] {
    let family = match address {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    let [a, b, c, d] = index.to_ne_bytes();
    [family as u8, prefix_len, 0, scope, a, b, c, d]
}

fn put_address(body: &mut Body<'_>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            body.attribute(libc::IFA_LOCAL, &address.octets());
            body.attribute(libc::IFA_ADDRESS, &address.octets());
        }
        IpAddr::V6(address) => {
            body.attribute(libc::IFA_LOCAL, &address.octets());
            body.attribute(libc::IFA_ADDRESS, &address.octets());
        }
    }
}

/// `struct ifa_cacheinfo`; the time stamps are the kernel's.
fn cacheinfo(preferred_secs: u32, valid_secs: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&preferred_secs.to_ne_bytes());
    bytes[4..8].copy_from_slice(&valid_secs.to_ne_bytes());
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::netlink::Content;
    use crate::netlink::parse::Messages;

    const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 201, 101));

    fn parse(batch: &Batch) -> Content<'_> {
        Content::parse(&Messages::new(batch.bytes()).next().unwrap())
    }

    #[test]
    fn the_request_byte_for_byte() {
        let mut batch = Batch::with_capacity(128);
        add(&mut batch, &NewAddress::plain(3, VIP, 32), Existing::Refuse);
        let mut expected = Vec::new();
        expected.extend(40_u32.to_ne_bytes());
        expected.extend(libc::RTM_NEWADDR.to_ne_bytes());
        expected.extend(0x601_u16.to_ne_bytes());
        expected.extend(1_u32.to_ne_bytes());
        expected.extend(0_u32.to_ne_bytes());
        expected.extend([2, 32, 0, 0]);
        expected.extend(3_u32.to_ne_bytes());
        for kind in [2_u16, 1] {
            expected.extend(8_u16.to_ne_bytes());
            expected.extend(kind.to_ne_bytes());
            expected.extend([10, 10, 201, 101]);
        }
        assert_eq!(batch.bytes(), expected);
    }

    #[test]
    fn everything_that_is_asked_for_is_there() {
        let new = NewAddress {
            scope: 253,
            label: Some("eth0:vip"),
            broadcast: Some(Ipv4Addr::new(10, 10, 201, 255)),
            protocol: Some(112),
            valid_secs: Some(60),
            flags: libc::IFA_F_NOPREFIXROUTE,
            ..NewAddress::plain(3, VIP, 24)
        };
        let mut batch = Batch::with_capacity(128);
        add(&mut batch, &new, Existing::Replace);
        let expected = Address {
            index: 3,
            address: VIP,
            peer: None,
            prefix_len: 24,
            scope: 253,
            flags: libc::IFA_F_NOPREFIXROUTE,
            label: Some("eth0:vip"),
            broadcast: new.broadcast,
            protocol: Some(112),
            valid_secs: Some(60),
            preferred_secs: Some(60),
        };
        assert_eq!(parse(&batch), Content::Address(expected));
        assert_eq!(batch.bytes()[6..8], 0x501_u16.to_ne_bytes());
    }

    #[test]
    fn local_is_ours_and_address_the_peers() {
        let mut batch = Batch::with_capacity(128);
        batch.message(libc::RTM_DELADDR, 0, |body| {
            body.put(&header(VIP, 32, 0, 3));
            body.attribute(libc::IFA_ADDRESS, &[10, 0, 0, 2]);
            body.attribute(libc::IFA_LOCAL, &[10, 10, 201, 101]);
            body.attribute(libc::IFA_CACHEINFO, &cacheinfo(1, FOREVER));
        });
        let Content::AddressGone(address) = parse(&batch) else {
            panic!("not an address");
        };
        assert_eq!(address.address, VIP);
        assert_eq!(address.peer, Some([10, 0, 0, 2].into()));
        assert_eq!(address.valid_secs, None);
    }

    #[test]
    fn ipv6_has_one_address_attribute() {
        let vip: IpAddr = "fe80::50".parse().unwrap();
        let mut batch = Batch::with_capacity(128);
        batch.message(libc::RTM_NEWADDR, 0, |body| {
            body.put(&header(vip, 64, 253, 3));
            body.attribute_u32(libc::IFA_FLAGS, libc::IFA_F_TENTATIVE);
            if let IpAddr::V6(vip) = vip {
                body.attribute(libc::IFA_ADDRESS, &vip.octets());
            }
        });
        let Content::Address(address) = parse(&batch) else {
            panic!("not an address");
        };
        assert_eq!((address.address, address.peer), (vip, None));
        assert!(!address.is_usable());
    }

    #[test]
    fn a_deprecated_address_is_valid_for_ever() {
        let new = NewAddress {
            deprecated: true,
            flags: libc::IFA_F_NODAD,
            ..NewAddress::plain(3, "fd00::1".parse().unwrap(), 128)
        };
        let mut batch = Batch::with_capacity(128);
        add(&mut batch, &new, Existing::Refuse);
        let Content::Address(address) = parse(&batch) else {
            panic!("not an address");
        };
        assert_eq!((address.valid_secs, address.prefix_len), (None, 128));
        assert!(address.is_usable());
        assert_eq!(address.flags, libc::IFA_F_NODAD);
        let bytes = batch.bytes();
        let at = bytes.len() - 20;
        assert_eq!(bytes[at + 2..at + 4], libc::IFA_CACHEINFO.to_ne_bytes());
        assert_eq!(bytes[at + 4..at + 12], [0, 0, 0, 0, 255, 255, 255, 255]);
    }

    #[test]
    fn without_an_address_it_is_none() {
        let mut batch = Batch::with_capacity(128);
        batch.message(libc::RTM_NEWADDR, 0, |body| {
            body.put(&header(VIP, 32, 0, 3));
            body.attribute(libc::IFA_LOCAL, &[1, 2, 3]);
        });
        assert_eq!(parse(&batch), Content::Other);
    }
}
