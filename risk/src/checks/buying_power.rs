//! C17, buying power: a buy at its worst price, fees included, must be covered by what the account
//! will have when the purchase settles, less what open buys may cost.

use market::{Money, Side};

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "buying_power";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let available = view.book.buying_power();
    let limit = Figure::Money(available);
    if proposal.order.side == Side::Sell {
        return Ok(Passed { asked: Figure::Money(Money::ZERO), limit });
    }
    let Some(needed) = proposal.cost else {
        return Err(Denial {
            check: NAME,
            because: "no fee or settlement date is known for today: extend the fee schedule or the calendar",
            asked: Figure::None,
            limit: Figure::None,
        });
    };
    let asked = Figure::Money(needed);
    if needed <= available.max(Money::ZERO) || needed <= Money::ZERO {
        return Ok(Passed { asked, limit });
    }
    Err(Denial { check: NAME, because: "costs more than the account can pay at settlement", asked, limit })
}
