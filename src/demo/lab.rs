//! Four network namespaces: a switch, and what is plugged into it.
//!
//! They have no names: each is gone with the last process and the last descriptor in it.

use core::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use crate::netlink::Content;
use crate::netlink::addr::{self, Existing, NewAddress};
use crate::netlink::build::Batch;
use crate::netlink::link_request as link;
use crate::sys::netlink::{CommandSocket, interface_index};
use crate::sys::netns::{NetNs, enter_user_namespace};
use crate::sys::{Errno, Error};

/// The name of the interface of every machine here: the example's.
pub(super) const INTERFACE: &str = "ens160";
/// Length of the network's prefix in bits.
pub(super) const PREFIX_LEN: u8 = 23;
/// Bits of CapEff in /proc/self/status: CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN.
const CAPABILITIES: u64 = 1 << 12 | 1 << 13 | 1 << 21;

/// A machine that is plugged into the switch.
#[derive(Debug)]
pub(super) struct Machine {
    /// Where it is.
    pub(super) netns: NetNs,
    /// Its MAC address.
    pub(super) mac: [u8; 6],
    /// Requests to its kernel.
    commands: CommandSocket,
    /// Its interface.
    index: u32,
    /// The other end of its cable.
    port: u32,
}

/// A learning bridge, alone in its namespace.
#[derive(Debug)]
pub(super) struct Switch {
    netns: NetNs,
    commands: CommandSocket,
    bridge: u32,
    ports: u8,
}

/// Makes sure that this process may make network namespaces: with the rights that it has, or as
/// root of a user namespace of its own. Call it before any other thread starts.
pub(super) fn acquire_rights() -> Result<(), Error> {
    if has_capabilities() {
        Ok(())
    } else {
        enter_user_namespace()
    }
}

fn has_capabilities() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & CAPABILITIES == CAPABILITIES)
}

impl Switch {
    /// Makes a switch without a port.
    pub(super) fn new() -> Result<Self, Error> {
        let netns = NetNs::new()?;
        let (commands, bridge) = netns.run(|| {
            let mut commands = CommandSocket::open()?;
            ask(&mut commands, "create bridge", |batch| {
                link::create_bridge(batch, "switch");
            })?;
            let bridge = index_of("switch")?;
            ask(&mut commands, "set bridge up", |batch| {
                link::set_up(batch, bridge, true);
            })?;
            Ok::<_, Error>((commands, bridge))
        })??;
        Ok(Self {
            netns,
            commands,
            bridge,
            ports: 0,
        })
    }

    /// Makes a machine with this address and plugs it in.
    pub(super) fn plug_in(&mut self, address: Ipv4Addr) -> Result<Machine, Error> {
        let netns = NetNs::new()?;
        self.ports += 1;
        let name = format!("port{}", self.ports);
        ask(&mut self.commands, "create veth", |batch| {
            link::create_veth(batch, &name, INTERFACE, Some(netns.as_raw_fd()));
        })?;
        let port = self.netns.run(|| index_of(&name))??;
        ask(&mut self.commands, "set up switch port", |batch| {
            link::set_master(batch, port, Some(self.bridge));
            link::set_up(batch, port, true);
        })?;
        // Locally administered, and easy to tell: the IPv4 address is in it.
        let [a, b, c, d] = address.octets();
        let mac = [2, 0, a, b, c, d];
        let (commands, index) = netns.run(|| {
            let mut commands = CommandSocket::open()?;
            let index = index_of(INTERFACE)?;
            ask(&mut commands, "set up interface", |batch| {
                let own = NewAddress::plain(index, address.into(), PREFIX_LEN);
                link::set_mac(batch, index, mac);
                addr::add(batch, &own, Existing::Refuse);
                link::set_up(batch, index, true);
            })?;
            Ok::<_, Error>((commands, index))
        })??;
        Ok(Machine {
            netns,
            mac,
            commands,
            index,
            port,
        })
    }

    /// Pulls the machine's cable, or puts it back: sets the switch's end of it down or up.
    pub(super) fn set_cable(&mut self, machine: &Machine, plugged: bool) -> Result<(), Error> {
        ask(&mut self.commands, "set switch port", |batch| {
            link::set_up(batch, machine.port, plugged);
        })
    }
}

impl Machine {
    /// The IPv4 addresses of the interface and their prefix lengths, as its kernel tells them.
    pub(super) fn addresses(&mut self) -> Result<Vec<(Ipv4Addr, u8)>, Error> {
        let mut found = Vec::new();
        let index = self.index;
        self.commands.dump(addr::dump, |message| {
            if let Content::Address(address) = Content::parse(&message)
                && address.index == index
                && let core::net::IpAddr::V4(ipv4) = address.address
            {
                found.push((ipv4, address.prefix_len));
            }
        })?;
        Ok(found)
    }
}

/// Sends the requests that `write` writes; the first that fails is the error.
fn ask(
    commands: &mut CommandSocket,
    operation: &'static str,
    write: impl FnOnce(&mut Batch),
) -> Result<(), Error> {
    write(commands.batch());
    commands.send()?;
    let mut failed = None;
    commands.receive(|message| {
        if let Content::Ack(ack) = Content::parse(&message)
            && ack.errno != 0
        {
            failed.get_or_insert(ack.errno);
        }
    })?;
    match failed {
        Some(errno) => Err(Error::new(operation, "", Errno::from_raw(errno))),
        None => Ok(()),
    }
}

fn index_of(name: &str) -> Result<u32, Error> {
    interface_index(name)?.ok_or_else(|| Error::new("look up interface", name, Errno::ENODEV))
}
