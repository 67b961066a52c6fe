//! C10, position per symbol, at worst: what is held plus everything open on the same side.
//!
//! Units that other hands hold in the account count as held when we buy, because the account bears
//! both. A short of theirs makes no room for us: they may close it at any moment. When we sell,
//! only our own units are ours to sell.
//!
//! Sells may not go below zero: a short sale needs borrowed stock, which the engine does not
//! arrange, so the default is to deny (`docs/b3-rules.md`).

use market::{Quantity, Side};

use super::{Denial, Figure, Proposal, View};

pub(super) const NAME: &str = "position_per_symbol";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<(), Denial> {
    let instrument = proposal.order.instrument;
    let held = view.book.position(instrument).quantity;
    match proposal.order.side {
        Side::Buy => {
            let others = view.book.external(instrument).max(Quantity::ZERO);
            let worst = held + others + view.book.open_buys(instrument) + proposal.added;
            let limit = view.limits.max_position_quantity;
            if worst > limit {
                return Err(Denial {
                    check: NAME,
                    because: "position with open buys would be too large",
                    asked: Figure::Quantity(worst),
                    limit: Figure::Quantity(limit),
                });
            }
        }
        Side::Sell => {
            let worst = held - view.book.open_sells(instrument) - proposal.added;
            if worst < Quantity::ZERO {
                return Err(Denial {
                    check: NAME,
                    because: "would sell more than is held",
                    asked: Figure::Quantity(worst),
                    limit: Figure::Quantity(Quantity::ZERO),
                });
            }
        }
    }
    Ok(())
}
