//! C08, order-to-trade ratio: messages of a session for each of its trades, of the account and, where that is
//! written, of the strategy (RTS 9; B3 charges for it).
//!
//! The first messages of a session are free, or nothing could ever begin. Orders that reduce pass: the ratio
//! costs money, being stuck in a position may cost more; so do the engine's own closing orders. Cancels count and are never denied; a change of an
//! order is denied, because taking the order back does without.

use super::{Denial, Figure, Passed, Proposal, View};
use crate::activity::Sender;
use crate::limits::LimitSet;

pub(super) const NAME: &str = "order_to_trade";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let strategy = proposal.order.strategy;
    let written = |some: &crate::SomeLimits| some.max_order_to_trade.is_some() || some.order_to_trade_grace.is_some();
    if view.table.written_for(strategy).is_some_and(written) {
        within(Sender::Strategy(strategy), view.table.of_strategy(strategy), proposal, view)?;
    }
    within(Sender::Account, view.table.account(), proposal, view)
}

fn within(sender: Sender, limits: &LimitSet, proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let (messages, trades) = view.activity.session(sender);
    let asked = messages + 1;
    let by_trades = u64::from(limits.max_order_to_trade.0).saturating_mul(trades.max(1));
    let limit = by_trades.max(u64::from(limits.order_to_trade_grace.0));
    let (figure, most) = (Figure::Count(asked), Figure::Count(limit));
    if asked <= limit || proposal.reduces || proposal.closes {
        return Ok(Passed { asked: figure, limit: most });
    }
    let because = match sender {
        Sender::Account => "too many messages of this session for its trades",
        Sender::Strategy(_) => "too many messages of the strategy for its trades of this session",
    };
    Err(Denial { check: NAME, because, asked: figure, limit: most })
}
