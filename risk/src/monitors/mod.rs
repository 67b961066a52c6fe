//! Watches after the trade: one file and one list entry each.
//!
//! A monitor is a plain value. It sees figures that carry their time, and says what is beyond its limit
//! ([`Breach`]): how far to halt, what, and with which figures. Who throws the switch and who is told (an
//! actor live, the loop in a backtest, the stage of a scenario) is not its concern.
//!
//! Figures are totals and levels, never differences ([`Figures`]): whoever looks late sees fewer of them,
//! and misses nothing that was counted. The limits come with the figures, so a changed limit counts from
//! the next look on. Halts are only ever thrown here. What is lifted, a named person lifts; a breach is
//! told once for as long as it lasts (a loss: once a session), so a person who has resumed is not halted by
//! the same breach in the same breath.

mod alert_delivery;
mod clock;
mod daily_loss;
mod denials;
mod drawdown;
mod exposure;
mod figures;
mod order_to_trade;
mod reconciliation;
mod stale_feed;
#[cfg(test)]
mod tests_support;
mod used;

use std::fmt;

use market::{StrategyId, Timestamp};

use crate::checks::Figure;
use crate::halt::{HaltLevel, HaltScope};
use crate::limits::LimitTable;
use crate::limits::amounts::Count;

pub use alert_delivery::{DeliveryReading, MOST_ALERT_DELAY};
pub use clock::{ClockReading, Synchronisation, may_arm};
pub use figures::{Comparison, Exposure, Figures, Sent, Standing, Worth};
pub use used::{Used, used};

/// Every monitor, in the order in which they look.
pub const MONITORS: &[MonitorEntry] = &[
    MonitorEntry { name: daily_loss::NAME, control: "C14", hears: Hears::Marks, build: daily_loss::build },
    MonitorEntry { name: drawdown::NAME, control: "C15", hears: Hears::Marks, build: drawdown::build },
    MonitorEntry { name: exposure::NAME, control: "C11", hears: Hears::Changes, build: exposure::build },
    MonitorEntry { name: order_to_trade::NAME, control: "C08", hears: Hears::Changes, build: order_to_trade::build },
    MonitorEntry { name: denials::NAME, control: "C16", hears: Hears::Changes, build: denials::build },
    MonitorEntry { name: reconciliation::NAME, control: "C28", hears: Hears::Changes, build: reconciliation::build },
    MonitorEntry { name: stale_feed::NAME, control: "C23", hears: Hears::Time, build: stale_feed::build },
    MonitorEntry { name: clock::NAME, control: "C27", hears: Hears::Clock, build: clock::build },
    MonitorEntry { name: alert_delivery::NAME, control: "C37", hears: Hears::Delivery, build: alert_delivery::build },
];

/// One kind of monitor.
pub struct MonitorEntry {
    /// Its stable name: who threw the switch, in records, metrics and alerts.
    pub name: &'static str,
    /// The control that it carries out.
    pub control: &'static str,
    /// What makes it look.
    pub hears: Hears,
    /// One for each scope that it is configured for.
    pub build: fn(&Configured<'_>) -> Vec<Built>,
}

/// What makes a monitor look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hears {
    /// Prices have moved.
    Marks,
    /// Anything else about the account has changed, or a second has passed.
    Changes,
    /// Time has passed (live only).
    Time,
    /// The machine's clock was looked at (live only).
    Clock,
    /// Whether alerts go out was looked at (live only).
    Delivery,
}

/// What a monitor looks at.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// The account's figures.
    Account(&'a Figures),
    /// The machine's clock, with the limits in force.
    Clock(&'a ClockReading, &'a LimitTable),
    /// The alerts on their way.
    Delivery(&'a DeliveryReading),
}

/// Something that watches.
pub trait Monitor: fmt::Debug + Send {
    /// Looks; what is beyond a limit and was not told yet is added to `breaches`.
    fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>);
}

/// What the monitors of a run are configured by, beside the limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MonitorSettings {
    /// How far a drawdown halts: `reducing`, `cancel_all` or `flatten`.
    pub drawdown_action: HaltLevel,
    /// A clock of which nobody knows whether it is right halts as one that is wrong does.
    pub clock_must_be_synchronised: bool,
    /// Denials by one check in a minute; beyond it a person is told.
    pub most_denials: Count,
}

impl Default for MonitorSettings {
    /// Reducing; an unknown clock warns; sixty denials: one a second by one check is a strategy that does
    /// not understand its denials.
    fn default() -> Self {
        Self { drawdown_action: HaltLevel::Reducing, clock_must_be_synchronised: false, most_denials: Count(60) }
    }
}

/// What is configured. The limits come with the figures.
pub struct Configured<'a> {
    /// Beside the limits.
    pub settings: MonitorSettings,
    /// Names of strategies in the order of their numbers.
    pub strategies: &'a [String],
}

impl Configured<'_> {
    /// The account, and each strategy: also one without a limit of its own, which may get one at run time.
    fn scopes(&self) -> Vec<(HaltScope, Option<StrategyId>)> {
        let numbered = (0..).map(StrategyId).zip(self.strategies);
        let own = numbered.map(|(id, name)| (HaltScope::Strategy(name.clone()), Some(id)));
        [(HaltScope::Account, None)].into_iter().chain(own).collect()
    }
}

/// A monitor for one scope.
pub struct Built {
    /// What it watches over.
    pub scope: HaltScope,
    /// How far its scope is halted when it fails; it may not see what happens until it is back.
    pub when_down: HaltLevel,
    /// And when it is given up.
    pub when_given_up: HaltLevel,
    /// Itself.
    pub monitor: Box<dyn Monitor>,
}

impl Built {
    /// One without which nothing may be taken on in its scope.
    fn guard(scope: HaltScope, monitor: impl Monitor + 'static) -> Self {
        // Without the one strategy the account goes on.
        let given_up = if matches!(scope, HaltScope::Strategy(_)) { HaltLevel::StopNew } else { HaltLevel::Halted };
        Self { scope, when_down: HaltLevel::Reducing, when_given_up: given_up, monitor: Box::new(monitor) }
    }

    /// One that only tells: what it watches is denied or stopped elsewhere as well.
    fn teller(monitor: impl Monitor + 'static) -> Self {
        let (scope, level) = (HaltScope::Account, HaltLevel::Active);
        Self { scope, when_down: level, when_given_up: level, monitor: Box::new(monitor) }
    }
}

/// A configured monitor at work.
#[derive(Debug)]
pub struct Watch {
    /// The monitor's name, with the strategy's where it watches over one.
    pub name: String,
    /// What it watches over.
    pub scope: HaltScope,
    /// What makes it look.
    pub hears: Hears,
    /// How far its scope is halted when it fails.
    pub when_down: HaltLevel,
    /// And when it is given up.
    pub when_given_up: HaltLevel,
    monitor: Box<dyn Monitor>,
}

impl Watch {
    /// Looks.
    #[inline]
    pub fn observe(&mut self, seen: Observation<'_>, breaches: &mut Vec<Breach>) {
        self.monitor.observe(seen, breaches);
    }
}

/// Every monitor, in the order of [`MONITORS`].
pub fn watches(configured: &Configured<'_>) -> Vec<Watch> {
    let each = |entry: &MonitorEntry| {
        let (name, hears) = (entry.name, entry.hears);
        (entry.build)(configured).into_iter().map(move |built| {
            let name = match &built.scope {
                HaltScope::Strategy(_) => format!("{name} {}", built.scope),
                _ => name.to_owned(),
            };
            let Built { scope, when_down, when_given_up, monitor } = built;
            Watch { name, scope, hears, when_down, when_given_up, monitor }
        })
    };
    MONITORS.iter().flat_map(each).collect()
}

/// How much it matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Worth knowing before it becomes worse.
    Warning,
    /// Somebody must act.
    Error,
}

impl Severity {
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What is beyond a limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// Which monitor.
    pub monitor: &'static str,
    /// What is to be halted.
    pub scope: HaltScope,
    /// How far; `active`: a person is told, and no more.
    pub level: HaltLevel,
    /// How much it matters.
    pub severity: Severity,
    /// When it was seen.
    pub at: Timestamp,
    /// What is wrong, in a few words.
    pub because: String,
    /// What was seen.
    pub seen: Figure,
    /// What is allowed.
    pub limit: Figure,
}

impl Breach {
    /// One that halts.
    fn halt(monitor: &'static str, scope: HaltScope, level: HaltLevel, at: Timestamp) -> Self {
        let (because, seen, limit) = (String::new(), Figure::None, Figure::None);
        Self { monitor, scope, level, severity: Severity::Error, at, because, seen, limit }
    }

    /// One that a person is told.
    fn tell(monitor: &'static str, severity: Severity, at: Timestamp) -> Self {
        Self { severity, ..Self::halt(monitor, HaltScope::Account, HaltLevel::Active, at) }
    }

    #[must_use]
    fn because(mut self, because: impl Into<String>, seen: Figure, limit: Figure) -> Self {
        (self.because, self.seen, self.limit) = (because.into(), seen, limit);
        self
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.monitor, self.because)?;
        if self.seen != Figure::None {
            write!(f, ": {} exceeds {}", self.seen, self.limit)?;
        }
        if self.level != HaltLevel::Active {
            write!(f, ", {} now {}", self.scope, self.level.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_watch_for_each_scope_each_with_the_smallest_halt_that_is_safe() {
        let settings = MonitorSettings::default();
        let watches = watches(&Configured { settings, strategies: &["trend".to_owned()] });
        let told: Vec<String> = watches
            .iter()
            .map(|watch| format!("{} {} {}", watch.name, watch.when_down.name(), watch.when_given_up.name()))
            .collect();
        assert_eq!(
            told,
            [
                "daily_loss reducing halted",
                "daily_loss strategy:trend reducing stop_new",
                "drawdown reducing halted",
                "drawdown strategy:trend reducing stop_new",
                "exposure reducing halted",
                "order_to_trade active active",
                "order_to_trade strategy:trend active active",
                "denials active active",
                "reconciliation reducing halted",
                "stale_feed reducing halted",
                "clock reducing halted",
                "alert_delivery active active",
            ]
        );
        let mut names: Vec<_> = MONITORS.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MONITORS.len(), "names are for ever, and one each");
    }
}
