//! What every socket here needs: options, addresses, names of interfaces.

use core::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;

/// The byte order of `sll_protocol`.
pub(super) const fn network_order(protocol: c_int) -> u16 {
    (protocol as u16).to_be()
}

/// Opens a socket, close-on-exec and non-blocking. `protocol` as socket(2) takes it.
pub(super) fn open(family: c_int, kind: c_int, protocol: c_int) -> Result<OwnedFd, Errno> {
    use std::os::fd::FromRawFd;
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket(2) takes no pointers.
    let fd = Errno::result(unsafe { libc::socket(family, kind, protocol) })?;
    // SAFETY: the descriptor is new and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets an option to a value that is plain data.
///
/// # Safety
/// `T` must be the type that the option takes, without pointers that dangle.
pub(super) unsafe fn set_option<T>(
    fd: &impl AsRawFd,
    level: c_int,
    name: c_int,
    value: &T,
) -> Result<(), Errno> {
    // SAFETY: the pointer and the length describe `value`, which outlives the call; the kernel
    // only reads it.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            core::ptr::from_ref(value).cast::<c_void>(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop)
}

/// Sets an option that takes an int.
pub(super) fn set_int(
    fd: &impl AsRawFd,
    level: c_int,
    name: c_int,
    value: c_int,
) -> Result<(), Errno> {
    // SAFETY: every option that the callers in this module name takes an int.
    unsafe { set_option(fd, level, name, &value) }
}

/// Sets the receive buffer to `bytes`, beyond the system's limit if we may.
pub(super) fn set_receive_buffer(fd: &impl AsRawFd, bytes: usize) -> Result<(), Errno> {
    let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
    set_int(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
        .or_else(|_| set_int(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes))
}

/// Binds to an address structure.
///
/// # Safety
/// `T` must be the sockaddr structure of the socket's family.
pub(super) unsafe fn bind<T>(fd: &impl AsRawFd, address: &T) -> Result<(), Errno> {
    // SAFETY: the pointer and the length describe `address`, which outlives the call; the kernel
    // only reads it.
    let result = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            core::ptr::from_ref(address).cast::<libc::sockaddr>(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop)
}

/// Binds to the interface that has this name (SO_BINDTODEVICE).
pub(super) fn bind_to_device(fd: &impl AsRawFd, name: &str) -> Result<(), Errno> {
    let mut bytes = [0_u8; libc::IFNAMSIZ];
    // The last byte stays zero.
    let room = &mut bytes[..libc::IFNAMSIZ - 1];
    room.get_mut(..name.len())
        .ok_or(Errno::ENODEV)?
        .copy_from_slice(name.as_bytes());
    // SAFETY: SO_BINDTODEVICE takes a name of at most IFNAMSIZ bytes.
    unsafe { set_option(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &bytes) }
}
