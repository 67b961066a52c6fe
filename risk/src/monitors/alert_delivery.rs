//! C37, alert latency: an alert that was not out within a second is a failure of its own. It is told over
//! whatever way still works, the log among them; once for as long as it lasts.

use market::Timestamp;
use market::time::NANOS_PER_SECOND;

use super::{Breach, Built, Configured, Monitor, Observation, Severity};
use crate::checks::Figure;

pub(super) const NAME: &str = "alert_delivery";

/// How long an alert may take from the breach until it is delivered, in nanoseconds (C37: a second).
pub const MOST_ALERT_DELAY: i64 = NANOS_PER_SECOND;

/// One look at a way for alerts to go out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeliveryReading {
    /// When.
    pub at: Timestamp,
    /// Which way.
    pub channel: &'static str,
    /// Age of the oldest alert that is still waiting to be delivered, in nanoseconds; zero if there is none.
    pub waiting: i64,
    /// Alerts that were given up or found no room, since the start.
    pub lost: u64,
    /// The longest that one took among those delivered since the last look, in nanoseconds.
    pub slowest: i64,
}

#[derive(Debug, Default)]
struct AlertDelivery {
    lost: u64,
    is_late: bool,
}

pub(super) fn build(_: &Configured<'_>) -> Vec<Built> {
    vec![Built::teller(AlertDelivery::default())]
}

impl Monitor for AlertDelivery {
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        let Observation::Delivery(reading) = seen else { return };
        let tell = || Breach::tell(NAME, Severity::Error, reading.at);
        let delay = reading.waiting.max(reading.slowest);
        let is_late = delay > MOST_ALERT_DELAY;
        if is_late && !self.is_late {
            let words = format!("an alert was not delivered in time over {}", reading.channel);
            breaches.push(tell().because(words, Figure::Nanoseconds(delay), Figure::Nanoseconds(MOST_ALERT_DELAY)));
        }
        if reading.lost > self.lost && !is_late && !self.is_late {
            let words = format!("alerts were lost over {}", reading.channel);
            breaches.push(tell().because(words, Figure::Count(reading.lost), Figure::Count(self.lost)));
        }
        (self.is_late, self.lost) = (is_late, reading.lost);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::World;
    use super::*;
    use proptest::prelude::*;

    fn look(watch: &mut super::super::Watch, waiting: i64, slowest: i64, lost: u64) -> usize {
        let mut breaches = Vec::new();
        let reading = DeliveryReading { at: Timestamp::from_nanos(0), channel: "webhook", waiting, lost, slowest };
        watch.observe(Observation::Delivery(&reading), &mut breaches);
        assert!(breaches.iter().all(|breach| breach.level == crate::HaltLevel::Active), "it only tells");
        breaches.len()
    }

    #[test]
    fn one_that_takes_longer_than_a_second_is_told_once_for_as_long_as_it_lasts() {
        const S: i64 = NANOS_PER_SECOND;
        let watch = &mut World::with(|_| {}).watches(NAME)[0];
        for (waiting, slowest, lost, expected) in [
            (S - 1, S - 1, 0, 0),
            (S, S, 0, 0), // at the limit
            (S + 1, 0, 0, 1),
            (2 * S, 0, 0, 0),
            (0, 2 * S, 0, 0), // it came, late
            (0, 0, 0, 0),
            (0, S + 1, 0, 1),
            (0, 0, 0, 0),
            (0, 0, 1, 1), // one was lost
            (0, 0, 1, 0),
        ] {
            assert_eq!(look(watch, waiting, slowest, lost), expected, "{waiting} {slowest} {lost}");
        }
    }

    proptest! {
        #[test]
        fn what_is_delivered_in_time_is_never_told(delays in prop::collection::vec(0..=NANOS_PER_SECOND, 1..40)) {
            let watch = &mut World::with(|_| {}).watches(NAME)[0];
            for delay in delays {
                prop_assert_eq!(look(watch, delay, delay, 0), 0);
            }
        }
    }
}
