//! Options in one line: of an address, a route, a rule.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::slice::Iter;

use super::block::Word;
use super::error::{Report, quoted};
use super::files::{Disk, Files};
use super::routing::Prefix;
use super::schema::{Block, Keyword, Opt, Rule, Skip};
use crate::vrrp::types::Family;

/// An option, and the word behind it; an option that takes none has itself.
pub(crate) struct Found<'a> {
    pub(crate) keyword: Keyword,
    pub(crate) value: &'a Word,
    /// What it says; or it has no effect, or none yet, and that is told.
    pub(crate) is: Result<Opt, Skip>,
}

/// The option that `word` begins; its value is taken from `rest`. `of` is what has it: "an address".
/// None if there is no such option or no value, which is reported.
pub(crate) fn read<'a>(
    block: Block,
    of: &str,
    word: &'a Word,
    rest: &mut Iter<'a, Word>,
    report: &mut Report,
) -> Option<Found<'a>> {
    let Some(keyword) = block.find(&word.text) else {
        let otherwise = "remove it; CONFIG.md lists the options";
        let help = block.help(&word.text, report, otherwise);
        report.error(
            &word.span,
            format_args!("unknown option {} of {of}\n{help}", quoted(&word.text)),
        );
        return None;
    };
    let value = if keyword.takes_nothing() {
        Some(word)
    } else {
        rest.next()
    };
    let is = match keyword.rule {
        Rule::Skipped { why, .. } => Err(why),
        Rule::Option { is } => Ok(is),
        _ => Ok(Opt::Word),
    };
    let says = match is {
        Err(Skip::Later) => "is not supported yet by vipd",
        Err(Skip::Foreign) => "is not supported by vipd",
        Err(Skip::Needless) if block != Block::Address => "is not needed by vipd",
        _ => "",
    };
    if !says.is_empty() {
        let message = format!("`{}` of {of} {says}", keyword.name);
        report.skip(keyword.name, &word.span, message, keyword.text);
    }
    let Some(value) = value.or(is.is_err().then_some(word)) else {
        report.error(
            &word.span,
            format_args!(
                "`{name}` needs a value\nwrite `{name} {}`",
                keyword.syntax(),
                name = keyword.name
            ),
        );
        return None;
    };
    Some(Found { keyword, value, is })
}

/// The family of a route or a rule: what its addresses say, or else what the word `inet6` does.
#[derive(Default)]
pub(crate) struct Families {
    seen: Option<Family>,
    pub(crate) said: Option<Family>,
}

impl Families {
    pub(crate) fn family(&self) -> Family {
        self.seen.or(self.said).unwrap_or(Family::V4)
    }

    /// Everything, in its family.
    pub(crate) fn all(&self) -> Prefix {
        let address = match self.family() {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        Prefix { address, len: 0 }
    }

    /// An address of the same family as all others.
    pub(crate) fn address(
        &mut self,
        word: &Word,
        text: &str,
        report: &mut Report,
    ) -> Option<IpAddr> {
        let Ok(address) = text.parse::<IpAddr>() else {
            report.error(
                &word.span,
                format_args!(
                    "{} is not an address\nwrite one such as 192.0.2.1 or 2001:db8::1",
                    quoted(text)
                ),
            );
            return None;
        };
        let family = Family::of(&address);
        if *self.seen.get_or_insert(family) != family {
            report.error(
                &word.span,
                format_args!(
                    "addresses of both families in one line\n\
                     write a line for IPv4 and one for IPv6"
                ),
            );
            return None;
        }
        Some(address)
    }

    /// `ADDRESS[/LENGTH]`, or everything: the inner None.
    pub(crate) fn prefix(&mut self, word: &Word, report: &mut Report) -> Option<Option<Prefix>> {
        if let "default" | "all" | "any" = word.text.as_str() {
            return Some(None);
        }
        let (text, len) = match word.text.split_once('/') {
            Some((text, len)) => (text, Some(len)),
            None => (word.text.as_str(), None),
        };
        let address = self.address(word, text, report)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let len = match len {
            Some(len) => number(word, len, most, report)? as u8,
            None => most as u8,
        };
        let network = network(address, len);
        if network != address {
            report.warn(
                &word.span,
                format_args!(
                    "{address}/{len} has bits beyond its prefix\n\
                     write {network}/{len}"
                ),
            );
        }
        Some(Some(Prefix {
            address: network,
            len,
        }))
    }
}

/// The address without the bits beyond `len`.
fn network(address: IpAddr, len: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::from(cut(address.octets(), len)),
        IpAddr::V6(address) => IpAddr::from(cut(address.octets(), len)),
    }
}

fn cut<const N: usize>(mut octets: [u8; N], len: u8) -> [u8; N] {
    let mut left = u32::from(len);
    for octet in &mut octets {
        let beyond = u8::MAX.checked_shr(left).unwrap_or(0);
        *octet &= !beyond;
        left = left.saturating_sub(8);
    }
    octets
}

/// A number up to `most`, decimal or with 0x.
pub(crate) fn number(word: &Word, text: &str, most: u32, report: &mut Report) -> Option<u32> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let number = number.filter(|number| *number <= most);
    if number.is_none() {
        report.error(
            &word.span,
            format_args!(
                "{} is not a number from 0 to {most}\n\
                 write one, decimal or with 0x in front",
                quoted(text)
            ),
        );
    }
    number
}

/// A routing table: its number, or its name in iproute2's files.
pub(crate) fn table(word: &Word, report: &mut Report) -> Option<u32> {
    let text = word.text.as_str();
    let known = match text {
        "default" => Some(253),
        "main" => Some(254),
        "local" => Some(255),
        _ => text.parse().ok().or_else(|| named_table(text)),
    };
    let known = known.filter(|table| *table != 0);
    if known.is_none() {
        report.error_of(
            word,
            format_args!(
                "is no routing table\n\
                 write a number from 1, or add the name to /etc/iproute2/rt_tables"
            ),
        );
    }
    known
}

fn named_table(name: &str) -> Option<u32> {
    let mut disk = Disk::default();
    let mut files = vec!["/etc/iproute2/rt_tables".to_owned()];
    files.append(&mut disk.glob("/etc/iproute2/rt_tables.d/*.conf"));
    files.iter().find_map(|file| {
        let bytes = disk.read(file).ok()?;
        table_in(&String::from_utf8_lossy(&bytes), name)
    })
}

/// Lines of `NUMBER NAME`.
fn table_in(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let number = words.next()?.parse().ok()?;
        (words.next()? == name).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_name() {
        let text = "# reserved\n255\tlocal\n#\n 77  uplink # DSL\n78 other\n79";
        assert_eq!(table_in(text, "uplink"), Some(77));
        assert_eq!(table_in(text, "other"), Some(78));
        assert_eq!(table_in(text, "DSL"), None);
    }

    #[test]
    fn a_network_has_no_bits_beyond_its_prefix() {
        let rows = [
            ("10.1.2.3", 16, "10.1.0.0"),
            ("10.1.2.3", 32, "10.1.2.3"),
            ("10.1.2.3", 0, "0.0.0.0"),
            ("fd00::1:2", 112, "fd00::1:0"),
            ("fd00::1:2", 128, "fd00::1:2"),
            ("fd00::1:2", 0, "::"),
        ];
        for (address, len, expected) in rows {
            let found = network(address.parse().expect("an address"), len);
            assert_eq!(found.to_string(), expected);
        }
    }
}
