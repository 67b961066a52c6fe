//! What averages of averages say: MACD (two EMAs apart) and TRIX (three EMAs deep).
//!
//! Definitions: TA-Lib `MACD` and `TRIX`. Ours, because `ta` 0.5 seeds every EMA with the first
//! price.

use super::{Ema, Indicator, IndicatorError, checked_fast_and_slow, checked_period, ratio_or_zero};

/// The three lines of [`Macd`], in price units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MacdLines {
    /// Fast EMA minus slow EMA.
    pub macd: f64,
    /// EMA of `macd`.
    pub signal: f64,
    /// `macd` minus `signal`.
    pub histogram: f64,
}

/// Moving average convergence/divergence. All three lines start together, at bar
/// slow + signal − 2.
#[derive(Debug, Clone)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
    /// Closes the fast EMA still has to leave out. TA-Lib starts both EMAs on the same bar, so the
    /// fast one is seeded with the closes just before it, not with the first ones.
    skip: usize,
    value: Option<MacdLines>,
}

impl Macd {
    /// Periods in bars, usually 12, 26 and 9; `fast` must be the shorter.
    pub fn new(fast: usize, slow: usize, signal: usize) -> Result<Self, IndicatorError> {
        checked_fast_and_slow(fast, slow)?;
        checked_period("signal period", signal)?;
        Ok(Macd {
            fast: Ema::new(fast)?,
            slow: Ema::new(slow)?,
            signal: Ema::new(signal)?,
            skip: slow - fast,
            value: None,
        })
    }
}

impl Indicator for Macd {
    type Input = f64;
    type Output = MacdLines;

    fn advance(&mut self, close: f64) {
        self.slow.advance(close);
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        self.fast.advance(close);
        if let (Some(fast), Some(slow)) = (self.fast.value(), self.slow.value()) {
            let macd = fast - slow;
            self.signal.advance(macd);
            self.value = self.signal.value().map(|signal| MacdLines { macd, signal, histogram: macd - signal });
        }
    }

    fn value(&self) -> Option<MacdLines> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.slow.first_bar() + self.signal.first_bar()
    }

    /// The signal's own memory comes on top of the slow EMA's.
    fn warm_up(&self) -> usize {
        self.slow.warm_up() + self.signal.warm_up()
    }

    fn reset(&mut self) {
        self.skip = self.slow.first_bar() - self.fast.first_bar();
        self.fast.reset();
        self.slow.reset();
        self.signal.reset();
        self.value = None;
    }
}

/// One-bar rate of change, in percent, of an EMA of an EMA of an EMA. First at bar 3(n−1) + 1.
#[derive(Debug, Clone)]
pub struct Trix {
    first: Ema,
    second: Ema,
    third: Ema,
    value: Option<f64>,
}

impl Trix {
    /// `period` of all three EMAs, in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let ema = Ema::new(period)?;
        Ok(Trix { first: ema.clone(), second: ema.clone(), third: ema, value: None })
    }

    /// Feeds the chain and returns its end.
    fn smooth(&mut self, close: f64) -> Option<f64> {
        self.first.advance(close);
        self.second.advance(self.first.value()?);
        self.third.advance(self.second.value()?);
        self.third.value()
    }
}

impl Indicator for Trix {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        let before = self.third.value();
        if let (Some(before), Some(now)) = (before, self.smooth(close)) {
            self.value = Some(100.0 * ratio_or_zero(now - before, before));
        }
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        3 * self.first.first_bar() + 1
    }

    /// Each EMA only starts to forget when the one before has.
    fn warm_up(&self) -> usize {
        self.first.warm_up() + 2 * self.first.first_bar() + 1
    }

    fn reset(&mut self) {
        self.first.reset();
        self.second.reset();
        self.third.reset();
        self.value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::batch;

    #[test]
    fn the_fast_average_is_seeded_with_the_closes_just_before_the_start() {
        // Fast 2 and slow 4 both start at bar 3: means of {30, 40} and {10, 20, 30, 40}.
        let lines = batch(Macd::new(2, 4, 1).unwrap(), [10.0, 20.0, 30.0, 40.0]);
        assert_eq!(lines[..3], [None, None, None]);
        let expected = MacdLines { macd: 35.0 - 25.0, signal: 10.0, histogram: 0.0 };
        assert_eq!(lines[3], Some(expected));
    }

    #[test]
    fn all_lines_start_together() {
        let closes = (0..40).map(f64::from);
        let lines = batch(Macd::new(12, 26, 9).unwrap(), closes);
        assert_eq!(lines.iter().position(Option::is_some), Some(33));
        // On a straight line an n-bar EMA lags by (n−1)/2, and the signal not at all.
        let last = lines[39].unwrap();
        assert!((last.macd - 7.0).abs() < 1e-9, "{last:?}");
        assert!(last.histogram.abs() < 1e-9, "{last:?}");
    }

    #[test]
    fn trix_is_the_growth_rate_of_steady_growth() {
        let closes = (0..200).map(|bar| 10.0 * 1.01_f64.powi(bar));
        let values = batch(Trix::new(5).unwrap(), closes);
        assert_eq!(values.iter().position(Option::is_some), Some(13));
        assert!((values[199].unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(batch(Trix::new(5).unwrap(), [37.45; 20])[19], Some(0.0));
        assert_eq!(batch(Trix::new(5).unwrap(), [0.0; 20])[19], Some(0.0));
    }

    #[test]
    fn swapped_periods_are_an_error() {
        let error = IndicatorError::FastNotShorter { fast: 26, slow: 12 };
        assert_eq!(Macd::new(26, 12, 9).unwrap_err(), error);
        assert!(Macd::new(12, 12, 9).is_err());
        assert!(Macd::new(0, 26, 9).is_err());
        assert!(Macd::new(12, 26, 0).is_err());
        assert!(Trix::new(0).is_err());
    }
}
