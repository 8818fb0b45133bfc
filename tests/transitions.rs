//! The transition table: one row a sentence of RFC 9568 §6.4 (and RFC 3768 §6.4), or of what vipd
//! promises beyond it, tagged with its section. Every packet goes through the whole ladder.
//!
//! Time 0 of a row is when the state it starts in was entered. All times are µs.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "transitions/active.rs"]
mod active;
#[path = "transitions/backup.rs"]
mod backup;
mod common;
#[path = "transitions/group.rs"]
mod group;
#[path = "transitions/initialize.rs"]
mod initialize;
#[path = "transitions/ladder.rs"]
mod ladder;
#[path = "transitions/options.rs"]
mod options;
#[path = "transitions/row.rs"]
mod row;
#[path = "transitions/track.rs"]
mod track;
#[path = "transitions/unicast.rs"]
mod unicast;
#[path = "transitions/warnings.rs"]
mod warnings;

#[test]
fn initialize_as_rfc_9568_6_4_1() {
    initialize::rows().iter().for_each(row::Row::run);
}

#[test]
fn backup_as_rfc_9568_6_4_2() {
    backup::rows().iter().for_each(row::Row::run);
}

#[test]
fn active_as_rfc_9568_6_4_3() {
    active::rows().iter().for_each(row::Row::run);
}

#[test]
fn preempt_delay_announcements_and_addresses() {
    options::rows().iter().for_each(row::Row::run);
}

#[test]
fn trackers_and_nopreempt() {
    track::rows().iter().for_each(row::Row::run);
}

/// A table that loses rows must not look like one that passes.
#[test]
fn the_table_is_whole_and_its_tags_are_unique() {
    let mut tags: Vec<&str> = [
        initialize::rows(),
        backup::rows(),
        active::rows(),
        options::rows(),
        track::rows(),
    ]
    .iter()
    .flatten()
    .map(|row| row.tag)
    .collect();
    assert!(tags.len() >= 70, "only {} rows", tags.len());
    tags.sort_unstable();
    let repeated = tags.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(repeated, None, "each row cites its own sentence");
}

/// The runner notices a wrong expectation, whichever part of it is wrong.
#[test]
fn a_wrong_row_fails() {
    use row::*;
    use vipd::vrrp::types::State;
    let wrong = [
        row("wrong actions", BOTH, Start::Active).step(
            SECOND,
            Timer,
            &[],
            State::Active,
            2 * SECOND,
        ),
        row("wrong state", BOTH, Start::Active).step(
            SECOND,
            Timer,
            &[advert(101)],
            State::Backup,
            2 * SECOND,
        ),
        row("wrong timer", BOTH, Start::Active).step(
            SECOND,
            Timer,
            &[advert(101)],
            State::Active,
            SECOND,
        ),
    ];
    for row in wrong {
        assert!(
            std::panic::catch_unwind(|| row.run()).is_err(),
            "{}",
            row.tag
        );
    }
}
