//! Parity of the metrics with empyrical-reloaded 0.7.1, quantstats 0.0.86 and the textbook on 1,000
//! own synthetic daily returns. Every number of `expected_perf.json` is checked or the test fails.

use std::collections::BTreeSet;

use backtest::analytics::{Inputs, Performance, drawdown, measure};
use chrono::NaiveDate;
use serde_json::Value;

const RETURNS: &str = include_str!("../fixtures/returns_eqw_vs_ibov.csv");
const EXPECTED: &str = include_str!("../fixtures/expected_perf.json");
const TOLERANCE: f64 = 1e-9;

/// Where each expected number is in a [`Performance`].
type Check = (&'static str, &'static str, fn(&Performance) -> Option<f64>);

const CHECKS: &[Check] = &[
    ("empyrical", "cum_returns_final", |p| p.total_return),
    ("empyrical", "annual_return", |p| p.cagr),
    ("empyrical", "annual_volatility", |p| p.volatility),
    ("empyrical", "sharpe_ratio", |p| p.sharpe),
    ("empyrical", "sortino_ratio", |p| p.sortino),
    ("empyrical", "calmar_ratio", |p| p.calmar),
    ("empyrical", "max_drawdown", |p| p.max_drawdown),
    ("empyrical", "omega_ratio", |p| p.omega),
    ("empyrical", "tail_ratio", |p| p.tail_ratio),
    ("empyrical", "stability_of_timeseries", |p| p.stability),
    ("empyrical", "value_at_risk", |p| p.var_95),
    ("empyrical", "conditional_value_at_risk", |p| p.cvar_95),
    ("empyrical", "downside_risk", |p| p.downside_risk),
    ("empyrical", "alpha", |p| p.alpha),
    ("empyrical", "beta", |p| p.beta),
    // Theirs is per session; ours is annualised.
    ("empyrical", "excess_sharpe", |p| Some(p.information_ratio? / 252.0_f64.sqrt())),
    ("empyrical", "up_capture", |p| p.up_capture),
    ("empyrical", "down_capture", |p| p.down_capture),
    ("empyrical", "up_down_capture", |p| p.capture_ratio),
    // Not printed: with an index that lost money its sign says nothing. Its two parts are.
    ("empyrical", "capture", |p| Some(p.cagr? / p.benchmark_cagr?)),
    ("quantstats", "ulcer_index", |p| p.ulcer_index),
    ("quantstats", "payoff_ratio", |p| p.payoff),
    ("quantstats", "profit_factor", |p| p.profit_factor),
    ("quantstats", "win_rate", |p| p.periods.day.win_rate),
    ("quantstats", "gain_to_pain_ratio", |p| p.gain_to_pain),
    ("quantstats", "skew", |p| p.skew),
    ("quantstats", "kurtosis", |p| p.excess_kurtosis),
    ("quantstats", "value_at_risk", |p| p.var_95_parametric),
    ("quantstats", "conditional_value_at_risk", |p| p.cvar_95_parametric),
    ("quantstats", "kelly_criterion", |p| p.kelly),
    ("quantstats", "recovery_factor", |p| p.recovery_factor),
    ("quantstats", "probabilistic_sharpe_ratio", |p| p.probabilistic_sharpe),
    ("textbook", "tracking_error_ann", |p| p.tracking_error),
    ("textbook", "information_ratio_ann", |p| p.information_ratio),
    ("textbook", "rolling_sharpe_63_last", |p| p.rolling_sharpe_63_last),
];

/// Parts of the file that are no single number; each has its own test below.
const OTHER_PARTS: &[&str] = &["monthly_returns", "underwater_min_date"];

struct Fixture {
    dates: Vec<NaiveDate>,
    portfolio: Vec<f64>,
    index: Vec<f64>,
}

fn fixture() -> Fixture {
    let mut fixture = Fixture { dates: Vec::new(), portfolio: Vec::new(), index: Vec::new() };
    for line in RETURNS.lines().skip(1) {
        let mut cells = line.split(',');
        let mut cell = || cells.next().expect("three columns");
        fixture.dates.push(cell().parse().expect("a date"));
        fixture.portfolio.push(cell().parse().expect("a return"));
        fixture.index.push(cell().parse().expect("a return"));
    }
    assert_eq!(fixture.dates.len(), 1_000);
    fixture
}

fn measured() -> Performance {
    let fixture = fixture();
    measure(&Inputs { benchmark: Some(&fixture.index), ..Inputs::new(&fixture.dates, &fixture.portfolio) })
        .expect("the fixture is measurable")
}

fn expected() -> Value {
    serde_json::from_str(EXPECTED).expect("the fixture is JSON")
}

#[test]
fn every_expected_number_is_reproduced() {
    let (performance, expected) = (measured(), expected());
    let mut wrong = Vec::new();
    for (library, name, ours) in CHECKS {
        let theirs = expected[library][name].as_f64().expect("an expected number");
        let ours = ours(&performance);
        if ours.is_none_or(|ours| (ours - theirs).abs() > TOLERANCE) {
            wrong.push(format!("{library}.{name}: {ours:?}, expected {theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_expected_number_is_left_unchecked() {
    let expected = expected();
    let listed: BTreeSet<(&str, &str)> = CHECKS.iter().map(|(part, name, _)| (*part, *name)).collect();
    for (part, content) in expected.as_object().expect("an object") {
        if OTHER_PARTS.contains(&part.as_str()) {
            continue;
        }
        for name in content.as_object().expect("numbers by name").keys() {
            assert!(listed.contains(&(part.as_str(), name.as_str())), "{part}.{name}");
        }
    }
}

#[test]
fn every_month_is_reproduced() {
    let (performance, expected) = (measured(), expected());
    let expected = expected["monthly_returns"].as_object().expect("months");
    let mut months = 0;
    for row in &performance.monthly_returns {
        for (month, value) in (1..).zip(row.months) {
            let Some(value) = value else { continue };
            let name = format!("{}-{month:02}", row.year);
            let theirs = expected[&name].as_f64().expect("an expected month");
            assert!((value - theirs).abs() < TOLERANCE, "{name}: {value}, expected {theirs}");
            months += 1;
        }
    }
    assert_eq!(months, expected.len());
}

#[test]
fn the_trough_is_on_the_expected_day() {
    let expected = expected();
    let trough = measured().worst_drawdowns[0].trough.to_string();
    assert_eq!(Some(trough.as_str()), expected["underwater_min_date"].as_str());
}

/// Numbers that the reference states in prose, for the choices that we did not make.
#[test]
fn the_roads_not_taken_give_the_numbers_on_record() {
    let (performance, fixture) = (measured(), fixture());
    let max_drawdown = performance.max_drawdown.expect("a drawdown").abs();
    let compounded = performance.total_return.expect("a return") / max_drawdown;
    assert!((compounded - 0.143_544_170).abs() < 1e-9);
    let squares: f64 = drawdown::underwater(&fixture.portfolio).iter().map(|d| d * d).sum();
    assert!(((squares / 1_000.0).sqrt() - 0.142_319_929).abs() < 1e-9);
}
