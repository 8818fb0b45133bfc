//! JSON, as much of it as the status needs: serde and serde_json took 5 KB more of a router's flash.

use core::fmt::Display;
use core::net::IpAddr;
use std::borrow::Cow;
use std::io::Write;

/// What has a form in JSON.
pub trait Json {
    /// Puts it behind what is there.
    fn write(&self, to: &mut Vec<u8>);
}

/// An object that is being written.
pub(super) struct Object<'a> {
    to: &'a mut Vec<u8>,
    /// What goes in front of the next member.
    mark: u8,
}

impl<'a> Object<'a> {
    pub(super) fn new(to: &'a mut Vec<u8>) -> Self {
        Self { to, mark: b'{' }
    }

    pub(super) fn member(&mut self, name: &str, value: &impl Json) {
        self.name(name);
        value.write(self.to);
    }

    fn name(&mut self, name: &str) {
        self.to.push(self.mark);
        self.mark = b',';
        name.write(self.to);
        self.to.push(b':');
    }

    pub(super) fn end(self) {
        self.to.push(b'}');
    }
}

/// Implements [`Json`] for structs: objects with these members, which must be all that they have.
macro_rules! objects {
    ($($name:ty { $($member:ident),+ $(,)? })+) => {$(
        impl Json for $name {
            fn write(&self, to: &mut Vec<u8>) {
                let Self { $($member),+ } = self;
                let mut object = Object::new(to);
                $(object.member(stringify!($member), $member);)+
                object.end();
            }
        }
    )+};
}
pub(super) use objects;

/// Numbers and the like, and addresses as strings; none of them has anything to escape.
fn display(to: &mut Vec<u8>, value: &dyn Display) {
    // Writing to memory cannot fail.
    let _ = write!(to, "{value}");
}

macro_rules! plain {
    ($($type:ty),+) => {$(
        impl Json for $type {
            fn write(&self, to: &mut Vec<u8>) {
                display(to, self);
            }
        }
    )+};
}
plain!(bool, i16, u8, u32, u64);

impl Json for IpAddr {
    fn write(&self, to: &mut Vec<u8>) {
        display(to, &format_args!("\"{self}\""));
    }
}

impl Json for str {
    fn write(&self, to: &mut Vec<u8>) {
        to.push(b'"');
        for byte in self.bytes() {
            match byte {
                b'"' | b'\\' => to.extend([b'\\', byte]),
                b'\n' => to.extend(*b"\\n"),
                b'\t' => to.extend(*b"\\t"),
                0..b' ' => display(to, &format_args!("\\u{byte:04x}")),
                _ => to.push(byte),
            }
        }
        to.push(b'"');
    }
}

impl Json for &str {
    fn write(&self, to: &mut Vec<u8>) {
        (**self).write(to);
    }
}

impl Json for Cow<'_, str> {
    fn write(&self, to: &mut Vec<u8>) {
        (**self).write(to);
    }
}

impl<T: Json> Json for Option<T> {
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(to),
            None => to.extend(*b"null"),
        }
    }
}

impl<T: Json> Json for Vec<T> {
    fn write(&self, to: &mut Vec<u8>) {
        to.push(b'[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                to.push(b',');
            }
            value.write(to);
        }
        to.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_another_reader_takes_it_for() {
        let all: String = (0..0x180).filter_map(char::from_u32).collect();
        let mut written = Vec::new();
        all.as_str().write(&mut written);
        let read: String = serde_json::from_slice(&written).expect("JSON");
        assert_eq!(read, all);
    }

    #[test]
    fn values_have_their_forms() {
        let mut written = Vec::new();
        let mut object = Object::new(&mut written);
        object.member("none", &None::<u8>);
        object.member("list", &vec![Some(-5i16), None]);
        object.member("empty", &Vec::<u8>::new());
        object.member("address", &IpAddr::from([192, 0, 2, 1]));
        object.member("large", &u64::MAX);
        object.member("true", &true);
        object.end();
        assert_eq!(
            String::from_utf8_lossy(&written),
            "{\"none\":null,\"list\":[-5,null],\"empty\":[],\"address\":\"192.0.2.1\",\
             \"large\":18446744073709551615,\"true\":true}"
        );
    }
}
