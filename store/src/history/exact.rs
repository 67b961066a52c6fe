//! What no store could give back as it came, refused before anything is written; and how a row is
//! named to people.

use std::borrow::Cow;

use chrono::Datelike;
use market::decimal::SCALE;
use market::history::{CorporateAction, FixedText, HistoryBar, IndexMember};
use market::{DailyRecord, Date, IndexClose, Money, Timestamp};

use super::series::BarSeries;
use crate::error::StoreError;

/// Steps of a stored bar's turnover in one BRL. Sources multiply prices of up to four decimals with
/// whole units; 2^63 of these steps are 900 trillion BRL.
pub(crate) const TURNOVER_STEPS: i64 = 10_000;

/// Nanoseconds in the finest step of time that both stores keep: Postgres counts microseconds.
pub(crate) const TIME_STEP: i64 = 1_000;

/// The fields of a daily record that are not stored as they are.
#[derive(Clone, Copy)]
pub(crate) struct ExactDaily {
    pub(crate) turnover_centavos: i64,
    pub(crate) strike_points: i64,
}

/// A daily record's awkward fields, or which of them no row could hold.
pub(crate) fn daily(record: &DailyRecord) -> Result<ExactDaily, StoreError> {
    let key = || daily_key(record);
    day(record.date, "date", key)?;
    if let Some(expiry) = record.expiry {
        day(expiry, "expiry", key)?;
    }
    let turnover_centavos = scaled(record.turnover, 100).ok_or_else(|| refused(key(), "turnover", &record.turnover))?;
    let strike_points =
        i64::try_from(record.strike_points).map_err(|_| refused(key(), "strike in points", &record.strike_points))?;
    Ok(ExactDaily { turnover_centavos, strike_points })
}

/// A bar's turnover in its steps, if every field of the bar can be held.
pub(crate) fn bar(bar: &HistoryBar) -> Result<Option<i64>, StoreError> {
    moment(bar.begin, "begin", || bar_key(bar))?;
    let exact = |turnover| scaled(turnover, TURNOVER_STEPS).ok_or_else(|| refused(bar_key(bar), "turnover", &turnover));
    bar.turnover.map(exact).transpose()
}

pub(crate) fn index_close(index: &str, close: &IndexClose) -> Result<(), StoreError> {
    text(index, "index", || close_key(index, close))?;
    day(close.date, "date", || close_key(index, close))
}

pub(crate) fn action(action: &CorporateAction) -> Result<(), StoreError> {
    let key = || action_key(action);
    if action.isin.is_none() && action.symbol.is_none() {
        return Err(refused(key(), "ISIN or symbol", &"neither is there"));
    }
    day(action.last_date_prior, "last day with the right", key)?;
    for (date, field) in [(action.approved_on, "approval date"), (action.payment_date, "payment date")] {
        date.map_or(Ok(()), |date| day(date, field, key))?;
    }
    text(&action.label, "label", key)
}

pub(crate) fn member(member: &IndexMember) -> Result<(), StoreError> {
    day(member.date, "date", || member_key(member))
}

/// Years 1 to 9999, which every store and every reader of it can write down.
pub(crate) fn day(date: Date, field: &'static str, key: impl FnOnce() -> String) -> Result<(), StoreError> {
    if (1..=9999).contains(&date.year()) { Ok(()) } else { Err(refused(key(), field, &date)) }
}

pub(crate) fn moment(at: Timestamp, field: &'static str, key: impl FnOnce() -> String) -> Result<(), StoreError> {
    if at.as_nanos() % TIME_STEP == 0 { Ok(()) } else { Err(refused(key(), field, &at)) }
}

/// Postgres has no text with a NUL in it.
pub(crate) fn text(given: &str, field: &'static str, key: impl FnOnce() -> String) -> Result<(), StoreError> {
    if given.contains('\0') { Err(refused(key(), field, &"a text with a NUL character")) } else { Ok(()) }
}

/// Text of a fixed-width field. Not its `Display`, which also trims what Unicode takes for space.
pub(crate) fn fixed<const N: usize>(fixed: &FixedText<N>) -> Cow<'_, str> {
    let bytes = fixed.as_latin1();
    let length = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    let bytes = &bytes[..length];
    match str::from_utf8(bytes) {
        Ok(text) if bytes.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

pub(crate) fn refused(key: String, field: &'static str, value: &dyn ToString) -> StoreError {
    StoreError::NotStorable { key, field, value: value.to_string() }
}

/// Whole steps of so many in a BRL; `None` for a fraction of one or past 2^63.
fn scaled(money: Money, steps: i64) -> Option<i64> {
    let step = i128::from(SCALE / steps);
    (money.steps() % step == 0).then(|| i64::try_from(money.steps() / step).ok()).flatten()
}

/// The money of a bar's stored turnover.
pub(crate) fn turnover(steps: i64) -> Money {
    Money::from_steps(i128::from(steps) * i128::from(SCALE / TURNOVER_STEPS))
}

pub(crate) fn series_of(bar: &HistoryBar) -> BarSeries {
    BarSeries { source: bar.source, symbol: bar.symbol, interval: bar.interval }
}

pub(crate) fn daily_key(record: &DailyRecord) -> String {
    let DailyRecord { date, symbol, market_type, term_days, .. } = record;
    match term_days {
        0 => format!("{symbol} on {date} (market type {market_type})"),
        days => format!("{symbol} on {date} (market type {market_type}, {days} days)"),
    }
}

pub(crate) fn bar_key(bar: &HistoryBar) -> String {
    let HistoryBar { source, symbol, interval, begin, .. } = bar;
    format!("the {interval} bar of {symbol} at {begin} from {source}")
}

pub(crate) fn close_key(index: &str, close: &IndexClose) -> String {
    format!("{} on {}", index.replace('\0', "␀"), close.date)
}

pub(crate) fn action_key(action: &CorporateAction) -> String {
    let CorporateAction { source, isin, symbol, kind, last_date_prior, amount, ratio, .. } = action;
    let whose = match (symbol, isin) {
        (Some(symbol), Some(isin)) => format!("{symbol} ({isin})"),
        (Some(symbol), None) => symbol.to_string(),
        (None, Some(isin)) => isin.to_string(),
        (None, None) => "nobody".to_owned(),
    };
    let kind = kind.name();
    format!("{kind} of {whose} after {last_date_prior}, amount {amount}, ratio {ratio}, from {source}")
}

pub(crate) fn member_key(member: &IndexMember) -> String {
    let IndexMember { index, date, symbol, .. } = member;
    format!("{symbol} in {index} on {date}")
}
