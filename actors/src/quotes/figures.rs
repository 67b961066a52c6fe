//! How the Publisher does, for metrics: counters, and how long something has been waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use market::Timestamp;

/// The figures of a Publisher. Clones are the same.
#[derive(Clone, Debug)]
pub struct Figures(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    began: Instant,
    published: AtomicU64,
    conflated: AtomicU64,
    failed: AtomicU64,
    /// Nanoseconds since 1970; zero: never.
    last_success: AtomicI64,
    /// Nanoseconds since `began`, plus one; zero: nothing waits.
    waiting_since: AtomicU64,
}

/// How a Publisher does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Publication {
    /// Quotes that the server has taken.
    pub published: u64,
    /// Quotes that a newer one took the place of before they were published.
    pub conflated: u64,
    /// Batches that the server did not take.
    pub failed: u64,
    /// When it took the last batch, which may be empty; none before the first.
    pub last_success: Option<Timestamp>,
    /// How long a quote has been waiting that the server does not have yet; zero where none does.
    pub lag_nanoseconds: u64,
}

impl Figures {
    pub(super) fn new(began: Instant) -> Self {
        Self(Arc::new(Counts {
            began,
            published: AtomicU64::new(0),
            conflated: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            last_success: AtomicI64::new(0),
            waiting_since: AtomicU64::new(0),
        }))
    }

    /// How it does by now.
    pub fn look(&self, now: Instant) -> Publication {
        let counts = &*self.0;
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let last = counts.last_success.load(Ordering::Relaxed);
        let since = count(&counts.waiting_since).checked_sub(1);
        Publication {
            published: count(&counts.published),
            conflated: count(&counts.conflated),
            failed: count(&counts.failed),
            last_success: (last != 0).then(|| Timestamp::from_nanos(last)),
            lag_nanoseconds: since.map_or(0, |since| self.nanos(now).saturating_sub(since)),
        }
    }

    pub(super) fn published(&self, quotes: u64, at: Timestamp) {
        self.0.published.fetch_add(quotes, Ordering::Relaxed);
        self.0.last_success.store(at.as_nanos(), Ordering::Relaxed);
    }

    pub(super) fn conflated(&self, quotes: u64) {
        self.0.conflated.fetch_add(quotes, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Something waits, since now unless something waits already.
    pub(super) fn waits(&self, now: Instant) {
        if self.0.waiting_since.load(Ordering::Relaxed) == 0 {
            self.0.waiting_since.store(self.nanos(now) + 1, Ordering::Relaxed);
        }
    }

    pub(super) fn nothing_waits(&self) {
        self.0.waiting_since.store(0, Ordering::Relaxed);
    }

    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.0.began).as_nanos()).unwrap_or(u64::MAX - 1)
    }
}
