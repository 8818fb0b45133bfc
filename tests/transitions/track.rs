//! Trackers: weights, faults, and what `nopreempt` makes of an Active whose priority falls.

use vipd::vrrp::action::{Action, Hold, Reason};
use vipd::vrrp::track::{Kind, Reading, Tracker, Watched};
use vipd::vrrp::types::Settings;
use vipd::vrrp::types::State::{Active, Backup, Initialize};

use crate::common::bench::ID;
use crate::common::{HIGH, LOW};
use crate::row::*;

fn tracks(settings: &mut Settings, weight: i16) {
    let what = Watched {
        kind: Kind::Interface,
        name: "eth1".into(),
    };
    settings.trackers = [Tracker {
        what,
        weight,
        reverse: false,
        uplink: None,
    }]
    .into();
}

const DOWN_NOW: In = Track(Reading::Down);
const UP_NOW: In = Track(Reading::Up);
/// Skew_Time at priority 51.
const SKEW_51: i64 = 800_781;

fn moved(from: u8) -> Action {
    Action::PriorityChanged(ID, from)
}

#[rustfmt::skip] // one step a line
pub fn rows() -> Vec<Row> {
    vec![
        row("vipd: a new effective priority is advertised at once, and the grid stays", BOTH, Start::Active)
            .with(|s| tracks(s, -50))
            .step(300_000, DOWN_NOW, &[moved(101), advert(51)], Active, SECOND)
            .step(300_001, DOWN_NOW, &[], Active, SECOND)
            .step(SECOND, Timer, &[advert(51)], Active, 2 * SECOND),
        row("vipd: what flaps is advertised out of turn once an interval", BOTH, Start::Active)
            .with(|s| tracks(s, -50))
            .step(300_000, DOWN_NOW, &[moved(101), advert(51)], Active, SECOND)
            .step(400_000, UP_NOW, &[moved(51)], Active, SECOND)
            .step(SECOND, Timer, &[advert(101)], Active, 2 * SECOND)
            .step(SECOND + 300_000, DOWN_NOW, &[moved(101), advert(51)], Active, 2 * SECOND),
        row("keepalived: the sum stays within 1 and 254", BOTH, Start::Active)
            .with(|s| tracks(s, 253))
            .step(300_000, DOWN_NOW, &[moved(254), advert(101)], Active, SECOND),
        row("keepalived: it does not fall below 1", BOTH, Start::Active)
            .with(|s| tracks(s, -253))
            .step(300_000, DOWN_NOW, &[moved(101), advert(1)], Active, SECOND),
        row("keepalived: the owner's priority does not move", BOTH, Start::Active)
            .with(|s| { s.priority = 255; tracks(s, -50); })
            .step(300_000, DOWN_NOW, &[], Active, SECOND),
        row("keepalived: a tracker without a weight is a fault, and the Active says that it leaves", BOTH, Start::Active)
            .with(|s| tracks(s, 0))
            .step(300_000, DOWN_NOW, &[advert(0), REMOVE, held(Active, Hold::Tracker(0))], Initialize, NEVER)
            .step(SECOND, UP_NOW, &[changed(Initialize, Backup, Reason::Ready)], Backup, SECOND + DOWN),
        row("keepalived: a fault of the owner too", BOTH, Start::Active)
            .with(|s| { s.priority = 255; tracks(s, 0); })
            .step(300_000, DOWN_NOW, &[advert(0), REMOVE, held(Active, Hold::Tracker(0))], Initialize, NEVER),
        row("vipd: an instance waits for its trackers to be read", BOTH, Start::Initialize)
            .with(|s| tracks(s, -50))
            .step(0, UP, &[], Initialize, NEVER)
            .step(1, DOWN_NOW, &[moved(101), changed(Initialize, Backup, Reason::Ready)], Backup, 1 + 3 * SECOND + SKEW_51),
        row("vipd: a Backup's timer moves by the difference of Skew_Time", BOTH, Start::Backup)
            .with(|s| tracks(s, -50))
            .step(SECOND, DOWN_NOW, &[moved(101)], Backup, 3 * SECOND + SKEW_51)
            .step(2 * SECOND, UP_NOW, &[moved(51)], Backup, DOWN),
        row("RFC 9568 §6.4.2 (an Active that a weight puts above us is followed again)", BOTH, Start::Backup)
            .with(|s| tracks(s, -50))
            .step(SECOND, Advert(LOW, 100), &[], Backup, DOWN)
            .step(2 * SECOND, DOWN_NOW, &[moved(101)], Backup, 5 * SECOND + SKEW_51),
        row("RFC 9568 §6.4.3 (a weight below the other router's priority gives way)", BOTH, Start::Active)
            .with(|s| tracks(s, -50))
            .step(300_000, DOWN_NOW, &[moved(101), advert(51)], Active, SECOND)
            .step(400_000, Advert(HIGH, 100), &[REMOVE, changed(Active, Backup, Reason::HigherPriority { by: HIGH, priority: 100 })], Backup, 3_400_000 + SKEW_51),
        row("vipd: with nopreempt, an Active whose priority falls below ours is replaced", BOTH, Start::Backup)
            .with(|s| s.preempt = false)
            .step(SECOND, Advert(LOW, 100), &[], Backup, SECOND + DOWN)
            .step(2 * SECOND, Advert(LOW, 50), &[], Backup, SECOND + DOWN)
            .step(3 * SECOND, Advert(LOW, 50), &[], Backup, SECOND + DOWN)
            .step(SECOND + DOWN, Timer, &takeover(101, Backup, Reason::Preempted { by: LOW, priority: 50 }), Active, 2 * SECOND + DOWN),
        row("vipd: with nopreempt, an Active that recovers in time is left alone", BOTH, Start::Backup)
            .with(|s| s.preempt = false)
            .step(SECOND, Advert(LOW, 100), &[], Backup, SECOND + DOWN)
            .step(2 * SECOND, Advert(LOW, 50), &[], Backup, SECOND + DOWN)
            .step(3 * SECOND, Advert(LOW, 100), &[], Backup, 3 * SECOND + DOWN)
            .step(4 * SECOND, Advert(LOW, 100), &[], Backup, 4 * SECOND + DOWN),
        row("vipd: with nopreempt, an Active that falls and stays above us is left alone", BOTH, Start::Backup)
            .with(|s| s.preempt = false)
            .step(SECOND, Advert(LOW, 200), &[], Backup, SECOND + DOWN)
            .step(2 * SECOND, Advert(LOW, 101), &[], Backup, 2 * SECOND + DOWN),
        row("vipd: with nopreempt, our own priority that rises changes nothing", BOTH, Start::Backup)
            .with(|s| { s.preempt = false; tracks(s, -50); })
            .step(SECOND, DOWN_NOW, &[moved(101)], Backup, 3 * SECOND + SKEW_51)
            .step(2 * SECOND, Advert(LOW, 80), &[], Backup, 5 * SECOND + SKEW_51)
            .step(3 * SECOND, UP_NOW, &[moved(51)], Backup, 2 * SECOND + DOWN)
            .step(4 * SECOND, Advert(LOW, 80), &[], Backup, 4 * SECOND + DOWN),
    ]
}
