//! C28, book and broker: what a comparison cannot explain is stopped at once by the order protocol, where it
//! is. The second comparison that goes wrong in a row halts: the symbol or the account that still differs,
//! and the account when no comparison could be made at all, because then nobody knows what it holds.

use std::collections::BTreeSet;

use market::InstrumentId;

use super::{Breach, Built, Configured, Figures, Monitor, Observation};
use crate::checks::Figure;
use crate::halt::{HaltLevel, HaltScope};

pub(super) const NAME: &str = "reconciliation";

/// Comparisons in a row that may go wrong: one. The next is a strike too many.
const MOST: u32 = 1;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum What {
    Failed,
    Account,
    Instrument(InstrumentId),
}

#[derive(Debug, Default)]
struct Reconciliation {
    beyond: BTreeSet<What>,
}

pub(super) fn build(_: &Configured<'_>) -> Vec<Built> {
    vec![Built::guard(HaltScope::Account, Reconciliation::default())]
}

/// Everything that has gone wrong more often in a row than it may.
fn struck_out(figures: &Figures) -> impl Iterator<Item = (What, u32)> + '_ {
    let comparison = &figures.comparison;
    let instruments = comparison.instruments.iter().map(|(id, strikes)| (What::Instrument(*id), *strikes));
    let whole = [(What::Failed, comparison.failed), (What::Account, comparison.account)];
    whole.into_iter().chain(instruments).filter(|(_, strikes)| *strikes > MOST)
}

impl Monitor for Reconciliation {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Account(figures) = seen else { return };
        for (what, strikes) in struck_out(figures).filter(|(what, _)| !self.beyond.contains(what)) {
            let (scope, words) = match what {
                What::Failed => (HaltScope::Account, "book and broker could not be compared, times in a row"),
                What::Account => (HaltScope::Account, "book and broker differ on the account, times in a row"),
                What::Instrument(id) => (figures.scope_of(id), "book and broker differ, times in a row"),
            };
            let breach = Breach::halt(NAME, scope, HaltLevel::Halted, figures.at);
            let (seen, limit) = (Figure::Count(u64::from(strikes)), Figure::Count(u64::from(MOST)));
            breaches.push(breach.because(words, seen, limit));
        }
        if !self.beyond.is_empty() || struck_out(figures).next().is_some() {
            self.beyond = struck_out(figures).map(|(what, _)| what).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{World, told};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_second_strike_in_a_row_halts_what_it_is_about() {
        let mut world = World::with(|_| {});
        let watch = &mut world.watches(NAME)[0];
        for (failed, account, instrument, expected) in [
            (0, 0, 0, vec![]),
            (1, 1, 1, vec![]),
            (2, 1, 1, vec!["account"]),
            (3, 1, 1, vec![]),
            (0, 2, 1, vec!["account"]),
            (0, 2, 2, vec!["symbol:VALE3"]),
            (0, 0, 3, vec![]),
            (0, 0, 0, vec![]),
            (2, 2, 2, vec!["account", "account", "symbol:VALE3"]),
        ] {
            let comparison = &mut world.figures.comparison;
            (comparison.failed, comparison.account) = (failed, account);
            comparison.instruments.clear();
            comparison.instruments.insert(InstrumentId::new(1), instrument);
            let breaches = told(watch, &world);
            assert_eq!(breaches.len(), expected.len(), "{breaches:?}");
            for (text, scope) in breaches.iter().zip(expected) {
                assert!(text.ends_with(&format!(", {scope} now halted")), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn one_strike_between_two_good_comparisons_never_halts(good in prop::collection::vec(any::<bool>(), 1..60)) {
            let mut world = World::with(|_| {});
            let watch = &mut world.watches(NAME)[0];
            let mut strikes = 0;
            for good in good {
                strikes = if good { 0 } else { strikes + 1 };
                world.figures.comparison.failed = strikes;
                prop_assert_eq!(told(watch, &world).len(), usize::from(strikes == 2));
            }
        }
    }
}
