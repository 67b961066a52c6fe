//! C23, spread: no new risk while bid and ask are further apart than a fraction of the bid.
//!
//! Looked at during continuous trading only: in a call the book may be crossed, and before the open the
//! quote is yesterday's last. A book that is not told, or shows one side, has no spread: the collars judge
//! the price then. What reduces passes: in a wide market the way out is dear, and still a way out.

use market::Price;

use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "wide_spread";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let (bid, ask) = (view.top.bid, view.top.ask);
    let most = bid.scaled(view.limits.max_spread);
    if bid <= Price::ZERO || ask <= Price::ZERO || !view.trades_continuously() {
        return Ok(Passed { asked: Figure::None, limit: Figure::Rate(view.limits.max_spread) });
    }
    let spread = ask.saturating_sub(bid);
    let (asked, limit) = (Figure::Price(spread), Figure::Price(most));
    if spread <= most || proposal.reduces {
        return Ok(Passed { asked, limit });
    }
    Err(Denial { check: NAME, because: "bid and ask are too far apart", asked, limit })
}
