//! News of processes: the proc connector, `include/uapi/linux/{connector,cn_proc}.h`.
//!
//! A message is of the kind NLMSG_DONE, with struct cn_msg and struct proc_event in it.

use super::build::HEADER_LEN;
use super::error::NLMSG_DONE;
use super::parse::{Message, u32_at};

/// CN_IDX_PROC and CN_VAL_PROC; the first is the multicast group, too.
pub const GROUP: u32 = 1;
/// PROC_CN_MCAST_LISTEN and PROC_CN_MCAST_IGNORE.
const LISTEN: u32 = 1;
const IGNORE: u32 = 2;
/// Bytes of struct cn_msg, and of what stands in front of the data of struct proc_event.
const CONNECTOR_LEN: usize = 20;
const DATA: usize = CONNECTOR_LEN + 16;
/// Bytes of a request.
const REQUEST_LEN: usize = HEADER_LEN + CONNECTOR_LEN + 4;

/// PROC_EVENT_…
const NONE: u32 = 0;
const FORK: u32 = 1;
const EXEC: u32 = 2;
const COMM: u32 = 0x200;
const EXIT: u32 = 0x8000_0000;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A request was answered: an errno, or 0.
    Answer(u32),
    /// This process is new, or has another program or name.
    Changed(u32),
    /// This process has ended.
    Ended(u32),
}

/// Asks for news, or for no more of them. The kernel counts who has asked.
pub fn request(listen: bool) -> [u8; REQUEST_LEN] {
    let mut bytes = [0; REQUEST_LEN];
    let mut words = bytes.chunks_exact_mut(4);
    let mut put = |value: u32| {
        if let Some(word) = words.next() {
            word.copy_from_slice(&value.to_ne_bytes());
        }
    };
    // Two halves in one word, the first one first.
    let halves = |first: u16, second: u16| {
        let [[a, b], [c, d]] = [first.to_ne_bytes(), second.to_ne_bytes()];
        u32::from_ne_bytes([a, b, c, d])
    };
    let operation = if listen { LISTEN } else { IGNORE };
    // Length, kind and flags, sequence, port; index and value, sequence, acknowledgement, length and flags.
    for word in [REQUEST_LEN as u32, halves(NLMSG_DONE, 0), 0, 0] {
        put(word);
    }
    for word in [GROUP, GROUP, 0, 0, halves(4, 0), operation] {
        put(word);
    }
    bytes
}

impl News {
    /// Reads a message. None if it is about something else, or about a thread that is not the first of
    /// its process.
    pub fn parse(message: &Message<'_>) -> Option<Self> {
        let word = |at| u32_at(message.body, at);
        if (message.kind, word(0)?) != (NLMSG_DONE, GROUP) {
            return None;
        }
        // The parent stands in front of its child: thread, then process.
        let what = word(CONNECTOR_LEN)?;
        let at = if what == FORK { DATA + 8 } else { DATA };
        let first = word(at)?;
        if what == NONE {
            return Some(Self::Answer(first));
        }
        let process = word(at + 4)?;
        match what {
            FORK | EXEC | COMM if first == process => Some(Self::Changed(process)),
            EXIT if first == process => Some(Self::Ended(process)),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::netlink::parse::Messages;

    /// A datagram as the kernel writes it.
    fn told(what: u32, data: &[u32]) -> Vec<u8> {
        let mut words = vec![0, 0, 0, 0, GROUP, GROUP, 7, 0, 0, what, 0, 0, 0];
        words.extend(data);
        words.resize(words.len().max(19), 0);
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let len = bytes.len() as u32;
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        bytes[4..6].copy_from_slice(&NLMSG_DONE.to_ne_bytes());
        bytes
    }

    fn parsed(bytes: &[u8]) -> Option<News> {
        News::parse(&Messages::new(bytes).next()?)
    }

    #[test]
    fn what_the_kernel_tells() {
        for (what, data, news) in [
            (NONE, [0, 0, 0, 0], Some(News::Answer(0))),
            (NONE, [1, 0, 0, 0], Some(News::Answer(1))),
            (FORK, [4, 4, 9, 9], Some(News::Changed(9))),
            // A thread.
            (FORK, [4, 4, 9, 4], None),
            (EXEC, [9, 9, 0, 0], Some(News::Changed(9))),
            (COMM, [9, 9, 0, 0], Some(News::Changed(9))),
            (COMM, [10, 9, 0, 0], None),
            (EXIT, [9, 9, 256, 17], Some(News::Ended(9))),
            (EXIT, [10, 9, 0, 0], None),
            // A change of its user.
            (4, [9, 9, 0, 0], None),
        ] {
            let bytes = told(what, &data);
            assert_eq!(parsed(&bytes), news, "{what:#x} {data:?}");
            for len in 0..bytes.len() {
                assert_eq!(parsed(&bytes[..len]), None, "a piece of {len} bytes");
            }
        }
    }

    #[test]
    fn a_request_is_what_cn_proc_h_says() {
        let bytes = request(true);
        let message = Messages::new(&bytes).next().unwrap();
        assert_eq!((message.kind, message.flags), (NLMSG_DONE, 0));
        let words: Vec<u32> = (0..4)
            .map(|n| u32_at(message.body, 4 * n).unwrap())
            .collect();
        assert_eq!(words, [1, 1, 0, 0]);
        assert_eq!(message.body[16..18], 4_u16.to_ne_bytes());
        assert_eq!(u32_at(message.body, 20), Some(LISTEN));
        assert_eq!(message.body.len(), 24);
        assert_eq!(request(false)[36..], IGNORE.to_ne_bytes());
        assert_eq!(parsed(&bytes), None);
    }
}
