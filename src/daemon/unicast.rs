//! Adverts to peers: one packet each, through a raw IP socket of the family.

use core::net::IpAddr;

use crate::config::model::Config;
use crate::log;
use crate::sys::Errno;
use crate::sys::error::{Cause, Error};
use crate::sys::send::FRAME_LEN_MAX;
use crate::sys::unicast::{UnicastSocket, Way};
use crate::vrrp::types::Family;
use crate::vrrp::wire::Repr;

use super::advert;

/// The socket of each family that the configuration sends unicast adverts with.
///
/// It is open in every state: while it is, the kernel does not answer adverts with an ICMP error.
#[derive(Debug, Default)]
pub(super) struct Unicast {
    v4: Option<UnicastSocket>,
    v6: Option<UnicastSocket>,
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
        let sockets = [(Family::V4, &mut self.v4), (Family::V6, &mut self.v6)];
        for (family, socket) in sockets {
            if uses(family) && socket.is_none() {
                *socket = Some(UnicastSocket::open(family)?);
                self.buffer = vec![0; FRAME_LEN_MAX].into();
            }
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
        let socket = match repr.source {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        };
        let socket = socket.as_ref().ok_or(Errno::EBADF)?;
        let len = advert::write_packet(&mut self.buffer, repr, ttl, identification);
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
