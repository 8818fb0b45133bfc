//! The advert on the wire, versions 2 and 3 (RFC 3768 §5.1, RFC 9568 §5.1).
//!
//! ```text
//!  0                   1                   2                   3
//! |Version| Type  | Virtual Rtr ID|   Priority    |  Count Addrs  |
//! |v2: Auth Type / Adver Int · v3: rsvd / Max Adver Int | Checksum|
//! |                   addresses, count of them                    |
//! |           v2 only: 8 bytes of authentication data             |
//! ```

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum;
use super::types::{Auth, ChecksumForm, Family, Version};
use crate::time::Duration;

/// The only message type there is.
pub const TYPE_ADVERTISEMENT: u8 = 1;
/// Bytes in front of the addresses.
pub const HEADER_LEN: usize = 8;
/// Bytes of authentication data behind a v2 advert's addresses.
pub const AUTH_LEN: usize = 8;
/// v2 Auth Type: none.
pub const AUTH_NONE: u8 = 0;
/// v2 Auth Type: simple text password.
pub const AUTH_PASS: u8 = 1;
/// The longest advert: 255 IPv6 addresses.
pub const MAX_LEN: usize = HEADER_LEN + 255 * 16;

mod field {
    use core::ops::Range;

    pub(super) const VERSION_TYPE: usize = 0;
    pub(super) const VRID: usize = 1;
    pub(super) const PRIORITY: usize = 2;
    pub(super) const COUNT: usize = 3;
    pub(super) const AUTH_TYPE: usize = 4;
    pub(super) const ADVER_INT: usize = 5;
    pub(super) const MAX_ADVER_INT: Range<usize> = 4..6;
    pub(super) const CHECKSUM: Range<usize> = 6..8;
}

/// What is wrong with the shape of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than the header, or than its count of addresses says.
    Truncated,
    /// Neither version 2 nor 3.
    Version,
    /// Not an advert.
    Type,
}

/// A message whose length was checked. The accessors do not panic after [`Packet::new_checked`].
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    buffer: &'a [u8],
    version: Version,
    family: Family,
}

impl<'a> Packet<'a> {
    /// Looks at the shape alone: version, type, length. Bytes behind the message are cut off.
    pub fn new_checked(buffer: &'a [u8], family: Family) -> Result<Self, Malformed> {
        if buffer.len() < HEADER_LEN {
            return Err(Malformed::Truncated);
        }
        let version = match buffer[field::VERSION_TYPE] >> 4 {
            2 => Version::V2,
            3 => Version::V3,
            _ => return Err(Malformed::Version),
        };
        if buffer[field::VERSION_TYPE] & 0x0f != TYPE_ADVERTISEMENT {
            return Err(Malformed::Type);
        }
        let count = usize::from(buffer[field::COUNT]);
        match buffer.get(..message_len(version, family, count)) {
            Some(buffer) => Ok(Self {
                buffer,
                version,
                family,
            }),
            None => Err(Malformed::Truncated),
        }
    }

    /// The VRID of a message of any shape, for the counters.
    pub fn peek_vrid(buffer: &[u8]) -> Option<u8> {
        buffer.get(field::VRID).copied()
    }

    /// The whole message.
    pub fn bytes(&self) -> &'a [u8] {
        self.buffer
    }

    /// Protocol version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Virtual Router Identifier.
    pub fn vrid(&self) -> u8 {
        self.buffer[field::VRID]
    }

    /// Priority; 0 means that the Active gives up.
    pub fn priority(&self) -> u8 {
        self.buffer[field::PRIORITY]
    }

    /// Count of addresses.
    pub fn count(&self) -> u8 {
        self.buffer[field::COUNT]
    }

    /// v2: Auth Type. v3: `AUTH_NONE`.
    pub fn auth_type(&self) -> u8 {
        match self.version {
            Version::V2 => self.buffer[field::AUTH_TYPE],
            Version::V3 => AUTH_NONE,
        }
    }

    /// v2: the 8 bytes of authentication data. v3: none.
    pub fn auth_data(&self) -> Option<[u8; AUTH_LEN]> {
        match self.version {
            Version::V2 => self.buffer.last_chunk().copied(),
            Version::V3 => None,
        }
    }

    /// Advertisement interval: whole seconds in v2, centiseconds (12 bits) in v3.
    pub fn interval(&self) -> Duration {
        match self.version {
            Version::V2 => Duration::from_secs(u64::from(self.buffer[field::ADVER_INT])),
            Version::V3 => {
                let bytes = &self.buffer[field::MAX_ADVER_INT];
                let centis = u16::from_be_bytes([bytes[0], bytes[1]]) & 0x0fff;
                Duration::from_centis(u64::from(centis))
            }
        }
    }

    /// The checksum field.
    pub fn checksum(&self) -> u16 {
        let bytes = &self.buffer[field::CHECKSUM];
        u16::from_be_bytes([bytes[0], bytes[1]])
    }

    /// The addresses, in the order of the message.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = IpAddr> + use<'a> {
        let size = address_len(self.family);
        let end = HEADER_LEN + usize::from(self.count()) * size;
        let family = self.family;
        self.buffer[HEADER_LEN..end]
            .chunks_exact(size)
            .map(move |bytes| match family {
                Family::V4 => {
                    <[u8; 4]>::try_from(bytes).map_or(Ipv4Addr::UNSPECIFIED.into(), IpAddr::from)
                }
                Family::V6 => {
                    <[u8; 16]>::try_from(bytes).map_or(Ipv6Addr::UNSPECIFIED.into(), IpAddr::from)
                }
            })
    }
}

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VRRPv{} vrid={} priority={} interval={} addresses={}",
            self.version.number(),
            self.vrid(),
            self.priority(),
            self.interval(),
            self.count()
        )
    }
}

/// An advert to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr<'a> {
    /// Protocol version.
    pub version: Version,
    /// Virtual Router Identifier.
    pub vrid: u8,
    /// Priority; 0 gives up.
    pub priority: u8,
    /// Advertisement interval.
    pub interval: Duration,
    /// v2 authentication; not looked at in v3.
    pub auth: Auth,
    /// Checksum over IPv4 in v3; v2 covers the message, IPv6 always has a pseudo-header.
    pub checksum: ChecksumForm,
    /// Source address of the packet.
    pub source: IpAddr,
    /// Destination address of the packet.
    pub destination: IpAddr,
    /// The virtual addresses, at most 255, all of the family of `source`.
    pub addresses: &'a [IpAddr],
}

impl Repr<'_> {
    fn family(&self) -> Family {
        Family::of(&self.source)
    }

    /// Bytes that [`Repr::emit`] writes.
    pub fn buffer_len(&self) -> usize {
        message_len(self.version, self.family(), self.addresses.len())
    }

    /// Writes the message to the front of `buffer`.
    ///
    /// # Panics
    /// If `buffer` is shorter than [`Repr::buffer_len`].
    pub fn emit(&self, buffer: &mut [u8]) {
        let buffer = &mut buffer[..self.buffer_len()];
        buffer[field::VERSION_TYPE] = self.version.number() << 4 | TYPE_ADVERTISEMENT;
        buffer[field::VRID] = self.vrid;
        buffer[field::PRIORITY] = self.priority;
        buffer[field::COUNT] = self.addresses.len() as u8;
        self.emit_interval(buffer);
        self.emit_addresses(&mut buffer[HEADER_LEN..]);
        self.emit_auth(buffer);
        buffer[field::CHECKSUM].fill(0);
        let form = match (self.version, self.family()) {
            (Version::V2, _) => ChecksumForm::Message,
            (Version::V3, Family::V4) => self.checksum,
            (Version::V3, Family::V6) => ChecksumForm::PseudoHeader,
        };
        let sum = checksum::compute(form, buffer, &self.source, &self.destination);
        buffer[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    }

    fn emit_interval(&self, buffer: &mut [u8]) {
        match self.version {
            Version::V2 => buffer[field::ADVER_INT] = self.interval.as_secs() as u8,
            Version::V3 => {
                let centis = self.interval.as_centis() as u16 & 0x0fff;
                buffer[field::MAX_ADVER_INT].copy_from_slice(&centis.to_be_bytes());
            }
        }
    }

    fn emit_addresses(&self, buffer: &mut [u8]) {
        let mut at = 0;
        for address in self.addresses {
            match address {
                IpAddr::V4(a) => buffer[at..at + 4].copy_from_slice(&a.octets()),
                IpAddr::V6(a) => buffer[at..at + 16].copy_from_slice(&a.octets()),
            }
            at += address_len(Family::of(address));
        }
    }

    fn emit_auth(&self, buffer: &mut [u8]) {
        if self.version != Version::V2 {
            return;
        }
        let (kind, data) = match self.auth {
            Auth::None => (AUTH_NONE, [0; AUTH_LEN]),
            Auth::Pass(data) => (AUTH_PASS, data),
        };
        buffer[field::AUTH_TYPE] = kind;
        let end = buffer.len();
        buffer[end - AUTH_LEN..].copy_from_slice(&data);
    }
}

const fn address_len(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

const fn message_len(version: Version, family: Family, count: usize) -> usize {
    let auth = match version {
        Version::V2 => AUTH_LEN,
        Version::V3 => 0,
    };
    HEADER_LEN + count * address_len(family) + auth
}
