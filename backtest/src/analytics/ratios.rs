//! Risk and reward of a series of daily simple returns.
//!
//! The honesty rules live in these functions, not in their callers, so that no path prints an
//! unguarded number: a ratio is `None` below [`MINIMUM_OBSERVATIONS`], and whatever is scaled to a
//! year is `None` below [`MINIMUM_SESSIONS_TO_ANNUALISE`]. "Excess" means return minus the
//! risk-free rate of the same session.

use super::moments::{
    count, covariance, excess_kurtosis, expected_maximum, finite, mean, normal_density, normal_distribution,
    normal_quantile, quantile, quotient, skewness, sorted, standard_deviation,
};
use super::{MINIMUM_OBSERVATIONS, MINIMUM_SESSIONS_TO_ANNUALISE, SESSIONS_PER_YEAR};

/// Probability in the loss tail of VaR and CVaR: "95" in their names.
pub const TAIL_PROBABILITY: f64 = 0.05;

/// `Some` only with enough observations for a ratio.
fn enough(values: &[f64]) -> Option<&[f64]> {
    (values.len() >= MINIMUM_OBSERVATIONS).then_some(values)
}

/// `Some` only when the period is long enough to be scaled to a year.
pub(super) fn a_quarter(values: &[f64]) -> Option<&[f64]> {
    (values.len() >= MINIMUM_SESSIONS_TO_ANNUALISE).then_some(values)
}

/// Compounded return of the whole period, `Π(1 + r) − 1`; `None` without a return.
#[must_use]
pub fn total_return(returns: &[f64]) -> Option<f64> {
    if returns.is_empty() {
        return None;
    }
    finite(returns.iter().map(|r| 1.0 + r).product::<f64>() - 1.0)
}

/// Compound annual growth rate by session count, `E_T^(252/n) − 1`. `None` if equity ended at or
/// below zero.
#[must_use]
pub fn cagr(returns: &[f64]) -> Option<f64> {
    annualised_growth(a_quarter(returns)?)
}

/// `E_T^(252/n) − 1` without the rule on length, for the day-picking of the capture ratios.
pub(super) fn annualised_growth(returns: &[f64]) -> Option<f64> {
    let growth = 1.0 + total_return(returns)?;
    if growth <= 0.0 {
        return None;
    }
    finite(growth.powf(SESSIONS_PER_YEAR / count(returns)) - 1.0)
}

/// Annualised volatility, `std(r)·√252` with ddof 1.
#[must_use]
pub fn volatility(returns: &[f64]) -> Option<f64> {
    finite(standard_deviation(a_quarter(returns)?)? * SESSIONS_PER_YEAR.sqrt())
}

/// Annualised downside risk, `√mean(min(r, 0)²)·√252`: the mean is over all sessions.
#[must_use]
pub fn downside_risk(returns: &[f64]) -> Option<f64> {
    let returns = a_quarter(returns)?;
    let squares: f64 = returns.iter().map(|r| r.min(0.0).powi(2)).sum();
    finite((squares / count(returns)).sqrt() * SESSIONS_PER_YEAR.sqrt())
}

/// Sharpe ratio, `mean(x)/std(x)·√252` of excess returns (Sharpe, 1994).
#[must_use]
pub fn sharpe(excess: &[f64]) -> Option<f64> {
    Some(daily_sharpe(a_quarter(excess)?)? * SESSIONS_PER_YEAR.sqrt())
}

/// Sortino ratio, `mean(x)·252 / downside risk(x)` of excess returns: target and numerator both
/// use the risk-free rate, and there is no division by √2.
#[must_use]
pub fn sortino(excess: &[f64]) -> Option<f64> {
    quotient(mean(excess)? * SESSIONS_PER_YEAR, downside_risk(excess)?)
}

/// Probability that the true Sharpe ratio exceeds zero (Bailey and López de Prado, 2012):
/// `Φ(sr·√(n−1) / √(1 − skew·sr + (kurt_excess + 2)/4·sr²))`, `sr` per session.
#[must_use]
pub fn probabilistic_sharpe(excess: &[f64]) -> Option<f64> {
    let excess = enough(excess)?;
    sharpe_probability(&SharpeSample {
        sharpe: daily_sharpe(excess)?,
        observations: excess.len(),
        skewness: skewness(excess)?,
        excess_kurtosis: excess_kurtosis(excess)?,
        benchmark: 0.0,
    })
}

/// [`probabilistic_sharpe`] against the best Sharpe ratio that `trials` worthless attempts would
/// have shown (Bailey and López de Prado, 2014): the benchmark is `√variance · E[max of trials]`.
#[must_use]
pub fn deflated_sharpe(excess: &[f64], trials: Trials) -> Option<f64> {
    let excess = enough(excess)?;
    sharpe_probability(&SharpeSample {
        sharpe: daily_sharpe(excess)?,
        observations: excess.len(),
        skewness: skewness(excess)?,
        excess_kurtosis: excess_kurtosis(excess)?,
        benchmark: trials.sharpe_variance.sqrt() * expected_maximum(trials.count)?,
    })
}

/// How many variants were tried before this one was shown.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Trials {
    /// Number of variants tried, this one included.
    pub count: usize,
    /// Variance, across the variants, of their Sharpe ratios **per session** (not annualised).
    pub sharpe_variance: f64,
}

/// What the probability of a Sharpe ratio depends on. All per session.
struct SharpeSample {
    sharpe: f64,
    observations: usize,
    skewness: f64,
    excess_kurtosis: f64,
    benchmark: f64,
}

fn sharpe_probability(sample: &SharpeSample) -> Option<f64> {
    let sr = sample.sharpe;
    let variance = 1.0 - sample.skewness * sr + (sample.excess_kurtosis + 2.0) / 4.0 * sr * sr;
    if variance <= 0.0 {
        return None;
    }
    let distance = (sr - sample.benchmark) * (sample.observations as f64 - 1.0).sqrt();
    finite(normal_distribution(distance / variance.sqrt()))
}

fn daily_sharpe(excess: &[f64]) -> Option<f64> {
    quotient(mean(excess)?, standard_deviation(excess)?)
}

/// Historical value at risk: the 5 % quantile of daily returns, linear between observations.
/// A return, so a loss is negative.
#[must_use]
pub fn value_at_risk(returns: &[f64]) -> Option<f64> {
    quantile(enough(returns)?, TAIL_PROBABILITY)
}

/// Mean of the returns at or below the historical [`value_at_risk`]: the lowest
/// `⌊(n − 1)·5 %⌋ + 1` observations.
#[must_use]
pub fn conditional_value_at_risk(returns: &[f64]) -> Option<f64> {
    let sorted = sorted(enough(returns)?);
    let last = ((count(returns) - 1.0) * TAIL_PROBABILITY).floor() as usize;
    mean(&sorted[..=last])
}

/// Value at risk if returns were normal: `mean − 1.645·std`.
#[must_use]
pub fn parametric_value_at_risk(returns: &[f64]) -> Option<f64> {
    let returns = enough(returns)?;
    let z = normal_quantile(TAIL_PROBABILITY)?;
    finite(mean(returns)? + z * standard_deviation(returns)?)
}

/// Expected shortfall if returns were normal: `mean − std·φ(1.645)/5 %`.
#[must_use]
pub fn parametric_conditional_value_at_risk(returns: &[f64]) -> Option<f64> {
    let returns = enough(returns)?;
    let density = normal_density(normal_quantile(TAIL_PROBABILITY)?);
    finite(mean(returns)? - standard_deviation(returns)? * density / TAIL_PROBABILITY)
}

/// Bias-corrected skewness of daily returns.
#[must_use]
pub fn skew(returns: &[f64]) -> Option<f64> {
    skewness(enough(returns)?)
}

/// Bias-corrected excess kurtosis of daily returns (normal = 0).
#[must_use]
pub fn kurtosis(returns: &[f64]) -> Option<f64> {
    excess_kurtosis(enough(returns)?)
}

/// `abs(95 % quantile) / abs(5 % quantile)`.
#[must_use]
pub fn tail_ratio(returns: &[f64]) -> Option<f64> {
    let returns = enough(returns)?;
    let (right, left) = (quantile(returns, 1.0 - TAIL_PROBABILITY)?, quantile(returns, TAIL_PROBABILITY)?);
    quotient(right.abs(), left.abs())
}

/// Gains over losses, `Σ gains / Σ abs(losses)`. Daily, it is Omega at threshold 0 and the daily
/// profit factor at once: both names are printed because traders look for both.
#[must_use]
pub fn omega(returns: &[f64]) -> Option<f64> {
    let (gains, losses) = gains_and_losses(enough(returns)?);
    quotient(gains.iter().sum(), -losses.iter().sum::<f64>())
}

/// Gain to pain, `Σ r / Σ abs(losses)` (Schwager).
#[must_use]
pub fn gain_to_pain(returns: &[f64]) -> Option<f64> {
    let (_, losses) = gains_and_losses(enough(returns)?);
    quotient(returns.iter().sum(), -losses.iter().sum::<f64>())
}

/// Average gain over average loss.
#[must_use]
pub fn payoff(returns: &[f64]) -> Option<f64> {
    let (gains, losses) = gains_and_losses(enough(returns)?);
    quotient(mean(&gains)?, -mean(&losses)?)
}

/// Share of positive results among those that are not zero: a session without a position is
/// neither won nor lost. Needs enough non-zero results.
#[must_use]
pub fn win_rate(results: &[f64]) -> Option<f64> {
    let (gains, losses) = gains_and_losses(results);
    if gains.len() + losses.len() < MINIMUM_OBSERVATIONS {
        return None;
    }
    quotient(count(&gains), count(&gains) + count(&losses))
}

/// Kelly fraction, `win − (1 − win)/payoff`.
#[must_use]
pub fn kelly(returns: &[f64]) -> Option<f64> {
    let win = win_rate(returns)?;
    Some(win - quotient(1.0 - win, payoff(returns)?)?)
}

/// `((1 − win)/(1 + win))^n`, `n` sessions.
#[must_use]
pub fn risk_of_ruin(returns: &[f64]) -> Option<f64> {
    let win = win_rate(returns)?;
    finite(((1.0 - win) / (1.0 + win)).powf(count(returns)))
}

/// R² of cumulative log returns against time. `None` if equity touched zero.
#[must_use]
pub fn stability(returns: &[f64]) -> Option<f64> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = enough(returns)?
        .iter()
        .map(|r| {
            sum += r.ln_1p();
            sum
        })
        .collect();
    finite(sum)?;
    let time: Vec<f64> = (0..cumulative.len()).map(|t| t as f64).collect();
    let spread = standard_deviation(&cumulative)? * standard_deviation(&time)?;
    Some(quotient(covariance(&time, &cumulative)?, spread)?.powi(2))
}

/// Sharpe ratio over each trailing `window` of sessions (ddof 1), one entry per session, `None`
/// until the window is full.
#[must_use]
pub fn rolling_sharpe(excess: &[f64], window: usize) -> Vec<Option<f64>> {
    (1..=excess.len()).map(|end| sharpe(&excess[end.checked_sub(window)?..end])).collect()
}

/// The strictly positive and the strictly negative values, in order.
pub(super) fn gains_and_losses(values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    values.iter().filter(|v| **v != 0.0).partition(|v| **v > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published example: annual Sharpe 2.5, 100 trials with annual variance 0.5, 1,250 sessions
    /// of a 250-session year, skewness −3, kurtosis 10.
    #[test]
    fn deflated_sharpe_matches_the_published_example() {
        let benchmark = (0.5_f64 / 250.0).sqrt() * expected_maximum(100).expect("a number");
        assert!((benchmark - 0.113_172).abs() < 1e-6);
        let probability = sharpe_probability(&SharpeSample {
            sharpe: 2.5 / 250.0_f64.sqrt(),
            observations: 1_250,
            skewness: -3.0,
            excess_kurtosis: 7.0,
            benchmark,
        });
        assert!((probability.expect("a number") - 0.900_396_834).abs() < 1e-9);
    }

    /// Alternating gains and losses: n values of +2 % and −1 %.
    fn zigzag(n: usize) -> Vec<f64> {
        (0..n).map(|i| if i % 2 == 0 { 0.02 } else { -0.01 }).collect()
    }

    #[test]
    fn ratios_need_thirty_observations() {
        for ratio in [
            omega,
            gain_to_pain,
            payoff,
            win_rate,
            kelly,
            risk_of_ruin,
            stability,
            tail_ratio,
            value_at_risk,
            conditional_value_at_risk,
            parametric_value_at_risk,
            parametric_conditional_value_at_risk,
            skew,
            kurtosis,
            probabilistic_sharpe,
        ] {
            assert_eq!(ratio(&zigzag(29)), None);
            assert!(ratio(&zigzag(30)).is_some());
        }
    }

    #[test]
    fn nothing_shorter_than_a_quarter_is_scaled_to_a_year() {
        for annual in [cagr, volatility, downside_risk, sharpe, sortino] {
            assert_eq!(annual(&zigzag(62)), None);
            assert!(annual(&zigzag(63)).is_some());
        }
    }

    #[test]
    fn by_hand() {
        let returns = zigzag(30);
        assert_eq!(win_rate(&returns), Some(0.5));
        assert!((payoff(&returns).expect("a number") - 2.0).abs() < 1e-12);
        assert!((kelly(&returns).expect("a number") - 0.25).abs() < 1e-12);
        assert!((omega(&returns).expect("a number") - 2.0).abs() < 1e-12);
        assert!((gain_to_pain(&returns).expect("a number") - 1.0).abs() < 1e-12);
    }

    #[test]
    fn sessions_without_a_result_are_not_lost() {
        let mut returns = zigzag(30);
        returns.extend([0.0; 70]);
        assert_eq!(win_rate(&returns), Some(0.5));
        assert_eq!(win_rate(&[0.0; 100]), None);
    }

    #[test]
    fn ruin_has_no_growth_rate() {
        let mut returns = zigzag(100);
        returns[50] = -1.0;
        assert_eq!(total_return(&returns), Some(-1.0));
        assert_eq!(cagr(&returns), None);
        assert_eq!(stability(&returns), None);
    }

    #[test]
    fn a_rolling_window_starts_when_it_is_full() {
        let rolling = rolling_sharpe(&zigzag(70), 63);
        assert_eq!(rolling.len(), 70);
        assert!(rolling[..62].iter().all(Option::is_none));
        assert!(rolling[62..].iter().all(Option::is_some));
        assert_eq!(rolling[69], sharpe(&zigzag(70)[7..]));
    }
}
