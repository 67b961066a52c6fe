//! Yahoo's history of an index, `Date,Close,High,Low,Open,Volume` in any order of columns.

use std::path::Path;

use market::IndexClose;
use market::history::{Interval, SourceName};

use super::Place;
use super::detect::first_line;
use super::failure::FileError;
use super::series::{Raw, Whose, hand_over, oldest_first};
use super::table::Table;
use crate::source::{Item, Take};

/// The source of what stands in such a file.
pub const SOURCE: SourceName = SourceName::of("yahoo");

const COLUMNS: [&str; 6] = ["Date", "Open", "High", "Low", "Close", "Volume"];

pub(super) fn is(bytes: &[u8]) -> bool {
    let line = first_line(bytes);
    let mut names: Vec<&str> = line.split(',').map(str::trim).collect();
    let mut wanted = COLUMNS;
    names.sort_unstable();
    wanted.sort_unstable();
    names == wanted
}

pub(super) fn parse(bytes: &[u8], place: &Place<'_>, take: &mut Take<'_>) -> Result<u64, FileError> {
    let (mut table, given) = Table::named(bytes, b',', place.path)?;
    let mut columns = [0; COLUMNS.len()];
    for (column, wanted) in columns.iter_mut().zip(COLUMNS) {
        *column = given.iter().position(|name| name == wanted).ok_or_else(|| {
            let reason = format!("the column '{wanted}' is missing; the first line must name {}", COLUMNS.join(", "));
            super::series::fault(place.path, 1, "columns", &given.join(","), reason)
        })?;
    }
    let [date, open, high, low, close, volume] = columns;
    let mut bars = Vec::new();
    while let Some(row) = table.next()? {
        let day = row.date(date, "Date", &["%Y-%m-%d"], "2017-12-28")?;
        let prices =
            [row.price(open, "Open")?, row.price(high, "High")?, row.price(low, "Low")?, row.price(close, "Close")?];
        bars.push(Raw::of_day(row.line, day, prices, row.quantity(volume, "Volume")?));
    }
    let whose = Whose { source: SOURCE, symbol: place.index(), interval: Interval::Day };
    closes(&mut bars, &whose, place.path, take)
}

/// Bars of an index, and the close of each as such.
pub(super) fn closes(bars: &mut [Raw], whose: &Whose, path: &Path, take: &mut Take<'_>) -> Result<u64, FileError> {
    oldest_first(bars, path)?;
    for raw in bars.iter() {
        let bar = hand_over(raw, whose, path, take)?;
        let close = IndexClose { date: raw.begin.date(), close: bar.close };
        take(Item::IndexClose(whose.symbol, close)).map_err(FileError::Stopped)?;
    }
    Ok(2 * bars.len() as u64)
}
