//! ARP (RFC 826): who has an address on the segment?

use core::net::Ipv4Addr;

use smoltcp::wire::{ArpOperation, ArpPacket};

use crate::frame::{self, ETHERNET_HEADER_LEN, GARP_LEN};

/// Length of a request in bytes, without the padding that the driver adds.
pub const LEN: usize = GARP_LEN;

/// A request for `target`, from `source`, which is 0.0.0.0 if we have no address (RFC 5227 §2.1.1).
pub fn request(mac: [u8; 6], source: Ipv4Addr, target: Ipv4Addr) -> [u8; LEN] {
    let mut frame = [0; LEN];
    frame::emit_garp(&mut frame, mac, source, frame::GarpForm::Request);
    let mut arp = ArpPacket::new_unchecked(&mut frame[ETHERNET_HEADER_LEN..]);
    arp.set_target_hardware_addr(&[0; 6]);
    arp.set_target_protocol_addr(&target.octets());
    frame
}

/// Whose reply this Ethernet frame is. None if it is not one, or not for `mac`.
pub fn parse(frame: &[u8], mac: [u8; 6]) -> Option<Ipv4Addr> {
    let arp = ArpPacket::new_checked(frame.get(ETHERNET_HEADER_LEN..)?).ok()?;
    let is_ours = arp.operation() == ArpOperation::Reply
        && (arp.hardware_len(), arp.protocol_len()) == (6, 4)
        && arp.target_hardware_addr() == mac
        // What we say ourselves is no answer.
        && arp.source_hardware_addr() != mac;
    let source: [u8; 4] = arp.source_protocol_addr().try_into().ok()?;
    is_ours.then(|| source.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 2];
    const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
    const THERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    fn reply() -> [u8; LEN] {
        let mut frame = request(THEIRS, THERE, HERE);
        let mut arp = ArpPacket::new_unchecked(&mut frame[ETHERNET_HEADER_LEN..]);
        arp.set_operation(ArpOperation::Reply);
        arp.set_target_hardware_addr(&MAC);
        frame
    }

    #[test]
    fn a_request_asks_all_for_one() {
        let frame = request(MAC, HERE, THERE);
        assert_eq!(frame[..6], [0xff; 6]);
        assert_eq!(frame[6..12], MAC);
        let arp = ArpPacket::new_checked(&frame[ETHERNET_HEADER_LEN..]).unwrap();
        assert_eq!(arp.operation(), ArpOperation::Request);
        assert_eq!(arp.source_protocol_addr(), HERE.octets());
        assert_eq!(arp.target_protocol_addr(), THERE.octets());
        assert_eq!(arp.target_hardware_addr(), [0; 6]);
    }

    #[test]
    fn only_replies_to_us_count() {
        let good = reply();
        assert_eq!(parse(&good, MAC), Some(THERE));
        assert_eq!(parse(&good, [2, 0, 0, 0, 0, 3]), None, "to somebody else");
        assert_eq!(parse(&request(THEIRS, THERE, HERE), MAC), None, "a request");
        for len in 0..LEN {
            assert_eq!(parse(&good[..len], MAC), None, "{len}");
        }
        let mut long = good;
        long[ETHERNET_HEADER_LEN + 4] = 8;
        assert_eq!(parse(&long, MAC), None, "another hardware");
    }
}
