//! The routers that an instance has heard: who, how, when. `status` and `explain` read it.

use core::net::{IpAddr, Ipv6Addr};

use super::types::ChecksumForm;
use super::validate::Advert;
use crate::limits;
use crate::time::{Duration, Instant};

/// One router that was heard.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    /// Its address; IPv4 as an IPv4-mapped one (RFC 4291 §2.5.5.2), which is a byte shorter than
    /// an [`IpAddr`], and a speaker so 32 bytes long instead of 40.
    source: Ipv6Addr,
    /// The priority of its last advert.
    pub priority: u8,
    /// The interval of its last advert in centiseconds: at most 255 s in v2, 40.95 s in v3.
    interval: u16,
    /// When its last advert was accepted.
    pub last_heard: Instant,
    /// Adverts accepted.
    pub adverts: u32,
    /// The form of the last advert.
    pub checksum: ChecksumForm,
}

/// The routers of one instance; the one heard longest ago makes room for a new one.
#[derive(Debug, Default)]
pub struct Speakers(heapless::Vec<Speaker, { limits::SPEAKERS }>);

impl Speakers {
    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Speaker> {
        self.0.iter()
    }

    /// The one with this address.
    pub fn get(&self, source: &IpAddr) -> Option<&Speaker> {
        let source = mapped(source);
        self.0.iter().find(|s| s.source == source)
    }

    /// The checksum form of whoever was heard last.
    pub fn last_form(&self) -> Option<ChecksumForm> {
        self.0
            .iter()
            .max_by_key(|s| s.last_heard)
            .map(|s| s.checksum)
    }

    /// Takes an accepted advert down.
    pub(super) fn heard(&mut self, advert: &Advert<'_>, now: Instant) {
        let source = mapped(&advert.source);
        let index = self.place_for(source);
        let speaker = &mut self.0[index];
        if speaker.source != source {
            *speaker = Speaker::new(source);
        }
        speaker.priority = advert.priority;
        speaker.interval = advert.interval.as_centis() as u16;
        speaker.last_heard = now;
        speaker.checksum = advert.checksum;
        speaker.adverts = speaker.adverts.wrapping_add(1);
    }

    fn place_for(&mut self, source: Ipv6Addr) -> usize {
        if let Some(index) = self.0.iter().position(|s| s.source == source) {
            return index;
        }
        if self.0.push(Speaker::new(source)).is_ok() {
            return self.0.len() - 1;
        }
        let oldest = self.0.iter().enumerate().min_by_key(|(_, s)| s.last_heard);
        oldest.map_or(0, |(index, _)| index)
    }
}

impl Speaker {
    /// Its address.
    pub fn source(&self) -> IpAddr {
        self.source.to_canonical()
    }

    /// The interval of its last advert.
    pub fn interval(&self) -> Duration {
        Duration::from_centis(self.interval.into())
    }

    /// Heard once so far.
    pub(super) fn is_new(&self) -> bool {
        self.adverts == 1
    }

    fn new(source: Ipv6Addr) -> Self {
        Self {
            source,
            priority: 0,
            interval: 0,
            last_heard: Instant::ZERO,
            adverts: 0,
            checksum: ChecksumForm::PseudoHeader,
        }
    }
}

fn mapped(address: &IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => *address,
    }
}

const _: () = assert!(size_of::<Speaker>() == 32);
