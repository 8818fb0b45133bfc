//! rtnetlink messages: bytes in, bytes out, no socket.
//!
//! [`build::Batch`] collects requests in a buffer that is used again; [`parse::Messages`] walks
//! through what the kernel answered. Integers are in the machine's own byte order, as netlink has
//! them. See netlink(7), rtnetlink(7) and the kernel's `include/uapi/linux/{netlink,rtnetlink}.h`.

pub mod addr;
pub mod build;
pub mod error;
pub mod link;
pub mod link_request;
pub mod lookup;
pub mod nft;
pub mod parse;
pub mod process;
pub mod route;
pub mod rule;

use addr::Address;
use error::Ack;
use link::Link;
use parse::Message;
use route::Gone;

/// What a message of the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// RTM_NEWLINK: an interface exists, or has changed.
    Link(Link<'a>),
    /// RTM_DELLINK: an interface is gone.
    LinkGone(Link<'a>),
    /// RTM_NEWADDR: an address exists, or has changed.
    Address(Address<'a>),
    /// RTM_DELADDR: an address is gone.
    AddressGone(Address<'a>),
    /// RTM_DELROUTE, or RTM_NEWROUTE in the place of another: a route is gone.
    RouteGone(Gone),
    /// RTM_DELRULE: a routing policy rule is gone.
    RuleGone,
    /// NLMSG_ERROR: a request has failed, or was acknowledged.
    Ack(Ack<'a>),
    /// NLMSG_DONE: the end of a dump; an errno, or 0.
    Done(i32),
    /// A message of another kind, or one that does not parse.
    Other,
}

impl<'a> Content<'a> {
    /// Reads the body of `message`.
    pub fn parse(message: &Message<'a>) -> Self {
        let content = match message.kind {
            libc::RTM_NEWLINK => Link::parse(message.body).map(Self::Link),
            libc::RTM_DELLINK => Link::parse(message.body).map(Self::LinkGone),
            libc::RTM_NEWADDR => Address::parse(message.body).map(Self::Address),
            libc::RTM_DELADDR => Address::parse(message.body).map(Self::AddressGone),
            libc::RTM_DELROUTE | libc::RTM_NEWROUTE => Gone::parse(message).map(Self::RouteGone),
            libc::RTM_DELRULE => Some(Self::RuleGone),
            error::NLMSG_ERROR => Ack::parse(message).map(Self::Ack),
            error::NLMSG_DONE => error::done(message.body).map(Self::Done),
            _ => None,
        };
        content.unwrap_or(Self::Other)
    }
}
