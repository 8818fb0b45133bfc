//! Pipes: pipe(7), and standard output, which often is one.

use std::os::fd::{BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::error::{Context, Error};

/// The end to read, which does not block, and the end to write, which does.
///
/// # Errors
/// As pipe2(2).
pub fn open() -> Result<(OwnedFd, OwnedFd), Error> {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).context("make pipe", "")?;
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("make pipe", "")?;
    Ok((reader, writer))
}

/// Standard output, without the standard library's buffer: what is in one at fork(2) is written twice.
pub fn standard_output() -> BorrowedFd<'static> {
    // SAFETY: the standard library sees to it that this descriptor is open, and nothing closes it.
    unsafe { BorrowedFd::borrow_raw(libc::STDOUT_FILENO) }
}

/// Reads what there is; 0 at the end.
///
/// # Errors
/// EAGAIN: nothing waits. As read(2).
pub fn read(pipe: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    nix::unistd::read(pipe, buffer)
}
