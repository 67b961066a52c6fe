//! C15, drawdown: how far the account, or a strategy, has fallen from its highest close. The highest close
//! is kept with the book and survives restarts; a peak within a session is none, because nobody could have
//! been paid it.
//!
//! How far a breach halts is configured (`drawdown_action`). It is told once a session, because a fall
//! does not end with the day, and anew when another limit is set.

use market::{Date, Rate, StrategyId};

use super::{Breach, Built, Configured, Figures, Monitor, Observation};
use crate::checks::Figure;
use crate::halt::{HaltLevel, HaltScope};

pub(super) const NAME: &str = "drawdown";

#[derive(Debug)]
struct Drawdown {
    scope: HaltScope,
    strategy: Option<StrategyId>,
    action: HaltLevel,
    told: Option<(Date, Rate)>,
}

pub(super) fn build(configured: &Configured<'_>) -> Vec<Built> {
    let action = configured.settings.drawdown_action;
    let scopes = configured.scopes();
    let each = |(scope, strategy): (HaltScope, _)| {
        Built::guard(scope.clone(), Drawdown { scope, strategy, action, told: None })
    };
    scopes.into_iter().map(each).collect()
}

fn limit(figures: &Figures, strategy: Option<StrategyId>) -> Option<Rate> {
    match strategy {
        None => Some(figures.limits.account().max_drawdown),
        Some(strategy) => figures.limits.strategy(strategy).max_drawdown,
    }
}

impl Monitor for Drawdown {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Account(figures) = seen else { return };
        let Some(standing) = figures.standing(self.strategy) else { return };
        let Some(limit) = limit(figures, self.strategy) else { return };
        let (fall, allowed) = (standing.peak - standing.now, standing.peak.scaled(limit));
        if fall <= allowed || self.told == Some((figures.session, limit)) {
            return;
        }
        self.told = Some((figures.session, limit));
        let breach = Breach::halt(NAME, self.scope.clone(), self.action, figures.at);
        breaches.push(breach.because("fall from the highest close", Figure::Money(fall), Figure::Money(allowed)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::MonitorSettings;
    use super::super::tests_support::{World, told};
    use super::*;
    use crate::limits::SomeLimits;
    use proptest::prelude::*;

    fn world() -> World {
        let mut world = World::with(|limits| limits.max_drawdown = Rate::from_ppm(100_000));
        world.strategy_limits(SomeLimits { max_drawdown: Some(Rate::from_ppm(50_000)), ..SomeLimits::default() });
        world
    }

    #[test]
    fn a_fall_beyond_the_limit_is_told_once_a_session_until_it_is_made_good() {
        let mut world = world();
        let mut watches = world.watches(NAME);
        for (session, peak, now, expected) in [
            (20, 100_000, 90_001, false),
            (20, 100_000, 90_000, false), // at the limit
            (20, 100_000, 89_999, true),  // one centavo beyond
            (20, 100_000, 80_000, false),
            (21, 100_000, 89_999, true), // it has not been made good
            (22, 120_000, 108_000, false),
            (22, 120_000, 107_999, true),
        ] {
            world.session(session);
            world.worth(now, now, peak);
            assert_eq!(told(&mut watches[0], &world).len(), usize::from(expected), "{session} {now}");
        }
    }

    #[test]
    fn the_action_is_what_is_configured_and_a_strategy_falls_alone() {
        for action in [HaltLevel::Reducing, HaltLevel::CancelAll, HaltLevel::Flatten] {
            let mut world = world();
            world.settings = MonitorSettings { drawdown_action: action, ..MonitorSettings::default() };
            let mut watches = world.watches(NAME);
            world.worth(100_000, 100_000, 100_000);
            world.strategy_worth(100_000, 94_999, 100_000);
            let text = format!(
                "drawdown: fall from the highest close: 50.01 exceeds 50.00, strategy:trend now {}",
                action.name()
            );
            assert_eq!(told(&mut watches[2], &world), [text]);
            assert!(told(&mut watches[0], &world).is_empty());
        }
    }

    proptest! {
        #[test]
        fn nothing_is_told_while_the_fall_is_within_the_limit(peak in 1_i64..10_000_000, ppm in 0_i64..100_000) {
            let mut world = world();
            let mut watches = world.watches(NAME);
            // In centavos and rounded down, so that the limit itself is within.
            let fall = peak * ppm / 1_000_000;
            world.worth(peak, peak - fall, peak);
            prop_assert!(told(&mut watches[0], &world).is_empty());
            world.worth(peak, peak - peak / 10 - 1, peak);
            prop_assert_eq!(told(&mut watches[0], &world).len(), 1);
        }
    }
}
