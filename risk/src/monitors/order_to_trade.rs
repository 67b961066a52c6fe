//! C08 after the trade: messages for each trade of a session. The check before the order denies beyond the
//! limit; here a person hears of it at half of that, while something can still be done about it, and again
//! at the limit. Messages count from `order_to_trade_grace` on; a session without a trade counts as one
//! with one.

use market::{Date, StrategyId};

use super::{Breach, Built, Configured, Figures, Monitor, Observation, Severity};
use crate::checks::Figure;
use crate::halt::HaltScope;
use crate::limits::LimitSet;
use crate::limits::amounts::Count;

pub(super) const NAME: &str = "order_to_trade";

#[derive(Debug)]
struct OrderToTrade {
    scope: HaltScope,
    strategy: Option<StrategyId>,
    session: Option<Date>,
    told: Option<(Severity, Count)>,
}

pub(super) fn build(configured: &Configured<'_>) -> Vec<Built> {
    let scopes = configured.scopes();
    let each = |(scope, strategy): (HaltScope, _)| {
        let monitor = OrderToTrade { scope: scope.clone(), strategy, session: None, told: None };
        Built { scope, ..Built::teller(monitor) }
    };
    scopes.into_iter().map(each).collect()
}

fn limits(figures: &Figures, strategy: Option<StrategyId>) -> Option<LimitSet> {
    let account = figures.limits.account();
    let Some(strategy) = strategy else { return Some(*account) };
    let own = figures.limits.strategy(strategy);
    own.max_order_to_trade.map(|_| account.tightened(&own))
}

impl Monitor for OrderToTrade {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Account(figures) = seen else { return };
        if self.session != Some(figures.session) {
            (self.session, self.told) = (Some(figures.session), None);
        }
        let Some(limits) = limits(figures, self.strategy) else { return };
        let sent = figures.sent_of(self.strategy);
        if sent.messages <= u64::from(limits.order_to_trade_grace.0) {
            return;
        }
        let allowed = u64::from(limits.max_order_to_trade.0).saturating_mul(sent.trades.max(1));
        let (severity, words, limit) = if sent.messages > allowed {
            (Severity::Error, "messages of the session, new risk is denied", allowed)
        } else if sent.messages > allowed / 2 {
            (Severity::Warning, "messages of the session, half of what is allowed", allowed / 2)
        } else {
            return;
        };
        // Another limit is told anew.
        let most = limits.max_order_to_trade;
        if self.told.is_some_and(|(told, of)| told >= severity && of == most) {
            return;
        }
        self.told = Some((severity, most));
        let breach = Breach { scope: self.scope.clone(), ..Breach::tell(NAME, severity, figures.at) };
        breaches.push(breach.because(words, Figure::Count(sent.messages), Figure::Count(limit)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sent;
    use super::super::tests_support::{World, told};
    use super::*;
    use crate::limits::SomeLimits;
    use proptest::prelude::*;

    fn world() -> World {
        World::with(|limits| (limits.max_order_to_trade, limits.order_to_trade_grace) = (Count(10), Count(4)))
    }

    #[test]
    fn half_of_the_limit_warns_and_the_limit_tells_again_each_once_a_session() {
        let mut world = world();
        let watch = &mut world.watches(NAME)[0];
        for (session, messages, trades, expected) in [
            (20, 4, 0, ""), // within the grace
            (20, 5, 0, ""), // at the half
            (20, 6, 0, "warning"),
            (20, 7, 0, ""),
            (20, 10, 0, ""), // at the limit
            (20, 11, 0, "error"),
            (20, 12, 0, ""),
            (21, 11, 3, ""), // at 30 allowed, 15 is the half
            (21, 16, 3, "warning"),
            (22, 31, 3, "error"), // all at once
            (22, 32, 3, ""),
        ] {
            world.session(session);
            world.figures.sent = Sent { messages, trades };
            let mut breaches = Vec::new();
            watch.observe(Observation::Account(&world.figures), &mut breaches);
            let severities: Vec<_> = breaches.iter().map(|breach| breach.severity.name()).collect();
            assert_eq!(severities.concat(), expected, "{session} {messages} {trades}");
        }
    }

    #[test]
    fn another_limit_is_told_anew_and_a_strategy_is_held_to_its_own_from_when_it_has_one() {
        let mut world = world();
        let mut watches = world.watches(NAME);
        world.figures.sent = Sent { messages: 11, trades: 0 };
        world.figures.sent_by = vec![world.figures.sent; 2];
        assert_eq!((told(&mut watches[0], &world).len(), told(&mut watches[2], &world).len()), (1, 0));
        world.limit(|limits| limits.max_order_to_trade = Count(9));
        world.strategy_limits(SomeLimits { max_order_to_trade: Some(Count(8)), ..SomeLimits::default() });
        for expected in [1, 0] {
            let lines = [told(&mut watches[0], &world).len(), told(&mut watches[2], &world).len()];
            assert_eq!(lines, [expected; 2]);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_told_at_or_below_half_of_the_limit(messages in 0_u64..10_000, trades in 0_u64..1_000) {
            let mut world = world();
            let watch = &mut world.watches(NAME)[0];
            world.figures.sent = Sent { messages, trades };
            let beyond_half = messages > 4 && messages > 5 * trades.max(1);
            prop_assert_eq!(told(watch, &world).len(), usize::from(beyond_half));
        }
    }
}
