//! A router: a machine with the example's configuration and a real `vipd run` on it.

use core::net::Ipv4Addr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};

use super::lab::{INTERFACE, Machine};
use crate::sys::Error;
use crate::sys::child::{Child, Exit};
use crate::sys::signal::Signal;
use crate::time::{Duration, Instant};
use crate::vrrp::types::State;

/// How long a daemon that has closed its log may take to end.
const EXIT_PATIENCE: Duration = Duration::from_secs(5);

/// One of the two routers.
#[derive(Debug)]
pub(super) struct Router {
    /// "router 1".
    pub(super) name: String,
    /// Its own address.
    pub(super) address: Ipv4Addr,
    /// Where it is.
    pub(super) machine: Machine,
    /// The last transition that the daemon told of; `None` while it does not run.
    pub(super) last: Option<Transition>,
    config: PathBuf,
    runtime_dir: PathBuf,
    daemon: Option<Daemon>,
}

/// A transition as the daemon tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Transition {
    /// When it was read.
    pub(super) at: Instant,
    /// The state that was entered.
    pub(super) to: String,
    /// Why.
    pub(super) reason: String,
}

#[derive(Debug)]
struct Daemon {
    process: Child,
    /// Its log; `None` once it is closed.
    log: Option<ChildStderr>,
    /// A line of it that has not ended yet.
    rest: Vec<u8>,
    /// It was told to end.
    may_end: bool,
}

impl Router {
    /// A router whose configuration and runtime directory are in `dir`.
    pub(super) fn new(
        name: &str,
        address: Ipv4Addr,
        config: &str,
        machine: Machine,
        dir: &Path,
    ) -> Result<Self, Error> {
        let short = name.replace(' ', "");
        let file = dir.join(format!("{short}.conf"));
        std::fs::write(&file, config)
            .map_err(|error| Error::from_io("write file", &file.to_string_lossy(), &error))?;
        Ok(Self {
            name: name.to_owned(),
            address,
            machine,
            last: None,
            config: file,
            runtime_dir: dir.join(short),
            daemon: None,
        })
    }

    /// Starts the daemon. It dies with the calling thread.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        let program = std::env::current_exe()
            .map_err(|error| Error::from_io("find program", "vipd", &error))?;
        let mut command = Command::new(program);
        command
            .arg("run")
            .arg("--config")
            .arg(&self.config)
            .arg("--runtime-dir")
            .arg(&self.runtime_dir)
            .args(["--log", "info"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // The terminal's Ctrl-C is for us; the daemons end when we say so.
            .process_group(0);
        self.machine.netns.attach(&mut command)?;
        let (process, log) = Child::spawn(&mut command)?;
        self.daemon = Some(Daemon {
            process,
            log,
            rest: Vec::new(),
            may_end: false,
        });
        Ok(())
    }

    /// The log of the daemon, to be polled.
    pub(super) fn log(&self) -> Option<&ChildStderr> {
        self.daemon.as_ref()?.log.as_ref()
    }

    /// Reads what the daemon has said, which must be there, and returns the whole lines. Notes what
    /// they say of transitions.
    pub(super) fn read_log(&mut self, now: Instant) -> Result<Vec<String>, Error> {
        let Some(daemon) = &mut self.daemon else {
            return Ok(Vec::new());
        };
        let mut buffer = [0; 4096];
        let len = match &mut daemon.log {
            Some(log) => log
                .read(&mut buffer)
                .map_err(|error| Error::from_io("read log", &self.name, &error))?,
            None => 0,
        };
        if len == 0 {
            daemon.log = None;
        }
        daemon.rest.extend_from_slice(&buffer[..len]);
        let lines = whole_lines(&mut daemon.rest);
        if let Some((to, reason)) = lines.iter().rev().find_map(|line| transition(line)) {
            self.last = Some(Transition {
                at: now,
                to: to.to_owned(),
                reason: reason.to_owned(),
            });
        }
        Ok(lines)
    }

    /// True if the daemon said last that it entered `state`.
    pub(super) fn is(&self, state: State) -> bool {
        self.last
            .as_ref()
            .is_some_and(|last| last.to == state.to_string())
    }

    /// Tells the daemon to end.
    pub(super) fn end(&mut self, signal: Signal) -> Result<(), Error> {
        match &mut self.daemon {
            Some(daemon) => {
                daemon.may_end = true;
                daemon.process.signal(signal)
            }
            None => Ok(()),
        }
    }

    /// True once the daemon has closed its log, and while there is none.
    pub(super) fn has_ended(&self) -> bool {
        self.log().is_none()
    }

    /// True if the daemon has ended, and nobody had told it to.
    pub(super) fn has_failed(&self) -> bool {
        self.daemon
            .as_ref()
            .is_some_and(|daemon| daemon.log.is_none() && !daemon.may_end)
    }

    /// How the daemon has ended; `None` if it has not, after a while.
    pub(super) fn wait(&mut self) -> Result<Option<Exit>, Error> {
        self.last = None;
        match self.daemon.take() {
            Some(mut daemon) => daemon.process.wait(EXIT_PATIENCE),
            None => Ok(None),
        }
    }

    /// True if this router's kernel has the address.
    pub(super) fn holds(&mut self, address: Ipv4Addr) -> Result<bool, Error> {
        let found = self.machine.addresses()?;
        Ok(found.iter().any(|(found, _)| *found == address))
    }

    /// The addresses as `ip addr show` writes them.
    pub(super) fn ip_addr_show(&mut self) -> Result<Vec<String>, Error> {
        let found = self.machine.addresses()?;
        Ok(found
            .iter()
            .map(|(address, len)| format!("inet {address}/{len} scope global {INTERFACE}"))
            .collect())
    }
}

/// Takes the lines that have ended out of `text`.
fn whole_lines(text: &mut Vec<u8>) -> Vec<String> {
    let Some(end) = text.iter().rposition(|&byte| byte == b'\n') else {
        return Vec::new();
    };
    let lines: Vec<u8> = text.drain(..=end).collect();
    String::from_utf8_lossy(&lines)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// State and reason of `info: VI_1: Backup -> Active: reason`.
fn transition(line: &str) -> Option<(&str, &str)> {
    let (_, behind) = line.strip_prefix("info: ")?.split_once(" -> ")?;
    behind.split_once(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_among_other_lines() {
        let line = "info: VI_1: Backup -> Active: no advert from 10.0.0.1 for 3.6s";
        assert_eq!(
            transition(line),
            Some(("Active", "no advert from 10.0.0.1 for 3.6s"))
        );
        assert_eq!(transition("warn: VI_1: a -> b: c"), None);
        assert_eq!(transition("info: SIGTERM: stopping"), None);
    }

    #[test]
    fn a_line_in_two_pieces_is_one() {
        let mut text = b"one\ntw".to_vec();
        assert_eq!(whole_lines(&mut text), ["one"]);
        assert_eq!(whole_lines(&mut text), [""; 0]);
        text.extend(b"o\nthree\n");
        assert_eq!(whole_lines(&mut text), ["two", "three"]);
        assert!(text.is_empty());
    }
}
