//! The system calls that the daemon makes once it is running, and that any other one is its end.
//!
//! A classic BPF program over `seccomp_data`, made at compile time from [`ALLOWED`]: whoever finds a
//! way to have this process run his code has these calls, two capabilities, and no other program.
//!
//! The kernel writes the number of a call that killed us to its log, where it has one for that
//! (`audit: … sig=31 … syscall=59`).

use core::ffi::c_long;

use libc::{BPF_ABS, BPF_LD, BPF_W, sock_filter, sock_fprog};
use nix::errno::Errno;

use super::error::{Context, Error};
use super::filter::{finish, instruction, jump_if_equal};

/// AUDIT_ARCH_* of linux/audit.h: the ELF machine, and whether it has 64 bits and is little-endian.
/// None where nobody has written the list down.
const ARCHITECTURE: Option<u32> = {
    let machine: u32 = if cfg!(target_arch = "x86_64") {
        libc::EM_X86_64 as u32
    } else if cfg!(target_arch = "aarch64") {
        libc::EM_AARCH64 as u32
    } else if cfg!(target_arch = "arm") {
        libc::EM_ARM as u32
    } else if cfg!(target_arch = "mips") {
        libc::EM_MIPS as u32
    } else {
        0
    };
    let wide: u32 = if cfg!(target_pointer_width = "64") {
        1 << 31
    } else {
        0
    };
    let little: u32 = if cfg!(target_endian = "little") {
        1 << 30
    } else {
        0
    };
    if machine == 0 {
        None
    } else {
        Some(machine | wide | little)
    }
};

/// A call of 32-bit machines that takes 64 bits of time; these are numbered alike on all of them.
#[cfg(target_pointer_width = "32")]
const fn time64(number: c_long) -> c_long {
    libc::SYS_exit - 1 + number
}

/// THE list, those of a busy wakeup first. A call that is not here ends the daemon: a new one
/// belongs into the group that needs it, whatever C library makes it of what name.
#[rustfmt::skip] // a table
const ALLOWED: &[&[c_long]] = &[
    // Each wakeup: wait, what time it is, adverts and netlink in and out, signals, log lines.
    &[libc::SYS_ppoll, libc::SYS_clock_gettime, libc::SYS_recvmsg, libc::SYS_recvmmsg, libc::SYS_recvfrom,
      libc::SYS_sendmmsg, libc::SYS_timerfd_settime, libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_read,
      libc::SYS_write, libc::SYS_writev],
    #[cfg(target_pointer_width = "32")]
    // clock_gettime64, timerfd_settime64, ppoll_time64, recvmmsg_time64
    &[time64(403), time64(411), time64(414), time64(417)],
    // Sockets of interfaces that come, of clients of the control socket, of probes.
    &[libc::SYS_socket, libc::SYS_bind, libc::SYS_connect, libc::SYS_accept4, libc::SYS_setsockopt,
      libc::SYS_getsockopt, libc::SYS_getsockname, libc::SYS_shutdown, libc::SYS_ioctl, libc::SYS_close, libc::SYS_fcntl],
    #[cfg(target_pointer_width = "32")]
    &[libc::SYS_fcntl64],
    // Files: the configuration and what it includes, the journal, /proc/sys, the lock's end.
    &[libc::SYS_openat, libc::SYS_lseek, libc::SYS_fstat, libc::SYS_statx, libc::SYS_getdents64,
      libc::SYS_renameat, libc::SYS_unlinkat, libc::SYS_ftruncate, libc::SYS_flock],
    #[cfg(target_pointer_width = "64")]
    &[libc::SYS_newfstatat],
    #[cfg(target_pointer_width = "32")]
    &[libc::SYS__llseek, libc::SYS_fstat64, libc::SYS_stat64, libc::SYS_lstat64, libc::SYS_ftruncate64],
    #[cfg(not(target_arch = "aarch64"))]
    &[libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_rename, libc::SYS_unlink],
    // Files that are tracked.
    &[libc::SYS_inotify_init1, libc::SYS_inotify_add_watch, libc::SYS_inotify_rm_watch],
    // FIFOs of `notify_fifo`.
    &[libc::SYS_mknodat, libc::SYS_fchown],
    #[cfg(target_arch = "arm")]
    &[libc::SYS_fchown32],
    #[cfg(not(target_arch = "aarch64"))]
    &[libc::SYS_mknod],
    // Memory.
    &[libc::SYS_brk, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect, libc::SYS_madvise],
    #[cfg(not(target_arch = "arm"))]
    &[libc::SYS_mmap],
    #[cfg(target_pointer_width = "32")]
    &[libc::SYS_mmap2],
    // The end, an orderly one and that of a panic; what goes on after a stop.
    &[libc::SYS_exit_group, libc::SYS_exit, libc::SYS_sigaltstack, libc::SYS_rt_sigprocmask,
      libc::SYS_rt_sigaction, libc::SYS_rt_sigreturn, libc::SYS_getpid, libc::SYS_gettid, libc::SYS_tkill,
      libc::SYS_tgkill, libc::SYS_restart_syscall, libc::SYS_futex],
    #[cfg(target_pointer_width = "32")]
    // futex_time64
    &[time64(422)],
    // The helper: what /bin/ubus prints, the user's scripts and who may change them, its end.
    &[libc::SYS_pipe2, libc::SYS_getcwd, libc::SYS_readlinkat, libc::SYS_kill, libc::SYS_waitid],
    #[cfg(not(target_arch = "aarch64"))]
    &[libc::SYS_readlink],
];

const COUNT: usize = {
    let (mut count, mut group) = (0, 0);
    while group < ALLOWED.len() {
        count += ALLOWED[group].len();
        group += 1;
    }
    count
};

/// Offsets in `seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

const fn load_word(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)
}

static PROGRAM: [sock_filter; COUNT + 6] = {
    // A jump is a byte.
    assert!(COUNT <= u8::MAX as usize);
    let mut program = [finish(libc::SECCOMP_RET_KILL_PROCESS); COUNT + 6];
    // 0: A = architecture; another one has other numbers
    program[0] = load_word(ARCH);
    // 1: ours ? skip one, go on at 3 : go on at 2, which kills
    program[1] = jump_if_equal(
        match ARCHITECTURE {
            Some(architecture) => architecture,
            None => 0,
        },
        1,
        0,
    );
    // 3: A = number of the call
    program[3] = load_word(NUMBER);
    // 4: each of the list ? go on at the last : go on
    let (mut at, mut group) = (0, 0);
    while group < ALLOWED.len() {
        let mut index = 0;
        while index < ALLOWED[group].len() {
            program[4 + at] = jump_if_equal(ALLOWED[group][index] as u32, (COUNT - at) as u8, 0);
            (at, index) = (at + 1, index + 1);
        }
        group += 1;
    }
    // The one before the last kills.
    program[COUNT + 5] = finish(libc::SECCOMP_RET_ALLOW);
    program
};

/// From now on every system call that is not in the list kills this process (SIGSYS). It needs
/// [`never_more`](super::rights::never_more).
///
/// # Errors
/// EINVAL if the kernel has no such filters (CONFIG_SECCOMP_FILTER), ENOSYS if there is no list for
/// this architecture.
pub fn confine() -> Result<(), Error> {
    install().context("install seccomp filter", "")
}

fn install() -> Result<(), Errno> {
    ARCHITECTURE.ok_or(Errno::ENOSYS)?;
    let program = sock_fprog {
        len: PROGRAM.len() as u16,
        filter: PROGRAM.as_ptr().cast_mut(),
    };
    let program = core::ptr::from_ref(&program);
    // SAFETY: PR_SET_SECCOMP takes a sock_fprog; its pointer and length describe a static program,
    // which the kernel copies and does not write to.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            program,
            0,
            0,
        )
    };
    Errno::result(result).map(drop)
}
