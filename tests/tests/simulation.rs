//! A slice of the simulation: no seed may violate anything, one seed is one run, and the judge finds
//! engines that are broken on purpose. `scripts/simulate --seeds N` runs as many as one likes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tests::simulation::{Broken, Outcome, Settings, run};

/// Seeds of the slice that live through one session, and through several. This profile is slow: the many
/// seeds, and the gate on what must have been reached, are in `scripts/simulate`.
const SHORT: u64 = 90;
/// See [`SHORT`].
const LONG: u64 = 10;
/// Seeds within which a broken engine must be found.
const BOUND: u64 = 40;

/// Runs seeds side by side; the result does not depend on how many threads there are.
fn outcomes(seeds: impl Iterator<Item = u64>, days: usize) -> BTreeMap<u64, Outcome> {
    let seeds: Vec<u64> = seeds.collect();
    let (next, found) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let outcome = run(Settings { seed: *seed, days, ..Settings::default() });
                    found.lock().expect("no run panics").insert(*seed, outcome);
                }
            });
        }
    });
    found.into_inner().expect("no run panics")
}

#[test]
fn no_seed_of_the_slice_violates_anything() {
    let mut orders = 0;
    let long = outcomes(SHORT + 1..=SHORT + LONG, 0);
    for (seed, outcome) in outcomes(1..=SHORT, 1).into_iter().chain(long) {
        assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}", outcome.violations);
        orders += outcome.orders;
    }
    assert!(orders > 1_000, "{orders} orders are not worth the name of a simulation");
}

#[test]
fn one_seed_is_one_run() {
    let (once, again) = (outcomes(1..=3, 1), outcomes(1..=3, 1));
    for (seed, outcome) in &once {
        assert_eq!(outcome.digest, again[seed].digest, "seed {seed}");
        assert_eq!(outcome.coverage.paths, again[seed].coverage.paths, "seed {seed}");
    }
    assert_ne!(once[&1].digest, once[&2].digest);
}

/// The first violation that contains `words`, among the seeds in which an engine broken like this runs.
fn found(broken: Broken, words: &str) -> Option<String> {
    (1..=BOUND).find_map(|seed| {
        let outcome = run(Settings { seed, days: 1, broken, ..Settings::default() });
        outcome.violations.into_iter().find(|violation| violation.contains(words))
    })
}

#[test]
fn an_engine_that_resends_after_a_start_is_found() {
    assert!(found(Broken::ResendsAfterRestart, "received the same new order twice").is_some());
}

#[test]
fn an_engine_that_takes_silence_for_a_rejection_is_found() {
    assert!(found(Broken::TimeoutIsRejection, "is open at the broker").is_some());
}

#[test]
fn an_engine_that_sends_before_the_commit_is_found() {
    assert!(found(Broken::SendsBeforeCommit, "before its intent was durable").is_some());
}

#[test]
fn an_engine_that_counts_an_execution_twice_is_found() {
    assert!(found(Broken::RenamesExecutions, "-AGAIN").is_some());
}

#[test]
fn an_engine_that_trades_while_halted_is_found() {
    assert!(found(Broken::IgnoresHalt, "left while trading was").is_some());
}
