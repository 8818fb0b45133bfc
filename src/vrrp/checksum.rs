//! The Internet checksum (RFC 1071) in the forms that VRRP speakers use.

use core::net::IpAddr;

use super::types::ChecksumForm;

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;

/// A sum in progress: 16-bit words added up, carries not yet folded.
#[derive(Clone, Copy, Default)]
struct Sum(u32);

impl Sum {
    /// Adds `bytes` as big-endian words; an odd last byte is padded with zero.
    fn add(self, bytes: &[u8]) -> Self {
        let mut words = bytes.chunks_exact(2);
        let mut sum = self.0;
        for word in &mut words {
            sum += u32::from(u16::from_be_bytes([word[0], word[1]]));
        }
        if let [last] = words.remainder() {
            sum += u32::from(u16::from_be_bytes([*last, 0]));
        }
        Self(sum)
    }

    fn fold(self) -> u16 {
        let once = (self.0 & 0xffff) + (self.0 >> 16);
        ((once & 0xffff) + (once >> 16)) as u16
    }
}

/// The pseudo-header of IPv4 (RFC 5798 §5.2.8 as deployed) or IPv6 (RFC 8200 §8.1).
fn pseudo_header(source: &IpAddr, destination: &IpAddr, length: usize) -> Sum {
    let sum = match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => Sum::default().add(&s.octets()).add(&d.octets()),
        (IpAddr::V6(s), IpAddr::V6(d)) => Sum::default().add(&s.octets()).add(&d.octets()),
        // One packet has one family; mixed addresses give a sum that nobody sends.
        _ => Sum::default(),
    };
    sum.add(&(length as u32).to_be_bytes()).add(&[0, PROTOCOL])
}

/// The checksum of `message`, whose checksum field is zero.
pub fn compute(form: ChecksumForm, message: &[u8], source: &IpAddr, destination: &IpAddr) -> u16 {
    let start = match form {
        ChecksumForm::Message => Sum::default(),
        ChecksumForm::PseudoHeader => pseudo_header(source, destination, message.len()),
    };
    !start.add(message).fold()
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
    let body = Sum::default().add(message);
    let pseudo = pseudo_header(source, destination, message.len());
    let fits = |form| match form {
        ChecksumForm::Message => body.fold() == 0xffff,
        ChecksumForm::PseudoHeader => Sum(body.0 + pseudo.0).fold() == 0xffff,
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
        assert_eq!(Sum::default().add(&[1, 2, 3]).fold(), 0x0102 + 0x0300);
    }
}
