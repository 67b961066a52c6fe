//! C12, concentration: what one symbol and one sector could come to at worst, as a fraction of the account's
//! equity; counted as for C11, with the longs and shorts of a sector added. A strategy is held to what is
//! written for it in the same way.
//!
//! What adds nothing passes, as for C11: it is the way back under the limit.

use market::Rate;

use super::sums::{Bearer, Sum, denied_without_worth, share};
use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "concentration";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let (strategy, instrument) = (proposal.order.strategy, proposal.order.instrument);
    if !proposal.adds_nothing() {
        denied_without_worth(NAME, view)?;
    }
    if let Some(written) = view.table.written_for(strategy)
        && (written.max_symbol_share.is_some() || written.max_sector_share.is_some())
    {
        within(Bearer::Strategy(strategy), (written.max_symbol_share, written.max_sector_share), proposal, view)?;
    }
    let of_symbol = view.table.of_instrument(instrument).max_symbol_share;
    let of_sector = view.table.sector_limits(instrument).map(|limits| limits.max_sector_share);
    within(Bearer::Account, (Some(of_symbol), of_sector), proposal, view)
}

fn within(
    bearer: Bearer,
    (of_symbol, of_sector): (Option<Rate>, Option<Rate>),
    proposal: &Proposal,
    view: &View<'_>,
) -> Result<Passed, Denial> {
    let sum = Sum::of(bearer, proposal, view);
    let mut shown = Passed { asked: Figure::Money(sum.after.gross()), limit: Figure::None };
    if let Some(limit) = of_symbol {
        shown = share(NAME, sum.after.gross(), limit, "too much in one symbol", proposal, view)?;
    }
    if let (Some(limit), Some(sector)) = (of_sector, view.table.sector(proposal.order.instrument)) {
        let worth = sum.of_members(bearer, &sector.members, proposal.order.instrument, view);
        share(NAME, worth, limit, "too much in one sector", proposal, view)?;
    }
    Ok(shown)
}
