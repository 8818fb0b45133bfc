//! `strict_mode` and `vrrp_strict`: what the RFCs do not know is left out, and packets to the
//! addresses are not accepted. As in keepalived, but that a lower-priority advert is still answered
//! with an advert: RFC 9568 §6.4.3 has that, RFC 5798 had not.

use super::error::{Placed, Report, Span};
use super::schema::Draft;
use crate::time::Duration;
use crate::vrrp::types::{PRIORITY_OWNER, Version};

/// Takes out of the draft what strict mode has no room for. Version and priority are the instance's.
pub(crate) fn settle(
    draft: &mut Draft,
    globals: &Draft,
    (version, priority): (Version, u8),
    report: &mut Report,
) {
    let Some(strict) = draft
        .plain
        .strict
        .as_ref()
        .or(globals.plain.strict.as_ref())
    else {
        return;
    };
    if !strict.value {
        return;
    }
    let strict = strict.span;
    if let Some(peer) = draft.peers.first() {
        let message = format_args!("`unicast_peer` does not go with strict mode");
        let help = format_args!("remove one of the two");
        report.error_at(&peer.span, message, strict, help);
    }
    let is_owner = priority == PRIORITY_OWNER;
    let mut ignored = |what: &str, span: &Span| {
        let message = format_args!("{what} does not go with strict mode");
        let help = format_args!("it is ignored, as in keepalived; remove one of the two");
        report.warn_at(span, message, strict, help);
    };
    if let Some(kind) = draft.plain.auth_type.take() {
        draft.auth_pass = None;
        ignored("authentication", &kind.span);
    }
    let master = |state: &mut Placed<_>| state.value == "MASTER" && !is_owner;
    if let Some(state) = draft.plain.state.take_if(master) {
        ignored("`state MASTER` without priority 255", &state.span);
    }
    if let Some(delay) = draft
        .plain
        .preempt_delay
        .take_if(|delay| !delay.value.is_zero())
    {
        ignored("`preempt_delay`", &delay.span);
    }
    let accepts = |accept: &mut Placed<bool>| accept.value && version == Version::V2 && !is_owner;
    if let Some(accept) = draft.plain.accept.take_if(accepts) {
        ignored("`accept` in VRRP version 2", &accept.span);
    }
    if let Some(repeat) = draft.plain.garp_lower_prio_repeat.take_if(|n| n.value > 0) {
        ignored("`garp_lower_prio_repeat`", &repeat.span);
    }
    if let Some(delay) = draft
        .plain
        .garp_lower_prio_delay
        .take_if(|delay| !delay.value.is_zero())
    {
        ignored("`garp_lower_prio_delay`", &delay.span);
    }
    draft.plain.garp_lower_prio_repeat = Some(Placed {
        value: 0,
        span: strict,
    });
    draft.plain.garp_lower_prio_delay = Some(Placed {
        value: Duration::ZERO,
        span: strict,
    });
}

/// Accept_Mode (RFC 9568 §6.1): the owner's is always true; unless set, strict mode turns it off.
pub(crate) fn accept(draft: &Draft, globals: &Draft, priority: u8) -> bool {
    let strict = draft
        .plain
        .strict
        .as_ref()
        .or(globals.plain.strict.as_ref());
    let accept = draft.plain.accept.as_ref().map(|accept| accept.value);
    priority == PRIORITY_OWNER || accept.unwrap_or(!strict.is_some_and(|strict| strict.value))
}
