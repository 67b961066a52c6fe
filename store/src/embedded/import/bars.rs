//! Bars of a running import.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, Statement, params};

use market::Timestamp;
use market::history::{HistoryBar, Interval};

use super::super::database::Fault;
use super::{Change, Upsert};
use crate::history::BarSeries;
use crate::history::exact;

/// What this import knows of a series.
struct Series {
    id: i64,
    first: Timestamp,
    last: Timestamp,
    /// Bars that were not there.
    inserted: i64,
}

pub(super) struct BarImport<'a> {
    connection: &'a Connection,
    daily: Upsert<'a>,
    intraday: Upsert<'a>,
    series: HashMap<BarSeries, Series>,
}

/// The table that holds bars of this length.
pub(in super::super) const fn table(interval: Interval) -> &'static str {
    match interval {
        Interval::Day => "bar_daily",
        Interval::Minutes(_) => "bar_intraday",
    }
}

const COLUMNS: &str = "import, open, high, low, close, volume, trades, turnover, adjusted_close";
const PARAMETERS: &str = "?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11";

fn upsert<'a>(connection: &'a Connection, table: &str) -> Result<Upsert<'a>, Fault> {
    // Whoever wrote a row last is no difference between two rows.
    let (values, new) = (&COLUMNS["import, ".len()..], &PARAMETERS["?3, ".len()..]);
    Ok(Upsert {
        insert: connection.prepare(&format!(
            "INSERT INTO {table} (series, begin, {COLUMNS}) VALUES (?1, ?2, {PARAMETERS})
             ON CONFLICT (series, begin) DO NOTHING"
        ))?,
        update: connection.prepare(&format!(
            "UPDATE {table} SET ({COLUMNS}) = ({PARAMETERS})
             WHERE series = ?1 AND begin = ?2 AND ({values}) IS NOT ({new})"
        ))?,
    })
}

impl<'a> BarImport<'a> {
    pub(super) fn begin(connection: &'a Connection) -> Result<Self, Fault> {
        Ok(Self {
            connection,
            daily: upsert(connection, "bar_daily")?,
            intraday: upsert(connection, "bar_intraday")?,
            series: HashMap::new(),
        })
    }

    pub(super) fn take(&mut self, bar: &HistoryBar, turnover: Option<i64>, import: i64) -> Result<Change, Fault> {
        let key = exact::series_of(bar);
        let series = match self.series.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let id = series_id(self.connection, key, bar.begin)?;
                free.insert(Series { id, first: bar.begin, last: bar.begin, inserted: 0 })
            }
        };
        let rows = if bar.interval == Interval::Day { &mut self.daily } else { &mut self.intraday };
        let id = series.id;
        let change = rows.put(|statement| bind(statement, (id, import), bar, turnover))?;
        if change == Change::Inserted {
            series.inserted += 1;
            (series.first, series.last) = (series.first.min(bar.begin), series.last.max(bar.begin));
        }
        Ok(change)
    }

    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        let mut widen = self.connection.prepare(
            "UPDATE bar_series SET first_begin = min(first_begin, ?2), last_begin = max(last_begin, ?3),
                 bars = bars + ?4
             WHERE id = ?1",
        )?;
        for series in self.series.values().filter(|series| series.inserted > 0) {
            let (first, last) = (series.first.as_nanos(), series.last.as_nanos());
            widen.execute(params![series.id, first, last, series.inserted])?;
        }
        Ok(())
    }
}

/// The number of a series, given now if it has none. Its times are set here and widened at the end:
/// a new series always gets this bar.
fn series_id(connection: &Connection, key: BarSeries, begin: Timestamp) -> Result<i64, Fault> {
    let BarSeries { source, symbol, interval } = key;
    let find = "SELECT id FROM bar_series WHERE source = ?1 AND symbol = ?2 AND interval = ?3";
    let interval = interval.to_string();
    let known = connection
        .prepare_cached(find)?
        .query_row(params![source.as_str(), symbol.as_str(), interval], |found| found.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    Ok(connection
        .prepare_cached(
            "INSERT INTO bar_series (source, symbol, interval, first_begin, last_begin, bars)
             VALUES (?1, ?2, ?3, ?4, ?4, 0)",
        )?
        .insert(params![source.as_str(), symbol.as_str(), interval, begin.as_nanos()])?)
}

fn bind(
    statement: &mut Statement<'_>,
    (series, import): (i64, i64),
    bar: &HistoryBar,
    turnover: Option<i64>,
) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, series)?;
    statement.raw_bind_parameter(2, bar.begin.as_nanos())?;
    statement.raw_bind_parameter(3, import)?;
    for (place, price) in (4..).zip([bar.open, bar.high, bar.low, bar.close]) {
        statement.raw_bind_parameter(place, price.steps())?;
    }
    statement.raw_bind_parameter(8, bar.volume.units())?;
    statement.raw_bind_parameter(9, bar.trades)?;
    statement.raw_bind_parameter(10, turnover)?;
    statement.raw_bind_parameter(11, bar.adjusted_close.map(market::Price::steps))
}
