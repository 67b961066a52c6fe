//! One file per source: its facts, its addresses, its decoder. What several of them need is here.

pub mod alpha_vantage;
pub mod b3_composition;
pub mod b3_corporate_actions;
pub mod b3_cotahist;
pub mod b3_index;
mod b3_listed;
pub mod b3_quotes;
pub mod b3_trades;
pub mod brapi;
mod json;
pub mod yahoo;

use chrono::{DateTime, NaiveTime};
use market::history::{HistoryBar, Interval, SourceName};
use market::{Calendar, Date, Price, Quantity, Symbol, Timestamp};
use sha2::{Digest, Sha256};

use crate::source::{Ask, Facts, Secret, Settings, SourceError};
use json::Node;

/// The address of a source, or that of a mirror or test that stands in for it.
fn base_url(settings: &Settings, own: &str) -> String {
    settings.base_url.clone().unwrap_or_else(|| own.to_owned())
}

/// The name of a request that brings some symbols only. What was kept for other symbols must not count
/// for these, so they are part of it.
fn key(what: &str, symbols: &[Symbol]) -> String {
    const NAMED: usize = 5;
    match symbols {
        [] => what.to_owned(),
        _ if symbols.len() <= NAMED => {
            let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
            format!("{what} of {}", names.join(","))
        }
        _ => {
            let mut hasher = Sha256::new();
            symbols.iter().for_each(|symbol| hasher.update(format!("{symbol},")));
            let digest = hasher.finalize();
            let start: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            format!("{what} of {} symbols {start}", symbols.len())
        }
    }
}

/// A question that this source does not answer.
fn not_answered(facts: &Facts, problem: impl Into<String>, remedy: impl Into<String>) -> SourceError {
    SourceError::NotAnswered { source_name: facts.name, problem: problem.into(), remedy: remedy.into() }
}

/// Refuses a question that this source does not answer at all, or whose days are the wrong way round.
fn check(facts: &Facts, ask: &Ask) -> Result<(), SourceError> {
    if !facts.answers.contains(&ask.subject) {
        let answers: Vec<String> = facts.answers.iter().map(|subject| format!("{subject:?}")).collect();
        let remedy = format!("it can be asked for {}", answers.join(", "));
        return Err(not_answered(facts, format!("{:?}", ask.subject), remedy));
    }
    if ask.from > ask.to {
        return Err(not_answered(facts, format!("from {} to {}", ask.from, ask.to), "swap the two days"));
    }
    Ok(())
}

/// The key of a source that answers nobody without one.
fn secret(facts: &Facts, settings: &Settings) -> Result<Secret, SourceError> {
    let missing = || SourceError::SecretMissing {
        source_name: facts.name,
        variable: format!("PREGAO_SECRET_{}", facts.name.as_str().to_uppercase()),
    };
    settings.secret.clone().filter(|secret| !secret.reveal().trim().is_empty()).ok_or_else(missing)
}

/// Seconds since 1970 in a reply, as an instant.
fn epoch(node: &Node<'_>) -> Result<Timestamp, SourceError> {
    let seconds = node.whole()?;
    // 1950 to 2200: nobody trades beyond.
    let sensible = (-631_152_000..=7_258_118_400).contains(&seconds);
    let at = DateTime::from_timestamp(seconds, 0).and_then(|at| at.timestamp_nanos_opt());
    at.filter(|_| sensible).map(Timestamp::from_nanos).ok_or_else(|| node.wrong("seconds since 1970 belong here"))
}

/// The begin of a day's bar.
fn midnight(date: Date) -> Option<Timestamp> {
    Timestamp::from_local(date.and_time(NaiveTime::MIN))
}

/// Open, high, low and close that belong together, or what is wrong with them.
fn check_range([open, high, low, close]: [Price; 4]) -> Result<(), String> {
    let held = low..=high;
    if held.contains(&open) && held.contains(&close) {
        return Ok(());
    }
    Err(format!("open {open}, high {high}, low {low} and close {close} do not belong together"))
}

/// A bar from what a source says of it.
fn bar(
    source: SourceName,
    symbol: Symbol,
    interval: Interval,
    begin: Timestamp,
    [open, high, low, close]: [Price; 4],
    volume: Quantity,
) -> HistoryBar {
    HistoryBar {
        source,
        symbol,
        interval,
        begin,
        open,
        high,
        low,
        close,
        volume,
        trades: None,
        turnover: None,
        adjusted_close: None,
    }
}

/// The last session before an ex-date, by B3's calendar; the day before where the calendar does not reach.
fn last_with_the_right(ex_date: Date) -> Date {
    Calendar::b3().previous_session(ex_date).or_else(|| ex_date.pred_opt()).unwrap_or(ex_date)
}
