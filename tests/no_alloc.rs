//! After construction the core never asks for memory: not for adverts, transitions, drops of every
//! reason, or floods.
#![allow(unsafe_code, unreachable_pub)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

use common::{GROUP, HIGH, LOW, OWN, bytes, family, peer, settings};
use vipd::frame::{self, Ipv4Header, Ipv6Header, Macs};
use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Actions, Id};
use vipd::vrrp::drop::DropReason;
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::router::{Router, Spec};
use vipd::vrrp::track::{Kind, Reading, Tracker, Watched};
use vipd::vrrp::trial::Rules;
use vipd::vrrp::types::{Auth, Family, Settings, State, Version};
use vipd::vrrp::validate::Received;
use vipd::vrrp::wire::{MAX_LEN, Repr};

thread_local! {
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // During the end of a thread the counter is gone; nothing is measured then.
    let _ = REQUESTS.try_with(|requests| requests.set(requests.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc`'s contract, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count();
        // SAFETY: the block came from `System` with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the block came from `System` with this layout.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `act` asked for memory or gave some back.
fn requests(act: impl FnOnce()) -> u64 {
    let before = REQUESTS.get();
    act();
    REQUESTS.get() - before
}

const INSTANCES: u8 = 200;
/// The first of them are in sync groups of four.
const GROUPED: usize = 80;

/// Half of them v2 with a password, half v3, of which every second is IPv6.
fn instance(vrid: u8) -> Settings {
    let version = if vrid.is_multiple_of(2) {
        Version::V2
    } else {
        Version::V3
    };
    let auth = match version {
        Version::V2 => Auth::Pass(*b"secret\0\0"),
        Version::V3 => Auth::None,
    };
    let address = |host| IpAddr::V4(Ipv4Addr::new(10, 10, host, vrid));
    let settings = Settings {
        vrid,
        auth,
        trackers: (0..2)
            .map(|n| Tracker {
                what: Watched {
                    kind: Kind::Interface,
                    name: "eth1".into(),
                },
                // Every fifth has one that is a fault.
                weight: if n == 1 && vrid.is_multiple_of(5) {
                    0
                } else {
                    -20
                },
                reverse: false,
                // Every seventh has one that counts on the Active only.
                uplink: (n == 0 && vrid.is_multiple_of(7)).then_some(Rules {
                    timeout: Duration::from_secs(2),
                    hold_down: Duration::from_secs(5),
                }),
            })
            .collect(),
        addresses: (0..20).map(address).collect(),
        ..settings(version)
    };
    family::settings(settings, family_of(vrid))
}

fn family_of(vrid: u8) -> Family {
    if vrid % 4 == 1 {
        Family::V6
    } else {
        Family::V4
    }
}

/// The router, the time, and what the daemon does with actions, without the daemon.
struct Machine {
    router: Router,
    now: Instant,
    out: Actions,
    buffer: [u8; frame::IPV6_PAYLOAD + MAX_LEN],
    done: u64,
    became_active: u64,
}

impl Machine {
    fn new() -> Self {
        let specs = (1..=INSTANCES).map(|vrid| Spec {
            link: 0,
            settings: instance(vrid).into(),
        });
        let now = Instant::from_micros(5_000_000);
        let mut router = Router::new(specs.collect(), GROUP, Duration::ZERO, now);
        let ids: Vec<Id> = router.ids().collect();
        let groups = ids[..GROUPED].chunks(4).map(Into::into).collect();
        router.set_groups(groups, now);
        Self {
            router,
            now,
            out: Actions::new(),
            buffer: [0; frame::IPV6_PAYLOAD + MAX_LEN],
            done: 0,
            became_active: 0,
        }
    }

    /// Every tracker sees this.
    fn track(&mut self, reading: Reading) {
        for id in self.router.ids() {
            self.router.track(id, &|_| reading, self.now, &mut self.out);
            self.execute();
        }
    }

    fn event(&mut self, event: Event) {
        for id in self.router.ids() {
            let family = self.router.instance(id).settings().family;
            let event = match event {
                Event::Link(link) => Event::Link(family::link(link, family)),
                other => other,
            };
            self.router.handle(id, event, self.now, &mut self.out);
            self.execute();
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.router.poll_at() <= end {
            self.now = self.router.poll_at();
            while self.router.poll(self.now, &mut self.out) {
                self.execute();
            }
        }
        self.now = end;
    }

    fn receive(&mut self, source: IpAddr, destination: IpAddr, ttl: u8, payload: &[u8]) {
        let received = Received {
            link: 0,
            source,
            destination,
            ttl,
            payload,
        };
        self.router.receive(&received, self.now, &mut self.out);
        self.execute();
    }

    /// Emits each advert as the daemon would, and reads the frame again.
    fn execute(&mut self) {
        for action in &self.out {
            self.done += 1;
            match action {
                Action::Advert(id, priority) => {
                    emit(&self.router, *id, *priority, &mut self.buffer);
                }
                Action::StateChanged(_, change) if change.to == State::Active => {
                    self.became_active += 1;
                }
                _ => {}
            }
        }
        self.out.clear();
    }
}

fn emit(router: &Router, id: Id, priority: u8, buffer: &mut [u8]) {
    for repr in router.adverts(id, priority) {
        emit_one(&repr, buffer);
    }
}

fn emit_one(repr: &Repr<'_>, buffer: &mut [u8]) {
    let macs = Macs {
        source: [2, 0, 0, 0, 0, 1],
        destination: frame::multicast_mac(repr.destination),
    };
    let payload_len = repr.buffer_len();
    let len = match (repr.source, repr.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            repr.emit(&mut buffer[frame::IPV4_PAYLOAD..]);
            let header = Ipv4Header {
                source,
                destination,
                ttl: frame::TTL,
                identification: 1,
                payload_len,
            };
            frame::emit_ipv4(buffer, &macs, &header)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            repr.emit(&mut buffer[frame::IPV6_PAYLOAD..]);
            let header = Ipv6Header {
                source,
                destination,
                hop_limit: frame::HOP_LIMIT,
                payload_len,
            };
            frame::emit_ipv6(buffer, &macs, &header)
        }
        _ => panic!("two families in one advert"),
    };
    assert!(frame::parse(Family::of(&repr.source), &buffer[..len]).is_ok());
}

/// Packets of every kind for every instance: good ones, and some for each rung of the ladder.
fn packets() -> Vec<(IpAddr, IpAddr, u8, Vec<u8>)> {
    let mut all = Vec::new();
    for vrid in 1..=INSTANCES {
        let settings = instance(vrid);
        let good = peer(&settings, HIGH, 50);
        let version = match settings.version {
            Version::V2 => Version::V3,
            Version::V3 => Version::V2,
        };
        let variants = [
            Repr {
                priority: 0,
                ..good
            },
            Repr { version, ..good },
            Repr {
                addresses: &[],
                ..good
            },
            Repr {
                interval: Duration::ZERO,
                ..good
            },
            Repr {
                interval: Duration::from_secs(3),
                ..good
            },
            Repr {
                auth: Auth::None,
                ..good
            },
            Repr {
                auth: Auth::Pass([1; 8]),
                ..good
            },
            Repr {
                vrid: vrid.wrapping_add(INSTANCES),
                ..good
            },
            Repr {
                addresses: &settings.addresses[1..],
                ..good
            },
        ];
        let of = |address| family::address(address, settings.family);
        let (own, high, group) = (of(OWN), of(HIGH), of(GROUP));
        all.extend(variants.iter().map(|repr| (high, group, 255, bytes(repr))));
        if settings.family == Family::V6 {
            let source = "2001:db8::9".parse().expect("an address");
            all.push((source, group, 255, bytes(&Repr { source, ..good })));
        }
        let plain = bytes(&good);
        let spoiled = |at: usize, value: u8| {
            let mut bytes = plain.clone();
            bytes[at] = value;
            bytes
        };
        all.extend([
            (high, group, 254, plain.clone()),
            (high, own, 255, plain.clone()),
            (own, group, 255, plain.clone()),
            (high, group, 255, plain[..9].to_vec()),
            (high, group, 255, spoiled(0, 0x91)),
            (high, group, 255, spoiled(0, 0x2f)),
            (high, group, 255, spoiled(7, 0x77)),
            (high, group, 255, Vec::new()),
        ]);
    }
    all
}

#[test]
fn the_counter_counts() {
    let taken = requests(|| drop(std::hint::black_box(Box::new([0_u8; 100]))));
    assert_eq!(taken, 2, "one block taken and given back");
}

#[test]
fn nothing_is_allocated_after_construction() {
    let mut machine = Machine::new();
    let bad = packets();
    let takeover: Vec<(IpAddr, IpAddr, Vec<u8>)> = (1..=INSTANCES)
        .map(|vrid| {
            let settings = instance(vrid);
            let repr = peer(&settings, LOW, 200);
            (repr.source, repr.destination, bytes(&repr))
        })
        .collect();
    let taken = requests(|| {
        machine.track(Reading::Up);
        machine.event(Event::Link(LinkState::Up(Some(OWN))));
        machine.run(Duration::from_secs(4));
        for _ in 0..10 {
            // A flood of every kind, in both states.
            for (source, destination, ttl, payload) in &bad {
                machine.receive(*source, *destination, *ttl, payload);
                let _ = frame::parse_ipv4(payload);
                let _ = frame::parse_ipv6(payload);
            }
            machine.event(Event::AddressLost);
            machine.track(Reading::Down);
            machine.run(Duration::from_secs(10));
            machine.track(Reading::Up);
            machine.run(Duration::from_secs(5));
            // Everybody is outranked, then takes over again.
            takeover.iter().for_each(|(source, group, payload)| {
                machine.receive(*source, *group, 255, payload)
            });
            for (source, destination, ttl, payload) in &bad {
                machine.receive(*source, *destination, *ttl, payload);
            }
            machine.run(Duration::from_secs(5));
            machine.event(Event::Link(LinkState::Down));
            for (source, destination, ttl, payload) in &bad {
                machine.receive(*source, *destination, *ttl, payload);
            }
            machine.event(Event::Link(LinkState::Up(Some(OWN))));
            machine.run(Duration::from_secs(5));
        }
        for reason in DropReason::ALL {
            machine.router.count_drop(*reason);
        }
        machine.event(Event::Shutdown);
    });
    assert_eq!(taken, 0, "the heap was touched {taken} times");
    // It must have been a life worth measuring.
    assert!(
        machine.became_active >= 20 * u64::from(INSTANCES),
        "{}",
        machine.became_active
    );
    assert!(machine.done > 20_000, "only {} actions", machine.done);
    let mut seen = [0_u32; DropReason::COUNT];
    for reason in DropReason::ALL {
        let of = |instance: &vipd::vrrp::instance::Instance| instance.counters().drops.get(*reason);
        seen[*reason as usize] = machine.router.drops().get(*reason)
            + machine.router.instances().iter().map(of).sum::<u32>();
    }
    assert!(
        seen.iter().all(|times| *times > 0),
        "drops of every reason: {seen:?}"
    );
}
