//! One order and what has happened to it.

use market::{Money, NewOrder, OrderType, Price, Quantity};
use serde::{Deserialize, Serialize};

use crate::life_cycle::OrderStatus;

/// An order in the book.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// The broker has said something that it can only say of an order that it has: without that, an
    /// order that the broker does not list may never have arrived.
    pub acknowledged: bool,
    /// We asked to cancel it, and nobody has refused. Stays while the outcome is unknown, so that a
    /// cancel that got lost is asked for again.
    pub cancel_requested: bool,
}

/// What a replace on its way asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
            acknowledged: false,
            cancel_requested: false,
        }
    }

    /// Units that may still trade, zero once the order has ended (FIX 151).
    #[inline]
    pub fn leaves(&self) -> Quantity {
        self.left_of(self.quantity)
    }

    /// Units to count in limits: the larger of now and a replace on its way.
    #[inline]
    pub fn worst_leaves(&self) -> Quantity {
        self.left_of(self.most())
    }

    /// Units that it may come to trade in all: a replace on its way may have been made already.
    #[inline]
    pub(crate) fn most(&self) -> Quantity {
        self.replacement.map_or(self.quantity, |to| to.quantity.max(self.quantity))
    }

    /// Fills under a replace that is not reported yet may exceed the old total, so never below zero.
    #[inline]
    fn left_of(&self, total: Quantity) -> Quantity {
        if self.status.is_terminal() { Quantity::ZERO } else { (total - self.cumulative).max(Quantity::ZERO) }
    }

    /// Cash that what is left may cost at worst, fees aside. Only buys spend.
    #[inline]
    pub fn worst_notional(&self) -> Money {
        self.worst_notional_with(self.replacement)
    }

    /// The same with a replace to `replacement` on its way. Until it is answered, units may trade
    /// under the old terms first and what the new total leaves under the new ones after that.
    pub fn worst_notional_with(&self, replacement: Option<Replacement>) -> Money {
        let now = self.leaves();
        let as_it_is = self.worst_price.times(now);
        let Some(to) = replacement else { return as_it_is };
        let then = self.left_of(to.quantity);
        if to.worst_price > self.worst_price {
            as_it_is.max(to.worst_price.times(then))
        } else {
            as_it_is + to.worst_price.times((then - now).max(Quantity::ZERO))
        }
    }

    /// Where an order that was never acknowledged stands once a cancel of it is refused: nobody knows
    /// more of it than before the cancel.
    pub(crate) const fn status_before_cancel(&self) -> OrderStatus {
        match self.status {
            OrderStatus::PendingCancel => OrderStatus::PendingNew,
            status => status,
        }
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
