//! The book of one account: orders, positions, cash and exposure, changed only by our intents and
//! by the broker's execution reports.
//!
//! Whoever owns the book applies changes one after another (the Account actor live, the loop in a
//! backtest), so no two decisions ever see the same remaining limit.
//!
//! - `executions`: fills, busts and corrections
//! - `exposure`: what it could come to hold at worst
//! - `external`: what other hands do in the same account
//! - `results`: what each strategy has made
//! - `state`: the whole book as a value that can be stored

mod executions;
mod exposure;
mod external;
mod results;
mod state;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use market::fees::Modality;
use market::order::{CancelOrder, ReplaceOrder};
use market::settlement::settlement_date;
use market::{
    Calendar, ClientOrderId, Date, ExecutionId, ExecutionReport, FeeSchedule, InstrumentId, Money, NewOrder, Price,
    Quantity, Rate, ReportKind, Side, StrategyId, Timestamp,
};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::cash::CashLedger;
use crate::day_trade::{DayTerms, DayTraded};
use crate::entered::{Entered, Orders};
use crate::life_cycle::{OrderEvent, OrderStatus, transition};
use crate::order::{Order, Replacement};
use crate::position::Position;

use executions::Effects;
pub(crate) use executions::Owner;
pub use executions::{Execution, FillEffect, Revocation, RevokedEffect};
use exposure::Sums;
pub use exposure::{Exposure, Open, Stake, Worth};
use external::ExternalExecution;
use results::Results;
pub use state::BookState;

/// Ended orders are kept for this many sessions, so that a late fill still finds its order; a
/// settlement cycle (D+2) is over by then, with room.
const KEPT_SESSIONS: u32 = 5;

/// And no more than this many of them, however busy a session is. A broker that reports on an
/// order so long after its end is heard as one that reports on an unknown order: nothing changes.
/// The names of today's are kept all the same, so that a statement does not take us by surprise.
const KEPT_ENDED: usize = 10_000;

/// No order has more units than this: a thousand times the shares of B3's largest company. A report
/// that says otherwise is garbage, and sums of it would not fit.
pub(crate) const MOST_UNITS: Quantity = Quantity::new(10_000_000_000_000);

/// What an account's book needs to know of the world.
#[derive(Clone, Debug)]
pub struct BookSettings {
    /// Money at the start.
    pub cash: Money,
    /// Sessions and settlement dates.
    pub calendar: Arc<Calendar>,
    /// Exchange fees by date.
    pub fees: Arc<FeeSchedule>,
    /// Brokerage and its tax.
    pub brokerage: market::fees::Brokerage,
    /// How many instruments the run has.
    pub instruments: usize,
}

/// What a strategy holds of an instrument.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Holding {
    /// Units held, signed.
    pub position: Quantity,
    /// Units that working orders would add, signed.
    pub working: Quantity,
}

/// Why a report was not applied. It is recorded, counted and alerted, and changes nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Anomaly {
    /// Not an order of this book: placed by hand or by another system.
    #[error("report for {0}, which is not an order of this account")]
    UnknownOrder(ClientOrderId),
    /// An execution that has been applied already.
    #[error("execution {execution_id} of {client_order_id} was applied before")]
    DuplicateExecution {
        /// The order.
        client_order_id: ClientOrderId,
        /// The broker's name of the execution.
        execution_id: ExecutionId,
    },
    /// An event that has no place in the order's life.
    #[error("'{event}' has no place for {client_order_id}, which is {status}")]
    OutOfLifeCycle {
        /// The order.
        client_order_id: ClientOrderId,
        /// Where it stands.
        status: &'static str,
        /// What was reported.
        event: &'static str,
    },
    /// A fill of nothing, of more than was left, or at no price.
    #[error("fill of {quantity} at {price} does not fit {client_order_id}, which has {leaves} left")]
    ImpossibleFill {
        /// The order.
        client_order_id: ClientOrderId,
        /// Reported quantity.
        quantity: Quantity,
        /// Reported price.
        price: Price,
        /// What the order has left.
        leaves: Quantity,
    },
    /// A bust or correction of an execution that it cannot be about.
    #[error("{reference} of {client_order_id} cannot be taken back: {reason}")]
    ImpossibleBust {
        /// The order.
        client_order_id: ClientOrderId,
        /// The execution that was to be taken back.
        reference: ExecutionId,
        /// Why it cannot.
        reason: String,
    },
    /// An execution of another hand's order that cannot be counted.
    #[error("execution {execution_id} of another hand's order cannot be counted: {reason}")]
    ImpossibleExternal {
        /// The broker's name of the execution.
        execution_id: ExecutionId,
        /// Why it cannot.
        reason: String,
    },
    /// The report names another instrument than the order.
    #[error("report for {0} names another instrument than the order")]
    WrongInstrument(ClientOrderId),
    /// A replace to less than has traded already, to no quantity, or to an absurd one.
    #[error("replace of {client_order_id} to {quantity} is below the {cumulative} that have traded")]
    ImpossibleReplace {
        /// The order.
        client_order_id: ClientOrderId,
        /// Reported total quantity.
        quantity: Quantity,
        /// What has traded.
        cumulative: Quantity,
    },
    /// A replace to a price at which nothing can trade.
    #[error("replace of {client_order_id} to price {limit_price}, which is not positive")]
    ImpossiblePrice {
        /// The order.
        client_order_id: ClientOrderId,
        /// Reported limit price.
        limit_price: Price,
    },
    /// No fee is known for the date of the fill: the fee schedule has run out.
    #[error("no fee is known for {0}: extend the fee schedule")]
    UnknownFee(Date),
}

/// What a report changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The order.
    pub client_order_id: ClientOrderId,
    /// Whose order.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Where the order stands now.
    pub status: OrderStatus,
    /// The fill, if it was one; of a correction, the execution as it stands now.
    pub fill: Option<FillEffect>,
    /// The execution that does not count any more, if a bust or a correction took one back.
    pub revoked: Option<RevokedEffect>,
    /// What the strategy holds now.
    pub holding: Holding,
}

/// One instrument's side of the book.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    position: Position,
    mark: Price,
    /// Open orders at worst.
    open: Open,
    /// What the line adds to the exposure.
    worth: Worth,
    /// Something is held, and there is no mark.
    unpriced: bool,
    /// Orders whose outcome is unknown.
    unknown: u32,
    /// Σ signed fills, kept apart from the position so that the two can be compared.
    fills: Quantity,
    /// Units that other hands hold in the account, signed.
    external: Quantity,
    /// The part of them that no remembered execution explains.
    adopted: Quantity,
}

/// The book of one account.
#[derive(Clone, Debug)]
pub struct Book {
    settings: BookSettings,
    orders: Orders,
    // Keys come from a broker that we are logged in to: speed before resistance to chosen keys.
    /// Whose every execution is that has been applied, busts and corrections by their own names too.
    executions: FxHashMap<ExecutionId, Owner>,
    lines: Vec<Line>,
    /// Places of the orders that may still trade, by instrument, in no order: a review asks for them.
    open: Vec<Vec<usize>>,
    holdings: FxHashMap<(StrategyId, InstrumentId), Holding>,
    cash: CashLedger,
    reserved: Money,
    market_value: Money,
    sums: Sums,
    results: Results,
    fees: Money,
    /// Of the date seen last, so that most orders and fills skip calendar and schedule.
    terms: Option<DayTerms>,
    /// By trade date, until that date's trades have settled.
    day_traded: BTreeMap<(Date, InstrumentId), DayTraded>,
    /// Executions of other hands' orders.
    externals: BTreeMap<ExecutionId, ExternalExecution>,
    /// Orders that ended in this session and had to make room, with the names of their executions: a
    /// statement of today still lists them. They go when the next session begins.
    forgotten: FxHashMap<ClientOrderId, Vec<ExecutionId>>,
    /// Orders that ended, oldest first, each with the session that it ended in.
    ended: VecDeque<(u32, ClientOrderId)>,
    /// Sessions begun so far.
    sessions: u32,
    /// The date of the last of them.
    session: Option<Date>,
}

impl Book {
    /// An empty book with money in it.
    pub fn new(settings: BookSettings) -> Self {
        Self {
            orders: Orders::default(),
            executions: FxHashMap::default(),
            lines: vec![Line::default(); settings.instruments],
            open: vec![Vec::new(); settings.instruments],
            holdings: FxHashMap::default(),
            cash: CashLedger::with(settings.cash),
            reserved: Money::ZERO,
            market_value: Money::ZERO,
            sums: Sums::default(),
            results: Results::new(settings.instruments),
            fees: Money::ZERO,
            terms: None,
            day_traded: BTreeMap::new(),
            externals: BTreeMap::new(),
            forgotten: FxHashMap::default(),
            ended: VecDeque::new(),
            sessions: 0,
            session: None,
            settings,
        }
    }

    /// Enters an order that is about to be committed and sent. `worst_price` is what a unit may
    /// cost at most (its limit, or the collar's edge for orders without one).
    ///
    /// # Panics
    /// If the identifier was used before: identifiers are unique for ever, so two equal ones mean
    /// that the sequence went wrong, and going on could hide an order.
    pub fn enter(&mut self, intent: NewOrder, worst_price: Price) {
        let id = intent.client_order_id;
        assert!(!self.forgotten.contains_key(&id), "order identifier {id} used twice");
        self.keep_terms(intent.decided_at);
        self.orders.enter(Entered::new(Order::new(intent, worst_price)));
        self.recount_order(intent.client_order_id);
    }

    /// Notes that a cancel is about to be sent.
    ///
    /// # Errors
    /// The order is not ours or has ended.
    pub fn request_cancel(&mut self, cancel: &CancelOrder) -> Result<(), Anomaly> {
        self.step(cancel.client_order_id, cancel.instrument, OrderEvent::CancelRequested)
    }

    /// Notes that a replace is about to be sent.
    ///
    /// # Errors
    /// The order is not ours, or not in a state to be changed.
    pub fn request_replace(&mut self, replace: &ReplaceOrder, worst_price: Price) -> Result<(), Anomaly> {
        // What became of the last replace must be known first: two on their way cannot be told apart.
        if let Some(open) = self.order(&replace.client_order_id).filter(|order| order.replacement.is_some()) {
            return Err(Anomaly::OutOfLifeCycle {
                client_order_id: replace.client_order_id,
                status: open.status.name(),
                event: event_name(OrderEvent::ReplaceRequested),
            });
        }
        self.step(replace.client_order_id, replace.instrument, OrderEvent::ReplaceRequested)?;
        self.keep_terms(replace.decided_at);
        if let Some(entered) = self.orders.get_mut(&replace.client_order_id) {
            entered.order.replacement = Some(Replacement { quantity: replace.quantity, worst_price });
        }
        self.recount_order(replace.client_order_id);
        Ok(())
    }

    /// Notes that what was sent for this order may or may not have arrived.
    ///
    /// # Errors
    /// The order is not ours or has ended.
    pub fn outcome_unknown(&mut self, client_order_id: ClientOrderId) -> Result<(), Anomaly> {
        let instrument = self.order(&client_order_id).map(|order| order.intent.instrument);
        let instrument = instrument.ok_or(Anomaly::UnknownOrder(client_order_id))?;
        self.step(client_order_id, instrument, OrderEvent::OutcomeUnknown)
    }

    /// Applies one execution report, wholly or not at all.
    ///
    /// # Errors
    /// A report that does not fit changes nothing and says why.
    ///
    /// # Panics
    /// If a position no longer equals the sum of its fills: a bug, after which nothing may trade
    /// until the book has been rebuilt.
    pub fn apply(&mut self, report: &ExecutionReport) -> Result<Applied, Anomaly> {
        let id = report.client_order_id;
        let place = self.orders.place_of(&id).ok_or(Anomaly::UnknownOrder(id))?;
        let order = &self.orders.at(place).order;
        if order.intent.instrument != report.instrument {
            return Err(Anomaly::WrongInstrument(id));
        }
        let (status, strategy) = (order.status, order.intent.strategy);
        let effects = match &report.kind {
            ReportKind::Fill { execution_id, price, quantity } => {
                self.apply_fill(place, report, execution_id, *price, *quantity)?
            }
            ReportKind::Bust { execution_id, reference } => self.apply_bust(place, report, execution_id, reference)?,
            ReportKind::Corrected { execution_id, reference, price, quantity } => {
                self.apply_corrected(place, report, execution_id, reference, *price, *quantity)?
            }
            ReportKind::Replaced { quantity, limit_price } => {
                self.apply_replaced(report, *quantity, *limit_price)?;
                self.recount(place);
                Effects::default()
            }
            kind => {
                self.step(id, report.instrument, event_of(kind))?;
                Effects::default()
            }
        };
        if effects.fill.is_some() || effects.revoked.is_some() {
            // Only of an order that it has can a broker say that it traded, or that a trade is void.
            self.orders.at_mut(place).order.acknowledged = true;
            self.recount(place);
        }
        let after = self.orders.at(place).order.status;
        if after.is_terminal() && !status.is_terminal() {
            self.ended.push_back((self.sessions, id));
            if self.ended.len() > KEPT_ENDED {
                self.forget_oldest();
            }
        }
        let Effects { fill, revoked } = effects;
        let (instrument, holding) = (report.instrument, self.holding(strategy, report.instrument));
        Ok(Applied { client_order_id: id, strategy, instrument, status: after, fill, revoked, holding })
    }

    fn apply_replaced(
        &mut self,
        report: &ExecutionReport,
        quantity: Quantity,
        limit_price: Option<Price>,
    ) -> Result<(), Anomaly> {
        let id = report.client_order_id;
        let order = &self.orders.get(&id).ok_or(Anomaly::UnknownOrder(id))?.order;
        if quantity < order.cumulative || !quantity.is_positive() || quantity > MOST_UNITS {
            return Err(Anomaly::ImpossibleReplace { client_order_id: id, quantity, cumulative: order.cumulative });
        }
        if let Some(limit_price) = limit_price.filter(|price| *price <= Price::ZERO) {
            return Err(Anomaly::ImpossiblePrice { client_order_id: id, limit_price });
        }
        self.step(id, report.instrument, OrderEvent::Replaced)?;
        if let Some(entered) = self.orders.get_mut(&id) {
            let order = &mut entered.order;
            order.quantity = quantity;
            if let Some(limit_price) = limit_price {
                order.order_type = order.order_type.with_limit(limit_price);
            }
            // An order without a limit keeps what the review of its replace reckoned with.
            let reviewed = order.replacement.take().map(|to| to.worst_price);
            order.worst_price = order.order_type.limit_price().or(reviewed).unwrap_or(order.worst_price);
        }
        self.end_if_all_traded(id);
        Ok(())
    }

    /// After the answer to a replace: what had traded meanwhile may have been all of it.
    fn end_if_all_traded(&mut self, id: ClientOrderId) {
        if let Some(entered) = self.orders.get_mut(&id) {
            let order = &mut entered.order;
            if !order.status.is_terminal() && order.cumulative >= order.quantity {
                order.status = OrderStatus::Filled;
            }
        }
    }

    /// Moves an order along the table; no other effect.
    fn step(&mut self, id: ClientOrderId, instrument: InstrumentId, event: OrderEvent) -> Result<(), Anomaly> {
        let order = &mut self.orders.get_mut(&id).ok_or(Anomaly::UnknownOrder(id))?.order;
        if order.intent.instrument != instrument {
            return Err(Anomaly::WrongInstrument(id));
        }
        // The table does not know where a status comes from: an order that was acknowledged or has traded
        // is not rejected any more, one that "works" because a cancel of it was refused may be.
        let in_the_book =
            order.acknowledged && matches!(order.status, OrderStatus::Working | OrderStatus::PendingReplace);
        let next = if event == OrderEvent::Rejected && in_the_book { None } else { transition(order.status, event) };
        let after = next.ok_or(Anomaly::OutOfLifeCycle {
            client_order_id: id,
            status: order.status.name(),
            event: event_name(event),
        })?;
        let after = if refusal_says_nothing(order, event, after) { order.status_before_cancel() } else { after };
        match event {
            OrderEvent::ReplaceRejected => order.replacement = None,
            OrderEvent::Acknowledged | OrderEvent::Replaced => order.acknowledged = true,
            OrderEvent::CancelRequested => order.cancel_requested = true,
            OrderEvent::CancelRejected => order.cancel_requested = false,
            _ => {}
        }
        if (after == OrderStatus::Unknown) != (order.status == OrderStatus::Unknown) {
            let unknown = &mut self.lines[instrument.index()].unknown;
            *unknown = if after == OrderStatus::Unknown { *unknown + 1 } else { *unknown - 1 };
        }
        order.status = after;
        if event == OrderEvent::ReplaceRejected {
            self.end_if_all_traded(id);
        }
        self.recount_order(id);
        Ok(())
    }

    fn recount_order(&mut self, id: ClientOrderId) {
        if let Some(place) = self.orders.place_of(&id) {
            self.recount(place);
        }
    }

    /// Brings the aggregates in line with what the order counts for now.
    fn recount(&mut self, place: usize) {
        let rate = self.terms.map_or(Rate::ZERO, |terms| terms.rate);
        let entered = self.orders.at_mut(place);
        let order = &entered.order;
        let (open, working) = (Open::of(entered), order.intent.side.signed(order.leaves()));
        let brokerage = if entered.brokerage.is_some() { Money::ZERO } else { self.settings.brokerage.fee() };
        let reserved = match order.intent.side {
            Side::Buy if open.buys.is_positive() => with_fees(order.worst_notional(), rate, brokerage),
            _ => Money::ZERO,
        };
        let places = &mut self.open[order.intent.instrument.index()];
        match (entered.counted.is_any(), open.is_any()) {
            (false, true) => places.push(place),
            (true, false) => places.retain(|known| *known != place),
            _ => {}
        }
        self.reserved += reserved - entered.reserved;
        let key = (order.intent.strategy, order.intent.instrument);
        self.holdings.entry(key).or_default().working += working - entered.working;
        let before = std::mem::replace(&mut entered.counted, open);
        (entered.working, entered.reserved) = (working, reserved);
        self.recount_open(key, &before, &open);
    }

    /// Today's fee rate, for reservations; beyond the schedule the review denies what costs cash.
    fn keep_terms(&mut self, at: Timestamp) {
        self.terms = self.terms_at(at).ok().or(self.terms);
    }

    /// Fee rate and settlement of the trade date that `at` falls on.
    fn terms_at(&self, at: Timestamp) -> Result<DayTerms, Anomaly> {
        if let Some(terms) = self.terms
            && (terms.from..terms.until).contains(&at)
        {
            return Ok(terms);
        }
        self.terms_on(at.local_date())
    }

    fn terms_on(&self, date: Date) -> Result<DayTerms, Anomaly> {
        let unknown = || Anomaly::UnknownFee(date);
        let midnight = |day: Date| day.and_hms_opt(0, 0, 0).and_then(Timestamp::from_local);
        let rate = self.settings.fees.rate(date, Modality::Normal).ok_or_else(unknown)?;
        Ok(DayTerms {
            date,
            from: midnight(date).ok_or_else(unknown)?,
            until: date.succ_opt().and_then(midnight).ok_or_else(unknown)?,
            rate,
            settles: settlement_date(&self.settings.calendar, date).ok_or_else(unknown)?,
        })
    }

    /// A new session has begun: what was due has settled, and orders that ended long ago go.
    pub fn start_session(&mut self, session: Date) {
        // Nothing is left to re-rate, unless the end of a session was missed.
        self.end_session();
        self.cash.settle(session);
        self.day_traded.retain(|_, day| day.terms.settles > session);
        self.sessions += 1;
        self.session = Some(session);
        for execution_id in self.forgotten.drain().flat_map(|(_, names)| names) {
            self.executions.remove(&execution_id);
        }
        self.forget_externals();
        while self.ended.front().is_some_and(|(ended, _)| ended + KEPT_SESSIONS <= self.sessions) {
            self.forget_oldest();
        }
    }

    /// The order that ended longest ago goes, with its executions. Of one that ended in this session
    /// the names stay: a statement will list them, and they must not look like somebody else's.
    fn forget_oldest(&mut self) {
        let Some((session, id)) = self.ended.pop_front() else { return };
        let names: Vec<_> = self.orders.remove(&id).into_iter().flat_map(Entered::names).collect();
        if session == self.sessions {
            self.forgotten.insert(id, names);
        } else {
            for execution_id in &names {
                self.executions.remove(execution_id);
            }
        }
    }

    /// Whether an order of that name ended in this session and has been forgotten since.
    pub fn is_forgotten(&self, id: &ClientOrderId) -> bool {
        self.forgotten.contains_key(id)
    }

    /// The session has ended: what was bought and sold the same day is re-rated as day trade, at
    /// average prices of the day. Gives the refund (negative: a charge). A session that closes
    /// again, after its evening part, is re-rated as a whole.
    pub fn end_session(&mut self) -> Money {
        let mut total = Money::ZERO;
        for ((date, instrument), day) in &mut self.day_traded {
            let Some(rate) = self.settings.fees.rate(*date, Modality::DayTrade) else { continue };
            let refund = day.refund(rate) - day.refunded;
            if refund == Money::ZERO {
                continue;
            }
            day.refunded += refund;
            self.lines[instrument.index()].position.fees -= refund;
            self.cash.book(day.terms.settles, refund);
            self.fees -= refund;
            self.results.shared += refund;
            total += refund;
        }
        total
    }

    /// The instrument is worth this much now.
    #[inline]
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) {
        let line = &mut self.lines[instrument.index()];
        let held = line.position.quantity;
        if !held.is_zero() {
            self.market_value += (price - line.mark).times(held);
        }
        self.results.mark(instrument, price - line.mark);
        line.mark = price;
        if !held.is_zero() || line.open.orders > 0 || !line.external.is_zero() {
            self.revalue(instrument);
        }
    }

    /// The broker charges this from now on. What is set aside for open orders follows with their next
    /// change.
    pub fn charge(&mut self, brokerage: market::fees::Brokerage) {
        self.settings.brokerage = brokerage;
    }

    /// An order of this book.
    pub fn order(&self, id: &ClientOrderId) -> Option<&Order> {
        self.orders.get(id).map(|entered| &entered.order)
    }

    /// Orders that have not ended, in the order of their identifiers.
    pub fn open_orders(&self) -> Vec<&Order> {
        let mut open: Vec<&Order> =
            self.orders.values().map(|entered| &entered.order).filter(|order| !order.status.is_terminal()).collect();
        open.sort_by_key(|order| order.intent.client_order_id);
        open
    }

    /// Orders that may still trade in an instrument, in no particular order.
    pub fn open_orders_of(&self, instrument: InstrumentId) -> impl Iterator<Item = &Order> {
        let places = self.open.get(instrument.index()).map(Vec::as_slice).unwrap_or_default();
        places.iter().map(|place| &self.orders.at(*place).order)
    }

    /// Position in an instrument.
    #[inline]
    pub fn position(&self, instrument: InstrumentId) -> &Position {
        &self.lines[instrument.index()].position
    }

    /// What the instrument was last worth.
    pub fn mark_of(&self, instrument: InstrumentId) -> Price {
        self.lines[instrument.index()].mark
    }

    /// Units that open buys may add at worst.
    #[inline]
    pub fn open_buys(&self, instrument: InstrumentId) -> Quantity {
        self.lines[instrument.index()].open.buys
    }

    /// Units that open sells may take away at worst.
    #[inline]
    pub fn open_sells(&self, instrument: InstrumentId) -> Quantity {
        self.lines[instrument.index()].open.sells
    }

    /// Whether an order of unknown outcome freezes new entries in this instrument.
    #[inline]
    pub fn is_frozen(&self, instrument: InstrumentId) -> bool {
        self.lines[instrument.index()].unknown > 0
    }

    /// How many instruments the run has.
    pub fn instruments(&self) -> usize {
        self.lines.len()
    }

    /// What a strategy holds of an instrument.
    pub fn holding(&self, strategy: StrategyId, instrument: InstrumentId) -> Holding {
        self.holdings.get(&(strategy, instrument)).copied().unwrap_or_default()
    }

    /// Everything a strategy holds, by instrument.
    pub fn holdings_of(&self, strategy: StrategyId) -> Vec<(InstrumentId, Holding)> {
        let mut held: Vec<_> = self
            .holdings
            .iter()
            .filter(|((owner, _), holding)| *owner == strategy && **holding != Holding::default())
            .map(|((_, instrument), holding)| (*instrument, *holding))
            .collect();
        held.sort_by_key(|(instrument, _)| *instrument);
        held
    }

    /// The cash ledger.
    pub fn cash(&self) -> &CashLedger {
        &self.cash
    }

    /// Cash that open buys may cost at worst, fees included.
    #[inline]
    pub fn reserved(&self) -> Money {
        self.reserved
    }

    /// Cash that a new buy may use: everything booked, less what open buys may cost. Unsettled
    /// sales count, because a purchase today settles no earlier than they do.
    #[inline]
    pub fn buying_power(&self) -> Money {
        self.cash.total() - self.reserved
    }

    /// Cash plus positions at their marks.
    #[inline]
    pub fn equity(&self) -> Money {
        self.cash.total() + self.market_value
    }

    /// Value of all positions, longs and shorts added, with open orders at worst.
    #[inline]
    pub fn gross_exposure(&self) -> Money {
        self.exposure().gross
    }

    /// All fees so far, day-trade refunds taken off.
    pub fn fees(&self) -> Money {
        self.fees
    }

    /// Result of everything closed so far, before fees.
    pub fn realized(&self) -> Money {
        self.lines.iter().map(|line| line.position.realized).sum()
    }

    /// Cash that a new buy of at most `notional` would set aside: with exchange fees of the day and
    /// brokerage. `None` when its fills could not be booked: no fee or settlement date is known.
    pub fn cost_of_buy(&self, notional: Money, at: Timestamp) -> Option<Money> {
        let terms = self.terms_at(at).ok()?;
        Some(with_fees(notional, terms.rate, self.settings.brokerage.fee()))
    }

    /// By how much a replace would raise what is set aside for its order, at most; zero or less for
    /// one that frees cash. `None` when fills could not be booked, or there is no such order.
    pub fn cost_of_replace(&self, id: &ClientOrderId, to: Replacement, at: Timestamp) -> Option<Money> {
        let terms = self.terms_at(at).ok()?;
        let entered = self.orders.get(id)?;
        let brokerage = if entered.brokerage.is_some() { Money::ZERO } else { self.settings.brokerage.fee() };
        let needed = with_fees(entered.order.worst_notional_with(Some(to)), terms.rate, brokerage);
        Some(needed - entered.reserved)
    }

    /// Compares every aggregate with a recount from scratch: for tests, the simulation, and after
    /// recovery.
    ///
    /// # Errors
    /// The first aggregate that differs, with both figures.
    pub fn verify(&self) -> Result<(), String> {
        let differs = |what: &str, kept: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
            Err(format!("{what} is kept as {kept:?}, a recount gives {found:?}"))
        };
        let mut lines = vec![0; self.lines.len()];
        let (mut reserved, mut working) = (Money::ZERO, FxHashMap::default());
        for entered in self.orders.values() {
            let order = &entered.order;
            lines[order.intent.instrument.index()] += u32::from(order.status == OrderStatus::Unknown);
            reserved += entered.reserved;
            let traded: (Quantity, Money) =
                entered.standing().fold((Quantity::ZERO, Money::ZERO), |(units, amount), execution| {
                    (units + execution.quantity, amount + execution.price.times(execution.quantity))
                });
            let kept = (order.cumulative, order.traded);
            if kept != traded || entered.brokerage.is_some() != traded.0.is_positive() {
                return differs(&format!("what {} has traded", order.intent.client_order_id), &kept, &traded);
            }
            *working.entry((order.intent.strategy, order.intent.instrument)).or_insert(Quantity::ZERO) +=
                order.intent.side.signed(order.leaves());
        }
        let mut held = vec![Quantity::ZERO; self.lines.len()];
        for ((_, instrument), holding) in &self.holdings {
            held[instrument.index()] += holding.position;
        }
        for index in 0..self.lines.len() {
            let instrument = InstrumentId::new(index as u32);
            let of_it = |order: &&Order| order.intent.instrument == instrument && order.worst_leaves().is_positive();
            let mut found: Vec<_> = self.orders.values().map(|entered| &entered.order).filter(of_it).collect();
            let mut kept: Vec<_> = self.open_orders_of(instrument).collect();
            for list in [&mut kept, &mut found] {
                list.sort_by_key(|order| order.intent.client_order_id);
            }
            if kept != found {
                return differs(&format!("open orders of instrument {index}"), &kept, &found);
            }
        }
        for (index, (line, found)) in self.lines.iter().zip(&lines).enumerate() {
            if line.unknown != *found {
                return differs(&format!("unknown orders of instrument {index}"), &line.unknown, found);
            }
            let external = line.adopted + self.applied_externals(InstrumentId::new(index as u32));
            if line.external != external {
                return differs(&format!("what others hold of instrument {index}"), &line.external, &external);
            }
            if line.position.quantity != line.fills || line.fills != held[index] {
                let found = (line.fills, held[index]);
                return differs(&format!("position of instrument {index}"), &line.position.quantity, &found);
            }
        }
        if self.reserved != reserved {
            return differs("reserved cash", &self.reserved, &reserved);
        }
        let value: Money = self.lines.iter().map(|line| line.mark.times(line.position.quantity)).sum();
        if self.market_value != value {
            return differs("market value", &self.market_value, &value);
        }
        for (key, holding) in &self.holdings {
            let found = working.get(key).copied().unwrap_or_default();
            if holding.working != found {
                return differs(&format!("working quantity of {key:?}"), &holding.working, &found);
            }
        }
        self.verify_exposure()?;
        self.verify_results()?;
        // Cash, cost, result and fees close the circle: nothing is created or lost.
        let cost: Money = self.lines.iter().map(|line| line.position.cost).sum();
        let expected = self.settings.cash - cost + self.realized() - self.fees;
        if self.cash.total() != expected {
            return differs("cash", &self.cash.total(), &expected);
        }
        Ok(())
    }
}

fn with_fees(notional: Money, rate: Rate, brokerage: Money) -> Money {
    notional + notional.scaled(rate) + brokerage
}

/// A cancel of an order that never arrived is refused as well. So the refusal proves that an order is in
/// the broker's book only if the broker has ever said that it has it.
fn refusal_says_nothing(order: &Order, event: OrderEvent, after: OrderStatus) -> bool {
    let refusal = matches!(event, OrderEvent::CancelRejected | OrderEvent::ReplaceRejected);
    refusal && !order.acknowledged && after == OrderStatus::Working
}

fn event_of(kind: &ReportKind) -> OrderEvent {
    match kind {
        ReportKind::New => OrderEvent::Acknowledged,
        ReportKind::Fill { .. } | ReportKind::Bust { .. } | ReportKind::Corrected { .. } => OrderEvent::PartialFill,
        ReportKind::Canceled { .. } => OrderEvent::Canceled,
        ReportKind::Replaced { .. } => OrderEvent::Replaced,
        ReportKind::Rejected { .. } => OrderEvent::Rejected,
        ReportKind::Expired => OrderEvent::Expired,
        ReportKind::CancelRejected { .. } => OrderEvent::CancelRejected,
        ReportKind::ReplaceRejected { .. } => OrderEvent::ReplaceRejected,
    }
}

const fn event_name(event: OrderEvent) -> &'static str {
    match event {
        OrderEvent::Acknowledged => "new",
        OrderEvent::PartialFill | OrderEvent::FinalFill => "fill",
        OrderEvent::CancelRequested => "cancel request",
        OrderEvent::Canceled => "canceled",
        OrderEvent::CancelRejected => "cancel_rejected",
        OrderEvent::ReplaceRequested => "replace request",
        OrderEvent::Replaced => "replaced",
        OrderEvent::ReplaceRejected => "replace_rejected",
        OrderEvent::Rejected => "rejected",
        OrderEvent::Expired => "expired",
        OrderEvent::OutcomeUnknown => "outcome unknown",
    }
}
