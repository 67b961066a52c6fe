//! The broker, with the truth: every order message that came, every fill there was.
//!
//! Written from the rules of order entry alone. It shares no code with `oms` or with the simulated
//! exchange, because the oracle believes what stands here.

mod statement;

use std::collections::{BTreeMap, BTreeSet};

use market::order::{CancelOrder, ReplaceOrder};
use market::{
    ClientOrderId, ExecutionId, ExecutionReport, InstrumentId, NewOrder, OrderReference, OrderType, Price, Quantity,
    ReportKind, Side, StatedExecution, StatedStatus, Statement, TimeInForce, Timestamp,
};

use super::faults::Fault;
use super::random::Random;

/// Smallest number of units that trades.
const LOT: i64 = 100;

/// A message that reaches the broker.
#[derive(Clone, Debug)]
pub enum Message {
    /// Place an order.
    New(NewOrder),
    /// Cancel one.
    Cancel(CancelOrder),
    /// Change one. A limit order is asked to have this limit.
    Replace(ReplaceOrder),
    /// State the account.
    State {
        /// The connection's number of the request.
        request: u64,
    },
}

/// A message that leaves the broker.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A report on an order of ours.
    Report(ExecutionReport),
    /// An execution of an order by hand.
    External(StatedExecution),
    /// A statement.
    Statement(u64, Box<Statement>),
}

/// An order as the broker has it.
#[derive(Clone, Debug)]
pub struct VenueOrder {
    pub reference: OrderReference,
    pub instrument: InstrumentId,
    pub side: Side,
    pub quantity: Quantity,
    pub limit_price: Option<Price>,
    pub order_type: OrderType,
    pub time_in_force: TimeInForce,
    pub cumulative: Quantity,
    pub status: StatedStatus,
    pub ended_at: Timestamp,
}

impl VenueOrder {
    fn leaves(&self) -> Quantity {
        if self.status == StatedStatus::Open { self.quantity - self.cumulative } else { Quantity::ZERO }
    }
}

/// An execution as it happened.
#[derive(Clone, Debug)]
pub struct VenueExecution {
    pub stated: StatedExecution,
    pub revoked_at: Option<Timestamp>,
}

/// The broker.
pub struct Venue {
    /// The session that counts; messages of others are dropped.
    pub session: u64,
    /// Whether somebody is logged on, as far as the broker knows.
    pub is_up: bool,
    /// Open for continuous trading.
    pub phase: market::Phase,
    pub orders: BTreeMap<OrderReference, VenueOrder>,
    pub executions: Vec<VenueExecution>,
    /// Units held, ours and other hands' together.
    pub positions: Vec<i64>,
    /// Every new order that was received: a second one under the same name is a violation.
    pub received: BTreeSet<ClientOrderId>,
    /// Names that came twice.
    pub received_twice: Vec<ClientOrderId>,
    /// What has been said and is not on the line yet.
    pub says: Vec<Answer>,
    /// Faults that the broker committed by itself.
    pub committed: Vec<Fault>,
    /// Best prices now, in cents.
    pub cents: Vec<i64>,
    names: u64,
}

impl Venue {
    /// An empty account.
    pub fn new(instruments: usize, phase: market::Phase, cents: Vec<i64>) -> Self {
        Self {
            session: 0,
            is_up: false,
            phase,
            orders: BTreeMap::new(),
            executions: Vec::new(),
            positions: vec![0; instruments],
            received: BTreeSet::new(),
            received_twice: Vec::new(),
            says: Vec::new(),
            committed: Vec::new(),
            cents,
            names: 0,
        }
    }

    /// Somebody logged on: the former session is over.
    pub fn log_on(&mut self) -> u64 {
        self.session += 1;
        self.is_up = true;
        self.session
    }

    fn say(&mut self, at: Timestamp, reference: &OrderReference, instrument: InstrumentId, kind: ReportKind) {
        if let OrderReference::Own(client_order_id) = reference {
            self.says.push(Answer::Report(ExecutionReport { at, client_order_id: *client_order_id, instrument, kind }));
        }
    }

    fn name(&mut self, what: &str) -> ExecutionId {
        self.names += 1;
        ExecutionId::new(&format!("{what}{}", self.names))
    }

    /// A new order came. `refused`: by the broker's own rules.
    pub fn new_order(&mut self, order: &NewOrder, at: Timestamp, refused: bool, random: &mut Random) {
        let id = order.client_order_id;
        let reference = OrderReference::Own(id);
        if !self.received.insert(id) {
            self.received_twice.push(id);
            return;
        }
        let auction = matches!(order.order_type, OrderType::AtAuction { .. });
        let taken = if auction { self.phase.accepts_auction_orders() } else { self.phase.accepts_new_orders() };
        let refused = if refused {
            Some("refused by the broker")
        } else {
            (!taken).then_some("the market does not take such orders now")
        };
        let placed = VenueOrder {
            reference: reference.clone(),
            instrument: order.instrument,
            side: order.side,
            quantity: order.quantity,
            limit_price: order.order_type.limit_price(),
            order_type: order.order_type,
            time_in_force: order.time_in_force,
            cumulative: Quantity::ZERO,
            status: if refused.is_some() { StatedStatus::Rejected } else { StatedStatus::Open },
            ended_at: at,
        };
        self.orders.insert(reference.clone(), placed);
        if let Some(reason) = refused {
            return self.say(at, &reference, order.instrument, ReportKind::Rejected { reason: reason.to_owned() });
        }
        self.say(at, &reference, order.instrument, ReportKind::New);
        let at_once = matches!(order.order_type, OrderType::Market)
            || matches!(order.time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill);
        if self.phase.trades_continuously() && (at_once || random.chance(3_000)) {
            for _ in 0..random.between(1, 3) {
                self.trade(&reference, at, random);
            }
            if at_once {
                self.end(&reference, StatedStatus::Canceled, at, "nothing more to trade with");
            }
        }
    }

    /// Part or all of an open order trades.
    pub fn trade(&mut self, reference: &OrderReference, at: Timestamp, random: &mut Random) {
        let Some(order) = self.orders.get(reference) else { return };
        let lots = order.leaves().units() / LOT;
        if lots <= 0 {
            return;
        }
        let quantity = if random.chance(4_000) { lots } else { random.between(1, lots) };
        let cents = self.cents[order.instrument.index()];
        let price = order.limit_price.or_else(|| Price::from_cents(cents)).unwrap_or_default();
        self.execute(reference, Quantity::new(quantity * LOT), price, at);
    }

    fn execute(&mut self, reference: &OrderReference, quantity: Quantity, price: Price, at: Timestamp) {
        let execution_id = self.name("E");
        let Some(order) = self.orders.get_mut(reference) else { return };
        order.cumulative += quantity;
        if order.cumulative == order.quantity {
            (order.status, order.ended_at) = (StatedStatus::Filled, at);
        }
        let (instrument, side) = (order.instrument, order.side);
        self.positions[instrument.index()] += side.signed(quantity).units();
        let (execution_id, reference) = (execution_id, reference.clone());
        let stated = StatedExecution { execution_id, reference, instrument, side, price, quantity, at };
        self.executions.push(VenueExecution { stated: stated.clone(), revoked_at: None });
        match stated.reference {
            OrderReference::External(_) => self.says.push(Answer::External(stated)),
            OrderReference::Own(_) => {
                let execution_id = stated.execution_id.clone();
                self.say(at, &stated.reference, instrument, ReportKind::Fill { execution_id, price, quantity });
            }
        }
    }

    /// An open order ends with something left.
    pub fn end(&mut self, reference: &OrderReference, status: StatedStatus, at: Timestamp, why: &str) {
        let Some(order) = self.orders.get_mut(reference).filter(|order| order.status == StatedStatus::Open) else {
            return;
        };
        (order.status, order.ended_at) = (status, at);
        let instrument = order.instrument;
        let kind = match status {
            StatedStatus::Expired => ReportKind::Expired,
            _ => ReportKind::Canceled { reason: why.to_owned() },
        };
        self.say(at, reference, instrument, kind);
    }

    /// A cancel came; `race`: the order trades first.
    pub fn cancel(&mut self, cancel: &CancelOrder, at: Timestamp, race: bool, refused: bool, random: &mut Random) {
        let reference = OrderReference::Own(cancel.client_order_id);
        if race && self.is_open(&reference) {
            self.committed.push(Fault::CancelRace);
            self.trade(&reference, at, random);
        }
        if refused || !self.is_open(&reference) {
            let reason = if refused { "too late to cancel" } else { "no such open order" }.to_owned();
            return self.say(at, &reference, cancel.instrument, ReportKind::CancelRejected { reason });
        }
        self.end(&reference, StatedStatus::Canceled, at, "");
    }

    /// A replace came; `race`: the order trades first.
    pub fn replace(&mut self, replace: &ReplaceOrder, at: Timestamp, race: bool, refused: bool, random: &mut Random) {
        let reference = OrderReference::Own(replace.client_order_id);
        if race && self.is_open(&reference) {
            self.committed.push(Fault::ReplaceRace);
            self.trade(&reference, at, random);
        }
        let changed = self
            .orders
            .get_mut(&reference)
            .filter(|order| order.status == StatedStatus::Open && replace.quantity > order.cumulative && !refused);
        let Some(order) = changed else {
            let reason = "cannot be changed".to_owned();
            return self.say(at, &reference, replace.instrument, ReportKind::ReplaceRejected { reason });
        };
        order.quantity = replace.quantity;
        if order.limit_price.is_some() {
            order.limit_price = replace.limit_price.or(order.limit_price);
        }
        let (quantity, limit_price) = (order.quantity, order.limit_price);
        self.say(at, &reference, replace.instrument, ReportKind::Replaced { quantity, limit_price });
    }

    fn is_open(&self, reference: &OrderReference) -> bool {
        self.orders.get(reference).is_some_and(|order| order.status == StatedStatus::Open)
    }

    /// Open orders, in the order of their names.
    pub fn open(&self) -> Vec<OrderReference> {
        let open = self.orders.values().filter(|order| order.status == StatedStatus::Open);
        open.map(|order| order.reference.clone()).collect()
    }

    /// The broker takes an execution back, or puts another in its place.
    pub fn revoke(&mut self, corrected: bool, at: Timestamp, random: &mut Random) {
        // Of the last trades: nobody busts what is days old.
        let recent = self.executions.len().saturating_sub(12);
        let standing: Vec<usize> = (recent..self.executions.len())
            .filter(|place| {
                let execution = &self.executions[*place];
                execution.revoked_at.is_none() && matches!(execution.stated.reference, OrderReference::Own(_))
            })
            .collect();
        if standing.is_empty() {
            return;
        }
        // Half of them at once, before anybody has heard of the trade.
        let last = standing[standing.len() - 1];
        let place = if random.chance(5_000) { last } else { random.pick(&standing) };
        let StatedExecution { execution_id: taken, reference, instrument, side, price, quantity, .. } =
            self.executions[place].stated.clone();
        self.executions[place].revoked_at = Some(at);
        self.positions[instrument.index()] -= side.signed(quantity).units();
        if let Some(order) = self.orders.get_mut(&reference) {
            order.cumulative -= quantity;
        }
        if !corrected {
            self.committed.push(Fault::Bust);
            let execution_id = self.name("B");
            return self.say(at, &reference, instrument, ReportKind::Bust { execution_id, reference: taken });
        }
        self.committed.push(Fault::Correction);
        let execution_id = self.name("C");
        let price = price.saturating_add(Price::from_cents(random.between(1, 5)).unwrap_or_default());
        let less = quantity.units() > LOT && random.chance(5_000);
        let quantity = if less { quantity - Quantity::new(LOT) } else { quantity };
        self.positions[instrument.index()] += side.signed(quantity).units();
        if let Some(order) = self.orders.get_mut(&reference) {
            order.cumulative += quantity;
        }
        let stated = StatedExecution {
            execution_id: execution_id.clone(),
            reference: reference.clone(),
            instrument,
            side,
            price,
            quantity,
            at,
        };
        self.executions.push(VenueExecution { stated, revoked_at: None });
        self.say(at, &reference, instrument, ReportKind::Corrected { execution_id, reference: taken, price, quantity });
    }

    /// A person places an order by hand.
    pub fn by_hand(&mut self, at: Timestamp, random: &mut Random) {
        if !self.phase.trades_continuously() {
            return;
        }
        self.committed.push(Fault::ExternalOrder);
        self.names += 1;
        let reference = OrderReference::External(format!("HAND{}", self.names));
        let instrument = InstrumentId::new(random.below(self.positions.len() as u64) as u32);
        let limit_price = Price::from_cents(self.cents[instrument.index()]).unwrap_or_default();
        let order = VenueOrder {
            reference: reference.clone(),
            instrument,
            side: random.pick(&[Side::Buy, Side::Sell]),
            quantity: Quantity::new(random.between(1, 5) * LOT),
            limit_price: Some(limit_price),
            order_type: OrderType::Limit { limit_price },
            time_in_force: TimeInForce::Day,
            cumulative: Quantity::ZERO,
            status: StatedStatus::Open,
            ended_at: at,
        };
        self.orders.insert(reference.clone(), order);
        self.trade(&reference, at, random);
    }

    /// The market moves on to another phase: auctions trade, days end.
    pub fn begin_phase(&mut self, phase: market::Phase, at: Timestamp, random: &mut Random) {
        use market::Phase;
        let before = std::mem::replace(&mut self.phase, phase);
        let called = matches!(before, Phase::PreOpen | Phase::OpeningAuction | Phase::ClosingAuction);
        for reference in self.open() {
            let Some(order) = self.orders.get(&reference) else { continue };
            let auction = matches!(order.order_type, OrderType::AtAuction { .. });
            let day = matches!(order.time_in_force, TimeInForce::Day | TimeInForce::AtTheClose);
            if called && (auction || random.chance(4_000)) {
                self.trade(&reference, at, random);
            }
            let ends = phase == Phase::Closed && day;
            if (called && auction) || ends {
                self.end(&reference, StatedStatus::Expired, at, "");
            }
        }
    }
}
