//! `vipd demo` from outside: that it plays to its end, as root and as nobody, and that nothing is
//! left of it, also after Ctrl-C. Needs root, or a kernel that permits user namespaces.

#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

const VIPD: &str = env!("CARGO_BIN_EXE_vipd");
const NOBODY: u32 = 65_534;

/// Plays the demo to its end.
fn play(mut command: Command) -> (u32, Output) {
    let child = command
        .arg("demo")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    (pid, child.wait_with_output().unwrap())
}

fn assert_played(pid: u32, output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}{errors}");
    for expected in [
        "VI_1: Backup -> Active: no advert from any router",
        "inet 10.10.201.101/32 scope global ens160",
        "10.10.201.101/32 on ens160 was left by an earlier vipd; it is removed",
        "VI_1: Backup -> Active: 10.10.201.102 gave up with a priority 0 advert",
        "SIGTERM to router 1         router 2",
        "nothing is left behind",
    ] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    assert!(!text.contains('\x1b'), "escapes without a terminal");
    assert!(!folder(pid).exists());
    assert_eq!(daemons(pid), []);
}

/// The one folder of a demo.
fn folder(pid: u32) -> PathBuf {
    std::env::temp_dir().join(format!("vipd-demo-{pid}"))
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The daemons of a demo: they name its folder on their command line.
fn daemons(demo: u32) -> Vec<i32> {
    let folder = folder(demo).to_string_lossy().into_owned();
    let is_ours = |pid: &i32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // With the slash behind it: the demo 12 is not the demo 123.
        String::from_utf8_lossy(&words).contains(&format!("{folder}/"))
    };
    processes().filter(is_ours).collect()
}

/// The network namespace of a process, as the kernel numbers them.
fn netns(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

#[test]
fn it_plays_to_its_end() {
    let (pid, output) = play(Command::new(VIPD));
    assert_played(pid, &output);
}

#[test]
fn nobody_can_play_it() {
    if !geteuid().is_root() {
        // Then the test above is this one.
        return;
    }
    // The way to the target folder may be closed to nobody.
    let dir = std::env::temp_dir().join(format!("vipd-nobody-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
    let program: &Path = &dir.join("vipd");
    std::fs::copy(VIPD, program).unwrap();
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    let (pid, output) = play(command);
    std::fs::remove_dir_all(&dir).unwrap();
    assert_played(pid, &output);
}

#[test]
fn after_ctrl_c_nothing_is_left() {
    let mut demo = Command::new(VIPD)
        .arg("demo")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let both_run = |line: String| line.contains("router 2") && line.contains("-> Backup");
    let running = lines.any(|line| both_run(line.unwrap()));
    let mut errors = demo.stderr.take().unwrap();
    let mut text = String::new();
    if !running {
        errors.read_to_string(&mut text).unwrap();
        panic!("router 2 did not become Backup: {text}");
    }
    let pid = i32::try_from(demo.id()).unwrap();
    let mut there = daemons(demo.id());
    assert_eq!(there.len(), 2);
    there.push(pid);
    let namespaces: BTreeSet<_> = there.iter().filter_map(|&pid| netns(pid)).collect();
    assert_eq!(namespaces.len(), 3, "two routers and the client");
    assert!(folder(demo.id()).exists());

    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(3));
    errors.read_to_string(&mut text).unwrap();
    assert_eq!(text, "vipd demo: interrupted; nothing is left behind\n");
    assert!(!folder(demo.id()).exists());
    assert_eq!(daemons(demo.id()), []);
    let in_them = |pid: &i32| netns(*pid).is_some_and(|netns| namespaces.contains(&netns));
    assert_eq!(processes().find(in_them), None, "a process in a namespace");
}

#[test]
fn without_namespaces_it_says_what_to_do() {
    // In a user namespace where we are nobody there is no other to be had.
    let output = Command::new("unshare")
        .args(["--user", VIPD, "demo"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("sudo vipd demo"), "{errors}");
}
