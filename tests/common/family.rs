//! The same world in IPv6: every address of the tests has one counterpart, in the same order, so
//! that what is written for IPv4 can be run for both families.

use std::net::{IpAddr, Ipv6Addr};

use vipd::vrrp::action::{Action, Change, Reason, Warning};
use vipd::vrrp::instance::LinkState;
use vipd::vrrp::types::{Family, GROUP6, Settings};

/// The counterpart of an IPv4 address: the group for a group, a link-local address for a host.
pub fn address(address: IpAddr, family: Family) -> IpAddr {
    match (address, family) {
        (IpAddr::V4(v4), Family::V6) if address == super::GROUP || !v4.is_multicast() => {
            if v4.is_multicast() {
                return GROUP6;
            }
            let bits =
                Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0).to_bits() | u128::from(v4.to_bits());
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        (IpAddr::V4(_), Family::V6) => "ff02::9".parse().expect("a group"),
        _ => address,
    }
}

/// The counterpart of settings.
pub fn settings(settings: Settings, family: Family) -> Settings {
    let addresses = settings.addresses.iter();
    let mut unicast = settings.unicast.clone();
    for peer in unicast.iter_mut().flat_map(|unicast| &mut unicast.peers) {
        peer.address = address(peer.address, family);
    }
    Settings {
        family,
        unicast,
        addresses: addresses.map(|a| address(*a, family)).collect(),
        ..settings
    }
}

/// The counterpart of what a link says.
pub fn link(link: LinkState, family: Family) -> LinkState {
    match link {
        LinkState::Up(source) => LinkState::Up(source.map(|a| address(a, family))),
        other => other,
    }
}

/// The counterpart of an action, as far as it names addresses.
pub fn action(action: Action, family: Family) -> Action {
    let of = |a| address(a, family);
    match action {
        Action::StateChanged(id, change) => {
            let reason = reason(change.reason, family);
            Action::StateChanged(id, Change { reason, ..change })
        }
        Action::Warn(id, warning) => {
            let warning = match warning {
                Warning::Dropped { reason, source } => {
                    let source = of(source);
                    Warning::Dropped { reason, source }
                }
                Warning::ForeignVrid {
                    source,
                    vrid,
                    address,
                } => Warning::ForeignVrid {
                    source: of(source),
                    vrid,
                    address: of(address),
                },
                Warning::Interval { source, theirs } => {
                    let source = of(source);
                    Warning::Interval { source, theirs }
                }
                Warning::Addresses { source, count } => {
                    let source = of(source);
                    Warning::Addresses { source, count }
                }
            };
            Action::Warn(id, warning)
        }
        other => other,
    }
}

fn reason(reason: Reason, family: Family) -> Reason {
    use vipd::vrrp::action::Hold;
    let of = |a| address(a, family);
    match reason {
        Reason::Held(Hold::NoAddress) if family == Family::V6 => Reason::Held(Hold::NoLinkLocal),
        Reason::Silence { last, waited } => Reason::Silence {
            last: last.map(of),
            waited,
        },
        Reason::Released { by } => Reason::Released { by: of(by) },
        Reason::Preempted { by, priority } => Reason::Preempted {
            by: of(by),
            priority,
        },
        Reason::HigherPriority { by, priority } => Reason::HigherPriority {
            by: of(by),
            priority,
        },
        Reason::HigherAddress { by } => Reason::HigherAddress { by: of(by) },
        Reason::Stalled { by, late } => Reason::Stalled { by: of(by), late },
        other => other,
    }
}
