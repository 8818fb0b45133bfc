//! The Internet checksum (RFC 1071) in the forms that VRRP speakers use.

use core::net::IpAddr;

use super::types::ChecksumForm;

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;

/// A sum in progress: 32-bit words added up, carries not yet folded. What is 16 bits apart counts
/// the same in ones' complement (RFC 1071 §2C), so that words may be as wide as the machine likes.
#[derive(Clone, Copy, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds `bytes` as big-endian words; what the last one lacks is zero.
    #[must_use]
    pub fn plus(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut sum = self.0;
        for word in words {
            sum += u64::from(u32::from_be_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            sum += u64::from(u32::from_be_bytes(last));
        }
        Self(sum)
    }

    /// Adds one word.
    #[must_use]
    pub fn plus_word(self, word: u32) -> Self {
        Self(self.0 + u64::from(word))
    }

    /// The sum in 16 bits. The sum over what has the right checksum inside is 0xffff.
    pub fn fold(self) -> u16 {
        let sum = (self.0 & 0xffff_ffff) + (self.0 >> 32);
        let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
        let sum = (sum & 0xffff) + (sum >> 16);
        ((sum & 0xffff) + (sum >> 16)) as u16
    }
}

/// The pseudo-header of IPv4 (RFC 5798 §5.2.8 as deployed) or IPv6 (RFC 8200 §8.1).
fn pseudo_header(source: &IpAddr, destination: &IpAddr, length: usize) -> Sum {
    let sum = match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            Sum::default().plus_word(s.to_bits()).plus_word(d.to_bits())
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => Sum::default().plus(&s.octets()).plus(&d.octets()),
        // One packet has one family; mixed addresses give a sum that nobody sends.
        _ => Sum::default(),
    };
    sum.plus_word(length as u32).plus_word(u32::from(PROTOCOL))
}

/// The checksum of `message`, whose checksum field is zero.
pub fn compute(form: ChecksumForm, message: &[u8], source: &IpAddr, destination: &IpAddr) -> u16 {
    let start = match form {
        ChecksumForm::Message => Sum::default(),
        ChecksumForm::PseudoHeader => pseudo_header(source, destination, message.len()),
    };
    !start.plus(message).fold()
}

/// Which form the checksum inside `message` has, if it is right in one.
///
/// `expected` is tried first: a speaker keeps to its form.
pub fn verify(
    message: &[u8],
    source: &IpAddr,
    destination: &IpAddr,
    expected: ChecksumForm,
) -> Option<ChecksumForm> {
    let body = Sum::default().plus(message);
    let fits = |form| match form {
        ChecksumForm::Message => body.fold() == 0xffff,
        ChecksumForm::PseudoHeader => {
            let pseudo = pseudo_header(source, destination, message.len());
            Sum(body.0 + pseudo.0).fold() == 0xffff
        }
    };
    let other = match expected {
        ChecksumForm::Message => ChecksumForm::PseudoHeader,
        ChecksumForm::PseudoHeader => ChecksumForm::Message,
    };
    [expected, other].into_iter().find(|form| fits(*form))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 201, 102));
    const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

    #[test]
    fn each_form_verifies_as_itself() {
        for form in [ChecksumForm::Message, ChecksumForm::PseudoHeader] {
            let mut message = [0x31, 50, 101, 1, 0, 100, 0, 0, 10, 10, 201, 101];
            let sum = compute(form, &message, &SOURCE, &GROUP);
            message[6..8].copy_from_slice(&sum.to_be_bytes());
            for expected in [ChecksumForm::Message, ChecksumForm::PseudoHeader] {
                assert_eq!(verify(&message, &SOURCE, &GROUP, expected), Some(form));
            }
            message[11] ^= 1;
            assert_eq!(verify(&message, &SOURCE, &GROUP, form), None);
        }
    }

    #[test]
    fn an_odd_byte_counts_as_the_high_one() {
        assert_eq!(Sum::default().plus(&[1, 2, 3]).fold(), 0x0102 + 0x0300);
    }

    #[test]
    fn words_of_any_width_give_the_same_sum() {
        /// RFC 1071 §1, word by word.
        fn plain(bytes: &[u8]) -> u16 {
            bytes.chunks(2).fold(0, |sum: u16, pair| {
                let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
                let (sum, carry) = sum.overflowing_add(word);
                sum + u16::from(carry)
            })
        }
        let bytes: Vec<u8> = (0..2_000_u32)
            .map(|i| ((i * i * 7) >> 3) as u8 | 0xc0)
            .collect();
        for len in (0..70).chain(1_990..=2_000) {
            assert_eq!(
                Sum::default().plus(&bytes[..len]).fold(),
                plain(&bytes[..len]),
                "{len}"
            );
        }
        assert_eq!(Sum::default().plus(&[0xff; 4_088]).fold(), 0xffff);
    }
}
