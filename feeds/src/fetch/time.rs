//! The seam for what a fetch does with time and chance: the hour, waiting, jitter.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use governor::nanos::Nanos;
use market::Timestamp;

/// Where a fetch gets the hour from, how it waits, and what makes two waits differ.
pub trait Time: Send + Sync {
    /// Now. It never goes back.
    fn now(&self) -> Timestamp;
    /// Waits this long.
    fn sleep(&self, span: Duration);
    /// Any number: jitter is drawn from it.
    fn chance(&self) -> u64;
}

/// The machine's time: its clock at the start, and from then on what has passed, so that a corrected
/// clock neither stops a fetch for an hour nor lets it rush.
#[derive(Debug)]
pub struct MachineTime {
    started: Instant,
    at: Timestamp,
}

impl MachineTime {
    /// From now on.
    #[allow(clippy::new_without_default, reason = "it reads the clock, which a default should not")]
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), at: Timestamp::from_nanos(nanos(since)) }
    }
}

impl Time for MachineTime {
    fn now(&self) -> Timestamp {
        self.at.plus_nanos(nanos(self.started.elapsed()))
    }

    fn sleep(&self, span: Duration) {
        std::thread::sleep(span);
    }

    fn chance(&self) -> u64 {
        // Keyed anew at each call: good enough to spread retries.
        RandomState::new().hash_one(self.started)
    }
}

/// A span in nanoseconds, held at the end of the range: 292 years.
pub(super) fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// What `governor` counts from: nanoseconds since 1970.
pub(super) fn tick(at: Timestamp) -> Nanos {
    Nanos::from(u64::try_from(at.as_nanos()).unwrap_or_default())
}
