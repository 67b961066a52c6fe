//! A venue that notes what arrives and when, and can be made to stand still: what is sent to it meanwhile
//! waits in the mailbox before the gate.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brokers::{Broker, BrokerEvent, SendError};
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    ExecutionId, ExecutionReport, InstrumentId, NewOrder, OrderReference, Quantity, ReportKind, StatedOrder,
    StatedStatus, Statement, StrategyId, Timestamp,
};
use risk::Approved;

use super::floor::PRICE;

/// The longest that it may take to stand still.
const PATIENCE: Duration = Duration::from_secs(10);

/// One order that came through the gate.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// Whose.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
}

/// What the venue has seen.
#[derive(Default)]
pub struct Seen {
    /// Orders, as they came in.
    pub submitted: Vec<Arrival>,
    /// When each cancel came in.
    pub canceled: Vec<Instant>,
}

/// What others know of a venue, and tell it. Copies are of the same venue.
#[derive(Clone, Default)]
pub struct Watched(Arc<Shared>);

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    still: Mutex<Still>,
    changed: Condvar,
}

#[derive(Default)]
struct Still {
    wanted: bool,
    stands: bool,
}

impl Watched {
    /// What has been seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the venue stands still, with the connection in its hands.
    ///
    /// # Panics
    /// If it does not within ten seconds.
    pub fn stand_still(&self) {
        let mut still = self.0.still.lock().unwrap_or_else(PoisonError::into_inner);
        still.wanted = true;
        let waited = self.0.changed.wait_timeout_while(still, PATIENCE, |still| !still.stands);
        let (still, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(still.stands, "the venue was not asked for anything within {PATIENCE:?}");
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.0.still.lock().unwrap_or_else(PoisonError::into_inner).wanted = false;
        self.0.changed.notify_all();
    }

    /// Stands still for as long as that is wanted. The thread's other tasks go on elsewhere meanwhile.
    fn rest(&self) {
        let mut still = self.0.still.lock().unwrap_or_else(PoisonError::into_inner);
        if !still.wanted {
            return;
        }
        still.stands = true;
        self.0.changed.notify_all();
        drop(still);
        tokio::task::block_in_place(|| {
            let still = self.0.still.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.0.changed.wait_while(still, |still| still.wanted);
            waited.unwrap_or_else(PoisonError::into_inner).stands = false;
        });
    }
}

/// The venue.
pub struct Venue {
    watched: Watched,
    rests: bool,
    executions: u64,
    held: Vec<i64>,
    open: Vec<NewOrder>,
    /// The instrument of the last order, and whom to tell of the first one in another.
    last: Option<InstrumentId>,
    turns: Sender<InstrumentId>,
}

impl Venue {
    /// One for so many instruments, at which orders rest, or trade at once; how to watch it, and what says
    /// each time that orders in another instrument begin to come in.
    pub fn new(instruments: usize, rests: bool) -> (Self, Watched, Receiver<InstrumentId>) {
        let (watched, (turns, turned)) = (Watched::default(), channel());
        let venue = Self {
            watched: watched.clone(),
            rests,
            executions: 0,
            held: vec![0; instruments],
            open: Vec::new(),
            last: None,
            turns,
        };
        (venue, watched, turned)
    }
}

impl Broker for Venue {
    fn name(&self) -> &str {
        "noted"
    }

    fn submit(
        &mut self,
        order: &Approved<NewOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        let order = *order.get();
        let (client_order_id, instrument) = (order.client_order_id, order.instrument);
        let arrival = Arrival { at: Instant::now(), strategy: order.strategy, instrument };
        self.watched.seen().submitted.push(arrival);
        if self.last.replace(instrument) != Some(instrument) {
            // Nobody may be waiting for it.
            let _ = self.turns.send(instrument);
        }
        let report = |kind| ExecutionReport { at: now, client_order_id, instrument, kind };
        reports.push(report(ReportKind::New));
        if self.rests {
            self.open.push(order);
            return Ok(());
        }
        self.executions += 1;
        self.held[instrument.index()] += order.side.sign() * order.quantity.units();
        let execution_id = ExecutionId::new(&self.executions.to_string());
        let price = order.order_type.limit_price().unwrap_or(PRICE);
        reports.push(report(ReportKind::Fill { execution_id, price, quantity: order.quantity }));
        Ok(())
    }

    fn cancel(
        &mut self,
        cancel: &Approved<CancelOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.watched.seen().canceled.push(Instant::now());
        let CancelOrder { client_order_id, instrument, .. } = *cancel.get();
        let open = self.open.iter().position(|order| order.client_order_id == client_order_id);
        let kind = match open {
            Some(place) => {
                self.open.swap_remove(place);
                ReportKind::Canceled { reason: "asked to".to_owned() }
            }
            None => ReportKind::CancelRejected { reason: "not open".to_owned() },
        };
        reports.push(ExecutionReport { at: now, client_order_id, instrument, kind });
        Ok(())
    }

    fn replace(
        &mut self,
        _: &Approved<ReplaceOrder>,
        _: Timestamp,
        _: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        Err(SendError::Refused("nobody here changes orders".to_owned()))
    }

    fn request_statement(&mut self, now: Timestamp, events: &mut Vec<BrokerEvent>) -> Result<(), SendError> {
        let held = self.held.iter().enumerate().filter(|(_, units)| **units != 0);
        events.push(BrokerEvent::Statement(Statement {
            at: now,
            since: now.plus_nanos(1),
            orders: self.open.iter().map(stated).collect(),
            executions: Vec::new(),
            revoked: Vec::new(),
            positions: held.map(|(at, units)| (InstrumentId::new(at as u32), Quantity::new(*units))).collect(),
            elsewhere: Vec::new(),
        }));
        Ok(())
    }

    fn poll(&mut self, _: Timestamp, _: &mut Vec<BrokerEvent>) {
        self.watched.rest();
    }
}

fn stated(order: &NewOrder) -> StatedOrder {
    StatedOrder {
        reference: OrderReference::Own(order.client_order_id),
        instrument: order.instrument,
        side: order.side,
        quantity: order.quantity,
        limit_price: order.order_type.limit_price(),
        cumulative: Quantity::ZERO,
        status: StatedStatus::Open,
    }
}
