//! History: what the exchange and other sources published, and from which file each row came.
//!
//! Rows go in through an [`Import`], one transaction per file: all of it or nothing. What is kept,
//! and by which key:
//!
//! | rows | key | what else |
//! |---|---|---|
//! | daily records | date, symbol, market type, term in days | the exchange's own history, every field |
//! | bars | source, symbol, interval, begin | of any source, side by side; an index under its name |
//! | index closes | index, date | one reference series: a worse source never replaces a better one |
//! | index members | index, date, source, symbol | read from the best source of the latest day |
//! | corporate actions | all but approval, payment date and label | as each source tells them |
//! | quality marks | source, symbol, interval, at, rule | kept by verifications, not by imports |
//!
//! - [`listing`]: listings, their coverage and facts, and the ISINs that they had
//! - [`series`]: series of bars and their coverage
//! - [`action`], [`quality`]: which corporate actions and marks are asked for
//! - `rank`: which source is believed
//! - `exact`, `seen`: what an import refuses before it writes

pub mod action;
pub(crate) mod exact;
pub mod listing;
pub mod quality;
pub(crate) mod rank;
pub(crate) mod seen;
pub mod series;

use std::collections::BTreeSet;

use chrono::NaiveTime;
use market::history::{CorporateAction, HistoryBar, IndexMember, Interval, QualityMark, SourceName};
use market::{DailyRecord, Date, IndexClose, Symbol, Timestamp};
use serde::Serialize;

pub use action::ActionFilter;
pub use listing::{Coverage, DailyBarRow, Filter, Identity, InstrumentFacts, IsinSpan};
pub use quality::{MarkFilter, Marked, QualityRun};
pub use series::{BarCoverage, BarFilter, BarSeries};

use crate::digest::Digest;
use crate::error::StoreError;

/// The source of daily records, in marks and in the log of imports.
pub const COTAHIST: SourceName = SourceName::of("b3_cotahist");

/// The source of index files in our own format (`date,close`).
pub const INDEX_CSV: SourceName = SourceName::of("index_csv");

/// A file to be imported, as the import log remembers it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ImportSource {
    /// File name, for people.
    pub name: String,
    /// What kind of file: `cotahist`, `index` …
    pub kind: String,
    /// Whose figures are in it. Decides whether an index close replaces the one that is there.
    pub source: SourceName,
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
    /// Rows that were not taken, because a better source's stand there.
    pub outranked: u64,
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

    /// Every bar of a series that began in a range of times, both ends included, in order; none for
    /// an unknown series.
    ///
    /// # Errors
    /// If the store cannot be read, or what `visit` returned: its first error ends the reading.
    fn each_bar(
        &self,
        source: SourceName,
        symbol: Symbol,
        interval: Interval,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(HistoryBar) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// What is stored of bars, by source, symbol and interval.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn bar_coverage(&self, filter: &BarFilter) -> Result<Vec<BarCoverage>, StoreError>;

    /// From when to when tickers of the cash and fractional market had their ISINs, by first
    /// session.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn isin_history(&self, of: Identity) -> Result<Vec<IsinSpan>, StoreError>;

    /// Corporate actions, by the last day with the right.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn corporate_actions(&self, filter: &ActionFilter) -> Result<Vec<CorporateAction>, StoreError>;

    /// The members of an index as of a day: the latest portfolio that is not of a later day, from
    /// the best source that has it, by symbol.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn index_members(&self, index: Symbol, on: Date) -> Result<Vec<IndexMember>, StoreError>;

    /// The indices that have a close or members, in order.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn index_names(&self) -> Result<Vec<String>, StoreError>;

    /// Replaces the marks of what a run verified by what it found. Marks of other series stay, and
    /// no value is ever deleted for a mark.
    ///
    /// # Errors
    /// A mark twice or of a series that the run did not verify, or a store that cannot be written:
    /// then all marks are as before.
    fn mark(&mut self, run: &QualityRun, marks: &[QualityMark]) -> Result<Marked, StoreError>;

    /// Marks, by source, symbol, interval, time and rule.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn marks(&self, filter: &MarkFilter) -> Result<Vec<QualityMark>, StoreError>;

    /// The bars of [`History::each_bar`] as a list: fit for what a screen or a few years of days need.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn bars(
        &self,
        source: SourceName,
        symbol: Symbol,
        interval: Interval,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<HistoryBar>, StoreError> {
        let mut found = Vec::new();
        self.each_bar(source, symbol, interval, from, to, &mut |bar| {
            found.push(bar);
            Ok(())
        })?;
        Ok(found)
    }

    /// [`History::bars`] without those that a mark quarantines.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn clean_bars(
        &self,
        source: SourceName,
        symbol: Symbol,
        interval: Interval,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<HistoryBar>, StoreError> {
        let mut bars = self.bars(source, symbol, interval, from, to)?;
        let out = self.quarantined(BarSeries { source, symbol, interval })?;
        bars.retain(|bar| !out.contains(&bar.begin));
        Ok(bars)
    }

    /// [`History::daily`] without the sessions that a mark on [`COTAHIST`] quarantines.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn clean_daily(&self, symbol: Symbol, from: Date, to: Date) -> Result<Vec<DailyBarRow>, StoreError> {
        let mut bars = self.daily(symbol, from, to)?;
        let out = self.quarantined(BarSeries { source: COTAHIST, symbol, interval: Interval::Day })?;
        bars.retain(|bar| midnight(bar.date).is_none_or(|begin| !out.contains(&begin)));
        Ok(bars)
    }

    /// When the bars of a series begin that a mark quarantines.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn quarantined(&self, series: BarSeries) -> Result<BTreeSet<Timestamp>, StoreError> {
        Ok(self.marks(&MarkFilter::quarantined(series))?.into_iter().map(|mark| mark.at).collect())
    }
}

/// A running import. Dropped without a commit it leaves no trace.
pub trait Import {
    /// Takes one record.
    ///
    /// # Errors
    /// [`StoreError::DuplicateKey`] and [`StoreError::NotStorable`] leave the import as it was: the
    /// caller decides whether one bad line spoils the file. After any other error it cannot commit.
    fn daily(&mut self, record: &DailyRecord) -> Result<(), StoreError>;

    /// Takes one bar, of whatever source it names.
    ///
    /// # Errors
    /// As [`Import::daily`].
    fn bar(&mut self, bar: &HistoryBar) -> Result<(), StoreError>;

    /// Takes one close of an index for its reference series, from the source of this import. Of
    /// several sources the best one's close stays, whichever came first: the exchange, our own index
    /// files, Yahoo, Investing, any other. Whoever needs the others' closes takes them as bars.
    ///
    /// # Errors
    /// As [`Import::daily`].
    fn index_close(&mut self, index: &str, close: &IndexClose) -> Result<(), StoreError>;

    /// Takes one member of an index, from the source of this import.
    ///
    /// # Errors
    /// As [`Import::daily`].
    fn index_member(&mut self, member: &IndexMember) -> Result<(), StoreError>;

    /// Takes one corporate action, of whatever source it names.
    ///
    /// # Errors
    /// As [`Import::daily`].
    fn corporate_action(&mut self, action: &CorporateAction) -> Result<(), StoreError>;

    /// Makes everything taken visible and durable.
    ///
    /// # Errors
    /// If it is not certain to be durable; importing the file again is safe.
    fn commit(self: Box<Self>) -> Result<ImportCounts, StoreError>;
}

impl ImportCounts {
    /// All rows that were given.
    pub const fn rows(&self) -> u64 {
        self.inserted + self.unchanged + self.updated + self.outranked
    }
}

/// When the session of a day begins in its series; `None` outside the years of a [`Timestamp`].
pub fn midnight(date: Date) -> Option<Timestamp> {
    Timestamp::from_local(date.and_time(NaiveTime::MIN))
}
