//! Alpha Vantage's daily series: bars, its own adjusted close, and the dividends and splits it knows.
//!
//! The columns are found by name, in the two layouts that are about (`open` and `1. open`), and the
//! order may be either. A dividend or split stands on its ex date, so the last session with the
//! right is the one before by B3's calendar, and the row before outside the calendar's span. Its
//! dividends do not say whether they are interest on equity: all of them leave here as dividends.

use std::path::Path;

use market::history::{CorporateAction, CorporateActionKind, Interval, SourceName};
use market::{Calendar, Date, Symbol};
use rust_decimal::Decimal;

use super::Place;
use super::detect::first_line;
use super::failure::FileError;
use super::series::{Raw, Whose, hand_over, oldest_first};
use super::table::{Row, Table};
use crate::source::{Item, Take};

/// The source of what stands in such a file.
pub const SOURCE: SourceName = SourceName::of("alpha_vantage");

/// The columns that must be there; a `ticker` may be.
const COLUMNS: [&str; 9] =
    ["date", "open", "high", "low", "close", "adjusted_close", "volume", "dividend_amount", "split_coefficient"];

pub(super) fn is(bytes: &[u8]) -> bool {
    let line = first_line(bytes).to_ascii_lowercase();
    line.contains("adjusted_close") || line.contains("5. adjusted close")
}

/// `5. adjusted close` and `adjusted_close` are one; the first column has no name, or `timestamp`.
fn name(given: &str) -> String {
    let bare = given.trim_start_matches(|character: char| character.is_ascii_digit()).trim_start_matches('.').trim();
    let name = bare.to_ascii_lowercase().replace(' ', "_");
    if name.is_empty() || name == "timestamp" { "date".to_owned() } else { name }
}

pub(super) fn parse(bytes: &[u8], place: &Place<'_>, take: &mut Take<'_>) -> Result<u64, FileError> {
    let (mut table, given) = Table::named(bytes, b',', place.path)?;
    let given: Vec<String> = given.iter().map(|given| name(given)).collect();
    let find = |wanted: &str| given.iter().position(|name| name == wanted);
    let mut columns = [0; COLUMNS.len()];
    for (column, wanted) in columns.iter_mut().zip(COLUMNS) {
        *column = find(wanted).ok_or_else(|| missing(place.path, wanted, &given))?;
    }
    let ticker = find("ticker");
    let (mut bars, mut events, mut symbol) = (Vec::new(), Vec::new(), place.hints.symbol);
    while let Some(row) = table.next()? {
        if let Some(ticker) = ticker {
            same_symbol(&row, ticker, &mut symbol)?;
        }
        let (bar, event) = one(&row, &columns)?;
        events.extend(event);
        bars.push(bar);
    }
    let symbol = match symbol {
        Some(symbol) => symbol,
        None => place.symbol()?,
    };
    oldest_first(&mut bars, place.path)?;
    events.sort_by_key(|event| event.ex_date);
    let whose = Whose { source: SOURCE, symbol, interval: Interval::Day };
    for bar in &bars {
        hand_over(bar, &whose, place.path, take)?;
    }
    let mut items = bars.len() as u64;
    for event in &events {
        for action in event.actions(symbol, &bars, place.path)? {
            take(Item::Action(action)).map_err(FileError::Stopped)?;
            items += 1;
        }
    }
    Ok(items)
}

fn missing(path: &Path, wanted: &str, given: &[String]) -> FileError {
    let reason = format!("the column '{wanted}' is missing; the first line must name {}", COLUMNS.join(", "));
    super::series::fault(path, 1, "columns", &given.join(","), reason)
}

fn same_symbol(row: &Row<'_>, column: usize, known: &mut Option<Symbol>) -> Result<(), FileError> {
    let symbol = row.symbol(column, "ticker")?;
    match known {
        Some(known) if *known != symbol => {
            Err(row.fault(column, "ticker", format!("this file is of {known}; give one file for each ticker")))
        }
        _ => {
            *known = Some(symbol);
            Ok(())
        }
    }
}

fn one(row: &Row<'_>, columns: &[usize; 9]) -> Result<(Raw, Option<Event>), FileError> {
    let [date, open, high, low, close, adjusted, volume, dividend, split] = *columns;
    let date = row.date(date, "date", &["%Y-%m-%d"], "2017-12-28")?;
    let prices =
        [row.price(open, "open")?, row.price(high, "high")?, row.price(low, "low")?, row.price(close, "close")?];
    let mut bar = Raw::of_day(row.line, date, prices, row.quantity(volume, "volume")?);
    bar.adjusted_close = Some(row.price(adjusted, "adjusted_close")?);
    let decimal = |column, field| {
        let text = row.text(column, field)?;
        Decimal::from_str_exact(text).map_err(|_| row.fault(column, field, "expected a decimal number such as 0.25"))
    };
    let (dividend, split) = (decimal(dividend, "dividend_amount")?, decimal(split, "split_coefficient")?);
    let event = Event { line: row.line, ex_date: date, dividend, split };
    Ok((bar, (!dividend.is_zero() || split != Decimal::ONE).then_some(event)))
}

/// What happened on an ex date.
struct Event {
    line: u64,
    ex_date: Date,
    dividend: Decimal,
    split: Decimal,
}

impl Event {
    fn actions(&self, symbol: Symbol, bars: &[Raw], path: &Path) -> Result<Vec<CorporateAction>, FileError> {
        let row_before = || {
            let before = bars.partition_point(|bar| bar.begin.date() < self.ex_date);
            before.checked_sub(1).map(|before| bars[before].begin.date())
        };
        let last_date_prior = Calendar::b3().previous_session(self.ex_date).or_else(row_before).ok_or_else(|| {
            let reason = "is the first row and no session before it is known; remove what happened on it";
            super::series::fault(path, self.line, "date", &self.ex_date.to_string(), reason)
        })?;
        let action = |kind, amount, ratio, label: &str| CorporateAction {
            source: SOURCE,
            isin: None,
            symbol: Some(symbol),
            kind,
            last_date_prior,
            approved_on: None,
            payment_date: None,
            amount,
            ratio,
            label: label.to_owned(),
        };
        let mut actions = Vec::new();
        if !self.dividend.is_zero() {
            actions.push(action(CorporateActionKind::Dividend, self.dividend, Decimal::ONE, "dividend_amount"));
        }
        if self.split != Decimal::ONE {
            let more = self.split > Decimal::ONE;
            let kind = if more { CorporateActionKind::Split } else { CorporateActionKind::ReverseSplit };
            actions.push(action(kind, Decimal::ZERO, self.split, "split_coefficient"));
        }
        Ok(actions)
    }
}
