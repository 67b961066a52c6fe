//! The edges of the last n bars: highest and lowest (a Donchian channel is one of each), and how
//! long ago they were touched.
//!
//! Definitions: TA-Lib `MAX`, `MIN`, `AROONOSC`. [`Highest`] and [`Lowest`] are `ta`'s `Maximum`
//! and `Minimum` underneath, which only compare and so cannot drift. Aroon is ours; `ta` has none.

use ta::{Next, Reset};

use super::window::Window;
use super::{Candle, Indicator, IndicatorError, checked_period};

/// Highest of the last n values. First at bar n−1.
///
/// Feed it highs for a Donchian channel. A breakout compares the new bar with the channel *before*
/// it: read [`value`](Indicator::value), then [`update`](Indicator::update).
#[derive(Debug, Clone)]
pub struct Highest {
    period: usize,
    inner: ta::indicators::Maximum,
    seen: usize,
    value: Option<f64>,
}

impl Highest {
    /// `period` in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let name = "highest period";
        let given = checked_period(name, period)?;
        Ok(Highest {
            period,
            inner: ta::indicators::Maximum::new(period).map_err(|_| IndicatorError::Period { name, given })?,
            seen: 0,
            value: None,
        })
    }
}

impl Indicator for Highest {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, value: f64) {
        let highest = self.inner.next(value);
        self.seen = (self.seen + 1).min(self.period);
        self.value = (self.seen == self.period).then_some(highest);
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.period - 1
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.seen = 0;
        self.value = None;
    }
}

/// Lowest of the last n values. First at bar n−1. See [`Highest`].
#[derive(Debug, Clone)]
pub struct Lowest {
    period: usize,
    inner: ta::indicators::Minimum,
    seen: usize,
    value: Option<f64>,
}

impl Lowest {
    /// `period` in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let name = "lowest period";
        let given = checked_period(name, period)?;
        Ok(Lowest {
            period,
            inner: ta::indicators::Minimum::new(period).map_err(|_| IndicatorError::Period { name, given })?,
            seen: 0,
            value: None,
        })
    }
}

impl Indicator for Lowest {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, value: f64) {
        let lowest = self.inner.next(value);
        self.seen = (self.seen + 1).min(self.period);
        self.value = (self.seen == self.period).then_some(lowest);
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.period - 1
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.seen = 0;
        self.value = None;
    }
}

/// Aroon up minus Aroon down, −100 to 100: which of the extremes of the last n+1 bars is the more
/// recent, and by how many n-ths. Of equal extremes the latest counts. First at bar n.
#[derive(Debug, Clone)]
pub struct AroonOscillator {
    period: usize,
    highs: Window,
    lows: Window,
    value: Option<f64>,
}

impl AroonOscillator {
    /// `period` in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let period = checked_period("Aroon period", period)?;
        Ok(AroonOscillator { period, highs: Window::new(period + 1), lows: Window::new(period + 1), value: None })
    }
}

/// Bars since the latest value in `window` that no other one beats.
fn age_of_best(window: &Window, beats: impl Fn(f64, f64) -> bool) -> usize {
    let mut newest_first = window.oldest_first().rev().enumerate();
    let Some(newest) = newest_first.next() else {
        return 0;
    };
    let (age, _) =
        newest_first.fold(newest, |best, candidate| if beats(candidate.1, best.1) { candidate } else { best });
    age
}

impl Indicator for AroonOscillator {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        self.highs.push(candle.high);
        self.lows.push(candle.low);
        if self.highs.is_full() {
            let since_high = age_of_best(&self.highs, |a, b| a > b) as f64;
            let since_low = age_of_best(&self.lows, |a, b| a < b) as f64;
            self.value = Some(100.0 * (since_low - since_high) / self.period as f64);
        }
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.period
    }

    fn reset(&mut self) {
        self.highs.reset();
        self.lows.reset();
        self.value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::batch;

    #[test]
    fn extremes_of_the_last_three() {
        let values = [5.0, 3.0, 4.0, 1.0, 1.0, 2.0, 9.0];
        assert_eq!(
            batch(Highest::new(3).unwrap(), values)[1..],
            [None, Some(5.0), Some(4.0), Some(4.0), Some(2.0), Some(9.0)]
        );
        assert_eq!(
            batch(Lowest::new(3).unwrap(), values)[1..],
            [None, Some(3.0), Some(1.0), Some(1.0), Some(1.0), Some(1.0)]
        );
    }

    #[test]
    fn extremes_survive_a_reset_mid_window() {
        let (mut highest, mut lowest) = (Highest::new(3).unwrap(), Lowest::new(3).unwrap());
        for value in [100.0, 1.0, 50.0, 60.0, 2.0] {
            highest.update(value);
            lowest.update(value);
        }
        let values = [7.0, 5.0, 6.0, 4.0, 4.5];
        assert_eq!(batch(highest, values)[2..], [Some(7.0), Some(6.0), Some(6.0)]);
        assert_eq!(batch(lowest, values)[2..], [Some(5.0), Some(4.0), Some(4.0)]);
    }

    #[test]
    fn aroon_prefers_the_recent_extreme() {
        let at = |price: f64| Candle { high: price + 1.0, low: price, close: price, volume: 1.0 };
        let table = [
            ("rising", [1.0, 2.0, 3.0, 4.0, 5.0], 100.0),
            ("falling", [5.0, 4.0, 3.0, 2.0, 1.0], -100.0),
            ("flat: both extremes are now", [3.0; 5], 0.0),
            ("high 1 ago, low 3 ago", [3.0, 2.0, 3.0, 5.0, 4.0], 50.0),
            ("equal lows: the later one counts", [3.0, 2.0, 5.0, 2.0, 4.0], -25.0),
        ];
        for (name, prices, expected) in table {
            let values = batch(AroonOscillator::new(4).unwrap(), prices.map(at));
            assert_eq!(values[3..], [None, Some(expected)], "{name}");
        }
    }

    #[test]
    fn no_bars_is_no_period() {
        assert!(Highest::new(0).is_err());
        assert!(Lowest::new(0).is_err());
        assert!(AroonOscillator::new(0).is_err());
    }
}
