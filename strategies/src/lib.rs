//! What we want: the trait [`Strategy`], the list of strategies, and streaming indicators. Pure.
//!
//! A strategy says which part of its full size it wants to hold of an instrument, and why. How
//! large the full size is, which order type gets it there, and whether it is allowed at all is
//! decided further on (`desk`, `risk`), so that no strategy repeats it.
//!
//! A new strategy is one file and one entry in [`STRATEGIES`].

pub mod indicators;
pub mod parameters;

mod cross_sectional_momentum;
mod donchian_breakout;
mod moving_average_cross;
mod rsi_mean_reversion;

use market::order::Signal;
use market::{Bar, InstrumentId, Price, Quote};

pub use parameters::{ParameterError, ParameterSpec, Parameters};

/// One strategy instance. It keeps no clock and reads no file; bars come in, wishes go out.
pub trait Strategy: Send {
    /// Bars per instrument to feed before its decisions count.
    fn warm_up(&self) -> usize;

    /// A completed bar of one of its instruments.
    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>);

    /// A new best bid and ask, for instances that listen to quotes. Unless a strategy has a use of
    /// its own for the two sides, the middle is to it a bar without extent.
    #[inline]
    fn on_quote(&mut self, quote: &Quote, wishes: &mut Wishes<'_>) {
        let middle = Price::from_steps(quote.bid.steps() / 2 + quote.ask.steps() / 2);
        let bar = Bar {
            end: quote.at,
            instrument: quote.instrument,
            open: middle,
            high: middle,
            low: middle,
            close: middle,
            volume: quote.bid_size + quote.ask_size,
        };
        self.on_bar(&bar, wishes);
    }
}

/// What a strategy wants of one instrument, and why.
#[derive(Clone, PartialEq, Debug)]
pub struct Wish {
    /// Of what.
    pub instrument: InstrumentId,
    /// Part of the instance's full size for one instrument, 0 (nothing) to 1 (all of it).
    pub exposure: f64,
    /// Price that the decision was made on.
    pub price: Price,
    /// The rule that spoke and the values it saw.
    pub signal: Signal,
}

/// Where a strategy puts its wishes.
pub struct Wishes<'a> {
    list: &'a mut Vec<Wish>,
}

impl<'a> Wishes<'a> {
    /// Collects into `list`.
    #[inline]
    pub fn into(list: &'a mut Vec<Wish>) -> Self {
        Self { list }
    }

    /// Wants to hold `exposure` (0 to 1) of its full size of the bar's instrument.
    pub fn hold(&mut self, bar: &Bar, exposure: f64, signal: Signal) {
        self.list.push(Wish {
            instrument: bar.instrument,
            exposure: exposure.clamp(0.0, 1.0),
            price: bar.close,
            signal,
        });
    }
}

/// Makes a strategy from checked parameters for these instruments.
pub type Build = fn(&Parameters, &[InstrumentId]) -> Result<Box<dyn Strategy>, ParameterError>;

/// One entry of the list.
#[derive(Debug)]
pub struct StrategyEntry {
    /// The name in configuration and on the command line.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Its parameters with their defaults and bounds.
    pub parameters: &'static [ParameterSpec],
    /// Makes an instance for these instruments from checked parameters.
    pub build: Build,
}

/// Every strategy there is.
pub const STRATEGIES: &[StrategyEntry] = &[
    moving_average_cross::ENTRY,
    rsi_mean_reversion::ENTRY,
    donchian_breakout::ENTRY,
    cross_sectional_momentum::ENTRY,
];

/// The entry of that name.
pub fn find(name: &str) -> Option<&'static StrategyEntry> {
    STRATEGIES.iter().find(|entry| entry.name == name)
}

/// A strategy's state per instrument, found by the instrument's number.
///
/// Instances serve few instruments out of many, so a small sorted table beats a hash.
#[derive(Clone, Debug)]
struct PerInstrument<T> {
    entries: Vec<(InstrumentId, T)>,
}

impl<T: Clone> PerInstrument<T> {
    fn new(instruments: &[InstrumentId], fresh: &T) -> Self {
        let mut entries: Vec<_> = instruments.iter().map(|id| (*id, fresh.clone())).collect();
        entries.sort_by_key(|(id, _)| *id);
        entries.dedup_by_key(|(id, _)| *id);
        Self { entries }
    }
}

impl<T> PerInstrument<T> {
    #[inline]
    fn get_mut(&mut self, instrument: InstrumentId) -> Option<&mut T> {
        let place = self.entries.binary_search_by_key(&instrument, |(id, _)| *id).ok()?;
        self.entries.get_mut(place).map(|(_, state)| state)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Bars for strategy tests, told as closes.

    use super::*;
    use market::{Quantity, Timestamp};

    pub(crate) const ONE: InstrumentId = InstrumentId::new(0);

    pub(crate) fn build(name: &str, settings: &[(&str, f64)], instruments: &[InstrumentId]) -> Box<dyn Strategy> {
        let entry = find(name).expect("a listed strategy");
        let given = settings.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        let parameters = Parameters::check(entry.parameters, given).expect("valid parameters");
        (entry.build)(&parameters, instruments).expect("a strategy")
    }

    pub(crate) fn bar(instrument: InstrumentId, number: i64, close: f64) -> Bar {
        let close = Price::from_f64(close).expect("a price");
        Bar {
            end: Timestamp::from_nanos(number),
            instrument,
            open: close,
            high: close,
            low: close,
            close,
            volume: Quantity::new(100),
        }
    }

    /// Feeds closes to a one-instrument strategy; gives (bar number, exposure) of each wish.
    pub(crate) fn wishes(strategy: &mut dyn Strategy, closes: &[f64]) -> Vec<(usize, f64)> {
        let mut told = Vec::new();
        for (number, close) in closes.iter().enumerate() {
            let mut list = Vec::new();
            strategy.on_bar(&bar(ONE, number as i64, *close), &mut Wishes::into(&mut list));
            told.extend(list.into_iter().map(|wish| (number, wish.exposure)));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_strategy_builds_with_its_defaults_under_a_unique_name() {
        for entry in STRATEGIES {
            let parameters = Parameters::check(entry.parameters, Default::default()).unwrap();
            let strategy = (entry.build)(&parameters, &[testing::ONE]).unwrap();
            assert!(strategy.warm_up() > 0, "{}", entry.name);
            assert_eq!(STRATEGIES.iter().filter(|other| other.name == entry.name).count(), 1);
        }
    }

    #[test]
    fn a_bar_of_a_foreign_instrument_is_ignored() {
        for entry in STRATEGIES {
            let mut strategy = testing::build(entry.name, &[], &[testing::ONE]);
            let mut list = Vec::new();
            for number in 0..300 {
                let foreign = testing::bar(InstrumentId::new(7), number, 10.0 + number as f64);
                strategy.on_bar(&foreign, &mut Wishes::into(&mut list));
            }
            assert!(list.is_empty(), "{}", entry.name);
        }
    }
}
