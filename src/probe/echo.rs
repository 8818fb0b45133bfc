//! ICMP echo (RFC 792, RFC 4443 §4), and the errors that a question draws.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{Icmpv4Message, Icmpv6Message};

use crate::frame::{IPV4_HEADER_LEN, IPV6_HEADER_LEN};
use crate::vrrp::checksum::Sum;
use crate::vrrp::types::Family;

/// Length of an echo request without data, in bytes.
pub const LEN: usize = 8;

/// The IP protocol number of ICMP.
const PROTOCOL_ICMP: u8 = 1;
/// Where the fields of an echo message start.
const CHECKSUM: usize = 2;
const IDENT: usize = 4;
const SEQUENCE: usize = 6;

/// What an ICMP message says about a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whom the question was sent to: who answers, or whom the error is about.
    pub about: IpAddr,
    /// Its identifier.
    pub ident: u16,
    /// Its sequence number.
    pub sequence: u16,
    /// It did not arrive.
    pub is_error: bool,
}

/// An echo request. The kernel writes the checksum of an ICMPv6 message.
pub fn request(family: Family, ident: u16, sequence: u16) -> [u8; LEN] {
    let mut message = [0; LEN];
    message[0] = match family {
        Family::V4 => Icmpv4Message::EchoRequest.into(),
        Family::V6 => Icmpv6Message::EchoRequest.into(),
    };
    message[IDENT..SEQUENCE].copy_from_slice(&ident.to_be_bytes());
    message[SEQUENCE..].copy_from_slice(&sequence.to_be_bytes());
    if family == Family::V4 {
        let sum = !Sum::default().plus(&message).fold();
        message[CHECKSUM..IDENT].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

/// Reads a packet, from its IP header on, as a raw ICMP socket of this family hands it up. None if it
/// says nothing about an echo request.
pub fn parse(family: Family, packet: &[u8]) -> Option<Heard> {
    let (source, _, message) = split(family, packet)?;
    // The kernel has looked at the checksum of an ICMPv6 message.
    if family == Family::V4 && Sum::default().plus(message).fold() != 0xffff {
        return None;
    }
    let kind = *message.first()?;
    if kind == reply(family) {
        return heard(source, message, false);
    }
    let (_, quoted) = message.split_at_checked(LEN)?;
    let (_, destination, question) = split(family, quoted)?;
    let is_error = is_error(family, kind);
    (is_error && *question.first()? == request(family, 0, 0)[0])
        .then(|| heard(destination, question, true))?
}

fn heard(about: IpAddr, message: &[u8], is_error: bool) -> Option<Heard> {
    let word = |at: usize| {
        let bytes = message.get(at..at + 2)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    };
    Some(Heard {
        about,
        ident: word(IDENT)?,
        sequence: word(SEQUENCE)?,
        is_error,
    })
}

fn reply(family: Family) -> u8 {
    match family {
        Family::V4 => Icmpv4Message::EchoReply.into(),
        Family::V6 => Icmpv6Message::EchoReply.into(),
    }
}

/// Destination unreachable, or the way is too long.
fn is_error(family: Family, kind: u8) -> bool {
    match family {
        Family::V4 => {
            kind == u8::from(Icmpv4Message::DstUnreachable)
                || kind == u8::from(Icmpv4Message::TimeExceeded)
        }
        Family::V6 => {
            kind == u8::from(Icmpv6Message::DstUnreachable)
                || kind == u8::from(Icmpv6Message::TimeExceeded)
        }
    }
}

/// Source, destination and what is behind the IP header. Of a quoted packet that may be little.
fn split(family: Family, packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let header_len = match family {
        Family::V4 => usize::from(packet.first()? & 0x0f) * 4,
        Family::V6 => IPV6_HEADER_LEN,
    };
    let (header, message) = packet.split_at_checked(header_len)?;
    match family {
        Family::V4 => {
            let header: &[u8; IPV4_HEADER_LEN] = header.first_chunk()?;
            let address = |at: usize| {
                let octets = [header[at], header[at + 1], header[at + 2], header[at + 3]];
                IpAddr::from(Ipv4Addr::from(octets))
            };
            (header[9] == PROTOCOL_ICMP).then(|| (address(12), address(16), message))
        }
        Family::V6 => {
            let source: &[u8; 16] = header.get(8..)?.first_chunk()?;
            let destination: &[u8; 16] = header.get(24..)?.first_chunk()?;
            let address = |octets: &[u8; 16]| IpAddr::from(Ipv6Addr::from(*octets));
            Some((address(source), address(destination), message))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const THERE: [u8; 4] = [192, 0, 2, 1];
    const HERE: [u8; 4] = [192, 0, 2, 9];

    fn ipv4(source: [u8; 4], destination: [u8; 4], message: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0];
        packet.extend(source);
        packet.extend(destination);
        packet.extend(message);
        packet
    }

    fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, 58, 64];
        packet.extend(source.octets());
        packet.extend(destination.octets());
        packet.extend(message);
        packet
    }

    /// A message with its checksum.
    fn icmp(kind: u8, rest: &[u8]) -> Vec<u8> {
        let mut message = vec![kind, 0, 0, 0];
        message.extend(rest);
        let sum = !Sum::default().plus(&message).fold();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        message
    }

    #[test]
    fn a_request_is_what_ping_sends() {
        let bytes = request(Family::V4, 0x1234, 0x0102);
        assert_eq!(bytes, [8, 0, 0xe4, 0xc9, 0x12, 0x34, 1, 2]);
        let bytes = request(Family::V6, 0x1234, 0x0102);
        assert_eq!(bytes, [128, 0, 0, 0, 0x12, 0x34, 1, 2]);
    }

    #[test]
    fn a_reply_is_about_its_sender() {
        let expected = Heard {
            about: THERE.into(),
            ident: 7,
            sequence: 9,
            is_error: false,
        };
        let packet = ipv4(THERE, HERE, &icmp(0, &[0, 7, 0, 9]));
        assert_eq!(parse(Family::V4, &packet), Some(expected));
        let long = ipv4(THERE, HERE, &icmp(0, &[0, 7, 0, 9, 1, 2, 3]));
        assert_eq!(parse(Family::V4, &long), Some(expected));
        let there = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let packet = ipv6(there, Ipv6Addr::LOCALHOST, &[129, 0, 0, 0, 0, 7, 0, 9]);
        let expected = Heard {
            about: there.into(),
            ..expected
        };
        assert_eq!(parse(Family::V6, &packet), Some(expected));
    }

    #[test]
    fn an_error_is_about_whom_we_asked() {
        let asked = ipv4(HERE, THERE, &request(Family::V4, 7, 9));
        let expected = Some(Heard {
            about: THERE.into(),
            ident: 7,
            sequence: 9,
            is_error: true,
        });
        for kind in [3, 11] {
            let rest = [&[0; 4][..], &asked].concat();
            let packet = ipv4([192, 0, 2, 254], HERE, &icmp(kind, &rest));
            assert_eq!(parse(Family::V4, &packet), expected);
        }
        let (here, there) = (Ipv6Addr::LOCALHOST, "2001:db8::1".parse().unwrap());
        let asked = ipv6(here, there, &request(Family::V6, 7, 9));
        for kind in [1, 3] {
            let message = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &asked].concat();
            let heard = parse(Family::V6, &ipv6(there, here, &message)).unwrap();
            assert_eq!((heard.about, heard.is_error), (there.into(), true));
        }
    }

    #[test]
    fn what_is_neither_is_nothing() {
        let reply = icmp(0, &[0, 7, 0, 9]);
        let good = ipv4(THERE, HERE, &reply);
        for len in 0..good.len() {
            assert_eq!(parse(Family::V4, &good[..len]), None, "{len}");
        }
        let mut broken = good.clone();
        broken[27] ^= 1;
        assert_eq!(parse(Family::V4, &broken), None, "checksum");
        let mut other = good.clone();
        other[9] = 17;
        assert_eq!(parse(Family::V4, &other), None, "no ICMP");
        let request = ipv4(THERE, HERE, &request(Family::V4, 7, 9));
        assert_eq!(parse(Family::V4, &request), None, "a request");
        // An error about somebody's UDP.
        let mut udp = ipv4(HERE, THERE, &[0; 8]);
        udp[9] = 17;
        let rest = [&[0; 4][..], &udp].concat();
        assert_eq!(parse(Family::V4, &ipv4(THERE, HERE, &icmp(3, &rest))), None);
        // An error about a reply of ours to somebody's ping.
        let rest = [&[0; 4][..], &ipv4(HERE, THERE, &reply)].concat();
        assert_eq!(parse(Family::V4, &ipv4(THERE, HERE, &icmp(3, &rest))), None);
    }
}
