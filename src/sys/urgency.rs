//! How this process stands beside others: when it runs, and whether it stays in memory.

use nix::errno::Errno;

/// Sets the niceness, from -20 to 19.
///
/// # Errors
/// As setpriority(2): EACCES without CAP_SYS_NICE for less than it is.
pub fn set_nice(nice: i32) -> Result<(), Errno> {
    // SAFETY: setpriority(2) takes no pointers; 0 is this process.
    let result = unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, nice) };
    Errno::result(result).map(drop)
}

/// Real-time, in turn with others of this priority (SCHED_RR), from 1 to 99.
///
/// # Errors
/// As sched_setscheduler(2): EPERM without CAP_SYS_NICE or RLIMIT_RTPRIO.
pub fn set_realtime(priority: u32) -> Result<(), Errno> {
    // The system call itself: musl's function of this name does nothing.
    let call = libc::SYS_sched_setscheduler;
    // SAFETY: 0 is this process; struct sched_param of the kernel is one int, which it reads.
    let result = unsafe { libc::syscall(call, 0, libc::SCHED_RR, &raw const priority) };
    Errno::result(result).map(drop)
}

/// Keeps everything in memory, what comes later too. True if there is no limit to that any more; else
/// memory that comes later is had with CAP_IPC_LOCK only.
///
/// # Errors
/// As mlockall(2): EPERM without CAP_IPC_LOCK.
pub fn stay_in_memory() -> Result<bool, Errno> {
    // Soft and hard, as prlimit64(2) has them; musl's setrlimit(3) is 400 bytes more.
    let (most, none) = ([u64::MAX; 2], [0_u64; 2]);
    let limit = |bytes: &[u64; 2]| {
        let (call, nothing) = (libc::SYS_prlimit64, core::ptr::null::<u64>());
        // SAFETY: 0 is this process; the kernel reads two numbers, and writes nothing to a null.
        unsafe { libc::syscall(call, 0, libc::RLIMIT_MEMLOCK, bytes.as_ptr(), nothing) }
    };
    let limited = limit(&most);
    if limited != 0 {
        // Below a limit mlockall(2) would succeed without the right, and what comes later fail.
        limit(&none);
    }
    // SAFETY: mlockall(2) takes no pointers.
    let result = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) };
    Errno::result(result).map(|_| limited == 0)
}
