//! Child processes and user namespaces. Without the test harness: a process may fork while it has
//! one thread. Root only, for the namespace of [`commands_are_attached_to_a_namespace`].
#![allow(clippy::unwrap_used)]

use std::process::Command;

use vipd::netlink::link_request;
use vipd::sys::Errno;
use vipd::sys::child::{Child, Exit, die_with_parent};
use vipd::sys::netlink::CommandSocket;
use vipd::sys::netns::{NetNs, enter_user_namespace};
use vipd::sys::signal::{Signal, Signals};
use vipd::time::Duration;

/// How long anything may take. Reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let tests: &[(&str, fn())] = &[
        ("ends_are_told", ends_are_told),
        ("children_do_not_outlive_us", children_do_not_outlive_us),
        (
            "a_user_namespace_needs_no_root",
            a_user_namespace_needs_no_root,
        ),
        (
            "commands_are_attached_to_a_namespace",
            commands_are_attached_to_a_namespace,
        ),
        // Last: a thread that was joined may still be counted for a moment.
        (
            "forking_beside_threads_is_refused",
            forking_beside_threads_is_refused,
        ),
    ];
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    for (name, test) in tests {
        if wanted
            .as_ref()
            .is_none_or(|wanted| name.contains(wanted.as_str()))
        {
            test();
            println!("test {name} ... ok");
        }
    }
}

fn ends_are_told() {
    let end = |work: fn() -> i32| Child::fork(work).unwrap().wait(PATIENCE).unwrap();
    assert_eq!(end(|| 7), Some(Exit::Code(7)));
    assert_eq!(
        end(|| panic!("on purpose: a panic is an exit code")),
        Some(Exit::Code(101))
    );
    let mut sleeper = Child::fork(sleep).unwrap();
    assert_eq!(sleeper.wait(Duration::ZERO).unwrap(), None);
    sleeper.signal(Signal::SIGTERM).unwrap();
    let killed = Some(Exit::Signal(Signal::SIGTERM));
    assert_eq!(sleeper.wait(PATIENCE).unwrap(), killed);
    assert_eq!(sleeper.wait(PATIENCE).unwrap(), killed, "told again");
}

fn children_do_not_outlive_us() {
    let child = Child::fork(sleep).unwrap();
    let dropped = child.pid();
    drop(child);
    assert!(!exists(dropped), "dropped is killed and reaped");
    // A child that forks and is killed: the kernel kills its own child with it.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let parent = Child::fork(move || {
        use std::io::Write;
        let grandchild = Child::fork(sleep).unwrap();
        (&writer)
            .write_all(&grandchild.pid().to_ne_bytes())
            .unwrap();
        sleep()
    })
    .unwrap();
    let mut pid = [0; 4];
    std::io::Read::read_exact(&mut reader, &mut pid).unwrap();
    drop(parent);
    // The pipe's last writer was the grandchild: its end is the end of the file.
    assert_eq!(std::io::Read::read(&mut reader, &mut pid).unwrap(), 0);
}

fn sleep() -> i32 {
    std::thread::sleep(std::time::Duration::from_secs(60));
    0
}

fn exists(pid: i32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

fn forking_beside_threads_is_refused() {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let error = Child::fork(|| 0).unwrap_err();
            assert_eq!(error.errno, Errno::EBUSY);
        });
    });
}

/// Makes an interface in this thread's namespace.
fn make_interface(name: &str) {
    let mut socket = CommandSocket::open().unwrap();
    link_request::create_veth(socket.batch(), name, "peer", None);
    socket.send().unwrap();
    assert_eq!(socket.receive(|_| ()).unwrap(), 1);
}

fn interfaces() -> String {
    std::fs::read_to_string("/proc/thread-self/net/dev").unwrap()
}

fn a_user_namespace_needs_no_root() {
    let work = || {
        enter_user_namespace().expect("user namespaces must be permitted here");
        assert!(nix::unistd::getuid().is_root());
        make_interface("first");
        assert!(interfaces().contains(" first:"));
        let other = NetNs::new().unwrap();
        let there = other.run(|| {
            make_interface("second");
            interfaces()
        });
        assert!(there.unwrap().contains("second:") && !interfaces().contains("second:"));
        0
    };
    let mut child = Child::fork(work).unwrap();
    assert_eq!(child.wait(PATIENCE).unwrap(), Some(Exit::Code(0)));
}

fn commands_are_attached_to_a_namespace() {
    let other = NetNs::new().expect("this test needs root");
    other.run(|| make_interface("there")).unwrap();
    let _blocked = Signals::block(&[Signal::SIGTERM, Signal::SIGINT]).unwrap();
    let mut command = Command::new("cat");
    command.args(["/proc/self/net/dev", "/proc/self/status"]);
    other.attach(&mut command).unwrap();
    die_with_parent(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("there:") && !interfaces().contains("there:"),
        "{text}"
    );
    assert!(text.contains("SigBlk:\t0000000000000000"), "{text}");
}
