//! Bars and quotes of one instrument from CSV files, and a growing file of live quotes.
//!
//! | file | columns |
//! |---|---|
//! | bars | `ts,open,high,low,close,volume`, `ts` being the end of the bar |
//! | quotes | `ts,bid,ask,bid_size,ask_size` |
//! | growing quotes | `ts,symbol,bid,ask,bid_size,ask_size` |
//!
//! `ts` is nanoseconds since 1970 UTC or RFC 3339. The first line names the columns, in any order;
//! prices have decimal points. A file is read whole or refused at its first bad line; the growing file skips and counts bad
//! lines instead, because whoever writes it cannot be asked to start again.

mod tail;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use market::{Bar, InstrumentId, Price, Quantity, Quote, Timestamp};

pub use tail::{Look, QuoteTail};

/// Bytes buffered while reading.
const BUFFER: usize = 1 << 18;

/// Why a CSV file was refused.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// It cannot be opened or read.
    #[error("{}: it cannot be read; check that it exists and may be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The first line does not name the columns.
    #[error("{}: line 1: {problem}; the first line must be '{expected}'", path.display())]
    Columns {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What the line must be.
        expected: String,
    },
    /// A line that is not good.
    #[error("{}: {fault}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: LineFault,
    },
}

/// What is wrong with a line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {field} = '{value}': {reason}")]
pub struct LineFault {
    /// Line number, from 1.
    pub line: u64,
    /// Column.
    pub field: &'static str,
    /// As it stands there, cut short.
    pub value: String,
    /// What is wrong, and what was expected.
    pub reason: String,
}

const BAR_COLUMNS: [&str; 6] = ["ts", "open", "high", "low", "close", "volume"];
const QUOTE_COLUMNS: [&str; 5] = ["ts", "bid", "ask", "bid_size", "ask_size"];

/// Reads the bars of one instrument.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn read_bars(path: &Path, instrument: InstrumentId) -> Result<Vec<Bar>, CsvError> {
    bars_from(open(path)?, path, instrument)
}

/// The same from anything that can be read; the path is for messages.
///
/// # Errors
/// As [`read_bars`].
pub fn bars_from(input: impl Read, path: &Path, instrument: InstrumentId) -> Result<Vec<Bar>, CsvError> {
    let mut bars: Vec<Bar> = Vec::new();
    read(input, path, &BAR_COLUMNS, |row| {
        let bar = Bar {
            end: row.timestamp(0)?,
            instrument,
            open: row.price(1)?,
            high: row.price(2)?,
            low: row.price(3)?,
            close: row.price(4)?,
            volume: row.quantity(5)?,
        };
        if !bar.is_sound() {
            return Err(row.fault(2, "prices must be positive with low ≤ open, close ≤ high, volume not negative"));
        }
        let before = bars.last().map(|last| last.end);
        row.in_order(before, bar.end)?;
        if before == Some(bar.end) {
            return Err(row.fault(0, "ends with the bar of the line above; keep one of the two"));
        }
        bars.push(bar);
        Ok(())
    })?;
    Ok(bars)
}

/// Reads the quotes of one instrument.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn read_quotes(path: &Path, instrument: InstrumentId) -> Result<Vec<Quote>, CsvError> {
    quotes_from(open(path)?, path, instrument)
}

/// The same from anything that can be read; the path is for messages.
///
/// # Errors
/// As [`read_quotes`].
pub fn quotes_from(input: impl Read, path: &Path, instrument: InstrumentId) -> Result<Vec<Quote>, CsvError> {
    let mut quotes: Vec<Quote> = Vec::new();
    read(input, path, &QUOTE_COLUMNS, |row| {
        let quote = Quote {
            at: row.timestamp(0)?,
            instrument,
            bid: row.price(1)?,
            ask: row.price(2)?,
            bid_size: row.quantity(3)?,
            ask_size: row.quantity(4)?,
        };
        if !quote.is_sound() {
            return Err(row.fault(1, "both sides must have a price and a size, with bid below ask"));
        }
        row.in_order(quotes.last().map(|last| last.at), quote.at)?;
        quotes.push(quote);
        Ok(())
    })?;
    Ok(quotes)
}

fn open(path: &Path) -> Result<File, CsvError> {
    File::open(path).map_err(|source| CsvError::Unreadable { path: path.to_owned(), source })
}

fn read(
    input: impl Read,
    path: &Path,
    names: &[&'static str],
    mut take: impl FnMut(&Row<'_>) -> Result<(), LineFault>,
) -> Result<(), CsvError> {
    let unreadable = |source| CsvError::Unreadable { path: path.to_owned(), source };
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(BUFFER).from_reader(input);
    let mut record = ByteRecord::new();
    let failed = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(source) => unreadable(source),
        other => unreadable(io::Error::other(format!("{other:?}"))),
    };
    if !reader.read_byte_record(&mut record).map_err(failed)? {
        return Err(columns_error(path, names, "the file is empty".to_owned()));
    }
    let places = places(&record, names).map_err(|problem| columns_error(path, names, problem))?;
    while reader.read_byte_record(&mut record).map_err(failed)? {
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row { record: &record, names, places: &places, line };
        row.has_all_fields()
            .and_then(|()| take(&row))
            .map_err(|fault| CsvError::Line { path: path.to_owned(), fault })?;
    }
    Ok(())
}

fn columns_error(path: &Path, names: &[&str], problem: String) -> CsvError {
    CsvError::Columns { path: path.to_owned(), problem, expected: names.join(",") }
}

/// Where each named column stands. A column too many is refused: it may be the one that was meant.
fn places(header: &ByteRecord, names: &[&'static str]) -> Result<Vec<usize>, String> {
    let clean = |field: &[u8]| {
        let text = String::from_utf8_lossy(field);
        text.trim_start_matches('\u{feff}').trim().to_ascii_lowercase()
    };
    let given: Vec<String> = header.iter().map(clean).collect();
    if let Some(unknown) = given.iter().find(|name| !names.contains(&name.as_str())) {
        let shown: String = unknown.chars().take(40).collect();
        return Err(format!("unknown column '{shown}'"));
    }
    names
        .iter()
        .map(|name| {
            let mut found = given.iter().enumerate().filter(|(_, given)| given == name).map(|(place, _)| place);
            match (found.next(), found.next()) {
                (Some(place), None) => Ok(place),
                (Some(_), Some(_)) => Err(format!("column '{name}' stands twice")),
                (None, _) => Err(format!("column '{name}' is missing")),
            }
        })
        .collect()
}

/// One line with its columns found.
struct Row<'a> {
    record: &'a ByteRecord,
    names: &'a [&'static str],
    places: &'a [usize],
    line: u64,
}

impl Row<'_> {
    #[inline]
    fn field(&self, column: usize) -> &[u8] {
        self.record.get(self.places[column]).unwrap_or_default().trim_ascii()
    }

    /// A field too many shifts all that follow: `38,10` for `38.10` would be read as two prices.
    #[inline]
    fn has_all_fields(&self) -> Result<(), LineFault> {
        let (found, expected) = (self.record.len(), self.names.len());
        if found == expected { Ok(()) } else { Err(self.wrong_count(found, expected)) }
    }

    #[cold]
    fn wrong_count(&self, found: usize, expected: usize) -> LineFault {
        let text = self.record.iter().collect::<Vec<_>>().join(&b',');
        let value: String = String::from_utf8_lossy(&text).chars().take(40).collect();
        let reason = format!("has {found} fields where {expected} belong; prices need decimal points, not commas");
        LineFault { line: self.line, field: "line", value, reason }
    }

    fn fault(&self, column: usize, reason: impl Into<String>) -> LineFault {
        let value: String = String::from_utf8_lossy(self.field(column)).chars().take(40).collect();
        LineFault { line: self.line, field: self.names[column], value, reason: reason.into() }
    }

    #[inline]
    fn timestamp(&self, column: usize) -> Result<Timestamp, LineFault> {
        let field = self.field(column);
        if let Some(nanos) = digits(field) {
            return Ok(Timestamp::from_nanos(nanos));
        }
        let text = std::str::from_utf8(field).unwrap_or("?");
        text.parse().map_err(|error: market::time::TimestampError| self.fault(column, error.to_string()))
    }

    #[inline]
    fn price(&self, column: usize) -> Result<Price, LineFault> {
        let field = self.field(column);
        if let Some(price) = plain_decimal(field) {
            return Ok(price);
        }
        let text = std::str::from_utf8(field).unwrap_or("?");
        text.parse().map_err(|error: market::DecimalError| self.fault(column, error.to_string()))
    }

    #[inline]
    fn quantity(&self, column: usize) -> Result<Quantity, LineFault> {
        let field = self.field(column);
        if let Some(units) = digits(field) {
            return Ok(Quantity::new(units));
        }
        let text = std::str::from_utf8(field).unwrap_or("?");
        text.parse().map_err(|error: market::DecimalError| self.fault(column, error.to_string()))
    }

    fn in_order(&self, before: Option<Timestamp>, now: Timestamp) -> Result<(), LineFault> {
        match before {
            Some(before) if now < before => {
                Err(self.fault(0, format!("lies before the line above ({before}); sort the file by ts")))
            }
            _ => Ok(()),
        }
    }
}

/// Up to 18 digits, which always fit; anything else goes the long way.
#[inline]
fn digits(field: &[u8]) -> Option<i64> {
    if field.is_empty() || field.len() > 18 {
        // Nanoseconds since 1970 have 19 digits and fit until 2262.
        return if field.len() == 19 { std::str::from_utf8(field).ok()?.parse().ok() } else { None };
    }
    field.iter().try_fold(0_i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// A decimal without sign or exponent whose digits certainly fit; anything else goes the long way.
#[inline]
fn plain_decimal(field: &[u8]) -> Option<Price> {
    let point = field.iter().position(|byte| *byte == b'.').unwrap_or(field.len());
    let (whole, fraction) = (field.get(..point)?, field.get(point + 1..).unwrap_or_default());
    if whole.is_empty() || whole.len() > 9 || fraction.len() > 8 || (point < field.len() && fraction.is_empty()) {
        return None;
    }
    let mut steps = digits(whole)?;
    for place in 0..market::decimal::DECIMALS as usize {
        let digit = match fraction.get(place) {
            Some(byte) if byte.is_ascii_digit() => i64::from(byte - b'0'),
            Some(_) => return None,
            None => 0,
        };
        steps = steps * 10 + digit;
    }
    Some(Price::from_steps(steps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    const ONE: InstrumentId = InstrumentId::new(0);

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn bars_in_any_column_order_and_either_time_format() {
        let text = "\u{feff}close,ts,open,high,low,volume\r\n38.10,2017-12-28T19:00:00Z,38,38.5,37.90,1200\n38.20,1514487660000000000, 38.1 ,38.2,38.1,0\n";
        let bars = read_bars(file(text).path(), ONE).unwrap();
        assert_eq!(bars.len(), 2);
        assert_eq!(bars[0].open.to_string(), "38.00");
        assert_eq!(bars[0].low.to_string(), "37.90");
        assert_eq!(bars[1].end.to_string(), "2017-12-28T19:01:00Z");
        assert_eq!(bars[1].volume, Quantity::ZERO);
    }

    #[test]
    fn a_bad_file_is_refused_with_its_place() {
        let head = "ts,open,high,low,close,volume\n1,10,11,9,10,100\n";
        for (text, expected) in [
            (String::new(), "line 1: the file is empty; the first line must be 'ts,open,high,low,close,volume'"),
            ("ts,open,high,low,close\n".into(), "line 1: column 'volume' is missing"),
            ("ts,open,high,low,close,volume,vwap\n".into(), "line 1: unknown column 'vwap'"),
            ("ts,ts,open,high,low,close,volume\n".into(), "line 1: column 'ts' stands twice"),
            (format!("{head}2,1O,11,9,10,100\n"), "line 3: open = '1O': '1O' is not a decimal number"),
            (format!("{head}2,10,11,9,10,nan\n"), "line 3: volume = 'nan'"),
            (format!("{head}2,NaN,11,9,10,1\n"), "line 3: open = 'NaN'"),
            (format!("{head}2,10,8,9,10,100\n"), "line 3: high = '8': prices must be positive with low ≤ open"),
            (format!("{head}2,10,11,-9,10,100\n"), "line 3: high = '11': prices must be positive"),
            (format!("{head}0,10,11,9,10,100\n"), "line 3: ts = '0': lies before the line above"),
            (format!("{head}yesterday,10,11,9,10,100\n"), "line 3: ts = 'yesterday': 'yesterday' is not a time"),
            (format!("{head}2,10\n"), "line 3: line = '2,10': has 2 fields where 6 belong"),
            (format!("{head}2,38,10,38,50,100\n1,2,3,4,5,6,7\n"), "line 3: high = '10'"),
            (format!("{head}2,10,11,9,10,50,100\n"), "has 7 fields where 6 belong; prices need decimal points"),
            (format!("{head}1,10,11,9,10,100\n"), "line 3: ts = '1': ends with the bar of the line above"),
        ] {
            let error = read_bars(file(&text).path(), ONE).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = read_bars(Path::new("no-such.csv"), ONE).unwrap_err().to_string();
        assert!(error.contains("no-such.csv: it cannot be read"), "{error}");
    }

    #[test]
    fn quotes_must_have_two_sides_that_do_not_cross() {
        let head = "ts,bid,ask,bid_size,ask_size\n1,10.00,10.01,100,200\n";
        assert_eq!(read_quotes(file(head).path(), ONE).unwrap().len(), 1);
        for line in ["2,10.01,10.01,100,100", "2,0,10.01,100,100", "2,10,10.01,0,100"] {
            let error = read_quotes(file(&format!("{head}{line}\n")).path(), ONE).unwrap_err().to_string();
            assert!(error.contains("line 3: bid") && error.contains("bid below ask"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), headed: bool) {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            if headed {
                file.write_all(b"ts,open,high,low,close,volume\n").unwrap();
            }
            file.write_all(&bytes).unwrap();
            for bar in read_bars(file.path(), ONE).into_iter().flatten() {
                prop_assert!(bar.is_sound());
            }
            let _ = read_quotes(file.path(), ONE);
            let _ = QuoteTail::new(file.path()).look();
        }

        #[test]
        fn the_short_way_and_the_long_way_agree(text in "[0-9]{1,10}(\\.[0-9]{0,9})?") {
            if let Some(price) = plain_decimal(text.as_bytes()) {
                prop_assert_eq!(text.parse::<Price>(), Ok(price));
            }
            if let Some(number) = digits(text.as_bytes()) {
                prop_assert_eq!(text.parse::<i64>(), Ok(number));
            }
        }
    }
}
