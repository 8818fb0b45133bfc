//! Builds requests: a batch of messages in one buffer.

/// Length of a netlink message header in bytes.
pub(crate) const HEADER_LEN: usize = 16;
/// Length of an attribute header in bytes.
pub(crate) const ATTRIBUTE_HEADER_LEN: usize = 4;
/// Messages and attributes start at multiples of this.
const ALIGNMENT: usize = 4;

/// The next multiple of four: NLMSG_ALIGN and NLA_ALIGN of the kernel.
pub(crate) const fn aligned(len: usize) -> usize {
    len.div_ceil(ALIGNMENT) * ALIGNMENT
}

/// Requests that go to the kernel together.
///
/// The buffer keeps its capacity over [`clear`](Self::clear): once it has held the largest batch,
/// it allocates no more.
#[derive(Debug)]
pub struct Batch {
    buffer: Vec<u8>,
    last: usize,
    next_sequence: u32,
}

impl Batch {
    /// An empty batch with room for `capacity` bytes; an address takes about 90, a dump 24.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            buffer: Vec::with_capacity(capacity),
            last: 0,
            next_sequence: 1,
        }
    }

    /// Forgets all messages; the sequence numbers go on.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.last = 0;
    }

    /// Gives back the room beyond `capacity` bytes that no message needs.
    pub fn shrink_to(&mut self, capacity: usize) {
        self.buffer.shrink_to(capacity);
    }

    /// True without a message.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The messages, each padded to four bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Adds a message of type `kind` (RTM_…) whose body `write` writes. `flags` are NLM_F_… without
    /// NLM_F_REQUEST, which is always set. Returns the sequence number that an error will name.
    pub fn message(&mut self, kind: u16, flags: u16, write: impl FnOnce(&mut Body<'_>)) -> u32 {
        let sequence = self.open(kind, flags);
        write(&mut Body {
            buffer: &mut self.buffer,
        });
        self.close();
        sequence
    }

    /// The header of a message. It and [`close`](Self::close) exist once, not for each `write`.
    fn open(&mut self, kind: u16, flags: u16) -> u32 {
        let start = self.buffer.len();
        let sequence = self.next_sequence;
        // 0 is what the kernel's own notifications carry.
        self.next_sequence = sequence.checked_add(1).unwrap_or(1);
        self.last = start;
        let mut header = [0; HEADER_LEN];
        header[4..6].copy_from_slice(&kind.to_ne_bytes());
        header[6..8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        header[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.buffer.extend_from_slice(&header);
        sequence
    }

    /// The length of the last message.
    fn close(&mut self) {
        let start = self.last;
        let len = u32::try_from(self.buffer.len() - start).unwrap_or(u32::MAX);
        self.buffer[start..start + 4].copy_from_slice(&len.to_ne_bytes());
    }

    /// Asks for an acknowledgement of the last message. The others answer only when they fail,
    /// which spares the receive buffer; the kernel still runs those behind a failed one.
    pub fn acknowledge_last(&mut self) {
        let at = self.last + 6;
        if let Some(flags) = self.buffer.get_mut(at..at + 2) {
            let value = u16::from_ne_bytes([flags[0], flags[1]]) | ACK;
            flags.copy_from_slice(&value.to_ne_bytes());
        }
    }

    /// The sequence number of the last message.
    pub fn last_sequence(&self) -> Option<u32> {
        let at = self.last + 8;
        let bytes = self.buffer.get(at..at + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    }
}

const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const ACK: u16 = libc::NLM_F_ACK as u16;

/// The body of a message while it is written.
#[derive(Debug)]
pub struct Body<'a> {
    buffer: &'a mut Vec<u8>,
}

impl Body<'_> {
    /// Adds bytes as they are: the fixed header of the message's family.
    pub fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.pad();
    }

    /// Adds an attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        let start = self.open(kind);
        self.buffer.extend_from_slice(value);
        self.close(start);
    }

    /// Adds an attribute with a 32-bit number.
    pub fn attribute_u32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Adds an attribute with a text and the zero behind it.
    pub fn attribute_str(&mut self, kind: u16, value: &str) {
        let start = self.open(kind);
        self.buffer.extend_from_slice(value.as_bytes());
        self.buffer.push(0);
        self.close(start);
    }

    /// Adds an attribute whose value `write` writes: other attributes, as a rule.
    pub fn nested(&mut self, kind: u16, write: impl FnOnce(&mut Body<'_>)) {
        let start = self.open(kind);
        write(&mut Body {
            buffer: self.buffer,
        });
        self.close(start);
    }

    /// The header of an attribute; where it stands.
    fn open(&mut self, kind: u16) -> usize {
        let start = self.buffer.len();
        let [a, b] = kind.to_ne_bytes();
        self.buffer.extend_from_slice(&[0, 0, a, b]);
        start
    }

    /// The length of the attribute that stands there, and the padding.
    fn close(&mut self, start: usize) {
        let len = u16::try_from(self.buffer.len() - start).unwrap_or(u16::MAX);
        self.buffer[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self.pad();
    }

    fn pad(&mut self) {
        self.buffer.resize(aligned(self.buffer.len()), 0);
    }
}

/// A batch cut into pieces of at most `limit` bytes, each of whole messages; a message longer than
/// that is a piece of its own. The kernel refuses a datagram larger than the send buffer.
pub fn pieces(batch: &[u8], limit: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = batch;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = message_len(rest);
        while end < rest.len() {
            let next = end + message_len(&rest[end..]);
            if next > limit {
                break;
            }
            end = next;
        }
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        Some(piece)
    })
}

/// The padded length of the first message of `bytes`, at least 1 and at most all of it.
fn message_len(bytes: &[u8]) -> usize {
    let len = match bytes {
        [a, b, c, d, ..] => u32::from_ne_bytes([*a, *b, *c, *d]) as usize,
        _ => bytes.len(),
    };
    aligned(len).clamp(1, bytes.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_length_and_the_attributes_their_padding() {
        let mut batch = Batch::with_capacity(64);
        let sequence = batch.message(24, 0x200, |body| {
            body.put(&[9, 8, 7, 6]);
            body.attribute(5, &[1, 2, 3]);
            body.nested(6, |body| body.attribute_u32(7, 0x0102_0304));
            body.attribute_str(8, "eth");
        });
        batch.acknowledge_last();
        let mut expected = Vec::new();
        expected.extend(48_u32.to_ne_bytes());
        expected.extend(24_u16.to_ne_bytes());
        expected.extend(0x205_u16.to_ne_bytes());
        expected.extend(1_u32.to_ne_bytes());
        expected.extend(0_u32.to_ne_bytes());
        expected.extend([9, 8, 7, 6]);
        expected.extend(7_u16.to_ne_bytes());
        expected.extend(5_u16.to_ne_bytes());
        expected.extend([1, 2, 3, 0]);
        expected.extend(12_u16.to_ne_bytes());
        expected.extend(6_u16.to_ne_bytes());
        expected.extend(8_u16.to_ne_bytes());
        expected.extend(7_u16.to_ne_bytes());
        expected.extend(0x0102_0304_u32.to_ne_bytes());
        expected.extend(8_u16.to_ne_bytes());
        expected.extend(8_u16.to_ne_bytes());
        expected.extend(*b"eth\0");
        assert_eq!(batch.bytes(), expected);
        assert_eq!(sequence, 1);
        assert_eq!(batch.last_sequence(), Some(1));
    }

    #[test]
    fn sequence_numbers_go_on_and_skip_zero() {
        let mut batch = Batch::with_capacity(64);
        batch.acknowledge_last();
        assert!(batch.is_empty());
        assert_eq!(batch.message(1, 0, |_| ()), 1);
        batch.clear();
        assert_eq!(batch.last_sequence(), None);
        assert_eq!(batch.message(1, 0, |_| ()), 2);
        batch.next_sequence = u32::MAX;
        assert_eq!(batch.message(1, 0, |_| ()), u32::MAX);
        assert_eq!(batch.message(1, 0, |_| ()), 1);
    }

    #[test]
    fn only_the_last_message_is_acknowledged() {
        let mut batch = Batch::with_capacity(64);
        batch.message(1, 0, |_| ());
        batch.message(1, 0, |_| ());
        batch.acknowledge_last();
        assert_eq!(batch.bytes()[6..8], REQUEST.to_ne_bytes());
        assert_eq!(batch.bytes()[22..24], (REQUEST | ACK).to_ne_bytes());
    }

    #[test]
    fn pieces_hold_whole_messages() {
        let mut batch = Batch::with_capacity(256);
        for extra in [0, 4, 100, 0] {
            batch.message(1, 0, |body| body.put(&vec![0; extra]));
        }
        let lens: Vec<_> = pieces(batch.bytes(), 40).map(<[u8]>::len).collect();
        assert_eq!(lens, [36, 116, 16]);
        assert_eq!(pieces(batch.bytes(), 1000).count(), 1);
        assert_eq!(pieces(&[], 40).count(), 0);
        assert_eq!(
            pieces(&[0; 3], 40).count(),
            1,
            "ends whatever the lengths say"
        );
    }
}
