//! Streaming technical indicators, one bar in, one value out.
//!
//! Owns the arithmetic that strategies read prices through, and the promise that it equals
//! TA-Lib's: same definition, same first valid bar (0-based). The definitions were taken from
//! `reference/indicators.md`, which was measured against TA-Lib C 0.8.1; the fixtures that hold us
//! to it are in `strategies/fixtures`.
//!
//! | file | indicators |
//! |---|---|
//! | [`average`] | [`Sma`], [`Ema`], [`Wma`], [`Kama`] |
//! | [`convergence`] | [`Macd`], [`Trix`] |
//! | [`momentum`] | [`Rsi`], [`Cmo`], [`Roc`], [`Momentum`] |
//! | [`volatility`] | [`TrueRange`], [`Atr`], [`Natr`], [`StandardDeviation`], [`Bollinger`] |
//! | [`channel`] | [`Highest`], [`Lowest`], [`AroonOscillator`] |
//! | [`stochastic`] | [`Stochastic`], [`FastStochastic`], [`WilliamsR`] |
//! | [`commodity`] | [`Cci`] |
//! | [`directional`] | [`PlusDi`], [`MinusDi`], [`Adx`] |
//! | [`volume`] | [`Obv`], [`AccumulationDistribution`], [`ChaikinOscillator`], [`Mfi`] |
//! | [`sar`] | [`ParabolicSar`] |
//!
//! Rules every one of them keeps, checked in `laws.rs` and `tests/indicator_parity.rs`:
//!
//! - *Not ready* is `None`. The first `Some` comes exactly at [`Indicator::first_bar`].
//! - A value never depends on later bars, and [`batch`] is [`Indicator::update`] in a loop, so a
//!   backtest and a live session read the same bits.
//! - No running sum loses precision over a long session: windows are re-added, never subtracted
//!   from.
//! - A halted instrument (flat prices, no volume) has a defined value, never NaN or infinity.
//! - State is rebuilt from stored bars after a restart. Nothing here can be serialised, so that a
//!   stale snapshot of floats cannot be loaded by mistake.
//!
//! Feed adjusted prices (corporate actions look like gaps otherwise); send orders at raw ones.

pub mod average;
pub mod channel;
pub mod commodity;
pub mod convergence;
pub mod directional;
#[cfg(test)]
mod laws;
pub mod momentum;
pub mod sar;
pub mod stochastic;
pub mod volatility;
pub mod volume;
mod window;

pub use average::{Ema, Kama, Sma, Wma};
pub use channel::{AroonOscillator, Highest, Lowest};
pub use commodity::Cci;
pub use convergence::{Macd, MacdLines, Trix};
pub use directional::{Adx, MinusDi, PlusDi};
pub use momentum::{Cmo, Momentum, Roc, Rsi};
pub use sar::ParabolicSar;
pub use stochastic::{FastStochastic, Stochastic, StochasticLines, WilliamsR};
pub use volatility::{Atr, Bands, Bollinger, Natr, StandardDeviation, TrueRange};
pub use volume::{AccumulationDistribution, ChaikinOscillator, Mfi, Obv};

/// Longest window we build, in bars: TA-Lib's own ceiling, and a bound on what a typo in a
/// parameter file can allocate.
pub const MAX_PERIOD: usize = 100_000;

/// Largest price or volume we accept. Above 2^53 (9.0e15) a float no longer holds whole numbers;
/// staying well below also keeps every square and product in here finite.
pub const MAX_INPUT: f64 = 1e15;

/// Below this a divisor counts as zero (TA-Lib's `TA_EPSILON`). It is what ends the exponential
/// tail of a Wilder average during a long halt.
const NEAR_ZERO: f64 = 1e-14;

/// A technical indicator that is fed one bar at a time.
///
/// ```
/// use strategies::indicators::{Indicator, Sma};
///
/// let mut average = Sma::new(3)?;
/// assert_eq!(average.update(10.0), None);
/// assert_eq!(average.update(11.0), None);
/// assert_eq!(average.update(12.0), Some(11.0));
/// # Ok::<(), strategies::indicators::IndicatorError>(())
/// ```
pub trait Indicator {
    /// What one bar contributes: a close (`f64`) or a whole [`Candle`].
    type Input: Observation;
    /// One number, or a small struct where an indicator draws several lines.
    type Output: Copy;

    /// Takes in one bar that [`Observation::is_usable`] has already passed. Callers want
    /// [`update`](Self::update), which does that check.
    fn advance(&mut self, input: Self::Input);

    /// The value at the last bar taken in, or `None` while there are too few bars.
    fn value(&self) -> Option<Self::Output>;

    /// 0-based number of the bar with the first value.
    fn first_bar(&self) -> usize;

    /// Bars to feed before where the history started no longer shows. For a plain window that is
    /// the bar of the first value; a recursive indicator remembers longer and says so.
    fn warm_up(&self) -> usize {
        self.first_bar() + 1
    }

    /// Forgets every bar, keeps the parameters.
    fn reset(&mut self);

    /// Takes in one bar and returns the value there.
    ///
    /// Refusing bad prices is the feed's job. Should one get through anyway (NaN, infinite, high
    /// below low, ...), it is as if the bar had not happened: state and value stay as they were.
    fn update(&mut self, input: Self::Input) -> Option<Self::Output> {
        if input.is_usable() {
            self.advance(input);
        }
        self.value()
    }
}

/// What an indicator can be fed with.
pub trait Observation: Copy {
    /// Whether it may enter a calculation at all.
    fn is_usable(&self) -> bool;
}

impl Observation for f64 {
    /// Finite and within [`MAX_INPUT`]. Any sign: indicators are also taken of other indicators.
    fn is_usable(&self) -> bool {
        self.abs() <= MAX_INPUT // false for NaN too
    }
}

/// One finished bar, prices in the instrument's currency, volume in units traded.
///
/// The open is missing because no indicator here looks at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candle {
    /// Highest trade.
    pub high: f64,
    /// Lowest trade.
    pub low: f64,
    /// Last trade.
    pub close: f64,
    /// Units traded; zero when the instrument was halted.
    pub volume: f64,
}

impl Candle {
    /// Mean of high, low and close.
    pub fn typical_price(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }
}

impl Observation for Candle {
    /// 0 < low ≤ close ≤ high, volume ≥ 0, all within [`MAX_INPUT`].
    fn is_usable(&self) -> bool {
        0.0 < self.low
            && self.low <= self.close
            && self.close <= self.high
            && self.high <= MAX_INPUT
            && (0.0..=MAX_INPUT).contains(&self.volume)
    }
}

// How the `ta` crate reads a candle, for the indicators that are its own underneath.
impl ta::High for Candle {
    fn high(&self) -> f64 {
        self.high
    }
}
impl ta::Low for Candle {
    fn low(&self) -> f64 {
        self.low
    }
}
impl ta::Close for Candle {
    fn close(&self) -> f64 {
        self.close
    }
}
impl ta::Volume for Candle {
    fn volume(&self) -> f64 {
        self.volume
    }
}

/// Why an indicator could not be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IndicatorError {
    /// A period of no bars, or of more than [`MAX_PERIOD`].
    #[error("{name} must be between 1 and {MAX_PERIOD} bars, not {given}")]
    Period {
        /// Which parameter.
        name: &'static str,
        /// What was asked for, in bars.
        given: usize,
    },
    /// The fast side of an oscillator is not the faster one; swapped parameters, most likely.
    #[error("fast period {fast} must be shorter than slow period {slow}")]
    FastNotShorter {
        /// In bars.
        fast: usize,
        /// In bars.
        slow: usize,
    },
    /// A factor such as a band width that is not a positive number.
    #[error("{name} must be a positive number, not {given}")]
    Factor {
        /// Which parameter.
        name: &'static str,
        /// What was asked for.
        given: f64,
    },
}

/// The value at every bar of `inputs`, from a standing start.
pub fn batch<I: Indicator>(mut indicator: I, inputs: impl IntoIterator<Item = I::Input>) -> Vec<Option<I::Output>> {
    indicator.reset();
    inputs.into_iter().map(|input| indicator.update(input)).collect()
}

fn checked_period(name: &'static str, given: usize) -> Result<usize, IndicatorError> {
    if (1..=MAX_PERIOD).contains(&given) { Ok(given) } else { Err(IndicatorError::Period { name, given }) }
}

fn checked_fast_and_slow(fast: usize, slow: usize) -> Result<(), IndicatorError> {
    checked_period("fast period", fast)?;
    checked_period("slow period", slow)?;
    if fast < slow { Ok(()) } else { Err(IndicatorError::FastNotShorter { fast, slow }) }
}

fn checked_factor(name: &'static str, given: f64) -> Result<f64, IndicatorError> {
    // The ceiling only keeps products finite; sensible factors are below ten.
    if given > 0.0 && given <= MAX_INPUT { Ok(given) } else { Err(IndicatorError::Factor { name, given }) }
}

/// `numerator / divisor`, and 0 where the divisor vanishes: what TA-Lib answers on a flat market.
fn ratio_or_zero(numerator: f64, divisor: f64) -> f64 {
    if divisor.abs() < NEAR_ZERO { 0.0 } else { numerator / divisor }
}
