//! The bars of one file: in which order they stand, how long they are, whose they are.
//!
//! Vendors write newest first or oldest first; here they always leave oldest first. How long the
//! bars of a terminal's export are stands nowhere in it: it is the shortest step between two bars of
//! a day, and every other step must be a multiple of it.

use std::path::Path;

use chrono::{NaiveDateTime, NaiveTime};
use market::history::{HistoryBar, Interval, SourceName};
use market::{Date, Money, Price, Quantity, Symbol, Timestamp};

use super::failure::{FileError, shown};
use super::{Hints, Place};
use crate::source::{Item, Take};

/// The index that is meant where none is named.
const IBOV: &[u8] = b"IBOV";

impl Place<'_> {
    /// The index that a file of an index is of.
    pub(super) fn index(&self) -> Symbol {
        // IBOV is a good symbol, so the second is never asked in vain.
        self.hints.index.or_else(|| Symbol::from_bytes(IBOV)).expect("IBOV is a symbol")
    }

    /// The ticker: what the caller says, else what the name of the file begins with.
    pub(super) fn symbol(&self) -> Result<Symbol, FileError> {
        self.hints.symbol.or_else(|| ticker_of_name(self.path)).ok_or_else(|| FileError::Unsaid {
            path: self.path.to_owned(),
            what: "of which ticker it is",
            remedy: "give the symbol, or let the file's name begin with it, as in PETR4_M1.csv".to_owned(),
        })
    }
}

/// A B3 ticker that a file's name begins with: four letters or digits, one or two digits, perhaps an
/// F or B, and then something that cannot belong to it.
fn ticker_of_name(path: &Path) -> Option<Symbol> {
    let name = path.file_stem()?.to_str()?;
    let end = name.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(name.len());
    let (ticker, bytes) = (&name[..end], &name.as_bytes()[..end]);
    let issuer = bytes.get(..4)?.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let class = bytes.get(4..)?.strip_suffix(b"F").or_else(|| bytes.get(4..)?.strip_suffix(b"B")).or(bytes.get(4..))?;
    let digits = (1..=2).contains(&class.len()) && class.iter().all(u8::is_ascii_digit);
    if issuer && digits { ticker.parse().ok() } else { None }
}

/// A bar before its length is known.
pub(super) struct Raw {
    /// Where it stood.
    pub line: u64,
    /// When it began, by São Paulo's clock.
    pub begin: NaiveDateTime,
    /// Open, high, low, close.
    pub prices: [Price; 4],
    /// Units traded.
    pub volume: Quantity,
    /// Turnover, where it is said.
    pub turnover: Option<Money>,
    /// The source's adjusted close.
    pub adjusted_close: Option<Price>,
}

impl Raw {
    /// Of a whole session.
    pub(super) fn of_day(line: u64, date: Date, prices: [Price; 4], volume: Quantity) -> Self {
        Self { line, begin: date.and_time(NaiveTime::MIN), prices, volume, turnover: None, adjusted_close: None }
    }
}

/// What all bars of a file have in common.
pub(super) struct Whose {
    /// Who says so.
    pub source: SourceName,
    /// Of what.
    pub symbol: Symbol,
    /// How long.
    pub interval: Interval,
}

/// Turns the bars so that the oldest is first. They must stand in one order, none twice.
pub(super) fn oldest_first(bars: &mut [Raw], path: &Path) -> Result<(), FileError> {
    if bars.first().zip(bars.last()).is_some_and(|(first, last)| first.begin > last.begin) {
        bars.reverse();
    }
    match bars.windows(2).find(|pair| pair[0].begin >= pair[1].begin) {
        None => Ok(()),
        Some(pair) => {
            let reason = match pair[0].begin == pair[1].begin {
                true => format!("stands in line {} as well; keep one of the two", pair[0].line),
                false => format!("does not lie after that of line {}; sort the file by time", pair[0].line),
            };
            Err(fault(path, pair[1].line, "date", &pair[1].begin.to_string(), reason))
        }
    }
}

/// How long the bars are, told from their steps within days; `hints` goes first.
pub(super) fn interval_of(bars: &[Raw], hints: &Hints, path: &Path) -> Result<Interval, FileError> {
    let steps = || {
        let same_day = bars.windows(2).filter(|pair| pair[0].begin.date() == pair[1].begin.date());
        same_day.map(|pair| (&pair[1], (pair[1].begin - pair[0].begin).num_seconds()))
    };
    let unsaid = || FileError::Unsaid {
        path: path.to_owned(),
        what: "how long its bars are, and has too few to tell",
        remedy: "give the interval, such as 1m or 15m".to_owned(),
    };
    let interval = match hints.interval {
        Some(interval) => interval,
        None => {
            let shortest = steps().map(|(_, seconds)| seconds).min().ok_or_else(unsaid)?;
            u16::try_from(shortest / 60).ok().and_then(Interval::minutes).ok_or_else(unsaid)?
        }
    };
    let Interval::Minutes(minutes) = interval else { return Ok(interval) };
    let length = i64::from(minutes.get()) * 60;
    match steps().find(|(_, seconds)| seconds % length != 0) {
        None => Ok(interval),
        Some((bar, seconds)) => {
            let reason = format!("lies {seconds} s after the bar before, which is no multiple of {interval}");
            Err(fault(path, bar.line, "time", &bar.begin.to_string(), reason))
        }
    }
}

/// Hands one bar over.
pub(super) fn hand_over(raw: &Raw, whose: &Whose, path: &Path, take: &mut Take<'_>) -> Result<HistoryBar, FileError> {
    let begin = Timestamp::from_local(raw.begin)
        .ok_or_else(|| fault(path, raw.line, "date", &raw.begin.to_string(), "expected a day between 1678 and 2261"))?;
    // Moved on, it would stand beside the bar that really began then.
    if whose.interval != Interval::Day && begin.local() != raw.begin {
        let reason = "did not exist in São Paulo: the clocks went forward; is the export in another zone?";
        return Err(fault(path, raw.line, "time", &raw.begin.to_string(), reason));
    }
    let [open, high, low, close] = raw.prices;
    let bar = HistoryBar {
        source: whose.source,
        symbol: whose.symbol,
        interval: whose.interval,
        begin,
        open,
        high,
        low,
        close,
        volume: raw.volume,
        trades: None,
        turnover: raw.turnover,
        adjusted_close: raw.adjusted_close,
    };
    take(Item::Bar(bar)).map_err(FileError::Stopped)?;
    Ok(bar)
}

pub(super) fn fault(path: &Path, line: u64, field: &str, value: &str, reason: impl Into<String>) -> FileError {
    let (field, value) = (field.to_owned(), shown(value));
    FileError::Line { path: path.to_owned(), line, field, value, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticker_is_what_a_name_begins_with_if_it_is_one() {
        for (name, ticker) in [
            ("PETR4.csv", Some("PETR4")),
            ("PETR4_raw.csv", Some("PETR4")),
            ("a/SANB11-daily.txt", Some("SANB11")),
            ("B3SA3 (1).csv", Some("B3SA3")),
            ("PETR4F.csv", Some("PETR4F")),
            ("PETROBRAS.csv", None),
            ("history.csv", None),
            ("petr4.csv", None),
            ("IBOV.csv", None),
            ("", None),
        ] {
            assert_eq!(ticker_of_name(Path::new(name)).map(|symbol| symbol.to_string()).as_deref(), ticker, "{name}");
        }
    }
}
