//! How much the price moves: true range and its averages, standard deviation, Bollinger bands.
//!
//! Definitions: TA-Lib `TRANGE`, `ATR`, `NATR`, `STDDEV`, `BBANDS`; ATR is Wilder's. [`TrueRange`]
//! is `ta`'s underneath. ATR is ours (`ta` 0.5 averages with 2/(n+1) and counts bar 0), and so are
//! the deviations: `ta` updates its variance in place, and what rounding leaves there stays (1e-9 on
//! a million quiet bars, more after a spike).

use ta::{Next, Reset};

use super::window::{Wilder, Window};
use super::{Candle, Indicator, IndicatorError, checked_factor, checked_period, ratio_or_zero};

/// The day's range, stretched to yesterday's close if that lies outside. First at bar 1: before it
/// there is no yesterday.
#[derive(Debug, Clone, Default)]
pub struct TrueRange {
    inner: ta::indicators::TrueRange,
    started: bool,
    value: Option<f64>,
}

impl TrueRange {
    /// Has no parameters.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Indicator for TrueRange {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        let range = self.inner.next(&candle);
        if self.started {
            self.value = Some(range);
        }
        self.started = true;
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        1
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.started = false;
        self.value = None;
    }
}

/// Wilder's average of the [`TrueRange`], in price units. First at bar n.
#[derive(Debug, Clone)]
pub struct Atr {
    period: usize,
    range: TrueRange,
    average: Wilder,
}

impl Atr {
    /// `period` in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let period = checked_period("ATR period", period)?;
        Ok(Atr { period, range: TrueRange::new(), average: Wilder::new(period) })
    }
}

impl Indicator for Atr {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        self.range.advance(candle);
        if let Some(range) = self.range.value() {
            self.average.push(range);
        }
    }

    fn value(&self) -> Option<f64> {
        self.average.value()
    }

    fn first_bar(&self) -> usize {
        self.period
    }

    /// After 10 n bars the seed weighs e⁻¹⁰.
    fn warm_up(&self) -> usize {
        10 * self.period
    }

    fn reset(&mut self) {
        self.range.reset();
        self.average.reset();
    }
}

/// [`Atr`] in percent of the close. First at bar n.
#[derive(Debug, Clone)]
pub struct Natr {
    atr: Atr,
    value: Option<f64>,
}

impl Natr {
    /// `period` in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Natr { atr: Atr::new(period)?, value: None })
    }
}

impl Indicator for Natr {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        self.atr.advance(candle);
        self.value = self.atr.value().map(|atr| 100.0 * ratio_or_zero(atr, candle.close));
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.atr.first_bar()
    }

    fn warm_up(&self) -> usize {
        self.atr.warm_up()
    }

    fn reset(&mut self) {
        self.atr.reset();
        self.value = None;
    }
}

/// Mean and *population* standard deviation (ddof 0) of a full window, in two passes: the square of
/// the mean is never subtracted from the mean of the squares.
fn mean_and_deviation(window: &Window) -> Option<(f64, f64)> {
    if !window.is_full() {
        return None;
    }
    let mean = window.mean();
    let variance = window.squared_deviation(mean) / window.length() as f64;
    Some((mean, variance.sqrt()))
}

/// Population standard deviation of the last n closes. First at bar n−1.
#[derive(Debug, Clone)]
pub struct StandardDeviation {
    closes: Window,
    value: Option<f64>,
}

impl StandardDeviation {
    /// `period` in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(StandardDeviation { closes: Window::new(checked_period("standard deviation period", period)?), value: None })
    }
}

impl Indicator for StandardDeviation {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        self.closes.push(close);
        self.value = mean_and_deviation(&self.closes).map(|(_, deviation)| deviation);
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.closes.length() - 1
    }

    fn reset(&mut self) {
        self.closes.reset();
        self.value = None;
    }
}

/// The three lines of [`Bollinger`], in price units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bands {
    /// Middle plus `width` deviations.
    pub upper: f64,
    /// Mean of the last n closes.
    pub middle: f64,
    /// Middle minus `width` deviations.
    pub lower: f64,
}

/// Bollinger bands: the mean of the last n closes and a number of population standard deviations to
/// either side. First at bar n−1.
#[derive(Debug, Clone)]
pub struct Bollinger {
    closes: Window,
    width: f64,
    value: Option<Bands>,
}

impl Bollinger {
    /// `period` in bars and `width` in standard deviations, usually 20 and 2.
    pub fn new(period: usize, width: f64) -> Result<Self, IndicatorError> {
        Ok(Bollinger {
            closes: Window::new(checked_period("Bollinger period", period)?),
            width: checked_factor("Bollinger width", width)?,
            value: None,
        })
    }
}

impl Indicator for Bollinger {
    type Input = f64;
    type Output = Bands;

    fn advance(&mut self, close: f64) {
        self.closes.push(close);
        self.value = mean_and_deviation(&self.closes).map(|(middle, deviation)| Bands {
            upper: middle + self.width * deviation,
            middle,
            lower: middle - self.width * deviation,
        });
    }

    fn value(&self) -> Option<Bands> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.closes.length() - 1
    }

    fn reset(&mut self) {
        self.closes.reset();
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
    fn the_true_range_covers_the_gap() {
        let candles = [
            candle(11.0, 9.0, 10.0),
            candle(12.0, 11.0, 11.5), // gap up: high to yesterday's close
            candle(12.0, 9.0, 10.0),  // wide day: high to low
            candle(8.0, 7.0, 7.5),    // gap down: yesterday's close to low
            candle(7.5, 7.5, 7.5),    // halted
        ];
        let ranges = batch(TrueRange::new(), candles);
        assert_eq!(ranges, [None, Some(2.0), Some(3.0), Some(3.0), Some(0.0)]);
        let averages = batch(Atr::new(2).unwrap(), candles);
        assert_eq!(averages, [None, None, Some(2.5), Some(2.75), Some(1.375)]);
        let percent = batch(Natr::new(2).unwrap(), candles);
        assert_eq!(percent[2], Some(25.0));
    }

    #[test]
    fn deviations_divide_by_n() {
        let closes = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let deviations = batch(StandardDeviation::new(8).unwrap(), closes);
        assert_eq!(deviations[6], None);
        assert_eq!(deviations[7], Some(2.0));
        let bands = batch(Bollinger::new(8, 2.0).unwrap(), closes)[7];
        let expected = Bands { upper: 9.0, middle: 5.0, lower: 1.0 };
        assert_eq!(bands, Some(expected));
    }

    #[test]
    fn bands_close_on_a_flat_market() {
        let flat = Bands { upper: 37.45, middle: 37.45, lower: 37.45 };
        assert_eq!(batch(Bollinger::new(20, 2.0).unwrap(), [37.45; 30])[29], Some(flat));
    }

    #[test]
    fn parameters_are_checked() {
        assert!(Atr::new(0).is_err());
        assert!(Natr::new(0).is_err());
        assert!(StandardDeviation::new(0).is_err());
        assert!(Bollinger::new(0, 2.0).is_err());
        for width in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Bollinger::new(20, width).is_err(), "{width}");
        }
    }
}
