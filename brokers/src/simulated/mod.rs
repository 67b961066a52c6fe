//! A simulated exchange: fills orders from the market's stream without looking ahead.
//!
//! The same object serves paper trading and the backtest. It stands where the broker stands, so it
//! checks what an exchange checks and knows nothing of our limits.
//!
//! # Rules
//!
//! **No look-ahead.** An order arrives `latency` after it was sent, and meets the first event after
//! its arrival, never the one it was decided on. A bar is told when it ends: an order that arrived
//! before the bar began meets its open, one that arrived within it meets only its close. A bar begins
//! where the bar before it ended, or with the opening print; what falls into it does not begin it.
//!
//! | event | market order | limit order |
//! |---|---|---|
//! | quote | opposite side, moved by the slippage, up to the size shown | marketable on arrival: opposite side; resting: its own price once the opposite side reaches it |
//! | trade | trade price, moved by the slippage | its own price when the trade goes *through* it; at its price only by the queue rule |
//! | bar | open (or close, see above), moved by the slippage | open if that is better, else its own price when the range goes *through* it |
//! | auction | the auction's price | the auction's price if strictly better than its own |
//!
//! **Queue rule** (`LimitRule::Queue`): an order that comes to rest at the best price stands behind
//! the size shown there then, one deeper in the book behind the size that the first quote shows
//! whose best price is its own; trades at its price first use up that size, then fill it.
//!
//! **Stops** wake when a trade, quote or range reaches the stop and are limit orders from then on.
//!
//! **Participation.** Fills take at most a share of an event's volume, in whole lots, shared by all
//! our orders in arrival order; of a quote, all of the size it shows. A daily file knows the day's
//! volume only, so its opening print, its range and its closing print together offer one share of it.
//!
//! **Leftovers.** Auction orders end with their auction, immediate-or-cancel orders with the first
//! event they meet, day orders with the session, good-till-date orders with the last session up to
//! their date.
//!
//! **Replaces** are checked as new orders are. A changed order goes to the end of the queue and meets
//! the next event as a new one would.

mod ledger;
mod matching;
mod resting;

use std::collections::VecDeque;
use std::sync::Arc;

use market::order::{CancelOrder, MassCancel, ReplaceOrder};
use market::{
    BarUse, ClientOrderId, Date, ExecutionId, ExecutionReport, InstrumentId, MarketEvent, NewOrder, OrderType, Phase,
    PhaseChange, Price, Quantity, Quote, Rate, ReportKind, Side, TimeInForce, Timestamp, Universe,
};
use risk::Approved;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{Broker, BrokerEvent, MassCanceled, SendError};
use ledger::Ledger;
use matching::{Offer, offer_of};
use resting::Resting;

/// When a resting limit order fills at its own price.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitRule {
    /// Only when the market trades through it: the careful assumption.
    #[default]
    PriceThrough,
    /// Also at its price, after the size that stood there before it has traded.
    Queue,
}

/// How the simulation behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulationSettings {
    /// Time from sending to arriving, in milliseconds, for orders, replaces and cancels alike.
    pub latency_milliseconds: u32,
    /// Ticks by which a market order's price is worse than the market's.
    pub slippage_ticks: u32,
    /// Largest share of a bar's, trade's or auction's volume that our fills take.
    pub participation: Rate,
    /// When a resting limit order fills at its own price.
    pub limit_rule: LimitRule,
}

impl Default for SimulationSettings {
    /// No latency, one tick of slippage, a tenth of the volume, price-through.
    fn default() -> Self {
        Self {
            latency_milliseconds: 0,
            slippage_ticks: 1,
            participation: Rate::from_ppm(100_000),
            limit_rule: LimitRule::PriceThrough,
        }
    }
}

/// Something on its way to the exchange.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    New(NewOrder),
    Cancel(CancelOrder),
    Replace(ReplaceOrder),
    MassCancel,
}

/// What the exchange remembers of one instrument.
#[derive(Clone, Debug, Default)]
struct Book {
    orders: Vec<Resting>,
    /// Where the current bar began: at the end of the last, or at the opening print.
    bar_began: Option<Timestamp>,
    quote: Option<Quote>,
    /// Volume taken from what one share of the day's volume offers.
    taken_today: Quantity,
}

/// Ended orders that the exchange still knows, to recognise an identifier that comes again.
const KEPT_ENDED: usize = 10_000;

/// `SIM` and ten digits. Written digit by digit: the general formatter costs a twentieth of a backtest.
fn execution_id(number: u64) -> ExecutionId {
    if number > 9_999_999_999 {
        return ExecutionId::new(&format!("SIM{number}"));
    }
    let mut text = *b"SIM0000000000";
    let mut rest = number;
    for digit in text.iter_mut().skip(3).rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    ExecutionId::new(std::str::from_utf8(&text).unwrap_or_default())
}

/// How an order ended, or that it has not.
#[derive(Clone, Copy, Debug)]
struct Known {
    instrument: InstrumentId,
    cumulative: Quantity,
    open: bool,
}

/// The simulated exchange.
#[derive(Clone, Debug)]
pub struct SimulatedExchange {
    settings: SimulationSettings,
    universe: Arc<Universe>,
    books: Vec<Book>,
    /// In order of arrival: the latency is the same for all.
    on_the_way: VecDeque<(Timestamp, Arrival)>,
    known: FxHashMap<ClientOrderId, Known>,
    /// Orders that ended, oldest first; the latest [`KEPT_ENDED`] are remembered.
    ended: VecDeque<ClientOrderId>,
    phase: Phase,
    session: Option<Date>,
    executions: u64,
    /// What it can state; nothing where nobody asks.
    ledger: Option<Ledger>,
    /// What the last mass cancel came to, until somebody hears it.
    mass_canceled: Option<MassCanceled>,
}

impl SimulatedExchange {
    /// An exchange without orders, in the given phase.
    pub fn new(settings: SimulationSettings, universe: Arc<Universe>, phase: Phase) -> Self {
        let books = vec![Book::default(); universe.len()];
        Self {
            settings,
            universe,
            books,
            on_the_way: VecDeque::new(),
            known: FxHashMap::default(),
            ended: VecDeque::new(),
            phase,
            session: None,
            executions: 0,
            ledger: None,
            mass_canceled: None,
        }
    }

    /// The same exchange, able to state the account's orders, executions and positions from `since` on.
    /// A backtest does without: nobody asks, and remembering costs.
    #[must_use]
    pub fn with_statements(mut self, since: Timestamp) -> Self {
        self.ledger = Some(Ledger::new(self.universe.len(), since));
        self
    }

    /// So many units were held before a restart of the whole program, where the exchange lives inside it.
    pub fn restore_position(&mut self, instrument: InstrumentId, quantity: Quantity) {
        if let Some(ledger) = &mut self.ledger {
            ledger.held(instrument, quantity);
        }
    }

    /// What was just reported becomes part of what can be stated.
    #[inline]
    fn note(&mut self, reports: &[ExecutionReport], before: usize) {
        if let Some(ledger) = &mut self.ledger {
            reports[before..].iter().for_each(|report| ledger.take(report));
        }
    }

    /// Puts an order back that rested here before a restart of the whole program, where the
    /// exchange lives inside it. It goes to the end of the queue at its price.
    pub fn restore(&mut self, order: NewOrder, order_type: OrderType, quantity: Quantity, cumulative: Quantity) {
        self.known.insert(order.client_order_id, Known { instrument: order.instrument, cumulative, open: true });
        if let Some(ledger) = &mut self.ledger {
            ledger.restored(&order, order_type, quantity, cumulative);
        }
        if let Some(book) = self.books.get_mut(order.instrument.index()) {
            book.orders.push(Resting {
                order,
                quantity,
                order_type,
                cumulative,
                arrived: order.decided_at,
                passive: true,
                ahead: None,
            });
        }
    }

    /// Execution identifiers continue after this number: they are unique for ever.
    pub fn continue_executions_after(&mut self, number: u64) {
        self.executions = self.executions.max(number);
    }

    fn due(&self, now: Timestamp) -> Timestamp {
        now.plus_nanos(i64::from(self.settings.latency_milliseconds) * 1_000_000)
    }

    fn send(&mut self, arrival: Arrival, now: Timestamp, reports: &mut Vec<ExecutionReport>) {
        let before = reports.len();
        self.on_the_way.push_back((self.due(now), arrival));
        self.arrive(now, reports);
        self.note(reports, before);
    }

    /// Everything due by `now` arrives.
    fn arrive(&mut self, now: Timestamp, reports: &mut Vec<ExecutionReport>) {
        while let Some((due, arrival)) = self.on_the_way.front().copied()
            && due <= now
        {
            self.on_the_way.pop_front();
            match arrival {
                Arrival::New(order) => self.arrive_new(order, due, reports),
                Arrival::Cancel(cancel) => self.arrive_cancel(&cancel, due, reports),
                Arrival::Replace(replace) => self.arrive_replace(&replace, due, reports),
                Arrival::MassCancel => self.arrive_mass_cancel(due, reports),
            }
        }
    }

    fn arrive_new(&mut self, order: NewOrder, at: Timestamp, reports: &mut Vec<ExecutionReport>) {
        let id = order.client_order_id;
        let report = |kind| ExecutionReport { at, client_order_id: id, instrument: order.instrument, kind };
        let rejection = if self.known.contains_key(&id) {
            Some("duplicate client order id".to_owned())
        } else {
            self.universe
                .get(order.instrument)
                .map_or(Some("unknown instrument".to_owned()), |known| {
                    order.validate(known).err().map(|e| e.to_string())
                })
                .or_else(|| {
                    self.refused_in_phase(&order).then(|| format!("not accepted in phase {}", self.phase.name()))
                })
        };
        if let Some(reason) = rejection {
            reports.push(report(ReportKind::Rejected { reason }));
            return;
        }
        self.known.insert(id, Known { instrument: order.instrument, cumulative: Quantity::ZERO, open: true });
        let book = &mut self.books[order.instrument.index()];
        let mut resting = Resting {
            order,
            quantity: order.quantity,
            order_type: order.order_type,
            cumulative: Quantity::ZERO,
            arrived: at,
            passive: false,
            ahead: None,
        };
        resting.take_place(book.quote.as_ref());
        book.orders.push(resting);
        reports.push(report(ReportKind::New));
    }

    fn refused_in_phase(&self, order: &NewOrder) -> bool {
        let auction = matches!(order.order_type, OrderType::AtAuction { .. });
        !if auction { self.phase.accepts_auction_orders() } else { self.phase.accepts_new_orders() }
    }

    fn arrive_cancel(&mut self, cancel: &CancelOrder, at: Timestamp, reports: &mut Vec<ExecutionReport>) {
        let id = cancel.client_order_id;
        let found = self.known.get(&id).filter(|known| known.open).copied();
        let kind = match found {
            None => ReportKind::CancelRejected { reason: "too late or unknown order".to_owned() },
            Some(_) if !self.phase.accepts_cancels() => {
                ReportKind::CancelRejected { reason: format!("not accepted in phase {}", self.phase.name()) }
            }
            Some(known) => {
                self.books[known.instrument.index()].orders.retain(|resting| resting.order.client_order_id != id);
                self.end(id);
                ReportKind::Canceled { reason: String::new() }
            }
        };
        let instrument = found.map_or(cancel.instrument, |known| known.instrument);
        reports.push(ExecutionReport { at, client_order_id: id, instrument, kind });
    }

    /// Everything that rests is cancelled, in the order of instruments and of arrival, if the phase lets it.
    fn arrive_mass_cancel(&mut self, at: Timestamp, reports: &mut Vec<ExecutionReport>) {
        let resting = |book: &Book| book.orders.iter().map(|resting| resting.order).collect::<Vec<_>>();
        let open: Vec<NewOrder> = self.books.iter().flat_map(resting).collect();
        let count = u64::try_from(open.len()).unwrap_or(u64::MAX);
        if !self.phase.accepts_cancels() {
            self.mass_canceled = Some(MassCanceled { canceled: 0, open: count });
            return;
        }
        for NewOrder { client_order_id, instrument, decided_at, .. } in open {
            self.arrive_cancel(&CancelOrder { client_order_id, instrument, decided_at }, at, reports);
        }
        self.mass_canceled = Some(MassCanceled { canceled: count, open: 0 });
    }

    fn arrive_replace(&mut self, replace: &ReplaceOrder, at: Timestamp, reports: &mut Vec<ExecutionReport>) {
        let id = replace.client_order_id;
        let found = self.known.get(&id).filter(|known| known.open).copied();
        let instrument = found.map_or(replace.instrument, |known| known.instrument);
        let kind = match found {
            Some(known) if replace.quantity > known.cumulative && self.phase.accepts_new_orders() => {
                match self.change(known.instrument, replace, at) {
                    Ok(()) => ReportKind::Replaced { quantity: replace.quantity, limit_price: replace.limit_price },
                    Err(reason) => ReportKind::ReplaceRejected { reason },
                }
            }
            _ => ReportKind::ReplaceRejected { reason: "too late, unknown order, or quantity has traded".to_owned() },
        };
        reports.push(ExecutionReport { at, client_order_id: id, instrument, kind });
    }

    /// Puts an open order on its new terms and at the end of the queue: a changed order loses its place.
    fn change(&mut self, instrument: InstrumentId, replace: &ReplaceOrder, at: Timestamp) -> Result<(), String> {
        let gone = || "unknown order".to_owned();
        let known = self.universe.get(instrument).ok_or_else(gone)?;
        let book = &mut self.books[instrument.index()];
        let place = book.orders.iter().position(|resting| resting.order.client_order_id == replace.client_order_id);
        let place = place.ok_or_else(gone)?;
        let old = book.orders[place];
        let order_type = replace.limit_price.map_or(old.order_type, |price| old.order_type.with_limit(price));
        let changed = NewOrder { quantity: replace.quantity, order_type, ..old.order };
        changed.validate(known).map_err(|invalid| invalid.to_string())?;
        book.orders.remove(place);
        let mut resting =
            Resting { quantity: replace.quantity, order_type, arrived: at, passive: false, ahead: None, ..old };
        resting.take_place(book.quote.as_ref());
        book.orders.push(resting);
        Ok(())
    }

    fn end(&mut self, id: ClientOrderId) {
        if let Some(known) = self.known.get_mut(&id) {
            known.open = false;
        }
        self.ended.push_back(id);
        if self.ended.len() > KEPT_ENDED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Lets the resting orders of an instrument meet an event.
    fn meet(&mut self, event: &MarketEvent, reports: &mut Vec<ExecutionReport>) {
        let instrument = event.instrument();
        let Some(known) = self.universe.get(instrument) else { return };
        let (lot, tick) = (known.lot, known.tick);
        let slippage = Price::from_steps(tick.steps() * i64::from(self.settings.slippage_ticks));
        let book = &mut self.books[instrument.index()];
        let began = book.bar_began;
        // What our orders of a side have taken already is not there for the next ones.
        let mut taken = [Quantity::ZERO; 2];
        let mut volume = matching::volume_of(event, self.settings.participation, book.taken_today);
        let mut ended = Vec::new();
        for resting in &mut book.orders {
            let offer = offer_of(resting, event, began, self.settings.limit_rule, slippage, book.quote.as_ref());
            let taken = &mut taken[usize::from(resting.order.side == Side::Sell)];
            let quantity = match offer {
                Some(Offer { available, .. }) => {
                    let left = available.map_or(volume, |available| (available - *taken).max(Quantity::ZERO));
                    let most = resting.leaves().min(left).min(volume);
                    // A leftover smaller than a lot can only have been put back: it trades as it is.
                    if most == resting.leaves() { most } else { most.floor_to(lot) }
                }
                None => Quantity::ZERO,
            };
            let all_or_nothing = resting.order.time_in_force == TimeInForce::FillOrKill;
            if let Some(offer) = offer
                && quantity.is_positive()
                && (!all_or_nothing || quantity == resting.leaves())
            {
                volume -= quantity;
                *taken += quantity;
                resting.cumulative += quantity;
                self.executions += 1;
                reports.push(ExecutionReport {
                    at: event.at(),
                    client_order_id: resting.order.client_order_id,
                    instrument,
                    kind: ReportKind::Fill {
                        execution_id: execution_id(self.executions),
                        price: offer.price,
                        quantity,
                    },
                });
                if let Some(known) = self.known.get_mut(&resting.order.client_order_id) {
                    known.cumulative = resting.cumulative;
                }
                if matching::is_daily(event) {
                    book.taken_today += quantity;
                }
            }
            if resting.leaves().is_zero() {
                ended.push((resting.order.client_order_id, None));
            } else if let Some(kind) = matching::leftover(resting, event) {
                ended.push((resting.order.client_order_id, Some(kind)));
            }
        }
        for (id, kind) in ended {
            self.books[instrument.index()].orders.retain(|resting| resting.order.client_order_id != id);
            self.end(id);
            if let Some(kind) = kind {
                reports.push(ExecutionReport { at: event.at(), client_order_id: id, instrument, kind });
            }
        }
    }

    /// Ends the orders that do not stay.
    fn expire(&mut self, stays: impl Fn(&Resting) -> bool, at: Timestamp, reports: &mut Vec<ExecutionReport>) {
        let mut ended = Vec::new();
        for book in &mut self.books {
            book.orders.retain(|resting| {
                let stays = stays(resting);
                if !stays {
                    ended.push((resting.order.client_order_id, resting.order.instrument));
                }
                stays
            });
        }
        for (client_order_id, instrument) in ended {
            self.end(client_order_id);
            reports.push(ExecutionReport { at, client_order_id, instrument, kind: ReportKind::Expired });
        }
    }
}

impl Broker for SimulatedExchange {
    fn name(&self) -> &str {
        "simulated"
    }

    fn submit(
        &mut self,
        order: &Approved<NewOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        if let Some(ledger) = &mut self.ledger {
            ledger.sent(order.get());
        }
        self.send(Arrival::New(*order.get()), now, reports);
        Ok(())
    }

    fn cancel(
        &mut self,
        cancel: &Approved<CancelOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.send(Arrival::Cancel(*cancel.get()), now, reports);
        Ok(())
    }

    fn replace(
        &mut self,
        replace: &Approved<ReplaceOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.send(Arrival::Replace(*replace.get()), now, reports);
        Ok(())
    }

    fn mass_cancel(
        &mut self,
        _cancel: &Approved<MassCancel>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
        events: &mut Vec<BrokerEvent>,
    ) -> Result<(), SendError> {
        self.mass_canceled = None;
        self.send(Arrival::MassCancel, now, reports);
        self.poll(now, events);
        Ok(())
    }

    fn poll(&mut self, _now: Timestamp, events: &mut Vec<BrokerEvent>) {
        events.extend(self.mass_canceled.take().map(BrokerEvent::MassCanceled));
    }

    fn request_statement(&mut self, now: Timestamp, events: &mut Vec<BrokerEvent>) -> Result<(), SendError> {
        let ledger = self.ledger.as_ref();
        let ledger = ledger.ok_or_else(|| SendError::Refused("this simulation keeps no statements".to_owned()))?;
        events.push(BrokerEvent::Statement(ledger.statement(now)));
        Ok(())
    }

    #[inline]
    fn on_market(&mut self, event: &MarketEvent, reports: &mut Vec<ExecutionReport>) {
        let before = reports.len();
        if !self.on_the_way.is_empty() {
            self.arrive(event.at(), reports);
        }
        let Some(book) = self.books.get(event.instrument().index()).filter(|_| event.is_sound()) else {
            return self.note(reports, before);
        };
        if !book.orders.is_empty() && matching::trades_in(event, self.phase) {
            self.meet(event, reports);
        }
        self.note(reports, before);
        let book = &mut self.books[event.instrument().index()];
        match event {
            MarketEvent::Quote(quote) => book.quote = Some(*quote),
            // Past prices: nothing happened now.
            MarketEvent::Bar { used: BarUse::Decide, .. } => return,
            _ => {}
        }
        if matching::begins_a_bar(event) {
            book.bar_began = Some(event.at());
        }
    }

    fn on_phase(&mut self, change: &PhaseChange, reports: &mut Vec<ExecutionReport>) {
        let before = reports.len();
        let begins = self.session != Some(change.session);
        self.arrive(change.at, reports);
        if self.session != Some(change.session) {
            self.session = Some(change.session);
            for book in &mut self.books {
                book.taken_today = Quantity::ZERO;
            }
            // What ended before this session: a good-till date without one, or a day whose close
            // was never told.
            let stays = |resting: &Resting| match resting.order.time_in_force {
                TimeInForce::GoodTillCancel => true,
                TimeInForce::GoodTillDate(date) => date >= change.session,
                _ => resting.arrived.local_date() >= change.session,
            };
            self.expire(stays, change.at, reports);
        }
        self.phase = change.phase;
        if change.phase == Phase::Closed {
            let stays = |resting: &Resting| match resting.order.time_in_force {
                TimeInForce::GoodTillCancel => true,
                TimeInForce::GoodTillDate(date) => date > change.session,
                _ => false,
            };
            self.expire(stays, change.at, reports);
        }
        self.note(reports, before);
        if let Some(ledger) = self.ledger.as_mut().filter(|_| begins) {
            ledger.begin_session(change.at);
        }
    }

    fn on_time(&mut self, now: Timestamp, reports: &mut Vec<ExecutionReport>) {
        let before = reports.len();
        self.arrive(now, reports);
        self.note(reports, before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn execution_identifiers_are_the_number_with_ten_digits_or_more() {
        for number in [0, 1, 42, 9_999_999_999, 10_000_000_000, u64::MAX] {
            assert_eq!(execution_id(number).as_str(), format!("SIM{number:010}"));
        }
    }
}
