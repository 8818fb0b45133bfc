//! Addresses: added and deleted in batches, leased, seen; events lost and made up for.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::netlink::Content;
use vipd::netlink::addr::{self, Existing, NewAddress};
use vipd::sys::netlink::{Dump, EventSocket, Events};

use crate::lab::{Kernel, event, in_namespace};

/// Marks an address as ours in the tests.
const PROTOCOL: u8 = 112;

fn vip(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 10, high, low).into()
}

fn addresses(kernel: &mut Kernel) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let end = kernel.0.dump(addr::dump, |message| {
        if let Content::Address(address) = Content::parse(&message) {
            found.push(address.address);
        }
    });
    assert_eq!(end.unwrap(), Dump::Complete);
    found
}

#[test]
fn what_is_added_is_what_the_kernel_shows() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let mut events = EventSocket::open().unwrap();
        let new = NewAddress {
            scope: 253,
            label: Some("a:vip"),
            broadcast: Some(Ipv4Addr::new(10, 10, 0, 255)),
            protocol: Some(PROTOCOL),
            flags: libc::IFA_F_NOPREFIXROUTE,
            ..NewAddress::plain(a.index, vip(1), 24)
        };
        kernel.done(|batch| addr::add(batch, &new, Existing::Refuse));
        event(&mut events, |content| {
            let Content::Address(shown) = content else {
                return None;
            };
            if shown.address != vip(1) {
                return None;
            }
            assert_eq!(
                (shown.index, shown.prefix_len, shown.scope),
                (a.index, 24, 253)
            );
            assert_eq!(
                (shown.label, shown.broadcast),
                (Some("a:vip"), new.broadcast)
            );
            assert_eq!(shown.protocol, Some(PROTOCOL));
            assert_eq!(shown.flags & new.flags, new.flags);
            assert_eq!((shown.valid_secs, shown.peer), (None, None));
            Some(())
        });
        kernel.done(|batch| addr::delete(batch, a.index, vip(1), 24));
        event(&mut events, |content| match content {
            Content::AddressGone(gone) if gone.address == vip(1) => Some(()),
            _ => None,
        });
        let again = kernel.answers(|batch| {
            addr::delete(batch, a.index, vip(1), 24);
        });
        assert_eq!(again[0].1, libc::EADDRNOTAVAIL);
    });
}

#[test]
fn ipv6_without_duplicate_address_detection_is_there_at_once() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let address: IpAddr = Ipv6Addr::new(0xfd00, 0x201, 0, 0, 0, 0, 0, 0x101).into();
        let new = NewAddress {
            flags: libc::IFA_F_NODAD,
            ..NewAddress::plain(a.index, address, 128)
        };
        kernel.done(|batch| addr::add(batch, &new, Existing::Refuse));
        let mut tentative = None;
        kernel
            .0
            .dump(addr::dump, |message| match Content::parse(&message) {
                Content::Address(shown) if shown.address == address => {
                    tentative = Some(!shown.is_usable());
                }
                _ => (),
            })
            .unwrap();
        assert_eq!(tentative, Some(false));
    });
}

/// One acknowledgement for all; a failure names its request, and those behind it are done.
#[test]
fn a_batch_goes_on_behind_a_failure() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        kernel.add(a.index, vip(250), 32);
        let (mut failing, mut last) = (0, 0);
        let answers = kernel.answers(|batch| {
            for number in 1..=500 {
                let new = NewAddress::plain(a.index, vip(number), 32);
                last = addr::add(batch, &new, Existing::Refuse);
                if number == 250 {
                    failing = last;
                }
            }
        });
        assert_eq!(answers, [(failing, libc::EEXIST), (last, 0)]);
        let found = addresses(&mut kernel);
        assert!((1..=500).all(|number| found.contains(&vip(number))));
    });
}

#[test]
fn the_kernels_own_words_come_with_the_error() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let new = NewAddress::plain(a.index, vip(1), 77);
        addr::add(kernel.0.batch(), &new, Existing::Refuse);
        kernel.0.send().unwrap();
        let mut words = None;
        kernel
            .0
            .receive(|message| {
                if let Content::Ack(ack) = Content::parse(&message) {
                    assert_eq!((ack.errno, ack.request), (libc::EINVAL, libc::RTM_NEWADDR));
                    words = ack.explanation.map(str::to_owned);
                }
            })
            .unwrap();
        let words = words.expect("an explanation");
        assert!(words.to_lowercase().contains("prefix length"), "{words}");
    });
}

/// The dead-man lease: the kernel itself removes what nobody refreshes.
#[test]
fn a_lease_runs_out_unless_it_is_replaced() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let mut events = EventSocket::open().unwrap();
        let leased = |number, secs| NewAddress {
            valid_secs: Some(secs),
            ..NewAddress::plain(a.index, vip(number), 32)
        };
        for number in [1, 2] {
            kernel.done(|batch| addr::add(batch, &leased(number, 1), Existing::Refuse));
        }
        kernel.done(|batch| addr::add(batch, &leased(2, 1000), Existing::Replace));
        let gone = event(&mut events, |content| match content {
            Content::AddressGone(gone) => Some(gone.address),
            _ => None,
        });
        assert_eq!(gone, vip(1));
        let found = addresses(&mut kernel);
        assert!(found.contains(&vip(2)) && !found.contains(&vip(1)));
    });
}

#[test]
fn lost_events_are_told_and_a_dump_makes_up_for_them() {
    const COUNT: u16 = 3000;
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let mut events = EventSocket::open().unwrap();
        let add = |kernel: &mut Kernel, numbers: core::ops::Range<u16>| {
            for first in numbers.step_by(500) {
                let answers = kernel.answers(|batch| {
                    for number in first..first + 500 {
                        let new = NewAddress::plain(a.index, vip(number), 32);
                        addr::add(batch, &new, Existing::Refuse);
                    }
                });
                assert_eq!(answers.len(), 1, "{answers:?}");
            }
        };
        add(&mut kernel, 0..COUNT);
        let mut seen = 0;
        assert_eq!(
            events.receive(usize::MAX, |_| seen += 1).unwrap(),
            Events::Overrun
        );
        events.grow().unwrap();
        assert_eq!(
            events.receive(usize::MAX, |_| seen += 1).unwrap(),
            Events::Drained
        );
        assert!(seen < COUNT, "some were lost");
        assert!(addresses(&mut kernel).len() >= usize::from(COUNT));
        add(&mut kernel, COUNT..COUNT + 500);
        let mut later = 0;
        assert_eq!(events.receive(100, |_| later += 1).unwrap(), Events::More);
        assert_eq!(
            events.receive(usize::MAX, |_| later += 1).unwrap(),
            Events::Drained
        );
        assert!(later >= 500, "the socket hears again: {later}");
    });
}
