//! Bars of any source and interval, as they were published: not adjusted for anything.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use super::source::SourceName;
use crate::decimal::{Money, Price, Quantity};
use crate::instrument::Symbol;
use crate::time::{Date, Timestamp};

/// How long a bar is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Interval {
    /// So many minutes, at most 720.
    Minutes(NonZeroU16),
    /// A session.
    Day,
}

/// A text that is no interval.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("'{0}' is no interval: write 1d, or minutes from 1m to 720m")]
pub struct IntervalError(String);

impl Interval {
    /// One minute.
    pub const MINUTE: Self = Self::Minutes(NonZeroU16::MIN);

    /// So many minutes; none beyond half a day.
    pub fn minutes(count: u16) -> Option<Self> {
        NonZeroU16::new(count).filter(|count| count.get() <= 720).map(Self::Minutes)
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "1d" {
            return Ok(Self::Day);
        }
        let minutes = text.strip_suffix('m').and_then(|count| count.parse().ok()).and_then(Self::minutes);
        minutes.ok_or_else(|| IntervalError(text.to_owned()))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minutes(count) => f.pad(&format!("{count}m")),
            Self::Day => f.pad("1d"),
        }
    }
}

impl Serialize for Interval {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One bar of one symbol as one source published it. The key is (source, symbol, interval, begin).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct HistoryBar {
    /// Who says so.
    pub source: SourceName,
    /// Ticker; for an index its name, such as IBOV.
    pub symbol: Symbol,
    /// How long it is.
    pub interval: Interval,
    /// When it began; for a day midnight in São Paulo.
    pub begin: Timestamp,
    /// First price, BRL per unit; points for an index.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Units traded.
    pub volume: Quantity,
    /// Number of trades, where the source says it.
    pub trades: Option<u32>,
    /// Turnover in BRL, where the source says it.
    pub turnover: Option<Money>,
    /// The source's own adjusted close, to compare ours with; never traded on.
    pub adjusted_close: Option<Price>,
}

impl HistoryBar {
    /// The session it belongs to, by São Paulo's clock.
    pub fn date(&self) -> Date {
        self.begin.local_date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_they_are_written() {
        for text in ["1d", "1m", "15m", "720m"] {
            assert_eq!(text.parse::<Interval>().map(|interval| interval.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "0m", "721m", "2d", "1h", "m", "-1m", "99999m"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }
}
