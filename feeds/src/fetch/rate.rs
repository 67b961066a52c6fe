//! How often a source may be asked: an even beat for each, whoever asks and however often a run starts.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use market::history::SourceName;

use super::time::{Time, tick};
use crate::source::Facts;

/// Time as `governor` wants it.
#[derive(Clone)]
struct Ticks(Arc<dyn Time>);

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        tick(self.0.now())
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Nanos>>;

/// The beat of every source that was asked so far.
pub(super) struct Rates {
    time: Arc<dyn Time>,
    limiters: Mutex<HashMap<SourceName, Arc<Limiter>>>,
}

impl Rates {
    pub(super) fn new(time: Arc<dyn Time>) -> Self {
        Self { time, limiters: Mutex::new(HashMap::new()) }
    }

    /// How long until this source may be asked; asked now if not at all.
    pub(super) fn until_allowed(&self, facts: &Facts) -> Option<Duration> {
        let limiter = self.limiter(facts);
        limiter.check().err().map(|not_until| not_until.wait_time_from(tick(self.time.now())))
    }

    fn limiter(&self, facts: &Facts) -> Arc<Limiter> {
        let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            // One at a time: a burst is what gets an address blocked.
            let a_minute = NonZeroU32::new(facts.requests_per_minute).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::per_minute(a_minute).allow_burst(NonZeroU32::MIN);
            Arc::new(RateLimiter::direct_with_clock(quota, Ticks(Arc::clone(&self.time))))
        };
        Arc::clone(limiters.entry(facts.name).or_insert_with(make))
    }
}
