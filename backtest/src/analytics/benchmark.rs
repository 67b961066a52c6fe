//! The portfolio against an index, session by session.
//!
//! Both slices hold simple daily returns of the same sessions. The rules of
//! [`ratios`](super::ratios) on length apply here too.

use super::moments::{correlation, covariance, finite, mean, quotient, standard_deviation};
use super::ratios::{a_quarter, annualised_growth, cagr};
use super::{MINIMUM_OBSERVATIONS, SESSIONS_PER_YEAR};

/// Slope of portfolio excess returns on index excess returns (ordinary least squares).
#[must_use]
pub fn beta(excess: &[f64], benchmark_excess: &[f64]) -> Option<f64> {
    if excess.len() < MINIMUM_OBSERVATIONS {
        return None;
    }
    let spread = standard_deviation(benchmark_excess)?;
    quotient(covariance(excess, benchmark_excess)?, spread * spread)
}

/// Intercept of the same regression, annualised by compounding: `(1 + α)^252 − 1`.
#[must_use]
pub fn alpha(excess: &[f64], benchmark_excess: &[f64]) -> Option<f64> {
    let beta = beta(a_quarter(excess)?, benchmark_excess)?;
    let daily = mean(excess)? - beta * mean(benchmark_excess)?;
    finite((1.0 + daily).powf(SESSIONS_PER_YEAR) - 1.0)
}

/// Pearson correlation of daily returns.
#[must_use]
pub fn benchmark_correlation(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    if returns.len() < MINIMUM_OBSERVATIONS {
        return None;
    }
    correlation(returns, benchmark)
}

/// Annualised tracking error, `std(r − b)·√252` with ddof 1.
#[must_use]
pub fn tracking_error(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    let active = active_returns(a_quarter(returns)?, benchmark);
    Some(standard_deviation(&active)? * SESSIONS_PER_YEAR.sqrt())
}

/// Annualised information ratio, `mean(r − b)/std(r − b)·√252`. Divide by √252 for the daily
/// number that quantstats and empyrical print.
#[must_use]
pub fn information_ratio(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    let active = active_returns(a_quarter(returns)?, benchmark);
    Some(quotient(mean(&active)?, standard_deviation(&active)?)? * SESSIONS_PER_YEAR.sqrt())
}

/// Annualised portfolio return on the sessions when the index rose, over the index's own.
#[must_use]
pub fn up_capture(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    capture(a_quarter(returns)?, benchmark, |b| b > 0.0)
}

/// Annualised portfolio return on the sessions when the index fell, over the index's own.
#[must_use]
pub fn down_capture(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    capture(a_quarter(returns)?, benchmark, |b| b < 0.0)
}

/// `(CAGR − rf) / beta` (Treynor, 1965), `risk_free` as an annual rate.
#[must_use]
pub fn treynor(returns: &[f64], risk_free: f64, beta: f64) -> Option<f64> {
    quotient(cagr(returns)? - risk_free, beta)
}

fn capture(returns: &[f64], benchmark: &[f64], chosen: fn(f64) -> bool) -> Option<f64> {
    let (picked, index): (Vec<f64>, Vec<f64>) = returns.iter().zip(benchmark).filter(|(_, b)| chosen(**b)).unzip();
    if picked.len() < MINIMUM_OBSERVATIONS {
        return None;
    }
    quotient(annualised_growth(&picked)?, annualised_growth(&index)?)
}

fn active_returns(returns: &[f64], benchmark: &[f64]) -> Vec<f64> {
    returns.iter().zip(benchmark).map(|(r, b)| r - b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(n: usize) -> Vec<f64> {
        (0..n).map(|i| if i % 2 == 0 { 0.012 } else { -0.008 }).collect()
    }

    #[test]
    fn twice_the_index_has_beta_two_and_no_alpha() {
        let index = index(100);
        let double: Vec<f64> = index.iter().map(|b| 2.0 * b).collect();
        assert!((beta(&double, &index).expect("a number") - 2.0).abs() < 1e-12);
        assert!(alpha(&double, &index).expect("a number").abs() < 1e-12);
        assert!((benchmark_correlation(&double, &index).expect("a number") - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_index_itself_has_no_tracking_error_and_full_capture() {
        let index = index(100);
        assert_eq!(tracking_error(&index, &index), Some(0.0));
        assert_eq!(information_ratio(&index, &index), None);
        assert_eq!(up_capture(&index, &index), Some(1.0));
        assert_eq!(down_capture(&index, &index), Some(1.0));
    }

    #[test]
    fn short_or_flat_series_say_nothing() {
        assert_eq!(beta(&index(29), &index(29)), None);
        assert_eq!(beta(&index(40), &[0.0; 40]), None);
        assert_eq!(alpha(&index(62), &index(62)), None);
        // A hundred sessions, but none of them up.
        assert_eq!(up_capture(&index(100), &[-0.01; 100]), None);
    }
}
