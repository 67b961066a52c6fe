//! C02, largest order notional: quantity × worst price.

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "order_notional";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let notional = proposal.worst_price.times(proposal.order.quantity);
    let limit = view.limits.max_order_notional;
    let (asked, allowed) = (Figure::Money(notional), Figure::Money(limit));
    if notional <= limit {
        return Ok(Passed { asked, limit: allowed });
    }
    Err(Denial { check: NAME, because: "worth more than one order may be", asked, limit: allowed })
}
