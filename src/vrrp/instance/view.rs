//! What a virtual router shows of itself: the advert it would send now, and what `status` tells.

use core::net::IpAddr;

use super::super::action::Reason;
use super::super::counters::Counters;
use super::super::speakers::Speakers;
use super::super::track::Reading;
use super::super::types::{ChecksumForm, ChecksumMode, Settings, State};
use super::super::wire::Repr;
use super::{Instance, Last, LinkState, Machine};
use crate::time::{Duration, Instant};

impl Instance {
    /// The advert to send now, with this priority; none while there is no address to send from.
    pub fn advert(&self, priority: u8, destination: IpAddr) -> Option<Repr<'_>> {
        Some(Repr {
            version: self.settings.version,
            vrid: self.settings.vrid,
            priority,
            interval: self.settings.advert_interval,
            auth: self.settings.auth,
            checksum: self.checksum_form(),
            source: self.source()?,
            destination,
            addresses: &self.settings.addresses,
        })
    }

    /// Whether a packet with this destination is for it: with unicast its own address, or else the
    /// multicast group.
    pub(in crate::vrrp) fn is_destination(&self, destination: IpAddr, group: IpAddr) -> bool {
        match self.settings.unicast {
            Some(_) => self.source() == Some(destination),
            None => destination == group,
        }
    }

    /// The v3 checksum form over IPv4 that we send.
    pub fn checksum_form(&self) -> ChecksumForm {
        match self.settings.checksum {
            ChecksumMode::Fixed(form) => form,
            ChecksumMode::Auto => self
                .speakers
                .last_form()
                .unwrap_or(ChecksumForm::PseudoHeader),
        }
    }

    /// What was said last about the interface.
    pub fn link(&self) -> LinkState {
        self.link
    }

    /// Our primary address, which adverts are sent from.
    pub fn source(&self) -> Option<IpAddr> {
        match self.link {
            LinkState::Up(source) => source,
            _ => None,
        }
    }

    /// Initialize, Backup or Active.
    pub fn state(&self) -> State {
        match self.machine {
            Machine::Initialize(_) => State::Initialize,
            Machine::Backup(_) => State::Backup,
            Machine::Active(_) => State::Active,
        }
    }

    /// Active_Down_Interval as the Backups compute it, while Active.
    pub fn active_down_interval_if_active(&self) -> Option<Duration> {
        let interval = self.settings.advert_interval;
        (self.state() == State::Active).then(|| self.active_down_interval(interval))
    }

    /// When a Backup becomes Active unless an advert comes; none while its sync group is waited for.
    pub fn takeover_at(&self) -> Option<Instant> {
        match &self.machine {
            Machine::Backup(backup) => {
                Some(backup.active_down_at).filter(|at| *at != Instant::NEVER)
            }
            _ => None,
        }
    }

    /// It is to stop soon, see [`Event::Leave`](super::Event::Leave).
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Since when it is in this state (or in Initialize for this reason).
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Why it is in this state.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The configured parameters.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The priority that counts now: the configured one and the weights of the trackers.
    pub fn effective_priority(&self) -> u8 {
        self.effective
    }

    /// What its trackers see, in the order of the settings.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// The routers it has heard.
    pub fn speakers(&self) -> &Speakers {
        &self.speakers
    }

    /// The address of the Active Router, as far as a Backup knows it.
    pub fn active_router(&self) -> Option<IpAddr> {
        match &self.machine {
            Machine::Initialize(_) => None,
            Machine::Active(_) => self.source(),
            Machine::Backup(backup) => match backup.last {
                Last::Followed(source) | Last::Lower(source, _) => Some(source),
                Last::Nothing | Last::Released(_) => None,
            },
        }
    }

    /// What it has sent, heard and dropped.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
