//! C18, short sale: nobody sells what is not held.
//!
//! A short sale of shares needs stock that was borrowed first, and the engine arranges no loans, so there
//! is no located borrow that could let one pass: the default is to deny (`docs/b3-rules.md`). Everything
//! open on the sell side counts as sold, orders of unknown outcome included; open buys count as not bought.
//! What other hands hold in the account is not ours to sell.

use market::{Quantity, Side};

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "short_sale";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    if proposal.order.side == Side::Buy {
        return Ok(Passed { asked: Figure::None, limit: Figure::Quantity(Quantity::ZERO) });
    }
    let instrument = proposal.order.instrument;
    let left = view.book.position(instrument).quantity - view.book.open_sells(instrument);
    // Held at the ends of the range: an explanation runs this also on a quantity that an earlier check
    // denies, however large.
    let worst = left.units().saturating_sub(proposal.added.units());
    let (asked, limit) = (Figure::Quantity(Quantity::new(worst)), Figure::Quantity(Quantity::ZERO));
    if worst >= 0 {
        return Ok(Passed { asked, limit });
    }
    Err(Denial { check: NAME, because: "would sell more than is held", asked, limit })
}
