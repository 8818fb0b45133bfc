//! Why a probe has no answer: from the kernel's errors, and into words.

use core::fmt;

use crate::probe::Failure;
use crate::sys::Errno;
use crate::sys::error::Cause;
use crate::time::Duration;

/// Why a probe has no answer, for people.
#[derive(Debug)]
pub(in crate::daemon) struct Reason {
    why: Failure,
    timeout: Duration,
}

impl Reason {
    pub(super) fn new(why: Failure, timeout: Duration) -> Self {
        Self { why, timeout }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.why {
            Failure::Timeout => return write!(f, "no answer within {}", self.timeout),
            Failure::Rcode(1) => "the name server answers FORMERR",
            Failure::Rcode(2) => "the name server answers SERVFAIL",
            Failure::Rcode(3) => "the name server answers NXDOMAIN",
            Failure::Rcode(5) => "the name server answers REFUSED",
            Failure::Rcode(rcode) => return write!(f, "the name server answers error {rcode}"),
            Failure::NotSent(errno) => return Cause(Errno::from_raw(errno)).fmt(f),
            Failure::Unreachable => "unreachable",
            Failure::Refused => "connection refused",
            Failure::NoDefaultRoute => "no default route through the interface",
            Failure::NoInterface => "the interface does not exist",
            Failure::InterfaceDown => "the interface is down",
        })
    }
}

/// What the errno of a socket says of a question.
pub(super) fn failure(errno: Errno) -> Failure {
    match errno {
        Errno::ECONNREFUSED => Failure::Refused,
        Errno::EHOSTUNREACH | Errno::ENETUNREACH => Failure::Unreachable,
        Errno::ETIMEDOUT => Failure::Timeout,
        errno => Failure::NotSent(errno as i32),
    }
}
