//! What a broker says about an account as a whole: its orders, executions and positions.
//!
//! A statement answers the question "what is true?" after anything that may have hidden an execution
//! report: a start, a reconnect, a command without an answer. `oms::reconcile` compares it with the
//! book. It tells how things stood at one place in the connection's stream: every report before it is
//! in it, none after it is.

use serde::{Deserialize, Serialize};

use crate::decimal::{Price, Quantity};
use crate::execution::ExecutionId;
use crate::instrument::{InstrumentId, Symbol};
use crate::order::{ClientOrderId, Side};
use crate::time::Timestamp;

/// Whose order something belongs to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderReference {
    /// Named by this account's engine: the tag of the identifier is the account's.
    Own(ClientOrderId),
    /// Placed by hand or by another program; the broker's name of it.
    External(String),
}

/// How the broker says that an order stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatedStatus {
    /// In the broker's book, or on the way there.
    Open,
    /// Wholly traded.
    Filled,
    /// Cancelled with something left.
    Canceled,
    /// Its time in force ended with something left.
    Expired,
    /// Never in the book.
    Rejected,
}

/// An order as the broker states it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatedOrder {
    /// Whose it is.
    pub reference: OrderReference,
    /// Of what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Total quantity as it stands after replaces.
    pub quantity: Quantity,
    /// Limit price as it stands after replaces, where the type has one.
    pub limit_price: Option<Price>,
    /// Units traded (FIX 14).
    pub cumulative: Quantity,
    /// Where it stands.
    pub status: StatedStatus,
}

/// An execution as the broker states it. One that was taken back is not among them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatedExecution {
    /// The broker's name of it.
    pub execution_id: ExecutionId,
    /// Whose order.
    pub reference: OrderReference,
    /// Of what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Price per unit.
    pub price: Price,
    /// Units.
    pub quantity: Quantity,
    /// When.
    pub at: Timestamp,
}

/// Everything that the broker says about an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Statement {
    /// When it was made.
    pub at: Timestamp,
    /// Orders that ended and executions are complete from here on. Open orders are always complete.
    pub since: Timestamp,
    /// Open orders, and those that ended since.
    pub orders: Vec<StatedOrder>,
    /// Executions since that stand, in the order in which they happened.
    pub executions: Vec<StatedExecution>,
    /// Executions since that the broker took back (busted, or replaced by a corrected one).
    pub revoked: Vec<ExecutionId>,
    /// Units held by instrument, signed; one that is not listed is not held.
    pub positions: Vec<(InstrumentId, Quantity)>,
    /// Units held of symbols that are not part of this run: shown, and left alone.
    pub elsewhere: Vec<(Symbol, Quantity)>,
}
