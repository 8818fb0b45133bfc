//! The deterministic simulation: real routers on a virtual network and clock, thousands of worlds,
//! each drawn from its seed.
//!
//! `VIPD_SIM_SEED=n cargo test --test sim -- --nocapture` replays one world with a trace;
//! `VIPD_SIM_SEEDS=n` changes how many are run.
#![allow(unreachable_pub)]

#[path = "sim/chaos.rs"]
mod chaos;
mod common;
#[path = "sim/execute.rs"]
mod execute;
#[path = "sim/follow.rs"]
mod follow;
#[path = "sim/node.rs"]
mod node;
#[path = "sim/oracle.rs"]
mod oracle;
#[path = "sim/plan.rs"]
mod plan;
#[path = "sim/quiet.rs"]
mod quiet;
#[path = "sim/rng.rs"]
mod rng;
#[path = "sim/stats.rs"]
mod stats;
#[path = "sim/sync.rs"]
mod sync;
#[path = "sim/uplink.rs"]
mod uplink;
#[path = "sim/watch.rs"]
mod watch;
#[path = "sim/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stats::Stats;
use world::World;

const SEEDS: u64 = 10_000;

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is no number")),
    )
}

/// Runs seeds until there are no more or one has failed.
fn worker(next: &AtomicU64, end: u64, failed: &AtomicBool) -> Stats {
    let mut total = Stats::default();
    while !failed.load(Ordering::Relaxed) {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            break;
        }
        let mut world = None;
        let lived = catch_unwind(AssertUnwindSafe(|| {
            world.insert(World::new(seed, false)).live()
        }));
        if lived.is_err() {
            failed.store(true, Ordering::Relaxed);
            eprintln!("seed {seed} failed; replay it with a trace:");
            eprintln!("  VIPD_SIM_SEED={seed} cargo test --test sim worlds -- --nocapture");
        } else if let Some(world) = world {
            total.add(&world.stats);
        }
    }
    total
}

#[test]
fn worlds() {
    if let Some(seed) = from_environment("VIPD_SIM_SEED") {
        World::new(seed, true).live();
        return;
    }
    let end = from_environment("VIPD_SIM_SEEDS").unwrap_or(SEEDS);
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut total = Stats::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| worker(&next, end, &failed)))
            .collect();
        for worker in workers {
            total.add(
                &worker
                    .join()
                    .expect("a worker catches what its worlds throw"),
            );
        }
    });
    for (name, number) in total.all() {
        println!("{number:>12} {name}");
    }
    assert!(!failed.load(Ordering::Relaxed), "a world failed, see above");
    if end >= 1_000 {
        for (name, number) in total.all() {
            assert!(
                number > 0,
                "{name} never occurred: the simulation does not show what it says"
            );
        }
    }
}

/// Whoever replays a seed sees what failed.
#[test]
fn the_same_seed_is_the_same_world() {
    let mut seen = Vec::new();
    for seed in 0..20 {
        let life = || {
            let mut world = World::new(seed, false);
            world.live();
            (world.fingerprint, world.now, world.stats.adverts)
        };
        let first = life();
        assert_eq!(first, life(), "seed {seed}");
        assert!(!seen.contains(&first.0), "seed {seed} is another's");
        seen.push(first.0);
    }
}
