//! Heap at the start only: a wakeup's worth of sends, receives, requests and timers allocates
//! nothing. One test in this file, because the allocator counts for the whole process.
#![allow(clippy::unwrap_used, unsafe_code)]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use vipd::frame::{
    GarpForm, HOP_LIMIT, Ipv6Header, Macs, emit_garp, emit_ipv6, emit_na, multicast_mac,
};
use vipd::netlink::addr::{self, Existing, NewAddress};
use vipd::netlink::{Content, link_request};
use vipd::sys::clock;
use vipd::sys::group::Membership;
use vipd::sys::netlink::{CommandSocket, EventSocket, Events, interface_index};
use vipd::sys::netns::NetNs;
use vipd::sys::packet::PacketSocket;
use vipd::sys::poll::{Interest, Poll};
use vipd::sys::raw::RawSocket;
use vipd::sys::receive::ReceiveRing;
use vipd::sys::send::{SendBatch, SendSocket};
use vipd::sys::signal::{Signal, Signals};
use vipd::sys::timer::Timer;
use vipd::time::Duration;
use vipd::vrrp::types::{Family, GROUP6};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator; the counter is a thread's own and needs no heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> usize {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn a_wakeup_allocates_nothing() {
    NetNs::new()
        .expect("this test needs root")
        .run(wakeups)
        .unwrap();
}

fn wakeups() {
    const VIPS: u8 = 100;
    let mut commands = CommandSocket::open().unwrap();
    link_request::create_veth(commands.batch(), "a", "b", None);
    commands.send().unwrap();
    let a = interface_index("a").unwrap().unwrap();
    let b = interface_index("b").unwrap().unwrap();
    for index in [a, b] {
        link_request::set_up(commands.batch(), index, true);
    }
    commands.send().unwrap();
    commands.receive(|_| ()).unwrap();
    let mut events = EventSocket::open().unwrap();
    let ear = PacketSocket::open("b", b, Family::V4).unwrap();
    let ear6 = PacketSocket::open("b", b, Family::V6).unwrap();
    let raw6 = RawSocket::open("b", b, Family::V6).unwrap();
    let _membership = Membership::join("b", b, GROUP6).unwrap();
    let IpAddr::V6(group) = GROUP6 else {
        panic!("the group of IPv6");
    };
    let macs = Macs {
        source: [2; 6],
        destination: multicast_mac(GROUP6),
    };
    let advert6 = Ipv6Header {
        source: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9),
        destination: group,
        hop_limit: HOP_LIMIT,
        payload_len: 24,
    };
    let vip6 = |number: u8| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into());
    let sender = SendSocket::open().unwrap();
    let signals = Signals::block(&[Signal::SIGUSR2]).unwrap();
    let mut timer = Timer::new().unwrap();
    let mut frames = SendBatch::new(64, 64 * 1024);
    let mut ring = ReceiveRing::new();
    let mut poll = Poll::with_capacity(8);
    let mut wakeup = || {
        let mut heard = 0;
        timer.set(clock::now()).unwrap();
        for address in 0..50 {
            let vip = Ipv4Addr::new(10, 0, 0, address);
            let form = GarpForm::Request;
            assert!(frames.push(a, |buf| emit_garp(buf, [2; 6], vip, form)));
        }
        frames.flush(&sender, |_, _| ());
        for number in 0..25 {
            assert!(frames.push(a, |buf| emit_na(buf, [2; 6], vip6(number))));
            assert!(frames.push(a, |buf| emit_ipv6(buf, &macs, &advert6)));
        }
        frames.flush(&sender, |_, _| ());
        for number in 0..VIPS {
            let vip: IpAddr = Ipv4Addr::new(10, 1, 0, number).into();
            let batch = commands.batch();
            addr::add(batch, &NewAddress::plain(a, vip, 32), Existing::Refuse);
            addr::delete(batch, a, vip, 32);
        }
        for number in 0..VIPS {
            let new = NewAddress {
                flags: libc::IFA_F_NODAD,
                deprecated: true,
                ..NewAddress::plain(a, vip6(number).into(), 128)
            };
            addr::add(commands.batch(), &new, Existing::Refuse);
            addr::delete(commands.batch(), a, new.address, 128);
        }
        commands.send().unwrap();
        commands
            .receive(|message| assert!(matches!(Content::parse(&message), Content::Ack(_))))
            .unwrap();
        poll.clear();
        poll.add(&timer, Interest::Read);
        poll.add(&ear, Interest::Read);
        poll.add(&events, Interest::Read);
        poll.add(&signals, Interest::Read);
        assert!(poll.wait(Some(Duration::from_secs(20))).unwrap() >= 2);
        ear.receive(&mut ring, 64, |_| heard += 1).unwrap();
        let by_tap = ear6.receive(&mut ring, 64, |_| ()).unwrap().count;
        let by_raw = raw6.receive(&mut ring, 64, |_| ()).unwrap().count;
        assert_eq!(signals.next().unwrap(), None);
        let end = events.receive(usize::MAX, |message| {
            heard += usize::from(matches!(Content::parse(&message), Content::Address(_)));
        });
        assert_eq!(end.unwrap(), Events::Drained);
        (heard, by_tap.min(by_raw))
    };
    assert!(
        wakeup().0 >= usize::from(VIPS),
        "the first may still allocate, and the link may not be up yet"
    );
    let before = allocations();
    let mut over_ipv6 = 0;
    for _ in 0..20 {
        let (heard, by_both) = wakeup();
        assert!(heard >= usize::from(VIPS));
        over_ipv6 += by_both;
    }
    assert!(over_ipv6 >= 25, "adverts over IPv6: {over_ipv6}");
    assert_eq!(allocations() - before, 0);
    drop(std::hint::black_box(vec![1]));
    assert_eq!(allocations() - before, 1, "the allocator counts");
}
