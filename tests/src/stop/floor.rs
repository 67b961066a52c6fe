//! A floor on which something happens all the time: a feed that never pauses, a strategy that wants in
//! and out of every instrument again and again, and a venue that notes when what arrives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actors::feed::{FeedError, Pace};
use actors::halt::SharedHalt;
use actors::system::shared;
use actors::{Clock, Conduct, FeedSource, HostedBuild, Polled, RestartPolicy, SystemSettings};
use brokers::{Broker, BrokerEvent, SendError};
use desk::{DeskSettings, Execution, HostSettings, Listen, Sizing};
use feeds::replay::BarHistory;
use market::decimal;
use market::fees::Brokerage;
use market::order::{CancelOrder, ReplaceOrder, Signal};
use market::{
    Bar, Calendar, ExecutionId, ExecutionReport, FeeSchedule, Instrument, InstrumentId, InstrumentKind, MarketEvent,
    Money, NewOrder, OrderReference, Price, Quantity, Quote, ReportKind, StatedOrder, StatedStatus, Statement,
    StrategyId, Timestamp, Universe,
};
use oms::BookSettings;
use risk::{Approved, HaltLevel, HaltScope, HaltSwitch, LimitSet, LimitTable};
use store::MemoryJournal;
use strategies::{Strategy, Wishes};

use crate::MemoryWarmUp;

/// What the venue has seen.
#[derive(Default)]
pub struct Seen {
    /// When each order came in, and in which epoch of the switch it had been decided.
    pub submitted: Vec<(Instant, u64)>,
    /// When each cancel came in.
    pub canceled: Vec<Instant>,
}

/// What a venue has seen, for whoever watches it.
pub type Watched = Arc<Mutex<Seen>>;

/// A venue that notes everything.
struct Venue {
    seen: Watched,
    rests: bool,
    executions: u64,
    held: Vec<i64>,
    open: Vec<NewOrder>,
}

impl Venue {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        look(&self.seen)
    }
}

/// What has been seen so far.
pub fn look(watched: &Watched) -> MutexGuard<'_, Seen> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.seen().submitted.push((Instant::now(), order.epoch()));
        let order = *order.get();
        let (client_order_id, instrument) = (order.client_order_id, order.instrument);
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
        self.seen().canceled.push(Instant::now());
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

/// A quote of the next instrument each time that it is asked: a feed that never pauses.
struct Source {
    instruments: u32,
    next: u64,
}

impl FeedSource for Source {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        self.next += 1;
        let instrument = InstrumentId::new((self.next % u64::from(self.instruments)) as u32);
        let size = Quantity::new(1_000);
        let (bid, ask) = (PRICE, Price::from_steps(PRICE.steps() + TICK.steps()));
        let quote = Quote { at: Clock::System.now(), instrument, bid, ask, bid_size: size, ask_size: size };
        Ok(Polled::Event(MarketEvent::Quote(quote)))
    }
}

/// Wants in on one quote of an instrument and out on the next; or only in.
struct Restless {
    seen: Vec<u64>,
    stays: bool,
}

impl Strategy for Restless {
    fn warm_up(&self) -> usize {
        0
    }

    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>) {
        let seen = &mut self.seen[bar.instrument.index()];
        *seen += 1;
        let wants = self.stays || *seen % 2 == 1;
        wishes.hold(bar, f64::from(u8::from(wants)), Signal::new("restless", &[]));
    }
}

/// 30.00 BRL.
const PRICE: Price = Price::from_steps(30 * decimal::SCALE);
/// 0.01 BRL.
const TICK: Price = Price::from_steps(decimal::SCALE / 100);

/// The settings of such a floor, and what its venue sees. Orders trade at once, or rest.
pub fn settings(instruments: u32, rests: bool, halt_store: SharedHalt) -> (SystemSettings, Watched) {
    let mut universe = Universe::new();
    for number in 0..instruments {
        let symbol = format!("S{number}").parse().expect("a symbol");
        universe.add(Instrument::cash(symbol, InstrumentKind::Share));
    }
    let (universe, names) = (Arc::new(universe), vec!["restless".to_owned()]);
    let (all, start) = (universe.ids().collect::<Vec<_>>(), Clock::System.now());
    let calendar = Calendar::always_open();
    let book = BookSettings {
        cash: Money::from_cents(1_000_000_000_000),
        calendar: Arc::clone(&calendar),
        fees: FeeSchedule::free(),
        brokerage: Brokerage::FREE,
        instruments: universe.len(),
    };
    let symbols = universe.iter().map(|(_, known)| known.symbol).collect();
    let halt = HaltSwitch::of_run(names.clone(), symbols);
    halt.set(&HaltScope::Global, HaltLevel::Active);
    let watched = Watched::default();
    let venue =
        Venue { seen: Arc::clone(&watched), rests, executions: 0, held: vec![0; universe.len()], open: Vec::new() };
    let settings = SystemSettings {
        desk: DeskSettings {
            account: "STOP".to_owned(),
            universe: Arc::clone(&universe),
            book,
            limits: Arc::new(LimitTable::new(LimitSet::WIDE.into(), &universe, &names)),
            start,
        },
        strategies: vec![HostedBuild {
            build: Arc::new(move || {
                let seen = vec![0; instruments as usize];
                Ok(Box::new(Restless { seen, stays: rests }))
            }),
            made_of: ("restless".to_owned(), Default::default()),
            settings: HostSettings {
                id: StrategyId(0),
                name: "restless".to_owned(),
                instruments: all,
                listen: Listen::Quotes,
                sizing: Sizing::Quantity(Quantity::new(100)),
                execution: if rests { Execution::Limit } else { Execution::Market },
                flat_by: None,
            },
        }],
        connection: shared(venue),
        reports_after: 0,
        conduct: Conduct { calendar: "always_open", ..Conduct::default() },
        simulated: false,
        journal: shared(MemoryJournal::default()),
        halt_store,
        durable: false,
        journal_runtime: None,
        halt,
        source: shared(Source { instruments, next: 0 }),
        pace: Pace::Live(Duration::from_micros(200)),
        warm_up: Arc::new(MemoryWarmUp(BarHistory::new(universe.len(), Vec::new()), calendar)),
        clock: Clock::System,
        policy: RestartPolicy::default(),
        monitors: risk::MonitorSettings::default(),
        alerts: actors::Alerts::default(),
    };
    (settings, watched)
}
