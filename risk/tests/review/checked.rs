//! A slice of what `scripts/risk-check` runs at length.

use crate::checker::{Tally, run};

#[test]
fn every_check_says_what_the_account_on_paper_says() {
    let mut tally = Tally::default();
    for seed in 1..=40 {
        tally.add(&run(seed).unwrap_or_else(|found| panic!("{found}")));
    }
    assert_eq!(tally.verdicts.len(), risk::CHECKS.len());
    // What the account on paper is told nothing of has tests of its own.
    let untold = ["trading_status", "last_entry", "symbol_list", "order_bounds", "forecast"];
    for (name, (passed, denied)) in tally.verdicts.iter().filter(|(name, _)| !untold.contains(name)) {
        assert!(*passed >= 20 && *denied >= 20, "{name} passed {passed} and denied {denied}: too few to tell");
    }
    assert!(tally.approved > tally.asked / 50, "{} of {} were approved", tally.approved, tally.asked);
}
