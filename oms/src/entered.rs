//! The orders of a book: found by identifier, kept one beside the other.
//!
//! A run of months ends many orders and touches few. Orders live in a slab, in the order of their
//! entering, and the hash table holds only their places: the orders that matter now share a few
//! cache lines, and the table stays small when it grows.

use std::fmt;

use market::{ClientOrderId, ExecutionId, Money, Quantity};
use rustc_hash::FxHashMap;
use slab::Slab;

use crate::order::Order;

/// An order with what it currently adds to the book's aggregates.
#[derive(Clone, Debug)]
pub(crate) struct Entered {
    pub(crate) order: Order,
    pub(crate) counted: Quantity,
    pub(crate) working: Quantity,
    pub(crate) reserved: Money,
    pub(crate) brokerage_charged: bool,
    /// Its fills, to be forgotten with it.
    pub(crate) executions: Vec<ExecutionId>,
}

/// All orders of a book.
#[derive(Clone, Default)]
pub(crate) struct Orders {
    // Keys are our own identifiers: speed before resistance to chosen keys.
    places: FxHashMap<ClientOrderId, usize>,
    orders: Slab<Entered>,
}

/// As a map from identifier to order: how they are kept is nobody's business.
impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.values().map(|entered| (entered.order.intent.client_order_id, entered))).finish()
    }
}

impl Orders {
    /// # Panics
    /// If the identifier was used before: identifiers are unique for ever, so two equal ones mean
    /// that the sequence went wrong, and going on could hide an order.
    pub(crate) fn enter(&mut self, order: Order) {
        let id = order.intent.client_order_id;
        let place = self.orders.insert(Entered {
            order,
            counted: Quantity::ZERO,
            working: Quantity::ZERO,
            reserved: Money::ZERO,
            brokerage_charged: false,
            executions: Vec::new(),
        });
        let before = self.places.insert(id, place);
        assert!(before.is_none(), "order identifier {id} used twice");
    }

    #[inline]
    pub(crate) fn get(&self, id: &ClientOrderId) -> Option<&Entered> {
        self.orders.get(*self.places.get(id)?)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: &ClientOrderId) -> Option<&mut Entered> {
        self.orders.get_mut(*self.places.get(id)?)
    }

    pub(crate) fn remove(&mut self, id: &ClientOrderId) -> Option<Entered> {
        let place = self.places.remove(id)?;
        self.orders.try_remove(place)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Entered> {
        self.orders.iter().map(|(_, entered)| entered)
    }
}
