//! C11, gross and net exposure: what the account could come to hold at worst, as a multiple of its equity
//! (15c3-5: pre-set aggregate thresholds). Held units count at their mark, open orders and this one at worst
//! on both sides, what other hands hold in the account included. A strategy is held to what is written for it
//! in the same way, against the account's equity.
//!
//! What adds nothing passes: an order that takes away from a position is the way back under the limit. With
//! equity of nothing or less, or something held that nobody has told a price of, only that passes.

use market::{Money, Rate};

use super::sums::{Bearer, Sum, denied_without_worth};
use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "exposure";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let strategy = proposal.order.strategy;
    if !proposal.adds_nothing() {
        denied_without_worth(NAME, view)?;
    }
    if let Some(written) = view.table.written_for(strategy)
        && (written.max_gross_exposure.is_some() || written.max_net_exposure.is_some())
    {
        let limits = (written.max_gross_exposure, written.max_net_exposure);
        within(Bearer::Strategy(strategy), limits, proposal, view)?;
    }
    let limits = view.table.account();
    within(Bearer::Account, (Some(limits.max_gross_exposure), Some(limits.max_net_exposure)), proposal, view)
}

fn within(
    bearer: Bearer,
    (gross, net): (Option<Rate>, Option<Rate>),
    proposal: &Proposal,
    view: &View<'_>,
) -> Result<Passed, Denial> {
    let exposure = Sum::of(bearer, proposal, view).exposure(bearer, view);
    let equity = view.book.equity();
    let mut shown = Passed { asked: Figure::Money(exposure.gross), limit: Figure::None };
    for (asked, limit, because) in [
        (exposure.gross, gross, "gross exposure would be too large"),
        (exposure.net(), net, "net exposure would be too large"),
    ] {
        let Some(limit) = limit.map(|limit| equity.scaled(limit).max(Money::ZERO)) else { continue };
        let (figure, most) = (Figure::Money(asked), Figure::Money(limit));
        if asked > limit && !proposal.adds_nothing() {
            return Err(Denial { check: NAME, because, asked: figure, limit: most });
        }
        if shown.limit == Figure::None {
            shown = Passed { asked: figure, limit: most };
        }
    }
    Ok(shown)
}
