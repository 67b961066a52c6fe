//! Series of bars: which are meant, and what is stored of each.

use market::history::{Interval, SourceName};
use market::{Symbol, Timestamp};
use serde::Serialize;

/// All bars of one length of one symbol from one source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct BarSeries {
    /// Who says so.
    pub source: SourceName,
    /// Ticker; for an index its name.
    pub symbol: Symbol,
    /// How long a bar is.
    pub interval: Interval,
}

/// Which series are meant; an empty list means all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct BarFilter {
    /// Sources.
    pub sources: Vec<SourceName>,
    /// Tickers and names of indices.
    pub symbols: Vec<Symbol>,
    /// Lengths.
    pub intervals: Vec<Interval>,
}

/// What is stored of one series.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct BarCoverage {
    /// Who says so.
    pub source: SourceName,
    /// Ticker; for an index its name.
    pub symbol: Symbol,
    /// How long a bar is.
    pub interval: Interval,
    /// When the first bar began.
    pub first: Timestamp,
    /// When the last bar began.
    pub last: Timestamp,
    /// How many there are.
    pub bars: u64,
}

impl BarFilter {
    pub(crate) fn admits(&self, series: &BarSeries) -> bool {
        (self.sources.is_empty() || self.sources.contains(&series.source))
            && (self.symbols.is_empty() || self.symbols.contains(&series.symbol))
            && (self.intervals.is_empty() || self.intervals.contains(&series.interval))
    }
}

impl BarCoverage {
    /// Of what.
    pub const fn series(&self) -> BarSeries {
        BarSeries { source: self.source, symbol: self.symbol, interval: self.interval }
    }
}
