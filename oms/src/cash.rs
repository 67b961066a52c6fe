//! The cash ledger: what is settled, and what moves on which date.

use std::collections::BTreeMap;

use market::{Date, Money};
use serde::{Deserialize, Serialize};

/// Settled money and dated flows that have not settled yet.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CashLedger {
    settled: Money,
    pending: BTreeMap<Date, Money>,
    /// Σ pending, kept so that the total is one addition.
    unsettled: Money,
}

impl CashLedger {
    /// With money that is at hand now.
    pub fn with(settled: Money) -> Self {
        Self { settled, ..Self::default() }
    }

    /// Books a flow (negative: money out) that moves on `date`.
    pub fn book(&mut self, date: Date, amount: Money) {
        *self.pending.entry(date).or_default() += amount;
        self.unsettled += amount;
    }

    /// Everything due on or before `today` has moved.
    pub fn settle(&mut self, today: Date) {
        while let Some(entry) = self.pending.first_entry() {
            if *entry.key() > today {
                break;
            }
            let amount = entry.remove();
            self.settled += amount;
            self.unsettled -= amount;
        }
    }

    /// Money at hand.
    pub fn settled(&self) -> Money {
        self.settled
    }

    /// Money at hand once everything booked has moved.
    #[inline]
    pub fn total(&self) -> Money {
        self.settled + self.unsettled
    }

    /// Money at hand at the end of `date`, as booked now.
    pub fn projected(&self, date: Date) -> Money {
        self.settled + self.pending.range(..=date).map(|(_, amount)| *amount).sum()
    }

    /// Flows that have not moved yet, by date.
    pub fn pending(&self) -> impl Iterator<Item = (Date, Money)> + '_ {
        self.pending.iter().map(|(date, amount)| (*date, *amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purchase_and_a_sale_settle_on_their_own_dates() {
        let day = |d| Date::from_ymd_opt(2017, 12, d).unwrap();
        let money = |text: &str| text.parse::<Money>().unwrap();
        let mut cash = CashLedger::with(money("1000"));
        cash.book(day(20), money("-300"));
        cash.book(day(21), money("500"));
        assert_eq!((cash.settled(), cash.total()), (money("1000"), money("1200")));
        assert_eq!(cash.projected(day(20)), money("700"));
        cash.settle(day(20));
        assert_eq!((cash.settled(), cash.total()), (money("700"), money("1200")));
        cash.settle(day(28));
        assert_eq!((cash.settled(), cash.pending().count()), (money("1200"), 0));
    }
}
