//! `vipd status [NAME]`: what the running daemon says.

use argh::FromArgs;
use nix::errno::Errno;

use super::Exit;
use crate::control::RUNTIME_DIR;
use crate::control::ask::{AskError, ask};
use crate::control::request::Code;
use crate::file;
use crate::sys::pipe;

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
    match file::write(pipe::standard_output(), text.as_bytes()) {
        Err(errno) if errno != Errno::EPIPE => {
            let why = file::why(errno);
            eprintln!("error: standard output cannot be written: {why}");
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
