//! The exit codes: one table, also for the README and `--help`.

use std::process::{ExitCode, Termination};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for is done; `run` was told to stop.
    Done = 0,
    /// The configuration is wrong; the messages say where.
    Config = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The system refused something: rights, sockets, files.
    System = 3,
    /// Another vipd has the runtime directory.
    Locked = 4,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}
