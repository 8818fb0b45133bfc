//! Routes and rules: what the kernel takes, what it calls the same, and whose it deletes.

use core::net::IpAddr;
use std::rc::Rc;

use vipd::config::load_str;
use vipd::config::routing::{Item, What};
use vipd::netlink::build::Batch;
use vipd::netlink::{Content, route, rule};
use vipd::sys::netlink::EventSocket;

use crate::lab::{Kernel, event, in_namespace};

/// Ours, and somebody else's.
const PROTOCOL: u8 = 112;
const OTHER: u8 = 4;

/// The items of a configuration with these lines.
fn items(routes: &str, rules: &str) -> Box<[Rc<Item>]> {
    let text = format!(
        "static_routes {{\n{routes}\n}}\nstatic_rules {{\n{rules}\n}}\nvrrp_instance A {{\ninterface a\n\
         virtual_router_id 1\nvirtual_ipaddress {{ 10.0.0.1 }}\n}}\n"
    );
    let loaded = load_str("f", &text).unwrap_or_else(|failure| panic!("{failure}"));
    loaded.config.routes
}

fn add(batch: &mut Batch, item: &Item, protocol: u8, index: u32) -> u32 {
    match &item.what {
        What::Route(route) => route::add(batch, route, protocol, &|_| index),
        What::Rule(rule) => rule::add(batch, rule, protocol, &|_| Some("a")),
    }
}

/// As the journal has it: without an interface.
fn delete(batch: &mut Batch, item: &Item, protocol: u8) -> u32 {
    match &item.what {
        What::Route(route) => route::delete(batch, route, protocol, &|_| 0),
        What::Rule(rule) => rule::delete(batch, rule, protocol, &|_| Some("a")),
    }
}

/// The errno of one request.
fn errno(kernel: &mut Kernel, request: impl FnOnce(&mut Batch) -> u32) -> i32 {
    let answers = kernel.answers(|batch| {
        request(batch);
    });
    answers[0].1
}

#[test]
fn what_is_there_is_told_and_only_ours_is_deleted() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let address: IpAddr = [10, 0, 0, 2].into();
        kernel.add(a.index, address, 24);
        let rows = items(
            "10.1.0.0/16 via 10.0.0.7 dev a metric 5\n10.2.0.0/16 dev a table 1000 src 10.0.0.2 mtu lock 1400\n\
             blackhole 10.3.0.0/16\n10.4.0.0/16 nexthop via 10.0.0.7 dev a nexthop via 10.0.0.8 dev a\n\
             fd01::/16 dev a\nblackhole fd02::/16",
            "from 10.0.0.0/8 iif a oif a table 1000 priority 500\ninet6 fwmark 1/3 iif a oif a table 7",
        );
        assert_eq!(rows.len(), 8);
        for item in &rows {
            let text = &item.text;
            let (esrch, enoent) = (libc::ESRCH, libc::ENOENT);
            let missing = match item.what {
                What::Route(_) => esrch,
                What::Rule(_) => enoent,
            };
            assert_eq!(
                errno(&mut kernel, |b| add(b, item, PROTOCOL, a.index)),
                0,
                "{text}"
            );
            let again = errno(&mut kernel, |b| add(b, item, PROTOCOL, a.index));
            assert_eq!(again, libc::EEXIST, "{text}");
            // Somebody else's of the same kind is not deleted in place of ours.
            assert_eq!(
                errno(&mut kernel, |b| delete(b, item, OTHER)),
                missing,
                "{text}"
            );
            assert_eq!(
                errno(&mut kernel, |b| delete(b, item, PROTOCOL)),
                0,
                "{text}"
            );
            assert_eq!(
                errno(&mut kernel, |b| add(b, item, OTHER, a.index)),
                0,
                "{text}"
            );
            assert_eq!(
                errno(&mut kernel, |b| delete(b, item, PROTOCOL)),
                missing,
                "{text}"
            );
        }
    });
}

#[test]
fn a_deletion_is_told_to_who_asks_for_it() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let mut events = EventSocket::open().unwrap();
        events.watch(libc::RTNLGRP_IPV4_ROUTE, true).unwrap();
        events.watch(libc::RTNLGRP_IPV4_RULE, true).unwrap();
        let rows = items(
            "10.1.0.0/16 dev a table 1000",
            "from 10.0.0.0/8 iif a oif a table 7",
        );
        for item in &rows {
            kernel.done(|batch| add(batch, item, PROTOCOL, a.index));
            kernel.done(|batch| delete(batch, item, PROTOCOL));
        }
        let What::Route(wanted) = &rows[0].what else {
            panic!("not a route");
        };
        event(&mut events, |content| match content {
            Content::RouteGone(gone) => gone.is_like(wanted).then_some(()),
            _ => None,
        });
        event(&mut events, |content| {
            matches!(content, Content::RuleGone).then_some(())
        });
        events.watch(libc::RTNLGRP_IPV4_ROUTE, false).unwrap();
        kernel.done(|batch| add(batch, &rows[0], PROTOCOL, a.index));
        kernel.done(|batch| delete(batch, &rows[0], PROTOCOL));
        let mut told = 0;
        events
            .receive(64, |message| {
                told += usize::from(matches!(Content::parse(&message), Content::RouteGone(_)));
            })
            .unwrap();
        assert_eq!(told, 0);
    });
}
