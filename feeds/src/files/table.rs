//! Lines of separated fields, and what is wrong with one of them. What the readers of text share.

use std::path::Path;

use chrono::NaiveTime;
use csv::{ByteRecord, ReaderBuilder};
use market::{Date, DecimalError, Price, Quantity, Symbol};

use super::failure::{FileError, shown};

/// A text of separated fields on its way.
pub(super) struct Table<'a> {
    path: &'a Path,
    reader: csv::Reader<&'a [u8]>,
    record: ByteRecord,
    /// Fields that every line has.
    width: usize,
}

/// One line.
pub(super) struct Row<'a> {
    path: &'a Path,
    record: &'a ByteRecord,
    /// Line number, from 1.
    pub line: u64,
}

impl<'a> Table<'a> {
    /// A text whose first line names the columns: it, and the names as they stand there.
    pub(super) fn named(bytes: &'a [u8], separator: u8, path: &'a Path) -> Result<(Self, Vec<String>), FileError> {
        let mut table = Self::unnamed(bytes, separator, path);
        let names = match table.next()? {
            Some(row) => row.record.iter().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect(),
            None => Vec::new(),
        };
        table.width = names.len();
        Ok((table, names))
    }

    /// A text of lines only.
    pub(super) fn unnamed(bytes: &'a [u8], separator: u8, path: &'a Path) -> Self {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(bytes);
        Self { path, reader, record: ByteRecord::new(), width: 0 }
    }

    /// The next line that is not blank.
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>, FileError> {
        let path = self.path;
        let more = self.reader.read_byte_record(&mut self.record).map_err(|error| FileError::Unreadable {
            path: path.to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        if !more {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        let row = Row { path, record: &self.record, line };
        if self.width != 0 && row.width() != self.width {
            let value = row.record.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
            let reason = format!("has {} fields where {} belong", row.width(), self.width);
            return Err(row.fault_of("line", &value, reason));
        }
        Ok(Some(row))
    }
}

impl Row<'_> {
    /// How many fields it has.
    pub(super) fn width(&self) -> usize {
        self.record.len()
    }

    /// A field as text, without blanks around it.
    pub(super) fn text(&self, place: usize, field: &str) -> Result<&str, FileError> {
        let bytes = self.record.get(place).unwrap_or_default();
        let text = std::str::from_utf8(bytes)
            .map_err(|_| self.fault_of(field, &String::from_utf8_lossy(bytes), "is no UTF-8 text; save the file so"))?;
        Ok(text.trim())
    }

    /// A price with a decimal point.
    pub(super) fn price(&self, place: usize, field: &str) -> Result<Price, FileError> {
        let text = self.text(place, field)?;
        text.parse().map_err(|error: DecimalError| self.fault_of(field, text, error.to_string()))
    }

    /// A whole number of units.
    pub(super) fn quantity(&self, place: usize, field: &str) -> Result<Quantity, FileError> {
        let text = self.text(place, field)?;
        text.parse().map_err(|error: DecimalError| self.fault_of(field, text, error.to_string()))
    }

    /// A day in one of these forms (of `chrono`); `example` says what was expected.
    pub(super) fn date(&self, place: usize, field: &str, forms: &[&str], example: &str) -> Result<Date, FileError> {
        let text = self.text(place, field)?;
        let known = forms.iter().find_map(|form| Date::parse_from_str(text, form).ok());
        known.ok_or_else(|| self.fault_of(field, text, format!("expected a date such as {example}")))
    }

    /// A time of day, seconds or not.
    pub(super) fn time(&self, place: usize, field: &str) -> Result<NaiveTime, FileError> {
        let text = self.text(place, field)?;
        let known = ["%H:%M:%S", "%H:%M"].iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok());
        known.ok_or_else(|| self.fault_of(field, text, "expected a time such as 10:14:00"))
    }

    /// A ticker.
    pub(super) fn symbol(&self, place: usize, field: &str) -> Result<Symbol, FileError> {
        let text = self.text(place, field)?;
        text.parse().map_err(|error: market::instrument::NameError| self.fault_of(field, text, error.to_string()))
    }

    /// What is wrong with a field of this line.
    pub(super) fn fault(&self, place: usize, field: &str, reason: impl Into<String>) -> FileError {
        let bytes = self.record.get(place).unwrap_or_default();
        self.fault_of(field, &String::from_utf8_lossy(bytes), reason)
    }

    pub(super) fn fault_of(&self, field: &str, value: &str, reason: impl Into<String>) -> FileError {
        FileError::Line {
            path: self.path.to_owned(),
            line: self.line,
            field: field.to_owned(),
            value: shown(value),
            reason: reason.into(),
        }
    }
}
