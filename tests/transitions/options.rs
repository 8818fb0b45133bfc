//! What vipd and keepalived promise beyond the RFC: preempt_delay, announcements, restoration.

use vipd::time::Duration;
use vipd::vrrp::action::Reason;
use vipd::vrrp::types::{Settings, State};

use crate::common::{HIGH, LOW};
use crate::row::*;

use State::{Active, Backup};

pub fn rows() -> Vec<Row> {
    [preempt_delay(), announcements(), restoration()]
        .into_iter()
        .flatten()
        .collect()
}

fn delayed(settings: &mut Settings) {
    settings.preempt_delay = Duration::from_secs(10);
}

fn preempt_delay() -> Vec<Row> {
    // The lower Active is heard each second from 1 s on; the delay ends at 11 s.
    let mut exactly = row(
        "preempt_delay: a lower Active is tolerated for exactly so long",
        BOTH,
        Start::Backup,
    )
    .with(delayed);
    for second in 1..=10 {
        let at = second * SECOND;
        exactly = exactly.step(
            at,
            Advert(LOW, 100),
            &[],
            Backup,
            (at + DOWN).min(11 * SECOND),
        );
    }
    let exactly = exactly
        .step(11 * SECOND - 1, Timer, &[], Backup, 11 * SECOND)
        .step(
            11 * SECOND,
            Timer,
            &takeover(
                101,
                Backup,
                Reason::Preempted {
                    by: LOW,
                    priority: 100,
                },
            ),
            Active,
            12 * SECOND,
        );
    vec![
        exactly,
        row("preempt_delay: a lower Active that dies meanwhile is replaced after Active_Down_Interval", BOTH, Start::Backup)
            .with(delayed)
            .step(SECOND, Advert(LOW, 100), &[], Backup, SECOND + DOWN)
            .step(2 * SECOND, Advert(LOW, 100), &[], Backup, 2 * SECOND + DOWN)
            .step(2 * SECOND + DOWN - 1, Timer, &[], Backup, 2 * SECOND + DOWN)
            .step(2 * SECOND + DOWN, Timer, &takeover(101, Backup, silence(Some(LOW), DOWN)), Active, 3 * SECOND + DOWN),
        row("preempt_delay: a lower Active that gives up meanwhile is replaced after Skew_Time", BOTH, Start::Backup)
            .with(delayed)
            .step(SECOND, Advert(LOW, 100), &[], Backup, SECOND + DOWN)
            .step(2 * SECOND, Advert(LOW, 0), &[], Backup, 2 * SECOND + SKEW)
            .step(2 * SECOND + SKEW, Timer, &takeover(101, Backup, Reason::Released { by: LOW }), Active, 3 * SECOND + SKEW),
        row("preempt_delay: a higher Active that appears meanwhile ends it; it starts again after", BOTH, Start::Backup)
            .with(delayed)
            .step(SECOND, Advert(LOW, 100), &[], Backup, SECOND + DOWN)
            .step(5 * SECOND - 500_000, Advert(HIGH, 200), &[], Backup, 5 * SECOND - 500_000 + DOWN)
            .step(8 * SECOND, Advert(LOW, 100), &[], Backup, 8 * SECOND + DOWN)
            .step(11 * SECOND, Advert(LOW, 100), &[], Backup, 11 * SECOND + DOWN)
            .step(14 * SECOND, Advert(LOW, 100), &[], Backup, 14 * SECOND + DOWN)
            .step(17 * SECOND, Advert(LOW, 100), &[], Backup, 18 * SECOND)
            .step(18 * SECOND, Timer, &takeover(101, Backup, Reason::Preempted { by: LOW, priority: 100 }), Active, 19 * SECOND),
        row("preempt_delay: a dead higher Active is replaced without it", BOTH, Start::Backup)
            .with(delayed)
            .step(SECOND, Advert(HIGH, 200), &[], Backup, SECOND + DOWN)
            .step(SECOND + DOWN, Timer, &takeover(101, Backup, silence(Some(HIGH), DOWN)), Active, 2 * SECOND + DOWN),
        row("preempt_delay: an equal priority is followed, and starts no delay", BOTH, Start::Backup)
            .with(delayed)
            .step(SECOND, Advert(LOW, 101), &[], Backup, SECOND + DOWN)
            .step(4 * SECOND, Advert(LOW, 101), &[], Backup, 4 * SECOND + DOWN)
            .step(7 * SECOND, Advert(LOW, 101), &[], Backup, 7 * SECOND + DOWN)
            .step(10 * SECOND, Advert(LOW, 101), &[], Backup, 10 * SECOND + DOWN),
        row("preempt_delay: shorter than what the Active_Down_Timer has left, it brings nothing forward", BOTH, Start::Backup)
            .with(|s| s.preempt_delay = Duration::from_secs(1))
            .step(SECOND, Advert(HIGH, 200), &[], Backup, SECOND + DOWN)
            // A straggler of somebody who was Active for a moment.
            .step(SECOND + 100_000, Advert(LOW, 100), &[], Backup, SECOND + DOWN)
            .step(2 * SECOND, Advert(HIGH, 200), &[], Backup, 2 * SECOND + DOWN),
        row("preempt_delay: without Preempt_Mode it never starts", BOTH, Start::Backup)
            .with(|s| (s.preempt, s.preempt_delay) = (false, Duration::from_secs(2)))
            .step(SECOND, Advert(LOW, 100), &[], Backup, SECOND + DOWN)
            .step(4 * SECOND, Advert(LOW, 100), &[], Backup, 4 * SECOND + DOWN),
    ]
}

fn announcements() -> Vec<Row> {
    vec![
        row(
            "announce: at once, and master_repeat times again after garp_master_delay",
            BOTH,
            Start::Active,
        )
        .with(|s| s.announce.master_delay = Duration::from_millis(500))
        .step(500_000 - 1, Timer, &[], Active, 500_000)
        .step(500_000, Timer, &[announce(5)], Active, SECOND)
        .step(SECOND, Timer, &[advert(101)], Active, 2 * SECOND),
        row(
            "announce: the advert comes first when both are due",
            BOTH,
            Start::Active,
        )
        .with(|s| s.announce.master_delay = Duration::from_secs(1))
        .step(
            SECOND,
            Timer,
            &[advert(101), announce(5)],
            Active,
            2 * SECOND,
        ),
        row(
            "announce: garp_master_delay 0 means no second round",
            BOTH,
            Start::Active,
        )
        .with(|s| s.announce.master_delay = Duration::ZERO)
        .step(SECOND, Timer, &[advert(101)], Active, 2 * SECOND),
        row(
            "announce: garp_master_refresh, each time garp_master_refresh_repeat times",
            BOTH,
            Start::Active,
        )
        .with(|s| {
            s.announce.master_delay = Duration::ZERO;
            s.announce.master_refresh = Duration::from_millis(700);
            s.announce.master_refresh_repeat = 2;
        })
        .step(700_000, Timer, &[announce(2)], Active, SECOND)
        .step(SECOND, Timer, &[advert(101)], Active, 1_400_000)
        .step(1_400_000, Timer, &[announce(2)], Active, 2 * SECOND)
        .step(2 * SECOND, Timer, &[advert(101)], Active, 2_100_000),
        row(
            "announce: a second round garp_lower_prio_delay after a lower Active was heard",
            BOTH,
            Start::Active,
        )
        .with(|s| {
            s.announce.lower_prio_delay = Duration::from_millis(400);
            s.announce.lower_prio_repeat = 3;
        })
        .step(
            300_000,
            Advert(HIGH, 100),
            &[advert(101), LOWER, announce(3)],
            Active,
            700_000,
        )
        .step(700_000, Timer, &[announce(3)], Active, SECOND)
        .step(SECOND, Timer, &[advert(101)], Active, 2 * SECOND),
        row(
            "announce: garp_lower_prio_repeat 0 means none, the advert is sent all the same",
            BOTH,
            Start::Active,
        )
        .with(|s| s.announce.lower_prio_repeat = 0)
        .step(
            300_000,
            Advert(HIGH, 100),
            &[advert(101), LOWER],
            Active,
            SECOND,
        ),
        row(
            "announce: nothing of it survives the Active state",
            BOTH,
            Start::Active,
        )
        .with(|s| s.announce.master_refresh = Duration::from_millis(700))
        .step(
            300_000,
            Advert(LOW, 200),
            &[
                REMOVE,
                changed(
                    Active,
                    Backup,
                    Reason::HigherPriority {
                        by: LOW,
                        priority: 200,
                    },
                ),
            ],
            Backup,
            300_000 + DOWN,
        )
        .step(700_000, Timer, &[], Backup, 300_000 + DOWN),
    ]
}

fn restoration() -> Vec<Row> {
    let restored = [ADD, announce(1)];
    vec![
        row(
            "restore: an address that somebody deletes comes back at once",
            BOTH,
            Start::Active,
        )
        .step(100_000, AddressLost, &restored, Active, SECOND),
        row(
            "restore: against somebody who deletes it again and again, with growing gaps",
            BOTH,
            Start::Active,
        )
        .step(1_000, AddressLost, &restored, Active, SECOND)
        .step(2_000, AddressLost, &[], Active, 101_000)
        // Several addresses, several events, one restoration.
        .step(3_000, AddressLost, &[], Active, 101_000)
        .step(101_000, Timer, &restored, Active, SECOND)
        .step(102_000, AddressLost, &[], Active, 301_000)
        .step(301_000, Timer, &restored, Active, SECOND)
        .step(302_000, AddressLost, &[], Active, 701_000)
        .step(701_000, Timer, &restored, Active, SECOND),
        row(
            "restore: the gap is forgotten after a longer peace",
            BOTH,
            Start::Active,
        )
        .step(1_000, AddressLost, &restored, Active, SECOND)
        .step(2_000, AddressLost, &[], Active, 101_000)
        .step(101_000, Timer, &restored, Active, SECOND)
        .step(
            60 * SECOND,
            Timer,
            &[advert(101), announce(5)],
            Active,
            61 * SECOND,
        )
        .step(60 * SECOND, AddressLost, &restored, Active, 61 * SECOND)
        .step(
            60 * SECOND + 1,
            AddressLost,
            &[],
            Active,
            60 * SECOND + 100_000,
        ),
        row(
            "restore: a restoration that waits is dropped with the Active state",
            BOTH,
            Start::Active,
        )
        .step(1_000, AddressLost, &restored, Active, SECOND)
        .step(2_000, AddressLost, &[], Active, 101_000)
        .step(
            3_000,
            Shutdown,
            &[
                advert(0),
                REMOVE,
                held(Active, vipd::vrrp::action::Hold::Stopped),
            ],
            State::Initialize,
            NEVER,
        )
        .step(101_000, Timer, &[], State::Initialize, NEVER),
    ]
}
