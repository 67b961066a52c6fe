//! Donchian breakout: buys a close above the highest high of the last bars, leaves on a close
//! below the lowest low. Both channels end with the bar before, so a bar cannot break itself.

use market::order::Signal;
use market::{Bar, InstrumentId};

use crate::indicators::{Highest, Indicator, Lowest};
use crate::parameters::{ParameterError, ParameterSpec, Parameters};
use crate::{PerInstrument, Strategy, StrategyEntry, Wishes};

pub(crate) const ENTRY: StrategyEntry = StrategyEntry {
    name: "donchian_breakout",
    about: "long from a new high until a new low",
    parameters: &[
        ParameterSpec::bars("enter", 20.0, "bars of the high that a close must exceed"),
        ParameterSpec::bars("leave", 10.0, "bars of the low that a close must undercut"),
    ],
    build,
};

fn build(parameters: &Parameters, instruments: &[InstrumentId]) -> Result<Box<dyn Strategy>, ParameterError> {
    let refused = |error: crate::indicators::IndicatorError| ParameterError::Together(error.to_string());
    let fresh = Channel {
        high: Highest::new(parameters.whole("enter")).map_err(refused)?,
        low: Lowest::new(parameters.whole("leave")).map_err(refused)?,
        long: false,
    };
    // One more bar than the longer channel: the one that is compared with it.
    let warm_up = fresh.high.warm_up().max(fresh.low.warm_up()) + 1;
    Ok(Box::new(DonchianBreakout { states: PerInstrument::new(instruments, &fresh), warm_up }))
}

struct DonchianBreakout {
    states: PerInstrument<Channel>,
    warm_up: usize,
}

#[derive(Clone, Debug)]
struct Channel {
    high: Highest,
    low: Lowest,
    long: bool,
}

impl Strategy for DonchianBreakout {
    fn warm_up(&self) -> usize {
        self.warm_up
    }

    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>) {
        let Some(state) = self.states.get_mut(bar.instrument) else { return };
        let close = bar.close.to_f64();
        if let (Some(high), Some(low)) = (state.high.value(), state.low.value()) {
            let values = [("high", high), ("low", low), ("close", close)];
            if !state.long && close > high {
                state.long = true;
                wishes.hold(bar, 1.0, Signal::new("new_high", &values));
            } else if state.long && close < low {
                state.long = false;
                wishes.hold(bar, 0.0, Signal::new("new_low", &values));
            }
        }
        state.high.update(bar.high.to_f64());
        state.low.update(bar.low.to_f64());
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{ONE, build, wishes};

    #[test]
    fn buys_a_new_high_and_sells_a_new_low() {
        let mut strategy = build("donchian_breakout", &[("enter", 3.0), ("leave", 2.0)], &[ONE]);
        let closes = [10.0, 11.0, 10.5, 11.0, 11.5, 12.0, 11.8, 11.7, 11.9, 12.5];
        assert_eq!(wishes(strategy.as_mut(), &closes), [(4, 1.0), (7, 0.0), (9, 1.0)]);
    }

    #[test]
    fn touching_the_channel_is_not_breaking_it() {
        let mut strategy = build("donchian_breakout", &[("enter", 3.0), ("leave", 2.0)], &[ONE]);
        assert_eq!(wishes(strategy.as_mut(), &[10.0; 30]), []);
    }
}
