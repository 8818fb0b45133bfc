//! What this machine says of a configuration. Virtual addresses that an interface has anyway: the owner's,
//! or a mistake.

use crate::config::model::{Config, Dialect};
use crate::sys::error::Error;
use crate::vrrp::types::PRIORITY_OWNER;

use super::addresses::{Addresses, IFA_PROTO_VIPD};
use super::kernel::Kernel;
use super::lack;
use super::links::{Links, Slot};
use super::netifd::{self, Names};
use super::start::tables;
use super::uplinks;
use super::vmac::Vmacs;

/// What this machine has to say of a configuration: a line if netifd cannot be asked, one for each
/// interface that has no device, one for each virtual address that is on its interface without
/// vipd having put it there, unless the router owns it, and what DHCP and RA lack. For `vipd check`,
/// which a running daemon must not mind.
pub fn already_there(config: &Config) -> Result<Vec<String>, Error> {
    let mut links = Links::default();
    let (said, mut found) = match netifd::ask_now(config) {
        Ok(said) => (said, Vec::new()),
        Err(failure) => (Names::Unasked, vec![failure.to_string()]),
    };
    found.extend(uplinks::to_be_told(config, &said));
    let names = match config.dialect {
        Dialect::Uci => said,
        Dialect::Keepalived => Names::Devices,
    };
    let link_of = names.slots(config, &mut links);
    let mut addresses = tables(&mut config.clone(), &names, &mut links);
    let vmacs = Vmacs::new(config, &names, &mut links);
    Kernel::open()?.dump(&mut links)?;
    links.forget_addresses_of(IFA_PROTO_VIPD);
    addresses.reconcile(&links, true);
    for (instance, slot) in config.instances.iter().zip(&link_of) {
        if let Some(why) = names.unresolved(&instance.interface, links.get(*slot)) {
            found.push(format!("{}: {}: {why}", instance.name, instance.interface));
        }
    }
    found.extend(lines(config, &links, &link_of, &addresses, &vmacs));
    Ok(found)
}

/// What to say of the entries that are marked as foreign, or stand below their macvlan too, and of what
/// follows the Active.
pub(super) fn lines<'a>(
    config: &'a Config,
    links: &'a Links,
    link_of: &'a [Slot],
    addresses: &'a Addresses,
    vmacs: &'a Vmacs,
) -> impl Iterator<Item = String> + 'a {
    let foreign = addresses.entries().iter().filter(|e| e.foreign);
    let below = addresses.entries().iter().filter_map(|entry| {
        let base = links.get(vmacs.at(entry.link)?.base);
        let instance = config.instances.get(entry.instance.index())?;
        base.has(&entry.address).then(|| {
            format!(
                "{}: {} is an address of {} itself, which answers for it with its own MAC address in every \
                 state: remove it there, or do without `use_vmac`",
                instance.name,
                entry.address,
                base.name
            )
        })
    });
    let foreign = foreign.filter_map(|entry| {
        let instance = config.instances.get(entry.instance.index())?;
        (instance.settings.priority < PRIORITY_OWNER).then(|| {
            format!(
                "{}: {} is already an address of {}, so this router answers for it as Backup too{}: \
                 remove it from the interface, or write `priority 255` if this router owns it",
                instance.name,
                entry.address,
                links.get(entry.link).name,
                if instance.accept {
                    ""
                } else {
                    ", and drops what comes to it (`no_accept`)"
                }
            )
        })
    });
    let lacks = lack::lines(config, links, link_of, addresses);
    below.chain(foreign).chain(lacks)
}
