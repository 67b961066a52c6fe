//! What the sources of market data have answered in this run: for the log, and for whoever scrapes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use feeds::fetch::{Observer, Outcome, Try};

/// Tries of one source.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SourceFigures {
    /// Tries by how they ended.
    pub tries: BTreeMap<&'static str, u64>,
    /// Bytes that came.
    pub bytes: u64,
    /// Items that were kept.
    pub items: u64,
    /// When something was last kept or found unchanged, in seconds since 1970.
    pub last_success: Option<i64>,
    /// Of when its newest item is, in seconds since 1970.
    pub newest: Option<i64>,
}

/// All sources. Clones are the same figures.
#[derive(Clone, Default)]
pub struct Observed(Arc<Mutex<BTreeMap<String, SourceFigures>>>);

impl Observed {
    /// The figures so far, by source.
    pub fn figures(&self) -> BTreeMap<String, SourceFigures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const fn is_success(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Kept | Outcome::NotModified | Outcome::Known | Outcome::Nothing)
}

impl Observer for Observed {
    fn tried(&self, event: &Try) {
        let Try { source, key, number, outcome, problem, bytes, items, took, at, newest } = event;
        let seconds = |at: &market::Timestamp| at.as_nanos() / market::time::NANOS_PER_SECOND;
        {
            let mut figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let of = figures.entry(source.to_string()).or_default();
            *of.tries.entry(outcome.name()).or_default() += 1;
            of.bytes += bytes;
            of.items += items;
            of.newest = of.newest.max(newest.as_ref().map(seconds));
            if is_success(*outcome) {
                of.last_success = of.last_success.max(Some(seconds(at)));
            }
        }
        let (outcome_name, seconds) = (outcome.name(), took.as_secs_f64());
        if is_success(*outcome) {
            tracing::info!(%source, key, number, outcome = outcome_name, bytes, items, seconds, "asked");
        } else {
            tracing::warn!(%source, key, number, outcome = outcome_name, bytes, seconds, problem, "asked in vain");
        }
    }
}
