//! Adverts to peers: one packet each, through a raw IP socket of the family.

use core::net::IpAddr;

use crate::config::model::Config;
use crate::frame::{self, Ipv4Header};
use crate::sys::Errno;
use crate::sys::error::{Cause, Error};
use crate::sys::send::FRAME_LEN_MAX;
use crate::sys::unicast::{UnicastSocket, Way};
use crate::vrrp::types::Family;
use crate::vrrp::wire::Repr;

/// The socket of each family that the configuration sends unicast adverts with.
///
/// It is open in every state: while it is, the kernel does not answer adverts with an ICMP error.
#[derive(Debug, Default)]
pub(super) struct Unicast {
    v4: Option<UnicastSocket>,
    /// Where a packet is written; empty without a socket.
    buffer: Box<[u8]>,
}

impl Unicast {
    /// Opens what the configuration has a use for, and keeps what is open already.
    ///
    /// # Errors
    /// As [`UnicastSocket::open`].
    pub(super) fn open(&mut self, config: &Config) -> Result<(), Error> {
        let uses = |family| {
            let mut all = config.instances.iter().map(|instance| &instance.settings);
            all.any(|settings| settings.unicast.is_some() && settings.family == family)
        };
        if uses(Family::V4) && self.v4.is_none() {
            self.v4 = Some(UnicastSocket::open(Family::V4)?);
            self.buffer = vec![0; FRAME_LEN_MAX].into();
        }
        Ok(())
    }

    /// Sends an advert out of the interface `ifindex`.
    ///
    /// # Errors
    /// As [`UnicastSocket::send`].
    pub(super) fn send(
        &mut self,
        repr: &Repr<'_>,
        ttl: u8,
        identification: u16,
        ifindex: u32,
    ) -> Result<(), Errno> {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (repr.source, repr.destination) else {
            return Err(Errno::EAFNOSUPPORT);
        };
        let header = Ipv4Header {
            source,
            destination,
            ttl,
            identification,
            payload_len: repr.buffer_len(),
        };
        let socket = self.v4.as_ref().ok_or(Errno::EBADF)?;
        repr.emit(&mut self.buffer[frame::IPV4_HEADER_LEN..]);
        let len = frame::emit_ipv4_packet(&mut self.buffer, &header);
        let way = Way {
            ifindex,
            source: repr.source,
            destination: repr.destination,
        };
        socket.send(&self.buffer[..len], &way)
    }
}

/// Tells when the adverts of an instance begin to fail, and when they go out again.
pub(super) fn tell(name: &str, before: Option<Errno>, now: Option<(Errno, IpAddr)>) {
    match now {
        Some((errno, peer)) if before != Some(errno) => log::warn!(
            "{name}: adverts to {peer} cannot be sent: {}; the peer will become Active: look at `ip route \
             get {peer}` and at the firewall's output rules",
            Cause(errno)
        ),
        None if before.is_some() => log::info!("{name}: adverts to all peers go out again"),
        _ => {}
    }
}
