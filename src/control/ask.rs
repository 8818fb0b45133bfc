//! The other side of the socket: asks a running daemon, within a bounded time.

use core::fmt;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;

use super::{PROTOCOL, socket_path};
use crate::file::failed_as;
use crate::sys::clock;
use crate::sys::error::Error;
use crate::sys::poll::{Interest, Poll};
use crate::sys::unix;
use crate::time::{Duration, Instant};

/// How long to wait for the daemon: longer than it waits for us, so that it can say why.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens.
    NotRunning(String),
    /// The socket is another user's.
    Denied(String),
    /// The daemon does not answer in time.
    Silent(String),
    /// The answer does not end.
    CutOff,
    /// The daemon refuses: the code of its refusal, and its message, a line or more.
    Refused {
        /// `request::Code::name`, or one that a newer daemon has.
        code: String,
        /// What is wrong.
        message: String,
    },
    /// A system call failed.
    System(Error),
}

/// Asks the daemon of `runtime_dir` and returns its answer without the lines around it.
///
/// # Errors
/// [`AskError`].
pub fn ask(runtime_dir: &str, request: &str) -> Result<String, AskError> {
    let path = socket_path(runtime_dir);
    let mut stream = unix::connect(&path).map_err(|error| refused(error, &path))?;
    let line = format!("{PROTOCOL} {request}\n");
    // A daemon that turns us away has closed already, and its reason waits to be read.
    match stream.write_all(line.as_bytes()) {
        Ok(()) => {}
        Err(error) if is_closed(&error) => {}
        Err(error) => return Err(failed("write to control socket", &path, &error)),
    }
    parse(&read(&mut stream, &path)?)
}

fn refused(error: Error, path: &str) -> AskError {
    match error.errno {
        Errno::ENOENT | Errno::ECONNREFUSED | Errno::ENOTDIR => AskError::NotRunning(path.into()),
        Errno::EACCES | Errno::EPERM => AskError::Denied(path.into()),
        Errno::EAGAIN => AskError::Silent(path.into()),
        _ => AskError::System(error),
    }
}

fn failed(operation: &'static str, path: &str, error: &std::io::Error) -> AskError {
    AskError::System(Error::from_io(operation, path, error))
}

fn is_closed(error: &std::io::Error) -> bool {
    failed_as(error, &[Errno::EPIPE, Errno::ECONNRESET])
}

fn read(stream: &mut UnixStream, path: &str) -> Result<Vec<u8>, AskError> {
    let deadline = clock::now() + PATIENCE;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    let mut poll = Poll::with_capacity(1);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(answer),
            Ok(length) => {
                answer.extend_from_slice(&buffer[..length]);
                continue;
            }
            // It has closed with some of our words unread.
            Err(error) if is_closed(&error) => return Ok(answer),
            Err(error) if failed_as(&error, &[Errno::EAGAIN, Errno::EINTR]) => {}
            Err(error) => return Err(failed("read control socket", path, &error)),
        }
        wait(stream, &mut poll, deadline, path)?;
    }
}

fn wait(
    stream: &UnixStream,
    poll: &mut Poll,
    deadline: Instant,
    path: &str,
) -> Result<(), AskError> {
    let left = deadline.since(clock::now());
    if left.is_zero() {
        return Err(AskError::Silent(path.into()));
    }
    poll.clear();
    poll.add(stream, Interest::Read);
    poll.wait(Some(left)).map_err(AskError::System)?;
    Ok(())
}

fn parse(answer: &[u8]) -> Result<String, AskError> {
    let answer = String::from_utf8_lossy(answer);
    let body = answer.strip_suffix(&format!("\n{PROTOCOL} end\n"));
    let (first, body) = body
        .and_then(|body| body.split_once('\n'))
        .ok_or(AskError::CutOff)?;
    match first.strip_prefix(PROTOCOL).map(str::trim) {
        Some("ok") => Ok(body.to_owned()),
        Some(error) => Err(AskError::Refused {
            code: error.strip_prefix("error ").unwrap_or(error).to_owned(),
            message: body.to_owned(),
        }),
        None => Err(AskError::CutOff),
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning(path) => write!(
                f,
                "vipd is not running: nobody listens on {path}; start it with `vipd run`, or say where \
                 it runs with --runtime-dir"
            ),
            Self::Denied(path) => write!(
                f,
                "{path} is not open to this user: ask as root or as the user that vipd runs as"
            ),
            Self::Silent(path) => write!(
                f,
                "vipd does not answer on {path} within {PATIENCE}: it is stopped or overloaded; see \
                 the process that vipd.pid beside it names"
            ),
            Self::CutOff => f.write_str(
                "the answer was cut off: vipd was stopped or reconfigured meanwhile; ask again",
            ),
            Self::Refused { message, .. } => f.write_str(message),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AskError {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_whole_or_cut_off() {
        let body = parse(b"vipd/1 ok\na\nb\nvipd/1 end\n").unwrap();
        assert_eq!(body, "a\nb");
        for cut in ["", "vipd/1 ok\n", "vipd/1 ok\n{\"format\":1", "a\nb\n"] {
            assert!(matches!(parse(cut.as_bytes()), Err(AskError::CutOff)));
        }
        match parse(b"vipd/1 error busy\nlater\nvipd/1 end\n") {
            Err(AskError::Refused { code, message }) => {
                assert_eq!((code.as_str(), message.as_str()), ("busy", "later"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_daemon_that_does_not_run_is_said_to() {
        let error = ask("/nowhere/vipd", "status").unwrap_err();
        assert_eq!(
            error.to_string(),
            "vipd is not running: nobody listens on /nowhere/vipd/control; start it with \
             `vipd run`, or say where it runs with --runtime-dir"
        );
    }
}
