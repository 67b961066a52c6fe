//! Bars in Parquet, ours and those of data frames. Columns are found by name:
//!
//! | column | type | |
//! |---|---|---|
//! | `begin`, `ts`, `timestamp` or `date` | date, or timestamp of any unit | one that is not adjusted to UTC is São Paulo's clock; a bare 64-bit number is nanoseconds UTC |
//! | `symbol` or `ticker` | text | may be left out: the caller, or the file's name |
//! | `interval` | text such as `1d`, `15m` | may be left out: the caller; days where the time is a date |
//! | `open`, `high`, `low`, `close` | decimal, double, float or whole number | |
//! | `volume` | the same | whole |
//! | `source` | text | may be left out: `parquet` |
//! | `trades`, `turnover`, `adjusted_close` | as above | may be left out or null |
//!
//! Other columns are not looked at. A double is taken for the shortest decimal that is the same
//! double: what a vendor's `38.1` was before a data frame held it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use chrono::{DateTime, NaiveTime, Utc};
use market::history::{HistoryBar, Interval, SourceName};
use market::{Date, Money, Price, Quantity, Timestamp};
use parquet::basic::{LogicalType, TimeUnit};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;

use super::Place;
use super::bars_csv::Order;
use super::failure::FileError;
use super::series::fault;
use crate::source::{Item, Take};

/// The source of bars that do not name one.
pub const SOURCE: SourceName = SourceName::of("parquet");

const TIMES: [&str; 4] = ["begin", "ts", "timestamp", "date"];
const SYMBOLS: [&str; 2] = ["symbol", "ticker"];

pub(super) fn parse(bytes: &[u8], place: &Place<'_>, take: &mut Take<'_>) -> Result<u64, FileError> {
    let reader = guarded(place, || SerializedFileReader::new(Bytes::copy_from_slice(bytes)))?;
    let columns = Columns::find(reader.metadata().file_metadata().schema(), place)?;
    let mut rows = guarded(place, || reader.get_row_iter(None))?;
    let (mut order, mut items) = (Order::default(), 0);
    while let Some(row) = guarded(place, || rows.next().transpose())? {
        items += 1;
        let bar = columns.bar(&Cells { row: &row, number: items, place })?;
        order.check(&bar, items, place.path)?;
        take(Item::Bar(bar)).map_err(FileError::Stopped)?;
    }
    Ok(items)
}

/// One step of the library's. On damaged files some of its versions panic where others refuse (60.1
/// does at a negative offset), and a file must not end the program. After a panic nothing of the
/// reader is used again.
fn guarded<T>(place: &Place<'_>, step: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, FileError> {
    let broken = |says: &str| fault(place.path, 0, "file", says, "is no Parquet file that can be read; save it again");
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(|error| broken(&error.to_string())),
        Err(panic) => Err(broken(panic.downcast_ref::<&str>().unwrap_or(&"it is damaged"))),
    }
}

/// Where each value stands in a row.
struct Columns {
    time: usize,
    time_name: String,
    /// For a timestamp in nanoseconds, which rows hand over as a bare number.
    nanos_local: bool,
    /// Whether a timestamp of another unit is local.
    local: bool,
    symbol: Option<usize>,
    interval: Option<usize>,
    source: Option<usize>,
    /// Open, high, low, close.
    prices: [usize; 4],
    volume: usize,
    trades: Option<usize>,
    turnover: Option<usize>,
    adjusted_close: Option<usize>,
}

impl Columns {
    fn find(schema: &Type, place: &Place<'_>) -> Result<Self, FileError> {
        let fields = schema.get_fields();
        let names: Vec<String> = fields.iter().map(|field| field.name().to_ascii_lowercase()).collect();
        let find = |wanted: &str| names.iter().position(|name| name == wanted);
        let need = |found: Option<usize>, wanted: &str| {
            found.ok_or_else(|| {
                let reason = format!("the column '{wanted}' is missing");
                fault(place.path, 0, "columns", &names.join(","), reason)
            })
        };
        let time = need(TIMES.iter().find_map(|name| find(name)), "begin")?;
        let logical = fields[time].get_basic_info().logical_type_ref();
        let (nanos_local, local) = match logical {
            Some(LogicalType::Timestamp(time)) => {
                let local = !time.is_adjusted_to_u_t_c;
                (local && time.unit == TimeUnit::NANOS, local)
            }
            _ => (false, false),
        };
        let prices = ["open", "high", "low", "close"].map(|name| need(find(name), name));
        let [open, high, low, close] = prices;
        Ok(Self {
            time,
            time_name: names[time].clone(),
            nanos_local,
            local,
            symbol: SYMBOLS.iter().find_map(|name| find(name)),
            interval: find("interval"),
            source: find("source"),
            prices: [open?, high?, low?, close?],
            volume: need(find("volume"), "volume")?,
            trades: find("trades"),
            turnover: find("turnover"),
            adjusted_close: find("adjusted_close"),
        })
    }

    fn bar(&self, cells: &Cells<'_>) -> Result<HistoryBar, FileError> {
        let [open, high, low, close] = self.prices;
        let (begin, is_date) = self.begin(cells)?;
        let steps = |column: Option<usize>, name: &str| match column {
            Some(column) => cells.steps(column, name),
            None => Ok(None),
        };
        let price = |column, name: &str| -> Result<Price, FileError> {
            let steps = cells.steps(column, name)?.ok_or_else(|| cells.fault(column, name, "expected a price"))?;
            i64::try_from(steps).map(Price::from_steps).map_err(|_| cells.fault(column, name, "is out of range"))
        };
        let whole = |column: usize, name: &str| -> Result<Option<i64>, FileError> {
            let scale = i128::from(market::decimal::SCALE);
            let whole = |steps: i128| (steps % scale == 0).then(|| i64::try_from(steps / scale).ok()).flatten();
            match cells.steps(column, name)? {
                Some(steps) => {
                    whole(steps).map(Some).ok_or_else(|| cells.fault(column, name, "expected a whole number"))
                }
                None => Ok(None),
            }
        };
        let trades = match self.trades {
            Some(column) => whole(column, "trades")?
                .map(|trades| u32::try_from(trades).map_err(|_| cells.fault(column, "trades", "is out of range")))
                .transpose()?,
            None => None,
        };
        let units =
            whole(self.volume, "volume")?.ok_or_else(|| cells.fault(self.volume, "volume", "expected units"))?;
        Ok(HistoryBar {
            source: match self.source {
                Some(column) => cells.parsed(column, "source")?,
                None => SOURCE,
            },
            symbol: match self.symbol {
                Some(column) => cells.parsed(column, "symbol")?,
                None => cells.place.symbol()?,
            },
            interval: self.interval(cells, is_date)?,
            begin,
            open: price(open, "open")?,
            high: price(high, "high")?,
            low: price(low, "low")?,
            close: price(close, "close")?,
            volume: Quantity::new(units),
            trades,
            turnover: steps(self.turnover, "turnover")?.map(Money::from_steps),
            adjusted_close: match self.adjusted_close {
                Some(column) if cells.steps(column, "adjusted_close")?.is_some() => {
                    Some(price(column, "adjusted_close")?)
                }
                _ => None,
            },
        })
    }

    fn interval(&self, cells: &Cells<'_>, is_date: bool) -> Result<Interval, FileError> {
        match (self.interval, cells.place.hints.interval) {
            (Some(column), _) => cells.parsed(column, "interval"),
            (None, Some(interval)) => Ok(interval),
            (None, None) if is_date => Ok(Interval::Day),
            (None, None) => Err(FileError::Unsaid {
                path: cells.place.path.to_owned(),
                what: "how long its bars are",
                remedy: "give the interval, such as 1d or 15m, or a column 'interval'".to_owned(),
            }),
        }
    }

    /// When a bar began, and whether that is a day.
    fn begin(&self, cells: &Cells<'_>) -> Result<(Timestamp, bool), FileError> {
        let local = |utc: DateTime<Utc>| match self.local {
            true => Timestamp::from_local(utc.naive_utc()),
            false => utc.timestamp_nanos_opt().map(Timestamp::from_nanos),
        };
        let found = match cells.field(self.time) {
            Some(Field::Date(days)) => {
                let date = Date::from_epoch_days(*days);
                (date.and_then(|date| Timestamp::from_local(date.and_time(NaiveTime::MIN))), true)
            }
            Some(Field::TimestampMillis(millis)) => (DateTime::from_timestamp_millis(*millis).and_then(local), false),
            Some(Field::TimestampMicros(micros)) => (DateTime::from_timestamp_micros(*micros).and_then(local), false),
            Some(Field::Long(nanos)) if self.nanos_local => {
                (Timestamp::from_local(DateTime::from_timestamp_nanos(*nanos).naive_utc()), false)
            }
            Some(Field::Long(nanos)) => (Some(Timestamp::from_nanos(*nanos)), false),
            _ => (None, false),
        };
        let (begin, is_date) = found;
        let reason = "expected a date or a timestamp between 1678 and 2261";
        Ok((begin.ok_or_else(|| cells.fault(self.time, &self.time_name, reason))?, is_date))
    }
}

/// One row.
struct Cells<'a> {
    row: &'a Row,
    number: u64,
    place: &'a Place<'a>,
}

impl Cells<'_> {
    fn field(&self, column: usize) -> Option<&Field> {
        self.row.get_column_iter().nth(column).map(|(_, field)| field)
    }

    fn fault(&self, column: usize, name: &str, reason: &str) -> FileError {
        let value = self.field(column).map(Field::to_string).unwrap_or_default();
        fault(self.place.path, self.number, name, &value, reason)
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, column: usize, name: &str) -> Result<T, FileError> {
        match self.field(column) {
            Some(Field::Str(text)) => {
                text.parse().map_err(|error: T::Err| self.fault(column, name, &error.to_string()))
            }
            _ => Err(self.fault(column, name, "expected a text")),
        }
    }

    /// A number in steps of 1e-8, exactly; none for null.
    fn steps(&self, column: usize, name: &str) -> Result<Option<i128>, FileError> {
        let scale = i128::from(market::decimal::SCALE);
        let whole = |value: i128| value.checked_mul(scale);
        let found = match self.field(column) {
            None | Some(Field::Null) => return Ok(None),
            Some(Field::Byte(value)) => whole((*value).into()),
            Some(Field::Short(value)) => whole((*value).into()),
            Some(Field::Int(value)) => whole((*value).into()),
            Some(Field::Long(value)) => whole((*value).into()),
            Some(Field::UByte(value)) => whole((*value).into()),
            Some(Field::UShort(value)) => whole((*value).into()),
            Some(Field::UInt(value)) => whole((*value).into()),
            Some(Field::ULong(value)) => whole((*value).into()),
            // The shortest text that is this very number.
            Some(Field::Double(value)) => value.to_string().parse().ok().map(Money::steps),
            Some(Field::Float(value)) => value.to_string().parse().ok().map(Money::steps),
            Some(Field::Decimal(value)) => steps_of(value.data(), value.scale()),
            Some(_) => None,
        };
        let reason = "expected a number with at most 8 decimal places";
        found.map(Some).ok_or_else(|| self.fault(column, name, reason))
    }
}

/// A decimal's bytes, the highest first, in steps of 1e-8.
fn steps_of(bytes: &[u8], scale: i32) -> Option<i128> {
    // Bytes before the last sixteen only repeat the sign in what fits.
    let (extra, low) = bytes.split_at(bytes.len().saturating_sub(16));
    let negative = bytes.first()? & 0x80 != 0;
    let filler = if negative { 0xFF } else { 0 };
    if extra.iter().any(|byte| *byte != filler) {
        return None;
    }
    let mut all = [filler; 16];
    all[16 - low.len()..].copy_from_slice(low);
    let value = i128::from_be_bytes(all);
    let places = market::decimal::DECIMALS as i32 - scale;
    let power = 10_i128.checked_pow(places.unsigned_abs())?;
    if places >= 0 { value.checked_mul(power) } else { (value % power == 0).then(|| value / power) }
}
