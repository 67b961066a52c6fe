//! C02, largest order notional: quantity × worst price.

use super::{Denial, Figure, Proposal, View};

pub(super) const NAME: &str = "order_notional";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<(), Denial> {
    let notional = proposal.worst_price.times(proposal.order.quantity);
    let limit = view.limits.max_order_notional;
    if notional <= limit {
        return Ok(());
    }
    Err(Denial {
        check: NAME,
        because: "worth more than one order may be",
        asked: Figure::Money(notional),
        limit: Figure::Money(limit),
    })
}
