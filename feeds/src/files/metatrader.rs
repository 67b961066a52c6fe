//! MetaTrader 5's export of bars: tab separated, `2020.05.04`, `10:14:00`, by the clock of the
//! broker's server, which for B3 is São Paulo's.
//!
//! The volume is `<VOL>`, units. `<TICKVOL>` counts changes of the price and not trades, and
//! `<SPREAD>` is in points of the symbol: neither is taken. Without a column of times the bars are
//! of days.

use market::history::{Interval, SourceName};

use super::Place;
use super::detect::first_line;
use super::failure::FileError;
use super::series::{Raw, Whose, hand_over, interval_of, oldest_first};
use super::table::Table;
use crate::source::Take;

/// The source of what stands in such a file.
pub const SOURCE: SourceName = SourceName::of("mt5");

const COLUMNS: [&str; 6] = ["<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"];

pub(super) fn is(bytes: &[u8]) -> bool {
    first_line(bytes).starts_with("<DATE>\t")
}

pub(super) fn parse(bytes: &[u8], place: &Place<'_>, take: &mut Take<'_>) -> Result<u64, FileError> {
    let (mut table, given) = Table::named(bytes, b'\t', place.path)?;
    let find = |wanted: &str| given.iter().position(|name| name == wanted);
    let mut columns = [0; COLUMNS.len()];
    for (column, wanted) in columns.iter_mut().zip(COLUMNS) {
        *column = find(wanted).ok_or_else(|| {
            let reason = format!("the column '{wanted}' is missing; the first line must name {}", COLUMNS.join(" "));
            super::series::fault(place.path, 1, "columns", &given.join(" "), reason)
        })?;
    }
    let time = find("<TIME>");
    let [date, open, high, low, close, volume] = columns;
    let mut bars = Vec::new();
    while let Some(row) = table.next()? {
        let day = row.date(date, "<DATE>", &["%Y.%m.%d"], "2020.05.04")?;
        let prices = [
            row.price(open, "<OPEN>")?,
            row.price(high, "<HIGH>")?,
            row.price(low, "<LOW>")?,
            row.price(close, "<CLOSE>")?,
        ];
        let mut bar = Raw::of_day(row.line, day, prices, row.quantity(volume, "<VOL>")?);
        if let Some(time) = time {
            bar.begin = day.and_time(row.time(time, "<TIME>")?);
        }
        bars.push(bar);
    }
    oldest_first(&mut bars, place.path)?;
    let interval = match time {
        Some(_) if !bars.is_empty() => interval_of(&bars, &place.hints, place.path)?,
        _ => Interval::Day,
    };
    let whose = Whose { source: SOURCE, symbol: place.symbol()?, interval };
    for bar in &bars {
        hand_over(bar, &whose, place.path, take)?;
    }
    Ok(bars.len() as u64)
}
