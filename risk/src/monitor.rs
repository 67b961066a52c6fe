//! Watches after the trade. A monitor sees figures and says when the switch must be thrown; who
//! throws it (an actor live, the loop in a backtest) is not its concern.

use market::{Date, Money};

use crate::halt::HaltLevel;

/// Why the switch was thrown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// Which monitor.
    pub monitor: &'static str,
    /// How far to halt.
    pub level: HaltLevel,
    /// What was seen.
    pub seen: Money,
    /// What is allowed.
    pub limit: Money,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} exceeds {}, now {}", self.monitor, self.seen, self.limit, self.level.name())
    }
}

/// C14, daily loss: equity now against equity when the session began.
///
/// A breach stops new risk; closing positions stays possible. It is not lifted by the next
/// session: a person resumes.
#[derive(Clone, Debug)]
pub struct DailyLoss {
    limit: Money,
    session: Option<Date>,
    start: Money,
    breached: bool,
}

impl DailyLoss {
    /// Name in the halt's reason and in metrics.
    pub const NAME: &'static str = "daily_loss";

    /// With the loss of one session that is allowed.
    pub fn new(limit: Money) -> Self {
        Self { limit, session: None, start: Money::ZERO, breached: false }
    }

    /// Another loss is allowed from now on. A breach of it is told anew: a person may have resumed after
    /// one of the limit before.
    pub fn set_limit(&mut self, limit: Money) {
        if limit != self.limit {
            (self.limit, self.breached) = (limit, false);
        }
    }

    /// Looks at the equity; a breach is told once a session.
    #[inline]
    pub fn observe(&mut self, session: Date, equity: Money) -> Option<Breach> {
        if self.session != Some(session) {
            (self.session, self.start, self.breached) = (Some(session), equity, false);
        }
        let loss = self.start - equity;
        if loss <= self.limit || self.breached {
            return None;
        }
        self.breached = true;
        Some(Breach { monitor: Self::NAME, level: HaltLevel::Reducing, seen: loss, limit: self.limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_is_told_once_a_session_and_only_beyond_the_limit() {
        let day = |d| Date::from_ymd_opt(2017, 12, d).unwrap();
        let cents = Money::from_cents;
        let mut monitor = DailyLoss::new(cents(1_000));
        let told: Vec<bool> = [
            (20, 100_000),
            (20, 99_000), // at the limit
            (20, 98_999), // one centavo beyond
            (20, 90_000),
            (21, 90_000), // a new session starts from where it stands
            (21, 88_999),
        ]
        .into_iter()
        .map(|(d, equity)| monitor.observe(day(d), cents(equity)).is_some())
        .collect();
        assert_eq!(told, [false, false, true, false, false, true]);
    }

    #[test]
    fn another_limit_counts_from_the_same_morning_and_is_told_anew() {
        let day = Date::from_ymd_opt(2017, 12, 20).unwrap();
        let cents = Money::from_cents;
        let mut monitor = DailyLoss::new(cents(1_000));
        let mut told = |limit, equity| {
            monitor.set_limit(cents(limit));
            monitor.observe(day, cents(equity)).map(|breach| breach.limit)
        };
        assert_eq!(told(1_000, 100_000), None);
        assert_eq!(told(1_000, 98_900), Some(cents(1_000)));
        assert_eq!(told(2_000, 98_900), None);
        assert_eq!(told(2_000, 97_900), Some(cents(2_000)));
        assert_eq!(told(2_000, 97_800), None);
        assert_eq!(told(500, 97_800), Some(cents(500)));
    }
}
