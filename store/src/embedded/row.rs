//! Daily records as rows of `daily_record`, exactly.

use chrono::Datelike;
use rusqlite::types::{Type, Value};
use rusqlite::{Error, Row};

use market::decimal::SCALE;
use market::history::FixedText;
use market::{DailyRecord, Date, InstrumentKind, Isin, Money, Price, Quantity, Symbol};

use crate::error::StoreError;

/// The columns that hold a record's fields, in the order of [`fields`].
const COLUMNS: &str = "bdi_code, kind, isin, company, specification, open, high, low, average, close, best_bid, \
                       best_ask, trades, quantity, turnover_centavos, strike, strike_correction, expiry, \
                       quotation_factor, strike_points, distribution";
const COLUMN_COUNT: usize = 21;

/// Takes a row whose key is free; changes nothing where it is taken. Parameters: listing, day,
/// import, then the [`fields`].
pub(super) fn insert_sql() -> String {
    format!(
        "INSERT INTO daily_record (listing, day, import, {COLUMNS}) VALUES (?1, ?2, ?3, {}) \
         ON CONFLICT (listing, day) DO NOTHING",
        parameters()
    )
}

/// Replaces a row that differs in any field; changes nothing where all are the same. Parameters as
/// for [`insert_sql`].
pub(super) fn update_sql() -> String {
    format!(
        "UPDATE daily_record SET (import, {COLUMNS}) = (?3, {values}) \
         WHERE listing = ?1 AND day = ?2 AND ({COLUMNS}) IS NOT ({values})",
        values = parameters()
    )
}

/// The records of one listing in a range of days.
pub(super) fn select_sql() -> String {
    format!("SELECT day, {COLUMNS} FROM daily_record WHERE listing = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day")
}

fn parameters() -> String {
    let numbered: Vec<String> = (0..COLUMN_COUNT).map(|column| format!("?{}", column + 4)).collect();
    numbered.join(", ")
}

/// The values of a record's columns, or the field that they could not hold exactly.
pub(super) fn fields(record: &DailyRecord) -> Result<[Value; COLUMN_COUNT], StoreError> {
    let price = |price: Price| Value::Integer(price.steps());
    let refused = |field, value: &dyn ToString| StoreError::NotStorable {
        key: key_text(record),
        field,
        value: value.to_string(),
    };
    let turnover = centavos(record.turnover).ok_or_else(|| refused("turnover", &record.turnover))?;
    let strike_points =
        i64::try_from(record.strike_points).map_err(|_| refused("strike in points", &record.strike_points))?;
    let expiry = match record.expiry {
        None => Value::Null,
        Some(date) => Value::Integer(day_number(date).ok_or_else(|| refused("expiry", &date))?.into()),
    };
    Ok([
        Value::Integer(record.bdi_code.into()),
        Value::Text(record.kind.name().to_owned()),
        record.isin.map_or(Value::Null, |isin| Value::Text(isin.as_str().to_owned())),
        Value::Text(text(&record.company)),
        Value::Text(text(&record.specification)),
        price(record.open),
        price(record.high),
        price(record.low),
        price(record.average),
        price(record.close),
        price(record.best_bid),
        price(record.best_ask),
        Value::Integer(record.trades.into()),
        Value::Integer(record.quantity.units()),
        Value::Integer(turnover),
        price(record.strike),
        Value::Integer(record.strike_correction.into()),
        expiry,
        Value::Integer(record.quotation_factor.into()),
        Value::Integer(strike_points),
        Value::Integer(record.distribution.into()),
    ])
}

/// The record of a row of [`select_sql`].
pub(super) fn record(symbol: Symbol, market_type: u16, term_days: u16, row: &Row<'_>) -> rusqlite::Result<DailyRecord> {
    let price = |name| row.get(name).map(Price::from_steps);
    Ok(DailyRecord {
        date: date(row.get("day")?)?,
        symbol,
        market_type,
        term_days,
        bdi_code: row.get("bdi_code")?,
        kind: kind(&row.get::<_, String>("kind")?)?,
        isin: isin(row.get("isin")?)?,
        company: fixed_text(&row.get::<_, String>("company")?)?,
        specification: fixed_text(&row.get::<_, String>("specification")?)?,
        open: price("open")?,
        high: price("high")?,
        low: price("low")?,
        average: price("average")?,
        close: price("close")?,
        best_bid: price("best_bid")?,
        best_ask: price("best_ask")?,
        trades: row.get("trades")?,
        quantity: Quantity::new(row.get("quantity")?),
        turnover: Money::from_cents(row.get("turnover_centavos")?),
        strike: price("strike")?,
        strike_correction: row.get("strike_correction")?,
        expiry: row.get::<_, Option<i64>>("expiry")?.map(date).transpose()?,
        quotation_factor: row.get("quotation_factor")?,
        strike_points: u64::try_from(row.get::<_, i64>("strike_points")?).map_err(|_| wrong("strike in points"))?,
        distribution: row.get("distribution")?,
    })
}

/// The key of a record, for people.
pub(super) fn key_text(record: &DailyRecord) -> String {
    let DailyRecord { date, symbol, market_type, term_days, .. } = record;
    match term_days {
        0 => format!("{symbol} on {date} (market type {market_type})"),
        days => format!("{symbol} on {date} (market type {market_type}, {days} days)"),
    }
}

/// `yyyymmdd`; `None` outside years 1 to 9999.
pub(super) fn day_number(date: Date) -> Option<i32> {
    (1..=9999).contains(&date.year()).then(|| i32::try_from(day_bound(date)).ok()).flatten()
}

/// `yyyymmdd` of any date, for comparing: in order also where it is not a stored day.
pub(super) fn day_bound(date: Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

/// The date of a stored day.
pub(super) fn date(day: i64) -> rusqlite::Result<Date> {
    let part = |value: i64| u32::try_from(value % 100).ok();
    let year = i32::try_from(day / 10_000).ok();
    let parts = year.zip(part(day / 100)).zip(part(day));
    parts.and_then(|((year, month), day)| Date::from_ymd_opt(year, month, day)).ok_or_else(|| wrong("day"))
}

pub(super) fn kind(name: &str) -> rusqlite::Result<InstrumentKind> {
    InstrumentKind::from_name(name).ok_or_else(|| wrong("kind"))
}

pub(super) fn symbol(text: &str) -> rusqlite::Result<Symbol> {
    text.parse().map_err(|_| wrong("symbol"))
}

pub(super) fn isin(text: Option<String>) -> rusqlite::Result<Option<Isin>> {
    text.map(|text| text.parse().map_err(|_| wrong("isin"))).transpose()
}

/// Text of a fixed-width field. Not its `Display`, which also trims what Unicode takes for space.
fn text<const N: usize>(fixed: &FixedText<N>) -> String {
    let bytes = fixed.as_latin1();
    let length = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    bytes[..length].iter().map(|byte| char::from(*byte)).collect()
}

pub(super) fn fixed_text<const N: usize>(text: &str) -> rusqlite::Result<FixedText<N>> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.ok().and_then(|bytes| FixedText::from_latin1(&bytes)).ok_or_else(|| wrong("fixed-width text"))
}

/// Whole centavos, as the exchange publishes turnover; `None` for a fraction of one or past 2^63.
fn centavos(money: Money) -> Option<i64> {
    let step = i128::from(SCALE / 100);
    (money.steps() % step == 0).then(|| i64::try_from(money.steps() / step).ok()).flatten()
}

/// A stored value that no record could have had.
fn wrong(what: &'static str) -> Error {
    Error::FromSqlConversionFailure(0, Type::Null, format!("stored {what} is not one").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddedStore;
    use crate::contract::history::{import, record as sample, stored};
    use chrono::Days;
    use proptest::prelude::*;

    #[test]
    fn days_are_in_order_and_come_back() {
        let days =
            ["-200000-12-31", "-0001-01-01", "0000-12-31", "0001-01-01", "2017-12-28", "9999-12-31", "+10000-01-01"];
        let days = days.map(|day| day.parse::<Date>().unwrap());
        assert!(days.is_sorted_by_key(|day| day_bound(*day)));
        for day in days {
            match day_number(day) {
                Some(number) => assert_eq!(date(number.into()).unwrap(), day),
                None => assert!(!(1..=9999).contains(&day.year())),
            }
        }
        assert_eq!(day_number(days[4]), Some(20_171_228));
        for wrong in [0, -20_171_228, 20_171_300, 20_170_229, i64::MAX, i64::MIN] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }

    prop_compose! {
        fn any_record()(
            numbers: (u16, u16, u16, u8, u32, u32, u16),
            kind in 0..InstrumentKind::ALL.len(),
            isin in prop::option::of("[A-Z0-9]{12}"),
            company: [u8; 12],
            specification: [u8; 10],
            prices: [i64; 8],
            quantity: i64,
            centavos: i64,
            expiry in prop::option::of(1_i32..3_652_059),
            strike_points in 0..i64::MAX as u64,
        ) -> DailyRecord {
            let (market_type, term_days, bdi_code, strike_correction, trades, quotation_factor, distribution) = numbers;
            let [open, high, low, average, close, best_bid, best_ask, strike] = prices.map(Price::from_steps);
            DailyRecord {
                market_type,
                term_days,
                bdi_code,
                kind: InstrumentKind::ALL[kind],
                isin: isin.map(|isin| isin.parse().unwrap()),
                company: FixedText::from_latin1(&company).unwrap(),
                specification: FixedText::from_latin1(&specification).unwrap(),
                open, high, low, average, close, best_bid, best_ask, strike,
                trades,
                quantity: Quantity::new(quantity),
                turnover: Money::from_cents(centavos),
                strike_correction,
                expiry: expiry.map(|days| Date::from_num_days_from_ce_opt(days).unwrap()),
                quotation_factor,
                strike_points,
                distribution,
                ..sample("PETR4", Date::from_ymd_opt(2017, 12, 28).unwrap())
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn any_record_comes_back_as_it_went_in(mut given in prop::collection::vec(any_record(), 1..50)) {
            let directory = tempfile::tempdir().unwrap();
            let mut history = EmbeddedStore::open(directory.path()).unwrap().history().unwrap();
            for (record, day) in given.iter_mut().zip(0..) {
                record.date = record.date + Days::new(day);
            }
            import(&mut history, &given).unwrap();
            given.sort_by_key(|record| (record.market_type, record.term_days, record.date));
            prop_assert_eq!(stored(&history, given[0].symbol).unwrap(), given.clone());
            prop_assert_eq!(import(&mut history, &given).unwrap().unchanged, given.len() as u64);
        }
    }
}
