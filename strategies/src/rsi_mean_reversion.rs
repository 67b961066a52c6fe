//! RSI mean reversion: buys when Wilder's index says oversold, leaves when it has recovered.

use market::order::Signal;
use market::{Bar, InstrumentId};

use crate::indicators::{Indicator, Rsi};
use crate::parameters::{ParameterError, ParameterSpec, Parameters};
use crate::{PerInstrument, Strategy, StrategyEntry, Wishes};

pub(crate) const ENTRY: StrategyEntry = StrategyEntry {
    name: "rsi_mean_reversion",
    about: "long from oversold until Wilder's RSI has recovered",
    parameters: &[
        ParameterSpec::bars("period", 14.0, "period of the RSI, in bars"),
        ParameterSpec::number("enter_below", 30.0, 0.0, 100.0, "buy when the RSI falls below it"),
        ParameterSpec::number("leave_above", 55.0, 0.0, 100.0, "sell when the RSI rises above it"),
    ],
    build,
};

fn build(parameters: &Parameters, instruments: &[InstrumentId]) -> Result<Box<dyn Strategy>, ParameterError> {
    let (enter_below, leave_above) = (parameters.number("enter_below"), parameters.number("leave_above"));
    if enter_below >= leave_above {
        let message = format!("enter_below = {enter_below} must be below leave_above = {leave_above}");
        return Err(ParameterError::Together(message));
    }
    let rsi = Rsi::new(parameters.whole("period")).map_err(|error| ParameterError::Together(error.to_string()))?;
    let warm_up = rsi.warm_up();
    let states = PerInstrument::new(instruments, &Reversion { rsi, flat: 0, last: None, long: false });
    Ok(Box::new(RsiMeanReversion { states, enter_below, leave_above, warm_up }))
}

struct RsiMeanReversion {
    states: PerInstrument<Reversion>,
    enter_below: f64,
    leave_above: f64,
    warm_up: usize,
}

#[derive(Clone, Debug)]
struct Reversion {
    rsi: Rsi,
    /// Closes in a row without a change.
    flat: u32,
    last: Option<f64>,
    long: bool,
}

/// TA-Lib defines the RSI of a motionless price as 0, which would read as deeply oversold. A halt
/// is not a bargain: after this many equal closes no entry is made.
const MOTIONLESS: u32 = 3;

impl Strategy for RsiMeanReversion {
    fn warm_up(&self) -> usize {
        self.warm_up
    }

    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>) {
        let Some(state) = self.states.get_mut(bar.instrument) else { return };
        let close = bar.close.to_f64();
        state.flat = if state.last == Some(close) { state.flat.saturating_add(1) } else { 0 };
        state.last = Some(close);
        let Some(rsi) = state.rsi.update(close) else { return };
        if !state.long && rsi < self.enter_below && state.flat < MOTIONLESS {
            state.long = true;
            wishes.hold(bar, 1.0, Signal::new("oversold", &[("rsi", rsi)]));
        } else if state.long && rsi > self.leave_above {
            state.long = false;
            wishes.hold(bar, 0.0, Signal::new("recovered", &[("rsi", rsi)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{ONE, build, wishes};

    #[test]
    fn buys_the_dip_and_sells_the_recovery() {
        let mut strategy = build("rsi_mean_reversion", &[("period", 3.0)], &[ONE]);
        let closes = [10.0, 9.8, 9.6, 9.4, 9.2, 10.0, 10.5, 9.0, 8.0];
        assert_eq!(wishes(strategy.as_mut(), &closes), [(3, 1.0), (5, 0.0), (7, 1.0)]);
    }

    #[test]
    fn a_halted_price_is_not_a_bargain() {
        let mut strategy = build("rsi_mean_reversion", &[("period", 3.0)], &[ONE]);
        assert_eq!(wishes(strategy.as_mut(), &[10.0; 40]), []);
    }
}
