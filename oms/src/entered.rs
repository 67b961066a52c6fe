//! The orders of a book: found by identifier, kept one beside the other.
//!
//! A run of months ends many orders and touches few. Orders live in a slab, in the order of their
//! entering, and the hash table holds only their places: the orders that matter now share a few
//! cache lines, and the table stays small when it grows.

use std::fmt;

use market::{ClientOrderId, Date, ExecutionId, Money, Quantity};
use rustc_hash::FxHashMap;
use slab::Slab;

use crate::book::{Execution, Open, Revocation};
use crate::order::Order;

/// An order with what it currently adds to the book's aggregates.
#[derive(Clone, Debug)]
pub(crate) struct Entered {
    pub(crate) order: Order,
    pub(crate) counted: Open,
    pub(crate) working: Quantity,
    pub(crate) reserved: Money,
    /// When the brokerage charged for it moves; none while nothing of it stands.
    pub(crate) brokerage: Option<Date>,
    /// Its executions that have arrived, standing or not: to be forgotten with it.
    pub(crate) executions: Vec<Execution>,
    /// What took executions of it back, arrived or not.
    pub(crate) revocations: Vec<Revocation>,
}

impl Entered {
    /// An order that counts for nothing yet.
    pub(crate) fn new(order: Order) -> Self {
        Self {
            order,
            counted: Open::default(),
            working: Quantity::ZERO,
            reserved: Money::ZERO,
            brokerage: None,
            executions: Vec::new(),
            revocations: Vec::new(),
        }
    }

    /// An execution of it that has arrived.
    pub(crate) fn execution(&self, execution_id: &ExecutionId) -> Option<&Execution> {
        self.executions.iter().find(|execution| execution.execution_id == *execution_id)
    }

    /// The report that took an execution back, if one did. Most orders have none, so this costs
    /// nothing where it matters.
    #[inline]
    pub(crate) fn revoked_by(&self, execution_id: &ExecutionId) -> Option<&ExecutionId> {
        self.revocations.iter().find(|revocation| revocation.reference == *execution_id).map(|found| &found.by)
    }

    /// The executions that count.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &Execution> {
        self.executions.iter().filter(|execution| self.revoked_by(&execution.execution_id).is_none())
    }

    /// Every name that reports about its executions came under.
    pub(crate) fn names(self) -> impl Iterator<Item = ExecutionId> {
        let executions = self.executions.into_iter().map(|execution| execution.execution_id);
        executions.chain(self.revocations.into_iter().map(|revocation| revocation.by))
    }
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
    /// Keeps an order, and says where.
    ///
    /// # Panics
    /// If the identifier was used before: identifiers are unique for ever, so two equal ones mean
    /// that the sequence went wrong, and going on could hide an order.
    pub(crate) fn enter(&mut self, entered: Entered) -> usize {
        let id = entered.order.intent.client_order_id;
        let place = self.orders.insert(entered);
        let before = self.places.insert(id, place);
        assert!(before.is_none(), "order identifier {id} used twice");
        place
    }

    #[inline]
    pub(crate) fn get(&self, id: &ClientOrderId) -> Option<&Entered> {
        self.orders.get(*self.places.get(id)?)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: &ClientOrderId) -> Option<&mut Entered> {
        self.orders.get_mut(*self.places.get(id)?)
    }

    /// Where an order is kept, for [`Self::at`], until an order is removed.
    #[inline]
    pub(crate) fn place_of(&self, id: &ClientOrderId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// # Panics
    /// If no order is kept there.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> &Entered {
        &self.orders[place]
    }

    /// # Panics
    /// If no order is kept there.
    #[inline]
    pub(crate) fn at_mut(&mut self, place: usize) -> &mut Entered {
        &mut self.orders[place]
    }

    pub(crate) fn remove(&mut self, id: &ClientOrderId) -> Option<Entered> {
        let place = self.places.remove(id)?;
        self.orders.try_remove(place)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Entered> {
        self.orders.iter().map(|(_, entered)| entered)
    }
}
