//! Files, by one function for each thing that is done to them. The standard library's are generic over paths
//! and readers, and bring what they say of options that do not go together: 11 KB of x86_64's binary.

use core::ffi::CStr;
use std::fs::File;
use std::io::Read;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{self, FchmodatFlags, FileStat, Mode};

/// The bytes of a path, with the NUL at its end: `PATH_MAX`.
const PATH_BYTES: usize = 4096;
/// How much is read at one time.
const CHUNK: usize = 4096;

/// A path as the kernel wants it, on the stack.
struct Path([u8; PATH_BYTES]);

impl Path {
    fn new(path: &str) -> Self {
        let mut bytes = [0; PATH_BYTES];
        if let Some(begin) = bytes.get_mut(..path.len()) {
            begin.copy_from_slice(path.as_bytes());
        }
        Self(bytes)
    }

    /// ENAMETOOLONG if it did not fit, EINVAL if it has a NUL.
    fn get(&self, path: &str) -> Result<&CStr, Errno> {
        match CStr::from_bytes_until_nul(&self.0) {
            Ok(found) if found.count_bytes() == path.len() => Ok(found),
            _ if path.len() >= PATH_BYTES => Err(Errno::ENAMETOOLONG),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Opens a file, close-on-exec; `mode` is that of one that is made.
///
/// # Errors
/// As open(2).
pub(crate) fn open(path: &str, flags: OFlag, mode: u32) -> Result<File, Errno> {
    let name = Path::new(path);
    let (name, flags) = (name.get(path)?, flags | OFlag::O_CLOEXEC);
    loop {
        match nix::fcntl::open(name, flags, Mode::from_bits_truncate(mode)) {
            Err(Errno::EINTR) => {}
            opened => return opened.map(File::from),
        }
    }
}

/// What is in a file.
///
/// # Errors
/// As open(2), read(2).
pub(crate) fn read(path: &str) -> std::io::Result<Vec<u8>> {
    rest(&open(path, OFlag::O_RDONLY, 0)?, usize::MAX)
}

/// What is left in a file: all of it, or at least `limit` bytes.
///
/// # Errors
/// As read(2).
pub(crate) fn rest(mut file: &File, limit: usize) -> std::io::Result<Vec<u8>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; CHUNK]);
    while bytes.len() < limit {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            Err(error) if failed_as(&error, &[Errno::EINTR]) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Whether it is one of these errors of the system's. `io::Error::kind` has a row for each that there is.
pub(crate) fn failed_as(error: &std::io::Error, kinds: &[Errno]) -> bool {
    let code = error.raw_os_error();
    kinds.iter().any(|kind| code == Some(*kind as i32))
}

/// What is at a path, links followed.
///
/// # Errors
/// As stat(2).
pub(crate) fn look(path: &str) -> Result<FileStat, Errno> {
    stat::stat(Path::new(path).get(path)?)
}

/// What is at a path; a link is what it is.
///
/// # Errors
/// As lstat(2).
pub(crate) fn look_at_link(path: &str) -> Result<FileStat, Errno> {
    stat::lstat(Path::new(path).get(path)?)
}

/// Where a link leads to.
///
/// # Errors
/// As readlink(2); EILSEQ if that is no text.
pub(crate) fn read_link(path: &str) -> Result<String, Errno> {
    let found = nix::fcntl::readlink(Path::new(path).get(path)?)?;
    found.into_string().map_err(|_| Errno::EILSEQ)
}

/// Whether it is of this kind: `libc::S_IFREG` or so.
pub(crate) fn is(found: &FileStat, kind: u32) -> bool {
    found.st_mode & libc::S_IFMT == kind
}

/// Takes a name away.
///
/// # Errors
/// As unlink(2).
pub(crate) fn remove(path: &str) -> Result<(), Errno> {
    nix::unistd::unlink(Path::new(path).get(path)?)
}

/// Puts a file in another's place.
///
/// # Errors
/// As rename(2).
pub(crate) fn rename(from: &str, to: &str) -> Result<(), Errno> {
    let (old, new) = (Path::new(from), Path::new(to));
    nix::fcntl::renameat(AT_FDCWD, old.get(from)?, AT_FDCWD, new.get(to)?)
}

/// Changes who may do what with a file.
///
/// # Errors
/// As chmod(2).
pub(crate) fn permit(path: &str, mode: u32) -> Result<(), Errno> {
    let (name, mode) = (Path::new(path), Mode::from_bits_truncate(mode));
    stat::fchmodat(
        AT_FDCWD,
        name.get(path)?,
        mode,
        FchmodatFlags::FollowSymlink,
    )
}

/// Makes a folder.
///
/// # Errors
/// As mkdir(2).
pub(crate) fn make_folder(path: &str, mode: u32) -> Result<(), Errno> {
    nix::unistd::mkdir(Path::new(path).get(path)?, Mode::from_bits_truncate(mode))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_read_renamed_and_removed() {
        let path = std::env::temp_dir().join(format!("vipd-file-{}", std::process::id()));
        let path = path.to_str().unwrap();
        let new = [path, ".new"].concat();
        let content = vec![7; 3 * CHUNK + 1];
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut file = open(&new, flags, 0o600).unwrap();
        std::io::Write::write_all(&mut file, &content).unwrap();
        assert_eq!(open(&new, flags, 0o600).unwrap_err(), Errno::EEXIST);
        rename(&new, path).unwrap();
        assert_eq!(look(&new), Err(Errno::ENOENT));
        assert_eq!(read(path).unwrap(), content);
        let some = rest(&open(path, OFlag::O_RDONLY, 0).unwrap(), CHUNK + 1).unwrap();
        assert!((CHUNK + 1..content.len()).contains(&some.len()));
        permit(path, 0o640).unwrap();
        let found = look(path).unwrap();
        assert!(is(&found, libc::S_IFREG) && found.st_mode & 0o777 == 0o640);
        remove(path).unwrap();
        assert_eq!(look_at_link(path), Err(Errno::ENOENT));
    }

    #[test]
    fn a_path_that_the_kernel_would_not_take_is_an_error() {
        for (path, expected) in [
            ("a\0b".to_owned(), Errno::EINVAL),
            ("x".repeat(PATH_BYTES), Errno::ENAMETOOLONG),
            ("x".repeat(PATH_BYTES - 1), Errno::ENAMETOOLONG),
            (String::new(), Errno::ENOENT),
        ] {
            assert_eq!(look(&path), Err(expected));
        }
    }
}
