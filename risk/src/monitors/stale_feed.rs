//! C23 for a whole feed: nothing was heard of any symbol for longer than a price may be old, while trading
//! is continuous. Each order's own check denies what rests on an old price of its symbol; a feed of which
//! nothing comes is more: nobody knows what the positions are worth. The account goes to reducing.

use super::{Breach, Built, Configured, Monitor, Observation};
use crate::checks::Figure;
use crate::halt::{HaltLevel, HaltScope};

pub(super) const NAME: &str = "stale_feed";

#[derive(Debug, Default)]
struct StaleFeed {
    /// The limit that the silence is told to be beyond.
    told: Option<i64>,
}

pub(super) fn build(_: &Configured<'_>) -> Vec<Built> {
    vec![Built::guard(HaltScope::Account, StaleFeed::default())]
}

impl Monitor for StaleFeed {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Account(figures) = seen else { return };
        let most = figures.limits.account().max_quote_age_seconds.nanos();
        // The feed has as long to begin as it may fall silent later.
        let since = figures.heard_at.map_or(figures.phase_since, |heard| heard.max(figures.phase_since));
        let silence = figures.at.nanos_since(since);
        let is_stale = figures.phase.trades_continuously() && silence > most;
        if is_stale && self.told != Some(most) {
            let breach = Breach::halt(NAME, HaltScope::Account, HaltLevel::Reducing, figures.at);
            let (seen, limit) = (Figure::Nanoseconds(silence), Figure::Nanoseconds(most));
            breaches.push(breach.because("the feed brings nothing of any symbol", seen, limit));
        }
        self.told = is_stale.then_some(most);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{World, told};
    use super::*;
    use crate::limits::amounts::Seconds;
    use market::time::NANOS_PER_SECOND;
    use market::{Phase, Timestamp};
    use proptest::prelude::*;

    const START: i64 = 1_000 * NANOS_PER_SECOND;

    fn world(phase: Phase) -> World {
        let mut world = World::with(|limits| limits.max_quote_age_seconds = Seconds(5));
        (world.figures.phase, world.figures.phase_since) = (phase, Timestamp::from_nanos(START));
        world
    }

    fn look(world: &mut World, watch: &mut super::super::Watch, after: i64, heard: Option<i64>) -> usize {
        world.figures.at = Timestamp::from_nanos(START + after);
        world.figures.heard_at = heard.map(|heard| Timestamp::from_nanos(START + heard));
        told(watch, world).len()
    }

    #[test]
    fn silence_for_longer_than_a_price_may_be_old_is_told_once_for_as_long_as_it_lasts() {
        const S: i64 = NANOS_PER_SECOND;
        let mut world = world(Phase::Continuous);
        let watch = &mut world.watches(NAME)[0];
        for (after, heard, expected) in [
            (5 * S - 1, None, 0),
            (5 * S, None, 0), // at the limit
            (5 * S + 1, None, 1),
            (9 * S, Some(8 * S), 0),
            (13 * S, Some(8 * S), 0),
            (13 * S + 1, Some(8 * S), 1),
            (20 * S, Some(8 * S), 0),
            (5 * S + 1, Some(-9 * S), 1), // what was heard before the phase says nothing of it
        ] {
            if heard == Some(-9 * S) {
                assert_eq!(look(&mut world, watch, 0, heard), 0);
            }
            assert_eq!(look(&mut world, watch, after, heard), expected, "{after} {heard:?}");
        }
    }

    #[test]
    fn silence_beyond_another_limit_is_told_anew() {
        let mut world = world(Phase::Continuous);
        let watch = &mut world.watches(NAME)[0];
        for (seconds, expected) in [(5, 1), (5, 0), (4, 1), (9, 0), (5, 1)] {
            world.limit(|limits| limits.max_quote_age_seconds = Seconds(seconds));
            assert_eq!(look(&mut world, watch, 6 * NANOS_PER_SECOND, None), expected, "{seconds}");
        }
    }

    proptest! {
        #[test]
        fn only_continuous_trading_needs_a_feed_that_speaks(after in 0..20 * NANOS_PER_SECOND) {
            for phase in [Phase::PreOpen, Phase::OpeningAuction, Phase::ClosingAuction, Phase::Closed, Phase::Unknown] {
                let mut world = world(phase);
                let watch = &mut world.watches(NAME)[0];
                prop_assert_eq!(look(&mut world, watch, after, None), 0);
            }
            let mut world = world(Phase::Continuous);
            let watch = &mut world.watches(NAME)[0];
            prop_assert_eq!(look(&mut world, watch, after, None), usize::from(after > 5 * NANOS_PER_SECOND));
        }
    }
}
