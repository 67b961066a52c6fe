//! C01, largest order quantity: a typing error of three zeros stops here.

use super::{Denial, Figure, Proposal, View};

pub(super) const NAME: &str = "order_quantity";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<(), Denial> {
    let limit = view.limits.max_order_quantity;
    if proposal.order.quantity <= limit {
        return Ok(());
    }
    Err(Denial {
        check: NAME,
        because: "more units than one order may have",
        asked: Figure::Quantity(proposal.order.quantity),
        limit: Figure::Quantity(limit),
    })
}
