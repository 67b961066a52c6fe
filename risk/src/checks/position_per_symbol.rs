//! C10, position per symbol, at worst: what is held plus everything open on the same side.
//!
//! Units that other hands hold in the account count as held when we buy, because the account bears
//! both. A short of theirs makes no room for us: they may close it at any moment. A sell only takes away:
//! how far is the short sale's to say (C18).

use market::{Quantity, Side};

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "position_per_symbol";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let most = view.limits.max_position_quantity;
    let limit = Figure::Quantity(most);
    if proposal.order.side == Side::Sell {
        return Ok(Passed { asked: Figure::None, limit });
    }
    let instrument = proposal.order.instrument;
    let others = view.book.external(instrument).max(Quantity::ZERO);
    let held = view.book.position(instrument).quantity + others + view.book.open_buys(instrument);
    // Held at the end of the range: an explanation runs this also on a quantity that an earlier check
    // denies, however large.
    let worst = Quantity::new(held.units().saturating_add(proposal.added.units()));
    let asked = Figure::Quantity(worst);
    if worst <= most {
        return Ok(Passed { asked, limit });
    }
    Err(Denial { check: NAME, because: "position with open buys would be too large", asked, limit })
}
