//! IPv6: adverts through the tap and the raw socket, the join, and what the kernel says of addresses.

use core::net::{IpAddr, Ipv6Addr};

use vipd::frame::{
    HOP_LIMIT, IPV6_PAYLOAD, Ipv6Header, Macs, emit_ipv6, multicast_mac, parse_ipv6,
    parse_ipv6_packet,
};
use vipd::netlink::Content;
use vipd::netlink::addr::{self, Existing, NewAddress};
use vipd::sys::Errno;
use vipd::sys::group::{Membership, accept_mac};
use vipd::sys::netlink::EventSocket;
use vipd::sys::packet::PacketSocket;
use vipd::sys::raw::RawSocket;
use vipd::sys::receive::{PacketType, ReceiveRing};
use vipd::sys::send::{SendBatch, SendSocket};
use vipd::vrrp::types::{Family, GROUP6};

use crate::lab::{Kernel, event, in_namespace, wait_for};

const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);
const OWN: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

fn group() -> Ipv6Addr {
    match GROUP6 {
        IpAddr::V6(group) => group,
        IpAddr::V4(group) => panic!("{group}"),
    }
}

/// Sends a frame that passes for an advert: `tag` is its payload, as often as `len` says.
fn send(ifindex: u32, hop_limit: u8, tag: u8, len: usize) {
    let socket = SendSocket::open().unwrap();
    let mut batch = SendBatch::new(1, 0);
    let macs = Macs {
        source: [2, 0, 0, 0, 0, 9],
        destination: multicast_mac(GROUP6),
    };
    let header = Ipv6Header {
        source: SOURCE,
        destination: group(),
        hop_limit,
        payload_len: len,
    };
    assert!(batch.push(ifindex, |buf| {
        buf[IPV6_PAYLOAD..IPV6_PAYLOAD + len].fill(tag);
        emit_ipv6(buf, &macs, &header)
    }));
    assert_eq!(batch.flush(&socket, |_, errno| panic!("{errno}")), 1);
}

/// Waits for the frame with this tag, and checks what the tap shows of it.
fn hear(tap: &PacketSocket, ifindex: u32, tag: u8) {
    let mut ring = ReceiveRing::new();
    wait_for(tap, || {
        let mut found = None;
        tap.receive(&mut ring, 64, |frame| {
            let packet = parse_ipv6(frame.bytes).unwrap();
            assert_eq!((packet.source, packet.destination), (SOURCE.into(), GROUP6));
            assert_eq!(
                (frame.packet_type, frame.ifindex),
                (PacketType::Multicast, ifindex)
            );
            found = (packet.payload[0] == tag).then_some(());
        })
        .unwrap();
        found
    });
}

/// Whether the kernel has joined ff02::12 on `b`: for its own sake, and as a MAC address.
fn joined() -> (bool, bool) {
    let has = |file: &str, word: &str| {
        let text = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
        text.lines()
            .any(|line| line.split_whitespace().nth(1) == Some("b") && line.contains(word))
    };
    (
        has("dev_mcast", "333300000012"),
        has("igmp6", "ff020000000000000000000000000012"),
    )
}

#[test]
fn a_join_lasts_as_long_as_it_is_held() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (_, b) = kernel.veth();
        let tap = PacketSocket::open("b", b.index, Family::V6).unwrap();
        accept_mac(&tap, "b", b.index, GROUP6).unwrap();
        assert_eq!(joined(), (true, false));
        drop(tap);
        assert_eq!(joined(), (false, false));
        let membership = Membership::join("b", b.index, GROUP6).unwrap();
        assert_eq!(joined(), (true, true));
        drop(membership);
        assert_eq!(joined(), (false, false));
        let error = Membership::join("none", 99_999, GROUP6).unwrap_err();
        assert_eq!(error.errno, Errno::ENODEV);
    });
}

/// The tap says when the frame has been through; the raw socket then shows the same packet, though
/// the kernel takes its header off.
#[test]
fn the_raw_socket_shows_the_packet_that_the_tap_shows() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, b) = kernel.veth();
        let tap = PacketSocket::open("b", b.index, Family::V6).unwrap();
        let raw = RawSocket::open("b", b.index, Family::V6).unwrap();
        let mut ring = ReceiveRing::new();
        let mut heard = |hop_limit, tag, len| {
            send(a.index, hop_limit, tag, len);
            hear(&tap, b.index, tag);
            let mut all = Vec::new();
            raw.receive(&mut ring, 64, |frame| {
                let packet = parse_ipv6_packet(frame.bytes).unwrap();
                assert_eq!((packet.source, packet.destination), (SOURCE.into(), GROUP6));
                assert_eq!(
                    (frame.packet_type, frame.ifindex),
                    (PacketType::Multicast, b.index)
                );
                all.push((packet.ttl, packet.payload[0], packet.payload.len()));
            })
            .unwrap();
            all
        };
        assert!(heard(HOP_LIMIT, 1, 24).is_empty(), "nobody has joined");
        let membership = Membership::join("b", b.index, GROUP6).unwrap();
        assert_eq!(heard(HOP_LIMIT, 2, 24), [(255, 2, 24)]);
        assert_eq!(heard(64, 3, 1448), [(64, 3, 1448)]);
        assert_eq!(heard(0, 4, 8), [(0, 4, 8)]);
        raw.set_deaf(true).unwrap();
        assert!(heard(HOP_LIMIT, 5, 24).is_empty());
        raw.set_deaf(false).unwrap();
        assert_eq!(heard(HOP_LIMIT, 6, 24), [(255, 6, 24)]);
        drop(membership);
        assert!(heard(HOP_LIMIT, 7, 24).is_empty());
        let error = RawSocket::open("none", 99, Family::V6).unwrap_err();
        assert_eq!(error.errno, Errno::ENODEV);
    });
}

/// Many at once: what one packet needs in control messages does not spoil the next.
#[test]
fn a_batch_of_packets_has_each_its_own_header() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, b) = kernel.veth();
        let tap = PacketSocket::open("b", b.index, Family::V6).unwrap();
        let raw = RawSocket::open("b", b.index, Family::V6).unwrap();
        let _membership = Membership::join("b", b.index, GROUP6).unwrap();
        for tag in 1..=50 {
            send(a.index, 200 + tag, tag, usize::from(tag));
        }
        hear(&tap, b.index, 50);
        let mut expected = 1..=50;
        let received = raw.receive(&mut ReceiveRing::new(), 64, |frame| {
            let packet = parse_ipv6_packet(frame.bytes).unwrap();
            let tag = expected.next().unwrap();
            assert_eq!((packet.ttl, packet.payload[0]), (200 + tag, tag));
            assert_eq!(packet.payload.len(), usize::from(tag));
        });
        assert_eq!(received.unwrap().count, 50);
    });
}

/// Why the daemon counts its own removals: the news of IPv6 addresses do not say who did it.
#[test]
fn news_of_our_own_doing_carry_no_port() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let mut events = EventSocket::open().unwrap();
        let new = NewAddress {
            flags: libc::IFA_F_NODAD,
            deprecated: true,
            ..NewAddress::plain(a.index, OWN.into(), 128)
        };
        kernel.done(|batch| addr::add(batch, &new, Existing::Refuse));
        kernel.done(|batch| addr::delete(batch, a.index, OWN.into(), 128));
        let mut ports = Vec::new();
        // The kernel queues the news before it acknowledges the change: they wait already.
        events
            .receive(64, |message| match Content::parse(&message) {
                Content::Address(found) | Content::AddressGone(found) if found.address == OWN => {
                    ports.push((message.kind, message.port));
                }
                _ => (),
            })
            .unwrap();
        assert!(ports.iter().all(|(_, port)| *port == 0), "{ports:?}");
        assert_eq!(ports.last().map(|(kind, _)| *kind), Some(libc::RTM_DELADDR));
    });
}

/// An address of the interface's own is usable only when detection is through, and that is news.
#[test]
fn the_end_of_duplicate_address_detection_is_news() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let mut events = EventSocket::open().unwrap();
        kernel.add(a.index, OWN.into(), 64);
        let mut usable = Vec::new();
        event(&mut events, |content| {
            if let Content::Address(found) = content
                && found.address == OWN
            {
                usable.push(found.is_usable());
            }
            usable.contains(&true).then_some(())
        });
        assert_eq!(usable.first(), Some(&false), "{usable:?}");
    });
}
