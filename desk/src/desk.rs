//! The desk: the one writer of an account. Requests and reports come in one after another;
//! approved commands, denials and notices go out. It has no clock: `now` comes with each input.

use std::collections::BTreeMap;
use std::sync::Arc;

use market::fees::Brokerage;
use market::order::{CancelOrder, OrderRequest, ReplaceOrder};
use market::{
    Calendar, ClientOrderId, Date, ExecutionReport, InstrumentId, Money, NewOrder, Phase, PhaseChange, Price, Quantity,
    StatedExecution, StrategyId, Symbol, Timestamp, TopOfBook, Universe,
};
use oms::{Anomaly, Applied, Book, BookSettings, BookState};
use risk::checks::code;
use risk::{
    Activity, ActivityState, Approved, Denial, Explanation, Figure, HaltLevel, HaltScope, HaltSwitch, LimitTable,
    Limits, Tripped, View,
};
use serde::{Deserialize, Serialize};

use crate::entry::{Evidence, GONE, number_of};
use crate::watched::{Watched, WatchedState};

/// What a desk is made of.
#[derive(Clone, Debug)]
pub struct DeskSettings {
    /// Four capital letters or digits that name the account in order identifiers.
    pub account: String,
    /// What can be traded.
    pub universe: Arc<Universe>,
    /// Cash, fees, settlement.
    pub book: BookSettings,
    /// The limits in force.
    pub limits: Arc<LimitTable>,
    /// When the run begins: sets session and phase.
    pub start: Timestamp,
}

/// The desk of one account.
#[derive(Clone, Debug)]
pub struct Desk {
    account: String,
    universe: Arc<Universe>,
    calendar: Arc<Calendar>,
    book: Book,
    /// What happened lately.
    activity: Activity,
    limits: Arc<LimitTable>,
    halt: HaltSwitch,
    phase: Phase,
    session: Date,
    price_horizon: Timestamp,
    sequence: (Date, u32),
    /// The latest identifier given out: none may come again, even if the clock goes back.
    issued: Option<ClientOrderId>,
    /// The day that `sequence` counts, as instants, so that most orders skip the calendar.
    day: std::ops::Range<Timestamp>,
    denials: BTreeMap<&'static str, u64>,
    watched: Watched,
    first_cash: Money,
    /// The marks that decisions of this run have been journaled with, by instrument; zero: none yet.
    told: Vec<Price>,
}

/// A desk as a snapshot keeps it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct DeskState {
    book: BookState,
    cash: Money,
    phase: Phase,
    session: Date,
    sequence: (Date, u32),
    issued: Option<ClientOrderId>,
    #[serde(default)]
    activity: ActivityState,
    #[serde(default)]
    watched: WatchedState,
}

impl Desk {
    /// A desk with an empty book.
    pub fn new(settings: DeskSettings, halt: HaltSwitch) -> Self {
        let calendar = Arc::clone(&settings.book.calendar);
        let session = settings.start.local_date();
        let mut desk = Self {
            first_cash: settings.book.cash,
            activity: Activity::default(),
            told: vec![Price::ZERO; settings.universe.len()],
            account: settings.account,
            universe: settings.universe,
            book: Book::new(settings.book),
            limits: settings.limits,
            halt,
            phase: calendar.phase_at(settings.start),
            session,
            price_horizon: Timestamp::MIN,
            sequence: (session, 0),
            issued: None,
            day: Timestamp::MAX..Timestamp::MIN,
            denials: BTreeMap::new(),
            watched: Watched::default(),
            calendar,
        };
        desk.price_horizon = desk.horizon_of(session);
        desk
    }

    /// The instant from which a price still counts before the open: the start of the session
    /// before this one.
    fn horizon_of(&self, session: Date) -> Timestamp {
        let previous = self.calendar.previous_session(session).and_then(|date| self.calendar.session(date));
        previous.map_or(Timestamp::MIN, |session| session.start())
    }

    /// Reviews a request; what passes is named, entered in the book and ready to be committed.
    ///
    /// # Errors
    /// The denial, which has been counted.
    pub fn request(
        &mut self,
        request: &OrderRequest,
        top: TopOfBook,
        now: Timestamp,
    ) -> Result<Approved<NewOrder>, Denial> {
        let halt = self.halt.level_of(request.strategy, request.instrument);
        self.decide(request, &Evidence { top, halt, marks: Vec::new() }, now)
    }

    /// The same on what was looked at already: what the journal keeps of a decision must be what it was
    /// made on, and the switch may move between two looks.
    pub(crate) fn decide(
        &mut self,
        request: &OrderRequest,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Approved<NewOrder>, Denial> {
        let reviewed = self.review(request, evidence, now);
        match &reviewed {
            Ok(approved) => self.take_on(approved, now),
            Err(denial) => self.note_denial(denial),
        }
        reviewed
    }

    /// Reviews a closing order of the engine's own; what passes is named and entered.
    ///
    /// # Errors
    /// The denial, which has been counted.
    pub(crate) fn decide_closing(
        &mut self,
        request: &OrderRequest,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Approved<NewOrder>, Denial> {
        let reviewed = self.review_closing(request, evidence, now);
        match &reviewed {
            Ok(approved) => self.take_on(approved, now),
            Err(denial) => self.note_denial(denial),
        }
        reviewed
    }

    /// The same; nothing is entered or counted.
    pub(crate) fn review_closing(
        &mut self,
        request: &OrderRequest,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Approved<NewOrder>, Denial> {
        let client_order_id = self.next_id(now)?;
        let order = named(request, client_order_id, now);
        let view = self.view(request.strategy, request.instrument, evidence.top, now)?;
        let approved = risk::review_closing(order, evidence.halt, &view)?;
        Ok(approved.decided_in(self.epoch_of(request.strategy, request.instrument, evidence.halt)))
    }

    /// Uses up the name of an approved order and enters it in the book.
    pub(crate) fn take_on(&mut self, approved: &Approved<NewOrder>, now: Timestamp) {
        let order = approved.get();
        self.sequence.1 = order.client_order_id.sequence();
        self.issued = Some(order.client_order_id);
        self.watched.message(order.strategy, self.sequence.0);
        self.book.enter(*order, approved.worst_price());
        self.activity.submitted(order, &self.book, now);
    }

    /// Reviews a request; nothing is entered or counted.
    pub(crate) fn review(
        &mut self,
        request: &OrderRequest,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Approved<NewOrder>, Denial> {
        let client_order_id = self.next_id(now)?;
        let order = named(request, client_order_id, now);
        let view = self.view(request.strategy, request.instrument, evidence.top, now)?;
        let view = View { forecast: request.signal.forecast.as_ref(), ..view };
        let approved = risk::review(order, evidence.halt, &view)?;
        Ok(approved.decided_in(self.epoch_of(request.strategy, request.instrument, evidence.halt)))
    }

    /// The epoch of the switch in which a decision under `level` is made. Where it has moved since the level
    /// was looked at, the decision is older than that.
    fn epoch_of(&self, strategy: StrategyId, instrument: InstrumentId, level: HaltLevel) -> u64 {
        let epoch = self.halt.epoch();
        if self.halt.level_of(strategy, instrument) == level { epoch } else { 0 }
    }

    /// Explains what the review says of a request, whatever name it would have; nothing for an
    /// instrument that is not part of this run. `closes`: of the engine's own closing order.
    pub(crate) fn explain(
        &self,
        request: &OrderRequest,
        closes: bool,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Option<Explanation> {
        let name = ClientOrderId::new(&self.account, now.local_date(), 1).ok()?;
        let view = self.view(request.strategy, request.instrument, evidence.top, now).ok()?;
        let view = View { forecast: request.signal.forecast.as_ref(), ..view };
        let explain = if closes { risk::explain_closing } else { risk::explain };
        Some(explain(named(request, name, now), evidence.halt, &view))
    }

    /// Explains what the review says of a change; nothing for an order that is not open.
    pub(crate) fn explain_replace(
        &self,
        replace: ReplaceOrder,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Option<Explanation> {
        let open = self.book.order(&replace.client_order_id).filter(|order| !order.status.is_terminal())?;
        let view = self.view(open.intent.strategy, open.intent.instrument, evidence.top, now).ok()?;
        Some(risk::explain_replace(open, replace, evidence.halt, &view))
    }

    /// The day that `now` falls on, exchange time. Order identifiers count within it, and must be
    /// unique for ever: a clock that steps back over midnight does not lead back to a day that was.
    #[inline]
    pub fn day(&mut self, now: Timestamp) -> Date {
        if !self.day.contains(&now) {
            self.begin_day(now);
        }
        self.sequence.0
    }

    fn begin_day(&mut self, now: Timestamp) {
        let date = now.local_date();
        let midnight = |day: Date| day.and_hms_opt(0, 0, 0).and_then(Timestamp::from_local);
        let ends = date.succ_opt().and_then(midnight).unwrap_or(Timestamp::MAX);
        self.day = midnight(date).unwrap_or(now)..ends;
        if date > self.sequence.0 {
            self.sequence = (date, 0);
        }
    }

    /// The name that the next order will have; it is used up only when the order is approved.
    fn next_id(&mut self, now: Timestamp) -> Result<ClientOrderId, Denial> {
        let date = self.day(now);
        let used = self.sequence.1;
        let denied = |because| Denial {
            check: code::IDENTIFIERS,
            because,
            asked: Figure::Count(u64::from(used) + 1),
            limit: Figure::Count(u64::from(ClientOrderId::MAX_SEQUENCE)),
        };
        let id = ClientOrderId::new(&self.account, date, used + 1)
            .map_err(|_| denied("every order identifier of the day is used"))?;
        if self.issued.is_some_and(|issued| id <= issued) {
            return Err(denied("the clock went back: the identifier may have been used"));
        }
        Ok(id)
    }

    fn view(
        &self,
        strategy: StrategyId,
        instrument: InstrumentId,
        top: TopOfBook,
        now: Timestamp,
    ) -> Result<View<'_>, Denial> {
        let known = self.universe.get(instrument).ok_or(Denial {
            check: code::UNKNOWN_INSTRUMENT,
            because: "the instrument is not part of this run",
            asked: Figure::Count(instrument.index() as u64),
            limit: Figure::Count(self.universe.len() as u64),
        })?;
        Ok(View {
            book: &self.book,
            instrument: known,
            top,
            phase: self.phase,
            price_horizon: self.price_horizon,
            now,
            forecast: None,
            limits: self.limits.of(strategy, instrument),
            table: &self.limits,
            activity: &self.activity,
        })
    }

    /// Counts a denial, also one that was made outside the desk.
    pub fn note_denial(&mut self, denial: &Denial) {
        *self.denials.entry(denial.check).or_default() += 1;
        self.watched.denial();
    }

    /// Approves a cancel of an open order. Halts never stop a cancel.
    ///
    /// # Errors
    /// There is no such open order.
    pub fn cancel(&mut self, id: ClientOrderId, now: Timestamp) -> Result<Approved<CancelOrder>, Denial> {
        let instrument = self.open_instrument(id)?;
        let cancel = CancelOrder { client_order_id: id, instrument, decided_at: now };
        self.restore_cancel(&cancel).map_err(|_| not_open())?;
        Ok(risk::approve_cancel(cancel))
    }

    /// Reviews a change of an open order.
    ///
    /// # Errors
    /// The denial, which has been counted.
    pub fn replace(
        &mut self,
        replace: ReplaceOrder,
        top: TopOfBook,
        now: Timestamp,
    ) -> Result<Approved<ReplaceOrder>, Denial> {
        let owner = self.book.order(&replace.client_order_id).map(|order| order.intent.strategy);
        let halt = owner.map_or_else(|| self.halt.level(), |owner| self.halt.level_of(owner, replace.instrument));
        self.decide_replace(replace, &Evidence { top, halt, marks: Vec::new() }, now)
    }

    /// The same on what was looked at already.
    pub(crate) fn decide_replace(
        &mut self,
        replace: ReplaceOrder,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Approved<ReplaceOrder>, Denial> {
        let reviewed = self.replace_reviewed(replace, evidence, now);
        if let Err(denial) = &reviewed {
            self.note_denial(denial);
        }
        reviewed
    }

    fn replace_reviewed(
        &mut self,
        replace: ReplaceOrder,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Approved<ReplaceOrder>, Denial> {
        let open = self.book.order(&replace.client_order_id).filter(|order| !order.status.is_terminal());
        let open = open.ok_or_else(not_open)?;
        let view = self.view(open.intent.strategy, open.intent.instrument, evidence.top, now)?;
        let approved = risk::review_replace(open, replace, evidence.halt, &view)?;
        let (strategy, instrument) = (open.intent.strategy, open.intent.instrument);
        let approved = approved.decided_in(self.epoch_of(strategy, instrument, evidence.halt));
        self.restore_replace(&replace, approved.worst_price()).map_err(|_| not_open())?;
        Ok(approved)
    }

    /// The day that an instant falls on, whatever day it is now.
    fn day_of(&self, at: Timestamp) -> Date {
        if self.day.contains(&at) { self.sequence.0 } else { at.local_date() }
    }

    fn open_instrument(&self, id: ClientOrderId) -> Result<InstrumentId, Denial> {
        let order = self.book.order(&id).filter(|order| !order.status.is_terminal());
        order.map(|order| order.intent.instrument).ok_or_else(not_open)
    }

    /// Applies the broker's execution report; gives what it changed, and the rules that it made trip, which
    /// hold from now on.
    ///
    /// # Errors
    /// A report that does not fit changes nothing and says why.
    pub fn report(&mut self, report: &ExecutionReport, now: Timestamp) -> Result<(Applied, Vec<Tripped>), Anomaly> {
        self.take_in(report, true, now)
    }

    /// The same of what we conclude ourselves, or what a statement tells: no rejection of the broker's.
    pub(crate) fn conclude(
        &mut self,
        report: &ExecutionReport,
        now: Timestamp,
    ) -> Result<(Applied, Vec<Tripped>), Anomaly> {
        self.take_in(report, false, now)
    }

    fn take_in(
        &mut self,
        report: &ExecutionReport,
        spoken: bool,
        now: Timestamp,
    ) -> Result<(Applied, Vec<Tripped>), Anomaly> {
        let applied = self.restore_report(report, spoken, now)?;
        let tripped = self.due(&applied, now);
        tripped.iter().for_each(|tripped| self.activity.latch(tripped));
        Ok((applied, tripped))
    }

    /// The rules that a report has made trip and that do not hold yet.
    pub(crate) fn due(&self, applied: &Applied, now: Timestamp) -> Vec<Tripped> {
        self.activity.due((applied.strategy, applied.instrument), &self.limits, now).collect()
    }

    /// Applies a report that the journal holds; what it made trip, the journal holds too.
    pub(crate) fn restore_report(
        &mut self,
        report: &ExecutionReport,
        spoken: bool,
        now: Timestamp,
    ) -> Result<Applied, Anomaly> {
        let applied = self.book.apply(report)?;
        if applied.fill.is_some() {
            self.watched.trade(applied.strategy, self.day_of(report.at));
        } else {
            self.watched.change();
        }
        let parent = self.book.order(&report.client_order_id).and_then(|order| order.intent.parent);
        self.activity.reported(report, &applied, parent, spoken, now);
        Ok(applied)
    }

    /// A rule has stopped a strategy; `name` is its name if this run does not have it.
    pub(crate) fn restore_latch(&mut self, tripped: &Tripped, name: Option<String>) {
        let Some(name) = name else { return self.activity.latch(tripped) };
        let symbol = tripped.instrument.and_then(|id| self.universe.get(id)).map(|known| known.symbol);
        self.activity.latch_absent(name, symbol, tripped.rule, tripped.latch);
    }

    /// Notes a cancel that is about to be sent, or was.
    pub(crate) fn restore_cancel(&mut self, cancel: &CancelOrder) -> Result<(), Anomaly> {
        self.book.request_cancel(cancel)?;
        self.count_message(cancel.client_order_id, cancel.decided_at);
        Ok(())
    }

    /// Notes a replace that is about to be sent, or was.
    pub(crate) fn restore_replace(&mut self, replace: &ReplaceOrder, worst_price: Price) -> Result<(), Anomaly> {
        self.book.request_replace(replace, worst_price)?;
        self.count_message(replace.client_order_id, replace.decided_at);
        Ok(())
    }

    fn count_message(&mut self, id: ClientOrderId, at: Timestamp) {
        let day = self.day_of(at);
        if let Some(order) = self.book.order(&id) {
            self.activity.message(order.intent.strategy, at);
            self.watched.message(order.intent.strategy, day);
        }
    }

    /// A named person has resumed this scope: rules that had stopped a strategy, or whoever traded a symbol,
    /// begin to count anew. Wider scopes say nothing of them. Gives whether anything was stopped.
    pub fn rearm(&mut self, scope: &HaltScope, strategies: &[String]) -> bool {
        let before = self.activity.stopped().len();
        match scope {
            HaltScope::Strategy(name) => match number_of(name, strategies) {
                Some(strategy) => self.activity.rearm_strategy(strategy),
                None => self.activity.rearm_absent(name),
            },
            HaltScope::Symbol(symbol) => {
                if let Some(instrument) = self.universe.find(symbol) {
                    self.activity.rearm_instrument(instrument);
                }
            }
            HaltScope::Global | HaltScope::Account | HaltScope::Broker => {}
        }
        self.activity.stopped().len() < before
    }

    /// Marks that a decision on this instrument now rests on and that the journal does not hold: of what is
    /// held or open, because their worth is compared with limits, and of the instrument itself.
    pub(crate) fn untold_marks(&self, instrument: InstrumentId) -> Vec<(InstrumentId, Price)> {
        let untold = self.universe.ids().filter_map(|id| {
            let stake = self.book.stake(id);
            let counts = id == instrument || !stake.held.is_zero() || stake.open.orders > 0;
            (counts && stake.mark != self.told[id.index()]).then_some((id, stake.mark))
        });
        untold.collect()
    }

    /// The journal holds these marks now.
    pub(crate) fn marks_told(&mut self, marks: &[(InstrumentId, Price)]) {
        for (instrument, mark) in marks {
            self.told[instrument.index()] = *mark;
        }
    }

    /// The marks that a recorded decision rests on.
    pub(crate) fn see_marks(&mut self, marks: &[(InstrumentId, Price)]) {
        for (instrument, mark) in marks.iter().filter(|(instrument, _)| instrument.index() < self.told.len()) {
            self.book.mark(*instrument, *mark);
        }
    }

    /// Notes that what was sent for an order may or may not have arrived.
    ///
    /// # Errors
    /// The order is not ours or has ended.
    pub fn outcome_unknown(&mut self, id: ClientOrderId) -> Result<(), Anomaly> {
        self.book.outcome_unknown(id)
    }

    /// A price that positions are marked at.
    #[inline]
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) {
        self.book.mark(instrument, price);
    }

    /// The session moved to another phase.
    pub fn phase(&mut self, change: &PhaseChange) {
        // A clock that was set back does not lead back to a session that was: sessions are counted, and what
        // the book forgets after some of them a statement may still list.
        if change.session > self.session {
            self.session = change.session;
            self.price_horizon = self.horizon_of(change.session);
            self.book.start_session(change.session);
            self.activity.begin_session();
        }
        self.phase = change.phase;
        if change.phase == Phase::Closed {
            self.book.end_session();
        }
    }

    /// Enters an intent that the journal holds already: recovery, not a decision.
    pub(crate) fn restore_intent(&mut self, order: NewOrder, worst_price: Price) {
        let id = order.client_order_id;
        if let Ok(day) = Date::parse_from_str(&id.day().to_string(), "%Y%m%d") {
            self.sequence = self.sequence.max((day, id.sequence()));
        }
        self.issued = self.issued.max(Some(id));
        self.watched.message(order.strategy, order.decided_at.local_date());
        self.book.enter(order, worst_price);
        self.activity.submitted(&order, &self.book, order.decided_at);
    }

    /// Takes in an execution of an order that was placed elsewhere.
    ///
    /// # Errors
    /// It was taken in before, or makes no sense.
    pub fn external(&mut self, execution: &StatedExecution) -> Result<(), Anomaly> {
        self.watched.change();
        self.book.apply_external(execution)
    }

    /// So many units of this instrument belong to somebody else, from now on.
    pub fn adopt(&mut self, instrument: InstrumentId, quantity: Quantity) {
        self.watched.change();
        self.book.adopt_external(instrument, quantity);
    }

    /// Everything that recovery must bring back, told by names that outlive a run.
    pub(crate) fn state(&self, strategies: &[String]) -> DeskState {
        // The book's lines are the universe's instruments, one for one.
        let symbol = |id: InstrumentId| self.universe.get(id).expect("an instrument of this run").symbol;
        let strategy = |id: StrategyId| strategies.get(id.index()).cloned().unwrap_or_default();
        DeskState {
            book: self.book.state(symbol, strategy),
            cash: self.first_cash,
            phase: self.phase,
            session: self.session,
            sequence: self.sequence,
            issued: self.issued,
            activity: self.activity.state(symbol, |id| strategies.get(id.index()).cloned()),
            watched: self.watched.state(strategy),
        }
    }

    /// The desk that a state leads to.
    pub(crate) fn from_state(
        mut settings: DeskSettings,
        halt: HaltSwitch,
        state: DeskState,
        strategies: &[String],
    ) -> Result<Self, String> {
        settings.book.cash = state.cash;
        let mut desk = Self::new(settings.clone(), halt);
        let universe = Arc::clone(&desk.universe);
        let instrument = |symbol: &Symbol| universe.find(symbol);
        let strategy = |name: &str| Some(number_of(name, strategies).unwrap_or(GONE));
        desk.book = Book::from_state(settings.book, state.book, instrument, strategy)?;
        (desk.phase, desk.session) = (state.phase, state.session);
        (desk.sequence, desk.issued) = (state.sequence, state.issued);
        desk.activity = Activity::from_state(state.activity, instrument, |name| number_of(name, strategies));
        desk.watched = Watched::from_state(state.watched, strategies);
        desk.price_horizon = desk.horizon_of(desk.session);
        Ok(desk)
    }

    /// The broker charges this from now on.
    pub(crate) fn charge(&mut self, brokerage: Brokerage) {
        self.book.charge(brokerage);
    }

    /// These limits count from now on. What is open already stays as it was approved.
    pub(crate) fn set_limits(&mut self, limits: Limits, strategies: &[String]) {
        if *self.limits.limits() != limits {
            self.limits = Arc::new(LimitTable::new(limits, &self.universe, strategies));
        }
    }

    /// The limits in force, to keep.
    pub fn shared_limits(&self) -> Arc<LimitTable> {
        Arc::clone(&self.limits)
    }

    /// The money that the book began with.
    pub fn first_cash(&self) -> Money {
        self.first_cash
    }

    /// What happened lately, and what it has stopped.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// The limits in force.
    pub fn limits(&self) -> &Arc<LimitTable> {
        &self.limits
    }

    pub(crate) fn watched(&self) -> &Watched {
        &self.watched
    }

    pub(crate) fn watched_mut(&mut self) -> &mut Watched {
        &mut self.watched
    }

    /// The book.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The session that the desk is in.
    pub fn session(&self) -> Date {
        self.session
    }

    /// The phase that the desk is in.
    pub fn current_phase(&self) -> Phase {
        self.phase
    }

    /// Denials so far, by check.
    pub fn denials(&self) -> &BTreeMap<&'static str, u64> {
        &self.denials
    }

    /// What can be traded.
    pub fn universe(&self) -> &Arc<Universe> {
        &self.universe
    }

    /// The switch that the desk looks at.
    pub fn halt(&self) -> &HaltSwitch {
        &self.halt
    }
}

fn named(request: &OrderRequest, client_order_id: ClientOrderId, now: Timestamp) -> NewOrder {
    NewOrder {
        client_order_id,
        strategy: request.strategy,
        instrument: request.instrument,
        side: request.side,
        quantity: request.quantity,
        order_type: request.order_type,
        time_in_force: request.time_in_force,
        decided_at: now,
        parent: request.parent,
    }
}

fn not_open() -> Denial {
    Denial { check: code::NOT_OPEN, because: "there is no such open order", asked: Figure::None, limit: Figure::None }
}
