//! Every metric in one list: key, label, unit, formula, and where its value is.
//!
//! The report prints from this list, so a metric without a formula cannot be shown. A new metric
//! is a field of [`Performance`] and a line here; a test compares the two.

use super::Performance;

/// Where a metric stands in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What was earned.
    Returns,
    /// What it could have cost.
    Risk,
    /// Reward per risk.
    Ratios,
    /// Against the index.
    Benchmark,
    /// Closed trades.
    Trades,
}

impl Group {
    /// Every group, in the order of the report.
    pub const ALL: [Self; 5] = [Self::Returns, Self::Risk, Self::Ratios, Self::Benchmark, Self::Trades];

    /// Heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Returns => "Returns",
            Self::Risk => "Risk",
            Self::Ratios => "Ratios",
            Self::Benchmark => "Against the index",
            Self::Trades => "Closed trades",
        }
    }
}

/// How a metric is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A fraction, shown as a percentage.
    Percent,
    /// A plain number.
    Ratio,
    /// A whole number.
    Count,
    /// An amount of money.
    Reais,
}

/// One number of the report.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Path in the JSON of [`Performance`], dots between levels.
    pub key: &'static str,
    /// Part of the report it belongs to.
    pub group: Group,
    /// Short name.
    pub label: &'static str,
    /// How it is written.
    pub unit: Unit,
    /// How it is computed, in one line.
    pub formula: &'static str,
    /// Its value; `None` means not enough data.
    pub value: fn(&Performance) -> Option<f64>,
}

/// Every metric, in the order of the report.
pub const METRICS: &[Metric] = &[
    Metric {
        key: "total_return",
        group: Group::Returns,
        label: "Total return",
        unit: Unit::Percent,
        formula: "Π(1 + r) − 1, r simple daily returns",
        value: |p| p.total_return,
    },
    Metric {
        key: "cagr",
        group: Group::Returns,
        label: "CAGR",
        unit: Unit::Percent,
        formula: "E_T^(252/n) − 1 by session count; none below 63 sessions",
        value: |p| p.cagr,
    },
    Metric {
        key: "trailing.month_to_date",
        group: Group::Returns,
        label: "Month to date",
        unit: Unit::Percent,
        formula: "compounded since the end of the previous month",
        value: |p| p.trailing.month_to_date,
    },
    Metric {
        key: "trailing.three_months",
        group: Group::Returns,
        label: "3 months",
        unit: Unit::Percent,
        formula: "compounded since the same day 3 months earlier",
        value: |p| p.trailing.three_months,
    },
    Metric {
        key: "trailing.six_months",
        group: Group::Returns,
        label: "6 months",
        unit: Unit::Percent,
        formula: "compounded since the same day 6 months earlier",
        value: |p| p.trailing.six_months,
    },
    Metric {
        key: "trailing.year_to_date",
        group: Group::Returns,
        label: "Year to date",
        unit: Unit::Percent,
        formula: "compounded since the end of the previous year",
        value: |p| p.trailing.year_to_date,
    },
    Metric {
        key: "trailing.one_year",
        group: Group::Returns,
        label: "1 year",
        unit: Unit::Percent,
        formula: "compounded since the same day 1 year earlier",
        value: |p| p.trailing.one_year,
    },
    Metric {
        key: "trailing.three_years",
        group: Group::Returns,
        label: "3 years",
        unit: Unit::Percent,
        formula: "compounded since the same day 3 years earlier, not annualised",
        value: |p| p.trailing.three_years,
    },
    Metric {
        key: "trailing.five_years",
        group: Group::Returns,
        label: "5 years",
        unit: Unit::Percent,
        formula: "compounded since the same day 5 years earlier, not annualised",
        value: |p| p.trailing.five_years,
    },
    Metric {
        key: "periods.day.win_rate",
        group: Group::Returns,
        label: "Winning days",
        unit: Unit::Percent,
        formula: "positive days / (positive + negative days)",
        value: |p| p.periods.day.win_rate,
    },
    Metric {
        key: "periods.day.best",
        group: Group::Returns,
        label: "Best day",
        unit: Unit::Percent,
        formula: "max(r)",
        value: |p| p.periods.day.best,
    },
    Metric {
        key: "periods.day.worst",
        group: Group::Returns,
        label: "Worst day",
        unit: Unit::Percent,
        formula: "min(r)",
        value: |p| p.periods.day.worst,
    },
    Metric {
        key: "time_in_market",
        group: Group::Returns,
        label: "Time in market",
        unit: Unit::Percent,
        formula: "sessions with exposure / sessions",
        value: |p| p.time_in_market,
    },
    Metric {
        key: "sessions",
        group: Group::Returns,
        label: "Sessions",
        unit: Unit::Count,
        formula: "number of daily returns, n",
        value: |p| count(p.sessions),
    },
    Metric {
        key: "volatility",
        group: Group::Risk,
        label: "Volatility",
        unit: Unit::Percent,
        formula: "std(r)·√252, ddof 1",
        value: |p| p.volatility,
    },
    Metric {
        key: "max_drawdown",
        group: Group::Risk,
        label: "Maximum drawdown",
        unit: Unit::Percent,
        formula: "min(E_t / max E − 1), the opening capital is the first peak",
        value: |p| p.max_drawdown,
    },
    Metric {
        key: "average_drawdown",
        group: Group::Risk,
        label: "Average drawdown",
        unit: Unit::Percent,
        formula: "mean depth of all drawdowns",
        value: |p| p.average_drawdown,
    },
    Metric {
        key: "longest_drawdown_sessions",
        group: Group::Risk,
        label: "Longest drawdown, sessions",
        unit: Unit::Count,
        formula: "sessions below a peak; an open drawdown counts to the end",
        value: |p| count(p.longest_drawdown_sessions),
    },
    Metric {
        key: "recovery_factor",
        group: Group::Risk,
        label: "Recovery factor",
        unit: Unit::Ratio,
        formula: "Σr / abs(maximum drawdown); the numerator is summed, not compounded",
        value: |p| p.recovery_factor,
    },
    Metric {
        key: "ulcer_index",
        group: Group::Risk,
        label: "Ulcer index",
        unit: Unit::Percent,
        formula: "√(Σ drawdown² / (n − 1))",
        value: |p| p.ulcer_index,
    },
    Metric {
        key: "downside_risk",
        group: Group::Risk,
        label: "Downside risk",
        unit: Unit::Percent,
        formula: "√mean(min(r, 0)²)·√252",
        value: |p| p.downside_risk,
    },
    Metric {
        key: "var_95",
        group: Group::Risk,
        label: "VaR 95, one day",
        unit: Unit::Percent,
        formula: "historical: 5 % quantile of r, linear between observations",
        value: |p| p.var_95,
    },
    Metric {
        key: "var_95_parametric",
        group: Group::Risk,
        label: "VaR 95, if normal",
        unit: Unit::Percent,
        formula: "mean(r) − 1.645·std(r)",
        value: |p| p.var_95_parametric,
    },
    Metric {
        key: "cvar_95",
        group: Group::Risk,
        label: "CVaR 95, one day",
        unit: Unit::Percent,
        formula: "mean of r at or below the historical VaR 95",
        value: |p| p.cvar_95,
    },
    Metric {
        key: "cvar_95_parametric",
        group: Group::Risk,
        label: "CVaR 95, if normal",
        unit: Unit::Percent,
        formula: "mean(r) − std(r)·φ(1.645)/5 %",
        value: |p| p.cvar_95_parametric,
    },
    Metric {
        key: "skew",
        group: Group::Risk,
        label: "Skewness",
        unit: Unit::Ratio,
        formula: "sample skewness, bias-corrected (G1)",
        value: |p| p.skew,
    },
    Metric {
        key: "excess_kurtosis",
        group: Group::Risk,
        label: "Excess kurtosis",
        unit: Unit::Ratio,
        formula: "sample kurtosis − 3, bias-corrected (G2)",
        value: |p| p.excess_kurtosis,
    },
    Metric {
        key: "tail_ratio",
        group: Group::Risk,
        label: "Tail ratio",
        unit: Unit::Ratio,
        formula: "abs(95 % quantile) / abs(5 % quantile)",
        value: |p| p.tail_ratio,
    },
    Metric {
        key: "sharpe",
        group: Group::Ratios,
        label: "Sharpe",
        unit: Unit::Ratio,
        formula: "mean(r − rf)/std(r − rf)·√252, ddof 1",
        value: |p| p.sharpe,
    },
    Metric {
        key: "rolling_sharpe_63_last",
        group: Group::Ratios,
        label: "Sharpe, last 63 sessions",
        unit: Unit::Ratio,
        formula: "the same over the last 63 sessions",
        value: |p| p.rolling_sharpe_63_last,
    },
    Metric {
        key: "probabilistic_sharpe",
        group: Group::Ratios,
        label: "Probabilistic Sharpe",
        unit: Unit::Percent,
        formula: "Φ(sr·√(n−1) / √(1 − skew·sr + (kurt_excess + 2)/4·sr²)), sr per session: probability that the true Sharpe is above 0",
        value: |p| p.probabilistic_sharpe,
    },
    Metric {
        key: "trials",
        group: Group::Ratios,
        label: "Trials",
        unit: Unit::Count,
        formula: "variants tried before this one was shown",
        value: |p| p.trials.and_then(count),
    },
    Metric {
        key: "deflated_sharpe",
        group: Group::Ratios,
        label: "Deflated Sharpe",
        unit: Unit::Percent,
        formula: "probabilistic Sharpe against √var(sr of trials)·E[max of N standard normals]",
        value: |p| p.deflated_sharpe,
    },
    Metric {
        key: "sortino",
        group: Group::Ratios,
        label: "Sortino",
        unit: Unit::Ratio,
        formula: "mean(r − rf)·252 / downside risk of r − rf; no √2",
        value: |p| p.sortino,
    },
    Metric {
        key: "calmar",
        group: Group::Ratios,
        label: "Calmar",
        unit: Unit::Ratio,
        formula: "CAGR / abs(maximum drawdown)",
        value: |p| p.calmar,
    },
    Metric {
        key: "omega",
        group: Group::Ratios,
        label: "Omega(0)",
        unit: Unit::Ratio,
        formula: "Σ gains / Σ abs(losses), daily, threshold 0",
        value: |p| p.omega,
    },
    Metric {
        key: "ulcer_performance_index",
        group: Group::Ratios,
        label: "Ulcer performance index",
        unit: Unit::Ratio,
        formula: "(CAGR − rf) / ulcer index",
        value: |p| p.ulcer_performance_index,
    },
    Metric {
        key: "gain_to_pain",
        group: Group::Ratios,
        label: "Gain to pain",
        unit: Unit::Ratio,
        formula: "Σr / Σ abs(losses), daily",
        value: |p| p.gain_to_pain,
    },
    Metric {
        key: "payoff",
        group: Group::Ratios,
        label: "Payoff, daily",
        unit: Unit::Ratio,
        formula: "average winning day / average losing day",
        value: |p| p.payoff,
    },
    Metric {
        key: "profit_factor",
        group: Group::Ratios,
        label: "Profit factor, daily",
        unit: Unit::Ratio,
        formula: "Σ winning days / Σ abs(losing days)",
        value: |p| p.profit_factor,
    },
    Metric {
        key: "common_sense",
        group: Group::Ratios,
        label: "Common sense",
        unit: Unit::Ratio,
        formula: "profit factor · tail ratio",
        value: |p| p.common_sense,
    },
    Metric {
        key: "kelly",
        group: Group::Ratios,
        label: "Kelly",
        unit: Unit::Percent,
        formula: "win − (1 − win)/payoff, daily",
        value: |p| p.kelly,
    },
    Metric {
        key: "risk_of_ruin",
        group: Group::Ratios,
        label: "Risk of ruin",
        unit: Unit::Percent,
        formula: "((1 − win)/(1 + win))^n, daily win rate",
        value: |p| p.risk_of_ruin,
    },
    Metric {
        key: "stability",
        group: Group::Ratios,
        label: "Stability",
        unit: Unit::Ratio,
        formula: "R² of cumulative log returns against time",
        value: |p| p.stability,
    },
    Metric {
        key: "risk_free_annual",
        group: Group::Ratios,
        label: "Risk-free rate",
        unit: Unit::Percent,
        formula: "daily rates compounded, ^(252/n) − 1; 0 where none was given",
        value: |p| p.risk_free_annual,
    },
    Metric {
        key: "benchmark_total_return",
        group: Group::Benchmark,
        label: "Index total return",
        unit: Unit::Percent,
        formula: "Π(1 + b) − 1, b the index's daily returns",
        value: |p| p.benchmark_total_return,
    },
    Metric {
        key: "benchmark_cagr",
        group: Group::Benchmark,
        label: "Index CAGR",
        unit: Unit::Percent,
        formula: "index growth^(252/n) − 1",
        value: |p| p.benchmark_cagr,
    },
    Metric {
        key: "excess_return",
        group: Group::Benchmark,
        label: "Excess return",
        unit: Unit::Percent,
        formula: "total return − index total return",
        value: |p| p.excess_return,
    },
    Metric {
        key: "beta",
        group: Group::Benchmark,
        label: "Beta",
        unit: Unit::Ratio,
        formula: "slope of r − rf on b − rf, least squares",
        value: |p| p.beta,
    },
    Metric {
        key: "alpha",
        group: Group::Benchmark,
        label: "Alpha",
        unit: Unit::Percent,
        formula: "intercept of the same regression, compounded: (1 + α)^252 − 1",
        value: |p| p.alpha,
    },
    Metric {
        key: "r_squared",
        group: Group::Benchmark,
        label: "R²",
        unit: Unit::Ratio,
        formula: "correlation²",
        value: |p| p.r_squared,
    },
    Metric {
        key: "correlation",
        group: Group::Benchmark,
        label: "Correlation",
        unit: Unit::Ratio,
        formula: "Pearson correlation of r and b",
        value: |p| p.correlation,
    },
    Metric {
        key: "tracking_error",
        group: Group::Benchmark,
        label: "Tracking error",
        unit: Unit::Percent,
        formula: "std(r − b)·√252, ddof 1",
        value: |p| p.tracking_error,
    },
    Metric {
        key: "information_ratio",
        group: Group::Benchmark,
        label: "Information ratio",
        unit: Unit::Ratio,
        formula: "mean(r − b)/std(r − b)·√252 (annualised)",
        value: |p| p.information_ratio,
    },
    Metric {
        key: "up_capture",
        group: Group::Benchmark,
        label: "Up capture",
        unit: Unit::Ratio,
        formula: "annualised r / annualised b over sessions with b > 0",
        value: |p| p.up_capture,
    },
    Metric {
        key: "down_capture",
        group: Group::Benchmark,
        label: "Down capture",
        unit: Unit::Ratio,
        formula: "annualised r / annualised b over sessions with b < 0",
        value: |p| p.down_capture,
    },
    Metric {
        key: "capture_ratio",
        group: Group::Benchmark,
        label: "Capture ratio",
        unit: Unit::Ratio,
        formula: "up capture / down capture",
        value: |p| p.capture_ratio,
    },
    Metric {
        key: "treynor",
        group: Group::Benchmark,
        label: "Treynor",
        unit: Unit::Ratio,
        formula: "(CAGR − rf) / beta",
        value: |p| p.treynor,
    },
    Metric {
        key: "trades.count",
        group: Group::Trades,
        label: "Closed trades",
        unit: Unit::Count,
        formula: "round trips, first in first out",
        value: |p| count(p.trades.count),
    },
    Metric {
        key: "trades.win_rate",
        group: Group::Trades,
        label: "Won",
        unit: Unit::Percent,
        formula: "won / (won + lost); none below 30",
        value: |p| p.trades.win_rate,
    },
    Metric {
        key: "trades.profit_factor",
        group: Group::Trades,
        label: "Profit factor",
        unit: Unit::Ratio,
        formula: "Σ won / Σ abs(lost), after fees",
        value: |p| p.trades.profit_factor,
    },
    Metric {
        key: "trades.payoff",
        group: Group::Trades,
        label: "Payoff",
        unit: Unit::Ratio,
        formula: "average win / abs(average loss)",
        value: |p| p.trades.payoff,
    },
    Metric {
        key: "trades.expectancy",
        group: Group::Trades,
        label: "Expectancy",
        unit: Unit::Reais,
        formula: "mean result of a trade, after fees",
        value: |p| p.trades.expectancy,
    },
    Metric {
        key: "trades.net_profit",
        group: Group::Trades,
        label: "Net profit",
        unit: Unit::Reais,
        formula: "Σ results of closed trades, after fees",
        value: |p| Some(p.trades.net_profit),
    },
    Metric {
        key: "trades.average_win",
        group: Group::Trades,
        label: "Average win",
        unit: Unit::Reais,
        formula: "mean result of won trades",
        value: |p| p.trades.average_win,
    },
    Metric {
        key: "trades.average_loss",
        group: Group::Trades,
        label: "Average loss",
        unit: Unit::Reais,
        formula: "mean result of lost trades",
        value: |p| p.trades.average_loss,
    },
    Metric {
        key: "trades.best",
        group: Group::Trades,
        label: "Best trade",
        unit: Unit::Reais,
        formula: "max result",
        value: |p| p.trades.best,
    },
    Metric {
        key: "trades.worst",
        group: Group::Trades,
        label: "Worst trade",
        unit: Unit::Reais,
        formula: "min result",
        value: |p| p.trades.worst,
    },
    Metric {
        key: "trades.longest_winning_streak",
        group: Group::Trades,
        label: "Longest winning streak",
        unit: Unit::Count,
        formula: "most won trades in a row, in closing order",
        value: |p| count(p.trades.longest_winning_streak),
    },
    Metric {
        key: "trades.longest_losing_streak",
        group: Group::Trades,
        label: "Longest losing streak",
        unit: Unit::Count,
        formula: "most lost trades in a row, in closing order",
        value: |p| count(p.trades.longest_losing_streak),
    },
    Metric {
        key: "trades.average_sessions",
        group: Group::Trades,
        label: "Average sessions held",
        unit: Unit::Ratio,
        formula: "mean of sessions from opening to closing, both counted",
        value: |p| p.trades.average_sessions,
    },
    Metric {
        key: "trades.fees",
        group: Group::Trades,
        label: "Fees",
        unit: Unit::Reais,
        formula: "Σ fees of both sides",
        value: |p| Some(p.trades.fees),
    },
    Metric {
        key: "trades.slippage",
        group: Group::Trades,
        label: "Slippage",
        unit: Unit::Reais,
        formula: "Σ cost against the decision price",
        value: |p| p.trades.slippage,
    },
    Metric {
        key: "trades.average_adverse_excursion",
        group: Group::Trades,
        label: "Average MAE",
        unit: Unit::Reais,
        formula: "mean of the worst open result of each trade",
        value: |p| p.trades.average_adverse_excursion,
    },
    Metric {
        key: "trades.average_favourable_excursion",
        group: Group::Trades,
        label: "Average MFE",
        unit: Unit::Reais,
        formula: "mean of the best open result of each trade",
        value: |p| p.trades.average_favourable_excursion,
    },
];

/// The metric with this key.
#[must_use]
pub fn metric(key: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.key == key)
}

/// A count as a float, exact below 2^53.
fn count(count: usize) -> Option<f64> {
    Some(count as f64)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use serde_json::Value;

    use super::super::{Inputs, RoundTrip, Trials, measure};
    use super::*;

    /// Fields that are shown elsewhere than in the list of metrics: dates in the header, tables of
    /// their own, and counts that stand beside a rate.
    const SHOWN_ELSEWHERE: &[&str] = &[
        "formula_version",
        "first_session",
        "last_session",
        "worst_drawdowns",
        "monthly_returns",
        "periods",
        "trades.won",
        "trades.lost",
    ];

    fn full() -> Performance {
        let start = NaiveDate::from_ymd_opt(2018, 1, 1).expect("a date");
        let dates: Vec<_> = start.iter_days().take(2_000).collect();
        let returns: Vec<f64> = (0..2_000).map(|i| 0.01 * f64::from(i % 7 - 3) + 0.001).collect();
        let index: Vec<f64> = (0..2_000).map(|i| 0.01 * f64::from(i % 5 - 2)).collect();
        let trade = |i: u32| RoundTrip {
            opened: start,
            closed: start,
            sessions: 1 + i % 4,
            profit: f64::from(i % 3) * 10.0 - 9.0,
            fees: 1.0,
            slippage: Some(0.1),
            maximum_adverse_excursion: Some(-12.0),
            maximum_favourable_excursion: Some(13.0),
        };
        measure(&Inputs {
            benchmark: Some(&index),
            risk_free: Some(&[0.0004; 2_000]),
            exposure: Some(&[1.0; 2_000]),
            trades: &(0..60).map(trade).collect::<Vec<_>>(),
            trials: Some(Trials { count: 12, sharpe_variance: 0.001 }),
            ..Inputs::new(&dates, &returns)
        })
        .expect("measured")
    }

    #[test]
    fn every_metric_shows_the_field_that_its_key_names() {
        let performance = full();
        let json = serde_json::to_value(&performance).expect("JSON");
        for metric in METRICS {
            let pointer = format!("/{}", metric.key.replace('.', "/"));
            let stored = json.pointer(&pointer).and_then(Value::as_f64);
            assert!(stored.is_some(), "no number at {pointer}");
            assert_eq!((metric.value)(&performance), stored, "{pointer}");
        }
    }

    #[test]
    fn every_number_of_a_performance_is_in_the_list_once() {
        let json = serde_json::to_value(full()).expect("JSON");
        let mut keys = Vec::new();
        for (name, value) in json.as_object().expect("an object") {
            match value.as_object() {
                Some(inner) if name != "periods" => {
                    keys.extend(inner.keys().map(|key| format!("{name}.{key}")));
                }
                _ => keys.push(name.clone()),
            }
        }
        keys.retain(|key| !SHOWN_ELSEWHERE.contains(&key.as_str()));
        for key in keys {
            let lines = METRICS.iter().filter(|metric| metric.key == key).count();
            assert_eq!(lines, 1, "{key} is listed {lines} times");
        }
    }
}
