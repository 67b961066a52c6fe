//! The history in `history.db`: reading, beginning an import, and keeping marks.

mod bars;
mod events;
mod marks;

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, Row, Statement, params};

use market::history::{
    CASH_MARKET, CorporateAction, FRACTIONAL_MARKET, HistoryBar, IndexMember, Interval, QualityMark, SourceName,
};
use market::{DailyRecord, Date, IndexClose, Money, Price, Quantity, Symbol, Timestamp};

use super::database::{Database, Fault};
use super::import::EmbeddedImport;
use super::row;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::history::{
    ActionFilter, BarCoverage, BarFilter, BarSeries, Coverage, DailyBarRow, Filter, History, Identity, Import,
    ImportCounts, ImportRecord, ImportSource, InstrumentFacts, IsinSpan, MarkFilter, Marked, QualityRun, quality,
};

/// History in a data directory.
#[derive(Debug)]
pub struct EmbeddedHistory {
    database: Database,
}

impl EmbeddedHistory {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    fn reading<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        read(&self.database.connection).map_err(|fault| fault.at(&self.database.path, "read the history"))
    }
}

impl History for EmbeddedHistory {
    fn begin_import(&mut self, source: &ImportSource) -> Result<Box<dyn Import + '_>, StoreError> {
        let Database { connection, path, .. } = &self.database;
        let path: &Path = path;
        match EmbeddedImport::begin(connection, path, source) {
            Ok(import) => Ok(Box::new(import)),
            Err(fault) => Err(fault.at(path, "begin an import")),
        }
    }

    fn coverage(&self, filter: &Filter) -> Result<Vec<Coverage>, StoreError> {
        self.reading(|connection| {
            let mut found = Vec::new();
            each_listing(connection, filter, |listing, latest| {
                found.push(Coverage {
                    symbol: listing.symbol,
                    market_type: listing.market_type,
                    term_days: listing.term_days,
                    kind: latest.kind,
                    first: listing.first,
                    last: listing.last,
                    sessions: listing.sessions,
                });
            })?;
            Ok(found)
        })
    }

    fn instruments(&self, filter: &Filter) -> Result<Vec<InstrumentFacts>, StoreError> {
        self.reading(|connection| {
            let mut found: BTreeMap<(Symbol, u16), InstrumentFacts> = BTreeMap::new();
            each_listing(connection, filter, |listing, latest| {
                let known = found.entry((listing.symbol, listing.market_type)).or_insert(latest);
                if known.as_of < latest.as_of {
                    *known = latest;
                }
            })?;
            Ok(found.into_values().collect())
        })
    }

    fn daily(&self, symbol: Symbol, from: Date, to: Date) -> Result<Vec<DailyBarRow>, StoreError> {
        self.reading(|connection| daily(connection, symbol, from, to))
    }

    fn records(
        &self,
        symbol: Symbol,
        from: Date,
        to: Date,
        visit: &mut dyn FnMut(DailyRecord) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.reading(|connection| {
            let mut select = connection.prepare_cached(&row::select_sql())?;
            for listing in listings_of(connection, symbol)? {
                let mut rows = select.query(params![listing.id, row::day_bound(from), row::day_bound(to)])?;
                while let Some(found) = rows.next()? {
                    visit(row::record(symbol, listing.market_type, listing.term_days, found)?)?;
                }
            }
            Ok(())
        })
    }

    fn index_closes(&self, index: &str, from: Date, to: Date) -> Result<Vec<IndexClose>, StoreError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT day, close FROM index_close WHERE name = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day",
            )?;
            let closes = statement.query_map(params![index, row::day_bound(from), row::day_bound(to)], |found| {
                Ok(IndexClose { date: row::date(found.get(0)?)?, close: Price::from_steps(found.get(1)?) })
            })?;
            Ok(closes.collect::<Result<_, _>>()?)
        })
    }

    fn sessions(&self, from: Date, to: Date) -> Result<Vec<Date>, StoreError> {
        self.reading(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT day FROM session WHERE day BETWEEN ?1 AND ?2 ORDER BY day")?;
            let days =
                statement.query_map([row::day_bound(from), row::day_bound(to)], |found| row::date(found.get(0)?))?;
            Ok(days.collect::<Result<_, _>>()?)
        })
    }

    fn imports(&self) -> Result<Vec<ImportRecord>, StoreError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, kind, source, size, sha256, at, inserted, unchanged, updated, outranked FROM import
                 ORDER BY id",
            )?;
            let imports = statement.query_map([], import_record)?;
            Ok(imports.collect::<Result<_, _>>()?)
        })
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
        let series = BarSeries { source, symbol, interval };
        self.reading(|connection| bars::each(connection, series, from, to, visit))
    }

    fn bar_coverage(&self, filter: &BarFilter) -> Result<Vec<BarCoverage>, StoreError> {
        self.reading(|connection| bars::coverage(connection, filter))
    }

    fn isin_history(&self, of: Identity) -> Result<Vec<IsinSpan>, StoreError> {
        self.reading(|connection| events::isin_history(connection, of))
    }

    fn corporate_actions(&self, filter: &ActionFilter) -> Result<Vec<CorporateAction>, StoreError> {
        self.reading(|connection| events::actions(connection, filter))
    }

    fn index_members(&self, index: Symbol, on: Date) -> Result<Vec<IndexMember>, StoreError> {
        self.reading(|connection| events::members(connection, index, on))
    }

    fn index_names(&self) -> Result<Vec<String>, StoreError> {
        self.reading(events::index_names)
    }

    fn mark(&mut self, run: &QualityRun, marks: &[QualityMark]) -> Result<Marked, StoreError> {
        quality::check(run, marks)?;
        let Database { connection, path, .. } = &mut self.database;
        marks::replace(connection, run, marks).map_err(|fault| fault.at(path, "keep marks of quality"))
    }

    fn marks(&self, filter: &MarkFilter) -> Result<Vec<QualityMark>, StoreError> {
        self.reading(|connection| marks::read(connection, filter))
    }
}

/// A row of `listing`.
struct Listing {
    id: i64,
    symbol: Symbol,
    market_type: u16,
    term_days: u16,
    first: Date,
    last: Date,
    sessions: u64,
}

const LISTINGS: &str = "SELECT id, symbol, market_type, term_days, first_day, last_day, sessions FROM listing";

fn listing(found: &Row<'_>) -> rusqlite::Result<Listing> {
    Ok(Listing {
        id: found.get(0)?,
        symbol: row::symbol(&found.get::<_, String>(1)?)?,
        market_type: found.get(2)?,
        term_days: found.get(3)?,
        first: row::date(found.get(4)?)?,
        last: row::date(found.get(5)?)?,
        sessions: u64::try_from(found.get::<_, i64>(6)?).unwrap_or_default(),
    })
}

fn listings_of(connection: &Connection, symbol: Symbol) -> Result<Vec<Listing>, Fault> {
    let mut statement =
        connection.prepare_cached(&format!("{LISTINGS} WHERE symbol = ?1 ORDER BY market_type, term_days"))?;
    let listings = statement.query_map([symbol.as_str()], listing)?;
    Ok(listings.collect::<Result<_, _>>()?)
}

/// Hands over each listing that the filter means, by symbol, market type and term, with what its
/// latest record tells. Kinds are filtered last, because only that record knows them.
fn each_listing(
    connection: &Connection,
    filter: &Filter,
    mut visit: impl FnMut(Listing, InstrumentFacts),
) -> Result<(), Fault> {
    let mut latest = connection.prepare_cached(
        "SELECT kind, isin, company, specification, quotation_factor FROM daily_record WHERE listing = ?1 AND day = ?2",
    )?;
    for listing in listings_meant(connection, filter)? {
        let facts = facts(&mut latest, &listing)?;
        if filter.admits_kind(facts.kind) {
            visit(listing, facts);
        }
    }
    Ok(())
}

/// Goes by an index wherever the filter allows: ten years have two million options.
fn listings_meant(connection: &Connection, filter: &Filter) -> Result<Vec<Listing>, Fault> {
    let mut found = Vec::new();
    if !filter.symbols.is_empty() {
        for symbol in &filter.symbols {
            found.extend(listings_of(connection, *symbol)?);
        }
        found.retain(|listing| filter.admits_market_type(listing.market_type));
    } else if !filter.market_types.is_empty() {
        let mut statement = connection.prepare_cached(&format!("{LISTINGS} WHERE market_type = ?1"))?;
        for market_type in &filter.market_types {
            found.extend(statement.query_map([market_type], listing)?.collect::<Result<Vec<_>, _>>()?);
        }
    } else {
        found = connection.prepare_cached(LISTINGS)?.query_map([], listing)?.collect::<Result<_, _>>()?;
    }
    found.sort_unstable_by_key(|listing| (listing.symbol, listing.market_type, listing.term_days));
    // A filter may name a symbol or a market type twice.
    found.dedup_by_key(|listing| listing.id);
    Ok(found)
}

fn facts(latest: &mut Statement<'_>, of: &Listing) -> Result<InstrumentFacts, Fault> {
    let facts = latest.query_row(params![of.id, row::day_bound(of.last)], |found| {
        Ok(InstrumentFacts {
            symbol: of.symbol,
            market_type: of.market_type,
            kind: row::kind(&found.get::<_, String>(0)?)?,
            isin: row::isin(found.get(1)?)?,
            company: row::fixed_text(&found.get::<_, String>(2)?)?,
            specification: row::fixed_text(&found.get::<_, String>(3)?)?,
            quotation_factor: found.get(4)?,
            as_of: of.last,
        })
    })?;
    Ok(facts)
}

fn daily(connection: &Connection, symbol: Symbol, from: Date, to: Date) -> Result<Vec<DailyBarRow>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT day, open, high, low, average, close, best_bid, best_ask, trades, quantity, turnover_centavos,
                quotation_factor, distribution
         FROM daily_record WHERE listing = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day",
    )?;
    let mut bars = Vec::new();
    for listing in listings_of(connection, symbol)? {
        if ![CASH_MARKET, FRACTIONAL_MARKET].contains(&listing.market_type) {
            continue;
        }
        let mut rows = statement.query(params![listing.id, row::day_bound(from), row::day_bound(to)])?;
        while let Some(found) = rows.next()? {
            bars.push(bar(found)?);
        }
    }
    // One ticker trades on one of the two, so this is in order already; it costs one pass.
    bars.sort_by_key(|bar| bar.date);
    Ok(bars)
}

fn bar(found: &Row<'_>) -> rusqlite::Result<DailyBarRow> {
    let price = |column: usize| found.get(column).map(Price::from_steps);
    Ok(DailyBarRow {
        date: row::date(found.get(0)?)?,
        open: price(1)?,
        high: price(2)?,
        low: price(3)?,
        average: price(4)?,
        close: price(5)?,
        best_bid: price(6)?,
        best_ask: price(7)?,
        trades: found.get(8)?,
        volume: Quantity::new(found.get(9)?),
        turnover: Money::from_cents(found.get(10)?),
        quotation_factor: found.get(11)?,
        distribution: found.get(12)?,
    })
}

fn import_record(found: &Row<'_>) -> rusqlite::Result<ImportRecord> {
    let number = |column: usize| found.get::<_, i64>(column).map(|value| u64::try_from(value).unwrap_or_default());
    Ok(ImportRecord {
        source: ImportSource {
            name: found.get(0)?,
            kind: found.get(1)?,
            source: row::source(&found.get::<_, String>(2)?)?,
            size: number(3)?,
            sha256: found.get::<_, Option<[u8; 32]>>(4)?.map(Digest::new),
            at: Timestamp::from_nanos(found.get(5)?),
        },
        counts: ImportCounts {
            inserted: number(6)?,
            unchanged: number(7)?,
            updated: number(8)?,
            outranked: number(9)?,
        },
    })
}
