//! After the start, the daemon gives up what it does not need any more.

use crate::config::model::Urgency;
use crate::log;
use crate::sys::Errno;
use crate::sys::error::{Cause, Error};
use crate::sys::rights::{self, Capabilities};
use crate::sys::seccomp;
use crate::sys::urgency;

/// Takes the place beside other processes that the configuration asks for, as long as there are rights
/// for it: what is set stays set when they are given up. Without it vipd serves as well. True if more
/// memory will need a right.
pub(super) fn hurry(wanted: Urgency) -> bool {
    let nice = wanted.nice.map_or(Ok(()), urgency::set_nice);
    let realtime = wanted.realtime.map_or(Ok(()), urgency::set_realtime);
    let mut locks = false;
    let in_memory = if wanted.no_swap {
        urgency::stay_in_memory().map(|unlimited| locks = !unlimited)
    } else {
        Ok(())
    };
    for (what, result) in [
        ("priority", nice),
        ("rt_priority", realtime),
        ("no_swap", in_memory),
    ] {
        if let Err(errno) = result {
            log::warn!("vrrp_{what}: {}; vipd goes on without it", Cause(errno));
        }
    }
    locks
}

/// Everything is open and nothing has been read from a stranger: from here on the daemon has two
/// capabilities and the system calls of one list, and no program that it could become would have
/// more. `locks`: it keeps the one that more locked memory needs. A kernel that cannot filter is no
/// reason not to serve.
pub(super) fn confine(locks: bool) -> Result<(), Error> {
    let capabilities = Capabilities::reduce(locks)?;
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
