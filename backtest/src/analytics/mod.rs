//! What a series of daily returns was worth, and what may honestly be said about it.
//!
//! Pure functions over plain slices; one call, [`measure`], fills a [`Performance`]. Floats are
//! allowed here and nowhere below: money was exact until it became a return.
//!
//! Conventions: simple daily returns on B3 sessions, 252 sessions a year, standard deviation with
//! ddof 1, risk-free rate per session (CDI where given, else 0), equity `E_t = Π(1 + r)`. Where
//! libraries disagree we print the historical VaR and CVaR, the annualised information ratio, the
//! compounded alpha, and durations in sessions. [`METRICS`] lists every number with its formula.
//!
//! Honesty: a number that the data cannot carry is `None`, never NaN, infinite or zero. See
//! [`MINIMUM_OBSERVATIONS`] and [`MINIMUM_SESSIONS_TO_ANNUALISE`].

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub mod benchmark;
pub mod calendar;
pub mod catalogue;
pub mod drawdown;
pub mod moments;
pub mod ratios;
pub mod trades;

pub use calendar::{PeriodStatistics, Periods, Trailing, YearOfReturns};
pub use catalogue::{Group, METRICS, Metric, Unit};
pub use drawdown::Drawdown;
pub use ratios::Trials;
pub use trades::{RoundTrip, TradeStatistics};

/// Version of the formulas behind [`Performance`]; raise it whenever one of them changes, so that
/// two stored results are only compared when they mean the same.
pub const FORMULA_VERSION: u32 = 1;

/// B3 has between 245 and 252 sessions a year; 252 is the base of the CDI and of every B3 contract
/// on interest, so it is the year here too.
pub const SESSIONS_PER_YEAR: f64 = 252.0;

/// A ratio of fewer observations is noise: the usual lower bound for the normal approximation
/// behind the standard error of a mean.
pub const MINIMUM_OBSERVATIONS: usize = 30;

/// A quarter of [`SESSIONS_PER_YEAR`]. A shorter period is never scaled to a year, whether by
/// compounding or by √252.
pub const MINIMUM_SESSIONS_TO_ANNUALISE: usize = 63;

/// Window of the rolling Sharpe ratio: a quarter, the shortest that may be annualised.
pub const ROLLING_WINDOW: usize = 63;

/// Natural logarithm of the largest growth factor accepted, safely inside a double (e^709).
const LARGEST_LOG_GROWTH: f64 = 700.0;

/// Drawdowns kept in [`Performance::worst_drawdowns`].
const WORST_DRAWDOWNS: usize = 5;

/// What [`measure`] works on. All slices pair up by index, one entry per session.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Session dates in exchange time, strictly ascending.
    pub dates: &'a [NaiveDate],
    /// Simple daily returns of the portfolio, as fractions.
    pub returns: &'a [f64],
    /// Simple daily returns of the index on the same sessions.
    pub benchmark: Option<&'a [f64]>,
    /// Risk-free rate of each session, as a simple daily fraction (CDI); `None` means 0.
    pub risk_free: Option<&'a [f64]>,
    /// Gross exposure over equity at each session's end; only "more than zero" is used.
    pub exposure: Option<&'a [f64]>,
    /// Closed trades in closing order.
    pub trades: &'a [RoundTrip],
    /// How many variants were tried; `None` if nobody counted.
    pub trials: Option<Trials>,
}

impl<'a> Inputs<'a> {
    /// Returns alone; the rest is added by field.
    #[must_use]
    pub fn new(dates: &'a [NaiveDate], returns: &'a [f64]) -> Self {
        Self { dates, returns, benchmark: None, risk_free: None, exposure: None, trades: &[], trials: None }
    }
}

/// Why inputs cannot be measured. Nothing was computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnalyticsError {
    /// Two series that must pair up do not.
    #[error("{series} has {actual} entries, but there are {expected} sessions")]
    Length {
        /// Which series.
        series: &'static str,
        /// Number of dates.
        expected: usize,
        /// Its own number of entries.
        actual: usize,
    },
    /// A NaN or an infinity came in.
    #[error("{series} entry {index} is not a finite number: mend the series where it is made")]
    NotANumber {
        /// Which series.
        series: &'static str,
        /// Position, from 0.
        index: usize,
    },
    /// Equity or index level from which no return can be formed.
    #[error("{series} entry {index} is not above zero, so no return follows from it")]
    NotPositive {
        /// Which series.
        series: &'static str,
        /// Position, from 0.
        index: usize,
    },
    /// Returns so large that compounding them overflows a double.
    #[error("{series} compound beyond what a number can hold: are they fractions, not per cent?")]
    Overflow {
        /// Which series.
        series: &'static str,
    },
    /// Dates repeat or go back.
    #[error("session {index} is not after the one before it: sort and merge the dates first")]
    DateOrder {
        /// Position, from 0.
        index: usize,
    },
}

/// Every metric of one run. Fractions, not percentages: 0.01 is one per cent. `None` means that
/// the data cannot carry the number. [`METRICS`] has the formulas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// [`FORMULA_VERSION`] that computed this.
    pub formula_version: u32,
    /// First session with a return.
    pub first_session: Option<NaiveDate>,
    /// Last session with a return.
    pub last_session: Option<NaiveDate>,
    /// Number of returns.
    pub sessions: usize,

    /// Compounded return of the whole period.
    pub total_return: Option<f64>,
    /// Compound annual growth rate by session count.
    pub cagr: Option<f64>,
    /// Month to date, three months, and so on.
    pub trailing: Trailing,
    /// Best, worst, average day, month, quarter and year.
    pub periods: Periods,
    /// Sessions with exposure over all sessions; `None` if exposure was not given.
    pub time_in_market: Option<f64>,

    /// Annualised standard deviation.
    pub volatility: Option<f64>,
    /// Deepest drawdown, ≤ 0.
    pub max_drawdown: Option<f64>,
    /// Mean depth of all drawdowns, ≤ 0; `None` if there was none.
    pub average_drawdown: Option<f64>,
    /// Sessions of the longest drawdown, an open one counted to the end.
    pub longest_drawdown_sessions: usize,
    /// The five deepest drawdowns, deepest first.
    pub worst_drawdowns: Vec<Drawdown>,
    /// Summed returns over the deepest drawdown.
    pub recovery_factor: Option<f64>,
    /// Root of squared drawdowns over n − 1.
    pub ulcer_index: Option<f64>,
    /// Annualised root mean square of the negative returns.
    pub downside_risk: Option<f64>,
    /// 5 % quantile of daily returns.
    pub var_95: Option<f64>,
    /// The same if returns were normal.
    pub var_95_parametric: Option<f64>,
    /// Mean of the returns at or below `var_95`.
    pub cvar_95: Option<f64>,
    /// The same if returns were normal.
    pub cvar_95_parametric: Option<f64>,
    /// Bias-corrected skewness.
    pub skew: Option<f64>,
    /// Bias-corrected kurtosis minus 3.
    pub excess_kurtosis: Option<f64>,
    /// Right tail over left tail.
    pub tail_ratio: Option<f64>,

    /// Annualised Sharpe ratio.
    pub sharpe: Option<f64>,
    /// Annualised Sharpe ratio of the last [`ROLLING_WINDOW`] sessions.
    pub rolling_sharpe_63_last: Option<f64>,
    /// Probability that the true Sharpe ratio is above zero.
    pub probabilistic_sharpe: Option<f64>,
    /// Number of variants tried; `None` if nobody counted.
    pub trials: Option<usize>,
    /// Probability that the true Sharpe ratio beats the luckiest of the trials.
    pub deflated_sharpe: Option<f64>,
    /// Annualised Sortino ratio.
    pub sortino: Option<f64>,
    /// CAGR over the deepest drawdown.
    pub calmar: Option<f64>,
    /// Gains over losses at threshold 0.
    pub omega: Option<f64>,
    /// Annual excess return over the ulcer index.
    pub ulcer_performance_index: Option<f64>,
    /// Summed returns over summed losses.
    pub gain_to_pain: Option<f64>,
    /// Average winning day over average losing day.
    pub payoff: Option<f64>,
    /// Sum of winning days over sum of losing days.
    pub profit_factor: Option<f64>,
    /// Profit factor times tail ratio.
    pub common_sense: Option<f64>,
    /// Kelly fraction from daily win rate and payoff.
    pub kelly: Option<f64>,
    /// Risk of ruin from the daily win rate.
    pub risk_of_ruin: Option<f64>,
    /// R² of cumulative log returns against time.
    pub stability: Option<f64>,
    /// Compounded risk-free rate a year; `None` if no rate was given and 0 was used.
    pub risk_free_annual: Option<f64>,

    /// Compounded return of the index.
    pub benchmark_total_return: Option<f64>,
    /// Compound annual growth rate of the index.
    pub benchmark_cagr: Option<f64>,
    /// Total return minus the index's.
    pub excess_return: Option<f64>,
    /// Slope on the index.
    pub beta: Option<f64>,
    /// Intercept on the index, compounded to a year.
    pub alpha: Option<f64>,
    /// Squared correlation with the index.
    pub r_squared: Option<f64>,
    /// Correlation with the index.
    pub correlation: Option<f64>,
    /// Annualised standard deviation of the difference to the index.
    pub tracking_error: Option<f64>,
    /// Annualised information ratio.
    pub information_ratio: Option<f64>,
    /// Share of the index's return kept on its rising sessions.
    pub up_capture: Option<f64>,
    /// Share of the index's return suffered on its falling sessions.
    pub down_capture: Option<f64>,
    /// Up capture over down capture.
    pub capture_ratio: Option<f64>,
    /// Annual excess return over beta.
    pub treynor: Option<f64>,

    /// Year × month returns.
    pub monthly_returns: Vec<YearOfReturns>,
    /// Closed trades.
    pub trades: TradeStatistics,
}

/// Simple returns between successive levels (equity, index): one fewer than levels.
///
/// # Errors
/// [`AnalyticsError::NotANumber`] or [`AnalyticsError::NotPositive`] name the offending level.
pub fn simple_returns(series: &'static str, levels: &[f64]) -> Result<Vec<f64>, AnalyticsError> {
    check_finite(series, levels)?;
    if let Some(index) = levels.iter().position(|level| *level <= 0.0) {
        return Err(AnalyticsError::NotPositive { series, index });
    }
    Ok(levels.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect())
}

/// Measures a run. An empty run is not an error: it has nothing to say, and says so.
///
/// # Errors
/// [`AnalyticsError`] if the series do not pair up, are out of order or hold non-finite numbers.
pub fn measure(inputs: &Inputs<'_>) -> Result<Performance, AnalyticsError> {
    check(inputs)?;
    let Inputs { dates, returns, .. } = *inputs;
    let excess = excess_over(returns, inputs.risk_free);
    let risk_free_annual = inputs.risk_free.and_then(ratios::cagr);
    let risk_free = risk_free_annual.unwrap_or(0.0);
    let underwater = drawdown::underwater(returns);
    let episodes = drawdown::episodes(dates, &underwater);
    let depths: Vec<f64> = episodes.iter().map(|d| d.depth).collect();
    let max_drawdown = drawdown::maximum(&underwater);
    let over_drawdown = |value: f64| moments::quotient(value, max_drawdown?.abs());
    let ulcer_index = drawdown::ulcer_index(&underwater);
    let cagr = ratios::cagr(returns);
    let (omega, tail_ratio) = (ratios::omega(returns), ratios::tail_ratio(returns));
    let index = against_index(inputs, &excess, risk_free);

    Ok(Performance {
        formula_version: FORMULA_VERSION,
        first_session: dates.first().copied(),
        last_session: dates.last().copied(),
        sessions: returns.len(),

        total_return: ratios::total_return(returns),
        cagr,
        trailing: calendar::trailing(dates, returns),
        periods: calendar::periods(dates, returns),
        time_in_market: inputs.exposure.and_then(share_above_zero),

        volatility: ratios::volatility(returns),
        max_drawdown,
        average_drawdown: moments::mean(&depths),
        longest_drawdown_sessions: episodes.iter().map(|d| d.sessions).max().unwrap_or(0),
        worst_drawdowns: drawdown::worst(&episodes, WORST_DRAWDOWNS),
        recovery_factor: long_enough_for_a_ratio(returns).and_then(|r| over_drawdown(r.iter().sum())),
        ulcer_index,
        downside_risk: ratios::downside_risk(returns),
        var_95: ratios::value_at_risk(returns),
        var_95_parametric: ratios::parametric_value_at_risk(returns),
        cvar_95: ratios::conditional_value_at_risk(returns),
        cvar_95_parametric: ratios::parametric_conditional_value_at_risk(returns),
        skew: ratios::skew(returns),
        excess_kurtosis: ratios::kurtosis(returns),
        tail_ratio,

        sharpe: ratios::sharpe(&excess),
        rolling_sharpe_63_last: ratios::rolling_sharpe(&excess, ROLLING_WINDOW).last().copied().flatten(),
        probabilistic_sharpe: ratios::probabilistic_sharpe(&excess),
        trials: inputs.trials.map(|t| t.count),
        deflated_sharpe: inputs.trials.and_then(|t| ratios::deflated_sharpe(&excess, t)),
        sortino: ratios::sortino(&excess),
        calmar: cagr.and_then(over_drawdown),
        omega,
        ulcer_performance_index: cagr.zip(ulcer_index).and_then(|(c, u)| moments::quotient(c - risk_free, u)),
        gain_to_pain: ratios::gain_to_pain(returns),
        payoff: ratios::payoff(returns),
        profit_factor: omega,
        common_sense: omega.zip(tail_ratio).map(|(p, t)| p * t),
        kelly: ratios::kelly(returns),
        risk_of_ruin: ratios::risk_of_ruin(returns),
        stability: ratios::stability(returns),
        risk_free_annual,

        benchmark_total_return: index.total_return,
        benchmark_cagr: index.cagr,
        excess_return: index.excess_return,
        beta: index.beta,
        alpha: index.alpha,
        r_squared: index.correlation.map(|c| c * c),
        correlation: index.correlation,
        tracking_error: index.tracking_error,
        information_ratio: index.information_ratio,
        up_capture: index.up_capture,
        down_capture: index.down_capture,
        capture_ratio: index.up_capture.zip(index.down_capture).and_then(|(up, down)| moments::quotient(up, down)),
        treynor: index.treynor,

        monthly_returns: calendar::monthly_matrix(dates, returns),
        trades: trades::trade_statistics(inputs.trades),
    })
}

/// The benchmark part of [`Performance`]; all `None` without an index.
#[derive(Default)]
struct AgainstIndex {
    total_return: Option<f64>,
    cagr: Option<f64>,
    excess_return: Option<f64>,
    beta: Option<f64>,
    alpha: Option<f64>,
    correlation: Option<f64>,
    tracking_error: Option<f64>,
    information_ratio: Option<f64>,
    up_capture: Option<f64>,
    down_capture: Option<f64>,
    treynor: Option<f64>,
}

fn against_index(inputs: &Inputs<'_>, excess: &[f64], risk_free: f64) -> AgainstIndex {
    let (returns, Some(index)) = (inputs.returns, inputs.benchmark) else {
        return AgainstIndex::default();
    };
    let index_excess = excess_over(index, inputs.risk_free);
    let beta = benchmark::beta(excess, &index_excess);
    let total_return = ratios::total_return(index);
    AgainstIndex {
        total_return,
        cagr: ratios::cagr(index),
        excess_return: ratios::total_return(returns).zip(total_return).map(|(r, b)| r - b),
        beta,
        alpha: benchmark::alpha(excess, &index_excess),
        correlation: benchmark::benchmark_correlation(returns, index),
        tracking_error: benchmark::tracking_error(returns, index),
        information_ratio: benchmark::information_ratio(returns, index),
        up_capture: benchmark::up_capture(returns, index),
        down_capture: benchmark::down_capture(returns, index),
        treynor: beta.and_then(|beta| benchmark::treynor(returns, risk_free, beta)),
    }
}

/// Returns minus the risk-free rate of the same session.
#[must_use]
pub fn excess_over(returns: &[f64], risk_free: Option<&[f64]>) -> Vec<f64> {
    match risk_free {
        None => returns.to_vec(),
        Some(rates) => returns.iter().zip(rates).map(|(r, f)| r - f).collect(),
    }
}

fn long_enough_for_a_ratio(values: &[f64]) -> Option<&[f64]> {
    (values.len() >= MINIMUM_OBSERVATIONS).then_some(values)
}

fn share_above_zero(exposure: &[f64]) -> Option<f64> {
    let exposed = exposure.iter().filter(|e| **e > 0.0).count();
    moments::quotient(exposed as f64, exposure.len() as f64)
}

fn check(inputs: &Inputs<'_>) -> Result<(), AnalyticsError> {
    let expected = inputs.dates.len();
    if let Some(exposure) = inputs.exposure {
        check_length("exposure", exposure, expected)?;
        check_finite("exposure", exposure)?;
    }
    let series = [("returns", Some(inputs.returns)), ("benchmark", inputs.benchmark), ("risk_free", inputs.risk_free)];
    for (series, values) in series {
        let Some(values) = values else { continue };
        check_length(series, values, expected)?;
        check_finite(series, values)?;
        // |Π(1 + r)| ≤ Π(1 + |r|), over the whole and over every part: nothing later can overflow.
        let log_growth: f64 = values.iter().map(|v| v.abs().ln_1p()).sum();
        if log_growth > LARGEST_LOG_GROWTH {
            return Err(AnalyticsError::Overflow { series });
        }
    }
    if let Some(index) = inputs.dates.windows(2).position(|pair| pair[1] <= pair[0]) {
        return Err(AnalyticsError::DateOrder { index: index + 1 });
    }
    trades::check(inputs.trades)
}

fn check_length(series: &'static str, values: &[f64], expected: usize) -> Result<(), AnalyticsError> {
    let actual = values.len();
    if actual == expected {
        return Ok(());
    }
    Err(AnalyticsError::Length { series, expected, actual })
}

fn check_finite(series: &'static str, values: &[f64]) -> Result<(), AnalyticsError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(AnalyticsError::NotANumber { series, index }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sessions(count: usize) -> Vec<NaiveDate> {
        let start = NaiveDate::from_ymd_opt(2024, 1, 2).expect("a date");
        start.iter_days().take(count).collect()
    }

    #[test]
    fn an_empty_run_has_nothing_to_say() {
        let nothing = measure(&Inputs::new(&[], &[])).expect("measured");
        assert_eq!(nothing.formula_version, FORMULA_VERSION);
        for metric in METRICS {
            let value = (metric.value)(&nothing);
            assert!(value.is_none_or(|v| v == 0.0), "{} = {value:?}", metric.key);
        }
    }

    #[test]
    fn a_short_run_has_a_return_and_a_drawdown_but_no_rates() {
        let returns: Vec<f64> = (0..20).map(|i| if i % 3 == 0 { -0.01 } else { 0.01 }).collect();
        let short = measure(&Inputs::new(&sessions(20), &returns)).expect("measured");
        assert!(short.total_return.is_some() && short.max_drawdown.is_some());
        assert_eq!((short.cagr, short.volatility, short.sharpe), (None, None, None));
        assert_eq!((short.omega, short.kelly, short.var_95), (None, None, None));
    }

    #[test]
    fn the_risk_free_rate_moves_excess_ratios_only() {
        let returns: Vec<f64> = (0..252).map(|i| if i % 3 == 0 { -0.01 } else { 0.01 }).collect();
        let (dates, cdi) = (sessions(252), [0.0004; 252]);
        let plain = Inputs::new(&dates, &returns);
        let without = measure(&plain).expect("measured");
        let with = measure(&Inputs { risk_free: Some(&cdi), ..plain }).expect("measured");
        assert!(with.sharpe < without.sharpe && with.sortino < without.sortino);
        assert_eq!(with.volatility, without.volatility);
        let annual = with.risk_free_annual.expect("given");
        assert!((annual - (1.0004_f64.powi(252) - 1.0)).abs() < 1e-12);
        assert_eq!(without.risk_free_annual, None);
    }

    #[test]
    fn inputs_that_do_not_pair_up_are_refused_by_name() {
        let (dates, returns) = (sessions(3), [0.01; 3]);
        let plain = Inputs::new(&dates, &returns);
        let short = Inputs { benchmark: Some(&[0.0]), ..plain };
        assert_eq!(
            measure(&short).expect_err("refused").to_string(),
            "benchmark has 1 entries, but there are 3 sessions"
        );
        let holes = Inputs { exposure: Some(&[1.0, f64::NAN, 1.0]), ..plain };
        assert_eq!(measure(&holes), Err(AnalyticsError::NotANumber { series: "exposure", index: 1 }));
        let twice = [dates[0], dates[0], dates[1]];
        assert_eq!(measure(&Inputs::new(&twice, &returns)), Err(AnalyticsError::DateOrder { index: 1 }));
        assert_eq!(measure(&Inputs::new(&dates, &[1e300; 3])), Err(AnalyticsError::Overflow { series: "returns" }));
    }

    #[test]
    fn returns_come_from_levels_above_zero() {
        let returns = simple_returns("equity", &[100.0, 110.0, 99.0]).expect("returns");
        assert!((returns[0] - 0.1).abs() < 1e-12 && (returns[1] + 0.1).abs() < 1e-12);
        assert_eq!(
            simple_returns("equity", &[100.0, 0.0]),
            Err(AnalyticsError::NotPositive { series: "equity", index: 1 })
        );
        assert_eq!(simple_returns("equity", &[]), Ok(vec![]));
    }

    proptest! {
        /// JSON has no NaN: serde writes `null` for it, and reading `null` back into a plain `f64`
        /// fails. So a round trip that succeeds, with every listed metric finite, has none.
        #[test]
        fn never_nan_never_infinite(
            pairs in proptest::collection::vec((-1.5_f64..1.5, -1.0_f64..1.0, 0.0_f64..0.001), 0..200),
        ) {
            let dates = sessions(pairs.len());
            let returns: Vec<f64> = pairs.iter().map(|p| p.0).collect();
            let index: Vec<f64> = pairs.iter().map(|p| p.1).collect();
            let rates: Vec<f64> = pairs.iter().map(|p| p.2).collect();
            let measured = measure(&Inputs {
                benchmark: Some(&index),
                risk_free: Some(&rates),
                exposure: Some(&rates),
                trials: Some(Trials { count: 10, sharpe_variance: 0.001 }),
                ..Inputs::new(&dates, &returns)
            }).expect("measured");
            for metric in METRICS {
                prop_assert!((metric.value)(&measured).is_none_or(f64::is_finite), "{}", metric.key);
            }
            let json = serde_json::to_string(&measured).expect("JSON");
            let back: Performance = serde_json::from_str(&json).expect("no null in a plain number");
            prop_assert_eq!(back.sessions, measured.sessions);
        }
    }
}
