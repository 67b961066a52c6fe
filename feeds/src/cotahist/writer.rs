//! `DailyRecord`s to the exchange's bytes: lines of 245 characters and `CR LF`, header, trailer.
//!
//! Every line of six genuine sessions comes out of reader and writer unchanged. What cannot come
//! back, because a `DailyRecord` does not hold it: an expiry of zeros (written as 9999-12-31, as
//! the exchange does since), the internal codes of before 1995-05-15 in place of an ISIN, and a
//! blank term outside the cash market (written as `000`).

use std::io::{self, Write};

use chrono::Datelike;
use market::{DailyRecord, Date, Price};

use super::layout::{self, Field, LINE_LENGTH};
use super::reader::Header;
use super::record::Line;

/// Market types whose lines leave the term blank; the others write `000` where there is none.
const WITHOUT_TERM: [u16; 3] = [market::history::CASH_MARKET, market::history::FRACTIONAL_MARKET, 17];

/// A record that the layout has no room for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{} of {symbol} on {date} does not fit the COTAHIST layout: {value} {reason}", field.meaning)]
pub struct RenderError {
    /// Of what.
    pub symbol: market::Symbol,
    /// Of when.
    pub date: Date,
    /// Which field.
    pub field: &'static Field,
    /// Its value.
    pub value: String,
    /// Why not.
    pub reason: &'static str,
}

/// Why nothing more was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A record does not fit.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The output failed.
    #[error("the COTAHIST file could not be written; check the disk")]
    Io(#[from] io::Error),
}

/// Writes one COTAHIST text. Without [`finish`](Writer::finish) it has no trailer and every
/// reader refuses it.
pub struct Writer<W: Write> {
    output: W,
    header: Header,
    lines: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the header. Buffer the output: lines are written one by one.
    ///
    /// # Panics
    /// If the header's years do not have four digits.
    pub fn new(mut output: W, header: Header) -> io::Result<Self> {
        write_line(&mut output, &edge_line(b"00", header))?;
        Ok(Self { output, header, lines: 1 })
    }

    /// Writes a record.
    pub fn write(&mut self, record: &DailyRecord) -> Result<(), WriteError> {
        let line = render(record)?;
        write_line(&mut self.output, &line)?;
        self.lines += 1;
        Ok(())
    }

    /// Writes the trailer and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        let mut line = edge_line(b"99", self.header);
        digits(&mut line, &layout::TOTAL, u128::from(self.lines + 1));
        write_line(&mut self.output, &line)?;
        Ok(self.output)
    }
}

fn write_line(output: &mut impl Write, line: &Line) -> io::Result<()> {
    output.write_all(line)?;
    output.write_all(b"\r\n")
}

/// Header, or trailer without its count.
fn edge_line(kind: &[u8; 2], header: Header) -> Line {
    let mut line = [b' '; LINE_LENGTH];
    put(&mut line, &layout::TIPREG, kind);
    assert!(header.year <= 9_999, "a year of four digits, not {}", header.year);
    put(&mut line, &layout::FILE_NAME, format!("COTAHIST.{:04}", header.year).as_bytes());
    put(&mut line, &layout::ORIGIN, b"BOVESPA");
    let fits = put_date(&mut line, &layout::GENERATED, header.generated);
    assert!(fits, "a year of four digits, not {}", header.generated);
    line
}

/// One record as the exchange writes it, without line end.
pub fn render(record: &DailyRecord) -> Result<Line, RenderError> {
    let mut line = [b' '; LINE_LENGTH];
    put(&mut line, &layout::TIPREG, b"01");
    date(&mut line, record, &layout::DATA, record.date)?;
    put(&mut line, &layout::CODNEG, record.symbol.as_str().as_bytes());
    put(&mut line, &layout::NOMRES, record.company.as_latin1());
    put(&mut line, &layout::ESPECI, record.specification.as_latin1());
    put(&mut line, &layout::MODREF, b"R$");
    put(&mut line, &layout::CODISI, record.isin.as_ref().map_or("", market::Isin::as_str).as_bytes());
    match record.expiry {
        Some(expiry) => date(&mut line, record, &layout::DATVEN, expiry)?,
        None => put(&mut line, &layout::DATVEN, b"99991231"),
    }
    if record.term_days > 0 || !WITHOUT_TERM.contains(&record.market_type) {
        count(&mut line, record, &layout::PRAZOT, record.term_days)?;
    }
    for (field, value) in [
        (&layout::PREABE, record.open),
        (&layout::PREMAX, record.high),
        (&layout::PREMIN, record.low),
        (&layout::PREMED, record.average),
        (&layout::PREULT, record.close),
        (&layout::PREOFC, record.best_bid),
        (&layout::PREOFV, record.best_ask),
        (&layout::PREEXE, record.strike),
    ] {
        price(&mut line, record, field, value)?;
    }
    turnover(&mut line, record)?;
    count(&mut line, record, &layout::CODBDI, record.bdi_code)?;
    count(&mut line, record, &layout::TPMERC, record.market_type)?;
    count(&mut line, record, &layout::TOTNEG, record.trades)?;
    count(&mut line, record, &layout::QUATOT, record.quantity.units())?;
    count(&mut line, record, &layout::INDOPC, record.strike_correction)?;
    count(&mut line, record, &layout::FATCOT, record.quotation_factor)?;
    count(&mut line, record, &layout::PTOEXE, record.strike_points)?;
    count(&mut line, record, &layout::DISMES, record.distribution)?;
    Ok(line)
}

/// Centavos for `quotation_factor` units: what the reader divided is multiplied again.
fn price(line: &mut Line, record: &DailyRecord, field: &'static Field, value: Price) -> Result<(), RenderError> {
    let steps = i128::from(value.steps()) * i128::from(record.quotation_factor);
    cents(line, record, field, steps, &value)
}

fn turnover(line: &mut Line, record: &DailyRecord) -> Result<(), RenderError> {
    cents(line, record, &layout::VOLTOT, record.turnover.steps(), &record.turnover)
}

fn cents(
    line: &mut Line,
    record: &DailyRecord,
    field: &'static Field,
    steps: i128,
    value: &dyn std::fmt::Display,
) -> Result<(), RenderError> {
    let cent = i128::from(market::decimal::SCALE / 100);
    if steps % cent != 0 {
        return Err(no_room(record, field, value, "is not a whole number of centavos"));
    }
    match u128::try_from(steps / cent) {
        Ok(cents) if digits(line, field, cents) => Ok(()),
        _ => Err(no_room(record, field, value, "is negative or too large")),
    }
}

fn date(line: &mut Line, record: &DailyRecord, field: &'static Field, value: Date) -> Result<(), RenderError> {
    if put_date(line, field, value) {
        Ok(())
    } else {
        Err(no_room(record, field, &value, "has not a year of four digits"))
    }
}

fn count(
    line: &mut Line,
    record: &DailyRecord,
    field: &'static Field,
    value: impl TryInto<u128> + Copy + std::fmt::Display,
) -> Result<(), RenderError> {
    match value.try_into() {
        Ok(number) if digits(line, field, number) => Ok(()),
        _ => Err(no_room(record, field, &value, "is negative or too large")),
    }
}

fn no_room(
    record: &DailyRecord,
    field: &'static Field,
    value: &dyn std::fmt::Display,
    reason: &'static str,
) -> RenderError {
    RenderError { symbol: record.symbol, date: record.date, field, value: value.to_string(), reason }
}

/// A number with leading zeros; false if the field is too narrow.
fn digits(line: &mut Line, field: &Field, mut value: u128) -> bool {
    for byte in line[field.range()].iter_mut().rev() {
        *byte = b'0' + (value % 10) as u8;
        value /= 10;
    }
    value == 0
}

/// A date as AAAAMMDD; false if its year has not four digits.
fn put_date(line: &mut Line, field: &Field, date: Date) -> bool {
    let Ok(year) = u128::try_from(date.year()) else { return false };
    digits(line, field, year * 10_000 + u128::from(date.month() * 100 + date.day()))
}

/// A text at the beginning of a field that is all spaces; never longer than the field.
fn put(line: &mut Line, field: &Field, text: &[u8]) {
    line[field.range()][..text.len()].copy_from_slice(text);
}
