//! How long after a kill an order may still pass the gate, and whether any does after it is acknowledged,
//! with a million messages in every mailbox on the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actors::System;
use actors::halt::SharedHalt;
use risk::{HaltLevel, HaltScope};

use super::floor::{Watched, look, settings};

/// Symbols that are traded: so many orders are on their way at any moment.
const INSTRUMENTS: u32 = 500;
/// Taken out of the mailboxes between filling them up and the kill, at most.
const MOST_TAKEN: u64 = 20_000;
/// The longest that a floor may be silent before the proof is void.
const SILENCE: Duration = Duration::from_secs(60);

/// What many kills showed.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    /// From the call to the last order at the gate; zero where none came after it. Sorted.
    pub last_order: Vec<Duration>,
    /// From the call to the acknowledgement, the halt stored. Sorted.
    pub acknowledged: Vec<Duration>,
    /// Orders that passed the gate after the acknowledgement.
    pub after_acknowledgement: u64,
    /// Orders decided before a kill that passed the gate after the resume.
    pub stale: u64,
    /// Orders that passed the gate altogether.
    pub orders: u64,
    /// The fewest messages that waited in each mailbox when a kill was called.
    pub least_queued: u64,
}

/// Kills and resumes so many times, with at least so many messages before each order.
///
/// # Panics
/// If nothing trades for a minute: then the proof proves nothing.
pub async fn trials(count: u64, queued: u64, halt_store: SharedHalt, mut progress: impl FnMut(u64)) -> Trials {
    let (settings, watched) = settings(INSTRUMENTS, false, halt_store);
    let system = System::start(settings).await.expect("the system starts");
    let ended = AtomicBool::new(false);
    let found = std::thread::scope(|scope| {
        // Set also when a trial fails: a flood that goes on would keep the scope from ending.
        let _ends = Ends(&ended);
        scope.spawn(|| {
            while !ended.load(Ordering::Acquire) {
                system.flood(queued + queued.min(MOST_TAKEN));
                std::thread::yield_now();
            }
        });
        kill_again_and_again(&system, &watched, count, queued, &mut progress)
    });
    system.abandon().await;
    found
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn kill_again_and_again(
    system: &System,
    watched: &Watched,
    count: u64,
    queued: u64,
    progress: &mut impl FnMut(u64),
) -> Trials {
    let (inquiry, scope) = (system.inquiry(), HaltScope::Global);
    let mut found = Trials { least_queued: u64::MAX, ..Trials::default() };
    let mut killed_in = 0;
    for trial in 0..count {
        wait_for(|| !look(watched).submitted.is_empty() && system.flooded() >= queued);
        // A kill comes at any moment of an order's way.
        std::thread::sleep(Duration::from_micros(trial * 37 % 1_000));
        found.least_queued = found.least_queued.min(system.flooded());
        let called = Instant::now();
        let level = inquiry.kill(&scope, HaltLevel::StopNew, "proof", "a trial").expect("it is stored");
        let acknowledged = Instant::now();
        assert_eq!(level, HaltLevel::StopNew);
        let before = killed_in;
        killed_in = system.halt().epoch();
        // Whatever was on its way has time to come to the gate.
        std::thread::sleep(Duration::from_millis(1));
        let submitted = std::mem::take(&mut look(watched).submitted);
        found.orders += submitted.len() as u64;
        let last = submitted.iter().map(|(at, _)| *at).filter(|at| *at >= called).max();
        found.last_order.push(last.map_or(Duration::ZERO, |last| last - called));
        found.acknowledged.push(acknowledged - called);
        found.after_acknowledgement += submitted.iter().filter(|(at, _)| *at > acknowledged).count() as u64;
        found.stale += submitted.iter().filter(|(_, decided)| *decided < before).count() as u64;
        system.halt().set(&scope, HaltLevel::Active);
        progress(trial + 1);
    }
    found.last_order.sort_unstable();
    found.acknowledged.sort_unstable();
    found
}

fn wait_for(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < SILENCE, "nothing has traded for a minute");
        std::thread::yield_now();
    }
}
