//! How far and how one-sidedly the close has moved: RSI, CMO, rate of change, momentum.
//!
//! Definitions: TA-Lib `RSI`, `CMO`, `ROC`, `MOM`; RSI and its average are Wilder's (*New Concepts
//! in Technical Trading Systems*, 1978). [`Roc`] is `ta`'s underneath. RSI is ours: `ta` 0.5 takes
//! a plain EMA of 0.1-seeded gains, which puts one bar in five on the other side of 30 or 70.

use ta::{Next, Reset};

use super::window::{Wilder, Window};
use super::{Indicator, IndicatorError, checked_period, ratio_or_zero};

/// Wilder averages of the gains and of the losses from close to close.
#[derive(Debug, Clone)]
struct GainsAndLosses {
    period: usize,
    last: Option<f64>,
    gains: Wilder,
    losses: Wilder,
}

impl GainsAndLosses {
    fn new(period: usize) -> Self {
        GainsAndLosses { period, last: None, gains: Wilder::new(period), losses: Wilder::new(period) }
    }

    /// (average gain, average loss), both ≥ 0.
    fn push(&mut self, close: f64) -> Option<(f64, f64)> {
        let change = close - self.last.replace(close)?;
        let gain = self.gains.push(change.max(0.0));
        let loss = self.losses.push((-change).max(0.0));
        Some((gain?, loss?))
    }

    /// After 10 n changes the seed weighs e⁻¹⁰.
    fn warm_up(&self) -> usize {
        10 * self.period
    }

    fn reset(&mut self) {
        self.last = None;
        self.gains.reset();
        self.losses.reset();
    }
}

/// Relative strength index, 0 to 100: the share of gains in the average move. 0 when there was no
/// move. First at bar n.
#[derive(Debug, Clone)]
pub struct Rsi {
    moves: GainsAndLosses,
    value: Option<f64>,
}

impl Rsi {
    /// `period` in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Rsi { moves: GainsAndLosses::new(checked_period("RSI period", period)?), value: None })
    }
}

impl Indicator for Rsi {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        self.value = self.moves.push(close).map(|(gain, loss)| 100.0 * ratio_or_zero(gain, gain + loss));
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.moves.period
    }

    fn warm_up(&self) -> usize {
        self.moves.warm_up()
    }

    fn reset(&mut self) {
        self.moves.reset();
        self.value = None;
    }
}

/// Chande momentum oscillator, −100 to 100: gains minus losses over their sum. TA-Lib smooths both
/// as Wilder does for RSI. 0 when there was no move. First at bar n.
#[derive(Debug, Clone)]
pub struct Cmo {
    moves: GainsAndLosses,
    value: Option<f64>,
}

impl Cmo {
    /// `period` in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Cmo { moves: GainsAndLosses::new(checked_period("CMO period", period)?), value: None })
    }
}

impl Indicator for Cmo {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        self.value = self.moves.push(close).map(|(gain, loss)| 100.0 * ratio_or_zero(gain - loss, gain + loss));
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.moves.period
    }

    fn warm_up(&self) -> usize {
        self.moves.warm_up()
    }

    fn reset(&mut self) {
        self.moves.reset();
        self.value = None;
    }
}

/// Rate of change in percent against the close n bars before; 0 where that close was 0. First at
/// bar n.
#[derive(Debug, Clone)]
pub struct Roc {
    period: usize,
    inner: ta::indicators::RateOfChange,
    /// Bars taken in, counted up to the first value only.
    seen: usize,
    value: Option<f64>,
}

impl Roc {
    /// `period` in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let name = "ROC period";
        let period = checked_period(name, period)?;
        Ok(Roc {
            period,
            inner: ta::indicators::RateOfChange::new(period)
                .map_err(|_| IndicatorError::Period { name, given: period })?,
            seen: 0,
            value: None,
        })
    }
}

impl Indicator for Roc {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        let change = self.inner.next(close);
        if self.seen < self.period {
            self.seen += 1; // until then `ta` compares with the first close
            return;
        }
        self.value = Some(if change.is_finite() { change } else { 0.0 });
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.period
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.seen = 0;
        self.value = None;
    }
}

/// Close minus the close n bars before. First at bar n.
#[derive(Debug, Clone)]
pub struct Momentum {
    closes: Window,
    value: Option<f64>,
}

impl Momentum {
    /// `period` in bars.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(Momentum { closes: Window::new(checked_period("momentum period", period)?), value: None })
    }
}

impl Indicator for Momentum {
    type Input = f64;
    type Output = f64;

    fn advance(&mut self, close: f64) {
        self.value = self.closes.push(close).map(|earlier| close - earlier);
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.closes.length()
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

    #[test]
    fn rsi_and_cmo_of_known_moves() {
        // Two changes seed, the third is smoothed by halves.
        let table = [
            ("only up", [1.0, 2.0, 3.0, 4.0], [100.0; 2], [100.0; 2]),
            ("only down", [4.0, 3.0, 2.0, 1.0], [0.0; 2], [-100.0; 2]),
            ("no move", [37.45; 4], [0.0; 2], [0.0; 2]),
            ("+2 −2 +1", [5.0, 7.0, 5.0, 6.0], [50.0, 100.0 * 2.0 / 3.0], [0.0, 100.0 / 3.0]),
        ];
        for (name, closes, rsi, cmo) in table {
            for (values, expected) in
                [(batch(Rsi::new(2).unwrap(), closes), rsi), (batch(Cmo::new(2).unwrap(), closes), cmo)]
            {
                assert_eq!(values[..2], [None, None], "{name}");
                for (value, expected) in values[2..].iter().zip(expected) {
                    assert!((value.unwrap() - expected).abs() < 1e-12, "{name}: {values:?}");
                }
            }
        }
    }

    #[test]
    fn a_long_halt_ends_at_zero() {
        let closes = [[10.0, 11.0].as_slice(), &[10.5; 1_000]].concat();
        assert_eq!(batch(Rsi::new(14).unwrap(), closes.clone())[1_001], Some(0.0));
        assert_eq!(batch(Cmo::new(14).unwrap(), closes)[1_001], Some(0.0));
    }

    #[test]
    fn roc_and_momentum_look_exactly_n_bars_back() {
        let closes = [10.0, 20.0, 15.0, 30.0, 0.0, 5.0, 7.0];
        let roc = batch(Roc::new(2).unwrap(), closes);
        let momentum = batch(Momentum::new(2).unwrap(), closes);
        let percent = [50.0, 50.0, -100.0, -250.0 / 3.0, 0.0];
        let points = [5.0, 10.0, -15.0, -25.0, 7.0];
        assert_eq!(roc[..2], [None, None]);
        assert_eq!(momentum[..2], [None, None]);
        for bar in 2..7 {
            assert!((roc[bar].unwrap() - percent[bar - 2]).abs() < 1e-12, "{roc:?}");
            assert_eq!(momentum[bar], Some(points[bar - 2]));
        }
    }

    #[test]
    fn no_bars_is_no_period() {
        assert!(Rsi::new(0).is_err());
        assert!(Cmo::new(0).is_err());
        assert!(Roc::new(0).is_err());
        assert!(Momentum::new(0).is_err());
    }
}
