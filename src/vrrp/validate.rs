//! The receive ladder: may this packet be believed? One row a rule, in the RFC's order.

use core::net::IpAddr;

use super::checksum;
use super::drop::DropReason;
use super::types::{Auth, ChecksumForm, Family, Settings, TTL, Version, is_link_local};
use super::wire::{self, Malformed, Packet};
use crate::time::Duration;

/// An IP packet of protocol 112, as `frame` found it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The interface it came in on: a slot of the daemon's table of interfaces.
    pub link: u16,
    /// IP source.
    pub source: IpAddr,
    /// IP destination.
    pub destination: IpAddr,
    /// TTL or Hop Limit.
    pub ttl: u8,
    /// What is behind the IP header.
    pub payload: &'a [u8],
}

/// An advert that may be believed.
#[derive(Clone, Copy, Debug)]
pub struct Advert<'a> {
    /// Who sent it.
    pub source: IpAddr,
    /// Its priority; 0 gives up.
    pub priority: u8,
    /// Its (Max) Advertise Interval.
    pub interval: Duration,
    /// How its checksum was computed; v2 counts as [`ChecksumForm::Message`].
    pub checksum: ChecksumForm,
    /// The message itself, for the list of addresses.
    pub packet: Packet<'a>,
}

/// What the ladder compares a packet with.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The packet's destination is the instance's: the multicast group, or with unicast its source
    /// address.
    pub addressed: bool,
    /// The packet's source is one of our own addresses.
    pub own: bool,
    /// The instance that the packet's VRID belongs to.
    pub settings: Option<&'a Settings>,
    /// The checksum form to try first.
    pub form: ChecksumForm,
}

/// The ladder (RFC 9568 §7.1, RFC 3768 §7.1, RFC 2338 §7.1).
pub fn validate<'a>(
    received: &Received<'a>,
    expected: &Expected<'_>,
) -> Result<Advert<'a>, DropReason> {
    // RFC 9568 §5.1.1.2: adverts go to the group; with unicast, to us.
    ensure(expected.addressed, DropReason::Destination)?;
    // Our own echo, or a loop: never a peer.
    ensure(!expected.own, DropReason::OwnAdvert)?;
    // RFC 9568 §5.1.2.1: an IPv6 advert to the group comes from a link-local address.
    let (source, ttl) = (&received.source, received.ttl);
    let family = Family::of(source);
    let unicast = |settings: &Settings| settings.unicast.is_some();
    ensure(
        family == Family::V4 || is_link_local(source) || expected.settings.is_some_and(unicast),
        DropReason::Source,
    )?;
    // §7.1: "MUST verify that the IPv4 TTL / IPv6 Hop Limit is 255"; with unicast, the peer's bounds.
    let ttl_fits = |settings: &Settings| settings.accepts_ttl(source, ttl);
    ensure(
        expected.settings.map_or(ttl == TTL, ttl_fits),
        DropReason::Ttl,
    )?;
    // `check_unicast_src`.
    let known = |settings: &Settings| settings.accepts_source(source);
    ensure(expected.settings.is_none_or(known), DropReason::NotPeer)?;
    // §7.1: version, type, "the complete VRRP packet".
    let packet = Packet::new_checked(received.payload, family).map_err(DropReason::from)?;
    // §7.1: checksum.
    let checksum = checksum_form(received, &packet, expected.form).ok_or(DropReason::Checksum)?;
    // §5.2.5, erratum 8299: at least one address.
    ensure(packet.count() > 0, DropReason::NoAddress)?;
    // §7.1: "MUST verify that the VRID is configured on the receiving interface".
    let settings = expected.settings.ok_or(DropReason::UnknownVrid)?;
    // §7.1: the version is ours.
    ensure(
        packet.version() == settings.version,
        DropReason::VersionMismatch,
    )?;
    // §5.2.7, erratum 8301: an interval of 0 would mean no waiting at all.
    let interval = packet.interval();
    let zero = packet.version() == Version::V3 && interval.is_zero();
    ensure(!zero, DropReason::ZeroInterval)?;
    // RFC 2338 §7.1: authentication type and data are ours.
    authenticate(&packet, settings)?;
    // RFC 3768 §7.1: a v2 interval that differs is discarded; in v3 it is learned.
    let differs = packet.version() == Version::V2 && interval != settings.advert_interval;
    ensure(!differs, DropReason::IntervalMismatch)?;
    Ok(Advert {
        source: received.source,
        priority: packet.priority(),
        interval,
        checksum,
        packet,
    })
}

fn ensure(holds: bool, otherwise: DropReason) -> Result<(), DropReason> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// v2 covers the message (RFC 3768 §5.3.8), IPv6 has a pseudo-header and covers all that the IP
/// header announces (RFC 8200 §8.1), v3 over IPv4 has either form.
fn checksum_form(
    received: &Received<'_>,
    packet: &Packet<'_>,
    expected: ChecksumForm,
) -> Option<ChecksumForm> {
    let (only, first, covered) = match (packet.version(), received.source) {
        (Version::V2, _) => (true, ChecksumForm::Message, packet.bytes()),
        (Version::V3, IpAddr::V6(_)) => (true, ChecksumForm::PseudoHeader, received.payload),
        (Version::V3, IpAddr::V4(_)) => (false, expected, packet.bytes()),
    };
    checksum::verify(covered, &received.source, &received.destination, first)
        .filter(|form| !only || *form == first)
}

fn authenticate(packet: &Packet<'_>, settings: &Settings) -> Result<(), DropReason> {
    if packet.version() == Version::V3 {
        return Ok(());
    }
    match settings.auth {
        Auth::None => ensure(packet.auth_type() == wire::AUTH_NONE, DropReason::AuthType),
        Auth::Pass(password) => {
            ensure(packet.auth_type() == wire::AUTH_PASS, DropReason::AuthType)?;
            ensure(packet.auth_data() == Some(password), DropReason::AuthData)
        }
    }
}

impl From<Malformed> for DropReason {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Truncated => Self::Truncated,
            Malformed::Version => Self::UnknownVersion,
            Malformed::Type => Self::UnknownType,
        }
    }
}
