//! A slice of what `scripts/risk-check` runs at length.

use crate::checker::{Tally, run};

#[test]
fn every_check_says_what_the_account_on_paper_says() {
    let mut tally = Tally::default();
    for seed in 1..=120 {
        tally.add(&run(seed).unwrap_or_else(|found| panic!("{found}")));
    }
    assert_eq!(tally.verdicts.len(), risk::CHECKS.len());
    for (name, (passed, denied)) in &tally.verdicts {
        assert!(*passed >= 100 && *denied >= 100, "{name} passed {passed} and denied {denied}: too few to tell");
    }
    assert!(tally.approved > tally.asked / 50, "{} of {} were approved", tally.approved, tally.asked);
}
