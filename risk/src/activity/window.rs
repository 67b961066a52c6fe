//! When something happened lately: a ring of instants.
//!
//! Memory is bounded twice. No more than `KEPT` instants are kept, which is more than any limit may ask for
//! (`activity::too_much`), and none that is older than [`LONGEST`], the longest window that a limit may have.
//!
//! A clock that goes back does not open a window: an instant counts as no earlier than the one before it
//! (`Activity::at`), so what happened stays in the window until the clock has caught up.

use std::collections::VecDeque;

use market::Timestamp;
use market::time::NANOS_PER_SECOND;
use serde::{Deserialize, Serialize};

use crate::limits::amounts::{Count, Seconds};

/// The longest window: a day.
pub const LONGEST: Seconds = Seconds(86_400);

const LONGEST_NANOS: i64 = 86_400 * NANOS_PER_SECOND;

/// Instants, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Window<const KEPT: usize>(VecDeque<Timestamp>);

impl<const KEPT: usize> Window<KEPT> {
    /// It happened again. `at` is no earlier than the last time.
    pub(super) fn push(&mut self, at: Timestamp) {
        let horizon = at.plus_nanos(-LONGEST_NANOS);
        while self.0.len() >= KEPT || self.0.front().is_some_and(|first| *first <= horizon) {
            self.0.pop_front();
        }
        self.0.push_back(at);
    }

    /// How often it happened in the window that ends at `now`. What is exactly as old as the window is long
    /// has left it.
    pub(super) fn count(&self, now: Timestamp, window: Seconds) -> u64 {
        let begin = now.plus_nanos(-window.nanos());
        (self.0.len() - self.0.partition_point(|at| *at <= begin)) as u64
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// How often something may happen: a limit that is more than is kept counts as what is kept, one that is
    /// wide open as none.
    pub(super) fn most(limit: Count) -> u64 {
        if limit.0 == u32::MAX { u64::from(limit.0) } else { u64::from(limit.0).min(KEPT as u64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = NANOS_PER_SECOND;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn it_leaves_the_window_to_the_nanosecond() {
        let mut window = Window::<4>::default();
        window.push(at(0));
        window.push(at(SECOND));
        for (now, expected) in
            [(SECOND, 2), (10 * SECOND - 1, 2), (10 * SECOND, 1), (11 * SECOND - 1, 1), (11 * SECOND, 0)]
        {
            assert_eq!(window.count(at(now), Seconds(10)), expected, "at {now}");
        }
    }

    #[test]
    fn a_limit_beyond_what_is_kept_counts_as_what_is_kept() {
        let most = [0, 1, 3, 4, 5, u32::MAX - 1, u32::MAX].map(|limit| Window::<4>::most(Count(limit)));
        assert_eq!(most, [0, 1, 3, 4, 4, 4, u64::from(u32::MAX)]);
    }

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn it_counts_what_a_list_counts(steps in prop::collection::vec((0_i64..40_000, 1_u32..90_000), 1..200)) {
            let mut window = Window::<16>::default();
            let (mut now, mut list) = (0, Vec::new());
            for (seconds, long) in steps {
                now += seconds * SECOND;
                window.push(at(now));
                list.push(now);
                let long = Seconds(long.min(LONGEST.0));
                let within = list.iter().filter(|one| now - **one < long.nanos()).count().min(16);
                prop_assert_eq!(window.count(at(now), long), within as u64);
                prop_assert!(window.0.len() <= 16);
            }
        }
    }
}
