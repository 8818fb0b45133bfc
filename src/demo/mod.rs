//! `vipd demo`: two routers, a client and a switch in network namespaces; the example runs on them,
//! fails in every way, and the client says what it noticed.
//!
//! ```text
//!   story ─► stage ─► router ×2 ─► a real `vipd run`, its log, its kernel's addresses
//!              │  └─► client ────► pings, the ARP entry
//!              └────► screen
//! ```
//!
//! Nothing outlives the process: the daemons die with it, the namespaces have no names, and the one
//! folder is removed at the end, also after Ctrl-C. (After kill -9 of the demo it stays: three small
//! files in the folder for temporary files.)

mod client;
mod lab;
mod pings;
mod router;
mod screen;
mod stage;
mod story;

use core::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use argh::FromArgs;

use crate::cli::Exit;
use crate::sys::error::Cause;
use crate::sys::signal::{Signal, Signals};
use crate::sys::{Error, clock};
use lab::{INTERFACE, PREFIX_LEN, Switch};
use router::Router;
use screen::{Screen, Tone};
use stage::{Stage, Stop};
use story::Row;

/// The virtual address of the example.
const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 201, 101);
/// The routers' own addresses.
const ROUTERS: [Ipv4Addr; 2] = [
    Ipv4Addr::new(10, 10, 201, 102),
    Ipv4Addr::new(10, 10, 201, 103),
];
/// The routers' priorities.
const PRIORITIES: [u8; 2] = [101, 100];
/// The client's address.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 10, 200, 10);

/// Show two routers and a client in network namespaces: a failover you can watch, in under 30 s.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "demo")]
pub struct Demo {}

impl Demo {
    /// Plays the demonstration. [`Exit::Done`] only if everything was as it must be and nothing is
    /// left behind.
    pub fn run(&self) -> Exit {
        match perform() {
            Ok(()) => Exit::Done,
            Err(stop) => {
                eprintln!("vipd demo: {stop}");
                Exit::System
            }
        }
    }
}

fn perform() -> Result<(), Stop> {
    let mut switch = acquire_rights()?;
    let signals = [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ];
    let signals = Signals::block(&signals)?;
    let folder = Folder::new()?;
    let mut router = |index: usize| -> Result<Router, Error> {
        let (address, config) = (ROUTERS[index], example(PRIORITIES[index]));
        let machine = switch.plug_in(address)?;
        let name = format!("router {}", index + 1);
        Router::new(&name, address, &config, machine, &folder.path)
    };
    let routers = [router(0)?, router(1)?];
    // From here on this process is on the client's network, and sees no other.
    switch.plug_in(CLIENT)?.netns.enter()?;
    let screen = Screen::new(clock::now());
    let mut stage = Stage::new(routers, switch, screen, VIP, signals)?;
    let mut rows = Vec::new();
    introduce(&mut stage.screen);
    let outcome = story::play(&mut stage, &mut rows);
    summarize(&mut stage.screen, &rows);
    let mut screen = stage.end();
    folder.remove()?;
    outcome?;
    let text = "Everything was as it must be; nothing is left behind.";
    screen.line("");
    screen.entry(clock::now(), "", Tone::Good, text);
    Ok(())
}

/// The first thing that needs rights: a namespace with a switch in it.
fn acquire_rights() -> Result<Switch, Stop> {
    lab::acquire_rights()
        .and_then(|()| Switch::new())
        .map_err(|error| {
            Stop::Failed(format!(
                "{}: {}: network namespaces are refused here. Run it as root (`sudo vipd demo`; a \
                 container needs `--privileged`), or permit user namespaces: `sysctl -w \
                 user.max_user_namespaces=1000`, on Debian also kernel.unprivileged_userns_clone=1, \
                 on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0",
                error.operation,
                Cause(error.errno)
            ))
        })
}

/// The user's example, word by word.
fn example(priority: u8) -> String {
    format!(
        "vrrp_instance VI_1 {{
    state MASTER
    interface {INTERFACE}
    virtual_router_id 50
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass 123456
    }}
    virtual_ipaddress {{
        {VIP}
    }}
}}
"
    )
}

fn introduce(screen: &mut Screen) {
    let ([one, two], [high, low]) = (ROUTERS, PRIORITIES);
    screen.line("vipd demo: takes less than 30 s and ends by itself; Ctrl-C ends it at once.");
    screen.line("");
    screen.line(&format!(
        "  router 1  {one}/{PREFIX_LEN}  priority {high} --+"
    ));
    screen.line(&format!(
        "                                              +-- switch -- client {CLIENT}, pings {VIP}"
    ));
    screen.line(&format!(
        "  router 2  {two}/{PREFIX_LEN}  priority {low} --+             every {} ms",
        client::PING_INTERVAL.as_millis()
    ));
}

fn summarize(screen: &mut Screen, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    screen.line("");
    screen.line("what happened               then Active  after      pings lost  no answer for");
    for row in rows {
        let after = row.takeover.as_millis();
        let lost = format!("{} of {}", row.tally.lost, row.tally.sent);
        let outage = match row.tally.lost {
            0 => "-".to_owned(),
            _ => format!("{} ms", row.tally.outage.as_millis()),
        };
        screen.line(&format!(
            "{:26}  {:11}  {after:5} ms  {lost:>10}  {outage:>13}",
            row.event, row.active
        ));
    }
}

/// A folder for the configurations and what the daemons write; removed when this is dropped.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("vipd-demo-{}", std::process::id()));
        // Fails if there is one: then it is somebody else's.
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Error::from_io("create folder", &path.to_string_lossy(), &error))?;
        Ok(Self { path })
    }

    fn remove(self) -> Result<(), Error> {
        std::fs::remove_dir_all(&self.path)
            .map_err(|error| Error::from_io("remove folder", &self.path.to_string_lossy(), &error))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
