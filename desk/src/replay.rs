//! A journal made again: the same inputs through the same code, and every decision compared, bit for bit.
//!
//! # What is decided again
//!
//! - **Every request.** Strategies are made from what the journal says that they began with, and hear
//!   what it says that they heard. What they ask for must be what the journal has a decision on, in the
//!   same order: each field of the request, the rule of the signal and each of its values.
//! - **Every review.** The request goes through the very [`Desk`] that traded, with the price and halt
//!   level that the journal says were looked at, and must come out the same: the same identifier and
//!   worst price, or the same check with the same words and figures.
//! - **The book.** What the desk carries away from its own decisions and the broker's reports must be, at
//!   each end of a session, what recovery reads out of the journal.
//!
//! # What is taken as given
//!
//! What the outside said: prices, reports, statements' corrections, phases, halts. Denials that the order
//! protocol makes before any review (`journal`, `broker`, `reconciliation`), because what stood behind
//! them is outside too, and the cancels that a reconciliation asks for again or a halt leads to. They are
//! counted. Closing orders of the engine's own are reviewed again; when to try one is the halt's doing.
//!
//! # What may be lost
//!
//! An actor that dies takes its mailbox along. Where that cost a strategy something it had heard, its
//! requests cannot be derived until it starts anew; they are reviewed again all the same, and the replay
//! says where. An intent whose batch was not durable when the engine ended never left and is nowhere; the
//! request that it would have come from is not missed.

mod decision;
mod hosted;
mod report;
pub mod story;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use market::order::{CancelOrder, OrderRequest, ReplaceOrder};
use market::{Calendar, ClientOrderId, Date, FeeSchedule, Money, StrategyId, Timestamp, Universe};
use oms::{Applied, BookSettings};
use risk::{Explanation, HaltSwitch, LimitTable, Tripped};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::desk::{Desk, DeskSettings};
use crate::entry::{Entry, Evidence, Facts, Heard, Origin, RebuildError, StrategyOrigin, rebuild};
use crate::host::Ask;
use decision::{Change, Decision, Request, is_given, requested, text};
use hosted::Hosted;

pub use report::{Difference, LostInput, ReplayError, ReplayReport, SessionReport};

/// Who raises the switch when the journal fails.
const JOURNAL: &str = "journal";

/// A replay under way: takes a journal's entries one after another.
pub struct Replay {
    account: String,
    fees: Arc<FeeSchedule>,
    only: Option<Date>,
    run: Option<Run>,
    strategies: BTreeMap<StrategyId, Hosted>,
    pending: Option<Pending>,
    /// A person's acceptance may stand before the first run.
    accepted_before: Vec<(u64, Entry)>,
    session: Option<Date>,
    sequence: u64,
    /// When the entry under way was written.
    at: Timestamp,
    /// What the report before made trip: the journal must say so next.
    tripped: VecDeque<Tripped>,
    sessions: BTreeMap<Date, SessionReport>,
    lost_inputs: Vec<LostInput>,
    differences: Vec<Difference>,
    hasher: Sha256,
}

/// One run of the engine: from its `started` entry to the next.
struct Run {
    origin: Origin,
    calendar: Arc<Calendar>,
    universe: Arc<Universe>,
    names: Vec<String>,
    /// Decides.
    decided: Line,
    /// Is told, as recovery is.
    recovered: Line,
    /// The journal has failed in this run: requests may have gone without an entry.
    journal_failed: bool,
}

/// A desk with what entries leave to be known beside it.
struct Line {
    desk: Desk,
    facts: Facts,
}

impl Line {
    fn apply(&mut self, sequence: u64, at: Timestamp, entry: Entry) -> Result<Option<Applied>, RebuildError> {
        let mut step = rebuild(&mut self.desk).from(std::mem::take(&mut self.facts));
        let applied = step.apply(sequence, at, entry);
        self.facts = step.into_facts();
        applied
    }
}

/// What a strategy asked for and the journal has not shown a decision on.
struct Pending {
    strategy: StrategyId,
    /// The entry that told of what it was made on.
    sequence: u64,
    asks: VecDeque<Ask>,
}

/// What a strategy asks for in a decision's place.
enum Asked {
    /// Nobody knows: what it had heard is lost.
    Lost,
    /// Nothing.
    Nothing,
    /// This.
    This(Ask),
}

/// How a decision came out.
#[derive(Clone, Copy)]
enum Verdict {
    Matched,
    Given,
    ReviewedOnly,
    Differs,
}

impl Replay {
    /// Of this account's journal. `fees`: what the exchange charges, which a journal does not say.
    pub fn new(account: impl Into<String>, fees: Arc<FeeSchedule>) -> Self {
        Self {
            account: account.into(),
            fees,
            only: None,
            run: None,
            strategies: BTreeMap::new(),
            pending: None,
            accepted_before: Vec::new(),
            session: None,
            sequence: 0,
            at: Timestamp::MIN,
            tripped: VecDeque::new(),
            sessions: BTreeMap::new(),
            lost_inputs: Vec::new(),
            differences: Vec::new(),
            hasher: Sha256::new(),
        }
    }

    /// Reports on one session only; everything before it is replayed all the same.
    #[must_use]
    pub fn only(mut self, session: Option<Date>) -> Self {
        self.only = session;
        self
    }

    /// The desk as it stands; none before the first run.
    pub fn desk(&self) -> Option<&Desk> {
        self.run.as_ref().map(|run| &run.decided.desk)
    }

    /// Takes in the next entry; gives what a report changed.
    ///
    /// # Errors
    /// The journal does not hold what a replay needs, or does not lead on.
    pub fn entry(&mut self, sequence: u64, at: Timestamp, entry: Entry) -> Result<Option<Applied>, ReplayError> {
        if !matches!(entry, Entry::Latched { .. }) {
            self.all_latched();
        }
        self.begin(sequence, at, &entry)?;
        match entry {
            Entry::Started { instruments, strategies, cash, origin } => {
                let origin = origin.ok_or(ReplayError::NoOrigin(sequence))?;
                self.started(sequence, strategies, cash, *origin)?;
                let run = self.run(sequence)?;
                let (strategies, origin) = (run.names.clone(), None);
                let started = Entry::Started { instruments, strategies, cash, origin };
                run.decided.apply(sequence, at, started.clone())?;
                run.recovered.apply(sequence, at, started)?;
                for (sequence, accepted) in std::mem::take(&mut self.accepted_before) {
                    self.apply(sequence, accepted)?;
                }
                self.count(at);
                Ok(None)
            }
            // A person writes it while no run is on: it comes between a run's last entry and the next run.
            Entry::BreakAccepted { .. } => match self.run {
                Some(_) => self.apply(sequence, entry),
                None => {
                    self.accepted_before.push((sequence, entry));
                    Ok(None)
                }
            },
            Entry::Intent { ref order, worst_price, ref signal, ref evidence, closes } => {
                let request = requested(order, signal);
                let recorded = Decision::Order { order: *order, worst_price };
                let evidence = evidence.clone().ok_or(ReplayError::NoEvidence { sequence, kind: entry.kind() })?;
                if closes {
                    return self.closed(at, &request, recorded, evidence, entry);
                }
                self.submitted(at, &request, false, recorded, evidence, entry)
            }
            Entry::Denied { ref request, ref check, ref because, asked, limit, ref evidence, closes } => {
                let recorded = Decision::Denied { check: check.clone(), because: because.clone(), asked, limit };
                let evidence = evidence.clone().ok_or(ReplayError::NoEvidence { sequence, kind: entry.kind() })?;
                let request = request.clone();
                if closes {
                    return self.closed(at, &request, recorded, evidence, entry);
                }
                self.submitted(at, &request, true, recorded, evidence, entry)
            }
            Entry::ReplaceIntent { replace, worst_price, ref evidence } => {
                let evidence = evidence.clone().ok_or(ReplayError::NoEvidence { sequence, kind: entry.kind() })?;
                self.replaced(at, replace, Decision::Replace { replace, worst_price }, evidence, entry)
            }
            Entry::ReplaceDenied { replace, ref check, ref because, asked, limit, ref evidence } => {
                let recorded = Decision::Denied { check: check.clone(), because: because.clone(), asked, limit };
                let evidence = evidence.clone();
                self.replaced(at, replace, recorded, evidence, entry)
            }
            // A halt or the end of the program takes it back: given, as those are.
            Entry::CancelIntent { stops: true, .. } => {
                self.settle();
                self.decided(Verdict::Given);
                self.apply(sequence, entry)
            }
            Entry::CancelIntent { cancel, .. } => self.cancelled(at, cancel, entry),
            Entry::StrategyStarted(origin) => {
                self.settle();
                self.strategy_started(sequence, &origin)?;
                Ok(None)
            }
            Entry::Heard { strategy, after, heard } => {
                self.settle();
                self.heard(strategy, after, &heard);
                Ok(None)
            }
            Entry::Latched { rule, strategy, instrument, latch } => {
                self.settle();
                self.latched(Tripped { rule, strategy, instrument, latch });
                self.apply(sequence, entry)
            }
            Entry::Report { .. } => {
                self.settle();
                let applied = self.apply(sequence, entry)?;
                let run = self.run(sequence)?;
                let tripped = applied.as_ref().map(|applied| run.decided.desk.due(applied, at)).unwrap_or_default();
                self.tripped = tripped.into();
                Ok(applied)
            }
            other => {
                self.settle();
                if let Entry::Halt { by, .. } = &other
                    && by == JOURNAL
                {
                    self.run(sequence)?.journal_failed = true;
                }
                // An account that starts anew says the same as its predecessor said last.
                if let Entry::Limits { limits, .. } = &other {
                    self.run(sequence)?.origin.limits = (**limits).clone();
                }
                self.apply(sequence, other)
            }
        }
    }

    /// What the review of the decision in `entry`, which must be the next one, looks at; nothing for
    /// other entries.
    pub fn explain(&self, at: Timestamp, entry: &Entry) -> Option<Explanation> {
        let mut desk = self.desk()?.clone();
        let evidence = decision::evidence_of(entry)?;
        desk.see_marks(&evidence.marks);
        match entry {
            Entry::Intent { order, signal, closes, .. } => {
                let request = requested(order, signal);
                desk.explain(&request, *closes, &evidence, at)
            }
            Entry::Denied { request, closes, .. } => desk.explain(request, *closes, &evidence, at),
            Entry::ReplaceIntent { replace, .. } | Entry::ReplaceDenied { replace, .. } => {
                desk.explain_replace(*replace, &evidence, at)
            }
            _ => None,
        }
    }

    /// What was found.
    ///
    /// # Errors
    /// The session that was asked for is not in the journal.
    pub fn finish(mut self) -> Result<ReplayReport, ReplayError> {
        self.end_run();
        if let Some(asked) = self.only
            && !self.sessions.contains_key(&asked)
        {
            return Err(ReplayError::NoSuchSession { asked, recorded: self.sessions.into_keys().collect() });
        }
        let only = self.only;
        let asked = |date: Date| only.is_none_or(|only| only == date);
        let sessions: Vec<SessionReport> = self.sessions.into_values().filter(|told| asked(told.date)).collect();
        let sum = |of: fn(&SessionReport) -> u64| sessions.iter().map(of).sum();
        Ok(ReplayReport {
            entries: sum(|session| session.entries),
            decisions: sum(|session| session.decisions),
            matched: sum(|session| session.matched),
            accepted_as_given: sum(|session| session.accepted_as_given),
            reviewed_only: sum(|session| session.reviewed_only),
            lost_inputs: self.lost_inputs.into_iter().filter(|lost| asked(lost.session)).collect(),
            differences: self.differences.into_iter().filter(|found| asked(found.session)).collect(),
            fingerprint: self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            sessions,
        })
    }

    /// Notes which entry this is; a session that ends is compared with what recovery makes of it.
    fn begin(&mut self, sequence: u64, at: Timestamp, entry: &Entry) -> Result<(), ReplayError> {
        if let Some(run) = &mut self.run {
            let session = report::session_of(at, &run.calendar);
            if self.session != Some(session) {
                // A run that ends is compared anyway.
                if !matches!(entry, Entry::Started { .. }) {
                    self.compare_books();
                }
                self.session = Some(session);
            }
            if let Some(run) = &mut self.run {
                run.decided.desk.day(at);
            }
        } else if !matches!(entry, Entry::Started { .. } | Entry::BreakAccepted { .. }) {
            return Err(RebuildError::NoStart(sequence).into());
        }
        (self.sequence, self.at) = (sequence, at);
        // The first entry of a journal is counted when its calendar is known.
        if self.run.is_some() && !matches!(entry, Entry::Started { .. }) {
            self.count(at);
        }
        Ok(())
    }

    fn count(&mut self, at: Timestamp) {
        let Some(run) = &self.run else { return };
        let date = report::session_of(at, &run.calendar);
        self.session = Some(date);
        let session = self.sessions.entry(date).or_insert(SessionReport { date, ..SessionReport::default() });
        session.entries += 1;
    }

    fn run(&mut self, sequence: u64) -> Result<&mut Run, ReplayError> {
        self.run.as_mut().ok_or(ReplayError::Rebuild(RebuildError::NoStart(sequence)))
    }

    /// Applies an entry that is no decision, as recovery does.
    fn apply(&mut self, sequence: u64, entry: Entry) -> Result<Option<Applied>, ReplayError> {
        let at = self.at;
        let run = self.run(sequence)?;
        let applied = run.decided.apply(sequence, at, entry.clone())?;
        run.recovered.apply(sequence, at, entry)?;
        Ok(applied)
    }

    fn started(&mut self, sequence: u64, names: Vec<String>, cash: Money, origin: Origin) -> Result<(), ReplayError> {
        self.end_run();
        let calendar = match origin.calendar.as_str() {
            "b3" => Calendar::b3(),
            "always_open" => Calendar::always_open(),
            other => {
                let (calendar, version) = (other.to_owned(), origin.version.clone());
                return Err(ReplayError::UnknownCalendar { sequence, calendar, version });
            }
        };
        let mut universe = Universe::new();
        for instrument in &origin.instruments {
            universe.add(instrument.clone());
        }
        let universe = Arc::new(universe);
        let settings = DeskSettings {
            account: self.account.clone(),
            universe: Arc::clone(&universe),
            book: BookSettings {
                cash,
                calendar: Arc::clone(&calendar),
                fees: Arc::clone(&self.fees),
                brokerage: origin.brokerage,
                instruments: universe.len(),
            },
            limits: Arc::new(LimitTable::new(origin.limits.clone(), &universe, &names)),
            start: origin.start,
        };
        // The same origin again is an account that restarted: the strategies beside it lived on.
        if self.run.as_ref().is_none_or(|before| before.origin != origin) {
            self.strategies.clear();
        }
        let before = self.run.take();
        let line = |before: Option<(Line, &[String])>| match before {
            None => Ok::<Line, RebuildError>(Line {
                desk: Desk::new(settings.clone(), HaltSwitch::default()),
                facts: Facts::default(),
            }),
            Some((line, old)) => {
                let state = line.desk.state(old);
                let desk = Desk::from_state(settings.clone(), HaltSwitch::default(), state, &names);
                let fails = |reason| RebuildError::DoesNotApply { sequence, reason };
                Ok(Line { desk: desk.map_err(fails)?, facts: line.facts })
            }
        };
        let (decided, recovered) = match before {
            None => (line(None)?, line(None)?),
            Some(Run { decided, recovered, names: old, .. }) => {
                (line(Some((decided, &old)))?, line(Some((recovered, &old)))?)
            }
        };
        self.run = Some(Run { origin, calendar, universe, names, decided, recovered, journal_failed: false });
        Ok(())
    }

    fn strategy_started(&mut self, sequence: u64, origin: &StrategyOrigin) -> Result<(), ReplayError> {
        let run = self.run(sequence)?;
        let hosted = Hosted::new(sequence, origin, &run.universe)?;
        // What its predecessor asked for and nobody decided died with it.
        self.report_unanswered(origin.settings.id);
        self.strategies.insert(origin.settings.id, hosted);
        Ok(())
    }

    fn heard(&mut self, strategy: StrategyId, after: u64, heard: &[Heard]) {
        let sequence = self.sequence;
        let name = self.name_of(strategy);
        let hosted = self.strategies.entry(strategy);
        let is_new = matches!(hosted, std::collections::btree_map::Entry::Vacant(_));
        let hosted = hosted.or_insert_with(Hosted::unknown);
        let missing = match () {
            () if is_new => Some("what it began with".to_owned()),
            () if after > hosted.heard => Some(format!("{} things that it heard", after - hosted.heard)),
            () if after < hosted.heard => Some("what it began anew with".to_owned()),
            () => None,
        };
        hosted.heard = after + heard.len() as u64;
        if let Some(what) = missing {
            hosted.lose();
            let session = self.session.unwrap_or_default();
            self.lost_inputs.push(LostInput { sequence, session, strategy: name, what });
            return;
        }
        let listened = hosted.listen(heard);
        if !listened.asks.is_empty() {
            self.pending = Some(Pending { strategy, sequence, asks: listened.asks });
        }
        for problem in listened.problems {
            self.differ("request", "as told", problem);
        }
        self.without_entry(listened.denied_without_entry);
    }

    fn name_of(&self, strategy: StrategyId) -> String {
        let names = self.run.as_ref().map(|run| &run.names);
        let name = names.and_then(|names| names.get(strategy.index()));
        name.cloned().unwrap_or_else(|| format!("number {}", strategy.index()))
    }

    /// The journal says that a rule tripped: the report before it must have made it trip here too.
    fn latched(&mut self, recorded: Tripped) {
        let replayed = self.tripped.pop_front();
        let is_same = replayed == Some(recorded);
        if is_same {
            self.decided(Verdict::Matched);
        } else {
            self.decided(Verdict::Differs);
            self.differ("latch", format!("{recorded:?}"), format!("{replayed:?}"));
        }
    }

    /// A rule that trips here and not in the journal.
    fn all_latched(&mut self) {
        for tripped in std::mem::take(&mut self.tripped) {
            self.differ("latch", "nothing", format!("{tripped:?}"));
        }
    }

    /// A decision on a new order: the request derived, the review made again.
    fn submitted(
        &mut self,
        at: Timestamp,
        request: &OrderRequest,
        with_moment: bool,
        recorded: Decision,
        evidence: Evidence,
        entry: Entry,
    ) -> Result<Option<Applied>, ReplayError> {
        let sequence = self.sequence;
        self.run(sequence)?.decided.desk.see_marks(&evidence.marks);
        let asked = self.next_ask(request.strategy, |ask| matches!(ask, Ask::Submit(_)));
        let is_lost = matches!(asked, Asked::Lost);
        let is_same = match &asked {
            Asked::Lost => true,
            Asked::This(Ask::Submit(derived)) => {
                self.compare("request", &Request::of(request, with_moment), &Request::of(derived, with_moment))
            }
            other => self.another_request(&Request::of(request, with_moment), other),
        };
        let run = self.run(sequence)?;
        if is_given(&recorded) {
            self.decided(if is_same { Verdict::Given } else { Verdict::Differs });
            return self.apply(sequence, entry);
        }
        let reviewed = run.decided.desk.review(request, &evidence, at);
        let replayed = match &reviewed {
            Ok(approved) => Decision::Order { order: *approved.get(), worst_price: approved.worst_price() },
            Err(denial) => (*denial).into(),
        };
        let is_decided_alike = self.same_decision(&recorded, &replayed);
        self.note(&replayed);
        self.decided(match (is_decided_alike && is_same, is_lost) {
            (false, _) => Verdict::Differs,
            (true, true) => Verdict::ReviewedOnly,
            (true, false) => Verdict::Matched,
        });
        let run = self.run(sequence)?;
        match reviewed {
            Ok(approved) if is_decided_alike => {
                run.decided.desk.take_on(&approved, at);
                run.recovered.apply(sequence, at, entry)?;
                Ok(None)
            }
            _ => self.apply(sequence, entry),
        }
    }

    /// The engine's own closing order: nobody asked for it, the review is made again.
    fn closed(
        &mut self,
        at: Timestamp,
        request: &OrderRequest,
        recorded: Decision,
        evidence: Evidence,
        entry: Entry,
    ) -> Result<Option<Applied>, ReplayError> {
        self.settle();
        let sequence = self.sequence;
        let desk = &mut self.run(sequence)?.decided.desk;
        desk.see_marks(&evidence.marks);
        let reviewed = desk.review_closing(request, &evidence, at);
        let replayed = match &reviewed {
            Ok(approved) => Decision::Order { order: *approved.get(), worst_price: approved.worst_price() },
            Err(denial) => (*denial).into(),
        };
        let is_decided_alike = self.same_decision(&recorded, &replayed);
        self.note(&replayed);
        self.decided(if is_decided_alike { Verdict::Matched } else { Verdict::Differs });
        self.apply(sequence, entry)
    }

    /// A decision on a change of an open order.
    fn replaced(
        &mut self,
        at: Timestamp,
        replace: ReplaceOrder,
        recorded: Decision,
        evidence: Evidence,
        entry: Entry,
    ) -> Result<Option<Applied>, ReplayError> {
        let sequence = self.sequence;
        self.run(sequence)?.decided.desk.see_marks(&evidence.marks);
        let ReplaceOrder { client_order_id, quantity, limit_price, .. } = replace;
        let change = Change { client_order_id, quantity, limit_price };
        let asked = match self.owner(&client_order_id) {
            Some(strategy) => self.next_ask(strategy, |ask| matches!(ask, Ask::Replace { .. })),
            None => Asked::Nothing,
        };
        let is_lost = matches!(asked, Asked::Lost);
        let is_same = match asked {
            Asked::Lost => true,
            Asked::This(Ask::Replace { client_order_id, quantity, limit_price }) => {
                self.compare("request", &change, &Change { client_order_id, quantity, limit_price })
            }
            other => self.another_request(&change, &other),
        };
        if is_given(&recorded) {
            self.decided(if is_same { Verdict::Given } else { Verdict::Differs });
            return self.apply(sequence, entry);
        }
        // Rare enough to try on a desk of its own: the book has its say in it.
        let run = self.run(sequence)?;
        let mut tried = run.decided.desk.clone();
        let replayed = match tried.decide_replace(replace, &evidence, at) {
            Ok(approved) => Decision::Replace { replace: *approved.get(), worst_price: approved.worst_price() },
            Err(denial) => denial.into(),
        };
        let is_decided_alike = self.same_decision(&recorded, &replayed);
        self.note(&replayed);
        self.decided(match (is_decided_alike && is_same, is_lost) {
            (false, _) => Verdict::Differs,
            (true, true) => Verdict::ReviewedOnly,
            (true, false) => Verdict::Matched,
        });
        if !is_decided_alike {
            return self.apply(sequence, entry);
        }
        let run = self.run(sequence)?;
        run.decided.desk = tried;
        run.recovered.apply(sequence, at, entry)?;
        Ok(None)
    }

    /// A cancel: a strategy's wish, or one that a reconciliation asks for again.
    fn cancelled(&mut self, at: Timestamp, cancel: CancelOrder, entry: Entry) -> Result<Option<Applied>, ReplayError> {
        let (sequence, id) = (self.sequence, cancel.client_order_id);
        let owner = self.owner(&id);
        let waits = self.pending.as_ref().is_some_and(|pending| Some(pending.strategy) == owner);
        let before = self.run(sequence)?.decided.desk.book().order(&id).is_some_and(|order| order.cancel_requested);
        let asked = match owner {
            // Nobody waits for a decision and the cancel is asked for a second time: a reconciliation.
            _ if !waits && before => {
                self.settle();
                self.decided(Verdict::Given);
                return self.apply(sequence, entry);
            }
            Some(strategy) => self.next_ask(strategy, |ask| matches!(ask, Ask::Cancel(other) if *other == id)),
            None => Asked::Nothing,
        };
        let is_lost = matches!(asked, Asked::Lost);
        let is_same = match &asked {
            Asked::Lost => true,
            Asked::This(Ask::Cancel(other)) if *other == id => true,
            other => self.another_request(&cancel, other),
        };
        let run = self.run(sequence)?;
        let approved = if is_same { run.decided.desk.cancel(id, at) } else { Ok(risk::approve_cancel(cancel)) };
        let replayed = approved.map_or_else(Decision::from, |approved| Decision::Cancel { cancel: *approved.get() });
        let is_decided_alike = self.same_decision(&Decision::Cancel { cancel }, &replayed);
        self.note(&replayed);
        self.decided(match (is_decided_alike && is_same, is_lost) {
            (false, _) => Verdict::Differs,
            (true, true) => Verdict::ReviewedOnly,
            (true, false) => Verdict::Matched,
        });
        let run = self.run(sequence)?;
        if !is_same {
            run.decided.apply(sequence, at, entry.clone())?;
        }
        run.recovered.apply(sequence, at, entry)?;
        Ok(None)
    }

    /// Whose order it is.
    fn owner(&self, id: &ClientOrderId) -> Option<StrategyId> {
        self.desk().and_then(|desk| desk.book().order(id)).map(|order| order.intent.strategy)
    }

    /// The next thing that a strategy asks for which the journal must hold.
    fn next_ask(&mut self, strategy: StrategyId, wanted: impl Fn(&Ask) -> bool) -> Asked {
        if self.pending.as_ref().is_some_and(|pending| pending.strategy != strategy) {
            self.settle();
        }
        if !self.strategies.get(&strategy).is_some_and(Hosted::is_known) {
            return Asked::Lost;
        }
        while let Some(ask) = self.pending.as_mut().and_then(|pending| pending.asks.pop_front()) {
            if wanted(&ask) || self.leaves_an_entry(strategy, &ask) {
                return Asked::This(ask);
            }
        }
        Asked::Nothing
    }

    /// Whether asking leads to an entry: a cancel or change of an order that has just ended does not.
    fn leaves_an_entry(&self, strategy: StrategyId, ask: &Ask) -> bool {
        let Some(desk) = self.desk() else { return false };
        match ask {
            Ask::Submit(_) => true,
            Ask::Cancel(id) => self.owner(id) == Some(strategy) && desk.clone().cancel(*id, Timestamp::MIN).is_ok(),
            Ask::Replace { client_order_id, .. } => self.owner(client_order_id) == Some(strategy),
        }
    }

    /// What was asked for last and has no decision: a journal that does not answer gets no entry of what
    /// it makes impossible. The strategy will say that it was denied.
    fn settle(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        for ask in pending.asks {
            match ask {
                Ask::Submit(request) => {
                    if let Some(hosted) = self.strategies.get_mut(&pending.strategy) {
                        hosted.without_answer(pending.sequence, request);
                    }
                }
                ask if self.leaves_an_entry(pending.strategy, &ask) => {
                    self.differ_at(pending.sequence, "request", "nothing", format!("{ask:?}"));
                }
                _ => {}
            }
        }
    }

    /// The run is over. What was asked for in the very last entry may not have become durable; what was
    /// asked for before that and has no answer is missing.
    fn end_run(&mut self) {
        self.pending = None;
        let ids: Vec<StrategyId> = self.strategies.keys().copied().collect();
        for id in ids {
            self.report_unanswered(id);
        }
        self.compare_books();
    }

    fn report_unanswered(&mut self, strategy: StrategyId) {
        let Some(hosted) = self.strategies.get_mut(&strategy) else { return };
        // The strategy died, or the run ended, before it said that it had heard of the denial.
        let unanswered = hosted.take_unanswered();
        self.without_entry(unanswered);
    }

    /// Requests that the journal has no decision on: given if it had failed, missing otherwise.
    fn without_entry(&mut self, requests: impl IntoIterator<Item = (u64, OrderRequest)>) {
        let explained = self.run.as_ref().is_some_and(|run| run.journal_failed);
        for (sequence, request) in requests {
            if explained {
                self.decided(Verdict::Given);
            } else {
                let request = text(&Request::of(&request, true));
                self.differ_at(sequence, "request", "nothing", request);
            }
        }
    }

    /// What the desk's own decisions led to, beside what recovery makes of the journal.
    fn compare_books(&mut self) {
        let Some(run) = &self.run else { return };
        let state = |line: &Line| {
            let state = serde_json::to_value(line.desk.state(&run.names)).unwrap_or_default();
            let serde_json::Value::Object(mut fields) = state else { return serde_json::Map::new() };
            // Names are counted from the first look at the clock of a day, which leaves no entry.
            fields.remove("sequence");
            if let Some(serde_json::Value::Object(book)) = fields.remove("book") {
                fields.extend(book.into_iter().map(|(key, value)| (format!("book.{key}"), value)));
            }
            fields
        };
        let (recovered, decided) = (state(&run.recovered), state(&run.decided));
        if recovered != decided {
            self.compare_fields(recovered, decided);
            // Told once; what comes after it is looked at by itself.
            if let Some(run) = &mut self.run {
                run.decided.desk = run.recovered.desk.clone();
            }
        }
    }

    /// Compares two values bit for bit: the text of a float tells every bit of it.
    fn compare<T: Serialize>(&mut self, what: &str, recorded: &T, replayed: &T) -> bool {
        let (one, other) = (text(recorded), text(replayed));
        if one == other {
            return true;
        }
        let fields = |value: &T| match serde_json::to_value(value) {
            Ok(serde_json::Value::Object(fields)) => Some(fields),
            _ => None,
        };
        match (fields(recorded), fields(replayed)) {
            (Some(recorded), Some(replayed)) => self.compare_fields(recorded, replayed),
            _ => self.differ(what, one, other),
        }
        false
    }

    fn compare_fields(
        &mut self,
        recorded: serde_json::Map<String, serde_json::Value>,
        replayed: serde_json::Map<String, serde_json::Value>,
    ) {
        let nothing = serde_json::Value::Null;
        let mut keys: Vec<&String> = recorded.keys().chain(replayed.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let of =
                |fields: &serde_json::Map<String, serde_json::Value>| fields.get(key).unwrap_or(&nothing).to_string();
            let (recorded, replayed) = (of(&recorded), of(&replayed));
            if recorded != replayed {
                self.differ(key, recorded, replayed);
            }
        }
    }

    fn same_decision(&mut self, recorded: &Decision, replayed: &Decision) -> bool {
        if std::mem::discriminant(recorded) != std::mem::discriminant(replayed) {
            self.differ("decision", text(recorded), text(replayed));
            return false;
        }
        self.compare("decision", recorded, replayed)
    }

    /// Something else, or nothing, was asked for in a recorded request's place.
    fn another_request(&mut self, recorded: &impl Serialize, asked: &Asked) -> bool {
        let replayed = match asked {
            Asked::This(ask) => format!("{ask:?}"),
            Asked::Nothing | Asked::Lost => "nothing".to_owned(),
        };
        self.differ("request", text(recorded), replayed);
        false
    }

    fn differ(&mut self, what: &str, recorded: impl Into<String>, replayed: impl Into<String>) {
        self.differ_at(self.sequence, what, recorded, replayed);
    }

    fn differ_at(&mut self, sequence: u64, what: &str, recorded: impl Into<String>, replayed: impl Into<String>) {
        let (recorded, replayed) = (recorded.into(), replayed.into());
        let session = self.session.unwrap_or_default();
        self.differences.push(Difference { sequence, session, what: what.to_owned(), recorded, replayed });
    }

    fn decided(&mut self, verdict: Verdict) {
        let Some(counts) = self.session.and_then(|date| self.sessions.get_mut(&date)) else { return };
        counts.decisions += 1;
        match verdict {
            Verdict::Matched => counts.matched += 1,
            Verdict::Given => counts.accepted_as_given += 1,
            Verdict::ReviewedOnly => counts.reviewed_only += 1,
            Verdict::Differs => {}
        }
    }

    fn note(&mut self, decision: &Decision) {
        if self.only.is_none_or(|only| Some(only) == self.session) {
            self.hasher.update(format!("{} {}\n", self.sequence, text(decision)).as_bytes());
        }
    }
}
