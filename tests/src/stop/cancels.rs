//! How soon every open order has been asked to be cancelled.

use std::time::{Duration, Instant};

use actors::System;
use actors::halt::SharedHalt;
use risk::{HaltLevel, HaltScope};

use super::floor::{Floor, Kind, floor};

/// The longest that orders may take to come in, and to be cancelled.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lets so many orders come to rest, throws cancel-all, and measures from the call to the last request to
/// cancel at the venue.
///
/// # Panics
/// If they do not come in, or are not all cancelled, within a minute.
pub async fn cancel_all(open: u32, halt_store: SharedHalt) -> Duration {
    let kind = Kind { instruments: open, strategies: 1, rests: true };
    let Floor { settings, watched, .. } = floor(kind, halt_store);
    let system = System::start(settings).await.expect("the system starts");
    until("orders", || watched.seen().submitted.len() >= open as usize).await;
    let called = Instant::now();
    let inquiry = system.inquiry();
    inquiry.kill(&HaltScope::Global, HaltLevel::CancelAll, "proof", "a trial").expect("it is stored");
    until("cancels", || watched.seen().canceled.len() >= open as usize).await;
    let last = watched.seen().canceled.iter().take(open as usize).max().copied().unwrap_or(called);
    assert_eq!(watched.seen().submitted.len(), open as usize, "nothing new came in");
    system.abandon().await;
    last - called
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not all {what} within a minute");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}
