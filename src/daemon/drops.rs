//! A table of nf_tables that drops what comes in, and its life: made when there is something to
//! drop, gone when there is nothing.

use core::fmt;

use nix::errno::Errno;

use crate::config::model::Config;
use crate::limits;
use crate::log;
use crate::netlink::build::Batch;
use crate::netlink::nft::{self, Purpose, Refused};
use crate::sys::error::{Cause, Error, Failed};
use crate::sys::netlink::CommandSocket;

/// The table in the kernel; there is none while nobody wants it.
pub(super) struct Drops {
    purpose: Purpose,
    /// Its name: several daemons may share a network namespace.
    table: String,
    /// Its owner in the kernel's eyes.
    socket: Option<CommandSocket>,
    /// What is in it.
    refused: Vec<Refused>,
}

/// Why the kernel cannot do what the configuration asks for.
#[derive(Clone, Debug)]
pub struct Unenforceable {
    purpose: Purpose,
    error: Error,
}

impl fmt::Display for Unenforceable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failed {
            operation, errno, ..
        } = *self.error;
        let (what, instead) = match self.purpose {
            Purpose::AcceptMode => ("`no_accept` or strict mode", "`accept` and no strict mode"),
            Purpose::Dhcp => ("`dhcp follow`", "`dhcp off`"),
        };
        let remedy = match (errno, self.purpose) {
            (Errno::EPERM | Errno::EACCES, _) => "run vipd as root",
            (_, Purpose::AcceptMode) => "install kmod-nft-core (nf_tables, Linux 5.12 or later)",
            (_, Purpose::Dhcp) => "install kmod-nft-core (nf_tables)",
        };
        write!(
            f,
            "packets cannot be dropped, as {what} asks for ({operation}: {}): {remedy}, or write {instead}",
            Cause(errno)
        )
    }
}

/// Why this machine cannot do what `config` asks for, as far as it says so: nobody but root may ask.
pub fn unenforceable(config: &Config) -> Option<Unenforceable> {
    let mut instances = config.instances.iter();
    let refuses = instances.clone().any(|instance| !instance.accept);
    let accept = refuses.then_some(Purpose::AcceptMode);
    let dhcp = instances.any(|i| i.dhcp).then_some(Purpose::Dhcp);
    let mut purposes = accept.into_iter().chain(dhcp);
    purposes.find_map(impossible)
}

fn impossible(purpose: Purpose) -> Option<Unenforceable> {
    let error = install("vipd-check", purpose, true).err()?;
    (error.errno != Errno::EPERM).then_some(Unenforceable { purpose, error })
}

/// Behind the name of the table of Accept_Mode: that of DHCP.
const DHCP: &str = "-dhcp";

fn name() -> String {
    format!("vipd-{}", std::process::id())
}

/// The name that the journal has if there may be a table, of whatever purpose.
pub(super) fn journaled(refuses: bool, follows: bool) -> Option<String> {
    (refuses || follows).then(name)
}

/// Removes the tables of a daemon that was killed, if they are still there.
pub(super) fn remove_left(table: &str) {
    for purpose in ["", DHCP] {
        let table = format!("{table}{purpose}");
        let removed = CommandSocket::open_netfilter().and_then(|mut socket| {
            transaction(&mut socket, false, &|batch| nft::delete(batch, &table))
        });
        if removed.is_ok() {
            log::warn!("nftables table inet {table} was left by an earlier vipd; it is removed");
        }
    }
}

impl Drops {
    /// Nothing is dropped.
    pub(super) fn new(purpose: Purpose) -> Self {
        let mut table = name();
        if purpose == Purpose::Dhcp {
            table.push_str(DHCP);
        }
        Self {
            purpose,
            table,
            socket: None,
            refused: Vec::new(),
        }
    }

    /// Drops what comes to `wanted`, and still to all that was dropped before.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(super) fn widen(&mut self, wanted: &[Refused]) -> Result<(), Unenforceable> {
        if wanted.is_empty() {
            return Ok(());
        }
        self.open()?;
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
        result.map_err(|error| self.because(error))
    }

    /// The table is there from now on.
    fn open(&mut self) -> Result<(), Unenforceable> {
        if self.socket.is_none() {
            let installed = install(&self.table, self.purpose, false);
            self.socket = Some(installed.map_err(|error| self.because(error))?);
        }
        Ok(())
    }

    fn because(&self, error: Error) -> Unenforceable {
        let purpose = self.purpose;
        Unenforceable { purpose, error }
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

    /// Drops what comes to `these`, none of which was dropped, or no longer, all of which were. The
    /// table stays, whatever is in it.
    pub(super) fn switch(&mut self, these: &[Refused], drop: bool) -> Result<(), Error> {
        self.change(these, if drop { nft::refuse } else { nft::accept })?;
        if drop {
            self.refused.extend_from_slice(these);
        } else {
            self.refused = difference(&self.refused, these);
        }
        Ok(())
    }

    /// What comes to it is dropped.
    pub(super) fn has(&self, refused: &Refused) -> bool {
        self.refused.contains(refused)
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

/// Puts an element in, or takes it out.
type Each = fn(&mut Batch, &str, &Refused);

/// What is in `these` and not in `those`.
fn difference(these: &[Refused], those: &[Refused]) -> Vec<Refused> {
    let mut difference = Vec::new();
    for refused in these {
        if !those.contains(refused) {
            difference.push(*refused);
        }
    }
    difference
}

/// The table, with nothing in its sets; or a mere trial of it. Of the flags that keep others away,
/// those that the kernel knows.
///
/// Accept_Mode is to outlive a killed daemon, whose addresses stay, and is nothing without an owner.
/// DHCP is not to stay silent for want of a daemon; kernels that do not know owners (before Linux
/// 5.12) leave the table to the next start.
fn install(table: &str, purpose: Purpose, trial: bool) -> Result<CommandSocket, Error> {
    let mut socket = CommandSocket::open_netfilter()?;
    let (first, second) = match purpose {
        Purpose::AcceptMode => (nft::OWNER | nft::PERSIST, nft::OWNER),
        Purpose::Dhcp => (nft::OWNER, 0),
    };
    let create = |socket: &mut _, flags| {
        transaction(socket, trial, &|batch| {
            nft::create(batch, table, purpose, flags)
        })
    };
    create(&mut socket, first).or_else(|_| create(&mut socket, second))?;
    Ok(socket)
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
    let mut failed = 0;
    socket.carry_out(&mut |ack| {
        if failed == 0 {
            failed = ack.errno;
        }
    })?;
    match failed {
        0 => Ok(()),
        errno => Err(Error::new("change nftables", "", Errno::from_raw(errno))),
    }
}
