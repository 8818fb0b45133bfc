//! The helper process, asked as the daemon asks it. Without the test harness: a process may fork while
//! it has one thread. Root only, for programs of other users.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;

use nix::unistd::Pid;
use vipd::helper::message::{About, End, Ids, Remains, Reply, Writer};
use vipd::limits;
use vipd::sys::Errno;
use vipd::sys::child::Child;
use vipd::sys::clock;
use vipd::sys::poll::{Interest, Poll};
use vipd::sys::seqpacket::{Incoming, Seqpacket};
use vipd::sys::signal::{Signal, Signals, ignore_pipe};
use vipd::time::{Duration, Instant};

/// How long anything may take. Reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// The timeout of programs that run into it.
const SHORT: Duration = Duration::from_millis(200);
const NOBODY: Ids = Ids {
    uid: 65534,
    gid: 65533,
};

fn main() {
    let tests: &[(&str, fn())] = &[
        ("programs_end_in_every_way", programs_end_in_every_way),
        ("nothing_is_left_of_a_program", nothing_is_left_of_a_program),
        ("what_is_left_may_live", what_is_left_may_live),
        ("a_program_inherits_nothing", a_program_inherits_nothing),
        ("it_is_of_whom_it_is_to_be", it_is_of_whom_it_is_to_be),
        (
            "a_cancelled_program_is_killed",
            a_cancelled_program_is_killed,
        ),
        (
            "a_worker_that_dies_is_replaced",
            a_worker_that_dies_is_replaced,
        ),
        ("a_keeper_that_dies_is_told", a_keeper_that_dies_is_told),
        ("all_end_with_the_daemon", all_end_with_the_daemon),
        ("random_bytes_do_no_harm", random_bytes_do_no_harm),
        (
            "too_many_programs_are_refused",
            too_many_programs_are_refused,
        ),
    ];
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.find(|argument| !argument.starts_with('-'));
    for (name, test) in tests {
        if wanted.as_ref().is_none_or(|wanted| name.contains(wanted)) {
            test();
            println!("test {name} ... ok");
        }
    }
}

/// What a test asks for.
struct Ask<'a> {
    argv: &'a [&'a str],
    environment: &'a [&'a str],
    timeout: Duration,
    ids: Option<Ids>,
    remains: Remains,
    stdout: Option<OwnedFd>,
}

impl<'a> Ask<'a> {
    fn new(argv: &'a [&'a str]) -> Self {
        Self {
            argv,
            environment: &[],
            timeout: PATIENCE,
            ids: None,
            remains: Remains::Killed,
            stdout: None,
        }
    }
}

struct Helper {
    socket: Seqpacket,
    nursery: Child,
    generation: u32,
    jobs: u32,
}

impl Helper {
    fn new() -> Self {
        let (socket, nursery) = vipd::helper::start().unwrap();
        Self {
            socket,
            nursery,
            generation: 0,
            jobs: 0,
        }
    }

    fn about(&self) -> About {
        About {
            generation: self.generation,
            job: self.jobs,
        }
    }

    fn ask(&mut self, ask: Ask<'_>) -> u32 {
        self.jobs += 1;
        let mut buffer = [0; limits::HELPER_MESSAGE];
        let (timeout, ids) = (ask.timeout, ask.ids);
        let mut writer = Writer::new(&mut buffer, self.about(), timeout, ids, ask.remains);
        ask.argv.iter().for_each(|word| writer.argument(&[word]));
        let variables = ask.environment.iter();
        variables.for_each(|word| writer.variable(&[word]));
        let message = writer.finish().unwrap();
        let stdout = ask.stdout.as_ref().map(AsFd::as_fd);
        self.socket.send(message, stdout).unwrap();
        self.jobs
    }

    fn reply(&self) -> (About, Reply) {
        let mut poll = Poll::with_capacity(1);
        poll.add(&self.socket, Interest::Read);
        assert_eq!(poll.wait(Some(PATIENCE)).unwrap(), 1, "no reply");
        let mut buffer = [0; 64];
        match self.socket.receive(&mut buffer) {
            Incoming::Message(length) => Reply::parse(&buffer[..length]).unwrap(),
            other => panic!("{other:?} instead of a reply"),
        }
    }

    fn end(&self, job: u32) -> End {
        match self.reply() {
            (about, Reply::Ended(end)) => {
                assert_eq!((about.generation, about.job), (self.generation, job));
                end
            }
            other => panic!("{other:?} instead of an end"),
        }
    }

    /// Runs lines of shell to their end: how they ended, and what they wrote.
    fn shell(&mut self, script: &str, timeout: Duration) -> (End, String) {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let job = self.ask(Ask {
            timeout,
            stdout: Some(writer.into()),
            ..Ask::new(&["/bin/sh", "-c", script])
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        (self.end(job), text)
    }

    fn worker(&self) -> i32 {
        let mut workers = Vec::new();
        eventually("there is no worker, or something beside it", || {
            workers = children(self.nursery.pid());
            workers.len() == 1
        });
        workers[0]
    }

    /// Everything is as it was before the first program.
    fn is_idle(&self) {
        eventually("the worker has children", || {
            children(self.worker()).is_empty()
        });
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.worker()));
        // The three standard ones, the connection, and the signals.
        assert_eq!(descriptors.unwrap().count(), 5);
    }
}

fn children(pid: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let numbers = list.unwrap_or_default();
    let numbers = numbers.split_whitespace();
    numbers.map(|number| number.parse().unwrap()).collect()
}

fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    // An orphan of ours is reaped by the first process, some time.
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until something is so that nobody tells us of.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up: Instant = clock::now() + PATIENCE;
    while !is_so() {
        assert!(clock::now() < give_up, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

fn kill(pid: i32, signal: Signal) {
    nix::sys::signal::kill(Pid::from_raw(pid), signal).unwrap();
}

fn numbers(text: &str) -> Vec<i32> {
    text.split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect()
}

/// So many lines, before the end.
fn lines(reader: &mut impl Read, count: usize) -> String {
    let mut text = String::new();
    while text.matches('\n').count() < count {
        let mut byte = [0];
        reader.read_exact(&mut byte).unwrap();
        text.push(byte[0] as char);
    }
    text
}

fn programs_end_in_every_way() {
    let mut helper = Helper::new();
    let text = |end, text: &str| (end, text.to_owned());
    let ended = helper.shell("echo hello", PATIENCE);
    assert_eq!(ended, text(End::Exit(0), "hello\n"));
    let ended = helper.shell("echo no; exit 7", PATIENCE);
    assert_eq!(ended, text(End::Exit(7), "no\n"));
    for signal in [Signal::SIGABRT as u8, 40] {
        let ended = helper.shell(&format!("kill -{signal} $$"), PATIENCE);
        assert_eq!(ended.0, End::Signal(signal));
    }
    let (end, much) = helper.shell("head -c 300000 /dev/zero", PATIENCE);
    assert_eq!((end, much.len()), (End::Exit(0), 300_000));
    let ended = helper.shell("echo a; exec sleep 60", SHORT);
    assert_eq!(ended, text(End::TimedOut, "a\n"));
    let ended = helper.shell("trap '' TERM HUP INT; sleep 61 & wait; sleep 61", SHORT);
    assert_eq!(ended.0, End::TimedOut, "SIGTERM is not all there is");
    let ended = helper.shell("trap 'exit 0' TERM; sleep 61 & wait", SHORT);
    assert_eq!(ended.0, End::TimedOut, "by SIGTERM, if politely");
    let before = clock::now();
    let job = helper.ask(Ask::new(&["/nonexistent"]));
    assert_eq!(helper.end(job), End::NotStarted(Errno::ENOENT));
    let job = helper.ask(Ask::new(&["/etc/passwd"]));
    assert_eq!(helper.end(job), End::NotStarted(Errno::EACCES));
    assert!(clock::now().since(before) < PATIENCE);
    // Its output goes nowhere, which does not hold it up.
    let script = "head -c 9000000 /dev/zero; head -c 9000000 /dev/zero >&2";
    let job = helper.ask(Ask::new(&["/bin/sh", "-c", script]));
    assert_eq!(helper.end(job), End::Exit(0));
    helper.is_idle();
}

/// What leaves its session and its parent: as daemons do.
const DAEMON: &str =
    "setsid sh -c 'trap \"\" TERM HUP; echo $$; sleep 61 & echo $!; wait' & sleep 61 & echo $!";

fn nothing_is_left_of_a_program() {
    let mut helper = Helper::new();
    for (script, timeout, end) in [
        ("exec sleep 0.1", PATIENCE, End::Exit(0)),
        ("trap '' TERM; wait", SHORT, End::TimedOut),
    ] {
        // The pipe has an end because nobody holds it any more.
        let (ended, text) = helper.shell(&format!("{DAEMON}; {script}"), timeout);
        let pids = numbers(&text);
        assert_eq!((ended, pids.len()), (end, 3), "{script}");
        for pid in pids {
            assert!(!lives(pid), "{script}: {pid} lives when the end is told");
        }
        helper.is_idle();
    }
}

fn what_is_left_may_live() {
    let mut helper = Helper::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let job = helper.ask(Ask {
        stdout: Some(writer.into()),
        remains: Remains::Left,
        ..Ask::new(&["/bin/sh", "-c", &format!("{DAEMON}; sleep 0.1")])
    });
    assert_eq!(helper.end(job), End::Exit(0));
    let text = lines(&mut reader, 3);
    for pid in numbers(&text) {
        assert!(lives(pid), "{pid} was to live on");
        kill(pid, Signal::SIGKILL);
    }
    for pid in numbers(&text) {
        let gone = format!("/proc/{pid}");
        eventually("a zombie is left", || !fs::exists(&gone).unwrap());
    }
    helper.is_idle();
}

fn a_program_inherits_nothing() {
    ignore_pipe().unwrap();
    let _blocked = Signals::block(&[Signal::SIGUSR2, Signal::SIGTERM]).unwrap();
    // Open to all whom this process starts.
    let open = fs::File::open("/dev/null").unwrap();
    let flags = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty());
    nix::fcntl::fcntl(&open, flags).unwrap();
    let mut helper = Helper::new();
    let script = "ls -l /proc/self/fd; cat /proc/self/status; tr '\\0' '\\n' </proc/self/environ";
    let (mut reader, writer) = std::io::pipe().unwrap();
    let job = helper.ask(Ask {
        stdout: Some(writer.into()),
        environment: &["VIPD_X=a b", "Y="],
        ..Ask::new(&["/bin/sh", "-c", script, "zero", "one"])
    });
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(helper.end(job), End::Exit(0));
    let links = text.lines().filter(|line| line.contains(" -> "));
    let links: Vec<&str> = links.filter_map(|line| line.split(" -> ").nth(1)).collect();
    assert_eq!(
        links.len(),
        4,
        "{links:?}: three, and ls itself has one open"
    );
    assert_eq!((links[0], links[2]), ("/dev/null", "/dev/null"));
    assert!(links[1].starts_with("pipe:"), "{links:?}");
    for line in [
        "SigBlk:\t0000000000000000\n",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n",
        "VIPD_X=a b\nY=\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    // The real-time signals that posix_spawn(3) of glibc leaves ignored are not ours.
    let ignored = text.split_once("SigIgn:\t").unwrap().1;
    let ignored = u64::from_str_radix(ignored.lines().next().unwrap(), 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0, "signals are ignored");
    let variables = text.lines().skip_while(|line| !line.starts_with("PATH="));
    let names: HashSet<&str> = variables.filter_map(|v| v.split('=').next()).collect();
    // The shell has made the last three.
    for name in names {
        assert!(
            ["PATH", "VIPD_X", "Y", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name),
            "{name}"
        );
    }
}

fn it_is_of_whom_it_is_to_be() {
    let mut helper = Helper::new();
    let folder = std::env::temp_dir().join(format!("vipd-helper-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let out = folder.join("out");
    let script = format!(
        "grep -E '^(Uid|Gid|Groups|CapEff):' /proc/self/status >{}",
        out.display()
    );
    let job = helper.ask(Ask {
        ids: Some(NOBODY),
        ..Ask::new(&["/bin/sh", "-c", &script])
    });
    let end = helper.end(job);
    let text = fs::read_to_string(&out).unwrap_or_default();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(end, End::Exit(0));
    let expected = "Uid:\t65534\t65534\t65534\t65534\nGid:\t65533\t65533\t65533\t65533\n\
                    Groups:\t65533 \nCapEff:\t0000000000000000\n";
    assert_eq!(text, expected);
    // The same, and the kernel kills it with its keeper all the same.
    let job = helper.ask(Ask {
        ids: Some(NOBODY),
        ..Ask::new(&["/bin/sleep", "61"])
    });
    let sleeper = await_program(&helper, "sleep");
    kill(parent(sleeper), Signal::SIGKILL);
    assert_eq!(helper.end(job), End::Lost);
    eventually("it lives longer than its keeper", || !lives(sleeper));
}

fn name(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().to_owned()
}

fn parent(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.split_once("\nPPid:\t").unwrap().1;
    parent.lines().next().unwrap().parse().unwrap()
}

/// The process of the one program that runs, once it is that program.
fn await_program(helper: &Helper, program: &str) -> i32 {
    let mut found = 0;
    eventually("the program does not start", || {
        let keepers = children(helper.worker());
        let programs = keepers.iter().flat_map(|keeper| children(*keeper));
        found = programs.last().unwrap_or(0);
        found != 0 && name(found) == program
    });
    found
}

fn a_cancelled_program_is_killed() {
    let mut helper = Helper::new();
    let (reader, writer) = std::io::pipe().unwrap();
    helper.ask(Ask {
        stdout: Some(writer.into()),
        ..Ask::new(&["/bin/sleep", "61"])
    });
    await_program(&helper, "sleep");
    helper.socket.send(&helper.about().cancel(), None).unwrap();
    let mut text = String::new();
    { reader }.read_to_string(&mut text).unwrap();
    helper.is_idle();
    // The next one, and one that is not there.
    helper.jobs += 1;
    helper.socket.send(&helper.about().cancel(), None).unwrap();
    let (about, reply) = helper.reply();
    assert_eq!((about.job, reply), (1, Reply::Ended(End::TimedOut)));
    assert_eq!(helper.shell("exit 3", PATIENCE).0, End::Exit(3));
}

fn a_worker_that_dies_is_replaced() {
    let mut helper = Helper::new();
    for generation in 1..4 {
        let (_reader, writer) = std::io::pipe().unwrap();
        helper.ask(Ask {
            stdout: Some(writer.into()),
            ..Ask::new(&["/bin/sh", "-c", &format!("{DAEMON}; exec sleep 62")])
        });
        let sleeper = await_program(&helper, "sleep");
        let worker = helper.worker();
        kill(worker, Signal::SIGKILL);
        // Its keeper has the program killed, and tells of it; both come, in either order.
        let mut news = [helper.reply(), helper.reply()];
        news.sort_by_key(|(about, _)| about.generation);
        let [(_, ended), (about, reply)] = news;
        assert_eq!(reply, Reply::Restarted(End::Signal(9)));
        assert_eq!(about.generation, generation);
        assert_eq!(ended, Reply::Ended(End::TimedOut));
        assert!(!lives(sleeper));
        // For the worker that died: not run by the next, and that is gone which came with it.
        let (mut reader, writer) = std::io::pipe().unwrap();
        helper.ask(Ask {
            stdout: Some(writer.into()),
            ..Ask::new(&["/bin/echo", "never"])
        });
        helper.generation = generation;
        assert_eq!(helper.shell("exit 4", PATIENCE).0, End::Exit(4));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
        assert!(helper.worker() != worker);
        helper.is_idle();
    }
}

fn a_keeper_that_dies_is_told() {
    let mut helper = Helper::new();
    let job = helper.ask(Ask::new(&["/bin/sleep", "61"]));
    let sleeper = await_program(&helper, "sleep");
    kill(parent(sleeper), Signal::SIGKILL);
    assert_eq!(helper.end(job), End::Lost);
    eventually("it lives longer than its keeper", || !lives(sleeper));
    helper.is_idle();
}

fn all_end_with_the_daemon() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut daemon = Child::fork(|| {
        let mut helper = Helper::new();
        helper.ask(Ask {
            stdout: Some(writer.into()),
            ..Ask::new(&[
                "/bin/sh",
                "-c",
                &format!("trap '' TERM; echo $$; {DAEMON}; wait"),
            ])
        });
        std::thread::sleep(std::time::Duration::from_secs(60));
        0
    })
    .unwrap();
    let text = lines(&mut reader, 4);
    daemon.signal(Signal::SIGKILL).unwrap();
    daemon.wait(PATIENCE).unwrap();
    // Their pipe has an end: all of them, and who kept them, are gone.
    reader.read_to_string(&mut String::new()).unwrap();
    for pid in numbers(&text) {
        eventually("a program lives longer than the daemon", || !lives(pid));
    }
}

fn random_bytes_do_no_harm() {
    let mut helper = Helper::new();
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for length in 1..1500_usize {
        let mut message: Vec<u8> = (0..length * 3).map(|_| byte()).collect();
        if length % 2 == 0 && message.len() > 9 {
            // As far as possible a request, for a program that is none.
            message[..9].copy_from_slice(&[1, 0, 0, 0, 0, 9, 9, 9, 9]);
        }
        while helper.socket.send(&message, None) == Err(Errno::EAGAIN) {
            std::thread::yield_now();
        }
    }
    let worker = helper.worker();
    eventually("it works no more", || {
        let job = helper.ask(Ask::new(&["/bin/true"]));
        loop {
            // What has come of those that could be read.
            match helper.reply() {
                (about, Reply::Ended(end)) if about.job == job => break end == End::Exit(0),
                (_, Reply::Ended(End::NotStarted(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(helper.worker(), worker, "the same one");
}

fn too_many_programs_are_refused() {
    let mut helper = Helper::new();
    for _ in 0..limits::HELPER_JOBS {
        helper.ask(Ask {
            timeout: Duration::from_secs(3),
            ..Ask::new(&["/bin/sleep", "61"])
        });
    }
    let more = helper.ask(Ask::new(&["/bin/true"]));
    assert_eq!(helper.end(more), End::NotStarted(Errno::EAGAIN));
    for _ in 0..limits::HELPER_JOBS {
        assert_eq!(helper.reply().1, Reply::Ended(End::TimedOut));
    }
    assert_eq!(helper.shell("exit 5", PATIENCE).0, End::Exit(5));
    helper.is_idle();
}
