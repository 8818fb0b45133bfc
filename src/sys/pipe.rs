//! Pipes: pipe(7).

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

/// Reads what there is; 0 at the end.
///
/// # Errors
/// EAGAIN: nothing waits. As read(2).
pub fn read(pipe: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    nix::unistd::read(pipe, buffer)
}
