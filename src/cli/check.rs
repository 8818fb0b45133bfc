//! `vipd check FILE`.

use argh::FromArgs;

use super::Exit;
use super::status::print;
use crate::config::{self, Diagnostic};
use crate::daemon;

/// Read a configuration and say what is wrong with it.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "check")]
pub(super) struct Check {
    /// the configuration file: keepalived.conf; or UCI, in /etc/config/ or with `config` as its first
    /// word
    #[argh(positional)]
    file: String,
}

impl Check {
    pub(super) fn run(&self) -> Exit {
        match config::load(&self.file) {
            Ok(loaded) => {
                list("warning", &loaded.warnings);
                // What this machine's interfaces say of it; without netlink there is nothing to say.
                if let Some(why) = daemon::unenforceable(&loaded.config) {
                    eprintln!("error: {why}");
                    return Exit::System;
                }
                if let Some(why) = daemon::no_netifd(&loaded.config) {
                    eprintln!("error: {why}");
                    return Exit::System;
                }
                let instances = loaded.config.instances.len();
                let there = daemon::already_there(loaded.config).unwrap_or_default();
                there.iter().for_each(|line| eprintln!("warning: {line}"));
                print(&format!(
                    "{}: {instances} instance(s), {} warning(s): good\n",
                    self.file,
                    loaded.warnings.len() + there.len()
                ))
            }
            Err(failure) => {
                list("warning", &failure.warnings);
                list("error", &failure.errors);
                Exit::Config
            }
        }
    }
}

fn list(level: &str, what: &[Diagnostic]) {
    for line in what {
        eprintln!("{level}: {line}");
    }
}
