//! The decision that a strategy's orders in an instrument serve now, and how much of it they have used up.
//!
//! Knight's 212 parent orders became four million child orders because nothing compared the children with
//! their parents where orders leave. Here it is the book that says what the children are worth: fills as the
//! account counts them, and what is open at worst. A strategy that is not told of its fills cannot use them
//! twice.

use market::{ClientOrderId, NewOrder, ParentOrder, Quantity, Side, Timestamp};
use oms::Book;
use serde::{Deserialize, Serialize};

/// A parent with its children. Only the latest of a strategy and instrument takes more of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Parent {
    order: ParentOrder,
    side: Side,
    /// Units that its children have traded.
    filled: Quantity,
    /// Children that may still trade, and some that have ended since the last was added.
    children: Vec<ClientOrderId>,
}

impl Parent {
    /// The parent of a first child.
    pub(super) fn of(parent: ParentOrder, side: Side) -> Self {
        Self { order: parent, side, filled: Quantity::ZERO, children: Vec::new() }
    }

    /// What it is known by.
    pub fn id(&self) -> (Timestamp, u32) {
        self.order.id()
    }

    /// Units that were decided on.
    pub fn quantity(&self) -> Quantity {
        self.order.quantity
    }

    /// Whether an order names it as it was first named.
    pub fn is_of(&self, order: &NewOrder) -> bool {
        order.parent == Some(self.order) && order.side == self.side
    }

    /// Units that its children have traded and may still trade, at worst.
    pub fn used(&self, book: &Book) -> Quantity {
        let open = self.children.iter().filter_map(|id| book.order(id)).map(|order| order.worst_leaves());
        self.filled + open.sum()
    }

    /// Another child; the open ones bound how many are remembered.
    pub(super) fn add(&mut self, child: ClientOrderId, book: &Book) {
        self.children.retain(|id| book.order(id).is_some_and(|order| !order.status.is_terminal()));
        self.children.push(child);
    }

    pub(super) fn fill(&mut self, units: Quantity) {
        self.filled += units;
    }
}
