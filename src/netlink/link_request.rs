//! Changes to interfaces: for `vipd demo`, for tests, and for the virtual MAC's macvlan.

use core::ffi::c_int;

use super::build::{Batch, Body};
use super::link::{IFLA_INET_CONF, header};

/// IFLA_MACVLAN_MODE inside IFLA_INFO_DATA.
const IFLA_MACVLAN_MODE: u16 = 1;
/// MACVLAN_MODE_BRIDGE. In private mode a multicast frame that comes from outside with the macvlan's
/// own address as its source goes to the macvlan alone, so that the parent would not hear the
/// adverts of another router with the same virtual MAC address, and two would stay Active.
const MACVLAN_MODE_BRIDGE: u32 = 4;
/// IFLA_INET6_ADDR_GEN_MODE inside IFLA_AF_SPEC.
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
/// IN6_ADDR_GEN_MODE_NONE.
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
/// VETH_INFO_PEER inside IFLA_INFO_DATA.
const VETH_INFO_PEER: u16 = 1;
/// Fail with EEXIST rather than change what is there.
const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;

/// Creates a veth pair: `name` here, `peer` here or in the network namespace of the descriptor
/// `peer_netns`, which must stay open until the batch is sent.
pub fn create_veth(batch: &mut Batch, name: &str, peer: &str, peer_netns: Option<c_int>) -> u32 {
    create(batch, name, "veth", |body| {
        body.nested(libc::IFLA_INFO_DATA, |body| {
            body.nested(VETH_INFO_PEER, |body| {
                body.put(&header(0, 0, 0));
                body.attribute_str(libc::IFLA_IFNAME, peer);
                if let Some(netns) = peer_netns {
                    body.attribute(libc::IFLA_NET_NS_FD, &netns.to_ne_bytes());
                }
            });
        });
    })
}

/// Creates a bridge.
pub fn create_bridge(batch: &mut Batch, name: &str) -> u32 {
    create(batch, name, "bridge", |_| ())
}

/// Creates a macvlan in bridge mode on the interface `parent`, with its own MAC address. It is
/// down; it sends nothing until it is set up.
pub fn create_macvlan(batch: &mut Batch, name: &str, parent: u32, mac: [u8; 6]) -> u32 {
    batch.message(libc::RTM_NEWLINK, CREATE, |body| {
        body.put(&header(0, 0, 0));
        body.attribute_str(libc::IFLA_IFNAME, name);
        body.attribute_u32(libc::IFLA_LINK, parent);
        body.attribute(libc::IFLA_ADDRESS, &mac);
        body.nested(libc::IFLA_LINKINFO, |body| {
            body.attribute_str(libc::IFLA_INFO_KIND, "macvlan");
            body.nested(libc::IFLA_INFO_DATA, |body| {
                body.attribute_u32(IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
            });
        });
    })
}

fn create(batch: &mut Batch, name: &str, kind: &str, data: impl FnOnce(&mut Body<'_>)) -> u32 {
    batch.message(libc::RTM_NEWLINK, CREATE, |body| {
        body.put(&header(0, 0, 0));
        body.attribute_str(libc::IFLA_IFNAME, name);
        body.nested(libc::IFLA_LINKINFO, |body| {
            body.attribute_str(libc::IFLA_INFO_KIND, kind);
            data(body);
        });
    })
}

/// Deletes an interface, and with a veth its peer.
pub fn delete(batch: &mut Batch, index: u32) -> u32 {
    batch.message(libc::RTM_DELLINK, 0, |body| body.put(&header(index, 0, 0)))
}

/// Sets an interface up or down.
pub fn set_up(batch: &mut Batch, index: u32, up: bool) -> u32 {
    let flag = libc::IFF_UP as u32;
    let set = if up { flag } else { 0 };
    batch.message(libc::RTM_NEWLINK, 0, |body| {
        body.put(&header(index, set, flag));
    })
}

/// Makes an interface a port of `master`, or of nothing.
pub fn set_master(batch: &mut Batch, index: u32, master: Option<u32>) -> u32 {
    change(batch, index, |body| {
        body.attribute_u32(libc::IFLA_MASTER, master.unwrap_or(0));
    })
}

/// Sets the MAC address.
pub fn set_mac(batch: &mut Batch, index: u32, mac: [u8; 6]) -> u32 {
    change(batch, index, |body| {
        body.attribute(libc::IFLA_ADDRESS, &mac);
    })
}

/// Sets IPv4 parameters of an interface, such as [`ARP_IGNORE`](super::link::ARP_IGNORE): what
/// sysctl does, where /proc/sys cannot be written.
pub fn set_ipv4(batch: &mut Batch, index: u32, parameters: &[(u16, u32)]) -> u32 {
    change(batch, index, |body| {
        body.nested(libc::IFLA_AF_SPEC, |body| {
            body.nested(libc::AF_INET as u16, |body| {
                body.nested(IFLA_INET_CONF, |body| {
                    for (parameter, value) in parameters {
                        body.attribute_u32(*parameter, *value);
                    }
                });
            });
        });
    })
}

/// An interface gets no IPv6 address of its own when it is set up.
pub fn no_own_ipv6(batch: &mut Batch, index: u32) -> u32 {
    change(batch, index, |body| {
        body.nested(libc::IFLA_AF_SPEC, |body| {
            body.nested(libc::AF_INET6 as u16, |body| {
                body.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
            });
        });
    })
}

/// Renames an interface; older kernels want it down.
pub fn rename(batch: &mut Batch, index: u32, name: &str) -> u32 {
    change(batch, index, |body| {
        body.attribute_str(libc::IFLA_IFNAME, name);
    })
}

/// Moves an interface into the network namespace of the descriptor `netns`.
pub fn set_netns(batch: &mut Batch, index: u32, netns: c_int) -> u32 {
    change(batch, index, |body| {
        body.attribute(libc::IFLA_NET_NS_FD, &netns.to_ne_bytes());
    })
}

fn change(batch: &mut Batch, index: u32, write: impl FnOnce(&mut Body<'_>)) -> u32 {
    batch.message(libc::RTM_NEWLINK, 0, |body| {
        body.put(&header(index, 0, 0));
        write(body);
    })
}
