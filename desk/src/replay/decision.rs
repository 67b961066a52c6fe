//! Requests and decisions as both sides of a comparison show them.

use market::order::{CancelOrder, OrderRequest, ReplaceOrder, Signal};
use market::{
    ClientOrderId, InstrumentId, NewOrder, OrderType, ParentOrder, Price, Quantity, Side, StrategyId, TimeInForce,
    Timestamp,
};
use risk::Figure;
use risk::checks::code;
use serde::Serialize;

use crate::entry::{Entry, Evidence};

/// A request as both sides of a comparison show it.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    strategy: StrategyId,
    instrument: InstrumentId,
    side: Side,
    quantity: Quantity,
    order_type: OrderType,
    time_in_force: TimeInForce,
    /// An intent does not keep it: it is the moment of what was heard last, which the journal has.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<ParentOrder>,
    signal: &'a Signal,
}

impl<'a> Request<'a> {
    pub(super) fn of(request: &'a OrderRequest, with_moment: bool) -> Self {
        Self {
            strategy: request.strategy,
            instrument: request.instrument,
            side: request.side,
            quantity: request.quantity,
            order_type: request.order_type,
            time_in_force: request.time_in_force,
            decided_at: with_moment.then_some(request.decided_at),
            parent: request.parent,
            signal: &request.signal,
        }
    }
}

/// What was decided, as both sides of a comparison show it.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub(super) enum Decision {
    Order { order: NewOrder, worst_price: Price },
    Replace { replace: ReplaceOrder, worst_price: Price },
    Cancel { cancel: CancelOrder },
    Denied { check: String, because: String, asked: Figure, limit: Figure },
}

impl From<risk::Denial> for Decision {
    fn from(denial: risk::Denial) -> Self {
        let (check, because) = (denial.check.to_owned(), denial.because.to_owned());
        Self::Denied { check, because, asked: denial.asked, limit: denial.limit }
    }
}

/// The protocol denies by these before any review.
pub(super) fn is_given(decision: &Decision) -> bool {
    let given = [code::JOURNAL, code::BROKER, code::RECONCILIATION];
    matches!(decision, Decision::Denied { check, .. } if given.contains(&check.as_str()))
}

/// A change of an order, as it is asked for.
#[derive(Serialize)]
pub(super) struct Change {
    pub(super) client_order_id: ClientOrderId,
    pub(super) quantity: Quantity,
    pub(super) limit_price: Option<Price>,
}

/// The request that an intent came from.
pub(super) fn requested(order: &NewOrder, signal: &Signal) -> OrderRequest {
    OrderRequest {
        strategy: order.strategy,
        instrument: order.instrument,
        side: order.side,
        quantity: order.quantity,
        order_type: order.order_type,
        time_in_force: order.time_in_force,
        decided_at: order.decided_at,
        parent: order.parent,
        signal: signal.clone(),
    }
}

/// The text of a float tells every bit of it.
pub(super) fn text(value: &impl Serialize) -> String {
    // Plain data: the encoder fails on maps with odd keys only.
    serde_json::to_string(value).unwrap_or_default()
}

/// What a decision was made on, beside the book.
pub(super) fn evidence_of(entry: &Entry) -> Option<Evidence> {
    match entry {
        Entry::Intent { evidence, .. } | Entry::Denied { evidence, .. } | Entry::ReplaceIntent { evidence, .. } => {
            evidence.clone()
        }
        Entry::ReplaceDenied { evidence, .. } => Some(evidence.clone()),
        _ => None,
    }
}
