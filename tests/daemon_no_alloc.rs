//! Heap at the start only, seen from outside: a whole daemon that advertises, asks with each kind of probe,
//! runs scripts, changes its state and tells of it allocates nothing once it runs.
//!
//! Without the test harness: the daemon is another run of this program, which forks its helper while it has
//! one thread. Root only.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use vipd::config;
use vipd::daemon::Daemon;
use vipd::netlink::addr::{self, Existing, NewAddress};
use vipd::netlink::link_request;
use vipd::sys::netlink::{CommandSocket, interface_index};
use vipd::sys::netns::NetNs;

struct Counting;

/// Where the daemon's process counts its allocations: a file that is mapped.
static ALLOCATIONS: AtomicPtr<AtomicU32> = AtomicPtr::new(null_mut());
/// What has been asked over UDP.
static QUESTIONS: AtomicUsize = AtomicUsize::new(0);
/// What has been asked over TCP.
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

fn allocations() -> Option<&'static AtomicU32> {
    // SAFETY: null, or a mapping that is never undone.
    unsafe { ALLOCATIONS.load(Ordering::Relaxed).as_ref() }
}

/// Maps the number in a file, which other processes can read.
fn share(file: &Path) {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(file)
        .unwrap();
    file.set_len(size_of::<AtomicU32>() as u64).unwrap();
    // SAFETY: a new mapping at a place that the kernel chooses, as long as the number.
    let place = unsafe {
        let (len, rights) = (size_of::<AtomicU32>(), libc::PROT_READ | libc::PROT_WRITE);
        libc::mmap(
            null_mut(),
            len,
            rights,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    assert_ne!(place, libc::MAP_FAILED);
    ALLOCATIONS.store(place.cast(), Ordering::Relaxed);
}

// SAFETY: hands everything to the system's allocator; counting needs no heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(allocations) = allocations() {
            allocations.fetch_add(1, Ordering::Relaxed);
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

/// Tells the daemon's process where its folder is.
const FOLDER: &str = "VIPD_TEST_FOLDER";
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
/// A script that succeeds and fails in turn, and what is told of what follows. FOLDER is the daemon's.
const SCRIPTS: &str = "global_defs {
    vrrp_notify_fifo FOLDER/fifo
}
vrrp_script turns {
    script \"/bin/sh FOLDER/turns\"
    interval 0.1
}
vrrp_sync_group G {
    group { B C }
    notify \"/bin/sh FOLDER/told\"
}
vrrp_instance B {
    interface v0
    version 3
    advert_int 0.01
    virtual_router_id 2
    virtual_ipaddress { 192.0.2.101 }
    track_script { turns }
    notify \"/bin/sh FOLDER/told\"
    notify_fault \"/bin/sh FOLDER/told\"
}
vrrp_instance C {
    interface v0
    version 3
    advert_int 0.01
    virtual_router_id 3
    virtual_ipaddress { 192.0.2.102 }
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
    let before = counter.load(Ordering::Relaxed);
    wait_until(what, || counter.load(Ordering::Relaxed) >= before + more);
}

/// Waits until the scripts have told of `more` transitions.
fn wait_told(folder: &Path, more: u64) {
    let length = || fs::metadata(folder.join("log")).map_or(0, |file| file.len());
    let before = length();
    wait_until("transitions", || length() >= before + more);
}

/// Asks again and again whether something is so that nobody tells of.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn main() {
    match std::env::var_os(FOLDER) {
        Some(folder) => run(Path::new(&folder)),
        None => test(),
    }
}

/// The daemon, in a process of its own.
fn run(folder: &Path) {
    // SAFETY: prctl(2) with numbers only. The other process may panic.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    furnish("v0", HERE);
    let text = SCRIPTS.replace("FOLDER", folder.to_str().unwrap()) + CONFIG;
    let config = config::load_str("f", &text).unwrap().config;
    let mut daemon = Daemon::start(config, "f", folder.to_str().unwrap()).unwrap();
    share(&folder.join("count"));
    let end = daemon.run();
    panic!("the daemon has ended: {end:?}");
}

fn test() {
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
    let folder = std::env::temp_dir().join(format!("vipd-no-alloc-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.to_str().unwrap();
    let turns = format!("cd {path}; rm on 2>/dev/null && exit 1; : >on");
    fs::write(folder.join("turns"), turns).unwrap();
    fs::write(folder.join("told"), format!("printf . >>{path}/log")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(FOLDER, path);
    let mut daemon = here.run(|| command.spawn().unwrap()).unwrap();
    let judged = std::panic::catch_unwind(|| judge(&folder));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    if judged.is_err() {
        std::process::exit(1);
    }
    println!("test a_daemon_with_probes_and_scripts_allocates_nothing ... ok");
    println!("test result: ok. 1 passed; 0 failed");
}

fn judge(folder: &Path) {
    // The first of each kind may allocate, and it becomes Active meanwhile.
    wait_for(&QUESTIONS, 100, "questions to the name server");
    wait_told(folder, 40);
    let count = || {
        let bytes = fs::read(folder.join("count")).unwrap();
        u32::from_ne_bytes(bytes.try_into().unwrap())
    };
    let before = count();
    wait_for(&QUESTIONS, 100, "more questions to the name server");
    wait_for(&CONNECTIONS, 100, "connections");
    wait_told(folder, 40);
    assert!(before > 0, "the allocator counts");
    assert_eq!(count() - before, 0);
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
