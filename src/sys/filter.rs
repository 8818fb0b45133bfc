//! Classic BPF filters as data: what the kernel drops before it wakes us.
//!
//! A tap sees every IP packet of the interface, forwarded ones too. So the first instruction that
//! decides looks at the one byte that tells adverts from everything else.

use std::os::fd::AsRawFd;

use libc::{BPF_ABS, BPF_B, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, sock_filter, sock_fprog};
use nix::errno::Errno;

use super::socket;
use crate::frame::{ETHERNET_HEADER_LEN, PROTOCOL_VRRP};
use crate::vrrp::types::Family;

/// A program that attach() gives to a socket.
#[derive(Clone, Copy, Debug)]
pub struct Filter(&'static [sock_filter]);

/// Where the protocol byte of an IPv4 frame is; options come behind it.
const IPV4_PROTOCOL: u32 = ETHERNET_HEADER_LEN as u32 + 9;
/// Where the next header's number of an IPv6 frame is.
const IPV6_NEXT_HEADER: u32 = ETHERNET_HEADER_LEN as u32 + 6;
/// Keep the whole packet.
const KEEP: u32 = u32::MAX;
/// Keep nothing of it.
const DROP: u32 = 0;

impl Filter {
    /// Ethernet frames with IPv4 protocol 112. For a packet socket that is bound to ETH_P_IP, which
    /// is why it does not look at the Ethernet type. A frame too short to have a protocol is
    /// dropped: a load beyond the end drops.
    pub const VRRP_IPV4: Self = Self(&[
        // 0: A = protocol
        load_byte(IPV4_PROTOCOL),
        // 1: A == 112 ? go on at 2 : skip one, go on at 3
        jump_if_equal(PROTOCOL_VRRP as u32, 0, 1),
        // 2: VRRP
        finish(KEEP),
        // 3: anything else
        finish(DROP),
    ]);

    /// Ethernet frames with IPv6 next header 112, in the same way: for a socket that is bound to
    /// ETH_P_IPV6. Adverts have no extension headers.
    pub const VRRP_IPV6: Self = Self(&[
        // 0: A = next header
        load_byte(IPV6_NEXT_HEADER),
        // 1: A == 112 ? go on at 2 : skip one, go on at 3
        jump_if_equal(PROTOCOL_VRRP as u32, 0, 1),
        // 2: VRRP
        finish(KEEP),
        // 3: anything else
        finish(DROP),
    ]);

    /// The adverts of a family.
    pub const fn vrrp(family: Family) -> Self {
        match family {
            Family::V4 => Self::VRRP_IPV4,
            Family::V6 => Self::VRRP_IPV6,
        }
    }

    /// Everything, as a socket without a filter.
    pub const EVERYTHING: Self = Self(&[
        // 0: whatever it is
        finish(KEEP),
    ]);

    /// Nothing at all.
    pub const NOTHING: Self = Self(&[
        // 0: whatever it is
        finish(DROP),
    ]);

    /// Makes this the filter of a socket, in place of the one it had. What waits in the socket's
    /// buffer was let through by the one before.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn attach(self, fd: &impl AsRawFd) -> Result<(), Errno> {
        let program = sock_fprog {
            len: self.0.len() as u16,
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: SO_ATTACH_FILTER takes a sock_fprog; its pointer and length describe a static
        // program, which the kernel copies and does not write to.
        unsafe { socket::set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program) }
    }
}

const fn load_byte(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_B | BPF_ABS, 0, 0, offset)
}

/// `on_true` and `on_false` count the instructions to skip.
pub(super) const fn jump_if_equal(value: u32, on_true: u8, on_false: u8) -> sock_filter {
    instruction(BPF_JMP | BPF_JEQ | BPF_K, on_true, on_false, value)
}

/// Ends with this many bytes of the packet, or with what a filter of another kind ends with.
pub(super) const fn finish(result: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, 0, 0, result)
}

pub(super) const fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    /// Whether the kernel lets `frame` through the filter.
    fn passes(filter: Filter, frame: &[u8]) -> bool {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        receiver.set_nonblocking(true).unwrap();
        filter.attach(&receiver).unwrap();
        // The kernel drops silently for a datagram's sender, or says EPERM.
        let _ = sender.send(frame);
        let mut buffer = [0; 2048];
        match receiver.recv(&mut buffer) {
            Ok(len) => {
                assert_eq!(&buffer[..len], frame, "the whole frame");
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                false
            }
        }
    }

    fn frame(protocol: u8) -> Vec<u8> {
        let mut frame = vec![0; 1500];
        frame[23] = protocol;
        frame
    }

    #[test]
    fn vrrp_passes_whole() {
        assert!(passes(Filter::VRRP_IPV4, &frame(112)));
        assert!(passes(Filter::VRRP_IPV4, &frame(112)[..24]));
    }

    #[test]
    fn everything_else_is_dropped() {
        for protocol in (0..=255).filter(|&protocol| protocol != 112) {
            assert!(!passes(Filter::VRRP_IPV4, &frame(protocol)), "{protocol}");
        }
    }

    #[test]
    fn ipv6_looks_at_the_next_header() {
        let with = |next| {
            let mut frame = vec![0; 1500];
            frame[20] = next;
            frame
        };
        for next in 0..=255 {
            let passed = passes(Filter::VRRP_IPV6, &with(next));
            assert_eq!(passed, next == 112, "{next}");
        }
        assert!(passes(Filter::VRRP_IPV6, &with(112)[..21]));
        assert!(!passes(Filter::VRRP_IPV6, &[112; 20]));
    }

    #[test]
    fn too_short_to_have_a_protocol_is_dropped() {
        assert!(!passes(Filter::VRRP_IPV4, &[112; 23]));
        assert!(passes(Filter::VRRP_IPV4, &[112; 24]));
    }

    #[test]
    fn everything_passes_everything() {
        assert!(passes(Filter::EVERYTHING, &frame(6)));
        assert!(passes(Filter::EVERYTHING, &[0]));
    }

    #[test]
    fn nothing_passes_nothing() {
        assert!(!passes(Filter::NOTHING, &frame(112)));
        assert!(!passes(Filter::NOTHING, &[0]));
    }
}
