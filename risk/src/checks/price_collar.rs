//! C03, price collar: no buy above and no sell below the reference by more than a fraction.
//!
//! Without a reference nothing can be judged, so new risk is denied; an order that only reduces a
//! position may still leave, because being stuck in it is the greater risk.

use market::Side;

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "price_collar";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let order = &proposal.order;
    let Some(reference) = view.reference(order.side) else {
        let (asked, limit) = (Figure::None, Figure::Rate(view.limits.price_collar));
        if proposal.reduces {
            return Ok(Passed { asked, limit });
        }
        return Err(Denial { check: NAME, because: "no reference price is known", asked, limit });
    };
    let collar = view.limits.price_collar;
    let Some(limit_price) = order.order_type.limit_price() else {
        return Ok(Passed { asked: Figure::None, limit: Figure::Rate(collar) });
    };
    let (edge, beyond) = match order.side {
        Side::Buy => {
            let edge = reference.saturating_add(reference.scaled(collar));
            (edge, limit_price > edge)
        }
        Side::Sell => {
            let edge = reference.saturating_sub(reference.scaled(collar));
            (edge, limit_price < edge)
        }
    };
    let (asked, limit) = (Figure::Price(limit_price), Figure::Price(edge));
    if beyond {
        return Err(Denial { check: NAME, because: "limit price too far through the reference", asked, limit });
    }
    Ok(Passed { asked, limit })
}
