//! C07, message rate: orders, replaces and cancels within a sliding window, of the account and, where that is
//! written, of the strategy.
//!
//! What is too much is denied and never queued: an order that waits is an order at another price. Cancels are
//! never denied and always counted. They have a share of the quota to themselves, so that a burst of orders
//! leaves room to take them back; the engine's own closing orders may use it too. A strategy's orders that
//! reduce may not: the broker's throttle would hold up its cancels together with them.

use market::Rate;

use super::{Denial, Figure, Passed, Proposal, View};
use crate::activity::{Activity, Sender};
use crate::limits::LimitSet;

pub(super) const NAME: &str = "message_rate";

pub(super) fn review(proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let strategy = proposal.order.strategy;
    let written = |some: &crate::SomeLimits| {
        some.max_messages.is_some() || some.message_seconds.is_some() || some.cancel_share.is_some()
    };
    if view.table.written_for(strategy).is_some_and(written) {
        within(Sender::Strategy(strategy), view.table.of_strategy(strategy), proposal, view)?;
    }
    within(Sender::Account, view.table.account(), proposal, view)
}

fn within(sender: Sender, limits: &LimitSet, proposal: &Proposal, view: &View<'_>) -> Result<Passed, Denial> {
    let asked = view.activity.messages(sender, limits.message_seconds, view.now) + 1;
    let quota = Activity::most_messages(limits.max_messages);
    let limit = if proposal.closes { quota } else { quota - kept_for_cancels(quota, limits.cancel_share) };
    let (figure, most) = (Figure::Count(asked), Figure::Count(limit));
    if asked <= limit {
        return Ok(Passed { asked: figure, limit: most });
    }
    let because = match sender {
        Sender::Account => "too many messages to the broker lately",
        Sender::Strategy(_) => "too many messages of the strategy lately",
    };
    Err(Denial { check: NAME, because, asked: figure, limit: most })
}

/// The share of the quota that only cancels may use, rounded up: half a message is one.
fn kept_for_cancels(quota: u64, share: Rate) -> u64 {
    let ppm = share.ppm().clamp(0, 1_000_000).unsigned_abs();
    (quota * ppm).div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_cancels_is_rounded_up() {
        for (quota, ppm, kept) in [
            (100, 0, 0),
            (100, 200_000, 20),
            (10, 210_000, 3),
            (10, 200_001, 3),
            (1, 1, 1),
            (7, 1_000_000, 7),
            (7, 2_000_000, 7),
        ] {
            assert_eq!(kept_for_cancels(quota, Rate::from_ppm(ppm)), kept, "{ppm} of {quota}");
        }
    }
}
