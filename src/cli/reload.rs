//! `vipd reload`: the running daemon reads its configuration again.

use argh::FromArgs;

use super::Exit;
use super::status::{complain, print};
use crate::control::RUNTIME_DIR;
use crate::control::ask::ask;

/// Let the running daemon read its configuration again; say what changed or what is wrong.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "reload")]
pub(super) struct Reload {
    /// the runtime directory of the daemon (/var/run/vipd)
    #[argh(option, default = "RUNTIME_DIR.to_owned()")]
    runtime_dir: String,
}

impl Reload {
    pub(super) fn run(&self) -> Exit {
        match ask(&self.runtime_dir, "reload") {
            Ok(lines) => print(&format!("{lines}\n")),
            Err(error) => complain(&error),
        }
    }
}
