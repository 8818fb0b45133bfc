//! Network namespaces: for `vipd demo` and the tests.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{getgid, getuid};

use super::error::{Context, Error};

/// A network namespace, which lives as long as this, or as a process or socket in it.
#[derive(Debug)]
pub struct NetNs {
    fd: OwnedFd,
}

impl NetNs {
    /// Makes a new namespace. It has a loopback interface, which is down. The calling thread stays
    /// where it is.
    ///
    /// # Errors
    /// As unshare(2): EPERM without CAP_SYS_ADMIN, see [`enter_user_namespace`].
    pub fn new() -> Result<Self, Error> {
        let home = Self::current()?;
        unshare(CloneFlags::CLONE_NEWNET).context("create network namespace", "")?;
        let new = Self::current();
        home.enter()?;
        new
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// As open(2).
    pub fn current() -> Result<Self, Error> {
        const PATH: &str = "/proc/thread-self/ns/net";
        let file = File::open(PATH).context("open network namespace", PATH)?;
        Ok(Self { fd: file.into() })
    }

    /// Moves the calling thread into the namespace.
    ///
    /// # Errors
    /// As setns(2).
    pub fn enter(&self) -> Result<(), Error> {
        setns(&self.fd, CloneFlags::CLONE_NEWNET).context("enter network namespace", "")
    }

    /// Runs `work` in the namespace, on this thread, and comes back. Sockets that it opens stay
    /// there. (No thread of its own: a process may only fork while it has one.)
    ///
    /// # Errors
    /// As setns(2).
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> Result<T, Error> {
        let home = Self::current()?;
        self.enter()?;
        let result = work();
        home.enter()?;
        Ok(result)
    }

    /// Lets `command` run in the namespace.
    ///
    /// # Errors
    /// As dup(2).
    pub fn attach(&self, command: &mut Command) -> Result<(), Error> {
        let fd = self.fd.try_clone().context("copy descriptor", "")?;
        let enter = move || setns(&fd, CloneFlags::CLONE_NEWNET).map_err(std::io::Error::from);
        // SAFETY: between fork and exec only async-signal-safe functions may run: this is one
        // system call, and its errors are plain numbers.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for NetNs {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Moves this process into a new user namespace, where it is root, and with that into a new network
/// namespace. No privilege is needed where the kernel permits user namespaces. Call it before any
/// other thread starts.
///
/// # Errors
/// As unshare(2): EPERM, EINVAL, ENOSPC where it is not permitted; write(2) of the id maps.
pub fn enter_user_namespace() -> Result<(), Error> {
    let (uid, gid) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
        .context("create user namespace", "")?;
    write("/proc/self/uid_map", &format!("0 {uid} 1"))?;
    // Kernels before 3.19 have no such file, and do not ask for it.
    match write("/proc/self/setgroups", "deny") {
        Err(error) if error.errno != Errno::ENOENT => Err(error),
        _ => write("/proc/self/gid_map", &format!("0 {gid} 1")),
    }
}

fn write(path: &str, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).context("write id map", path)
}
