//! C19, what may be traded: the restricted list of the account and the allowed list of each strategy.
//! Deny wins: a restricted symbol is restricted whoever may trade it.
//!
//! A position that is there when a symbol is put on a list may be left, not enlarged. Leaving a symbol that
//! a strategy is not allowed means that strategy's own units: with those of another it would open a position
//! of its own.

use market::Quantity;
use oms::Order;

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "symbol_list";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let (asked, limit) = (Figure::Quantity(proposal.order.quantity), Figure::None);
    let denied = |because| Err(Denial { check: NAME, because, asked, limit });
    if view.table.limits().restricted.contains(&view.instrument.symbol) && !proposal.reduces {
        return denied("the symbol is restricted: only reducing is allowed");
    }
    if !view.table.allows(proposal.order.strategy, proposal.order.instrument) && !leaves_its_own(proposal, view) {
        return denied("the strategy may not trade the symbol");
    }
    Ok(Passed { asked, limit })
}

/// Whether the order takes away from what its own strategy holds, and with what it is selling or
/// covering already no more than that.
fn leaves_its_own(proposal: &Proposal, view: &View<'_>) -> bool {
    let order = &proposal.order;
    let own = |open: &&Order| open.intent.strategy == order.strategy && open.intent.side == order.side;
    let leaving: Quantity = view.book.open_orders_of(order.instrument).filter(own).map(Order::worst_leaves).sum();
    let held = view.book.holding(order.strategy, order.instrument).position * -order.side.sign();
    proposal.reduces && order.quantity <= held - leaving
}
