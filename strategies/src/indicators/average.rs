//! Moving averages of a close: simple, exponential, weighted, Kaufman's adaptive.
//!
//! Definitions: TA-Lib `SMA`, `EMA`, `WMA`, `KAMA` (Kaufman, *Smarter Trading*, 1995). All ours:
//! `ta` 0.5 slides its SMA sum, starts its EMA from the first price and has neither WMA nor KAMA.

use super::window::{Seed, Window, WindowSum};
use super::{Indicator, IndicatorError, checked_period};

/// Simple moving average: the mean of the last n closes. First at bar n−1.
#[derive(Debug, Clone)]
pub struct Sma {
    period: usize,
    sum: WindowSum,
    last: f64,
    /// How many bars in a row closed at `last`.
    repeats: usize,
    value: Option<f64>,
}

impl Sma {
    /// `period` in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let period = checked_period("SMA period", period)?;
        Ok(Sma { period, sum: WindowSum::new(period), last: 0.0, repeats: 0, value: None })
    }
}

impl Indicator for Sma {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        self.repeats = if close == self.last { self.repeats + 1 } else { 1 };
        self.last = close;
        let sum = self.sum.push(close);
        // Twenty times 37.45 divided by twenty need not be 37.45. On a halted instrument "close
        // above its average" must not be decided by that last bit.
        self.value = if self.repeats >= self.period { Some(close) } else { sum.map(|sum| sum / self.period as f64) };
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.period - 1
    }

    fn reset(&mut self) {
        self.sum.reset();
        self.repeats = 0;
        self.value = None;
    }
}

/// Exponential moving average, k = 2/(n+1), seeded with the mean of the first n closes. First at
/// bar n−1.
#[derive(Debug, Clone)]
pub struct Ema {
    period: usize,
    weight: f64,
    seed: Seed,
    value: Option<f64>,
}

impl Ema {
    /// `period` in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let period = checked_period("EMA period", period)?;
        Ok(Ema { period, weight: ema_weight(period), seed: Seed::new(period), value: None })
    }
}

/// Weight of the newest value in an n-bar exponential average.
pub(super) fn ema_weight(period: usize) -> f64 {
    2.0 / (period as f64 + 1.0)
}

impl Indicator for Ema {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        self.value = match self.value {
            Some(average) => Some(average + self.weight * (close - average)),
            None => self.seed.push(close),
        };
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.period - 1
    }

    /// After 10 n bars the seed weighs e⁻²⁰.
    fn warm_up(&self) -> usize {
        10 * self.period
    }

    fn reset(&mut self) {
        self.seed.reset();
        self.value = None;
    }
}

/// Weighted moving average: weights 1 to n, the newest close heaviest. First at bar n−1.
///
/// Costs n multiplications a bar; the constant-time form is a sliding sum of sliding sums.
#[derive(Debug, Clone)]
pub struct Wma {
    window: Window,
    value: Option<f64>,
}

impl Wma {
    /// `period` in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Wma { window: Window::new(checked_period("WMA period", period)?), value: None })
    }
}

impl Indicator for Wma {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        self.window.push(close);
        if !self.window.is_full() {
            return;
        }
        // Relative to the newest close, so that equal closes give exactly that close.
        let (mut weight, mut excess) = (0.0, 0.0);
        for value in self.window.oldest_first() {
            weight += 1.0;
            excess += weight * (value - close);
        }
        let weights = weight * (weight + 1.0) / 2.0;
        self.value = Some(close + excess / weights);
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.window.length() - 1
    }

    fn reset(&mut self) {
        self.window.reset();
        self.value = None;
    }
}

/// Fastest and slowest smoothing of [`Kama`]: those of 2-bar and 30-bar EMAs. TA-Lib offers no
/// other.
const KAMA_FASTEST: f64 = 2.0 / (2.0 + 1.0);
const KAMA_SLOWEST: f64 = 2.0 / (30.0 + 1.0);

/// Kaufman's adaptive moving average: quick in a straight move, slow in a noisy one. First at bar
/// n, moving on from the close before it.
#[derive(Debug, Clone)]
pub struct Kama {
    period: usize,
    closes: Window,
    path: WindowSum,
    last: Option<f64>,
    value: Option<f64>,
}

impl Kama {
    /// `period` of the efficiency ratio, in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let period = checked_period("KAMA period", period)?;
        Ok(Kama { period, closes: Window::new(period), path: WindowSum::new(period), last: None, value: None })
    }
}

impl Indicator for Kama {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        let n_bars_ago = self.closes.push(close);
        let Some(last) = self.last.replace(close) else {
            return;
        };
        let path = self.path.push((close - last).abs());
        if let (Some(start), Some(path)) = (n_bars_ago, path) {
            let way = (close - start).abs();
            // A straight line, or no move at all, is perfectly efficient.
            let efficiency = if path <= way { 1.0 } else { way / path };
            let smoothing = KAMA_SLOWEST + efficiency * (KAMA_FASTEST - KAMA_SLOWEST);
            let average = self.value.unwrap_or(last);
            self.value = Some(average + smoothing * smoothing * (close - average));
        }
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.period
    }

    /// How fast it forgets depends on the market: between 4 and 480 bars for a factor of e⁻²
    /// (smoothing 0.44 to 0.0042). This is ten times a 30-bar EMA plus the window, which on a
    /// random walk left less than 0.01 % (`laws.rs`); it is no bound for a market that goes nowhere.
    fn warm_up(&self) -> usize {
        300 + self.period
    }

    fn reset(&mut self) {
        self.closes.reset();
        self.path.reset();
        self.last = None;
        self.value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::batch;

    #[test]
    fn averages_of_a_short_series() {
        let closes = [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0];
        let (third, seventh) = (1.0 / 3.0, 7.0 / 3.0);
        let table = [
            (
                "SMA: (1+2+4)/3, (2+4+8)/3, ...",
                batch(Sma::new(3).unwrap(), closes),
                [seventh, 14.0 * third, 20.0 * third, 8.0, 8.0],
            ),
            (
                "EMA: the same seed, then half way to each close",
                batch(Ema::new(3).unwrap(), closes),
                [seventh, 31.0 * third / 2.0, 79.0 * third / 4.0, 175.0 * third / 8.0, 367.0 * third / 16.0],
            ),
            (
                "WMA: (1·1+2·2+3·4)/6, ...",
                batch(Wma::new(3).unwrap(), closes),
                [17.0 / 6.0, 34.0 / 6.0, 44.0 / 6.0, 8.0, 8.0],
            ),
        ];
        for (name, values, expected) in table {
            assert_eq!(values[..2], [None, None], "{name}");
            for (value, expected) in values[2..].iter().zip(expected) {
                assert!((value.unwrap() - expected).abs() < 1e-12, "{name}: {values:?}");
            }
        }
    }

    #[test]
    fn a_flat_market_is_its_own_average_to_the_last_bit() {
        // 20 × 37.45 summed and divided again is one bit off: the reason for `repeats`.
        let closes = [[36.1; 13].as_slice(), &[37.45; 40]].concat();
        assert_eq!(batch(Sma::new(20).unwrap(), closes.clone())[32], Some(37.45));
        assert_eq!(batch(Wma::new(20).unwrap(), closes)[32], Some(37.45));
        assert_eq!(batch(Ema::new(20).unwrap(), [37.45; 40])[39], Some(37.45));
        assert_eq!(batch(Kama::new(10).unwrap(), [37.45; 40])[39], Some(37.45));
    }

    #[test]
    fn kama_runs_with_a_straight_move_and_crawls_in_noise() {
        let straight: Vec<f64> = (0..6).map(f64::from).collect();
        let values = batch(Kama::new(4).unwrap(), straight);
        assert_eq!(values[3], None);
        let fastest = KAMA_FASTEST * KAMA_FASTEST;
        assert!((values[4].unwrap() - (3.0 + fastest)).abs() < 1e-12, "{values:?}");

        let noisy = [10.0, 11.0, 10.0, 11.0, 10.0];
        let slowest = KAMA_SLOWEST * KAMA_SLOWEST;
        let values = batch(Kama::new(4).unwrap(), noisy);
        assert!((values[4].unwrap() - (11.0 - slowest)).abs() < 1e-12, "{values:?}");
    }

    #[test]
    fn periods_are_bounded() {
        for period in [0, super::super::MAX_PERIOD + 1] {
            assert!(Sma::new(period).is_err());
            assert!(Ema::new(period).is_err());
            assert!(Wma::new(period).is_err());
            assert!(Kama::new(period).is_err());
        }
    }
}
