//! RFC 9568 §6.4.2: Backup.

use vipd::time::Duration;
use vipd::vrrp::action::{Action, Hold, Reason, Unresolved, Warning};
use vipd::vrrp::drop::DropReason;
use vipd::vrrp::instance::LinkState;
use vipd::vrrp::types::{PRIORITY_OWNER, State};

use crate::common::bench::ID;
use crate::common::{HIGH, LOW, OWN};
use crate::row::*;

use State::{Active, Backup, Initialize};

pub fn rows() -> Vec<Row> {
    [
        leaving(),
        timer(),
        release(),
        adverts(),
        learning(),
        preemption(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The warning that comes with an interval which is not ours.
fn interval_warning(source: std::net::IpAddr, ms: u64) -> Action {
    Action::Warn(
        ID,
        Warning::Interval {
            source,
            theirs: Duration::from_millis(ms),
        },
    )
}

fn leaving() -> Vec<Row> {
    let each = [
        (
            "vipd: Backup, netifd has no device for the interface any more",
            LinkState::Unresolved(Unresolved::NoDevice),
            Hold::Unresolved(Unresolved::NoDevice),
        ),
        (
            "vipd: Backup, the interface goes away",
            LinkState::Absent,
            Hold::LinkAbsent,
        ),
        (
            "vipd: Backup, the link goes down",
            LinkState::Down,
            Hold::LinkDown,
        ),
        (
            "vipd: Backup, the interface becomes a port of a bridge",
            LinkState::BridgePort(3),
            Hold::BridgePort(3),
        ),
        (
            "vipd: Backup, the last address to send from goes",
            LinkState::Up(None),
            Hold::NoAddress,
        ),
    ];
    let mut rows: Vec<Row> = each
        .into_iter()
        .map(|(tag, link, hold)| {
            row(tag, BOTH, Start::Backup)
                .step(SECOND, Link(link), &[held(Backup, hold)], Initialize, NEVER)
                .step(9 * SECOND, Timer, &[], Initialize, NEVER)
                .step(
                    10 * SECOND,
                    UP,
                    &[changed(Initialize, Backup, Reason::Ready)],
                    Backup,
                    10 * SECOND + DOWN,
                )
        })
        .collect();
    rows.extend([
        row(
            "RFC 9568 §6.4.2 (Shutdown: cancel the Active_Down_Timer, Initialize; nothing is sent)",
            BOTH,
            Start::Backup,
        )
        .step(
            SECOND,
            Shutdown,
            &[held(Backup, Hold::Stopped)],
            Initialize,
            NEVER,
        )
        .step(DOWN, Timer, &[], Initialize, NEVER),
        row(
            "vipd: Backup, to leave: there is nothing to wait for",
            BOTH,
            Start::Backup,
        )
        .step(
            SECOND,
            Leave,
            &[held(Backup, Hold::Stopped)],
            Initialize,
            NEVER,
        ),
        row(
            "vipd: Backup, another address to send from changes nothing",
            BOTH,
            Start::Backup,
        )
        .step(SECOND, Link(LinkState::Up(Some(HIGH))), &[], Backup, DOWN)
        .step(2 * SECOND, UP, &[], Backup, DOWN),
        row(
            "vipd: Backup, an address lost is not ours",
            BOTH,
            Start::Backup,
        )
        .step(SECOND, AddressLost, &[], Backup, DOWN),
    ]);
    rows
}

fn timer() -> Vec<Row> {
    vec![
        row("RFC 9568 §6.4.2 (Active_Down_Timer fires: advert, announce, Adver_Timer, Active; never early)", BOTH, Start::Backup)
            .step(DOWN - 1, Timer, &[], Backup, DOWN)
            .step(DOWN, Timer, &takeover(101, Backup, silence(None, DOWN)), Active, DOWN + SECOND),
        row("RFC 9568 §6.4.2 (Active_Down_Timer: an Active that fell silent is named)", BOTH, Start::Backup)
            .step(SECOND, Advert(HIGH, 200), &[], Backup, SECOND + DOWN)
            .step(SECOND + DOWN - 1, Timer, &[], Backup, SECOND + DOWN)
            .step(SECOND + DOWN, Timer, &takeover(101, Backup, silence(Some(HIGH), DOWN)), Active, 2 * SECOND + DOWN),
        row("RFC 9568 §6.4.2 (an advert that is read before the timer that is due prevents the takeover)", BOTH, Start::Backup)
            .step(DOWN + 10, Advert(HIGH, 200), &[], Backup, 2 * DOWN + 10),
    ]
}

fn release() -> Vec<Row> {
    vec![
        row(
            "RFC 9568 §6.4.2 (Priority 0: the Active_Down_Timer is set to Skew_Time)",
            BOTH,
            Start::Backup,
        )
        .step(SECOND, Advert(HIGH, 200), &[], Backup, SECOND + DOWN)
        .step(2 * SECOND, Advert(HIGH, 0), &[], Backup, 2 * SECOND + SKEW)
        .step(2 * SECOND + SKEW - 1, Timer, &[], Backup, 2 * SECOND + SKEW)
        .step(
            2 * SECOND + SKEW,
            Timer,
            &takeover(101, Backup, Reason::Released { by: HIGH }),
            Active,
            3 * SECOND + SKEW,
        ),
        row(
            "RFC 9568 §6.4.2 (Priority 0 works without Preempt_Mode)",
            BOTH,
            Start::Backup,
        )
        .with(|s| s.preempt = false)
        .step(SECOND, Advert(HIGH, 0), &[], Backup, SECOND + SKEW),
        row(
            "vipd: a second priority 0 does not push the takeover out",
            BOTH,
            Start::Backup,
        )
        .step(SECOND, Advert(HIGH, 0), &[], Backup, SECOND + SKEW)
        .step(
            SECOND + 300_000,
            Advert(HIGH, 0),
            &[],
            Backup,
            SECOND + SKEW,
        ),
        row(
            "vipd: priority 0 never makes the takeover later",
            BOTH,
            Start::Backup,
        )
        .step(DOWN - 1_000, Advert(HIGH, 0), &[], Backup, DOWN),
        row(
            "RFC 9568 §6.4.2 (after Priority 0, another router's advert ends the wait)",
            BOTH,
            Start::Backup,
        )
        .step(SECOND, Advert(HIGH, 0), &[], Backup, SECOND + SKEW)
        .step(
            SECOND + 1_000,
            Advert(LOW, 150),
            &[],
            Backup,
            SECOND + 1_000 + DOWN,
        ),
        row(
            "RFC 3768 §6.4.2 (Priority 0: Skew_Time is a part of one second)",
            ONLY_V2,
            Start::Backup,
        )
        .with(|s| s.advert_interval = Duration::from_secs(4))
        .step(SECOND, Advert(HIGH, 0), &[], Backup, SECOND + SKEW),
    ]
}

fn adverts() -> Vec<Row> {
    vec![
        row(
            "RFC 9568 §6.4.2 (Priority greater: reset the Active_Down_Timer)",
            BOTH,
            Start::Backup,
        )
        .step(SECOND, Advert(HIGH, 102), &[], Backup, SECOND + DOWN)
        .step(2 * SECOND, Advert(LOW, 254), &[], Backup, 2 * SECOND + DOWN)
        .step(3 * SECOND, Advert(LOW, 255), &[], Backup, 3 * SECOND + DOWN),
        row(
            "RFC 9568 §6.4.2 (Priority equal: reset the Active_Down_Timer, whatever the address)",
            BOTH,
            Start::Backup,
        )
        .step(SECOND, Advert(HIGH, 101), &[], Backup, SECOND + DOWN)
        .step(2 * SECOND, Advert(LOW, 101), &[], Backup, 2 * SECOND + DOWN),
        row(
            "RFC 9568 §6.4.2 (Priority less, Preempt_Mode: discard; the timer runs on)",
            BOTH,
            Start::Backup,
        )
        .step(SECOND, Advert(HIGH, 100), &[], Backup, DOWN)
        .step(2 * SECOND, Advert(HIGH, 1), &[], Backup, DOWN)
        .step(
            DOWN,
            Timer,
            &takeover(
                101,
                Backup,
                Reason::Preempted {
                    by: HIGH,
                    priority: 1,
                },
            ),
            Active,
            DOWN + SECOND,
        ),
        row(
            "RFC 9568 §6.4.2 (Preempt_Mode False: any priority resets the Active_Down_Timer)",
            BOTH,
            Start::Backup,
        )
        .with(|s| s.preempt = false)
        .step(SECOND, Advert(LOW, 100), &[], Backup, SECOND + DOWN)
        .step(2 * SECOND, Advert(HIGH, 1), &[], Backup, 2 * SECOND + DOWN)
        .step(
            2 * SECOND + DOWN,
            Timer,
            &takeover(101, Backup, silence(Some(HIGH), DOWN)),
            Active,
            3 * SECOND + DOWN,
        ),
        row(
            "RFC 9568 §6.4.2 (an advert of our own address is no peer's)",
            BOTH,
            Start::Backup,
        )
        .step(
            SECOND,
            Advert(OWN, 200),
            &[Action::Warn(
                ID,
                Warning::Dropped {
                    reason: DropReason::OwnAdvert,
                    source: OWN,
                },
            )],
            Backup,
            DOWN,
        ),
    ]
}

fn learning() -> Vec<Row> {
    vec![
        row("RFC 9568 §6.4.2 (v3: Active_Adver_Interval, Skew_Time and Active_Down_Interval from the advert, longer)", ONLY_V3, Start::Backup)
            // 3 × 3 s and (256 − 101) × 3 s / 256.
            .step(SECOND, Every(HIGH, 200, 3_000), &[interval_warning(HIGH, 3_000)], Backup, SECOND + 10_816_406)
            .step(2 * SECOND, Advert(HIGH, 0), &[], Backup, 2 * SECOND + 1_816_406),
        row("RFC 9568 §6.4.2 (v3: a learned interval is not the one that we transmit)", ONLY_V3, Start::Backup)
            .step(SECOND, Every(HIGH, 200, 100), &[interval_warning(HIGH, 100)], Backup, SECOND + 360_546)
            .step(SECOND + 360_546, Timer, &takeover(101, Backup, silence(Some(HIGH), 360_546)), Active, 2 * SECOND + 360_546)
            .step(2 * SECOND + 360_546, Timer, &[advert(101)], Active, 3 * SECOND + 360_546),
        row("RFC 9568 §6.4.2 (v3, Preempt_Mode False: the interval of a lower priority is learned too)", ONLY_V3, Start::Backup)
            .with(|s| s.preempt = false)
            .step(SECOND, Every(LOW, 100, 100), &[interval_warning(LOW, 100)], Backup, SECOND + 360_546),
        row("RFC 9568 §6.4.2 (v3: nothing is learned from an advert that is discarded)", ONLY_V3, Start::Backup)
            .step(SECOND, Every(LOW, 100, 100), &[interval_warning(LOW, 100)], Backup, DOWN)
            .step(2 * SECOND, Advert(HIGH, 0), &[], Backup, 2 * SECOND + SKEW),
        row("RFC 9568 §6.4.2 (v3: nothing is learned from Priority 0)", ONLY_V3, Start::Backup)
            .step(SECOND, Every(HIGH, 0, 10), &[], Backup, SECOND + SKEW),
        row("RFC 9568 §6.4.1 (v3: after the link was down, Active_Adver_Interval is our own again)", ONLY_V3, Start::Backup)
            .step(SECOND, Every(HIGH, 200, 100), &[interval_warning(HIGH, 100)], Backup, SECOND + 360_546)
            .step(SECOND + 1, Link(LinkState::Down), &[held(Backup, Hold::LinkDown)], Initialize, NEVER)
            .step(SECOND + 2, UP, &[changed(Initialize, Backup, Reason::Ready)], Backup, SECOND + 2 + DOWN),
        row("RFC 3768 §7.1 (v2: another interval is discarded, and resets nothing)", ONLY_V2, Start::Backup)
            .step(
                SECOND,
                Every(HIGH, 200, 3_000),
                &[Action::Warn(ID, Warning::Dropped { reason: DropReason::IntervalMismatch, source: HIGH })],
                Backup,
                DOWN,
            )
            .step(2 * SECOND, Every(HIGH, 0, 3_000), &[], Backup, DOWN),
    ]
}

fn preemption() -> Vec<Row> {
    vec![
        row(
            "PROTOCOL.md (the owner always preempts, with nopreempt too)",
            BOTH,
            Start::Active,
        )
        .with(|s| (s.priority, s.preempt) = (PRIORITY_OWNER, false))
        // Another owner with the higher address: the only way for an owner into Backup.
        .step(
            100_000,
            Advert(HIGH, 255),
            &[
                REMOVE,
                changed(Active, Backup, Reason::HigherAddress { by: HIGH }),
            ],
            Backup,
            100_000 + 3 * SECOND + 3_906,
        )
        .step(
            200_000,
            Advert(LOW, 100),
            &[],
            Backup,
            100_000 + 3 * SECOND + 3_906,
        ),
        row(
            "vipd: a stop of the other routers hands over in the order of priority",
            BOTH,
            Start::Backup,
        )
        .with(|s| s.priority = 254)
        .step(SECOND, Advert(HIGH, 0), &[], Backup, SECOND + 7_812),
    ]
}
