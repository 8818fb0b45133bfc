//! Accept_Mode (RFC 9568 §6.1): what comes to the addresses of a `no_accept` instance is dropped.
//!
//! The kernel's table names them in every state, not only while Active: a Backup must not accept
//! such packets either (§6.4.2), and so a takeover has nothing to do and no moment without the drop.
//! Forwarded packets never meet the table.

use core::fmt;

use nix::errno::Errno;

use crate::config::model::Config;
use crate::limits;
use crate::netlink::Content;
use crate::netlink::build::Batch;
use crate::netlink::nft::{self, Refused};
use crate::sys::error::{Cause, Error};
use crate::sys::netlink::CommandSocket;
use crate::vrrp::types::is_link_local;

use super::addresses::Addresses;
use super::links::Links;

/// The table in the kernel; there is none while nobody wants it.
pub(super) struct AcceptMode {
    /// Its name: several daemons may share a network namespace.
    table: String,
    /// Its owner in the kernel's eyes.
    socket: Option<CommandSocket>,
    /// What is in it.
    refused: Vec<Refused>,
}

/// Why the kernel cannot do what `no_accept` asks for.
#[derive(Clone, Debug)]
pub struct Unenforceable(Error);

impl fmt::Display for Unenforceable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error {
            operation, errno, ..
        } = self.0;
        let remedy = match errno {
            Errno::EPERM | Errno::EACCES => "run vipd as root",
            _ => "install kmod-nft-core (nf_tables, Linux 5.12 or later)",
        };
        write!(
            f,
            "packets to virtual addresses cannot be dropped, as `no_accept` and strict mode ask for \
             ({operation}: {}): {remedy}, or write `accept` and no strict mode",
            Cause(errno)
        )
    }
}

/// Why this machine cannot do what `config` asks for, as far as it says so: nobody but root may ask.
pub fn unenforceable(config: &Config) -> Option<Unenforceable> {
    if config.instances.iter().all(|instance| instance.accept) {
        return None;
    }
    let tried = install("vipd-check", true).err()?;
    (tried.errno != Errno::EPERM).then_some(Unenforceable(tried))
}

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

/// Removes the table of a daemon that was killed, if it is still there.
pub(super) fn remove_left(table: &str) {
    let removed = CommandSocket::open_netfilter()
        .and_then(|mut socket| transaction(&mut socket, false, &|batch| nft::delete(batch, table)));
    if removed.is_ok() {
        log::warn!("nftables table inet {table} was left by an earlier vipd; it is removed");
    }
}

impl AcceptMode {
    /// Nothing is dropped.
    pub(super) fn new() -> Self {
        Self {
            table: format!("vipd-{}", std::process::id()),
            socket: None,
            refused: Vec::new(),
        }
    }

    /// The name of the table, for the journal.
    pub(super) fn table(&self) -> &str {
        &self.table
    }

    /// Drops what comes to `wanted`, and still to all that was dropped before.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(super) fn widen(&mut self, wanted: &[Refused]) -> Result<(), Unenforceable> {
        if wanted.is_empty() {
            return Ok(());
        }
        if self.socket.is_none() {
            self.socket = Some(install(&self.table, false).map_err(Unenforceable)?);
        }
        let before = self.refused.clone();
        let new = difference(wanted, &before);
        let result = new.chunks(limits::REFUSED_OF_BATCH).try_for_each(|some| {
            self.change(some, nft::refuse)?;
            self.refused.extend_from_slice(some);
            Ok(())
        });
        if result.is_err() {
            self.narrow(before);
        }
        result.map_err(Unenforceable)
    }

    /// Accepts again what is not in `wanted`, which is dropped already.
    pub(super) fn narrow(&mut self, wanted: Vec<Refused>) {
        let result = if wanted.is_empty() {
            self.remove()
        } else {
            let old = difference(&self.refused, &wanted);
            old.chunks(limits::REFUSED_OF_BATCH)
                .try_for_each(|some| self.change(some, nft::accept))
        };
        self.refused = wanted;
        if let Err(error) = result {
            log::error!(
                "nftables table inet {} drops more than is asked for: {error}",
                self.table
            );
        }
    }

    fn remove(&mut self) -> Result<(), Error> {
        let Some(mut socket) = self.socket.take() else {
            return Ok(());
        };
        transaction(&mut socket, false, &|batch| nft::delete(batch, &self.table))
    }

    fn change(&mut self, these: &[Refused], each: Each) -> Result<(), Error> {
        let Some(socket) = &mut self.socket else {
            return Ok(());
        };
        transaction(socket, false, &|batch| {
            let one = |refused| each(batch, &self.table, refused);
            these.iter().for_each(one);
        })
    }
}

/// Puts an address in, or takes it out.
type Each = fn(&mut Batch, &str, &Refused);

/// What is in `these` and not in `those`.
fn difference(these: &[Refused], those: &[Refused]) -> Vec<Refused> {
    let differs = |refused: &Refused| !those.contains(refused);
    these.iter().copied().filter(differs).collect()
}

/// The table, without an address in it; or a mere trial of it. Of the flags that keep others away,
/// those that the kernel knows.
fn install(table: &str, trial: bool) -> Result<CommandSocket, Error> {
    let mut socket = CommandSocket::open_netfilter()?;
    let create = |socket: &mut _, flags| {
        transaction(socket, trial, &|batch| nft::create(batch, table, flags))
    };
    create(&mut socket, nft::OWNER | nft::PERSIST)
        .or_else(|_| create(&mut socket, nft::OWNER))
        .map(|()| socket)
}

/// All that `write` writes, or nothing of it.
fn transaction(
    socket: &mut CommandSocket,
    trial: bool,
    write: &dyn Fn(&mut Batch),
) -> Result<(), Error> {
    let batch = socket.batch();
    nft::begin(batch);
    write(batch);
    if !trial {
        nft::end(batch);
    }
    socket.send()?;
    let mut failed = 0;
    socket.receive(|message| {
        if let Content::Ack(ack) = Content::parse(&message)
            && failed == 0
        {
            failed = ack.errno;
        }
    })?;
    match failed {
        0 => Ok(()),
        errno => Err(Error::new("change nftables", "", Errno::from_raw(errno))),
    }
}
