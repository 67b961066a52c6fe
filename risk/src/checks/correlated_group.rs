//! C13, correlated groups: symbols that move together (two classes of one company's shares, an index fund and
//! what is in it) count as one. What they could come to at worst, longs and shorts added, as a fraction of
//! the account's equity; counted as for C11.
//!
//! What adds nothing passes, as for C11. A symbol may be in several groups, or in none.

use super::sums::{Bearer, Sum, denied_without_worth, share};
use super::{Denial, Figure, Passed, Proposal, View};

pub(super) const NAME: &str = "correlated_group";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let (strategy, instrument) = (proposal.order.strategy, proposal.order.instrument);
    let mut shown = Passed { asked: Figure::None, limit: Figure::None };
    let own = view.table.written_for(strategy).and_then(|written| written.max_group_share);
    let bearers = [(Bearer::Account, Some(view.table.account().max_group_share)), (Bearer::Strategy(strategy), own)];
    for group in view.table.groups(instrument) {
        if !proposal.adds_nothing() {
            denied_without_worth(NAME, view)?;
        }
        for (bearer, limit) in bearers {
            let Some(limit) = limit else { continue };
            let sum = Sum::of(bearer, proposal, view);
            let worth = sum.of_members(bearer, &group.members, instrument, view);
            let passed = share(NAME, worth, limit, "too much in symbols that move together", proposal, view)?;
            if shown.limit == Figure::None {
                shown = passed;
            }
        }
    }
    Ok(shown)
}
