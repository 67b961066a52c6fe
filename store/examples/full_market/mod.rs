//! A made-up full market of the size of B3's.

use std::error::Error;

use chrono::Days;
use market::history::{CASH_MARKET, FRACTIONAL_MARKET, FixedText};
use market::{DailyRecord, Date, InstrumentKind, Money, Price, Quantity, Symbol};

/// Sessions of a year.
pub(crate) const SESSIONS: u64 = 250;
/// Records of a session.
pub(crate) const ROWS: u64 = 10_000;

/// A year of records, day by day: 1,200 cash listings, 400 fractional, 400 forwards and 8,000
/// options out of the month's 16,000 series.
pub(crate) fn each_record(
    year: u64,
    mut take: impl FnMut(&DailyRecord) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let first = Date::from_ymd_opt(2016, 1, 4).ok_or("no such day")? + Days::new(year * 365);
    let mut random = 88_172_645_463_325_252_u64;
    for session in 0..SESSIONS {
        let month = char::from(b'A' + u8::try_from(session / 21)?);
        for row in 0..ROWS {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let (market_type, term_days, kind, symbol) = match row {
                0..1200 => (CASH_MARKET, 0, InstrumentKind::Share, format!("AB{row:03}3")),
                1200..1600 => (FRACTIONAL_MARKET, 0, InstrumentKind::Share, format!("AB{:03}3F", row - 1200)),
                1600..2000 => (30, 30, InstrumentKind::Forward, format!("AB{:03}3T", row - 1600)),
                _ => {
                    let series = (row - 2000) * 2 + random % 2;
                    (70, 0, InstrumentKind::CallOption, format!("C{year}{month}{series:05}"))
                }
            };
            take(&made_up(&symbol, market_type, term_days, kind, first + Days::new(session), random)?)?;
        }
    }
    Ok(())
}

fn made_up(
    symbol: &str,
    market_type: u16,
    term_days: u16,
    kind: InstrumentKind,
    date: Date,
    random: u64,
) -> Result<DailyRecord, Box<dyn Error>> {
    let base = i64::try_from(random % 10_000 + 100)?;
    let price = |offset: i64| Price::from_steps((base + offset) * 1_000_000);
    let option = kind == InstrumentKind::CallOption;
    Ok(DailyRecord {
        date,
        symbol: Symbol::from_bytes(symbol.as_bytes()).ok_or("no such symbol")?,
        market_type,
        term_days,
        bdi_code: if option { 78 } else { 2 },
        kind,
        isin: None,
        company: FixedText::from_latin1(b"PETROBRAS").ok_or("too long")?,
        specification: FixedText::from_latin1(b"PN      N2").ok_or("too long")?,
        open: price(0),
        high: price(3),
        low: price(-2),
        average: price(1),
        close: price(2),
        best_bid: price(1),
        best_ask: price(2),
        trades: u32::try_from(random % 30_000)?,
        quantity: Quantity::new(i64::try_from(random % 10_000_000)?),
        turnover: Money::from_cents(i64::try_from(random % 100_000_000_000)?),
        strike: if option { price(0) } else { Price::ZERO },
        strike_correction: 0,
        expiry: option.then(|| date + Days::new(20)),
        quotation_factor: 1,
        strike_points: 0,
        distribution: 190,
    })
}
