//! Accept_Mode (RFC 9568 §6.1): what comes to the addresses of a `no_accept` instance is dropped.
//!
//! The kernel's table names them in every state, not only while Active: a Backup must not accept
//! such packets either (§6.4.2), and so a takeover has nothing to do and no moment without the drop.
//! Forwarded packets never meet the table.

use crate::config::model::Config;
use crate::netlink::nft::Refused;
use crate::vrrp::types::is_link_local;

use super::addresses::Addresses;
use super::links::Links;

/// What the configuration does not accept, each once.
pub(super) fn refused(config: &Config, links: &Links, addresses: &Addresses) -> Vec<Refused> {
    let mut found = Vec::new();
    for entry in addresses.entries() {
        let instance = config.instances.get(entry.instance.index());
        if instance.is_none_or(|instance| instance.accept) {
            continue;
        }
        let link = is_link_local(&entry.address).then(|| &*links.get(entry.link).name);
        let refused = Refused::new(entry.address, link);
        if !found.contains(&refused) {
            found.push(refused);
        }
    }
    found
}
