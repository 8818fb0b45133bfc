//! Running programs, and leaving nothing of them. For processes that do nothing else: everything
//! here is about all children of the caller.

use core::ffi::{CStr, c_char};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::unistd::{ForkResult, Gid, Pid, Uid, getpid, setgid, setpgid, setuid};

use super::child::follow_parent;
use super::proc::{self, Walk};
use crate::file;

/// The path that programs have in their environment.
const PATH: &CStr = c"PATH=/usr/sbin:/usr/bin:/sbin:/bin";
/// The signals that are older than real-time signals.
const SIGNALS: core::ops::Range<i32> = 1..32;

/// Of `/proc/PID/stat`, the name in it and the parent behind it.
const STAT_BYTES: usize = 128;

/// A program to be run.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    /// The path, and the arguments.
    pub arguments: Vec<&'a CStr>,
    /// Its environment, beside `PATH`.
    pub environment: Vec<&'a CStr>,
    /// User and only group; none: those of the caller.
    pub ids: Option<(u32, u32)>,
}

/// A program that runs, or has ended and not been reaped. It leads a process group.
#[derive(Debug)]
pub struct Leader {
    pid: Pid,
    /// Holds the errno of what failed before it was the program.
    failed: File,
}

/// How a process ended: the exit code, or the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs)]
pub enum Ended {
    Code(u8),
    Signal(u8),
}

impl Program<'_> {
    /// Starts it, with `stdout` as its standard output if there is one; what else it has of the three
    /// is /dev/null. No signal is blocked or ignored, and no other descriptor is open.
    ///
    /// # Errors
    /// As pipe2(2), open(2), fork(2). What comes after fork is told by [`Leader::failure`].
    pub fn start(&self, stdout: Option<OwnedFd>) -> Result<Leader, Errno> {
        let null = file::open("/dev/null", OFlag::O_RDWR, 0)?;
        let (failed, failure) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let arguments = pointers(None, &self.arguments);
        let environment = pointers(Some(PATH), &self.environment);
        let output = stdout.as_ref().map_or(null.as_raw_fd(), AsRawFd::as_raw_fd);
        let standard = [null.as_raw_fd(), output, null.as_raw_fd()];
        let parent = getpid();
        // SAFETY: the callers have one thread, so the copy may do whatever a new process may.
        match unsafe { nix::unistd::fork() }? {
            ForkResult::Child => {
                let errno = self.become_program(parent, standard, &arguments, &environment);
                let _ = nix::unistd::write(&failure, &(errno as i32).to_ne_bytes());
                // SAFETY: ends this process without its exit handlers, which are the parent's.
                unsafe { libc::_exit(127) }
            }
            ForkResult::Parent { child } => {
                // Here and in the child, so that there is a group whoever comes first.
                let _ = setpgid(child, child);
                Ok(Leader {
                    pid: child,
                    failed: failed.into(),
                })
            }
        }
    }

    /// In the child. Returns why it is not the program.
    fn become_program(
        &self,
        parent: Pid,
        standard: [i32; 3],
        arguments: &[*const c_char],
        environment: &[*const c_char],
    ) -> Errno {
        let prepare = || -> Result<(), Errno> {
            setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
            for signal in SIGNALS {
                // SAFETY: no handler function is installed. SIGKILL and SIGSTOP are refused.
                unsafe { libc::signal(signal, libc::SIG_DFL) };
            }
            SigSet::empty().thread_set_mask()?;
            for (to, from) in (0..).zip(standard) {
                // SAFETY: the three standard descriptors of this process belong to nobody else.
                Errno::result(unsafe { libc::dup2(from, to) })?;
            }
            if let Some((uid, gid)) = self.ids {
                // SAFETY: the list of one group lives until the call is over.
                Errno::result(unsafe { libc::setgroups(1, &raw const gid) })?;
                setgid(Gid::from_raw(gid))?;
                setuid(Uid::from_raw(uid))?;
            }
            // Another user's process would have forgotten it.
            follow_parent(parent)
        };
        if let Err(errno) = prepare() {
            return errno;
        }
        // SAFETY: both lists end with a null pointer and point to C strings that outlive the call.
        unsafe { libc::execve(arguments[0], arguments.as_ptr(), environment.as_ptr()) };
        Errno::last()
    }
}

/// A list for execve(2).
fn pointers(first: Option<&CStr>, words: &[&CStr]) -> Vec<*const c_char> {
    let mut pointers = Vec::with_capacity(words.len() + 2);
    pointers.extend(first.map(CStr::as_ptr));
    for word in words {
        pointers.push(word.as_ptr());
    }
    pointers.push(core::ptr::null());
    pointers
}

impl Leader {
    /// Sends a signal to its group. To be called before it is reaped.
    pub fn signal_group(&self, signal: Signal) {
        let _ = killpg(self.pid, signal);
    }

    /// Whether it has ended; other children that have are reaped.
    pub fn has_ended(&self) -> bool {
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        loop {
            // SAFETY: all-zero bytes are a valid siginfo_t of integers.
            let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
            // SAFETY: `info` lives until the call is over, and is then zero or about a child.
            let (result, pid) = unsafe {
                let result = libc::waitid(libc::P_ALL, 0, &raw mut info, flags);
                (result, info.si_pid())
            };
            match Errno::result(result) {
                Err(Errno::EINTR) => {}
                Err(_) => return true,
                Ok(_) if pid == 0 => return false,
                Ok(_) if pid == self.pid.as_raw() => return true,
                Ok(_) => {
                    let _ = wait(pid, libc::WNOHANG);
                }
            }
        }
    }

    /// Reaps it once it has ended: how it did.
    pub fn reap(&self) -> Ended {
        let status = wait(self.pid.as_raw(), 0).ok().flatten();
        status.map_or(Ended::Code(127), |(_, ended)| ended)
    }

    /// Once it has ended: why it was never the program, if that is so.
    pub fn failure(&mut self) -> Option<Errno> {
        let mut errno = [0; 4];
        match self.failed.read(&mut errno) {
            Ok(4) => Some(Errno::from_raw(i32::from_ne_bytes(errno))),
            _ => None,
        }
    }
}

/// Waits for any child to end, or asks if one has: its number, and how it did.
///
/// # Errors
/// ECHILD: there is none.
pub fn wait_for_any(patient: bool) -> Result<Option<(i32, Ended)>, Errno> {
    wait(-1, if patient { 0 } else { libc::WNOHANG })
}

/// waitpid(2); nix knows no real-time signals, and fails when a child was ended by one.
fn wait(pid: i32, flags: i32) -> Result<Option<(i32, Ended)>, Errno> {
    let mut status = 0;
    // SAFETY: `status` lives until the call is over.
    let result = unsafe { libc::waitpid(pid, &raw mut status, flags) };
    let ended = match libc::WIFEXITED(status) {
        true => Ended::Code(libc::WEXITSTATUS(status) as u8),
        false => Ended::Signal(libc::WTERMSIG(status) as u8),
    };
    match Errno::result(result) {
        Ok(0) | Err(Errno::EINTR) => Ok(None),
        Ok(pid) => Ok(Some((pid, ended))),
        Err(errno) => Err(errno),
    }
}

/// Makes this process the parent of its descendants that lose theirs.
///
/// # Errors
/// As prctl(2).
pub fn adopt_orphans() -> Result<(), Errno> {
    set_child_subreaper(true)
}

/// Has this process get `signal`, and not SIGKILL, when its parent dies.
///
/// # Errors
/// As prctl(2).
pub fn be_told_of_death(signal: Signal) -> Result<(), Errno> {
    set_pdeathsig(signal)
}

/// Kills all children of this process, which are found in /proc.
pub fn kill_children() {
    let own = getpid();
    let Ok(mut walk) = Walk::begin() else { return };
    let mut kill_child = |id: u32| {
        let mut stat = [0; STAT_BYTES];
        if parent(proc::read(id, "stat", &mut stat)) == Some(own.as_raw()) {
            // It cannot be another process by now: only we reap our children.
            let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGKILL);
        }
    };
    while walk.next(&mut kill_child) == Ok(true) {}
}

/// The parent's number in /proc/PID/stat: `PID (name) state PPID …`, where the name may be anything.
fn parent(stat: &[u8]) -> Option<i32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut words = stat[name_end..].split(|byte| *byte == b' ');
    core::str::from_utf8(words.nth(2)?).ok()?.parse().ok()
}

/// Closes all descriptors but the standard ones and `kept`, whoever has left them open.
pub fn close_all_but(kept: i32) {
    // SAFETY: close_range takes no pointers. Who calls this owns no other descriptor.
    let close = |first: i32, last: i32| unsafe {
        first > last || libc::syscall(libc::SYS_close_range, first, last, 0) == 0
    };
    if close(3, kept - 1) && close(kept + 1, i32::MAX) {
        return;
    }
    // Before Linux 5.9.
    for fd in (3..1024).filter(|fd| *fd != kept) {
        // SAFETY: as above.
        unsafe { libc::close(fd) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_behind_any_name() {
        assert_eq!(parent(b"7 (sh) S 42 7 7 0 -1"), Some(42));
        assert_eq!(parent(b"7 (a) S 1 (b) c) R 43 7"), Some(43));
        for no in [&b""[..], b"7 (sh", b"7 (sh)", b"7 (sh) S", b"7 (sh) S x 1"] {
            assert_eq!(parent(no), None);
        }
    }
}
