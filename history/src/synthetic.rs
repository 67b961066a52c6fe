//! Series for the tests of this crate: made, not observed.

use market::history::{CorporateAction, CorporateActionKind, HistoryBar, Interval, SourceName};
use market::{Calendar, Date, Price, Quantity, Timestamp};
use rust_decimal::Decimal;

pub(crate) const SOURCE: SourceName = SourceName::of("synthetic");

pub(crate) fn day(year: i32, month: u32, day: u32) -> Date {
    Date::from_ymd_opt(year, month, day).unwrap()
}

/// When the bar of a day begins.
pub(crate) fn midnight(date: Date) -> Timestamp {
    Timestamp::from_local(date.and_hms_opt(0, 0, 0).unwrap()).unwrap()
}

/// A bar with the same price throughout.
pub(crate) fn bar_on(symbol: &str, date: Date, close: &str) -> HistoryBar {
    bar_of_steps(symbol, date, close.parse::<Price>().unwrap().steps())
}

/// The same, from steps of 1e-8.
pub(crate) fn bar_of_steps(symbol: &str, date: Date, steps: i64) -> HistoryBar {
    let price = Price::from_steps(steps);
    HistoryBar {
        source: SOURCE,
        symbol: symbol.parse().unwrap(),
        interval: Interval::Day,
        begin: midnight(date),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Quantity::new(1_000),
        trades: None,
        turnover: None,
        adjusted_close: None,
    }
}

/// So many sessions of B3 from 2024-01-02 on.
pub(crate) fn sessions(count: usize) -> Vec<Date> {
    let mut sessions = Calendar::b3().sessions(day(2024, 1, 1), day(2026, 12, 31));
    sessions.truncate(count);
    sessions
}

pub(crate) fn action(kind: CorporateActionKind, last_date_prior: Date, amount: &str, ratio: &str) -> CorporateAction {
    CorporateAction {
        source: SOURCE,
        isin: None,
        symbol: Some("PETR4".parse().unwrap()),
        kind,
        last_date_prior,
        approved_on: None,
        payment_date: None,
        amount: amount.parse::<Decimal>().unwrap(),
        ratio: ratio.parse::<Decimal>().unwrap(),
        label: kind.name().to_owned(),
    }
}
