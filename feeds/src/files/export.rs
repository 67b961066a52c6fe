//! Bars and panels out of the store, as CSV and as Parquet, for `data export`. Both are read back by
//! [`super::read`], bars to the last digit.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use market::history::HistoryBar;
use market::{Date, Price, Symbol};
use parquet::basic::Compression;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::bars_csv::COLUMNS;
use super::failure::FileError;

/// Bars in one row group: a group is held in memory while it is written.
const ROWS_IN_A_GROUP: usize = 100_000;

/// The aligned closes of a universe: for each symbol one value for each date, or none.
#[derive(Clone, Copy, Debug)]
pub struct PanelTable<'a> {
    /// Sessions, ascending.
    pub dates: &'a [Date],
    /// Symbols, and their values in the order of the dates.
    pub columns: &'a [(Symbol, &'a [Option<Price>])],
}

type Failure = Box<dyn Error + Send + Sync>;

/// Bars as CSV, in the order in which they are given.
///
/// # Errors
/// The file cannot be written.
pub fn bars_csv(path: &Path, bars: &[HistoryBar]) -> Result<(), FileError> {
    written(path, |file| {
        let mut text = csv::Writer::from_writer(file);
        text.write_record(COLUMNS)?;
        for bar in bars {
            let told = |value: Option<String>| value.unwrap_or_default();
            text.write_record([
                bar.source.to_string(),
                bar.symbol.to_string(),
                bar.interval.to_string(),
                bar.begin.to_string(),
                bar.open.to_string(),
                bar.high.to_string(),
                bar.low.to_string(),
                bar.close.to_string(),
                bar.volume.to_string(),
                told(bar.trades.map(|trades| trades.to_string())),
                told(bar.turnover.map(|turnover| turnover.to_string())),
                told(bar.adjusted_close.map(|price| price.to_string())),
            ])?;
        }
        text.flush()?;
        Ok(())
    })
}

/// A panel as CSV: `date`, then one column for each symbol; what is missing is left empty.
///
/// # Errors
/// The file cannot be written.
pub fn panel_csv(path: &Path, panel: PanelTable<'_>) -> Result<(), FileError> {
    written(path, |file| {
        let mut text = csv::Writer::from_writer(file);
        let names = panel.columns.iter().map(|(symbol, _)| symbol.to_string());
        text.write_record(std::iter::once("date".to_owned()).chain(names))?;
        for (place, date) in panel.dates.iter().enumerate() {
            let values = panel.columns.iter().map(|(_, values)| {
                values.get(place).copied().flatten().map(|price| price.to_string()).unwrap_or_default()
            });
            text.write_record(std::iter::once(date.to_string()).chain(values))?;
        }
        text.flush()?;
        Ok(())
    })
}

const BARS_SCHEMA: &str = "message bars {
    required binary source (STRING);
    required binary symbol (STRING);
    required binary interval (STRING);
    required int64 begin (TIMESTAMP(NANOS, true));
    required int64 open (DECIMAL(18, 8));
    required int64 high (DECIMAL(18, 8));
    required int64 low (DECIMAL(18, 8));
    required int64 close (DECIMAL(18, 8));
    required int64 volume;
    optional int64 trades;
    optional fixed_len_byte_array(16) turnover (DECIMAL(38, 8));
    optional int64 adjusted_close (DECIMAL(18, 8));
}";

/// Bars as Parquet, in the order in which they are given.
///
/// # Errors
/// The file cannot be written.
pub fn bars_parquet(path: &Path, bars: &[HistoryBar]) -> Result<(), FileError> {
    written(path, |file| {
        let mut writer = parquet_writer(file, BARS_SCHEMA)?;
        for bars in bars.chunks(ROWS_IN_A_GROUP) {
            let mut group = writer.next_row_group()?;
            let texts = |of: fn(&HistoryBar) -> String| -> Vec<ByteArray> {
                bars.iter().map(|bar| ByteArray::from(of(bar).into_bytes())).collect()
            };
            let numbers = |of: fn(&HistoryBar) -> i64| -> Vec<i64> { bars.iter().map(of).collect() };
            column::<ByteArrayType, _>(&mut group, &texts(|bar| bar.source.to_string()), None)?;
            column::<ByteArrayType, _>(&mut group, &texts(|bar| bar.symbol.to_string()), None)?;
            column::<ByteArrayType, _>(&mut group, &texts(|bar| bar.interval.to_string()), None)?;
            column::<Int64Type, _>(&mut group, &numbers(|bar| bar.begin.as_nanos()), None)?;
            column::<Int64Type, _>(&mut group, &numbers(|bar| bar.open.steps()), None)?;
            column::<Int64Type, _>(&mut group, &numbers(|bar| bar.high.steps()), None)?;
            column::<Int64Type, _>(&mut group, &numbers(|bar| bar.low.steps()), None)?;
            column::<Int64Type, _>(&mut group, &numbers(|bar| bar.close.steps()), None)?;
            column::<Int64Type, _>(&mut group, &numbers(|bar| bar.volume.units()), None)?;
            optional::<Int64Type, _>(&mut group, bars.iter().map(|bar| bar.trades.map(i64::from)))?;
            let turnover = |bar: &HistoryBar| {
                bar.turnover.map(|money| FixedLenByteArray::from(money.steps().to_be_bytes().to_vec()))
            };
            optional::<FixedLenByteArrayType, _>(&mut group, bars.iter().map(turnover))?;
            optional::<Int64Type, _>(&mut group, bars.iter().map(|bar| bar.adjusted_close.map(Price::steps)))?;
            group.close()?;
        }
        writer.close()?;
        Ok(())
    })
}

/// A panel as Parquet: `date`, then one decimal column for each symbol; what is missing is null.
///
/// # Errors
/// The file cannot be written.
pub fn panel_parquet(path: &Path, panel: PanelTable<'_>) -> Result<(), FileError> {
    written(path, |file| {
        let columns = panel.columns.iter().map(|(symbol, _)| format!("optional int64 {symbol} (DECIMAL(18, 8));"));
        let schema = format!("message panel {{ required int32 date (DATE); {} }}", columns.collect::<String>());
        let mut writer = parquet_writer(file, &schema)?;
        let mut group = writer.next_row_group()?;
        let days: Vec<i32> = panel.dates.iter().map(Date::to_epoch_days).collect();
        column::<Int32Type, _>(&mut group, &days, None)?;
        for (_, values) in panel.columns {
            let all = (0..panel.dates.len()).map(|place| values.get(place).copied().flatten().map(Price::steps));
            optional::<Int64Type, _>(&mut group, all)?;
        }
        group.close()?;
        writer.close()?;
        Ok(())
    })
}

/// To a file beside it first: what was there before stays whole until the new one is.
fn written(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<(), Failure>) -> Result<(), FileError> {
    let unwritable = |source: Failure| FileError::Unwritable { path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = Path::new(&name);
    let all = || -> Result<(), Failure> {
        let mut file = BufWriter::new(File::create(part)?);
        write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        std::fs::rename(part, path)?;
        Ok(())
    };
    all().map_err(unwritable)
}

fn parquet_writer<'a>(
    file: &'a mut BufWriter<File>,
    schema: &str,
) -> Result<SerializedFileWriter<&'a mut BufWriter<File>>, Failure> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    Ok(SerializedFileWriter::new(file, Arc::new(parse_message_type(schema)?), Arc::new(properties))?)
}

fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), Failure> {
    let mut column = group.next_column()?.ok_or("the schema has fewer columns than the table")?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()?;
    Ok(())
}

fn optional<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), Failure> {
    let (mut there, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
    column::<T, W>(group, &there, Some(&levels))
}
