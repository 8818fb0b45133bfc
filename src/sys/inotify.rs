//! Changes of files as something to read: inotify(7).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::NixPath;
use nix::errno::Errno;

use super::error::{Context, Error};

/// What changes a file of the folder: a write that has ended, a new name or the loss of one.
const FILES: u32 = libc::IN_CLOSE_WRITE
    | libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO;
/// What ends the watch: the folder is not what its path says any more.
const FOLDER: u32 = libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_UNMOUNT | libc::IN_IGNORED;
/// Bytes of one read(2), which hold many events, or one with the longest name.
const BUFFER: usize = 1024;
/// Bytes of an event in front of its name: watch, mask, cookie, length of the name.
const HEADER: usize = size_of::<libc::inotify_event>();

/// Folders that are watched.
#[derive(Debug)]
pub struct Inotify {
    fd: OwnedFd,
}

/// The number of a folder that is watched; the same for all paths of one folder.
pub type Watch = i32;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// To the file of this name in the folder.
    File(Watch, &'a [u8]),
    /// The folder is not watched any more.
    Gone(Watch),
    /// More than the kernel could remember.
    Anything,
}

impl Inotify {
    /// Nothing is watched yet.
    ///
    /// # Errors
    /// As inotify_init1(2).
    pub fn open() -> Result<Self, Error> {
        // SAFETY: inotify_init1 takes no pointers.
        let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
        let fd = Errno::result(fd).context("watch files", "")?;
        // SAFETY: the descriptor is new and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd })
    }

    /// Watches a folder.
    ///
    /// # Errors
    /// As inotify_add_watch(2).
    pub fn watch(&self, folder: &str) -> Result<Watch, Errno> {
        let mask = FILES | FOLDER | libc::IN_ONLYDIR;
        folder.with_nix_path(|path| {
            // SAFETY: the path is a C string that outlives the call.
            let watch =
                unsafe { libc::inotify_add_watch(self.fd.as_raw_fd(), path.as_ptr(), mask) };
            Errno::result(watch)
        })?
    }

    /// Hands what has happened to `each`: a bounded piece of it, and the descriptor stays readable
    /// if there is more. A folder that is gone is forgotten.
    pub fn read(&self, each: &mut dyn FnMut(Change<'_>)) {
        let mut buffer = [0; BUFFER];
        let read = nix::unistd::read(&self.fd, &mut buffer).unwrap_or(0);
        changes(&buffer[..read], &mut |change| {
            if let Change::Gone(watch) = change {
                // SAFETY: inotify_rm_watch takes no pointers. It fails if the kernel was first.
                unsafe { libc::inotify_rm_watch(self.fd.as_raw_fd(), watch) };
            }
            each(change);
        });
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The events of one read(2).
fn changes(mut bytes: &[u8], each: &mut dyn FnMut(Change<'_>)) {
    let word = |bytes: &[u8], at: usize| -> Option<u32> {
        let word = bytes.get(4 * at..4 * at + 4)?;
        Some(u32::from_ne_bytes(word.try_into().ok()?))
    };
    while let (Some(watch), Some(mask), Some(len)) =
        (word(bytes, 0), word(bytes, 1), word(bytes, 3))
    {
        let end = HEADER.saturating_add(len as usize).min(bytes.len());
        let (event, rest) = bytes.split_at(end);
        // Zeros fill it up.
        let name = event.get(HEADER..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let watch = watch.cast_signed();
        each(match mask {
            _ if mask & libc::IN_Q_OVERFLOW != 0 => Change::Anything,
            _ if mask & FOLDER != 0 => Change::Gone(watch),
            _ => Change::File(watch, name),
        });
        bytes = rest;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    fn said(inotify: &Inotify) -> Vec<String> {
        let mut said = Vec::new();
        inotify.read(&mut |change| {
            said.push(match change {
                Change::File(_, name) => String::from_utf8_lossy(name).into_owned(),
                Change::Gone(_) => "gone".to_owned(),
                Change::Anything => "anything".to_owned(),
            });
        });
        said.dedup();
        said
    }

    #[test]
    fn files_come_change_move_and_go_and_the_folder_too() {
        let folder = std::env::temp_dir().join(format!("vipd-inotify-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let inotify = Inotify::open().unwrap();
        inotify.watch(folder.to_str().unwrap()).unwrap();
        assert!(said(&inotify).is_empty());
        fs::write(folder.join("a"), "1").unwrap();
        assert_eq!(said(&inotify), ["a"]);
        fs::rename(folder.join("a"), folder.join("bb")).unwrap();
        assert_eq!(said(&inotify), ["a", "bb"]);
        fs::remove_file(folder.join("bb")).unwrap();
        assert_eq!(said(&inotify), ["bb"]);
        fs::remove_dir(&folder).unwrap();
        assert_eq!(said(&inotify), ["gone"]);
        let missing = inotify.watch(folder.to_str().unwrap());
        assert_eq!(missing, Err(Errno::ENOENT));
    }

    #[test]
    fn half_an_event_is_none() {
        let event = [[7_u32, libc::IN_Q_OVERFLOW, 0, 0]; 2].concat();
        let bytes: Vec<u8> = event.iter().flat_map(|word| word.to_ne_bytes()).collect();
        for len in 0..=bytes.len() {
            let mut count = 0;
            changes(&bytes[..len], &mut |change| {
                assert_eq!(change, Change::Anything);
                count += 1;
            });
            assert_eq!(count, len / HEADER);
        }
    }
}
