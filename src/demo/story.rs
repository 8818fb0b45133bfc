//! The story: what is done to the routers, and what must come of it.

use super::PRIORITIES;
use super::pings::{Mark, Tally};
use super::screen::Tone;
use super::stage::{Stage, Stop};
use crate::sys::child::Exit;
use crate::sys::clock;
use crate::sys::signal::Signal;
use crate::time::{Duration, Instant};
use crate::vrrp::action::Reason;
use crate::vrrp::types::State;

/// Router 1 has the higher priority.
const ONE: usize = 0;
/// Router 2 has the lower one.
const TWO: usize = 1;
/// The client is content when so many pings in a row were answered.
const CONTENT: usize = 25;
/// Answers in a row, 20 ms apart, within which an advert has come by.
const ADVERT: usize = 60;

/// A line of the summary.
#[derive(Debug)]
pub(super) struct Row {
    /// What was done.
    pub(super) event: &'static str,
    /// Who is Active now.
    pub(super) active: String,
    /// How long it took until it was.
    pub(super) takeover: Duration,
    /// What the client noticed.
    pub(super) tally: Tally,
}

/// Something that is done to the routers.
struct Event {
    name: &'static str,
    at: Instant,
    mark: Mark,
}

/// Plays the story to its end, a row for each event.
pub(super) fn play(stage: &mut Stage, rows: &mut Vec<Row>) -> Result<(), Stop> {
    let [one, two] = [ONE, TWO].map(|router| stage.routers[router].address);
    let silence = format!("no advert from {one} for ");
    let lower_priority = Reason::Preempted {
        by: two.into(),
        priority: PRIORITIES[TWO],
    }
    .to_string();
    let released = Reason::Released { by: one.into() }.to_string();

    // One after the other: the two priorities are 4 ms of skew apart, and a busy machine starts a
    // program later than that.
    let event = announce(stage, "router 1 starts, then router 2");
    stage.routers[ONE].start()?;
    let alone = "no advert from any router for ";
    rows.push(takeover(stage, event, ONE, alone)?);
    stage.routers[TWO].start()?;
    stage.watch("router 2 should be Backup", |stage| {
        Ok(stage.routers[TWO].is(State::Backup))
    })?;
    stage.client.pings.forget_streak();
    stage.watch(
        "router 2 should have had the time to hear an advert",
        |stage| Ok(stage.client.pings.streak() >= ADVERT),
    )?;

    let event = announce(stage, "kill -9 router 1");
    kill(stage)?;
    rows.push(takeover(stage, event, TWO, &silence)?);

    let event = announce(stage, "restart router 1");
    restart(stage)?;
    rows.push(takeover(stage, event, ONE, &lower_priority)?);

    let event = announce(stage, "pull the cable of router 1");
    let Stage {
        switch, routers, ..
    } = stage;
    switch.set_cable(&routers[ONE].machine, false)?;
    rows.push(takeover(stage, event, TWO, &silence)?);

    let event = announce(stage, "put the cable back");
    let Stage {
        switch, routers, ..
    } = stage;
    switch.set_cable(&routers[ONE].machine, true)?;
    rows.push(takeover(stage, event, ONE, &lower_priority)?);

    let event = announce(stage, "SIGTERM to router 1");
    end(stage, ONE, Signal::SIGTERM, Exit::Code(0))?;
    rows.push(takeover(stage, event, TWO, &released)?);

    announce(stage, "SIGTERM to router 2: the end");
    end(stage, TWO, Signal::SIGTERM, Exit::Code(0))?;
    show_addresses(stage)?;
    for router in [ONE, TWO] {
        expect(
            !stage.holds(router)?,
            "no router has the address after the end",
        )?;
    }
    Ok(())
}

/// Tells what is about to be done, and starts to count.
fn announce(stage: &mut Stage, name: &'static str) -> Event {
    let at = clock::now();
    stage.screen.line("");
    stage.screen.entry(at, "", Tone::Act, &format!("== {name}"));
    Event {
        name,
        at,
        mark: stage.client.pings.mark(),
    }
}

/// Kills the daemon of router 1, which can then tidy up nothing.
fn kill(stage: &mut Stage) -> Result<(), Stop> {
    end(stage, ONE, Signal::SIGKILL, Exit::Signal(Signal::SIGKILL))?;
    expect(stage.holds(ONE)?, "a killed daemon's address stays")?;
    stage
        .screen
        .more("", "its kernel keeps the address and goes on answering,");
    stage
        .screen
        .more("", "until router 2 has won the client's ARP entry");
    Ok(())
}

/// Starts the daemon of router 1 again, and sees what it does with the address that was left.
fn restart(stage: &mut Stage) -> Result<(), Stop> {
    stage.routers[ONE].start()?;
    stage.watch("router 1 should be Backup", |stage| {
        Ok(stage.routers[ONE].is(State::Backup))
    })?;
    expect(
        !stage.holds(ONE)?,
        "a restarted daemon removes what was left",
    )
}

/// Sends a signal to a daemon and waits for its end, which must be `exit`.
fn end(stage: &mut Stage, router: usize, signal: Signal, exit: Exit) -> Result<(), Stop> {
    stage.routers[router].end(signal)?;
    stage.watch("a daemon that got a signal should end", |stage| {
        Ok(stage.routers[router].has_ended())
    })?;
    let found = stage.routers[router].wait()?;
    expect(
        found == Some(exit),
        &format!("{signal} ends a daemon with {exit:?}, it was {found:?}"),
    )
}

/// Watches until `winner` alone serves the address, for a reason that starts with `why`, the client
/// knows that, and its pings are answered.
fn takeover(stage: &mut Stage, event: Event, winner: usize, why: &str) -> Result<Row, Stop> {
    let name = stage.routers[winner].name.clone();
    stage.watch(&format!("{name} should be Active"), |stage| {
        Ok(stage.routers[winner].is(State::Active) && stage.holds(winner)?)
    })?;
    let active = stage.routers[winner].last.clone().unwrap_or_default();
    expect(
        active.reason.starts_with(why),
        &format!(
            "{name} is Active because of \"{why}\", it says \"{}\"",
            active.reason
        ),
    )?;
    stage.watch(
        &format!("the client's ARP entry should be {name}'s"),
        |stage| Ok(stage.client_believes_in(winner)),
    )?;
    let loser = 1 - winner;
    stage.watch(
        "the other router should have removed the address",
        |stage| Ok(stage.routers[loser].has_ended() || !stage.holds(loser)?),
    )?;
    stage.client.pings.forget_streak();
    stage.watch("the client's pings should be answered again", |stage| {
        Ok(stage.client.pings.streak() >= CONTENT)
    })?;
    show_addresses(stage)?;
    let row = Row {
        event: event.name,
        active: name,
        takeover: active.at.since(event.at),
        tally: stage.client.pings.tally(event.mark),
    };
    show_pings(stage, &row.tally);
    Ok(row)
}

/// `ip addr show` of both routers.
fn show_addresses(stage: &mut Stage) -> Result<(), Stop> {
    for router in &mut stage.routers {
        for (place, line) in router.ip_addr_show()?.iter().enumerate() {
            let who = if place == 0 { &router.name } else { "" };
            stage.screen.more(who, line);
        }
    }
    Ok(())
}

fn show_pings(stage: &mut Stage, tally: &Tally) {
    let Tally { sent, lost, outage } = tally;
    let outage = match lost {
        0 => String::new(),
        _ => format!(", {} ms without an answer", outage.as_millis()),
    };
    let text = format!("{lost} of {sent} pings lost{outage}");
    stage
        .screen
        .entry(clock::now(), "client", Tone::Plain, &text);
}

/// What must be so; if it is not, the story ends.
fn expect(so: bool, rule: &str) -> Result<(), Stop> {
    match so {
        true => Ok(()),
        false => Err(Stop::Failed(format!("not as it must be: {rule}"))),
    }
}
