//! The entries of `unicast_peer`.

use core::net::IpAddr;
use core::ops::RangeInclusive;

use super::block::{Node, Word};
use super::error::{Placed, Report, Span};
use super::schema::{Block, Draft};
use super::vip;
use crate::limits;
use crate::vrrp::types::Peer;

/// Reads the lines of a `unicast_peer` block; `block` is where its keyword stands.
pub(crate) fn read(lines: &[Node], block: &Span, draft: &mut Draft, report: &mut Report) {
    for line in lines {
        if line.children.is_some() {
            report.error(
                &line.span,
                format_args!("a peer is not a block\nremove the braces"),
            );
        }
        let mut words = line.words.iter();
        while let Some(word) = words.next() {
            match peer(word, &mut words, report) {
                Some(peer) => add(peer, &word.span, block, draft, report),
                None => draft.failed.push("unicast_peer"),
            }
        }
    }
}

fn add(peer: Peer, span: &Span, block: &Span, draft: &mut Draft, report: &mut Report) {
    let same = |placed: &&Placed<Peer>| placed.value.address == peer.address;
    if let Some(before) = draft.peers.iter().find(same) {
        let message = format_args!("peer {} already stands", peer.address);
        let help = format_args!("remove one of the two");
        return report.error_at(span, message, before.span, help);
    }
    if draft.peers.len() == limits::PEERS {
        return report.error(
            span,
            format_args!(
                "the block at {} has more than {} peers\n\
                 write fewer, or let the routers use multicast",
                report.place(*block),
                limits::PEERS
            ),
        );
    }
    let span = *span;
    draft.peers.push(Placed { value: peer, span });
}

/// `ADDRESS [min_ttl N] [max_ttl N]`; the options are taken from `rest`.
fn peer<'a>(
    word: &Word,
    rest: &mut (impl Iterator<Item = &'a Word> + Clone),
    report: &mut Report,
) -> Option<Peer> {
    let address = word.text.parse::<IpAddr>().ok();
    let Some(address) = address.filter(vip::is_host) else {
        let otherwise = "write its IP address without a prefix";
        let help = Block::Peer.help(&word.text, report, otherwise);
        report.error_of(word, format_args!("is not the address of a router\n{help}"));
        return None;
    };
    let (mut min, mut max) = (0, u8::MAX);
    while let Some(option) = next_option(rest) {
        let ttl = ttl(option, rest.next(), report)?;
        match option.text.as_str() {
            "min_ttl" => min = ttl,
            _ => max = ttl,
        }
    }
    if min > max {
        report.error(
            &word.span,
            format_args!(
                "min_ttl {min} is above max_ttl {max}: nothing fits\n\
                 write the smaller one as min_ttl"
            ),
        );
    }
    let ttl: RangeInclusive<u8> = min..=max;
    Some(Peer { address, ttl })
}

/// The next word, if it is an option.
fn next_option<'a>(rest: &mut (impl Iterator<Item = &'a Word> + Clone)) -> Option<&'a Word> {
    let next = rest.clone().next()?;
    Block::Peer.find(&next.text)?;
    rest.next()
}

fn ttl(option: &Word, value: Option<&Word>, report: &mut Report) -> Option<u8> {
    let ttl = value.and_then(|word| vip::byte(&word.text));
    if ttl.is_none() {
        report.error(
            &option.span,
            format_args!(
                "`{name}` needs a number from 0 to 255\nwrite `{name} 0–255`",
                name = option.text
            ),
        );
    }
    ttl
}
