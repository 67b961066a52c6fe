//! How long a start takes: a journal of one busy day, 10,000 orders of which 200 are open, read back,
//! compared with the broker's statement of the same day, and ready to trade. On the embedded store, and
//! on Postgres where a server is installed. Once from the first entry on, once from a snapshot.
#![allow(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use actors::Clock;
use actors::journal::SharedJournal;
use actors::system::{recover, shared};
use brokers::simulated::SimulationSettings;
use brokers::{Broker, BrokerEvent, SimulatedExchange};
use desk::{
    Ask, Command, DeskSettings, Effect, Execution, HostSettings, Input, Listen, Origin, Patience, Protocol,
    ProtocolSettings, Restore, Sizing,
};
use market::fees::Brokerage;
use market::order::{OrderRequest, Signal};
use market::{
    Calendar, FeeSchedule, Instrument, InstrumentId, InstrumentKind, MarketEvent, Money, OrderType, Phase, Price,
    Quantity, Quote, Rate, Side, StrategyId, TimeInForce, Timestamp, TopOfBook, Universe,
};
use oms::BookSettings;
use risk::{HaltLevel, HaltSwitch, LimitSet, LimitTable, Seconds};
use store::testing::Server;
use store::{AccountTag, EmbeddedStore, Journal, JournalEntry, Ledger, PostgresStore, Snapshot};

const ORDERS: u32 = 10_000;
const OPEN: u32 = 200;
const INSTRUMENTS: u32 = 10;

fn settings(universe: &Arc<Universe>, start: Timestamp) -> DeskSettings {
    let cash = Money::from_cents(1_000_000_000_000);
    DeskSettings {
        account: "BNCH".to_owned(),
        universe: Arc::clone(universe),
        book: BookSettings {
            cash,
            calendar: Calendar::always_open(),
            fees: FeeSchedule::b3(),
            brokerage: Brokerage::FREE,
            instruments: universe.len(),
        },
        limits: Arc::new(LimitTable::uniform(
            LimitSet {
                max_order_quantity: Quantity::new(1_000),
                max_order_notional: cash,
                price_collar: Rate::from_ppm(900_000),
                max_position_quantity: Quantity::new(100_000_000),
                max_quote_age_seconds: Seconds(60),
                max_daily_loss: cash,
                ..LimitSet::WIDE
            },
            universe,
        )),
        start,
    }
}

fn universe() -> Arc<Universe> {
    let mut universe = Universe::new();
    for number in 0..INSTRUMENTS {
        universe.add(Instrument::cash(format!("BNCH{number}").parse().expect("a symbol"), InstrumentKind::Share));
    }
    Arc::new(universe)
}

fn host(universe: &Universe) -> HostSettings {
    HostSettings {
        id: StrategyId(0),
        name: "busy".to_owned(),
        instruments: universe.ids().collect(),
        listen: Listen::Quotes,
        sizing: Sizing::Quantity(Quantity::new(100)),
        execution: Execution::Limit,
        flat_by: None,
    }
}

/// A busy day, played: its entries, the state that they lead to, and the exchange as it stands.
struct Day {
    entries: Vec<JournalEntry>,
    snapshot: Snapshot,
    exchange: SimulatedExchange,
}

fn day(universe: &Arc<Universe>, start: Timestamp) -> Day {
    let desk = settings(universe, start);
    let account: AccountTag = desk.account.parse().expect("a tag");
    let switch = HaltSwitch::at(HaltLevel::Active);
    let restored = Restore::new(desk.clone(), vec!["busy".to_owned()], switch, 0).finish().expect("nothing yet");
    let origin = Origin {
        version: String::new(),
        start,
        calendar: "always_open".to_owned(),
        instruments: universe.iter().map(|(_, known)| known.clone()).collect(),
        limits: desk.limits.limits().clone(),
        brokerage: Brokerage::FREE,
    };
    let protocol = ProtocolSettings {
        strategies: vec![host(universe)],
        patience: Patience::default(),
        origin,
        snapshot_every: u64::MAX,
    };
    let mut protocol = Protocol::new(protocol, restored, 1);
    let mut exchange = SimulatedExchange::new(SimulationSettings::default(), Arc::clone(universe), Phase::Continuous)
        .with_statements(start);
    let (mut entries, mut effects, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    let mut sequence = 0;
    let mut now = start;
    protocol.begin(now, true, &mut effects);
    let (bid, price) = (Price::from_cents(999).expect("a price"), Price::from_cents(1_000).expect("a price"));
    for number in 0..=ORDERS {
        now = now.plus_nanos(1_000_000);
        loop {
            let todo = std::mem::take(&mut effects);
            if todo.is_empty() {
                break;
            }
            for effect in todo {
                match effect {
                    Effect::Begin { writer, entries: written } | Effect::Append { writer, entries: written } => {
                        let through = written.last().map(|entry| entry.sequence);
                        entries.extend(written.iter().map(|entry| JournalEntry {
                            account,
                            sequence: entry.sequence,
                            at: entry.at,
                            kind: Cow::Borrowed(entry.kind),
                            payload: entry.payload.clone(),
                        }));
                        if let Some(through) = through {
                            protocol.handle(now, Input::Committed { writer, through }, &mut effects);
                        }
                    }
                    Effect::Send(command) => {
                        let client_order_id = command.client_order_id();
                        if let Command::Submit(order) = &command {
                            exchange.submit(order, now, &mut reports).expect("it takes orders");
                        }
                        let sent = Input::Sent { client_order_id, command: command.name() };
                        protocol.handle(now, sent, &mut effects);
                    }
                    Effect::AskStatement { question } => {
                        let mut events = Vec::new();
                        exchange.request_statement(now, &mut events).expect("it states");
                        for event in events {
                            if let BrokerEvent::Statement(statement) = event {
                                let statement = Box::new(statement);
                                protocol.handle(now, Input::Statement { question, statement }, &mut effects);
                            }
                        }
                    }
                    _ => {}
                }
                for report in reports.drain(..) {
                    sequence += 1;
                    protocol.handle(now, Input::Report { report, sequence }, &mut effects);
                }
            }
        }
        if number == ORDERS {
            break;
        }
        let instrument = InstrumentId::new(number % INSTRUMENTS);
        // The last ones stay below the market.
        let limit_price = if number < ORDERS - OPEN { price } else { Price::from_cents(500).expect("a price") };
        let request = OrderRequest {
            strategy: StrategyId(0),
            instrument,
            side: Side::Buy,
            quantity: Quantity::new(100),
            order_type: OrderType::Limit { limit_price },
            time_in_force: TimeInForce::Day,
            decided_at: now,
            parent: None,
            signal: Signal::new("busy", &[("number", f64::from(number))]),
        };
        let top = TopOfBook { at: now, last: price, bid, ask: price, ..TopOfBook::default() };
        let ask = Input::Ask { strategy: StrategyId(0), ask: Ask::Submit(request), top };
        protocol.handle(now, ask, &mut effects);
        // It fills with the next quote.
        let size = Quantity::new(100_000);
        let quote = Quote { at: now, instrument, bid, ask: price, bid_size: size, ask_size: size };
        exchange.on_market(&MarketEvent::Quote(quote), &mut reports);
        for report in reports.drain(..) {
            sequence += 1;
            protocol.handle(now, Input::Report { report, sequence }, &mut effects);
        }
    }
    let payload = serde_json::to_string(&protocol.state()).expect("plain data");
    let snapshot = Snapshot { account, sequence: protocol.sequence(), at: now, payload };
    let book = protocol.desk().book();
    assert_eq!(book.open_orders().len(), OPEN as usize, "{:?}", protocol.desk().denials());
    Day { entries, snapshot, exchange }
}

fn measure(what: &str, journal: Box<dyn Journal>, day: &mut Day, universe: &Arc<Universe>, start: Timestamp) {
    let mut journal = journal;
    for batch in day.entries.chunks(256) {
        journal.append(batch).expect("it appends");
    }
    let shared_journal: SharedJournal = shared(journal);
    for from in ["the first entry", "a snapshot"] {
        if from == "a snapshot" {
            let mut journal = shared_journal.lock().expect("whole");
            journal.save_snapshot(&day.snapshot).expect("it keeps it");
        }
        let began = Instant::now();
        let switch = HaltSwitch::at(HaltLevel::Active);
        let restored = recover(&settings(universe, start), vec!["busy".to_owned()], &shared_journal, &switch);
        let restored = restored.expect("it recovers");
        let read = began.elapsed();
        let mut events = Vec::new();
        day.exchange.request_statement(start, &mut events).expect("it states");
        let Some(BrokerEvent::Statement(statement)) = events.pop() else { panic!("one statement") };
        let open = restored.desk.book().open_orders().into_iter().map(|order| order.intent.client_order_id);
        let plan = oms::reconcile::plan(restored.desk.book(), &statement, &restored.question(open.collect()));
        assert!(plan.agrees(), "{plan:?}");
        println!(
            "{what}, from {from}: {} entries, {OPEN} open orders, recovered in {:.0} ms, compared in {:.0} ms",
            restored.sequence,
            read.as_secs_f64() * 1e3,
            (began.elapsed() - read).as_secs_f64() * 1e3
        );
    }
}

fn main() {
    // `cargo test --benches` only wants to know that this starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let universe = universe();
    let start = Clock::System.now();
    let mut played = day(&universe, start);
    let directory = tempfile::tempdir().expect("a directory");
    let store = EmbeddedStore::open(directory.path()).expect("a store");
    measure("EMBEDDED", Box::new(store.journal().expect("a journal")), &mut played, &universe, start);
    if let Some(server) = Server::start() {
        let store = PostgresStore::open(&server.settings("recovery")).expect("a store");
        let _lease = Ledger::lease(&store, played.snapshot.account).expect("a lease");
        measure("POSTGRES", Box::new(store.journal()), &mut played, &universe, start);
    }
}
