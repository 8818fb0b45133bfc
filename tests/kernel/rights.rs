//! What the filter of system calls lets through, and that anything else is the end of the process.
//!
//! A process dies with its filter, so each call is made by another run of this program: `victim`,
//! which does nothing unless it is told to.

#![allow(unsafe_code)]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use vipd::sys::error::Error;
use vipd::sys::rights::{Capabilities, never_more};
use vipd::sys::seccomp;

const CALL: &str = "VIPD_TEST_CALL";

/// Calls that a router does not make; with these arguments (all zero) none of them does anything.
#[rustfmt::skip] // a table
const FORBIDDEN: &[(&str, libc::c_long)] = &[
    ("ptrace", libc::SYS_ptrace), ("swapon", libc::SYS_swapon), ("mount", libc::SYS_mount),
    ("unshare", libc::SYS_unshare), ("setns", libc::SYS_setns), ("chroot", libc::SYS_chroot),
    ("init_module", libc::SYS_init_module), ("bpf", libc::SYS_bpf), ("keyctl", libc::SYS_keyctl),
    ("process_vm_writev", libc::SYS_process_vm_writev), ("capset", libc::SYS_capset),
    ("memfd_create", libc::SYS_memfd_create), ("seccomp", libc::SYS_seccomp),
    ("a number that no call has", 1 << 20),
];

fn run_victim(call: &str) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "rights::victim", "--test-threads=1"]);
    // Where a panic aborts, the harness would run the victim in a process of its own, and live on.
    if cfg!(panic = "abort") {
        command.args(["-Zunstable-options", "--force-run-in-process"]);
    }
    command.env(CALL, call).stdout(std::process::Stdio::null());
    command.status().unwrap()
}

#[test]
fn a_forbidden_call_is_the_end() {
    for (name, number) in FORBIDDEN {
        let status = run_victim(&number.to_string());
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{name}: {status}");
    }
}

#[test]
fn what_the_daemon_does_is_let_through() {
    let status = run_victim("none");
    assert!(status.success(), "{status}");
}

/// Run by the tests above.
#[test]
#[ignore = "it is to be killed"]
fn victim() {
    let Ok(call) = std::env::var(CALL) else {
        return;
    };
    let confine = || -> Result<Capabilities, Error> {
        let kept = Capabilities::reduce(false)?;
        never_more()?;
        seccomp::confine()?;
        Ok(kept)
    };
    assert_eq!(confine().unwrap().to_string(), "CAP_NET_ADMIN, CAP_NET_RAW");
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    for line in [
        "CapInh:\t0000000000000000",
        "CapPrm:\t0000000000003000",
        "CapEff:\t0000000000003000",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.lines().any(|l| l == line), "{line} in {status}");
    }
    if let Ok(number) = call.parse::<libc::c_long>() {
        // SAFETY: with a filter it does not return; without one, nothing that is named here does
        // anything with arguments that are zero.
        let result = unsafe { libc::syscall(number, 0, 0, 0, 0, 0, 0) };
        panic!("system call {number} returned {result}");
    }
}
