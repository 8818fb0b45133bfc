//! Named pipes that are written to whether or not somebody reads.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::fchown;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat};

use super::error::{Context, Error};
use crate::file;

/// A FIFO, open for writing.
#[derive(Debug)]
pub struct Fifo {
    file: File,
}

/// Makes a FIFO for its owner alone. False if there is something of that name.
///
/// # Errors
/// As mkfifo(3).
pub fn make(path: &str) -> Result<bool, Error> {
    match nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(errno) => Err(errno).context("make FIFO", path),
    }
}

/// Removes a FIFO; what is none, or not there, is left alone.
pub fn remove(path: &str) {
    if file::look_at_link(path).is_ok_and(|found| file::is(&found, libc::S_IFIFO)) {
        let _ = file::remove(path);
    }
}

impl Fifo {
    /// Opens it for reading too, so that it needs no reader.
    ///
    /// # Errors
    /// ENOTSUP if it is no FIFO. As open(2); a symbolic link is not followed.
    pub fn open(path: &str) -> Result<Self, Error> {
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
        let file = file::open(path, flags, 0).context("open FIFO", path)?;
        let found = fstat(&file).context("open FIFO", path)?;
        match file::is(&found, libc::S_IFIFO) {
            true => Ok(Self { file }),
            false => Err(Errno::ENOTSUP).context("open FIFO", path),
        }
    }

    /// Gives it to this user and group.
    ///
    /// # Errors
    /// As fchown(2).
    pub fn give(&self, uid: u32, gid: u32) -> Result<(), Error> {
        fchown(&self.file, Some(uid), Some(gid)).context("give FIFO", "")
    }

    /// Writes one line, whole or not at all. False if it does not fit.
    ///
    /// # Errors
    /// As write(2).
    pub fn write(&mut self, line: &[u8]) -> Result<bool, Error> {
        match self.file.write(line) {
            Ok(_) => Ok(true),
            Err(error) if file::failed_as(&error, &[Errno::EAGAIN]) => Ok(false),
            Err(error) => Err(Error::from_io("write FIFO", "", &error)),
        }
    }
}
