//! C01, largest order quantity: a typing error of three zeros stops here.

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "order_quantity";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let limit = view.limits.max_order_quantity;
    let (asked, allowed) = (Figure::Quantity(proposal.order.quantity), Figure::Quantity(limit));
    if proposal.order.quantity <= limit {
        return Ok(Passed { asked, limit: allowed });
    }
    Err(Denial { check: NAME, because: "more units than one order may have", asked, limit: allowed })
}
