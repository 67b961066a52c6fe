//! C10, position per symbol, at worst: what is held plus everything open on the same side.
//!
//! Units that other hands hold in the account count as held when we buy, because the account bears
//! both. A short of theirs makes no room for us: they may close it at any moment. When we sell,
//! only our own units are ours to sell.
//!
//! Sells may not go below zero: a short sale needs borrowed stock, which the engine does not
//! arrange, so the default is to deny (`docs/b3-rules.md`).

use market::{Quantity, Side};

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "position_per_symbol";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let instrument = proposal.order.instrument;
    let held = view.book.position(instrument).quantity;
    // Held at the ends of the range: an explanation runs this also on a quantity that an earlier check
    // denies, however large.
    let added = proposal.added.units();
    let (worst, limit, within, because) = match proposal.order.side {
        Side::Buy => {
            let others = view.book.external(instrument).max(Quantity::ZERO);
            let worst = (held + others + view.book.open_buys(instrument)).units().saturating_add(added);
            let limit = view.limits.max_position_quantity;
            (worst, limit, worst <= limit.units(), "position with open buys would be too large")
        }
        Side::Sell => {
            let worst = (held - view.book.open_sells(instrument)).units().saturating_sub(added);
            (worst, Quantity::ZERO, worst >= 0, "would sell more than is held")
        }
    };
    let (asked, limit) = (Figure::Quantity(Quantity::new(worst)), Figure::Quantity(limit));
    if within { Ok(Passed { asked, limit }) } else { Err(Denial { check: NAME, because, asked, limit }) }
}
