//! The 37 controls: what each one is, where it acts, and what proves it.
//!
//! One row each, in the order of their numbers. Documentation (`docs/risk-controls.md`), the alerts'
//! chapter of RUNBOOK.md and the alert rules (`grafana/prometheus/`) are rendered from these rows, and tests
//! hold the rows against the code: every code that denies, every limit that can be configured, every metric
//! that an alert asks for, every file and test that is named (`tests/tests/catalogue.rs`).

mod render;
mod rows;

pub use render::{alert_rules, alert_tests, runbook, table};
pub use rows::CONTROLS;

/// Where a control acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acts {
    /// In the review, before an order is entered.
    BeforeTheOrder,
    /// On what an order or a price has led to.
    AfterTheTrade,
    /// Where a command leaves for the broker.
    AtTheGate,
    /// Before anything trades.
    AtTheStart,
    /// On what a person does to a running engine.
    OnPeople,
    /// All the time, whatever is traded.
    Throughout,
}

impl Acts {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeTheOrder => "before the order",
            Self::AfterTheTrade => "after the trade",
            Self::AtTheGate => "at the gate",
            Self::AtTheStart => "at the start",
            Self::OnPeople => "on people's changes",
            Self::Throughout => "throughout",
        }
    }
}

/// How loud an alert is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// Somebody is woken.
    Page,
    /// Somebody looks the same day.
    Warn,
}

impl Severity {
    /// As the alert rules write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Warn => "warn",
        }
    }
}

/// What an alert asks the metrics for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// More denials than this within a minute, by any of these codes.
    Denials(&'static [&'static str], u32),
    /// A halt thrown by any of these within five minutes.
    Halts(&'static [&'static str]),
    /// A gauge that stands above zero.
    Gauge(&'static str),
    /// A gauge that stands at zero.
    Zero(&'static str),
    /// A channel's gauge that stands above this many seconds.
    Seconds(&'static str, u32),
    /// A counter that grew within five minutes.
    Counter(&'static str),
}

/// The alert of a control.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alert {
    /// Its name: a heading of RUNBOOK.md.
    pub name: &'static str,
    /// When it fires.
    pub signal: Signal,
    /// Seconds that it must stand before anybody is told.
    pub stands: u32,
    /// How loud.
    pub severity: Severity,
    /// What has happened, in a sentence.
    pub says: &'static str,
    /// What to do first.
    pub first: &'static str,
}

/// A test, by its file and name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proof {
    /// From the top of the repository.
    pub file: &'static str,
    /// Its function.
    pub test: &'static str,
}

/// One control.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Control {
    /// `C01` to `C37`.
    pub number: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// The codes of its denials.
    pub denies: &'static [&'static str],
    /// Who throws a halt for it.
    pub halts: &'static [&'static str],
    /// Where it acts.
    pub acts: &'static [Acts],
    /// Keys of the configuration.
    pub keys: &'static [&'static str],
    /// What is compared with what.
    pub compares: &'static str,
    /// In which unit; its smallest step is what the boundary tests move by.
    pub unit: &'static str,
    /// What happens when both are equal.
    pub at_the_limit: &'static str,
    /// What passes although it is beyond.
    pub passes: &'static str,
    /// Its alert.
    pub alert: Alert,
    /// The files of the rule.
    pub rules: &'static [&'static str],
    /// The test at the limit and one step on either side, or of each line of its table.
    pub boundary: Proof,
    /// The test of what holds whatever comes.
    pub property: Proof,
}

impl Signal {
    /// The metric, with the labels that it is narrowed by.
    pub fn selector(&self) -> String {
        match self {
            Self::Denials(codes, _) => format!("pregao_orders_denied_total{{check=~\"{}\"}}", codes.join("|")),
            Self::Halts(by) => format!("pregao_halts_total{{by=~\"{}\"}}", by.join("|")),
            Self::Gauge(metric) | Self::Zero(metric) | Self::Seconds(metric, _) | Self::Counter(metric) => {
                (*metric).to_owned()
            }
        }
    }
}

/// Codes that deny and belong to none of the 37: the journal is away, and nothing new is taken on.
pub const OTHER_CODES: &[&str] = &[crate::checks::code::JOURNAL];

/// Who throws halts, as metrics name them; everybody else is a person.
pub const HALTERS: &[&str] = &[
    "daily_loss",
    "drawdown",
    "exposure",
    "stale_feed",
    "reconciliation",
    "clock",
    "journal",
    "watchdog",
    "attestation",
    "account",
    "broker",
    "session",
    "limit",
    "feed",
    "symbol",
    "strategy",
    "trainer",
    "lease",
    PERSON,
];

/// A person, a file or a signal.
pub const PERSON: &str = "person";

/// How metrics name who threw a halt: a bounded set of names, whatever people are called. What is watched over
/// stands behind a space (`daily_loss strategy:trend`).
pub fn halter(by: &str) -> &'static str {
    let first = by.split([' ', ':']).next().unwrap_or_default();
    HALTERS.iter().copied().find(|known| *known == first).unwrap_or(PERSON)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::checks::{CHECKS, code};
    use crate::limits::KEYS;

    #[test]
    fn there_are_37_in_order_each_with_names_of_its_own() {
        let numbers: Vec<String> = (1..=37).map(|number| format!("C{number:02}")).collect();
        assert_eq!(CONTROLS.iter().map(|control| control.number).collect::<Vec<_>>(), numbers);
        let unique = |of: fn(&Control) -> &'static str| CONTROLS.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!((unique(|control| control.title), unique(|control| control.alert.name)), (37, 37));
        for control in CONTROLS {
            assert!(!control.acts.is_empty() && !control.rules.is_empty(), "{}", control.number);
            let texts = [control.compares, control.unit, control.at_the_limit, control.alert.says, control.alert.first];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.contains(['|', '"'])), "{}", control.number);
            let name = control.alert.name;
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name} is no name of an alert");
        }
    }

    /// Each code under one control, so that a denial is explained in one place.
    #[test]
    fn every_code_that_denies_is_under_one_control() {
        let codes = [
            code::HALTED,
            code::UNKNOWN_ORDER,
            code::IDENTIFIERS,
            code::NOT_OPEN,
            code::JOURNAL,
            code::BROKER,
            code::RECONCILIATION,
            code::NOT_REDUCING,
            code::UNKNOWN_INSTRUMENT,
        ];
        for code in CHECKS.iter().map(|check| check.name).chain(codes) {
            let places = CONTROLS.iter().filter(|control| control.denies.contains(&code)).count();
            let others = usize::from(OTHER_CODES.contains(&code));
            assert_eq!(places + others, 1, "{code}");
        }
    }

    #[test]
    fn every_limit_is_under_the_control_that_it_names() {
        for key in KEYS {
            let path = format!("risk.{}", key.name);
            let found: Vec<&str> = CONTROLS
                .iter()
                .filter(|control| control.keys.contains(&path.as_str()))
                .map(|control| control.number)
                .collect();
            assert!(found.contains(&key.control), "{path} belongs to {} and is under {found:?}", key.control);
        }
    }

    #[test]
    fn whoever_halts_has_a_bounded_name() {
        for (by, name) in [
            ("daily_loss", "daily_loss"),
            ("daily_loss strategy:trend", "daily_loss"),
            ("limit daily_loss", "limit"),
            ("symbol PETR4", "symbol"),
            ("watchdog", "watchdog"),
            ("ana", "person"),
            ("halt file", "person"),
            ("", "person"),
            ("daily_losses", "person"),
        ] {
            assert_eq!(halter(by), name, "{by}");
        }
        for by in CONTROLS.iter().flat_map(|control| control.halts) {
            assert_eq!(halter(by), *by, "{by} is not in the list");
        }
    }
}
