//! How a channel does: counted where it happens, read by whoever asks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use super::Alert;

/// How a channel has done since the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ChannelStats {
    /// Which.
    pub channel: &'static str,
    /// Alerts that arrived.
    pub sent: u64,
    /// Tries that failed, also of alerts that arrived later.
    pub failed: u64,
    /// Alerts that found no room.
    pub dropped: u64,
    /// Alerts that were tried for too long, or refused for good.
    pub given_up: u64,
    /// Age of the oldest alert that has not arrived yet, in nanoseconds; zero if there is none.
    pub waiting_nanoseconds: i64,
    /// How long the last one took from being raised until it arrived, in nanoseconds.
    pub last_nanoseconds: i64,
    /// The longest so far.
    pub longest_nanoseconds: i64,
}

/// The counters of a channel.
pub struct Counters {
    name: &'static str,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    given_up: AtomicU64,
    last: AtomicI64,
    longest: AtomicI64,
    /// Since somebody looked.
    slowest: AtomicI64,
    /// When those in the queue were raised, oldest first. Bounded as the queue is.
    waiting: Mutex<VecDeque<Instant>>,
}

fn nanos_since(raised: Instant) -> i64 {
    i64::try_from(raised.elapsed().as_nanos()).unwrap_or(i64::MAX)
}

impl Counters {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            last: AtomicI64::new(0),
            longest: AtomicI64::new(0),
            slowest: AtomicI64::new(0),
            waiting: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn queued(&self, alert: &Alert) {
        self.lock().push_back(alert.raised);
    }

    /// It was counted in and found no room.
    pub(super) fn dropped(&self, alert: &Alert) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.lock();
        if let Some(place) = waiting.iter().rposition(|raised| *raised == alert.raised) {
            waiting.remove(place);
        }
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, alert: &Alert) {
        let took = nanos_since(alert.raised);
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.last.store(took, Ordering::Relaxed);
        self.longest.fetch_max(took, Ordering::Relaxed);
        self.slowest.fetch_max(took, Ordering::Relaxed);
        self.done(alert);
    }

    pub(super) fn given_up(&self, alert: &Alert) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
        self.done(alert);
    }

    /// Raised at the same moment on two threads, they may wait in another order than they came.
    fn done(&self, alert: &Alert) {
        let mut waiting = self.lock();
        while waiting.front().is_some_and(|raised| *raised <= alert.raised) {
            waiting.pop_front();
        }
    }

    /// The slowest delivery since this was asked last.
    pub(super) fn take_slowest(&self) -> i64 {
        self.slowest.swap(0, Ordering::Relaxed)
    }

    pub(super) fn stats(&self) -> ChannelStats {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        ChannelStats {
            channel: self.name,
            sent: count(&self.sent),
            failed: count(&self.failed),
            dropped: count(&self.dropped),
            given_up: count(&self.given_up),
            waiting_nanoseconds: self.lock().front().map_or(0, |raised| nanos_since(*raised)),
            last_nanoseconds: self.last.load(Ordering::Relaxed),
            longest_nanoseconds: self.longest.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Instant>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
