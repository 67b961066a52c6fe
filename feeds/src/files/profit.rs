//! Profit's export of bars: semicolons, Brazilian numbers, newest first, no line of names.
//!
//! There is no description of it but what it looks like, so this is what is **assumed**, and
//! everything else is refused:
//!
//! | bars of | fields |
//! |---|---|
//! | days | ticker; `28/12/2017`; open; high; low; close; turnover in BRL; units |
//! | minutes | ticker; `28/12/2017`; `17:05:00`; open; high; low; close; turnover in BRL; units |
//!
//! The time is the beginning of the bar on São Paulo's clock. Turnover and units stand in this order
//! because the terminal calls them Volume and Quantidade; a turnover that is not between low and
//! high times units, by a centavo a unit, says that they do not, and refuses the file.

use market::history::{Interval, SourceName};
use market::{Money, Price, Quantity};

use super::Place;
use super::brazilian::plain;
use super::detect::first_line;
use super::failure::FileError;
use super::series::{Raw, Whose, hand_over, interval_of, oldest_first};
use super::table::{Row, Table};
use crate::source::Take;

/// The source of what stands in such a file.
pub const SOURCE: SourceName = SourceName::of("profit");

/// Fields of a line without and with a time.
const OF_DAYS: usize = 8;
const WITH_TIME: usize = 9;

pub(super) fn is(bytes: &[u8]) -> bool {
    let line = first_line(bytes);
    let fields: Vec<&str> = line.split(';').collect();
    let is_date = |text: &&str| market::Date::parse_from_str(text.trim(), "%d/%m/%Y").is_ok();
    (OF_DAYS..=WITH_TIME).contains(&fields.len()) && fields.get(1).is_some_and(is_date)
}

pub(super) fn parse(bytes: &[u8], place: &Place<'_>, take: &mut Take<'_>) -> Result<u64, FileError> {
    let mut table = Table::unnamed(bytes, b';', place.path);
    let (mut bars, mut symbol, mut width) = (Vec::new(), place.hints.symbol, None);
    while let Some(row) = table.next()? {
        let belong = *width.get_or_insert(row.width());
        if row.width() != belong || !(OF_DAYS..=WITH_TIME).contains(&belong) {
            let reason = format!("has {} fields; {OF_DAYS} belong to days and {WITH_TIME} to minutes", row.width());
            return Err(row.fault(0, "line", reason));
        }
        let of_line = row.symbol(0, "ticker")?;
        if *symbol.get_or_insert(of_line) != of_line {
            return Err(row.fault(0, "ticker", "is another than before; give one file for each ticker"));
        }
        bars.push(one(&row, belong == WITH_TIME)?);
    }
    let Some(symbol) = symbol else { return Ok(0) };
    oldest_first(&mut bars, place.path)?;
    let interval = match width {
        Some(WITH_TIME) => interval_of(&bars, &place.hints, place.path)?,
        _ => Interval::Day,
    };
    let whose = Whose { source: SOURCE, symbol, interval };
    for bar in &bars {
        hand_over(bar, &whose, place.path, take)?;
    }
    Ok(bars.len() as u64)
}

fn one(row: &Row<'_>, with_time: bool) -> Result<Raw, FileError> {
    let date = row.date(1, "date", &["%d/%m/%Y"], "28/12/2017")?;
    let first = if with_time { 3 } else { 2 };
    let number = |offset: usize, field: &str| {
        let column = first + offset;
        let text = row.text(column, field)?;
        plain(text).ok_or_else(|| row.fault(column, field, "expected a number such as 1.234,56"))
    };
    let price = |offset, field: &str| {
        let price = number(offset, field)?.parse::<Price>();
        price.map_err(|error| row.fault(first + offset, field, error.to_string()))
    };
    let prices = [price(0, "open")?, price(1, "high")?, price(2, "low")?, price(3, "close")?];
    let turnover: Money = number(4, "turnover")?
        .parse()
        .map_err(|error: market::DecimalError| row.fault(first + 4, "turnover", error.to_string()))?;
    let volume: Quantity = number(5, "units")?
        .parse()
        .map_err(|error: market::DecimalError| row.fault(first + 5, "units", error.to_string()))?;
    let mut bar = Raw::of_day(row.line, date, prices, volume);
    bar.turnover = Some(turnover);
    if with_time {
        bar.begin = date.and_time(row.time(2, "time")?);
    }
    if !agrees(&bar, turnover) {
        let reason = "is not between low and high times units; the order of turnover and units is another here";
        return Err(row.fault(first + 4, "turnover", reason));
    }
    Ok(bar)
}

/// Whether the turnover can be that of so many units between low and high. Terminals round prices
/// to centavos, hence a centavo of room each way.
fn agrees(bar: &Raw, turnover: Money) -> bool {
    let [_, high, low, _] = bar.prices;
    let centavo = i128::from(market::decimal::SCALE / 100) * i128::from(bar.volume.units());
    let (least, most) = (low.times(bar.volume).steps() - centavo, high.times(bar.volume).steps() + centavo);
    (least..=most).contains(&turnover.steps())
}
