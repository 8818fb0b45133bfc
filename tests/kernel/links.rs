//! Interfaces: made, changed, seen.

use std::os::fd::AsRawFd;

use vipd::netlink::{Content, link, link_request};
use vipd::sys::netlink::EventSocket;
use vipd::sys::netns::NetNs;
use vipd::sys::sysctl;

use crate::lab::{Kernel, Seen, event, in_namespace};

#[test]
fn a_veth_pair_is_seen_by_dump_and_by_name() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, b) = kernel.veth();
        assert_eq!(a.kind.as_deref(), Some("veth"));
        assert_eq!((a.parent, b.parent), (Some(b.index), Some(a.index)));
        assert!(a.running && b.running);
        assert!(a.mac.is_some() && a.mac != b.mac);
        link::get(kernel.0.batch(), "b");
        kernel.0.send().unwrap();
        let mut answer = None;
        kernel
            .0
            .receive(|message| answer = answer.take().or(Seen::of(&Content::parse(&message))))
            .unwrap();
        assert_eq!(answer, Some(b));
        let missing = kernel.answers(|batch| {
            link::get(batch, "c");
        });
        assert_eq!(missing[0].1, libc::ENODEV);
    });
}

#[test]
fn the_other_end_can_be_in_another_namespace() {
    in_namespace(|| {
        let other = NetNs::new().unwrap();
        let mut kernel = Kernel::open();
        let netns = other.as_raw_fd();
        kernel.done(|batch| link_request::create_veth(batch, "here", "there", Some(netns)));
        assert!(!kernel.links().iter().any(|link| link.name == "there"));
        let there = other.run(|| Kernel::open().link("there")).unwrap();
        assert_eq!(there.kind.as_deref(), Some("veth"));
        let here = kernel.link("here").index;
        kernel.done(|batch| link_request::set_netns(batch, here, netns));
        other.run(|| Kernel::open().link("here")).unwrap();
    });
}

/// A port that leaves its bridge is announced by an RTM_DELLINK of family AF_BRIDGE.
#[test]
fn joining_and_leaving_a_bridge_is_a_change_and_not_a_deletion() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        kernel.done(|batch| link_request::create_bridge(batch, "br"));
        let bridge = kernel.link("br");
        assert_eq!(bridge.kind.as_deref(), Some("bridge"));
        let mut events = EventSocket::open().unwrap();
        kernel.done(|batch| link_request::set_master(batch, a.index, Some(bridge.index)));
        let port = kernel.link("a");
        assert_eq!(port.port_kind.as_deref(), Some("bridge"));
        assert_eq!(port.master, Some(bridge.index));
        kernel.done(|batch| link_request::set_master(batch, a.index, None));
        kernel.done(|batch| link_request::delete(batch, bridge.index));
        let mut history = Vec::new();
        event(&mut events, |content| {
            history.extend(Seen::of(content));
            let Content::LinkGone(link) = content else {
                return None;
            };
            assert_eq!(link.name, "br", "the first that is gone");
            Some(())
        });
        let of_a: Vec<_> = history.iter().filter(|link| link.name == "a").collect();
        assert!(of_a.iter().any(|link| link.master == Some(bridge.index)));
        assert_eq!(of_a.last().unwrap().master, None);
    });
}

#[test]
fn every_change_is_an_event() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let mut events = EventSocket::open().unwrap();
        let (a, b) = kernel.veth();
        let mut expect = |wanted: &dyn Fn(&Seen) -> bool| {
            event(&mut events, |content| {
                Seen::of(content).filter(|seen| wanted(seen))
            })
        };
        expect(&|seen| seen.name == "a" && seen.running);
        kernel.done(|batch| link_request::set_up(batch, b.index, false));
        expect(&|seen| seen.name == "a" && !seen.running);
        let mac = [2, 0, 0, 0, 0, 7];
        kernel.done(|batch| link_request::set_mac(batch, a.index, mac));
        expect(&|seen| seen.mac == Some(mac));
        kernel.done(|batch| link_request::set_up(batch, a.index, false));
        kernel.done(|batch| link_request::rename(batch, a.index, "c"));
        expect(&|seen| seen.name == "c" && seen.index == a.index);
        kernel.done(|batch| link_request::delete(batch, a.index));
        expect(&|seen| seen.gone && seen.index == a.index);
        expect(&|seen| seen.gone && seen.index == b.index);
        let (again, _) = kernel.veth();
        assert_ne!(again.index, a.index, "the same name has a new index");
    });
}

#[test]
fn a_macvlan_has_its_own_mac_and_is_down() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let mac = [0, 0, 0x5e, 0, 1, 50];
        kernel.done(|batch| link_request::create_macvlan(batch, "vrrp.50", a.index, mac));
        let made = kernel.link("vrrp.50");
        assert_eq!(made.kind.as_deref(), Some("macvlan"));
        assert_eq!((made.mac, made.parent), (Some(mac), Some(a.index)));
        assert!(!made.running);
    });
}

/// As with sysctl, which shows both.
#[test]
fn parameters_are_set_and_read_with_the_interface() {
    in_namespace(|| {
        let mut kernel = Kernel::open();
        let (a, _) = kernel.veth();
        let wanted = [
            (link::FORWARDING, 1),
            (link::RP_FILTER, 2),
            (link::ARP_ANNOUNCE, 2),
            (link::ARP_IGNORE, 1),
        ];
        kernel.done(|batch| link_request::set_ipv4(batch, a.index, &wanted));
        kernel.done(|batch| link_request::no_own_ipv6(batch, a.index));
        link::get(kernel.0.batch(), &a.name);
        kernel.0.send().unwrap();
        let mut seen = None;
        kernel
            .0
            .receive(|message| {
                if let Content::Link(link) = Content::parse(&message) {
                    seen = Some(wanted.map(|(parameter, _)| link.ipv4(parameter)));
                    assert_eq!((link.ipv4(0), link.ipv4(u16::MAX)), (None, None));
                }
            })
            .unwrap();
        assert_eq!(seen, Some(wanted.map(|(_, value)| Some(value))));
        for (name, value) in [
            ("ipv4/conf/a/forwarding", "1"),
            ("ipv4/conf/a/rp_filter", "2"),
            ("ipv4/conf/a/arp_announce", "2"),
            ("ipv4/conf/a/arp_ignore", "1"),
            ("ipv6/conf/a/addr_gen_mode", "1"),
        ] {
            assert_eq!(
                sysctl::read(&format!("net/{name}")).unwrap(),
                value,
                "{name}"
            );
        }
    });
}
