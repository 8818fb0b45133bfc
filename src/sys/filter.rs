//! Classic BPF filters as data: what the kernel drops before it wakes us.
//!
//! A tap sees every IP packet of the interface, forwarded ones too. So the first instruction that
//! decides looks at the one byte that tells adverts from everything else.

use std::os::fd::AsRawFd;

use libc::{
    BPF_ABS, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_MSH,
    BPF_RET, BPF_W, sock_filter, sock_fprog,
};
use nix::errno::Errno;

use super::socket;
use crate::frame::{ETHERNET_HEADER_LEN, HOP_LIMIT, PROTOCOL_VRRP};
use crate::vrrp::types::Family;

/// A program that attach() gives to a socket.
#[derive(Clone, Copy, Debug)]
pub struct Filter(&'static [sock_filter]);

/// Where the protocol byte of an IPv4 frame is; options come behind it.
const IPV4_PROTOCOL: u32 = ETHERNET_HEADER_LEN as u32 + 9;
/// Where the next header's number of an IPv6 frame is.
const IPV6_NEXT_HEADER: u32 = ETHERNET_HEADER_LEN as u32 + 6;
/// Where the operation of an ARP frame is.
const ARP_OPERATION: u32 = ETHERNET_HEADER_LEN as u32 + 6;
/// Where filters find `sll_pkttype` (SKF_AD_OFF + SKF_AD_PKTTYPE).
const PACKET_TYPE: u32 = 0xffff_f000 + 4;
/// Where filters find the IP header, wherever the socket's packet begins (SKF_NET_OFF).
const IP_HEADER: u32 = 0xfff0_0000;
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

    /// ARP replies that were sent to this host's MAC address. For a packet socket that is bound to
    /// ETH_P_ARP.
    pub const ARP_REPLY: Self = Self(&[
        // 0: A = operation
        load_half(ARP_OPERATION),
        // 1: A == reply ? go on at 2 : skip three, go on at 5
        jump_if_equal(2, 0, 3),
        // 2: A = sll_pkttype
        load_byte(PACKET_TYPE),
        // 3: A == PACKET_HOST ? go on at 4 : skip one, go on at 5
        jump_if_equal(libc::PACKET_HOST as u32, 0, 1),
        // 4: to us
        finish(KEEP),
        // 5: anything else
        finish(DROP),
    ]);

    /// Makes this the filter of a socket, in place of the one it had. What waits in the socket's
    /// buffer was let through by the one before.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn attach(self, fd: &impl AsRawFd) -> Result<(), Errno> {
        attach(fd, self.0)
    }
}

/// Lets a raw ICMP socket of this family hear replies to echo requests with `ident`, and errors about
/// them, and nothing else.
///
/// # Errors
/// As setsockopt(2).
pub(super) fn attach_echo(fd: &impl AsRawFd, family: Family, ident: u16) -> Result<(), Errno> {
    // IPv4 sockets get the IP header too: X = its length. What is quoted in an error is a packet of
    // ours, without options.
    let (size, [reply, unreachable, exceeded], quoted) = match family {
        Family::V4 => (BPF_B | BPF_MSH, [0, 3, 11], 8 + 20),
        // X = 0
        Family::V6 => (BPF_IMM, [129, 1, 3], 8 + 40),
    };
    let load = |size, offset| instruction(BPF_LD | size | BPF_IND, 0, 0, offset);
    attach(
        fd,
        &[
            // 0: X = length of the IP header
            instruction(BPF_LDX | size, 0, 0, 0),
            // 1: A = type
            load(BPF_B, 0),
            // 2: A == echo reply ? skip four, go on at 7 : go on at 3
            jump_if_equal(reply, 4, 0),
            // 3: A == destination unreachable ? skip one, go on at 5 : go on at 4
            jump_if_equal(unreachable, 1, 0),
            // 4: A == time exceeded ? go on at 5 : skip five, go on at 10
            jump_if_equal(exceeded, 0, 5),
            // 5: A = identifier of the quoted message
            load(BPF_H, quoted + 4),
            // 6: A == ours ? skip two, go on at 9 : skip three, go on at 10
            jump_if_equal(u32::from(ident), 2, 3),
            // 7: A = identifier
            load(BPF_H, 4),
            // 8: A == ours ? go on at 9 : skip one, go on at 10
            jump_if_equal(u32::from(ident), 0, 1),
            // 9: about us
            finish(KEEP),
            // 10: anything else
            finish(DROP),
        ],
    )
}

/// Lets a raw ICMPv6 socket hear router solicitations from this link (RFC 4861 §6.1.1), and the last
/// advertisement of another vipd (`ra::Content::farewell`): no default router any more, and the first prefix,
/// which stands where `frame::emit_ra` puts it, preferred no more.
///
/// # Errors
/// As setsockopt(2).
pub(super) fn attach_solicitations(fd: &impl AsRawFd) -> Result<(), Errno> {
    attach(
        fd,
        &[
            // 0: A = hop limit
            load_byte(IP_HEADER + 7),
            // 1: A == 255 ? go on at 2 : skip eight, go on at 10
            jump_if_equal(u32::from(HOP_LIMIT), 0, 8),
            // 2: A = type and code
            load_half(0),
            // 3: A == router solicitation ? skip five, go on at 9 : go on at 4
            jump_if_equal(133 << 8, 5, 0),
            // 4: A == router advertisement ? go on at 5 : skip five, go on at 10
            jump_if_equal(134 << 8, 0, 5),
            // 5: A = router lifetime
            load_half(6),
            // 6: A == 0 ? go on at 7 : skip three, go on at 10
            jump_if_equal(0, 0, 3),
            // 7: A = preferred lifetime of the first prefix; a shorter message ends here
            load_word(40),
            // 8: A == 0 ? go on at 9 : skip one, go on at 10
            jump_if_equal(0, 0, 1),
            // 9: somebody looks for a router, or has to be told of this one
            finish(KEEP),
            // 10: anything else
            finish(DROP),
        ],
    )
}

fn attach(fd: &impl AsRawFd, program: &[sock_filter]) -> Result<(), Errno> {
    let program = sock_fprog {
        len: program.len() as u16,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: SO_ATTACH_FILTER takes a sock_fprog; its pointer and length describe a program that
    // outlives the call, which the kernel copies and does not write to.
    unsafe { socket::set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program) }
}

const fn load_half(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_H | BPF_ABS, 0, 0, offset)
}

const fn load_word(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)
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

    fn passes(filter: Filter, frame: &[u8]) -> bool {
        passes_with(|fd| filter.attach(fd).unwrap(), frame)
    }

    /// Whether the kernel lets `frame` through a filter.
    fn passes_with(attach: impl Fn(&UnixDatagram), frame: &[u8]) -> bool {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        receiver.set_nonblocking(true).unwrap();
        attach(&receiver);
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
    fn arp_replies_pass() {
        let with = |operation| {
            let mut frame = vec![0; 42];
            frame[21] = operation;
            frame
        };
        for operation in 0..=255 {
            let passed = passes(Filter::ARP_REPLY, &with(operation));
            assert_eq!(passed, operation == 2, "{operation}");
        }
        assert!(!passes(Filter::ARP_REPLY, &with(2)[..21]));
    }

    #[test]
    fn our_echoes_and_errors_about_them_pass() {
        let ours = [0x12, 0x34];
        for (family, first, header, [reply, unreachable, exceeded]) in [
            (Family::V4, 0x45, 20, [0, 3, 11]),
            (Family::V4, 0x46, 24, [0, 3, 11]),
            (Family::V6, 129, 0, [129, 1, 3]),
        ] {
            let passes =
                |packet: &[u8]| passes_with(|fd| attach_echo(fd, family, 0x1234).unwrap(), packet);
            let quoted = if family == Family::V4 { 20 } else { 40 };
            let with = |kind: u8, at: usize| {
                let mut packet = vec![0; header + 8 + quoted + 8];
                packet[0] = first;
                packet[header] = kind;
                packet[header + at..][..2].copy_from_slice(&ours);
                packet
            };
            for kind in 0..=255 {
                assert_eq!(passes(&with(kind, 4)), kind == reply, "{kind}");
                let is_error = kind == unreachable || kind == exceeded;
                assert_eq!(passes(&with(kind, 8 + quoted + 4)), is_error, "{kind}");
            }
            let mut other = with(reply, 4);
            other[header + 5] ^= 1;
            assert!(!passes(&other), "another's");
            assert!(passes(&with(reply, 4)[..header + 6]));
            assert!(!passes(&with(reply, 4)[..header + 5]), "short");
            let end = header + 8 + quoted + 6;
            assert!(passes(&with(exceeded, 8 + quoted + 4)[..end]));
            assert!(!passes(&with(exceeded, 8 + quoted + 4)[..end - 1]), "short");
        }
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
