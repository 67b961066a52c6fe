//! Listings: which are meant, what is stored of each, and what their records tell.

use market::history::FixedText;
use market::{Date, InstrumentKind, Isin, Money, Price, Quantity, Symbol};
use serde::Serialize;

/// Which listings are meant; an empty list means all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Filter {
    /// Tickers.
    pub symbols: Vec<Symbol>,
    /// Market types (TPMERC), such as [`market::history::CASH_MARKET`].
    pub market_types: Vec<u16>,
    /// Kinds, as the latest record tells them.
    pub kinds: Vec<InstrumentKind>,
}

/// What is stored of one listing: a ticker on one market, and for forwards with one term.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Coverage {
    /// Ticker.
    pub symbol: Symbol,
    /// Market type (TPMERC).
    pub market_type: u16,
    /// Days of a forward's term; zero elsewhere.
    pub term_days: u16,
    /// What it is, as its latest record tells.
    pub kind: InstrumentKind,
    /// First session with a record.
    pub first: Date,
    /// Last session with a record.
    pub last: Date,
    /// How many sessions have a record; a listing that did not trade has none that day.
    pub sessions: u64,
}

/// What the latest record of a ticker on one market tells about the instrument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstrumentFacts {
    /// Ticker.
    pub symbol: Symbol,
    /// Market type (TPMERC).
    pub market_type: u16,
    /// What it is.
    pub kind: InstrumentKind,
    /// ISIN, where the record has one.
    pub isin: Option<Isin>,
    /// Short company name.
    pub company: FixedText<12>,
    /// Class, ex-flags and segment.
    pub specification: FixedText<10>,
    /// Units that a quoted price is for.
    pub quotation_factor: u32,
    /// The session of that record.
    pub as_of: Date,
}

/// One session of one ticker on the cash or the fractional market. BRL per unit, not adjusted for
/// dividends or splits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct DailyBarRow {
    /// Session.
    pub date: Date,
    /// Opening price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Average price.
    pub average: Price,
    /// Last price.
    pub close: Price,
    /// Best bid at the end; zero for none.
    pub best_bid: Price,
    /// Best ask at the end; zero for none.
    pub best_ask: Price,
    /// Number of trades; wraps at 100,000 in the exchange's files.
    pub trades: u32,
    /// Units traded.
    pub volume: Quantity,
    /// Turnover in BRL.
    pub turnover: Money,
    /// Units that a quoted price was for.
    pub quotation_factor: u32,
    /// Distribution number: a change marks a corporate event.
    pub distribution: u16,
}

/// What is asked for by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// Everything that this ticker has been.
    Symbol(Symbol),
    /// Every ticker that this ISIN has had.
    Isin(Isin),
}

/// From when to when a ticker of the cash or fractional market had an ISIN: its first and its last
/// record with it. A renamed ticker ends one day and its successor begins the next with the same
/// ISIN. An ISIN that came back after another has one span, over the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct IsinSpan {
    /// Ticker.
    pub symbol: Symbol,
    /// Its ISIN in these days.
    pub isin: Isin,
    /// Market type (TPMERC).
    pub market_type: u16,
    /// First session with both.
    pub first: Date,
    /// Last session with both.
    pub last: Date,
}

impl Filter {
    /// Everything of one market type.
    pub fn market_type(market_type: u16) -> Self {
        Self { market_types: vec![market_type], ..Self::default() }
    }

    pub(crate) fn admits_market_type(&self, market_type: u16) -> bool {
        self.market_types.is_empty() || self.market_types.contains(&market_type)
    }

    pub(crate) fn admits_kind(&self, kind: InstrumentKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}
