//! How much of each limit is used up: what a person watches before a monitor says anything. A share for charts,
//! on which nothing is decided.

use market::{InstrumentId, Money, Rate, StrategyId};

use super::Figures;

/// A part of a limit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Used {
    /// The limit's key.
    pub limit: &'static str,
    /// Of one strategy, or of the account.
    pub strategy: Option<StrategyId>,
    /// 1 is the limit itself; 0 nothing of it, or a gain.
    pub share: f64,
}

/// Of the limits that are watched after the trade, where they are set. Nothing before everything that is held
/// has a price: a part of an exposure is no exposure.
pub fn used(figures: &Figures) -> Vec<Used> {
    let (account, limits) = (figures.limits.account(), &figures.limits);
    let mut found = Vec::new();
    let mut note = |limit, strategy, share| found.push(Used { limit, strategy, share });
    if figures.worth.is_none() {
        return found;
    }
    if let Some(standing) = figures.standing(None) {
        note("max_daily_loss", None, part(standing.start - standing.now, account.max_daily_loss));
        let allowed = standing.peak.scaled(account.max_drawdown);
        note("max_drawdown", None, part(standing.peak - standing.now, allowed));
    }
    let of_equity = |seen: Money, limit: Rate| part(seen, figures.equity.scaled(limit));
    let exposure = &figures.exposure;
    note("max_gross_exposure", None, of_equity(exposure.gross, account.max_gross_exposure));
    note("max_net_exposure", None, of_equity(exposure.net.abs(), account.max_net_exposure));
    let shares = exposure.instruments.iter().enumerate().map(|(place, worst)| {
        let id = InstrumentId::new(u32::try_from(place).unwrap_or(u32::MAX));
        of_equity(*worst, account.tightened(&limits.symbol(id)).max_symbol_share)
    });
    note("max_symbol_share", None, shares.fold(0.0, f64::max));
    for strategy in (0..).map(StrategyId).take(limits.strategies()) {
        let (own, standing) = (limits.strategy(strategy), figures.standing(Some(strategy)));
        if let (Some(limit), Some(standing)) = (own.max_daily_loss, standing) {
            note("max_daily_loss", Some(strategy), part(standing.start - standing.now, limit));
        }
        if let (Some(limit), Some(standing)) = (own.max_drawdown, standing) {
            note("max_drawdown", Some(strategy), part(standing.peak - standing.now, standing.peak.scaled(limit)));
        }
    }
    found
}

/// What is seen, as a part of what is allowed. Anything of a limit that allows nothing is beyond it.
fn part(seen: Money, allowed: Money) -> f64 {
    match (seen <= Money::ZERO, allowed <= Money::ZERO) {
        (true, _) => 0.0,
        (false, true) => f64::INFINITY,
        (false, false) => seen.to_f64() / allowed.to_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{World, cents};
    use super::*;
    use crate::limits::SomeLimits;

    #[test]
    fn each_share_is_one_at_its_limit() {
        let half = Rate::from_ppm(500_000);
        let mut world = World::with(|limits| {
            (limits.max_daily_loss, limits.max_drawdown) = (cents(10_000), Rate::from_ppm(200_000));
            (limits.max_gross_exposure, limits.max_net_exposure, limits.max_symbol_share) = (half, half, half);
        });
        world.strategy_limits(SomeLimits { max_daily_loss: Some(cents(5_000)), ..SomeLimits::default() });
        assert!(used(&world.figures).is_empty(), "nothing has a price yet");
        for (now, gross, net, expected) in [
            (100_000, 0, 0, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            (90_000, 45_000, -22_500, [1.0, 0.5, 1.0, 0.5, 1.0, 2.0]),
            (80_000, 10_000, 10_000, [2.0, 1.0, 0.25, 0.25, 0.25, 4.0]),
            (110_000, 0, 0, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        ] {
            world.worth(100_000, now, 100_000);
            world.strategy_worth(100_000, now, 100_000);
            let figures = &mut world.figures;
            figures.equity = cents(now);
            (figures.exposure.gross, figures.exposure.net) = (cents(gross), cents(net));
            figures.exposure.instruments = vec![cents(0), cents(gross)];
            let shares: Vec<f64> = used(figures).iter().map(|used| used.share).collect();
            assert_eq!(shares, expected, "{now} {gross} {net}");
        }
    }

    #[test]
    fn a_limit_that_allows_nothing_is_used_up_by_anything() {
        assert_eq!(part(cents(0), cents(0)), 0.0);
        assert_eq!(part(cents(1), cents(0)), f64::INFINITY);
        assert_eq!(part(cents(-1), cents(100)), 0.0);
    }
}
