//! Wilder's directional movement: +DI, −DI and their average disagreement, ADX.
//!
//! Definitions: TA-Lib `PLUS_DI`, `MINUS_DI`, `ADX` (Wilder, 1978). Ours; `ta` 0.5 has none.

use super::window::Wilder;
use super::{Candle, Indicator, IndicatorError, NEAR_ZERO, TrueRange, checked_period, ratio_or_zero};

/// +DI and −DI, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Directions {
    plus: f64,
    minus: f64,
}

/// Wilder sums of up moves, down moves and true ranges.
///
/// Unlike his averages these are sums, and TA-Lib starts them from n−1 changes, not n, so that the
/// n-th is already the first smoothed one.
#[derive(Debug, Clone)]
struct DirectionalMovement {
    period: usize,
    previous: Option<Candle>,
    range: TrueRange,
    changes: usize,
    plus_sum: f64,
    minus_sum: f64,
    range_sum: f64,
}

impl DirectionalMovement {
    fn new(period: usize) -> Self {
        DirectionalMovement {
            period,
            previous: None,
            range: TrueRange::new(),
            changes: 0,
            plus_sum: 0.0,
            minus_sum: 0.0,
            range_sum: 0.0,
        }
    }

    fn push(&mut self, candle: Candle) -> Option<Directions> {
        self.range.advance(candle);
        let previous = self.previous.replace(candle)?;
        let range = self.range.value()?;
        let (plus, minus) = moves(&previous, &candle);

        let ready = self.changes + 1 >= self.period;
        if ready {
            let period = self.period as f64;
            self.plus_sum -= self.plus_sum / period;
            self.minus_sum -= self.minus_sum / period;
            self.range_sum -= self.range_sum / period;
        } else {
            self.changes += 1;
        }
        self.plus_sum += plus;
        self.minus_sum += minus;
        self.range_sum += range;

        ready.then(|| Directions {
            plus: 100.0 * ratio_or_zero(self.plus_sum, self.range_sum),
            minus: 100.0 * ratio_or_zero(self.minus_sum, self.range_sum),
        })
    }

    fn reset(&mut self) {
        *self = DirectionalMovement::new(self.period);
    }
}

/// (up move, down move) of a bar. Only the larger counts; a tie or an inside bar counts for
/// neither.
fn moves(previous: &Candle, candle: &Candle) -> (f64, f64) {
    let up = candle.high - previous.high;
    let down = previous.low - candle.low;
    if up > down && up > 0.0 {
        (up, 0.0)
    } else if down > up && down > 0.0 {
        (0.0, down)
    } else {
        (0.0, 0.0)
    }
}

/// +DI: the share of upward movement in the true range, 0 to 100; 0 when nothing moved. First at
/// bar n.
#[derive(Debug, Clone)]
pub struct PlusDi {
    movement: DirectionalMovement,
    value: Option<f64>,
}

impl PlusDi {
    /// `period` in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(PlusDi { movement: DirectionalMovement::new(checked_period("+DI period", period)?), value: None })
    }
}

impl Indicator for PlusDi {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        self.value = self.movement.push(candle).map(|di| di.plus);
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.movement.period
    }

    /// After 10 n bars the seed weighs e⁻¹⁰.
    fn warm_up(&self) -> usize {
        10 * self.movement.period
    }

    fn reset(&mut self) {
        self.movement.reset();
        self.value = None;
    }
}

/// −DI: the share of downward movement in the true range, 0 to 100; 0 when nothing moved. First at
/// bar n.
#[derive(Debug, Clone)]
pub struct MinusDi {
    movement: DirectionalMovement,
    value: Option<f64>,
}

impl MinusDi {
    /// `period` in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        Ok(MinusDi { movement: DirectionalMovement::new(checked_period("-DI period", period)?), value: None })
    }
}

impl Indicator for MinusDi {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        self.value = self.movement.push(candle).map(|di| di.minus);
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        self.movement.period
    }

    /// After 10 n bars the seed weighs e⁻¹⁰.
    fn warm_up(&self) -> usize {
        10 * self.movement.period
    }

    fn reset(&mut self) {
        self.movement.reset();
        self.value = None;
    }
}

/// Average directional index, 0 to 100: how one-sided the movement is, whichever side. First at bar
/// 2n−1.
#[derive(Debug, Clone)]
pub struct Adx {
    movement: DirectionalMovement,
    average: Wilder,
}

impl Adx {
    /// `period` of both smoothings in bars, usually 14.
    pub fn new(period: usize) -> Result<Self, IndicatorError> {
        let period = checked_period("ADX period", period)?;
        Ok(Adx { movement: DirectionalMovement::new(period), average: Wilder::new(period) })
    }
}

impl Indicator for Adx {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        let Some(Directions { plus, minus }) = self.movement.push(candle) else {
            return;
        };
        let both = plus + minus;
        // With no movement either way there is no index. TA-Lib then leaves the average alone,
        // except in the seed, which has to have n values and takes a 0.
        if both >= NEAR_ZERO || self.average.value().is_none() {
            self.average.push(100.0 * ratio_or_zero((plus - minus).abs(), both));
        }
    }

    fn value(&self) -> Option<f64> {
        self.average.value()
    }

    fn first_bar(&self) -> usize {
        2 * self.movement.period - 1
    }

    /// Two smoothings deep, so ten periods are not enough: 11 n bars left up to 0.3 % (`laws.rs`).
    fn warm_up(&self) -> usize {
        15 * self.movement.period
    }

    fn reset(&mut self) {
        self.movement.reset();
        self.average.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::batch;

    fn candle(high: f64, low: f64) -> Candle {
        Candle { high, low, close: (high + low) / 2.0, volume: 100.0 }
    }

    #[test]
    fn only_the_larger_move_counts() {
        let before = candle(10.0, 8.0);
        let table = [
            ("up", candle(11.0, 8.5), (1.0, 0.0)),
            ("down", candle(9.5, 7.0), (0.0, 1.0)),
            ("inside", candle(9.5, 8.5), (0.0, 0.0)),
            ("outside, more up", candle(12.0, 7.0), (2.0, 0.0)),
            ("outside, more down", candle(11.0, 6.0), (0.0, 2.0)),
            ("outside, tied", candle(11.0, 7.0), (0.0, 0.0)),
        ];
        for (name, after, expected) in table {
            assert_eq!(moves(&before, &after), expected, "{name}");
        }
    }

    #[test]
    fn one_way_traffic_reads_one_hundred() {
        let rising = (0..10).map(|bar| candle(11.0 + f64::from(bar), 10.0 + f64::from(bar)));
        let adx = batch(Adx::new(3).unwrap(), rising.clone());
        assert_eq!(adx[4..6], [None, Some(100.0)]);
        assert_eq!(adx[9], Some(100.0));
        let minus = batch(MinusDi::new(3).unwrap(), rising.clone());
        assert_eq!(minus[2..4], [None, Some(0.0)]);
        // Up 1 a bar in a true range of 1.5.
        let plus = batch(PlusDi::new(3).unwrap(), rising)[9].unwrap();
        assert!((plus - 200.0 / 3.0).abs() < 1e-9, "{plus}");
    }

    #[test]
    fn a_market_that_never_moved_reads_zero() {
        let flat = [candle(37.45, 37.45); 40];
        assert_eq!(batch(Adx::new(14).unwrap(), flat)[39], Some(0.0));
        assert_eq!(batch(PlusDi::new(14).unwrap(), flat)[39], Some(0.0));
        assert_eq!(batch(MinusDi::new(14).unwrap(), flat)[39], Some(0.0));
    }

    #[test]
    fn a_long_halt_holds_the_last_adx() {
        let mut adx = Adx::new(3).unwrap();
        for bar in 0..10 {
            adx.update(candle(11.0 + f64::from(bar), 10.0 + f64::from(bar)));
        }
        for _ in 0..500 {
            assert_eq!(adx.update(candle(20.0, 20.0)).map(f64::round), Some(100.0));
        }
        assert!(Adx::new(0).is_err());
        assert!(PlusDi::new(0).is_err());
        assert!(MinusDi::new(0).is_err());
    }
}
