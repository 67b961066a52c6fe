//! Where the volume went: on-balance volume, accumulation/distribution and its oscillator, money
//! flow.
//!
//! Definitions: TA-Lib `OBV`, `AD`, `ADOSC`, `MFI`. [`Obv`] is `ta`'s underneath. MFI is ours:
//! `ta` 0.5 slides its sums, went negative on bars without volume and can divide 0 by 0.

use ta::{Next, Reset};

use super::average::ema_weight;
use super::window::WindowSum;
use super::{Candle, Indicator, IndicatorError, checked_fast_and_slow, checked_period};

/// On-balance volume: volume added on a higher close, subtracted on a lower one, from the first
/// bar's volume on. First at bar 0.
///
/// Its level says how far back the bars go and little else; compare its changes.
#[derive(Debug, Clone, Default)]
pub struct Obv {
    inner: ta::indicators::OnBalanceVolume,
    value: Option<f64>,
}

impl Obv {
    /// Has no parameters.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Indicator for Obv {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        // `ta` starts from a close of 0, and a candle's close is above that: bar 0 adds its volume.
        self.value = Some(self.inner.next(&candle));
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        0
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.value = None;
    }
}

/// Accumulation/distribution line: each bar's volume, weighted from −1 (close at the low) to 1
/// (close at the high), summed since the first bar. A bar without range adds nothing. First at bar
/// 0; as with [`Obv`], compare changes.
#[derive(Debug, Clone, Default)]
pub struct AccumulationDistribution {
    value: Option<f64>,
}

impl AccumulationDistribution {
    /// Has no parameters.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Indicator for AccumulationDistribution {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        let range = candle.high - candle.low;
        let balance = (candle.close - candle.low) - (candle.high - candle.close);
        let flow = if range > 0.0 { balance / range * candle.volume } else { 0.0 };
        self.value = Some(self.value.unwrap_or(0.0) + flow);
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        0
    }

    fn reset(&mut self) {
        self.value = None;
    }
}

/// Chaikin's accumulation/distribution oscillator (`ADOSC`): fast minus slow EMA of the
/// [`AccumulationDistribution`] line, both started *at its first value*, not at a mean. First at
/// bar slow − 1.
#[derive(Debug, Clone)]
pub struct ChaikinOscillator {
    line: AccumulationDistribution,
    slow_period: usize,
    fast_weight: f64,
    slow_weight: f64,
    /// (fast, slow).
    averages: Option<(f64, f64)>,
    /// Bars taken in, counted up to the first value only.
    seen: usize,
}

impl ChaikinOscillator {
    /// Periods in bars, usually 3 and 10; `fast` must be the shorter.
    pub fn new(fast: usize, slow: usize) -> Result<Self, IndicatorError> {
        checked_fast_and_slow(fast, slow)?;
        Ok(ChaikinOscillator {
            line: AccumulationDistribution::new(),
            slow_period: slow,
            fast_weight: ema_weight(fast),
            slow_weight: ema_weight(slow),
            averages: None,
            seen: 0,
        })
    }
}

impl Indicator for ChaikinOscillator {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        self.line.advance(candle);
        let Some(line) = self.line.value() else {
            return;
        };
        let (fast, slow) = self.averages.unwrap_or((line, line));
        self.averages = Some((fast + self.fast_weight * (line - fast), slow + self.slow_weight * (line - slow)));
        self.seen = (self.seen + 1).min(self.slow_period);
    }

    fn value(&self) -> Option<f64> {
        let (fast, slow) = self.averages?;
        (self.seen == self.slow_period).then_some(fast - slow)
    }

    fn first_bar(&self) -> usize {
        self.slow_period - 1
    }

    /// After 10 n bars the seed of the slow average weighs e⁻²⁰.
    fn warm_up(&self) -> usize {
        10 * self.slow_period
    }

    fn reset(&mut self) {
        self.line.reset();
        self.averages = None;
        self.seen = 0;
    }
}

/// Money flow, in currency over the whole window, under which [`Mfi`] reads 0. TA-Lib's number.
const NO_FLOW: f64 = 1.0;

/// Money flow index, 0 to 100: the share of typical price × volume traded on rising bars in the
/// last n. 0 when there was no flow. First at bar n.
#[derive(Debug, Clone)]
pub struct Mfi {
    period: usize,
    last: Option<f64>,
    rising: WindowSum,
    falling: WindowSum,
    value: Option<f64>,
}

impl Mfi {
    /// `period` in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let period = checked_period("MFI period", period)?;
        Ok(Mfi { period, last: None, rising: WindowSum::new(period), falling: WindowSum::new(period), value: None })
    }
}

impl Indicator for Mfi {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        let price = candle.typical_price();
        let Some(last) = self.last.replace(price) else {
            return;
        };
        let flow = price * candle.volume;
        let rising = self.rising.push(if price > last { flow } else { 0.0 });
        let falling = self.falling.push(if price < last { flow } else { 0.0 });
        if let (Some(rising), Some(falling)) = (rising, falling) {
            let flow = rising + falling;
            self.value = Some(if flow < NO_FLOW { 0.0 } else { 100.0 * (rising / flow) });
        }
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.period
    }

    fn reset(&mut self) {
        self.last = None;
        self.rising.reset();
        self.falling.reset();
        self.value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::batch;

    fn candle(high: f64, low: f64, close: f64, volume: f64) -> Candle {
        Candle { high, low, close, volume }
    }

    #[test]
    fn obv_follows_the_close() {
        let candles = [
            candle(11.0, 9.0, 10.0, 100.0),
            candle(11.0, 9.0, 11.0, 50.0),
            candle(11.0, 9.0, 11.0, 70.0), // unchanged: nothing
            candle(11.0, 9.0, 9.0, 30.0),
        ];
        assert_eq!(batch(Obv::new(), candles), [Some(100.0), Some(150.0), Some(150.0), Some(120.0)]);
    }

    #[test]
    fn accumulation_weighs_volume_by_the_close_in_its_range() {
        let candles = [
            candle(12.0, 8.0, 12.0, 100.0), // all of it
            candle(12.0, 8.0, 9.0, 100.0),  // half of it out
            candle(10.0, 10.0, 10.0, 70.0), // no range
        ];
        assert_eq!(batch(AccumulationDistribution::new(), candles), [Some(100.0), Some(50.0), Some(50.0)]);
        // Fast (1 bar) is the line itself; slow (3 bars) starts at 100 and moves by halves.
        assert_eq!(batch(ChaikinOscillator::new(1, 3).unwrap(), candles), [None, None, Some(50.0 - 62.5)]);
    }

    #[test]
    fn money_flow_is_split_by_the_direction_of_the_typical_price() {
        let at = |price: f64, volume: f64| candle(price, price, price, volume);
        let candles = [
            at(10.0, 500.0),
            at(11.0, 100.0), // in 1,100
            at(10.0, 330.0), // out 3,300
            at(10.0, 900.0), // unchanged: neither
            at(10.0, 0.0),
            at(11.0, 0.09), // in 0.99: as good as nothing
        ];
        assert_eq!(batch(Mfi::new(2).unwrap(), candles)[1..], [None, Some(25.0), Some(0.0), Some(0.0), Some(0.0)]);
    }

    #[test]
    fn parameters_are_checked() {
        assert!(Mfi::new(0).is_err());
        assert!(ChaikinOscillator::new(10, 3).is_err());
        assert!(ChaikinOscillator::new(0, 3).is_err());
    }
}
