//! As much of JSON as it takes to read `ubus call network.interface dump`: what is not asked for is
//! skipped, whatever it is. Nothing is allocated.

/// Objects and lists within one another; netifd's answer has five.
const DEPTH: u8 = 16;

use crate::vrrp::uplink::Seen;

/// One interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    /// Its device, if it has one now.
    pub(super) device: Option<&'a str>,
    pub(super) seen: Seen,
}

/// The interfaces of netifd's answer. None if the answer is
/// not whole, or is something else.
///
/// ```json
/// { "interface": [ { "interface": "lan", "up": true, "pending": false, "autostart": true,
///                    "l3_device": "br-lan", … }, … ] }
/// ```
pub(super) fn parse<'a>(answer: &'a [u8], found: &mut dyn FnMut(Found<'a>)) -> Option<()> {
    let mut scan = Scan { rest: answer };
    let mut listed = None;
    scan.members(DEPTH, &mut |scan, key, depth| {
        if key != b"interface" {
            return scan.value(depth).map(drop);
        }
        listed = Some(());
        scan.elements(depth, &mut |scan, depth| scan.interface(depth, found))
    })?;
    scan.skip_space();
    listed.filter(|()| scan.rest.is_empty())
}

/// Takes in the value of a key, with what is left of [`DEPTH`].
type Member<'f, 'a> = dyn FnMut(&mut Scan<'a>, &'a [u8], u8) -> Option<()> + 'f;

/// What is left of the text.
struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    fn interface(&mut self, depth: u8, found: &mut dyn FnMut(Found<'a>)) -> Option<()> {
        let (mut name, mut device) = (None, None);
        let (mut up, mut pending, mut autostart) = (false, false, false);
        self.members(depth, &mut |scan, key, depth| {
            scan.skip_space();
            let is_true = scan.rest.starts_with(b"true");
            let value = scan.value(depth)?;
            match key {
                b"up" => up = is_true,
                b"pending" => pending = is_true,
                b"autostart" => autostart = is_true,
                b"interface" => name = value,
                b"l3_device" => device = value.filter(|device| may_be_device(device)),
                _ => {}
            }
            Some(())
        })?;
        if let Some(name) = name {
            let seen = match (up, pending, autostart) {
                (true, ..) => Seen::Up,
                (_, true, _) => Seen::Coming,
                (_, _, true) => Seen::Waiting,
                _ => Seen::Down,
            };
            found(Found { name, device, seen });
        }
        Some(())
    }

    /// Any value, of which a string without escapes is returned: a name has none.
    fn value(&mut self, depth: u8) -> Option<Option<&'a str>> {
        self.skip_space();
        match self.rest.first()? {
            b'"' => {
                let text = self.string()?;
                let plain = !text.contains(&b'\\');
                return Some(core::str::from_utf8(text).ok().filter(|_| plain));
            }
            b'{' => self.members(depth, &mut |scan, _, depth| scan.value(depth).map(drop))?,
            b'[' => self.elements(depth, &mut |scan, depth| scan.value(depth).map(drop))?,
            // Numbers, true, false, null.
            _ => {
                let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                let length = self.rest.iter().take_while(|byte| is_word(byte)).count();
                self.rest = &self.rest[length..];
                (length > 0).then_some(())?;
            }
        }
        Some(None)
    }

    /// `{ "key": …, … }`; `member` takes in each value.
    fn members(&mut self, depth: u8, member: &mut Member<'_, 'a>) -> Option<()> {
        self.items(depth, b'{', b'}', &mut |scan, depth| {
            scan.skip_space();
            let key = scan.string()?;
            scan.take(b':')?;
            member(scan, key, depth)
        })
    }

    /// `[ …, … ]`; `element` takes in each.
    fn elements(
        &mut self,
        depth: u8,
        element: &mut dyn FnMut(&mut Self, u8) -> Option<()>,
    ) -> Option<()> {
        self.items(depth, b'[', b']', element)
    }

    fn items(
        &mut self,
        depth: u8,
        open: u8,
        close: u8,
        item: &mut dyn FnMut(&mut Self, u8) -> Option<()>,
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.take(open)?;
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            item(self, depth)?;
            if self.take(b',').is_none() {
                return self.take(close);
            }
        }
    }

    /// What stands between two quotation marks, escapes as they are.
    fn string(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.strip_prefix(b"\"")?;
        let mut escaped = false;
        let end = text.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })?;
        self.rest = &text[end + 1..];
        Some(&text[..end])
    }

    /// This byte, behind white space.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

/// What the kernel takes for an interface's name.
fn may_be_device(name: &str) -> bool {
    let refused = |c: char| c == '/' || c == ':' || c.is_ascii_whitespace() || c.is_control();
    (1..16).contains(&name.len()) && !name.contains(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As OpenWrt 22.03 answers, shortened.
    const ANSWER: &str = r#"{
	"interface": [
		{
			"interface": "lan", "up": true, "pending": false, "uptime": 3121, "l3_device": "br-lan",
			"proto": "static", "device": "br-lan", "metric": 0, "dns_metric": 0, "delegation": true,
			"ipv4-address": [ { "address": "192.168.1.2", "mask": 24 } ], "ipv6-address": [ ],
			"inactive": { "ipv4-address": [ ], "route": [ ] },
			"data": { "interface": "decoy", "l3_device": "decoy0", "text": "a \" } ] \\" }
		},
		{ "interface": "wan", "up": false, "available": true, "autostart": true, "proto": "pppoe", "device": "wan", "data": { } },
		{ "interface": "odd", "pending": true, "l3_device": "no device/at all" },
		{ "l3_device": "eth9", "interface" : "guest" }
	]
}
"#;

    const PARTS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        " ",
        "\"",
        "\\",
        "7",
        "-1.5e9",
        "true",
        "null",
        "\"interface\":",
        "\"l3_device\":",
        "\"lan\"",
        "[{",
        "}]",
        "{\"interface\":[",
        "\u{e4}",
    ];

    fn names(text: &str) -> Option<Vec<(&str, Option<&str>, Seen)>> {
        let mut names = Vec::new();
        parse(text.as_bytes(), &mut |found| {
            names.push((found.name, found.device, found.seen))
        })?;
        Some(names)
    }

    #[test]
    fn an_answer_of_netifd() {
        let expected = [
            ("lan", Some("br-lan"), Seen::Up),
            ("wan", None, Seen::Waiting),
            ("odd", None, Seen::Coming),
            ("guest", Some("eth9"), Seen::Down),
        ];
        assert_eq!(names(ANSWER).as_deref(), Some(expected.as_slice()));
        assert_eq!(names(r#"{"interface":[]}"#), Some(vec![]));
        let nameless = r#"{"interface":[{"interface":7},{"interface":"l\u0061n"}]}"#;
        assert_eq!(names(nameless), Some(vec![]));
    }

    #[test]
    fn what_is_no_answer() {
        for text in [
            "",
            "{",
            "{}",
            "[]",
            "null",
            "Command failed: Not found",
            r#"{"interface":{}}"#,
            r#"{"interface":[{"interface":"lan"}]"#,
            r#"{"interface":[{"interface":"lan"}]}}"#,
            r#"{"interface":[{"interface":"lan"},]}"#,
            r#"{"interface":[7]}"#,
            r#"{"interface":[{"interface":"lan" "up":true}]}"#,
            r#"{"interface":[],"x":}"#,
            r#"{"interface":[],"x":"\"}"#,
        ] {
            assert_eq!(names(text), None, "{text}");
        }
        for end in 0..ANSWER.len() - 2 {
            assert_eq!(names(&ANSWER[..end]), None, "cut at {end}");
        }
        let deep = |n: usize| {
            format!(
                r#"{{"interface":[],"x":{}{}}}"#,
                "[".repeat(n),
                "]".repeat(n)
            )
        };
        assert!(names(&deep(15)).is_some() && names(&deep(16)).is_none());
        assert!(names(&deep(100_000)).is_none());
    }

    proptest! {
        #[test]
        fn no_panic_whatever_the_order_of_its_parts(
            parts in proptest::collection::vec(0..PARTS.len(), 0..60),
        ) {
            let text: String = parts.into_iter().map(|part| PARTS[part]).collect();
            let _ = parse(text.as_bytes(), &mut |_| {});
        }

        #[test]
        fn no_panic_and_what_is_json_is_read(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            at in 0..ANSWER.len(),
            byte: u8,
        ) {
            let _ = parse(&bytes, &mut |_| {});
            let mut changed = ANSWER.as_bytes().to_vec();
            changed[at] = byte;
            let whole = parse(&changed, &mut |_| {}).is_some();
            // What serde_json takes for JSON is refused only where it is no list of interfaces.
            if let Ok(value) = serde_json::from_slice::<serde_json::Value>(&changed) {
                let list = value["interface"].as_array();
                let listed = list.is_some_and(|list| list.iter().all(serde_json::Value::is_object));
                prop_assert_eq!(whole, listed, "{}", String::from_utf8_lossy(&changed));
            }
        }
    }
}
