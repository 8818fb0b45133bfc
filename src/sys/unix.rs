//! Unix stream sockets that have a name in the file system.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect as connect_to,
    getsockopt, listen, socket, sockopt,
};

use super::error::{Context, Error};
use crate::file;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 16;

/// A socket that others can connect to, by root and its owner only (0600). Its name is removed when
/// it is dropped.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    path: String,
}

impl Listener {
    /// Listens under the name `path`. A socket or file that is there is replaced: the caller knows
    /// that nobody else uses it.
    ///
    /// # Errors
    /// ENAMETOOLONG beyond 107 bytes; as unlink(2), bind(2), chmod(2).
    pub fn bind(path: &str) -> Result<Self, Error> {
        match file::remove(path) {
            Ok(()) | Err(Errno::ENOENT) => {}
            failed => failed.context("replace control socket", path)?,
        }
        let address = UnixAddr::new(path).context("name control socket", path)?;
        let fd = stream_socket().context("open control socket", path)?;
        bind(fd.as_raw_fd(), &address).context("bind control socket", path)?;
        let listener = Self {
            fd,
            path: path.to_owned(),
        };
        // Nobody can connect before listen(2), so that the mode of the umask is never of use.
        file::permit(path, 0o600).context("restrict control socket", path)?;
        let backlog = Backlog::new(BACKLOG).context("listen on control socket", path)?;
        listen(&listener.fd, backlog).context("listen on control socket", path)?;
        Ok(listener)
    }

    /// The next connection, non-blocking; none if nobody waits (any more).
    ///
    /// # Errors
    /// As accept(2): EMFILE, ENFILE, ENOMEM leave the connection waiting.
    pub fn accept(&self) -> Result<Option<UnixStream>, Error> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        match accept4(self.fd.as_raw_fd(), flags) {
            // SAFETY: the descriptor is new and nobody else has it.
            Ok(fd) => Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }.into())),
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNABORTED) => Ok(None),
            Err(errno) => Err(errno).context("accept on control socket", &self.path),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // If it has gone already there is nothing to do, and nobody to tell.
        let _ = file::remove(&self.path);
    }
}

/// Connects to the listener `path`; the stream is non-blocking.
///
/// # Errors
/// ENOENT, ECONNREFUSED: nobody listens. EACCES: not our own. EAGAIN: too many wait to be accepted.
pub fn connect(path: &str) -> Result<UnixStream, Error> {
    const OPERATION: &str = "connect to control socket";
    let address = UnixAddr::new(path).context(OPERATION, path)?;
    let fd = stream_socket().context(OPERATION, path)?;
    connect_to(fd.as_raw_fd(), &address).context(OPERATION, path)?;
    Ok(fd.into())
}

/// The user who has connected.
///
/// # Errors
/// As getsockopt(2).
pub fn peer_uid(stream: &UnixStream) -> Result<u32, Error> {
    let credentials = getsockopt(stream, sockopt::PeerCredentials)
        .context("read credentials of control client", "")?;
    Ok(credentials.uid())
}

fn stream_socket() -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Unix, SockType::Stream, flags, None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_name_lives_as_long_as_the_listener_and_is_the_owners() {
        let path = std::env::temp_dir().join(format!("vipd-unix-{}", std::process::id()));
        let path = path.to_str().unwrap();
        fs::write(path, "left by a killed daemon").unwrap();
        let listener = Listener::bind(path).unwrap();
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(listener.accept().unwrap().is_none(), "nobody yet");
        let client = connect(path).unwrap();
        let served = listener.accept().unwrap().unwrap();
        let own = nix::unistd::geteuid().as_raw();
        assert_eq!(peer_uid(&served).unwrap(), own);
        drop((listener, client));
        assert_eq!(connect(path).unwrap_err().errno, Errno::ENOENT);
    }

    #[test]
    fn a_name_that_does_not_fit_is_an_error() {
        let path = format!("/tmp/{}", "x".repeat(120));
        assert_eq!(
            Listener::bind(&path).unwrap_err().errno,
            Errno::ENAMETOOLONG
        );
    }

    #[test]
    fn a_full_queue_does_not_block() {
        let path = std::env::temp_dir().join(format!("vipd-unix-full-{}", std::process::id()));
        let path = path.to_str().unwrap();
        let _listener = Listener::bind(path).unwrap();
        let mut waiting = Vec::new();
        let refused = loop {
            match connect(path) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
            assert!(waiting.len() < 100, "the queue has an end");
        };
        assert_eq!(refused.errno, Errno::EAGAIN);
    }
}
