//! The command line: one file a subcommand.

mod check;
mod exit;
mod log;
mod reload;
mod run;
mod status;

use argh::FromArgs;

pub use exit::Exit;

/// Keeps a virtual IP address alive on two or more routers (VRRP, RFC 9568 and RFC 3768).
#[derive(FromArgs, Debug)]
#[argh(
    name = "vipd",
    description = "Keeps a virtual IP address alive on two or more routers (VRRP, RFC 9568 and RFC 3768).",
    note = "Exit codes: 0 done, 1 the configuration is wrong, 2 the command line is wrong,\n3 the system refused something, 4 another vipd has the runtime directory.",
    example = "{command_name} check /etc/keepalived/keepalived.conf\n{command_name} run --config /etc/keepalived/keepalived.conf\n{command_name} status\n{command_name} reload"
)]
struct Vipd {
    /// print the version
    #[argh(switch, short = 'V')]
    version: bool,
    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs, Debug)]
#[argh(subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Status(status::Status),
    Reload(reload::Reload),
    #[cfg(feature = "demo")]
    Demo(crate::demo::Demo),
}

/// Does what the command line says.
pub fn main() -> Exit {
    let mut words = Vec::new();
    let mut given = std::env::args_os();
    given.next();
    for word in given {
        words.push(word.to_string_lossy().into_owned());
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match Vipd::from_args(&["vipd"], &words) {
        Ok(Vipd { version: true, .. }) => {
            status::print(concat!("vipd ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        Ok(Vipd {
            command: Some(command),
            ..
        }) => command.run(),
        Ok(Vipd { command: None, .. }) => {
            eprintln!("vipd: no command given; `vipd --help` lists them");
            Exit::Usage
        }
        Err(early) if early.status.is_ok() => status::print(&early.output),
        Err(early) => {
            eprint!("{}", early.output);
            eprintln!("`vipd --help` says what there is");
            Exit::Usage
        }
    }
}

impl Command {
    fn run(&self) -> Exit {
        match self {
            Self::Run(run) => run.run(),
            Self::Check(check) => check.run(),
            Self::Status(status) => status.run(),
            Self::Reload(reload) => reload.run(),
            #[cfg(feature = "demo")]
            Self::Demo(demo) => demo.run(),
        }
    }
}
