//! One question to a name server (RFC 1035 §4.1), and whether it was answered. No resolver: what the
//! answer says does not matter here.

use core::net::IpAddr;

/// Longest question in bytes: header, name, type and class.
pub const LEN: usize = HEADER_LEN + NAME_LEN + 4;
/// Room for an answer; what is behind its question does not matter.
pub const ANSWER_LEN: usize = 512;
/// The port of name servers.
pub const PORT: u16 = 53;

const HEADER_LEN: usize = 12;
/// RFC 1035 §2.3.4: of a name with the lengths of its labels, and of a label.
const NAME_LEN: usize = 255;
const LABEL_LEN: usize = 63;
/// Where the fields of the header start.
const FLAGS: usize = 2;
const QUESTIONS: usize = 4;
/// RD: a server that is a resolver looks for the answer.
const RECURSION_DESIRED: u8 = 0x01;
/// QR, and the operation, which is 0 for a question.
const IS_RESPONSE: u8 = 0x80;
const RESPONSE_AND_OPERATION: u8 = 0xf8;
const RCODE: u8 = 0x0f;
/// IN.
const CLASS: [u8; 2] = [0, 1];

/// `name` can be asked for: labels of letters, digits, `-` and `_`, with dots between them.
pub fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=LABEL_LEN).contains(&label.len()) && label.bytes().all(letter);
    // A length in front of each label instead of the dots, and an empty one at the end.
    name.len() + 2 <= NAME_LEN && name.split('.').all(label)
}

/// Writes the question for the address of `name`: for an IPv4 address (A) if `server` has one, else for
/// an IPv6 address (AAAA). Returns its length. What of a longer name does not fit is left out.
pub fn question(buffer: &mut [u8; LEN], id: u16, name: &str, server: IpAddr) -> usize {
    *buffer = [0; LEN];
    buffer[..2].copy_from_slice(&id.to_be_bytes());
    buffer[FLAGS] = RECURSION_DESIRED;
    buffer[QUESTIONS + 1] = 1;
    let mut end = HEADER_LEN;
    for label in name.split('.') {
        let label = label.as_bytes();
        let room = buffer.get_mut(end..end + 1 + label.len());
        let Some((length, room)) = room.and_then(<[u8]>::split_first_mut) else {
            break;
        };
        *length = label.len() as u8;
        room.copy_from_slice(label);
        end += 1 + label.len();
    }
    let end = end.min(HEADER_LEN + NAME_LEN - 1);
    let kind = if server.is_ipv4() { 1 } else { 28 };
    buffer[end + 2] = kind;
    buffer[end + 3..end + 5].copy_from_slice(&CLASS);
    end + 5
}

/// The answer's error (RFC 1035 §4.1.1), 0 if there is none. None if these bytes are no answer to
/// `question`.
pub fn parse(question: &[u8], bytes: &[u8]) -> Option<u8> {
    let header: &[u8; HEADER_LEN] = bytes.first_chunk()?;
    let rcode = header[FLAGS + 1] & RCODE;
    let asked = question.get(HEADER_LEN..)?;
    let repeated = bytes[HEADER_LEN..].get(..asked.len());
    // Only an error may leave the question out.
    let is_same = match header[QUESTIONS..QUESTIONS + 2] {
        [0, 0] => rcode != 0,
        [0, 1] => repeated.is_some_and(|repeated| repeated.eq_ignore_ascii_case(asked)),
        _ => false,
    };
    let is_answer = header[..2] == question[..2]
        && header[FLAGS] & RESPONSE_AND_OPERATION == IS_RESPONSE
        && is_same;
    is_answer.then_some(rcode)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 53));

    fn asked(name: &str, server: IpAddr) -> Vec<u8> {
        let mut buffer = [0xff; LEN];
        let len = question(&mut buffer, 0x1234, name, server);
        buffer[..len].to_vec()
    }

    fn answer(flags: [u8; 2]) -> Vec<u8> {
        let mut bytes = asked("openwrt.org", SERVER);
        bytes[2..4].copy_from_slice(&flags);
        bytes
    }

    #[test]
    fn a_question_is_what_a_resolver_sends() {
        let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07openwrt\x03org\0\0\x01\0\x01";
        assert_eq!(asked("openwrt.org", SERVER), expected);
        let six = asked("a", IpAddr::V6(core::net::Ipv6Addr::LOCALHOST));
        assert_eq!(six[12..], *b"\x01a\0\0\x1c\0\x01");
    }

    #[test]
    fn names() {
        let long = ["x".repeat(63).as_str(); 4].join(".");
        for good in ["a", "openwrt.org", "_ldap._tcp.x-1.example", &long[..253]] {
            assert!(is_name(good), "{good}");
            assert_eq!(asked(good, SERVER).len(), 12 + good.len() + 2 + 4);
        }
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "ä",
            &long,
            &"x".repeat(64),
        ] {
            assert!(!is_name(bad), "{bad}");
            assert!(asked(bad, SERVER).len() <= LEN);
        }
    }

    #[test]
    fn what_counts_as_an_answer() {
        let question = asked("openwrt.org", SERVER);
        let parse = |bytes: &[u8]| parse(&question, bytes);
        assert_eq!(parse(&answer([0x81, 0x80])), Some(0));
        assert_eq!(parse(&answer([0x85, 0x82])), Some(2), "SERVFAIL");
        let mut more = answer([0x81, 0x80]);
        more.extend([0; 100]);
        assert_eq!(parse(&more), Some(0), "with records");
        let upper: Vec<u8> = answer([0x81, 0x80]).to_ascii_uppercase();
        assert_eq!(parse(&upper), Some(0), "in other letters");
        assert_eq!(parse(&question), None, "a question");
        assert_eq!(parse(&answer([0xa9, 0x80])), None, "another operation");
        let mut other = answer([0x81, 0x80]);
        other[0] ^= 1;
        assert_eq!(parse(&other), None, "another id");
        let mut other = answer([0x81, 0x80]);
        other[13] = b'x';
        assert_eq!(parse(&other), None, "another name");
        let whole = answer([0x81, 0x80]);
        for len in 0..whole.len() {
            assert_eq!(parse(&whole[..len]), None, "{len}");
        }
        let mut bare = answer([0x81, 0x85]);
        bare.truncate(12);
        bare[5] = 0;
        assert_eq!(parse(&bare), Some(5), "REFUSED without the question");
        bare[3] = 0x80;
        assert_eq!(parse(&bare), None, "success without the question");
    }
}
