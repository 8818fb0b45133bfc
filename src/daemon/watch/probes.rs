//! Probes in the loop: the sockets that ask and listen, and what is told of the answers.
//!
//! All echo requests of a family on an interface share a socket, and so does its ARP; a question over
//! TCP or UDP has one of its own for as long as it waits. The sequence number of an echo request is the
//! probe's number and the question's, so that its answer needs no search.

mod reason;
mod way;

use core::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use crate::config::model::{Config, Probe};
use crate::daemon::links::{Links, Slot};
use crate::limits;
use crate::log;
use crate::netlink::lookup;
use crate::probe::schedule::Due;
use crate::probe::{Check, Failure, Schedule, arp, dns, echo};
use crate::sys::error::Cause;
use crate::sys::netlink::CommandSocket;
use crate::sys::poll::{Interest, Poll};
use crate::sys::probe::{Exchange, ProbeSocket, Speech};
use crate::sys::receive::ReceiveRing;
use crate::sys::{Errno, clock};
use crate::time::{Duration, Instant};
use crate::vrrp::track::Reading;
use crate::vrrp::types::Family;

pub(in crate::daemon) use reason::Reason;
use reason::failure;
use way::Way;

/// From the first question of a probe to that of the next one.
const STAGGER: Duration = Duration::from_millis(1);

/// All probes.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Probes {
    probes: Vec<Running>,
    ears: Vec<Ear>,
    /// For default routes.
    routes: Option<CommandSocket>,
    ring: Option<ReceiveRing>,
    /// The identifier of our echo requests.
    ident: u16,
    /// The earliest deadline of all.
    next: Instant,
    relist: bool,
    /// Packets that looked like answers and were none.
    strangers: u32,
}

#[derive(Debug)]
struct Running {
    /// Its place among all.
    number: usize,
    probe: Rc<Probe>,
    schedule: Schedule,
    /// The way out, or why there is none; unknown before the first look.
    way: Option<Result<Way, Failure>>,
    /// A question over TCP or UDP that waits, and its place in the poll set.
    exchange: Option<(Exchange, usize)>,
}

/// A socket that several probes share.
#[derive(Debug)]
struct Ear {
    speech: Speech,
    ifindex: u32,
    mac: [u8; 6],
    socket: ProbeSocket,
    place: usize,
}

impl Probes {
    /// At start and after a reload: a probe that is as before goes on.
    pub(super) fn adopt(&mut self, config: &Config, now: Instant) {
        let mut before = core::mem::take(&mut self.probes);
        self.probes.reserve_exact(config.probes.len());
        for (number, probe) in config.probes.iter().enumerate() {
            let mut running = match before.iter().position(|r| r.probe == *probe) {
                Some(place) => before.swap_remove(place),
                None => Running {
                    number,
                    probe: Rc::clone(probe),
                    schedule: Schedule::new(probe.plan, Instant::NEVER),
                    way: None,
                    exchange: None,
                },
            };
            // What it waits for carries its old number.
            if running.number != number && running.schedule.is_asking() {
                running.exchange = None;
                running.schedule.hurry(now);
            }
            running.number = number;
            self.probes.push(running);
        }
        if self.probes.is_empty() {
            *self = Self::default();
        } else if self.ring.is_none() {
            self.ring = Some(ReceiveRing::new());
            // Two that start at once differ in one of these.
            self.ident = (now.as_micros() as u16) ^ (std::process::id() as u16).rotate_left(8);
        }
        self.relist = true;
    }

    /// Looks at the interfaces: what is asked through, and what is not there. `slot` finds one by the
    /// name in the configuration.
    pub(super) fn follow(
        &mut self,
        links: &Links,
        slot: impl Fn(&str) -> Option<Slot>,
        now: Instant,
    ) {
        let mut first = now;
        for running in &mut self.probes {
            let link = slot(&running.probe.interface).map(|slot| links.get(slot));
            let way = Way::through(link, &running.probe.check);
            if running.way.as_ref() == Some(&way) {
                continue;
            }
            let hurries = match (&running.way, &way) {
                (Some(Ok(before)), Ok(way)) => before.ifindex != way.ifindex,
                (_, Ok(_)) => true,
                (_, Err(why)) => {
                    running.exchange = None;
                    let changed = running.schedule.failed(*why, now);
                    running.schedule.hurry(Instant::NEVER);
                    running.tell(changed);
                    false
                }
            };
            if hurries {
                running.exchange = None;
                running.schedule.hurry(first);
                first += STAGGER;
            }
            running.way = Some(way);
        }
        let (probes, ears) = (&self.probes, &mut self.ears);
        let is_unused = |ear: &Ear| {
            let mut ways = probes.iter().filter_map(|r| r.way.as_ref()?.as_ref().ok());
            !ways.any(|way| (way.ifindex, way.mac) == (ear.ifindex, ear.mac))
        };
        while let Some(place) = ears.iter().position(is_unused) {
            ears.swap_remove(place);
        }
        self.relist = true;
        self.schedule();
    }

    /// What is known of the probe called `name`.
    pub(super) fn reading(&self, name: &str) -> Reading {
        let running = self.probes.iter().find(|r| *r.probe.name == *name);
        running.map_or(Reading::Unknown, |r| r.schedule.reading())
    }

    /// How the last question of the probe called `name` ended.
    pub(super) fn last(&self, name: &str) -> Option<Result<Duration, Reason>> {
        let running = self.probes.iter().find(|r| *r.probe.name == *name)?;
        let last = running.schedule.last()?;
        Some(last.map_err(|why| running.reason(why)))
    }

    /// Packets that looked like answers and were none.
    pub(super) fn strangers(&self) -> u32 {
        self.strangers
    }

    /// Puts the sockets into the poll set.
    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        self.relist = false;
        // As many as there may be, so that the list never grows while it is used.
        poll.reserve(self.ears.len() + self.probes.len());
        for ear in &mut self.ears {
            ear.place = poll.add(&ear.socket, Interest::Read);
        }
        for running in &mut self.probes {
            let interest = running.interest();
            if let Some((exchange, place)) = &mut running.exchange {
                *place = poll.add(exchange, interest);
            }
        }
    }

    /// When [`Probes::tend`] has something to do even if nothing is ready.
    pub(super) fn poll_at(&self) -> Instant {
        self.next
    }

    /// The poll set is out of date.
    pub(super) fn relists(&self) -> bool {
        self.relist
    }

    /// Reads answers, gives up on late ones, and asks. True if a reading has changed.
    pub(super) fn tend(&mut self, poll: &Poll, now: Instant) -> bool {
        if self.probes.is_empty() {
            return false;
        }
        let is_due = now >= self.poll_at();
        // An answer that waits is no late one, whatever the last wait has found.
        let is_late = |running: &Running| running.schedule.due(now) == Some(Due::Timeout);
        let is_late = is_due && self.probes.iter().any(is_late);
        let mut worked = is_due;
        let mut changed = self.hear(poll, is_late, now, &mut worked);
        for (index, running) in self.probes.iter_mut().enumerate() {
            let Some((exchange, place)) = &running.exchange else {
                continue;
            };
            // Only the kernel's word says that a connection has come to an end.
            let may_have = is_late && running.interest() == Interest::Read;
            if !poll.readiness(*place).any() && !may_have {
                continue;
            }
            worked = true;
            let id = dns_id(self.ident, index, running.schedule.question());
            if let Some(result) = running.finish(exchange, id, &mut self.strangers) {
                self.relist = true;
                running.exchange = None;
                changed |= running.end(result, now);
            }
        }
        if is_due {
            changed |= self.ask_those_due(now);
        }
        if worked {
            self.schedule();
        }
        changed
    }

    fn schedule(&mut self) {
        let times = self.probes.iter().map(|r| r.schedule.poll_at());
        self.next = Instant::earliest(times);
    }

    /// Reads the sockets that are shared, all of them or those that are ready.
    fn hear(&mut self, poll: &Poll, all: bool, now: Instant, worked: &mut bool) -> bool {
        let Self {
            probes,
            ears,
            ring: Some(ring),
            ident,
            strangers,
            ..
        } = self
        else {
            return false;
        };
        let mut changed = false;
        for ear in ears {
            if !all && !poll.readiness(ear.place).any() {
                continue;
            }
            *worked = true;
            let mac = ear.mac;
            let ifindex = ear.ifindex;
            let result = ear.socket.receive(ring, limits::RECEIVE_FRAMES, |bytes| {
                let heard = match ear.speech {
                    Speech::Echo(family) => echo::parse(family, bytes)
                        .and_then(|heard| echoed(probes, heard, *ident, ifindex, now)),
                    Speech::Arp => arp::parse(bytes, mac)
                        .and_then(|source| arp_answered(probes, source, ifindex, now)),
                };
                match heard {
                    Some(news) => changed |= news,
                    None => *strangers = strangers.saturating_add(1),
                }
            });
            if let Err(errno) = result {
                log::debug!("receive answers to probes: {}", Cause(errno));
            }
        }
        changed
    }

    /// Gives up on late answers, and asks with a bounded number of probes.
    fn ask_those_due(&mut self, now: Instant) -> bool {
        let mut changed = false;
        let mut budget = limits::PROBES_OF_WAKEUP;
        for index in 0..self.probes.len() {
            let running = &mut self.probes[index];
            match running.schedule.due(now) {
                Some(Due::Timeout) => {
                    self.relist |= running.exchange.take().is_some();
                    changed |= running.end(Err(Failure::Timeout), now);
                }
                Some(Due::Turn) if budget > 0 => {
                    budget -= 1;
                    let number = running.schedule.begin(now);
                    let answer = self.ask(index, number);
                    let running = &mut self.probes[index];
                    match answer {
                        Ok(None) => {}
                        Ok(Some(result)) => changed |= running.end(result, clock::now()),
                        Err(errno) => changed |= running.end(Err(failure(errno)), now),
                    }
                }
                _ => {}
            }
        }
        changed
    }

    /// Asks question `number` of a probe. None: the answer will come.
    fn ask(&mut self, index: usize, number: u8) -> Result<Option<Result<(), Failure>>, Errno> {
        let running = &self.probes[index];
        let Some(Ok(way)) = &running.way else {
            return Err(Errno::ENODEV);
        };
        let (name, ifindex) = (&*way.name, way.ifindex);
        let exchange = match &running.probe.check {
            Check::Ping(to) => {
                let (to, family) = (*to, Family::of(to));
                let sequence = u16::from_be_bytes([index as u8, number]);
                let message = echo::request(family, self.ident, sequence);
                let ear = self.ear(index, Speech::Echo(family))?;
                return ear.socket.send_echo(&message, to, ifindex).map(|()| None);
            }
            Check::Arp(target) => {
                let frame = arp::request(way.mac, way.source4, *target);
                let ear = self.ear(index, Speech::Arp)?;
                return ear.socket.send_frame(&frame).map(|()| None);
            }
            Check::DefaultRoute(family) => {
                let (family, source) = (*family, way.source6);
                return self.has_default_route(family, ifindex, source).map(Some);
            }
            Check::Tcp(to, port) => Exchange::tcp(name, ifindex, *to, *port)?,
            Check::Dns {
                name: asked,
                server,
            } => {
                let mut question = [0; dns::LEN];
                let id = dns_id(self.ident, index, number);
                let len = dns::question(&mut question, id, asked, *server);
                Exchange::udp(name, ifindex, *server, dns::PORT, &question[..len])?
            }
        };
        self.probes[index].exchange = Some((exchange, usize::MAX));
        self.relist = true;
        Ok(None)
    }

    /// The shared socket that a probe asks and is answered through, opened if there is none.
    fn ear(&mut self, index: usize, speech: Speech) -> Result<&Ear, Errno> {
        let Some(Ok(way)) = &self.probes[index].way else {
            return Err(Errno::ENODEV);
        };
        let is_it = |ear: &Ear| (ear.speech, ear.ifindex) == (speech, way.ifindex);
        let place = match self.ears.iter().position(is_it) {
            Some(place) => place,
            None => {
                let socket = ProbeSocket::open(speech, &way.name, way.ifindex, self.ident);
                let socket = socket.map_err(|error| {
                    log::debug!("{error}");
                    error.errno
                })?;
                self.ears.push(Ear {
                    speech,
                    ifindex: way.ifindex,
                    mac: way.mac,
                    socket,
                    place: usize::MAX,
                });
                self.relist = true;
                self.ears.len() - 1
            }
        };
        Ok(&self.ears[place])
    }

    /// Asks without a source first: with one, IPv6 takes the best route of any interface.
    fn has_default_route(
        &mut self,
        family: Family,
        ifindex: u32,
        source: Option<IpAddr>,
    ) -> Result<Result<(), Failure>, Errno> {
        let routes = match &mut self.routes {
            Some(routes) => routes,
            None => self
                .routes
                .insert(CommandSocket::open().map_err(|error| error.errno)?),
        };
        for source in [None, source] {
            let mut found = false;
            let asked = routes.ask(
                |batch| lookup::default_route(batch, family, ifindex, source),
                |message| found |= lookup::is_default(&message, ifindex),
            );
            match asked.map_err(|error| error.errno).flatten() {
                Ok(_) if found => return Ok(Ok(())),
                Ok(_) | Err(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ESRCH) => {}
                Err(errno) => return Err(errno),
            }
            if family == Family::V4 {
                break;
            }
        }
        Ok(Err(Failure::NoDefaultRoute))
    }
}

impl Running {
    fn interest(&self) -> Interest {
        match self.probe.check {
            Check::Tcp(..) => Interest::Write,
            _ => Interest::Read,
        }
    }

    fn goes_through(&self, ifindex: u32) -> bool {
        matches!(&self.way, Some(Ok(way)) if way.ifindex == ifindex)
    }

    /// The question has ended so. True if what is known has changed, which is told.
    fn end(&mut self, result: Result<(), Failure>, now: Instant) -> bool {
        let changed = match result {
            Ok(()) => self.schedule.answered(now),
            Err(why) => self.schedule.failed(why, now),
        };
        self.tell(changed);
        changed
    }

    /// How a question over TCP or UDP has ended; None if it goes on.
    fn finish(
        &self,
        exchange: &Exchange,
        id: u16,
        strangers: &mut u32,
    ) -> Option<Result<(), Failure>> {
        let Check::Dns { name, server } = &self.probe.check else {
            return Some(exchange.outcome().map_err(failure));
        };
        let mut question = [0; dns::LEN];
        let len = dns::question(&mut question, id, name, *server);
        let mut buffer = [0; dns::ANSWER_LEN];
        for _ in 0..limits::RECEIVE_FRAMES {
            let received = match exchange.receive(&mut buffer) {
                Ok(received) => received,
                Err(Errno::EAGAIN | Errno::EINTR) => return None,
                Err(errno) => return Some(Err(failure(errno))),
            };
            match dns::parse(&question[..len], &buffer[..received]) {
                Some(0) => return Some(Ok(())),
                Some(rcode) => return Some(Err(Failure::Rcode(rcode))),
                None => *strangers = strangers.saturating_add(1),
            }
        }
        None
    }

    /// A line of the log, if what is known has `changed`.
    fn tell(&self, changed: bool) {
        let Some(last) = self.schedule.last().filter(|_| changed) else {
            return;
        };
        let Probe {
            name,
            check,
            interface,
            ..
        } = &*self.probe;
        // The name of a probe in place says what it asks.
        let what = match name.contains(' ') {
            true => String::new(),
            false => format!(" ({check} via {interface})"),
        };
        match last {
            Ok(time) => log::info!(
                "probe {name}{what} is up: answered after {} µs",
                time.as_micros()
            ),
            Err(why) => {
                log::warn!(
                    "probe {name}{what} is down: {}; {}",
                    self.reason(why),
                    why.remedy()
                );
            }
        }
    }

    fn reason(&self, why: Failure) -> Reason {
        Reason::new(why, self.probe.plan.timeout)
    }
}

/// The identifier of a question to a name server.
fn dns_id(ident: u16, index: usize, number: u8) -> u16 {
    ident ^ u16::from_be_bytes([index as u8, number])
}

/// What an ICMP message that came in on the interface `ifindex` changes; None if nobody waits for it.
fn echoed(
    probes: &mut [Running],
    heard: echo::Heard,
    ident: u16,
    ifindex: u32,
    now: Instant,
) -> Option<bool> {
    let [index, number] = heard.sequence.to_be_bytes();
    let running = probes.get_mut(usize::from(index))?;
    let is_it = heard.ident == ident
        && running.probe.check == Check::Ping(heard.about)
        && running.goes_through(ifindex)
        && running.schedule.awaits(number);
    let result = match heard.is_error {
        true => Err(Failure::Unreachable),
        false => Ok(()),
    };
    is_it.then(|| running.end(result, now))
}

/// The same for an ARP reply of `source`, for which several may wait.
fn arp_answered(
    probes: &mut [Running],
    source: Ipv4Addr,
    ifindex: u32,
    now: Instant,
) -> Option<bool> {
    let mut found = None;
    for running in probes {
        if running.probe.check == Check::Arp(source)
            && running.goes_through(ifindex)
            && running.schedule.is_asking()
        {
            found = Some(found.unwrap_or(false) | running.end(Ok(()), now));
        }
    }
    found
}
