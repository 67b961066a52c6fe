//! C21, parent and children: what the orders of one decision have traded and may still trade is no more than
//! was decided (Knight Capital, SEC 34-70694: children that were not counted against their parents).
//!
//! Only the latest decision of a strategy on an instrument takes new orders. Fills are the book's, not the
//! strategy's: one that never learns of them cannot use them twice. An order that reduces is held to it as
//! well, because a runaway exit sells what other strategies hold. An order of no decision (the engine's own
//! closing orders, an order by hand) has no parent and passes.

use market::Quantity;

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "parent_quantity";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let order = &proposal.order;
    let Some(parent) = order.parent else { return Ok(Passed { asked: Figure::None, limit: Figure::None }) };
    let denied = |because, asked, limit: Quantity| {
        Err(Denial { check: NAME, because, asked: Figure::Quantity(asked), limit: Figure::Quantity(limit) })
    };
    let known = view.activity.parent(order.strategy, order.instrument).filter(|known| known.id() >= parent.id());
    let used = match known {
        // The first order of a new decision.
        None => Quantity::ZERO,
        Some(known) if known.is_of(order) => known.used(view.book),
        Some(known) if known.id() == parent.id() => {
            return denied("the decision is not the one that it was", parent.quantity, known.quantity());
        }
        // An order of an earlier decision may change within what was decided then.
        Some(_) if proposal.replaces => of_itself(proposal, view),
        Some(known) => return denied("a later decision has been taken since", parent.quantity, known.quantity()),
    };
    let asked = Quantity::new(used.units().saturating_add(proposal.added.units()));
    let (figure, limit) = (Figure::Quantity(asked), Figure::Quantity(parent.quantity));
    if asked <= parent.quantity || proposal.replaces && proposal.adds_nothing() {
        return Ok(Passed { asked: figure, limit });
    }
    denied("the orders of the decision would trade more than was decided", asked, parent.quantity)
}

/// What an open order has traded and may still trade.
fn of_itself(proposal: &Proposal, view: &View<'_>) -> Quantity {
    let open = view.book.order(&proposal.order.client_order_id);
    open.map_or(Quantity::ZERO, |open| open.cumulative + open.worst_leaves())
}
