//! C32, cancel on disconnect: what a venue has promised to do when our session is gone, and what must
//! be true when it is back.
//!
//! The promise is never relied on: whatever became of the orders, the broker's statement tells. This
//! rule only says when a statement shows that the promise was broken, which a person must hear of,
//! because the next time nobody may be there to cancel.

use std::fmt;
use std::time::Duration;

use market::TimeInForce;

/// The shortest window that may be asked for: with less, a link that flaps for seconds costs every
/// resting order its place.
pub const SHORTEST: Duration = Duration::from_secs(5);
/// The longest: what B3's order entry takes.
pub const LONGEST: Duration = Duration::from_secs(60);
/// Room for the venue's own timers and for cancels that wait for one another.
const MARGIN: Duration = Duration::from_secs(1);

/// What was asked for at a logon, and what was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// Neither asked for nor offered: orders stay when the session is gone.
    None,
    /// Asked for and not granted: orders stay.
    NotGranted {
        /// The window that was asked for.
        asked: Duration,
    },
    /// Day orders of a session that is gone for longer than this are cancelled by the venue.
    Granted {
        /// The venue's window, which need not be the one that was asked for.
        window: Duration,
    },
}

/// What must be true of the first statement after a logon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expectation {
    /// Orders may stand or be gone.
    Nothing,
    /// No day order that rested when the session went stands any more.
    DayOrdersGone,
}

/// How a session began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// What holds while it lasts.
    pub agreement: Agreement,
    /// What must have become of the orders of the session before it.
    pub expects: Expectation,
}

impl Agreement {
    /// From the question and the answer. A venue that does it without being asked does it.
    pub fn of(asked: Option<Duration>, granted: Option<Duration>) -> Self {
        match (asked, granted) {
            (_, Some(window)) => Self::Granted { window },
            (Some(asked), None) => Self::NotGranted { asked },
            (None, None) => Self::None,
        }
    }

    /// What must be true after a session under this agreement was away. `away` is how long no session of
    /// ours was logged on, at least; nothing where this process knows of no earlier one. `notice` is the
    /// longest that the venue may have taken to see that the session was gone.
    pub fn after(self, away: Option<Duration>, notice: Duration) -> Expectation {
        match (self, away) {
            (Self::Granted { window }, Some(away)) if away > window + notice + MARGIN => Expectation::DayOrdersGone,
            _ => Expectation::Nothing,
        }
    }
}

/// Whether an order of this kind stands however long its session is gone: good-till orders do.
pub const fn survives(time_in_force: TimeInForce) -> bool {
    matches!(time_in_force, TimeInForce::GoodTillCancel | TimeInForce::GoodTillDate(_))
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("not asked for"),
            Self::NotGranted { asked } => write!(f, "asked for after {asked:?}, not granted"),
            Self::Granted { window } => write!(f, "granted after {window:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Date;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn what_was_answered_counts_not_what_was_asked() {
        for (asked, granted, agreed, shown) in [
            (None, None, Agreement::None, "not asked for"),
            (Some(30), None, Agreement::NotGranted { asked: seconds(30) }, "asked for after 30s, not granted"),
            (Some(30), Some(30), Agreement::Granted { window: seconds(30) }, "granted after 30s"),
            (Some(30), Some(60), Agreement::Granted { window: seconds(60) }, "granted after 60s"),
            (Some(30), Some(0), Agreement::Granted { window: seconds(0) }, "granted after 0ns"),
            (None, Some(10), Agreement::Granted { window: seconds(10) }, "granted after 10s"),
        ] {
            let found = Agreement::of(asked.map(seconds), granted.map(seconds));
            assert_eq!((found, found.to_string().as_str()), (agreed, shown));
        }
    }

    #[test]
    fn orders_must_be_gone_only_when_nothing_explains_that_they_stand() {
        let granted = Agreement::Granted { window: seconds(30) };
        for (agreement, away, gone) in [
            // 30 s of window, 3 s to notice, 1 s of margin.
            (granted, Some(33_999), false),
            (granted, Some(34_000), false),
            (granted, Some(34_001), true),
            (granted, Some(3_600_000), true),
            (granted, Some(0), false),
            // Nobody knows when the session before ended.
            (granted, None, false),
            (Agreement::NotGranted { asked: seconds(30) }, Some(3_600_000), false),
            (Agreement::None, Some(3_600_000), false),
        ] {
            let expected = if gone { Expectation::DayOrdersGone } else { Expectation::Nothing };
            let found = agreement.after(away.map(Duration::from_millis), seconds(3));
            assert_eq!(found, expected, "{agreement}, away for {away:?}");
        }
    }

    #[test]
    fn good_till_orders_survive() {
        for (time_in_force, stays) in [
            (TimeInForce::Day, false),
            (TimeInForce::AtTheClose, false),
            (TimeInForce::ImmediateOrCancel, false),
            (TimeInForce::FillOrKill, false),
            (TimeInForce::GoodTillCancel, true),
            (TimeInForce::GoodTillDate(Date::default()), true),
        ] {
            assert_eq!(survives(time_in_force), stays, "{time_in_force:?}");
        }
    }
}
