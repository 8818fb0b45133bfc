//! The journal: what vipd may put into the kernel, so that the next start can take away what a
//! killed daemon left behind, even if it has gone from the configuration since.
//!
//! A text file in the runtime directory, one thing a line, written whole and renamed into place
//! before the first change: at start and at reload, and when an interface appears.

use core::fmt;
use core::net::IpAddr;
use std::io::{self, Write};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::file;

use super::reload::append;

/// One thing that vipd may put into the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `address INTERFACE ADDRESS/PREFIX`
    Address {
        /// The interface's name.
        interface: &'a str,
        /// The address.
        address: IpAddr,
        /// Its prefix length.
        prefix_len: u8,
    },
    /// `macvlan INTERFACE MAC`
    Macvlan {
        /// Its name.
        interface: &'a str,
        /// Its MAC address, so that somebody else's interface of that name is left alone.
        mac: &'a str,
    },
    /// `route MESSAGE TEXT` or `rule MESSAGE TEXT`
    Routing {
        /// `route` or `rule`.
        kind: &'a str,
        /// The body of the netlink message that deletes it, in hexadecimal: the kernel that is asked is
        /// the one that has it, and no interface is named.
        message: &'a str,
        /// What it is, for people.
        text: &'a str,
    },
    /// `arp INTERFACE PARAMETER BEFORE VALUE`
    Arp {
        /// The interface's name.
        interface: &'a str,
        /// `arp_ignore` or `arp_announce`.
        parameter: &'a str,
        /// What it was before.
        before: u32,
        /// What vipd sets it to.
        value: u32,
    },
}

impl<'a> Line<'a> {
    /// The interface that it is about.
    pub(super) fn interface(&self) -> Option<&'a str> {
        match self {
            Self::Routing { .. } => None,
            Self::Address { interface, .. }
            | Self::Macvlan { interface, .. }
            | Self::Arp { interface, .. } => Some(interface),
        }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address {
                interface,
                address,
                prefix_len,
            } => write!(f, "address {interface} {address}/{prefix_len}"),
            Self::Macvlan { interface, mac } => write!(f, "macvlan {interface} {mac}"),
            Self::Routing {
                kind,
                message,
                text,
            } => write!(f, "{kind} {message} {text}"),
            Self::Arp {
                interface,
                parameter,
                before,
                value,
            } => write!(f, "arp {interface} {parameter} {before} {value}"),
        }
    }
}

/// The journal's file.
#[derive(Debug)]
pub(super) struct Journal {
    path: String,
    /// An nftables table of the family inet: the line `table NAME`.
    pub(super) table: Option<String>,
    /// FIFOs that vipd makes: the lines `fifo PATH`.
    pub(super) fifos: Vec<Box<str>>,
}

impl Journal {
    /// The journal of a runtime directory, which exists.
    pub(super) fn new(runtime_dir: &str) -> Self {
        Self {
            path: format!("{runtime_dir}/journal"),
            table: None,
            fifos: Vec::new(),
        }
    }

    /// Where it is, for messages.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What an earlier daemon left, for [`lines`]; empty if there is no journal.
    pub(super) fn read(&mut self) -> io::Result<String> {
        let text = match file::read(&self.path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if file::failed_as(&error, &[Errno::ENOENT]) => String::new(),
            Err(error) => return Err(error),
        };
        for line in text.lines() {
            if let Some(table) = line.strip_prefix("table ") {
                self.table.get_or_insert_with(|| table.to_owned());
            } else if let Some(path) = line.strip_prefix("fifo ") {
                self.fifos.push(path.into());
            }
        }
        Ok(text)
    }

    /// Replaces the journal. `text` is a [`Line`] a line.
    pub(super) fn write(&self, mut text: String) -> io::Result<()> {
        let table = self.table.iter().map(|table| ["table ", table]);
        for line in table.chain(self.fifos.iter().map(|path| ["fifo ", path])) {
            append(&mut text, &line);
            text.push('\n');
        }
        let new = format!("{}.new", self.path);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        file::open(&new, flags, 0o666)?.write_all(text.as_bytes())?;
        Ok(file::rename(&new, &self.path)?)
    }
}

/// The lines of a journal's text. Those that say nothing are passed over: a journal is replaced whole,
/// so that they are somebody else's.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(line) = parse(line) {
            lines.push(line);
        }
    }
    lines
}

fn parse(line: &str) -> Option<Line<'_>> {
    let mut words = [""; 5];
    for (word, found) in words.iter_mut().zip(line.split(' ')) {
        *word = found;
    }
    Some(match words {
        ["address", interface, value, ..] => {
            let (address, prefix_len) = value.split_once('/')?;
            Line::Address {
                interface,
                address: address.parse().ok()?,
                prefix_len: prefix_len.parse().ok()?,
            }
        }
        [kind @ ("route" | "rule"), message, text, ..]
            if !text.is_empty() && message.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            let text = line.splitn(3, ' ').last()?;
            Line::Routing {
                kind,
                message,
                text,
            }
        }
        ["macvlan", interface, mac, ..] if !mac.is_empty() => Line::Macvlan { interface, mac },
        ["arp", interface, parameter, before, value] => Line::Arp {
            interface,
            parameter,
            before: before.parse().ok()?,
            value: value.parse().ok()?,
        },
        _ => return None,
    })
}

/// The bytes of a [`Line::Routing`]'s message.
pub(super) fn bytes(message: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for pair in message.as_bytes().chunks(2) {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0) as u8;
        bytes.push(pair.iter().fold(0, |byte, next| byte << 4 | digit(next)));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = std::env::temp_dir().join(format!("vipd-journal-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary directory");
        let mut journal = Journal::new(dir.to_str().expect("UTF-8"));
        journal.table = Some("vipd-1".to_owned());
        journal.fifos = vec!["/run/a fifo".into()];
        assert_eq!(journal.read().expect("no journal is no error"), "");
        let written = [
            Line::Address {
                interface: "br-lan",
                address: "10.10.201.101".parse().expect("an address"),
                prefix_len: 32,
            },
            Line::Routing {
                kind: "route",
                message: "021f00a0",
                text: "10.0.0.0/8 via 10.0.0.7 dev eth0",
            },
            Line::Macvlan {
                interface: "vrrp.50",
                mac: "00:00:5e:00:01:32",
            },
            Line::Arp {
                interface: "br-lan",
                parameter: "arp_ignore",
                before: 0,
                value: 1,
            },
        ];
        let text = written.iter().map(|line| format!("{line}\n")).collect();
        journal.write(text).expect("written");
        let mut again = Journal::new(dir.to_str().expect("UTF-8"));
        assert_eq!(lines(&again.read().expect("read")), written);
        assert_eq!(bytes("021f00a0"), [2, 0x1f, 0, 0xa0]);
        assert_eq!(again.table, journal.table);
        assert_eq!(again.fifos, journal.fifos);
        std::fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn other_lines_are_passed_over() {
        for text in [
            "",
            "address eth0",
            "route 0g 10.0.0.1/32",
            "rule 00",
            "path eth0 10.0.0.1/32",
            "address eth0 10.0.0.1",
            "address e x/3",
            "macvlan vrrp.50",
            "arp eth0 arp_ignore 0",
            "arp eth0 arp_ignore 0 x",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
