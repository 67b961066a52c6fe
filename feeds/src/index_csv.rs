//! Closes of an index, our own small file format: `date,close`, ISO dates, decimal points.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use market::{Date, IndexClose, Price};

/// Why an index file was refused.
#[derive(Debug, thiserror::Error)]
pub enum IndexCsvError {
    /// It cannot be opened, read or written.
    #[error("{}: it cannot be read or written", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line that is not good.
    #[error("{}: line {line}: {field} = '{value}': {reason}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// Column.
        field: &'static str,
        /// As it stands there, cut short.
        value: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
}

/// Reads the closes; dates ascend and none stands twice.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn read(path: &Path) -> Result<Vec<IndexClose>, IndexCsvError> {
    let unreadable = |source| IndexCsvError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let mut closes: Vec<IndexClose> = Vec::new();
    let mut record = StringRecord::new();
    let mut line = 0;
    loop {
        line += 1;
        let fault = |field, value: &str, reason: String| IndexCsvError::Line {
            path: path.to_owned(),
            line,
            field,
            value: value.chars().take(40).collect(),
            reason,
        };
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(closes),
            Ok(true) => {}
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(source) => return Err(unreadable(source)),
                _ => return Err(fault("line", "", "is not UTF-8 text".to_owned())),
            },
        }
        let (date, close) = (record.get(0).unwrap_or_default().trim(), record.get(1).unwrap_or_default().trim());
        if line == 1 {
            if (date.trim_start_matches('\u{feff}'), close) != ("date", "close") || record.len() != 2 {
                return Err(fault("columns", record.as_slice(), "expected the first line 'date,close'".to_owned()));
            }
            continue;
        }
        if record.len() != 2 {
            let reason = format!("has {} fields where 2 belong; closes need decimal points", record.len());
            return Err(fault("line", &record.iter().collect::<Vec<_>>().join(","), reason));
        }
        let day: Date =
            date.parse().map_err(|_| fault("date", date, "expected a date such as 2017-12-28".to_owned()))?;
        let price: Price =
            close.parse().map_err(|error: market::DecimalError| fault("close", close, error.to_string()))?;
        if price <= Price::ZERO {
            return Err(fault("close", close, "must be positive".to_owned()));
        }
        if closes.last().is_some_and(|last| last.date >= day) {
            return Err(fault("date", date, "does not lie after the line above".to_owned()));
        }
        closes.push(IndexClose { date: day, close: price });
    }
}

/// Writes the closes.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, closes: &[IndexClose]) -> Result<(), IndexCsvError> {
    let mut text = String::from("date,close\n");
    for close in closes {
        text.push_str(&format!("{},{}\n", close.date, close.close));
    }
    std::fs::write(path, text).map_err(|source| IndexCsvError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_and_faults_name_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.csv");
        let close = |d, points: &str| IndexClose {
            date: Date::from_ymd_opt(2017, 12, d).unwrap(),
            close: points.parse().unwrap(),
        };
        let closes = [close(27, "76072.54"), close(28, "76402.08")];
        write(&path, &closes).unwrap();
        assert_eq!(read(&path).unwrap(), closes);
        for (text, expected) in [
            ("", None),
            ("Date;Close\n", Some("line 1: columns")),
            ("date,close\n28.12.2017,1\n", Some("line 2: date = '28.12.2017'")),
            ("date,close\n2017-12-28,76.402,08\n", Some("line 2: line = '2017-12-28,76.402,08': has 3 fields")),
            ("date,close\n2017-12-28,2\n2017-12-28,1\n", Some("line 3: date = '2017-12-28': does not lie after")),
            ("date,close\n2017-12-28,-1\n", Some("line 2: close = '-1': must be positive")),
            ("date,close\n2017-12-28,\n", Some("line 2: close = ''")),
        ] {
            std::fs::write(&path, text).unwrap();
            match (read(&path), expected) {
                (Ok(closes), None) => assert!(closes.is_empty()),
                (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{error}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }
}
