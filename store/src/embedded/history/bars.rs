//! Reading bars.

use rusqlite::{Connection, OptionalExtension, Row, params};

use market::history::HistoryBar;
use market::{Price, Quantity, Timestamp};

use super::super::database::Fault;
use super::super::{import, row};
use crate::error::StoreError;
use crate::history::{BarCoverage, BarFilter, BarSeries, exact};

pub(super) fn each(
    connection: &Connection,
    series: BarSeries,
    from: Timestamp,
    to: Timestamp,
    visit: &mut dyn FnMut(HistoryBar) -> Result<(), StoreError>,
) -> Result<(), Fault> {
    let BarSeries { source, symbol, interval } = series;
    let known: Option<i64> = connection
        .prepare_cached("SELECT id FROM bar_series WHERE source = ?1 AND symbol = ?2 AND interval = ?3")?
        .query_row(params![source.as_str(), symbol.as_str(), interval.to_string()], |found| found.get(0))
        .optional()?;
    let Some(id) = known else { return Ok(()) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT begin, open, high, low, close, volume, trades, turnover, adjusted_close FROM {}
         WHERE series = ?1 AND begin BETWEEN ?2 AND ?3 ORDER BY begin",
        import::bars_table(interval)
    ))?;
    let mut rows = statement.query(params![id, from.as_nanos(), to.as_nanos()])?;
    while let Some(found) = rows.next()? {
        visit(bar(series, found)?)?;
    }
    Ok(())
}

fn bar(series: BarSeries, found: &Row<'_>) -> rusqlite::Result<HistoryBar> {
    let price = |column: usize| found.get(column).map(Price::from_steps);
    Ok(HistoryBar {
        source: series.source,
        symbol: series.symbol,
        interval: series.interval,
        begin: Timestamp::from_nanos(found.get(0)?),
        open: price(1)?,
        high: price(2)?,
        low: price(3)?,
        close: price(4)?,
        volume: Quantity::new(found.get(5)?),
        trades: found.get(6)?,
        turnover: found.get::<_, Option<i64>>(7)?.map(exact::turnover),
        adjusted_close: found.get::<_, Option<i64>>(8)?.map(Price::from_steps),
    })
}

/// A few thousand series at most, so all are looked at.
pub(super) fn coverage(connection: &Connection, filter: &BarFilter) -> Result<Vec<BarCoverage>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT source, symbol, interval, first_begin, last_begin, bars FROM bar_series")?;
    let series = statement.query_map([], |found| {
        Ok(BarCoverage {
            source: row::source(&found.get::<_, String>(0)?)?,
            symbol: row::symbol(&found.get::<_, String>(1)?)?,
            interval: row::interval(&found.get::<_, String>(2)?)?,
            first: Timestamp::from_nanos(found.get(3)?),
            last: Timestamp::from_nanos(found.get(4)?),
            bars: u64::try_from(found.get::<_, i64>(5)?).unwrap_or_default(),
        })
    })?;
    let mut found = series.collect::<Result<Vec<_>, _>>()?;
    found.retain(|coverage| filter.admits(&coverage.series()));
    found.sort_unstable_by_key(BarCoverage::series);
    Ok(found)
}
