//! OpenWrt's logical interfaces: which device `lan` is.
//!
//! `/bin/ubus` is run by the helper and asked for all interfaces at once: at start, at each
//! reload (a hotplug script of the package reloads when netifd has changed something), and now and
//! then while an instance waits for its device. What it says is kept until it says something else;
//! an interface that is down keeps the device that it had, which the kernel watches from then on.

mod dump;
mod question;

use crate::config::model::{Config, Dialect};
use crate::file;
use crate::limits;
use crate::log;
use crate::sys::Errno;
use crate::sys::clock;
use crate::sys::poll::Poll;
use crate::time::{Duration, Instant};
use crate::vrrp::action::Unresolved;
use crate::vrrp::track::Kind;
use crate::vrrp::uplink::Seen;

use question::Question;

use super::helper::{End, Helper, Ticket};
use super::links::{Link, Links, Slot};

/// The client of OpenWrt's bus.
pub(super) const UBUS: &str = "/bin/ubus";

pub(super) use question::Failure;

/// Whether there is a netifd to be asked, as far as one can see.
pub(super) fn is_here() -> bool {
    file::look(UBUS) != Err(Errno::ENOENT)
}

/// Whether anything in the configuration is netifd's.
fn asks(config: &Config) -> bool {
    config.dialect == Dialect::Uci || config.has_uplinks()
}

/// What a name of an interface in the configuration means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// It is the device's.
    Devices,
    /// Nobody knows yet.
    Unasked,
    /// What netifd says.
    Said(Vec<Interface>),
}

/// An interface of netifd's, and the last device that it had.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interface {
    name: Box<str>,
    device: Option<Box<str>>,
    seen: Seen,
}

impl Names {
    /// The device of an interface, or why it is not known. netifd's names are those of sections
    /// in /etc/config/network: `br-lan` or `eth0.2` cannot be one, so nobody need be asked.
    pub(super) fn device<'a>(&'a self, name: &'a str) -> Result<&'a str, Unresolved> {
        let may_be_section = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let interfaces = match self {
            Self::Devices => return Ok(name),
            _ if !name.bytes().all(may_be_section) => return Ok(name),
            Self::Unasked => return Err(Unresolved::Silent),
            Self::Said(interfaces) => interfaces,
        };
        let known = interfaces.iter().find(|known| *known.name == *name);
        let device = known.ok_or(Unresolved::Unknown)?.device.as_deref();
        device.ok_or(Unresolved::NoDevice)
    }

    /// Whether all names mean the same devices.
    fn has_devices_of(&self, other: &Self) -> bool {
        let devices = |i: &Interface, o: &Interface| i.name == o.name && i.device == o.device;
        match (self, other) {
            (Self::Said(own), Self::Said(other)) => {
                own.len() == other.len() && own.iter().zip(other).all(|(i, o)| devices(i, o))
            }
            _ => false,
        }
    }

    /// How netifd says that an interface is.
    pub(super) fn seen(&self, name: &str) -> Seen {
        match self {
            Self::Devices | Self::Unasked => Seen::Unknown,
            Self::Said(interfaces) => {
                let known = interfaces.iter().find(|known| *known.name == *name);
                known.map_or(Seen::Absent, |known| known.seen)
            }
        }
    }

    /// The slot of an interface. What netifd does not know may be a device; what it has no device
    /// for gets a slot that no device can have.
    pub(super) fn slot(&self, name: &str, links: &mut Links) -> Slot {
        match self.device(name) {
            Ok(device) => links.slot(device),
            Err(Unresolved::Unknown) => links.slot(name),
            Err(_) => links.placeholder(name),
        }
    }

    /// The slot of an interface that [`Names::slot`] has made, if it has a device.
    pub(super) fn find(&self, name: &str, links: &Links) -> Option<Slot> {
        match self.device(name) {
            Ok(device) => links.find(device),
            Err(Unresolved::Unknown) => links.find(name),
            Err(_) => None,
        }
    }

    /// Why interface `name`, which is `link`, is not there, if that is for want of a device.
    pub(super) fn unresolved(&self, name: &str, link: &Link) -> Option<Unresolved> {
        match (&link.kernel, self.device(name)) {
            (Some(_), _) => None,
            (None, Err(why)) => Some(why),
            (None, Ok(_)) => (!link.is_device()).then_some(Unresolved::Taken),
        }
    }

    /// The interface of each instance. Two that turn out to be one device cannot have the same
    /// VRID: the later one gets no device.
    pub(super) fn slots(&self, config: &Config, links: &mut Links) -> Vec<Slot> {
        let mut slots: Vec<Slot> = Vec::with_capacity(config.instances.len());
        let trackers = config.instances.iter().flat_map(|i| &i.settings.trackers);
        for what in trackers.map(|tracker| &tracker.what) {
            if what.kind == Kind::Interface {
                self.slot(&what.name, links);
            }
        }
        for probe in &config.probes {
            self.slot(&probe.interface, links);
        }
        for instance in &config.instances {
            let key = (instance.settings.vrid, instance.settings.family);
            let slot = self.slot(&instance.interface, links);
            let same = |(other, taken): (&crate::config::model::Instance, &Slot)| {
                *taken == slot && (other.settings.vrid, other.settings.family) == key
            };
            let taken = *self != Self::Devices && config.instances.iter().zip(&slots).any(same);
            slots.push(if taken {
                links.placeholder(&instance.interface)
            } else {
                slot
            });
        }
        slots
    }

    /// Takes in an answer. None if it is none.
    fn learn(&self, answer: &[u8]) -> Option<Self> {
        let mut said = Vec::new();
        dump::parse(answer, &mut |found| {
            let device = found.device.or_else(|| self.device(found.name).ok());
            said.push(Interface {
                name: found.name.into(),
                device: device.map(Into::into),
                seen: found.seen,
            });
        })?;
        // It has one for the loopback device at least.
        (!said.is_empty()).then_some(Self::Said(said))
    }
}

/// The names, and the question for them.
pub(super) struct Netifd {
    names: Names,
    question: Option<Question>,
    /// When what it said last was asked for.
    asked_at: Instant,
    /// It has said since [`Netifd::arranged`] that an interface is another device, or is new or gone.
    moved: bool,
    /// When it is asked again.
    ask_at: Instant,
    gap: Duration,
    /// The last failure that was told.
    told: Option<Failure>,
}

impl Netifd {
    /// Nobody is asked yet; [`Netifd::ask`] comes before the first [`Netifd::names`].
    pub(super) fn new() -> Self {
        Self {
            names: Names::Devices,
            question: None,
            asked_at: Instant::ZERO,
            moved: false,
            ask_at: Instant::NEVER,
            gap: limits::NETIFD_GAP_MIN,
            told: None,
        }
    }

    /// What names mean in a configuration of this dialect. A call, which is smaller in its many places.
    #[inline(never)]
    pub(super) fn names(&self, dialect: Dialect) -> &Names {
        match dialect {
            Dialect::Keepalived => &Names::Devices,
            Dialect::Uci => &self.names,
        }
    }

    /// What netifd says of its interfaces, whatever names mean in the configuration, and when it was asked
    /// for that.
    pub(super) fn said(&self) -> (&Names, Instant) {
        (&self.names, self.asked_at)
    }

    /// At start and reload: asks as soon as nobody is being asked.
    pub(super) fn ask(&mut self, config: &Config, helper: &Helper, now: Instant) {
        self.gap = limits::NETIFD_GAP_MIN;
        self.ask_at = Instant::NEVER;
        if !asks(config) {
            return;
        }
        if !helper.was_started() || !is_here() && self.names == Names::Devices {
            log::info!("there is no {UBUS}: interfaces are called as their devices");
            return;
        }
        if self.names == Names::Devices {
            self.names = Names::Unasked;
        }
        self.ask_at = now;
    }

    /// Asks at `at` at the latest.
    pub(super) fn ask_by(&mut self, at: Instant) {
        self.ask_at = self.ask_at.min(at);
    }

    /// Whether any name may mean something else than at [`Netifd::arranged`].
    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    /// What it has said is applied.
    pub(super) fn arranged(&mut self) {
        self.moved = false;
    }

    /// An instance waits for its device.
    pub(super) fn ask_later(&mut self, now: Instant) {
        self.ask_at = self.ask_at.min(now + self.gap);
        self.gap = self.gap.times(2).min(limits::NETIFD_GAP_MAX);
    }

    /// When [`Netifd::tend`] has something to do though nothing happens.
    pub(super) fn poll_at(&self) -> Instant {
        match &self.question {
            Some(_) => Instant::NEVER,
            None => self.ask_at,
        }
    }

    /// Puts the pipe of the answer into the poll set.
    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        if let Some(question) = &mut self.question {
            question.add_to(poll);
        }
    }

    /// True if [`Netifd::tend`] has something to do.
    pub(super) fn has_work(&self, poll: &Poll, now: Instant) -> bool {
        now >= self.poll_at() || self.question.as_ref().is_some_and(|q| q.has_work(poll))
    }

    /// Asks, or takes in what has been said so far.
    pub(super) fn tend(&mut self, helper: &mut Helper, now: Instant) {
        let failure = match &mut self.question {
            None => {
                (self.ask_at, self.asked_at) = (Instant::NEVER, now);
                let asked = Question::ask(helper, now);
                asked.map(|question| self.question = Some(question)).err()
            }
            Some(question) => {
                let failure = question.read().err();
                if failure.is_some() {
                    question.cancel(helper);
                }
                failure
            }
        };
        if let Some(failure) = failure {
            self.failed(failure, now);
        }
    }

    /// A program of the helper has ended. True if it was the answer to the question.
    pub(super) fn ended(&mut self, ticket: Ticket, end: End, now: Instant) -> bool {
        let Some(mut question) = self.question.take_if(|q| q.is(ticket)) else {
            return false;
        };
        let names = question.end(end).and_then(|answer| {
            let names = self.names.learn(answer);
            names.ok_or(Failure::NoAnswer)
        });
        match names {
            Ok(names) => {
                self.moved |= !names.has_devices_of(&self.names);
                self.names = names;
                self.told = None;
                true
            }
            Err(failure) => {
                self.failed(failure, now);
                false
            }
        }
    }

    fn failed(&mut self, failure: Failure, now: Instant) {
        self.question = None;
        self.ask_later(now);
        if self.told.as_ref() != Some(&failure) {
            log::warn!("{failure}");
        }
        self.told = Some(failure);
    }
}

/// Asks and waits for the answer, within its bound: for `vipd check`. Failures are told in the log.
pub(super) fn ask_now(config: &Config) -> Result<Names, Failure> {
    if !asks(config) || !is_here() {
        return Ok(Names::Devices);
    }
    let mut helper = Helper::anyway().map_err(Failure::System)?;
    let mut question = Question::ask(&mut helper, clock::now())?;
    let mut poll = Poll::with_capacity(2);
    loop {
        poll.clear();
        helper.add_to(&mut poll);
        question.add_to(&mut poll);
        let patience = helper.poll_at().since(clock::now());
        poll.wait(Some(patience)).map_err(Failure::System)?;
        question.read()?;
        // Its one program.
        if let Some((_, end)) = helper.next_end(clock::now()) {
            let names = Names::Unasked.learn(question.end(end)?);
            return names.ok_or(Failure::NoAnswer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answer: &str, before: &Names) -> Names {
        before.learn(answer.as_bytes()).expect("an answer")
    }

    #[test]
    fn a_device_is_kept_until_there_is_another() {
        let up = r#"{"interface":[{"interface":"lan","l3_device":"br-lan"},{"interface":"wan"}]}"#;
        let names = said(up, &Names::Unasked);
        assert_eq!(names.device("lan"), Ok("br-lan"));
        assert_eq!(names.device("wan"), Err(Unresolved::NoDevice));
        assert_eq!(names.device("lann"), Err(Unresolved::Unknown));
        let down = said(r#"{"interface":[{"interface":"lan"}]}"#, &names);
        assert_eq!(down.device("lan"), Ok("br-lan"));
        let other = r#"{"interface":[{"interface":"lan","l3_device":"eth0"}]}"#;
        assert_eq!(said(other, &down).device("lan"), Ok("eth0"));
        assert!(!down.has_devices_of(&names));
        let how = r#"{"interface":[{"interface":"lan","up":true,"l3_device":"br-lan"}]}"#;
        assert!(
            said(how, &down).has_devices_of(&down) && !said(other, &down).has_devices_of(&down)
        );
        assert_eq!(down.learn(br#"{"interface":[]}"#), None);
        assert_eq!(Names::Devices.device("eth7"), Ok("eth7"));
        assert_eq!(Names::Unasked.device("eth7"), Err(Unresolved::Silent));
        assert_eq!(Names::Unasked.device("br-lan"), Ok("br-lan"));
    }

    #[test]
    fn what_has_no_device_yet_is_never_mistaken_for_one() {
        let mut links = Links::default();
        let names = said(r#"{"interface":[{"interface":"wan"}]}"#, &Names::Unasked);
        let port = links.slot("wan");
        let (waits, unknown) = (
            names.slot("wan", &mut links),
            names.slot("eth0", &mut links),
        );
        assert!(waits != port && !links.get(waits).is_device());
        assert_eq!(links.get(unknown).name, "eth0");
        assert!(links.get(unknown).is_device());
    }
}
