//! A daemon in a network namespace and a runtime directory of its own; both go with it.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use vipd::sys::child::die_with_parent;
use vipd::sys::clock;
use vipd::sys::netns::NetNs;
use vipd::sys::poll::{Interest, Poll};
use vipd::sys::signal::Signal;
use vipd::time::Duration;

/// How long anything may take. Reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// One laboratory at a time: between fork and exec a child of another test holds copies of this
/// test's sockets, so that a client that was dropped still looks connected to the daemon.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Lab {
    dir: PathBuf,
    namespace: NetNs,
    daemon: Child,
    _turn: MutexGuard<'static, ()>,
}

/// What a run of the program has ended with.
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) error: String,
}

impl Output {
    /// Standard output of a run that must have succeeded.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{}", self.error);
        self.text
    }
}

/// What the daemon holds of the system.
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) descriptors: usize,
    pub(crate) anonymous_kib: u64,
}

impl Lab {
    /// A daemon in a namespace with the interface `v0`, 10.10.201.1/24, as soon as it has logged a
    /// line that contains `until`.
    pub(crate) fn start(name: &str, config: &str, until: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = std::env::temp_dir().join(format!("vipd-control-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("vipd.conf"), config).unwrap();
        let namespace = NetNs::new().expect("these tests need root");
        namespace.run(make_interfaces).unwrap();
        let daemon = run_daemon(&dir, &namespace, until);
        Self {
            dir,
            namespace,
            daemon,
            _turn: turn,
        }
    }

    pub(crate) fn start_again(&mut self, until: &str) {
        self.daemon = run_daemon(&self.dir, &self.namespace, until);
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("vipd.conf")
    }

    pub(crate) fn write(&self, config: &str) {
        fs::write(self.config(), config).unwrap();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.join("control")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.id()
    }

    /// Runs the program against this daemon.
    pub(crate) fn vipd(&self, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_vipd"))
            .args(arguments)
            .arg("--runtime-dir")
            .arg(&self.dir)
            .output()
            .unwrap();
        Output {
            code: output.status.code().expect("not killed"),
            text: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.vipd(&["status", "--json"]).done()).unwrap()
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).unwrap();
        let patience = core::time::Duration::from_micros(PATIENCE.as_micros());
        stream.set_read_timeout(Some(patience)).unwrap();
        stream
    }

    /// Says `bytes` and nothing more; what is answered.
    pub(crate) fn ask(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The daemon may close before it has read everything.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        rest(stream)
    }

    pub(crate) fn resources(&self) -> Resources {
        let proc = PathBuf::from(format!("/proc/{}", self.pid()));
        let status = fs::read_to_string(proc.join("status")).unwrap();
        let anonymous = status.lines().find_map(|l| l.strip_prefix("RssAnon:"));
        let kib = anonymous.unwrap().trim().trim_end_matches(" kB");
        Resources {
            descriptors: fs::read_dir(proc.join("fd")).unwrap().count(),
            anonymous_kib: kib.parse().unwrap(),
        }
    }

    pub(crate) fn kill(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    pub(crate) fn stop(&mut self) {
        let pid = nix_pid(self.pid());
        nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
        assert!(self.daemon.wait().unwrap().success());
    }
}

/// What the daemon says until it closes. `read_to_end` goes on after an interrupting signal.
pub(crate) fn rest(mut stream: UnixStream) -> String {
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    String::from_utf8(answer).unwrap()
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn nix_pid(pid: u32) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(pid.cast_signed())
}

fn make_interfaces() {
    let commands = "link add v0 type veth peer name v1
        address add 10.10.201.1/24 dev v0
        link set v0 up
        link set v1 up";
    for command in commands.lines() {
        let words = command.split_whitespace();
        let status = Command::new("ip").args(words).status();
        assert!(status.expect("ip, of iproute2").success(), "ip {command}");
    }
}

fn run_daemon(dir: &Path, namespace: &NetNs, until: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
    command
        .arg("run")
        .arg("--config")
        .arg(dir.join("vipd.conf"))
        .arg("--runtime-dir")
        .arg(dir)
        .stderr(Stdio::piped());
    namespace.attach(&mut command).unwrap();
    die_with_parent(&mut command);
    let mut daemon = command.spawn().unwrap();
    let mut log = daemon.stderr.take().unwrap();
    let said = read_until(&mut log, until);
    assert!(said.contains(until), "the daemon said: {said}");
    // It must not wait for somebody who reads its log.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    daemon
}

fn read_until(log: &mut ChildStderr, until: &str) -> String {
    let deadline = clock::now() + PATIENCE;
    let mut said = String::new();
    let mut poll = Poll::with_capacity(1);
    while !said.contains(until) {
        poll.clear();
        poll.add(log, Interest::Read);
        let ready = poll.wait(Some(deadline.since(clock::now()))).unwrap();
        assert_eq!(ready, 1, "within {PATIENCE} the daemon said: {said}");
        let mut piece = [0; 4096];
        match log.read(&mut piece).unwrap() {
            0 => break,
            count => said.push_str(&String::from_utf8_lossy(&piece[..count])),
        }
    }
    said
}
