//! Sample statistics on plain slices: the arithmetic under every metric.
//!
//! Nothing here knows about sessions, years or honesty rules; the callers hold those.

use std::f64::consts::{E, PI, SQRT_2};

/// Spread below this share of the largest value is rounding, not variation.
/// Without it a constant series has a standard deviation of 1e-19 and a Sharpe ratio of 1e16.
const ROUNDING_DUST: f64 = 1e-12;

/// Terms of the error-function series and steps of its continued fraction; both settle to
/// double precision well before this many in the ranges they serve.
const ERROR_FUNCTION_STEPS: u32 = 200;

/// Passes a number on only if it can be printed: `None` for NaN and infinities.
#[must_use]
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// `numerator / denominator`, or `None` when the denominator is zero or the result is not finite.
#[must_use]
pub fn quotient(numerator: f64, denominator: f64) -> Option<f64> {
    if denominator == 0.0 {
        return None;
    }
    finite(numerator / denominator)
}

/// Arithmetic mean; `None` for an empty slice.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    quotient(values.iter().sum(), count(values))
}

/// Sample standard deviation (ddof 1), in the unit of the values; `None` below two values.
///
/// Exactly zero for a constant series: see [`ROUNDING_DUST`](self).
#[must_use]
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    let deviation = finite((central_moment_sum(values, 2)? / (count(values) - 1.0)).sqrt())?;
    Some(if deviation <= ROUNDING_DUST * largest { 0.0 } else { deviation })
}

/// Sample skewness with the bias correction of Joanes and Gill (1998), G1:
/// `√(n(n−1))/(n−2) · m3/m2^1.5`. Needs three values that vary.
#[must_use]
pub fn skewness(values: &[f64]) -> Option<f64> {
    let n = count(values);
    if n < 3.0 || standard_deviation(values)? == 0.0 {
        return None;
    }
    let m2 = central_moment_sum(values, 2)? / n;
    let m3 = central_moment_sum(values, 3)? / n;
    finite((n * (n - 1.0)).sqrt() / (n - 2.0) * m3 / m2.powf(1.5))
}

/// Sample excess kurtosis (normal = 0) with the bias correction of Joanes and Gill (1998), G2:
/// `(n−1)/((n−2)(n−3)) · ((n+1)·g2 + 6)`, `g2 = m4/m2² − 3`. Needs four values that vary.
#[must_use]
pub fn excess_kurtosis(values: &[f64]) -> Option<f64> {
    let n = count(values);
    if n < 4.0 || standard_deviation(values)? == 0.0 {
        return None;
    }
    let m2 = central_moment_sum(values, 2)? / n;
    let g2 = central_moment_sum(values, 4)? / n / (m2 * m2) - 3.0;
    finite((n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * g2 + 6.0))
}

/// Quantile `q` in 0..=1, linear between order statistics at `(n − 1)·q` (Hyndman and Fan type 7,
/// the default of numpy and R); `None` for an empty slice or a `q` outside the range.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    if values.is_empty() || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let sorted = sorted(values);
    let position = (count(values) - 1.0) * q;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    finite(sorted[below] + (sorted[above] - sorted[below]) * (position - position.floor()))
}

/// An ascending copy.
#[must_use]
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Pearson correlation of two slices of one length; `None` if either does not vary.
#[must_use]
pub fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let spread = standard_deviation(x)? * standard_deviation(y)?;
    quotient(covariance(x, y)?, spread)
}

/// Sample covariance (ddof 1) of two slices of one length; `None` below two pairs.
#[must_use]
pub fn covariance(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.len() < 2 {
        return None;
    }
    let (mean_x, mean_y) = (mean(x)?, mean(y)?);
    let products: f64 = x.iter().zip(y).map(|(a, b)| (a - mean_x) * (b - mean_y)).sum();
    finite(products / (count(x) - 1.0))
}

/// Density of the standard normal distribution.
#[must_use]
pub fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// Standard normal distribution function Φ, absolute error below 1e-14.
#[must_use]
pub fn normal_distribution(x: f64) -> f64 {
    0.5 * complementary_error_function(-x / SQRT_2)
}

/// Inverse of [`normal_distribution`]; `None` outside the open interval 0..1.
///
/// By bisection: it is called a handful of times a report, so plain beats fast.
#[must_use]
pub fn normal_quantile(probability: f64) -> Option<f64> {
    if !(probability > 0.0 && probability < 1.0) {
        return None;
    }
    // Φ(±40) is 0 and 1 in double precision; 80 / 2^100 is far below the spacing of doubles.
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if normal_distribution(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(0.5 * (low + high))
}

/// Expected maximum of `count` independent standard normals (Bailey and López de Prado, 2014):
/// `(1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))`, γ the Euler–Mascheroni constant.
#[must_use]
pub fn expected_maximum(count: usize) -> Option<f64> {
    const EULER_MASCHERONI: f64 = 0.577_215_664_901_532_9;
    if count < 2 {
        return None;
    }
    let n = count as f64;
    let upper = normal_quantile(1.0 - 1.0 / n)?;
    let tail = normal_quantile(1.0 - 1.0 / (n * E))?;
    Some((1.0 - EULER_MASCHERONI) * upper + EULER_MASCHERONI * tail)
}

/// Number of values as a float. Exact: no history has 2^53 sessions.
pub(super) fn count(values: &[f64]) -> f64 {
    values.len() as f64
}

/// `Σ (x − mean)^power`.
fn central_moment_sum(values: &[f64], power: i32) -> Option<f64> {
    let mean = mean(values)?;
    Some(values.iter().map(|v| (v - mean).powi(power)).sum())
}

/// erfc: the all-positive series for erf near zero, the continued fraction in the tail
/// (Abramowitz and Stegun 7.1.6 and 7.1.14), reflected for negative arguments.
fn complementary_error_function(x: f64) -> f64 {
    // Where series and fraction both still converge quickly.
    const TAIL: f64 = 2.5;
    if x < 0.0 {
        return 2.0 - complementary_error_function(-x);
    }
    if x < TAIL {
        let (mut term, mut sum) = (x, x);
        for step in 1..ERROR_FUNCTION_STEPS {
            term *= 2.0 * x * x / f64::from(2 * step + 1);
            sum += term;
        }
        return 1.0 - 2.0 / PI.sqrt() * (-x * x).exp() * sum;
    }
    let mut fraction = x;
    for step in (1..ERROR_FUNCTION_STEPS).rev() {
        fraction = x + f64::from(step) / 2.0 / fraction;
    }
    (-x * x).exp() / PI.sqrt() / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(actual: Option<f64>, expected: f64) {
        let actual = actual.expect("a number");
        assert!((actual - expected).abs() < 1e-12, "{actual} != {expected}");
    }

    #[test]
    fn normal_distribution_matches_published_values() {
        for (x, phi) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.0, 0.158_655_253_931_457_05),
            (1.96, 0.975_002_104_851_779_5),
            (4.0, 0.999_968_328_758_166_9),
            (-6.0, 9.865_876_450_376_946e-10),
        ] {
            close(Some(normal_distribution(x)), phi);
        }
        close(normal_quantile(0.95), 1.644_853_626_951_472_2);
        close(normal_quantile(0.5), 0.0);
        assert_eq!(normal_quantile(0.0), None);
        assert_eq!(normal_quantile(1.0), None);
    }

    #[test]
    fn expected_maximum_matches_the_published_example() {
        let maximum = expected_maximum(100).expect("a number");
        assert!((maximum - 2.530_602_893).abs() < 1e-9);
        assert_eq!(expected_maximum(1), None);
    }

    #[test]
    fn quantile_interpolates_between_order_statistics() {
        let values = [4.0, 1.0, 3.0, 2.0];
        close(quantile(&values, 0.0), 1.0);
        close(quantile(&values, 0.5), 2.5);
        close(quantile(&values, 1.0), 4.0);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&values, 1.5), None);
    }

    #[test]
    fn a_constant_series_has_no_spread_and_no_shape() {
        let constant = [0.1; 40];
        assert_eq!(standard_deviation(&constant), Some(0.0));
        assert_eq!(skewness(&constant), None);
        assert_eq!(excess_kurtosis(&constant), None);
        assert_eq!(correlation(&constant, &constant), None);
    }

    #[test]
    fn small_samples_by_hand() {
        let values = [1.0, 2.0, 3.0, 4.0, 10.0];
        close(mean(&values), 4.0);
        close(standard_deviation(&values), 12.5_f64.sqrt());
        // m2 = 10, m3 = 36, m4 = 278.8: by hand.
        close(skewness(&values), 20.0_f64.sqrt() / 3.0 * 36.0 / 10.0_f64.powf(1.5));
        close(excess_kurtosis(&values), 4.0 / 6.0 * (6.0 * (2.788 - 3.0) + 6.0));
        assert_eq!(mean(&[]), None);
        assert_eq!(standard_deviation(&[1.0]), None);
    }
}
