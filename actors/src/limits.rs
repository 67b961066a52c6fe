//! The limits in force, and a change of them that waits for the journal.
//!
//! A change counts at once, because its place in the journal is its place among the decisions; whoever asked
//! for it is answered when it is durable. One that does not become durable is taken back: the limits before
//! stay in force on any failure, also when the Account itself dies in between.

use std::sync::{Arc, Mutex, PoisonError};

use market::Timestamp;
use risk::{LimitTable, Limits};
use tokio::sync::oneshot;

/// What the Account and the Limit start with, also anew: the limits of the last change that became durable.
#[derive(Clone, Debug)]
pub struct LimitsInForce(Arc<Mutex<Arc<LimitTable>>>);

impl LimitsInForce {
    /// Those that a run begins with.
    pub fn new(limits: Arc<LimitTable>) -> Self {
        Self(Arc::new(Mutex::new(limits)))
    }

    /// As they are.
    pub fn get(&self) -> Arc<LimitTable> {
        // Whole at any moment.
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, limits: Arc<LimitTable>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }
}

/// A change of the limits that a person asks for.
#[derive(Clone, PartialEq, Debug)]
pub struct LimitsOrder {
    /// All of them, as they are to be.
    pub limits: Limits,
    /// Who.
    pub by: String,
    /// Who confirmed it, where that took a second person.
    pub second: Option<String>,
    /// Why.
    pub reason: String,
}

/// A change whose entry has no answer.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its entry.
    pub(crate) sequence: u64,
    pub(crate) since: Timestamp,
    pub(crate) before: Arc<LimitTable>,
    pub(crate) after: Arc<LimitTable>,
    /// Who waits: for the entry, or why it did not become durable.
    pub(crate) reply: oneshot::Sender<Result<u64, String>>,
}
