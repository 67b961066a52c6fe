//! C17, buying power: a buy at its worst price, fees included, must be covered by what the account
//! will have when the purchase settles, less what open buys may cost.

use market::{Money, Side};

use super::{Denial, Figure, Proposal, View};

pub(super) const NAME: &str = "buying_power";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<(), Denial> {
    if proposal.order.side == Side::Sell {
        return Ok(());
    }
    let notional = proposal.worst_price.times(proposal.order.quantity);
    let needed = notional + notional.scaled(view.book.fee_rate()) - proposal.released;
    let available = view.book.buying_power();
    if needed <= available.max(Money::ZERO) || needed <= Money::ZERO {
        return Ok(());
    }
    Err(Denial {
        check: NAME,
        because: "costs more than the account can pay at settlement",
        asked: Figure::Money(needed),
        limit: Figure::Money(available),
    })
}
