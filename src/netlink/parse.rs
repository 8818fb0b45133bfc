//! Walks through received messages and attributes. Survives any bytes: a length that does not fit
//! ends the walk.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::build::{ATTRIBUTE_HEADER_LEN, HEADER_LEN, aligned};

/// One message: its header, and what is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// RTM_… or NLMSG_….
    pub kind: u16,
    /// NLM_F_….
    pub flags: u16,
    /// The sequence number of the request that this answers; 0 in a notification.
    pub sequence: u32,
    /// The netlink port of the socket that asked.
    pub port: u32,
    /// The fixed header of the family, and the attributes.
    pub body: &'a [u8],
}

/// The messages of one datagram.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// The messages in `datagram`.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let bytes = core::mem::take(&mut self.rest);
        let len = u32_at(bytes, 0)? as usize;
        if len < HEADER_LEN {
            return None;
        }
        let message = Message {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            port: u32_at(bytes, 12)?,
            body: bytes.get(HEADER_LEN..len)?,
        };
        self.rest = bytes.get(aligned(len)..).unwrap_or_default();
        Some(message)
    }
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// IFLA_…, IFA_…, without the flags for nesting and byte order.
    pub kind: u16,
    /// The value, without padding.
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The value as a byte.
    pub fn u8(&self) -> Option<u8> {
        self.value.first().copied()
    }

    /// The value as a number in native byte order.
    pub fn u32(&self) -> Option<u32> {
        u32_at(self.value, 0)
    }

    /// The value as a text, up to the first zero. `None` if it is not UTF-8.
    pub fn str(&self) -> Option<&'a str> {
        let end = self.value.iter().position(|&byte| byte == 0);
        core::str::from_utf8(&self.value[..end.unwrap_or(self.value.len())]).ok()
    }

    /// The value as an IP address: four bytes or sixteen.
    pub fn ip(&self) -> Option<IpAddr> {
        if let Ok(octets) = <[u8; 4]>::try_from(self.value) {
            return Some(Ipv4Addr::from(octets).into());
        }
        let octets = <[u8; 16]>::try_from(self.value).ok()?;
        Some(Ipv6Addr::from(octets).into())
    }

    /// The attributes inside the value.
    pub fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.value)
    }
}

/// The attributes of a message, or inside of one.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The attributes behind the family header, which is `header_len` bytes long.
    pub fn behind(body: &'a [u8], header_len: usize) -> Self {
        Self::new(body.get(aligned(header_len)..).unwrap_or_default())
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let bytes = core::mem::take(&mut self.rest);
        let len = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & TYPE_MASK;
        // `get` answers None for a length below the header's own or beyond the end.
        let value = bytes.get(ATTRIBUTE_HEADER_LEN..len)?;
        self.rest = bytes.get(aligned(len)..).unwrap_or_default();
        Some(Attribute { kind, value })
    }
}

/// NLA_TYPE_MASK: the two high bits are flags.
const TYPE_MASK: u16 = 0x3fff;

/// The 16-bit number at `at`, in native byte order, aligned or not.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

/// The 32-bit number at `at`, in native byte order, aligned or not.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::netlink::Content;
    use crate::netlink::build::Batch;
    use proptest::prelude::*;

    fn two_messages() -> Batch {
        let mut batch = Batch::with_capacity(64);
        batch.message(20, 0, |body| {
            body.put(&[1, 2, 3, 4]);
            body.attribute(3, b"eth0\0");
            body.nested(0x8000 | 4, |body| body.attribute_u32(1, 77));
        });
        batch.message(21, 0, |body| body.put(&[5, 6, 7, 8]));
        batch
    }

    #[test]
    fn what_was_built_is_read_back() {
        let batch = two_messages();
        let messages: Vec<_> = Messages::new(batch.bytes()).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].kind, messages[0].sequence), (20, 1));
        assert_eq!((messages[1].kind, messages[1].sequence), (21, 2));
        assert_eq!(messages[1].body, [5, 6, 7, 8]);
        let attributes: Vec<_> = Attributes::behind(messages[0].body, 4).collect();
        assert_eq!(attributes[0].kind, 3);
        assert_eq!(attributes[0].str(), Some("eth0"));
        assert_eq!(attributes[1].kind, 4, "the nesting flag is off");
        assert_eq!(attributes[1].nested().next().unwrap().u32(), Some(77));
        assert_eq!(attributes.len(), 2);
    }

    #[test]
    fn a_length_that_does_not_fit_ends_the_walk() {
        let batch = two_messages();
        for len in [0_u32, 15, 200, u32::MAX] {
            let mut bytes = batch.bytes().to_vec();
            bytes[..4].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(Messages::new(&bytes).count(), 0, "{len}");
        }
        for len in [0_u16, 3, 5, u16::MAX] {
            let mut bytes = [0; 4];
            bytes[..2].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(Attributes::new(&bytes).count(), 0, "{len}");
        }
        assert!(Attributes::new(&4_u32.to_ne_bytes()).count() <= 1);
        assert_eq!(Attributes::behind(&[1, 2], 8).count(), 0);
    }

    #[test]
    fn every_cut_gives_fewer_messages() {
        let batch = two_messages();
        for len in 0..batch.bytes().len() {
            assert!(Messages::new(&batch.bytes()[..len]).count() < 2);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            kind in prop::sample::select(vec![2_u16, 3, 16, 17, 20, 21]),
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let message = Message { kind, flags: 0, sequence: 1, port: 0, body: &body };
            let _ = Content::parse(&message);
            prop_assert!(Messages::new(&body).count() <= body.len() / HEADER_LEN);
            prop_assert!(Attributes::new(&body).count() <= body.len() / ATTRIBUTE_HEADER_LEN);
        }
    }
}
