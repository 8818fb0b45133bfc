//! The stage: two routers, a client, and the loop that watches them.

use core::fmt;
use core::net::Ipv4Addr;

use super::client::{Client, PING_INTERVAL};
use super::lab::Switch;
use super::router::Router;
use super::screen::{Screen, Tone};
use crate::sys::poll::{Interest, Poll};
use crate::sys::signal::Signals;
use crate::sys::timer::Timer;
use crate::sys::{Error, clock};
use crate::time::{Duration, Instant};

/// No step of the story takes longer: Active_Down_Interval is 3.6 s.
const PATIENCE: Duration = Duration::from_secs(8);
/// All of it together: the whole story is to end in under 30 s, one way or the other.
const LIMIT: Duration = Duration::from_secs(29);
/// The line at the bottom of a terminal is written at every such ping.
const PINGS_A_STATUS: u16 = 10;

/// Why the story ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The onlooker wants it: a signal, or nobody reads any more.
    Interrupted,
    /// Something is not as it must be.
    Failed(String),
    /// A system call failed.
    System(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted; nothing is left behind"),
            Self::Failed(what) => f.write_str(what),
            Self::System(error) => error.fmt(f),
        }
    }
}

/// Everything there is to see.
#[derive(Debug)]
pub(super) struct Stage {
    /// Router 1 and router 2.
    pub(super) routers: [Router; 2],
    /// Who pings.
    pub(super) client: Client,
    /// What connects them.
    pub(super) switch: Switch,
    /// Where it is told.
    pub(super) screen: Screen,
    /// The virtual address.
    pub(super) vip: Ipv4Addr,
    signals: Signals,
    timer: Timer,
    /// When it ends at the latest.
    limit: Instant,
    next_ping: Instant,
    pings: u16,
    /// The client's ARP entry when it was last looked at.
    arp: Option<[u8; 6]>,
}

impl Stage {
    /// The client and its pings are in the namespace of the calling thread.
    pub(super) fn new(
        routers: [Router; 2],
        switch: Switch,
        screen: Screen,
        vip: Ipv4Addr,
        signals: Signals,
    ) -> Result<Self, Error> {
        let now = clock::now();
        Ok(Self {
            routers,
            client: Client::new(vip)?,
            switch,
            screen,
            vip,
            signals,
            timer: Timer::new()?,
            limit: now + LIMIT,
            next_ping: now,
            pings: 0,
            arp: None,
        })
    }

    /// Ends the daemons and unplugs everything; what is left is to be told.
    pub(super) fn end(self) -> Screen {
        self.screen
    }

    /// Watches until `reached` says so; `what` is what should be so.
    pub(super) fn watch(
        &mut self,
        what: &str,
        mut reached: impl FnMut(&mut Self) -> Result<bool, Error>,
    ) -> Result<(), Stop> {
        let start = clock::now();
        let deadline = (start + PATIENCE).min(self.limit);
        while !reached(self)? {
            if clock::now() > deadline {
                let waited = deadline.since(start).as_millis();
                return Err(Stop::Failed(format!("waited {waited} ms in vain: {what}")));
            }
            self.step()?;
        }
        Ok(())
    }

    /// Waits for the next thing to happen, and takes it in. The next ping is never far.
    fn step(&mut self) -> Result<(), Stop> {
        self.timer.set(self.next_ping)?;
        let mut poll = Poll::with_capacity(5);
        poll.add(&self.timer, Interest::Read);
        let answers = poll.add(&self.client.socket, Interest::Read);
        let logs = [0, 1].map(|router: usize| {
            let log = self.routers[router].log();
            log.map(|log| poll.add(log, Interest::Read))
        });
        poll.add(&self.signals, Interest::Read);
        poll.wait(None)?;
        let now = clock::now();
        if self.signals.next()?.is_some() || self.screen.is_closed() {
            return Err(Stop::Interrupted);
        }
        if poll.readiness(answers).any() {
            self.client.listen(now)?;
        }
        for (router, log) in logs.into_iter().enumerate() {
            if log.is_some_and(|log| poll.readiness(log).any()) {
                self.read_log(router, now)?;
            }
        }
        if now >= self.next_ping {
            self.ping(now)?;
        }
        Ok(())
    }

    fn read_log(&mut self, router: usize, now: Instant) -> Result<(), Stop> {
        let router = &mut self.routers[router];
        for line in router.read_log(now)? {
            let (tone, text) = match line.split_once(": ") {
                Some(("info", text)) if text.contains("-> Active") => (Tone::Good, text),
                Some(("info", text)) => (Tone::Plain, text),
                _ => (Tone::Bad, line.as_str()),
            };
            self.screen.entry(now, &router.name, tone, text);
        }
        if router.has_failed() {
            return Err(Stop::Failed(format!("{} has ended by itself", router.name)));
        }
        Ok(())
    }

    fn ping(&mut self, now: Instant) -> Result<(), Error> {
        // After a standstill the pings that were missed are not made up for.
        self.next_ping = (self.next_ping + PING_INTERVAL).max(now);
        self.client.ping()?;
        self.pings = self.pings.wrapping_add(1);
        if self.pings.is_multiple_of(PINGS_A_STATUS) {
            let answer = match self.client.pings.streak() {
                0 => "no answer",
                _ => "answered",
            };
            let text = format!("client    pings {}: {answer}", self.vip);
            self.screen.status(now, &text);
        }
        let arp = self.client.arp_entry();
        if arp.is_some() && arp != self.arp {
            self.arp = arp;
            self.tell_arp(now);
        }
        Ok(())
    }

    fn tell_arp(&mut self, now: Instant) {
        let Some(mac) = self.arp else { return };
        let owner = self.routers.iter().find(|router| router.machine.mac == mac);
        let name = owner.map_or("nobody here", |router| &router.name);
        let [a, b, c, d, e, f] = mac;
        let text = format!(
            "ARP entry: {} is at {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} ({name})",
            self.vip
        );
        self.screen.entry(now, "client", Tone::Plain, &text);
    }

    /// True if the client sends what is for the virtual address to this router.
    pub(super) fn client_believes_in(&self, router: usize) -> bool {
        self.arp == Some(self.routers[router].machine.mac)
    }

    /// True if this router's kernel has the virtual address.
    pub(super) fn holds(&mut self, router: usize) -> Result<bool, Error> {
        self.routers[router].holds(self.vip)
    }
}
