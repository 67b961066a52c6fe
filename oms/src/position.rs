//! One instrument's position: quantity, what it cost, what closing parts of it has brought in.

use market::{Money, Price, Quantity};
use serde::{Deserialize, Serialize};

/// A position. Average-cost accounting, as Brazilian tax law has it; fees are kept beside, so that
/// result before and after fees can both be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Position {
    /// Units held; negative when short.
    pub quantity: Quantity,
    /// What the units held were bought for (negative: what a short was sold for).
    pub cost: Money,
    /// Result of everything closed so far, before fees.
    pub realized: Money,
    /// Fees of everything traded so far.
    pub fees: Money,
}

impl Position {
    /// Applies a trade of `signed` units (positive: bought) at `price`.
    pub fn trade(&mut self, signed: Quantity, price: Price) {
        let held = self.quantity;
        let opposes = held.units().signum() * signed.units().signum() < 0;
        let closing = if opposes { signed.abs().min(held.abs()) } else { Quantity::ZERO };
        if closing.is_positive() {
            let closed = closing * held.units().signum();
            let released = self.share_of_cost(closed);
            self.realized += price.times(closed) - released;
            self.cost -= released;
            self.quantity -= closed;
        }
        let opening = signed - closing * signed.units().signum();
        self.cost += price.times(opening);
        self.quantity += opening;
    }

    /// The part of the cost that `closed` of the units held carry. Closing everything releases
    /// everything, so no residue is ever left behind by rounding.
    fn share_of_cost(&self, closed: Quantity) -> Money {
        if closed == self.quantity {
            return self.cost;
        }
        let per_unit = self.cost.per_unit(self.quantity).unwrap_or_default();
        per_unit.times(closed)
    }

    /// Average price of the units held.
    pub fn average_price(&self) -> Option<Price> {
        self.cost.per_unit(self.quantity)
    }

    /// What the units held are worth above their cost at `mark`.
    pub fn unrealized(&self, mark: Price) -> Money {
        mark.times(self.quantity) - self.cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn a_traders_day() {
        // (signed quantity, price) → quantity, average price, realised result
        let steps = [
            (300, "10.00", 300, "10.00", "0.00"),
            (100, "12.00", 400, "10.50", "0.00"),
            (-200, "11.00", 200, "10.50", "100.00"),
            (-300, "10.00", -100, "10.00", "0.00"),
            (100, "9.00", 0, "0.00", "100.00"),
        ];
        let mut position = Position::default();
        for (signed, at, quantity, average, realized) in steps {
            position.trade(Quantity::new(signed), price(at));
            assert_eq!(position.quantity, Quantity::new(quantity));
            assert_eq!(position.average_price().unwrap_or_default(), price(average), "after {signed} at {at}");
            assert_eq!(position.realized.to_string(), realized, "after {signed} at {at}");
        }
        assert_eq!(position.cost, Money::ZERO);
    }

    proptest! {
        /// Money is conserved to the last step: what went out is in the cost or in the result.
        #[test]
        fn cash_out_equals_cost_less_result(trades in prop::collection::vec((-50_i64..50, 1_i64..10_000), 0..60)) {
            let mut position = Position::default();
            let (mut paid, mut held) = (Money::ZERO, 0);
            for (units, cents) in trades {
                let at = Price::from_cents(cents).unwrap();
                position.trade(Quantity::new(units), at);
                paid += at.times(Quantity::new(units));
                held += units;
                prop_assert_eq!(position.quantity, Quantity::new(held));
                prop_assert_eq!(position.cost - position.realized, paid);
                prop_assert!(held != 0 || position.cost == Money::ZERO);
            }
        }
    }
}
