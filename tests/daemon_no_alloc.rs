//! Heap at the start only, seen from outside: a whole daemon that advertises and asks with each kind of
//! probe allocates nothing once it runs. One test in this file, because the allocator counts for the
//! whole process.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use vipd::config;
use vipd::daemon::Daemon;
use vipd::netlink::addr::{self, Existing, NewAddress};
use vipd::netlink::link_request;
use vipd::sys::netlink::{CommandSocket, interface_index};
use vipd::sys::netns::NetNs;

struct Counting;

/// Allocations of the daemon's thread.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
/// What has been asked over UDP.
static QUESTIONS: AtomicUsize = AtomicUsize::new(0);
/// What has been asked over TCP.
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static IS_DAEMON: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: hands everything to the system's allocator; the flag is a thread's own and needs no heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_DAEMON.with(Cell::get) {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
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

const PATIENCE: Duration = Duration::from_secs(30);
const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const THERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CONFIG: &str = "vrrp_instance A {
    interface v0
    version 3
    advert_int 0.01
    virtual_router_id 1
    virtual_ipaddress { 192.0.2.100 }
    probe {
        ping 192.0.2.1 via v0 interval 0.02
        ping 192.0.2.77 via v0 interval 0.02 weight -1
        arp 192.0.2.1 via v0 interval 0.02
        tcp 192.0.2.1:80 via v0 interval 0.02
        tcp 192.0.2.1:81 via v0 interval 0.02 weight -1
        dns example.org @192.0.2.1 via v0 interval 0.02
        default_route via v0 interval 0.02 weight -1
        default_route ipv6 via v0 interval 0.02 weight -1
    }
}
";

/// Sets the veth up, and gives it an address.
fn furnish(interface: &str, address: Ipv4Addr) {
    let mut commands = CommandSocket::open().unwrap();
    let index = interface_index(interface).unwrap().unwrap();
    let batch = commands.batch();
    link_request::set_up(batch, index, true);
    addr::add(
        batch,
        &NewAddress::plain(index, address.into(), 24),
        Existing::Refuse,
    );
    commands.send().unwrap();
    commands.receive(|_| ()).unwrap();
}

/// Waits until a counter has grown by `more`.
fn wait_for(counter: &AtomicUsize, more: usize, what: &str) {
    let (start, before) = (Instant::now(), counter.load(Ordering::Relaxed));
    while counter.load(Ordering::Relaxed) < before + more {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_daemon_with_probes_allocates_nothing() {
    let there = NetNs::new().expect("this test needs root");
    let here = NetNs::new().unwrap();
    there
        .run(|| {
            let mut commands = CommandSocket::open().unwrap();
            let fd = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&here));
            link_request::create_veth(commands.batch(), "v1", "v0", Some(fd));
            commands.send().unwrap();
            commands.receive(|_| ()).unwrap();
            furnish("v1", THERE);
            let server = UdpSocket::bind((THERE, 53)).unwrap();
            let listener = TcpListener::bind((THERE, 80)).unwrap();
            thread::spawn(move || answer(&server));
            thread::spawn(move || {
                while listener.accept().is_ok() {
                    CONNECTIONS.fetch_add(1, Ordering::Relaxed);
                }
            });
        })
        .unwrap();
    let dir = std::env::temp_dir().join(format!("vipd-no-alloc-{}", std::process::id()));
    let folder = dir.clone();
    // It ends with the process.
    thread::spawn(move || {
        here.enter().unwrap();
        furnish("v0", HERE);
        let config = config::load_str("f", CONFIG).unwrap().config;
        let mut daemon = Daemon::start(config, "f", &folder).unwrap();
        IS_DAEMON.with(|is_daemon| is_daemon.set(true));
        daemon.run()
    });
    // The first of each kind may allocate, and it becomes Active meanwhile.
    wait_for(&QUESTIONS, 100, "questions to the name server");
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    wait_for(&QUESTIONS, 100, "more questions to the name server");
    wait_for(&CONNECTIONS, 100, "connections");
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let _ = fs::remove_dir_all(&dir);
    assert!(before > 0, "the allocator counts");
    assert_eq!(allocations, 0);
}

/// Repeats each question as its answer.
fn answer(server: &UdpSocket) {
    let mut buffer = [0; 512];
    while let Ok((len, peer)) = server.recv_from(&mut buffer) {
        buffer[2] |= 0x80;
        let _ = server.send_to(&buffer[..len], peer);
        QUESTIONS.fetch_add(1, Ordering::Relaxed);
    }
}
