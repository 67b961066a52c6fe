//! Moving-average cross: long while the fast exponential average is above the slow one.
//!
//! A wish is made when the averages change sides, not on every bar: a denied entry waits for the
//! next cross instead of knocking on the same limit for hours.

use market::order::Signal;
use market::{Bar, InstrumentId};

use crate::indicators::{Ema, Indicator};
use crate::parameters::{ParameterError, ParameterSpec, Parameters};
use crate::{PerInstrument, Strategy, StrategyEntry, Wishes};

pub(crate) const ENTRY: StrategyEntry = StrategyEntry {
    name: "moving_average_cross",
    about: "long while the fast exponential average is above the slow one",
    parameters: &[
        ParameterSpec::bars("fast", 10.0, "period of the fast average, in bars"),
        ParameterSpec::bars("slow", 20.0, "period of the slow average, in bars"),
    ],
    build,
};

fn build(parameters: &Parameters, instruments: &[InstrumentId]) -> Result<Box<dyn Strategy>, ParameterError> {
    let (fast, slow) = (parameters.whole("fast"), parameters.whole("slow"));
    if fast >= slow {
        return Err(ParameterError::Together(format!("fast = {fast} must be below slow = {slow}")));
    }
    let refused = |error: crate::indicators::IndicatorError| ParameterError::Together(error.to_string());
    let fresh = Cross { fast: Ema::new(fast).map_err(refused)?, slow: Ema::new(slow).map_err(refused)?, long: false };
    Ok(Box::new(MovingAverageCross { states: PerInstrument::new(instruments, &fresh), warm_up: fresh.slow.warm_up() }))
}

struct MovingAverageCross {
    states: PerInstrument<Cross>,
    warm_up: usize,
}

#[derive(Clone, Debug)]
struct Cross {
    fast: Ema,
    slow: Ema,
    long: bool,
}

impl Strategy for MovingAverageCross {
    fn warm_up(&self) -> usize {
        self.warm_up
    }

    #[inline]
    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>) {
        let Some(state) = self.states.get_mut(bar.instrument) else { return };
        let close = bar.close.to_f64();
        let (Some(fast), Some(slow)) = (state.fast.update(close), state.slow.update(close)) else { return };
        // Equal averages keep the side they came from.
        let long = if state.long { fast >= slow } else { fast > slow };
        if long != state.long {
            state.long = long;
            let rule = if long { "fast_above_slow" } else { "fast_below_slow" };
            wishes.hold(bar, f64::from(u8::from(long)), Signal::new(rule, &[("fast", fast), ("slow", slow)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{ONE, build, wishes};

    #[test]
    fn buys_the_rise_and_sells_the_fall() {
        let mut strategy = build("moving_average_cross", &[("fast", 2.0), ("slow", 4.0)], &[ONE]);
        let closes = [10.0, 10.0, 10.0, 10.0, 10.0, 11.0, 12.0, 12.0, 9.0, 8.0, 8.0, 12.0];
        assert_eq!(wishes(strategy.as_mut(), &closes), [(5, 1.0), (8, 0.0), (11, 1.0)]);
    }

    #[test]
    fn says_nothing_before_the_slow_average_is_ready_or_on_a_flat_run() {
        let mut strategy = build("moving_average_cross", &[("fast", 2.0), ("slow", 4.0)], &[ONE]);
        assert_eq!(wishes(strategy.as_mut(), &[10.0, 11.0, 12.0]), []);
        let mut strategy = build("moving_average_cross", &[("fast", 2.0), ("slow", 4.0)], &[ONE]);
        assert_eq!(wishes(strategy.as_mut(), &[10.0; 50]), []);
    }

    #[test]
    fn swapped_periods_are_refused() {
        let entry = crate::find("moving_average_cross").unwrap();
        let given = [("fast".to_owned(), 20.0), ("slow".to_owned(), 10.0)].into();
        let parameters = crate::Parameters::check(entry.parameters, given).unwrap();
        let error = (entry.build)(&parameters, &[ONE]).err().unwrap();
        assert_eq!(error.to_string(), "fast = 20 must be below slow = 10");
    }
}
