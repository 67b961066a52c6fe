//! The common history of a universe: closes of several symbols over the sessions that all of them
//! have seen, and who makes it as short as it is.
//!
//! The span goes from the latest first bar to the earliest last bar; the symbols that set the two
//! ends are named. Its dates are the calendar's sessions. Where a symbol has no bar the panel says
//! so: nothing is carried forward, nothing is put between. Bars of closed days and prices of zero
//! are no bars here; leave quarantined ones out before (`quality::clean`).
//!
//! Whoever has too little is left out, with the reason, and the span is looked at again without him:
//! one at a time, the worst first, because leaving one out may lengthen the span for the others.

use std::collections::BTreeMap;

use market::history::HistoryBar;
use market::{Calendar, Date, Price, Symbol};
use serde::Serialize;

use crate::renames::TickerSpan;

/// One symbol and its daily bars, or adjusted ones; days and closes are looked at.
#[derive(Clone, Debug)]
pub struct Member {
    /// Ticker.
    pub symbol: Symbol,
    /// Close of each day.
    pub closes: BTreeMap<Date, Price>,
}

impl Member {
    /// From daily bars.
    pub fn of_bars(symbol: Symbol, bars: &[HistoryBar]) -> Self {
        Self { symbol, closes: bars.iter().map(|bar| (bar.date(), bar.close)).collect() }
    }
}

/// What is asked of a panel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Demand {
    /// Nothing before this day.
    pub from: Option<Date>,
    /// Nothing after this day.
    pub to: Option<Date>,
    /// Sessions that every symbol and the panel must have.
    pub minimum_sessions: usize,
    /// Most sessions in a hundred that a symbol may lack within the span.
    pub most_gaps_percent: f64,
}

/// Closes side by side.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Panel {
    /// Sessions, ascending.
    pub dates: Vec<Date>,
    /// One column for each symbol, in the order in which they were given.
    pub columns: Vec<Column>,
    /// Those whose history begins last: without them the panel would begin earlier.
    pub start_bound_by: Vec<Symbol>,
    /// Those whose history ends first.
    pub end_bound_by: Vec<Symbol>,
    /// Who was left out, and why.
    pub excluded: Vec<Exclusion>,
}

/// One symbol of a panel.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Column {
    /// Ticker.
    pub symbol: Symbol,
    /// Close of each date, or none where there was no bar.
    pub closes: Vec<Option<Price>>,
    /// How many are none.
    pub missing: usize,
}

/// Who was left out.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Exclusion {
    /// Ticker.
    pub symbol: Symbol,
    /// Why.
    pub reason: Reason,
}

/// Why a symbol was left out.
#[derive(Clone, PartialEq, Debug, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No bar between the days that were asked for.
    #[error("has no bar in the days that were asked for")]
    NoBars,
    /// Fewer sessions than are demanded.
    #[error("has {sessions} sessions where {minimum} are demanded")]
    TooShort {
        /// Its own.
        sessions: usize,
        /// The demand.
        minimum: usize,
    },
    /// More gaps than are allowed.
    #[error("lacks {missing} of {sessions} sessions, more than {most_percent} %")]
    TooManyGaps {
        /// Sessions without a bar.
        missing: usize,
        /// Sessions of the span.
        sessions: usize,
        /// The bound.
        most_percent: f64,
    },
}

/// Why there is no panel.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum PanelError {
    /// Everybody was left out, or nobody was there.
    #[error("no symbol is left: {}", told(.0))]
    Nobody(Vec<Exclusion>),
    /// The common span is shorter than demanded.
    #[error(
        "the common history has {sessions} sessions where {minimum} are demanded: it begins on {start} because of \
         {} and ends on {end} because of {}; leave them out, or demand less",
        names(start_bound_by),
        names(end_bound_by)
    )]
    TooShort {
        /// Of the common span.
        sessions: usize,
        /// The demand.
        minimum: usize,
        /// Its first day.
        start: Date,
        /// Its last day.
        end: Date,
        /// Who begins last.
        start_bound_by: Vec<Symbol>,
        /// Who ends first.
        end_bound_by: Vec<Symbol>,
    },
    /// Bars outside the calendar's span: which days are sessions is not known there.
    #[error("sessions are known from {first} to {last} only; ask for days between them")]
    CalendarUnknown {
        /// First known day.
        first: Date,
        /// Last known day.
        last: Date,
    },
    /// A symbol was given twice.
    #[error("{0} was given twice; join its histories first")]
    Twice(Symbol),
}

fn told(excluded: &[Exclusion]) -> String {
    let told: Vec<String> = excluded.iter().map(|one| format!("{} {}", one.symbol, one.reason)).collect();
    if told.is_empty() { "none was given".to_owned() } else { told.join("; ") }
}

fn names(symbols: &[Symbol]) -> String {
    symbols.iter().map(Symbol::to_string).collect::<Vec<_>>().join(", ")
}

/// The panel of these symbols.
///
/// # Errors
/// Nobody is left, or the common span is too short or not known.
pub fn panel(members: &[Member], calendar: &Calendar, demand: &Demand) -> Result<Panel, PanelError> {
    let mut excluded = Vec::new();
    let mut kept: Vec<Member> = Vec::with_capacity(members.len());
    for member in members {
        if kept.iter().any(|other| other.symbol == member.symbol) {
            return Err(PanelError::Twice(member.symbol));
        }
        let member = within(member, calendar, demand)?;
        match too_short(&member, demand) {
            Some(reason) => excluded.push(Exclusion { symbol: member.symbol, reason }),
            None => kept.push(member),
        }
    }
    loop {
        let Some(span) = Span::of(&kept) else { return Err(PanelError::Nobody(excluded)) };
        let dates = calendar.sessions(span.start, span.end);
        if dates.len() < demand.minimum_sessions {
            let Span { start, end, start_bound_by, end_bound_by } = span;
            let (sessions, minimum) = (dates.len(), demand.minimum_sessions);
            return Err(PanelError::TooShort { sessions, minimum, start, end, start_bound_by, end_bound_by });
        }
        let columns: Vec<Column> = kept.iter().map(|member| column(member, &dates)).collect();
        // The first of those that lack most.
        let worst = (0..columns.len()).rev().max_by_key(|place| columns[*place].missing);
        match worst.filter(|place| lacks_too_much(columns[*place].missing, dates.len(), demand)) {
            Some(place) => {
                let (symbol, missing, sessions) = (columns[place].symbol, columns[place].missing, dates.len());
                let reason = Reason::TooManyGaps { missing, sessions, most_percent: demand.most_gaps_percent };
                excluded.push(Exclusion { symbol, reason });
                kept.remove(place);
            }
            None => {
                let Span { start_bound_by, end_bound_by, .. } = span;
                return Ok(Panel { dates, columns, start_bound_by, end_bound_by, excluded });
            }
        }
    }
}

/// The member's closes on sessions between the days that were asked for.
fn within(member: &Member, calendar: &Calendar, demand: &Demand) -> Result<Member, PanelError> {
    let mut closes = BTreeMap::new();
    for (date, close) in &member.closes {
        if demand.from.is_some_and(|from| *date < from) || demand.to.is_some_and(|to| *date > to) {
            continue;
        }
        match calendar.is_session(*date) {
            None => {
                return Err(PanelError::CalendarUnknown { first: calendar.first_day(), last: calendar.horizon() });
            }
            Some(true) if *close > Price::ZERO => drop(closes.insert(*date, *close)),
            Some(_) => {}
        }
    }
    Ok(Member { symbol: member.symbol, closes })
}

fn too_short(member: &Member, demand: &Demand) -> Option<Reason> {
    let (sessions, minimum) = (member.closes.len(), demand.minimum_sessions);
    match sessions {
        0 => Some(Reason::NoBars),
        _ if sessions < minimum => Some(Reason::TooShort { sessions, minimum }),
        _ => None,
    }
}

fn lacks_too_much(missing: usize, sessions: usize, demand: &Demand) -> bool {
    missing as f64 * 100.0 > demand.most_gaps_percent * sessions as f64
}

fn column(member: &Member, dates: &[Date]) -> Column {
    let closes: Vec<Option<Price>> = dates.iter().map(|date| member.closes.get(date).copied()).collect();
    let missing = closes.iter().filter(|close| close.is_none()).count();
    Column { symbol: member.symbol, closes, missing }
}

struct Span {
    start: Date,
    end: Date,
    start_bound_by: Vec<Symbol>,
    end_bound_by: Vec<Symbol>,
}

impl Span {
    fn of(members: &[Member]) -> Option<Self> {
        let first = |member: &Member| member.closes.keys().next().copied();
        let last = |member: &Member| member.closes.keys().next_back().copied();
        let start = members.iter().filter_map(first).max()?;
        let end = members.iter().filter_map(last).min()?;
        let bound = |at: &dyn Fn(&Member) -> bool| {
            members.iter().filter(|member| at(member)).map(|member| member.symbol).collect()
        };
        Some(Self {
            start,
            end,
            start_bound_by: bound(&|member| first(member) == Some(start)),
            end_bound_by: bound(&|member| last(member) == Some(end)),
        })
    }
}

impl Panel {
    /// The dates on which every symbol has a close.
    pub fn complete_dates(&self) -> impl Iterator<Item = Date> + '_ {
        let complete = |place: &usize| self.columns.iter().all(|column| column.closes[*place].is_some());
        (0..self.dates.len()).filter(complete).map(|place| self.dates[place])
    }
}

/// The tickers that were listed on a day, those included that were gone later: what could have been
/// bought then, and not what is still there today.
pub fn universe_on(spans: &[TickerSpan], date: Date) -> Vec<TickerSpan> {
    let mut listed: Vec<TickerSpan> =
        spans.iter().copied().filter(|span| (span.from..=span.to).contains(&date)).collect();
    listed.sort_by_key(|span| span.symbol);
    listed
}

#[cfg(test)]
mod tests;
