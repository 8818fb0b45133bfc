//! The journal: which addresses vipd may put into the kernel, so that the next start can take
//! away what a killed daemon left behind, even if it has gone from the configuration since.
//!
//! A text file in the runtime directory, one `address INTERFACE ADDRESS/PREFIX` a line and a `table NAME`
//! if there is one, written whole and renamed into place before the first change: at start and at reload
//! only.

use core::net::IpAddr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// One address on one interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    /// The interface's name.
    pub(super) interface: String,
    /// The address.
    pub(super) address: IpAddr,
    /// Its prefix length.
    pub(super) prefix_len: u8,
}

/// The journal's file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// An nftables table of the family inet: the line `table NAME`.
    pub(super) table: Option<String>,
}

impl Journal {
    /// The journal of a runtime directory, which exists.
    pub(super) fn new(runtime_dir: &Path) -> Self {
        Self {
            path: runtime_dir.join("journal"),
            table: None,
        }
    }

    /// Where it is, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What an earlier daemon left; empty if there is no journal. Lines that say nothing are
    /// passed over: a journal is replaced whole, so that they are somebody else's.
    pub(super) fn read(&mut self) -> io::Result<Vec<Line>> {
        match std::fs::read(&self.path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let mut lines = text.lines();
                self.table = lines.find_map(|line| line.strip_prefix("table ").map(Into::into));
                Ok(text.lines().filter_map(parse).collect())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the journal.
    pub(super) fn write(&self, lines: &[Line]) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            let Line {
                interface,
                address,
                prefix_len,
            } = line;
            writeln!(text, "address {interface} {address}/{prefix_len}")?;
        }
        if let Some(table) = &self.table {
            writeln!(text, "table {table}")?;
        }
        let new = self.path.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, &self.path)
    }
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    let ("address", interface, prefix) = (words.next()?, words.next()?, words.next()?) else {
        return None;
    };
    let (address, prefix_len) = prefix.split_once('/')?;
    Some(Line {
        interface: interface.to_owned(),
        address: address.parse().ok()?,
        prefix_len: prefix_len.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = std::env::temp_dir().join(format!("vipd-journal-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary directory");
        let mut journal = Journal::new(&dir);
        journal.table = Some("vipd-1".to_owned());
        assert_eq!(journal.read().expect("no journal is no error"), []);
        let line = Line {
            interface: "br-lan".to_owned(),
            address: "10.10.201.101".parse().expect("an address"),
            prefix_len: 32,
        };
        journal
            .write(core::slice::from_ref(&line))
            .expect("written");
        let mut again = Journal::new(&dir);
        assert_eq!(again.read().expect("read"), [line]);
        assert_eq!(again.table, journal.table);
        std::fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn other_lines_are_passed_over() {
        for text in [
            "",
            "address eth0",
            "route eth0 10.0.0.1/32",
            "address eth0 10.0.0.1",
            "address e x/3",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
