//! The entries of `virtual_ipaddress`.

use core::net::{IpAddr, Ipv4Addr};
use core::slice::Iter;
use std::rc::Rc;

use super::block::{Node, Word};
use super::error::{Report, Span, quoted};
use super::model::{Dialect, Vip};
use super::option::{self, Found};
use super::schema::{Block, Opt};

/// The advert's count of addresses has eight bits (RFC 9568 §5.2.5); 255 IPv4 addresses make an
/// advert of 1048 bytes, which fits into any Ethernet MTU.
pub const MAX_VIPS: usize = crate::limits::ADDRESSES;

/// An address and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlacedVip {
    pub(crate) vip: Vip,
    /// `use_vmac` stands behind it.
    pub(crate) use_vmac: bool,
    pub(crate) span: Span,
}

/// Reads the lines of a `virtual_ipaddress` block, at most so many; `block` is where its keyword
/// stands. False if one was wrong.
pub(crate) fn read(
    lines: &[Node],
    block: &Span,
    most: usize,
    list: &mut Vec<PlacedVip>,
    report: &mut Report,
) -> bool {
    let mut good = true;
    // As a rule a line is an address, and the list is kept.
    list.reserve_exact(lines.len().min(most));
    for line in lines {
        if line.children.is_some() {
            report.error(
                &line.span,
                format_args!("an address is not a block\nremove the braces"),
            );
        }
        for words in entries(&line.words) {
            let Some(placed) = entry(words, report) else {
                good = false;
                continue;
            };
            if list.len() == most {
                let help = if most == MAX_VIPS {
                    "an advert holds no more: make another instance for the rest"
                } else {
                    "write fewer"
                };
                report.error(
                    &placed.span,
                    format_args!(
                        "the block at {} has more than {most} addresses\n{help}",
                        report.place(*block)
                    ),
                );
                return good;
            }
            list.push(placed);
        }
    }
    good
}

/// Splits a line in front of each address that is not the argument of an option.
fn entries(words: &[Word]) -> Vec<&[Word]> {
    let (mut found, mut start, mut index) = (Vec::new(), 0, 1);
    while index < words.len() {
        let word = &words[index].text;
        match Block::Address.find(word) {
            Some(option) if !option.takes_nothing() => index += 1,
            None if is_address(word) => {
                found.push(&words[start..index]);
                start = index;
            }
            _ => {}
        }
        index += 1;
    }
    found.push(&words[start..]);
    found
}

fn is_address(text: &str) -> bool {
    let address = text.split('/').next().unwrap_or(text);
    address.parse::<IpAddr>().is_ok()
}

/// One address and its options.
fn entry(words: &[Word], report: &mut Report) -> Option<PlacedVip> {
    let (first, options) = words.split_first()?;
    let (address, prefix_len) = address(first, report)?;
    let mut vip = Vip {
        address,
        prefix_len,
        dev: None,
        scope: 0,
        label: None,
        broadcast: None,
    };
    let mut use_vmac = false;
    let mut rest = options.iter();
    while let Some(word) = rest.next() {
        if word.text == "use_vmac" {
            use_vmac = true;
        } else {
            option(word, &mut rest, &mut vip, report)?;
        }
    }
    Some(PlacedVip {
        vip,
        use_vmac,
        span: first.span,
    })
}

/// `ADDRESS[/PREFIX]`
fn address(word: &Word, report: &mut Report) -> Option<(IpAddr, u8)> {
    const UNCLOSED: &str = "close the `virtual_ipaddress` block in front of it with `}`";
    const WANTED: &str =
        "write an address such as 192.0.2.1 or 2001:db8::1, or 192.0.2.1/24 with its prefix";
    const WANTED_UCI: &str =
        "write an address such as 192.0.2.1/24, or the name of a `config ipaddress` section";
    let (text, prefix) = match word.text.split_once('/') {
        Some((text, prefix)) => (text, Some(prefix)),
        None => (word.text.as_str(), None),
    };
    let Ok(address) = text.parse::<IpAddr>() else {
        let is_keyword = [Block::Instance, Block::Top]
            .iter()
            .any(|block| block.has(text));
        let help = match report.dialect {
            Dialect::Uci => WANTED_UCI,
            Dialect::Keepalived if is_keyword => UNCLOSED,
            Dialect::Keepalived => WANTED,
        };
        report.error(
            &word.span,
            format_args!("{} is not an address\n{help}", quoted(text)),
        );
        return None;
    };
    if !is_host(&address) {
        report.error(
            &word.span,
            format_args!(
                "{address} cannot be a virtual address\n\
                 write a unicast address of the network"
            ),
        );
        return None;
    }
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let Some(prefix) = prefix else {
        return Some((address, longest));
    };
    let digits = prefix.bytes().all(|c| c.is_ascii_digit());
    let prefix_len = byte(prefix).filter(|len| digits && (1..=longest).contains(len));
    if prefix_len.is_none() {
        report.error(
            &word.span,
            format_args!(
                "{} is not a prefix length\n\
                 write a number from 1 to {longest} behind the slash",
                quoted(prefix)
            ),
        );
    }
    Some((address, prefix_len?))
}

/// A number from 0 to 255.
pub(crate) fn byte(text: &str) -> Option<u8> {
    let number: u32 = text.parse().ok()?;
    u8::try_from(number).ok()
}

/// Whether a host may have the address.
pub(crate) fn is_host(address: &IpAddr) -> bool {
    let in_range = match address {
        IpAddr::V4(address) => (1..240).contains(&address.octets()[0]),
        IpAddr::V6(address) => !address.is_unspecified() && address.to_ipv4_mapped().is_none(),
    };
    in_range && !address.is_multicast() && !address.is_loopback()
}

/// One option; `rest` are the words behind it.
fn option<'a>(
    word: &'a Word,
    rest: &mut Iter<'a, Word>,
    vip: &mut Vip,
    report: &mut Report,
) -> Option<()> {
    let Found { keyword, value, is } =
        option::read(Block::Address, "an address", word, rest, report)?;
    let Ok(is) = is else { return Some(()) };
    match (is, vip.address) {
        (Opt::Dev, _) => vip.dev = Some(interface(value, report)?),
        (Opt::Scope, IpAddr::V4(_)) => vip.scope = scope(value, report)?,
        // The kernel sees what scope an IPv6 address has.
        (Opt::Scope, IpAddr::V6(_)) => drop(scope(value, report)?),
        (Opt::Label, IpAddr::V4(_)) => vip.label = Some(label(value, report)?),
        (_, IpAddr::V4(address)) => {
            vip.broadcast = Some(broadcast(value, address, vip.prefix_len, report)?);
        }
        (_, IpAddr::V6(_)) => {
            let name = keyword.name;
            report.warn(
                &word.span,
                format_args!("an IPv6 address has no `{name}`: it is ignored\nremove it"),
            );
        }
    }
    Some(())
}

/// The name of an interface, as the kernel accepts it.
pub(crate) fn interface(word: &Word, report: &mut Report) -> Option<Rc<str>> {
    let name = word.text.as_str();
    let bad = |c: char| c == '/' || c == ':' || c.is_whitespace();
    let device = quoted(name.split(':').next().unwrap_or_default());
    let wrong = if name.is_empty() || name.len() > 15 {
        format_args!("write a name of 1 to 15 bytes")
    } else if name.contains(':') {
        format_args!("write {device}, and the alias as `label` of the address")
    } else if name == "." || name == ".." || name.contains(bad) {
        format_args!("write a name without `/` and blanks")
    } else {
        return Some(name.into());
    };
    report.error_of(
        word,
        format_args!("is not the name of an interface\n{wrong}"),
    );
    None
}

pub(crate) fn scope(word: &Word, report: &mut Report) -> Option<u8> {
    let number = match word.text.as_str() {
        "global" | "universe" => Some(0),
        "site" => Some(200),
        "link" => Some(253),
        "host" => Some(254),
        "nowhere" => Some(255),
        text => byte(text),
    };
    if number.is_none() {
        report.error(
            &word.span,
            format_args!(
                "unknown scope {}\n\
                 write global, site, link, host, nowhere, or a number from 0 to 255",
                quoted(&word.text)
            ),
        );
    }
    number
}

fn label(word: &Word, report: &mut Report) -> Option<Rc<str>> {
    if (1..=15).contains(&word.text.len()) {
        return Some(word.text.as_str().into());
    }
    report.error(
        &word.span,
        format_args!(
            "label {} is too long or empty\n\
             write 1 to 15 bytes, such as eth0:1",
            quoted(&word.text)
        ),
    );
    None
}

fn broadcast(word: &Word, address: Ipv4Addr, prefix: u8, report: &mut Report) -> Option<Ipv4Addr> {
    let host_bits = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    let computed = match word.text.as_str() {
        "+" => address.to_bits() | host_bits,
        "-" => address.to_bits() & !host_bits,
        text => {
            let given = text.parse().ok();
            if given.is_none() {
                report.error_of(
                    word,
                    format_args!("is not a broadcast address\nwrite an IPv4 address, `+` or `-`"),
                );
            }
            return given;
        }
    };
    if prefix > 30 {
        report.error(
            &word.span,
            format_args!(
                "a /{prefix} has no broadcast address\n\
                 write the prefix of the network behind the address, or leave it out"
            ),
        );
        return None;
    }
    Some(Ipv4Addr::from_bits(computed))
}
