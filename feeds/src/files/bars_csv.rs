//! Our own table of bars, what [`super::export`] writes: any source, symbol and interval in one file.

use std::collections::BTreeMap;
use std::path::Path;

use market::history::{HistoryBar, Interval, SourceName};
use market::{Symbol, Timestamp};

use super::Place;
use super::detect::first_line;
use super::failure::FileError;
use super::table::{Row, Table};
use crate::source::{Item, Take};

/// The columns, in this order. `begin` is RFC 3339; what a source did not say is left empty.
pub const COLUMNS: [&str; 12] = [
    "source",
    "symbol",
    "interval",
    "begin",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "trades",
    "turnover",
    "adjusted_close",
];

pub(super) fn is(bytes: &[u8]) -> bool {
    first_line(bytes) == COLUMNS.join(",")
}

pub(super) fn parse(bytes: &[u8], place: &Place<'_>, take: &mut Take<'_>) -> Result<u64, FileError> {
    let (mut table, given) = Table::named(bytes, b',', place.path)?;
    if given != COLUMNS {
        let reason = format!("the first line must be {}", COLUMNS.join(","));
        return Err(super::series::fault(place.path, 1, "columns", &given.join(","), reason));
    }
    let (mut order, mut items) = (Order::default(), 0);
    while let Some(row) = table.next()? {
        let bar = one(&row)?;
        order.check(&bar, row.line, place.path)?;
        take(Item::Bar(bar)).map_err(FileError::Stopped)?;
        items += 1;
    }
    Ok(items)
}

fn one(row: &Row<'_>) -> Result<HistoryBar, FileError> {
    let optional = |column: usize| row.text(column, COLUMNS[column]).map(|text| (!text.is_empty()).then_some(text));
    let wrong = |column: usize, reason: String| row.fault(column, COLUMNS[column], reason);
    let turnover = match optional(10)? {
        Some(text) => Some(text.parse().map_err(|error: market::DecimalError| wrong(10, error.to_string()))?),
        None => None,
    };
    let trades = match optional(9)? {
        Some(text) => Some(text.parse().map_err(|_| wrong(9, "expected a number of trades".to_owned()))?),
        None => None,
    };
    Ok(HistoryBar {
        source: row.text(0, "source")?.parse::<SourceName>().map_err(|error| wrong(0, error.to_string()))?,
        symbol: row.symbol(1, "symbol")?,
        interval: row.text(2, "interval")?.parse::<Interval>().map_err(|error| wrong(2, error.to_string()))?,
        begin: row.text(3, "begin")?.parse::<Timestamp>().map_err(|error| wrong(3, error.to_string()))?,
        open: row.price(4, "open")?,
        high: row.price(5, "high")?,
        low: row.price(6, "low")?,
        close: row.price(7, "close")?,
        volume: row.quantity(8, "volume")?,
        trades,
        turnover,
        adjusted_close: match optional(11)? {
            Some(_) => Some(row.price(11, "adjusted_close")?),
            None => None,
        },
    })
}

/// Bars of one series ascend, however the series are mixed.
#[derive(Default)]
pub(super) struct Order(BTreeMap<(SourceName, Symbol, Interval), Timestamp>);

impl Order {
    pub(super) fn check(&mut self, bar: &HistoryBar, line: u64, path: &Path) -> Result<(), FileError> {
        match self.0.insert((bar.source, bar.symbol, bar.interval), bar.begin) {
            Some(before) if before >= bar.begin => {
                let reason = format!("does not lie after {before}, the bar of {} before it; sort the file", bar.symbol);
                Err(super::series::fault(path, line, "begin", &bar.begin.to_string(), reason))
            }
            _ => Ok(()),
        }
    }
}
