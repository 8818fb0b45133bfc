//! The tables of Accept_Mode and of DHCP in the kernel: whole or not at all, and nobody's but ours.

use core::net::IpAddr;

use vipd::netlink::Content;
use vipd::netlink::build::Batch;
use vipd::netlink::nft::{self, OWNER, PERSIST, Purpose, Refused};
use vipd::sys::netlink::CommandSocket;

use crate::lab::in_namespace;

const TABLE: &str = "vipd-test";

/// The first error of a transaction, or 0.
fn transaction(socket: &mut CommandSocket, write: impl FnOnce(&mut Batch)) -> i32 {
    let batch = socket.batch();
    nft::begin(batch);
    write(batch);
    nft::end(batch);
    send(socket)
}

fn send(socket: &mut CommandSocket) -> i32 {
    socket.send().unwrap();
    let mut failed = 0;
    let note = |message: vipd::netlink::parse::Message<'_>| {
        if let Content::Ack(ack) = Content::parse(&message)
            && failed == 0
        {
            failed = ack.errno;
        }
    };
    socket.receive(note).unwrap();
    failed
}

fn refused(address: &str, interface: Option<&str>) -> Refused {
    Refused::new(address.parse::<IpAddr>().unwrap(), interface)
}

fn delete_by_another() -> i32 {
    let mut other = CommandSocket::open_netfilter().unwrap();
    transaction(&mut other, |batch| nft::delete(batch, TABLE))
}

#[test]
fn addresses_of_each_kind_go_in_and_out_once() {
    in_namespace(|| {
        let mut socket = CommandSocket::open_netfilter().unwrap();
        let all = [
            refused("10.0.0.1", None),
            refused("2001:db8::1", None),
            refused("fe80::1", Some("br-lan")),
            refused("fe80::1", Some("fifteen-letters")),
        ];
        let made = transaction(&mut socket, |batch| {
            nft::create(batch, TABLE, Purpose::AcceptMode, OWNER);
            all.iter().for_each(|one| nft::refuse(batch, TABLE, one));
        });
        assert_eq!(made, 0);
        for one in &all {
            let first = transaction(&mut socket, |batch| nft::accept(batch, TABLE, one));
            let second = transaction(&mut socket, |batch| nft::accept(batch, TABLE, one));
            assert_eq!((first, second), (0, libc::ENOENT), "{one:?}");
        }
    });
}

#[test]
fn a_transaction_with_an_error_does_nothing() {
    in_namespace(|| {
        let mut socket = CommandSocket::open_netfilter().unwrap();
        let one = refused("10.0.0.1", None);
        let failed = transaction(&mut socket, |batch| {
            nft::create(batch, TABLE, Purpose::AcceptMode, OWNER);
            nft::accept(batch, TABLE, &one);
        });
        assert_eq!(failed, libc::ENOENT);
        let gone = transaction(&mut socket, |batch| nft::delete(batch, TABLE));
        assert_eq!(gone, libc::ENOENT, "the table was made");
    });
}

#[test]
fn without_an_end_it_is_only_tried() {
    in_namespace(|| {
        let mut socket = CommandSocket::open_netfilter().unwrap();
        nft::begin(socket.batch());
        nft::create(socket.batch(), TABLE, Purpose::AcceptMode, OWNER);
        assert_eq!(send(&mut socket), 0);
        let gone = transaction(&mut socket, |batch| nft::delete(batch, TABLE));
        assert_eq!(gone, libc::ENOENT, "the table was made");
    });
}

/// Linux 5.12 to 6.8 have no PERSIST: the table goes with its owner.
#[test]
fn nobody_else_may_remove_it_and_without_persist_it_goes_with_us() {
    in_namespace(|| {
        for (flags, left) in [(OWNER, libc::ENOENT), (OWNER | PERSIST, 0)] {
            let mut socket = CommandSocket::open_netfilter().unwrap();
            let made = transaction(&mut socket, |batch| {
                nft::create(batch, TABLE, Purpose::AcceptMode, flags)
            });
            if flags & PERSIST != 0 && made == libc::EOPNOTSUPP {
                assert_eq!(
                    delete_by_another(),
                    libc::ENOENT,
                    "an old kernel has made it"
                );
                continue;
            }
            assert_eq!(made, 0);
            assert_eq!(delete_by_another(), libc::EPERM);
            drop(socket);
            assert_eq!(delete_by_another(), left, "flags {flags}");
        }
    });
}

/// What kernels before Linux 5.12 can do, and what the next start has to remove then.
#[test]
fn without_an_owner_it_stays_and_anybody_may_remove_it() {
    in_namespace(|| {
        let ports = [67, 547].map(|port| Refused::port("fifteen-letters", port));
        let mut socket = CommandSocket::open_netfilter().unwrap();
        let made = transaction(&mut socket, |batch| {
            nft::create(batch, TABLE, Purpose::Dhcp, 0);
            ports.iter().for_each(|one| nft::refuse(batch, TABLE, one));
        });
        assert_eq!(made, 0);
        for one in &ports {
            let first = transaction(&mut socket, |batch| nft::accept(batch, TABLE, one));
            let second = transaction(&mut socket, |batch| nft::accept(batch, TABLE, one));
            assert_eq!((first, second), (0, libc::ENOENT), "{one:?}");
        }
        drop(socket);
        assert_eq!(delete_by_another(), 0);
    });
}

#[test]
fn unknown_flags_are_refused() {
    in_namespace(|| {
        let mut socket = CommandSocket::open_netfilter().unwrap();
        let failed = transaction(&mut socket, |batch| {
            nft::create(batch, TABLE, Purpose::AcceptMode, 1 << 20)
        });
        assert_eq!(
            failed,
            libc::EOPNOTSUPP,
            "as an old kernel does with PERSIST"
        );
    });
}
