//! B3's sessions, phases and holidays as dated data.
//!
//! Everything with a date is in `market/data/b3_calendar.toml` and can be replaced by another text
//! ([`Calendar::from_toml`]); the code knows only kinds of rules. Each entry there carries its
//! [`Evidence`], and the tests compare the result with the real trading days of 2001 to 2025.
//!
//! Three decisions to know:
//!
//! - **Nothing is guessed outside the known span.** There the phase is [`Phase::Unknown`] and
//!   questions about days answer `None`. An unknown phase denies new risk.
//! - **Auctions are instants.** The opening auction is the instant at which [`Phase::Continuous`]
//!   begins, the closing auction the one at which [`Phase::ClosingAuction`] ends; their prints
//!   carry [`Session::open`] and [`Session::close`] as their time. Orders for the opening rest in
//!   [`Phase::PreOpen`]; orders for the closing are taken from the open on.
//!   [`Phase::OpeningAuction`] is never scheduled: it comes from the exchange when a call is
//!   extended.
//! - **Hours follow New York.** Since 2007 at the latest, B3 has changed its grid when the distance
//!   between the clocks of São Paulo and New York changed, not on fixed dates: the data names that
//!   distance, the time zone database knows the dates.

mod clock;
mod phase;
mod rules;
mod text;

use std::fmt;
use std::sync::{Arc, OnceLock};

use chrono::{Datelike, Days, NaiveTime, Weekday};
use serde::{Deserialize, Serialize};

pub use clock::SessionClock;
pub use phase::{Phase, PhaseChange, PhaseSpan, Session};

use crate::time::{Date, Timestamp};

/// How well an entry of the dated data is supported.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// A hypothesis; worth a check at start-up.
    Unverified,
    /// Several independent projects or reports agree.
    Community,
    /// Announced by the exchange, or reported from its announcement.
    Documented,
    /// Checked against real trading days or bars.
    Measured,
}

/// Why a calendar text was refused.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// Not TOML, an unknown or missing key, or a value of the wrong kind. The cause quotes the line.
    #[error("the calendar cannot be read")]
    Syntax(#[source] toml::de::Error),
    /// A value that contradicts the rest.
    #[error("calendar: {key} = {value}: {fix}")]
    Rule {
        /// Which key, with the name or date of its entry.
        key: String,
        /// What was given.
        value: String,
        /// What is wrong and what would be right.
        fix: String,
    },
}

/// How many sessions after its trade a cash-equity trade settles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SettlementCycle {
    /// The N of D+N.
    pub sessions: u32,
    /// How well this is supported.
    pub evidence: Evidence,
}

/// The sessions of a market. Immutable and shared; answers are pure functions of the data.
pub struct Calendar(Plan);

enum Plan {
    AlwaysOpen,
    Dated(Dated),
}

/// A parsed and checked calendar text, laid out by day.
struct Dated {
    first: Date,
    /// One entry for each day from `first` on.
    days: Vec<Day>,
    closings: Vec<Closing>,
    grids: Vec<Grid>,
    /// In order of their dates; the first covers `first`.
    settlement: Vec<(Date, SettlementCycle)>,
}

#[derive(Clone, Copy)]
enum Day {
    Weekend,
    /// Index into `closings`.
    Closed(usize),
    /// Index into `grids`, and how well the choice is supported.
    Open(usize, Evidence),
}

struct Closing {
    name: String,
    evidence: Evidence,
}

/// The phases of one kind of day: ascending, exactly one `Continuous`, at last `Closed`
/// (`rules::check_grid`).
#[derive(Clone)]
struct Grid {
    name: String,
    phases: Vec<(NaiveTime, Phase)>,
}

/// The first and last whole day that a `Timestamp` reaches.
const REPRESENTABLE: (Date, Date) = match (Date::from_ymd_opt(1677, 9, 22), Date::from_ymd_opt(2262, 4, 10)) {
    (Some(first), Some(last)) => (first, last),
    _ => panic!("both days exist"),
};

impl Calendar {
    /// B3's cash-equity market, from the data in this crate, parsed once.
    ///
    /// # Panics
    /// If that data is broken, which the tests rule out.
    pub fn b3() -> Arc<Self> {
        static B3: OnceLock<Arc<Calendar>> = OnceLock::new();
        let parse = || {
            let text = include_str!("../data/b3_calendar.toml");
            Arc::new(Self::from_toml(text).expect("the embedded calendar is valid"))
        };
        Arc::clone(B3.get_or_init(parse))
    }

    /// A calendar from a text laid out like `market/data/b3_calendar.toml`.
    pub fn from_toml(text: &str) -> Result<Self, CalendarError> {
        rules::read(text).map(|dated| Self(Plan::Dated(dated)))
    }

    /// For data that brings its own hours: every instant is `Continuous`, every date a session from
    /// midnight to midnight in São Paulo, and there is no horizon. Trades settle two days later.
    pub fn always_open() -> Arc<Self> {
        Arc::new(Self(Plan::AlwaysOpen))
    }

    /// Whether the market trades on a date; `None` outside the known span.
    pub fn is_session(&self, date: Date) -> Option<bool> {
        match &self.0 {
            Plan::AlwaysOpen => Some(true),
            Plan::Dated(dated) => dated.day(date).map(|day| matches!(day, Day::Open(..))),
        }
    }

    /// The phases of a trading day; `None` if it is not one or not known.
    pub fn session(&self, date: Date) -> Option<Session> {
        match &self.0 {
            Plan::AlwaysOpen => whole_day(date),
            Plan::Dated(dated) => dated.session(date),
        }
    }

    /// The scheduled phase at an instant; `Unknown` outside the known span.
    pub fn phase_at(&self, at: Timestamp) -> Phase {
        let Plan::Dated(dated) = &self.0 else {
            return Phase::Continuous;
        };
        let local = at.local();
        match dated.day(local.date()) {
            None => Phase::Unknown,
            Some(Day::Weekend | Day::Closed(_)) => Phase::Closed,
            Some(Day::Open(grid, _)) => dated.grids[grid].phase_at(local.time()),
        }
    }

    /// The trading day that an instant belongs to: the last session whose first phase has begun.
    /// Before the first known session that one, after the horizon the last.
    pub fn trading_day(&self, at: Timestamp) -> Date {
        let local = at.local();
        let date = local.date();
        let Plan::Dated(dated) = &self.0 else {
            return date;
        };
        if let Some(Day::Open(grid, _)) = dated.day(date)
            && dated.grids[grid].has_begun(local.time())
        {
            return date;
        }
        let before = date.clamp(dated.first, after(dated.horizon(), 1));
        let first = || self.sessions_from(dated.first).next();
        self.previous_session(before).or_else(first).unwrap_or(dated.first)
    }

    /// The first session after a date; `None` where that is not known.
    pub fn next_session(&self, after: Date) -> Option<Date> {
        self.add_sessions(after, 1)
    }

    /// The last session before a date; `None` where that is not known.
    pub fn previous_session(&self, before: Date) -> Option<Date> {
        let mut date = before.pred_opt()?;
        while !self.is_session(date)? {
            date = date.pred_opt()?;
        }
        Some(date)
    }

    /// The `n`-th session after a date, which need not be one itself; the date for an `n` of zero.
    /// `None` where that is not known.
    pub fn add_sessions(&self, date: Date, n: u32) -> Option<Date> {
        if let Plan::AlwaysOpen = self.0 {
            return date.checked_add_days(Days::new(n.into()));
        }
        match n.checked_sub(1) {
            None => Some(date),
            Some(skipped) => self.sessions_from(date.succ_opt()?).nth(skipped as usize),
        }
    }

    /// Every known session in a span, both ends included.
    pub fn sessions(&self, from: Date, to: Date) -> Vec<Date> {
        let from = from.max(self.first_day());
        let to = to.min(self.horizon());
        self.sessions_from(from).take_while(|date| *date <= to).collect()
    }

    /// The sessions from a date on, itself included. Empty from outside the known span.
    fn sessions_from(&self, date: Date) -> impl Iterator<Item = Date> + '_ {
        let known = date.iter_days().map_while(|date| Some((date, self.is_session(date)?)));
        known.filter(|(_, is_session)| *is_session).map(|(date, _)| date)
    }

    /// The first known day.
    pub fn first_day(&self) -> Date {
        match &self.0 {
            Plan::AlwaysOpen => REPRESENTABLE.0,
            Plan::Dated(dated) => dated.first,
        }
    }

    /// The last known day. Worth an alarm a year before it comes.
    pub fn horizon(&self) -> Date {
        match &self.0 {
            Plan::AlwaysOpen => REPRESENTABLE.1,
            Plan::Dated(dated) => dated.horizon(),
        }
    }

    /// Why a known day has no session: the name of the holiday, or `weekend`.
    pub fn closing_reason(&self, date: Date) -> Option<&str> {
        let Plan::Dated(dated) = &self.0 else {
            return None;
        };
        match dated.day(date)? {
            Day::Weekend => Some("weekend"),
            Day::Closed(closing) => Some(&dated.closings[closing].name),
            Day::Open(..) => None,
        }
    }

    /// How well it is supported that a day is closed, or open at these hours. `None` outside the
    /// known span.
    pub fn evidence(&self, date: Date) -> Option<Evidence> {
        let Plan::Dated(dated) = &self.0 else {
            return Some(Evidence::Documented);
        };
        Some(match dated.day(date)? {
            Day::Weekend => Evidence::Measured,
            Day::Closed(closing) => dated.closings[closing].evidence,
            Day::Open(_, evidence) => evidence,
        })
    }

    /// How trades of a date settle; `None` outside the known span.
    pub fn settlement_cycle(&self, trade_date: Date) -> Option<SettlementCycle> {
        let Plan::Dated(dated) = &self.0 else {
            return Some(SettlementCycle { sessions: 2, evidence: Evidence::Documented });
        };
        dated.day(trade_date)?;
        let begun = dated.settlement.partition_point(|(from, _)| *from <= trade_date);
        Some(dated.settlement.get(begun.checked_sub(1)?)?.1)
    }

    /// Appends the boundaries after `at` of the next day that has any, in order. Nothing past the
    /// horizon.
    fn changes_after(&self, at: Timestamp, changes: &mut Vec<PhaseChange>) {
        let start = at.local_date().max(self.first_day());
        for date in start.iter_days().take_while(|date| *date <= self.horizon()) {
            match &self.0 {
                Plan::AlwaysOpen => {
                    changes.extend(midnight(date).map(|at| PhaseChange { at, phase: Phase::Continuous, session: date }))
                }
                Plan::Dated(dated) => {
                    changes.extend(self.edge(dated.first, date, Phase::Closed));
                    changes.extend(dated.session(date).iter().flat_map(changes_of));
                    changes.extend(self.edge(after(dated.horizon(), 1), after(date, 1), Phase::Unknown));
                }
            }
            changes.retain(|change| change.at > at);
            if !changes.is_empty() {
                return;
            }
        }
    }

    /// The change at the midnight in which the known span begins or ends, if this is that day.
    fn edge(&self, edge: Date, date: Date, phase: Phase) -> Option<PhaseChange> {
        let at = midnight(date).filter(|_| date == edge)?;
        Some(PhaseChange { at, phase, session: self.trading_day(at) })
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Plan::AlwaysOpen => write!(f, "Calendar(always open)"),
            Plan::Dated(_) => write!(f, "Calendar({} to {})", self.first_day(), self.horizon()),
        }
    }
}

impl Dated {
    fn day(&self, date: Date) -> Option<Day> {
        let index = usize::try_from((date - self.first).num_days()).ok()?;
        self.days.get(index).copied()
    }

    fn horizon(&self) -> Date {
        after(self.first, self.days.len() as u64 - 1)
    }

    fn session(&self, date: Date) -> Option<Session> {
        let Day::Open(grid, evidence) = self.day(date)? else {
            return None;
        };
        let phases = &self.grids[grid].phases;
        let instant = |time: NaiveTime| Timestamp::from_local(date.and_time(time));
        let mut spans = Vec::with_capacity(phases.len());
        for pair in phases.windows(2) {
            spans.push(PhaseSpan { phase: pair[0].1, start: instant(pair[0].0)?, end: instant(pair[1].0)? });
        }
        let find = |phase| spans.iter().find(|span| span.phase == phase);
        let day = find(Phase::Continuous)?;
        let close = find(Phase::ClosingAuction).unwrap_or(day).end;
        Some(Session { date, open: day.start, close, evidence, spans })
    }
}

impl Grid {
    fn phase_at(&self, time: NaiveTime) -> Phase {
        let begun = self.phases.partition_point(|(start, _)| *start <= time);
        begun.checked_sub(1).map_or(Phase::Closed, |last| self.phases[last].1)
    }

    fn has_begun(&self, time: NaiveTime) -> bool {
        self.phases.first().is_some_and(|(start, _)| *start <= time)
    }
}

/// The boundaries of a session, the one that closes it included.
fn changes_of(session: &Session) -> impl Iterator<Item = PhaseChange> + use<> {
    let session_date = session.date();
    let end = (session.end(), Phase::Closed);
    let starts: Vec<_> = session.phases().iter().map(|span| (span.start, span.phase)).collect();
    starts.into_iter().chain([end]).map(move |(at, phase)| PhaseChange { at, phase, session: session_date })
}

/// A session of an always-open calendar.
fn whole_day(date: Date) -> Option<Session> {
    let (open, close) = (midnight(date)?, midnight(date.succ_opt()?)?);
    let span = PhaseSpan { phase: Phase::Continuous, start: open, end: close };
    Some(Session { date, open, close, evidence: Evidence::Documented, spans: vec![span] })
}

/// The first instant of a day in São Paulo.
fn midnight(date: Date) -> Option<Timestamp> {
    Timestamp::from_local(date.and_time(NaiveTime::MIN))
}

/// `date` moved on by some days. Known spans end centuries before `Date` does.
fn after(date: Date, days: u64) -> Date {
    date.checked_add_days(Days::new(days)).unwrap_or(Date::MAX)
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}
