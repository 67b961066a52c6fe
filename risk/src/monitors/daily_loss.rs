//! C14, daily loss: what the account, or a strategy, is worth now against when the session began, realised
//! and unrealised. The session begins with what the last one closed with, so a gap over night counts.
//!
//! A breach stops new risk; closing positions stays possible. It is not lifted by the next session: a
//! person resumes. It is told once a session, and anew when another limit is set.

use market::{Date, Money, StrategyId};

use super::{Breach, Built, Configured, Figures, Monitor, Observation};
use crate::checks::Figure;
use crate::halt::{HaltLevel, HaltScope};

pub(super) const NAME: &str = "daily_loss";

#[derive(Debug)]
struct DailyLoss {
    scope: HaltScope,
    strategy: Option<StrategyId>,
    told: Option<(Date, Money)>,
}

pub(super) fn build(configured: &Configured<'_>) -> Vec<Built> {
    let scopes = configured.scopes();
    let each =
        |(scope, strategy): (HaltScope, _)| Built::guard(scope.clone(), DailyLoss { scope, strategy, told: None });
    scopes.into_iter().map(each).collect()
}

fn limit(figures: &Figures, strategy: Option<StrategyId>) -> Option<Money> {
    match strategy {
        None => Some(figures.limits.account().max_daily_loss),
        Some(strategy) => figures.limits.strategy(strategy).max_daily_loss,
    }
}

impl Monitor for DailyLoss {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Account(figures) = seen else { return };
        let Some(standing) = figures.standing(self.strategy) else { return };
        let Some(limit) = limit(figures, self.strategy) else { return };
        let loss = standing.start - standing.now;
        if loss <= limit || self.told == Some((figures.session, limit)) {
            return;
        }
        self.told = Some((figures.session, limit));
        let breach = Breach::halt(NAME, self.scope.clone(), HaltLevel::Reducing, figures.at);
        breaches.push(breach.because("loss of the session", Figure::Money(loss), Figure::Money(limit)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{World, cents, told};
    use super::*;
    use crate::limits::SomeLimits;
    use proptest::prelude::*;

    fn world(limit: i64) -> World {
        let mut world = World::with(|limits| limits.max_daily_loss = cents(limit));
        world.strategy_limits(SomeLimits { max_daily_loss: Some(cents(limit / 2)), ..SomeLimits::default() });
        world
    }

    #[test]
    fn a_breach_is_told_once_a_session_and_only_beyond_the_limit() {
        let mut world = world(1_000);
        let mut watches = world.watches(NAME);
        // (session, worth at its start, worth now, whether it is told)
        for (session, start, now, expected) in [
            (20, 100_000, 99_001, false),
            (20, 100_000, 99_000, false), // at the limit
            (20, 100_000, 98_999, true),  // one centavo beyond
            (20, 100_000, 90_000, false),
            (21, 90_000, 89_000, false), // a new session starts from where the last one closed
            (21, 90_000, 88_999, true),
            (22, 88_999, 99_999, false),
        ] {
            world.session(session);
            world.worth(start, now, start);
            assert_eq!(told(&mut watches[0], &world).len(), usize::from(expected), "{session} {now}");
        }
        world.limit(|limits| limits.max_daily_loss = cents(500));
        world.worth(100_000, 99_400, 100_000);
        assert_eq!(
            told(&mut watches[0], &world),
            ["daily_loss: loss of the session: 6.00 exceeds 5.00, account now reducing"],
            "another limit is told anew"
        );
    }

    #[test]
    fn a_strategy_that_loses_is_halted_alone() {
        let mut world = world(1_000);
        let mut watches = world.watches(NAME);
        world.worth(100_000, 100_000, 100_000);
        for (now, expected) in [(99_500, false), (99_499, true), (98_000, false)] {
            world.strategy_worth(100_000, now, 100_000);
            let breaches = told(&mut watches[2], &world);
            assert_eq!(breaches.len(), usize::from(expected), "{now}");
            assert!(breaches.iter().all(|text| text.ends_with("strategy:trend now reducing")), "{breaches:?}");
            assert!(told(&mut watches[0], &world).is_empty());
        }
    }

    proptest! {
        /// Whatever the walk of prices: it is told exactly when the loss first goes beyond the limit.
        #[test]
        fn it_is_told_at_the_first_loss_beyond_the_limit(walk in prop::collection::vec(-2_000_i64..2_000, 1..60)) {
            let mut world = world(1_000);
            let mut watches = world.watches(NAME);
            let first = walk.iter().position(|change| *change < -1_000);
            for (place, change) in walk.iter().enumerate() {
                world.worth(100_000, 100_000 + change, 100_000);
                prop_assert_eq!(told(&mut watches[0], &world).len(), usize::from(Some(place) == first));
            }
        }
    }
}
