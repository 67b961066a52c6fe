//! Where the close sits in the range of the last n bars: stochastics and Williams' %R.
//!
//! Definitions: TA-Lib `STOCHF`, `STOCH` (both averages simple) and `WILLR`. Ours on top of
//! [`Highest`] and [`Lowest`]: `ta` 0.5 smooths with an EMA and answers 50 on a flat market, where
//! TA-Lib answers 0.

use super::{Candle, Highest, Indicator, IndicatorError, Lowest, Sma, checked_period};

/// Highest high and lowest low.
#[derive(Debug, Clone)]
struct Range {
    highest: Highest,
    lowest: Lowest,
}

impl Range {
    fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Range { highest: Highest::new(period)?, lowest: Lowest::new(period)? })
    }

    /// (lowest, highest) including this bar.
    fn push(&mut self, candle: &Candle) -> Option<(f64, f64)> {
        self.highest.advance(candle.high);
        self.lowest.advance(candle.low);
        Some((self.lowest.value()?, self.highest.value()?))
    }

    fn first_bar(&self) -> usize {
        self.highest.first_bar()
    }

    fn reset(&mut self) {
        self.highest.reset();
        self.lowest.reset();
    }
}

/// `part` of `whole` in percent; 0 when the range is a single price.
fn percent_of_range(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * (part / whole) } else { 0.0 }
}

/// The two lines of a stochastic, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StochasticLines {
    /// %K.
    pub k: f64,
    /// %D, the average of %K.
    pub d: f64,
}

/// Fast stochastic: raw %K and its simple average %D, both from bar n + d − 2 on.
#[derive(Debug, Clone)]
pub struct FastStochastic {
    range: Range,
    d: Sma,
    value: Option<StochasticLines>,
}

impl FastStochastic {
    /// `period` of the range and `d_period` of %D in bars, usually 14 and 3.
    pub fn new(period: usize, d_period: usize) -> Result<Self, IndicatorError> {
        checked_period("stochastic period", period)?;
        checked_period("stochastic %D period", d_period)?;
        Ok(FastStochastic { range: Range::new(period)?, d: Sma::new(d_period)?, value: None })
    }
}

impl Indicator for FastStochastic {
    type Input = Candle;
    type Output = StochasticLines;

    fn advance(&mut self, candle: Candle) {
        let Some((lowest, highest)) = self.range.push(&candle) else {
            return;
        };
        let k = percent_of_range(candle.close - lowest, highest - lowest);
        self.d.advance(k);
        self.value = self.d.value().map(|d| StochasticLines { k, d });
    }

    fn value(&self) -> Option<StochasticLines> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.range.first_bar() + self.d.first_bar()
    }

    fn reset(&mut self) {
        self.range.reset();
        self.d.reset();
        self.value = None;
    }
}

/// Slow stochastic: %K is the simple average of the fast %K, %D the simple average of that. Both
/// from bar n + k + d − 3 on.
#[derive(Debug, Clone)]
pub struct Stochastic {
    fast: FastStochastic,
    d: Sma,
    value: Option<StochasticLines>,
}

impl Stochastic {
    /// `period` of the range, `k_period` and `d_period` of the averages in bars, usually 14, 3, 3.
    pub fn new(period: usize, k_period: usize, d_period: usize) -> Result<Self, IndicatorError> {
        checked_period("stochastic %K period", k_period)?;
        checked_period("stochastic %D period", d_period)?;
        Ok(Stochastic { fast: FastStochastic::new(period, k_period)?, d: Sma::new(d_period)?, value: None })
    }
}

impl Indicator for Stochastic {
    type Input = Candle;
    type Output = StochasticLines;

    fn advance(&mut self, candle: Candle) {
        self.fast.advance(candle);
        // The slow %K is by definition the fast %D.
        if let Some(StochasticLines { d: k, .. }) = self.fast.value() {
            self.d.advance(k);
            self.value = self.d.value().map(|d| StochasticLines { k, d });
        }
    }

    fn value(&self) -> Option<StochasticLines> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.fast.first_bar() + self.d.first_bar()
    }

    fn reset(&mut self) {
        self.fast.reset();
        self.d.reset();
        self.value = None;
    }
}

/// Williams' %R, −100 (close at the low) to 0 (close at the high, or no range). First at bar n−1.
#[derive(Debug, Clone)]
pub struct WilliamsR {
    range: Range,
    value: Option<f64>,
}

impl WilliamsR {
    /// `period` in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        checked_period("Williams %R period", period)?;
        Ok(WilliamsR { range: Range::new(period)?, value: None })
    }
}

impl Indicator for WilliamsR {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        self.value = self
            .range
            .push(&candle)
            .map(|(lowest, highest)| percent_of_range(candle.close - highest, highest - lowest));
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.range.first_bar()
    }

    fn reset(&mut self) {
        self.range.reset();
        self.value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::batch;

    fn candle(high: f64, low: f64, close: f64) -> Candle {
        Candle { high, low, close, volume: 100.0 }
    }

    #[test]
    fn the_close_within_the_range() {
        let candles = [
            candle(11.0, 9.0, 10.0),
            candle(13.0, 10.0, 12.0), // range 9–13, close 75 % up
            candle(12.0, 11.0, 11.0), // range 10–13, close one third up
            candle(12.0, 11.0, 12.0), // range 11–12, close on top
            candle(12.0, 12.0, 12.0), // range 11–12, close on top
        ];
        let willr = batch(WilliamsR::new(2).unwrap(), candles);
        let expected = [-25.0, -200.0 / 3.0, 0.0, 0.0];
        assert_eq!(willr[0], None);
        for (value, expected) in willr[1..].iter().zip(expected) {
            assert!((value.unwrap() - expected).abs() < 1e-12, "{willr:?}");
        }

        let fast = batch(FastStochastic::new(2, 2).unwrap(), candles);
        assert_eq!(fast[..2], [None, None]);
        let line = fast[3].unwrap();
        assert_eq!(line.k, 100.0);
        assert!((line.d - 200.0 / 3.0).abs() < 1e-12);

        let slow = batch(Stochastic::new(2, 2, 2).unwrap(), candles);
        assert_eq!(slow[..3], [None, None, None]);
        let line = slow[4].unwrap();
        assert!((line.k - 100.0).abs() < 1e-12);
        assert!((line.d - 250.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_flat_market_reads_zero() {
        let flat = [candle(37.45, 37.45, 37.45); 20];
        let zero = Some(StochasticLines { k: 0.0, d: 0.0 });
        assert_eq!(batch(Stochastic::new(14, 3, 3).unwrap(), flat)[19], zero);
        assert_eq!(batch(FastStochastic::new(14, 3).unwrap(), flat)[19], zero);
        assert_eq!(batch(WilliamsR::new(14).unwrap(), flat)[19], Some(0.0));
    }

    #[test]
    fn every_period_is_checked() {
        assert!(FastStochastic::new(0, 3).is_err());
        assert!(FastStochastic::new(14, 0).is_err());
        assert!(Stochastic::new(14, 0, 3).is_err());
        assert!(Stochastic::new(14, 3, 0).is_err());
        assert!(WilliamsR::new(0).is_err());
    }
}
