//! The kernel's verdict on a request: NLMSG_ERROR, and NLMSG_DONE at the end of a dump.

use super::build::{HEADER_LEN, aligned};
use super::parse::{Attributes, Message, u16_at, u32_at};

/// A failed or an acknowledged request.
pub const NLMSG_ERROR: u16 = libc::NLMSG_ERROR as u16;
/// The end of a dump.
pub const NLMSG_DONE: u16 = libc::NLMSG_DONE as u16;
/// The kernel left the failed request's body out (NETLINK_CAP_ACK).
const NLM_F_CAPPED: u16 = 0x100;
/// Attributes follow that explain the error (NETLINK_EXT_ACK).
const NLM_F_ACK_TLVS: u16 = 0x200;
/// The explanation, a text.
const NLMSGERR_ATTR_MSG: u16 = 1;

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The sequence number of the request.
    pub sequence: u32,
    /// 0 for success, or a positive errno.
    pub errno: i32,
    /// The type of the request, RTM_….
    pub request: u16,
    /// The kernel's own words, if it has some.
    pub explanation: Option<&'a str>,
}

impl<'a> Ack<'a> {
    /// Reads an NLMSG_ERROR message. `None` if it is cut short.
    pub fn parse(message: &Message<'a>) -> Option<Self> {
        let body = message.body;
        let request_len = u32_at(body, 4)? as usize;
        // The request's header is repeated in each; its body only in an error that is not capped.
        let errno = done(body)?;
        let repeated = if errno == 0 || message.flags & NLM_F_CAPPED != 0 {
            HEADER_LEN
        } else {
            request_len.max(HEADER_LEN)
        };
        Some(Self {
            sequence: u32_at(body, 12)?,
            errno,
            request: u16_at(body, 8)?,
            explanation: (message.flags & NLM_F_ACK_TLVS != 0)
                .then(|| explanation(body, 4_usize.saturating_add(repeated)))
                .flatten(),
        })
    }
}

fn explanation(body: &[u8], at: usize) -> Option<&str> {
    let attributes = body.get(aligned(at)..)?;
    Attributes::new(attributes)
        .find(|attribute| attribute.kind == NLMSGERR_ATTR_MSG)?
        .str()
}

/// The errno at the start of an NLMSG_DONE or NLMSG_ERROR body, positive; 0 is success.
pub fn done(body: &[u8]) -> Option<i32> {
    Some((u32_at(body, 0)? as i32).saturating_neg())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::netlink::Content;

    fn error(errno: i32, rest: &[u8]) -> Vec<u8> {
        let mut body = errno.to_ne_bytes().to_vec();
        body.extend(24_u32.to_ne_bytes());
        body.extend(20_u16.to_ne_bytes());
        body.extend(5_u16.to_ne_bytes());
        body.extend(99_u32.to_ne_bytes());
        body.extend(0_u32.to_ne_bytes());
        body.extend(rest);
        body
    }

    fn text() -> Vec<u8> {
        let mut bytes = 8_u16.to_ne_bytes().to_vec();
        bytes.extend(NLMSGERR_ATTR_MSG.to_ne_bytes());
        bytes.extend(*b"no!\0");
        bytes
    }

    fn parse(flags: u16, body: &[u8]) -> Content<'_> {
        Content::parse(&Message {
            kind: NLMSG_ERROR,
            flags,
            sequence: 99,
            port: 0,
            body,
        })
    }

    #[test]
    fn acknowledged() {
        let expected = Ack {
            sequence: 99,
            errno: 0,
            request: 20,
            explanation: None,
        };
        assert_eq!(parse(0, &error(0, &[])), Content::Ack(expected));
    }

    #[test]
    fn failed_with_the_kernels_words() {
        let expected = Ack {
            sequence: 99,
            errno: libc::EEXIST,
            request: 20,
            explanation: Some("no!"),
        };
        let capped = error(-libc::EEXIST, &text());
        let flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
        assert_eq!(parse(flags, &capped), Content::Ack(expected));
        let mut whole_request = vec![0; 8];
        whole_request.extend(text());
        let whole = error(-libc::EEXIST, &whole_request);
        assert_eq!(parse(NLM_F_ACK_TLVS, &whole), Content::Ack(expected));
    }

    #[test]
    fn cut_short() {
        let whole = error(-libc::EEXIST, &[]);
        for len in 0..16 {
            assert_eq!(parse(0, &whole[..len]), Content::Other, "{len}");
        }
        assert_eq!(done(&(-2_i32).to_ne_bytes()), Some(2));
        assert_eq!(done(&[0; 3]), None);
        assert_eq!(done(&i32::MIN.to_ne_bytes()), Some(i32::MAX));
    }
}
