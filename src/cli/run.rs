//! `vipd run`: the daemon, in the foreground.

use argh::FromArgs;

use super::{Exit, log as logging};
use crate::config;
use crate::control::RUNTIME_DIR;
use crate::daemon::{Daemon, StartError};
use crate::log;
use crate::sys::lock::LockError;
use crate::sys::memory;

/// Run the daemon in the foreground; messages go to standard error.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "run")]
pub(super) struct Run {
    /// the configuration file: keepalived.conf; or UCI, in /etc/config/ or with `config` as its first
    /// word
    #[argh(option)]
    config: String,
    /// where the journal, the lock and the control socket live, in RAM as a rule (/var/run/vipd)
    #[argh(option, default = "RUNTIME_DIR.to_owned()")]
    runtime_dir: String,
    /// error, warn, info, debug or trace (info)
    #[argh(option, default = "::log::LevelFilter::Info")]
    log: ::log::LevelFilter,
}

impl Run {
    pub(super) fn run(&self) -> Exit {
        memory::keep_large_apart();
        logging::start(self.log);
        let loaded = config::load(&self.config);
        let warnings = match &loaded {
            Ok(loaded) => &loaded.warnings,
            Err(failure) => &failure.warnings,
        };
        for warning in warnings {
            log::warn!("{warning}");
        }
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => {
                for error in &failure.errors {
                    log::error!("{error}");
                }
                return Exit::Config;
            }
        };
        log::info!(
            "vipd {}: {} instance(s) from {}",
            env!("CARGO_PKG_VERSION"),
            loaded.config.instances.len(),
            self.config
        );
        memory::trim();
        match Daemon::start(loaded.config, &self.config, &self.runtime_dir) {
            Ok(mut daemon) => match daemon.run() {
                Ok(()) => Exit::Done,
                Err(error) => {
                    log::error!("{error}");
                    Exit::System
                }
            },
            Err(error) => {
                log::error!("{error}");
                match error {
                    StartError::Lock(LockError::Locked { .. }) => Exit::Locked,
                    _ => Exit::System,
                }
            }
        }
    }
}
