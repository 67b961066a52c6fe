//! Execution reports: the only news of an order that counts, from the broker, in FIX's words.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::decimal::{Price, Quantity};
use crate::instrument::InstrumentId;
use crate::order::ClientOrderId;
use crate::time::Timestamp;

/// The broker's name of one execution (FIX 17). With broker and account it is the key under which
/// a fill is applied exactly once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(Arc<str>);

impl ExecutionId {
    /// From the broker's text.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The broker's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What happened (FIX 150, and the two refusals that FIX sends as message type 9).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ReportKind {
    /// The order is in the book (0).
    New,
    /// Part or all of it traded (F).
    Fill {
        /// The broker's name of the execution.
        execution_id: ExecutionId,
        /// Price per unit.
        price: Price,
        /// Units traded now (FIX 32, last quantity).
        quantity: Quantity,
    },
    /// An execution was taken back (H, trade cancel): it counts as if it had never been.
    Bust {
        /// The broker's name of this report.
        execution_id: ExecutionId,
        /// The execution that is taken back (FIX 19).
        reference: ExecutionId,
    },
    /// An execution was corrected (G): it stands with this price and quantity, under this name.
    Corrected {
        /// The broker's name of the execution as it stands now.
        execution_id: ExecutionId,
        /// The execution that it takes the place of (FIX 19).
        reference: ExecutionId,
        /// Price per unit as it stands now.
        price: Price,
        /// Units as they stand now.
        quantity: Quantity,
    },
    /// What was left is cancelled (4).
    Canceled {
        /// The broker's words; empty when we asked for it.
        reason: String,
    },
    /// The order stands changed (5).
    Replaced {
        /// New total quantity.
        quantity: Quantity,
        /// New limit price, where the type has one.
        limit_price: Option<Price>,
    },
    /// The order was never in the book (8).
    Rejected {
        /// The broker's words.
        reason: String,
    },
    /// Its time in force ended (C).
    Expired,
    /// A cancel was refused (message type 9); the order stands as it was.
    CancelRejected {
        /// The broker's words.
        reason: String,
    },
    /// A replace was refused (message type 9); the order stands as it was.
    ReplaceRejected {
        /// The broker's words.
        reason: String,
    },
}

impl ReportKind {
    /// Stable name in JSON, tables and messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Fill { .. } => "fill",
            Self::Bust { .. } => "bust",
            Self::Corrected { .. } => "corrected",
            Self::Canceled { .. } => "canceled",
            Self::Replaced { .. } => "replaced",
            Self::Rejected { .. } => "rejected",
            Self::Expired => "expired",
            Self::CancelRejected { .. } => "cancel_rejected",
            Self::ReplaceRejected { .. } => "replace_rejected",
        }
    }
}

/// One execution report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExecutionReport {
    /// When it happened at the broker.
    pub at: Timestamp,
    /// Of which order.
    pub client_order_id: ClientOrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// What happened.
    #[serde(flatten)]
    pub kind: ReportKind,
}
