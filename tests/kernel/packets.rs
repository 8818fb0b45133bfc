//! Frames in and out through the packet and the raw socket.

use core::net::Ipv4Addr;

use vipd::frame::{parse_ipv4, parse_ipv4_packet};
use vipd::netlink::link_request;
use vipd::sys::Errno;
use vipd::sys::group::{Membership, accept_mac};
use vipd::sys::netlink::EventSocket;
use vipd::sys::packet::PacketSocket;
use vipd::sys::raw::RawSocket;
use vipd::sys::receive::{Frame, PacketType, ReceiveRing};
use vipd::sys::send::{SendBatch, SendSocket};
use vipd::vrrp::types::Family;

use crate::lab::{
    GROUP, Kernel, advert, advert_to, both_running, group_mac, in_namespace, wait_for,
};

/// What is kept of a received advert: its tag, to whom it went, where it came in.
type Heard = (u8, PacketType, u32);

fn heard(frame: &Frame<'_>) -> Heard {
    let parsed = parse_ipv4(frame.bytes).unwrap();
    (parsed.payload[0], frame.packet_type, frame.ifindex)
}

/// Sends one frame after the other, each alone, and all must go out.
fn send(ifindex: u32, frames: &[([u8; 6], u8)]) {
    let socket = SendSocket::open().unwrap();
    let mut batch = SendBatch::new(frames.len(), 100_000);
    for &(mac, tag) in frames {
        assert!(batch.push(ifindex, |buf| advert(buf, mac, tag)));
    }
    let sent = batch.flush(&socket, |index, errno| panic!("frame {index}: {errno}"));
    assert_eq!(sent, frames.len());
}

/// Receives until the advert with the tag `last` has come.
fn hear_until(socket: &PacketSocket, last: u8) -> Vec<Heard> {
    let mut ring = ReceiveRing::new();
    let mut all = Vec::new();
    wait_for(socket, || {
        let result = socket.receive(&mut ring, 64, |frame| all.push(heard(&frame)));
        assert!(matches!(result, Ok(_) | Err(Errno::ENETDOWN)), "{result:?}");
        all.iter().any(|heard| heard.0 == last).then_some(())
    });
    all
}

#[test]
fn adverts_are_heard_and_nothing_else() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, b) = kernel.veth();
        kernel.add(a.index, Ipv4Addr::new(10, 0, 0, 1).into(), 24);
        let ear = PacketSocket::open("b", b.index, Family::V4).unwrap();
        let own = PacketSocket::open("a", a.index, Family::V4).unwrap();
        let udp = std::net::UdpSocket::bind("10.0.0.1:0").unwrap();
        udp.set_broadcast(true).unwrap();
        udp.send_to(b"not VRRP", "10.0.0.255:9").unwrap();
        let stranger = [2, 0, 0, 0, 0, 0x77];
        let frames = [
            (group_mac(), 1),
            (b.mac.unwrap(), 2),
            (stranger, 3),
            ([0xff; 6], 4),
        ];
        send(a.index, &frames);
        let expected = [
            (1, PacketType::Multicast, b.index),
            (2, PacketType::Host, b.index),
            (3, PacketType::OtherHost, b.index),
            (4, PacketType::Broadcast, b.index),
        ];
        assert_eq!(hear_until(&ear, 4), expected);
        // What a sends, its own tap does not show: the first it hears is b's.
        send(b.index, &[(group_mac(), 5)]);
        assert_eq!(hear_until(&own, 5), [(5, PacketType::Multicast, a.index)]);
    });
}

#[test]
fn a_macvlans_frames_carry_its_index() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, b) = kernel.veth();
        let mac = [0, 0, 0x5e, 0, 1, 50];
        kernel.done(|batch| link_request::create_macvlan(batch, "child", b.index, mac));
        let child = kernel.link("child").index;
        kernel.done(|batch| link_request::set_up(batch, child, true));
        let ear = PacketSocket::open("b", b.index, Family::V4).unwrap();
        send(a.index, &[(mac, 1), (group_mac(), 2)]);
        let all = hear_until(&ear, 2);
        assert!(
            all.contains(&(2, PacketType::Multicast, b.index)),
            "{all:?}"
        );
        assert!(
            all.iter().all(|heard| heard.0 != 1 || heard.2 == child),
            "{all:?}"
        );
    });
}

#[test]
fn down_is_told_once_and_up_is_heard_again() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, b) = kernel.veth();
        let ear = PacketSocket::open("b", b.index, Family::V4).unwrap();
        let mut ring = ReceiveRing::new();
        let mut receive = || {
            ear.receive(&mut ring, 64, |_| ())
                .map(|received| received.count)
        };
        assert_eq!(receive(), Ok(0));
        kernel.done(|batch| link_request::set_up(batch, b.index, false));
        assert_eq!(receive(), Err(Errno::ENETDOWN));
        assert_eq!(receive(), Ok(0));
        let mut events = EventSocket::open().unwrap();
        kernel.done(|batch| link_request::set_up(batch, b.index, true));
        both_running(&mut events);
        send(a.index, &[(group_mac(), 1)]);
        hear_until(&ear, 1);
        kernel.done(|batch| link_request::delete(batch, b.index));
        assert_eq!(receive(), Err(Errno::ENETDOWN));
        let error = PacketSocket::open("b", b.index, Family::V4).unwrap_err();
        assert_eq!(
            error.to_string(),
            "bind packet socket on b: No such device (ENODEV)"
        );
    });
}

#[test]
fn a_frame_that_fails_does_not_stop_the_others() {
    const GONE: u32 = 99_999;
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, b) = kernel.veth();
        kernel.done(|batch| link_request::create_bridge(batch, "down"));
        let down = kernel.link("down").index;
        let ear = PacketSocket::open("b", b.index, Family::V4).unwrap();
        let socket = SendSocket::open().unwrap();
        let mut batch = SendBatch::new(100, 100_000);
        for tag in 0..100 {
            let ifindex = match tag {
                0 | 50 => GONE,
                99 => down,
                _ => a.index,
            };
            assert!(batch.push(ifindex, |buf| advert(buf, group_mac(), tag)));
        }
        assert!(!batch.has_room());
        let mut failed = Vec::new();
        let sent = batch.flush(&socket, |index, errno| failed.push((index, errno)));
        assert_eq!(sent, 97);
        assert_eq!(
            failed,
            [(0, Errno::ENXIO), (50, Errno::ENXIO), (99, Errno::ENETDOWN)]
        );
        assert!(batch.is_empty());
        let tags: Vec<u8> = hear_until(&ear, 98).iter().map(|heard| heard.0).collect();
        assert_eq!(tags, (1..99).filter(|&tag| tag != 50).collect::<Vec<u8>>());
        assert_eq!(
            batch.flush(&socket, |_, _| panic!("nothing left to fail")),
            0
        );
    });
}

/// The group's MAC address in the card's list, and the group in the kernel's.
fn joined() -> (bool, bool) {
    let read =
        |file: &str| std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
    let igmp = format!("{:08X}", u32::from_ne_bytes(GROUP.octets()));
    let on_b = |line: &str| line.split_whitespace().nth(1) == Some("b");
    (
        read("dev_mcast")
            .lines()
            .any(|line| on_b(line) && line.contains("01005e000012")),
        read("igmp").contains(&igmp),
    )
}

#[test]
fn a_join_lasts_as_long_as_it_is_held() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (_, b) = kernel.veth();
        assert_eq!(joined(), (false, false));
        let ear = PacketSocket::open("b", b.index, Family::V4).unwrap();
        accept_mac(&ear, "b", b.index, GROUP.into()).unwrap();
        assert_eq!(joined(), (true, false));
        drop(ear);
        assert_eq!(joined(), (false, false));
        let membership = Membership::join("b", b.index, GROUP.into()).unwrap();
        assert_eq!(joined(), (true, true));
        drop(membership);
        assert_eq!(joined(), (false, false));
        let error = Membership::join("none", 99_999, GROUP.into()).unwrap_err();
        assert_eq!(error.errno, Errno::ENODEV);
    });
}

#[test]
fn the_raw_socket_hears_a_joined_group_until_it_is_deaf() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, b) = kernel.veth();
        kernel.add(b.index, Ipv4Addr::new(10, 0, 0, 2).into(), 24);
        let tap = PacketSocket::open("b", b.index, Family::V4).unwrap();
        let raw = RawSocket::open("b", b.index, Family::V4).unwrap();
        let mut ring = ReceiveRing::new();
        // The tap says when the frame has been through; what the raw socket then has is all.
        let mut hear = |tag| {
            send(a.index, &[(group_mac(), tag)]);
            hear_until(&tap, tag);
            let mut tags = Vec::new();
            raw.receive(&mut ring, 64, |frame| {
                assert_eq!(
                    (frame.packet_type, frame.ifindex),
                    (PacketType::Multicast, b.index)
                );
                tags.push(parse_ipv4_packet(frame.bytes).unwrap().payload[0]);
            })
            .unwrap();
            tags
        };
        assert!(hear(1).is_empty(), "nobody has joined");
        let membership = Membership::join("b", b.index, GROUP.into()).unwrap();
        assert_eq!(hear(2), [2]);
        raw.set_deaf(true).unwrap();
        assert!(hear(3).is_empty());
        raw.set_deaf(false).unwrap();
        raw.set_deaf(false).unwrap();
        assert_eq!(hear(4), [4]);
        drop(membership);
        assert!(hear(5).is_empty());
        let error = RawSocket::open("none", 99, Family::V4).unwrap_err();
        assert_eq!(error.errno, Errno::ENODEV);
    });
}

/// How often the kernel has answered with "destination unreachable".
fn unreachable_sent() -> u64 {
    let snmp = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let mut icmp = snmp.lines().filter(|line| line.starts_with("Icmp:"));
    let (names, values) = (icmp.next().unwrap(), icmp.next().unwrap());
    let at = names
        .split(' ')
        .position(|name| name == "OutDestUnreachs")
        .unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

/// A unicast advert draws an ICMP error from a kernel in which nobody listens to protocol 112, and
/// the tap does not count as somebody.
#[test]
fn a_deaf_raw_socket_keeps_the_kernel_from_answering() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, b) = kernel.veth();
        let address = Ipv4Addr::new(10, 0, 0, 2);
        kernel.add(b.index, address.into(), 24);
        let tap = PacketSocket::open("b", b.index, Family::V4).unwrap();
        let unicast = |tag| {
            let socket = SendSocket::open().unwrap();
            let mut batch = SendBatch::new(1, 0);
            let mac = b.mac.unwrap();
            assert!(batch.push(a.index, |buf| advert_to(buf, mac, address, tag)));
            assert_eq!(batch.flush(&socket, |_, errno| panic!("{errno}")), 1);
            hear_until(&tap, tag);
        };
        unicast(1);
        assert_eq!(unreachable_sent(), 1);
        let raw = RawSocket::open("b", b.index, Family::V4).unwrap();
        raw.set_deaf(true).unwrap();
        unicast(2);
        assert_eq!(unreachable_sent(), 1);
        assert_eq!(
            raw.receive(&mut ReceiveRing::new(), 64, |_| ())
                .unwrap()
                .count,
            0
        );
        drop(raw);
        unicast(3);
        assert_eq!(unreachable_sent(), 2);
    });
}
