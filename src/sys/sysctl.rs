//! Kernel parameters under /proc/sys, of the calling thread's network namespace.

use nix::fcntl::OFlag;

use super::error::{Context, Error};
use crate::file;

/// Reads a parameter, without the line's end. Its name has slashes, because interfaces have dots:
/// `net/ipv4/conf/eth0.2/arp_ignore`.
///
/// # Errors
/// As open(2), read(2): ENOENT if the kernel has no such parameter.
pub fn read(name: &str) -> Result<String, Error> {
    let value = file::read(&path(name)).context("read sysctl", name)?;
    Ok(String::from_utf8_lossy(value.trim_ascii_end()).into_owned())
}

/// Writes a parameter.
///
/// # Errors
/// As open(2), write(2).
pub fn write(name: &str, value: &str) -> Result<(), Error> {
    // Not created: a parameter that does not exist is an error, also in a /proc that is a folder.
    file::open(&path(name), OFlag::O_WRONLY, 0)
        .and_then(|parameter| file::write(parameter, value.as_bytes()))
        .context("write sysctl", name)
}

fn path(name: &str) -> String {
    format!("/proc/sys/{name}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn reads_without_the_lines_end() {
        assert_eq!(read("kernel/ostype").unwrap(), "Linux");
    }

    #[test]
    fn a_parameter_that_does_not_exist_is_named() {
        let error = write("net/ipv4/conf/none/arp_ignore", "1").unwrap_err();
        assert_eq!(error.errno, Errno::ENOENT);
        assert!(error.to_string().contains("net/ipv4/conf/none/arp_ignore"));
    }
}
