//! What the monitors look at, as far as the desk keeps it: what the account and its strategies were worth
//! when the session began and at their highest close, and what was sent in the session.
//!
//! It is journaled and part of a snapshot, so a restart forgets neither the morning nor the peak.

use std::sync::Arc;

use market::time::NANOS_PER_SECOND;
use market::{Date, Money, Phase, StrategyId, Timestamp};
use oms::Book;
use risk::Figures;
use risk::monitors::{Sent, Standing};
use serde::{Deserialize, Serialize};

use crate::desk::Desk;
use crate::entry::{GONE, number_of};

/// How old the figures that are not marks may be, in nanoseconds.
const MOST_AGE: i64 = NANOS_PER_SECOND;

/// When worth is noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// A session begins: with what the last one closed with, where that is known.
    Began,
    /// A session has closed.
    Closed,
}

/// What the account and its strategies were worth at some moment. A strategy that is not listed had made
/// nothing; its worth is the money that the book began with and what it has made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorthNoted {
    /// In which session.
    pub session: Date,
    /// When in it.
    pub moment: Moment,
    /// Cash plus positions at their marks.
    pub equity: Money,
    /// What each strategy has made since the book began.
    pub results: Vec<(StrategyId, Money)>,
}

/// Amounts of the account and its strategies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Amounts {
    equity: Money,
    /// In the order of their numbers.
    results: Vec<(StrategyId, Money)>,
}

impl Amounts {
    fn of(book: &Book) -> Self {
        let mut results: Vec<_> = book.results().filter(|(_, result)| *result != Money::ZERO).collect();
        results.retain(|(strategy, _)| *strategy != GONE);
        results.sort_by_key(|(strategy, _)| *strategy);
        Self { equity: book.equity(), results }
    }

    fn result(&self, strategy: StrategyId) -> Money {
        self.results.iter().find(|(of, _)| *of == strategy).map_or(Money::ZERO, |(_, result)| *result)
    }

    /// The higher of both, one by one. Nobody's peak is below where everybody began.
    fn higher(&self, other: &Self) -> Self {
        let mut results = self.results.clone();
        results.extend(other.results.iter().filter(|(of, _)| !self.results.iter().any(|(known, _)| known == of)));
        for (strategy, result) in &mut results {
            *result = self.result(*strategy).max(other.result(*strategy));
        }
        results.retain(|(_, result)| *result > Money::ZERO);
        results.sort_by_key(|(strategy, _)| *strategy);
        Self { equity: self.equity.max(other.equity), results }
    }
}

/// What the desk keeps for the monitors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    /// The session that `began` is about.
    session: Option<Date>,
    began: Amounts,
    /// At the last close, until a session begins with it.
    closed: Option<Amounts>,
    peak: Option<Amounts>,
    /// The day that messages and trades are counted in.
    day: Option<Date>,
    sent: Sent,
    sent_by: Vec<(StrategyId, Sent)>,
    denied: u64,
    /// How often anything but a mark has changed in this life.
    changes: u64,
}

/// The same as a snapshot keeps it, strategies by name.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WatchedState {
    session: Option<Date>,
    began: AmountsState,
    closed: Option<AmountsState>,
    peak: Option<AmountsState>,
    day: Option<Date>,
    sent: Sent,
    sent_by: Vec<(String, Sent)>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct AmountsState {
    equity: Money,
    results: Vec<(String, Money)>,
}

impl Watched {
    /// One more order, replace or cancel of a strategy.
    #[inline]
    pub(crate) fn message(&mut self, strategy: StrategyId, day: Date) {
        self.count(strategy, day, |sent| sent.messages += 1);
    }

    /// One more execution.
    #[inline]
    pub(crate) fn trade(&mut self, strategy: StrategyId, day: Date) {
        self.count(strategy, day, |sent| sent.trades += 1);
    }

    fn count(&mut self, strategy: StrategyId, day: Date, count: impl Fn(&mut Sent)) {
        self.changes += 1;
        if self.day < Some(day) {
            (self.day, self.sent) = (Some(day), Sent::default());
            self.sent_by.clear();
        }
        count(&mut self.sent);
        match self.sent_by.iter_mut().find(|(of, _)| *of == strategy) {
            Some((_, sent)) => count(sent),
            None if strategy == GONE => {}
            None => {
                let mut sent = Sent::default();
                count(&mut sent);
                self.sent_by.push((strategy, sent));
                self.sent_by.sort_by_key(|(of, _)| *of);
            }
        }
    }

    pub(crate) fn denial(&mut self) {
        (self.denied, self.changes) = (self.denied + 1, self.changes + 1);
    }

    /// Something else about the account has changed.
    pub(crate) fn change(&mut self) {
        self.changes += 1;
    }

    /// What was noted counts, now or at recovery.
    pub(crate) fn note(&mut self, noted: &WorthNoted) {
        let mut results = noted.results.clone();
        results.retain(|(strategy, _)| *strategy != GONE);
        let amounts = Amounts { equity: noted.equity, results };
        let peak = self.peak.take();
        self.peak = Some(match peak {
            // A session that begins with an old close tells nothing new.
            Some(peak) if noted.moment == Moment::Began => peak,
            Some(peak) => peak.higher(&amounts),
            None => Amounts::default().higher(&amounts),
        });
        match noted.moment {
            Moment::Began => (self.session, self.began, self.closed) = (Some(noted.session), amounts, None),
            Moment::Closed => self.closed = Some(amounts),
        }
    }

    pub(crate) fn state(&self, name: impl Fn(StrategyId) -> String) -> WatchedState {
        let amounts = |amounts: &Amounts| AmountsState {
            equity: amounts.equity,
            results: amounts.results.iter().map(|(of, result)| (name(*of), *result)).collect(),
        };
        WatchedState {
            session: self.session,
            began: amounts(&self.began),
            closed: self.closed.as_ref().map(amounts),
            peak: self.peak.as_ref().map(amounts),
            day: self.day,
            sent: self.sent,
            sent_by: self.sent_by.iter().map(|(of, sent)| (name(*of), *sent)).collect(),
        }
    }

    pub(crate) fn from_state(state: WatchedState, strategies: &[String]) -> Self {
        fn numbered<T>(named: Vec<(String, T)>, strategies: &[String]) -> Vec<(StrategyId, T)> {
            let numbered = named.into_iter().filter_map(|(name, of)| Some((number_of(&name, strategies)?, of)));
            let mut numbered: Vec<_> = numbered.collect();
            numbered.sort_by_key(|(strategy, _)| *strategy);
            numbered
        }
        let amounts =
            |state: AmountsState| Amounts { equity: state.equity, results: numbered(state.results, strategies) };
        Self {
            session: state.session,
            began: amounts(state.began),
            closed: state.closed.map(amounts),
            peak: state.peak.map(amounts),
            day: state.day,
            sent: state.sent,
            sent_by: numbered(state.sent_by, strategies),
            denied: 0,
            changes: 0,
        }
    }
}

impl Desk {
    /// The worth that a session begins with, if it has not been noted yet; to be asked for when everything
    /// held has a price. What is given is in force, and has to be journaled.
    pub fn note_beginning(&mut self) -> Option<WorthNoted> {
        let session = self.session();
        // A clock that was set back does not lead back to a session that was.
        if self.watched().session >= Some(session) {
            return None;
        }
        let amounts = self.watched().closed.clone().unwrap_or_else(|| Amounts::of(self.book()));
        Some(self.noted(session, Moment::Began, amounts))
    }

    /// The worth that a session closes with: the same, when it has closed.
    pub fn note_close(&mut self) -> Option<WorthNoted> {
        if self.current_phase() != Phase::Closed {
            return None;
        }
        let (session, amounts) = (self.session(), Amounts::of(self.book()));
        Some(self.noted(session, Moment::Closed, amounts))
    }

    fn noted(&mut self, session: Date, moment: Moment, amounts: Amounts) -> WorthNoted {
        let noted = WorthNoted { session, moment, equity: amounts.equity, results: amounts.results };
        self.watched_mut().note(&noted);
        noted
    }

    /// Brings the figures up to date at `now`: what marks move each time, the rest when it has changed and
    /// once a second. `priced`: everything held has a price of this run.
    #[inline]
    pub fn figures(&self, now: Timestamp, priced: bool, figures: &mut Figures) {
        let (book, watched) = (self.book(), self.watched());
        (figures.at, figures.session, figures.phase) = (now, self.session(), self.current_phase());
        figures.equity = book.equity();
        if priced && watched.session.is_some() {
            let worth = figures.worth.get_or_insert_default();
            worth.account = Standing {
                now: figures.equity,
                start: watched.began.equity,
                peak: watched.peak.as_ref().map_or(watched.began.equity, |peak| peak.equity),
            };
            worth.strategies.clear();
            let count = self.limits().strategies() as u16;
            worth.strategies.extend((0..count).map(|number| self.standing_of(StrategyId(number))));
        } else {
            figures.worth = None;
        }
        let age = now.nanos_since(figures.changed_at);
        let is_same = figures.counted == watched.changes && Arc::ptr_eq(&figures.limits, self.limits());
        if !is_same || !(0..MOST_AGE).contains(&age) {
            self.refresh(now, figures);
        }
    }

    fn standing_of(&self, strategy: StrategyId) -> Standing {
        let (began_with, watched) = (self.book().began_with(), self.watched());
        let peak = watched.peak.as_ref().map_or(Money::ZERO, |peak| peak.result(strategy));
        Standing {
            now: began_with + self.book().result_of(strategy),
            start: began_with + watched.began.result(strategy),
            peak: began_with + peak,
        }
    }

    fn refresh(&self, now: Timestamp, figures: &mut Figures) {
        let watched = self.watched();
        (figures.changed_at, figures.counted) = (now, watched.changes);
        figures.changes += 1;
        figures.limits = Arc::clone(self.limits());
        let count = figures.limits.strategies();
        figures.exposure.measure(self.book(), &figures.limits, count);
        figures.sent = watched.sent;
        figures.sent_by.clear();
        figures.sent_by.resize(count, Sent::default());
        for (strategy, sent) in &watched.sent_by {
            if let Some(place) = figures.sent_by.get_mut(strategy.index()) {
                *place = *sent;
            }
        }
        if watched.denied != figures.denials.values().sum::<u64>() {
            figures.denials.clone_from(self.denials());
        }
    }
}
