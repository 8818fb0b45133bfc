//! Processes as /proc lists them, through a buffer on the stack.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use nix::fcntl::OFlag;

use super::Errno;
use super::error::{Context, Error};
use crate::file;

/// Bytes of names that are taken at one time: no more than 170 processes.
const BYTES: usize = 4096;
/// struct `linux_dirent64`, getdents64(2): where the length and the name are.
const LENGTH: usize = 16;
const NAME: usize = 19;

/// Names are aligned as the kernel wants to write them.
#[repr(align(8))]
struct Names([u8; BYTES]);

/// One walk through all processes.
#[derive(Debug)]
pub struct Walk(File);

impl Walk {
    /// Begins.
    ///
    /// # Errors
    /// As open(2).
    pub fn begin() -> Result<Self, Error> {
        Self::over("/proc")
    }

    /// Begins in another folder whose entries are numbers.
    ///
    /// # Errors
    /// As open(2).
    pub fn over(folder: &str) -> Result<Self, Error> {
        let opened = file::open(folder, OFlag::O_RDONLY, 0);
        opened.map(Self).context("open", folder)
    }

    /// Hands out the next process ids; false if there are no more.
    ///
    /// # Errors
    /// As getdents64(2).
    pub fn next(&mut self, seen: &mut dyn FnMut(u32)) -> Result<bool, Errno> {
        let mut names = Names([0; BYTES]);
        // SAFETY: the kernel writes at most BYTES bytes into the buffer, which lives until the end.
        let read = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                self.0.as_raw_fd(),
                names.0.as_mut_ptr(),
                BYTES,
            )
        };
        let read = Errno::result(read)?;
        let filled = usize::try_from(read).unwrap_or(0);
        ids(names.0.get(..filled).unwrap_or_default(), seen);
        Ok(filled > 0)
    }
}

/// The numbers among the names of directory entries, struct `linux_dirent64`. Any bytes will do.
pub fn ids(mut entries: &[u8], seen: &mut dyn FnMut(u32)) {
    while let Some(&[first, second]) = entries.get(LENGTH..LENGTH + 2) {
        let length = usize::from(u16::from_ne_bytes([first, second]));
        let (Some(name), Some(rest)) = (entries.get(NAME..length), entries.get(length..)) else {
            return;
        };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if let Some(id) = std::str::from_utf8(name).ok().and_then(|n| n.parse().ok()) {
            seen(id);
        }
        entries = rest;
    }
}

/// The beginning of `/proc/ID/FILE`; nothing if the process has gone or is hidden from us.
pub fn read<'a>(id: u32, file: &str, buffer: &'a mut [u8]) -> &'a [u8] {
    let mut path = [0; 32];
    let mut rest = &mut path[..];
    let written = write!(rest, "/proc/{id}/{file}");
    let left = rest.len();
    let length = path.len() - left;
    let Ok(path) = std::str::from_utf8(&path[..length]) else {
        return &[];
    };
    let opened = match written {
        Ok(()) => file::open(path, OFlag::O_RDONLY, 0),
        Err(_) => return &[],
    };
    let read = opened.and_then(|file| nix::unistd::read(file, buffer));
    &buffer[..read.unwrap_or(0)]
}

/// Whether anybody listens where DHCP servers do, in this thread's network namespace: over IPv4 (UDP port
/// 67) or over IPv6 (547). None if the kernel does not say.
pub fn has_dhcp_server() -> Option<bool> {
    // A listener's other end has no address, and that of a connection stands before its state.
    let mut any = None;
    for (path, listens) in [
        ("/proc/net/udp", b":0043 0000"),
        ("/proc/net/udp6", b":0223 0000"),
    ] {
        if let Ok(sockets) = file::read(path) {
            let mut places = sockets.windows(listens.len());
            any = Some(any == Some(true) || places.any(|found| found == listens));
        }
    }
    any
}

/// The name in `/proc/PID/stat`, unless the process has ended and waits for its parent.
pub fn living(stat: &[u8]) -> Option<&[u8]> {
    let begin = stat.iter().position(|byte| *byte == b'(')? + 1;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let state = stat.get(end + 2)?;
    let name = stat.get(begin..end)?;
    (!matches!(state, b'Z' | b'X' | b'x')).then_some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn we_are_among_the_processes() {
        let (own, mut found) = (std::process::id(), 0);
        let mut walk = Walk::begin().unwrap();
        while walk.next(&mut |id| found += u32::from(id == own)).unwrap() {}
        assert_eq!(found, 1);
        let mut buffer = [0; 64];
        let stat = read(own, "stat", &mut buffer);
        assert!(stat.starts_with(format!("{own} (").as_bytes()), "{stat:?}");
        assert_eq!(read(u32::MAX, "stat", &mut buffer), b"");
    }

    #[test]
    fn entries_of_any_length_end() {
        for length in [0_u16, 1, 18, 19, 20, 24, 255, u16::MAX] {
            let mut entries = [b'7'; 48];
            entries[LENGTH..LENGTH + 2].copy_from_slice(&length.to_ne_bytes());
            ids(&entries, &mut |_| {});
        }
    }

    #[test]
    fn the_name_may_hold_anything_and_zombies_do_not_count() {
        for (stat, name) in [
            ("1 (init) S 0", Some("init")),
            ("1 (a) Z (b)) R 0", Some("a) Z (b)")),
            ("1 (init) Z 0", None),
            ("1 (init)", None),
            (")(", None),
            ("1 )( S 0 ", None),
            ("", None),
        ] {
            assert_eq!(living(stat.as_bytes()), name.map(str::as_bytes), "{stat}");
        }
    }
}
