//! What the kernel says about the interfaces that the configuration names.

use core::net::IpAddr;

use crate::time::{Duration, Instant};
use crate::vrrp::instance::LinkState;
use crate::vrrp::types::{Family, is_link_local};

/// A place in [`Links`]; the core's `Received::link`.
pub(super) type Slot = u16;

/// One interface of the configuration, whether it exists or not.
#[derive(Debug)]
pub(super) struct Link {
    /// The name in the configuration.
    pub(super) name: String,
    /// What the kernel says; none while there is no such interface.
    pub(super) kernel: Option<Kernel>,
    /// `interface_up_down_delays`: for going down and for coming up.
    delays: Option<(Duration, Duration)>,
    /// Up as far as instances know: what the kernel says, but for the delays. None: it was not there.
    counts_up: Option<bool>,
    /// When what the kernel says counts.
    counts_at: Instant,
}

/// An interface that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kernel {
    /// Its index, new each time the interface is made.
    pub(super) ifindex: u32,
    /// Its MAC address.
    pub(super) mac: [u8; 6],
    /// Set up, and with carrier.
    pub(super) up: bool,
    /// It is a bridge.
    pub(super) is_bridge: bool,
    /// The largest packet in bytes.
    pub(super) mtu: u32,
    /// Its IPv4 parameters when the kernel told of it last.
    pub(super) ipv4: Ipv4,
    /// The bridge that it is a port of.
    pub(super) bridge: Option<u32>,
    /// Its addresses, in the kernel's order.
    pub(super) addresses: Vec<Address>,
}

/// IPv4 parameters of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ipv4 {
    /// `forwarding`
    pub(super) forwarding: u32,
    /// `arp_ignore` and `arp_announce`
    pub(super) arp: [u32; 2],
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// The address.
    pub(super) address: IpAddr,
    /// Its prefix length.
    pub(super) prefix_len: u8,
    /// IFA_PROTO: who put it there; 0 if nobody says.
    pub(super) proto: u8,
    /// It can be sent from: no duplicate address detection runs or has failed.
    pub(super) usable: bool,
    /// When it is deprecated.
    pub(super) preferred_until: Instant,
    /// When the kernel removes it.
    pub(super) valid_until: Instant,
}

impl Address {
    /// Adverts of this family can come from it: any IPv4 address (RFC 9568 §5.1.1.1), a link-local
    /// IPv6 address (§5.1.2.1).
    pub(super) fn may_be_source(&self, family: Family) -> bool {
        self.usable
            && match family {
                Family::V4 => self.address.is_ipv4(),
                Family::V6 => is_link_local(&self.address),
            }
    }
}

/// An address that adverts are to be sent from, and the indexes of the interfaces that have it:
/// any of this machine's may.
#[derive(Debug)]
struct Source {
    address: IpAddr,
    on: Vec<u32>,
}

impl Source {
    fn forget(&mut self, ifindex: u32) {
        if let Some(place) = self.on.iter().position(|on| *on == ifindex) {
            self.on.swap_remove(place);
        }
    }
}

/// The table of the interfaces, in the order in which the configuration names them.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: Vec<Link>,
    sources: Vec<Source>,
    settle_at: Instant,
}

impl Links {
    /// The slot of interface `name`, made if there is none.
    pub(super) fn slot(&mut self, name: &str) -> Slot {
        let known = self.links.iter().position(|link| link.name == name);
        known.unwrap_or_else(|| {
            self.links.push(Link {
                name: name.to_owned(),
                kernel: None,
                delays: None,
                counts_up: None,
                counts_at: Instant::NEVER,
            });
            self.links.len() - 1
        }) as Slot
    }

    /// The slot of a logical interface that has no device: its name is none that a device can have.
    pub(super) fn placeholder(&mut self, name: &str) -> Slot {
        self.slot(&format!("{name} (no device)"))
    }

    /// Whether any interface has `source` is to be known from the next dump on. True if it was not
    /// known before.
    pub(super) fn watch(&mut self, source: IpAddr) -> bool {
        let new = self.sources.iter().all(|known| known.address != source);
        if new {
            self.sources.push(Source {
                address: source,
                on: Vec::new(),
            });
        }
        new
    }

    /// Some interface has this address, which is watched.
    pub(super) fn has_source(&self, address: &IpAddr) -> bool {
        let has = |source: &Source| source.address == *address && !source.on.is_empty();
        self.sources.iter().any(has)
    }

    /// RTM_NEWADDR and RTM_DELADDR, of any interface.
    pub(super) fn source_changed(&mut self, ifindex: u32, address: IpAddr, there: bool) {
        for source in self.sources.iter_mut().filter(|s| s.address == address) {
            source.forget(ifindex);
            if there {
                source.on.push(ifindex);
            }
        }
    }

    /// The interface has this address, or another one has it and it is watched.
    pub(super) fn is_local(&self, slot: Slot, address: IpAddr) -> bool {
        let kernel = self.get(slot).kernel.as_ref();
        let has = kernel.is_some_and(|k| k.addresses.iter().any(|a| a.address == address));
        has || self.has_source(&address)
    }

    /// One interface. A call in fifty places is half of what the code would be there.
    #[inline(never)]
    pub(super) fn get(&self, slot: Slot) -> &Link {
        &self.links[usize::from(slot)]
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Link)> {
        self.links
            .iter()
            .enumerate()
            .map(|(i, link)| (i as Slot, link))
    }

    /// The slot of the interface that has this index now.
    pub(super) fn by_index(&self, ifindex: u32) -> Option<Slot> {
        let has = |link: &Link| link.kernel.as_ref().is_some_and(|k| k.ifindex == ifindex);
        self.links.iter().position(has).map(|i| i as Slot)
    }

    /// Forgets what the kernel said, before a new dump.
    pub(super) fn forget(&mut self) {
        self.links.iter_mut().for_each(|link| link.kernel = None);
        self.sources.iter_mut().for_each(|source| source.on.clear());
    }

    /// Forgets the addresses that `proto` (IFA_PROTO) has put there.
    pub(super) fn forget_addresses_of(&mut self, proto: u8) {
        for kernel in self
            .links
            .iter_mut()
            .filter_map(|link| link.kernel.as_mut())
        {
            kernel.addresses.retain(|address| address.proto != proto);
        }
    }

    /// The slot of a device, if there is one.
    pub(super) fn find(&self, name: &str) -> Option<Slot> {
        let place = self.links.iter().position(|link| link.name == name);
        place.map(|place| place as Slot)
    }

    /// No interface has `interface_up_down_delays` any more.
    pub(super) fn forget_delays(&mut self) {
        self.links.iter_mut().for_each(|link| link.delays = None);
    }

    /// `interface_up_down_delays` of an interface; the first counts.
    pub(super) fn set_delays(&mut self, slot: Slot, down: Duration, up: Duration) {
        let link = &mut self.links[usize::from(slot)];
        link.delays = link.delays.or(Some((down, up)));
    }

    /// What the kernel says counts where its delay has passed.
    pub(super) fn settle(&mut self, now: Instant) {
        let times = self.links.iter_mut().map(|link| link.settle(now));
        self.settle_at = Instant::earliest(times);
    }

    /// When [`Links::settle`] has something to do.
    pub(super) fn poll_at(&self) -> Instant {
        self.settle_at
    }

    /// RTM_NEWLINK: an interface is there, or has changed.
    pub(super) fn appeared(&mut self, name: &str, news: Kernel) {
        // A renamed interface is gone under its old name.
        if let Some(old) = self.by_index(news.ifindex)
            && self.get(old).name != name
        {
            self.links[usize::from(old)].kernel = None;
        }
        let Some(link) = self.links.iter_mut().find(|link| link.name == name) else {
            return;
        };
        match &mut link.kernel {
            Some(kernel) if kernel.ifindex == news.ifindex => {
                let addresses = core::mem::take(&mut kernel.addresses);
                *kernel = Kernel { addresses, ..news };
            }
            kernel => *kernel = Some(news),
        }
    }

    /// RTM_DELLINK: an interface is gone.
    pub(super) fn vanished(&mut self, ifindex: u32) {
        for source in &mut self.sources {
            source.forget(ifindex);
        }
        if let Some(slot) = self.by_index(ifindex) {
            self.links[usize::from(slot)].kernel = None;
        }
    }

    /// RTM_NEWADDR.
    pub(super) fn address_added(&mut self, slot: Slot, address: Address) {
        let Some(kernel) = &mut self.links[usize::from(slot)].kernel else {
            return;
        };
        let same =
            |a: &&mut Address| a.address == address.address && a.prefix_len == address.prefix_len;
        match kernel.addresses.iter_mut().find(same) {
            Some(known) => *known = address,
            None => kernel.addresses.push(address),
        }
    }

    /// RTM_DELADDR.
    pub(super) fn address_removed(&mut self, slot: Slot, address: IpAddr, prefix_len: u8) {
        let Some(kernel) = &mut self.links[usize::from(slot)].kernel else {
            return;
        };
        let is_it = |a: &Address| a.address == address && a.prefix_len == prefix_len;
        if let Some(place) = kernel.addresses.iter().position(is_it) {
            kernel.addresses.remove(place);
        }
    }
}

impl Link {
    /// What the core is told: up with the first address that may be a source, or why not.
    pub(super) fn state(
        &self,
        ignores_link: bool,
        may_be_source: impl Fn(&Address) -> bool,
    ) -> LinkState {
        let Some(kernel) = &self.kernel else {
            return LinkState::Absent;
        };
        match kernel.bridge {
            Some(bridge) => LinkState::BridgePort(bridge),
            None if !ignores_link && !self.counts_as_up() => LinkState::Down,
            None => {
                let source = kernel.addresses.iter().find(|a| may_be_source(a));
                LinkState::Up(source.map(|a| a.address))
            }
        }
    }

    /// It is no [`Links::placeholder`].
    pub(super) fn is_device(&self) -> bool {
        !self.name.contains(' ')
    }

    /// Returns when it wants to be called again.
    fn settle(&mut self, now: Instant) -> Instant {
        let up = self.kernel.as_ref().map(|kernel| kernel.up);
        let due = match (self.counts_up, up, self.delays) {
            (Some(true), Some(false), Some((down, _))) => down,
            (Some(false), Some(true), Some((_, up))) => up,
            // Interfaces that come and go count at once.
            _ => Duration::ZERO,
        };
        if self.counts_up == up {
            self.counts_at = Instant::NEVER;
        } else if due.is_zero() || self.counts_at <= now {
            self.counts_up = up;
            self.counts_at = Instant::NEVER;
        } else if self.counts_at == Instant::NEVER {
            self.counts_at = now + due;
        }
        self.counts_at
    }

    /// It exists, and is up for as long as its delays ask.
    pub(super) fn counts_as_up(&self) -> bool {
        self.counts_up == Some(true)
    }

    /// It exists, is set up and has carrier.
    pub(super) fn is_up(&self) -> bool {
        self.kernel.as_ref().is_some_and(|k| k.up)
    }

    /// It exists and has this address.
    pub(super) fn has(&self, address: &IpAddr) -> bool {
        let has = |k: &Kernel| k.addresses.iter().any(|a| a.address == *address);
        self.kernel.as_ref().is_some_and(has)
    }

    /// The interface's index while it exists.
    pub(super) fn ifindex(&self) -> Option<u32> {
        self.kernel.as_ref().map(|k| k.ifindex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(ifindex: u32) -> Kernel {
        Kernel {
            ifindex,
            mac: [2, 0, 0, 0, 0, 1],
            up: true,
            is_bridge: false,
            mtu: 1500,
            ipv4: Ipv4::default(),
            bridge: None,
            addresses: Vec::new(),
        }
    }

    fn address(text: &str) -> Address {
        Address {
            address: text.parse().expect("an address"),
            prefix_len: 24,
            proto: 0,
            usable: true,
            preferred_until: Instant::NEVER,
            valid_until: Instant::NEVER,
        }
    }

    #[test]
    fn an_interface_that_is_made_again_starts_without_addresses() {
        let mut links = Links::default();
        let slot = links.slot("eth0");
        links.appeared("eth0", kernel(3));
        links.address_added(slot, address("10.0.0.1"));
        links.appeared("eth0", kernel(3));
        links.settle(Instant::ZERO);
        assert_eq!(
            links.get(slot).state(false, |_| true),
            LinkState::Up(Some("10.0.0.1".parse().expect("an address")))
        );
        links.appeared("eth0", kernel(7));
        links.settle(Instant::ZERO);
        assert_eq!(links.get(slot).state(false, |_| true), LinkState::Up(None));
        links.vanished(3);
        assert_eq!(links.get(slot).ifindex(), Some(7));
        links.vanished(7);
        assert_eq!(links.get(slot).state(false, |_| true), LinkState::Absent);
    }

    #[test]
    fn a_renamed_interface_is_gone_under_its_old_name() {
        let mut links = Links::default();
        let (old, new) = (links.slot("eth0"), links.slot("lan0"));
        links.appeared("eth0", kernel(3));
        links.appeared("lan0", kernel(3));
        assert_eq!(links.get(old).ifindex(), None);
        assert_eq!(links.get(new).ifindex(), Some(3));
    }

    #[test]
    fn a_change_counts_when_it_has_lasted() {
        let at = Instant::from_micros;
        let (down, up) = (Duration::from_micros(100), Duration::from_micros(200));
        let mut links = Links::default();
        let slot = links.slot("eth0");
        links.set_delays(slot, down, up);
        let flip = |links: &mut Links, up, now| {
            links.appeared("eth0", Kernel { up, ..kernel(3) });
            links.settle(at(now));
            (links.get(slot).counts_as_up(), links.poll_at())
        };
        // What is seen first counts at once.
        assert_eq!(flip(&mut links, true, 1_000), (true, Instant::NEVER));
        assert_eq!(flip(&mut links, false, 2_000), (true, at(2_100)));
        // Back in time: nothing has happened.
        assert_eq!(flip(&mut links, true, 2_099), (true, Instant::NEVER));
        assert_eq!(flip(&mut links, false, 3_000), (true, at(3_100)));
        assert_eq!(flip(&mut links, false, 3_050), (true, at(3_100)));
        assert_eq!(flip(&mut links, false, 3_100), (false, Instant::NEVER));
        assert_eq!(flip(&mut links, true, 4_000), (false, at(4_200)));
        assert_eq!(flip(&mut links, true, 4_200), (true, Instant::NEVER));
        links.vanished(3);
        links.settle(at(5_000));
        assert!(!links.get(slot).counts_as_up() && links.poll_at() == Instant::NEVER);
    }
}
