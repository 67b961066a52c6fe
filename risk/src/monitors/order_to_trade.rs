//! C08 after the trade: messages for each trade of a session. The check before the order denies beyond the
//! limit; here a person hears of it at half of that, while something can still be done about it, and again
//! at the limit. Messages count from `order_to_trade_grace` on; a session without a trade counts as one
//! with one.

use market::{Date, StrategyId};

use super::{Breach, Built, Configured, Figures, Monitor, Observation, Severity};
use crate::checks::Figure;
use crate::halt::HaltScope;
use crate::limits::LimitSet;

pub(super) const NAME: &str = "order_to_trade";

#[derive(Debug)]
struct OrderToTrade {
    scope: HaltScope,
    strategy: Option<StrategyId>,
    session: Option<Date>,
    told: Option<Severity>,
}

pub(super) fn build(configured: &Configured<'_>) -> Vec<Built> {
    let scopes = configured.scopes(|strategy| configured.limits.strategy(strategy).max_order_to_trade.is_some());
    let each = |(scope, strategy): (HaltScope, _)| {
        let monitor = OrderToTrade { scope: scope.clone(), strategy, session: None, told: None };
        Built { scope, ..Built::teller(monitor) }
    };
    scopes.into_iter().map(each).collect()
}

fn limits(figures: &Figures, strategy: Option<StrategyId>) -> LimitSet {
    let account = figures.limits.account();
    strategy.map_or(*account, |strategy| account.tightened(&figures.limits.strategy(strategy)))
}

impl Monitor for OrderToTrade {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Account(figures) = seen else { return };
        if self.session != Some(figures.session) {
            (self.session, self.told) = (Some(figures.session), None);
        }
        let (limits, sent) = (limits(figures, self.strategy), figures.sent_of(self.strategy));
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
        if self.told >= Some(severity) {
            return;
        }
        self.told = Some(severity);
        let breach = Breach { scope: self.scope.clone(), ..Breach::tell(NAME, severity, figures.at) };
        breaches.push(breach.because(words, Figure::Count(sent.messages), Figure::Count(limit)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sent;
    use super::super::tests_support::{World, told};
    use super::*;
    use crate::limits::amounts::Count;
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
