//! What the charts draw, derived once from the daily points.

use chrono::NaiveDate;

use super::DailyPoint;
use crate::analytics::moments::{mean, normal_density, standard_deviation};
use crate::analytics::{AnalyticsError, ROLLING_WINDOW, drawdown, excess_over, ratios, simple_returns};

use super::axes::round_step;
use super::charts::Histogram;

/// Level that every curve starts at.
const BASE: f64 = 100.0;

/// Most intervals of the histogram: more than the bars that fit on a telephone are a comb.
const MOST_BINS: f64 = 40.0;

/// Points on the normal curve over the histogram.
const NORMAL_POINTS: u32 = 120;

/// The daily points as parallel series, one entry per point unless said otherwise.
pub(super) struct Series {
    pub(super) dates: Vec<NaiveDate>,
    /// Portfolio, base 100.
    pub(super) equity: Vec<Option<f64>>,
    /// Index, base 100 at its first level; `None` if no point has one.
    pub(super) index: Option<Vec<Option<f64>>>,
    /// Risk-free growth, base 100; `None` unless every later point has a rate.
    pub(super) cash: Option<Vec<Option<f64>>>,
    /// Gross exposure over equity.
    pub(super) exposure: Vec<f64>,
    /// Distance below the peak; zero at the base.
    pub(super) underwater: Vec<f64>,
    /// Rolling Sharpe ratio; none at the base.
    pub(super) rolling_sharpe: Vec<Option<f64>>,
    /// One fewer than points.
    pub(super) returns: Vec<f64>,
    /// One fewer than points; `None` unless every point has an index level.
    pub(super) index_returns: Option<Vec<f64>>,
    /// One fewer than points; `None` unless every later point has a rate.
    pub(super) risk_free: Option<Vec<f64>>,
}

impl Series {
    pub(super) fn of(daily: &[DailyPoint]) -> Result<Self, AnalyticsError> {
        let dates: Vec<NaiveDate> = daily.iter().map(|p| p.date).collect();
        if let Some(index) = dates.windows(2).position(|pair| pair[1] <= pair[0]) {
            return Err(AnalyticsError::DateOrder { index: index + 1 });
        }
        let exposure: Vec<f64> = daily.iter().map(|p| p.exposure).collect();
        if let Some(index) = exposure.iter().position(|e| !e.is_finite()) {
            let series = "exposure";
            return Err(AnalyticsError::NotANumber { series, index });
        }
        let levels: Vec<f64> = daily.iter().map(|p| p.equity).collect();
        let returns = simple_returns("equity", &levels)?;
        let index_levels: Vec<Option<f64>> = daily.iter().map(|p| p.benchmark).collect();
        let present: Vec<f64> = index_levels.iter().flatten().copied().collect();
        let present_returns = simple_returns("benchmark", &present)?;
        let index_returns = (!present.is_empty() && present.len() == daily.len()).then_some(present_returns);
        let later = daily.get(1..).unwrap_or_default();
        let risk_free: Option<Vec<f64>> = later.iter().map(|p| p.risk_free).collect();
        let risk_free = risk_free.filter(|rates| !rates.is_empty());
        let excess = excess_over(&returns, risk_free.as_deref());
        Ok(Self {
            equity: rebased(&levels.iter().map(|l| Some(*l)).collect::<Vec<_>>()),
            index: (!present.is_empty()).then(|| rebased(&index_levels)),
            cash: risk_free.as_ref().map(|rates| {
                let growth = drawdown::growth(rates);
                with_base(&dates, 1.0, growth).iter().map(|g| Some(g * BASE)).collect()
            }),
            underwater: with_base(&dates, 0.0, drawdown::underwater(&returns)),
            rolling_sharpe: with_base(&dates, None, ratios::rolling_sharpe(&excess, ROLLING_WINDOW)),
            dates,
            exposure,
            returns,
            index_returns,
            risk_free,
        })
    }

    /// Dates that have a return.
    pub(super) fn return_dates(&self) -> &[NaiveDate] {
        self.dates.get(1..).unwrap_or_default()
    }

    /// Exposure of the sessions that have a return.
    pub(super) fn return_exposure(&self) -> &[f64] {
        self.exposure.get(1..).unwrap_or_default()
    }

    /// Daily returns in intervals that start at zero and go both ways, with the normal curve of
    /// the same mean and spread. `None` if the returns do not vary.
    pub(super) fn histogram(&self) -> Option<Histogram> {
        let deviation = standard_deviation(&self.returns).filter(|d| *d > 0.0)?;
        let mean = mean(&self.returns)?;
        let low = self.returns.iter().copied().reduce(f64::min)?;
        let high = self.returns.iter().copied().reduce(f64::max)?;
        let count = self.returns.len() as f64;
        // Scott (1979): 3.49 standard deviations over the cube root of n. Rounding up multiplies by
        // 2.5 at most, so the division keeps the interval within Scott's.
        let step = round_step((3.49 * deviation / count.cbrt() / 2.5).max((high - low) / MOST_BINS));
        let bin = |value: f64| (value / step).floor() as i64;
        let (first, last) = (bin(low), bin(high));
        let mut bins: Vec<(f64, usize)> = (first..=last).map(|n| (n as f64 * step, 0)).collect();
        for value in &self.returns {
            bins[(bin(*value) - first) as usize].1 += 1;
        }
        let (start, end) = (first as f64 * step, (last + 1) as f64 * step);
        let normal = (0..=NORMAL_POINTS)
            .map(|n| start + (end - start) * f64::from(n) / f64::from(NORMAL_POINTS))
            .map(|x| (x, count * step / deviation * normal_density((x - mean) / deviation)))
            .collect();
        Some(Histogram { step, bins, normal })
    }
}

/// Levels over the first present one, times 100.
fn rebased(levels: &[Option<f64>]) -> Vec<Option<f64>> {
    let first = levels.iter().flatten().next().copied();
    let rebase = |level: &Option<f64>| Some((*level)? / first? * BASE);
    levels.iter().map(rebase).collect()
}

/// One value per date, from one per return: the base has its own, and without dates there is none.
fn with_base<T>(dates: &[NaiveDate], base: T, later: Vec<T>) -> Vec<T> {
    std::iter::once(base).chain(later).take(dates.len()).collect()
}
