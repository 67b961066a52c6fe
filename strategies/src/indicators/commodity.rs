//! The commodity channel index: how unusual the price is, in mean deviations.
//!
//! Definition: TA-Lib `CCI` (Lambert, *Commodities*, 1980). Ours: `ta` 0.5 takes the mean deviation
//! of the close where the definition asks for that of the typical price, and divides by what
//! rounding left over on a flat market.

use super::window::Window;
use super::{Candle, Indicator, IndicatorError, checked_period};

/// Lambert's scale: about three quarters of the values fall between −100 and 100.
const LAMBERT: f64 = 0.015;

/// Mean deviation, as a share of the price, up to which the window counts as flat. Far under a tick
/// (0.01 on a price of 1,000 is 1e-5), far above what rounding the typical price leaves (1e-16).
const FLAT: f64 = 1e-12;

/// Commodity channel index of the typical price; 0 when the window is flat. First at bar n−1.
///
/// Costs two passes over the window a bar: the mean moves, and every deviation with it.
#[derive(Debug, Clone)]
pub struct Cci {
    prices: Window,
    value: Option<f64>,
}

impl Cci {
    /// `period` in bars, usually 20.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Cci { prices: Window::new(checked_period("CCI period", period)?), value: None })
    }
}

impl Indicator for Cci {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        let price = candle.typical_price();
        self.prices.push(price);
        if !self.prices.is_full() {
            return;
        }
        let mean = self.prices.mean();
        let deviation = self.prices.absolute_deviation(mean) / self.prices.length() as f64;
        self.value = Some(if deviation > FLAT * mean { (price - mean) / deviation / LAMBERT } else { 0.0 });
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.prices.length() - 1
    }

    fn reset(&mut self) {
        self.prices.reset();
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
    fn deviations_are_those_of_the_typical_price() {
        // Typical prices 10, 11, 15: mean 12, mean deviation 2. The closes would give another.
        let candles = [candle(12.0, 8.0, 10.0), candle(14.0, 9.0, 10.0), candle(20.0, 10.0, 15.0)];
        let values = batch(Cci::new(3).unwrap(), candles);
        assert_eq!(values[..2], [None, None]);
        assert!((values[2].unwrap() - 100.0).abs() < 1e-9, "{values:?}");
    }

    #[test]
    fn rounding_is_not_a_deviation() {
        // A typical price of 10.2 either way, but the sums round to neighbouring floats.
        let candles: Vec<Candle> = (0..30)
            .map(|bar| match bar % 2 {
                0 => candle(10.2, 10.2, 10.2),
                _ => candle(10.21, 10.18, 10.21),
            })
            .collect();
        assert_ne!(candles[0].typical_price(), candles[1].typical_price());
        let values = batch(Cci::new(20).unwrap(), candles);
        assert!(values[19..].iter().all(|value| *value == Some(0.0)), "{values:?}");
        assert!(Cci::new(0).is_err());
    }
}
