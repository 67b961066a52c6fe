//! Daily records as rows of `daily_record`, exactly.

use chrono::Datelike;
use rusqlite::types::Type;
use rusqlite::{Error, Row, Statement, ToSql};

use market::history::{CorporateActionKind, FixedText, Interval, QualityRule, SourceName};
use market::{DailyRecord, Date, InstrumentKind, Isin, Money, Price, Quantity, Symbol};
use rust_decimal::Decimal;

use crate::history::exact::{self, ExactDaily};

/// The columns that hold a record's fields, in the order of [`bind`].
const COLUMNS: &str = "bdi_code, kind, isin, company, specification, open, high, low, average, close, best_bid, \
                       best_ask, trades, quantity, turnover_centavos, strike, strike_correction, expiry, \
                       quotation_factor, strike_points, distribution";
const COLUMN_COUNT: usize = 21;

/// Takes a row whose key is free; changes nothing where it is taken. Parameters as [`bind`] gives them.
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

/// Gives a statement its parameters: listing, day and import, then the columns of the record.
pub(super) fn bind(
    statement: &mut Statement<'_>,
    key: (i64, i32, i64),
    record: &DailyRecord,
    exact: ExactDaily,
) -> rusqlite::Result<()> {
    let (listing, day, import) = key;
    let prices = [record.open, record.high, record.low, record.average, record.close, record.best_bid, record.best_ask];
    let expiry = record.expiry.and_then(day_number);
    let mut next = 0;
    let mut put = |value: &dyn ToSql| {
        next += 1;
        statement.raw_bind_parameter(next, value)
    };
    put(&listing)?;
    put(&day)?;
    put(&import)?;
    put(&record.bdi_code)?;
    put(&record.kind.name())?;
    put(&record.isin.as_ref().map(Isin::as_str))?;
    put(&exact::fixed(&record.company))?;
    put(&exact::fixed(&record.specification))?;
    for price in prices {
        put(&price.steps())?;
    }
    put(&record.trades)?;
    put(&record.quantity.units())?;
    put(&exact.turnover_centavos)?;
    put(&record.strike.steps())?;
    put(&record.strike_correction)?;
    put(&expiry)?;
    put(&record.quotation_factor)?;
    put(&exact.strike_points)?;
    put(&record.distribution)
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

pub(super) fn source(text: &str) -> rusqlite::Result<SourceName> {
    text.parse().map_err(|_| wrong("source"))
}

pub(super) fn interval(text: &str) -> rusqlite::Result<Interval> {
    text.parse().map_err(|_| wrong("interval"))
}

pub(super) fn action_kind(text: &str) -> rusqlite::Result<CorporateActionKind> {
    CorporateActionKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| wrong("kind of action"))
}

pub(super) fn rule(text: &str) -> rusqlite::Result<QualityRule> {
    QualityRule::ALL.into_iter().find(|rule| rule.name() == text).ok_or_else(|| wrong("rule"))
}

pub(super) fn decimal(text: &str) -> rusqlite::Result<Decimal> {
    text.parse().map_err(|_| wrong("decimal"))
}

pub(super) fn fixed_text<const N: usize>(text: &str) -> rusqlite::Result<FixedText<N>> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.ok().and_then(|bytes| FixedText::from_latin1(&bytes)).ok_or_else(|| wrong("fixed-width text"))
}

/// A stored value that no record could have had.
pub(super) fn wrong(what: &'static str) -> Error {
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
