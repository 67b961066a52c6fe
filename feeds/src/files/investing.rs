//! Investing.com's history of an index in Portuguese: quoted fields, newest first, dots between
//! thousands, `DD.MM.YYYY`, volumes such as `10,98M`. A volume of `-` or nothing is zero: not told.

use market::history::{Interval, SourceName};
use market::{Price, Quantity};

use super::Place;
use super::brazilian::{magnitude, plain};
use super::detect::first_line;
use super::failure::FileError;
use super::series::{Raw, Whose};
use super::table::{Row, Table};
use super::yahoo_index::closes;
use crate::source::Take;

/// The source of what stands in such a file.
pub const SOURCE: SourceName = SourceName::of("investing");

/// The percentage of change follows from the closes and is not read.
const COLUMNS: [&str; 6] = ["Data", "Abertura", "Máxima", "Mínima", "Último", "Vol."];

pub(super) fn is(bytes: &[u8]) -> bool {
    let line = first_line(bytes);
    COLUMNS.iter().all(|name| line.contains(&format!("\"{name}\"")))
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
    let mut bars = Vec::new();
    while let Some(row) = table.next()? {
        let [date, open, high, low, close, volume] = columns;
        let day = row.date(date, "Data", &["%d.%m.%Y", "%d/%m/%Y"], "28.12.2017")?;
        let prices = [
            points(&row, open, "Abertura")?,
            points(&row, high, "Máxima")?,
            points(&row, low, "Mínima")?,
            points(&row, close, "Último")?,
        ];
        let volume = match row.text(volume, "Vol.")? {
            "" | "-" => Quantity::ZERO,
            text => magnitude(text)
                .map(Quantity::new)
                .ok_or_else(|| row.fault(volume, "Vol.", "expected a volume such as 10,98M"))?,
        };
        bars.push(Raw::of_day(row.line, day, prices, volume));
    }
    let whose = Whose { source: SOURCE, symbol: place.index(), interval: Interval::Day };
    closes(&mut bars, &whose, place.path, take)
}

fn points(row: &Row<'_>, column: usize, field: &str) -> Result<Price, FileError> {
    let text = row.text(column, field)?;
    let price = plain(text).and_then(|plain| plain.parse().ok());
    price.ok_or_else(|| row.fault(column, field, "expected a number such as 76.402 or 76.402,08"))
}
