//! Returns by calendar: months, quarters, years, and trailing periods.
//!
//! Dates are session dates in exchange time. Inside a period returns are compounded, never summed.
//! The first and the last period are usually partial and count like the others.

use chrono::{Datelike, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use super::moments::mean;
use super::ratios::{gains_and_losses, total_return};
use super::{MINIMUM_OBSERVATIONS, moments::quotient};

/// One row of the monthly matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct YearOfReturns {
    /// Calendar year.
    pub year: i32,
    /// January to December, as fractions; `None` for a month without a session.
    pub months: [Option<f64>; 12],
    /// All sessions of the year, compounded; a fraction.
    pub total: f64,
}

/// What the sessions, months, quarters or years of the series looked like.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PeriodStatistics {
    /// Periods in the series.
    pub count: usize,
    /// Periods with a positive return.
    pub won: usize,
    /// Periods with a negative return.
    pub lost: usize,
    /// `won / (won + lost)`; `None` below 30 such periods.
    pub win_rate: Option<f64>,
    /// Best period, a fraction.
    pub best: Option<f64>,
    /// Worst period, a fraction.
    pub worst: Option<f64>,
    /// Mean of the positive periods, a fraction.
    pub average_up: Option<f64>,
    /// Mean of the negative periods, a fraction.
    pub average_down: Option<f64>,
}

/// [`PeriodStatistics`] at every calendar scale.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Periods {
    /// By session.
    pub day: PeriodStatistics,
    /// By calendar month.
    pub month: PeriodStatistics,
    /// By calendar quarter.
    pub quarter: PeriodStatistics,
    /// By calendar year.
    pub year: PeriodStatistics,
}

/// Compounded returns up to the last session, as fractions. Never annualised. `None` where the
/// series does not reach back to the start of the period.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Trailing {
    /// Since the end of the previous month.
    pub month_to_date: Option<f64>,
    /// Since the same day three months earlier.
    pub three_months: Option<f64>,
    /// Since the same day six months earlier.
    pub six_months: Option<f64>,
    /// Since the end of the previous year.
    pub year_to_date: Option<f64>,
    /// Since the same day one year earlier.
    pub one_year: Option<f64>,
    /// Since the same day three years earlier.
    pub three_years: Option<f64>,
    /// Since the same day five years earlier.
    pub five_years: Option<f64>,
}

/// Year × month matrix of compounded returns, one row per year that has a session.
/// `dates` ascend and pair with `returns`.
#[must_use]
pub fn monthly_matrix(dates: &[NaiveDate], returns: &[f64]) -> Vec<YearOfReturns> {
    let mut rows: Vec<YearOfReturns> = compounded_by(dates, returns, |d| (d.year(), 0))
        .into_iter()
        .map(|((year, _), total)| YearOfReturns { year, months: [None; 12], total })
        .collect();
    for ((year, month), value) in compounded_by(dates, returns, |d| (d.year(), d.month0())) {
        if let Some(row) = rows.iter_mut().find(|row| row.year == year) {
            row.months[month as usize] = Some(value);
        }
    }
    rows
}

/// Best, worst and average periods at every scale. `dates` ascend and pair with `returns`.
#[must_use]
pub fn periods(dates: &[NaiveDate], returns: &[f64]) -> Periods {
    let by = |key: fn(NaiveDate) -> (i32, u32)| {
        let compounded = compounded_by(dates, returns, key);
        statistics(&compounded.into_iter().map(|(_, r)| r).collect::<Vec<_>>())
    };
    Periods {
        day: statistics(returns),
        month: by(|d| (d.year(), d.month0())),
        quarter: by(|d| (d.year(), d.month0() / 3)),
        year: by(|d| (d.year(), 0)),
    }
}

/// Trailing returns as of the last session. `dates` ascend and pair with `returns`.
#[must_use]
pub fn trailing(dates: &[NaiveDate], returns: &[f64]) -> Trailing {
    let Some(&last) = dates.last() else {
        return Trailing::default();
    };
    let since = |start: Option<NaiveDate>| {
        let start = start?;
        // A session at or before the start proves that no session after it is missing.
        if dates[0] > start {
            return None;
        }
        let first = dates.partition_point(|date| *date <= start);
        total_return(&returns[first..])
    };
    let months_ago = |months| since(last.checked_sub_months(Months::new(months)));
    Trailing {
        month_to_date: since(last.with_day(1).and_then(|d| d.pred_opt())),
        three_months: months_ago(3),
        six_months: months_ago(6),
        year_to_date: since(NaiveDate::from_ymd_opt(last.year() - 1, 12, 31)),
        one_year: months_ago(12),
        three_years: months_ago(36),
        five_years: months_ago(60),
    }
}

/// Compounds runs of sessions that share a key; keys ascend with the dates.
fn compounded_by<K: PartialEq + Copy>(
    dates: &[NaiveDate],
    returns: &[f64],
    key: impl Fn(NaiveDate) -> K,
) -> Vec<(K, f64)> {
    let mut growth: Vec<(K, f64)> = Vec::new();
    for (&date, r) in dates.iter().zip(returns) {
        let key = key(date);
        match growth.last_mut() {
            Some((current, total)) if *current == key => *total *= 1.0 + r,
            _ => growth.push((key, 1.0 + r)),
        }
    }
    growth.into_iter().map(|(key, g)| (key, g - 1.0)).collect()
}

fn statistics(returns: &[f64]) -> PeriodStatistics {
    let (up, down) = gains_and_losses(returns);
    let decided = up.len() + down.len();
    PeriodStatistics {
        count: returns.len(),
        won: up.len(),
        lost: down.len(),
        win_rate: (decided >= MINIMUM_OBSERVATIONS).then(|| quotient(up.len() as f64, decided as f64)).flatten(),
        best: returns.iter().copied().reduce(f64::max),
        worst: returns.iter().copied().reduce(f64::min),
        average_up: mean(&up),
        average_down: mean(&down),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn months_compound_and_missing_months_stay_empty() {
        let dates = ["2023-12-28", "2024-01-02", "2024-01-03", "2024-03-01"].map(date);
        let matrix = monthly_matrix(&dates, &[0.10, 0.10, 0.10, -0.50]);
        assert_eq!(matrix.len(), 2);
        assert!((matrix[0].months[11].expect("December") - 0.10).abs() < 1e-12);
        assert!((matrix[1].months[0].expect("January") - 0.21).abs() < 1e-12);
        assert_eq!(matrix[1].months[1], None);
        assert!((matrix[1].total - (1.21 * 0.5 - 1.0)).abs() < 1e-12);
    }

    #[test]
    fn trailing_returns_need_history_up_to_their_start() {
        let dates = ["2023-12-29", "2024-01-31", "2024-02-01", "2024-02-02"].map(date);
        let trailing = trailing(&dates, &[0.50, 0.10, 0.02, 0.03]);
        assert!((trailing.month_to_date.expect("covered") - (1.02 * 1.03 - 1.0)).abs() < 1e-12);
        let year = trailing.year_to_date.expect("covered");
        assert!((year - (1.10 * 1.02 * 1.03 - 1.0)).abs() < 1e-12);
        assert_eq!(trailing.three_months, None);
        assert_eq!(trailing.one_year, None);
    }

    #[test]
    fn periods_count_zeros_as_neither_won_nor_lost() {
        let dates = ["2024-01-02", "2024-02-01", "2024-04-01"].map(date);
        let periods = periods(&dates, &[0.01, 0.0, -0.02]);
        assert_eq!((periods.month.count, periods.month.won, periods.month.lost), (3, 1, 1));
        assert_eq!(periods.quarter.count, 2);
        assert_eq!(periods.month.win_rate, None);
        assert!((periods.month.worst.expect("a month") + 0.02).abs() < 1e-12);
    }

    #[test]
    fn an_empty_series_has_no_periods() {
        assert!(monthly_matrix(&[], &[]).is_empty());
        assert_eq!(trailing(&[], &[]), Trailing::default());
        assert_eq!(periods(&[], &[]), Periods::default());
    }
}
