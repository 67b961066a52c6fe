//! The members of an index as a JSON list of `{"ticker": "ALOS3", "nome": "…"}`. There are no
//! quantities in it and no day: the day comes from the caller, and quantity and weight are zero,
//! which means that they are not told.

use std::collections::BTreeSet;

use market::Symbol;
use market::history::IndexMember;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::Place;
use super::failure::FileError;
use super::series::fault;
use crate::source::{Item, Take};

/// One entry; what else stands in it is of no use here.
#[derive(Deserialize)]
struct Entry {
    ticker: String,
}

pub(super) fn is(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    bytes.starts_with(b"[") && bytes.windows(8).any(|window| window == b"\"ticker\"")
}

pub(super) fn parse(bytes: &[u8], place: &Place<'_>, take: &mut Take<'_>) -> Result<u64, FileError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let entries: Vec<Entry> = serde_json::from_slice(bytes).map_err(|error| {
        fault(
            place.path,
            error.line() as u64,
            "list",
            &error.to_string(),
            "expected a list of {\"ticker\": …, \"nome\": …}",
        )
    })?;
    let date = place.hints.date.ok_or_else(|| FileError::Unsaid {
        path: place.path.to_owned(),
        what: "for which day the portfolio is",
        remedy: "give the date".to_owned(),
    })?;
    let mut seen = BTreeSet::new();
    for (number, entry) in (1..).zip(&entries) {
        let wrong = |reason: String| fault(place.path, 0, &format!("ticker of entry {number}"), &entry.ticker, reason);
        let symbol: Symbol =
            entry.ticker.parse().map_err(|error: market::instrument::NameError| wrong(error.to_string()))?;
        if !seen.insert(symbol) {
            return Err(wrong("stands twice; keep one of the two".to_owned()));
        }
        let (theoretical_quantity, weight_percent) = (Decimal::ZERO, Decimal::ZERO);
        let index = place.index();
        let member = IndexMember { index, date, symbol, theoretical_quantity, weight_percent, reductor: None };
        take(Item::Member(member)).map_err(FileError::Stopped)?;
    }
    Ok(entries.len() as u64)
}
