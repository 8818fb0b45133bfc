//! What this process may do: capabilities, and that it never gets more.

use core::fmt;

use nix::errno::Errno;

use super::error::{Context, Error};

/// _LINUX_CAPABILITY_VERSION_3: two words a set.
const VERSION: u32 = 0x2008_0522;
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
const IPC_LOCK: u32 = 14;
/// What the daemon keeps of what it has, the last one only if it is needed. All of them are in the first
/// word.
const KEPT: [(u32, &str); 3] = [
    (NET_ADMIN, "CAP_NET_ADMIN"),
    (NET_RAW, "CAP_NET_RAW"),
    (IPC_LOCK, "CAP_IPC_LOCK"),
];

/// The capabilities of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(u32);

/// Effective, permitted, inheritable, for each word: capget(2).
type Sets = [[u32; 3]; 2];

impl Capabilities {
    /// Gives up all but the two that a router needs, or what there is of them, and the one with which
    /// it may lock more memory, if it `locks`: permitted and effective alike, nothing for a program that this one might become. The bounding set stays as
    /// it is: it limits only what a program would get that is started from here, and
    /// [`never_more`] does that in one system call instead of forty.
    ///
    /// # Errors
    /// As capset(2).
    pub fn reduce(locks: bool) -> Result<Self, Error> {
        let [[_, permitted, _], _] = get().context("read capabilities", "")?;
        let kept = &KEPT[..2 + usize::from(locks)];
        let wanted = kept.iter().fold(0, |mask, (bit, _)| mask | 1 << bit);
        let kept = permitted & wanted;
        set(&[[kept, kept, 0], [0; 3]]).context("give up capabilities", "")?;
        Ok(Self(kept))
    }
}

/// Their names, or `no capability`.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (bit, name) in KEPT {
            if self.0 & 1 << bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = ", ";
            }
        }
        f.write_str(if separator.is_empty() {
            "no capability"
        } else {
            ""
        })
    }
}

/// Neither this process nor a program that it starts will ever have more rights than it has now.
///
/// # Errors
/// As prctl(2).
pub fn never_more() -> Result<(), Error> {
    nix::sys::prctl::set_no_new_privs().context("renounce new privileges", "")
}

fn get() -> Result<Sets, Errno> {
    let (header, mut sets) = ([VERSION, 0], Sets::default());
    // SAFETY: the header is two words, and the kernel writes six of version 3 to the sets.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    Errno::result(result).map(|_| sets)
}

fn set(sets: &Sets) -> Result<(), Errno> {
    let header = [VERSION, 0];
    // SAFETY: the kernel reads a header of two words and six words of version 3.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    Errno::result(result).map(drop)
}
