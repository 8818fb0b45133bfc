//! Virtual addresses that an interface has anyway: the owner's, or a mistake.

use crate::config::model::Config;
use crate::sys::error::Error;
use crate::vrrp::types::PRIORITY_OWNER;

use super::addresses::{Addresses, IFA_PROTO_VIPD};
use super::kernel::Kernel;
use super::links::Links;
use super::start::tables;

/// A line for each virtual address that is on its interface without vipd having put it there,
/// unless the router owns it. For `vipd check`, which a running daemon must not mind.
pub fn already_there(config: &Config) -> Result<Vec<String>, Error> {
    let mut links = Links::default();
    let mut addresses = tables(&mut config.clone(), &mut links);
    Kernel::open()?.dump(&mut links)?;
    links.forget_addresses_of(IFA_PROTO_VIPD);
    addresses.reconcile(&links, true);
    Ok(lines(config, &links, &addresses).collect())
}

/// What to say of the entries that are marked as foreign.
pub(super) fn lines<'a>(
    config: &'a Config,
    links: &'a Links,
    addresses: &'a Addresses,
) -> impl Iterator<Item = String> + 'a {
    let foreign = addresses.entries().iter().filter(|e| e.foreign);
    foreign.filter_map(|entry| {
        let instance = &config.instances[entry.instance.index()];
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
    })
}
