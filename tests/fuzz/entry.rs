//! What is fuzzed: functions from bytes that may be anything to nothing, which must not panic.
//! The fuzz targets call them, and so does `tests/parsing.rs` on stable, with the corpus.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::frame;
use vipd::helper::message::{Reply, Request};
use vipd::limits;
use vipd::netlink::parse::Messages;
use vipd::netlink::process::News;
use vipd::probe::{arp, dns, echo};
use vipd::sys::proc;
use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Actions, Unresolved};
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::router::{Router, Spec};
use vipd::vrrp::types::{
    Announce, Auth, ChecksumForm, ChecksumMode, Family, GROUP6, Settings, State, Version,
};
use vipd::vrrp::validate::Received;
use vipd::vrrp::wire::{Packet, Repr};

const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 201, 102));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 201, 103));
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 201, 101));
const OWN6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
const PEER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 3));
const VIP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x50));
const START: Instant = Instant::from_micros(1_000_000);

fn settings(version: Version) -> Settings {
    Settings {
        family: Family::V4,
        version,
        vrid: 50,
        priority: 100,
        advert_interval: Duration::from_secs(1),
        down_timer_adverts: 3,
        preempt: true,
        preempt_delay: Duration::from_secs(2),
        auth: Auth::None,
        checksum: ChecksumMode::Auto,
        skip_check_adv_addr: false,
        announce: Announce::default(),
        unicast: None,
        trackers: Box::default(),
        addresses: [VIP].into(),
    }
}

fn router(settings: Settings) -> Router {
    let specs = vec![Spec {
        link: 0,
        settings: settings.into(),
    }];
    Router::new(specs, GROUP, Duration::ZERO, START)
}

fn settings6() -> Settings {
    Settings {
        family: Family::V6,
        addresses: [VIP6].into(),
        ..settings(Version::V3)
    }
}

/// The payload of an IP packet: read as either family, and given to a router of each version.
pub fn advert(data: &[u8]) {
    for family in [Family::V4, Family::V6] {
        if let Ok(packet) = Packet::new_checked(data, family) {
            assert_eq!(packet.addresses().count(), usize::from(packet.count()));
        }
    }
    for (settings, own, source, destination) in [
        (settings(Version::V2), OWN, PEER, GROUP),
        (settings(Version::V3), OWN, PEER, GROUP),
        (settings6(), OWN6, PEER6, GROUP6),
    ] {
        let mut router = router(settings);
        let mut out = Actions::new();
        let id = router.ids().next().expect("it has one instance");
        router.handle(id, Event::Link(LinkState::Up(Some(own))), START, &mut out);
        out.clear();
        let received = Received {
            link: 0,
            source,
            destination,
            ttl: 255,
            payload: data,
        };
        router.receive(&received, START, &mut out);
    }
}

/// A whole Ethernet frame.
pub fn frame(data: &[u8]) {
    for family in [Family::V4, Family::V6] {
        if let Ok(packet) = frame::parse(family, data) {
            assert!(packet.payload.len() <= data.len());
            assert_eq!(Family::of(&packet.source), family);
            advert(packet.payload);
        }
        let _ = frame::parse_packet(family, data);
    }
}

/// A message of the helper's connection: what the worker or the daemon takes it for is within bounds,
/// and what the daemon takes it for is what would be sent.
pub fn helper(data: &[u8]) {
    if let Some((_, Request::Run(run))) = Request::parse(data) {
        let (arguments, environment) = run.words();
        let words: Vec<_> = arguments.iter().chain(&environment).collect();
        assert!((1..=limits::HELPER_WORDS).contains(&words.len()));
        assert!(!arguments.is_empty(), "there is a program");
        let length: usize = words.iter().map(|word| word.count_bytes() + 1).sum();
        assert!(length <= data.len());
    }
    if let Some((about, reply)) = Reply::parse(data) {
        let again = reply.emit(about);
        assert_eq!(Reply::parse(&again), Some((about, reply)));
    }
}

/// What may come back to a probe: an IP packet with ICMP, an Ethernet frame with ARP, a name server's
/// answer.
pub fn answer(data: &[u8]) {
    for family in [Family::V4, Family::V6] {
        if let Some(heard) = echo::parse(family, data) {
            assert_eq!(Family::of(&heard.about), family);
        }
    }
    let _ = arp::parse(data, [2; 6]);
    let mut question = [0; dns::LEN];
    let len = dns::question(&mut question, 0x1234, "openwrt.org", PEER);
    let rcode = dns::parse(&question[..len], data);
    assert!(rcode.is_none_or(|rcode| rcode < 16));
}

/// What tells of processes: an entry of /proc, `/proc/PID/stat`, a message of the proc connector.
pub fn process(data: &[u8]) {
    let mut count = 0;
    proc::ids(data, &mut |_| count += 1);
    assert!(count <= data.len() / 20, "an entry has 20 bytes");
    if let Some(name) = proc::living(data) {
        assert!(name.len() + 4 <= data.len());
    }
    for message in Messages::new(data) {
        if let Some(News::Changed(id) | News::Ended(id)) = News::parse(&message) {
            let id = id.to_ne_bytes();
            assert!(message.body.windows(4).any(|word| word == id));
        }
    }
}

/// A sequence of operations on a router: two bytes each, what and how much. Whatever the order,
/// addresses stand exactly while it is Active, and after the timers nothing is due.
pub fn operations(data: &[u8]) {
    let version = match data.first() {
        Some(byte) if byte % 2 == 0 => Version::V2,
        _ => Version::V3,
    };
    let settings = settings(version);
    let mut router = router(settings.clone());
    let mut now = START;
    let mut addresses = false;
    for operation in data.chunks_exact(2) {
        let mut out = Actions::new();
        let id = router.ids().next().expect("it has one instance");
        match (operation[0] % 8, operation[1]) {
            (0, amount) => {
                now += Duration::from_millis(u64::from(amount) * 20);
                while router.poll(now, &mut out) {
                    follow(&out, &mut addresses);
                    out.clear();
                }
                assert!(router.poll_at() > now);
            }
            (1, 0) => router.handle(id, Event::Shutdown, now, &mut out),
            (1, kind) => {
                let link = match kind % 6 {
                    0 => LinkState::Down,
                    1 => LinkState::Absent,
                    2 => LinkState::Up(None),
                    3 => LinkState::BridgePort(4),
                    4 => LinkState::Unresolved(Unresolved::Unknown),
                    _ => LinkState::Up(Some(OWN)),
                };
                router.handle(id, Event::Link(link), now, &mut out);
            }
            (2, _) => router.handle(id, Event::AddressLost, now, &mut out),
            (_, priority) => {
                let repr = Repr {
                    version,
                    vrid: 50,
                    priority,
                    interval: settings.advert_interval,
                    auth: Auth::None,
                    checksum: ChecksumForm::Message,
                    source: PEER,
                    destination: GROUP,
                    addresses: &settings.addresses,
                };
                let mut payload = [0; 32];
                repr.emit(&mut payload);
                let (source, destination) = (PEER, GROUP);
                let received = Received {
                    link: 0,
                    source,
                    destination,
                    ttl: 255,
                    payload: &payload,
                };
                router.receive(&received, now, &mut out);
            }
        }
        follow(&out, &mut addresses);
        let active = router.instance(id).state() == State::Active;
        assert_eq!(
            addresses, active,
            "addresses stand exactly while it is Active"
        );
    }
}

fn follow(actions: &Actions, addresses: &mut bool) {
    for action in actions {
        match action {
            Action::AddAddresses(_) => *addresses = true,
            Action::RemoveAddresses(_) => *addresses = false,
            _ => {}
        }
    }
}
