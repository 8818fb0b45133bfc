//! RFC 9568 §6.4.1: Initialize.

use vipd::vrrp::action::{Hold, Reason, Unresolved};
use vipd::vrrp::instance::LinkState;
use vipd::vrrp::types::{PRIORITY_OWNER, State};

use crate::common::{HIGH, OWN};
use crate::row::*;

use State::{Active, Backup, Initialize};

pub fn rows() -> Vec<Row> {
    [startup(), holds(), delay()]
        .into_iter()
        .flatten()
        .collect()
}

fn startup() -> Vec<Row> {
    vec![
        row("RFC 9568 §6.4.1 (Startup, priority 255: advert, announce, Adver_Timer, Active)", BOTH, Start::Initialize)
            .with(|s| s.priority = PRIORITY_OWNER)
            .step(0, UP, &takeover(255, Initialize, Reason::Owner), Active, SECOND),
        row("RFC 9568 §6.4.1 (Startup, priority below 255: Active_Down_Timer, Backup; nothing is sent)", BOTH, Start::Initialize)
            .step(0, UP, &[changed(Initialize, Backup, Reason::Ready)], Backup, DOWN),
        row("RFC 9568 §6.4.1 (Startup, priority 254: does not own, and waits)", BOTH, Start::Initialize)
            .with(|s| s.priority = 254)
            .step(0, UP, &[changed(Initialize, Backup, Reason::Ready)], Backup, 3 * SECOND + 7_812),
        row("RFC 9568 §6.1 (Active_Down_Interval: the down_timer_adverts of keepalived)", BOTH, Start::Initialize)
            .with(|s| s.down_timer_adverts = 5)
            .step(0, UP, &[changed(Initialize, Backup, Reason::Ready)], Backup, 5 * SECOND + SKEW),
        row("RFC 3768 §6.1 (v2 Skew_Time is a part of one second, whatever the interval)", ONLY_V2, Start::Initialize)
            .with(|s| s.advert_interval = vipd::time::Duration::from_secs(4))
            .step(0, UP, &[changed(Initialize, Backup, Reason::Ready)], Backup, 12 * SECOND + SKEW),
        row("RFC 9568 §6.1 (v3 Skew_Time is a part of the interval, and keeps its µs at 10 ms)", ONLY_V3, Start::Initialize)
            .with(|s| s.advert_interval = vipd::time::Duration::from_millis(10))
            .step(0, UP, &[changed(Initialize, Backup, Reason::Ready)], Backup, 30_000 + 6_054),
        row("RFC 9568 §6.4.1 (Startup: preempt_delay does not delay the start)", BOTH, Start::Initialize)
            .with(|s| s.preempt_delay = vipd::time::Duration::from_secs(60))
            .step(0, UP, &[changed(Initialize, Backup, Reason::Ready)], Backup, DOWN),
        row("RFC 9568 §6.4.1 (in Initialize adverts are not heard)", BOTH, Start::Initialize)
            .step(0, Advert(HIGH, 200), &[], Initialize, NEVER)
            .step(1, Advert(HIGH, 0), &[], Initialize, NEVER)
            .step(2, UP, &[changed(Initialize, Backup, Reason::Ready)], Backup, DOWN + 2),
        row("RFC 9568 §6.4.1 (in Initialize no timer runs)", BOTH, Start::Initialize)
            .step(0, Timer, &[], Initialize, NEVER)
            .step(1_000 * SECOND, Timer, &[], Initialize, NEVER),
    ]
}

fn holds() -> Vec<Row> {
    let each = [
        (
            "vipd: held in Initialize, netifd has no device for the interface",
            LinkState::Unresolved(Unresolved::NoDevice),
            Hold::Unresolved(Unresolved::NoDevice),
        ),
        (
            "vipd: held in Initialize, the interface does not exist",
            LinkState::Absent,
            Hold::LinkAbsent,
        ),
        (
            "vipd: held in Initialize, no carrier or set down",
            LinkState::Down,
            Hold::LinkDown,
        ),
        (
            "vipd: held in Initialize, a port of a bridge",
            LinkState::BridgePort(7),
            Hold::BridgePort(7),
        ),
        (
            "vipd: held in Initialize, no socket for adverts",
            LinkState::Deaf,
            Hold::Deaf,
        ),
        (
            "vipd: held in Initialize, no address to send from",
            LinkState::Up(None),
            Hold::NoAddress,
        ),
    ];
    let mut rows: Vec<Row> = each
        .into_iter()
        .map(|(tag, link, hold)| {
            row(tag, BOTH, Start::Initialize)
                .step(0, Link(link), &[held(Initialize, hold)], Initialize, NEVER)
                // Said once: the same again is no news.
                .step(1, Link(link), &[], Initialize, NEVER)
                .step(2, Timer, &[], Initialize, NEVER)
                .step(
                    3,
                    UP,
                    &[changed(Initialize, Backup, Reason::Ready)],
                    Backup,
                    DOWN + 3,
                )
        })
        .collect();
    rows.extend([
        row(
            "vipd: nothing is known of the link at first, which is no news",
            BOTH,
            Start::Initialize,
        )
        .step(0, Link(LinkState::Unknown), &[], Initialize, NEVER),
        row(
            "vipd: one reason after the other, each told once",
            BOTH,
            Start::Initialize,
        )
        .step(
            0,
            Link(LinkState::Absent),
            &[held(Initialize, Hold::LinkAbsent)],
            Initialize,
            NEVER,
        )
        .step(
            1,
            Link(LinkState::Down),
            &[held(Initialize, Hold::LinkDown)],
            Initialize,
            NEVER,
        )
        .step(
            2,
            Link(LinkState::Up(None)),
            &[held(Initialize, Hold::NoAddress)],
            Initialize,
            NEVER,
        )
        .step(
            3,
            UP,
            &[changed(Initialize, Backup, Reason::Ready)],
            Backup,
            DOWN + 3,
        ),
        row(
            "vipd: an address lost in Initialize is not ours",
            BOTH,
            Start::Initialize,
        )
        .step(0, AddressLost, &[], Initialize, NEVER),
        row(
            "vipd: stopped in Initialize, and nothing starts it again",
            BOTH,
            Start::Initialize,
        )
        .with(|s| s.priority = PRIORITY_OWNER)
        .step(
            0,
            Shutdown,
            &[held(Initialize, Hold::Stopped)],
            Initialize,
            NEVER,
        )
        .step(1, UP, &[], Initialize, NEVER)
        .step(2, Shutdown, &[], Initialize, NEVER),
    ]);
    rows
}

fn delay() -> Vec<Row> {
    vec![
        row(
            "vipd: vrrp_startup_delay holds in Initialize until it is over, to the µs",
            BOTH,
            Start::Delayed(30),
        )
        .step(
            SECOND,
            UP,
            &[held(Initialize, Hold::StartupDelay)],
            Initialize,
            30 * SECOND,
        )
        .step(2 * SECOND, Advert(HIGH, 0), &[], Initialize, 30 * SECOND)
        .step(30 * SECOND - 1, Timer, &[], Initialize, 30 * SECOND)
        .step(
            30 * SECOND,
            Timer,
            &[changed(Initialize, Backup, Reason::Ready)],
            Backup,
            30 * SECOND + DOWN,
        ),
        row(
            "vipd: vrrp_startup_delay holds the owner too",
            BOTH,
            Start::Delayed(30),
        )
        .with(|s| s.priority = PRIORITY_OWNER)
        .step(
            SECOND,
            UP,
            &[held(Initialize, Hold::StartupDelay)],
            Initialize,
            30 * SECOND,
        )
        .step(
            30 * SECOND,
            Timer,
            &takeover(255, Initialize, Reason::Owner),
            Active,
            31 * SECOND,
        ),
        row(
            "vipd: vrrp_startup_delay counts from the start, not from the link",
            BOTH,
            Start::Delayed(30),
        )
        .step(
            40 * SECOND,
            UP,
            &[changed(Initialize, Backup, Reason::Ready)],
            Backup,
            40 * SECOND + DOWN,
        ),
        row(
            "vipd: a link that fails during vrrp_startup_delay is waited for",
            BOTH,
            Start::Delayed(30),
        )
        .step(
            SECOND,
            UP,
            &[held(Initialize, Hold::StartupDelay)],
            Initialize,
            30 * SECOND,
        )
        .step(
            2 * SECOND,
            Link(LinkState::Down),
            &[held(Initialize, Hold::LinkDown)],
            Initialize,
            NEVER,
        )
        .step(30 * SECOND, Timer, &[], Initialize, NEVER)
        .step(
            31 * SECOND,
            Link(LinkState::Up(Some(OWN))),
            &[changed(Initialize, Backup, Reason::Ready)],
            Backup,
            31 * SECOND + DOWN,
        ),
        row(
            "vipd: stopped during vrrp_startup_delay",
            BOTH,
            Start::Delayed(30),
        )
        .step(
            SECOND,
            UP,
            &[held(Initialize, Hold::StartupDelay)],
            Initialize,
            30 * SECOND,
        )
        .step(
            2 * SECOND,
            Shutdown,
            &[held(Initialize, Hold::Stopped)],
            Initialize,
            NEVER,
        )
        .step(30 * SECOND, Timer, &[], Initialize, NEVER),
    ]
}
