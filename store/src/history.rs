//! History: what the exchange published, and from which file each row came.
//!
//! Rows go in through an [`Import`], one transaction per file: all of it or nothing. The key of a
//! daily record is (date, symbol, market type, term in days), that of an index close (index, date).

use market::history::FixedText;
use market::{DailyRecord, Date, IndexClose, InstrumentKind, Isin, Money, Price, Quantity, Symbol, Timestamp};
use serde::Serialize;

use crate::digest::Digest;
use crate::error::StoreError;

/// A file to be imported, as the import log remembers it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ImportSource {
    /// File name, for people.
    pub name: String,
    /// What kind of file: `cotahist`, `index` …
    pub kind: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, where it was computed.
    pub sha256: Option<Digest>,
    /// When the import began.
    pub at: Timestamp,
}

/// What an import did to the rows, one by one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct ImportCounts {
    /// Rows that were not there.
    pub inserted: u64,
    /// Rows that were there already, the same in every field.
    pub unchanged: u64,
    /// Rows that were there and differed: the published correction replaced them.
    pub updated: u64,
}

/// One finished import.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ImportRecord {
    /// What was imported, and when.
    #[serde(flatten)]
    pub source: ImportSource,
    /// What came of it.
    #[serde(flatten)]
    pub counts: ImportCounts,
}

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

/// Where history is kept.
pub trait History: Send {
    /// Begins an import. Only one can run at a time; readers keep seeing what was there before.
    ///
    /// # Errors
    /// If the store cannot be written.
    fn begin_import(&mut self, source: &ImportSource) -> Result<Box<dyn Import + '_>, StoreError>;

    /// What is stored, by symbol, market type and term.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn coverage(&self, filter: &Filter) -> Result<Vec<Coverage>, StoreError>;

    /// The latest known facts, by symbol and market type.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn instruments(&self, filter: &Filter) -> Result<Vec<InstrumentFacts>, StoreError>;

    /// The cash or fractional market sessions of a ticker in a range of dates, both ends included,
    /// in order; none for an unknown ticker.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn daily(&self, symbol: Symbol, from: Date, to: Date) -> Result<Vec<DailyBarRow>, StoreError>;

    /// Every field of every record of a ticker in a range of dates, both ends included: market by
    /// market, term by term, then in order of dates.
    ///
    /// # Errors
    /// If the store cannot be read, or what `visit` returned: its first error ends the reading.
    fn records(
        &self,
        symbol: Symbol,
        from: Date,
        to: Date,
        visit: &mut dyn FnMut(DailyRecord) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// The closes of an index in a range of dates, both ends included, in order.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn index_closes(&self, index: &str, from: Date, to: Date) -> Result<Vec<IndexClose>, StoreError>;

    /// The dates in a range, both ends included, that have at least one daily record, in order.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn sessions(&self, from: Date, to: Date) -> Result<Vec<Date>, StoreError>;

    /// The finished imports, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn imports(&self) -> Result<Vec<ImportRecord>, StoreError>;
}

/// A running import. Dropped without a commit it leaves no trace.
pub trait Import {
    /// Takes one record.
    ///
    /// # Errors
    /// [`StoreError::DuplicateKey`] and [`StoreError::NotStorable`] leave the import as it was: the
    /// caller decides whether one bad line spoils the file. After any other error it cannot commit.
    fn daily(&mut self, record: &DailyRecord) -> Result<(), StoreError>;

    /// Takes one close of an index.
    ///
    /// # Errors
    /// As [`Import::daily`].
    fn index_close(&mut self, index: &str, close: &IndexClose) -> Result<(), StoreError>;

    /// Makes everything taken visible and durable.
    ///
    /// # Errors
    /// If it is not certain to be durable; importing the file again is safe.
    fn commit(self: Box<Self>) -> Result<ImportCounts, StoreError>;
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

impl ImportCounts {
    /// All rows that were taken.
    pub const fn rows(&self) -> u64 {
        self.inserted + self.unchanged + self.updated
    }
}
