//! `vipd status [NAME]`: what the running daemon says.

use std::io::Write;

use argh::FromArgs;
use nix::errno::Errno;

use super::Exit;
use crate::control::RUNTIME_DIR;
use crate::control::ask::{AskError, ask};
use crate::control::request::Code;
use crate::file::failed_as;

/// Say what the running daemon does: states, reasons, who is Active, addresses, peers, drops.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "status")]
pub(super) struct Status {
    /// the name of one instance
    #[argh(positional)]
    name: Option<String>,
    /// as JSON, for programs
    #[argh(switch)]
    json: bool,
    /// the runtime directory of the daemon (/var/run/vipd)
    #[argh(option, default = "RUNTIME_DIR.to_owned()")]
    runtime_dir: String,
}

impl Status {
    pub(super) fn run(&self) -> Exit {
        let command = if self.json { "status" } else { "show" };
        let request = match &self.name {
            Some(name) => format!("{command} {name}"),
            None => command.to_owned(),
        };
        match ask(&self.runtime_dir, &request) {
            Ok(answer) => print(&format!("{answer}\n")),
            Err(error) => complain(&error),
        }
    }
}

/// Standard output may be closed early, by `head` for example: that is no failure.
pub(super) fn print(text: &str) -> Exit {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if !failed_as(&error, &[Errno::EPIPE]) => {
            eprintln!("error: standard output cannot be written: {error}");
            Exit::System
        }
        _ => Exit::Done,
    }
}

/// Says why there is no answer, a line each.
pub(super) fn complain(error: &AskError) -> Exit {
    for line in error.to_string().split('\n') {
        eprintln!("error: {line}");
    }
    match error {
        AskError::Refused { code, .. } if *code == Code::Config.name() => Exit::Config,
        AskError::Refused { code, .. } if *code == Code::Instance.name() => Exit::Usage,
        _ => Exit::System,
    }
}
