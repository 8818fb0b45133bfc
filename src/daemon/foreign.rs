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
pub fn already_there(mut config: Config) -> Result<Vec<String>, Error> {
    let mut links = Links::default();
    let (said, mut found) = match netifd::ask_now(&config) {
        Ok(said) => (said, Vec::new()),
        Err(failure) => (Names::Unasked, vec![failure.to_string()]),
    };
    found.extend(uplinks::to_be_told(&config, &said));
    let names = match config.dialect {
        Dialect::Uci => said,
        Dialect::Keepalived => Names::Devices,
    };
    let link_of = names.slots(&config, &mut links);
    let mut addresses = tables(&mut config, &names, &mut links);
    let vmacs = Vmacs::new(&config, &names, &mut links);
    Kernel::open()?.dump(&mut links)?;
    links.forget_addresses_of(IFA_PROTO_VIPD);
    addresses.reconcile(&links, true);
    for (instance, slot) in config.instances.iter().zip(&link_of) {
        if let Some(why) = names.unresolved(&instance.interface, links.get(*slot)) {
            found.push(format!("{}: {}: {why}", instance.name, instance.interface));
        }
    }
    found.append(&mut lines(&config, &links, &link_of, &addresses, &vmacs));
    Ok(found)
}

/// What to say of the entries that are marked as foreign, or stand below their macvlan too, and of what
/// follows the Active.
pub(super) fn lines(
    config: &Config,
    links: &Links,
    link_of: &[Slot],
    addresses: &Addresses,
    vmacs: &Vmacs,
) -> Vec<String> {
    let (mut lines, mut foreign) = (Vec::new(), Vec::new());
    for entry in addresses.entries() {
        let Some(instance) = config.instances.get(entry.instance.index()) else {
            continue;
        };
        let (name, address) = (&instance.name, entry.address);
        let base = vmacs.at(entry.link).map(|vmac| links.get(vmac.base));
        if let Some(base) = base.filter(|base| base.has(&address)) {
            lines.push(format!(
                "{name}: {address} is an address of {} itself, which answers for it with its own MAC address in \
                 every state: remove it there, or do without `use_vmac`",
                base.name
            ));
        }
        if entry.foreign && instance.settings.priority < PRIORITY_OWNER {
            let dropped = match instance.accept {
                true => "",
                false => ", and drops what comes to it (`no_accept`)",
            };
            foreign.push(format!(
                "{name}: {address} is already an address of {}, so this router answers for it as Backup too{dropped}: \
                 remove it from the interface, or write `priority 255` if this router owns it",
                links.get(entry.link).name
            ));
        }
    }
    lines.append(&mut foreign);
    lack::lines(config, links, link_of, addresses, &mut lines);
    lines
}
