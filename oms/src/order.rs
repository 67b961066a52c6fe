//! One order and what has happened to it.

use market::{Money, NewOrder, OrderType, Price, Quantity};

use crate::life_cycle::OrderStatus;

/// An order in the book.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// As it was first intended.
    pub intent: NewOrder,
    /// Where it stands.
    pub status: OrderStatus,
    /// Total quantity now: replaces change it.
    pub quantity: Quantity,
    /// Type with its prices now.
    pub order_type: OrderType,
    /// Units traded so far (FIX 14).
    pub cumulative: Quantity,
    /// Price × quantity of everything traded so far.
    pub traded: Money,
    /// The worst price that a unit may still trade at: what reservations count with.
    pub worst_price: Price,
    /// While a replace is on its way: what it asked for. Reservations count the worse of the two.
    pub replacement: Option<Replacement>,
}

/// What a replace on its way asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replacement {
    /// New total quantity.
    pub quantity: Quantity,
    /// Worst price under the new terms.
    pub worst_price: Price,
}

impl Order {
    /// A fresh intent.
    pub(crate) fn new(intent: NewOrder, worst_price: Price) -> Self {
        Self {
            intent,
            status: OrderStatus::PendingNew,
            quantity: intent.quantity,
            order_type: intent.order_type,
            cumulative: Quantity::ZERO,
            traded: Money::ZERO,
            worst_price,
            replacement: None,
        }
    }

    /// Units that may still trade, zero once the order has ended (FIX 151).
    #[inline]
    pub fn leaves(&self) -> Quantity {
        if self.status.is_terminal() { Quantity::ZERO } else { self.quantity - self.cumulative }
    }

    /// Units to count in limits: the larger of now and a replace on its way.
    #[inline]
    pub fn worst_leaves(&self) -> Quantity {
        match self.replacement {
            Some(replacement) if !self.status.is_terminal() => {
                (replacement.quantity - self.cumulative).max(self.leaves())
            }
            _ => self.leaves(),
        }
    }

    /// Cash that what is left may cost at worst, fees aside. Only buys spend.
    #[inline]
    pub fn worst_notional(&self) -> Money {
        let price = self.replacement.map_or(self.worst_price, |to| to.worst_price.max(self.worst_price));
        price.times(self.worst_leaves())
    }

    /// Average price of what has traded (FIX 6).
    pub fn average_price(&self) -> Option<Price> {
        self.traded.per_unit(self.cumulative)
    }

    /// The status as FIX 39 names it, telling new from partially filled.
    pub fn fix_status(&self) -> &'static str {
        match self.status {
            OrderStatus::Working if self.cumulative.is_positive() => "partially_filled",
            OrderStatus::Working => "new",
            other => other.name(),
        }
    }
}
