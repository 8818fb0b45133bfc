//! JSON as the status is written in it: members in their order, no space in between.

use core::net::IpAddr;
use std::borrow::Cow;

/// Something that can be written as JSON.
pub trait Json {
    /// Appends it to `out`.
    fn write(&self, out: &mut Vec<u8>);
}

/// A struct whose JSON is an object of its fields under their names.
macro_rules! object {
    ($($(#[$about:meta])* $sight:vis struct $name:ident $(<$life:lifetime>)? {
        $($(#[$member_about:meta])* $member_sight:vis $member:ident: $type:ty,)*
    })*) => {$(
        $(#[$about])*
        #[derive(Debug)]
        $sight struct $name $(<$life>)? {
            $($(#[$member_about])* $member_sight $member: $type,)*
        }

        impl $(<$life>)? $crate::control::json::Json for $name $(<$life>)? {
            fn write(&self, out: &mut Vec<u8>) {
                let names = concat!($(stringify!($member), " "),*);
                let mut object = $crate::control::json::Object::open(names, out);
                $(object.member(&self.$member);)*
                object.close();
            }
        }
    )*};
}
pub(super) use object;

/// An object that is being written.
pub struct Object<'a> {
    names: &'static str,
    out: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    /// `names`: those of its members, a space behind each.
    pub fn open(names: &'static str, out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { names, out }
    }

    /// The next member.
    pub fn member(&mut self, value: &impl Json) {
        self.name();
        value.write(self.out);
    }

    fn name(&mut self) {
        let (name, rest) = self.names.split_once(' ').unwrap_or_default();
        self.names = rest;
        comma(self.out);
        name.write(self.out);
        self.out.push(b':');
    }

    /// Behind the last member.
    pub fn close(self) {
        self.out.push(b'}');
    }
}

/// Behind what stands before, unless that has just been opened.
fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}

impl<T: Json> Json for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for item in self {
            comma(out);
            item.write(out);
        }
        out.push(b']');
    }
}

impl<T: Json> Json for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl Json for bool {
    fn write(&self, out: &mut Vec<u8>) {
        let word: &[u8] = if *self { b"true" } else { b"false" };
        out.extend_from_slice(word);
    }
}

impl Json for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

impl Json for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(*self).write(out);
    }
}

impl Json for u8 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(*self).write(out);
    }
}

impl Json for i16 {
    fn write(&self, out: &mut Vec<u8>) {
        if *self < 0 {
            out.push(b'-');
        }
        u64::from(self.unsigned_abs()).write(out);
    }
}

impl Json for IpAddr {
    fn write(&self, out: &mut Vec<u8>) {
        self.to_string().as_str().write(out);
    }
}

impl Json for Cow<'_, str> {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

impl Json for &str {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

impl Json for str {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        for byte in self.bytes() {
            let escaped = match byte {
                b'"' | b'\\' => byte,
                b'\n' => b'n',
                b'\t' => b't',
                b'\r' => b'r',
                0x08 => b'b',
                0x0C => b'f',
                0..0x20 => {
                    let low = b"0123456789abcdef"[usize::from(byte & 15)];
                    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low]);
                    continue;
                }
                _ => {
                    out.push(byte);
                    continue;
                }
            };
            out.extend_from_slice(&[b'\\', escaped]);
        }
        out.push(b'"');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn json(value: &impl Json) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_escaped_as_serde_json_does_it() {
        let text: String = (0..0x300).filter_map(char::from_u32).collect();
        assert_eq!(json(&&*text), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn values_are_written_as_serde_json_writes_them() {
        assert_eq!(
            json(&vec![Some(i16::MIN), None, Some(0), Some(7)]),
            "[-32768,null,0,7]"
        );
        assert_eq!(json(&Vec::<bool>::new()), "[]");
        assert_eq!(json(&vec![true, false]), "[true,false]");
        assert_eq!(json(&u64::MAX), "18446744073709551615");
        let addresses: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "fe80::1".parse().unwrap()];
        assert_eq!(json(&addresses.to_vec()), r#"["192.0.2.1","fe80::1"]"#);
    }

    object! {
        struct Outer<'a> {
            name: &'a str,
            inner: Option<Inner>,
            last: u8,
        }

        struct Inner {
            number: u32,
        }
    }

    #[test]
    fn an_object_has_its_members_in_their_order() {
        let inner = Some(Inner { number: 1 });
        let outer = Outer {
            name: "a b",
            inner,
            last: 2,
        };
        assert_eq!(
            json(&outer),
            r#"{"name":"a b","inner":{"number":1},"last":2}"#
        );
    }
}
