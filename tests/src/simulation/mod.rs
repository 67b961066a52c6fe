//! A seeded, deterministic world for the order protocol: whole engines in it, and everything that can
//! go wrong with them.
//!
//! The engine under test is the real one as far as it decides: `desk::Protocol`, built by `Restore` from
//! what is durable, real strategies in real hosts, the real halt switch. What runs it live, actors with
//! mailboxes, a store, a line to a broker, is imitated hop by hop by a scheduler of our own, so that a
//! crash can fall between any two steps and one seed repeats one run exactly.
//!
//! - [`world`]: the queue of everything that is to happen, and the loop
//! - [`process`], `account`, `broker`, `journal`, `traders`, `engine`: one engine process
//! - [`disk`]: the store; `network`: the line; [`venue`]: the broker, which holds the truth
//! - [`faults`]: what goes wrong how often; `trouble`: when; [`coverage`]: what was reached
//! - [`oracle`]: the judge
//!
//! `scripts/simulate --seeds N` runs it; a slice runs with the tests.

#![expect(missing_docs, reason = "a test bed: fields are told by their types and by the code that uses them")]

mod account;
mod broker;
pub mod coverage;
pub mod disk;
mod engine;
pub mod faults;
mod journal;
mod network;
pub mod oracle;
pub mod process;
pub mod queue;
pub mod random;
pub mod trace;
mod traders;
mod trouble;
pub mod venue;
pub mod world;

use coverage::Coverage;
use world::World;

/// How the engine under test is broken on purpose, to show that the judge sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Broken {
    /// Not at all.
    #[default]
    No,
    /// After a start it sends again what was not answered.
    ResendsAfterRestart,
    /// It takes silence for a rejection.
    TimeoutIsRejection,
    /// It sends before the entry is durable.
    SendsBeforeCommit,
    /// It takes an execution that comes again for another one.
    RenamesExecutions,
    /// Neither its review nor its gate looks at the switch.
    IgnoresHalt,
}

/// What a run is made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Its seed.
    pub seed: u64,
    /// Sessions to live through; 0: three to five, as the seed has it.
    pub days: usize,
    /// How the engine is broken.
    pub broken: Broken,
    /// Keep a history of everything, not of the faults alone.
    pub verbose: bool,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Digest of everything that happened: the same seed gives the same.
    pub digest: String,
    /// What must never be, and was.
    pub violations: Vec<String>,
    /// What was reached.
    pub coverage: Coverage,
    /// Faults in the order of their time.
    pub history: Vec<String>,
    /// Sessions lived through.
    pub sessions: usize,
    /// New orders that left.
    pub orders: u64,
    /// Fills at the broker of orders of ours.
    pub fills: u64,
    /// Starts of an engine.
    pub starts: u64,
    /// Crashes of one.
    pub crashes: u64,
    /// Entries of the journal.
    pub entries: u64,
}

/// Runs one seed.
pub fn run(settings: Settings) -> Outcome {
    let mut world = World::new(settings);
    world.run();
    let judged = world.judge();
    world.trace.bytes(format!("{:?}", world.violations).as_bytes());
    let own = |execution: &&venue::VenueExecution| matches!(execution.stated.reference, market::OrderReference::Own(_));
    Outcome {
        seed: settings.seed,
        digest: world.trace.digest().to_string(),
        fills: world.venue.executions.iter().filter(own).count() as u64,
        violations: world.violations,
        coverage: world.coverage,
        history: world.trace.history,
        sessions: world.sessions.len(),
        orders: world.orders_sent,
        starts: world.starts,
        crashes: world.crashes,
        entries: judged.entries,
    }
}
