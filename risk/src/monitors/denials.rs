//! Bursts of denials: a strategy that is denied again and again by one check does not understand what
//! happens to it, or a limit is wrong. More than so many a minute by one check, and a person is told; once
//! for as long as it lasts.

use std::collections::{BTreeMap, VecDeque};

use market::Timestamp;
use market::time::NANOS_PER_SECOND;

use super::{Breach, Built, Configured, Monitor, Observation, Severity};
use crate::checks::Figure;

pub(super) const NAME: &str = "denials";

/// Denials are counted within this.
const WINDOW: i64 = 60 * NANOS_PER_SECOND;
/// And kept by the second: no more places than the window has seconds.
const STEP: i64 = NANOS_PER_SECOND;

#[derive(Debug, Default)]
struct Burst {
    /// All that the account counted so far.
    total: u64,
    /// Denials of the window, by the second.
    recent: VecDeque<(i64, u64)>,
    within: u64,
    is_told: bool,
}

#[derive(Debug)]
struct Denials {
    most: u64,
    /// A clock that goes back opens no window anew.
    latest: i64,
    checks: BTreeMap<&'static str, Burst>,
}

pub(super) fn build(configured: &Configured<'_>) -> Vec<Built> {
    let most = u64::from(configured.settings.most_denials.0);
    vec![Built::teller(Denials { most, latest: i64::MIN, checks: BTreeMap::new() })]
}

impl Burst {
    fn add(&mut self, total: u64, second: i64) {
        // An account that started anew counts from zero.
        let more = if total < self.total { total } else { total - self.total };
        self.total = total;
        if more > 0 {
            match self.recent.back_mut().filter(|(of, _)| *of == second) {
                Some((_, count)) => *count += more,
                None => self.recent.push_back((second, more)),
            }
            self.within += more;
        }
        while let Some((_, count)) = self.recent.pop_front_if(|(of, _)| *of <= second - WINDOW / STEP) {
            self.within -= count;
        }
    }
}

fn second_of(at: Timestamp) -> i64 {
    at.as_nanos().div_euclid(STEP)
}

impl Monitor for Denials {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Account(figures) = seen else { return };
        self.latest = self.latest.max(second_of(figures.at));
        for (check, total) in &figures.denials {
            let burst = self.checks.entry(check).or_default();
            burst.add(*total, self.latest);
            let is_beyond = burst.within > self.most;
            if is_beyond && !burst.is_told {
                let breach = Breach::tell(NAME, Severity::Error, figures.at);
                let (seen, limit) = (Figure::Count(burst.within), Figure::Count(self.most));
                breaches.push(breach.because(format!("denied by {check} within a minute"), seen, limit));
            }
            burst.is_told = is_beyond;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MonitorSettings;
    use super::super::tests_support::{World, told};
    use super::*;
    use crate::limits::amounts::Count;
    use proptest::prelude::*;

    fn world() -> World {
        let mut world = World::with(|_| {});
        world.settings = MonitorSettings { most_denials: Count(3), ..MonitorSettings::default() };
        world
    }

    fn look(world: &mut World, watch: &mut super::super::Watch, second: i64, total: u64) -> usize {
        world.figures.at = Timestamp::from_nanos(second * NANOS_PER_SECOND);
        world.figures.denials.insert("price_collar", total);
        told(watch, world).len()
    }

    #[test]
    fn more_than_so_many_a_minute_by_one_check_are_told_once_while_it_lasts() {
        let mut world = world();
        let watch = &mut world.watches(NAME)[0];
        world.figures.denials.insert("stale_quote", 3);
        for (second, total, expected) in [
            (100, 2, 0),
            (101, 3, 0), // at the limit
            (102, 4, 1), // one beyond
            (103, 9, 0),
            (162, 9, 0),
            (163, 9, 0), // the window is empty
            (164, 12, 0),
            (165, 13, 1),
            (90, 13, 0), // a clock that goes back
            (300, 2, 0), // an account that started anew
            (301, 4, 1),
        ] {
            assert_eq!(look(&mut world, watch, second, total), expected, "{second} {total}");
        }
    }

    proptest! {
        /// As a list of all denials with their seconds says.
        #[test]
        fn it_counts_as_a_list_does(steps in prop::collection::vec((0_i64..30, 0_u64..4), 1..80)) {
            let mut world = world();
            let watch = &mut world.watches(NAME)[0];
            let (mut now, mut total, mut list, mut was_beyond) = (1_000, 0, Vec::new(), false);
            for (later, more) in steps {
                now += later;
                total += more;
                list.extend(std::iter::repeat_n(now, more as usize));
                let is_beyond = list.iter().filter(|second| **second > now - 60).count() > 3;
                prop_assert_eq!(look(&mut world, watch, now, total), usize::from(is_beyond && !was_beyond));
                was_beyond = is_beyond;
            }
        }
    }
}
