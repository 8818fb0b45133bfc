//! The run-time folder, and the lock that keeps a second daemon out of it.

use core::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};

use nix::fcntl::OFlag;

use super::error::{Context, Error};
use crate::file;

/// The name of the lock's file in the run-time folder.
const FILE_NAME: &str = "vipd.pid";

/// Makes the folder and its parents, readable to all (0755), unless it is there.
///
/// # Errors
/// As mkdir(2).
pub fn create_runtime_dir(path: &str) -> Result<(), Error> {
    for end in 1..=path.len() {
        if path.as_bytes().get(end).is_some_and(|next| *next != b'/') {
            continue;
        }
        let folder = &path[..end];
        match file::make_folder(folder, 0o755) {
            Err(_) if file::look(folder).is_ok_and(|it| file::is(&it, libc::S_IFDIR)) => {}
            made => made.context("create folder", folder)?,
        }
    }
    Ok(())
}

/// The run-time folder is ours while this is held; also after kill -9 the kernel gives it free.
#[derive(Debug)]
pub struct PidLock {
    file: File,
}

/// Why the folder is not ours.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it.
    Locked {
        /// The lock's file.
        path: String,
        /// Who, if it has written that already.
        pid: Option<u32>,
    },
    /// A system call failed.
    System(Error),
}

/// Whether a daemon has the run-time folder `dir`, or was killed while it had.
pub fn runs(dir: &str) -> bool {
    file::look(&file_of(dir)).is_ok_and(|found| found.st_size > 0)
}

fn file_of(dir: &str) -> String {
    format!("{dir}/{FILE_NAME}")
}

impl PidLock {
    /// Takes the lock of the run-time folder `dir`, and writes our process id into its file.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(dir: &str) -> Result<Self, LockError> {
        let path = file_of(dir);
        let mut file = file::open(&path, OFlag::O_RDWR | OFlag::O_CREAT, 0o644)
            .context("open lock file", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut file);
                return Err(LockError::Locked { path, pid });
            }
            Err(TryLockError::Error(error)) => {
                return Err(Error::from_io("lock", &path, &error).into());
            }
        }
        write_pid(&mut file).context("write lock file", &path)?;
        Ok(Self { file })
    }
}

/// Empties the file. It stays: a deleted one could be locked by two, one before and one after.
impl Drop for PidLock {
    fn drop(&mut self) {
        // The lock goes with the descriptor at the latest; a stale number would mislead readers only.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = [0; 16];
    let length = file.read(&mut text).ok()?;
    let number = text[..length].trim_ascii();
    str::from_utf8(number).ok()?.parse().ok()
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

impl From<Error> for LockError {
    fn from(error: Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { path, pid } => {
                f.write_str("another vipd")?;
                if let Some(pid) = pid {
                    write!(f, " (process {pid})")?;
                }
                write!(f, " holds {path}: stop it, or choose another --runtime-dir")
            }
            Self::System(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for LockError {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn the_second_is_told_who_has_it_until_the_first_is_gone() {
        let dir = std::env::temp_dir().join(format!("vipd-lock-{}", std::process::id()));
        let dir = dir.to_str().unwrap();
        create_runtime_dir(&format!("{dir}/deep")).unwrap();
        create_runtime_dir(dir).unwrap();
        let first = PidLock::take(dir).unwrap();
        let refused = PidLock::take(dir).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "another vipd (process {}) holds {dir}/vipd.pid: \
                 stop it, or choose another --runtime-dir",
                std::process::id()
            )
        );
        drop(first);
        let second = PidLock::take(dir).unwrap();
        drop(second);
        std::fs::remove_dir_all(dir).unwrap();
        assert!(matches!(
            PidLock::take(dir).unwrap_err(),
            LockError::System(error) if error.errno == Errno::ENOENT
        ));
    }
}
