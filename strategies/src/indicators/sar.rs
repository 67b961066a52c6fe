//! The parabolic stop-and-reverse: a trailing stop that speeds up with the trend.
//!
//! Definition: TA-Lib `SAR` (Wilder, 1978). Ours; `ta` 0.5 has none.

use super::{Candle, Indicator, IndicatorError, checked_factor};

/// A move in one direction and the stop that trails it.
#[derive(Debug, Clone)]
struct Trend {
    rising: bool,
    /// Where the next bar would be stopped out.
    stop: f64,
    /// Highest high of a rise, lowest low of a fall.
    extreme: f64,
    acceleration: f64,
}

impl Trend {
    /// The direction of the first move: down if the low fell further than the high rose, up in
    /// every other case, a tie included.
    fn start(first: &Candle, second: &Candle, acceleration: f64) -> Self {
        let up = second.high - first.high;
        let down = first.low - second.low;
        let rising = !(down > 0.0 && down > up);
        Trend {
            rising,
            stop: if rising { first.low } else { first.high },
            extreme: if rising { second.high } else { second.low },
            acceleration,
        }
    }

    /// A stop may not lie within the last two bars.
    fn outside(&self, stop: f64, before: &Candle, now: &Candle) -> f64 {
        if self.rising { stop.min(before.low).min(now.low) } else { stop.max(before.high).max(now.high) }
    }

    /// Takes in a bar and returns the stop that was valid on it.
    fn advance(&mut self, before: &Candle, now: &Candle, step: f64, maximum: f64) -> f64 {
        let stopped = if self.rising { now.low <= self.stop } else { now.high >= self.stop };
        if stopped {
            self.rising = !self.rising;
            self.stop = self.outside(self.extreme, before, now);
            self.extreme = if self.rising { now.high } else { now.low };
            self.acceleration = step;
        } else if self.rising && now.high > self.extreme {
            self.extreme = now.high;
            self.acceleration = (self.acceleration + step).min(maximum);
        } else if !self.rising && now.low < self.extreme {
            self.extreme = now.low;
            self.acceleration = (self.acceleration + step).min(maximum);
        }
        let valid = self.stop;
        let next = self.stop + self.acceleration * (self.extreme - self.stop);
        self.stop = self.outside(next, before, now);
        valid
    }
}

/// Parabolic SAR, in price units: below the bars in a rise, above them in a fall. First at bar 1.
#[derive(Debug, Clone)]
pub struct ParabolicSar {
    step: f64,
    maximum: f64,
    previous: Option<Candle>,
    trend: Option<Trend>,
    value: Option<f64>,
}

impl ParabolicSar {
    /// `step` is the acceleration at the start and added at every new extreme, up to `maximum`;
    /// usually 0.02 and 0.2. A step above the maximum is cut to it, as in TA-Lib.
    pub fn new(step: f64, maximum: f64) -> Result<Self, IndicatorError> {
        let step = checked_factor("SAR acceleration", step)?;
        let maximum = checked_factor("SAR maximum acceleration", maximum)?;
        Ok(ParabolicSar { step: step.min(maximum), maximum, previous: None, trend: None, value: None })
    }
}

impl Indicator for ParabolicSar {
    type Input = Candle;
    type Output = f64;

    fn advance(&mut self, candle: Candle) {
        let Some(previous) = self.previous.replace(candle) else {
            return;
        };
        let stop = match &mut self.trend {
            Some(trend) => trend.advance(&previous, &candle, self.step, self.maximum),
            None => {
                let trend = self.trend.insert(Trend::start(&previous, &candle, self.step));
                // The bar the trend starts from is not held against the first stop, which sits on
                // its edge.
                trend.advance(&candle, &candle, self.step, self.maximum)
            }
        };
        self.value = Some(stop);
    }

    fn value(&self) -> Option<f64> {
        self.value
    }

    fn first_bar(&self) -> usize {
        1
    }

    /// Two histories agree for good once they reverse on the same bar from the same extreme. That
    /// took at most this long on every start we tried (`laws.rs`); nothing bounds it.
    fn warm_up(&self) -> usize {
        100
    }

    fn reset(&mut self) {
        self.previous = None;
        self.trend = None;
        self.value = None;
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
    fn the_first_move_sets_the_direction() {
        let first = candle(10.0, 8.0);
        let table = [
            ("up", candle(11.0, 9.0), true),
            ("down", candle(9.5, 7.0), false),
            ("inside", candle(9.5, 8.5), true),
            ("tie", candle(11.0, 7.0), true),
        ];
        for (name, second, rising) in table {
            assert_eq!(Trend::start(&first, &second, 0.02).rising, rising, "{name}");
        }
    }

    #[test]
    fn a_stop_rises_and_reverses() {
        let candles = [
            candle(10.0, 9.0),
            candle(11.0, 10.0), // rise: the stop is the first low, the extreme 11
            candle(12.0, 11.0), // 9 + 0.1 × (11 − 9); the extreme becomes 12, the step 0.2
            candle(11.0, 9.0),  // 9.2 + 0.2 × (12 − 9.2) = 9.76 is touched: the stop is now 12
            candle(10.0, 9.5),  // 12 + 0.1 × (9 − 12) lies within the last two bars: 12
        ];
        let stops = batch(ParabolicSar::new(0.1, 0.2).unwrap(), candles);
        assert_eq!(stops[0], None);
        for (stop, expected) in stops[1..].iter().zip([9.0, 9.2, 12.0, 12.0]) {
            assert!((stop.unwrap() - expected).abs() < 1e-12, "{stops:?}");
        }
    }

    #[test]
    fn a_flat_market_is_its_own_stop() {
        let stops = batch(ParabolicSar::new(0.02, 0.2).unwrap(), [candle(37.45, 37.45); 9]);
        assert!(stops[1..].iter().all(|stop| *stop == Some(37.45)), "{stops:?}");
    }

    #[test]
    fn accelerations_are_checked() {
        assert!(ParabolicSar::new(0.0, 0.2).is_err());
        assert!(ParabolicSar::new(0.02, f64::NAN).is_err());
        assert_eq!(ParabolicSar::new(0.5, 0.2).unwrap().step, 0.2);
    }
}
