//! Child processes and user namespaces. Without the test harness: a process may fork while it has
//! one thread. Root only, for the namespace of [`commands_are_attached_to_a_namespace`].
#![allow(clippy::unwrap_used)]

use std::process::{Command, Stdio};

use vipd::netlink::link_request;
use vipd::sys::Errno;
use vipd::sys::child::{Child, Exit, die_with_parent};
use vipd::sys::clock;
use vipd::sys::netlink::CommandSocket;
use vipd::sys::netns::{NetNs, enter_user_namespace};
use vipd::sys::poll::Poll;
use vipd::sys::program::{End, Program};
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
        ("programs_end_in_every_way", programs_end_in_every_way),
        ("nothing_is_left_of_a_program", nothing_is_left_of_a_program),
        ("a_program_inherits_nothing", a_program_inherits_nothing),
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

/// Runs a shell command to its end as the daemon does: how it ended, and what it wrote.
fn run(script: &core::ffi::CStr, limit: usize, patience: Duration) -> (End, String) {
    let deadline = clock::now() + patience;
    let mut program = Program::start(&[c"/bin/sh", c"-c", script], limit, deadline).unwrap();
    let mut poll = Poll::with_capacity(2);
    let give_up = clock::now() + PATIENCE;
    loop {
        let now = clock::now();
        assert!(now < give_up, "{script:?} does not end");
        if let Some(end) = program.proceed(now).unwrap() {
            return (end, String::from_utf8_lossy(program.output()).into_owned());
        }
        poll.clear();
        program.add_to(&mut poll);
        let until = program.deadline().min(give_up);
        poll.wait(Some(until.since(now))).unwrap();
    }
}

fn programs_end_in_every_way() {
    let text = |end, text: &str| (end, text.to_owned());
    let code = |code| End::Exit(Exit::Code(code));
    assert_eq!(run(c"echo hello", 6, PATIENCE), text(code(0), "hello\n"));
    assert_eq!(run(c"echo hello", 5, PATIENCE), text(End::TooMuch, ""));
    assert_eq!(run(c"echo no; exit 7", 99, PATIENCE), text(code(7), "no\n"));
    assert_eq!(
        run(c"kill -ABRT $$", 99, PATIENCE).0,
        End::Exit(Exit::Signal(Signal::SIGABRT))
    );
    let much = run(c"head -c 200000 /dev/zero", 200_000, PATIENCE);
    assert_eq!((much.0, much.1.len()), (code(0), 200_000));
    let flood = run(c"exec cat /dev/zero", 200_000, PATIENCE);
    assert_eq!((flood.0, flood.1.len() > 100_000), (End::TooMuch, true));
    let short = Duration::from_millis(200);
    assert_eq!(
        run(c"echo a; exec sleep 60", 99, short),
        text(End::TimedOut, "a\n")
    );
    assert_eq!(
        run(c"exec sleep 60 >&-", 99, short),
        text(End::TimedOut, ""),
        "its output is closed, which must not keep the loop busy"
    );
    let missing = Program::start(&[c"/nonexistent"], 9, clock::now() + PATIENCE);
    let mut missing = missing.unwrap();
    let mut poll = Poll::with_capacity(2);
    missing.add_to(&mut poll);
    let end = loop {
        if let Some(end) = missing.proceed(clock::now()).unwrap() {
            break end;
        }
        poll.wait(Some(PATIENCE)).unwrap();
    };
    assert_eq!(end, code(127));
}

/// What is left of a program would hold the pipe that its number is read from.
fn nothing_is_left_of_a_program() {
    let short = Duration::from_millis(200);
    for (script, patience, end) in [
        (
            c"sleep 61 & echo $!; trap '' TERM HUP; exit 0",
            PATIENCE,
            End::Exit(Exit::Code(0)),
        ),
        (c"sleep 61 & echo $!; wait", short, End::TimedOut),
    ] {
        let (ended, number) = run(script, 99, patience);
        assert_eq!(ended, end, "{script:?}");
        // An orphan is reaped by the first process, some time.
        let stat = format!("/proc/{}/stat", number.trim());
        let dead = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        let give_up = clock::now() + PATIENCE;
        while !dead() {
            assert!(clock::now() < give_up, "{script:?}: {number} lives");
            std::thread::yield_now();
        }
    }
    let children = format!("/proc/self/task/{}/children", std::process::id());
    let program = Program::start(&[c"/bin/sleep", c"61"], 9, clock::now() + PATIENCE);
    let alive = std::fs::read_to_string(&children).unwrap();
    assert_eq!(alive.split_whitespace().count(), 1, "{alive}");
    drop(program);
    assert_eq!(std::fs::read_to_string(&children).unwrap(), "", "no zombie");
}

fn a_program_inherits_nothing() {
    vipd::sys::signal::ignore_pipe().unwrap();
    let _blocked = Signals::block(&[Signal::SIGUSR2]).unwrap();
    let script =
        c"ls /proc/self/fd | wc -l; cat /proc/self/status; tr '\\0' '\\n' </proc/self/environ";
    let (end, text) = run(script, 9999, PATIENCE);
    assert_eq!(end, End::Exit(Exit::Code(0)));
    // No descriptor but those that whoever runs this test leaves open to all.
    let mut other = Command::new("/bin/sh");
    other.args(["-c", "ls /proc/self/fd | wc -l"]);
    let count = other.stdin(Stdio::null()).output().unwrap().stdout;
    assert!(
        text.starts_with(&*String::from_utf8_lossy(&count)),
        "{text}"
    );
    for line in [
        "SigBlk:\t0000000000000000",
        "\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let ignored = text.split_once("SigIgn:\t").unwrap().1;
    let ignored = u64::from_str_radix(ignored.lines().next().unwrap(), 16).unwrap();
    let pipe = 1 << (Signal::SIGPIPE as u64 - 1);
    assert_eq!(ignored & pipe, 0, "SIGPIPE is ignored");
}
