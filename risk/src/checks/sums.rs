//! What several checks do alike: sums over what the account or a strategy bears, and latches.

use market::{InstrumentId, Money, Rate, Side, StrategyId};
use oms::{Exposure, Stake, Worth};

use super::{Denial, Figure, Passed, Proposal, View};
use crate::activity::latch::Rule;

/// Who bears what is held and open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bearer {
    /// The account, with what other hands hold in it.
    Account,
    /// One strategy.
    Strategy(StrategyId),
}

impl Bearer {
    fn stake(self, instrument: InstrumentId, view: &View<'_>) -> Stake {
        match self {
            Self::Account => view.book.stake(instrument),
            Self::Strategy(strategy) => view.book.stake_of(strategy, instrument),
        }
    }
}

/// What the order's instrument is worth at worst, without the order and with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    before: Worth,
    pub(super) after: Worth,
}

impl Sum {
    pub(super) fn of(bearer: Bearer, proposal: &Proposal, view: &View<'_>) -> Self {
        let stake = bearer.stake(proposal.order.instrument, view);
        let after = match proposal.order.side {
            Side::Buy => stake.worth_with_buy(proposal.added, proposal.added_notional),
            Side::Sell => stake.worth_with_sell(proposal.added, proposal.worst_price),
        };
        Self { before: stake.worth(), after }
    }

    /// Everything together, with the order.
    pub(super) fn exposure(&self, bearer: Bearer, view: &View<'_>) -> Exposure {
        let mut exposure = match bearer {
            Bearer::Account => view.book.exposure(),
            Bearer::Strategy(strategy) => view.book.exposure_of(strategy),
        };
        exposure.recount(&self.before, &self.after);
        exposure
    }

    /// Some instruments together, the order's own among them.
    pub(super) fn of_members(
        &self,
        bearer: Bearer,
        members: &[InstrumentId],
        own: InstrumentId,
        view: &View<'_>,
    ) -> Money {
        let others = members.iter().filter(|member| **member != own);
        self.after.gross() + others.map(|member| bearer.stake(*member, view).worth().gross()).sum()
    }
}

/// Nothing can be said of an account that is worth nothing, or of which nobody knows what it is worth.
pub(super) fn denied_without_worth(check: &'static str, view: &View<'_>) -> Result<(), Denial> {
    let equity = view.book.equity();
    let denied = |because, asked| Err(Denial { check, because, asked, limit: Figure::Money(Money::ZERO) });
    if view.book.has_unpriced() {
        return denied("no price is known of something that is held", Figure::None);
    }
    if equity <= Money::ZERO {
        return denied("the account's equity is not above zero", Figure::Money(equity));
    }
    Ok(())
}

/// Compares a worth with a share of the equity; what adds nothing passes.
pub(super) fn share(
    check: &'static str,
    asked: Money,
    limit: Rate,
    because: &'static str,
    proposal: &Proposal,
    view: &View<'_>,
) -> Result<Passed, Denial> {
    let limit = view.book.equity().scaled(limit).max(Money::ZERO);
    let (figure, most) = (Figure::Money(asked), Figure::Money(limit));
    if asked <= limit || proposal.adds_nothing() {
        return Ok(Passed { asked: figure, limit: most });
    }
    Err(Denial { check, because, asked: figure, limit: most })
}

/// Denies where a rule has stopped the strategy, or would with what the limits are now; else how often it has
/// happened and may.
pub(super) fn not_latched(
    check: &'static str,
    rule: Rule,
    because: &'static str,
    proposal: &Proposal,
    view: &View<'_>,
) -> Result<(u64, u64), Denial> {
    let of = (proposal.order.strategy, proposal.order.instrument);
    let (seen, limit) = view.activity.seen(rule, of, view.table, view.now);
    if proposal.closes {
        return Ok((seen, limit));
    }
    let (seen, limit) = match view.activity.latched(rule, of) {
        Some(latch) => (latch.seen, latch.limit),
        None if seen >= limit => (seen, limit),
        None => return Ok((seen, limit)),
    };
    Err(Denial { check, because, asked: Figure::Count(seen), limit: Figure::Count(limit) })
}
