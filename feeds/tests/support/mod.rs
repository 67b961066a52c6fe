//! What several tests of this crate need.
#![allow(dead_code, reason = "every test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests, outside of any test function")]

pub(crate) mod bench;
pub(crate) mod double;
pub(crate) mod recorded;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use feeds::cotahist::{Header, Reader, Refused, Summary, Writer, kind::kind_of};
use market::history::FixedText;
use market::{DailyRecord, Date, Money, Price, Quantity};
use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A folder or file of the shelf of real data, if this machine has it. Says so if not.
pub(crate) fn shared_data(part: &str) -> Option<PathBuf> {
    let shelf = std::env::var_os("PREGAO_SHARED_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let path = shelf.join(part);
    if !path.exists() {
        eprintln!("SKIPPED: no shared data at {}; set PREGAO_SHARED_DATA", path.display());
        return None;
    }
    Some(path)
}

pub(crate) fn day(year: i32, month: u32, day: u32) -> Date {
    Date::from_ymd_opt(year, month, day).unwrap()
}

pub(crate) fn price(text: &str) -> Price {
    text.parse().unwrap()
}

pub(crate) const HEADER: Header = Header { year: 2024, generated: Date::from_ymd_opt(2024, 12, 30).unwrap() };

/// PETR4 on a day of 2024.
pub(crate) fn petr4(date: Date) -> DailyRecord {
    DailyRecord {
        date,
        symbol: "PETR4".parse().unwrap(),
        market_type: 10,
        term_days: 0,
        bdi_code: 2,
        kind: market::InstrumentKind::Share,
        isin: Some("BRPETRACNPR6".parse().unwrap()),
        company: FixedText::from_latin1(b"PETROBRAS").unwrap(),
        specification: FixedText::from_latin1(b"PN  EDJ N2").unwrap(),
        open: price("38.00"),
        high: price("38.50"),
        low: price("37.80"),
        average: price("38.15"),
        close: price("38.20"),
        best_bid: price("38.19"),
        best_ask: price("38.21"),
        trades: 27_382,
        quantity: Quantity::new(1_000),
        turnover: Money::from_cents(3_815_000),
        strike: Price::ZERO,
        strike_correction: 0,
        expiry: None,
        quotation_factor: 1,
        strike_points: 0,
        distribution: 230,
    }
}

/// The text of a file of these records.
pub(crate) fn text_of(records: &[DailyRecord]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), HEADER).unwrap();
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap()
}

/// Three good records.
pub(crate) fn small_file() -> Vec<u8> {
    text_of(&[2, 3, 4].map(|of_month| petr4(day(2024, 1, of_month))))
}

pub(crate) fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Everything a text gives.
pub(crate) fn read_all(text: &[u8]) -> (Vec<DailyRecord>, Result<Summary, Refused>) {
    let mut reader = Reader::new(text);
    let mut records = Vec::new();
    while let Some(record) = reader.next_record() {
        records.push(*record);
    }
    (records, reader.finish())
}

/// Any record that the layout can hold.
pub(crate) fn any_record() -> impl Strategy<Value = DailyRecord> {
    let names = ("[!-~]{1,12}", prop::option::of("[A-Z]{2}[A-Z0-9]{10}"), latin1(12), latin1(10));
    let codes = (0..1_000_u16, 0..1_000_u16, 0..100_u16, 0..10_u8, 0..1_000_u16);
    let prices =
        (prop::sample::select(vec![1_u32, 10, 100, 1_000]), prop::array::uniform8(cents()), any::<[bool; 2]>());
    let amounts = (0..100_000_u32, 0..10_i64.pow(18), 0..10_i128.pow(18), 0..10_u64.pow(13));
    let dates = (1..=366_u32, prop::option::of((0..9_999_i32, 1..=365_u32)));
    (names, codes, prices, amounts, dates).prop_map(|(names, codes, prices, amounts, dates)| {
        let (symbol, isin, company, specification) = names;
        let (market_type, term_days, bdi_code, strike_correction, distribution) = codes;
        let (factor, mut cents, [no_open, no_close]) = prices;
        let (trades, quantity, turnover, strike_points) = amounts;
        cents[..4].sort_unstable();
        let [low, open, close, high, average, best_bid, best_ask, strike] =
            cents.map(|cents| Price::from_steps(cents * 1_000_000 / i64::from(factor)));
        let none_if = |none: bool, price| if none { Price::ZERO } else { price };
        let company = FixedText::from_latin1(&company).unwrap();
        let specification = FixedText::from_latin1(&specification).unwrap();
        let isin_bytes = isin.as_ref().and_then(|isin| isin.as_bytes().first_chunk());
        DailyRecord {
            date: Date::from_yo_opt(2024, dates.0).unwrap(),
            symbol: symbol.parse().unwrap(),
            market_type,
            term_days,
            bdi_code,
            kind: kind_of(market_type, specification.as_latin1(), isin_bytes, company.as_latin1(), bdi_code),
            isin: isin.as_ref().map(|isin| isin.parse().unwrap()),
            company,
            specification,
            open: none_if(no_open, open),
            high,
            low,
            average,
            close: none_if(no_close, close),
            best_bid,
            best_ask,
            trades,
            quantity: Quantity::new(quantity),
            turnover: Money::from_steps(turnover * 1_000_000),
            strike,
            strike_correction,
            expiry: dates.1.map(|(year, ordinal)| Date::from_yo_opt(year, ordinal).unwrap()),
            quotation_factor: factor,
            strike_points,
            distribution,
        }
    })
}

/// Centavos as they are, and now and then up to the most that a price holds.
fn cents() -> impl Strategy<Value = i64> {
    prop_oneof![9 => 0..1_000_000_i64, 1 => 0..9_223_372_036_854_i64]
}

/// Printable latin-1.
fn latin1(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![4 => 0x20..0x7F_u8, 1 => 0xA0..=0xFF_u8], 0..=most)
}
