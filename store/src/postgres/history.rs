//! The history on a server.
//!
//! | file | what |
//! |---|---|
//! | `import.rs` | the caller's side of an import: refuses, gathers, waits |
//! | `running.rs` | the side with the connection: one transaction |
//! | `daily.rs`, `bars.rs`, `events.rs` | how rows of each kind get in |
//! | `partitions.rs`, `copy.rs` | parts of tables, rows for COPY |
//! | `read.rs`, `few.rs`, `fields.rs` | the way out: page by page, or at once; columns |
//! | `marks.rs` | marks of quality |
//! | `retention.rs` | what goes when it is too old, and what the rest takes |
//!
//! A reading of many rows is several statements, each within the limit of a call: an import that ends
//! meanwhile shows in the later ones, every row whole.

mod bars;
mod copy;
mod daily;
mod events;
mod few;
mod fields;
mod import;
mod marks;
mod partitions;
mod read;
mod retention;
mod running;

use std::collections::BTreeMap;
use std::sync::Arc;

use market::history::{CorporateAction, HistoryBar, IndexMember, Interval, QualityMark, SourceName};
use market::{DailyRecord, Date, IndexClose, Symbol, Timestamp};

use super::Shared;
use crate::error::StoreError;
use crate::history::{
    ActionFilter, BarCoverage, BarFilter, BarSeries, Coverage, DailyBarRow, Filter, History, Identity, Import,
    ImportRecord, ImportSource, InstrumentFacts, IsinSpan, MarkFilter, Marked, QualityRun, Removed, RetentionPolicy,
    TableSize, quality,
};
use import::PostgresImport;

/// What a failed reading was about.
const READ: &str = "read the history";

/// History on a server.
pub struct PostgresHistory {
    shared: Arc<Shared>,
}

impl PostgresHistory {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl History for PostgresHistory {
    fn begin_import(&mut self, source: &ImportSource) -> Result<Box<dyn Import + '_>, StoreError> {
        self.shared.writable()?;
        Ok(Box::new(PostgresImport::begin(&self.shared.server, source)?))
    }

    fn coverage(&self, filter: &Filter) -> Result<Vec<Coverage>, StoreError> {
        let mut found = Vec::new();
        read::each_listing(&self.shared.server, filter, |coverage, _| found.push(coverage))?;
        Ok(found)
    }

    fn instruments(&self, filter: &Filter) -> Result<Vec<InstrumentFacts>, StoreError> {
        let mut found: BTreeMap<(Symbol, u16), InstrumentFacts> = BTreeMap::new();
        read::each_listing(&self.shared.server, filter, |coverage, latest| {
            let known = found.entry((coverage.symbol, coverage.market_type)).or_insert(latest);
            if known.as_of < latest.as_of {
                *known = latest;
            }
        })?;
        Ok(found.into_values().collect())
    }

    fn daily(&self, symbol: Symbol, from: Date, to: Date) -> Result<Vec<DailyBarRow>, StoreError> {
        self.shared.server.call(READ, move |session| Box::pin(read::daily(session, symbol, from, to)))
    }

    fn records(
        &self,
        symbol: Symbol,
        from: Date,
        to: Date,
        visit: &mut dyn FnMut(DailyRecord) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        read::records(&self.shared.server, symbol, from, to, visit)
    }

    fn index_closes(&self, index: &str, from: Date, to: Date) -> Result<Vec<IndexClose>, StoreError> {
        let index = index.to_owned();
        self.shared.server.call(READ, move |session| Box::pin(read::index_closes(session, index, from, to)))
    }

    fn sessions(&self, from: Date, to: Date) -> Result<Vec<Date>, StoreError> {
        self.shared.server.call(READ, move |session| Box::pin(read::sessions(session, from, to)))
    }

    fn imports(&self) -> Result<Vec<ImportRecord>, StoreError> {
        self.shared.server.call(READ, |session| Box::pin(few::imports(session)))
    }

    fn each_bar(
        &self,
        source: SourceName,
        symbol: Symbol,
        interval: Interval,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(HistoryBar) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        read::each_bar(&self.shared.server, BarSeries { source, symbol, interval }, from, to, visit)
    }

    fn bar_coverage(&self, filter: &BarFilter) -> Result<Vec<BarCoverage>, StoreError> {
        let mut found = self.shared.server.call(READ, |session| Box::pin(few::bar_coverage(session)))?;
        found.retain(|coverage| filter.admits(&coverage.series()));
        found.sort_unstable_by_key(BarCoverage::series);
        Ok(found)
    }

    fn isin_history(&self, of: Identity) -> Result<Vec<IsinSpan>, StoreError> {
        self.shared.server.call(READ, move |session| Box::pin(few::isin_history(session, of)))
    }

    fn corporate_actions(&self, filter: &ActionFilter) -> Result<Vec<CorporateAction>, StoreError> {
        let filter = filter.clone();
        self.shared.server.call(READ, move |session| Box::pin(few::actions(session, filter)))
    }

    fn index_members(&self, index: Symbol, on: Date) -> Result<Vec<IndexMember>, StoreError> {
        self.shared.server.call(READ, move |session| Box::pin(few::members(session, index, on)))
    }

    fn index_names(&self) -> Result<Vec<String>, StoreError> {
        self.shared.server.call(READ, |session| Box::pin(few::index_names(session)))
    }

    fn mark(&mut self, run: &QualityRun, marks: &[QualityMark]) -> Result<Marked, StoreError> {
        self.shared.writable()?;
        quality::check(run, marks)?;
        let (run, marks) = (run.clone(), marks.to_vec());
        self.shared.server.apart("keep marks of quality", move |client| Box::pin(marks::replace(client, run, marks)))
    }

    fn marks(&self, filter: &MarkFilter) -> Result<Vec<QualityMark>, StoreError> {
        let filter = filter.clone();
        self.shared.server.call(READ, move |session| Box::pin(marks::read(session, filter)))
    }

    fn retain(&mut self, policy: &RetentionPolicy, today: Date, dry_run: bool) -> Result<Vec<Removed>, StoreError> {
        if !dry_run {
            self.shared.writable()?;
        }
        let first = crate::history::retention::first_kept(policy, today).into_iter().collect();
        let place = self.shared.server.place().to_owned();
        self.shared
            .server
            .apart("remove old history", move |client| Box::pin(retention::retain(client, place, first, dry_run)))
    }

    fn disk_usage(&self) -> Result<Vec<TableSize>, StoreError> {
        self.shared.server.call("measure the history", |session| Box::pin(retention::sizes(&session.client)))
    }

    fn prepare_partitions(&mut self, today: Date) -> Result<Vec<String>, StoreError> {
        self.shared.writable()?;
        let place = self.shared.server.place().to_owned();
        self.shared
            .server
            .apart("prepare parts of the history", move |client| Box::pin(retention::prepare(client, place, today)))
    }

    fn storage(&self) -> Result<String, StoreError> {
        self.shared.server.call(READ, |session| Box::pin(partitions::storage(&session.client)))
    }
}
