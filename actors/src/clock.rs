//! The seam for time: the system's clock, or one that the feed moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use market::Timestamp;

/// Where time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Compressed time: the feed moves it to the time of each event.
    Simulated(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start` until it is moved.
    pub fn simulated(start: Timestamp) -> Self {
        Self::Simulated(Arc::new(AtomicI64::new(start.as_nanos())))
    }

    /// Now.
    #[inline]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                // 2^63 nanoseconds are over in 2262.
                Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
            }
            Self::Simulated(now) => Timestamp::from_nanos(now.load(Ordering::Acquire)),
        }
    }

    /// Moves a simulated clock forward; the machine's clock is left alone.
    #[inline]
    pub fn advance(&self, to: Timestamp) {
        if let Self::Simulated(now) = self {
            now.fetch_max(to.as_nanos(), Ordering::AcqRel);
        }
    }
}
