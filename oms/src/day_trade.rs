//! What was bought and sold on the same day, and what the day-trade rate takes off its fees.
//!
//! Only the end of a day can tell (`market::fees`), so fills are charged the normal rate first.

use market::{Date, Money, Quantity, Rate, Side, Timestamp};
use serde::{Deserialize, Serialize};

/// Fee rate and settlement date of one trade date.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct DayTerms {
    pub(crate) date: Date,
    /// First instant after the date, to skip the calendar for the next fill.
    pub(crate) until: Timestamp,
    pub(crate) from: Timestamp,
    pub(crate) rate: Rate,
    pub(crate) settles: Date,
}

/// What one instrument traded on one day, for the day-trade rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct DayTraded {
    pub(crate) terms: DayTerms,
    bought: Quantity,
    bought_for: Money,
    sold: Quantity,
    sold_for: Money,
    /// Taken off the fees already: a session may close twice, and a fill may come after it.
    pub(crate) refunded: Money,
}

impl DayTraded {
    pub(crate) fn on(terms: DayTerms) -> Self {
        let (nothing, free) = (Quantity::ZERO, Money::ZERO);
        Self { terms, bought: nothing, bought_for: free, sold: nothing, sold_for: free, refunded: free }
    }

    pub(crate) fn add(&mut self, side: Side, quantity: Quantity, notional: Money) {
        match side {
            Side::Buy => {
                self.bought += quantity;
                self.bought_for += notional;
            }
            Side::Sell => {
                self.sold += quantity;
                self.sold_for += notional;
            }
        }
    }

    /// What the day-trade rate saves on the matched quantity, at average prices of the day.
    pub(crate) fn refund(&self, day_trade: Rate) -> Money {
        let matched = self.bought.min(self.sold);
        let of = |amount: Money, quantity: Quantity| amount.per_unit(quantity).unwrap_or_default().times(matched);
        let notional = of(self.bought_for, self.bought) + of(self.sold_for, self.sold);
        notional.scaled(self.terms.rate) - notional.scaled(day_trade)
    }
}
