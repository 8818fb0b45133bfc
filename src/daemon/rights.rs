//! After the start, the daemon gives up what it does not need any more.

use crate::sys::Errno;
use crate::sys::error::Error;
use crate::sys::rights::{self, Capabilities};
use crate::sys::seccomp;

/// Everything is open and nothing has been read from a stranger: from here on the daemon has two
/// capabilities and the system calls of one list, and no program that it could become would have
/// more. A kernel that cannot filter is no reason not to serve.
pub(super) fn confine() -> Result<(), Error> {
    let capabilities = Capabilities::reduce()?;
    rights::never_more()?;
    match seccomp::confine() {
        Ok(()) => log::debug!("rights: {capabilities}, the system calls of one list"),
        Err(error) if matches!(error.errno, Errno::EINVAL | Errno::ENOSYS) => log::info!(
            "system calls are not filtered, because this kernel cannot (CONFIG_SECCOMP_FILTER); rights: \
             {capabilities}"
        ),
        Err(error) => return Err(error),
    }
    Ok(())
}
