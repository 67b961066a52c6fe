//! Tick to order through the live actors with an in-memory journal: from the moment that the feed
//! hands over a quote to the moment that the order passes the last gate into the connection.
//!
//! Beside it, in the same run, one ractor hop and one bare tokio channel hop, because a busy
//! machine slows all of them alike. Then the same path over the embedded store, which syncs before an
//! order may leave, with one bare sync of the same disk after each order.
#![allow(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actors::clock::Clock;
use actors::feed::{FeedError, Pace};
use actors::journal::SharedJournal;
use actors::system::{WarmUpError, shared};
use actors::{Conduct, FeedSource, HostedBuild, Polled, RestartPolicy, System, SystemSettings, WarmUp};
use brokers::{Broker, BrokerEvent, SendError};
use desk::{DeskSettings, Execution, HostSettings, Listen, Sizing};
use market::fees::Brokerage;
use market::order::{CancelOrder, ReplaceOrder, Signal};
use market::{
    Bar, Calendar, ExecutionId, ExecutionReport, FeeSchedule, Instrument, InstrumentId, InstrumentKind, MarketEvent,
    Money, NewOrder, Price, Quantity, Quote, Rate, ReportKind, Statement, StrategyId, Timestamp, Universe,
};
use oms::BookSettings;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use risk::{Approved, HaltLevel, HaltSwitch, LimitSet, LimitTable, Seconds};
use store::{EmbeddedStore, HaltRecord, HaltStore, MemoryJournal, StoreError};
use strategies::{Strategy, Wishes};

const ORDERS: usize = 3_000;
const DURABLE_ORDERS: usize = 1_000;
const HOPS: usize = 20_000;
/// Quotes of the other instrument between two that matter.
const NOISE_BETWEEN: u64 = 32;
const ONE: InstrumentId = InstrumentId::new(0);
const NOISE: InstrumentId = InstrumentId::new(1);

/// When the feed handed the last quote over, and when orders arrived at the connection.
#[derive(Default)]
struct Stamps {
    handed_over: Option<Instant>,
    delays: Vec<Duration>,
}

/// Hands over quotes that matter, and between them quotes of an instrument that nobody trades: a
/// market that is awake.
struct Source {
    waiting: Arc<Mutex<VecDeque<MarketEvent>>>,
    stamps: Arc<Mutex<Stamps>>,
    noise: u64,
}

impl FeedSource for Source {
    fn poll(&mut self) -> Result<Polled, FeedError> {
        self.noise += 1;
        if !self.noise.is_multiple_of(NOISE_BETWEEN) {
            return Ok(Polled::Event(quote(NOISE, 1_000 + (self.noise / 3 % 20) as i64)));
        }
        let next = self.waiting.lock().expect("whole").pop_front();
        if next.is_some() {
            self.stamps.lock().expect("whole").handed_over = Some(Instant::now());
        }
        Ok(next.map_or(Polled::Event(quote(NOISE, 1_000)), Polled::Event))
    }
}

fn quote(instrument: InstrumentId, cents: i64) -> MarketEvent {
    MarketEvent::Quote(Quote {
        at: Clock::System.now(),
        instrument,
        bid: Price::from_cents(cents).expect("a price"),
        ask: Price::from_cents(cents + 1).expect("a price"),
        bid_size: Quantity::new(1_000),
        ask_size: Quantity::new(1_000),
    })
}

/// A broker that fills at once, and notes when an order comes in.
struct Timed {
    stamps: Arc<Mutex<Stamps>>,
    executions: u64,
    position: Option<(InstrumentId, Quantity)>,
}

impl Broker for Timed {
    fn name(&self) -> &str {
        "timed"
    }

    fn submit(
        &mut self,
        order: &Approved<NewOrder>,
        now: Timestamp,
        reports: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        let arrived = Instant::now();
        let mut stamps = self.stamps.lock().expect("whole");
        if let Some(began) = stamps.handed_over.take() {
            stamps.delays.push(arrived - began);
        }
        drop(stamps);
        self.executions += 1;
        let order = order.get();
        let (client_order_id, instrument) = (order.client_order_id, order.instrument);
        let held = self.position.map_or(Quantity::ZERO, |(_, quantity)| quantity);
        self.position = Some((instrument, held + order.side.signed(order.quantity)));
        let report = |kind| ExecutionReport { at: now, client_order_id, instrument, kind };
        reports.push(report(ReportKind::New));
        reports.push(report(ReportKind::Fill {
            execution_id: ExecutionId::new(&self.executions.to_string()),
            price: Price::from_cents(3_000).expect("a price"),
            quantity: order.quantity,
        }));
        Ok(())
    }

    fn cancel(
        &mut self,
        _: &Approved<CancelOrder>,
        _: Timestamp,
        _: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        Err(SendError::Refused("nothing is ever open".to_owned()))
    }

    fn replace(
        &mut self,
        _: &Approved<ReplaceOrder>,
        _: Timestamp,
        _: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        Err(SendError::Refused("nothing is ever open".to_owned()))
    }

    fn request_statement(&mut self, now: Timestamp, events: &mut Vec<BrokerEvent>) -> Result<(), SendError> {
        events.push(BrokerEvent::Statement(Statement {
            at: now,
            since: now.plus_nanos(1),
            orders: Vec::new(),
            executions: Vec::new(),
            revoked: Vec::new(),
            positions: self.position.into_iter().filter(|(_, quantity)| !quantity.is_zero()).collect(),
            elsewhere: Vec::new(),
        }));
        Ok(())
    }
}

/// Wants in on one quote and out on the next.
#[derive(Default)]
struct Flip(u64);

impl Strategy for Flip {
    fn warm_up(&self) -> usize {
        1
    }

    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>) {
        self.0 += 1;
        wishes.hold(bar, f64::from(u8::from(self.0 % 2 == 1)), Signal::new("flip", &[("count", self.0 as f64)]));
    }
}

#[derive(Default)]
struct NoHalt;

impl HaltStore for NoHalt {
    fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
        Ok(Vec::new())
    }

    fn save_halt(&mut self, _: &HaltRecord) -> Result<(), StoreError> {
        Ok(())
    }
}

struct NoBars;

impl WarmUp for NoBars {
    fn bars(&self, _: &[InstrumentId], _: usize, _: Timestamp) -> Result<Vec<Bar>, WarmUpError> {
        Ok(Vec::new())
    }
}

/// Where the entries of a run go.
struct Place {
    journal: SharedJournal,
    durable: bool,
    runtime: Option<tokio::runtime::Handle>,
}

impl Place {
    fn memory() -> Self {
        Self { journal: shared(MemoryJournal::default()), durable: false, runtime: None }
    }
}

fn settings(waiting: &Arc<Mutex<VecDeque<MarketEvent>>>, stamps: &Arc<Mutex<Stamps>>, place: Place) -> SystemSettings {
    let mut universe = Universe::new();
    for symbol in ["BNCH3", "NOIS3"] {
        universe.add(Instrument::cash(symbol.parse().expect("a symbol"), InstrumentKind::Share));
    }
    let universe = Arc::new(universe);
    let cash = Money::from_cents(100_000_000);
    SystemSettings {
        desk: DeskSettings {
            account: "BNCH".to_owned(),
            universe: Arc::clone(&universe),
            book: BookSettings {
                cash,
                calendar: Calendar::always_open(),
                fees: FeeSchedule::b3(),
                brokerage: Brokerage::FREE,
                instruments: 2,
            },
            limits: Arc::new(LimitTable::uniform(
                LimitSet {
                    max_order_quantity: Quantity::new(1_000),
                    max_order_notional: cash,
                    price_collar: Rate::from_ppm(100_000),
                    max_position_quantity: Quantity::new(1_000),
                    max_quote_age_seconds: Seconds(60),
                    max_daily_loss: cash,
                    ..LimitSet::WIDE
                },
                &universe,
            )),
            start: Clock::System.now(),
        },
        strategies: vec![HostedBuild {
            build: Arc::new(|| Ok(Box::new(Flip::default()))),
            made_of: ("flip".to_owned(), Default::default()),
            settings: HostSettings {
                id: StrategyId(0),
                name: "flip".to_owned(),
                instruments: vec![ONE],
                listen: Listen::Quotes,
                sizing: Sizing::Quantity(Quantity::new(100)),
                execution: Execution::Market,
                flat_by: None,
            },
        }],
        connection: shared(Timed { stamps: Arc::clone(stamps), executions: 0, position: None }),
        reports_after: 0,
        conduct: Conduct::default(),
        simulated: false,
        journal: place.journal,
        halt_store: shared(NoHalt),
        durable: place.durable,
        journal_runtime: place.runtime,
        halt: HaltSwitch::at(HaltLevel::Active),
        source: shared(Source { waiting: Arc::clone(waiting), stamps: Arc::clone(stamps), noise: 0 }),
        pace: Pace::Live(Duration::from_micros(200)),
        warm_up: Arc::new(NoBars),
        clock: Clock::System,
        policy: RestartPolicy::default(),
        monitors: risk::MonitorSettings::default(),
        alerts: actors::Alerts::default(),
    }
}

async fn tick_to_order() -> Vec<Duration> {
    let (waiting, stamps) = (Arc::new(Mutex::new(VecDeque::new())), Arc::new(Mutex::new(Stamps::default())));
    let system = System::start(settings(&waiting, &stamps, Place::memory())).await.expect("the system starts");
    for number in 0..ORDERS {
        waiting.lock().expect("whole").push_back(quote(ONE, 3_000 + (number as i64 / 7) % 50));
        // The next quote comes when the order of this one has come out at the other end.
        while stamps.lock().expect("whole").delays.len() <= number {
            tokio::task::yield_now().await;
        }
    }
    let snapshot = system.stop().await.expect("the account answers");
    assert!(snapshot.record.counts.orders as usize > ORDERS / 2, "orders: {}", snapshot.record.counts.orders);
    std::mem::take(&mut stamps.lock().expect("whole").delays)
}

/// A file on the same disk, as large as a ledger's log becomes, so that a sync writes data only.
struct Bare {
    file: File,
    written: u64,
}

impl Bare {
    /// Bytes that one intent takes in the log: its row, in pages.
    const RECORD: usize = 4096;
    const LENGTH: u64 = 64 * 1024 * 1024;

    fn open(directory: &Path) -> Self {
        let path = directory.join("bare");
        let mut file = File::options().create(true).truncate(true).write(true).open(path).expect("a file");
        let block = vec![0_u8; 1024 * 1024];
        for _ in 0..Self::LENGTH / block.len() as u64 {
            file.write_all(&block).expect("room on the disk");
        }
        file.sync_all().expect("a sync");
        Self { file, written: 0 }
    }

    fn sync(&mut self) -> Duration {
        let began = Instant::now();
        let place = (self.written * Self::RECORD as u64) % (Self::LENGTH - Self::RECORD as u64);
        self.file.write_all_at(&[7; Self::RECORD], place).expect("room on the disk");
        self.file.sync_data().expect("a sync");
        self.written += 1;
        began.elapsed()
    }
}

/// Tick to order over the embedded store, and one bare sync after each. Each tick finds the journal at
/// rest: what the order before left to be written has been.
async fn durable_tick_to_order(elsewhere: tokio::runtime::Handle) -> (Vec<Duration>, Vec<Duration>) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = EmbeddedStore::open(directory.path()).expect("a store");
    let journal: SharedJournal = shared(store.journal().expect("a journal"));
    let (waiting, stamps) = (Arc::new(Mutex::new(VecDeque::new())), Arc::new(Mutex::new(Stamps::default())));
    let place = Place { journal, durable: true, runtime: Some(elsewhere) };
    let system = System::start(settings(&waiting, &stamps, place)).await.expect("the system starts");
    let mut bare = Bare::open(directory.path());
    let mut syncs = Vec::with_capacity(DURABLE_ORDERS);
    for number in 0..DURABLE_ORDERS {
        waiting.lock().expect("whole").push_back(quote(ONE, 3_000 + (number as i64 / 7) % 50));
        while stamps.lock().expect("whole").delays.len() <= number {
            tokio::task::yield_now().await;
        }
        while system.snapshot().await.expect("the account answers").uncommitted > 0 {
            tokio::task::yield_now().await;
        }
        syncs.push(bare.sync());
    }
    system.stop().await.expect("the account answers");
    (std::mem::take(&mut stamps.lock().expect("whole").delays), syncs)
}

/// An actor that answers with the time of arrival.
struct Echo;

impl Actor for Echo {
    type Msg = (Instant, tokio::sync::oneshot::Sender<Duration>);
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, message: Self::Msg, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let _ = message.1.send(message.0.elapsed());
        Ok(())
    }
}

async fn ractor_hop() -> Vec<Duration> {
    let (echo, _) = Actor::spawn(None, Echo, ()).await.expect("it starts");
    let mut delays = Vec::with_capacity(HOPS);
    for _ in 0..HOPS {
        let (answer, delay) = tokio::sync::oneshot::channel();
        echo.send_message((Instant::now(), answer)).expect("it lives");
        delays.push(delay.await.expect("it answers"));
    }
    echo.stop(None);
    delays
}

async fn channel_hop() -> Vec<Duration> {
    let (to, mut from) = tokio::sync::mpsc::channel::<(Instant, tokio::sync::oneshot::Sender<Duration>)>(64);
    tokio::spawn(async move {
        while let Some((began, answer)) = from.recv().await {
            let _ = answer.send(began.elapsed());
        }
    });
    let mut delays = Vec::with_capacity(HOPS);
    for _ in 0..HOPS {
        let (answer, delay) = tokio::sync::oneshot::channel();
        to.send((Instant::now(), answer)).await.expect("it lives");
        delays.push(delay.await.expect("it answers"));
    }
    delays
}

fn show(what: &str, mut delays: Vec<Duration>) -> f64 {
    delays.sort_unstable();
    let at = |part: f64| delays[((delays.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    println!("{what}: n={} p50={:.2} us p90={:.2} us p99={:.2} us", delays.len(), at(0.5), at(0.9), at(0.99));
    at(0.5)
}

fn main() {
    // `cargo test --benches` only wants to know that this starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let channel = show("CHANNEL hop", tokio::spawn(channel_hop()).await.expect("it ends"));
        let hop = show("RACTOR hop", tokio::spawn(ractor_hop()).await.expect("it ends"));
        let order = show("TICK TO ORDER", tokio::spawn(tick_to_order()).await.expect("it ends"));
        println!("RATIO: tick to order is {:.1} ractor hops, {:.1} channel hops", order / hop, order / channel);
        if std::env::args().any(|argument| argument == "memory") {
            return;
        }
        let elsewhere = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let elsewhere = elsewhere.expect("a runtime");
        let handle = elsewhere.handle().clone();
        let (orders, syncs) = tokio::spawn(durable_tick_to_order(handle)).await.expect("it ends");
        let sync = show("BARE SYNC", syncs);
        let durable = show("DURABLE TICK TO ORDER", orders);
        println!("RATIO: durable tick to order is {:.2} bare syncs (goal 1.50 at p50)", durable / sync);
        elsewhere.shutdown_background();
    });
}
