//! A failed system call: what was tried, on what, and the errno.

use core::ffi::CStr;
use core::fmt;
use core::ops::Deref;

use nix::errno::Errno;

/// How many bytes of the subject are kept.
const SUBJECT_LEN: usize = 80;

/// A failed system call. A pointer: results are handed on far more often than anything fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Failed>);

/// What an [`Error`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What was tried, as a verb: "bind packet socket".
    pub operation: &'static str,
    /// The interface or the path; empty if there is none.
    pub subject: heapless::String<SUBJECT_LEN, u8>,
    /// Why it failed.
    pub errno: Errno,
}

impl Deref for Error {
    type Target = Failed;

    fn deref(&self) -> &Failed {
        &self.0
    }
}

impl Error {
    /// `operation` on `subject` failed with `errno`; a long subject is cut.
    pub fn new(operation: &'static str, subject: &str, errno: Errno) -> Self {
        let mut kept = heapless::String::new();
        for character in subject.chars() {
            if kept.push(character).is_err() {
                break;
            }
        }
        Self(Box::new(Failed {
            operation,
            subject: kept,
            errno,
        }))
    }

    /// `operation` failed with the errno of an error of the standard library.
    pub fn from_io(operation: &'static str, subject: &str, error: &std::io::Error) -> Self {
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        Self::new(operation, subject, errno)
    }

    /// What the operator can do, where it is known.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self.errno {
            Errno::EPERM | Errno::EACCES => {
                "run vipd as root, or with CAP_NET_RAW and CAP_NET_ADMIN"
            }
            Errno::EMFILE | Errno::ENFILE => "raise the limit of open files (ulimit -n)",
            Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT => {
                "the kernel lacks this kind of socket: load or build its module"
            }
            Errno::EROFS | Errno::ENOSPC => "choose another --runtime-dir",
            _ => return None,
        })
    }
}

/// One line: `bind packet socket on eth0: Operation not permitted (EPERM); run vipd as root, …`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        if !self.subject.is_empty() {
            write!(f, " on {}", self.subject)?;
        }
        write!(f, ": {}", Cause(self.errno))?;
        match self.remedy() {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Error {}

/// An errno for people: `Operation not permitted (EPERM)`.
///
/// nix would bring another copy of the C library's texts, and code for the name of every errno:
/// 13 KB. So the text is the C library's, and the names are those of what vipd does: sockets, netlink
/// and files. Others go by their number, which differs between machines.
#[derive(Clone, Copy, Debug)]
pub struct Cause(pub Errno);

/// An errno's text in English; 64 bytes hold the longest.
const TEXT_LEN: usize = 96;

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0 as i32;
        let mut buffer = [0_u8; TEXT_LEN];
        // SAFETY: strerror_r writes at most the length given, with a NUL at the end.
        unsafe { libc::strerror_r(number, buffer.as_mut_ptr().cast(), buffer.len()) };
        let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
        f.write_str(text.to_str().unwrap_or_default())?;
        match NAMES.iter().find(|(errno, _)| *errno == self.0) {
            Some((_, name)) => write!(f, " ({name})"),
            None => write!(f, " (errno {number})"),
        }
    }
}

/// The names that operators look for.
#[rustfmt::skip] // a table
const NAMES: [(Errno, &str); 32] = [
    (Errno::EPERM, "EPERM"), (Errno::ENOENT, "ENOENT"), (Errno::ESRCH, "ESRCH"), (Errno::EINTR, "EINTR"),
    (Errno::EIO, "EIO"), (Errno::EBADF, "EBADF"), (Errno::EAGAIN, "EAGAIN"), (Errno::ENOMEM, "ENOMEM"),
    (Errno::EACCES, "EACCES"), (Errno::EBUSY, "EBUSY"), (Errno::EEXIST, "EEXIST"), (Errno::ENODEV, "ENODEV"),
    (Errno::ENOTDIR, "ENOTDIR"), (Errno::EISDIR, "EISDIR"), (Errno::EINVAL, "EINVAL"), (Errno::ENFILE, "ENFILE"),
    (Errno::EMFILE, "EMFILE"), (Errno::ENOSPC, "ENOSPC"), (Errno::EROFS, "EROFS"), (Errno::EPIPE, "EPIPE"),
    (Errno::ENOSYS, "ENOSYS"), (Errno::EMSGSIZE, "EMSGSIZE"), (Errno::ENOPROTOOPT, "ENOPROTOOPT"),
    (Errno::EPROTONOSUPPORT, "EPROTONOSUPPORT"), (Errno::EOPNOTSUPP, "EOPNOTSUPP"),
    (Errno::EAFNOSUPPORT, "EAFNOSUPPORT"), (Errno::EADDRINUSE, "EADDRINUSE"),
    (Errno::EADDRNOTAVAIL, "EADDRNOTAVAIL"), (Errno::ENETDOWN, "ENETDOWN"), (Errno::ENETUNREACH, "ENETUNREACH"),
    (Errno::ENOBUFS, "ENOBUFS"), (Errno::ENXIO, "ENXIO"),
];

/// Names the operation and the subject of an errno.
pub(super) trait Context<T> {
    /// The error of `operation` on `subject`.
    fn context(self, operation: &'static str, subject: &str) -> Result<T, Error>;
}

impl<T> Context<T> for Result<T, Errno> {
    fn context(self, operation: &'static str, subject: &str) -> Result<T, Error> {
        self.map_err(|errno| Error::new(operation, subject, errno))
    }
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, operation: &'static str, subject: &str) -> Result<T, Error> {
        self.map_err(|error| Error::from_io(operation, subject, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_that_says_what_why_and_what_to_do() {
        assert_eq!(
            Error::new("open packet socket", "eth0", Errno::EPERM).to_string(),
            "open packet socket on eth0: Operation not permitted (EPERM); \
             run vipd as root, or with CAP_NET_RAW and CAP_NET_ADMIN"
        );
        assert_eq!(
            Error::new("read clock", "", Errno::EINVAL).to_string(),
            "read clock: Invalid argument (EINVAL)"
        );
    }

    #[test]
    fn every_errno_has_a_text_and_a_name_or_number() {
        assert_eq!(
            Cause(Errno::ENOBUFS).to_string(),
            "No buffer space available (ENOBUFS)"
        );
        let other = Cause(Errno::EXDEV).to_string();
        assert!(
            other.ends_with(&format!(" (errno {})", libc::EXDEV)),
            "{other}"
        );
        for number in 1..200 {
            let text = Cause(Errno::from_raw(number)).to_string();
            assert!(
                text.len() < TEXT_LEN && !text.starts_with(' '),
                "{number}: {text}"
            );
        }
    }

    #[test]
    fn a_long_subject_is_cut_between_characters() {
        let error = Error::new("open", &"ä".repeat(60), Errno::ENOENT);
        assert_eq!(error.subject.chars().count(), 40);
    }
}
