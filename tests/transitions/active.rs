//! RFC 9568 §6.4.3: Active.

use vipd::time::Duration;
use vipd::vrrp::action::{Action, Hold, Reason, Unresolved, Warning};
use vipd::vrrp::instance::LinkState;
use vipd::vrrp::types::{PRIORITY_OWNER, State};

use crate::common::bench::ID;
use crate::common::{HIGH, LOW};
use crate::row::*;

use State::{Active, Backup, Initialize};

pub fn rows() -> Vec<Row> {
    [
        leaving(),
        timer(),
        release(),
        yielding(),
        asserting(),
        stall(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn leaving() -> Vec<Row> {
    let each = [
        (
            "vipd: Active, netifd has no device for the interface any more",
            LinkState::Unresolved(Unresolved::NoDevice),
            Hold::Unresolved(Unresolved::NoDevice),
        ),
        (
            "vipd: Active, the interface goes away",
            LinkState::Absent,
            Hold::LinkAbsent,
        ),
        (
            "vipd: Active, the link goes down",
            LinkState::Down,
            Hold::LinkDown,
        ),
        (
            "vipd: Active, the interface becomes a port of a bridge",
            LinkState::BridgePort(3),
            Hold::BridgePort(3),
        ),
        (
            "vipd: Active, the last address to send from goes",
            LinkState::Up(None),
            Hold::NoAddress,
        ),
    ];
    let mut rows: Vec<Row> = each
        .into_iter()
        .map(|(tag, link, hold)| {
            row(tag, BOTH, Start::Active)
                .step(
                    300_000,
                    Link(link),
                    &[REMOVE, held(Active, hold)],
                    Initialize,
                    NEVER,
                )
                .step(SECOND, Timer, &[], Initialize, NEVER)
                .step(
                    2 * SECOND,
                    UP,
                    &[changed(Initialize, Backup, Reason::Ready)],
                    Backup,
                    2 * SECOND + DOWN,
                )
        })
        .collect();
    rows.extend([
        row("RFC 9568 §6.4.3 (Shutdown: cancel the Adver_Timer, advert with priority 0, Initialize)", BOTH, Start::Active)
            .step(300_000, Shutdown, &[advert(0), REMOVE, held(Active, Hold::Stopped)], Initialize, NEVER)
            .step(SECOND, Timer, &[], Initialize, NEVER),
        row("RFC 9568 §6.4.3 (Shutdown of the owner)", BOTH, Start::Active)
            .with(|s| s.priority = PRIORITY_OWNER)
            .step(300_000, Shutdown, &[advert(0), REMOVE, held(Active, Hold::Stopped)], Initialize, NEVER),
        row("vipd: Active, stopped while the link is down: there is nobody to tell", BOTH, Start::Active)
            .step(1, Link(LinkState::Down), &[REMOVE, held(Active, Hold::LinkDown)], Initialize, NEVER)
            .step(2, Shutdown, &[held(Initialize, Hold::Stopped)], Initialize, NEVER),
        row("vipd: Active, to leave: it advertises on until it is told to go", BOTH, Start::Active)
            .step(300_000, Leave, &[], Active, SECOND)
            .step(SECOND, Timer, &[advert(101)], Active, 2 * SECOND)
            .step(SECOND + 1, Advert(HIGH, 100), &[advert(101), LOWER, announce(5)], Active, 2 * SECOND)
            .step(SECOND + 2, Shutdown, &[advert(0), REMOVE, held(Active, Hold::Stopped)], Initialize, NEVER),
        row("vipd: Active, to leave, and a better router comes before that: it is no Backup any more", BOTH, Start::Active)
            .step(300_000, Leave, &[], Active, SECOND)
            .step(
                400_000,
                Advert(LOW, 102),
                &[
                    REMOVE,
                    changed(Active, Backup, Reason::HigherPriority { by: LOW, priority: 102 }),
                    held(Backup, Hold::Stopped),
                ],
                Initialize,
                NEVER,
            ),
        row("vipd: Active, to leave, and the link goes down before that", BOTH, Start::Active)
            .step(300_000, Leave, &[], Active, SECOND)
            .step(400_000, Link(LinkState::Down), &[REMOVE, held(Active, Hold::LinkDown)], Initialize, NEVER)
            .step(500_000, UP, &[held(Initialize, Hold::Stopped)], Initialize, NEVER),
        row("vipd: Active, another address to send from changes nothing", BOTH, Start::Active)
            .step(300_000, Link(LinkState::Up(Some(HIGH))), &[], Active, SECOND),
    ]);
    rows
}

fn timer() -> Vec<Row> {
    vec![
        row(
            "RFC 9568 §6.4.3 (Adver_Timer fires: advert, reset to Advertisement_Interval)",
            BOTH,
            Start::Active,
        )
        .step(SECOND - 1, Timer, &[], Active, SECOND)
        .step(SECOND, Timer, &[advert(101)], Active, 2 * SECOND)
        .step(2 * SECOND, Timer, &[advert(101)], Active, 3 * SECOND),
        row(
            "vipd: the Adver_Timer keeps its grid when a wakeup is late",
            BOTH,
            Start::Active,
        )
        .step(SECOND + 200_000, Timer, &[advert(101)], Active, 2 * SECOND)
        .step(
            2 * SECOND + 999_999,
            Timer,
            &[advert(101)],
            Active,
            3 * SECOND,
        )
        .step(3 * SECOND, Timer, &[advert(101)], Active, 4 * SECOND),
        row(
            "vipd: adverts that were missed are not sent all at once, and the grid is kept",
            BOTH,
            Start::Active,
        )
        .step(
            3 * SECOND + 500_000,
            Timer,
            &[advert(101)],
            Active,
            4 * SECOND,
        ),
    ]
}

fn release() -> Vec<Row> {
    vec![
        row(
            "RFC 9568 §6.4.3 (Priority 0: advert, reset the Adver_Timer)",
            BOTH,
            Start::Active,
        )
        .step(
            300_000,
            Advert(HIGH, 0),
            &[advert(101)],
            Active,
            SECOND + 300_000,
        )
        .step(
            SECOND + 300_000,
            Timer,
            &[advert(101)],
            Active,
            2 * SECOND + 300_000,
        ),
        row(
            "vipd: a flood of Priority 0 draws one advert an interval, and delays none",
            BOTH,
            Start::Active,
        )
        .step(
            300_000,
            Advert(HIGH, 0),
            &[advert(101)],
            Active,
            SECOND + 300_000,
        )
        .step(300_001, Advert(HIGH, 0), &[], Active, SECOND + 300_000)
        .step(
            SECOND + 299_999,
            Advert(LOW, 0),
            &[],
            Active,
            SECOND + 300_000,
        )
        .step(
            SECOND + 300_000,
            Timer,
            &[advert(101)],
            Active,
            2 * SECOND + 300_000,
        )
        .step(
            SECOND + 300_001,
            Advert(HIGH, 0),
            &[advert(101)],
            Active,
            2 * SECOND + 300_001,
        ),
    ]
}

fn yielding() -> Vec<Row> {
    let interval = |source, ms| {
        Action::Warn(
            ID,
            Warning::Interval {
                source,
                theirs: Duration::from_millis(ms),
            },
        )
    };
    let higher = |by, priority| changed(Active, Backup, Reason::HigherPriority { by, priority });
    vec![
        row("RFC 9568 §6.4.3 (Priority greater: cancel the Adver_Timer, Active_Down_Timer, Backup)", BOTH, Start::Active)
            .step(300_000, Advert(LOW, 102), &[REMOVE, higher(LOW, 102)], Backup, 300_000 + DOWN)
            .step(SECOND, Timer, &[], Backup, 300_000 + DOWN)
            .step(300_000 + DOWN, Timer, &takeover(101, Backup, silence(Some(LOW), DOWN)), Active, SECOND + 300_000 + DOWN),
        row("RFC 9568 §6.4.3 (Priority greater, v3: its interval is learned)", ONLY_V3, Start::Active)
            .step(300_000, Every(LOW, 200, 100), &[REMOVE, higher(LOW, 200), interval(LOW, 100)], Backup, 300_000 + 360_546),
        row("RFC 9568 §6.4.3 (Preempt_Mode False: an Active gives way to a greater priority all the same)", BOTH, Start::Active)
            .with(|s| s.preempt = false)
            .step(300_000, Advert(LOW, 102), &[REMOVE, higher(LOW, 102)], Backup, 300_000 + DOWN),
        row("RFC 9568 §6.4.3 (Priority equal, sender's primary address greater: Backup)", BOTH, Start::Active)
            .step(
                300_000,
                Advert(HIGH, 101),
                &[REMOVE, changed(Active, Backup, Reason::HigherAddress { by: HIGH })],
                Backup,
                300_000 + DOWN,
            ),
        row("RFC 9568 §6.4.3 (Priority equal, addresses compare as unsigned integers: 200.250 is below 201.102)", BOTH, Start::Active)
            .step(300_000, Advert(LOW, 101), &[advert(101), LOWER, announce(5)], Active, SECOND),
        row("RFC 9568 §6.4.3 (Priority greater, preempt_delay: an Active gives way at once)", BOTH, Start::Active)
            .with(|s| s.preempt_delay = Duration::from_secs(60))
            .step(300_000, Advert(LOW, 102), &[REMOVE, higher(LOW, 102)], Backup, 300_000 + DOWN),
    ]
}

fn asserting() -> Vec<Row> {
    vec![
        row("RFC 9568 §6.4.3 (Priority less: discard, advert at once; the Adver_Timer keeps its grid)", BOTH, Start::Active)
            .step(300_000, Advert(HIGH, 100), &[advert(101), LOWER, announce(5)], Active, SECOND)
            .step(SECOND, Timer, &[advert(101)], Active, 2 * SECOND),
        row("vipd: a flood of lower priorities draws one advert an interval beside the timer's", BOTH, Start::Active)
            .step(300_000, Advert(HIGH, 100), &[advert(101), LOWER, announce(5)], Active, SECOND)
            .step(300_001, Advert(HIGH, 100), &[], Active, SECOND)
            .step(SECOND, Timer, &[advert(101)], Active, 2 * SECOND)
            .step(SECOND + 299_999, Advert(LOW, 1), &[], Active, 2 * SECOND)
            .step(SECOND + 300_000, Advert(LOW, 1), &[advert(101), LOWER, announce(5)], Active, 2 * SECOND),
        row("vipd: lower and zero priorities share one bound", BOTH, Start::Active)
            .step(300_000, Advert(HIGH, 100), &[advert(101), LOWER, announce(5)], Active, SECOND)
            .step(400_000, Advert(HIGH, 0), &[], Active, SECOND),
        row("RFC 9568 erratum 8298 (the owner hears adverts, and answers them)", BOTH, Start::Active)
            .with(|s| s.priority = PRIORITY_OWNER)
            .step(300_000, Advert(HIGH, 254), &[advert(255), LOWER, announce(5)], Active, SECOND),
        row("RFC 9568 §6.4.3 (v3: nothing is learned from a lower priority)", ONLY_V3, Start::Active)
            .step(
                300_000,
                Every(HIGH, 100, 100),
                &[
                    advert(101),
                    LOWER,
                    announce(5),
                    Action::Warn(ID, Warning::Interval { source: HIGH, theirs: Duration::from_millis(100) }),
                ],
                Active,
                SECOND,
            ),
    ]
}

fn stall() -> Vec<Row> {
    let late = SECOND + DOWN;
    vec![
        row(
            "vipd: after a stall of Active_Down_Interval, whoever took over stays Active",
            BOTH,
            Start::Active,
        )
        .step(
            late,
            Advert(LOW, 100),
            &[
                REMOVE,
                changed(
                    Active,
                    Backup,
                    Reason::Stalled {
                        by: LOW,
                        late: Duration::from_micros(DOWN.unsigned_abs()),
                    },
                ),
            ],
            Backup,
            late + DOWN,
        ),
        row("vipd: a shorter stall changes nothing", BOTH, Start::Active)
            .step(
                late - 1,
                Advert(LOW, 100),
                &[advert(101), LOWER, announce(5)],
                Active,
                SECOND,
            )
            .step(late - 1, Timer, &[advert(101)], Active, 5 * SECOND),
        row(
            "vipd: the owner is never a Backup, however long it stood still",
            BOTH,
            Start::Active,
        )
        .with(|s| s.priority = PRIORITY_OWNER)
        .step(
            100 * SECOND,
            Advert(LOW, 100),
            &[advert(255), LOWER, announce(5)],
            Active,
            SECOND,
        ),
        row(
            "vipd: after a stall in which nobody took over, it is still Active",
            BOTH,
            Start::Active,
        )
        .step(
            100 * SECOND,
            Timer,
            &[advert(101), announce(5)],
            Active,
            101 * SECOND,
        ),
    ]
}
